/* How far a node got with all publishers, as its loops are told: node 0 keeps a chat. */
#include "core/history/reach.h"

#include "base/memory.h"
#include "base/position.h"
#include "core/origin.h"
#include "core/witness.h"
#include "suite.h"
#include "world.h"

enum { CHAT = 7, NODES = 3, ALL = (1 << NODES) - 1, HISTORY_MS = 60000, TEN_S = 10000 };

static world *w;
static unsigned tellings;       /* to node 0 */
static unsigned deliveries;     /* the same */
static uint64_t rest;           /* as it was told last, */
static uint64_t seen_of[NODES]; /* and the clocks of the nodes */
static bool told;
static unsigned delivered_then;

static void on_reach(void *user, unsigned node, wsf_reach *reach) {
    (void)user;
    if (node != 0)
        return;
    ck_assert_uint_ge(reach->whole.rest, rest);
    rest = reach->whole.rest;
    for (unsigned i = 0; i < NODES; i++)
        seen_of[i] = wsf_vector_at(&reach->whole, world_node_id(w, i));
    told = reach->told;
    delivered_then = deliveries;
    tellings++;
}

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user, (void)loop, (void)message;
    deliveries += node == 0;
    return true;
}

static bool is_ready(void *user) {
    (void)user;
    for (unsigned i = 0; i < NODES; i++)
        if (world_core(w, i)->cluster_epoch.number == 0 ||
            world_core(w, i)->cluster_epoch.number != world_core(w, 0)->cluster_epoch.number)
            return false;
    return world_meshed(w);
}

static void join(bool history) {
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    ticket->hash = world_chat_hash(w, CHAT);
    ticket->history = history;
    wsf_core_join(world_core(w, 0), ticket, world_now(w, 0));
    world_touch(w, 0);
}

static wsfan_recovery verdict;

static bool on_recovered(void *user, unsigned node, wsf_recovery *recovery) {
    (void)user;
    ck_assert_uint_eq(node, 0);
    verdict = recovery->verdict;
    wsf_recovery_free(recovery);
    return true;
}

static void begin(void) {
    static const world_watcher watcher = { .reach = on_reach,
                                           .deliver = on_deliver,
                                           .recovered = on_recovered };
    tellings = deliveries = delivered_then = 0;
    rest = 0;
    told = false;
    w = world_new(5, &watcher);
    world_config(w)->history_ms = HISTORY_MS;
    for (unsigned i = 0; i < NODES; i++)
        world_start(w, i, ALL);
    ck_assert(world_run_until(w, is_ready, NULL, TEN_S));
}

static void end(void) {
    world_destroy(w);
}

static uint64_t clock_of(unsigned node) {
    return world_core(w, node)->clock;
}

static bool has_passed(void *user) {
    return rest >= *(uint64_t *)user;
}

START_TEST(it_comes_to_what_all_peers_have_said_and_goes_on) {
    begin();
    join(true);
    for (unsigned i = 0; i < 5; i++) {
        uint64_t before = clock_of(0);
        ck_assert(world_run_until(w, has_passed, &before, 3000));
        ck_assert(told);
        for (unsigned node = 0; node < NODES; node++) {
            ck_assert_uint_eq(seen_of[node], rest); /* nobody is behind */
            ck_assert_uint_le(rest, clock_of(node) + (1 << 16));
        }
    }
    end();
}
END_TEST

START_TEST(what_it_claims_was_delivered_before) {
    begin();
    join(true);
    world_run(w, 2000);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert(world_publish(w, 1 + i % 2, CHAT, i));
        uint64_t clock = clock_of(1 + i % 2);
        ck_assert(world_run_until(w, has_passed, &clock, 3000));
        ck_assert_uint_eq(delivered_then, i + 1);
    }
    end();
}
END_TEST

START_TEST(a_peer_that_is_silent_is_behind_and_holds_up_nobody) {
    begin();
    join(true);
    world_run(w, 2000);
    world_freeze(w, 1, true);
    uint64_t then = clock_of(1);
    world_run(w, TEN_S / 2);
    uint64_t now = world_now(w, 0).wall_ms << 16;
    ck_assert(told);
    ck_assert_uint_gt(rest, now - ((uint64_t)2000 << 16));
    ck_assert_uint_eq(seen_of[2], rest);
    ck_assert_uint_le(seen_of[1], then);
    world_freeze(w, 1, false);
    world_run(w, TEN_S);
    ck_assert_uint_eq(seen_of[1], rest);
    end();
}
END_TEST

/* Also when its link is given up, for as long as anything is known of it. */
START_TEST(a_peer_that_is_gone_is_behind_until_it_is_forgotten) {
    begin();
    join(true);
    world_run(w, 2000);
    uint64_t gone = world_node_id(w, 1);
    uint64_t reached = wsf_origin_reached(wsf_witness_find(world_core(w, 0), gone));
    world_crash(w, 1);
    world_run(w, 150000); /* beyond forget_ms */
    ck_assert_ptr_null(wsf_peer_find(world_core(w, 0), gone));
    ck_assert_uint_eq(wsf_vector_at(&world_core(w, 0)->reach.newest->whole, gone), reached);
    world_run(w, 2 * HISTORY_MS);
    ck_assert_uint_eq(world_core(w, 0)->reach.newest->whole.count, 0);
    end();
}
END_TEST

