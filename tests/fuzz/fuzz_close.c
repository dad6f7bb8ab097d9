/* The close frame of a client: any payload is read as another reader reads it, in one piece and in many, within a
 * message or not, and nothing is read behind it; a reason of any length is cut at a character and read again. The first
 * byte of an input says what comes before the frame and how it is cut, the next four are its mask. */
#include "frames.h"
#include "pieces.h"
#include "target.h"

enum { SEED = 5, PAYLOAD_BYTES_MAX = 200, FRAME_BYTES_MAX = 64 + PAYLOAD_BYTES_MAX };

struct result {
    enum frames_kind kind;
    unsigned code;
    size_t reason_size;
    unsigned char reason[FRAMES_CLOSE_REASON_BYTES_MAX];
    unsigned pings;
};

/* ---------------------------------------------------------------------------- another reader */

static bool is_code(unsigned code) {
    switch (code) {
    case 1000: /* RFC 6455, section 7.4.1 */
    case 1001:
    case 1002:
    case 1003:
    case 1007:
    case 1008:
    case 1009:
    case 1010:
    case 1011:
    case 1012: /* registered since */
    case 1013:
    case 1014:
        return true;
    default:
        return code / 1000 == 3 || code / 1000 == 4;
    }
}

/* The bytes of the character that is at `at`, 0: there is none. By its number, not by its bytes. */
static size_t size_of_character(const unsigned char *at, size_t size) {
    static const struct {
        unsigned mask, lead, least;
    } forms[] = {
        { 0x80, 0x00, 0 }, { 0xE0, 0xC0, 0x80 }, { 0xF0, 0xE0, 0x800 }, { 0xF8, 0xF0, 0x10000 }
    };
    for (size_t form = 0; form < 4; form++) {
        if ((at[0] & forms[form].mask) != forms[form].lead)
            continue;
        uint32_t number = at[0] & ~forms[form].mask;
        if (size < form + 1)
            return 0;
        for (size_t i = 1; i <= form; i++) {
            if (at[i] >> 6 != 2)
                return 0;
            number = number << 6 | (at[i] & 0x3F);
        }
        bool surrogate = number >> 11 == 0xD800 >> 11;
        return number >= forms[form].least && number <= 0x10FFFF && !surrogate ? form + 1 : 0;
    }
    return 0;
}

/* The bytes of the characters that are at `text`, of which no more than `most` are to be used. */
static size_t size_of_characters(const unsigned char *text, size_t size, size_t most) {
    size_t used = 0, next;
    while (used < size && (next = size_of_character(text + used, size - used)) != 0 &&
           used + next <= most)
        used += next;
    return used;
}

static void expect(struct result *expected, const unsigned char *payload, size_t size) {
    unsigned code = size >= 2 ? payload[0] * 256u + payload[1] : 0;
    expected->kind = FRAMES_ERROR;
    expected->reason_size = 0;
    if (size > 125 || size == 1 || (size >= 2 && !is_code(code))) {
        expected->code = FRAMES_PROTOCOL_ERROR;
    } else if (size > 2 && size_of_characters(payload + 2, size - 2, size) != size - 2) {
        expected->code = FRAMES_NOT_UTF8;
    } else {
        expected->kind = FRAMES_CLOSE;
        expected->code = size == 0 ? FRAMES_NO_CODE : code;
        expected->reason_size = size == 0 ? 0 : size - 2;
        if (size > 2)
            memcpy(expected->reason, payload + 2, size - 2);
    }
}

/* ------------------------------------------------------------------------------------ what is read */

static void feed(struct frames *frames, struct result *result, unsigned char *bytes, size_t size) {
    for (size_t used = 0, taken;; used += taken) {
        struct frames_event event;
        enum frames_kind kind = frames_read(frames, bytes + used, size - used, &taken, &event);
        CHECK(taken <= size - used);
        if (kind == FRAMES_MORE) {
            CHECK(used + taken == size);
            return;
        }
        CHECK(result->kind == FRAMES_MORE); /* nothing comes behind the end */
        if (kind == FRAMES_PING) {
            result->pings++;
            continue;
        }
        result->kind = kind;
        result->code = event.code;
        result->reason_size = kind == FRAMES_CLOSE ? event.size : 0;
        CHECK(result->reason_size <= sizeof result->reason);
        if (result->reason_size > 0)
            memcpy(result->reason, event.data, result->reason_size);
    }
}

