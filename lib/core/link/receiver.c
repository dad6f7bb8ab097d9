/* Answers for what comes out of frames, in the order of their numbers. */
#include "core/link/receiver.h"

#include "core/handshake.h"
#include "core/link/gaps.h"
#include "core/part.h"

/* False when the peer is gone after this entry. */
static bool take_numbered_entry(wsf_core *core, wsf_peer *peer, const wsf_entry *entry,
                                wsf_buffer *frame, wsf_now now) {
    if (entry->type == WSF_BYE) {
        wsf_handshake_drop(core, peer, WSFAN_REASON_BYE);
        return false;
    }
    const wsf_part *part = core->takers[entry->type]; /* the reader gives known types only */
    if (part != NULL)
        return part->take(core, peer, entry, frame, now);
    wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
    return true;
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
        wsf_gaps_tell(core, peer, 1, WSFAN_GAP_LINK);
    }
}

/* It may ask for a whole window each time, which costs it nothing. */
static void take_nack(wsf_peer *peer, const wsf_entry *entry, wsf_now now) {
    if (now.ms < peer->repair_ms)
        return;
    for (uint32_t i = 0; i < entry->nack.count; i++)
        wsf_link_ask_again(&peer->link, entry->nack.ranges[i]);
    peer->repair_ms = now.ms + WSF_REPAIR_INTERVAL_MS;
}

/* About the stream that the peer sends us. False: it is not. */
static bool take_of_its_stream(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                               const wsf_entry *entry, wsf_now now) {
    uint32_t type = wsf_part_type(entry->type);
    bool present = head->epoch == peer->link.in_epoch;
    if (present && entry->type == WSF_HEARTBEAT)
        wsf_link_note_newest(&peer->link, entry->heartbeat.newest);
    for (unsigned i = 0; core->parts[i] != NULL; i++) {
        if ((core->parts[i]->loose_types & type) == 0)
            continue;
        if (present)
            core->parts[i]->take_loose(core, peer, entry, now);
        return present || entry->type == WSF_HEARTBEAT; /* heartbeats of an old one are usual */
    }
    return false;
}

/* About the stream that we send the peer. False: it is not. */
static bool take_of_our_stream(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                               const wsf_entry *entry, wsf_now now) {
    if (head->ack_epoch != peer->link.epoch)
        return false;
    if (entry->type == WSF_NACK) {
        take_nack(peer, entry, now);
        return true;
    }
    for (unsigned i = 0; core->parts[i] != NULL; i++) {
        if (core->parts[i]->resync != entry->type)
            continue;
        peer->anew |= UINT32_C(1) << i;
        return true;
    }
    return false;
}

static void take_loose_entry(wsf_core *core, const wsf_frame_head *head, const wsf_entry *entry,
                             wsf_now now) {
    wsf_peer *peer = wsf_handshake_find(core, head->sender);
    if (entry->type == WSF_HELLO)
        wsf_handshake_hello(core, head->sender, &entry->hello, now);
    else if (entry->type == WSF_REFUSE)
        wsf_handshake_refused(core, peer, head->sender, entry->refuse, now);
    else if (peer != NULL && entry->type == WSF_HELLO_ACK)
        wsf_handshake_hello_ack(core, peer, head, entry->hello_ack, now);
    else if (peer == NULL || !peer->linked ||
             (!take_of_its_stream(core, peer, head, entry, now) &&
              !take_of_our_stream(core, peer, head, entry, now)))
        wsf_count_drop(core, WSFAN_DROP_STRANGER, 1);
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
        wsf_gaps_tell(core, peer, 0, WSFAN_GAP_AWAY);
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
            wsf_gaps_tell(core, peer, 0, WSFAN_GAP_AWAY);
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
