/* Layout: struct wsfan_message | struct wsf_run with an entry for each message | payloads -> ... <- heads with
 * their names. A head is found by its place from the end, so heads have any size and need not move. */
#include "message/run.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"

enum { UNIT = 16 }; /* of places, and of the alignment of heads */

_Static_assert(WSF_RUN_BYTES_MAX / UNIT <= UINT16_MAX, "a place is of 16 bits");
_Static_assert(WSF_RUN_COUNT_MAX <= UINT16_MAX, "an offset is of 16 bits");

static size_t align(size_t size) {
    return (size + UNIT - 1) & ~(size_t)(UNIT - 1);
}

static size_t head_size(size_t name_size) {
    return align(sizeof(wsf_run_head) + name_size);
}

static size_t payloads_offset(size_t count) {
    return align(sizeof(wsfan_message) + sizeof(wsf_run) + count * sizeof(wsf_run_entry));
}

static wsfan_message *run_of_body(wsf_buffer *body) {
    wsf_run *run = (wsf_run *)(void *)((uint8_t *)body - offsetof(wsf_run, body));
    return (wsfan_message *)run - 1;
}

static void release_body(wsf_buffer *body) {
    wsfan_message_unref(run_of_body(body));
}

size_t wsf_run_bytes_for(const wsf_message_parts *parts) {
    size_t need = sizeof(wsf_slab) + head_size(parts->targets[0].name.size) + parts->payload.size;
    size_t bytes = WSF_RUN_BYTES_MIN;
    /* Entries are for a share of all memory, so they take as much of twice the memory. */
    while (bytes < 2 * (payloads_offset(bytes / WSF_RUN_SHARE_MIN) + need))
        bytes *= 2;
    return bytes;
}

static wsf_slab *new_slab(size_t bytes) {
    wsf_slab *slab = wsf_alloc(bytes);
    if (slab == NULL)
        return NULL;
    atomic_init(&slab->refs, 1);
    slab->cache = NULL;
    return slab;
}

/* bytes: of the slab. slab NULL: there is no memory. */
static wsfan_message *init_run(wsf_slab *slab, size_t bytes, size_t count_max) {
    if (slab == NULL)
        return NULL;
    wsfan_message *run = (wsfan_message *)(void *)(slab + 1);
    memset(run, 0, sizeof *run + sizeof *run->run);
    run->run = (wsf_run *)(void *)(run + 1);
    run->slab_offset = sizeof *slab;
    run->size = (uint32_t)bytes;
    run->run->entries_max = (uint32_t)count_max;
    run->run->payloads = (uint32_t)payloads_offset(count_max);
    run->run->end = (uint32_t)((bytes - sizeof *slab) / UNIT * UNIT);
    run->payload = (uint8_t *)run + run->run->payloads;
    atomic_init(&run->run->body.refs, 0);
    run->run->body.release = release_body;
    return run;
}

wsfan_message *wsf_run_new(wsf_slab_cache *cache, size_t bytes) {
    assert(bytes >= WSF_RUN_BYTES_MIN && bytes <= WSF_RUN_BYTES_MAX);
    bool kept = cache != NULL && bytes == WSF_RUN_BYTES_MAX;
    return init_run(kept ? wsf_slab_cache_take(cache, 1) : new_slab(bytes), bytes,
                    bytes / WSF_RUN_SHARE_MIN);
}

wsfan_message *wsf_run_new_for(size_t count, size_t payload_bytes, size_t heads_bytes) {
    assert(count <= WSF_RUN_COUNT_MAX);
    size_t bytes = sizeof(wsf_slab) + payloads_offset(count) + align(payload_bytes) + heads_bytes;
    return init_run(new_slab(bytes), bytes, count);
}

size_t wsf_run_head_bytes(size_t name_size) {
    return head_size(name_size);
}

static inline uint32_t room(const wsfan_message *message) {
    const wsf_run *run = message->run;
    return run->end - run->heads_bytes - run->payloads - message->payload_size;
}

wsf_run_head *wsf_run_add_head(wsfan_message *message, const wsf_message_parts *parts) {
    wsf_run *run = message->run;
    wsfan_bytes name = parts->targets[0].name;
    size_t size = head_size(name.size);
    if (run->heads_count == WSF_RUN_HEADS_MAX || size > room(message) ||
        run->heads_bytes + size > UINT16_MAX * (size_t)UNIT)
        return NULL;
    run->heads_bytes += (uint32_t)size;
    run->name_bytes += (uint32_t)name.size;
    run->excepts_count += parts->except.node != 0;
    wsf_run_head *head = (wsf_run_head *)(void *)((uint8_t *)message + run->end - run->heads_bytes);
    *head = (wsf_run_head){
        .except = parts->except,
        .target = { .name_offset = (uint32_t)((uint8_t *)(head + 1) - (uint8_t *)message),
                    .name_size = (uint16_t)name.size,
                    .kind = (uint8_t)parts->targets[0].kind },
        .size = (uint32_t)size,
        .number = (uint16_t)run->heads_count++,
        .flags = (uint8_t)parts->flags,
    };
    wsf_copy_short(head + 1, name.data, name.size);
    return head;
}

