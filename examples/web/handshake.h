/* handshake.h - the opening handshake of WebSocket (RFC 6455, section 4.2)
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * Pure: no socket, no clock; libcrypto's SHA-1 may allocate for as long as a call takes.
 *
 * Choices, where the standard leaves one:
 *   - The key is 22 characters of base64 and "==", whatever the last 4 bits say (as `ws` does).
 *   - A version that is missing, not "13", or there twice is 426 (`ws`: 400, and takes 8).
 *   - A handshake has no body (400).
 *   - No extension is accepted, permessage-deflate neither: each client that has it keeps some 40 KB of windows,
 *     and a message could no longer be framed once for all. Extensions that are no list of extensions
 *     are 400 (RFC 6455, section 9.1; an empty value is none), and so are subprotocols that are no list of different
 *     tokens, as with `ws`.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "head.h"

enum {
    HANDSHAKE_ACCEPT_SIZE = 28,
    HANDSHAKE_PROTOCOLS_COUNT_MAX = 64 /* that a client may offer; more: 400 */
};

enum handshake_result {
    HANDSHAKE_NONE, /* the request does not ask for WebSocket: it is one as any other */
    HANDSHAKE_GOOD, /* accept and protocol are filled */
    HANDSHAKE_REFUSED
};

struct handshake {
    char accept[HANDSHAKE_ACCEPT_SIZE + 1]; /* of Sec-WebSocket-Accept */
    const char *protocol; /* of Sec-WebSocket-Protocol: one of the server's; NULL: none */
    /* Of a refused one: */
    unsigned status;            /* of HTTP: 400, 405, 426; 500: libcrypto fails */
    const char *reason;         /* a static text, for people */
    const char *const *headers; /* that such an answer must have: name, value, ..., NULL */
};

/* Judges a request. protocols: the subprotocols that the server speaks, NULL ends them, the one it likes
 * best first; NULL: none. What is asked for but not spoken is no reason to refuse (RFC 6455, section 4.2.2). */
enum handshake_result handshake_read(const struct head *head, const char *const *protocols,
                                     struct handshake *handshake);

#endif
