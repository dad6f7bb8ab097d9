/* Two and three cores against each other: no I/O, a virtual clock, a network in memory. */
#include <stdio.h>
#include <string.h>

#include "core/dialer.h"
#include "core/handshake.h"
#include "suite.h"
#include "world.h"

enum { LOG_MAX = 20000, TEN_S = 10000 };

/* What the watcher saw, in order. */
typedef struct {
    unsigned node;
    uint64_t payload;
    wsfan_message_id id;
    wsfan_address except;
} delivery;

static world *w;
static delivery deliveries[LOG_MAX];
static unsigned deliveries_count;
static wsfan_peer_event last_event[8][8]; /* [node][peer], by name "n<i>" */
static wsfan_reason last_reason[8];
static unsigned events_count;
static unsigned joined_count[8];
static int joined_status[8];
static uint32_t joined_missing[8];
static uint64_t gap_count[8];
static uint64_t dropped_count[8]; /* of these, by the peer */
static unsigned away_count[8];    /* gaps of unknown size */
static bool refuse_deliveries;

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user;
    ck_assert_uint_eq(loop, 0);
    ck_assert_uint_lt(deliveries_count, LOG_MAX);
    if (refuse_deliveries)
        return false;
    deliveries[deliveries_count++] = (delivery){ node, world_payload(message),
                                                 wsfan_message_get_id(message), message->except };
    return true;
}

static bool on_joined(void *user, unsigned node, wsf_ticket *ticket) {
    (void)user;
    joined_count[node]++;
    joined_status[node] = ticket->status;
    joined_missing[node] = ticket->missing_count;
    return false;
}

static void on_peer(void *user, unsigned node, const wsfan_peer *peer) {
    (void)user;
    events_count++;
    last_reason[node] = peer->reason;
    if (peer->name[0] == 'n')
        last_event[node][peer->name[1] - '0'] = peer->event;
}

static void on_gap(void *user, unsigned node, const wsfan_gap *gap) {
    (void)user;
    gap_count[node] += gap->count;
    if (gap->reason == WSFAN_GAP_PEER_QUEUE)
        dropped_count[node] += gap->count;
    away_count[node] += gap->reason == WSFAN_GAP_AWAY;
}

static void begin(uint64_t seed) {
    world_watcher watcher = {
        .deliver = on_deliver, .joined = on_joined, .peer = on_peer, .gap = on_gap
    };
    deliveries_count = events_count = 0;
    refuse_deliveries = false;
    memset(last_event, 0, sizeof last_event);
    memset(last_reason, 0, sizeof last_reason);
    memset(joined_count, 0, sizeof joined_count);
    memset(joined_status, 0, sizeof joined_status);
    memset(joined_missing, 0, sizeof joined_missing);
    memset(gap_count, 0, sizeof gap_count);
    memset(dropped_count, 0, sizeof dropped_count);
    memset(away_count, 0, sizeof away_count);
    w = world_new(seed, &watcher);
}

static void end(void) {
    world_destroy(w);
}

static bool meshed(void *user) {
    (void)user;
    return world_meshed(w);
}

