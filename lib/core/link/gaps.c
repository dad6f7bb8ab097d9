/* Answers for LOST: messages that this node did not send, told to the peer, and those of a peer, to the
 * host. */
#include "core/link/gaps.h"

#include "base/probes.h"
#include "core/origin.h"

void wsf_gaps_tell(wsf_core *core, wsf_peer *peer, uint64_t count, uint64_t reason,
                   uint64_t clock) {
    wsf_origin_gap(core, peer, clock);
    peer->stats.gap_in += count;
    core->stats.gaps += count;
    WSF_PROBE4(gap, core->config.node, peer->node, count, reason);
    bool known = reason >= WSFAN_GAP_PEER_QUEUE && reason <= WSFAN_GAP_AWAY;
    wsfan_gap gap = { peer->node, peer->name, count,
                      known ? (wsfan_gap_reason)reason : WSFAN_GAP_LINK };
    core->effects.gap(core->effects.user, &gap);
}

static bool take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now) {
    (void)frame;
    wsf_clock_merge(core, entry->lost.clock, now);
    if (entry->lost.count > 0 || entry->lost.reason == WSFAN_GAP_AWAY)
        wsf_gaps_tell(core, peer, entry->lost.count, entry->lost.reason, entry->lost.clock);
    return true;
}

static bool plan(wsf_core *core, wsf_peer *peer, wsf_batch *batch) {
    (void)core;
    const wsf_link *link = &peer->link;
    batch->gaps.lost = link->lost;
    batch->gaps.too_big = link->lost_too_big;
    batch->gaps.unknown = link->lost_unknown;
    if (link->lost == 0 && link->lost_too_big == 0 && !link->lost_unknown)
        return false;
    batch->bound += 3 * WSF_ENTRY_BOUND;
    return true;
}

static void write(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer) {
    (void)core;
    bool marks = (peer->features & WSF_FEATURE_MARKS) != 0;
    uint64_t clock = marks ? peer->link.lost_clock : 0;
    if (batch->gaps.lost > 0)
        wsf_write_lost(writer, batch->gaps.lost, WSFAN_GAP_PEER_QUEUE, clock);
    if (batch->gaps.too_big > 0)
        wsf_write_lost(writer, batch->gaps.too_big, WSFAN_GAP_TOO_BIG, clock);
    if (batch->gaps.unknown)
        wsf_write_lost(writer, 0, WSFAN_GAP_AWAY, clock);
}

static void commit(wsf_core *core, wsf_peer *peer, const wsf_batch *batch) {
    (void)core;
    peer->link.lost -= batch->gaps.lost;
    peer->link.lost_too_big -= batch->gaps.too_big;
    peer->link.lost_unknown = peer->link.lost_unknown && !batch->gaps.unknown;
}

const wsf_part wsf_gaps_part = {
    .types = UINT32_C(1) << WSF_LOST,
    .take = take,
    .reserve_bytes = WSF_PART_CONTROL,
    .plan = plan,
    .write = write,
    .commit = commit,
};
