/* Answers for MESSAGE: queued ones go into the peer's frames, received ones to the loops here. */
#include "core/routing/messages.h"

#include "core/link/batch.h"
#include "core/link/frame.h"
#include "core/link/gaps.h"
#include "core/origin.h"
#include "core/routing/router.h"

/* -------------------------------------------------------------------------------------- outgoing */

/* The i-th span of a planned frame. */
static wsf_span span_at(const wsf_peer *peer, uint32_t i, uint32_t count_max) {
    wsf_span span = *(const wsf_span *)wsf_deque_at(&peer->link.queue, i);
    if (wsf_span_count(span) > count_max)
        span.to = span.from + count_max;
    return span;
}

/* How many messages of a span have room in the planned frame; they are added. One that is apart is not divided. */
static uint32_t add(const wsf_peer *peer, wsf_batch *batch, wsf_span span) {
    size_t target = wsf_frame_target(peer);
    if (!wsf_span_is_apart(span)) {
        uint32_t fits = batch->bound < target ? wsf_span_fit(span, target - batch->bound) : 0;
        span.to = span.from + (fits > 0 ? fits : 1);
    }
    bool added = wsf_batch_add(peer, batch, wsf_span_bound(span), wsf_frame_apart_size(span));
    return added ? wsf_span_count(span) : 0;
}

static bool plan(wsf_core *core, wsf_peer *peer, wsf_batch *batch) {
    (void)core;
    const wsf_link *link = &peer->link;
    batch->messages.receipts = false;
    batch->messages.payload_bytes = 0;
    batch->messages.spans = 0;
    if (batch->rpc.count < link->talk.count)
        return false; /* requests and replies go first */
    bool whole = true;
    while (whole && batch->messages.spans < link->queue.count &&
           batch->messages.apart.message == NULL) {
        wsf_span span = span_at(peer, batch->messages.spans, UINT32_MAX);
        uint32_t count = add(peer, batch, span);
        if (count == 0)
            break;
        whole = count == wsf_span_count(span);
        span.to = span.from + count;
        batch->messages.spans++;
        batch->messages.count += count;
        batch->messages.receipts = batch->messages.receipts || span.message->receipt != NULL;
        batch->messages.payload_bytes += wsf_span_payload_bytes(span);
        if (wsf_span_is_apart(span))
            batch->messages.apart = span;
    }
    return batch->messages.spans > 0;
}

static void write(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer) {
    (void)core;
    uint32_t left = batch->messages.count;
    for (uint32_t i = 0; i < batch->messages.spans; i++) {
        wsf_span span = span_at(peer, i, left);
        wsf_write_span(writer, span);
        left -= wsf_span_count(span);
    }
}

static void commit(wsf_core *core, wsf_peer *peer, const wsf_batch *batch) {
    (void)core;
    uint32_t left = batch->messages.count;
    while (left > 0) {
        wsf_span span = span_at(peer, 0, left);
        wsf_link_note_sent(&peer->link, span.message, peer->link.next - 1);
        wsf_link_take(&peer->link, wsf_span_count(span));
        left -= wsf_span_count(span);
    }
    peer->stats.messages_out += batch->messages.count;
    peer->stats.payload_bytes_out += batch->messages.payload_bytes;
}

/* -------------------------------------------------------------------------------------- incoming */

/* The part of a frame in which payloads are. */
static wsf_buffer *part_with(wsf_buffer *frame, bool apart) {
    return apart ? frame->rest : frame;
}

/* Whether a received message refers to its payload in the frame: not if that is mostly other bytes, or if the bytes
 * before it are too few for headroom. */
static bool stays_in_frame(const wsf_core *core, const wsf_entry *entry, const wsf_buffer *part) {
    return wsf_message_may_slice(entry->message.payload.size, wsf_buffer_bytes(part)) &&
           entry->message.head_size >= core->config.headroom_bytes;
}

