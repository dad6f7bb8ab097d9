/* Runs from publish to delivery: routed by their heads, divided between frames, windows and queues. */
#include "runs.h"

#include "base/memory.h"
#include "core/state.h"
#include "world.h"

enum { LOG_MAX = 20000, TEN_S = 10000, NODES = 4, LARGE = 100 * 1024 };

typedef struct {
    uint32_t number;
    wsfan_message_id id;
    char chat;
} delivery;

static world *w;
static delivery deliveries[NODES][LOG_MAX];
static uint32_t deliveries_count[NODES];
static uint64_t gap[NODES];
static wsfan_gap_reason reason;
static unsigned results;
static uint32_t next; /* number of the next message */
static uint64_t clock_of[LOG_MAX];

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user, (void)loop;
    ck_assert_uint_lt(deliveries_count[node], LOG_MAX);
    deliveries[node][deliveries_count[node]++] = (delivery){
        number_of(wsfan_message_payload(message)), wsfan_message_get_id(message),
        *(const char *)wsfan_message_target(message, 0).name.data
    };
    if (message->receipt != NULL)
        (void)wsf_receipt_loop_done(message->receipt, 1);
    return true;
}

static void on_gap(void *user, unsigned node, const wsfan_gap *told) {
    (void)user;
    gap[node] += told->count;
    reason = told->reason;
}

static void on_result(void *user, unsigned node, const wsfan_result *result) {
    (void)user, (void)node;
    results++;
    ck_assert_int_eq(result->status, WSFAN_OK);
}

static void begin(void) {
    static const world_watcher watcher = { .deliver = on_deliver,
                                           .gap = on_gap,
                                           .result = on_result };
    memset(deliveries_count, 0, sizeof deliveries_count);
    memset(gap, 0, sizeof gap);
    next = results = 0;
    w = world_new(5, &watcher);
}

static bool meshed(void *user) {
    (void)user;
    return world_meshed(w);
}

static void join(unsigned node, unsigned loop, const char *chat) {
    wsfan_target target = { WSFAN_CHAT, wsfan_string(chat) };
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    ticket->loop = (uint8_t)loop;
    ticket->hash = wsf_hash_target(&world_core(w, node)->key, &target);
    wsf_core_join(world_core(w, node), ticket, world_now(w, node));
    world_touch(w, node);
}

static void start(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (!world_alive(w, i))
            world_start(w, i, i == 0 ? 0 : 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
}

static void publish_message(wsfan_message *message) {
    wsf_core *core = world_core(w, 0);
    uint32_t count = message->count;
    wsf_core_publish(core, message, world_now(w, 0));
    for (uint32_t i = 0; i < count; i++)
        clock_of[next - count + i] = core->clock - (count - 1) + i;
    world_touch(w, 0);
}

/* A run for the chats that the text names one after another, again and again. */
static void publish_run(uint32_t count, const char *chats, size_t size) {
    wsf_run_writer writer;
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        char chat[2] = { chats[i % strlen(chats)], '\0' };
        run_say(&writer, chat, next++, size);
    }
    publish_message(wsf_run_fit(run));
}

static void publish_one(size_t size, uint64_t slot, bool asked) {
    static uint8_t payload[LARGE];
    wsfan_target target = { WSFAN_CHAT, wsfan_string("a") };
    wsf_message_parts parts = { .targets = &target,
                                .targets_count = 1,
                                .payload = numbered(payload, next++, size),
                                .slot = slot,
                                .apart = size >= WSF_APART_MIN };
    wsfan_message *message = wsf_message_new(NULL, &parts);
    if (asked)
        message->receipt = wsf_receipt_new(NULL, NULL);
    publish_message(message);
}

static const wsf_link *link_to(unsigned node) {
    return &wsf_peer_find(world_core(w, 0), world_node_id(w, node))->link;
}

/* All numbers from `first` on, in order, with the ids they were published with. */
static void check_all(unsigned node, uint32_t first) {
    ck_assert_uint_eq(deliveries_count[node], next - first);
    for (uint32_t i = 0; i < deliveries_count[node]; i++) {
        ck_assert_uint_eq(deliveries[node][i].number, first + i);
        ck_assert_uint_eq(deliveries[node][i].id.clock, clock_of[first + i]);
        ck_assert_uint_eq(deliveries[node][i].id.origin, world_node_id(w, 0));
    }
}

