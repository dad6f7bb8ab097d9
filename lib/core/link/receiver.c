/* Answers for what comes out of frames, in the order of their numbers. */
#include "core/link/receiver.h"

#include "core/handshake.h"
#include "core/link/sender.h"
#include "core/presence/sync.h"
#include "core/routing/router.h"
#include "core/rpc/client.h"
#include "core/rpc/server.h"
#include "core/status.h"

static void tell_gap(wsf_core *core, wsf_peer *peer, uint64_t count, uint64_t reason) {
    peer->stats.gap_in += count;
    core->stats.gaps += count;
    bool known = reason >= WSFAN_GAP_PEER_QUEUE && reason <= WSFAN_GAP_AWAY;
    wsfan_gap gap = { peer->node, peer->name, count,
                      known ? (wsfan_gap_reason)reason : WSFAN_GAP_LINK };
    core->effects.gap(core->effects.user, &gap);
}

static void merge_clock(wsf_core *core, uint64_t clock, wsf_now now) {
    /* A peer whose clock is far ahead must not carry ours away. */
    enum { AHEAD_MS_MAX = 60000 };
    if (clock > core->clock && clock >> 16 <= now.wall_ms + AHEAD_MS_MAX)
        core->clock = clock;
}

/* A large payload stays where it is, unless it would keep a frame of many messages, or the bytes
 * before it are too few for what the host writes there. A second part has no other message in it. */
static bool stays_in_frame(const wsf_core *core, const wsf_entry *entry, const wsf_buffer *frame) {
    enum { SHARE_MIN = 16 };
    return (entry->message.apart || (entry->message.payload.size >= WSF_SLICE_MIN &&
                                     frame->size / entry->message.payload.size < SHARE_MIN)) &&
           entry->message.head_size >= core->config.headroom_bytes;
}

static wsfan_message *make_message(wsf_core *core, const wsf_entry *entry, wsf_buffer *frame) {
    wsf_message_parts parts = {
        .targets = entry->message.targets,
        .targets_count = entry->message.targets_count,
        .headroom_size = core->config.headroom_bytes,
        .payload = entry->message.payload,
        .flags = entry->message.flags & WSFAN_BINARY,
        .except = entry->message.except,
        .slot = entry->message.slot,
    };
    if (stays_in_frame(core, entry, frame))
        return wsf_message_slice(&core->key, &parts, entry->message.apart ? frame->rest : frame);
    size_t need = wsf_message_need(&parts);
    if (need <= WSF_MESSAGE_SMALL)
        return wsf_message_make(&core->pool, &parts, need);
    return wsf_message_new(&core->key, &parts);
}

static void take_message(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                         wsf_now now) {
    core->stats.received++;
    peer->stats.messages_in++;
    peer->stats.payload_bytes_in += entry->message.payload.size;
    merge_clock(core, entry->message.clock, now);
    bool repeated = entry->message.repeated && core->repeats;
    core->repeats = false;
    /* Of a repeated one the targets were acceptable a moment ago. */
    if (entry->message.payload.size > core->config.payload_bytes_max ||
        (!repeated &&
         !wsf_router_acceptable(core, entry->message.targets, entry->message.targets_count, 0))) {
        wsf_count_drop(core, WSFAN_DROP_TOO_BIG, 1);
        tell_gap(core, peer, 1, WSFAN_GAP_TOO_BIG);
        return;
    }
    wsfan_message *message = NULL;
    if (repeated)
        message = wsf_message_repeat(&core->pool, entry->message.payload);
    repeated = message != NULL;
    if (message == NULL)
        message = make_message(core, entry, frame);
    if (message == NULL) {
        wsf_count_drop(core, WSFAN_DROP_INBOX, 1);
        tell_gap(core, peer, 1, WSFAN_GAP_INBOX);
        return;
    }
    message->id = (wsfan_message_id){ entry->message.clock, peer->node };
    core->repeats = message == core->pool.last && message->slot == 0;
    if (!repeated) { /* else nothing has changed in between */
        uint64_t peers;
        wsf_router_find(core, message, &core->repeats_loops, &peers);
    }
    if (core->repeats_loops == 0)
        wsf_count_drop(core, WSFAN_DROP_UNWANTED, 1);
    wsf_router_deliver(core, message, core->repeats_loops);
}

