/* The archive under random use, against a list of all that was ever said. A seed is one run. */
#include "archives.h"

/* ck_assert() notes each time that it holds, which takes longer than all else here. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s", #condition);                                                        \
    } while (0)

enum {
    CHATS = 5,
    ORIGINS = 12, /* more than floors are exact for */
    SAID_MAX = 1500,
    STEPS = 600,
    SEEDS = 150,
    BIG = 60000, /* of a payload with a buffer of its own */
};

typedef struct {
    wsfan_message_id id;
    uint32_t size;
    uint32_t chats; /* a bit for each */
    bool except;
    uint64_t at; /* ms */
} said;

typedef struct {
    bool open;
    uint32_t number;
    uint32_t missed_until; /* what was said before, counted in `said`, was not given to it */
} chat_state;

static struct {
    wsf_archive archive;
    uint64_t random;
    uint64_t now;
    uint64_t clocks[ORIGINS];
    uint64_t withheld[ORIGINS]; /* a clock that overtaking messages skipped; 0: none */
    said said[SAID_MAX];
    uint32_t said_count;
    chat_state chats[CHATS];
    bool exact; /* nothing but counts and ages makes it give up messages */
    uint64_t listed;
    uint64_t lacking;
} world;

static uint64_t below(uint64_t limit) {
    return next_random(&world.random) % limit;
}

static const char *name_of(uint32_t chat) {
    static const char *const names[CHATS] = { "a", "bb", "lobby", "x-y-z-x-y-z-x-y-z", "d" };
    return names[chat];
}

/* ----------------------------------------------------------------------------------------- steps */

static wsfan_message_id next_id(void) {
    uint64_t origin = below(world.exact ? WSF_BOUNDS_EXACT : ORIGINS);
    if (world.withheld[origin] != 0 && below(3) == 0) {
        uint64_t clock = world.withheld[origin];
        world.withheld[origin] = 0;
        return id_of(clock, origin + 1);
    }
    world.clocks[origin] += 1 + below(5);
    if (world.withheld[origin] == 0 && below(20) == 0)
        world.withheld[origin] = world.clocks[origin]++;
    return id_of(world.clocks[origin], origin + 1);
}

static uint32_t next_size(void) {
    switch (below(40)) {
    case 0:
        return world.exact ? 0 : BIG;
    case 1:
        return (uint32_t)below(6000);
    case 2:
    case 3:
    case 4:
        return (uint32_t)below(600);
    default:
        return (uint32_t)below(60);
    }
}

static wsf_kept kept_of(const said *one, wsfan_target targets[CHATS]) {
    wsf_kept kept = { .id = one->id,
                      .parts = { .targets = targets, .payload = payload_of(one->id, one->size) },
                      .age_ms = (uint32_t)(world.now - one->at) };
    if (one->except)
        kept.parts.except = (wsfan_address){ 5, one->id.clock };
    for (uint32_t c = 0; c < CHATS; c++)
        if ((one->chats >> c & 1) != 0)
            targets[kept.parts.targets_count++] = (wsfan_target){ WSFAN_CHAT,
                                                                  wsfan_string(name_of(c)) };
    return kept;
}

static void say_something(void) {
    wsfan_target targets[CHATS];
    if (world.said_count == SAID_MAX)
        return;
    said *one = &world.said[world.said_count++];
    *one = (said){ .id = next_id(),
                   .size = next_size(),
                   .chats = below(10) == 0 ? 1 + (uint32_t)below((1 << CHATS) - 1)
                                           : UINT32_C(1) << below(CHATS),
                   .except = below(4) == 0,
                   .at = world.now };
    if (one->size == BIG)
        one->chats = UINT32_C(1) << below(CHATS); /* its buffer is counted in each of them */
    wsf_kept kept = kept_of(one, targets);
    kept.parts.apart = one->size == BIG;
    keep_parts(&world.archive, &kept.parts, one->id, world.now);
}