START_TEST(each_node_gets_the_messages_that_it_wants_with_their_clocks) {
    static const char *const wanted[NODES] = { "", "a", "b", "ac" };
    for (unsigned apart = 0; apart < 2; apart++) {
        begin();
        start(NODES);
        for (unsigned node = 0; node < NODES; node++)
            for (const char *chat = wanted[node]; *chat != '\0'; chat++)
                join(node, 0, (char[]){ *chat, '\0' });
        world_run(w, 1000);
        for (unsigned round = 0; round < 5; round++)
            publish_run(90, "abcab", apart ? 200 : 20);
        publish_run(9, "d", 20); /* for nobody */
        publish_run(1, "b", 20);
        world_run(w, 1000);
        for (unsigned node = 0; node < NODES; node++) {
            uint32_t expected = 0;
            for (uint32_t i = 0; i < 450; i++)
                expected += strchr(wanted[node], "abcab"[i % 90 % 5]) != NULL &&
                            wanted[node][0] != '\0';
            expected += strcmp(wanted[node], "b") == 0;
            ck_assert_uint_eq(deliveries_count[node], expected);
            for (uint32_t i = 0; i < expected; i++) {
                const delivery *d = &deliveries[node][i];
                ck_assert(i == 0 || d->number > deliveries[node][i - 1].number);
                ck_assert_uint_eq(d->id.clock, clock_of[d->number]);
                ck_assert_ptr_nonnull(strchr(wanted[node], d->chat));
            }
            const wsf_peer *of = node == 0
                                     ? NULL
                                     : wsf_peer_find(world_core(w, node), world_node_id(w, 0));
            if (of != NULL) /* and was not sent what it does not want */
                ck_assert_uint_eq(of->stats.messages_in, expected);
            ck_assert_uint_eq(gap[node], 0);
        }
        world_destroy(w);
    }
}
END_TEST

/* A divided run is sent with heads that only its other part uses, and a peer may send any. */
START_TEST(a_head_that_no_message_has_reaches_no_loop) {
    begin();
    start(2);
    wsf_core_add_loop(world_core(w, 1), 1);
    join(1, 0, "c");
    join(1, 0, "d");
    join(1, 1, "b");
    world_run(w, 1000);
    wsf_run_writer writer;
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    wsfan_target target = { WSFAN_CHAT, wsfan_string("b") };
    run_say(&writer, "c", next++, 20);
    ck_assert_ptr_nonnull(
        wsf_run_add_head(run, &(wsf_message_parts){ .targets = &target, .targets_count = 1 }));
    run_say(&writer, "d", next++, 20);
    publish_message(run); /* the world ends the process when a loop is given nothing */
    world_run(w, 1000);
    check_all(1, 0);
    world_destroy(w);
}
END_TEST

START_TEST(a_run_is_divided_between_frames_and_windows) {
    static const size_t sizes[] = { 4, 100, 900, 4000 };
    for (uint64_t window = 4096; window <= 65536; window *= 4)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            begin();
            world_config(w)->link.window_bytes = window;
            start(2);
            join(1, 0, "a");
            world_run(w, 1000);
            uint32_t count = sizes[i] > 1000 ? 25 : sizes[i] > 400 ? 120 : 700;
            for (unsigned round = 0; round < 3; round++) {
                publish_run(count, "a", sizes[i]);
                publish_one(40, 0, false);
            }
            /* One that is larger than the window goes alone. */
            uint64_t most = window + 2 * (uint64_t)count * (sizes[i] + 16);
            for (unsigned ms = 0; ms < 2000 && deliveries_count[1] < next; ms++) {
                ck_assert_uint_le(link_to(1)->sent_bytes, most);
                world_run(w, 1);
            }
            check_all(1, 0);
            ck_assert_uint_eq(gap[1], 0);
            ck_assert_uint_eq(link_to(1)->queue_bytes, 0);
            world_destroy(w);
        }
}
END_TEST

START_TEST(a_run_that_no_frame_may_have_goes_message_by_message) {
    begin();
    world_config(w)->targets_count_max = 1;
    world_config(w)->name_bytes_max = 16;
    world_start(w, 0, 0);
    world_config(w)->payload_bytes_max = 500;
    start(2);
    join(1, 0, "a");
    world_run(w, 1000);
    publish_run(100, "a", 400);
    publish_run(100, "a", 500);
    world_run(w, 1000);
    check_all(1, 0);
    publish_run(20, "a", 2000); /* beyond what the peer takes */
    publish_run(5, "a", 30);
    world_run(w, 1000);
    ck_assert_uint_eq(deliveries_count[1], 205);
    ck_assert_uint_eq(deliveries[1][200].number, 220);
    ck_assert_uint_eq(gap[1], 20);
    ck_assert_int_eq(reason, WSFAN_GAP_TOO_BIG);
    world_destroy(w);
}
END_TEST

