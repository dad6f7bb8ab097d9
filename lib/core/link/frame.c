/* Answers for what all frames of a peer have: a head, a size, and a second part where a message has a
 * large payload. */
#include "core/link/frame.h"

enum {
    TARGET_BYTES = 128 * 1024, /* smaller frames wake threads too often, larger ones gain nothing */
    COUNT_MIN = 4 /* frames in a window, so that one is acknowledged while others are sent */
};

size_t wsf_frame_target(const wsf_peer *peer) {
    uint64_t share = peer->link.limits.window_bytes / COUNT_MIN;
    uint64_t target = share < TARGET_BYTES ? share : TARGET_BYTES;
    return (size_t)(target < peer->frame_size_max ? target : peer->frame_size_max);
}

wsf_frame_head wsf_frame_head_of(const wsf_core *core, const wsf_peer *peer, uint64_t number) {
    return (wsf_frame_head){
        .version = peer->version,
        .sender = core->config.node,
        .epoch = peer->link.epoch,
        .number = number,
        .ack_epoch = peer->link.in_epoch,
        .ack = peer->link.in_expected - 1,
    };
}

static wsf_buffer *body_of(wsfan_message *run) {
    wsf_buffer *body = wsf_run_body(run);
    if (body->checksum == 0)
        body->checksum = wsf_payload_checksum(run->payload, run->payload_size);
    return body;
}

wsf_buffer *wsf_frame_second_part(const wsf_peer *peer, wsf_span span) {
    wsfan_message *message = span.message;
    if (wsf_message_is_run(message))
        return body_of(message);
    wsf_buffer *whole = message->frame;
    uint32_t room = (uint32_t)(message->payload - whole->data);
    if (whole->checksum == 0)
        whole->checksum = wsf_payload_checksum(message->payload, message->payload_size);
    size_t bound = WSF_FRAME_HEAD_BOUND + wsf_message_bound(message);
    if (room == 0 || (!message->taken && bound + room <= peer->frame_size_max)) {
        message->shared = true;
        return wsf_buffer_ref(whole);
    }
    wsf_buffer *part = wsf_buffer_behind(whole, room);
    if (part != NULL)
        part->checksum = whole->checksum;
    return part;
}

uint32_t wsf_frame_room_in(const wsf_buffer *part, const wsfan_message *message) {
    return (uint32_t)(message->payload - part->data);
}

void wsf_frame_tell_rest(wsf_frame_head *head, const wsf_buffer *rest, uint32_t room) {
    if (rest == NULL)
        return;
    head->rest_size = rest->size;
    head->rest_room = room;
    head->rest_checksum = rest->checksum;
}

size_t wsf_frame_apart_size(wsf_span span) {
    if (!wsf_span_is_apart(span))
        return 0;
    return wsf_message_is_run(span.message) ? span.message->size : span.message->frame->capacity;
}
