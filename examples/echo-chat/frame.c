/* frame.c - messages of libwsfan, as clients get them: one frame for all of them.
 *
 * What is published is a whole value, so that any program may publish and any may read. The library
 * stamps a message's id when it is published, so the id is put into the JSON object here. */
#include "echo_chat.h"

#include <stdlib.h>

static struct web_frame *frame_of(bool is_text, const char *data, size_t size) {
    char *payload;
    struct web_frame *frame = web_frame_new(is_text, size, &payload);
    if (frame != NULL && size > 0)
        memcpy(payload, data, size);
    return frame;
}

/* The object with the id before its first member. `members`: what follows its brace. */
static struct web_frame *with_id(struct slice members, bool is_empty, const char *id) {
    static const char before[] = "{\"id\":\"", after[] = "\",";
    size_t before_size = sizeof before - 1, after_size = is_empty ? 1 : 2;
    char *payload;
    struct web_frame *frame = web_frame_new(
        true, before_size + ID_BYTES + after_size + members.size, &payload);
    if (frame == NULL)
        return NULL;
    memcpy(payload, before, before_size);
    memcpy(payload + before_size, id, ID_BYTES);
    memcpy(payload + before_size + ID_BYTES, after, after_size);
    memcpy(payload + before_size + ID_BYTES + after_size, members.data, members.size);
    return frame;
}

/* Another program's object has an id of its own, and a page would take the last of two. */
static struct web_frame *with_id_instead(json_t *object, const char *id) {
    json_object_set_new(object, "id", json_string(id));
    char *text = json_dumps(object, JSON_COMPACT);
    struct web_frame *frame = text == NULL ? NULL : frame_of(true, text, strlen(text));
    free(text);
    return frame;
}

/* Another program's text that is no JSON object, as if somebody without a name had said it. */
static struct web_frame *as_said(const wsfan_message *message, const char *id) {
    wsfan_bytes text = wsfan_message_payload(message);
    wsfan_target to = wsfan_message_target(message, 0);
    struct writer json = { 0 };
    writer_format(&json, "{\"id\":\"%s\",\"type\":\"message\",\"chat\":", id);
    writer_string_sized(&json, to.name.data, to.kind == WSFAN_CHAT ? to.name.size : 0);
    writer_format(&json, ",\"user\":\"\",\"node\":\"\",\"text\":");
    writer_string_sized(&json, text.data, text.size);
    writer_format(&json, "}");
    return frame_from_json(&json);
}

/* Any text, by a reader that knows all of JSON. */
static struct web_frame *from_text(const wsfan_message *message, wsfan_bytes payload,
                                   const char *id) {
    struct web_frame *frame;
    json_t *object = json_loadb(payload.data, payload.size, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(object)) {
        frame = as_said(message, id);
    } else if (json_object_get(object, "id") != NULL) {
        frame = with_id_instead(object, id);
    } else {
        const char *members = (const char *)memchr(payload.data, '{', payload.size) + 1;
        size_t size = payload.size - (size_t)(members - (const char *)payload.data);
        frame = with_id((struct slice){ members, size }, json_object_size(object) == 0, id);
    }
    json_decref(object);
    return frame;
}

struct web_frame *frame_from_message(const wsfan_message *message) {
    wsfan_bytes payload = wsfan_message_payload(message);
    wsfan_message_id number = wsfan_message_get_id(message);
    char id[ID_BYTES + 1];
    struct slice members;
    if ((wsfan_message_flags(message) & WSFAN_BINARY) != 0 ||
        !utf8_valid(payload.data, payload.size))
        return frame_of(false, payload.data, payload.size);
    writer_id(id, number.clock, number.origin);
    if (object_has_members(payload.data, payload.size, &members))
        return with_id(members, false, id);
    return from_text(message, payload, id);
}

uint64_t frame_key(const wsfan_message *message) {
    static const char typing[] = "{\"type\":\"typing\",\"session\":\"";
    wsfan_bytes payload = wsfan_message_payload(message);
    const unsigned char *text = payload.data;
    uint64_t key = UINT64_C(0xcbf29ce484222325); /* FNV-1a of the session that follows */
    if (payload.size < sizeof typing - 1 + ID_BYTES || memcmp(text, typing, sizeof typing - 1) != 0)
        return 0;
    for (size_t i = 0; i < ID_BYTES; i++)
        key = (key ^ text[sizeof typing - 1 + i]) * UINT64_C(0x100000001b3);
    return key;
}

struct web_frame *frame_from_json(struct writer *json) {
    wsfan_bytes text = writer_text(json);
    struct web_frame *frame = json->failed ? NULL : frame_of(true, text.data, text.size);
    writer_free(json);
    return frame;
}
