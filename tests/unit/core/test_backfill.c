/* What a node's archive lacks comes from other nodes. All have history but for one in one test. */
#include "core/history/backfill.h"

#include "base/memory.h"
#include "base/position.h"
#include "core/history/extent.h"
#include "core/history/merging.h"
#include "core/origin.h"
#include "core/routing/keeping.h"
#include "core/witness.h"
#include "suite.h"
#include "wire/history_codec.h"
#include "world.h"

enum { CHAT = 7, HISTORY_MS = 20000, RECOVER_MS = 4000 };

static world *w;
static uint32_t recover_ms = RECOVER_MS;
static unsigned gaps[8]; /* by node */
static wsf_recovery *back;
static const wsfan_bytes NAME = { "chat", 4 };

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user, (void)node, (void)loop, (void)message;
    return true;
}

static void on_gap(void *user, unsigned node, const wsfan_gap *gap) {
    (void)user, (void)gap;
    gaps[node]++;
}

static bool on_recovered(void *user, unsigned node, wsf_recovery *recovery) {
    (void)user, (void)node;
    back = recovery;
    return true;
}

static bool is_back(void *user) {
    (void)user;
    return back != NULL;
}

static bool meshed(void *user) {
    return world_meshed(user);
}

static void start(unsigned node) {
    world_start(w, node, 3); /* nodes 0 and 1 */
    ck_assert(world_run_until(w, meshed, w, 20000));
    world_run(w, 1000);
}

static void begin_with(unsigned nodes, uint32_t forget_ms) {
    static const world_watcher watcher = { .deliver = on_deliver,
                                           .gap = on_gap,
                                           .recovered = on_recovered };
    memset(gaps, 0, sizeof gaps);
    w = world_new(1, &watcher);
    world_config(w)->history_ms = HISTORY_MS;
    world_config(w)->recover_ms_max = recover_ms;
    world_config(w)->history_copies = 0; /* nobody keeps what nobody joined */
    world_config(w)->forget_ms = forget_ms;
    world_config(w)->history_count_max = 4096;
    world_config(w)->history_chat_bytes_max = 1 << 20;
    for (unsigned i = 0; i < nodes; i++)
        world_start(w, i, i == 0 ? 2 : 1);
    ck_assert(world_run_until(w, meshed, w, 20000));
    world_run(w, 1000);
}

static void begin(unsigned nodes) {
    begin_with(nodes, 120000);
}

static void join_chat(unsigned node, uint64_t chat) {
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    ticket->hash = world_chat_hash(w, chat);
    ticket->history = true;
    wsf_core_join(world_core(w, node), ticket, world_now(w, node));
    world_touch(w, node);
}

static void join(unsigned node) {
    join_chat(node, CHAT);
    world_run(w, 1000);
}

static void publish(unsigned node, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        ck_assert(world_publish(w, node, CHAT, i));
        world_run(w, 1);
    }
    world_run(w, 500);
}

static uint32_t number_at(unsigned node) {
    uint32_t number = wsf_archive_find(&world_core(w, node)->keeping.archive,
                                       world_chat_hash(w, CHAT));
    ck_assert_uint_ne(number, WSF_TABLE_NONE);
    return number;
}

static uint64_t kept_at(unsigned node) {
    wsf_history_counts counts;
    wsf_keeping_counts(world_core(w, node), &counts);
    return counts.messages;
}

static uint64_t now_clock(unsigned node) {
    return (world_now(w, node).wall_ms << 16) - 1; /* below what is published in this moment */
}

static wsf_extent extent_at(unsigned node, uint64_t of) {
    return wsf_extent_of(world_core(w, node), number_at(node), of);
}

static wsf_vector everything(uint64_t clock) {
    wsf_vector seen;
    wsf_vector_init(&seen, clock);
    return seen;
}

static bool backfill(unsigned node, uint64_t clock) {
    wsf_vector seen = everything(clock);
    bool begun = wsf_backfill_begin(world_core(w, node), world_chat_hash(w, CHAT), &seen,
                                    world_now(w, node));
    world_touch(w, node);
    return begun;
}

static bool waits(unsigned node) {
    return wsf_backfill_waits(world_core(w, node), world_chat_hash(w, CHAT));
}

static bool ended(void *user) {
    return !waits(*(unsigned *)user);
}

static void run_to_end(unsigned node) {
    ck_assert(world_run_until(w, ended, &node, 2 * RECOVER_MS));
}

static wsfan_recovery lacks(unsigned node, uint64_t clock) {
    wsf_vector seen = everything(clock);
    return wsf_extent_lacks(world_core(w, node), number_at(node), &seen);
}

START_TEST(what_a_node_lacks_comes_from_one_that_keeps_the_chat) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    publish(0, 3);
    publish(2, 5);
    join(1);
    ck_assert_uint_eq(kept_at(1), 0);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_UNKEPT);
    ck_assert(backfill(1, clock));
    ck_assert(waits(1));
    ck_assert(backfill(1, clock)); /* one for each chat */
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(1), 8);
    ck_assert_uint_eq(world_core(w, 1)->backfill.asked, 1);
    ck_assert_uint_eq(world_core(w, 0)->backfill.answered, 1);
    publish(2, 1); /* live again, and once */
    ck_assert_uint_eq(kept_at(1), 9);
    ck_assert(!wsf_backfill_failed(world_core(w, 1), world_chat_hash(w, CHAT)));
    world_destroy(w);
}
END_TEST

START_TEST(from_then_on_it_answers_others_itself) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    publish(0, 5);
    join(1);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    world_crash(w, 0);
    world_run(w, 1000);
    join(2);
    ck_assert(backfill(2, clock));
    run_to_end(2);
    ck_assert_int_eq(lacks(2, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(2), 5);
    world_destroy(w);
}
END_TEST

START_TEST(what_is_older_than_all_have_it_is_not_vouched_for) {
    begin(2);
    uint64_t clock = now_clock(0);
    publish(1, 2);
    join(0);
    publish(1, 3);
    join(1);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_UNKEPT);
    ck_assert_uint_eq(kept_at(1), 3);
    ck_assert(!backfill(1, clock)); /* nobody else than was asked just now */
    world_run(w, RECOVER_MS);
    ck_assert(backfill(1, clock));
    world_destroy(w);
}
END_TEST

START_TEST(nobody_is_asked_where_nobody_is_interested) {
    begin(2);
    uint64_t clock = now_clock(0);
    join(1);
    ck_assert(!backfill(1, clock));
    ck_assert(!waits(1));
    world_destroy(w);
}
END_TEST