static inline bool add(wsfan_message *message, const wsf_run_head *head, wsfan_bytes payload,
                       uint32_t offset) {
    wsf_run *run = message->run;
    uint32_t begin = message->payload_size;
    uint32_t count = message->count;
    if (count == run->entries_max || payload.size > room(message))
        return false;
    uint32_t end = begin + (uint32_t)payload.size;
    run->entries[count] = (wsf_run_entry){ end, wsf_run_place(message, head), (uint16_t)offset };
    message->payload_size = end;
    message->count = count + 1;
    if (payload.size > 0)
        memcpy(message->payload + begin, payload.data, payload.size);
    return true;
}

bool wsf_run_add(wsfan_message *message, const wsf_run_head *head, wsfan_bytes payload,
                 uint32_t offset) {
    return add(message, head, payload, offset);
}

void wsf_run_set(wsfan_message *run, uint32_t count, wsfan_bytes payloads, wsf_buffer *frame) {
    run->count = count;
    run->payload_size = (uint32_t)payloads.size;
    if (frame != NULL) {
        run->frame = wsf_buffer_ref(frame);
        run->payload = frame->data + ((const uint8_t *)payloads.data - frame->data);
        run->size += run->payload_size;
    } else if (payloads.size > 0) {
        memcpy(run->payload, payloads.data, payloads.size);
    }
}

/* ------------------------------------------------------------------------------------- writing */

void wsf_run_begin_writing(wsf_run_writer *writer, wsfan_message *run) {
    memset(writer, 0, sizeof *writer);
    writer->run = run;
}

static inline bool is_head_of(const wsf_run_head *head, const wsf_message_parts *parts) {
    const wsfan_target *target = &parts->targets[0];
    return head->target.name_size == target->name.size && head->target.kind == target->kind &&
           head->flags == parts->flags && head->except.session == parts->except.session &&
           head->except.node == parts->except.node &&
           wsf_same_bytes(head + 1, target->name.data, target->name.size);
}

static unsigned slot_of(const wsf_message_parts *parts) {
    return (unsigned)(wsf_hash_quick(parts->targets[0].name, parts->except.session) >> 56);
}

/* Another head than the last one. NULL: no room. */
static __attribute__((noinline)) const wsf_run_head *find_head(wsf_run_writer *writer,
                                                               const wsf_message_parts *parts) {
    uint16_t *place = &writer->recent[slot_of(parts)];
    wsf_run_head *head = *place != 0 ? wsf_run_head_at(writer->run, *place) : NULL;
    if (head == NULL || !is_head_of(head, parts)) {
        head = wsf_run_add_head(writer->run, parts);
        if (head == NULL)
            return NULL;
        *place = wsf_run_place(writer->run, head);
    }
    writer->last = head;
    return head;
}

bool wsf_run_write(wsf_run_writer *writer, const wsf_message_parts *parts) {
    const wsf_run_head *head = writer->last;
    if (head == NULL || !is_head_of(head, parts))
        head = find_head(writer, parts);
    return head != NULL && add(writer->run, head, parts->payload, writer->run->count);
}

/* -------------------------------------------------------------------------------------- copying */

static wsf_message_parts parts_of(const wsf_run_head *head, wsfan_target *target) {
    *target = (wsfan_target){ (wsfan_target_kind)head->target.kind, wsf_run_name(head) };
    return (wsf_message_parts){
        .targets = target, .targets_count = 1, .flags = head->flags, .except = head->except
    };
}

/* Copies the head into another run, which is known to have room for it. */
static void copy_head(wsfan_message *into, wsf_run_head *head) {
    wsfan_target target;
    wsf_message_parts parts = parts_of(head, &target);
    wsf_run_head *copy = wsf_run_add_head(into, &parts);
    assert(copy != NULL);
    copy->target.hash = head->target.hash;
    copy->loops = head->loops;
    copy->peers = head->peers;
    head->copy = wsf_run_place(into, copy);
}

/* A run with room for just what is wanted of the span; heads forget their copies. */
static wsfan_message *new_for_wanted(wsf_span span) {
    const wsfan_message *from = span.message;
    const wsf_run_entry *entries = from->run->entries;
    uint32_t begin = wsf_run_begin(from, span.from);
    size_t count = 0;
    size_t payload_bytes = 0;
    size_t heads_bytes = 0;
    for (wsf_run_head *h = NULL; (h = wsf_run_next_head(from, h)) != NULL; h->copy = 0)
        heads_bytes += h->wanted ? h->size : 0;
    for (uint32_t i = span.from; i < span.to; i++) {
        bool wanted = wsf_run_head_at(from, entries[i].head)->wanted;
        count += wanted;
        payload_bytes += wanted ? entries[i].end - begin : 0;
        begin = entries[i].end;
    }
    return wsf_run_new_for(count, payload_bytes, heads_bytes);
}

