/* frames.c - the frames of WebSocket (RFC 6455; section numbers below are of it).
 *
 * Invariants: `message` is the opcode of a message that has begun and not ended; its bytes so far are in
 * `buffer`, `message_size` of them. A `buffer` while there is no `message` is one that was handed out, and is freed
 * by the next call. In HEAD `head_size` bytes of a head are there and good so far; in PAYLOAD the frame still lacks
 * `left` bytes, or has just got its last; in ENDED nothing is read any more. */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

enum state { HEAD, PAYLOAD, ENDED };

enum {
    FIN = 0x80,
    RSV = 0x70,
    OPCODE = 0x0F,
    CONTROL = 0x08, /* the bit that control opcodes have (section 5.5) */
    MASKED = 0x80,
    SIZE = 0x7F,
    SIZE_16 = 126, /* the size is in the next 2 bytes */
    SIZE_64 = 127, /* in the next 8 */
    MASK_BYTES = 4,
    BUFFER_BYTES_MIN = 512 /* so that a message byte by byte is not moved for each */
};

static void free_buffer(struct frames *frames) {
    free(frames->buffer);
    frames->buffer = NULL;
    frames->buffer_size = 0;
}

void frames_open(struct frames *frames, size_t message_max) {
    memset(frames, 0, sizeof *frames);
    frames->message_max = message_max;
}

void frames_close(struct frames *frames) {
    free_buffer(frames);
    frames->message = 0;
    frames->message_size = 0;
    frames->state = ENDED;
}

static enum frames_kind fail(struct frames *frames, struct frames_event *event, unsigned code,
                             const char *text) {
    frames_close(frames);
    *event = (struct frames_event){ .code = code, .text = text };
    return FRAMES_ERROR;
}

/* --------------------------------------------------------------------------------------- head */

/* Checks the first byte of a frame's head. Returns the reason to refuse it, or NULL. */
static const char *judge_first(const struct frames *frames, unsigned byte) {
    unsigned opcode = byte & OPCODE;
    if ((byte & RSV) != 0)
        return "a reserved bit is set, but no extension is agreed"; /* 5.2 */
    if (opcode > FRAMES_OP_PONG || (opcode > FRAMES_OP_BINARY && opcode < FRAMES_OP_CLOSE))
        return "the opcode is reserved"; /* 5.2 */
    if ((opcode & CONTROL) != 0)
        return (byte & FIN) != 0 ? NULL : "a control frame is fragmented"; /* 5.5 */
    if (opcode == FRAMES_OP_CONTINUATION)
        return frames->message != 0 ? NULL : "a continuation continues nothing"; /* 5.4 */
    return frames->message == 0 ? NULL : "a message begins within another";      /* 5.4 */
}

/* The same of the second byte. */
static const char *judge_second(const struct frames *frames, unsigned byte) {
    unsigned opcode = frames->head[0] & OPCODE;
    if ((byte & MASKED) == 0)
        return "a frame of a client is not masked"; /* 5.1 */
    if ((opcode & CONTROL) != 0 && (byte & SIZE) > FRAMES_CONTROL_PAYLOAD_MAX)
        return "a control frame is longer than 125 bytes"; /* 5.5 */
    if (opcode == FRAMES_OP_CLOSE && (byte & SIZE) == 1)
        return "a close frame has half a status code"; /* 5.5.1 */
    return NULL;
}

/* The bytes of a whole head whose first two are there. */
static size_t size_of_head(const struct frames *frames) {
    unsigned size = frames->head[1] & SIZE;
    return 2 + (size == SIZE_16 ? 2 : size == SIZE_64 ? 8 : 0) + MASK_BYTES;
}

/* Judges the size of the frame, of which all bytes are there. Returns the code to fail with, or 0. */
static unsigned judge_size(struct frames *frames, const char **text) {
    size_t end = size_of_head(frames) - MASK_BYTES;
    uint64_t size = frames->head[1] & SIZE;
    if (end > 2)
        size = 0;
    for (size_t i = 2; i < end; i++)
        size = size << 8 | frames->head[i];
    *text = "the size of a frame is not in its shortest form, or above 63 bits"; /* 5.2 */
    if ((end == 4 && size < SIZE_16) || (end == 10 && size <= UINT16_MAX) || size > INT64_MAX)
        return FRAMES_PROTOCOL_ERROR;
    *text = "the message is too large"; /* 10.4 */
    if ((frames->head[0] & CONTROL) == 0 && size > frames->message_max - frames->message_size)
        return FRAMES_TOO_LARGE;
    frames->left = size;
    return 0;
}

static void begin_payload(struct frames *frames) {
    unsigned opcode = frames->head[0] & OPCODE;
    memcpy(frames->mask, frames->head + frames->head_size - MASK_BYTES, MASK_BYTES);
    frames->final = (frames->head[0] & FIN) != 0;
    frames->state = PAYLOAD;
    frames->head_size = 0;
    frames->control_size = 0;
    frames->opcode = (uint8_t)opcode;
    if (opcode == FRAMES_OP_TEXT || opcode == FRAMES_OP_BINARY)
        frames->message = (uint8_t)opcode;
}