/* The limits of nodes differ: the payloads of such a run lie in the second part of a frame, from which each message is
 * taken by itself. */
START_TEST(of_a_run_apart_only_the_messages_beyond_the_limits_of_the_peer_are_lost) {
    begin();
    world_config(w)->payload_bytes_max = 20000;
    world_start(w, 0, 0);
    world_config(w)->payload_bytes_max = 8000;
    start(2);
    join(1, 0, "a");
    world_run(w, 1000);
    wsf_run_writer writer;
    wsfan_message *run = run_begin(&writer, WSF_RUN_BYTES_MAX);
    run_say(&writer, "a", next++, 5000);
    run_say(&writer, "a", next++, 9000);
    run_say(&writer, "a", next++, 100);
    ck_assert(wsf_span_is_apart(wsf_span_of(run)));
    publish_message(run);
    world_run(w, 1000);
    ck_assert_uint_eq(deliveries_count[1], 2);
    ck_assert_uint_eq(deliveries[1][0].number, 0);
    ck_assert_uint_eq(deliveries[1][1].number, 2);
    ck_assert_uint_eq(gap[1], 1);
    ck_assert_int_eq(reason, WSFAN_GAP_TOO_BIG);
    world_destroy(w);
}
END_TEST

/* Of messages that wait a frame takes those before a second part too, as long as the peer takes both together. */
START_TEST(no_frame_is_larger_with_its_second_part_than_the_peer_takes) {
    static const size_t sizes[] = { 1000, 4000, 40000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        begin();
        world_config(w)->payload_bytes_max = LARGE;
        world_config(w)->link.window_bytes = 1024 * 1024;
        world_config(w)->link.queue_bytes_max = 64 * 1024 * 1024;
        start(2);
        join(1, 0, "a");
        world_run(w, 1000);
        world_block(w, 0, 1, true);
        do
            publish_one(LARGE, 0, false);
        while (link_to(1)->queue_count == 0);
        for (unsigned round = 0; round < 5; round++) {
            for (size_t bytes = 0; bytes < LARGE; bytes += sizes[i])
                publish_one(sizes[i], 0, false);
            publish_run(25, "a", 4000);
            for (size_t bytes = 0; bytes < LARGE; bytes += sizes[i])
                publish_one(sizes[i], 0, false);
            publish_one(LARGE, 0, false);
        }
        world_block(w, 0, 1, false);
        world_run(w, TEN_S);
        ck_assert_uint_eq(world_counted(w).too_big, 0);
        check_all(1, 0);
        ck_assert_uint_eq(gap[1], 0);
        world_destroy(w);
    }
}
END_TEST

START_TEST(a_full_queue_drops_the_oldest_messages_of_runs_and_tells_how_many) {
    enum { QUEUE = 50 };
    begin();
    world_config(w)->link.queue_count_max = QUEUE;
    world_config(w)->link.window_bytes = 4096;
    start(2);
    join(1, 0, "a");
    world_run(w, 1000);
    world_block(w, 0, 1, true);
    for (unsigned round = 0; round < 20; round++) {
        publish_run(17, "a", 100);
        ck_assert_uint_le(link_to(1)->queue_count, QUEUE);
    }
    ck_assert_uint_eq(link_to(1)->queue_count, QUEUE);
    world_block(w, 0, 1, false);
    world_run(w, 2000);
    ck_assert_uint_gt(gap[1], 0);
    ck_assert_int_eq(reason, WSFAN_GAP_PEER_QUEUE);
    ck_assert_uint_eq(deliveries_count[1] + gap[1], next);
    for (uint32_t i = 1; i <= QUEUE; i++) /* the newest are there */
        ck_assert_uint_eq(deliveries[1][deliveries_count[1] - i].number, next - i);
    world_destroy(w);
}
END_TEST