static void take_interest(wsf_core *core, wsf_peer *peer, const wsf_entry *entry) {
    unsigned index = wsf_peer_index(core, peer);
    const uint8_t *adds = entry->interest.adds.data;
    const uint8_t *removes = entry->interest.removes.data;
    if ((entry->interest.flags & WSF_SNAPSHOT_BEGIN) != 0) {
        wsf_interest_forget_peer(&core->interest, index);
        core->complete &= ~wsf_peer_bit(core, peer);
        peer->subscription.overflow = false;
    }
    for (size_t i = 0; i < entry->interest.adds.size; i += 8) {
        uint64_t hash = wsf_get_u64(adds + i);
        if (hash == 0 || wsf_interest_add_peer(&core->interest, hash, index) == WSFAN_OK)
            continue;
        wsf_count_drop(core, WSFAN_DROP_LIMIT, 1);
        peer->subscription.overflow = true; /* it is sent everything instead */
    }
    for (size_t i = 0; i < entry->interest.removes.size; i += 8)
        wsf_interest_remove_peer(&core->interest, wsf_get_u64(removes + i), index);
    if ((entry->interest.flags & WSF_SNAPSHOT_END) != 0)
        core->complete |= wsf_peer_bit(core, peer);
    if (peer->subscription.overflow)
        core->complete &= ~wsf_peer_bit(core, peer);
    wsf_presence_sync_take_interest(core, peer, entry);
    peer->ack_ms = 0; /* a join waits for this acknowledgement */
}

/* False when the peer is gone after this entry. */
static bool take_numbered_entry(wsf_core *core, wsf_peer *peer, const wsf_entry *entry,
                                wsf_buffer *frame, wsf_now now) {
    switch (entry->type) {
    case WSF_MESSAGE:
        take_message(core, peer, entry, frame, now);
        return true;
    case WSF_INTEREST:
        take_interest(core, peer, entry);
        return true;
    case WSF_PRESENCE:
        wsf_presence_sync_take_rows(core, peer, entry);
        return true;
    case WSF_PEERS:
        for (uint32_t i = 0; i < entry->peers.count; i++)
            wsf_handshake_known(core, &entry->peers.list[i], now);
        return true;
    case WSF_LOST:
        if (entry->lost.count > 0 || entry->lost.reason == WSFAN_GAP_AWAY)
            tell_gap(core, peer, entry->lost.count, entry->lost.reason);
        return true;
    case WSF_STATUS:
        wsf_status_take(core, peer, &entry->node_status);
        return true;
    case WSF_REQUEST:
        wsf_rpc_server_take(core, peer, entry, now);
        return true;
    case WSF_REPLY:
        wsf_rpc_client_take(core, peer, entry);
        return true;
    case WSF_BYE:
        wsf_handshake_drop(core, peer, WSFAN_REASON_BYE);
        return false;
    default:
        wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        return true;
    }
}

static void take_numbered(wsf_core *core, wsf_peer *peer, wsf_buffer *frame, wsf_now now) {
    wsf_entry entry;
    int more;
    if (peer->ack_ms == UINT64_MAX)
        peer->ack_ms = now.ms + WSF_ACK_DELAY_MS;
    peer->unacked_bytes += wsf_buffer_bytes(frame);
    if (peer->unacked_bytes >= core->config.link.window_bytes / 8) {
        peer->unacked_bytes = 0;
        peer->ack_ms = 0; /* the sender's window may be smaller than what waits for the delay */
    }
    while ((more = wsf_reader_next(core->reader, &entry)) != 0) {
        if (more == 1) {
            if (!take_numbered_entry(core, peer, &entry, frame, now))
                return;
            continue;
        }
        /* The frame counts as received, so what this entry held is lost, and said to be. */
        wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        tell_gap(core, peer, 1, WSFAN_GAP_LINK);
    }
}

