/* Peers that may keep messages of a chat. */
#ifndef WSF_CORE_HISTORY_KEEPERS_H
#define WSF_CORE_HISTORY_KEEPERS_H

#include "core/routing/placement.h"
#include "core/state.h"
#include "core/witness.h"

/* Nodes whose clocks are far apart do not believe each other's epoch, so they have one each, and what one keeps is of no use
 * to the other. Others may only not know yet that they have the same one. */
static inline bool wsf_keeper_is_of_another_epoch(const wsf_core *core, const wsf_peer *peer) {
    return peer->status.cluster_epoch.number != core->cluster_epoch.number &&
           (peer->witness.refused || wsf_witness_is_behind(core, peer));
}

static inline bool wsf_keeper_can_be_asked(const wsf_core *core, const wsf_peer *peer) {
    return peer->node != 0 && peer->linked && peer->state == WSFAN_PEER_UP &&
           (peer->features & WSF_FEATURE_MARKS) != 0 && !wsf_keeper_is_of_another_epoch(core, peer);
}

/* Peers that may keep the chat and can be asked: those that are interested, and those whose interest is not known whole. */
static inline wsf_peers wsf_keepers_of(const wsf_core *core, uint64_t hash) {
    uint64_t loops;
    wsf_peers peers;
    wsf_interest_find(&core->interest, hash, &loops, &peers);
    peers = wsf_peers_union(peers, wsf_peers_difference(core->linked, core->complete));
    wsf_peers all = peers;
    for (unsigned i; (i = wsf_peers_pop(&all)) < WSF_PEERS_MAX;)
        if (!wsf_keeper_can_be_asked(core, &core->peers[i]))
            wsf_peers_remove(&peers, i);
    return peers;
}

/* The first of them that can be asked, in the order in which they would own the chat, so that all ask those first that hold it
 * for others. WSF_PEERS_MAX: none. */
static inline unsigned wsf_keepers_first(const wsf_core *core, uint64_t hash, wsf_peers peers) {
    unsigned best = WSF_PEERS_MAX;
    uint64_t best_rank = 0;
    for (unsigned i; (i = wsf_peers_pop(&peers)) < WSF_PEERS_MAX;) {
        uint64_t rank = wsf_placement_rank(hash, core->peers[i].status.place_hash);
        if (wsf_keeper_can_be_asked(core, &core->peers[i]) &&
            (best == WSF_PEERS_MAX || rank > best_rank)) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

#endif
