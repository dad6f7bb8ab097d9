/* Answers for what goes into frames and what comes out of them.
 *
 * Numbered frames carry what must not be lost: messages, interest, peers, lost, bye. Frames without
 * a number carry what is repeated until it has worked: hello, acknowledgements, nacks, heartbeats. */
#include "stream.h"

#include <assert.h>
#include <string.h>

#include "greet.h"

enum {
    FRAME_TARGET_BYTES = 64 * 1024,    /* a frame is closed at this size */
    HASHES_COUNT_MAX = 2048,           /* in one frame, so that messages have a share of it */
    CONTROL_RESERVE_BYTES = 128 * 1024 /* of window, beyond what messages may use */
};

/* ------------------------------------------------------------------------------------- routing */

void wsf_stream_route(const wsf_core *core, const wsfan_message *message, uint64_t *loops,
                      uint64_t *peers) {
    *loops = 0;
    *peers = core->linked & ~core->complete;
    for (uint32_t i = 0; i < message->targets_count; i++) {
        uint64_t more_loops = UINT64_MAX;
        uint64_t more_peers = UINT64_MAX;
        if (message->targets[i].kind != WSFAN_ALL)
            wsf_interest_find(&core->interest, message->targets[i].hash, &more_loops, &more_peers);
        *loops |= more_loops;
        *peers |= more_peers;
    }
    *loops &= core->loops;
    *peers &= core->linked;
}

void wsf_stream_deliver(wsf_core *core, wsfan_message *message, uint64_t loops) {
    for (unsigned loop = 0; loops != 0; loop++, loops >>= 1) {
        if ((loops & 1) == 0)
            continue;
        if (core->effects.deliver(core->effects.user, loop, message))
            core->stats.delivered++;
        else
            wsf_core_count_drop(core, WSFAN_DROP_INBOX, 1);
    }
}

static void count_lost(wsf_core *core, wsf_peer *peer, wsfan_drop reason, uint64_t count) {
    peer->stats.gap_out += count;
    wsf_core_count_drop(core, reason, count);
}

/* A queue that fills while its peer keeps acknowledging means that we publish faster than it can
 * take: publishing waits. A peer that has stalled is not waited for; its queue drops the oldest. */
static void judge_congestion(wsf_core *core, wsf_peer *peer, wsf_now now) {
    uint64_t bit = wsf_peer_bit(core, peer);
    bool keeps_up = peer->reachable && now.ms - peer->progress_ms < WSF_STALL_MS;
    if (keeps_up && wsf_link_crowded(&peer->link))
        core->congested |= bit;
    else
        core->congested &= ~bit;
}

void wsf_stream_enqueue(wsf_core *core, wsf_peer *peer, wsfan_message *message, wsf_now now) {
    if (peer->link.queue.count == 0 && peer->link.sent.count == 0)
        peer->progress_ms = now.ms;
    if (WSF_FRAME_HEAD_BOUND + wsf_message_bound(message) > peer->frame_size_max) {
        peer->link.lost_too_big++;
        count_lost(core, peer, WSFAN_DROP_TOO_BIG, 1);
        return;
    }
    count_lost(core, peer, WSFAN_DROP_LINK_QUEUE, wsf_link_enqueue(&peer->link, message));
    judge_congestion(core, peer, now);
}

/* ------------------------------------------------------------------------------------- sending */

static void send_frame(wsf_core *core, wsf_peer *peer, wsf_buffer *frame, wsf_now now) {
    peer->stats.frames_out++;
    peer->stats.bytes_out += frame->size;
    peer->spoken_ms = now.ms;
    core->effects.send(core->effects.user, frame);
}

static wsf_frame_head head_of(const wsf_core *core, const wsf_peer *peer, uint64_t number) {
    return (wsf_frame_head){
        .version = WSF_PROTOCOL_MAX,
        .sender = core->config.node,
        .epoch = number != 0 ? peer->link.epoch : 0,
        .number = number,
        .ack_epoch = peer->link.in_epoch,
        .ack = peer->link.in_expected - 1,
    };
}

