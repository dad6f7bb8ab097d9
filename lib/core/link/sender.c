/* Answers for when frames leave, and for the messages that need no batch.
 *
 * Numbered frames carry what must not be lost: messages, interest, peers, lost, bye. Frames without
 * a number carry what is repeated until it has worked: hello, acknowledgements, nacks, heartbeats. */
#include "core/link/sender.h"

#include <assert.h>
#include <string.h>

#include "base/probes.h"
#include "core/handshake.h"
#include "core/link/batch.h"
#include "core/link/frame.h"

/* ------------------------------------------------------------------------------------- sending */

static void send_frame(wsf_core *core, wsf_peer *peer, wsf_buffer *frame, wsf_now now) {
    peer->stats.frames_out++;
    peer->stats.bytes_out += wsf_buffer_bytes(frame);
    peer->spoken_ms = now.ms;
    WSF_PROBE3(frame_sent, core->config.node, peer->node, wsf_buffer_bytes(frame));
    core->effects.send(core->effects.user, frame);
}

/* ---------------------------------------------------------------------------------- open frame */

/* A message that need not wait is written into the open frame: no queue, no reference. The head, which has
 * the newest acknowledgement, is written when the frame leaves, to end where the entries begin. */

static bool open_frame(wsf_core *core, wsf_peer *peer, size_t bound, size_t second_part) {
    wsf_link *link = &peer->link;
    /* Few different capacities, so that memory can be used again. */
    size_t need = WSF_FRAME_HEAD_BOUND + bound;
    size_t target = wsf_frame_target(peer);
    size_t capacity = (need + target - 1) / target * target;
    if (capacity > peer->frame_size_max)
        capacity = need;
    if (!wsf_link_has_room(link, capacity + second_part))
        return false;
    if (link->open.frame != NULL && link->open.frame->capacity != capacity) {
        wsf_buffer_cache_put(&core->frames, link->open.frame);
        link->open.frame = NULL;
    }
    if (link->open.frame == NULL)
        link->open.frame = wsf_buffer_cache_take(&core->frames, (uint32_t)capacity);
    if (link->open.frame == NULL)
        return false;
    link->open.frame->size = WSF_FRAME_HEAD_BOUND;
    return true;
}

/* The open frame, to be sent. One that is not half full is copied to memory of its size and filled again. */
static wsf_buffer *take_open(wsf_link *link) {
    enum { SMALL_SHARE = 2 };
    wsf_buffer *frame = link->open.frame;
    if (frame->size < frame->capacity / SMALL_SHARE)
        return wsf_buffer_copy(frame);
    link->open.frame = NULL;
    return frame;
}

/* Sends the open frame. False: out of memory; the frame stays open. */
static bool send_open(wsf_core *core, wsf_peer *peer, wsf_now now) {
    wsf_link *link = &peer->link;
    if (link->open.messages == 0)
        return true;
    wsf_buffer *frame = take_open(link);
    if (frame == NULL)
        return false;
    uint8_t head_bytes[WSF_FRAME_HEAD_BOUND];
    wsf_writer head_writer = { head_bytes, sizeof head_bytes, 0 };
    wsf_frame_head head = wsf_frame_head_of(core, peer, link->next);
    wsf_frame_tell_rest(&head, frame->rest, link->open.rest_room);
    wsf_write_head(&head_writer, peer->node, &head);
    size_t spare = WSF_FRAME_HEAD_BOUND - head_writer.size;
    memcpy(frame->data + spare, head_bytes, head_writer.size);
    frame->data += spare;
    frame->size -= (uint32_t)spare;
    wsf_writer writer = { frame->data, frame->size, frame->size };
    wsf_seal(&writer);
    if (wsf_link_keep(link, frame, peer->subscription.log_serial, link->open.messages,
                      link->open.receipts) != WSFAN_OK) {
        frame->data -= spare;
        frame->size += (uint32_t)spare;
        if (link->open.frame == NULL)
            link->open.frame = wsf_buffer_ref(frame);
        wsf_buffer_unref(frame);
        return false;
    }
    wsf_link_time_begin(link, now.ms);
    peer->stats.messages_out += link->open.messages;
    peer->stats.payload_bytes_out += link->open.payload_bytes;
    peer->ack_ms = UINT64_MAX;
    link->open = (wsf_open_frame){ .frame = link->open.frame };
    if (link->open.frame != NULL)
        wsf_buffer_drop_rest(link->open.frame);
    send_frame(core, peer, frame, now);
    wsf_buffer_unref(frame);
    return true;
}

