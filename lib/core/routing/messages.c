/* Answers for MESSAGE: queued ones go into the peer's frames, received ones to the loops here. */
#include "core/routing/messages.h"

#include "core/link/batch.h"
#include "core/link/frame.h"
#include "core/link/gaps.h"
#include "core/routing/router.h"

/* -------------------------------------------------------------------------------------- outgoing */

static bool plan(wsf_core *core, wsf_peer *peer, wsf_batch *batch) {
    (void)core;
    const wsf_link *link = &peer->link;
    batch->messages.receipts = false;
    batch->messages.payload_bytes = 0;
    if (batch->rpc.count < link->talk.count)
        return false; /* requests and replies go first */
    while (batch->messages.count < link->queue.count && batch->messages.apart == NULL) {
        wsfan_message *message = *(wsfan_message **)wsf_deque_at(&link->queue,
                                                                 batch->messages.count);
        size_t second_part = wsf_frame_apart_size(message);
        if (!wsf_batch_add(peer, batch, wsf_message_entry_bound(message), second_part))
            break;
        batch->messages.count++;
        batch->messages.receipts = batch->messages.receipts || message->receipt != NULL;
        batch->messages.payload_bytes += message->payload_size;
        if (second_part > 0)
            batch->messages.apart = message;
    }
    return batch->messages.count > 0;
}

static void write(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer) {
    (void)core;
    const wsfan_message *before = NULL;
    for (uint32_t i = 0; i < batch->messages.count; i++) {
        wsfan_message *message = *(wsfan_message **)wsf_deque_at(&peer->link.queue, i);
        if (before != NULL && wsf_message_repeats(message, before))
            wsf_write_repeat(writer, before->id.clock, message);
        else
            wsf_write_message(writer, message);
        before = message;
    }
}

static void commit(wsf_core *core, wsf_peer *peer, const wsf_batch *batch) {
    (void)core;
    for (uint32_t i = 0; i < batch->messages.count; i++) {
        wsf_link_note_sent(&peer->link, wsf_link_front(&peer->link), peer->link.next - 1);
        wsf_link_dequeue(&peer->link);
    }
    peer->stats.messages_out += batch->messages.count;
    peer->stats.payload_bytes_out += batch->messages.payload_bytes;
}

/* -------------------------------------------------------------------------------------- incoming */

static void merge_clock(wsf_core *core, uint64_t clock, wsf_now now) {
    /* A peer whose clock is far ahead must not carry ours away. */
    enum { AHEAD_MS_MAX = 60000 };
    if (clock > core->clock && clock >> 16 <= now.wall_ms + AHEAD_MS_MAX)
        core->clock = clock;
}

/* Whether a received message refers to its payload in the frame: not if it would keep a frame of many
 * messages, or the bytes before it are too few for headroom. A second part has no other message in it. */
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

/* A repeated message has the flags, except and targets of the one before. If that is still the pool's last
 * one it is copied, and the message takes the same route (repeats_loops). */
static void take_message(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                         wsf_now now) {
    core->stats.received++;
    peer->stats.messages_in++;
    peer->stats.payload_bytes_in += entry->message.payload.size;
    merge_clock(core, entry->message.clock, now);
    bool repeated = entry->message.repeated && core->repeats;
    core->repeats = false;
    /* Targets of a repeated one were checked with the message before. */
    if (entry->message.payload.size > core->config.payload_bytes_max ||
        (!repeated &&
         !wsf_router_acceptable(core, entry->message.targets, entry->message.targets_count, 0))) {
        wsf_count_drop(core, WSFAN_DROP_TOO_BIG, 1);
        wsf_gaps_tell(core, peer, 1, WSFAN_GAP_TOO_BIG);
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
        wsf_gaps_tell(core, peer, 1, WSFAN_GAP_INBOX);
        return;
    }
    message->id = (wsfan_message_id){ entry->message.clock, peer->node };
    core->repeats = message == core->pool.last && message->slot == 0;
    if (!repeated) { /* the route of a repeated one is still known */
        wsf_peers peers;
        wsf_router_find(core, message, &core->repeats_loops, &peers);
        wsf_router_know_head(core, message);
    }
    if (core->repeats_loops == 0)
        wsf_count_drop(core, WSFAN_DROP_UNWANTED, 1);
    wsf_router_deliver(core, message, core->repeats_loops);
}

static bool take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now) {
    take_message(core, peer, entry, frame, now);
    return true;
}

const wsf_part wsf_messages_part = {
    .types = UINT32_C(1) << WSF_MESSAGE,
    .take = take,
    .reserve_bytes = WSF_PART_ANYWAY,
    .plan = plan,
    .write = write,
    .commit = commit,
};
