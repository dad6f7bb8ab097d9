/* The table of endpoints, between cores on a virtual clock. What is named and leads nowhere in the
 * world stands for an endpoint whose node a test chooses: it says who answered there. */
#include "core/dialer.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "world.h"

enum {
    TEN_S = 10000,
    DOWN_MS = 10000,
    FORGET_MS = 120000,
    DNS = WSF_SOURCE_DNS,
    HOST = WSF_SOURCE_HOST
};

static const char *const NODE_0 = "tcp://10.0.0.1:7000"; /* as the world has it */
static const char *const ALIAS = "tcp://[fd00::1]:7000";
static const char *const NOWHERE = "tcp://10.9.9.9:7000";

static world *w;

static bool meshed(void *user) {
    (void)user;
    return world_meshed(w);
}

static void begin(void) {
    w = world_new(1, NULL);
}

static void end(void) {
    world_destroy(w);
}

/* Node 0, and node 1 that has node 0's endpoint from a source. */
static void begin_pair(unsigned source) {
    begin();
    world_start(w, 0, 0);
    world_start(w, 1, 0);
    wsf_core_name_endpoints(world_core(w, 1), source, &NODE_0, 1, world_now(w, 1));
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
}

static void name(unsigned node, unsigned source, const char *a, const char *b) {
    const char *endpoints[] = { a, b };
    size_t count = (a != NULL) + (size_t)(b != NULL);
    wsf_core_name_endpoints(world_core(w, node), source, endpoints, count, world_now(w, node));
    world_touch(w, node);
}

static const wsf_dialer_endpoint *at(unsigned node, const char *endpoint) {
    const wsf_core *core = world_core(w, node);
    for (unsigned i = 0; i < WSF_CONNECTIONS_MAX; i++)
        if (core->dialer.endpoints[i].used &&
            strcmp(core->dialer.endpoints[i].endpoint, endpoint) == 0)
            return &core->dialer.endpoints[i];
    return NULL;
}

static bool dialled(unsigned node, const char *endpoint) {
    return at(node, endpoint) != NULL && at(node, endpoint)->dialled;
}

static bool rests(unsigned node, const char *endpoint) {
    return at(node, endpoint) != NULL && !at(node, endpoint)->dialled;
}

/* A frame of a node came by the connection to an endpoint. */
static void answers(unsigned at_node, const char *endpoint, uint64_t node) {
    wsf_core *core = world_core(w, at_node);
    ck_assert(dialled(at_node, endpoint));
    wsf_dialer_identify(core, (uint32_t)(at(at_node, endpoint) - core->dialer.endpoints), node,
                        world_now(w, at_node));
}

static wsfan_stats stats_of(unsigned node) {
    wsfan_stats stats;
    wsf_core_stats(world_core(w, node), &stats);
    return stats;
}

static wsfan_peer_event state_of(unsigned node, unsigned other) {
    wsf_peer *peer = wsf_peer_find(world_core(w, node), world_node_id(w, other));
    return peer != NULL ? peer->state : 0;
}

static bool is_down(void *user) {
    (void)user;
    return state_of(1, 0) == WSFAN_PEER_DOWN;
}

static bool is_forgotten(void *user) {
    (void)user;
    return state_of(1, 0) == 0;
}

START_TEST(a_set_replaces_that_of_its_own_source_and_no_other) {
    begin();
    world_start(w, 0, 0);
    name(0, DNS, "tcp://10.9.0.1:1", "tcp://10.9.0.2:1");
    name(0, DNS + 1, "tcp://10.9.0.2:1", "tcp://10.9.0.3:1");
    name(0, HOST, "tcp://10.9.0.4:1", NULL);
    ck_assert_uint_eq(stats_of(0).endpoints, 4);
    name(0, DNS, "tcp://10.9.0.5:1", NULL);
    world_run(w, FORGET_MS + 1);
    ck_assert(at(0, "tcp://10.9.0.1:1") == NULL);
    ck_assert(dialled(0, "tcp://10.9.0.2:1")); /* the other source names it still */
    ck_assert(dialled(0, "tcp://10.9.0.3:1"));
    ck_assert(dialled(0, "tcp://10.9.0.4:1"));
    ck_assert(dialled(0, "tcp://10.9.0.5:1"));
    ck_assert_uint_eq(stats_of(0).endpoints, 4);
    end();
}
END_TEST

