#include "doubts.h"

#include "core/origin.h"
#include "core/state.h"
#include "core/witness.h"

static bool is_refused(const wsf_core *core) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++)
        if (core->peers[i].node != 0 && core->peers[i].witness.refused)
            return true;
    return false;
}

bool doubts_far(const wsf_core *core, const wsf_vector *seen) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++) {
        const wsf_peer *peer = &core->peers[i];
        if (peer->node != 0 && wsf_witness_is_preempted(core, peer, seen))
            return true;
    }
    return is_refused(core);
}

bool doubts_ahead(const wsf_core *core, const wsf_vector *seen) {
    bool ahead = seen->rest > core->clock;
    for (uint32_t i = 0; i < seen->count; i++)
        ahead = ahead || seen->entries[i].clock > core->clock;
    return ahead;
}

bool doubts_beyond(const wsf_core *core, const wsf_vector *seen, uint64_t wall_ms) {
    uint64_t newest = seen->rest;
    for (uint32_t i = 0; i < seen->count; i++)
        newest = seen->entries[i].clock > newest ? seen->entries[i].clock : newest;
    return newest > core->clock && newest >> 16 > wall_ms + WSF_CLOCK_APART_MS_MAX;
}

bool doubts_below(const wsf_bounds *bounds, const wsf_vector *seen) {
    uint64_t node;
    if (bounds->rest > seen->rest)
        return false;
    for (uint32_t i = 0; (node = wsf_bounds_origin(bounds, i)) != 0; i++)
        if (wsf_bounds_at(bounds, node) > wsf_vector_at(seen, node))
            return false;
    for (uint32_t i = 0; i < seen->count; i++)
        if (seen->entries[i].clock < bounds->rest)
            return false;
    return true;
}

static bool is_silent(const wsf_core *core, const wsf_origin *origin) {
    const wsf_peer *peer = wsf_peer_find((wsf_core *)core, origin->node);
    return origin->frozen || peer == NULL || !peer->linked;
}

bool doubts_lags(const wsf_core *core, const wsf_bounds *since, const wsf_vector *seen) {
    uint64_t self = core->config.node;
    uint64_t node;
    bool less = wsf_vector_at(seen, self) < wsf_bounds_at(since, self);
    for (unsigned i = 0; i < WSF_ORIGINS_MAX && !less; i++) {
        const wsf_origin *origin = &core->witness.origins[i];
        uint64_t clock = wsf_vector_at(seen, origin->node);
        less = origin->node != 0 && (clock < wsf_bounds_at(since, origin->node) ||
                                     (clock < origin->whole && is_silent(core, origin)));
    }
    for (uint32_t i = 0; !less && (node = wsf_bounds_origin(since, i)) != 0; i++)
        less = wsf_vector_at(seen, node) < wsf_bounds_at(since, node);
    return less;
}

bool doubts_hole(const wsf_core *core, const wsf_vector *seen) {
    if (wsf_witness_unsure(core) > seen->rest)
        return true;
    for (uint32_t i = 0; i < seen->count; i++)
        if (wsf_witness_unsure(core) > seen->entries[i].clock)
            return true;
    for (unsigned i = 0; i < WSF_ORIGINS_MAX; i++) {
        const wsf_origin *origin = &core->witness.origins[i];
        if (origin->node != 0 &&
            (origin->open || origin->whole > wsf_vector_at(seen, origin->node)))
            return true;
    }
    return false;
}

bool doubts_behind(const wsf_core *core, const wsf_vector *seen) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++) {
        const wsf_peer *peer = &core->peers[i];
        if (peer->node != 0 && peer->witness.origin != NULL &&
            wsf_origin_reached(peer->witness.origin) < wsf_vector_at(seen, peer->node))
            return true;
    }
    return false;
}