/* Reads the head on. FRAMES_MORE: it is complete, or all was taken. */
static enum frames_kind read_head(struct frames *frames, const unsigned char *bytes, size_t size,
                                  size_t *taken, struct frames_event *event) {
    while (*taken < size) {
        const char *text = NULL;
        unsigned byte = bytes[(*taken)++];
        unsigned code = FRAMES_PROTOCOL_ERROR;
        frames->head[frames->head_size++] = (unsigned char)byte;
        if (frames->head_size == 1)
            text = judge_first(frames, byte);
        else if (frames->head_size == 2)
            text = judge_second(frames, byte);
        if (text != NULL)
            return fail(frames, event, code, text);
        if (frames->head_size < 2)
            continue;
        size_t whole = size_of_head(frames);
        if (frames->head_size == whole - MASK_BYTES) {
            code = judge_size(frames, &text);
            if (code != 0)
                return fail(frames, event, code, text);
        } else if (frames->head_size == whole) {
            begin_payload(frames);
            break;
        }
    }
    return FRAMES_MORE;
}

/* ------------------------------------------------------------------------------------ payload */

/* 5.3. Eight bytes at a time; the mask is turned for the byte that comes next. */
static void unmask(unsigned char mask[MASK_BYTES], unsigned char *bytes, size_t size) {
    unsigned char twice[2 * MASK_BYTES];
    uint64_t masks, word;
    size_t i = 0;
    memcpy(twice, mask, MASK_BYTES);
    memcpy(twice + MASK_BYTES, mask, MASK_BYTES);
    memcpy(&masks, twice, sizeof masks);
    for (; size - i >= sizeof word; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        word ^= masks;
        memcpy(bytes + i, &word, sizeof word);
    }
    for (; i < size; i++)
        bytes[i] ^= twice[i % MASK_BYTES];
    memcpy(mask, twice + size % MASK_BYTES, MASK_BYTES);
}

/* The buffer grows with what has come and not with what is announced, so that an announcement costs nothing. */
static bool append(struct frames *frames, const unsigned char *bytes, size_t size) {
    size_t needed = frames->message_size + size;
    if (needed > frames->buffer_size) {
        size_t most = frames->final ? needed + (size_t)frames->left : frames->message_max;
        size_t room = needed > most / 2 ? most : 2 * needed;
        if (room < BUFFER_BYTES_MIN)
            room = most < BUFFER_BYTES_MIN ? most : BUFFER_BYTES_MIN;
        unsigned char *buffer = realloc(frames->buffer, room);
        if (buffer == NULL)
            return false;
        frames->buffer = buffer;
        frames->buffer_size = room;
    }
    if (size > 0)
        memcpy(frames->buffer + frames->message_size, bytes, size);
    frames->message_size = needed;
    return true;
}

static enum frames_kind end_message(struct frames *frames, const unsigned char *data, size_t size,
                                    struct frames_event *event) {
    bool text = frames->message == FRAMES_OP_TEXT;
    if (text && !utf8_complete(&frames->utf8))
        return fail(frames, event, FRAMES_NOT_UTF8, "a text ends within a character"); /* 8.1 */
    event->data = data;
    event->size = size;
    frames->message = 0;
    frames->message_size = 0;
    return text ? FRAMES_TEXT : FRAMES_BINARY;
}

/* The next bytes of a data frame, unmasked. */
static enum frames_kind read_data(struct frames *frames, const unsigned char *bytes, size_t size,
                                  struct frames_event *event) {
    if (frames->message == FRAMES_OP_TEXT && !utf8_read(&frames->utf8, bytes, size))
        return fail(frames, event, FRAMES_NOT_UTF8, "a text is not UTF-8"); /* 8.1 */
    bool last = frames->final && frames->left == 0;
    if (last && frames->message_size == 0)
        return end_message(frames, bytes, size, event);
    if (!append(frames, bytes, size))
        return fail(frames, event, FRAMES_NO_MEMORY, "there is no memory for the message");
    return last ? end_message(frames, frames->buffer, frames->message_size, event) : FRAMES_MORE;
}

static enum frames_kind end_close(struct frames *frames, const unsigned char *data, size_t size,
                                  struct frames_event *event) {
    frames_close(frames); /* 5.5.1: nothing is read behind it */
    event->code = FRAMES_NO_CODE;
    event->data = (const unsigned char *)"";
    if (size == 0)
        return FRAMES_CLOSE;
    unsigned code = (unsigned)data[0] << 8 | data[1];
    if (!frames_is_close_code(code))
        return fail(frames, event, FRAMES_PROTOCOL_ERROR,
                    "no close frame may have this code"); /* 7.4 */
    if (!utf8_valid((const char *)data + 2, size - 2))
        return fail(frames, event, FRAMES_NOT_UTF8, "the reason is not UTF-8"); /* 5.5.1, 8.1 */
    event->code = code;
    event->data = data + 2;
    event->size = size - 2;
    return FRAMES_CLOSE;
}