/* Each time it may tell us all that it has, and each word of it may be wrong again. */
static bool may_ask_again(wsf_peer *peer, wsf_now now) {
    if (now.ms < peer->ask_again_ms)
        return false; /* the next heartbeat shows the difference again */
    peer->ask_again_ms = now.ms + WSF_ANEW_INTERVAL_MS;
    return true;
}

/* The peer has told us everything up to the newest frame, and we have that frame: then what we hold
 * of its interest is what it has, or something went wrong that nobody noticed. A RESYNC may be lost: the
 * interest stays incomplete, so the next heartbeat is reason enough for another one. */
static void compare_interest(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_now now) {
    uint64_t digest = core->interest.peer_digests[wsf_peer_index(core, peer)];
    bool complete = (core->complete & wsf_peer_bit(core, peer)) != 0;
    bool told_all = entry->heartbeat.has_digest &&
                    entry->heartbeat.newest == peer->link.in_expected - 1;
    if (peer->subscription.overflow) {
        if (core->interest.remote_count > core->interest.remote_count_max / 2)
            return; /* it is sent everything until there is room again */
    } else if (!told_all || (complete && digest == entry->heartbeat.digest)) {
        return;
    }
    if (!may_ask_again(peer, now))
        return;
    peer->subscription.overflow = false;
    peer->stats.interest_mended += complete;
    if (complete)
        peer->link.lost_unknown = true; /* it may have lacked what went to others until now */
    core->complete &= ~wsf_peer_bit(core, peer); /* until it has told us, it is sent everything */
    wsf_sender_ask_again(core, peer, WSF_RESYNC, now);
}

static void take_heartbeat(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                           const wsf_entry *entry, wsf_now now) {
    if (head->epoch != peer->link.in_epoch)
        return;
    wsf_link_note_newest(&peer->link, entry->heartbeat.newest);
    compare_interest(core, peer, entry, now);
}

static void take_loose_entry(wsf_core *core, const wsf_frame_head *head, const wsf_entry *entry,
                             wsf_now now) {
    wsf_peer *peer = wsf_handshake_find(core, head->sender);
    if (entry->type == WSF_HELLO) {
        wsf_handshake_hello(core, head->sender, &entry->hello, now);
    } else if (entry->type == WSF_REFUSE) {
        wsf_handshake_refused(core, peer, head->sender, entry->refuse, now);
    } else if (peer != NULL && entry->type == WSF_HELLO_ACK) {
        wsf_handshake_hello_ack(core, peer, head, entry->hello_ack, now);
    } else if (peer != NULL && peer->linked && entry->type == WSF_HEARTBEAT) {
        take_heartbeat(core, peer, head, entry, now);
    } else if (peer != NULL && peer->linked && head->ack_epoch == peer->link.epoch &&
               entry->type == WSF_NACK) {
        /* Each of them may ask for a whole window, and costs its sender nothing. */
        for (uint32_t i = 0; i < entry->nack.count && now.ms >= peer->repair_ms; i++)
            wsf_link_ask_again(&peer->link, entry->nack.ranges[i]);
        if (now.ms >= peer->repair_ms)
            peer->repair_ms = now.ms + WSF_REPAIR_INTERVAL_MS;
    } else if (peer != NULL && peer->linked && head->ack_epoch == peer->link.epoch &&
               entry->type == WSF_RESYNC) {
        peer->subscription.again = true;
    } else if (peer != NULL && peer->linked && head->epoch == peer->link.in_epoch &&
               entry->type == WSF_PRESENCE_SUM) {
        if (!wsf_presence_sync_take_sum(core, peer, &entry->presence_sum) &&
            may_ask_again(peer, now))
            wsf_sender_ask_again(core, peer, WSF_PRESENCE_RESYNC, now);
    } else if (peer != NULL && peer->linked && head->ack_epoch == peer->link.epoch &&
               entry->type == WSF_PRESENCE_RESYNC) {
        peer->presence.again = true;
    } else {
        wsf_count_drop(core, WSFAN_DROP_STRANGER, 1);
    }
}