/* Opened later than what was said so far, of which it has nothing. */
static void open_or_close(uint32_t c) {
    chat_state *chat = &world.chats[c];
    if (chat->open) {
        wsf_archive_close(&world.archive, chat->number);
        chat->open = false;
        return;
    }
    if (wsf_archive_open(&world.archive, hash_of(name_of(c)), &chat->number) != WSFAN_OK)
        return;
    uint64_t since = 0;
    chat->open = true;
    chat->missed_until = world.said_count;
    for (uint32_t i = 0; i < world.said_count; i++)
        since = world.said[i].id.clock > since ? world.said[i].id.clock : since;
    for (int i = 0; i < ORIGINS; i++) /* what comes late is below none of its own origin's */
        since = world.clocks[i] > since ? world.clocks[i] : since;
    wsf_archive_extend(&world.archive, chat->number, 0, since, UINT64_MAX);
}

static int by_id(const void *a, const void *b) {
    const wsf_kept *one = a;
    const wsf_kept *other = b;
    return wsf_kept_id_less(one->id, other->id) ? -1 : 1;
}

/* Another node has all that was said in the chat, above a clock of each origin, and tells it in pieces. */
static void fill(uint32_t c) {
    static wsf_kept messages[SAID_MAX];
    static wsfan_target targets[SAID_MAX][CHATS];
    static uint8_t payloads[SAID_MAX][600];
    chat_state *chat = &world.chats[c];
    uint64_t reach[ORIGINS];
    uint32_t count = 0;
    for (int i = 0; i < ORIGINS; i++)
        reach[i] = below(world.clocks[i] + 2);
    for (uint32_t i = 0; i < world.said_count; i++) {
        const said *one = &world.said[i];
        if ((one->chats >> c & 1) == 0 || one->id.clock <= reach[one->id.origin - 1])
            continue;
        if (one->size > sizeof payloads[0]) {
            reach[one->id.origin - 1] = one->id.clock; /* it did not keep that */
            continue;
        }
        messages[count] = kept_of(one, targets[count]);
        if (one->size > 0)
            memcpy(payloads[count], messages[count].parts.payload.data, one->size);
        messages[count].parts.payload.data = payloads[count];
        count++;
    }
    qsort(messages, count, sizeof *messages, by_id);
    wsf_archive_fill(&world.archive, chat->number);
    for (uint32_t from = 0; from < count;) {
        uint32_t piece = 1 + (uint32_t)below(20);
        piece = piece < count - from ? piece : count - from;
        if (wsf_archive_merge(&world.archive, chat->number, messages + from, piece, world.now) !=
            WSFAN_OK)
            return; /* no memory: what it has is not extended */
        from += piece;
        if (below(3) == 0)
            say_something();
    }
    for (uint64_t i = 0; i < ORIGINS; i++)
        wsf_archive_extend(&world.archive, chat->number, i + 1, reach[i], reach[i]);
}

/* ---------------------------------------------------------------------------------------- checks */

static bool is_listed(const wsf_kept_list *list, wsfan_message_id id) {
    uint32_t from = 0;
    uint32_t to = list->count;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (wsf_kept_id_less(list->messages[middle].id, id))
            from = middle + 1;
        else
            to = middle;
    }
    return from < list->count && list->messages[from].id.clock == id.clock &&
           list->messages[from].id.origin == id.origin;
}

/* Whatever is not there is not claimed to be there. */
static void check_honesty(uint32_t c, const wsf_kept_list *list) {
    const chat_state *chat = &world.chats[c];
    for (uint32_t i = 0; i < world.said_count; i++) {
        const said *one = &world.said[i];
        if ((one->chats >> c & 1) == 0 || is_listed(list, one->id))
            continue;
        uint64_t since = wsf_archive_since(&world.archive, chat->number, one->id.origin);
        uint64_t floor = wsf_archive_floor(&world.archive, chat->number, one->id.origin);
        MUST(one->id.clock <= since || one->id.clock <= floor);
        world.lacking++;
    }
}

