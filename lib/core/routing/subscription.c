/* Answers for INTEREST. A peer is sent a snapshot when a link begins, and then the changes; the interest
 * of a peer is noted. Heartbeats carry a digest, by which the receiver checks what it holds. */
#include "core/routing/subscription.h"

#include "core/link/sender.h"
#include "core/presence/sync.h"
#include "core/witness.h"

enum { HASHES_COUNT_MAX = WSF_BATCH_HASHES_COUNT_MAX };

/* -------------------------------------------------------------------------------------- our own */

static void plan_deltas(const wsf_core *core, wsf_batch *batch) {
    const wsf_interest *interest = &core->interest;
    while (batch->subscription.log_serial < interest->serial &&
           batch->subscription.adds_count < HASHES_COUNT_MAX &&
           batch->subscription.removes_count < HASHES_COUNT_MAX) {
        uint64_t hash = wsf_interest_log_at(interest, ++batch->subscription.log_serial);
        uint64_t loops;
        wsf_peers peers;
        /* The present state, not that of the entry: a later entry of the same hash says the same. */
        wsf_interest_find(interest, hash, &loops, &peers);
        if (loops != 0)
            wsf_put_u64(batch->subscription.adds + 8 * batch->subscription.adds_count++, hash);
        else
            wsf_put_u64(batch->subscription.removes + 8 * batch->subscription.removes_count++,
                        hash);
    }
}

static void plan_snapshot(const wsf_core *core, wsf_batch *batch) {
    while (batch->subscription.adds_count < HASHES_COUNT_MAX) {
        uint64_t hash = wsf_interest_next_local(&core->interest,
                                                &batch->subscription.snapshot_cursor);
        if (hash == 0) {
            batch->subscription.flags |= WSF_SNAPSHOT_END;
            break;
        }
        wsf_put_u64(batch->subscription.adds + 8 * batch->subscription.adds_count++, hash);
    }
}

static void restart(wsf_core *core, wsf_peer *peer) {
    (void)core;
    peer->subscription.snapshot_begun = peer->subscription.snapshot_done = false;
    peer->subscription.snapshot_cursor = 0;
}

static bool plan(wsf_core *core, wsf_peer *peer, wsf_batch *batch) {
    if (!wsf_interest_log_has(&core->interest, peer->subscription.log_serial))
        restart(core, peer);
    batch->subscription.log_serial = peer->subscription.log_serial;
    batch->subscription.snapshot_cursor = peer->subscription.snapshot_cursor;
    batch->subscription.flags = 0;
    batch->subscription.adds_count = batch->subscription.removes_count = 0;
    if (!peer->subscription.snapshot_begun) {
        batch->subscription.flags |= WSF_SNAPSHOT_BEGIN;
        batch->subscription.log_serial = core->interest.serial;
    }
    plan_deltas(core, batch);
    bool any = batch->subscription.flags != 0 ||
               batch->subscription.adds_count + batch->subscription.removes_count > 0;
    /* A long snapshot leaves half of the window to messages. */
    if (!peer->subscription.snapshot_done &&
        peer->link.sent_bytes < peer->link.limits.window_bytes / 2) {
        plan_snapshot(core, batch);
        any = true;
    }
    bool told_all = peer->subscription.snapshot_done ||
                    (batch->subscription.flags & WSF_SNAPSHOT_END) != 0;
    batch->subscription.with_serial = core->sync.used && told_all;
    if (!any && (!batch->subscription.with_serial || peer->subscription.asked))
        return false;
    batch->bound += WSF_ENTRY_BOUND + 8 * ((size_t)batch->subscription.adds_count +
                                           batch->subscription.removes_count);
    return true;
}

static void write(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer) {
    (void)core;
    (void)peer;
    wsf_write_interest(
        writer, batch->subscription.flags,
        (wsfan_bytes){ batch->subscription.adds, (size_t)8 * batch->subscription.adds_count },
        (wsfan_bytes){ batch->subscription.removes, (size_t)8 * batch->subscription.removes_count },
        batch->subscription.with_serial ? &batch->subscription.log_serial : NULL);
}

static void commit(wsf_core *core, wsf_peer *peer, const wsf_batch *batch) {
    (void)core;
    peer->subscription.log_serial = batch->subscription.log_serial;
    peer->subscription.snapshot_cursor = batch->subscription.snapshot_cursor;
    if ((batch->subscription.flags & WSF_SNAPSHOT_BEGIN) != 0)
        peer->subscription.snapshot_begun = true;
    if ((batch->subscription.flags & WSF_SNAPSHOT_END) != 0) {
        peer->subscription.snapshot_done = true;
        peer->subscription.snapshot_number = peer->link.next - 1;
    }
    if (batch->subscription.with_serial)
        peer->subscription.asked = true;
}

