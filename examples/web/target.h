/* target.h - the target of a request: its forms, its path (RFC 9112, section 3.2; RFC 3986)
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * Pure: no allocation, no clock, no socket. Sizes are in bytes.
 *
 * Choices, where standards leave one or clients do otherwise:
 *   - A target is of visible ASCII, without '#', '"', '<' and '>', which neither the standard knows there nor
 *     any client sends. '\', '^', '`', '{', '|' and '}' are no characters of a URI, either, but browsers
 *     send them as they are (URL Standard, "query percent-encode set"): they are taken, as node's server takes
 *     them; but for '\' in a path, which browsers make '/' of, so that who sends it means harm.
 *   - An absolute target is of http or https, and names no user (RFC 9110, section 4.2.4).
 *   - A path is decoded, then "." and ".." are taken out (RFC 3986, section 5.2.4), however they were written:
 *     "/x/%2e%2e/y" is "/y". ".." at the root stays there. Empty segments are kept: "//y" is not "/y".
 *   - "%2F" is refused: decoded, it would pass for the end of a segment, which it is not (RFC 3986,
 *     section 2.2). So are "%00", other bytes that are no UTF-8, and a '%' without two digits.
 */
#ifndef WEB_TARGET_H
#define WEB_TARGET_H

#include "syntax.h"

enum target_form {
    TARGET_ORIGIN,   /* "/path?query" */
    TARGET_ABSOLUTE, /* "http://host/path?query" */
    TARGET_ASTERISK  /* "*" */
};

/* Slices of the target that was read. */
struct target {
    enum target_form form;
    struct slice authority; /* "host:port" of an absolute target, else none (data NULL) */
    struct slice
        path; /* as it was sent, from its first '/' on; empty: an absolute target without one */
    struct slice query; /* as it was sent, without the '?'; data NULL: there is no '?' */
};

/* Whether the character may stand in a target. */
static inline bool target_is_char(unsigned char c) {
    return (syntax_classes[c] & SYNTAX_TARGET) != 0;
}

/* Takes a target apart. Returns false where it is none of the forms, or has characters that are not for it. "*"
 * is a form here; for which method it may stand is the caller's to judge. */
bool target_read(struct target *target, struct slice text);

/* Writes the decoded, normalised path and a NUL: path has room for bytes_max + 1. An empty path is "/", that
 * of the asterisk form "*". Returns its size, or -1: it is refused by what stands above (400), or longer
 * than bytes_max, which cannot be where bytes_max >= target->path.size and bytes_max >= 1. */
int target_path(const struct target *target, char *path, size_t bytes_max);

#endif
