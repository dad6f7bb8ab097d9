/* frame.c - one text message for many clients: the bytes exist once, queues share them.
 *
 * libwebsockets writes the header of a WebSocket message into the LWS_PRE bytes before it. A
 * server does not mask, so that header is the same for every client, and one buffer serves all. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct frame *frame_new(void) {
    struct frame *frame = calloc(1, sizeof *frame);
    if (frame != NULL)
        frame->references = 1;
    return frame;
}

/* A payload is a JSON object without its first brace. The library stamps the id when the message
 * is published, too late to be in the payload, so it is put before it: into the headroom. */
struct frame *frame_from_message(wsfan_message *message) {
    wsfan_message_id id = wsfan_message_get_id(message);
    char prefix[FRAME_HEADROOM_BYTES - LWS_PRE + 1];
    snprintf(prefix, sizeof prefix, "{\"id\":\"%016" PRIx64 "-%016" PRIx64 "\",", id.clock,
             id.origin);
    unsigned char *headroom = wsfan_message_headroom(message, FRAME_HEADROOM_BYTES);
    struct frame *frame = headroom == NULL ? NULL : frame_new();
    if (frame == NULL)
        return NULL;
    frame->message = wsfan_message_ref(message);
    frame->start = memcpy(headroom + LWS_PRE, prefix, sizeof prefix - 1);
    frame->size = sizeof prefix - 1 + wsfan_message_payload(message).size;
    return frame;
}

struct frame *frame_from_json(struct json *json) {
    struct frame *frame = json->failed ? NULL : frame_new();
    if (frame != NULL) {
        frame->owned = json->data;
        frame->start = (unsigned char *)json->data + LWS_PRE;
        frame->size = json->size;
        json->data = NULL;
    }
    json_free(json);
    return frame;
}

void frame_release(struct frame *frame) {
    if (frame == NULL || --frame->references > 0)
        return;
    if (frame->message != NULL)
        wsfan_message_unref(frame->message);
    free(frame->owned);
    free(frame);
}