/* The next bytes of a control frame, unmasked. Only one that comes in several reads is copied. */
static enum frames_kind read_control(struct frames *frames, const unsigned char *bytes, size_t size,
                                     struct frames_event *event) {
    if (frames->left > 0 || frames->control_size > 0) {
        memcpy(frames->control + frames->control_size, bytes, size);
        frames->control_size = (uint8_t)(frames->control_size + size);
        bytes = frames->control;
        size = frames->control_size;
    }
    if (frames->left > 0)
        return FRAMES_MORE;
    if (frames->opcode == FRAMES_OP_CLOSE)
        return end_close(frames, bytes, size, event);
    event->data = bytes;
    event->size = size;
    return frames->opcode == FRAMES_OP_PING ? FRAMES_PING : FRAMES_PONG;
}

static enum frames_kind read_payload(struct frames *frames, unsigned char *bytes, size_t size,
                                     size_t *taken, struct frames_event *event) {
    size_t there = size - *taken < frames->left ? size - *taken : (size_t)frames->left;
    unsigned char *payload = bytes + *taken;
    *taken += there;
    frames->left -= there;
    if (frames->left == 0)
        frames->state = HEAD;
    else if (there == 0)
        return FRAMES_MORE;
    unmask(frames->mask, payload, there);
    return (frames->opcode & CONTROL) != 0 ? read_control(frames, payload, there, event)
                                           : read_data(frames, payload, there, event);
}

enum frames_kind frames_read(struct frames *frames, unsigned char *bytes, size_t size,
                             size_t *taken, struct frames_event *event) {
    enum frames_kind kind = FRAMES_MORE;
    *event = (struct frames_event){ 0 };
    *taken = 0;
    if (frames->message == 0)
        free_buffer(frames);
    if (size == 0)
        return FRAMES_MORE;
    while (kind == FRAMES_MORE && frames->state != ENDED) {
        if (frames->state == HEAD)
            kind = read_head(frames, bytes, size, taken, event);
        if (kind == FRAMES_MORE && frames->state == PAYLOAD)
            kind = read_payload(frames, bytes, size, taken, event);
        if (*taken == size)
            break;
    }
    if (frames->state == ENDED)
        *taken = size;
    return kind;
}

/* ------------------------------------------------------------------------------------- writing */

bool frames_is_close_code(unsigned code) {
    bool registered = code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
    return registered || (code >= 3000 && code <= 4999); /* 7.4.1, 7.4.2 */
}

size_t frames_write_head(unsigned char head[FRAMES_HEAD_BYTES_MAX], enum frames_opcode opcode,
                         uint64_t payload_size) {
    size_t size_bytes = payload_size < SIZE_16 ? 0 : payload_size <= UINT16_MAX ? 2 : 8;
    head[0] = (unsigned char)(FIN | (unsigned)opcode);
    head[1] = (unsigned char)(size_bytes == 0 ? payload_size : size_bytes == 2 ? SIZE_16 : SIZE_64);
    for (size_t i = 0; i < size_bytes; i++)
        head[2 + i] = (unsigned char)(payload_size >> 8 * (size_bytes - 1 - i));
    return 2 + size_bytes;
}

size_t frames_write_control(unsigned char frame[FRAMES_CONTROL_BYTES_MAX],
                            enum frames_opcode opcode, const void *payload, size_t size) {
    if (size > FRAMES_CONTROL_PAYLOAD_MAX)
        size = FRAMES_CONTROL_PAYLOAD_MAX;
    size_t head = frames_write_head(frame, opcode, size);
    if (size > 0)
        memcpy(frame + head, payload, size);
    return head + size;
}

size_t frames_write_close(unsigned char frame[FRAMES_CONTROL_BYTES_MAX], unsigned code,
                          const char *reason, size_t size) {
    unsigned char payload[FRAMES_CONTROL_PAYLOAD_MAX];
    if (code == FRAMES_NO_CODE)
        return frames_write_control(frame, FRAMES_OP_CLOSE, NULL, 0);
    if (size > FRAMES_CLOSE_REASON_BYTES_MAX)
        for (size = FRAMES_CLOSE_REASON_BYTES_MAX; size > 0 && (reason[size] & 0xC0) == 0x80;)
            size--;
    payload[0] = (unsigned char)(code >> 8);
    payload[1] = (unsigned char)code;
    if (size > 0)
        memcpy(payload + 2, reason, size);
    return frames_write_control(frame, FRAMES_OP_CLOSE, payload, 2 + size);
}
