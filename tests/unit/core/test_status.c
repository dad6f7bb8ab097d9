/* Readiness, draining and views of cores on a virtual clock. */
#include <string.h>
#include <wsfan/placement.h>

#include "core/status.h"
#include "suite.h"
#include "world.h"

enum { TEN_S = 10000, CHATS = 500 };

static world *w;
static unsigned joined[8];
static int joined_status[8];
static uint32_t missing_count[8];
static uint64_t missing[8]; /* the first */
static uint64_t gaps[8];
static unsigned delivered[8];

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user, (void)loop, (void)message;
    delivered[node]++;
    return true;
}

static bool on_joined(void *user, unsigned node, wsf_ticket *ticket) {
    (void)user;
    joined[node]++;
    joined_status[node] = ticket->status;
    missing_count[node] = ticket->missing_count;
    missing[node] = ticket->missing_count > 0 ? ticket->missing[0] : 0;
    return false;
}

static void on_gap(void *user, unsigned node, const wsfan_gap *gap) {
    (void)user, (void)gap;
    gaps[node]++;
}

static void begin(uint64_t seed) {
    world_watcher watcher = { .deliver = on_deliver, .joined = on_joined, .gap = on_gap };
    memset(joined, 0, sizeof joined);
    memset(joined_status, 0, sizeof joined_status);
    memset(gaps, 0, sizeof gaps);
    memset(delivered, 0, sizeof delivered);
    w = world_new(seed, &watcher);
}

static void end(void) {
    world_destroy(w);
}

static bool all_ready(void *user) {
    (void)user;
    for (unsigned i = 0; i < 8; i++)
        if (world_alive(w, i) && !world_core(w, i)->status.ready)
            return false;
    return true;
}

static bool views_have(void *user) {
    unsigned count = *(unsigned *)user;
    for (unsigned i = 0; i < 8; i++)
        if (world_alive(w, i) && (world_view(w, i) == NULL || world_view(w, i)->count != count))
            return false;
    return true;
}

static void wait_for_views_of(unsigned count) {
    ck_assert(world_run_until(w, views_have, &count, TEN_S));
}

static void start_ready(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        world_start(w, i, (1u << count) - 1);
    ck_assert(world_run_until(w, all_ready, NULL, TEN_S));
    wait_for_views_of(count);
}

static uint64_t owner_of(unsigned node, uint64_t chat) {
    const wsf_placement_node *place = wsf_view_owner(world_view(w, node), world_chat_hash(w, chat));
    return place != NULL ? place->node : 0;
}

START_TEST(a_node_that_is_alone_is_ready_at_once) {
    begin(1);
    world_start(w, 0, 0);
    world_run(w, 2);
    ck_assert(world_core(w, 0)->status.ready);
    ck_assert_uint_eq(owner_of(0, 1), world_node_id(w, 0));
    end();
}
END_TEST

START_TEST(a_list_that_names_only_oneself_is_being_alone) {
    begin(2);
    world_start(w, 0, 1);
    world_run(w, 1000);
    ck_assert(world_core(w, 0)->status.ready);
    end();
}
END_TEST

START_TEST(a_node_is_ready_when_it_knows_what_its_peers_want_and_they_know_it) {
    begin(3);
    start_ready(2);
    for (uint64_t chat = 0; chat < 5000; chat++) /* more than fits into one frame */
        world_join(w, 0, chat);
    world_run(w, 1000);
    world_start(w, 2, 1);
    ck_assert(world_run_until(w, all_ready, NULL, 3000));
    const wsf_core *core = world_core(w, 2);
    ck_assert_uint_eq(core->interest.remote_count, 5000);
    for (unsigned i = 0; i < 2; i++) {
        const wsf_core *other = world_core(w, i);
        const wsf_peer *peer = wsf_peer_find(other, world_node_id(w, 2));
        ck_assert_ptr_nonnull(peer);
        ck_assert(wsf_peers_has(other->complete, wsf_peer_index(other, peer)));
    }
    end();
}
END_TEST

START_TEST(peers_that_do_not_answer_are_waited_for_only_so_long) {
    begin(4);
    world_start(w, 0, 7); /* nodes 1 and 2 never start */
    world_run(w, 4900);
    ck_assert(!world_core(w, 0)->status.ready);
    ck_assert_uint_eq(owner_of(0, 1), 0);
    world_run(w, 200);
    ck_assert(world_core(w, 0)->status.ready);
    end();
}
END_TEST

static int readiness(unsigned node) {
    return wsf_core_readiness(world_core(w, node), world_now(w, node));
}

