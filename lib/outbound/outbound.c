/* A ring of items, and an index of those with a key. Keyed items are found by their place, counted from
 * the first that ever waited. Knows nothing of the rest of the library. */
#include <assert.h>
#include <wsfan/outbound.h>

#include <stdbool.h>
#include <string.h>

#include "base/deque.h"
#include "base/memory.h"
#include "base/sized.h"
#include "base/table.h"

enum { MI = 1024 * 1024 };

typedef struct {
    void *data;
    size_t size;
    uint64_t key;
} entry;

struct wsfan_outbound {
    wsfan_outbound_options options;
    wsf_deque queue;
    wsf_table index; /* key -> place */
    uint32_t gone;   /* entries that have left at the front, modulo 2^32 */
    bool closed;
    uint64_t bytes;
    uint64_t pushed;
    uint64_t taken;
    uint64_t dropped[WSFAN_OUTBOUND_DROP_COUNT];
};

static const struct {
    const char *name;
    const char *text;
} DROPS[] = {
    [WSFAN_OUTBOUND_DROP_CLOSED] = { "closed",
                                     "the queue was full, or had been: close the connection" },
    [WSFAN_OUTBOUND_DROP_NEWEST] = { "newest", "the queue was full: the newest item" },
    [WSFAN_OUTBOUND_DROP_OLDEST] = { "oldest", "the queue was full: the oldest item" },
    [WSFAN_OUTBOUND_DROP_REPLACED] = { "replaced",
                                       "a newer item with the same key took its place" },
    [WSFAN_OUTBOUND_DROP_MEMORY] = { "memory", "out of memory" },
};

_Static_assert(sizeof DROPS / sizeof *DROPS == WSFAN_OUTBOUND_DROP_COUNT, "each drop has a text");

const char *wsfan_outbound_drop_text(wsfan_outbound_drop reason) {
    return (unsigned)reason < WSFAN_OUTBOUND_DROP_COUNT ? DROPS[reason].text : "unknown reason";
}

const char *wsfan_outbound_drop_name(wsfan_outbound_drop reason) {
    return (unsigned)reason < WSFAN_OUTBOUND_DROP_COUNT ? DROPS[reason].name : "unknown";
}

void wsfan_outbound_options_init_sized(wsfan_outbound_options *options, size_t struct_size) {
    const wsfan_outbound_options defaults = {
        .struct_size = struct_size,
        .policy = WSFAN_OUTBOUND_CLOSE,
        .count_max = 1024,
        .bytes_max = MI,
    };
    wsf_fill_sized(options, struct_size, &defaults, sizeof defaults);
}

int wsfan_outbound_open(wsfan_outbound **out, const wsfan_outbound_options *given) {
    wsfan_outbound_options options;
    wsfan_outbound_options_init(&options);
    if (out == NULL || !wsf_read_sized(&options, sizeof options, given))
        return WSFAN_EINVAL;
    if (options.policy > WSFAN_OUTBOUND_OLDEST || options.count_max < 1 ||
        options.count_max > 16 * MI || options.bytes_max < 1)
        return WSFAN_EINVAL;
    int error = wsf_memory_use(NULL);
    if (error != WSFAN_OK)
        return error;
    wsfan_outbound *outbound = wsf_alloc_zero(1, sizeof *outbound);
    if (outbound == NULL)
        return WSFAN_ENOMEM;
    outbound->options = options;
    wsf_deque_init(&outbound->queue, sizeof(entry));
    wsf_table_init(&outbound->index, (uint64_t)(uintptr_t)outbound);
    *out = outbound;
    return WSFAN_OK;
}

static void release(const wsfan_outbound *outbound, void *item) {
    if (outbound->options.release != NULL)
        outbound->options.release(item);
}

void wsfan_outbound_close(wsfan_outbound *outbound) {
    if (outbound == NULL)
        return;
    for (uint32_t i = 0; i < outbound->queue.count; i++)
        release(outbound, ((entry *)wsf_deque_at(&outbound->queue, i))->data);
    wsf_deque_destroy(&outbound->queue);
    wsf_table_destroy(&outbound->index);
    wsf_free(outbound);
}

static entry *find(const wsfan_outbound *outbound, uint64_t key) {
    uint32_t cursor = 0;
    uint32_t place;
    while ((place = wsf_table_next(&outbound->index, key, &cursor)) != WSF_TABLE_NONE) {
        entry *waiting = wsf_deque_at(&outbound->queue, place - outbound->gone);
        if (waiting->key == key)
            return waiting;
    }
    return NULL;
}

static void forget_first(wsfan_outbound *outbound, uint64_t key) {
    uint32_t cursor = 0;
    uint32_t place;
    while ((place = wsf_table_next(&outbound->index, key, &cursor)) != WSF_TABLE_NONE)
        if (place == outbound->gone) {
            wsf_table_remove(&outbound->index, key, place);
            return;
        }
}

static void *pop(wsfan_outbound *outbound) {
    entry first = *(entry *)wsf_deque_at(&outbound->queue, 0);
    if (first.key != 0)
        forget_first(outbound, first.key);
    wsf_deque_pop_front(&outbound->queue);
    outbound->gone++;
    outbound->bytes -= first.size;
    return first.data;
}