/* Nodes 0..count-1; all but the first know only the first. */
static void start_mesh(unsigned count) {
    world_start(w, 0, 0);
    for (unsigned i = 1; i < count; i++)
        world_start(w, i, 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
}

/* A mesh in which the nodes of the bits `members` have a session each in the chat 100, and all know. */
static void start_chat(unsigned count, unsigned members) {
    start_mesh(count);
    for (unsigned i = 0; i < count; i++)
        if ((members >> i & 1) != 0)
            world_join(w, i, 100);
    world_run(w, 100);
}

static unsigned delivered(unsigned node, uint64_t payload) {
    unsigned count = 0;
    for (unsigned i = 0; i < deliveries_count; i++)
        count += deliveries[i].node == node && deliveries[i].payload == payload;
    return count;
}

static const wsf_peer *peer_of(unsigned node, unsigned other) {
    const wsf_core *core = world_core(w, node);
    return wsf_peer_find(core, world_node_id(w, other));
}

static bool joins_done(void *user) {
    unsigned *expected = user;
    for (unsigned i = 0; i < 8; i++)
        if (joined_count[i] < expected[i])
            return false;
    return true;
}

START_TEST(one_reachable_peer_is_enough_for_a_full_mesh) {
    begin(1);
    start_mesh(5);
    for (unsigned i = 0; i < 5; i++)
        for (unsigned j = 0; j < 5; j++)
            if (i != j)
                ck_assert_int_eq(last_event[i][j], WSFAN_PEER_UP);
    ck_assert_uint_eq(events_count, 20); /* each once */
    end();
}
END_TEST

START_TEST(a_mesh_forms_from_a_list_that_names_everyone_and_oneself) {
    begin(2);
    for (unsigned i = 0; i < 3; i++)
        world_start(w, i, 7);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_run(w, 1000);
    unsigned connections = 0;
    for (unsigned c = 0; c < WSF_CONNECTIONS_MAX; c++)
        connections += world_core(w, 0)->dialer.endpoints[c].used;
    ck_assert_uint_eq(connections, 2); /* not to itself, and none twice */
    end();
}
END_TEST

START_TEST(a_broadcast_reaches_every_node_with_members_once_and_no_other) {
    begin(3);
    start_chat(3, 3);
    for (uint64_t i = 0; i < 50; i++)
        world_publish(w, 0, 100, i);
    world_run(w, 100);
    for (uint64_t i = 0; i < 50; i++) {
        ck_assert_uint_eq(delivered(0, i), 1);
        ck_assert_uint_eq(delivered(1, i), 1);
        ck_assert_uint_eq(delivered(2, i), 0);
    }
    ck_assert_uint_eq(peer_of(2, 0)->stats.payload_bytes_in, 0);
    ck_assert_uint_eq(peer_of(1, 0)->stats.messages_in, 50);
    end();
}
END_TEST

START_TEST(messages_of_a_publisher_arrive_in_order_with_rising_ids) {
    begin(4);
    start_chat(3, 7);
    for (uint64_t i = 0; i < 300; i++) {
        world_publish(w, (unsigned)(i % 3), 100, i);
        if (i % 7 == 0)
            world_run(w, 1);
    }
    world_run(w, 100);
    for (unsigned node = 0; node < 3; node++)
        for (unsigned publisher = 0; publisher < 3; publisher++) {
            uint64_t next = publisher;
            uint64_t clock = 0;
            for (unsigned i = 0; i < deliveries_count; i++) {
                const delivery *d = &deliveries[i];
                if (d->node != node || d->id.origin != world_node_id(w, publisher))
                    continue;
                ck_assert_uint_eq(d->payload, next);
                ck_assert_uint_gt(d->id.clock, clock);
                next += 3;
                clock = d->id.clock;
            }
            ck_assert_uint_eq(next, 300 + publisher);
        }
    end();
}
END_TEST

START_TEST(a_join_completes_when_every_peer_knows_and_not_before) {
    begin(5);
    start_mesh(3);
    world_block(w, 0, 2, true); /* node 2 cannot hear of it */
    world_join(w, 0, 100);
    world_run(w, 1500);
    ck_assert_uint_eq(joined_count[0], 0);
    world_block(w, 0, 2, false);
    world_run(w, 100);
    ck_assert_uint_eq(joined_count[0], 1);
    ck_assert_int_eq(joined_status[0], WSFAN_OK);
    world_publish(w, 2, 100, 7);
    world_run(w, 100);
    ck_assert_uint_eq(delivered(0, 7), 1);
    end();
}
END_TEST

START_TEST(a_join_that_waits_too_long_is_partial_and_names_who_is_missing) {
    begin(6);
    start_mesh(3);
    world_freeze(w, 2, true);
    world_join(w, 0, 100);
    world_run(w, 4900);
    ck_assert_uint_eq(joined_count[0], 0);
    world_run(w, 200);
    ck_assert_uint_eq(joined_count[0], 1);
    ck_assert_int_eq(joined_status[0], WSFAN_EPARTIAL);
    ck_assert_uint_eq(joined_missing[0], 1);
    end();
}
END_TEST

static bool is_silent(void *user) {
    (void)user;
    return last_event[0][2] == WSFAN_PEER_SILENT;
}

START_TEST(a_join_waits_for_a_silent_peer_no_longer_than_it_may) {
    begin(6);
    world_config(w)->join_silent_ms = 500;
    start_mesh(3);
    world_freeze(w, 2, true);
    world_join(w, 0, 99);
    world_run(w, 1000); /* the peer is not silent yet: the join waits */
    ck_assert_uint_eq(joined_count[0], 0);
    ck_assert(world_run_until(w, is_silent, NULL, TEN_S));
    world_run(w, 2);
    ck_assert_uint_eq(joined_count[0], 1);
    ck_assert_int_eq(joined_status[0], WSFAN_EPARTIAL);
    ck_assert_uint_eq(joined_missing[0], 1);
    world_join(w, 0, 100);
    world_run(w, 490);
    ck_assert_uint_eq(joined_count[0], 1);
    world_run(w, 20);
    ck_assert_uint_eq(joined_count[0], 2);
    ck_assert_uint_eq(joined_missing[0], 1);
    ck_assert_int_eq(last_event[0][2], WSFAN_PEER_SILENT);
    end();
}
END_TEST

START_TEST(a_join_that_is_partial_without_one_peer_still_owes_the_gap_of_another_that_is_down) {
    begin(6);
    world_config(w)->join_ms_max = 1000;
    start_mesh(3);
    world_block(w, 0, 1, true);
    world_block(w, 1, 0, true);
    world_run(w, 11000);
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_DOWN);
    world_freeze(w, 2, true);
    world_join(w, 0, 100);
    world_run(w, 1100);
    ck_assert_int_eq(joined_status[0], WSFAN_EPARTIAL);
    ck_assert_uint_eq(joined_missing[0], 1); /* the frozen one: it hears the other again */
    world_publish(w, 1, 100, 7);
    world_block(w, 0, 1, false);
    world_block(w, 1, 0, false);
    world_freeze(w, 2, false);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_run(w, 100);
    ck_assert_uint_eq(delivered(0, 7), 0);
    ck_assert_uint_eq(away_count[0], 1);
    end();
}
END_TEST

START_TEST(a_peer_that_goes_down_leaves_the_barrier) {
    begin(7);
    world_config(w)->join_ms_max = 60000;
    start_mesh(3);
    world_freeze(w, 2, true);
    world_join(w, 0, 100);
    world_run(w, 9000);
    ck_assert_uint_eq(joined_count[0], 0);
    world_run(w, 2000);
    ck_assert_uint_eq(joined_count[0], 1);
    ck_assert_int_eq(joined_status[0], WSFAN_OK);
    ck_assert_int_eq(last_event[0][2], WSFAN_PEER_DOWN);
    end();
}
END_TEST