/* A frame without a number: acknowledgement and heartbeat in one. */
static void send_heartbeat(wsf_core *core, wsf_peer *peer, wsf_now now) {
    wsf_buffer *frame = wsf_buffer_new(WSF_FRAME_HEAD_BOUND + 2 * WSF_ENTRY_BOUND);
    if (frame == NULL)
        return;
    wsf_writer writer = { frame->data, frame->capacity, 0 };
    wsf_frame_head head = head_of(core, peer, 0);
    wsf_write_head(&writer, peer->node, &head);
    wsf_write_number(&writer, WSF_HEARTBEAT, peer->link.next - 1);
    if (peer->nack_due)
        wsf_write_number(&writer, WSF_NACK, peer->link.in_expected);
    frame->size = (uint32_t)writer.size;
    send_frame(core, peer, frame, now);
    wsf_buffer_unref(frame);
    if (peer->nack_due)
        peer->nack_ms = now.ms + WSF_NACK_INTERVAL_MS;
    peer->nack_due = false;
    peer->ack_ms = UINT64_MAX;
}

/* What the next numbered frame will hold, gathered before the memory for it is taken. */
typedef struct {
    uint64_t lost;
    uint64_t lost_too_big;
    uint32_t interest_flags;
    bool interest;
    uint32_t adds_count;
    uint32_t removes_count;
    uint8_t adds[HASHES_COUNT_MAX * 8];
    uint8_t removes[HASHES_COUNT_MAX * 8];
    uint64_t log_serial; /* the peer's state after this frame */
    uint32_t snapshot_cursor;
    wsf_known_peer known[WSF_PEERS_ENTRY_COUNT_MAX];
    uint32_t known_count;
    uint64_t told_peers;
    uint32_t messages_count; /* from the front of the queue */
    size_t bound;
    bool bye;
} plan;

static void plan_deltas(const wsf_core *core, plan *p) {
    const wsf_interest *interest = &core->interest;
    while (p->log_serial < interest->serial && p->adds_count < HASHES_COUNT_MAX &&
           p->removes_count < HASHES_COUNT_MAX) {
        uint64_t hash = wsf_interest_log_at(interest, ++p->log_serial);
        uint64_t loops;
        uint64_t peers;
        /* What holds now, not what held then: a later entry of the same hash says the same. */
        wsf_interest_find(interest, hash, &loops, &peers);
        if (loops != 0)
            wsf_put_u64(p->adds + 8 * p->adds_count++, hash);
        else
            wsf_put_u64(p->removes + 8 * p->removes_count++, hash);
        p->interest = true;
    }
}

static void plan_snapshot(const wsf_core *core, plan *p) {
    while (p->adds_count < HASHES_COUNT_MAX) {
        uint64_t hash = wsf_interest_next_local(&core->interest, &p->snapshot_cursor);
        if (hash == 0) {
            p->interest_flags |= WSF_SNAPSHOT_END;
            break;
        }
        wsf_put_u64(p->adds + 8 * p->adds_count++, hash);
    }
    p->interest = true;
}

static void plan_interest(const wsf_core *core, wsf_peer *peer, plan *p) {
    if (!wsf_interest_log_has(&core->interest, peer->log_serial)) {
        peer->snapshot_begun = peer->snapshot_done = false;
        p->snapshot_cursor = peer->snapshot_cursor = 0;
    }
    if (!peer->snapshot_begun) {
        p->interest_flags |= WSF_SNAPSHOT_BEGIN;
        p->log_serial = core->interest.serial;
        p->interest = true;
    }
    plan_deltas(core, p);
    /* A long snapshot leaves half of the window to messages. */
    if (!peer->snapshot_done && peer->link.sent_bytes < peer->link.limits.window_bytes / 2)
        plan_snapshot(core, p);
    if (p->interest)
        p->bound += WSF_ENTRY_BOUND + 8 * ((size_t)p->adds_count + p->removes_count);
}