/* NULL: out of memory. Without memory for the index the item is not found by its key. */
static entry *append(wsfan_outbound *outbound, entry item) {
    entry *last = wsf_deque_push(&outbound->queue);
    if (last == NULL)
        return NULL;
    *last = item;
    outbound->bytes += item.size;
    uint32_t place = outbound->gone + outbound->queue.count - 1;
    if (item.key != 0 && place != WSF_TABLE_NONE)
        (void)wsf_table_insert(&outbound->index, item.key, place);
    return last;
}

static void drop_oldest(wsfan_outbound *outbound) {
    outbound->dropped[WSFAN_OUTBOUND_DROP_OLDEST]++;
    release(outbound, pop(outbound));
}

/* Whether `size` more bytes are within the limit beside `bytes`; the sum may not be formed. */
static bool within(const wsfan_outbound *outbound, uint64_t bytes, size_t size) {
    return size <= outbound->options.bytes_max && bytes <= outbound->options.bytes_max - size;
}

static bool fits(const wsfan_outbound *outbound, size_t size) {
    return outbound->queue.count == 0 || (outbound->queue.count < outbound->options.count_max &&
                                          within(outbound, outbound->bytes, size));
}

/* WSFAN_OK: there is room now. */
static int make_room(wsfan_outbound *outbound, size_t size) {
    if (outbound->closed || !fits(outbound, size)) {
        switch (outbound->options.policy) {
        case WSFAN_OUTBOUND_CLOSE:
            outbound->closed = true;
            outbound->dropped[WSFAN_OUTBOUND_DROP_CLOSED]++;
            return WSFAN_ECLOSED;
        case WSFAN_OUTBOUND_NEWEST:
            outbound->dropped[WSFAN_OUTBOUND_DROP_NEWEST]++;
            return WSFAN_EAGAIN;
        case WSFAN_OUTBOUND_OLDEST:
            break;
        }
    }
    while (!fits(outbound, size))
        drop_oldest(outbound);
    return WSFAN_OK;
}

static bool fits_instead(const wsfan_outbound *outbound, const entry *waiting, size_t size) {
    return outbound->queue.count == 1 || within(outbound, outbound->bytes - waiting->size, size);
}

/* Drops the oldest of the others until an item of `size` bytes fits in the place of `waiting`, which
 * goes behind them when it is the oldest itself. Returns where it is then. There is always another: one
 * alone fits. */
static entry *make_room_instead(wsfan_outbound *outbound, entry *waiting, size_t size) {
    while (!fits_instead(outbound, waiting, size)) {
        if (waiting != wsf_deque_at(&outbound->queue, 0)) {
            drop_oldest(outbound);
            continue;
        }
        entry first = *waiting;
        (void)pop(outbound);
        waiting = append(outbound, first);
        assert(waiting != NULL); /* the ring has the room of what was popped */
    }
    return waiting;
}

/* Whether the item could take the place of one with its key. Where it is so much larger that there
 * is no room, the policy decides, as on any other: there are never two with one key. */
static bool replace(wsfan_outbound *outbound, void *item, size_t size, uint64_t key) {
    entry *waiting = key != 0 && !outbound->closed ? find(outbound, key) : NULL;
    if (waiting == NULL || (!fits_instead(outbound, waiting, size) &&
                            outbound->options.policy != WSFAN_OUTBOUND_OLDEST))
        return false;
    waiting = make_room_instead(outbound, waiting, size);
    entry older = *waiting;
    *waiting = (entry){ item, size, key };
    outbound->bytes = outbound->bytes - older.size + size;
    outbound->pushed++;
    outbound->dropped[WSFAN_OUTBOUND_DROP_REPLACED]++;
    release(outbound, older.data);
    return true;
}

int wsfan_outbound_push(wsfan_outbound *outbound, void *item, size_t size, uint64_t key) {
    if (outbound == NULL || item == NULL)
        return WSFAN_EINVAL;
    if (replace(outbound, item, size, key))
        return WSFAN_OK;
    int error = make_room(outbound, size);
    if (error != WSFAN_OK)
        return error;
    if (append(outbound, (entry){ item, size, key }) == NULL) {
        outbound->dropped[WSFAN_OUTBOUND_DROP_MEMORY]++;
        return WSFAN_ENOMEM;
    }
    outbound->pushed++;
    return WSFAN_OK;
}

void *wsfan_outbound_peek(const wsfan_outbound *outbound, uint32_t i, size_t *size) {
    if (i >= outbound->queue.count)
        return NULL;
    const entry *waiting = wsf_deque_at(&outbound->queue, i);
    if (size != NULL)
        *size = waiting->size;
    return waiting->data;
}

void *wsfan_outbound_take(wsfan_outbound *outbound) {
    if (outbound->queue.count == 0)
        return NULL;
    outbound->taken++;
    return pop(outbound);
}

int wsfan_outbound_get_stats(const wsfan_outbound *outbound, wsfan_outbound_stats *stats) {
    if (outbound == NULL || !WSF_IS_SIZED(stats))
        return WSFAN_EINVAL;
    wsfan_outbound_stats all = {
        .struct_size = stats->struct_size,
        .count = outbound->queue.count,
        .bytes = outbound->bytes,
        .pushed = outbound->pushed,
        .taken = outbound->taken,
    };
    memcpy(all.dropped, outbound->dropped, sizeof outbound->dropped);
    wsf_fill_sized(stats, all.struct_size, &all, sizeof all);
    return WSFAN_OK;
}