START_TEST(a_killed_peer_is_silent_at_once_soon_down_and_then_forgotten) {
    begin(8);
    start_mesh(3);
    world_crash(w, 1);
    world_run(w, 10);
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_SILENT);
    world_run(w, 990);
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_DOWN);
    ck_assert_int_eq(last_reason[0], WSFAN_REASON_ENDED);
    ck_assert_ptr_nonnull(peer_of(0, 1));
    world_join(w, 0, 100); /* without it */
    world_run(w, 120000);
    ck_assert_ptr_null(peer_of(0, 1));
    ck_assert_uint_eq(away_count[0], 0);
    ck_assert_int_eq(last_event[0][2], WSFAN_PEER_UP);
    end();
}
END_TEST

START_TEST(a_peer_that_is_frozen_or_cut_off_is_down_after_down_ms_and_not_before) {
    for (int cut = 0; cut < 2; cut++) {
        begin(8);
        start_mesh(2);
        world_freeze(w, 1, cut == 0);
        world_block(w, 0, 1, cut == 1);
        world_block(w, 1, 0, cut == 1);
        uint64_t heard_ms = peer_of(0, 1)->heard_ms;
        world_run(w, heard_ms + 9990 - world_ms(w));
        ck_assert_int_eq(last_event[0][1], WSFAN_PEER_SILENT);
        world_run(w, 1100);
        ck_assert_int_eq(last_event[0][1], WSFAN_PEER_DOWN);
        ck_assert_int_eq(last_reason[0], WSFAN_REASON_TIMEOUT);
        end();
    }
}
END_TEST

START_TEST(refusals_count_of_a_silent_peer_twice_in_a_row_with_nothing_heard_in_between) {
    begin(8);
    start_mesh(2);
    wsf_core *core = world_core(w, 0);
    uint64_t node = world_node_id(w, 1);
    for (int i = 0; i < 3; i++)
        wsf_core_probed(core, node, true, world_now(w, 0)); /* there is no doubt */
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_UP);
    wsf_core_probed(core, 4711, true, world_now(w, 0));
    world_freeze(w, 1, true);
    world_run(w, 4000);
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_SILENT);
    wsf_core_probed(core, node, true, world_now(w, 0));
    wsf_core_probed(core, node, false, world_now(w, 0));
    wsf_core_probed(core, node, true, world_now(w, 0));
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_SILENT);
    wsf_now at = world_now(w, 0);
    at.ms += 2;
    wsf_peer_find(core, node)->heard_ms = at.ms - 1; /* after the first */
    wsf_peer_find(core, node)->reachable = false;    /* which keeps the doubt */
    wsf_core_probed(core, node, true, at);
    wsf_core_probed(core, node, true, at);
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_SILENT);
    wsf_core_probed(core, node, true, at);
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_DOWN);
    ck_assert_int_eq(last_reason[0], WSFAN_REASON_ENDED);
    world_freeze(w, 1, false);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S)); /* a frame takes it back */
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_UP);
    end();
}
END_TEST

START_TEST(a_restarted_node_replaces_its_old_self_and_needs_nothing_of_the_others) {
    begin(9);
    start_mesh(3);
    uint64_t old = world_node_id(w, 1);
    world_join(w, 0, 100);
    world_run(w, 100);
    world_crash(w, 1);
    world_run(w, 500);
    world_start(w, 1, 0); /* it knows nobody; the others dial its endpoint still */
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    ck_assert_uint_ne(old, world_node_id(w, 1));
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_UP);
    world_publish(w, 1, 100, 5);
    world_run(w, 100);
    ck_assert_uint_eq(delivered(0, 5), 1);
    end();
}
END_TEST

START_TEST(goodbye_ends_a_peer_at_once) {
    begin(10);
    start_mesh(3);
    wsf_core_say_bye(world_core(w, 2), world_now(w, 2));
    world_run(w, 10);
    ck_assert_int_eq(last_event[0][2], WSFAN_PEER_DOWN);
    ck_assert_int_eq(last_reason[0], WSFAN_REASON_BYE);
    ck_assert_int_eq(last_reason[1], WSFAN_REASON_BYE);
    end();
}
END_TEST

START_TEST(another_cluster_is_refused_with_a_reason_on_both_sides) {
    begin(11);
    world_start(w, 0, 0);
    world_config(w)->cluster = "elsewhere";
    world_start(w, 1, 1);
    world_run(w, 2000);
    ck_assert_int_eq(last_reason[0], WSFAN_REASON_CLUSTER);
    ck_assert_int_eq(last_reason[1], WSFAN_REASON_CLUSTER);
    ck_assert_ptr_null(peer_of(0, 1));
    end();
}
END_TEST

START_TEST(a_broken_connection_loses_and_doubles_nothing) {
    begin(12);
    start_chat(3, 7);
    for (uint64_t i = 0; i < 1000; i++) {
        world_publish(w, (unsigned)(i % 3), 100, i);
        if (i % 100 == 50)
            world_break(w, (unsigned)world_random(w, 3), (unsigned)world_random(w, 3));
        world_run(w, world_random(w, 3));
    }
    world_run(w, 5000);
    for (uint64_t i = 0; i < 1000; i++)
        for (unsigned node = 0; node < 3; node++)
            ck_assert_uint_eq(delivered(node, i), 1);
    end();
}
END_TEST