START_TEST(a_live_peer_keeps_its_connection_when_nobody_names_it_any_more) {
    begin_pair(DNS);
    name(1, DNS, NULL, NULL);
    ck_assert(dialled(1, NODE_0));
    world_run(w, 2 * FORGET_MS);
    ck_assert(world_meshed(w));
    ck_assert(dialled(1, NODE_0));
    ck_assert_uint_eq(stats_of(1).endpoints, 0);
    end();
}
END_TEST

START_TEST(a_dead_peer_is_dialled_for_ever_while_it_is_named) {
    begin_pair(DNS);
    world_crash(w, 0);
    world_run(w, 2 * FORGET_MS);
    ck_assert(is_forgotten(NULL));
    ck_assert(dialled(1, NODE_0));
    world_start(w, 0, 0);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    end();
}
END_TEST

START_TEST(a_dead_peer_that_is_not_named_is_forgotten_and_never_dialled_again) {
    begin_pair(DNS);
    name(1, DNS, NULL, NULL);
    world_crash(w, 0);
    ck_assert(world_run_until(w, is_down, NULL, 2 * TEN_S));
    ck_assert(dialled(1, NODE_0)); /* it may come back until it is forgotten */
    ck_assert(world_run_until(w, is_forgotten, NULL, 2 * FORGET_MS));
    ck_assert(at(1, NODE_0) == NULL);
    end();
}
END_TEST

START_TEST(a_peer_that_said_goodbye_and_is_not_named_is_not_dialled) {
    begin_pair(DNS);
    wsf_core_say_bye(world_core(w, 0), world_now(w, 0));
    world_run(w, 100);
    ck_assert(is_forgotten(NULL));
    ck_assert(dialled(1, NODE_0));
    world_crash(w, 0);
    world_run(w, FORGET_MS); /* since the first dial */
    name(1, DNS, NULL, NULL);
    world_run(w, 1);
    ck_assert(at(1, NODE_0) == NULL);
    end();
}
END_TEST

START_TEST(where_nobody_ever_answered_is_given_up_when_nobody_names_it) {
    begin();
    world_start(w, 0, 0);
    name(0, HOST, NOWHERE, NULL);
    world_run(w, 2 * FORGET_MS);
    ck_assert(dialled(0, NOWHERE));
    name(0, HOST, NULL, NULL);
    ck_assert_uint_le(wsf_core_deadline(world_core(w, 0)), world_ms(w));
    world_run(w, 1);
    ck_assert(at(0, NOWHERE) == NULL);
    ck_assert_uint_eq(wsf_core_deadline(world_core(w, 0)), UINT64_MAX);
    end();
}
END_TEST

static bool alias_is_dialled(void *user) {
    return dialled(*(unsigned *)user, ALIAS);
}

/* An alias rests, whatever is named, until it is tried again: not too soon, and not too late. */
static void expect_rest(unsigned node, const char *other) {
    uint64_t begin_ms = world_ms(w);
    ck_assert(rests(node, ALIAS));
    name(node, DNS, other, ALIAS);
    world_run(w, DOWN_MS / 16 - 1);
    ck_assert(rests(node, ALIAS));
    name(node, DNS, other, ALIAS);
    ck_assert(rests(node, ALIAS));
    ck_assert(world_run_until(w, alias_is_dialled, &node, TEN_S));
    ck_assert_uint_le(world_ms(w) - begin_ms, DOWN_MS);
}

