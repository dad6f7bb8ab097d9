/* utf8.h - whether bytes are UTF-8 (RFC 3629), as a whole or piece by piece
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * Pure: no allocation, no clock, no socket. Sizes are in bytes.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A check that goes on over pieces. All zero: nothing has been read yet. */
struct utf8 {
    uint8_t missing; /* bytes that the character at the end of the last piece still lacks */
    uint8_t low;     /* of the next byte: from `low` to `high`, while one is missing */
    uint8_t high;
    bool failed; /* for ever */
};

/* Reads one more piece. Returns false from the first byte on by which the text cannot become UTF-8 any
 * more, be the character complete or not: no overlong form, no surrogate, nothing above U+10FFFF. */
bool utf8_read(struct utf8 *utf8, const void *bytes, size_t size);

/* Whether what was read is UTF-8 and ends with a whole character. */
bool utf8_complete(const struct utf8 *utf8);

/* Whether the text is UTF-8. text may be NULL where size is 0. */
bool utf8_valid(const char *text, size_t size);

/* The size of the character at `text`, 0 where there is none. size: at least 1. */
size_t utf8_size(const char *text, size_t size);

#endif