wsfan_message *wsf_run_pick(wsf_span span) {
    const wsfan_message *from = span.message;
    wsfan_message *run = new_for_wanted(span);
    if (run == NULL)
        return NULL;
    wsf_run_entry *to = run->run->entries;
    uint32_t begin = wsf_run_begin(from, span.from);
    uint32_t end = 0;
    for (uint32_t i = span.from; i < span.to; i++) {
        wsf_run_entry entry = from->run->entries[i];
        wsf_run_head *head = wsf_run_head_at(from, entry.head);
        if (head->wanted) {
            if (head->copy == 0)
                copy_head(run, head);
            memcpy(run->payload + end, from->payload + begin, entry.end - begin);
            end += entry.end - begin;
            *to++ = (wsf_run_entry){ end, head->copy, entry.offset };
        }
        begin = entry.end;
    }
    run->count = (uint32_t)(to - run->run->entries);
    run->payload_size = end;
    run->id = from->id;
    run->published = span.from == 0 && wsf_run_head_of(from, 0)->wanted ? from->published : 0;
    run->item.kind = from->item.kind;
    return run;
}

/* Other threads only give references back, so a count of 0 stays. The fields are written once, before another thread
 * has the buffer. */
wsf_buffer *wsf_run_body(wsfan_message *run) {
    wsf_buffer *body = &run->run->body;
    unsigned refs = atomic_load_explicit(&body->refs, memory_order_acquire);
    while (refs > 0)
        if (atomic_compare_exchange_weak(&body->refs, &refs, refs + 1))
            return body;
    if (body->data == NULL) {
        body->data = run->payload;
        body->size = run->payload_size;
        body->capacity = run->size;
    }
    wsfan_message_ref(run);
    atomic_store_explicit(&body->refs, 1, memory_order_release);
    return body;
}

wsfan_message *wsf_run_fit(wsfan_message *run) {
    size_t need = payloads_offset(run->count) + run->payload_size + run->run->heads_bytes;
    if (need >= run->size / 2)
        return run;
    for (wsf_run_head *h = NULL; (h = wsf_run_next_head(run, h)) != NULL;)
        h->wanted = true;
    wsfan_message *copy = wsf_run_pick(wsf_span_of(run));
    if (copy == NULL)
        return run;
    wsfan_message_unref(run);
    return copy;
}

/* A payload that is too large for a slab. */
static __attribute__((noinline)) wsfan_message *open_large(const wsfan_message *run,
                                                           const wsf_run_head *head,
                                                           wsfan_bytes payload, wsfan_message_id id,
                                                           uint32_t headroom_bytes) {
    wsfan_target target;
    wsf_message_parts parts = parts_of(head, &target);
    parts.headroom_size = headroom_bytes;
    parts.payload = payload;
    bool slice = run->frame != NULL && headroom_bytes == 0 &&
                 wsf_message_may_slice(payload.size, wsf_buffer_bytes(run->frame));
    wsfan_message *message = slice ? wsf_message_slice(NULL, &parts, run->frame)
                                   : wsf_message_new(NULL, &parts);
    if (message == NULL)
        return NULL;
    message->id = id;
    message->targets[0].hash = head->target.hash;
    return message;
}

/* A small one is written field by field from its head: most messages of a node are made here. */
wsfan_message *wsf_run_open(wsf_message_pool *pool, const wsfan_message *run, uint32_t i,
                            uint32_t headroom_bytes) {
    const wsf_run_head *head = wsf_run_head_of(run, i);
    wsfan_bytes payload = wsf_run_payload(run, i);
    wsfan_message_id id = { run->id.clock + run->run->entries[i].offset, run->id.origin };
    size_t name_end = wsf_message_name_end(head->target.name_size);
    size_t payload_offset = wsf_message_payload_offset(name_end, headroom_bytes);
    if (payload_offset + payload.size > WSF_MESSAGE_SMALL)
        return open_large(run, head, payload, id, headroom_bytes);
    wsfan_message *message = wsf_message_pool_take(pool, payload_offset + payload.size);
    if (message == NULL)
        return NULL;
    wsf_message_init(message, message->slab_offset, payload_offset, payload.size, 1, headroom_bytes,
                     head->flags, head->except, id);
    message->targets[0] = head->target;
    message->targets[0].name_offset = (uint32_t)wsf_message_name_end(0);
    wsf_copy_short(message->targets + 1, head + 1, head->target.name_size);
    if (payload.size > 0)
        memcpy(message->payload, payload.data, payload.size);
    return message;
}