START_TEST(many_messages_come_in_pages) {
    enum { COUNT = 60, SIZE = 4000 };
    static char payload[SIZE];
    uint64_t chat = CHAT;
    begin(2);
    join(0);
    uint64_t clock = now_clock(0);
    for (unsigned i = 0; i < COUNT; i++) {
        ck_assert(world_publish(w, 0, CHAT, i));
        ck_assert(world_publish_bytes(w, 0, (wsfan_bytes){ &chat, sizeof chat },
                                      (wsfan_bytes){ payload, SIZE }));
        world_run(w, 5);
    }
    uint64_t kept = kept_at(0);
    join(1);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(1), kept);
    ck_assert_uint_gt(world_core(w, 1)->backfill.asked, kept * SIZE / 2 / WSF_PAGE_BYTES);
    world_destroy(w);
}
END_TEST

START_TEST(pages_go_on_while_a_message_of_the_same_clock_may_come) {
    static wsf_merging merging = { .since = UINT64_MAX, .count = 1 };
    merging.parts[0] = (wsf_merging_part){ .theirs.node = 9, .limit = 100 };
    begin(2);
    join(0);
    const wsf_core *core = world_core(w, 0);
    ck_assert(!wsf_merging_is_over(core, &merging, number_at(0), (wsfan_message_id){ 100, 8 }));
    ck_assert(wsf_merging_is_over(core, &merging, number_at(0), (wsfan_message_id){ 100, 9 }));
    world_destroy(w);
}
END_TEST

/* Another one who wants older ones has the same node asked again, for all; a third one has nobody asked. */
START_TEST(a_gap_is_mended_with_messages_above_the_position) {
    begin(2);
    join(0);
    join(1);
    uint64_t clock = now_clock(0);
    publish(0, 1);
    uint64_t later = now_clock(0);
    publish(0, 2);
    uint64_t latest = now_clock(0);
    publish(0, 3);
    wsf_core *core = world_core(w, 1); /* as if some were lost */
    wsf_origin_gap(core, wsf_peer_find(core, world_node_id(w, 0)), core->clock);
    ck_assert_int_eq(lacks(1, latest), WSFAN_RECOVERY_GAP);
    ck_assert(backfill(1, latest));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, latest), WSFAN_RECOVERY_WHOLE);
    ck_assert_int_ne(lacks(1, later), WSFAN_RECOVERY_WHOLE);
    ck_assert(!backfill(1, latest));
    ck_assert(backfill(1, later));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert(!backfill(1, 1));
    world_destroy(w);
}
END_TEST

START_TEST(pages_with_nothing_that_lacks_are_not_asked_for) {
    enum { COUNT = 60, SIZE = 4000 };
    static char payload[SIZE];
    uint64_t chat = CHAT;
    begin(2);
    join(0);
    join(1);
    uint64_t clock = now_clock(0);
    world_run(w, 100);
    wsf_core *core = world_core(w, 1); /* as if some were lost */
    wsf_origin_gap(core, wsf_peer_find(core, world_node_id(w, 0)), core->clock);
    for (unsigned i = 0; i < COUNT; i++) {
        ck_assert(world_publish_bytes(w, 0, (wsfan_bytes){ &chat, sizeof chat },
                                      (wsfan_bytes){ payload, SIZE }));
        world_run(w, 5);
    }
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_GAP);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(core->backfill.asked, 1);
    world_destroy(w);
}
END_TEST

START_TEST(many_chats_are_asked_for_in_one_question) {
    enum { CHATS = 250 };
    begin(2);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        join_chat(0, chat);
    world_run(w, 1000);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        ck_assert(world_publish(w, 0, chat, chat));
    world_run(w, 500);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        join_chat(1, chat);
    world_run(w, 1000);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        ck_assert(
            wsf_backfill_begin(world_core(w, 1), world_chat_hash(w, chat), NULL, world_now(w, 1)));
    world_touch(w, 1);
    world_run(w, 1000);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        ck_assert(!wsf_backfill_waits(world_core(w, 1), world_chat_hash(w, chat)));
    ck_assert_uint_eq(kept_at(1), CHATS);
    ck_assert_uint_le(world_core(w, 1)->backfill.asked, 2);
    world_destroy(w);
}
END_TEST

START_TEST(of_a_publisher_that_died_a_node_has_what_the_other_one_got) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    publish(2, 4);
    uint64_t dead = world_node_id(w, 2);
    world_crash(w, 2);
    world_run(w, 1000);
    join(1);
    wsf_extent before = extent_at(1, dead);
    ck_assert(before.skipped);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(1), 4);
    uint64_t cap;
    ck_assert(wsf_extent_cap(world_core(w, 1), number_at(1), dead, &cap));
    ck_assert_uint_eq(cap, extent_at(1, dead).to);
    ck_assert_uint_eq(cap, extent_at(0, dead).to);
    world_destroy(w);
}
END_TEST

/* Its last mark came here a moment later than to the other node, and the chat's history begins between. */
START_TEST(of_a_publisher_whose_last_mark_came_late) {
    begin(3);
    join(1);
    uint64_t before = now_clock(0);
    publish(2, 5);
    world_block(w, 2, 1, true); /* the other node hears no more marks */
    world_run(w, 100);
    join(0);
    world_run(w, 2000); /* until a mark is from after that */
    wsf_core_say_bye(world_core(w, 2), world_now(w, 2));
    world_touch(w, 2);
    world_run(w, 100);
    world_crash(w, 2);
    ck_assert(backfill(0, before));
    run_to_end(0);
    ck_assert_int_eq(lacks(0, before), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(0), 5);
    world_destroy(w);
}
END_TEST

static uint64_t reached_at(unsigned node, uint64_t of) {
    const wsf_origin *origin = wsf_witness_find(world_core(w, node), of);
    ck_assert_ptr_nonnull(origin);
    return wsf_origin_reached(origin);
}

/* One of them takes its last message, which is nothing to the other. */
START_TEST(of_a_publisher_that_says_goodbye_all_know_the_same_end) {
    begin(3);
    join(0);
    publish(2, 3);
    uint64_t leaver = world_node_id(w, 2);
    ck_assert(world_publish(w, 2, CHAT, 3));
    uint64_t end = world_core(w, 2)->witness.last;
    wsf_core_say_bye(world_core(w, 2), world_now(w, 2));
    world_touch(w, 2);
    world_run(w, 100);
    world_crash(w, 2);
    ck_assert_ptr_null(wsf_peer_find(world_core(w, 1), leaver));
    ck_assert_uint_ge(reached_at(1, leaver), end);
    ck_assert_uint_eq(reached_at(1, leaver), reached_at(0, leaver));
    world_destroy(w);
}
END_TEST

