/* Answers for received frames: numbered ones in the order of their numbers, loose ones (number 0) at once. */
#include "core/link/receiver.h"

#include "base/probes.h"
#include "core/handshake.h"
#include "core/link/gaps.h"
#include "core/part.h"

/* False: the peer was dropped. */
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
        peer->ack_ms = 0; /* during the delay the peer's window might fill up */
    }
    while ((more = wsf_reader_next(core->reader, &entry)) != 0) {
        if (more == 1) {
            if (!take_numbered_entry(core, peer, &entry, frame, now))
                return;
            continue;
        }
        /* The frame counts as received, so what this entry held is lost, and the host is told so. */
        bool one = more == WSFAN_EINVAL && entry.type != WSF_MESSAGES;
        wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        wsf_gaps_tell(core, peer, one, WSFAN_GAP_LINK, 0);
    }
}

/* Times how long frames of the peer are missing. */
static void note_missing(wsf_core *core, wsf_peer *peer, wsf_now now) {
    uint64_t ms;
    if (!wsf_link_repaired(&peer->link, now.ms, &ms))
        return;
    wsf_histogram_add(&core->repair, ms, 1);
    WSF_PROBE3(repair, core->config.node, peer->node, ms);
}

/* Takes a loose entry about the stream from the peer. False: it is none, or of another epoch; a heartbeat may
 * be of another epoch, and is ignored then. */
static bool take_about_incoming(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                                const wsf_entry *entry, wsf_now now) {
    uint32_t type = wsf_part_type(entry->type);
    bool present = head->epoch == peer->link.in_epoch;
    if (present && entry->type == WSF_HEARTBEAT) {
        wsf_link_note_newest(&peer->link, entry->heartbeat.newest);
        note_missing(core, peer, now);
    }
    for (unsigned i = 0; core->parts[i] != NULL; i++) {
        if ((core->parts[i]->loose_types & type) == 0)
            continue;
        if (present)
            core->parts[i]->take_loose(core, peer, head, entry, now);
        return present || entry->type == WSF_HEARTBEAT;
    }
    return false;
}

/* Takes a nack or resync of the stream to the peer. False: the entry is neither, or of another epoch. */
static bool take_about_outgoing(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                                const wsf_entry *entry, wsf_now now) {
    if (head->ack_epoch != peer->link.epoch)
        return false;
    if (entry->type == WSF_NACK) {
        wsf_link_ask_again(&peer->link, entry->nack.ranges, entry->nack.count, now.ms);
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

/* Handshake entries need no link. Any other is about one of a link's two streams, and dropped without one. */
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
             (!take_about_incoming(core, peer, head, entry, now) &&
              !take_about_outgoing(core, peer, head, entry, now)))
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
        /* A HELLO_ACK is an answer: one that comes late, from a node that was refused since, is none to answer, or
         * two nodes would do so for ever. */
        introduced = introduced || entry.type == WSF_HELLO || entry.type == WSF_HELLO_ACK ||
                     entry.type == WSF_REFUSE;
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
    if (peer->link.acked > before) {
        peer->progress_ms = now.ms;
        wsf_link_progress(&peer->link, now.ms);
    }
    uint64_t ms;
    if (wsf_link_time_end(&peer->link, now.ms, &ms))
        wsf_histogram_add(&peer->round_trip, ms, 1);
    if (peer->subscription.serial_skipped != 0 &&
        peer->subscription.serial_acked >= peer->subscription.serial_skipped) {
        peer->subscription.serial_skipped = 0;
        wsf_gaps_tell(core, peer, 0, WSFAN_GAP_AWAY, 0);
    }
    core->delivery.dirty = core->delivery.dirty || peer->link.receipts_acked;
    peer->link.receipts_acked = false;
}

/* Takes held frames that follow the one just taken. Any frame may drop the peer, so it is looked up each
 * time. */
static void take_held(wsf_core *core, uint64_t node, wsf_now now) {
    wsf_peer *peer;
    wsf_buffer *frame;
    while ((peer = wsf_handshake_find(core, node)) != NULL &&
           (frame = wsf_link_held(&peer->link)) != NULL) {
        wsf_frame_head head;
        if (wsf_reader_open(core->reader, frame, core->config.node, &head) != WSFAN_OK) {
            wsf_link_drop_held(&peer->link); /* no memory to read it: it must come again */
            break;
        }
        wsf_buffer_ref(frame);
        wsf_link_take_held(&peer->link);
        take_numbered(core, peer, frame, now);
        wsf_buffer_unref(frame);
    }
    if (peer != NULL)
        note_missing(core, peer, now);
}

static bool speaks(const wsf_core *core, const wsf_frame_head *head) {
    return head->version >= core->config.protocol_min && head->version <= core->config.protocol_max;
}

void wsf_receiver_take(wsf_core *core, uint32_t connection, const wsf_frame_head *head,
                       wsf_buffer *frame, wsf_now now) {
    wsf_peer *peer = wsf_handshake_find(core, head->sender);
    if (peer != NULL) {
        wsf_peer_stir(core, peer);
        peer->stats.frames_in++;
        peer->stats.bytes_in += wsf_buffer_bytes(frame);
        WSF_PROBE4(frame_received, core->config.node, peer->node, wsf_buffer_bytes(frame),
                   head->number);
        take_acknowledgement(core, peer, head, now);
        if (head->epoch != 0) /* 0: the sender has no link with this node, and refuses */
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
        if (peer->forgotten) /* the gap ends with the first frame of the new link */
            wsf_gaps_tell(core, peer, 0, WSFAN_GAP_AWAY, 0);
        peer->forgotten = false;
        take_numbered(core, peer, frame, now);
        take_held(core, head->sender, now);
        break;
    case WSF_RECEIVE_DUPLICATE:
        wsf_count_drop(core, WSFAN_DROP_DUPLICATE, 1);
        peer->ack_ms = 0; /* our acknowledgement was lost */
        break;
    case WSF_RECEIVE_HELD:
        note_missing(core, peer, now);
        break;
    case WSF_RECEIVE_NO_ROOM:
        wsf_count_drop(core, WSFAN_DROP_GAP, 1);
        note_missing(core, peer, now);
        break;
    case WSF_RECEIVE_FOREIGN:
        wsf_count_drop(core, WSFAN_DROP_STRANGER, 1);
        break;
    }
}
