/* The epoch of a cluster: of nodes that meet, part, come and go. */
#include "core/history/epoch.h"

#include "base/memory.h"
#include "base/position.h"
#include "suite.h"
#include "world.h"

enum {
    CHAT = 7,
    NODES = 4,
    ALL = (1 << NODES) - 1,
    HISTORY_MS = 60000,
    TEN_S = 10000,
    DAY_MS = 86400000
};

static world *w;
static wsfan_recovery verdict; /* of the last recovery, */
static bool decided;           /* which is back */

static bool on_recovered(void *user, unsigned node, wsf_recovery *recovery) {
    (void)user, (void)node;
    verdict = recovery->verdict;
    decided = true;
    wsf_recovery_free(recovery);
    return true;
}

static void begin(uint32_t history_ms) {
    world_watcher watcher = { .recovered = on_recovered };
    w = world_new(7, &watcher);
    world_config(w)->history_ms = history_ms;
}

static void end(void) {
    world_destroy(w);
}

static wsf_cluster_epoch epoch_of(unsigned node) {
    return world_core(w, node)->cluster_epoch;
}

/* Whether all nodes that live are of one epoch. */
static bool is_one(void *user) {
    uint64_t number = 0;
    (void)user;
    for (unsigned i = 0; i < NODES; i++) {
        if (!world_alive(w, i))
            continue;
        uint64_t its = epoch_of(i).number;
        if (its == 0 || (number != 0 && number != its))
            return false;
        number = its;
    }
    return number != 0;
}

static void start(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        world_start(w, i, ALL);
    ck_assert(world_run_until(w, is_one, NULL, TEN_S));
}

static void cut_off(unsigned node, bool blocked) {
    for (unsigned i = 0; i < NODES; i++) {
        world_block(w, node, i, i != node && blocked);
        world_block(w, i, node, i != node && blocked);
    }
}

START_TEST(nodes_that_meet_have_one_and_tell_newcomers) {
    begin(HISTORY_MS);
    start(3);
    uint64_t number = epoch_of(0).number;
    world_run(w, TEN_S);
    ck_assert(is_one(NULL));
    ck_assert_uint_eq(epoch_of(0).number, number);
    world_start(w, 3, ALL);
    ck_assert(world_run_until(w, is_one, NULL, TEN_S));
    ck_assert_uint_eq(epoch_of(3).number, number);
    end();
}
END_TEST

START_TEST(it_survives_while_one_node_does) {
    begin(HISTORY_MS);
    start(2);
    uint64_t number = epoch_of(0).number;
    for (unsigned i = 0; i < 2; i++) {
        world_crash(w, i);
        world_start(w, i, ALL);
        ck_assert(world_run_until(w, is_one, NULL, TEN_S));
        ck_assert_uint_eq(epoch_of(i).number, number);
    }
    world_crash(w, 0);
    world_crash(w, 1);
    start(2);
    ck_assert_uint_ne(epoch_of(0).number, number);
    end();
}
END_TEST

START_TEST(of_two_that_were_apart_the_older_one_stays) {
    begin(HISTORY_MS);
    start(2);
    uint64_t number = epoch_of(0).number;
    world_crash(w, 1);
    world_start(w, 1, ALL);
    cut_off(1, true);
    world_run(w, TEN_S); /* it is ready without the other one */
    ck_assert_uint_ne(epoch_of(1).number, 0);
    ck_assert_uint_ne(epoch_of(1).number, number);
    cut_off(1, false);
    ck_assert(world_run_until(w, is_one, NULL, 3 * TEN_S));
    ck_assert_uint_eq(epoch_of(1).number, number);
    ck_assert_uint_eq(epoch_of(0).number, number);
    end();
}
END_TEST

static void keep_chat(unsigned node) {
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    ticket->hash = world_chat_hash(w, CHAT);
    ticket->history = true;
    wsf_core_join(world_core(w, node), ticket, world_now(w, node));
    world_touch(w, node);
}

/* A position that node 0 tells now is handed in at another node. */
static void come_to(unsigned node) {
    char text[WSF_POSITION_TEXT_SIZE];
    wsfan_bytes chat = { "chat", 4 };
    const wsf_reach *reach = world_core(w, 0)->reach.newest;
    wsf_position position = { reach->epoch, reach->whole };
    ck_assert(reach->told);
    size_t size = wsf_position_write(&world_core(w, 0)->config.history_key, chat, &position, text);
    wsf_recovery *recovery = wsf_recovery_new(chat, (wsfan_bytes){ text, size });
    recovery->hash = world_chat_hash(w, CHAT);
    decided = false;
    wsf_core_recover(world_core(w, node), recovery, world_now(w, node));
    world_touch(w, node);
}