START_TEST(our_own_endpoint_rests_while_it_is_named_and_is_tried_again) {
    begin();
    world_start(w, 0, 0);
    name(0, DNS, NODE_0, ALIAS); /* the first is known to be ours, the second is found to be */
    ck_assert(at(0, NODE_0) == NULL);
    for (int i = 0; i < 5; i++) {
        answers(0, ALIAS, world_node_id(w, 0));
        expect_rest(0, NODE_0);
    }
    answers(0, ALIAS, world_node_id(w, 0));
    name(0, DNS, NODE_0, NULL);
    ck_assert(at(0, ALIAS) == NULL);
    end();
}
END_TEST

START_TEST(a_second_endpoint_of_a_peer_rests_and_is_tried_again) {
    begin_pair(DNS);
    name(1, DNS, NODE_0, ALIAS);
    for (int i = 0; i < 5; i++) {
        answers(1, ALIAS, world_node_id(w, 0));
        ck_assert(dialled(1, NODE_0));
        expect_rest(1, NODE_0);
    }
    answers(1, ALIAS, world_node_id(w, 0));
    name(1, DNS, NODE_0, NULL);
    ck_assert(at(1, ALIAS) == NULL);
    ck_assert(dialled(1, NODE_0));
    end();
}
END_TEST

/* A node that knows one address in front of all of them, which leads to a given one just now. */
static void start_behind(unsigned node, unsigned leads_to) {
    world_lead(w, leads_to);
    world_start(w, node, 0);
    name(node, HOST, WORLD_VIRTUAL, NULL);
    world_run(w, 10);
}

START_TEST(nodes_behind_one_address_meet_though_it_leads_each_to_itself_at_first) {
    begin();
    for (unsigned i = 0; i < 5; i++)
        start_behind(i, i);
    ck_assert_uint_eq(stats_of(0).peers_up, 0);
    world_lead(w, WORLD_NODES_MAX);
    ck_assert(world_run_until(w, meshed, NULL, 20 * DOWN_MS));
    end();
}
END_TEST

/* If both dialled at the same pace, in turn, too, each would get to itself for ever. */
START_TEST(two_nodes_behind_an_address_that_leads_to_each_in_turn_meet_soon) {
    for (uint64_t seed = 1; seed <= 50; seed++) {
        w = world_new(seed, NULL);
        start_behind(0, 0);
        start_behind(1, 1);
        world_lead(w, WORLD_IN_TURN);
        ck_assert(world_run_until(w, meshed, NULL, 10 * DOWN_MS));
        end();
    }
}
END_TEST

START_TEST(two_clusters_behind_one_address_become_one) {
    begin();
    start_behind(0, 1);
    start_behind(1, 0);
    start_behind(2, 3);
    start_behind(3, 2);
    world_lead(w, WORLD_NODES_MAX);
    ck_assert_uint_eq(stats_of(0).peers_up, 1);
    ck_assert_uint_eq(stats_of(2).peers_up, 1);
    ck_assert(world_run_until(w, meshed, NULL, 20 * DOWN_MS));
    end();
}
END_TEST

static unsigned refusals;

static void count_refusals(void *user, unsigned node, const wsfan_peer *peer) {
    (void)user;
    refusals += node == 1 && peer->event == WSFAN_PEER_REFUSED;
}

START_TEST(that_an_endpoint_leads_to_ourselves_is_said_once) {
    world_watcher watcher = { .peer = count_refusals };
    refusals = 0;
    w = world_new(1, &watcher);
    start_behind(1, 1);
    world_run(w, 10 * DOWN_MS);
    ck_assert_uint_eq(refusals, 1);
    end();
}
END_TEST

START_TEST(so_it_is_where_the_endpoint_leads_to_others_in_between) {
    world_watcher watcher = { .peer = count_refusals };
    refusals = 0;
    w = world_new(1, &watcher);
    start_behind(0, 0);
    start_behind(1, 1);
    world_lead(w, WORLD_IN_TURN);
    world_run(w, 30 * DOWN_MS);
    ck_assert_uint_eq(refusals, 1);
    end();
}
END_TEST

