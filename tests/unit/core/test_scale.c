/* What there is for many peers at once: a mesh of more nodes than one word has bits, and what each of them costs the others. */
#include "core/core.h"
#include "core/state.h"
#include "suite.h"
#include "world.h"

enum { MANY = 70, MESH_MS_MAX = 60000 };

static world *w;
static unsigned joined_ok;
static unsigned delivered;

static bool on_joined(void *user, unsigned node, wsf_ticket *ticket) {
    (void)user;
    (void)node;
    joined_ok += ticket->status == WSFAN_OK;
    return false;
}

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)user;
    (void)node;
    (void)loop;
    (void)message;
    delivered++;
    return true;
}

static bool meshed(void *user) {
    (void)user;
    return world_meshed(w);
}

static bool all_joined(void *user) {
    (void)user;
    return joined_ok == MANY;
}

static void begin(uint64_t seed) {
    world_watcher watcher = { .deliver = on_deliver, .joined = on_joined };
    joined_ok = delivered = 0;
    w = world_new(seed, &watcher);
    world_config(w)->peers_count_max = WSF_PEERS_MAX;
}

static void start_mesh(void) {
    for (unsigned i = 0; i < MANY; i++)
        world_start(w, i, i == 0 ? 0 : 1);
    ck_assert(world_run_until(w, meshed, NULL, MESH_MS_MAX));
}

START_TEST(seventy_nodes_mesh_and_all_get_a_message) {
    begin(1);
    start_mesh();
    for (unsigned i = 0; i < MANY; i++)
        world_join(w, i, 7);
    ck_assert(world_run_until(w, all_joined, NULL, MESH_MS_MAX));
    world_run(w, 1000);
    world_publish(w, MANY - 1, 7, 1);
    world_run(w, 1000);
    ck_assert_uint_eq(delivered, MANY);
    const wsf_core *core = world_core(w, 0);
    ck_assert_uint_eq(core->interest.wide.slots.count, 1); /* the only chat, with all peers */
    for (unsigned i = 1; i < MANY; i++)
        world_leave(w, i, 7);
    world_run(w, 1000);
    ck_assert_uint_eq(core->interest.wide.slots.count, 0);
    world_destroy(w);
}
END_TEST

START_TEST(a_message_for_nobody_has_the_round_look_at_no_peer) {
    begin(2);
    start_mesh();
    world_run(w, 10000);
    wsf_core *core = world_core(w, 0);
    wsf_core_flush(core, world_now(w, 0));
    uint64_t frames = core->peers[0].stats.frames_out;
    world_publish(w, 0, 9, 1);
    ck_assert(wsf_peers_is_empty(core->stirred));
    wsf_core_flush(core, world_now(w, 0));
    ck_assert_uint_eq(core->peers[0].stats.frames_out, frames);
    world_join(w, 0, 9); /* which is news for all */
    wsf_core_flush(core, world_now(w, 0));
    ck_assert_uint_eq(core->peers[0].stats.frames_out, frames + 1);
    world_destroy(w);
}
END_TEST

START_TEST(of_peers_that_were_told_of_some_are_told_again) {
    enum { SOME = 16 };
    begin(3);
    world_config(w)->forget_ms = 20000;
    start_mesh();
    world_run(w, 10000);
    const wsf_core *core = world_core(w, 0);
    const wsf_peer *peer = wsf_peer_find(core, world_node_id(w, 1));
    unsigned all = wsf_peers_count(peer->gossip.told);
    unsigned least = all;
    ck_assert_uint_eq(all, MANY - 2); /* but for itself */
    for (unsigned ms = 0; ms < core->config.forget_ms / 2; ms++) {
        world_run(w, 1);
        unsigned told = wsf_peers_count(peer->gossip.told);
        least = told < least ? told : least;
    }
    ck_assert_uint_eq(least, all - SOME);
    world_destroy(w);
}
END_TEST

START_TEST(with_many_peers_heartbeats_are_slower_and_nobody_falls_silent) {
    enum { SECONDS = 20 };
    begin(4);
    world_config(w)->heartbeat_ms = 100;
    start_mesh();
    world_run(w, 5000);
    const wsf_core *core = world_core(w, 0);
    const wsf_peer *peer = wsf_peer_find(core, world_node_id(w, 1));
    ck_assert_uint_eq(wsf_beat_ms(core), 100 * (MANY - 1) / 64);
    uint64_t frames = peer->stats.frames_out;
    for (unsigned s = 0; s < SECONDS; s++) {
        world_run(w, 1000);
        ck_assert(world_all_up(w));
    }
    frames = peer->stats.frames_out - frames;
    ck_assert_uint_ge(frames, SECONDS * 1000 / wsf_beat_ms(core) - 1);
    ck_assert_uint_lt(frames, SECONDS * 1000 / 100);
    world_destroy(w);
}
END_TEST

START_TEST(heartbeats_are_never_slower_than_three_in_silent_ms) {
    begin(5);
    world_config(w)->heartbeat_ms = 100;
    world_config(w)->silent_ms = 360;
    world_start(w, 0, 0);
    wsf_core *core = world_core(w, 0);
    ck_assert_uint_eq(wsf_beat_ms(core), 100);
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++) {
        wsf_peers_add(&core->linked, i);
        ck_assert_uint_eq(wsf_beat_ms(core), i < 64 ? 100 : i < 76 ? 100 * (i + 1) / 64 : 120);
    }
    core->linked = (wsf_peers){ 0 };
    world_destroy(w);
}
END_TEST

SUITE_MAIN("scale", seventy_nodes_mesh_and_all_get_a_message,
           a_message_for_nobody_has_the_round_look_at_no_peer,
           of_peers_that_were_told_of_some_are_told_again,
           with_many_peers_heartbeats_are_slower_and_nobody_falls_silent,
           heartbeats_are_never_slower_than_three_in_silent_ms)