static void note_written(wsf_link *link, wsf_span span) {
    wsf_open_frame *open = &link->open;
    open->messages += wsf_span_count(span);
    open->payload_bytes += wsf_span_payload_bytes(span);
    open->receipts = open->receipts || span.message->receipt != NULL;
    wsf_link_note_sent(link, span.message, link->next);
}

/* Of a span as many messages as fit into an entry of `room` bytes. One that is apart is not divided. */
static wsf_span part_for(wsf_span span, size_t room) {
    if (!wsf_span_is_apart(span))
        span.to = span.from + wsf_span_fit(span, room);
    return span;
}

/* Opens a frame for some messages of the span, or leaves one open that has room. Empty: no memory, or the window is
 * full. */
static wsf_span make_room(wsf_core *core, wsf_peer *peer, wsf_span span, wsf_now now) {
    wsf_link *link = &peer->link;
    wsf_open_frame *open = &link->open;
    wsf_span none = { span.message, span.from, span.from };
    size_t second_part = wsf_frame_apart_size(span);
    if (open->messages > 0 && second_part == 0 && open->frame->rest == NULL) {
        wsf_span part = part_for(span, open->frame->capacity - open->frame->size);
        if (wsf_span_count(part) > 0)
            return part;
    }
    if (!send_open(core, peer, now))
        return none;
    size_t target = wsf_frame_target(peer);
    wsf_span part = part_for(span,
                             target > WSF_FRAME_HEAD_BOUND ? target - WSF_FRAME_HEAD_BOUND : 0);
    part.to += part.to == part.from; /* one message may be larger */
    return open_frame(core, peer, wsf_span_bound(part), second_part) ? part : none;
}

/* Writes messages into the open frame, and sends those that are full. Returns how many were written: not all
 * where there is no memory, or something must precede them (the queue, an unreported loss, the first frame of
 * the link), or the window is full. */
static uint32_t append_now(wsf_core *core, wsf_peer *peer, wsf_span span, wsf_now now) {
    wsf_link *link = &peer->link;
    uint32_t from = span.from;
    if (!peer->reachable || link->queue_count > 0 || link->lost > 0 || link->lost_too_big > 0 ||
        link->lost_unknown || link->next == 1)
        return 0;
    while (span.from < span.to) {
        wsf_open_frame *open = &link->open;
        wsf_span part = make_room(core, peer, span, now);
        if (wsf_span_count(part) == 0)
            break;
        if (wsf_span_is_apart(part)) {
            open->frame->rest = wsf_frame_second_part(peer, part);
            if (open->frame->rest == NULL)
                break;
            open->rest_room = wsf_frame_room_in(open->frame->rest, span.message);
        }
        wsf_writer writer = { open->frame->data, open->frame->capacity, open->frame->size };
        wsf_write_span(&writer, part);
        open->frame->size = (uint32_t)writer.size;
        note_written(link, part);
        span.from = part.to;
    }
    return span.from - from;
}

/* ------------------------------------------------------------------------------------- queueing */

static void count_lost(wsf_core *core, wsf_peer *peer, wsfan_drop reason, uint64_t count) {
    peer->stats.gap_out += count;
    wsf_count_drop(core, reason, count);
}

/* A queue that fills while its peer keeps acknowledging means that this node publishes faster than the peer
 * can take: publishing waits. It does not wait for a stalled peer, whose queue drops the oldest. */
static void judge_congestion(wsf_core *core, wsf_peer *peer, wsf_now now) {
    bool keeps_up = peer->reachable && now.ms - peer->progress_ms < WSF_STALL_MS;
    wsf_peers_put(&core->congested, wsf_peer_index(core, peer),
                  keeps_up && wsf_link_crowded(&peer->link));
}

static size_t frame_bound(wsf_span span) {
    return WSF_FRAME_HEAD_BOUND + wsf_span_bound(span) +
           (wsf_span_is_apart(span) ? span.message->payload_size : 0);
}

static void cut(wsf_core *core, wsf_peer *peer, wsf_span span) {
    /* The messages count as lost, which the peer is told when it is back. */
    count_lost(core, peer, WSFAN_DROP_LINK_QUEUE, wsf_handshake_cut(core, peer));
    peer->link.lost += wsf_span_count(span);
    wsf_link_note_lost(&peer->link, span);
    count_lost(core, peer, WSFAN_DROP_LINK_QUEUE, wsf_span_count(span));
}