START_TEST(frames_that_vanish_are_asked_for_again) {
    begin(13);
    start_chat(2, 2);
    world_lose(w, 200000); /* one in five */
    for (uint64_t i = 0; i < 500; i++) {
        world_publish(w, 0, 100, i);
        world_run(w, 1);
    }
    world_lose(w, 0);
    world_run(w, 3000); /* a lost tail shows with the next heartbeat */
    uint64_t next = 0;
    for (unsigned i = 0; i < deliveries_count; i++)
        if (deliveries[i].node == 1)
            ck_assert_uint_eq(deliveries[i].payload, next++);
    ck_assert_uint_eq(next, 500);
    ck_assert_uint_eq(gap_count[1], 0);
    ck_assert_uint_gt(peer_of(0, 1)->stats.frames_resent, 0);
    end();
}
END_TEST

START_TEST(what_a_full_queue_drops_is_reported_at_the_peer_exactly) {
    begin(14);
    world_config(w)->link.queue_count_max = 100;
    start_chat(2, 2);
    world_block(w, 0, 1, true);
    world_run(w, 6500); /* the connection breaks: nothing leaves any more */
    enum { SENT = 1000 };
    for (uint64_t i = 0; i < SENT; i++)
        world_publish(w, 0, 100, i);
    ck_assert_uint_eq(peer_of(0, 1)->link.queue.count, 100);
    world_block(w, 0, 1, false);
    world_run(w, 3000);
    unsigned arrived = 0;
    for (uint64_t i = 0; i < SENT; i++)
        arrived += delivered(1, i);
    ck_assert_uint_eq(arrived, 100);
    ck_assert_uint_eq(gap_count[1], SENT - 100);
    ck_assert_uint_eq(dropped_count[1], SENT - 100);
    ck_assert_uint_eq(peer_of(0, 1)->stats.gap_out, SENT - 100);
    ck_assert_uint_eq(peer_of(1, 0)->stats.gap_in, SENT - 100);
    end();
}
END_TEST

