/* Texts come from clients: the seal is checked before anything in the body is believed, and the body once more, because a
 * node of another version may have sealed it. */
#include "base/position.h"

#include <assert.h>
#include <string.h>

enum {
    VERSION = 1,
    HEAD_SIZE = 1 + 4 + 8 + 1,
    SEAL_SIZE = 8,
    DIFFERENCE_SIZE_MAX = 10,
    ENTRY_SIZE_MIN = 4 + 1,
    BODY_SIZE_MAX = HEAD_SIZE + WSF_POSITION_ENTRIES_MAX * (4 + DIFFERENCE_SIZE_MAX),
    SEALED_SIZE_MAX = BODY_SIZE_MAX + SEAL_SIZE,
    MORE = 0x80, /* of the bytes of a difference */
    BELOW = 0x40,
    RAGGED = 0x20
};
_Static_assert((SEALED_SIZE_MAX * 8 + 5) / 6 < WSF_POSITION_TEXT_SIZE, "the largest text fits");
_Static_assert((unsigned)BODY_SIZE_MAX <= WSF_SEALED_MAX, "the largest body can be sealed");

/* -------------------------------------------------------------------------------------- numbers */

static uint8_t *put(uint8_t *at, uint64_t value, unsigned width) {
    for (unsigned shift = width * 8; shift > 0; shift -= 8)
        *at++ = (uint8_t)(value >> (shift - 8));
    return at;
}

static uint64_t get(const uint8_t **at, unsigned width) {
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value = value << 8 | *(*at)++;
    return value;
}

static uint8_t *put_difference(uint8_t *at, const wsf_vector_entry *entry, uint64_t rest) {
    bool below = entry->clock < rest;
    uint64_t amount = below ? rest - entry->clock : entry->clock - rest;
    uint8_t byte = (uint8_t)((amount & 0x1f) | (below ? BELOW : 0) | (entry->ragged ? RAGGED : 0));
    for (amount >>= 5; amount > 0; amount >>= 7) {
        *at++ = byte | MORE;
        byte = (uint8_t)(amount & 0x7f);
    }
    *at++ = byte;
    return at;
}

static bool get_difference(const uint8_t **at, const uint8_t *end, uint64_t rest,
                           wsf_vector_entry *entry) {
    if (*at == end)
        return false;
    const uint8_t first = *(*at)++;
    uint64_t amount = first & 0x1f;
    uint8_t byte = first;
    for (unsigned shift = 5; (byte & MORE) != 0; shift += 7) {
        if (shift >= 64 || *at == end)
            return false;
        byte = *(*at)++;
        uint64_t bits = byte & 0x7f;
        if (bits << shift >> shift != bits || byte == 0)
            return false; /* more than 64 bits; a byte more than needed */
        amount |= bits << shift;
    }
    bool below = (first & BELOW) != 0;
    entry->ragged = (first & RAGGED) != 0;
    if (amount == 0 && (below || !entry->ragged))
        return false;
    if (amount > (below ? rest : UINT64_MAX - rest))
        return false;
    entry->clock = below ? rest - amount : rest + amount;
    return true;
}

/* ---------------------------------------------------------------------------------------- texts */

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t write_text(char *text, const uint8_t *bytes, size_t size) {
    size_t length = 0;
    uint32_t bits = 0;
    unsigned count = 0; /* of bits that wait */
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | bytes[i];
        for (count += 8; count >= 6; count -= 6)
            text[length++] = DIGITS[bits >> (count - 6) & 0x3f];
    }
    if (count > 0)
        text[length++] = DIGITS[bits << (6 - count) & 0x3f];
    text[length] = '\0';
    return length;
}

static int value_of(char digit) {
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '-' ? 62 : digit == '_' ? 63 : -1;
}

/* Returns the number of bytes; 0: it is not the one text of any. */
static size_t read_text(uint8_t bytes[SEALED_SIZE_MAX], const char *text, size_t length) {
    size_t size = 0;
    uint32_t bits = 0;
    unsigned count = 0;
    if (length >= WSF_POSITION_TEXT_SIZE || length % 4 == 1)
        return 0;
    for (size_t i = 0; i < length; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return 0;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        if (size == SEALED_SIZE_MAX)
            return 0;
        bytes[size++] = (uint8_t)(bits >> count);
    }
    return (bits & ((1u << count) - 1)) == 0 ? size : 0;
}