static wsfan_message *make_message(wsf_core *core, const wsf_entry *entry, wsf_buffer *frame) {
    wsf_message_parts parts = {
        .targets = entry->message.targets,
        .targets_count = entry->message.targets_count,
        .headroom_size = core->config.headroom_bytes,
        .payload = entry->message.payload,
        .flags = entry->message.flags & WSF_PUBLISHED_FLAGS,
        .except = entry->message.except,
        .slot = entry->message.slot,
    };
    wsf_buffer *part = part_with(frame, entry->message.apart);
    if (stays_in_frame(core, entry, part))
        return wsf_message_slice(&core->key, &parts, part);
    size_t need = wsf_message_need(&parts);
    if (need <= WSF_MESSAGE_SMALL)
        return wsf_message_make(&core->pool, &parts, need);
    return wsf_message_new(&core->key, &parts);
}

static void lose(wsf_core *core, wsf_peer *peer, wsfan_drop drop, uint32_t count,
                 wsfan_gap_reason reason, uint64_t clock) {
    wsf_count_drop(core, drop, count);
    wsf_gaps_tell(core, peer, count, reason, clock);
}

static void count_received(wsf_core *core, wsf_peer *peer, uint32_t count, size_t payload_bytes) {
    core->stats.received += count;
    peer->stats.messages_in += count;
    peer->stats.payload_bytes_in += payload_bytes;
}

static void take_message(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                         wsf_now now) {
    count_received(core, peer, 1, entry->message.payload.size);
    wsf_clock_merge(core, entry->message.clock, now);
    wsf_origin_took(core, peer, entry->message.clock, entry->message.slot != 0);
    if (!wsf_router_acceptable(core, entry->message.targets, entry->message.targets_count,
                               entry->message.payload.size)) {
        lose(core, peer, WSFAN_DROP_TOO_BIG, 1, WSFAN_GAP_TOO_BIG, entry->message.clock);
        return;
    }
    wsfan_message *message = make_message(core, entry, frame);
    if (message == NULL) {
        lose(core, peer, WSFAN_DROP_INBOX, 1, WSFAN_GAP_INBOX, entry->message.clock);
        return;
    }
    message->id = (wsfan_message_id){ entry->message.clock, peer->node };
    uint64_t loops;
    wsf_peers peers;
    wsf_router_find(core, message, &loops, &peers);
    if (loops == 0)
        wsf_count_drop(core, WSFAN_DROP_UNWANTED, 1);
    wsf_router_deliver(core, message, loops, now);
}

/* ---------------------------------------------------------------------------------------- runs */

/* Whether a run refers to its payloads in the frame: not if it would keep a frame that is mostly other bytes. */
static bool payloads_stay(const wsf_messages *entry, const wsf_buffer *part) {
    enum { SHARE_MIN = 4 };
    return entry->payloads.size >= WSF_SLICE_MIN &&
           wsf_buffer_bytes(part) / entry->payloads.size < SHARE_MIN;
}

/* Adds the entry's heads. False: one is not within the limits of this node, or all are more than a run can have. */
static bool add_heads(const wsf_core *core, wsfan_message *run, const wsf_messages *entry,
                      uint16_t places[WSF_RUN_HEADS_MAX]) {
    for (uint32_t i = 0; i < entry->heads_count; i++) {
        const wsf_messages_head *head = &entry->heads[i];
        wsf_message_parts parts = { .targets = &head->target,
                                    .targets_count = 1,
                                    .flags = head->flags & WSF_PUBLISHED_FLAGS,
                                    .except = head->except };
        const wsf_run_head *added = head->target.name.size <= core->config.name_bytes_max
                                        ? wsf_run_add_head(run, &parts)
                                        : NULL;
        if (added == NULL)
            return false;
        places[i] = wsf_run_place(run, added);
    }
    return true;
}

/* The same of the entry's messages. */
static bool add_entries(wsfan_message *run, const wsf_messages *entry,
                        const uint16_t places[WSF_RUN_HEADS_MAX], uint32_t payload_bytes_max) {
    wsf_run_entry *to = run->run->entries;
    uint32_t end = 0;
    uint32_t largest = 0;
    for (uint32_t i = 0; i < entry->count; i++) {
        wsf_message_at at = wsf_get_message_at(entry->index, i);
        largest = at.payload_size > largest ? at.payload_size : largest;
        end += at.payload_size;
        to[i] = (wsf_run_entry){ end, places[at.head], at.offset };
    }
    return largest <= payload_bytes_max;
}