START_TEST(a_peer_with_smaller_limits_is_told_of_what_it_would_not_take) {
    static uint8_t big[300000];
    begin(15);
    start_mesh(1);
    world_config(w)->payload_bytes_max = 1000;
    world_start(w, 1, 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_join(w, 1, 100);
    world_run(w, 100);
    uint64_t chat = 100;
    world_publish_bytes(w, 0, (wsfan_bytes){ &chat, 8 }, (wsfan_bytes){ big, sizeof big });
    world_publish_bytes(w, 0, (wsfan_bytes){ &chat, 8 }, (wsfan_bytes){ big, 5000 });
    world_publish(w, 0, 100, 42);
    world_run(w, 100);
    ck_assert_uint_eq(delivered(1, 42), 1);
    ck_assert_uint_eq(deliveries_count, 1);
    ck_assert_uint_eq(gap_count[1], 2); /* one not sent, one not taken */
    ck_assert_uint_eq(dropped_count[1], 0);
    end();
}
END_TEST

START_TEST(interest_that_outgrows_the_log_is_told_by_a_new_snapshot) {
    begin(16);
    world_config(w)->interest_log_count_max = 64;
    start_mesh(2);
    world_freeze(w, 1, true);
    for (uint64_t chat = 0; chat < 5000; chat++)
        world_join(w, 0, chat);
    for (uint64_t chat = 0; chat < 5000; chat += 2)
        world_leave(w, 0, chat);
    world_run(w, 1000);
    world_freeze(w, 1, false);
    world_run(w, 3000);
    ck_assert_uint_eq(world_core(w, 1)->interest.remote_count, 2500);
    for (uint64_t chat = 0; chat < 100; chat++)
        world_publish(w, 1, chat, 1000 + chat);
    world_run(w, 200);
    for (uint64_t chat = 0; chat < 100; chat++)
        ck_assert_uint_eq(delivered(0, 1000 + chat), chat % 2);
    end();
}
END_TEST

START_TEST(a_peer_with_more_chats_than_can_be_noted_is_sent_everything) {
    begin(23);
    world_config(w)->remote_chats_count_max = 10;
    start_mesh(2);
    for (uint64_t chat = 0; chat < 10; chat++)
        world_join(w, 0, chat);
    world_run(w, 100);
    world_publish(w, 1, 1000, 1); /* nobody's */
    world_run(w, 100);
    ck_assert_uint_eq(peer_of(0, 1)->stats.messages_in, 0);
    world_join(w, 0, 10); /* limit + 1 */
    world_run(w, 100);
    world_publish(w, 1, 10, 2);
    world_run(w, 100);
    ck_assert_uint_eq(delivered(0, 2), 1);
    end();
}
END_TEST

START_TEST(one_peer_more_than_the_limit_is_refused) {
    begin(24);
    world_config(w)->peers_count_max = 2;
    world_start(w, 0, 0);
    for (unsigned i = 1; i < 3; i++)
        world_start(w, i, 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_start(w, 3, 1);
    world_run(w, 1000);
    ck_assert_int_eq(last_reason[0], WSFAN_REASON_LIMIT);
    ck_assert_ptr_null(peer_of(0, 3));
    end();
}
END_TEST

START_TEST(until_a_peer_has_the_snapshot_it_sends_everything) {
    begin(17);
    world_start(w, 0, 0);
    for (uint64_t chat = 0; chat < 50000; chat++)
        world_join(w, 0, chat);
    world_run(w, 10);
    world_start(w, 1, 1);
    /* From the first moment that node 1 has a link, nothing may be missed. */
    uint64_t sent = 0;
    while (!world_meshed(w)) {
        if (peer_of(1, 0) != NULL && peer_of(1, 0)->linked)
            world_publish(w, 1, 49999, sent++);
        world_run(w, 1);
        ck_assert_uint_lt(world_ms(w), 60000);
    }
    world_run(w, 100);
    ck_assert_uint_gt(sent, 3);
    for (uint64_t i = 0; i < sent; i++)
        ck_assert_uint_eq(delivered(0, i), 1);
    end();
}
END_TEST

START_TEST(a_loop_without_room_costs_a_count_and_no_one_else) {
    begin(18);
    start_chat(2, 2);
    refuse_deliveries = true;
    world_publish(w, 0, 100, 1);
    world_run(w, 100);
    refuse_deliveries = false;
    world_publish(w, 0, 100, 2);
    world_run(w, 100);
    wsfan_stats stats;
    wsf_core_stats(world_core(w, 1), &stats);
    ck_assert_uint_eq(stats.dropped[WSFAN_DROP_INBOX], 1);
    ck_assert_uint_eq(delivered(1, 2), 1);
    end();
}
END_TEST

START_TEST(our_own_long_sleep_is_not_taken_for_the_death_of_others) {
    begin(19);
    start_mesh(2);
    /* Node 0 is not run for longer than silent_ms; it wakes before it has read what came. */
    world_freeze(w, 0, true);
    world_run(w, 8000);
    wsf_core_flush(world_core(w, 0), world_now(w, 0));
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_UP);
    ck_assert_int_eq(last_event[1][0], WSFAN_PEER_SILENT); /* and was rightly missed */
    end();
}
END_TEST

START_TEST(noise_from_a_peer_is_counted_and_harms_nobody) {
    uint64_t random = 7;
    begin(20);
    start_chat(2, 2);
    for (int round = 0; round < 20000; round++) {
        uint8_t noise[200];
        size_t size = (size_t)(next_random(&random) % sizeof noise);
        wsf_writer writer = { noise, sizeof noise, 0 };
        wsf_frame_head head = { .version = 1,
                                .sender = round % 2 == 0 ? world_node_id(w, 0)
                                                         : next_random(&random),
                                .epoch = peer_of(1, 0)->link.in_epoch,
                                .number = round % 3 == 0 ? next_random(&random) % 100 : 0,
                                .ack_epoch = peer_of(1, 0)->link.epoch,
                                .ack = next_random(&random) % 64 };
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)next_random(&random);
        if (round % 5 != 0)
            wsf_write_head(&writer, world_node_id(w, 1), &head);
        size = size < writer.size ? writer.size : size;
        /* Mostly arrays that begin like an entry. */
        if (size > writer.size + 2) {
            noise[writer.size] = (uint8_t)(0x91 + next_random(&random) % 9);
            noise[writer.size + 1] = (uint8_t)(next_random(&random) % 12);
        }
        if (round % 5 != 0)
            wsf_seal(&(wsf_writer){ noise, size, size });
        world_inject(w, 1, 0, noise, size);
        if (round % 100 == 0)
            world_run(w, 1);
        if (peer_of(1, 0) == NULL) { /* a goodbye among the noise */
            ck_assert(world_run_until(w, meshed, NULL, 300000));
        }
    }
    wsfan_stats stats;
    wsf_core_stats(world_core(w, 1), &stats);
    ck_assert_uint_gt(stats.dropped[WSFAN_DROP_MALFORMED], 1000);
    end();
}
END_TEST

START_TEST(the_same_seed_gives_the_same_run) {
    unsigned counts[2];
    uint64_t sums[2] = { 0, 0 };
    for (int run = 0; run < 2; run++) {
        begin(21);
        start_mesh(3);
        for (unsigned i = 0; i < 3; i++)
            world_join(w, i, 100);
        world_lose(w, 100000);
        for (uint64_t i = 0; i < 200; i++) {
            world_publish(w, (unsigned)(i % 3), 100, i);
            world_run(w, 2);
        }
        counts[run] = deliveries_count;
        for (unsigned i = 0; i < deliveries_count; i++)
            sums[run] = sums[run] * 31 + deliveries[i].payload + deliveries[i].id.clock;
        end();
    }
    ck_assert_uint_eq(counts[0], counts[1]);
    ck_assert_uint_eq(sums[0], sums[1]);
}
END_TEST

START_TEST(many_joins_complete_each_once) {
    unsigned expected[8] = { 2000, 2000, 2000 };
    begin(22);
    start_mesh(3);
    for (uint64_t chat = 0; chat < 2000; chat++)
        for (unsigned i = 0; i < 3; i++)
            world_join(w, i, chat);
    ck_assert(world_run_until(w, joins_done, expected, 2000));
    world_run(w, 6000);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(joined_count[i], 2000);
        ck_assert_int_eq(joined_status[i], WSFAN_OK);
    }
    end();
}
END_TEST