/* ------------------------------------------------------------------------------------ positions */

size_t wsf_position_write(const wsf_hash_seal_key *key, wsfan_bytes chat,
                          const wsf_position *position, char text[WSF_POSITION_TEXT_SIZE]) {
    const wsf_vector *seen = &position->seen;
    uint8_t sealed[SEALED_SIZE_MAX];
    uint8_t *at = sealed;
    uint32_t count = 0;
    at = put(at, VERSION, 1);
    at = put(at, position->epoch, 4);
    at = put(at, seen->rest, 8);
    uint8_t *count_at = at++;
    for (uint32_t i = 0; i < seen->count; i++) {
        const wsf_vector_entry *entry = &seen->entries[i];
        if (entry->clock == seen->rest && !entry->ragged)
            continue;
        if (++count > WSF_POSITION_ENTRIES_MAX)
            return 0;
        at = put(at, entry->origin, 4);
        at = put_difference(at, entry, seen->rest);
    }
    put(count_at, count, 1);
    at = put(at, wsf_hash_seal(key, chat, (wsfan_bytes){ sealed, (size_t)(at - sealed) }),
             SEAL_SIZE);
    return write_text(text, sealed, (size_t)(at - sealed));
}

static bool read_entries(wsf_vector *seen, const uint8_t *at, const uint8_t *end) {
    for (uint32_t i = 0; i < seen->count; i++) {
        wsf_vector_entry *entry = &seen->entries[i];
        if (end - at < ENTRY_SIZE_MIN)
            return false;
        entry->origin = (uint32_t)get(&at, 4);
        if (i > 0 && entry->origin <= entry[-1].origin)
            return false;
        if (!get_difference(&at, end, seen->rest, entry))
            return false;
    }
    return at == end;
}

static wsf_position_verdict read_one(const wsf_hash_seal_key *key, wsfan_bytes chat, uint32_t epoch,
                                     wsfan_bytes text, wsf_position *position) {
    uint8_t sealed[SEALED_SIZE_MAX];
    size_t size = read_text(sealed, text.data, text.size);
    if (size < HEAD_SIZE + SEAL_SIZE)
        return WSF_POSITION_FALSE;
    const uint8_t *at = sealed;
    const uint8_t *end = sealed + size - SEAL_SIZE;
    const uint8_t *seal = end;
    if (!wsf_hash_seal_equal(get(&seal, SEAL_SIZE),
                             wsf_hash_seal(key, chat, (wsfan_bytes){ sealed, size - SEAL_SIZE })))
        return WSF_POSITION_FALSE;
    if (get(&at, 1) != VERSION)
        return WSF_POSITION_FALSE;
    position->epoch = (uint32_t)get(&at, 4);
    wsf_vector_init(&position->seen, get(&at, 8));
    position->seen.count = (uint32_t)get(&at, 1);
    if (position->seen.count > WSF_POSITION_ENTRIES_MAX || !read_entries(&position->seen, at, end))
        return WSF_POSITION_FALSE;
    return position->epoch == epoch ? WSF_POSITION_GOOD : WSF_POSITION_OTHER_EPOCH;
}

wsf_position_verdict wsf_position_read(const wsf_hash_seal_key *key, wsfan_bytes chat,
                                       uint32_t epoch, wsfan_bytes text, wsf_position *position) {
    wsf_position first;
    wsf_position second;
    const char *begin = text.data;
    const char *space = text.size > 0 ? memchr(begin, ' ', text.size) : NULL;
    size_t length = space != NULL ? (size_t)(space - begin) : text.size;
    wsf_position_verdict verdict = read_one(key, chat, epoch, (wsfan_bytes){ begin, length },
                                            &first);
    if (space != NULL && verdict != WSF_POSITION_FALSE) {
        wsfan_bytes newest = { space + 1, text.size - length - 1 };
        wsf_position_verdict of_second = read_one(key, chat, epoch, newest, &second);
        if (of_second != WSF_POSITION_GOOD)
            verdict = of_second;
    }
    if (verdict != WSF_POSITION_GOOD)
        return verdict;
    if (space != NULL)
        wsf_vector_merge(&first.seen, &second.seen);
    *position = first;
    return WSF_POSITION_GOOD;
}
