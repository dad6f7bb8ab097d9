/* query.h - the arguments in the query of a target, "key=value&key=value"
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * Pure: no allocation, no clock, no socket. Sizes are in bytes.
 *
 * As browsers write it (URL Standard, application/x-www-form-urlencoded): '&' divides, the first '=' of a
 * piece ends its key, '+' is a space, keys and values are %-encoded. ';' is a character as any other, so a name
 * may hold it as it is. Stricter than the URL Standard: '%' has two digits behind it; a key stands there
 * once. A name may have been cut at a '&' that should have been "%26", so where names are read each piece
 * must have a key that is known, and "chat=a&b", "chat=a&" and "chat=a&&user=u" name nobody.
 */
#ifndef QUERY_H
#define QUERY_H

#include "syntax.h"

enum query_problem {
    QUERY_MISSING = -1,
    QUERY_TOO_LONG = -2,
    QUERY_NO_TEXT = -3,   /* not UTF-8, or with a NUL; bad %-encoding, in whatever is asked for */
    QUERY_AMBIGUOUS = -4, /* the key stands there twice, or beside a key that is not known */
    QUERY_PROBLEMS = 4
};

struct query {
    struct slice text;       /* without the '?', as it was sent; empty or NULL: no arguments */
    const char *const *keys; /* that the server knows; NULL ends them */
};

/* Whether each '%' has two hexadecimal digits behind it. */
bool query_is_encoded(struct slice text);

/* The value of the piece with this key, decoded, and a NUL: value has room for bytes_max + 1. Returns its
 * size, which may be 0, or an enum query_problem. */
int query_find(const struct query *query, const char *key, char *value, size_t bytes_max);
/* The same for a name: it is not empty (QUERY_MISSING), and UTF-8 text without NUL. QUERY_AMBIGUOUS if a piece
 * has no key that is known: it may be a part of the name. */
int query_name(const struct query *query, const char *key, char *name, size_t bytes_max);
/* The bytes that a value tells in lower-case hexadecimal digits. Returns how many, or a problem. */
int query_hex(const struct query *query, const char *key, unsigned char *bytes, size_t bytes_max);
/* A number of one digit; 0 if there is none. */
unsigned query_digit(const struct query *query, const char *key);

#endif