START_TEST(a_wrong_idea_of_a_peers_interest_is_found_and_mended) {
    begin(25);
    start_chat(2, 1);
    /* What no protocol fault is known to do. */
    wsf_core *core = world_core(w, 1);
    unsigned index = (unsigned)(peer_of(1, 0) - core->peers);
    wsf_interest_remove_peer(&core->interest, world_chat_hash(w, 100), index);
    world_publish(w, 1, 100, 1);
    world_run(w, 3000);
    ck_assert_uint_eq(delivered(0, 1), 0);
    ck_assert_uint_eq(peer_of(1, 0)->stats.interest_mended, 1);
    ck_assert_uint_eq(away_count[0], 1); /* it may have missed what it was taken not to want */
    ck_assert_uint_eq(away_count[1], 0);
    world_publish(w, 1, 100, 2);
    world_run(w, 100);
    ck_assert_uint_eq(delivered(0, 2), 1);
    end();
}
END_TEST

static bool interest_known(void *user) {
    (void)user;
    const wsf_core *core = world_core(w, 1);
    return wsf_peers_has(core->complete, wsf_peer_index(core, peer_of(1, 0)));
}

static bool told_once(void *user) {
    (void)user;
    return away_count[0] == 1;
}

START_TEST(a_resync_that_is_lost_is_said_again) {
    begin(34);
    start_chat(2, 1);
    wsf_core *core = world_core(w, 1);
    unsigned index = (unsigned)(peer_of(1, 0) - core->peers);
    wsf_interest_remove_peer(&core->interest, world_chat_hash(w, 100), index);
    world_block(w, 1, 0, true); /* the RESYNC comes as far as the connection, which breaks */
    while (interest_known(NULL))
        world_run(w, 10);
    world_break(w, 0, 1);
    world_block(w, 1, 0, false);
    ck_assert(world_run_until(w, interest_known, NULL, TEN_S));
    ck_assert_uint_eq(peer_of(1, 0)->stats.interest_mended, 1);
    ck_assert(world_run_until(w, told_once, NULL, 100));
    end();
}
END_TEST

START_TEST(two_nodes_with_one_id_are_refused_and_each_is_told) {
    begin(26);
    world_start_as(w, 0, "n0", 77, 1, 0);
    world_run(w, 5000); /* another start, another incarnation */
    world_start_as(w, 1, "n1", 77, 1, 1);
    world_run(w, 2000);
    ck_assert_int_eq(last_reason[0], WSFAN_REASON_ID);
    ck_assert_int_eq(last_reason[1], WSFAN_REASON_ID);
    wsfan_endpoint endpoint = { 0 };
    ck_assert_uint_ge(wsf_core_endpoints(world_core(w, 1), &endpoint, 1, world_now(w, 1)), 1);
    ck_assert_int_eq(endpoint.state, WSFAN_ENDPOINT_REFUSED); /* and not: it leads to this node */
    ck_assert_int_eq(endpoint.reason, WSFAN_REASON_ID);
    world_start(w, 2, 3); /* a third node has one of them, as one peer */
    world_run(w, 3000);
    ck_assert_uint_eq(wsf_peers_count(world_core(w, 2)->linked), 1);
    end();
}
END_TEST

START_TEST(a_publisher_that_waits_while_its_peer_is_congested_loses_nothing) {
    enum { COUNT = 10000 };
    unsigned waited = 0;
    begin(30);
    world_config(w)->link.window_bytes = 65536;
    world_config(w)->link.queue_count_max = 1000;
    start_chat(2, 1);
    for (uint64_t i = 0; i < COUNT;) {
        if (wsf_core_congested(world_core(w, 1))) {
            waited++;
            world_run(w, 1);
        } else {
            world_publish(w, 1, 100, i++);
        }
    }
    world_run(w, 1000);
    ck_assert_uint_gt(waited, 0);
    ck_assert_uint_eq(gap_count[0], 0);
    for (uint64_t i = 0; i < COUNT; i += 7)
        ck_assert_uint_eq(delivered(0, i), 1);
    ck_assert_uint_eq(deliveries_count, COUNT);
    end();
}
END_TEST

START_TEST(publishing_waits_for_a_peer_that_stops_for_a_quarter_of_a_second) {
    enum { QUARTER_S = 250, QUEUE = 1000 };
    begin(36);
    world_config(w)->link.window_bytes = 65536;
    world_config(w)->link.queue_count_max = QUEUE;
    start_chat(3, 1 << 0 | 1 << 1);
    world_freeze(w, 0, true);
    uint64_t frozen_ms = world_ms(w);
    uint64_t published = 0;
    while (!wsf_core_congested(world_core(w, 2)))
        world_publish(w, 2, 100, published++);
    world_run(w, QUARTER_S - 10);
    ck_assert(wsf_core_congested(world_core(w, 2)));
    while (wsf_core_congested(world_core(w, 2)))
        world_run(w, 1);
    ck_assert_uint_le(world_ms(w) - frozen_ms, QUARTER_S + 10);
    for (unsigned i = 0; i < 2 * QUEUE; i++) { /* though its queue is full, and drops the oldest */
        world_publish(w, 2, 100, published++);
        ck_assert(!wsf_core_congested(world_core(w, 2)));
    }
    world_run(w, 100);
    ck_assert_uint_eq(gap_count[1], 0);
    ck_assert_uint_eq(deliveries_count, published);
    end();
}
END_TEST