static void check_content(uint32_t c, const wsf_kept_list *list) {
    for (uint32_t i = 0, s = 0; i < list->count; i++) {
        const wsf_kept *kept = &list->messages[i];
        for (s = 0; s < world.said_count; s++)
            if (world.said[s].id.clock == kept->id.clock &&
                world.said[s].id.origin == kept->id.origin)
                break;
        MUST(s < world.said_count);
        const said *one = &world.said[s];
        MUST((one->chats >> c & 1) != 0);
        MUST(kept->parts.except.node == (one->except ? 5 : 0));
        MUST(kept->parts.targets_count == (uint32_t)__builtin_popcount(one->chats));
        assert_payload(kept, one->size);
        MUST(kept->age_ms <= world.archive.limits.age_ms_max);
    }
}

static void check_limits(const wsf_kept_list *list) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const wsf_kept *kept = &list->messages[i];
        bytes += HEAD + (kept->parts.except.node != 0 ? (size_t)EXCEPT : 0) +
                 (kept->buffer != NULL ? kept->buffer->capacity
                                       : (kept->parts.payload.size + 7) / 8 * 8);
    }
    MUST(list->count <= world.archive.limits.count_max);
    MUST(bytes <= world.archive.limits.chat_bytes_max);
}

static void check_queries(uint32_t c, const wsf_kept_list *all) {
    wsf_vector above;
    wsf_vector_init(&above, below(world.clocks[0] + 2));
    for (int i = 0; i < 3; i++)
        MUST(wsf_vector_pin(&above, 1 + below(ORIGINS), below(world.clocks[0] + 2)));
    wsf_kept_query query = { .above = &above };
    wsf_kept_list *list = wsf_archive_list(&world.archive, world.chats[c].number, &query,
                                           world.now);
    if (list == NULL)
        return;
    uint32_t found = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        if (wsf_vector_covers(&above, all->messages[i].id))
            continue;
        MUST(found < list->count);
        MUST(list->messages[found].id.clock == all->messages[i].id.clock);
        MUST(list->messages[found++].id.origin == all->messages[i].id.origin);
    }
    MUST(found == list->count);
    wsf_kept_list_free(list);
}

/* The newest messages, as far as count and age allow, and floors that say just what went. */
static void check_exact(uint32_t c, const wsf_kept_list *list) {
    const chat_state *chat = &world.chats[c];
    const wsf_archive_limits *limits = &world.archive.limits;
    uint64_t lost[ORIGINS] = { 0 };
    uint32_t expected = 0;
    for (uint32_t i = world.said_count; i > chat->missed_until; i--) {
        const said *one = &world.said[i - 1];
        if ((one->chats >> c & 1) == 0)
            continue;
        bool kept = expected < limits->count_max && world.now - one->at <= limits->age_ms_max;
        MUST(is_listed(list, one->id) == kept);
        expected += kept;
        if (!kept && lost[one->id.origin - 1] < one->id.clock)
            lost[one->id.origin - 1] = one->id.clock;
    }
    MUST(list->count == expected);
    for (uint64_t i = 0; i < ORIGINS; i++)
        MUST(wsf_archive_floor(&world.archive, chat->number, i + 1) == lost[i]);
}

/* Rows of chats that are not open are not counted, nor are places in the table; floors are counted before they have
 * entries. */
static void check_memory(void) {
    enum { ROWS = 16, ROW_SIZE = 128 };
    const wsf_archive *archive = &world.archive;
    size_t table = archive->table.entries != NULL
                       ? (archive->table.mask + 1) * sizeof(wsf_table_entry)
                       : 0;
    MUST(archive->stats.bytes <= archive->limits.bytes_max);
    MUST(live_bytes <= archive->stats.bytes + table + ROWS * ROW_SIZE);
    MUST(live_bytes + CHATS * WSF_BOUNDS_ENTRIES_BYTES >= archive->stats.bytes);
}