static void enqueue(wsf_core *core, wsf_peer *peer, wsf_span span, wsf_now now) {
    wsfan_message *message = span.message;
    if (frame_bound(span) > peer->frame_size_max) {
        peer->link.lost_too_big++;
        wsf_link_note_lost(&peer->link, span);
        count_lost(core, peer, WSFAN_DROP_TOO_BIG, 1);
        return;
    }
    if (message->slot != 0 && wsf_link_replace(&peer->link, message)) {
        wsf_count_drop(core, WSFAN_DROP_REPLACED, 1);
        return;
    }
    span.from += append_now(core, peer, span, now);
    if (span.from == span.to)
        return;
    if (core->config.slow_peer == WSFAN_SLOW_CUT && !wsf_link_fits(&peer->link, span)) {
        cut(core, peer, span);
        return;
    }
    count_lost(core, peer, WSFAN_DROP_LINK_QUEUE, wsf_link_enqueue(&peer->link, span));
    judge_congestion(core, peer, now);
}

void wsf_sender_enqueue(wsf_core *core, wsf_peer *peer, wsfan_message *message, wsf_now now) {
    wsf_peer_stir(core, peer);
    if (peer->link.queue_count == 0 && peer->link.sent.count == 0)
        peer->progress_ms = now.ms;
    wsf_span whole = wsf_span_of(message);
    if (frame_bound(whole) <= peer->frame_size_max) {
        enqueue(core, peer, whole, now);
        return;
    }
    for (uint32_t i = 0; i < message->count; i++) /* each for itself may be small enough */
        enqueue(core, peer, (wsf_span){ message, i, i + 1 }, now);
}

int wsf_sender_talk(wsf_core *core, wsf_peer *peer, wsf_buffer *entry) {
    wsf_peer_stir(core, peer);
    if (WSF_FRAME_HEAD_BOUND + (uint64_t)entry->size > peer->frame_size_max)
        return WSFAN_ETOOBIG;
    return wsf_link_talk(&peer->link, entry) ? WSFAN_OK : WSFAN_ELIMIT;
}

/* -------------------------------------------------------------------------------------- frames */

static bool nack_due(const wsf_peer *peer, wsf_now now) {
    return !wsf_link_complete(&peer->link) && now.ms >= peer->nack_ms;
}

/* The interval between nacks doubles while no missing frame comes. */
static void write_nack(wsf_peer *peer, wsf_writer *writer, wsf_now now) {
    wsf_range ranges[WSF_NACK_RANGES_MAX];
    uint32_t count = wsf_link_missing(&peer->link, ranges);
    wsf_write_nack(writer, ranges, count);
    peer->nack_ms = now.ms + peer->nack_interval_ms;
    peer->nack_interval_ms *= 2;
    if (peer->nack_interval_ms > WSF_NACK_INTERVAL_MS_MAX)
        peer->nack_interval_ms = WSF_NACK_INTERVAL_MS_MAX;
}

/* A frame without a number: acknowledgement, nack and heartbeat in one. */
static void send_heartbeat(wsf_core *core, wsf_peer *peer, wsf_now now) {
    enum { ENTRIES_MAX = 4 }; /* besides the nack: HEARTBEAT, PRESENCE-SUM, HOLD-SUM, MARK */
    wsf_buffer *frame = wsf_buffer_new(WSF_FRAME_HEAD_BOUND + ENTRIES_MAX * WSF_ENTRY_BOUND +
                                       WSF_NACK_BOUND);
    if (frame == NULL)
        return;
    wsf_writer writer = { frame->data, frame->capacity, 0 };
    wsf_frame_head head = wsf_frame_head_of(core, peer, 0);
    bool told_all = peer->subscription.snapshot_done &&
                    peer->subscription.log_serial == core->interest.serial;
    wsf_write_head(&writer, peer->node, &head);
    wsf_write_heartbeat(&writer, peer->link.next - 1,
                        told_all ? &core->interest.local_digest : NULL);
    for (unsigned i = 0; core->parts[i] != NULL; i++)
        if (core->parts[i]->write_heartbeat != NULL)
            core->parts[i]->write_heartbeat(core, peer, &writer, now);
    if (nack_due(peer, now))
        write_nack(peer, &writer, now);
    wsf_seal(&writer);
    frame->size = (uint32_t)writer.size;
    send_frame(core, peer, frame, now);
    wsf_buffer_unref(frame);
    peer->ack_ms = UINT64_MAX;
}

bool wsf_sender_may_ask_again(wsf_peer *peer, wsf_now now) {
    if (now.ms < peer->ask_again_ms)
        return false; /* the next heartbeat shows the difference again */
    peer->ask_again_ms = now.ms + WSF_ANEW_INTERVAL_MS;
    return true;
}