START_TEST(a_peer_that_was_taken_for_replaced_is_missed_when_it_is_back) {
    uint64_t published = 0;
    begin(29);
    start_chat(2, 1);
    wsf_hello late = { .protocol_min = WSF_PROTOCOL_MIN,
                       .protocol_max = WSF_PROTOCOL_MAX,
                       .cluster = wsfan_string(world_config(w)->cluster),
                       .name = wsfan_string("n1"),
                       .endpoint = wsfan_string("tcp://10.0.0.9:7000"),
                       .incarnation = UINT64_MAX >> 1, /* that of a clock that was wrong */
                       .epoch = 1,
                       .frame_size_max = 1 << 20 };
    wsf_handshake_hello(world_core(w, 0), 999, &late, world_now(w, 0));
    world_touch(w, 0);
    while (!world_all_up(w)) { /* it has to notice first that nobody answers it */
        world_publish(w, 1, 100, published++);
        world_run(w, 1);
    }
    world_publish(w, 1, 100, published++);
    world_run(w, 100);
    ck_assert(meshed(w));
    ck_assert_uint_eq(delivered(0, published - 1), 1);
    unsigned missing = 0;
    for (uint64_t i = 0; i < published; i++)
        missing += delivered(0, i) == 0;
    ck_assert_uint_gt(missing, 0);
    ck_assert_uint_gt(away_count[0], 0);
    end();
}
END_TEST

START_TEST(a_node_that_reaches_itself_is_told_so) {
    begin(27);
    world_start(w, 0, 0);
    wsf_dialer_gossip(world_core(w, 0), "tcp://10.0.0.1:7000", 1, true, world_now(w, 0));
    world_run(w, 1000);
    ck_assert_int_eq(last_reason[0], WSFAN_REASON_SELF);
    ck_assert(wsf_peers_is_empty(world_core(w, 0)->linked));
    end();
}
END_TEST

START_TEST(two_peers_that_forgot_each_other_meet_again_through_a_third) {
    begin(28);
    world_config(w)->forget_ms = 15000;
    start_mesh(3); /* 1 and 2 know each other through 0 only */
    world_block(w, 1, 2, true);
    world_block(w, 2, 1, true);
    world_run(w, 40000);
    ck_assert_ptr_null(peer_of(1, 2));
    world_block(w, 1, 2, false);
    world_block(w, 2, 1, false);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_run(w, 100);
    ck_assert_uint_eq(away_count[1], 1); /* each may have missed something of the other */
    ck_assert_uint_eq(away_count[2], 1);
    ck_assert_uint_eq(away_count[0], 0);
    end();
}
END_TEST

START_TEST(a_join_that_did_not_wait_for_a_dead_peer_is_followed_by_a_gap_when_it_is_back) {
    begin(29);
    start_mesh(3);
    world_block(w, 0, 2, true);
    world_block(w, 2, 0, true);
    world_run(w, 12000);
    ck_assert_int_eq(last_event[0][2], WSFAN_PEER_DOWN);
    world_join(w, 0, 100);
    world_run(w, 100);
    ck_assert_int_eq(joined_status[0], WSFAN_OK);
    world_publish(w, 2, 100, 1); /* it does not know of the join */
    world_block(w, 0, 2, false);
    world_block(w, 2, 0, false);
    world_run(w, 3000);
    ck_assert_uint_eq(delivered(0, 1), 0);
    ck_assert_uint_eq(away_count[0], 1);
    ck_assert_uint_eq(away_count[2], 0);
    end();
}
END_TEST

static bool is_up_again(void *user) {
    (void)user;
    return last_event[0][1] == WSFAN_PEER_UP;
}

/* Messages from after the gap may have come, so the gap is told at the latest when nobody else can tell it. */
START_TEST(so_it_is_by_one_when_the_peer_ends_before_it_knows_of_the_join) {
    begin(50);
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_block(w, 0, 1, true);
    world_block(w, 1, 0, true);
    world_run(w, 11000);
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_DOWN);
    world_join(w, 0, 100);
    world_run(w, 100);
    world_publish(w, 1, 100, 1);
    world_block(w, 0, 1, false);
    world_block(w, 1, 0, false);
    ck_assert(world_run_until(w, is_up_again, NULL, TEN_S));
    ck_assert_uint_eq(delivered(0, 1), 0);
    ck_assert_uint_eq(away_count[0], 0);
    world_crash(w, 1);
    world_run(w, world_config(w)->forget_ms + TEN_S);
    ck_assert_uint_eq(away_count[0], 1);
    end();
}
END_TEST

START_TEST(a_slow_peer_is_cut_where_that_is_the_policy_and_told_what_it_missed) {
    begin(30);
    world_config(w)->link.queue_count_max = 100;
    world_config(w)->slow_peer = WSFAN_SLOW_CUT;
    start_chat(2, 2);
    world_freeze(w, 1, true);
    world_run(w, 6500);
    for (uint64_t i = 0; i < 150; i++)
        world_publish(w, 0, 100, i);
    ck_assert_int_eq(last_event[0][1], WSFAN_PEER_DOWN);
    ck_assert_int_eq(last_reason[0], WSFAN_REASON_SLOW);
    ck_assert_uint_eq(peer_of(0, 1)->link.queue_bytes, 0);
    world_freeze(w, 1, false);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_run(w, 100);
    ck_assert_uint_eq(gap_count[1], 101); /* the queue, and the message that did not fit */
    ck_assert_uint_eq(dropped_count[1], 101);
    ck_assert_uint_eq(away_count[1], 1); /* and those after it, which nobody counted */
    world_publish(w, 0, 100, 500);
    world_run(w, 100);
    ck_assert_uint_eq(delivered(1, 500), 1);
    end();
}
END_TEST

