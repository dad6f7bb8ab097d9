/* syntax.h - what the readers of HTTP share: slices of a text, classes of characters, lists
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * Pure: no allocation, no clock, no socket. Sizes are in bytes.
 */
#ifndef SYNTAX_H
#define SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

/* A part of a text that somebody else keeps; not NUL-terminated. data is NULL where there is no such part. */
struct slice {
    const char *data;
    size_t size;
};

/* The slice of a whole C string. */
struct slice slice_of(const char *text);
/* Whether both have the same bytes; slice_is_nocase: but for the case of ASCII letters. */
bool slice_is(struct slice slice, const char *text);
bool slice_is_nocase(struct slice slice, const char *text);
/* Without the spaces and tabs at both ends (OWS, RFC 9110, section 5.6.3). */
struct slice slice_trim(struct slice slice);

/* Classes of characters. SYNTAX_TCHAR: what methods, field names and other tokens consist of (RFC 9110, section
 * 5.6.2). SYNTAX_FIELD: field-vchar, SP and HTAB, so all but the other control characters (section 5.5).
 * SYNTAX_TARGET: see target.h. SYNTAX_NAME: unreserved and sub-delims (RFC 3986, section 2). */
enum { SYNTAX_TCHAR = 1, SYNTAX_FIELD = 2, SYNTAX_TARGET = 4, SYNTAX_NAME = 8 };

extern const unsigned char syntax_classes[256];

static inline bool syntax_is_tchar(unsigned char c) {
    return (syntax_classes[c] & SYNTAX_TCHAR) != 0;
}

static inline bool syntax_is_field(unsigned char c) {
    return (syntax_classes[c] & SYNTAX_FIELD) != 0;
}

/* Whether the slice is a token: not empty, and of tchar alone. */
bool syntax_is_token(struct slice slice);
/* The value of a hexadecimal digit, -1: it is none. */
int syntax_hex(unsigned char c);
/* A Host, or the authority of a target without user: uri-host [ ":" port ], where the host may be
 * empty (RFC 9110, section 7.2; RFC 3986, section 3.2). */
bool syntax_is_authority(struct slice slice);

/* Takes the next element off a list, "a, b" (RFC 9110, section 5.6.1), without the white space around it. An
 * element may be empty. Returns false at the end. Begin with the whole value in rest; a value without
 * any comma has one element. Commas inside quotes divide it, too. */
bool syntax_next(struct slice *rest, struct slice *element);

#endif