void wsf_sender_ask_again(wsf_core *core, wsf_peer *peer, wsf_entry_type type, wsf_now now) {
    wsf_buffer *frame = wsf_buffer_new(WSF_FRAME_HEAD_BOUND + WSF_ENTRY_BOUND);
    if (frame == NULL)
        return; /* the next heartbeat shows the difference again */
    wsf_writer writer = { frame->data, frame->capacity, 0 };
    wsf_frame_head head = wsf_frame_head_of(core, peer, 0);
    wsf_write_head(&writer, peer->node, &head);
    wsf_write_type(&writer, type);
    wsf_seal(&writer);
    frame->size = (uint32_t)writer.size;
    send_frame(core, peer, frame, now);
    wsf_buffer_unref(frame);
}

/* Sends the planned frame. False: out of memory; nothing has changed, and the next flush tries again. */
static bool send_numbered(wsf_core *core, wsf_peer *peer, wsf_now now) {
    const wsf_batch *batch = core->batch;
    wsf_buffer *frame = wsf_batch_write(core, peer);
    if (frame == NULL)
        return false;
    if (wsf_link_keep(&peer->link, frame, batch->subscription.log_serial, batch->messages.count,
                      batch->messages.receipts) != WSFAN_OK) {
        wsf_buffer_unref(frame);
        return false;
    }
    wsf_link_time_begin(&peer->link, now.ms);
    wsf_batch_commit(core, peer);
    peer->ack_ms = UINT64_MAX;
    send_frame(core, peer, frame, now);
    wsf_buffer_unref(frame);
    return true;
}

/* Restarts the parts that the peer asks for, at intervals only: asking is cheap, telling all again is not. */
static void restart_parts(wsf_core *core, wsf_peer *peer, wsf_now now) {
    if (peer->anew == 0 || now.ms < peer->anew_ms)
        return;
    peer->anew_ms = now.ms + WSF_ANEW_INTERVAL_MS;
    for (unsigned i = 0; core->parts[i] != NULL; i++)
        if ((peer->anew >> i & 1) != 0)
            core->parts[i]->restart(core, peer);
    peer->anew = 0;
}

static bool heartbeat_due(const wsf_core *core, const wsf_peer *peer, wsf_now now) {
    bool due = nack_due(peer, now) || peer->ack_ms <= now.ms ||
               now.ms - peer->spoken_ms >= wsf_beat_ms(core);
    for (unsigned i = 0; core->parts[i] != NULL && !due; i++)
        due = core->parts[i]->heartbeat_due != NULL &&
              core->parts[i]->heartbeat_due(core, peer, now);
    return due;
}

bool wsf_sender_flush(wsf_core *core, wsf_peer *peer, wsf_now now) {
    if (!peer->linked || !peer->reachable) {
        wsf_peers_remove(&core->congested, wsf_peer_index(core, peer));
        return true;
    }
    restart_parts(core, peer, now);
    wsf_buffer *again;
    while ((again = wsf_link_next_again(&peer->link)) != NULL) {
        peer->stats.frames_resent++;
        send_frame(core, peer, again, now);
    }
    bool more = send_open(core, peer, now);
    while (more && wsf_batch_plan(core, peer, false))
        more = send_numbered(core, peer, now);
    if (heartbeat_due(core, peer, now))
        send_heartbeat(core, peer, now);
    judge_congestion(core, peer, now);
    return more;
}

void wsf_sender_bye(wsf_core *core, wsf_peer *peer, wsf_now now) {
    if (!peer->linked || !peer->reachable || !send_open(core, peer, now))
        return;
    send_heartbeat(core, peer, now); /* its mark is the last one, for all peers the same */
    if (wsf_batch_plan(core, peer, true))
        send_numbered(core, peer, now);
}

uint64_t wsf_sender_deadline(const wsf_core *core, const wsf_peer *peer) {
    if (!peer->linked || !peer->reachable)
        return UINT64_MAX;
    uint64_t at = peer->spoken_ms + wsf_beat_ms(core);
    if (wsf_peers_has(core->congested, wsf_peer_index(core, peer)) &&
        peer->progress_ms + WSF_STALL_MS < at)
        at = peer->progress_ms + WSF_STALL_MS;
    if (!wsf_link_complete(&peer->link) && peer->nack_ms < at)
        at = peer->nack_ms;
    if (peer->anew != 0 && peer->anew_ms < at)
        at = peer->anew_ms;
    for (unsigned i = 0; core->parts[i] != NULL; i++) {
        uint64_t part_at = core->parts[i]->heartbeat_ms != NULL
                               ? core->parts[i]->heartbeat_ms(core, peer)
                               : UINT64_MAX;
        at = part_at < at ? part_at : at;
    }
    return at < peer->ack_ms ? at : peer->ack_ms;
}