static void join_and_wait(unsigned node, uint64_t chat) {
    unsigned before = joined[node];
    world_join(w, node, chat);
    world_run(w, 1000);
    ck_assert_uint_eq(joined[node], before + 1);
}

START_TEST(met_alone_and_refused_are_told_apart) {
    begin(20);
    world_start(w, 0, 1); /* nobody else is named */
    world_config(w)->peers_count_max = 1;
    world_start(w, 1, 0);
    world_start(w, 2, 2);
    world_start(w, 4, 1 << 5); /* which never starts */
    ck_assert_int_eq(readiness(4), 0);
    world_run(w, 6000);
    ck_assert_int_eq(readiness(0), WSFAN_READY_MET);
    ck_assert_int_eq(readiness(2), WSFAN_READY_MET);
    ck_assert_int_eq(readiness(4), WSFAN_READY_ALONE);
    world_start(w, 3, 2); /* node 1 has no room for it */
    world_run(w, 1000);
    ck_assert_int_eq(readiness(3), WSFAN_EREFUSED);
    join_and_wait(3, 7);
    ck_assert_int_eq(joined_status[3], WSFAN_EPARTIAL);
    ck_assert_uint_eq(missing_count[3], 1);
    ck_assert_uint_eq(missing[3], world_node_id(w, 1));
    world_crash(w, 2);
    world_run(w, 3 * TEN_S); /* it is asked again */
    ck_assert_int_eq(readiness(3), WSFAN_READY_MET);
    join_and_wait(3, 8);
    ck_assert_int_eq(joined_status[3], WSFAN_OK);
    world_crash(w, 1);
    world_run(w, 3 * TEN_S);
    ck_assert_int_eq(readiness(3), WSFAN_READY_MET); /* whatever becomes of its peers */
    end();
}
END_TEST

START_TEST(who_refused_and_is_gone_is_not_held_against_a_join) {
    begin(21);
    world_config(w)->peers_count_max = 1;
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    world_run(w, 2000);
    world_start(w, 2, 1);
    world_run(w, 2000);
    ck_assert_int_eq(readiness(2), WSFAN_EREFUSED);
    world_crash(w, 0);
    world_crash(w, 1);
    world_run(w, 4 * TEN_S);
    ck_assert_int_eq(readiness(2), WSFAN_READY_ALONE);
    join_and_wait(2, 7);
    ck_assert_int_eq(joined_status[2], WSFAN_OK);
    end();
}
END_TEST

START_TEST(a_key_that_is_let_in_nowhere_makes_joins_partial_where_nobody_else_is) {
    begin(23);
    world_start(w, 0, 1 << 1); /* which never starts */
    world_run(w, 6000);
    ck_assert_int_eq(readiness(0), WSFAN_READY_ALONE);
    wsf_core_carrier(world_core(w, 0), 0, WSFAN_ENDPOINT_KEY_UNKNOWN_THERE, 1);
    ck_assert_int_eq(readiness(0), WSFAN_EREFUSED);
    join_and_wait(0, 7);
    ck_assert_int_eq(joined_status[0], WSFAN_EPARTIAL);
    ck_assert_uint_eq(missing_count[0], 1);
    ck_assert_uint_eq(missing[0], 0); /* it does not say who it is */
    world_start(w, 2, 1);
    world_run(w, 2000);
    ck_assert_int_eq(readiness(0), WSFAN_READY_MET);
    join_and_wait(0, 8);
    ck_assert_int_eq(joined_status[0], WSFAN_OK);
    end();
}
END_TEST

START_TEST(another_cluster_is_missing_from_a_join_only_where_nobody_else_is) {
    begin(22);
    world_start(w, 0, 0);
    world_config(w)->cluster = "another";
    world_start(w, 1, 1);
    world_run(w, 2000);
    ck_assert_int_eq(readiness(1), WSFAN_EREFUSED);
    join_and_wait(1, 7);
    ck_assert_int_eq(joined_status[1], WSFAN_EPARTIAL);
    ck_assert_uint_eq(missing[1], world_node_id(w, 0));
    world_start(w, 2, 2);
    world_run(w, 2000);
    ck_assert_int_eq(readiness(1), WSFAN_READY_MET);
    join_and_wait(1, 8);
    ck_assert_int_eq(joined_status[1], WSFAN_OK);
    end();
}
END_TEST

