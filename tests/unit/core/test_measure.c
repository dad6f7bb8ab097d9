/* What the core measures, in a world whose clock the test moves. */
#include <string.h>

#include "suite.h"
#include "world.h"

enum { TEN_S = 10000 };

static world *w;
static wsf_core_metrics metrics;
static unsigned joined[2];
static unsigned delivered[2];

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user, (void)loop, (void)message;
    delivered[node]++;
    return true;
}

static bool on_joined(void *user, unsigned node, wsf_ticket *ticket) {
    (void)user, (void)ticket;
    joined[node]++;
    return false;
}

static const wsf_core_metrics *measure(unsigned node) {
    wsf_core_measure(world_core(w, node), &metrics);
    return &metrics;
}

static uint64_t count_of(const wsf_histogram_counts *counts) {
    uint64_t count = 0;
    for (unsigned i = 0; i < WSF_HISTOGRAM_BUCKETS; i++)
        count += counts->buckets[i];
    return count;
}

static bool up(void *user) {
    (void)user;
    return world_meshed(w);
}

static void begin(void) {
    world_watcher watcher = { .deliver = on_deliver, .joined = on_joined };
    memset(joined, 0, sizeof joined);
    memset(delivered, 0, sizeof delivered);
    w = world_new(7, &watcher);
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    ck_assert(world_run_until(w, up, NULL, TEN_S));
}

static bool n1_joined(void *user) {
    (void)user;
    return joined[1] > 0;
}

static bool n1_got_one(void *user) {
    (void)user;
    return delivered[1] > 0;
}

START_TEST(a_join_takes_as_long_as_the_slowest_peer) {
    begin();
    ck_assert_uint_eq(count_of(&measure(1)->join), 0);
    world_block(w, 1, 0, true);
    ck_assert(world_join(w, 1, 5));
    world_run(w, 400);
    ck_assert_uint_eq(count_of(&measure(1)->join), 0);
    world_block(w, 1, 0, false);
    ck_assert(world_run_until(w, n1_joined, NULL, TEN_S));
    ck_assert_uint_eq(count_of(&measure(1)->join), 1);
    ck_assert_uint_ge(metrics.join.sum, 400);
    ck_assert_uint_le(metrics.join.sum, 512);
    ck_assert_uint_eq(metrics.join.buckets[9], 1); /* 257 to 512 ms */
    world_destroy(w);
}
END_TEST

START_TEST(one_frame_at_a_time_is_timed_until_its_acknowledgement) {
    begin();
    ck_assert(world_join(w, 1, 5));
    ck_assert(world_run_until(w, n1_joined, NULL, TEN_S));
    world_run(w, 100);
    ck_assert_uint_eq(measure(0)->peers_count, 1);
    ck_assert_str_eq(metrics.peers[0].stats.name, "n1");
    uint64_t before = count_of(&metrics.peers[0].round_trip);
    uint64_t sum = metrics.peers[0].round_trip.sum;
    world_block(w, 1, 0, true); /* the acknowledgements */
    for (uint64_t i = 0; i < 10; i++) {
        ck_assert(world_publish(w, 0, 5, i));
        world_run(w, 20);
    }
    world_block(w, 1, 0, false);
    world_run(w, 100);
    ck_assert_uint_eq(delivered[1], 10);
    ck_assert_uint_eq(count_of(&measure(0)->peers[0].round_trip), before + 1);
    ck_assert_uint_ge(metrics.peers[0].round_trip.sum, sum + 200);
    world_destroy(w);
}
END_TEST

/* Publishes one message whose frame is lost. */
static void lose_one(uint64_t payload) {
    world_lose(w, 1000000);
    ck_assert(world_publish(w, 0, 5, payload));
    world_run(w, 10);
    world_lose(w, 0);
}

START_TEST(a_repair_is_timed_until_nothing_is_missing) {
    begin();
    ck_assert(world_join(w, 1, 5));
    ck_assert(world_run_until(w, n1_joined, NULL, TEN_S));
    world_run(w, 100);
    ck_assert_uint_eq(count_of(&measure(1)->repair), 0);

    lose_one(1); /* a heartbeat shows it */
    uint64_t trips = count_of(&measure(0)->peers[0].round_trip);
    ck_assert(world_run_until(w, n1_got_one, NULL, TEN_S));
    world_run(w, 100);
    ck_assert_uint_eq(count_of(&measure(1)->repair), 1);
    ck_assert_uint_le(metrics.repair.sum, 100); /* asked for at once, and sent at once */
    /* Nobody knows which of the two frames was acknowledged. */
    ck_assert_uint_eq(count_of(&measure(0)->peers[0].round_trip), trips);

    lose_one(2);
    ck_assert(world_publish(w, 0, 5, 3)); /* its frame shows it */
    world_run(w, 100);
    ck_assert_uint_eq(delivered[1], 3);
    ck_assert_uint_eq(count_of(&measure(1)->repair), 2);
    ck_assert_uint_le(metrics.repair.sum, 200);
    world_destroy(w);
}
END_TEST

SUITE_MAIN("measure", a_join_takes_as_long_as_the_slowest_peer,
           one_frame_at_a_time_is_timed_until_its_acknowledgement,
           a_repair_is_timed_until_nothing_is_missing)