static bool others_meet(void *user) {
    (void)user;
    return state_of(0, 1) == WSFAN_PEER_UP && state_of(1, 0) == WSFAN_PEER_UP;
}

START_TEST(a_node_that_was_refused_for_its_name_gets_in_when_the_other_has_gone) {
    begin();
    world_start(w, 0, 0);
    world_start_as(w, 1, "twin", 0, 1, 1);
    world_run(w, 1000);
    world_start_as(w, 2, "twin", 0, 1, 1); /* the newer one */
    world_run(w, 4 * DOWN_MS);
    ck_assert(state_of(0, 1) != WSFAN_PEER_UP);
    wsf_core_say_bye(world_core(w, 2), world_now(w, 2));
    world_run(w, 10);
    world_crash(w, 2);
    ck_assert(world_run_until(w, others_meet, NULL, DOWN_MS));
    end();
}
END_TEST

/* Each refuses the other at each redial. */
START_TEST(a_refusal_is_told_once_a_minute_however_often_it_is_repeated) {
    world_watcher watcher = { .peer = count_refusals };
    refusals = 0;
    w = world_new(1, &watcher);
    world_start_as(w, 0, "twin", 0, 1, 0);
    world_run(w, 1000);
    world_start_as(w, 1, "twin", 0, 1, 1);
    world_run(w, 20 * DOWN_MS);
    ck_assert_uint_ge(refusals, 1);
    ck_assert_uint_le(refusals, 1 + 1 + 20 * DOWN_MS / 60000); /* once that it is refused itself */
    end();
}
END_TEST

START_TEST(a_connection_that_dies_unnoticed_is_made_anew_and_nobody_is_down) {
    begin_pair(HOST);
    for (unsigned i = 0; i < 10; i++) {
        world_deafen(w, i % 2, 1 - i % 2);
        for (unsigned ms = 0; ms < DOWN_MS; ms += 10) {
            world_run(w, 10);
            ck_assert(state_of(0, 1) != WSFAN_PEER_DOWN && state_of(1, 0) != WSFAN_PEER_DOWN);
        }
        ck_assert(world_all_up(w));
    }
    end();
}
END_TEST

START_TEST(whatever_happens_to_connections_while_a_peer_is_down_it_is_dialled_anew) {
    begin_pair(HOST);
    world_block(w, 0, 1, true);
    world_block(w, 1, 0, true);
    ck_assert(world_run_until(w, is_down, NULL, 2 * DOWN_MS));
    for (unsigned i = 0; i < 20; i++) { /* whichever socket it is */
        world_run(w, 1000);
        world_deafen(w, 0, 1);
        world_deafen(w, 1, 0);
    }
    world_block(w, 0, 1, false);
    world_block(w, 1, 0, false);
    ck_assert(world_run_until(w, meshed, NULL, DOWN_MS));
    end();
}
END_TEST

START_TEST(a_peer_that_is_down_is_tried_at_all_its_endpoints_and_the_one_that_works_stays) {
    begin_pair(DNS);
    name(1, DNS, NODE_0, ALIAS);
    answers(1, ALIAS, world_node_id(w, 0));
    world_freeze(w, 0, true);
    ck_assert(world_run_until(w, is_down, NULL, 2 * TEN_S));
    ck_assert(dialled(1, ALIAS));
    ck_assert(dialled(1, NODE_0));
    answers(1, ALIAS, world_node_id(w, 0));
    ck_assert(dialled(1, ALIAS));
    ck_assert(rests(1, NODE_0));
    end();
}
END_TEST