/* Each piece is in memory of its size, that what is read or written beside it is seen. */
static void read_frames(struct result *result, const unsigned char *bytes, size_t size,
                        uint32_t *seed) {
    struct frames frames;
    *result = (struct result){ .kind = FRAMES_MORE };
    frames_open(&frames, 100);
    for (size_t at = 0, part; at < size; at += part) {
        part = seed == NULL ? size : next_piece(seed, size - at);
        unsigned char *copy = (unsigned char *)text_of(bytes + at, part);
        feed(&frames, result, copy, part);
        free(copy);
    }
    frames_close(&frames);
}

static void check(const struct result *expected, const struct result *read) {
    CHECK(read->kind == expected->kind && read->code == expected->code &&
          read->pings == expected->pings && read->reason_size == expected->reason_size &&
          memcmp(read->reason, expected->reason, read->reason_size) == 0);
}

/* ---------------------------------------------------------------------------------- what is written */

static size_t add(unsigned char *frame, size_t used, const void *bytes, size_t size) {
    memcpy(frame + used, bytes, size);
    return used + size;
}

static void check_written(unsigned code, const unsigned char *reason, size_t size) {
    unsigned char frame[FRAMES_CONTROL_BYTES_MAX], read[FRAMES_CONTROL_BYTES_MAX + 4];
    size_t written = frames_write_close(frame, code, (const char *)reason, size);
    size_t payload = 2 + size_of_characters(reason, size, FRAMES_CLOSE_REASON_BYTES_MAX);
    CHECK(written == 2 + payload && frame[0] == 0x88 && frame[1] == payload);
    frame[1] |= 0x80; /* as that of a client, with a mask of zeros */
    size_t used = add(read, 0, frame, 2);
    used = add(read, used, "\0\0\0\0", 4);
    used = add(read, used, frame + 2, payload);
    struct result again, expected = { .kind = FRAMES_CLOSE, .code = code };
    expected.reason_size = payload - 2;
    memcpy(expected.reason, reason, payload - 2);
    read_frames(&again, read, used, NULL);
    check(&expected, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned char frame[FRAME_BYTES_MAX];
    size_t used = 0, payload_size = size - SEED;
    if (size < SEED || payload_size > PAYLOAD_BYTES_MAX)
        return 0;
    const unsigned char *mask = data + 1, *payload = data + SEED;
    struct result expected = { .pings = data[0] >> 7 }, read;
    if ((data[0] & 0x40) != 0) /* half of a character, of a text that goes on */
        used = add(frame, used, "\x01\x81\0\0\0\0\xC3", 7);
    if (expected.pings != 0)
        used = add(frame, used, "\x89\x80\0\0\0\0", 6);
    frame[used++] = 0x88;
    frame[used++] = (unsigned char)(0x80 | (payload_size > 125 ? 126 : payload_size));
    if (payload_size > 125) {
        frame[used++] = (unsigned char)(payload_size >> 8);
        frame[used++] = (unsigned char)payload_size;
    }
    used = add(frame, used, mask, 4);
    for (size_t i = 0; i < payload_size; i++)
        frame[used++] = payload[i] ^ mask[i % 4];
    used = add(frame, used, "\x89\x80\0\0\0\0", 6); /* which nobody reads */
    expect(&expected, payload, payload_size);
    read_frames(&read, frame, used, NULL);
    check(&expected, &read);
    uint32_t seed = data[0];
    read_frames(&read, frame, used, &seed);
    check(&expected, &read);
    if (payload_size > 2 && is_code(payload[0] * 256u + payload[1]) &&
        size_of_characters(payload + 2, payload_size - 2, payload_size) == payload_size - 2)
        check_written(payload[0] * 256u + payload[1], payload + 2, payload_size - 2);
    return 0;
}
