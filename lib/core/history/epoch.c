/* Answers for the epoch of the cluster, which begins with its first node and ends with its last: then nobody keeps
 * anything, and clocks may have been set back, so that a position from before would claim messages that are yet to be
 * published.
 *
 * A node that is ready and has not been told of an epoch makes one. Nodes tell theirs in STATUS, and of two the older one is
 * that of both. A peer whose clock is far from ours is not believed, as its epoch may be older than it is. */
#include "core/history/epoch.h"

#include "core/status.h"

static bool is_older(const wsf_cluster_epoch *a, const wsf_cluster_epoch *b) {
    if (a->number == 0 || b->number == 0)
        return a->number != 0;
    return a->birth_ms < b->birth_ms || (a->birth_ms == b->birth_ms && a->number < b->number);
}

/* How far a peer's clock is, its first mark tells. */
static bool is_doubtful(const wsf_peer *peer) {
    return !peer->witness.heard && !peer->witness.refused;
}

static bool is_believed(const wsf_peer *peer, wsf_now now) {
    return peer->witness.heard && !peer->witness.refused &&
           (peer->witness.heard_clock >> 16) + WSF_CLOCK_APART_MS_MAX >= now.wall_ms &&
           peer->status.cluster_epoch.birth_ms <= now.wall_ms + WSF_CLOCK_APART_MS_MAX;
}

/* The oldest one that this node may have. *doubtful: that of a peer may be, but nobody knows yet. A node that has one looks only
 * at peers that have said something since. */
static wsf_cluster_epoch find_oldest(const wsf_core *core, wsf_now now, bool *doubtful) {
    wsf_cluster_epoch oldest = core->cluster_epoch;
    *doubtful = false;
    wsf_peers linked = oldest.number == 0 ? core->linked
                                          : wsf_peers_intersection(core->linked, core->stirred);
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;) {
        if (!wsf_peer_live(peer) || peer->witness.origin == NULL ||
            !is_older(&peer->status.cluster_epoch, &oldest))
            continue;
        if (is_believed(peer, now))
            oldest = peer->status.cluster_epoch;
        else
            *doubtful = *doubtful || is_doubtful(peer);
    }
    return oldest;
}

void wsf_epoch_tick(wsf_core *core, wsf_now now) {
    bool doubtful;
    if (core->config.history_ms == 0)
        return;
    wsf_cluster_epoch oldest = find_oldest(core, now, &doubtful);
    if (oldest.number == 0 && core->status.ready && !doubtful)
        oldest = (wsf_cluster_epoch){ wsf_random(core), now.wall_ms };
    if (oldest.number == core->cluster_epoch.number)
        return;
    core->cluster_epoch = oldest;
    wsf_status_tell(core);
}
