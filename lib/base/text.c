/* Answers for which bytes are text. Knows nothing of what a text is for. */
#include "base/text.h"

#include <stdint.h>

/* The size of the character at `at` (RFC 3629, section 4), 0 where there is none. */
static size_t character(const uint8_t *at, size_t size, uint32_t *code) {
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint8_t first = at[0];
    size_t width = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (width == 0 || first >= 0xf8 || width > size)
        return 0;
    *code = width == 1 ? first : first & (0x7fu >> width);
    for (size_t i = 1; i < width; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (at[i] & 0x3f);
    }
    bool surrogate = *code >= 0xd800 && *code <= 0xdfff;
    return *code < smallest[width] || surrogate || *code > 0x10ffff ? 0 : width;
}

/* Unicode's general categories Cc, Zl and Zp, and its property Bidi_Control. */
static bool is_control(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c || code == 0x200e ||
           code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

static bool is_utf8(const void *text, size_t size, bool printable) {
    const uint8_t *bytes = text;
    uint32_t code;
    for (size_t i = 0, width; i < size; i += width) {
        width = character(bytes + i, size - i, &code);
        if (width == 0 || (printable && is_control(code)))
            return false;
    }
    return true;
}

bool wsf_text_is_utf8(const void *text, size_t size) {
    return is_utf8(text, size, false);
}

bool wsf_text_is_printable(const void *text, size_t size) {
    return is_utf8(text, size, true);
}

bool wsf_text_is_visible(const void *text, size_t size) {
    const uint8_t *bytes = text;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] < 0x21 || bytes[i] > 0x7e)
            return false;
    return true;
}