START_TEST(of_a_publisher_that_a_node_never_met_too) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    publish(2, 4);
    uint64_t dead = world_node_id(w, 2);
    world_crash(w, 2);
    world_run(w, 500);
    start(3);
    join(3);
    wsf_vector seen = everything(clock);
    ck_assert_int_eq(wsf_extent_lacks(world_core(w, 3), number_at(3), &seen),
                     WSFAN_RECOVERY_UNKEPT);
    ck_assert(
        wsf_backfill_begin(world_core(w, 3), world_chat_hash(w, CHAT), &seen, world_now(w, 3)));
    world_touch(w, 3);
    run_to_end(3);
    ck_assert_int_eq(wsf_extent_lacks(world_core(w, 3), number_at(3), &seen), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(3), 4);
    ck_assert_ptr_null(wsf_witness_find(world_core(w, 3), dead));
    world_destroy(w);
}
END_TEST

static uint64_t halfway; /* a clock */

/* Node 2 publishes and dies; node 3 comes, and has its messages from node 0, which dies as well. */
static uint64_t leave_all_to_one_that_never_met_the_publisher(void) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    publish(2, 2);
    halfway = now_clock(0);
    publish(2, 2);
    world_crash(w, 2);
    world_run(w, 500);
    start(3);
    join(3);
    ck_assert(backfill(3, clock));
    run_to_end(3);
    ck_assert_uint_eq(kept_at(3), 4);
    world_crash(w, 0);
    world_run(w, 500);
    return clock;
}

START_TEST(of_a_publisher_that_the_other_node_never_met) {
    uint64_t clock = leave_all_to_one_that_never_met_the_publisher();
    uint64_t dead = world_node_id(w, 2);
    join(1);
    ck_assert_ptr_nonnull(wsf_witness_find(world_core(w, 1), dead));
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_UNKEPT);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(1), 4);
    uint64_t cap; /* the last message that came */
    ck_assert(wsf_extent_cap(world_core(w, 1), number_at(1), dead, &cap));
    ck_assert_uint_gt(cap, clock);
    ck_assert_uint_eq(cap, extent_at(1, dead).to);
    world_destroy(w);
}
END_TEST

START_TEST(of_a_publisher_that_neither_met) {
    uint64_t clock = leave_all_to_one_that_never_met_the_publisher();
    start(4);
    join(4);
    ck_assert(backfill(4, clock));
    run_to_end(4);
    ck_assert_int_eq(lacks(4, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(4), 4);
    world_destroy(w);
}
END_TEST

/* Another position may need more than the first one. */
START_TEST(a_history_that_is_too_short_is_asked_for_as_a_whole) {
    uint64_t clock = leave_all_to_one_that_never_met_the_publisher();
    start(4);
    join(4);
    ck_assert_int_eq(lacks(4, halfway), WSFAN_RECOVERY_UNKEPT);
    ck_assert(backfill(4, halfway));
    run_to_end(4);
    ck_assert_uint_eq(kept_at(4), 4);
    world_crash(w, 3);
    world_run(w, 1000);
    ck_assert_int_eq(lacks(4, clock), WSFAN_RECOVERY_WHOLE);
    world_destroy(w);
}
END_TEST

START_TEST(of_a_publisher_that_neither_met_an_older_part_joins_a_newer_one) {
    uint64_t clock = leave_all_to_one_that_never_met_the_publisher();
    start(4);
    join(4);
    ck_assert(backfill(4, clock));
    run_to_end(4);
    wsf_archive *archive =
        &world_core(w, 4)->keeping.archive; /* as if the older part had not come */
    wsf_archive_lack(archive, number_at(4), world_node_id(w, 2), halfway, 0);
    ck_assert_int_eq(lacks(4, clock), WSFAN_RECOVERY_UNKEPT);
    ck_assert_int_eq(lacks(4, halfway), WSFAN_RECOVERY_WHOLE);
    world_run(w, RECOVER_MS);
    ck_assert(backfill(4, clock));
    run_to_end(4);
    ck_assert_int_eq(lacks(4, clock), WSFAN_RECOVERY_WHOLE);
    world_destroy(w);
}
END_TEST

/* Which of two nodes is asked first for the chat. */
static unsigned first_of(unsigned by, unsigned a, unsigned b) {
    uint64_t hash = world_chat_hash(w, CHAT);
    const wsf_core *core = world_core(w, by);
    const wsf_peer *of_a = wsf_peer_find((wsf_core *)core, world_node_id(w, a));
    const wsf_peer *of_b = wsf_peer_find((wsf_core *)core, world_node_id(w, b));
    return wsf_placement_rank(hash, of_a->status.place_hash) >
                   wsf_placement_rank(hash, of_b->status.place_hash)
               ? a
               : b;
}

/* Node 2 publishes nine messages and dies. One node has the first three of them, and the other one, which is asked first, the last
 * three. Then node 3 comes. Returns a clock of before. */
static uint64_t leave_two_runs(void) {
    begin(3);
    unsigned first = first_of(2, 0, 1);
    unsigned second = 1 - first;
    join(second);
    uint64_t clock = now_clock(0);
    publish(2, 3);
    world_block(w, 2, second, true);
    publish(2, 3);
    join(first);
    publish(2, 3);
    world_crash(w, 2);
    world_run(w, 500);
    start(3);
    join(3);
    ck_assert_ptr_null(wsf_witness_find(world_core(w, 3), world_node_id(w, 2)));
    return clock;
}

START_TEST(of_two_runs_of_a_publisher_that_it_never_met_a_node_takes_the_one_that_is_wanted) {
    uint64_t clock = leave_two_runs();
    uint64_t dead = world_node_id(w, 2);
    uint64_t cap;
    ck_assert(backfill(3, clock));
    run_to_end(3);
    const wsf_core *core = world_core(w, 3);
    ck_assert_uint_eq(core->backfill.asked, 2);
    ck_assert_int_eq(lacks(3, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(3), 3);
    ck_assert(wsf_extent_cap(core, number_at(3), dead, &cap));
    ck_assert(wsf_archive_has_above(&core->keeping.archive, number_at(3), dead, clock));
    ck_assert(!wsf_archive_has_above(&core->keeping.archive, number_at(3), dead, cap));
    world_destroy(w);
}
END_TEST

START_TEST(two_runs_of_a_publisher_that_it_never_met_are_not_taken_for_one) {
    uint64_t clock = leave_two_runs();
    uint64_t hash = world_chat_hash(w, CHAT);
    ck_assert(wsf_backfill_begin(world_core(w, 3), hash, NULL, world_now(w, 3)));
    world_touch(w, 3);
    run_to_end(3);
    ck_assert_uint_eq(kept_at(3), 3); /* the last ones */
    ck_assert(backfill(3, clock));
    run_to_end(3);
    ck_assert_uint_eq(world_core(w, 3)->backfill.asked, 2);
    ck_assert_int_eq(lacks(3, clock), WSFAN_RECOVERY_UNKEPT);
    ck_assert_uint_eq(kept_at(3), 3);
    world_destroy(w);
}
END_TEST

/* The one that is asked first kept the chat while that one was there, the other one only since. */
START_TEST(of_a_publisher_of_which_there_is_nothing_a_younger_history_takes_nothing_back) {
    begin(3);
    unsigned first = first_of(2, 0, 1);
    uint64_t dead = world_node_id(w, 2);
    join(first);
    world_crash(w, 2);
    world_run(w, 1000);
    join(1 - first);
    start(3);
    join(3);
    ck_assert_ptr_null(wsf_witness_find(world_core(w, 3), dead));
    uint64_t since = extent_at(first, dead).since;
    ck_assert_uint_lt(since, extent_at(1 - first, dead).since);
    ck_assert(backfill(3, 1));
    run_to_end(3);
    ck_assert_uint_eq(world_core(w, 3)->backfill.asked, 2);
    ck_assert_uint_eq(extent_at(3, dead).since, since);
    world_destroy(w);
}
END_TEST

START_TEST(of_a_publisher_of_which_the_other_node_lacks_some) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    publish(2, 2);
    uint64_t dead = world_node_id(w, 2);
    wsf_core *core = world_core(w, 0); /* as if some more had been lost */
    wsf_origin_gap(core, wsf_peer_find(core, dead), now_clock(0));
    publish(2, 2);
    world_crash(w, 2);
    world_run(w, 500);
    start(3);
    join(3);
    ck_assert(backfill(3, clock));
    run_to_end(3);
    world_crash(w, 0);
    world_run(w, 500);
    join(1);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_UNKEPT);
    world_destroy(w);
}
END_TEST