/* A run of the entry's messages. NULL: out of memory, or a message is beyond the limits of this node. */
static wsfan_message *make_run(wsf_core *core, const wsf_messages *entry, wsf_buffer *frame,
                               bool *acceptable) {
    uint16_t places[WSF_RUN_HEADS_MAX];
    size_t heads_bytes = 0;
    wsf_buffer *part = part_with(frame, entry->apart);
    wsf_buffer *kept = payloads_stay(entry, part) ? part : NULL;
    for (uint32_t i = 0; i < entry->heads_count; i++)
        heads_bytes += wsf_run_head_bytes(entry->heads[i].target.name.size);
    wsfan_message *run = wsf_run_new_for(entry->count, kept == NULL ? entry->payloads.size : 0,
                                         heads_bytes);
    if (run == NULL)
        return NULL;
    *acceptable = add_heads(core, run, entry, places) &&
                  add_entries(run, entry, places, core->config.payload_bytes_max);
    if (*acceptable) {
        wsf_run_set(run, entry->count, entry->payloads, kept);
        return run;
    }
    wsfan_message_unref(run);
    return NULL;
}

/* The limits of the nodes of a cluster differ: message by message. */
static void take_one_by_one(wsf_core *core, wsf_peer *peer, const wsf_messages *entry,
                            wsf_buffer *frame, wsf_now now) {
    wsf_entry one = { .type = WSF_MESSAGE };
    wsf_buffer *part = part_with(frame, entry->apart);
    const uint8_t *payload = entry->payloads.data;
    for (uint32_t i = 0; i < entry->count; i++) {
        wsf_message_at at = wsf_get_message_at(entry->index, i);
        const wsf_messages_head *head = &entry->heads[at.head];
        one.message = (wsf_message_entry){ .clock = entry->clock + at.offset,
                                           .flags = head->flags,
                                           .targets_count = 1,
                                           .except = head->except,
                                           .targets = &head->target,
                                           .payload = { payload, at.payload_size } };
        take_message(core, peer, &one, part, now);
        payload += at.payload_size;
    }
}

static void take_run(wsf_core *core, wsf_peer *peer, const wsf_messages *entry, wsf_buffer *frame,
                     wsf_now now) {
    bool acceptable = true;
    wsfan_message *run = make_run(core, entry, frame, &acceptable);
    if (!acceptable) {
        take_one_by_one(core, peer, entry, frame, now);
        return;
    }
    count_received(core, peer, entry->count, entry->payloads.size);
    uint64_t last = entry->clock + wsf_get_message_at(entry->index, entry->count - 1).offset;
    wsf_clock_merge(core, last, now);
    wsf_origin_took(core, peer, entry->clock, false);
    wsf_origin_took(core, peer, last, false);
    if (run == NULL) {
        lose(core, peer, WSFAN_DROP_INBOX, entry->count, WSFAN_GAP_INBOX, last);
        return;
    }
    run->id = (wsfan_message_id){ entry->clock, peer->node };
    uint64_t loops;
    bool wanted = wsf_router_find_heads(core, run, &loops, NULL);
    for (uint32_t i = 0; !wanted && i < run->count; i++)
        if (wsf_run_head_of(run, i)->loops == 0)
            wsf_count_drop(core, WSFAN_DROP_UNWANTED, 1);
    wsf_router_deliver(core, run, loops, now);
}

static bool take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now) {
    if (entry->type == WSF_MESSAGES)
        take_run(core, peer, &entry->messages, frame, now);
    else
        take_message(core, peer, entry, frame, now);
    return true;
}

const wsf_part wsf_messages_part = {
    .types = UINT32_C(1) << WSF_MESSAGE | UINT32_C(1) << WSF_MESSAGES,
    .take = take,
    .reserve_bytes = WSF_PART_ANYWAY,
    .plan = plan,
    .write = write,
    .commit = commit,
};