static void plan_known(const wsf_core *core, const wsf_peer *peer, plan *p) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++) {
        const wsf_peer *other = &core->peers[i];
        uint64_t bit = UINT64_C(1) << i;
        if (other == peer || other->node == 0 || other->state != WSFAN_PEER_UP ||
            (peer->told_peers & bit) != 0)
            continue;
        p->known[p->known_count++] = (wsf_known_peer){ other->node, wsfan_string(other->endpoint) };
        p->told_peers |= bit;
        p->bound += WSF_KNOWN_PEER_BOUND;
    }
    if (p->known_count > 0)
        p->bound += WSF_ENTRY_BOUND;
}

static void plan_messages(const wsf_peer *peer, plan *p) {
    const wsf_link *link = &peer->link;
    while (p->messages_count < link->queue.count) {
        const wsfan_message *message = *(wsfan_message **)wsf_deque_at(&link->queue,
                                                                       p->messages_count);
        size_t bound = p->bound + wsf_message_bound(message);
        bool first = p->bound == WSF_FRAME_HEAD_BOUND;
        if (!first && (bound > FRAME_TARGET_BYTES || bound > peer->frame_size_max))
            break;
        if (!wsf_link_has_room(link, bound))
            break;
        p->messages_count++;
        p->bound = bound;
    }
}

/* False: nothing to say, or no room to say it. */
static bool plan_frame(const wsf_core *core, wsf_peer *peer, bool bye, plan *p) {
    /* Not the two arrays of hashes: they are written before they are read. */
    memset(p, 0, offsetof(plan, adds));
    p->known_count = p->messages_count = 0;
    p->bound = WSF_FRAME_HEAD_BOUND;
    p->bye = bye;
    p->log_serial = peer->log_serial;
    p->snapshot_cursor = peer->snapshot_cursor;
    p->told_peers = peer->told_peers;
    const wsf_link *link = &peer->link;
    if (link->sent_bytes < link->limits.window_bytes + CONTROL_RESERVE_BYTES) {
        p->lost = link->lost;
        p->lost_too_big = link->lost_too_big;
        if (p->lost > 0 || p->lost_too_big > 0)
            p->bound += 2 * WSF_ENTRY_BOUND;
        if (bye)
            p->bound += WSF_ENTRY_BOUND;
        plan_interest(core, peer, p);
        plan_known(core, peer, p);
    }
    plan_messages(peer, p);
    return p->bound > WSF_FRAME_HEAD_BOUND;
}

static uint64_t write_messages(wsf_peer *peer, wsf_writer *writer, uint32_t count) {
    uint64_t payload_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const wsfan_message *message = *(wsfan_message **)wsf_deque_at(&peer->link.queue, i);
        wsf_write_message(writer, message);
        payload_bytes += message->payload_size;
    }
    return payload_bytes;
}

static wsf_buffer *write_frame(const wsf_core *core, wsf_peer *peer, const plan *p,
                               uint64_t *payload_bytes) {
    assert(p->bound <= UINT32_MAX);
    wsf_buffer *frame = wsf_buffer_new((uint32_t)p->bound);
    if (frame == NULL)
        return NULL;
    wsf_writer writer = { frame->data, frame->capacity, 0 };
    wsf_frame_head head = head_of(core, peer, peer->link.next);
    wsf_write_head(&writer, peer->node, &head);
    if (p->lost > 0)
        wsf_write_lost(&writer, p->lost, WSFAN_GAP_PEER_QUEUE);
    if (p->lost_too_big > 0)
        wsf_write_lost(&writer, p->lost_too_big, WSFAN_GAP_TOO_BIG);
    if (p->interest)
        wsf_write_interest(&writer, p->interest_flags,
                           (wsfan_bytes){ p->adds, (size_t)8 * p->adds_count },
                           (wsfan_bytes){ p->removes, (size_t)8 * p->removes_count });
    if (p->known_count > 0)
        wsf_write_peers(&writer, p->known, p->known_count);
    *payload_bytes = write_messages(peer, &writer, p->messages_count);
    if (p->bye)
        wsf_write_bye(&writer);
    frame->size = (uint32_t)writer.size;
    return frame;
}