static void check_all(void) {
    const wsf_archive *archive = &world.archive;
    uint64_t messages = 0;
    check_memory();
    for (uint32_t c = 0; c < CHATS; c++) {
        if (!world.chats[c].open)
            continue;
        wsf_kept_list *list = wsf_archive_list(&world.archive, world.chats[c].number, &ALL,
                                               world.now);
        if (list == NULL)
            return; /* no memory */
        for (uint32_t i = 1; i < list->count; i++)
            MUST(wsf_kept_id_less(list->messages[i - 1].id, list->messages[i].id));
        check_honesty(c, list);
        check_content(c, list);
        check_limits(list);
        check_queries(c, list);
        if (world.exact)
            check_exact(c, list);
        messages += list->count;
        world.listed += list->count;
        wsf_kept_list_free(list);
    }
    MUST(messages == archive->stats.messages);
}

/* ------------------------------------------------------------------------------------------ runs */

static void step(void) {
    uint64_t what = below(100);
    if (what < 75) {
        say_something();
    } else if (what < 80) {
        open_or_close((uint32_t)below(CHATS));
    } else if (what < 85) {
        uint32_t c = (uint32_t)below(CHATS);
        if (world.chats[c].open && !world.exact)
            fill(c);
    } else if (what < 90) {
        wsf_archive_expire(&world.archive, world.now);
    }
    world.now += below(20) == 0 ? below(800) : below(8);
}

typedef enum { EXACT, LOOSE, TIGHT } tightness;

static void begin(uint64_t seed, tightness how, bool failing) {
    memset(&world, 0, sizeof world);
    world.random = seed;
    world.exact = how == EXACT;
    wsf_archive_limits limits = {
        .count_max = 1 + (uint32_t)below(60),
        .chat_bytes_max = how == EXACT ? 1 << 20
                                       : 1024 + (uint32_t)below(how == TIGHT ? 8000 : 200000),
        .age_ms_max = 50 + (uint32_t)below(2000),
        .bytes_max = how == TIGHT ? 4000 + below(20000) : UINT64_C(1) << 30,
    };
    world.now = below(2) == 0 ? 0 : UINT32_MAX - below(3000); /* stamps may wrap */
    wsf_archive_init(&world.archive, &limits, seed);
    fail_one_in = failing ? 10 : 0;
    fail_random = seed;
}

static void run(uint64_t seed, tightness how, bool failing) {
    begin(seed, how, failing);
    for (int i = 0; i < STEPS; i++) {
        step();
        if (i % 5 == 0)
            check_all();
    }
    check_all();
    for (uint32_t c = 0; c < CHATS; c++)
        if (world.chats[c].open)
            open_or_close(c);
    MUST(world.archive.stats.bytes == 0);
    MUST(world.archive.stats.messages == 0);
    wsf_archive_destroy(&world.archive);
    fail_one_in = 0;
    MUST(live_bytes == 0);
}

static void run_seeds(tightness how, bool failing) {
    uint64_t listed = 0;
    uint64_t lacking = 0;
    begin_counting();
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run(seed, how, failing);
        listed += world.listed;
        lacking += world.lacking;
    }
    ck_assert_uint_gt(listed, SEEDS * 100); /* or nothing was tried */
    ck_assert_uint_gt(lacking, SEEDS * 100);
    end_counting();
}

START_TEST(by_count_and_age_exactly_the_oldest_go) {
    run_seeds(EXACT, false);
}
END_TEST

START_TEST(what_a_chat_lacks_is_never_claimed) {
    run_seeds(LOOSE, false);
}
END_TEST

START_TEST(nor_where_all_chats_have_too_little_room) {
    run_seeds(TIGHT, false);
}
END_TEST

START_TEST(nor_where_memory_runs_out_at_times) {
    run_seeds(LOOSE, true);
    run_seeds(TIGHT, true);
}
END_TEST

SUITE_MAIN("archive_model", by_count_and_age_exactly_the_oldest_go,
           what_a_chat_lacks_is_never_claimed, nor_where_all_chats_have_too_little_room,
           nor_where_memory_runs_out_at_times)
