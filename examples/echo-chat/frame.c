/* frame.c - messages of libwsfan, as clients get them: one frame for all of them.
 *
 * What is published is a whole value, so that any program may publish and any may read. The library
 * stamps a message's id when it is published, so the id is put into the JSON object here, and with it the position
 * that a client comes back with. */
#include "echo_chat.h"

#include <stdlib.h>

static struct web_frame *frame_of(bool is_text, const char *data, size_t size) {
    char *payload;
    struct web_frame *frame = web_frame_new(is_text, size, &payload);
    if (frame != NULL && size > 0)
        memcpy(payload, data, size);
    return frame;
}

/* What this server says of a message, the first members of its object. */
struct stamp {
    char id[ID_BYTES + 1];
    const char *position; /* "": none */
    bool replayed;
};

enum { STAMP_BYTES_MAX = ID_BYTES + WSFAN_POSITION_TEXT_SIZE + 64 };

/* Returns the size of the text, which begins with the brace. */
static size_t write_stamp(char text[STAMP_BYTES_MAX], const struct stamp *stamp) {
    char *end = stpcpy(stpcpy(stpcpy(text, "{\"id\":\""), stamp->id), "\"");
    if (*stamp->position != '\0')
        end = stpcpy(stpcpy(stpcpy(end, ",\"position\":\""), stamp->position), "\"");
    if (stamp->replayed)
        end = stpcpy(end, ",\"replayed\":true");
    return (size_t)(end - text);
}

/* The object with the stamp before its first member. `members`: what follows its brace. */
static struct web_frame *with_stamp(struct slice members, bool is_empty,
                                    const struct stamp *stamp) {
    char text[STAMP_BYTES_MAX], *payload;
    size_t size = write_stamp(text, stamp);
    if (!is_empty)
        text[size++] = ',';
    struct web_frame *frame = web_frame_new(true, size + members.size, &payload);
    if (frame == NULL)
        return NULL;
    memcpy(payload, text, size);
    memcpy(payload + size, members.data, members.size);
    return frame;
}

/* Takes out what another program's object has under the keys of a stamp, since a page would take the last of two. Returns
 * whether there was any. */
static bool take_stamped(json_t *object) {
    size_t size = json_object_size(object);
    json_object_del(object, "id");
    json_object_del(object, "position");
    json_object_del(object, "replayed");
    return json_object_size(object) < size;
}

static struct web_frame *with_stamp_inside(json_t *object, const struct stamp *stamp) {
    json_object_set_new(object, "id", json_string(stamp->id));
    if (*stamp->position != '\0')
        json_object_set_new(object, "position", json_string(stamp->position));
    if (stamp->replayed)
        json_object_set_new(object, "replayed", json_true());
    char *text = json_dumps(object, JSON_COMPACT);
    struct web_frame *frame = text == NULL ? NULL : frame_of(true, text, strlen(text));
    free(text);
    return frame;
}

/* Another program's text that is no JSON object, as if somebody without a name had said it. */
static struct web_frame *as_said(const wsfan_message *message, const struct stamp *stamp) {
    wsfan_bytes text = wsfan_message_payload(message);
    wsfan_target to = wsfan_message_target(message, 0);
    char first[STAMP_BYTES_MAX];
    struct writer json = { 0 };
    writer_raw(&json, first, write_stamp(first, stamp));
    writer_format(&json, ",\"type\":\"message\",\"chat\":");
    writer_string_sized(&json, to.name.data, to.kind == WSFAN_CHAT ? to.name.size : 0);
    writer_format(&json, ",\"user\":\"\",\"node\":\"\",\"text\":");
    writer_string_sized(&json, text.data, text.size);
    writer_format(&json, "}");
    return frame_from_json(&json);
}

/* Any text, by a reader that knows all of JSON. */
static struct web_frame *from_text(const wsfan_message *message, wsfan_bytes payload,
                                   const struct stamp *stamp) {
    struct web_frame *frame;
    json_t *object = json_loadb(payload.data, payload.size, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(object)) {
        frame = as_said(message, stamp);
    } else if (take_stamped(object)) {
        frame = with_stamp_inside(object, stamp);
    } else {
        const char *members = (const char *)memchr(payload.data, '{', payload.size) + 1;
        size_t size = payload.size - (size_t)(members - (const char *)payload.data);
        frame = with_stamp((struct slice){ members, size }, json_object_size(object) == 0, stamp);
    }
    json_decref(object);
    return frame;
}

struct web_frame *frame_from_message(const wsfan_message *message, const char *position) {
    wsfan_bytes payload = wsfan_message_payload(message);
    wsfan_message_id number = wsfan_message_get_id(message);
    uint32_t flags = wsfan_message_flags(message);
    struct stamp stamp = { .position = position, .replayed = (flags & WSFAN_REPLAYED) != 0 };
    struct slice members;
    if ((flags & WSFAN_BINARY) != 0 || !utf8_valid(payload.data, payload.size))
        return frame_of(false, payload.data, payload.size);
    writer_id(stamp.id, number.clock, number.origin);
    if (object_has_members(payload.data, payload.size, &members))
        return with_stamp(members, false, &stamp);
    return from_text(message, payload, &stamp);
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