/* Out of memory: nothing has changed, and the next flush tries again. */
static bool send_numbered(wsf_core *core, wsf_peer *peer, const plan *p, wsf_now now) {
    uint64_t payload_bytes;
    wsf_buffer *frame = write_frame(core, peer, p, &payload_bytes);
    if (frame == NULL)
        return false;
    if (wsf_link_keep(&peer->link, frame, p->log_serial, p->messages_count) != WSFAN_OK) {
        wsf_buffer_unref(frame);
        return false;
    }
    for (uint32_t i = 0; i < p->messages_count; i++)
        wsf_link_dequeue(&peer->link);
    peer->link.lost -= p->lost;
    peer->link.lost_too_big -= p->lost_too_big;
    peer->log_serial = p->log_serial;
    peer->snapshot_cursor = p->snapshot_cursor;
    if ((p->interest_flags & WSF_SNAPSHOT_BEGIN) != 0)
        peer->snapshot_begun = true;
    if ((p->interest_flags & WSF_SNAPSHOT_END) != 0)
        peer->snapshot_done = true;
    peer->told_peers = p->told_peers;
    peer->stats.messages_out += p->messages_count;
    peer->stats.payload_bytes_out += payload_bytes;
    peer->ack_ms = UINT64_MAX;
    send_frame(core, peer, frame, now);
    wsf_buffer_unref(frame);
    return true;
}

void wsf_stream_flush(wsf_core *core, wsf_peer *peer, wsf_now now) {
    if (!peer->linked || !peer->reachable) {
        core->congested &= ~wsf_peer_bit(core, peer);
        return;
    }
    wsf_buffer *again;
    while ((again = wsf_link_next_resend(&peer->link)) != NULL) {
        peer->stats.frames_resent++;
        send_frame(core, peer, again, now);
    }
    plan p;
    while (plan_frame(core, peer, false, &p) && send_numbered(core, peer, &p, now))
        continue;
    if (peer->nack_due || peer->ack_ms <= now.ms ||
        now.ms - peer->spoken_ms >= core->config.heartbeat_ms)
        send_heartbeat(core, peer, now);
    judge_congestion(core, peer, now);
}

void wsf_stream_bye(wsf_core *core, wsf_peer *peer, wsf_now now) {
    plan p;
    if (peer->linked && peer->reachable && plan_frame(core, peer, true, &p))
        send_numbered(core, peer, &p, now);
}

uint64_t wsf_stream_deadline(const wsf_core *core, const wsf_peer *peer) {
    if (!peer->linked || !peer->reachable)
        return UINT64_MAX;
    uint64_t at = peer->spoken_ms + core->config.heartbeat_ms;
    if ((core->congested & wsf_peer_bit(core, peer)) != 0 && peer->progress_ms + WSF_STALL_MS < at)
        at = peer->progress_ms + WSF_STALL_MS;
    return at < peer->ack_ms ? at : peer->ack_ms;
}

/* ----------------------------------------------------------------------------------- receiving */

