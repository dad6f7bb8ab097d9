/* body.h - the body of a request: by its length, or in chunks (RFC 9112, sections 6 and 7)
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * Pure: no allocation, no clock, no socket. Sizes are in bytes.
 *
 * Chunk extensions and trailers are checked and dropped. Refused with 400: what is not by the grammar, bare
 * LF and CR included, a chunk size above 64 bits, and Content-Length or Transfer-Encoding in a trailer
 * (RFC 9110, section 6.5.1; node refuses them, too). White space around ';' and '=' of an extension is
 * taken (BWS, RFC 9110, section 5.6.3, which node refuses), but not after a size alone.
 */
#ifndef BODY_H
#define BODY_H

#include "head.h"

/* Of everything in a chunked body that is no data and that a client can make as long as it likes: extensions,
 * trailers, zeros before a size. More: 413 (trailers: 431). */
enum { BODY_EXTRA_BYTES_MAX = 8 * 1024 };

/* Where a reader is. Of its owner's memory; its members are this file's. */
struct body {
    uint64_t left;      /* bytes that the body, or this chunk, still has */
    uint64_t allowance; /* data bytes that chunks to come may have */
    uint16_t extra;
    uint8_t state;
    uint8_t digits; /* of a chunk's size */
    uint8_t framing;
    uint8_t matched;
};

enum body_result {
    BODY_MORE,   /* all was taken; there is more to come */
    BODY_DATA,   /* *data is the next part of the body */
    BODY_END,    /* the body ended; what follows belongs to the next request */
    BODY_REFUSED /* by *status */
};

/* Begins with the body that a head announces. bytes_max: how much data it may have. Returns 0, or 413: it is
 * known already to be longer. */
unsigned body_start(struct body *body, const struct head *head, uint64_t bytes_max);

/* Reads on, up to the next result. bytes, size: what came after what was taken before; size may be 0: a body of
 * length 0 ends without a byte. *taken: how many were used up; call again with the rest, until
 * BODY_MORE, BODY_END or BODY_REFUSED. data: a slice of bytes, without framing, not empty. status:
 * 400, 413 or 431, after which the connection cannot go on. Not to be called after BODY_END or BODY_REFUSED. */
enum body_result body_read(struct body *body, const char *bytes, size_t size, size_t *taken,
                           struct slice *data, unsigned *status);

#endif