/* ------------------------------------------------------------------------------------- a peer's */

static bool take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now) {
    (void)frame;
    unsigned index = wsf_peer_index(core, peer);
    const uint8_t *adds = entry->interest.adds.data;
    const uint8_t *removes = entry->interest.removes.data;
    if ((entry->interest.flags & WSF_SNAPSHOT_BEGIN) != 0) {
        wsf_interest_forget_peer(&core->interest, index);
        wsf_peers_remove(&core->complete, index);
        peer->subscription.overflow = false;
    }
    for (size_t i = 0; i < entry->interest.adds.size; i += 8) {
        uint64_t hash = wsf_get_u64(adds + i);
        if (hash == 0 || wsf_interest_add_peer(&core->interest, hash, index) == WSFAN_OK)
            continue;
        wsf_count_drop(core, WSFAN_DROP_LIMIT, 1);
        peer->subscription.overflow = true; /* the peer is sent every message instead */
    }
    for (size_t i = 0; i < entry->interest.removes.size; i += 8)
        wsf_interest_remove_peer(&core->interest, wsf_get_u64(removes + i), index);
    if (peer->subscription.overflow || (entry->interest.flags & WSF_SNAPSHOT_END) != 0)
        wsf_peers_put(&core->complete, index, !peer->subscription.overflow);
    wsf_presence_sync_take_interest(core, peer, entry);
    wsf_witness_hurry(peer, now);
    peer->ack_ms = 0; /* a join waits for this acknowledgement */
    return true;
}

/* A heartbeat with a digest says that the peer's interest is completely told in frames up to its newest.
 * If all these have arrived and the digests differ, an error went unnoticed: RESYNC asks for a snapshot. A
 * lost RESYNC is repeated, since the interest stays incomplete until then and each heartbeat leads here. */
static void compare(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                    const wsf_entry *entry, wsf_now now) {
    (void)head;
    unsigned index = wsf_peer_index(core, peer);
    uint64_t digest = core->interest.peer_digests[index];
    bool complete = wsf_peers_has(core->complete, index);
    bool told_all = entry->heartbeat.has_digest &&
                    entry->heartbeat.newest == peer->link.in_expected - 1;
    if (peer->subscription.overflow) {
        if (core->interest.remote_count > core->interest.remote_count_max / 2)
            return; /* the peer is sent every message until there is room again */
    } else if (!told_all || (complete && digest == entry->heartbeat.digest)) {
        return;
    }
    if (!wsf_sender_may_ask_again(peer, now))
        return;
    peer->subscription.overflow = false;
    peer->stats.interest_mended += complete;
    if (complete) { /* the peer may have missed messages */
        peer->link.lost_unknown = true;
        peer->link.lost_clock = core->clock;
    }
    wsf_peers_remove(&core->complete, index); /* every message is sent until then */
    wsf_sender_ask_again(core, peer, WSF_RESYNC, now);
}

/* Until the peer has our snapshot it sends every message, so the log up to now counts as acknowledged. */
static void link(wsf_core *core, wsf_peer *peer) {
    wsf_peers_remove(&core->complete, wsf_peer_index(core, peer));
    restart(core, peer);
    peer->subscription.log_serial = core->interest.serial;
    peer->subscription.serial_acked = core->interest.serial;
    peer->subscription.serial_skipped = 0;
    peer->subscription.snapshot_number = 0;
    peer->subscription.asked = false;
}

static void unlink(wsf_core *core, wsf_peer *peer) {
    wsf_peers_remove(&core->complete, wsf_peer_index(core, peer));
    wsf_interest_forget_peer(&core->interest, wsf_peer_index(core, peer));
}

const wsf_part wsf_subscription_part = {
    .types = UINT32_C(1) << WSF_INTEREST,
    .take = take,
    .loose_types = UINT32_C(1) << WSF_HEARTBEAT,
    .take_loose = compare,
    .reserve_bytes = WSF_PART_CONTROL,
    .plan = plan,
    .write = write,
    .commit = commit,
    .resync = WSF_RESYNC,
    .restart = restart,
    .link = link,
    .unlink = unlink,
};
