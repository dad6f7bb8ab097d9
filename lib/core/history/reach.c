/* Answers for what the loops may claim to have seen: of each publisher, all messages up to a clock. One clock is that of all
 * publishers but a few, the least of those that this node got with peers that are up: so a position is mostly one number, and
 * is true also of publishers that come later.
 *
 * It never falls, as positions with it are with clients. An origin with which this node did not get so far has an entry of its
 * own: a peer that is silent, down or skipped, one whose clock is far from ours, and one that is gone, for as long as
 * witness.c knows of it.
 *
 * What is told comes after the messages that it claims, by the order of effects. While no chat is kept nothing is told. */
#include "core/history/reach.h"

#include "core/origin.h"

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Whether the clock of all waits for the peer, which is linked. */
static bool is_waited_for(const wsf_core *core, const wsf_peer *peer) {
    const wsf_origin *origin = peer->witness.origin;
    return peer->state == WSFAN_PEER_UP && origin != NULL && !origin->frozen &&
           !peer->witness.refused &&
           (wsf_origin_reached(origin) >> 16) + WSF_CLOCK_APART_MS_MAX >= core->clock >> 16;
}

static uint64_t clock_of_all(const wsf_core *core) {
    uint64_t least = core->clock;
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;)
        if (is_waited_for(core, peer))
            least = lesser(least, wsf_origin_reached(peer->witness.origin));
    return least > core->reach.rest ? least : core->reach.rest;
}

/* A peer without marks may have published anything; origins that were forgotten too early have no entry. */
static bool may_be_told(const wsf_core *core, wsf_now now) {
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;)
        if (wsf_peer_live(peer) && peer->witness.origin == NULL)
            return false;
    return core->status.ready && core->cluster_epoch.number != 0 &&
           now.ms >= core->witness.unsure_ms;
}

static void fill(wsf_core *core, wsf_reach *reach, wsf_now now) {
    wsf_clock_pass(core, now); /* what is published here from now on is above it */
    core->reach.rest = clock_of_all(core);
    reach->epoch = (uint32_t)core->cluster_epoch.number;
    reach->told = may_be_told(core, now);
    wsf_vector_init(&reach->whole, core->reach.rest);
    _Static_assert((int)WSF_ORIGINS_MAX <= (int)WSF_VECTOR_MAX, "an entry for each");
    for (unsigned i = 0; i < WSF_ORIGINS_MAX; i++) {
        const wsf_origin *origin = &core->witness.origins[i];
        if (origin->node != 0 && wsf_origin_reached(origin) < core->reach.rest)
            wsf_vector_pin(&reach->whole, origin->node, wsf_origin_reached(origin));
    }
}

static uint64_t due_ms(const wsf_core *core) {
    uint32_t pause_ms = core->witness.moved ? WSF_REACH_INTERVAL_MS : core->config.heartbeat_ms;
    return core->reach.told_ms + pause_ms;
}

void wsf_reach_tick(wsf_core *core, wsf_now now) {
    if (core->keeping.archive.slots.count == 0 || now.ms < due_ms(core))
        return;
    wsf_reach *reach = wsf_reach_new();
    core->reach.told_ms = now.ms; /* without memory the next one is told */
    core->witness.moved = false;
    if (reach == NULL)
        return;
    fill(core, reach, now);
    core->effects.reach(core->effects.user, reach);
    wsf_reach_unref(core->reach.newest);
    core->reach.newest = reach;
}

uint64_t wsf_reach_deadline(const wsf_core *core) {
    return core->keeping.archive.slots.count == 0 ? UINT64_MAX : due_ms(core);
}

void wsf_reach_end(wsf_core *core) {
    wsf_reach_unref(core->reach.newest);
}