/* More than bounds are exact for. */
START_TEST(short_runs_of_publishers_that_are_gone_leave_the_history_of_all_others) {
    begin(2);
    join(0);
    uint64_t clock = now_clock(0);
    wsf_core *core = world_core(w, 0);
    for (unsigned i = 0; i < 2 * WSF_BOUNDS_EXACT; i++)
        core->witness.origins[8 + i] = (wsf_origin){ .node = 1000 + i,
                                                     .seen_ms = core->now_ms,
                                                     .clock = clock + 1,
                                                     .whole = clock + 1,
                                                     .changed = ++core->witness.changes };
    join(1);
    uint64_t after = now_clock(1);
    publish(0, 3);
    ck_assert_int_eq(lacks(1, after), WSFAN_RECOVERY_WHOLE);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_ne(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_int_eq(lacks(1, after), WSFAN_RECOVERY_WHOLE);
    world_destroy(w);
}
END_TEST

/* As many other nodes are gone as there is room for, which have published nothing. */
static void fill_places(wsf_core *core) {
    for (unsigned i = 0; i < WSF_ORIGINS_MAX; i++)
        if (core->witness.origins[i].node == 0)
            core->witness.origins[i] = (wsf_origin){ .node = 1000 + i,
                                                     .seen_ms = core->now_ms,
                                                     .said = core->clock };
}

/* A node dies, and the other one forgets it when node 3 comes. */
static void forget_early(unsigned node, unsigned dead) {
    wsf_core *core = world_core(w, node);
    uint64_t id = world_node_id(w, dead);
    world_crash(w, dead);
    world_run(w, 13000);
    ck_assert_ptr_null(wsf_peer_find(core, id));
    ck_assert_ptr_nonnull(wsf_witness_find(core, id));
    fill_places(core);
    start(3);
    ck_assert_ptr_null(wsf_witness_find(core, id));
}

START_TEST(what_did_not_come_of_a_publisher_that_was_forgotten_early_is_missing) {
    begin_with(3, 12000);
    join(0);
    uint64_t clock = now_clock(0);
    publish(2, 2);
    uint64_t dead = world_node_id(w, 2);
    wsf_core *core = world_core(w, 0); /* as if some more had been lost */
    wsf_origin_gap(core, wsf_peer_find(core, dead),
                   wsf_origin_reached(wsf_witness_find(core, dead)));
    publish(2, 2);
    uint64_t after = now_clock(0);
    world_run(w, 2000);
    ck_assert_int_eq(lacks(0, clock), WSFAN_RECOVERY_GAP);
    forget_early(0, 2);
    ck_assert_int_eq(lacks(0, clock), WSFAN_RECOVERY_GAP);
    ck_assert_int_eq(lacks(0, after), WSFAN_RECOVERY_WHOLE);
    join(1);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_ne(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    world_destroy(w);
}
END_TEST

/* Its clock is so far ahead that nobody knows where its messages have a hole. */
START_TEST(so_it_is_where_its_clock_was_far_ahead) {
    begin_with(3, 12000);
    join(0);
    world_jump(w, 2, 2 * WSF_CLOCK_APART_MS_MAX);
    publish(2, 2);
    wsf_core *core = world_core(w, 0); /* as if some had been lost between them */
    wsf_origin_gap(core, wsf_peer_find(core, world_node_id(w, 2)), 0);
    forget_early(0, 2);
    uint64_t clock = now_clock(0);
    ck_assert_int_eq(lacks(0, clock), WSFAN_RECOVERY_GAP);
    join(1);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_ne(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    world_destroy(w);
}
END_TEST

static bool is_linked(void *user) {
    const unsigned *pair = user;
    const wsf_peer *peer = wsf_peer_find(world_core(w, pair[0]), world_node_id(w, pair[1]));
    return peer != NULL && peer->linked && peer->state == WSFAN_PEER_UP;
}

static void run_until_linked(unsigned node, unsigned other) {
    ck_assert(world_run_until(w, is_linked, (unsigned[]){ node, other }, 5000));
}

static void part(unsigned a, unsigned b, bool blocked) {
    world_block(w, a, b, blocked);
    world_block(w, b, a, blocked);
}

/* Node 1 keeps the chat for longer, and never met the publisher. */
START_TEST(a_run_of_a_publisher_that_was_forgotten_early_does_not_go_on_from_further_back) {
    begin_with(2, 12000);
    join(1);
    part(1, 2, true);
    world_start(w, 2, 1);
    run_until_linked(0, 2);
    world_run(w, 2000);
    uint64_t clock = now_clock(0);
    publish(2, 2);
    join(0);
    publish(2, 2);
    ck_assert_uint_eq(kept_at(0), 2);
    forget_early(0, 2);
    ck_assert_ptr_null(wsf_witness_find(world_core(w, 1), world_node_id(w, 2)));
    ck_assert(backfill(0, clock));
    run_to_end(0);
    ck_assert_int_ne(lacks(0, clock), WSFAN_RECOVERY_WHOLE);
    world_destroy(w);
}
END_TEST

START_TEST(a_publisher_that_is_forgotten_early_and_comes_back_has_its_hole) {
    begin_with(3, 12000);
    join(0);
    uint64_t clock = now_clock(0);
    publish(2, 2);
    wsf_core *core = world_core(w, 0); /* as if some more had been lost */
    uint64_t behind = world_node_id(w, 2);
    wsf_origin_gap(core, wsf_peer_find(core, behind),
                   wsf_origin_reached(wsf_witness_find(core, behind)));
    publish(2, 2);
    part(0, 2, true);
    world_run(w, 13000);
    fill_places(core);
    world_start(w, 3, 1);
    run_until_linked(0, 3);
    ck_assert_ptr_null(wsf_witness_find(core, behind));
    wsf_vector seen = everything(now_clock(0)); /* of a node that was behind with the publisher */
    ck_assert(wsf_vector_pin(&seen, behind, clock));
    part(0, 2, false);
    run_until_linked(0, 2);
    ck_assert_int_eq(wsf_extent_lacks(core, number_at(0), &seen), WSFAN_RECOVERY_GAP);
    world_run(w, 2000);
    ck_assert_int_eq(wsf_extent_lacks(core, number_at(0), &seen), WSFAN_RECOVERY_GAP);
    world_destroy(w);
}
END_TEST

START_TEST(what_another_node_told_of_a_publisher_that_had_left_is_no_run_from_further_back) {
    begin(3);
    uint64_t dead = world_node_id(w, 2);
    uint64_t clock = now_clock(0);
    world_block(w, 2, 1, true);
    publish(2, 1);
    join(0);
    publish(2, 2);
    world_crash(w, 2);
    world_run(w, 5000);
    wsf_vector seen = everything(now_clock(0)); /* of a node that was behind with the publisher */
    ck_assert(wsf_vector_pin(&seen, dead, clock));
    join(1);
    wsf_core *core = world_core(w, 1);
    ck_assert(wsf_backfill_begin(core, world_chat_hash(w, CHAT), &seen, world_now(w, 1)));
    world_touch(w, 1);
    run_to_end(1);
    ck_assert_uint_eq(kept_at(1), 2);
    ck_assert_int_ne(wsf_extent_lacks(core, number_at(1), &seen), WSFAN_RECOVERY_WHOLE);
    world_destroy(w);
}
END_TEST

static bool has_some(void *user) {
    return kept_at(*(unsigned *)user) > 0;
}

static bool is_hidden(unsigned node, unsigned publisher) {
    wsf_vector up_to;
    wsf_vector_init(&up_to, UINT64_MAX);
    wsf_backfill_hide(world_core(w, node), world_chat_hash(w, CHAT), &up_to);
    return wsf_vector_at(&up_to, world_node_id(w, publisher)) == 0;
}

/* The one that has a run of the publisher dies between two pages. The other one keeps the chat for longer, and never met it. Between
 * the pages nobody is told what has come, as nothing says yet from where on it is. */
START_TEST(a_part_of_a_run_is_no_run_from_further_back) {
    enum { COUNT = 60, SIZE = 4000 };
    static char payload[SIZE];
    uint64_t chat = CHAT;
    begin(3);
    unsigned first = first_of(2, 0, 1);
    unsigned second = 1 - first;
    join(second);
    part(3, second, true);
    part(3, 2, true);
    world_start(w, 3, 3);
    run_until_linked(first, 3);
    world_run(w, 2000);
    uint64_t clock = now_clock(0);
    publish(3, 2);
    join(first);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert(world_publish_bytes(w, 3, (wsfan_bytes){ &chat, sizeof chat },
                                      (wsfan_bytes){ payload, SIZE }));
    world_run(w, 500);
    world_crash(w, 3);
    join(2);
    ck_assert(
        wsf_backfill_begin(world_core(w, 2), world_chat_hash(w, CHAT), NULL, world_now(w, 2)));
    world_touch(w, 2);
    ck_assert(world_run_until(w, has_some, &(unsigned){ 2 }, RECOVER_MS));
    ck_assert(is_hidden(2, 3));
    world_crash(w, first);
    run_to_end(2);
    ck_assert(!is_hidden(2, 3));
    ck_assert_uint_eq(world_core(w, second)->backfill.answered, 1);
    ck_assert_uint_lt(kept_at(2), COUNT);
    ck_assert_int_ne(lacks(2, clock), WSFAN_RECOVERY_WHOLE);
    world_destroy(w);
}
END_TEST

/* As if the one that is asked had taken it from another node between two pages. */
START_TEST(what_comes_to_the_other_node_between_two_pages_is_no_run) {
    enum { COUNT = 60, SIZE = 4000, STRANGER = 1000 };
    static char payload[SIZE];
    uint64_t chat = CHAT;
    const wsfan_target target = { WSFAN_CHAT, { &chat, sizeof chat } };
    const wsf_message_parts parts = { .targets = &target, .targets_count = 1 };
    wsf_kept two[2] = { { .parts = parts }, { .parts = parts } };
    begin(2);
    join(0);
    uint64_t clock = now_clock(0);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert(world_publish_bytes(w, 0, target.name, (wsfan_bytes){ payload, SIZE }));
    two[0].id = (wsfan_message_id){ clock + 2, STRANGER };
    two[1].id = (wsfan_message_id){ clock + COUNT, STRANGER };
    world_run(w, 500);
    join(1);
    ck_assert(backfill(1, clock));
    ck_assert(world_run_until(w, has_some, &(unsigned){ 1 }, RECOVER_MS));
    wsf_core *core = world_core(w, 0);
    ck_assert_int_eq(
        wsf_archive_merge(&core->keeping.archive, number_at(0), two, 2, world_now(w, 0).ms),
        WSFAN_OK);
    ck_assert(wsf_extent_set_cap(core, number_at(0), STRANGER, clock + COUNT));
    run_to_end(1);
    ck_assert_uint_eq(kept_at(0), COUNT + 2);
    ck_assert_uint_eq(kept_at(1), COUNT);
    world_destroy(w);
}
END_TEST

/* Messages that came to the other node late, between two pages, may have been of the first one. */
START_TEST(a_run_ends_where_the_first_page_says) {
    enum { COUNT = 60, SIZE = 4000 };
    static char payload[SIZE];
    uint64_t chat = CHAT;
    uint64_t cap;
    begin(2);
    join(0);
    part(1, 2, true);
    world_start(w, 2, 1);
    run_until_linked(0, 2);
    world_run(w, 2000);
    uint64_t clock = now_clock(0);
    publish(2, 1);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert(world_publish_bytes(w, 0, (wsfan_bytes){ &chat, sizeof chat },
                                      (wsfan_bytes){ payload, SIZE }));
    world_run(w, 500);
    join(1);
    wsf_core *core = world_core(w, 0);
    wsf_origin *origin = wsf_peer_find(core, world_node_id(w, 2))->witness.origin;
    ck_assert(backfill(1, clock));
    ck_assert(world_run_until(w, has_some, &(unsigned){ 1 }, RECOVER_MS));
    uint64_t reached = wsf_origin_reached(origin);
    origin->clock = core->clock;
    ck_assert_uint_gt(origin->clock, reached);
    run_to_end(1);
    ck_assert_uint_eq(kept_at(1), COUNT + 1);
    ck_assert(wsf_extent_cap(world_core(w, 1), number_at(1), world_node_id(w, 2), &cap));
    ck_assert_uint_le(cap, reached);
    world_destroy(w);
}
END_TEST

START_TEST(a_cap_holds_until_the_gap_was_told) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    publish(2, 4);
    uint64_t silent = world_node_id(w, 2);
    world_freeze(w, 2, true);
    world_run(w, 5000);
    join(1);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    uint64_t cap;
    ck_assert(wsf_extent_cap(world_core(w, 1), number_at(1), silent, &cap));
    world_freeze(w, 2, false);
    world_run(w, 5000);
    publish(2, 1);
    world_run(w, 5000);
    ck_assert(!wsf_extent_cap(world_core(w, 1), number_at(1), silent, &cap));
    ck_assert_uint_eq(kept_at(1), 5);
    world_destroy(w);
}
END_TEST

/* A position of that clock, handed in at a node that has begun to keep the chat. */
static wsf_recovery *recover(unsigned node, uint64_t clock) {
    char text[WSF_POSITION_TEXT_SIZE];
    const wsf_core *core = world_core(w, node);
    wsf_position position = { (uint32_t)core->cluster_epoch.number, everything(clock) };
    size_t size = wsf_position_write(&core->config.history_key, NAME, &position, text);
    wsf_recovery *recovery = wsf_recovery_new(NAME, (wsfan_bytes){ text, size });
    recovery->hash = world_chat_hash(w, CHAT);
    back = NULL;
    wsf_core_recover(world_core(w, node), recovery, world_now(w, node));
    world_touch(w, node);
    ck_assert(world_run_until(w, is_back, NULL, 2 * RECOVER_MS));
    return back;
}

/* Node 0 did not get as far with the publisher as node 1, which did not keep the chat then: what node 1 has of that chat ends
 * where node 0's ends, and its positions must not claim more. */
START_TEST(positions_are_told_of_caps_below_how_far_the_node_got) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    publish(2, 4);
    uint64_t dead = world_node_id(w, 2);
    world_block(w, 2, 0, true);
    ck_assert(world_publish(w, 2, CHAT, 5)); /* which nobody gets */
    world_run(w, 1500);
    world_crash(w, 2);
    world_run(w, 1000);
    join(1);
    uint64_t reached = wsf_origin_reached(wsf_witness_find(world_core(w, 1), dead));
    uint64_t reached_at_0 = wsf_origin_reached(wsf_witness_find(world_core(w, 0), dead));
    ck_assert_uint_gt(reached, reached_at_0);
    wsf_recovery *recovery = recover(1, clock);
    ck_assert_int_eq(recovery->verdict, WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(wsf_recovery_count(recovery), 4);
    ck_assert_uint_eq(recovery->caps_count, 1);
    ck_assert_uint_eq(recovery->caps[0].origin, dead);
    ck_assert_uint_eq(recovery->caps[0].clock, reached_at_0);
    ck_assert_uint_eq(recovery->caps[0].until, reached);
    wsf_recovery_free(recovery);
    world_destroy(w);
}
END_TEST

/* Messages between may be missing. */
START_TEST(what_is_beyond_a_cap_is_not_replayed) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    publish(2, 4);
    uint64_t silent = world_node_id(w, 2);
    world_freeze(w, 2, true);
    world_run(w, 5000);
    join(1);
    wsf_recovery_free(recover(1, clock));
    uint64_t cap;
    ck_assert(wsf_extent_cap(world_core(w, 1), number_at(1), silent, &cap));
    const wsfan_target target = { WSFAN_CHAT, NAME };
    const wsf_message_parts parts = { .targets = &target, .targets_count = 1 };
    wsfan_message *message = wsf_message_new(&world_core(w, 1)->key, &parts);
    message->targets[0].hash = world_chat_hash(w, CHAT);
    message->id = (wsfan_message_id){ cap + 1, silent };
    wsf_archive_keep(&world_core(w, 1)->keeping.archive, message, world_now(w, 1).ms);
    ck_assert_uint_eq(kept_at(1), 5);
    wsf_recovery *recovery = recover(1, clock);
    ck_assert_int_eq(recovery->verdict, WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(wsf_recovery_count(recovery), 4);
    wsf_recovery_free(recovery);
    wsfan_message_unref(message);
    world_destroy(w);
}
END_TEST

/* As if what node 2 published had been lost on its way to another one. */
static void lose(unsigned node) {
    wsf_core *core = world_core(w, node);
    wsf_origin_gap(core, wsf_peer_find(core, world_node_id(w, 2)), now_clock(node));
}

START_TEST(a_gap_is_mended_with_what_another_node_got) {
    begin(3);
    join(0);
    join(1);
    uint64_t clock = now_clock(0);
    publish(2, 2);
    world_block(w, 2, 1, true);
    publish(2, 3);
    lose(1);
    world_block(w, 2, 1, false);
    world_run(w, 3000);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_GAP);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(1), 5);
    lose(1); /* the next one is another */
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_GAP);
    world_destroy(w);
}
END_TEST

