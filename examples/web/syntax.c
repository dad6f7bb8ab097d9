/* syntax.c - what the readers of HTTP share: slices of a text, classes of characters, lists. */
#include "syntax.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* The sum of the classes of syntax.h that a character is in. Each row begins with the code behind it. */
/* clang-format off */
const unsigned char syntax_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, /* 00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 10 */
    2, 15, 2, 3, 15, 7, 15, 15, 14, 14, 15, 15, 14, 15, 15, 6, /* 20 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 14, 2, 14, 2, 6, /* 30 */
    6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 40 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 6, 6, 7, 15, /* 50 */
    7, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 60 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 7, 6, 15, 0, /* 70 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 80 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 90 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* A0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* B0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* C0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* D0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* E0 */
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* F0 */
};
/* clang-format on */

struct slice slice_of(const char *text) {
    return (struct slice){ text, strlen(text) };
}

bool slice_is(struct slice slice, const char *text) {
    return slice.size == strlen(text) &&
           (slice.size == 0 || memcmp(slice.data, text, slice.size) == 0);
}

/* strncasecmp() goes by the locale, but servers stay in "C". It stops at a NUL, which `text` does not have. */
bool slice_is_nocase(struct slice slice, const char *text) {
    return slice.size == strlen(text) &&
           (slice.size == 0 || strncasecmp(slice.data, text, slice.size) == 0);
}

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice slice) {
    while (slice.size > 0 && is_space(slice.data[0])) {
        slice.data++;
        slice.size--;
    }
    while (slice.size > 0 && is_space(slice.data[slice.size - 1]))
        slice.size--;
    return slice;
}

bool syntax_is_token(struct slice slice) {
    for (size_t i = 0; i < slice.size; i++)
        if (!syntax_is_tchar((unsigned char)slice.data[i]))
            return false;
    return slice.size > 0;
}

int syntax_hex(unsigned char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20; /* lower case */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool syntax_next(struct slice *rest, struct slice *element) {
    if (rest->data == NULL)
        return false;
    const char *comma = rest->size > 0 ? memchr(rest->data, ',', rest->size) : NULL;
    size_t size = comma != NULL ? (size_t)(comma - rest->data) : rest->size;
    *element = slice_trim((struct slice){ rest->data, size });
    *rest = comma != NULL ? (struct slice){ comma + 1, rest->size - size - 1 }
                          : (struct slice){ NULL, 0 };
    return true;
}

/* ---------------------------------------------------------------------------------- authority */

/* "[" IPv6address "]" (RFC 3986, section 3.2.2). Of what may come one day, IPvFuture, nothing has come.
 * Returns its size, or 0. */
static size_t read_ipv6(struct slice slice) {
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];
    const char *end = memchr(slice.data, ']', slice.size);
    size_t size = end != NULL ? (size_t)(end - slice.data) - 1 : 0;
    if (size == 0 || size >= sizeof text || memchr(slice.data + 1, '\0', size) != NULL)
        return 0;
    memcpy(text, slice.data + 1, size);
    text[size] = '\0';
    return inet_pton(AF_INET6, text, address) == 1 ? size + 2 : 0;
}

/* reg-name, which an IPv4 address is as well. Returns its size, up to the first character that is not of one. */
static size_t read_name(struct slice slice) {
    size_t i = 0;
    while (i < slice.size) {
        const char *at = slice.data + i;
        if ((syntax_classes[(unsigned char)*at] & SYNTAX_NAME) != 0)
            i++;
        else if (*at == '%' && slice.size - i > 2 && syntax_hex((unsigned char)at[1]) >= 0 &&
                 syntax_hex((unsigned char)at[2]) >= 0)
            i += 3;
        else
            break;
    }
    return i;
}

bool syntax_is_authority(struct slice slice) {
    bool ipv6 = slice.size > 0 && slice.data[0] == '[';
    size_t i = ipv6 ? read_ipv6(slice) : read_name(slice);
    unsigned port = 0;
    if (i == slice.size)
        return true;
    if (slice.data[i] != ':')
        return false;
    for (i++; i < slice.size; i++) {
        if (slice.data[i] < '0' || slice.data[i] > '9')
            return false;
        port = 10 * port + (unsigned)(slice.data[i] - '0');
        if (port > UINT16_MAX)
            return false;
    }
    return true;
}