START_TEST(a_forgotten_peer_s_second_endpoint_is_dialled_again) {
    begin_pair(DNS);
    name(1, DNS, NODE_0, ALIAS);
    answers(1, ALIAS, world_node_id(w, 0));
    wsf_core_say_bye(world_core(w, 0), world_now(w, 0));
    world_run(w, 100);
    ck_assert(is_forgotten(NULL));
    ck_assert(dialled(1, ALIAS));
    ck_assert(dialled(1, NODE_0));
    end();
}
END_TEST

START_TEST(another_node_at_the_first_endpoint_wakes_the_second) {
    begin_pair(DNS);
    name(1, DNS, NODE_0, ALIAS);
    answers(1, ALIAS, world_node_id(w, 0));
    answers(1, NODE_0, 4711);
    ck_assert(dialled(1, ALIAS));
    ck_assert_uint_eq(at(1, NODE_0)->node, 4711);
    end();
}
END_TEST

/* NODE_0 is named by nobody: it is known from node 0 itself. */
START_TEST(another_node_at_the_first_endpoint_brings_back_that_which_the_peer_tells) {
    begin_pair(DNS);
    name(1, DNS, ALIAS, NULL);
    world_freeze(w, 0, true);
    ck_assert(world_run_until(w, is_down, NULL, 2 * TEN_S));
    answers(1, ALIAS, world_node_id(w, 0));
    ck_assert(at(1, NODE_0) == NULL);
    answers(1, ALIAS, 4711);
    ck_assert(dialled(1, NODE_0));
    end();
}
END_TEST

/* Another node has the address of a dead peer, and another connection: each dial ends at once. */
START_TEST(a_dead_peer_s_own_endpoint_is_tried_again_once_in_down_ms) {
    begin_pair(DNS);
    name(1, DNS, ALIAS, NULL);
    answers(1, ALIAS, 4711);
    world_freeze(w, 0, true);
    ck_assert(world_run_until(w, is_down, NULL, 2 * TEN_S));
    unsigned dials = 0;
    for (uint64_t ms = 0; ms < 5 * DOWN_MS; ms += 100) {
        world_run(w, 100);
        if (!dialled(1, NODE_0) || !dialled(1, ALIAS) || at(1, ALIAS)->node == 0)
            continue;
        dials++;
        answers(1, NODE_0, at(1, ALIAS)->node);
    }
    ck_assert_uint_ge(dials, 2);
    ck_assert_uint_le(dials, 2 * 5); /* and as often as any endpoint is redialled; each tick: 54 */
    end();
}
END_TEST

START_TEST(a_node_that_may_not_be_a_peer_is_let_go_with_its_last_name) {
    begin();
    world_start(w, 0, 0);
    name(0, DNS, NOWHERE, ALIAS);
    answers(0, NOWHERE, 4711);
    answers(0, ALIAS, 4711);
    ck_assert(dialled(0, NOWHERE) && rests(0, ALIAS));
    name(0, DNS, ALIAS, NULL);
    ck_assert(at(0, NOWHERE) == NULL);
    ck_assert(dialled(0, ALIAS)); /* nothing else leads there now */
    end();
}
END_TEST

START_TEST(who_is_said_to_live_at_an_endpoint_is_expected_there_unless_a_live_peer_answers) {
    enum { SOMEBODY = 7 };
    begin_pair(DNS);
    name(1, HOST, NOWHERE, NULL);
    ck_assert_uint_eq(at(1, NOWHERE)->likely, 0);
    wsf_dialer_gossip(world_core(w, 1), NOWHERE, SOMEBODY, true, world_now(w, 1));
    ck_assert_uint_eq(at(1, NOWHERE)->likely, SOMEBODY);
    wsf_dialer_gossip(world_core(w, 1), NODE_0, SOMEBODY, true, world_now(w, 1));
    ck_assert_uint_eq(at(1, NODE_0)->likely, world_node_id(w, 0));
    world_crash(w, 0);
    ck_assert(world_run_until(w, is_down, NULL, 2 * TEN_S));
    wsf_dialer_gossip(world_core(w, 1), NODE_0, SOMEBODY, true, world_now(w, 1));
    ck_assert_uint_eq(at(1, NODE_0)->likely, SOMEBODY);
    ck_assert(dialled(1, NODE_0));
    end();
}
END_TEST

