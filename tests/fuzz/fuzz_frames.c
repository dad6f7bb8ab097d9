/* Frames of a client: any bytes give the same events in one piece and in many, texts are UTF-8, sizes within their limit,
 * nothing comes behind the end; what is written back is read again. */
#include "frames.h"
#include "pieces.h"
#include "target.h"

enum { MESSAGE_MAX = 300 };

struct log {
    uint64_t hash; /* of all events, FNV-1a */
    size_t count;
    enum frames_kind last;
};

static void add(struct log *log, const void *bytes, size_t size) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        log->hash = (log->hash ^ at[i]) * UINT64_C(0x100000001b3);
}

static void check_close(const struct frames_event *event) {
    unsigned char frame[FRAMES_CONTROL_BYTES_MAX];
    size_t size = frames_write_close(frame, event->code, (const char *)event->data, event->size);
    CHECK(event->code == FRAMES_NO_CODE || frames_is_close_code(event->code));
    CHECK(utf8_valid((const char *)event->data, event->size));
    CHECK(frame[0] == 0x88 && frame[1] == size - 2);
    CHECK(size == (event->code == FRAMES_NO_CODE ? 2 : 4 + event->size));
}

static void note(struct log *log, enum frames_kind kind, const struct frames_event *event) {
    CHECK(log->last != FRAMES_CLOSE && log->last != FRAMES_ERROR);
    log->last = kind;
    log->count++;
    add(log, &kind, sizeof kind);
    add(log, &event->code, sizeof event->code);
    add(log, &event->size, sizeof event->size);
    if (kind == FRAMES_ERROR) {
        CHECK(event->text != NULL &&
              (event->code == FRAMES_PROTOCOL_ERROR || event->code == FRAMES_NOT_UTF8 ||
               event->code == FRAMES_TOO_LARGE));
        return;
    }
    CHECK(event->data != NULL);
    add(log, event->data, event->size);
    bool control = kind != FRAMES_TEXT && kind != FRAMES_BINARY;
    CHECK(event->size <= (control ? FRAMES_CONTROL_PAYLOAD_MAX : MESSAGE_MAX));
    CHECK(kind != FRAMES_TEXT || utf8_valid((const char *)event->data, event->size));
    if (kind == FRAMES_CLOSE)
        check_close(event);
}

static void feed(struct frames *frames, struct log *log, unsigned char *bytes, size_t size) {
    size_t used = 0;
    for (;;) {
        struct frames_event event;
        size_t taken;
        enum frames_kind kind = frames_read(frames, bytes + used, size - used, &taken, &event);
        CHECK(taken <= size - used);
        used += taken;
        CHECK(frames->buffer_size <= MESSAGE_MAX && frames->message_size <= frames->buffer_size);
        if (kind == FRAMES_MORE)
            break;
        note(log, kind, &event);
    }
    CHECK(used == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    uint32_t seed = data[0];
    struct frames one, many;
    struct log whole = { 0 }, pieces = { 0 };
    frames_open(&one, MESSAGE_MAX);
    frames_open(&many, MESSAGE_MAX);
    unsigned char *copy = (unsigned char *)text_of(data + 1, size - 1);
    feed(&one, &whole, copy, size - 1);
    free(copy);
    for (size_t at = 1, part; at < size; at += part) {
        part = next_piece(&seed, size - at);
        copy = malloc(part); /* exactly so large, that what is read or written beside it is seen */
        memcpy(copy, data + at, part);
        feed(&many, &pieces, copy, part);
        free(copy);
    }
    CHECK(whole.hash == pieces.hash && whole.count == pieces.count && whole.last == pieces.last);
    frames_close(&one);
    frames_close(&many);
    return 0;
}
