/* utf8.c - whether bytes are UTF-8 (RFC 3629, section 4), as a whole or piece by piece.
 *
 * Invariant of struct utf8: while a byte is missing, `low` and `high` bound the next one, so that each byte is
 * judged when it is there. Only the second byte of a character has bounds of its own; the rest are 80 to BF. */
#include "utf8.h"

#include <string.h>

/* How many of the bytes are ASCII from the first one on, or fewer by less than 8. */
static size_t ascii_size(const unsigned char *bytes, size_t size) {
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    uint64_t one, two;
    size_t i = 0;
    for (; size - i >= 16; i += 16) {
        memcpy(&one, bytes + i, 8);
        memcpy(&two, bytes + i + 8, 8);
        if (((one | two) & high_bits) != 0)
            return i;
    }
    return i;
}

/* The first byte of a character. */
static void begin(struct utf8 *utf8, unsigned char first) {
    utf8->low = 0x80;
    utf8->high = 0xBF;
    if (first < 0xC2 ||
        first > 0xF4) { /* a byte that begins none, an overlong form, above U+10FFFF */
        utf8->failed = true;
        return;
    }
    utf8->missing = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    if (first == 0xE0)
        utf8->low = 0xA0; /* else an overlong form */
    else if (first == 0xED)
        utf8->high = 0x9F; /* else a surrogate */
    else if (first == 0xF0)
        utf8->low = 0x90; /* else an overlong form */
    else if (first == 0xF4)
        utf8->high = 0x8F; /* else above U+10FFFF */
}

bool utf8_read(struct utf8 *utf8, const void *bytes, size_t size) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size && !utf8->failed; i++) {
        if (utf8->missing > 0) {
            utf8->failed = at[i] < utf8->low || at[i] > utf8->high;
            utf8->missing--;
            utf8->low = 0x80;
            utf8->high = 0xBF;
        } else if (at[i] >= 0x80) {
            begin(utf8, at[i]);
        } else if (size - i >= 16) {
            size_t ascii = ascii_size(at + i, size - i);
            i += ascii > 0 ? ascii - 1 : 0;
        }
    }
    return !utf8->failed;
}

bool utf8_complete(const struct utf8 *utf8) {
    return !utf8->failed && utf8->missing == 0;
}

bool utf8_valid(const char *text, size_t size) {
    struct utf8 utf8 = { 0 };
    return utf8_read(&utf8, text, size) && utf8_complete(&utf8);
}

size_t utf8_size(const char *text, size_t size) {
    struct utf8 utf8 = { 0 };
    size_t i = 0;
    do {
        if (i == size || !utf8_read(&utf8, text + i, 1))
            return 0;
        i++;
    } while (!utf8_complete(&utf8));
    return i;
}