static bool is_decided(void *user) {
    (void)user;
    return decided;
}

static bool is_of_node_0(void *user) {
    (void)user;
    return epoch_of(1).number == epoch_of(0).number;
}

/* The recovery waits for the chat's begin, and that for a peer. */
START_TEST(a_verdict_is_of_the_epoch_that_holds_when_it_is_made) {
    begin(HISTORY_MS);
    world_config(w)->silent_ms = TEN_S;
    world_config(w)->recover_ms_max = 2 * TEN_S;
    start(3);
    keep_chat(0);
    for (unsigned i = 1; i < 3; i++)
        world_crash(w, i);
    cut_off(0, true);
    for (unsigned i = 1; i < 3; i++)
        world_start(w, i, ALL);
    world_run(w, TEN_S);
    ck_assert(epoch_of(1).number == epoch_of(2).number && !is_of_node_0(NULL));
    world_block(w, 2, 1, true);
    keep_chat(1);
    come_to(1);
    cut_off(0, false);
    ck_assert(world_run_until(w, is_of_node_0, NULL, TEN_S));
    ck_assert(!decided);
    world_block(w, 2, 1, false);
    ck_assert(world_run_until(w, is_decided, NULL, TEN_S));
    ck_assert_int_eq(verdict, WSFAN_RECOVERY_WHOLE);
    end();
}
END_TEST

START_TEST(a_peer_with_a_clock_that_is_far_off_is_not_believed) {
    begin(HISTORY_MS);
    world_jump(w, 1, -DAY_MS);
    world_start(w, 0, ALL);
    world_start(w, 1, ALL);
    world_run(w, TEN_S);
    ck_assert(world_meshed(w));
    ck_assert_uint_ne(epoch_of(0).number, 0);
    ck_assert_uint_ne(epoch_of(1).number, 0);
    ck_assert_uint_lt(epoch_of(1).birth_ms, epoch_of(0).birth_ms); /* which is not true */
    world_jump(w, 1, DAY_MS - 1000);
    ck_assert(world_run_until(w, is_one, NULL, TEN_S));
    end();
}
END_TEST

/* The peer is not told that its chat is held, so a node that held it before goes on. */
START_TEST(what_a_peer_of_another_epoch_keeps_is_not_asked_for) {
    int status;
    begin(HISTORY_MS);
    world_jump(w, 1, -DAY_MS);
    world_start(w, 0, ALL);
    world_start(w, 1, ALL);
    world_run(w, TEN_S);
    keep_chat(1);
    world_run(w, 1000);
    ck_assert(world_publish(w, 1, CHAT, 1));
    world_leave(w, 1, CHAT);
    world_drain(w, 1, TEN_S);
    world_run(w, 2 * TEN_S);
    ck_assert(world_drained(w, 1, &status)); /* and node 0 was to hold what node 1 kept */
    ck_assert_int_eq(status, WSFAN_EPARTIAL);
    ck_assert_uint_eq(world_core(w, 0)->backfill.asked, 0);
    ck_assert_uint_eq(world_core(w, 0)->stats.dropped[WSFAN_DROP_MALFORMED], 0);
    end();
}
END_TEST

START_TEST(a_node_is_of_none_before_it_is_ready) {
    begin(HISTORY_MS);
    world_config(w)->ready_ms_max = TEN_S;
    world_start(w, 0, ALL); /* the others do not run */
    world_run(w, TEN_S - 100);
    ck_assert_uint_eq(epoch_of(0).number, 0);
    world_run(w, 200);
    ck_assert_uint_ne(epoch_of(0).number, 0);
    end();
}
END_TEST

START_TEST(without_history_there_is_none) {
    begin(0);
    for (unsigned i = 0; i < 2; i++)
        world_start(w, i, ALL);
    world_run(w, TEN_S);
    ck_assert(world_meshed(w));
    ck_assert_uint_eq(epoch_of(0).number, 0);
    world_config(w)->history_ms = HISTORY_MS; /* one node alone has it */
    world_start(w, 2, ALL);
    world_run(w, TEN_S);
    ck_assert_uint_ne(epoch_of(2).number, 0);
    ck_assert_uint_eq(epoch_of(0).number, 0);
    end();
}
END_TEST

SUITE_MAIN("epoch", nodes_that_meet_have_one_and_tell_newcomers, it_survives_while_one_node_does,
           of_two_that_were_apart_the_older_one_stays,
           a_verdict_is_of_the_epoch_that_holds_when_it_is_made,
           a_peer_with_a_clock_that_is_far_off_is_not_believed,
           what_a_peer_of_another_epoch_keeps_is_not_asked_for,
           a_node_is_of_none_before_it_is_ready, without_history_there_is_none)