/* After the first answer the history of the publisher begins behind the gap. The last message that came is not its last one. */
START_TEST(a_gap_that_one_answer_does_not_reach_is_mended_by_the_next) {
    begin(3);
    join(0);
    join(1);
    uint64_t clock = now_clock(0);
    world_block(w, 2, 0, true);
    publish(2, 2);
    world_block(w, 2, 1, true);
    publish(2, 3);
    wsf_clock_merge(world_core(w, 1), now_clock(1), world_now(w, 1));
    lose(1);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_GAP);
    world_block(w, 2, 0, false);
    world_run(w, 500);
    ck_assert_uint_eq(kept_at(0), 5);
    ck_assert_uint_eq(kept_at(1), 2);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(1), 5);
    world_destroy(w);
}
END_TEST

/* The reason is not that the chat was kept too short, or by nobody. */
START_TEST(a_gap_that_the_other_node_has_too_is_one_of_both) {
    begin(4);
    join(0);
    join(1);
    uint64_t clock = now_clock(0);
    publish(2, 2);
    lose(0);
    lose(1);
    world_run(w, 3000);
    for (unsigned node = 0; node < 2; node++) {
        ck_assert(backfill(node, clock));
        run_to_end(node);
        ck_assert_int_eq(lacks(node, clock), WSFAN_RECOVERY_GAP);
    }
    join(3);
    ck_assert_int_eq(lacks(3, clock), WSFAN_RECOVERY_UNKEPT);
    ck_assert(backfill(3, clock));
    run_to_end(3);
    ck_assert_int_eq(lacks(3, clock), WSFAN_RECOVERY_GAP);
    ck_assert_int_eq(lacks(3, 1), WSFAN_RECOVERY_UNKEPT);
    world_destroy(w);
}
END_TEST

