/* wsfan-scale N...: meshes N nodes of the library's core in the simulator's world, and prints what the core of one costs when all
 * rest and nobody wants what it publishes. Figures of docs/scale.md. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/core.h"
#include "core/state.h"
#include "world.h"

enum { TIMES = 10, PUBLISHED = 20000, MESH_MS_MAX = 120000, REST_MS = 60000 };

static double cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static bool is_meshed(void *user) {
    return world_all_up(user);
}

/* A chat that nobody is in: a message costs its making, its routing, and one round. */
static double publish_some_ns(world *w) {
    wsf_core *core = world_core(w, 0);
    wsf_hash_key key;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    wsfan_target target = { WSFAN_CHAT, wsfan_string("nobody") };
    wsf_message_parts parts = { .targets = &target,
                                .targets_count = 1,
                                .payload = wsfan_string("sixteen bytes...") };
    wsf_now now = world_now(w, 0);
    uint64_t deadline = 0;
    double from = cpu_ns();
    for (unsigned i = 0; i < PUBLISHED; i++) {
        wsfan_message *message = wsf_message_new(&key, &parts);
        if (message == NULL)
            abort();
        wsf_core_publish(core, message, now);
        wsf_core_flush(core, now);
        deadline += wsf_core_deadline(core) == 0;
    }
    double ns = (cpu_ns() - from) / (double)PUBLISHED;
    return deadline == 0 ? ns : -1;
}

/* The least of some times: other programs run here too. */
static double publish_ns(world *w) {
    double least = publish_some_ns(w);
    for (unsigned i = 1; i < TIMES; i++) {
        double ns = publish_some_ns(w);
        least = ns < least ? ns : least;
    }
    return least;
}

/* A chat that every node is in. What the network in memory takes is counted too. */
static double broadcast_us(world *w, unsigned nodes) {
    enum { CHAT = 7, SETTLE_MS = 3000, PAUSE_MS = 100 };
    double least = 0;
    for (unsigned i = 0; i < nodes; i++)
        if (!world_join(w, i, CHAT))
            abort();
    world_run(w, SETTLE_MS);
    for (unsigned i = 0; i < TIMES; i++) {
        double from = cpu_ns();
        if (!world_publish(w, 0, CHAT, i))
            abort();
        wsf_core_flush(world_core(w, 0), world_now(w, 0));
        double us = (cpu_ns() - from) / 1e3;
        least = i == 0 || us < least ? us : least;
        world_run(w, PAUSE_MS);
    }
    return least;
}

static uint64_t frames_of(const wsf_core *core) {
    uint64_t frames = 0;
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        frames += peer->stats.frames_out;
    return frames;
}

static int measure(unsigned nodes) {
    world *w = world_new(nodes, NULL);
    world_config(w)->peers_count_max = WSF_PEERS_MAX;
    for (unsigned i = 0; i < nodes; i++)
        world_start(w, i, 1);
    uint64_t began_ms = world_ms(w);
    double began = cpu_ns();
    if (!world_run_until(w, is_meshed, w, MESH_MS_MAX)) {
        fprintf(stderr, "%u nodes did not mesh\n", nodes);
        return 1;
    }
    double meshed_ms = (double)(world_ms(w) - began_ms);
    double mesh_ms = (cpu_ns() - began) / 1e6 / nodes;
    uint64_t frames = frames_of(world_core(w, 0));
    began = cpu_ns();
    world_run(w, REST_MS);
    double rest_us = (cpu_ns() - began) / 1e3 / nodes / ((double)REST_MS / 1000);
    double frames_rate = (double)(frames_of(world_core(w, 0)) - frames) * 1000 / (double)REST_MS;
    printf("%5u nodes: meshed after %6.0f ms, %7.2f ms of CPU each; at rest %7.1f us/s, %6.1f "
           "frames/s each; "
           "a message for nobody %4.0f ns, for all %6.1f us\n",
           nodes, meshed_ms, mesh_ms, rest_us, frames_rate, publish_ns(w), broadcast_us(w, nodes));
    world_destroy(w);
    return 0;
}

int main(int count, char **values) {
    if (count < 2) {
        fputs("usage: wsfan-scale NODES...\n", stderr);
        return 2;
    }
    for (int i = 1; i < count; i++) {
        unsigned nodes = (unsigned)strtoul(values[i], NULL, 10);
        if (nodes < 2 || nodes > WORLD_NODES_MAX || nodes > WSF_PEERS_MAX + 1) {
            fprintf(stderr, "not a number of nodes: %s\n", values[i]);
            return 2;
        }
        if (measure(nodes) != 0)
            return 1;
    }
    return 0;
}