START_TEST(a_peer_whose_clock_is_far_behind_holds_up_nobody) {
    begin();
    join(true);
    world_crash(w, 1);
    world_jump(w, 1, -600000);
    world_start(w, 1, ALL);
    world_run(w, 2 * TEN_S);
    ck_assert(wsf_peer_live(wsf_peer_find(world_core(w, 0), world_node_id(w, 1))));
    uint64_t now = world_now(w, 0).wall_ms << 16;
    ck_assert_uint_gt(rest, now - ((uint64_t)2000 << 16));
    ck_assert_uint_lt(seen_of[1], now - ((uint64_t)500000 << 16));
    end();
}
END_TEST

static bool is_decided(void *user) {
    (void)user;
    return verdict != WSFAN_RECOVERY_NONE;
}

/* A position of node 0, handed in there. */
static wsfan_recovery come_back(const wsf_position *position) {
    char text[WSF_POSITION_TEXT_SIZE];
    wsfan_bytes chat = { "chat", 4 };
    size_t size = wsf_position_write(&world_core(w, 0)->config.history_key, chat, position, text);
    ck_assert_uint_gt(size, 0);
    wsf_recovery *recovery = wsf_recovery_new(chat, (wsfan_bytes){ text, size });
    recovery->hash = world_chat_hash(w, CHAT);
    verdict = WSFAN_RECOVERY_NONE;
    wsf_core_recover(world_core(w, 0), recovery, world_now(w, 0));
    world_touch(w, 0);
    ck_assert(world_run_until(w, is_decided, NULL, TEN_S));
    return verdict;
}

static wsf_position position_now(void) {
    const wsf_reach *reach = world_core(w, 0)->reach.newest;
    ck_assert(reach->told);
    return (wsf_position){ reach->epoch, reach->whole };
}

/* What that peer publishes has clocks that the position claims already. */
START_TEST(a_position_from_before_a_peer_with_a_clock_far_behind_is_of_no_use) {
    begin();
    join(true);
    world_run(w, 2000);
    wsf_position position = position_now();
    ck_assert_int_eq(come_back(&position), WSFAN_RECOVERY_WHOLE);
    world_crash(w, 1);
    world_jump(w, 1, -600000);
    world_start(w, 1, ALL);
    world_run(w, 2 * TEN_S);
    ck_assert_int_eq(come_back(&position), WSFAN_RECOVERY_CLOCK);
    position = position_now(); /* which names it */
    ck_assert_int_eq(come_back(&position), WSFAN_RECOVERY_WHOLE);
    end();
}
END_TEST

/* Its clock was set back, but does not go back: it may be near a position that the node would not follow. */
START_TEST(a_position_from_ahead_of_what_is_published_next_is_of_no_use) {
    begin();
    join(true);
    world_run(w, 2000);
    wsf_position position = position_now();
    world_jump(w, 0, -600000);
    world_crash(w, 1);
    world_crash(w, 2);
    world_run(w, 2 * TEN_S);
    ck_assert_int_eq(come_back(&position), WSFAN_RECOVERY_WHOLE);
    position.seen.rest = world_core(w, 0)->clock + 1;
    ck_assert_int_eq(come_back(&position), WSFAN_RECOVERY_CLOCK);
    end();
}
END_TEST

START_TEST(a_newcomer_is_whole_from_its_start_on) {
    begin();
    join(true);
    world_run(w, 2000);
    world_crash(w, 2);
    world_start(w, 2, ALL);
    uint64_t started = world_now(w, 2).wall_ms << 16;
    ck_assert(world_run_until(w, is_ready, NULL, TEN_S));
    world_run(w, 100);
    ck_assert_uint_ge(seen_of[2], started - 1);
    end();
}
END_TEST

START_TEST(nothing_is_told_while_no_chat_is_kept) {
    begin();
    join(false);
    world_run(w, TEN_S);
    ck_assert_uint_eq(tellings, 0);
    ck_assert_uint_eq(wsf_reach_deadline(world_core(w, 0)), UINT64_MAX);
    join(true);
    world_run(w, 100);
    ck_assert_uint_gt(tellings, 0);
    end();
}
END_TEST

START_TEST(no_position_while_a_peer_that_is_up_sends_no_marks) {
    begin();
    join(true);
    world_run(w, 2000);
    ck_assert(told);
    wsf_peer *peer = wsf_peer_find(world_core(w, 0), world_node_id(w, 1));
    wsf_origin *origin = peer->witness.origin;
    peer->witness.origin = NULL; /* as of one that knows none */
    world_run(w, 2000);
    ck_assert(!told);
    peer->witness.origin = origin;
    world_run(w, 2000);
    ck_assert(told);
    end();
}
END_TEST

SUITE_MAIN("reach", it_comes_to_what_all_peers_have_said_and_goes_on,
           what_it_claims_was_delivered_before, a_peer_that_is_silent_is_behind_and_holds_up_nobody,
           a_peer_that_is_gone_is_behind_until_it_is_forgotten,
           a_peer_whose_clock_is_far_behind_holds_up_nobody,
           a_position_from_before_a_peer_with_a_clock_far_behind_is_of_no_use,
           a_position_from_ahead_of_what_is_published_next_is_of_no_use,
           a_newcomer_is_whole_from_its_start_on, nothing_is_told_while_no_chat_is_kept,
           no_position_while_a_peer_that_is_up_sends_no_marks)