START_TEST(a_slow_peer_is_cut_by_a_run_that_has_no_room_and_told_of_all_of_it) {
    begin();
    world_config(w)->slow_peer = WSFAN_SLOW_CUT;
    world_config(w)->link.queue_count_max = 50;
    world_config(w)->link.window_bytes = 4096;
    start(2);
    join(1, 0, "a");
    world_run(w, 1000);
    world_block(w, 0, 1, true);
    do
        publish_run(17, "a", 300);
    while (link_to(1)->queue_count > 0);
    ck_assert_uint_gt(next, 50);
    world_block(w, 0, 1, false);
    ck_assert(world_run_until(w, meshed, NULL, 10 * TEN_S));
    world_run(w, 2000);
    uint32_t before = deliveries_count[1];
    ck_assert_uint_ge(before + gap[1],
                      next); /* what was under way may have arrived and counts as lost */
    ck_assert_uint_ge(gap[1], 50);
    uint32_t first = next;
    publish_run(17, "a", 300);
    world_run(w, 1000);
    ck_assert_uint_eq(deliveries_count[1], before + 17);
    ck_assert_uint_eq(deliveries[1][before].number, first);
    world_destroy(w);
}
END_TEST

START_TEST(runs_stay_in_order_with_latest_values_receipts_and_large_payloads) {
    for (unsigned congested = 0; congested < 2; congested++) {
        uint64_t random = 9;
        begin();
        if (congested)
            world_config(w)->link.window_bytes = 8192;
        world_config(w)->link.queue_bytes_max = 64 * 1024 * 1024;
        start(2);
        join(1, 0, "a");
        join(0, 0, "a");
        world_run(w, 1000);
        unsigned asked = 0;
        for (unsigned round = 0; round < 120; round++) {
            switch (next_random(&random) % 6) {
            case 0:
                publish_one(4 + next_random(&random) % 60, 0, false);
                break;
            case 1:
                publish_one(60, 0, true);
                asked++;
                break;
            case 2:
                publish_one(60, 1 + round, false);
                break;
            case 3:
                publish_one(LARGE, 0, false);
                break;
            case 4:
                publish_run(2 + (uint32_t)(next_random(&random) % 40), "a", 40);
                break;
            default:
                publish_run(2 + (uint32_t)(next_random(&random) % 40), "a", 1000);
                break;
            }
            if (next_random(&random) % 10 == 0)
                world_run(w, 1);
        }
        world_run(w, 5000);
        check_all(0, 0);
        check_all(1, 0);
        ck_assert_uint_eq(gap[1], 0);
        ck_assert_uint_eq(results, asked);
        world_destroy(w);
    }
}
END_TEST

START_TEST(runs_survive_a_network_that_loses_doubles_and_damages_frames) {
    begin();
    world_config(w)->link.window_bytes = 16 * 1024;
    start(3);
    join(1, 0, "a");
    join(2, 0, "b");
    world_run(w, 1000);
    world_lose(w, 50000);
    world_duplicate(w, 50000);
    world_flip(w, 20000);
    world_truncate(w, 20000);
    for (unsigned round = 0; round < 40; round++) {
        publish_run(30, round % 2 == 0 ? "a" : "ab", 30 + round * 20);
        world_run(w, 20);
    }
    world_lose(w, 0);
    world_duplicate(w, 0);
    world_flip(w, 0);
    world_truncate(w, 0);
    world_run(w, 5000);
    ck_assert_uint_eq(deliveries_count[1], 20 * 30 + 20 * 15);
    ck_assert_uint_eq(deliveries_count[2], 20 * 15);
    for (unsigned node = 1; node < 3; node++)
        for (uint32_t i = 0; i < deliveries_count[node]; i++) {
            const delivery *d = &deliveries[node][i];
            ck_assert(i == 0 || d->number > deliveries[node][i - 1].number);
            ck_assert_uint_eq(d->id.clock, clock_of[d->number]);
        }
    world_destroy(w);
}
END_TEST

SUITE_MAIN("runs", each_node_gets_the_messages_that_it_wants_with_their_clocks,
           a_head_that_no_message_has_reaches_no_loop, a_run_is_divided_between_frames_and_windows,
           a_run_that_no_frame_may_have_goes_message_by_message,
           of_a_run_apart_only_the_messages_beyond_the_limits_of_the_peer_are_lost,
           no_frame_is_larger_with_its_second_part_than_the_peer_takes,
           a_full_queue_drops_the_oldest_messages_of_runs_and_tells_how_many,
           a_slow_peer_is_cut_by_a_run_that_has_no_room_and_told_of_all_of_it,
           runs_stay_in_order_with_latest_values_receipts_and_large_payloads,
           runs_survive_a_network_that_loses_doubles_and_damages_frames)