static void take_loose(wsf_core *core, uint32_t connection, const wsf_frame_head *head,
                       wsf_now now) {
    wsf_entry entry;
    int more;
    bool introduced = false;
    while ((more = wsf_reader_next(core->reader, &entry)) != 0) {
        if (more != 1) {
            wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
            continue;
        }
        introduced = introduced || entry.type == WSF_HELLO || entry.type == WSF_REFUSE;
        take_loose_entry(core, head, &entry, now);
    }
    if (!introduced && wsf_handshake_find(core, head->sender) == NULL)
        wsf_handshake_unknown(core, connection, head->sender, now);
}

static void take_acknowledgement(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                                 wsf_now now) {
    uint64_t before = peer->link.acked;
    if (!peer->linked)
        return;
    if (!wsf_link_acknowledge(&peer->link, head->ack_epoch, head->ack,
                              &peer->subscription.serial_acked))
        wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
    if (peer->link.acked > before)
        peer->progress_ms = now.ms;
    if (peer->subscription.serial_skipped != 0 &&
        peer->subscription.serial_acked >= peer->subscription.serial_skipped) {
        peer->subscription.serial_skipped = 0;
        tell_gap(core, peer, 0, WSFAN_GAP_AWAY);
    }
    core->delivery.dirty = core->delivery.dirty || peer->link.receipts_acked;
    peer->link.receipts_acked = false;
}

/* Whose turn has come by the frame that was just taken. The peer may part in any of them. */
static void take_held(wsf_core *core, uint64_t node, wsf_now now) {
    wsf_peer *peer;
    wsf_buffer *frame;
    while ((peer = wsf_handshake_find(core, node)) != NULL &&
           (frame = wsf_link_held(&peer->link)) != NULL) {
        wsf_frame_head head;
        if (wsf_reader_open(core->reader, frame, core->config.node, &head) != WSFAN_OK) {
            wsf_link_drop_held(&peer->link); /* no memory to read it: it will come again */
            return;
        }
        wsf_buffer_ref(frame);
        wsf_link_take_held(&peer->link);
        take_numbered(core, peer, frame, now);
        wsf_buffer_unref(frame);
    }
}

static bool speaks(const wsf_core *core, const wsf_frame_head *head) {
    return head->version >= core->config.protocol_min && head->version <= core->config.protocol_max;
}

void wsf_receiver_take(wsf_core *core, uint32_t connection, const wsf_frame_head *head,
                       wsf_buffer *frame, wsf_now now) {
    wsf_peer *peer = wsf_handshake_find(core, head->sender);
    if (peer != NULL) {
        peer->stats.frames_in++;
        peer->stats.bytes_in += wsf_buffer_bytes(frame);
        take_acknowledgement(core, peer, head, now);
        if (head->epoch != 0) /* else it has no link with us: it refuses */
            wsf_handshake_heard(core, peer, now);
    }
    if (head->number == 0) {
        take_loose(core, connection, head, now);
        return;
    }
    if (peer == NULL) {
        wsf_handshake_unknown(core, connection, head->sender, now);
        return;
    }
    if (!speaks(core, head)) {
        wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        return;
    }
    wsf_receive verdict = WSF_RECEIVE_FOREIGN;
    if (peer->linked)
        verdict = wsf_link_receive(&peer->link, head->epoch, head->number, frame);
    switch (verdict) {
    case WSF_RECEIVE_NEXT:
        peer->nack_interval_ms = WSF_NACK_INTERVAL_MS;
        if (peer->forgotten) /* only from the first frame on it publishes for us again */
            tell_gap(core, peer, 0, WSFAN_GAP_AWAY);
        peer->forgotten = false;
        take_numbered(core, peer, frame, now);
        take_held(core, head->sender, now);
        break;
    case WSF_RECEIVE_DUPLICATE:
        wsf_count_drop(core, WSFAN_DROP_DUPLICATE, 1);
        peer->ack_ms = 0; /* our acknowledgement was lost */
        break;
    case WSF_RECEIVE_HELD:
        break;
    case WSF_RECEIVE_NO_ROOM:
        wsf_count_drop(core, WSFAN_DROP_GAP, 1);
        break;
    case WSF_RECEIVE_FOREIGN:
        wsf_count_drop(core, WSFAN_DROP_STRANGER, 1);
        break;
    }
}