START_TEST(losing_every_peer_leaves_a_node_ready) {
    begin(5);
    start_ready(3);
    world_crash(w, 1);
    world_crash(w, 2);
    world_run(w, 100);
    wait_for_views_of(3); /* silent is not gone */
    ck_assert(!world_view(w, 0)->places[0].up || !world_view(w, 0)->places[1].up ||
              !world_view(w, 0)->places[2].up);
    world_run(w, 2 * TEN_S);
    ck_assert(world_core(w, 0)->status.ready);
    wait_for_views_of(1);
    ck_assert_uint_eq(owner_of(0, 1), world_node_id(w, 0));
    end();
}
END_TEST

START_TEST(all_nodes_name_the_same_owners_and_a_dead_node_s_chats_alone_move) {
    begin(6);
    start_ready(4);
    uint64_t before[CHATS];
    for (uint64_t chat = 0; chat < CHATS; chat++) {
        before[chat] = owner_of(0, chat);
        for (unsigned i = 1; i < 4; i++)
            ck_assert_uint_eq(owner_of(i, chat), before[chat]);
    }
    uint64_t dead = world_node_id(w, 3);
    world_crash(w, 3);
    world_run(w, TEN_S);
    wait_for_views_of(3);
    for (uint64_t chat = 0; chat < CHATS; chat++) {
        ck_assert(before[chat] == dead || owner_of(0, chat) == before[chat]);
        for (unsigned i = 1; i < 3; i++)
            ck_assert_uint_eq(owner_of(i, chat), owner_of(0, chat));
    }
    world_start(w, 3, 1);
    wait_for_views_of(4);
    for (uint64_t chat = 0; chat < CHATS; chat++) /* it has its own again, under its new id */
        ck_assert_uint_eq(owner_of(0, chat),
                          before[chat] == dead ? world_node_id(w, 3) : before[chat]);
    end();
}
END_TEST

START_TEST(weights_addresses_and_roles_reach_the_peers) {
    begin(7);
    world_start(w, 0, 7);
    world_config(w)->weight = 0;
    world_start(w, 1, 7);
    world_config(w)->weight = 300;
    world_config(w)->public_address = "http://two.example/";
    world_start(w, 2, 7);
    world_config(w)->publisher_only = true;
    world_start(w, 3, 7);
    ck_assert(world_run_until(w, all_ready, NULL, TEN_S));
    wait_for_views_of(2); /* not the one without weight, not the publisher */
    const wsf_view *view = world_view(w, 3);
    const wsf_placement_node *two = view->places[0].node == world_node_id(w, 2) ? &view->places[0]
                                                                                : &view->places[1];
    ck_assert_str_eq(two->name, "n2");
    ck_assert_str_eq(two->address, "http://two.example/");
    ck_assert_uint_eq(two->weight, 300);
    unsigned owned = 0;
    for (uint64_t chat = 0; chat < CHATS; chat++)
        owned += owner_of(1, chat) == two->node;
    ck_assert_uint_gt(owned, CHATS * 65 / 100);
    ck_assert_uint_lt(owned, CHATS * 85 / 100);
    end();
}
END_TEST

START_TEST(a_publisher_only_node_is_sent_no_broadcast_to_all) {
    begin(8);
    world_start(w, 0, 0);
    world_config(w)->publisher_only = true;
    world_start(w, 1, 1);
    world_config(w)->publisher_only = false;
    world_start(w, 2, 1);
    ck_assert(world_run_until(w, all_ready, NULL, TEN_S));
    world_run(w, 100);
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    wsfan_message *message = wsf_message_new(
        &key, &(wsf_message_parts){
                  .targets = &all, .targets_count = 1, .payload = wsfan_string("hello") });
    wsf_core_publish(world_core(w, 0), message, world_now(w, 0));
    world_touch(w, 0);
    world_run(w, 100);
    ck_assert_uint_eq(delivered[0], 1);
    ck_assert_uint_eq(delivered[1], 0);
    ck_assert_uint_eq(delivered[2], 1);
    ck_assert_uint_eq(world_core(w, 1)->stats.received, 0);
    end();
}
END_TEST

START_TEST(a_drain_sheds_evenly_goes_quiet_and_ends_when_all_is_acknowledged) {
    begin(9);
    start_ready(3);
    world_set_sessions(w, 1, 1000);
    world_drain(w, 1, 8000);
    world_run(w, 100);
    wait_for_views_of(2);
    uint32_t last = 0;
    int status;
    for (unsigned ms = 0; ms < 5800; ms += 100) {
        uint32_t permille = world_shed_permille(w, 1);
        ck_assert_uint_ge(permille, last);
        ck_assert_uint_le(permille, (ms + 200) * 1000 / 6000);
        ck_assert_uint_ge(permille + 60, ms * 1000 / 6000);
        last = permille;
        world_set_sessions(w, 1, 1000 - permille);
        world_run(w, 100);
    }
    ck_assert(!world_drained(w, 1, &status));
    world_publish(w, 1, 77, 0); /* still allowed */
    world_run(w, 300);
    ck_assert_uint_eq(world_shed_permille(w, 1), 1000);
    world_set_sessions(w, 1, 0);
    world_run(w, 300);
    ck_assert(world_drained(w, 1, &status));
    ck_assert_int_eq(status, WSFAN_OK);
    end();
}
END_TEST