static void tell_gap(wsf_core *core, wsf_peer *peer, uint64_t count, uint64_t reason) {
    if (count == 0)
        return;
    peer->stats.gap_in += count;
    core->stats.gaps += count;
    bool known = reason >= WSFAN_GAP_PEER_QUEUE && reason <= WSFAN_GAP_INBOX;
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

static bool message_acceptable(const wsf_core *core, const wsf_entry *entry) {
    if (entry->message.payload.size > core->config.payload_bytes_max ||
        entry->message.targets_count > core->config.targets_count_max)
        return false;
    for (uint32_t i = 0; i < entry->message.targets_count; i++)
        if (entry->message.targets[i].name.size > core->config.name_bytes_max)
            return false;
    return true;
}

static void take_message(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_now now) {
    core->stats.received++;
    peer->stats.messages_in++;
    peer->stats.payload_bytes_in += entry->message.payload.size;
    merge_clock(core, entry->message.clock, now);
    if (!message_acceptable(core, entry)) {
        wsf_core_count_drop(core, WSFAN_DROP_TOO_BIG, 1);
        tell_gap(core, peer, 1, WSFAN_GAP_TOO_BIG);
        return;
    }
    wsfan_message *message = wsf_message_new(&core->key, entry->message.targets,
                                             entry->message.targets_count, entry->message.payload,
                                             core->config.headroom_bytes);
    if (message == NULL) {
        wsf_core_count_drop(core, WSFAN_DROP_INBOX, 1);
        tell_gap(core, peer, 1, WSFAN_GAP_INBOX);
        return;
    }
    message->flags = entry->message.flags & WSFAN_BINARY;
    message->id = (wsfan_message_id){ entry->message.clock, peer->node };
    message->except = entry->message.except;
    uint64_t loops;
    uint64_t peers;
    wsf_stream_route(core, message, &loops, &peers);
    if (loops == 0)
        wsf_core_count_drop(core, WSFAN_DROP_UNWANTED, 1);
    wsf_stream_deliver(core, message, loops);
    wsfan_message_unref(message);
}

static void take_interest(wsf_core *core, wsf_peer *peer, const wsf_entry *entry) {
    unsigned index = wsf_peer_index(core, peer);
    const uint8_t *adds = entry->interest.adds.data;
    const uint8_t *removes = entry->interest.removes.data;
    if ((entry->interest.flags & WSF_SNAPSHOT_BEGIN) != 0) {
        wsf_interest_forget_peer(&core->interest, index);
        core->complete &= ~wsf_peer_bit(core, peer);
        peer->interest_overflow = false;
    }
    for (size_t i = 0; i < entry->interest.adds.size; i += 8) {
        uint64_t hash = wsf_get_u64(adds + i);
        if (hash != 0 && wsf_interest_add_peer(&core->interest, hash, index) != WSFAN_OK)
            peer->interest_overflow = true; /* it is sent everything instead */
    }
    for (size_t i = 0; i < entry->interest.removes.size; i += 8)
        wsf_interest_remove_peer(&core->interest, wsf_get_u64(removes + i), index);
    if ((entry->interest.flags & WSF_SNAPSHOT_END) != 0)
        core->complete |= wsf_peer_bit(core, peer);
    if (peer->interest_overflow)
        core->complete &= ~wsf_peer_bit(core, peer);
    peer->ack_ms = 0; /* a join waits for this acknowledgement */
}

/* False when the peer is gone after this entry. */
static bool take_numbered_entry(wsf_core *core, wsf_peer *peer, const wsf_entry *entry,
                                wsf_now now) {
    switch (entry->type) {
    case WSF_MESSAGE:
        take_message(core, peer, entry, now);
        return true;
    case WSF_INTEREST:
        take_interest(core, peer, entry);
        return true;
    case WSF_PEERS:
        for (uint32_t i = 0; i < entry->peers.count; i++)
            wsf_greet_known(core, &entry->peers.list[i], now);
        return true;
    case WSF_LOST:
        tell_gap(core, peer, entry->lost.count, entry->lost.reason);
        return true;
    case WSF_BYE:
        wsf_greet_drop(core, peer, WSFAN_REASON_BYE);
        return false;
    default:
        wsf_core_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        return true;
    }
}

static void take_numbered(wsf_core *core, wsf_peer *peer, size_t size, wsf_now now) {
    wsf_entry entry;
    int more;
    if (peer->ack_ms == UINT64_MAX)
        peer->ack_ms = now.ms + WSF_ACK_DELAY_MS;
    peer->unacked_bytes += size;
    if (peer->unacked_bytes >= core->config.link.window_bytes / 8) {
        peer->unacked_bytes = 0;
        peer->ack_ms = 0; /* the sender's window may be smaller than what waits for the delay */
    }
    while ((more = wsf_reader_next(core->reader, &entry)) != 0) {
        if (more == 1) {
            if (!take_numbered_entry(core, peer, &entry, now))
                return;
            continue;
        }
        /* The frame counts as received, so what this entry held is lost, and said to be. */
        wsf_core_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        tell_gap(core, peer, 1, WSFAN_GAP_LINK);
    }
}

static void take_loose_entry(wsf_core *core, uint64_t sender, const wsf_entry *entry, wsf_now now) {
    wsf_peer *peer = wsf_greet_find(core, sender);
    if (entry->type == WSF_HELLO) {
        wsf_greet_hello(core, sender, &entry->hello, now);
    } else if (entry->type == WSF_REFUSE) {
        wsf_greet_refused(core, peer, sender, entry->refuse);
    } else if (peer != NULL && entry->type == WSF_HELLO_ACK) {
        wsf_greet_hello_ack(core, peer, entry->hello_ack, now);
    } else if (peer != NULL && peer->linked && entry->type == WSF_NACK) {
        wsf_link_resend(&peer->link, entry->nack_from);
    } else if (peer != NULL && peer->linked && entry->type == WSF_HEARTBEAT) {
        if (entry->newest >= peer->link.in_expected && now.ms >= peer->nack_ms)
            peer->nack_due = true; /* the tail of the stream is missing */
    } else {
        wsf_core_count_drop(core, WSFAN_DROP_STRANGER, 1);
    }
}

static void take_loose(wsf_core *core, uint32_t connection, uint64_t sender, wsf_now now) {
    wsf_entry entry;
    int more;
    bool greeted = false;
    while ((more = wsf_reader_next(core->reader, &entry)) != 0) {
        if (more != 1) {
            wsf_core_count_drop(core, WSFAN_DROP_MALFORMED, 1);
            continue;
        }
        greeted = greeted || entry.type == WSF_HELLO || entry.type == WSF_REFUSE;
        take_loose_entry(core, sender, &entry, now);
    }
    if (!greeted && wsf_greet_find(core, sender) == NULL)
        wsf_greet_stranger(core, connection, sender, now);
}

static void take_acknowledgement(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                                 wsf_now now) {
    uint64_t before = peer->link.acked;
    if (!peer->linked)
        return;
    if (!wsf_link_acknowledge(&peer->link, head->ack_epoch, head->ack, &peer->serial_acked))
        wsf_core_count_drop(core, WSFAN_DROP_MALFORMED, 1);
    if (peer->link.acked > before)
        peer->progress_ms = now.ms;
}

void wsf_stream_receive(wsf_core *core, uint32_t connection, const wsf_frame_head *head,
                        size_t size, wsf_now now) {
    wsf_peer *peer = wsf_greet_find(core, head->sender);
    if (peer != NULL) {
        peer->stats.frames_in++;
        peer->stats.bytes_in += size;
        take_acknowledgement(core, peer, head, now);
        wsf_greet_heard(core, peer, now);
    }
    if (head->number == 0) {
        take_loose(core, connection, head->sender, now);
        return;
    }
    if (peer == NULL) {
        wsf_greet_stranger(core, connection, head->sender, now);
        return;
    }
    wsf_receive verdict = peer->linked ? wsf_link_receive(&peer->link, head->epoch, head->number)
                                       : WSF_RECEIVE_FOREIGN;
    switch (verdict) {
    case WSF_RECEIVE_NEXT:
        take_numbered(core, peer, size, now);
        break;
    case WSF_RECEIVE_DUPLICATE:
        wsf_core_count_drop(core, WSFAN_DROP_DUPLICATE, 1);
        peer->ack_ms = 0; /* our acknowledgement was lost */
        break;
    case WSF_RECEIVE_GAP:
        wsf_core_count_drop(core, WSFAN_DROP_GAP, 1);
        if (now.ms >= peer->nack_ms)
            peer->nack_due = true;
        break;
    case WSF_RECEIVE_FOREIGN:
        wsf_core_count_drop(core, WSFAN_DROP_STRANGER, 1);
        break;
    }
}