/* Nobody knows up to where its gap was when it died; what it had not sent by then is nowhere. */
START_TEST(who_is_gone_for_good_leaves_no_gap_behind_what_came) {
    begin(3);
    join(0);
    publish(2, 2);
    uint64_t dead = world_node_id(w, 2);
    wsf_core *core = world_core(w, 0);
    wsf_origin_gap(core, wsf_peer_find(core, dead), core->clock);
    world_crash(w, 2);
    world_run(w, 1000);
    wsf_vector seen = everything(now_clock(0));
    uint64_t reached = wsf_origin_reached(wsf_witness_find(core, dead));
    ck_assert_uint_lt(reached, extent_at(0, dead).whole);
    ck_assert(wsf_vector_pin(&seen, dead, reached));
    ck_assert_int_eq(wsf_extent_lacks(core, number_at(0), &seen), WSFAN_RECOVERY_GAP);
    start(2); /* in its place */
    ck_assert_ptr_nonnull(wsf_witness_find(core, dead));
    ck_assert_int_eq(wsf_extent_lacks(core, number_at(0), &seen), WSFAN_RECOVERY_WHOLE);
    ck_assert(wsf_vector_pin(&seen, dead, reached - 1));
    ck_assert_int_eq(wsf_extent_lacks(core, number_at(0), &seen), WSFAN_RECOVERY_GAP);
    world_destroy(w);
}
END_TEST