START_TEST(a_drain_with_sessions_that_stay_ends_at_its_time_and_says_so) {
    begin(10);
    start_ready(2);
    int status;
    world_set_sessions(w, 1, 3);
    world_drain(w, 1, 60000);
    world_drain(w, 1, 800);  /* sooner */
    world_drain(w, 1, 5000); /* not later */
    world_run(w, 600);
    ck_assert(!world_drained(w, 1, &status));
    world_run(w, 400);
    ck_assert(world_drained(w, 1, &status));
    ck_assert_int_eq(status, WSFAN_EPARTIAL);
    end();
}
END_TEST

/* Nothing that it might publish is missed, and no time is lost with it. */
START_TEST(joins_do_not_wait_for_a_quiet_node_and_nothing_is_reported_missing) {
    begin(11);
    start_ready(3);
    world_join(w, 2, 500);
    world_run(w, 100);
    world_block(w, 0, 1, true); /* node 1 cannot hear of joins, nor get to the end */
    world_drain(w, 1, 60000);
    world_run(w, 300);
    world_join(w, 0, 501);
    world_run(w, 300);
    ck_assert_uint_eq(joined[0], 1);
    ck_assert_int_eq(joined_status[0], WSFAN_OK);
    world_block(w, 0, 1, false);
    world_run(w, 3000);
    int status;
    ck_assert(world_drained(w, 1, &status));
    ck_assert_int_eq(status, WSFAN_OK);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(gaps[i], 0);
    end();
}
END_TEST

START_TEST(until_it_is_quiet_a_draining_node_is_waited_for) {
    begin(12);
    start_ready(2);
    world_set_sessions(w, 1, 1); /* which may publish through it */
    world_drain(w, 1, 60000);
    world_run(w, 300);
    world_block(w, 0, 1, true);
    world_join(w, 0, 501);
    world_run(w, 300);
    ck_assert_uint_eq(joined[0], 0);
    world_block(w, 0, 1, false);
    world_run(w, 300);
    ck_assert_uint_eq(joined[0], 1);
    end();
}
END_TEST

START_TEST(a_drain_waits_for_what_is_not_acknowledged) {
    begin(13);
    start_ready(2);
    world_join(w, 0, 500);
    world_run(w, 200);
    world_block(w, 1, 0, true);
    for (uint64_t i = 0; i < 50; i++)
        world_publish(w, 1, 500, i);
    world_drain(w, 1, 60000);
    world_run(w, 2000);
    int status;
    ck_assert(!world_drained(w, 1, &status));
    world_block(w, 1, 0, false);
    world_run(w, 2000);
    ck_assert(world_drained(w, 1, &status));
    ck_assert_int_eq(status, WSFAN_OK);
    ck_assert_uint_eq(delivered[0], 50);
    end();
}
END_TEST

SUITE_MAIN("status", a_node_that_is_alone_is_ready_at_once,
           a_list_that_names_only_oneself_is_being_alone,
           a_node_is_ready_when_it_knows_what_its_peers_want_and_they_know_it,
           peers_that_do_not_answer_are_waited_for_only_so_long,
           met_alone_and_refused_are_told_apart, who_refused_and_is_gone_is_not_held_against_a_join,
           a_key_that_is_let_in_nowhere_makes_joins_partial_where_nobody_else_is,
           another_cluster_is_missing_from_a_join_only_where_nobody_else_is,
           losing_every_peer_leaves_a_node_ready,
           all_nodes_name_the_same_owners_and_a_dead_node_s_chats_alone_move,
           weights_addresses_and_roles_reach_the_peers,
           a_publisher_only_node_is_sent_no_broadcast_to_all,
           a_drain_sheds_evenly_goes_quiet_and_ends_when_all_is_acknowledged,
           a_drain_with_sessions_that_stay_ends_at_its_time_and_says_so,
           joins_do_not_wait_for_a_quiet_node_and_nothing_is_reported_missing,
           until_it_is_quiet_a_draining_node_is_waited_for,
           a_drain_waits_for_what_is_not_acknowledged)
