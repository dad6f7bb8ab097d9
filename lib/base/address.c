/* Answers for how an address is written: NODE-SESSION, sixteen hexadecimal digits each, or NODE alone for a
 * node. Each address has exactly one text, so that texts compare as addresses do. */
#include <stdbool.h>
#include <stddef.h>
#include <wsfan/wsfan.h>

enum { DIGITS = 16 };

static void write_digits(char *out, uint64_t value) {
    for (int i = 0; i < DIGITS; i++)
        out[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
}

static bool read_digits(const char *text, uint64_t *value) {
    *value = 0;
    for (int i = 0; i < DIGITS; i++) {
        char c = text[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

char *wsfan_address_text(wsfan_address address, char text[WSFAN_ADDRESS_TEXT_SIZE]) {
    size_t size = DIGITS;
    write_digits(text, address.node);
    if (address.session != 0) {
        text[size++] = '-';
        write_digits(text + size, address.session);
        size += DIGITS;
    }
    text[size] = '\0';
    return text;
}

int wsfan_address_parse(wsfan_address *address, wsfan_bytes text) {
    wsfan_address read = { 0, 0 };
    const char *at = text.data;
    if (address == NULL || at == NULL || (text.size != DIGITS && text.size != 2 * DIGITS + 1) ||
        !read_digits(at, &read.node) || read.node == 0)
        return WSFAN_EINVAL;
    if (text.size > DIGITS &&
        (at[DIGITS] != '-' || !read_digits(at + DIGITS + 1, &read.session) || read.session == 0))
        return WSFAN_EINVAL;
    *address = read;
    return WSFAN_OK;
}