START_TEST(the_answer_waits_until_it_reaches_to_where_ours_begins) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    world_block(w, 2, 0, true); /* node 0 hears nothing of node 2, but does not know yet */
    ck_assert(world_publish(w, 2, CHAT, 1));
    join_chat(1, CHAT);
    world_run(w, 300);
    ck_assert(world_core(w, 1)->keeping.chats[number_at(1)].begun);
    ck_assert(backfill(1, clock));
    world_run(w, 200);
    ck_assert(waits(1));
    ck_assert_uint_eq(world_core(w, 0)->backfill.answered, 0);
    world_block(w, 2, 0, false);
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert_uint_eq(kept_at(1), 1);
    world_destroy(w);
}
END_TEST

START_TEST(an_answer_that_does_not_reach_is_not_taken_for_one) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    world_block(w, 2, 0, true);
    ck_assert(world_publish(w, 2, CHAT, 1));
    join_chat(1, CHAT);
    world_run(w, 300);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_UNKEPT);
    world_destroy(w);
}
END_TEST

START_TEST(who_does_not_answer_is_followed_by_the_next) {
    begin(4);
    join(0);
    join(3);
    uint64_t clock = now_clock(0);
    publish(2, 3);
    join(1);
    uint64_t hash = world_chat_hash(w, CHAT);
    const wsf_core *core = world_core(w, 1);
    uint64_t ranks[4];
    for (unsigned i = 0; i < 4; i += 3)
        ranks[i] = wsf_placement_rank(
            hash, wsf_peer_find(world_core(w, 1), world_node_id(w, i))->status.place_hash);
    unsigned first = ranks[0] > ranks[3] ? 0 : 3;
    world_freeze(w, first, true);
    ck_assert(backfill(1, clock));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert(wsf_backfill_failed(core, hash));
    ck_assert_uint_eq(core->backfill.failed, 1);
    ck_assert_uint_eq(core->backfill.asked, 2);
    world_destroy(w);
}
END_TEST

/* Node 0 does not hear node 2, which is up, and so takes half of the time of a source for each answer. */
START_TEST(time_in_the_line_of_a_node_that_answers_is_nobodys_time) {
    enum { CHATS = 600 };
    begin(3);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        join_chat(0, chat);
    world_run(w, 1000);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        ck_assert(world_publish(w, 0, chat, chat));
    world_run(w, 500);
    world_block(w, 2, 0, true);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        join_chat(1, chat);
    world_run(w, 300);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        ck_assert(
            wsf_backfill_begin(world_core(w, 1), world_chat_hash(w, chat), NULL, world_now(w, 1)));
    world_touch(w, 1);
    world_run(w, 2500);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++) {
        ck_assert(!wsf_backfill_waits(world_core(w, 1), world_chat_hash(w, chat)));
        ck_assert(!wsf_backfill_failed(world_core(w, 1), world_chat_hash(w, chat)));
    }
    ck_assert_uint_eq(kept_at(1), CHATS);
    ck_assert_uint_eq(world_core(w, 1)->backfill.asked, 3);
    world_destroy(w);
}
END_TEST

/* Node 0 keeps much of one chat and little of another, and does not hear node 2: so each of its pages takes a while. */
static void begin_large(unsigned count) {
    enum { SIZE = 4000 };
    static char payload[SIZE];
    uint64_t chat = CHAT;
    begin(3);
    join_chat(0, CHAT);
    join_chat(0, CHAT + 1);
    world_run(w, 1000);
    for (unsigned i = 0; i < count; i++) {
        ck_assert(world_publish_bytes(w, 0, (wsfan_bytes){ &chat, sizeof chat },
                                      (wsfan_bytes){ payload, SIZE }));
        world_run(w, 5);
    }
    ck_assert(world_publish(w, 0, CHAT + 1, 1));
    world_run(w, 500);
    world_block(w, 2, 0, true);
    join_chat(1, CHAT);
    join_chat(1, CHAT + 1);
    world_run(w, 300);
}

static void backfill_of(uint64_t chat) {
    ck_assert(
        wsf_backfill_begin(world_core(w, 1), world_chat_hash(w, chat), NULL, world_now(w, 1)));
    world_touch(w, 1);
}

static bool failed(uint64_t chat) {
    return wsf_backfill_failed(world_core(w, 1), world_chat_hash(w, chat));
}

START_TEST(who_sends_page_after_page_has_more_time) {
    begin_large(45);
    backfill_of(CHAT);
    world_run(w, RECOVER_MS / 3 + 300);
    ck_assert(waits(1));
    ck_assert_uint_eq(world_core(w, 1)->backfill.failed, 0);
    run_to_end(1);
    ck_assert(!failed(CHAT));
    ck_assert_uint_eq(kept_at(1), 45);
    world_destroy(w);
}
END_TEST

/* A page comes when the chat that fills it was given up already. */
START_TEST(a_chat_that_takes_too_long_is_no_fault_of_others_in_its_question) {
    recover_ms = 600;
    begin_large(180);
    recover_ms = RECOVER_MS;
    backfill_of(CHAT);
    world_run(w, 50);
    backfill_of(CHAT + 1);
    world_run(w, 500);
    ck_assert(failed(CHAT));
    ck_assert(!failed(CHAT + 1));
    ck_assert_uint_eq(world_core(w, 1)->backfill.failed, 1);
    const wsf_archive *archive = &world_core(w, 1)->keeping.archive;
    uint32_t number = wsf_archive_find(archive, world_chat_hash(w, CHAT + 1));
    ck_assert(wsf_archive_has_above(archive, number, world_node_id(w, 0), 0));
    world_destroy(w);
}
END_TEST

