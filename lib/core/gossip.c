/* Answers for PEERS: each peer is told once of each other that is up, and of some of them again after some time. */
#include "core/gossip.h"

#include "core/dialer.h"

/* A peer's word is a reason to dial the node that it tells of, no more. */
static void take_one(wsf_core *core, const wsf_known_peer *known, wsf_now now) {
    if (known->node == core->config.node || wsf_peer_find(core, known->node) != NULL)
        return;
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    wsf_copy_text(endpoint, sizeof endpoint, known->endpoint);
    /* If the table is full, the peer tells of it again. */
    (void)wsf_dialer_gossip(core, endpoint, known->node, false, now);
}

static bool take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now) {
    (void)peer;
    (void)frame;
    for (uint32_t i = 0; i < entry->peers.count; i++)
        take_one(core, &entry->peers.list[i], now);
    return true;
}

static bool plan(wsf_core *core, wsf_peer *peer, wsf_batch *batch) {
    wsf_peers untold = wsf_peers_difference(core->linked, peer->gossip.told);
    batch->gossip.told = peer->gossip.told;
    batch->gossip.count = 0;
    const wsf_peer *other;
    while (batch->gossip.count < WSF_KNOWN_PEERS_MAX &&
           (other = wsf_peer_next(core, &untold)) != NULL) {
        if (other == peer || other->state != WSFAN_PEER_UP)
            continue;
        batch->gossip.list[batch->gossip.count++] = (wsf_known_peer){
            other->node, wsfan_string(other->endpoint)
        };
        wsf_peers_add(&batch->gossip.told, wsf_peer_index(core, other));
        batch->bound += WSF_KNOWN_PEER_BOUND;
    }
    if (batch->gossip.count == 0)
        return false;
    batch->bound += WSF_ENTRY_BOUND;
    return true;
}

static void write(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer) {
    (void)core;
    (void)peer;
    wsf_write_peers(writer, batch->gossip.list, batch->gossip.count);
}

static void commit(wsf_core *core, wsf_peer *peer, const wsf_batch *batch) {
    (void)core;
    peer->gossip.told = batch->gossip.told;
}

static void link(wsf_core *core, wsf_peer *peer) {
    peer->gossip.told = (wsf_peers){ 0 };
    peer->gossip.told_ms = core->now_ms;
}

enum { TOLD_AGAIN = 16 };

/* Peers are told of some again from time to time: two nodes that have forgotten only each other meet again, since all others tell
 * them, of some each. */
static void tell_again(wsf_core *core, wsf_peer *peer) {
    wsf_peers told = peer->gossip.told;
    unsigned left = wsf_peers_count(told);
    unsigned wanted = left < TOLD_AGAIN ? left : TOLD_AGAIN;
    for (unsigned i; (i = wsf_peers_pop(&told)) < WSF_PEERS_MAX; left--) {
        if (wsf_random(core) % left >= wanted)
            continue;
        wsf_peers_remove(&peer->gossip.told, i);
        wanted--;
    }
}

static void tick(wsf_core *core, wsf_now now) {
    uint32_t again_ms = core->config.forget_ms / 4;
    if (now.ms < core->gossip_ms)
        return;
    core->gossip_ms = now.ms + again_ms;
    wsf_peers linked = core->linked;
    for (wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;) {
        if (now.ms - peer->gossip.told_ms >= again_ms) {
            peer->gossip.told_ms = now.ms;
            tell_again(core, peer);
            wsf_peer_stir(core, peer);
        }
        if (peer->gossip.told_ms + again_ms < core->gossip_ms)
            core->gossip_ms = peer->gossip.told_ms + again_ms;
    }
}

const wsf_part wsf_gossip_part = {
    .types = UINT32_C(1) << WSF_PEERS,
    .take = take,
    .reserve_bytes = WSF_PART_CONTROL,
    .plan = plan,
    .write = write,
    .commit = commit,
    .link = link,
    .tick = tick,
};