START_TEST(versions_that_overlap_talk_and_others_are_refused) {
    begin(31);
    world_start(w, 0, 0);
    world_config(w)->protocol_max = WSF_PROTOCOL_MAX + 1; /* the next one, which knows ours */
    world_start(w, 1, 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_config(w)->protocol_min = WSF_PROTOCOL_MAX + 1; /* and one that does not */
    world_start(w, 2, 1);
    world_run(w, 2000);
    ck_assert_int_eq(last_reason[0], WSFAN_REASON_VERSION);
    ck_assert_int_eq(last_reason[2], WSFAN_REASON_VERSION);
    ck_assert_ptr_null(peer_of(0, 2));
    end();
}
END_TEST

static bool first_and_third_are_peers(void *user) {
    (void)user;
    const wsf_peer *there = peer_of(0, 2);
    const wsf_peer *back = peer_of(2, 0);
    return there != NULL && back != NULL && there->state == WSFAN_PEER_UP &&
           back->state == WSFAN_PEER_UP;
}

START_TEST(who_was_turned_away_for_want_of_room_asks_again) {
    begin(32);
    world_config(w)->peers_count_max = 1;
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_start(w, 2, 1);
    world_run(w, 100);
    ck_assert_int_eq(last_reason[0], WSFAN_REASON_LIMIT);
    ck_assert_int_eq(last_reason[2], WSFAN_REASON_LIMIT);
    world_crash(w, 1);
    ck_assert(world_run_until(w, first_and_third_are_peers, NULL, 2 * TEN_S + 1000));
    end();
}
END_TEST

START_TEST(two_that_were_both_full_meet_when_there_is_room) {
    begin(33);
    world_config(w)->peers_count_max = 1;
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    ck_assert(world_run_until(w, meshed, NULL, TEN_S));
    world_start(w, 3, 0);
    world_start(w, 2, 1 << 3);
    world_run(w, 1000);
    const char *zero = wsf_core_endpoint(world_core(w, 0));
    wsf_core_name_endpoints(world_core(w, 2), WSF_SOURCE_HOST, &zero, 1, world_now(w, 2));
    world_touch(w, 2);
    world_run(w, 1000);
    ck_assert(!first_and_third_are_peers(NULL));
    world_crash(w, 1);
    world_crash(w, 3);
    ck_assert(world_run_until(w, first_and_third_are_peers, NULL, 2 * TEN_S + 1000));
    end();
}
END_TEST

SUITE_MAIN("core", one_reachable_peer_is_enough_for_a_full_mesh,
           a_mesh_forms_from_a_list_that_names_everyone_and_oneself,
           a_broadcast_reaches_every_node_with_members_once_and_no_other,
           messages_of_a_publisher_arrive_in_order_with_rising_ids,
           a_join_completes_when_every_peer_knows_and_not_before,
           a_join_that_waits_too_long_is_partial_and_names_who_is_missing,
           a_join_waits_for_a_silent_peer_no_longer_than_it_may,
           a_join_that_is_partial_without_one_peer_still_owes_the_gap_of_another_that_is_down,
           a_peer_that_goes_down_leaves_the_barrier,
           a_killed_peer_is_silent_at_once_soon_down_and_then_forgotten,
           a_peer_that_is_frozen_or_cut_off_is_down_after_down_ms_and_not_before,
           refusals_count_of_a_silent_peer_twice_in_a_row_with_nothing_heard_in_between,
           a_restarted_node_replaces_its_old_self_and_needs_nothing_of_the_others,
           goodbye_ends_a_peer_at_once, another_cluster_is_refused_with_a_reason_on_both_sides,
           a_broken_connection_loses_and_doubles_nothing, frames_that_vanish_are_asked_for_again,
           what_a_full_queue_drops_is_reported_at_the_peer_exactly,
           a_peer_with_smaller_limits_is_told_of_what_it_would_not_take,
           interest_that_outgrows_the_log_is_told_by_a_new_snapshot,
           a_peer_with_more_chats_than_can_be_noted_is_sent_everything,
           one_peer_more_than_the_limit_is_refused,
           until_a_peer_has_the_snapshot_it_sends_everything,
           a_loop_without_room_costs_a_count_and_no_one_else,
           our_own_long_sleep_is_not_taken_for_the_death_of_others,
           noise_from_a_peer_is_counted_and_harms_nobody, the_same_seed_gives_the_same_run,
           many_joins_complete_each_once, a_wrong_idea_of_a_peers_interest_is_found_and_mended,
           a_resync_that_is_lost_is_said_again, two_nodes_with_one_id_are_refused_and_each_is_told,
           a_publisher_that_waits_while_its_peer_is_congested_loses_nothing,
           publishing_waits_for_a_peer_that_stops_for_a_quarter_of_a_second,
           a_peer_that_was_taken_for_replaced_is_missed_when_it_is_back,
           a_node_that_reaches_itself_is_told_so,
           two_peers_that_forgot_each_other_meet_again_through_a_third,
           a_join_that_did_not_wait_for_a_dead_peer_is_followed_by_a_gap_when_it_is_back,
           so_it_is_by_one_when_the_peer_ends_before_it_knows_of_the_join,
           a_slow_peer_is_cut_where_that_is_the_policy_and_told_what_it_missed,
           versions_that_overlap_talk_and_others_are_refused,
           who_was_turned_away_for_want_of_room_asks_again,
           two_that_were_both_full_meet_when_there_is_room)
