/* Answers for a numbered frame, in three steps. plan: the parts say what they will write, so that memory is
 * taken once. write: they write it. commit: they note it as sent, once the link keeps the frame. A frame
 * without memory is given up before commit, and planned again later. Knows no entry but BYE. */
#include "core/link/batch.h"

#include <assert.h>

#include "base/memory.h"
#include "core/link/frame.h"

wsf_batch *wsf_batch_new(void) {
    return wsf_alloc(sizeof(wsf_batch));
}

/* Takes the lowest bit out of *parts and returns its part. NULL: none is left. */
static const wsf_part *next_part(const wsf_core *core, uint32_t *parts) {
    if (*parts == 0)
        return NULL;
    unsigned i = (unsigned)__builtin_ctz(*parts);
    *parts &= *parts - 1;
    return core->parts[i];
}

bool wsf_batch_plan(wsf_core *core, wsf_peer *peer, bool bye) {
    wsf_batch *batch = core->batch;
    const wsf_link *link = &peer->link;
    batch->parts = 0;
    batch->bye = bye;
    batch->bound = WSF_FRAME_HEAD_BOUND + (bye ? WSF_ENTRY_BOUND : 0);
    batch->rpc.count = batch->messages.count = 0;
    batch->messages.apart = (wsf_span){ NULL, 0, 0 };
    batch->subscription.log_serial = peer->subscription.log_serial;
    for (unsigned i = 0; core->parts[i] != NULL; i++) {
        const wsf_part *part = core->parts[i];
        bool room = link->sent_bytes < link->limits.window_bytes + (uint64_t)part->reserve_bytes;
        if (part->plan != NULL && room && part->plan(core, peer, batch))
            batch->parts |= UINT32_C(1) << i;
    }
    return batch->bound > WSF_FRAME_HEAD_BOUND;
}

bool wsf_batch_add(const wsf_peer *peer, wsf_batch *batch, size_t size, size_t apart) {
    size_t bound = batch->bound + size;
    bool first = batch->bound == WSF_FRAME_HEAD_BOUND;
    if ((!first && (bound > wsf_frame_target(peer) || bound + apart > peer->frame_size_max)) ||
        !wsf_link_has_room(&peer->link, bound + apart))
        return false;
    batch->bound = bound;
    return true;
}

wsf_buffer *wsf_batch_write(const wsf_core *core, const wsf_peer *peer) {
    const wsf_batch *batch = core->batch;
    assert(batch->bound <= UINT32_MAX);
    wsf_buffer *frame = wsf_buffer_new((uint32_t)batch->bound);
    if (frame == NULL)
        return NULL;
    wsf_frame_head head = wsf_frame_head_of(core, peer, peer->link.next);
    wsf_span last = batch->messages.apart;
    if (last.message != NULL) {
        frame->rest = wsf_frame_second_part(peer, last);
        if (frame->rest == NULL) {
            wsf_buffer_unref(frame);
            return NULL;
        }
        wsf_frame_tell_rest(&head, frame->rest, wsf_frame_room_in(frame->rest, last.message));
    }
    wsf_writer writer = { frame->data, frame->capacity, 0 };
    wsf_write_head(&writer, peer->node, &head);
    uint32_t parts = batch->parts;
    const wsf_part *part;
    while ((part = next_part(core, &parts)) != NULL)
        part->write(core, peer, batch, &writer);
    if (batch->bye)
        wsf_write_type(&writer, WSF_BYE);
    wsf_seal(&writer);
    frame->size = (uint32_t)writer.size;
    return frame;
}

void wsf_batch_commit(wsf_core *core, wsf_peer *peer) {
    uint32_t parts = core->batch->parts;
    const wsf_part *part;
    while ((part = next_part(core, &parts)) != NULL)
        if (part->commit != NULL)
            part->commit(core, peer, core->batch);
}