START_TEST(who_does_not_answer_one_question_is_asked_no_other) {
    enum { CHATS = 600 };
    begin(2);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++) {
        join_chat(0, chat);
        join_chat(1, chat);
    }
    world_run(w, 1000);
    world_block(w, 0, 1, true);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        ck_assert(
            wsf_backfill_begin(world_core(w, 1), world_chat_hash(w, chat), NULL, world_now(w, 1)));
    world_touch(w, 1);
    world_run(w, RECOVER_MS / 3 + 50);
    for (uint64_t chat = 100; chat < 100 + CHATS; chat++)
        ck_assert(!wsf_backfill_waits(world_core(w, 1), world_chat_hash(w, chat)));
    ck_assert_uint_eq(world_core(w, 1)->backfill.asked, 1);
    world_destroy(w);
}
END_TEST

static void hold(unsigned node, unsigned for_whom, bool held) {
    wsf_core *core = world_core(w, node);
    unsigned peer = wsf_peer_index(core, wsf_peer_find(core, world_node_id(w, for_whom)));
    wsf_keeping_hold(core, world_chat_hash(w, CHAT), peer, held);
    world_touch(w, node);
    world_run(w, 100);
}

START_TEST(a_chat_that_is_opened_again_is_asked_for_again) {
    begin(2);
    join(0);
    uint64_t clock = now_clock(0);
    publish(0, 3);
    for (int i = 0; i < 2; i++) {
        hold(1, 0, true);
        ck_assert(backfill(1, clock));
        run_to_end(1);
        ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
        ck_assert_uint_eq(kept_at(1), 3);
        hold(1, 0, false);
        ck_assert_uint_eq(kept_at(1), 0);
    }
    world_destroy(w);
}
END_TEST

START_TEST(who_comes_back_does_not_wait_until_all_is_inherited) {
    begin(3);
    join(0);
    uint64_t clock = now_clock(0);
    publish(0, 3);
    join(1);
    wsf_core *core = world_core(w, 1);
    unsigned silent = wsf_peer_index(core, wsf_peer_find(core, world_node_id(w, 2)));
    wsf_peers_add(&core->keeping.chats[number_at(1)].sources, silent);
    world_freeze(w, 2, true);
    ck_assert(wsf_backfill_inherit(core, world_chat_hash(w, CHAT), world_now(w, 1)));
    world_touch(w, 1);
    world_run(w, 10);
    ck_assert(!waits(1));
    ck_assert(backfill(1, clock));
    ck_assert(waits(1));
    run_to_end(1);
    ck_assert_int_eq(lacks(1, clock), WSFAN_RECOVERY_WHOLE);
    ck_assert(wsf_peers_has(core->keeping.chats[number_at(1)].sources, silent)); /* as before */
    world_destroy(w);
}
END_TEST

START_TEST(memory_for_a_backfill_is_given_back) {
    begin(2);
    join(0);
    uint64_t clock = now_clock(0);
    publish(0, 3);
    join(1);
    ck_assert(backfill(1, clock));
    world_crash(w, 0);
    world_run(w, 2 * RECOVER_MS);
    ck_assert(!waits(1));
    ck_assert(!wsf_backfill_failed(world_core(w, 1), world_chat_hash(w, CHAT)));
    world_destroy(w);
}
END_TEST

SUITE_MAIN("backfill", what_a_node_lacks_comes_from_one_that_keeps_the_chat,
           from_then_on_it_answers_others_itself, what_is_older_than_all_have_it_is_not_vouched_for,
           nobody_is_asked_where_nobody_is_interested, many_messages_come_in_pages,
           pages_go_on_while_a_message_of_the_same_clock_may_come,
           a_gap_is_mended_with_messages_above_the_position,
           pages_with_nothing_that_lacks_are_not_asked_for,
           many_chats_are_asked_for_in_one_question,
           of_a_publisher_that_died_a_node_has_what_the_other_one_got,
           of_a_publisher_whose_last_mark_came_late,
           of_a_publisher_that_says_goodbye_all_know_the_same_end,
           of_a_publisher_that_a_node_never_met_too, of_a_publisher_that_the_other_node_never_met,
           of_a_publisher_that_neither_met, a_history_that_is_too_short_is_asked_for_as_a_whole,
           of_a_publisher_that_neither_met_an_older_part_joins_a_newer_one,
           of_two_runs_of_a_publisher_that_it_never_met_a_node_takes_the_one_that_is_wanted,
           two_runs_of_a_publisher_that_it_never_met_are_not_taken_for_one,
           of_a_publisher_of_which_there_is_nothing_a_younger_history_takes_nothing_back,
           of_a_publisher_of_which_the_other_node_lacks_some,
           short_runs_of_publishers_that_are_gone_leave_the_history_of_all_others,
           what_did_not_come_of_a_publisher_that_was_forgotten_early_is_missing,
           so_it_is_where_its_clock_was_far_ahead,
           a_run_of_a_publisher_that_was_forgotten_early_does_not_go_on_from_further_back,
           a_publisher_that_is_forgotten_early_and_comes_back_has_its_hole,
           what_another_node_told_of_a_publisher_that_had_left_is_no_run_from_further_back,
           a_part_of_a_run_is_no_run_from_further_back, a_run_ends_where_the_first_page_says,
           what_comes_to_the_other_node_between_two_pages_is_no_run,
           a_cap_holds_until_the_gap_was_told,
           positions_are_told_of_caps_below_how_far_the_node_got,
           what_is_beyond_a_cap_is_not_replayed, a_gap_is_mended_with_what_another_node_got,
           a_gap_that_one_answer_does_not_reach_is_mended_by_the_next,
           a_gap_that_the_other_node_has_too_is_one_of_both,
           who_is_gone_for_good_leaves_no_gap_behind_what_came,
           the_answer_waits_until_it_reaches_to_where_ours_begins,
           an_answer_that_does_not_reach_is_not_taken_for_one,
           who_does_not_answer_is_followed_by_the_next,
           time_in_the_line_of_a_node_that_answers_is_nobodys_time,
           who_sends_page_after_page_has_more_time,
           a_chat_that_takes_too_long_is_no_fault_of_others_in_its_question,
           who_does_not_answer_one_question_is_asked_no_other,
           a_chat_that_is_opened_again_is_asked_for_again,
           who_comes_back_does_not_wait_until_all_is_inherited, memory_for_a_backfill_is_given_back)