/* ------------------------------------------------------------------------------- who hears whom */

/* What node `node` tells of its only peer, by both calls. NULL: it has none. */
static const wsfan_peer_stats *only_peer(unsigned node) {
    static wsfan_peer_stats peers[2];
    size_t count = wsf_core_peers(world_core(w, node), peers, 2);
    ck_assert_uint_eq(stats_of(node).peers, count);
    ck_assert_uint_le(count, 1);
    return count == 1 ? &peers[0] : NULL;
}

static void subscribe(unsigned at_node, bool subscribed, uint64_t node) {
    uint8_t topic[WSF_TOPIC_SIZE];
    wsf_write_inbox(topic, node);
    wsf_core_subscription(world_core(w, at_node), subscribed, topic, sizeof topic,
                          world_now(w, at_node));
    world_touch(w, at_node);
}

START_TEST(a_node_that_is_connected_to_us_and_cannot_be_reached_is_told_of) {
    uint8_t topic[WSF_INTRODUCTION_SIZE_MAX];
    begin();
    world_start(w, 0, 0);
    world_start(w, 1, 0);
    uint64_t other = world_node_id(w, 1);
    size_t size = wsf_core_introduction(world_core(w, 1), topic);
    world_crash(w, 1);
    ck_assert_ptr_null(only_peer(0));
    subscribe(0, true, other);
    wsf_core_subscription(world_core(w, 0), true, topic, size, world_now(w, 0));
    for (int i = 0; i < 3; i++) { /* also when it has been given up as a peer */
        const wsfan_peer_stats *peer = only_peer(0);
        ck_assert_ptr_nonnull(peer);
        ck_assert_uint_eq(peer->node, other);
        ck_assert_int_eq(peer->state, WSFAN_PEER_MEETING);
        ck_assert_uint_eq(peer->hears_us, 1);
        ck_assert_uint_eq(peer->we_hear, 0);
        world_run(w, TEN_S);
    }
    ck_assert_ptr_null(wsf_peer_find(world_core(w, 0), other));
    subscribe(0, false, other);
    ck_assert_ptr_null(only_peer(0));
    end();
}
END_TEST

START_TEST(of_a_link_that_lost_a_direction_it_is_told_which) {
    begin_pair(DNS);
    ck_assert(only_peer(1)->we_hear == 1 && only_peer(1)->hears_us == 1);
    subscribe(1, false, world_node_id(w, 0));
    ck_assert_int_eq(only_peer(1)->state, WSFAN_PEER_SILENT);
    ck_assert(only_peer(1)->we_hear == 1 && only_peer(1)->hears_us == 0);
    subscribe(1, true, world_node_id(w, 0));
    world_block(w, 0, 1, true); /* shorter than a connection bears */
    world_run(w, 4000);
    ck_assert_int_eq(only_peer(1)->state, WSFAN_PEER_SILENT);
    ck_assert(only_peer(1)->we_hear == 0 && only_peer(1)->hears_us == 1);
    world_block(w, 0, 1, false);
    end();
}
END_TEST

START_TEST(an_endpoint_of_another_carrier_that_a_peer_tells_is_not_dialled) {
    begin_pair(HOST);
    wsf_core *core = world_core(w, 1);
    ck_assert(wsf_dialer_gossip(core, "nats:pod-3", 77, true, world_now(w, 1)));
    ck_assert_ptr_null(at(1, "nats:pod-3"));
    ck_assert(wsf_dialer_gossip(core, NOWHERE, 77, true, world_now(w, 1)));
    ck_assert(dialled(1, NOWHERE));
    end();
}
END_TEST

