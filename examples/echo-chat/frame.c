/* frame.c - one text message for many clients: the bytes exist once, queues share them.
 *
 * A server does not mask, so the header of a WebSocket message is the same for every client: it is
 * written here, once, into the room before the text. libwebsockets then sends bytes as they are,
 * which lets client.c put many messages into one write. */
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

/* Puts the header of a text message before it (RFC 6455, section 5.2). */
static void set_text(struct frame *frame, unsigned char *text, size_t size) {
    size_t head = size < 126 ? 2 : size <= UINT16_MAX ? 4 : 10;
    frame->start = text - head;
    frame->size = head + size;
    frame->start[0] = 0x81; /* text, in one fragment */
    frame->start[1] = (unsigned char)(head == 2 ? size : head == 4 ? 126 : 127);
    for (size_t i = head; i > 2; i--, size >>= 8)
        frame->start[i - 1] = (unsigned char)size;
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
    memcpy(headroom + LWS_PRE, prefix, sizeof prefix - 1);
    set_text(frame, headroom + LWS_PRE, sizeof prefix - 1 + wsfan_message_payload(message).size);
    return frame;
}

uint64_t frame_key(const wsfan_message *message) {
    static const char typing[] = "\"type\":\"typing\",\"session\":\"";
    wsfan_bytes payload = wsfan_message_payload(message);
    const unsigned char *text = payload.data;
    uint64_t key = UINT64_C(0xcbf29ce484222325); /* FNV-1a of the session that follows */
    if (payload.size < sizeof typing - 1 + ID_BYTES || memcmp(text, typing, sizeof typing - 1) != 0)
        return 0;
    for (size_t i = 0; i < ID_BYTES; i++)
        key = (key ^ text[sizeof typing - 1 + i]) * UINT64_C(0x100000001b3);
    return key;
}

struct frame *frame_from_json(struct json *json) {
    struct frame *frame = json->failed ? NULL : frame_new();
    if (frame != NULL) {
        frame->owned = json->data;
        set_text(frame, (unsigned char *)json->data + LWS_PRE, json->size);
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