START_TEST(more_endpoints_than_connections_are_counted_and_dialled_when_there_is_room) {
    enum { COUNT = WSF_CONNECTIONS_MAX + 44 };
    static char text[COUNT][32];
    const char *endpoints[COUNT];
    begin();
    world_start(w, 0, 0);
    wsf_dialer_gossip(world_core(w, 0), NOWHERE, 1, true, world_now(w, 0));
    for (int i = 0; i < COUNT; i++) {
        snprintf(text[i], sizeof text[i], "tcp://10.8.%d.%d:1", i / 256, i % 256);
        endpoints[i] = text[i];
    }
    wsf_core_name_endpoints(world_core(w, 0), DNS, endpoints, COUNT, world_now(w, 0));
    ck_assert_uint_eq(stats_of(0).endpoints, WSF_CONNECTIONS_MAX);
    ck_assert_uint_eq(stats_of(0).endpoints_surplus, 44);
    ck_assert(at(0, NOWHERE) == NULL); /* what is named has precedence over hearsay */
    ck_assert(at(0, endpoints[COUNT - 1]) == NULL);
    name(0, HOST, NOWHERE, NULL);
    ck_assert_uint_eq(stats_of(0).endpoints_surplus, 45);

    world_run(w, FORGET_MS + 1);
    name(0, HOST, NULL, NULL);
    wsf_core_name_endpoints(world_core(w, 0), DNS, endpoints + 44, WSF_CONNECTIONS_MAX,
                            world_now(w, 0));
    ck_assert_uint_eq(stats_of(0).endpoints, WSF_CONNECTIONS_MAX);
    ck_assert_uint_eq(stats_of(0).endpoints_surplus, 0);
    ck_assert(dialled(0, endpoints[COUNT - 1]));
    end();
}
END_TEST

SUITE_MAIN("dialer", an_endpoint_of_another_carrier_that_a_peer_tells_is_not_dialled,
           a_set_replaces_that_of_its_own_source_and_no_other,
           a_live_peer_keeps_its_connection_when_nobody_names_it_any_more,
           a_dead_peer_is_dialled_for_ever_while_it_is_named,
           a_dead_peer_that_is_not_named_is_forgotten_and_never_dialled_again,
           a_peer_that_said_goodbye_and_is_not_named_is_not_dialled,
           where_nobody_ever_answered_is_given_up_when_nobody_names_it,
           our_own_endpoint_rests_while_it_is_named_and_is_tried_again,
           a_second_endpoint_of_a_peer_rests_and_is_tried_again,
           nodes_behind_one_address_meet_though_it_leads_each_to_itself_at_first,
           two_nodes_behind_an_address_that_leads_to_each_in_turn_meet_soon,
           two_clusters_behind_one_address_become_one,
           that_an_endpoint_leads_to_ourselves_is_said_once,
           so_it_is_where_the_endpoint_leads_to_others_in_between,
           a_node_that_was_refused_for_its_name_gets_in_when_the_other_has_gone,
           a_refusal_is_told_once_a_minute_however_often_it_is_repeated,
           a_connection_that_dies_unnoticed_is_made_anew_and_nobody_is_down,
           whatever_happens_to_connections_while_a_peer_is_down_it_is_dialled_anew,
           a_peer_that_is_down_is_tried_at_all_its_endpoints_and_the_one_that_works_stays,
           a_forgotten_peer_s_second_endpoint_is_dialled_again,
           another_node_at_the_first_endpoint_wakes_the_second,
           another_node_at_the_first_endpoint_brings_back_that_which_the_peer_tells,
           a_dead_peer_s_own_endpoint_is_tried_again_once_in_down_ms,
           a_node_that_may_not_be_a_peer_is_let_go_with_its_last_name,
           who_is_said_to_live_at_an_endpoint_is_expected_there_unless_a_live_peer_answers,
           a_node_that_is_connected_to_us_and_cannot_be_reached_is_told_of,
           of_a_link_that_lost_a_direction_it_is_told_which,
           more_endpoints_than_connections_are_counted_and_dialled_when_there_is_room)
