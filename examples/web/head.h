/* head.h - the head of a request (HTTP/1.1, RFC 9112; semantics: RFC 9110)
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * Pure: no allocation, no clock, no socket. Sizes are in bytes. One pass over the bytes, however they are divided.
 *
 * Refused with 400, if nothing else is said: everything that is not by the grammar, in the first place
 * what two readers may take for two different requests: a bare LF or CR, folded lines, white space before
 * the colon, control characters, Content-Length that is not one number or stands there twice, be it the same,
 * Content-Length beside Transfer-Encoding, Transfer-Encoding of HTTP/1.0.
 * Choices, where the standard leaves one:
 *   - Empty lines before a request are passed over (RFC 9112, section 2.2), and count for the size of the head.
 *   - A method that is not in enum head_method is 501, and so is CONNECT; methods are case-sensitive.
 *   - HTTP/1.0 and HTTP/1.1 are served; any other HTTP/D.D is 505, also 1.2 (node: 400).
 *   - HTTP/1.1 needs one Host, which may be empty; HTTP/1.0 may have none. An absolute target's authority goes
 *     before Host (RFC 9112, section 3.2.2).
 *   - Transfer-Encoding: the last coding must be "chunked", else 400; another before it is 501; "chunked"
 *     twice, or with a parameter, 400 (RFC 9112, sections 6.1, 6.3 and 7.1).
 *   - Expect: 100-continue, else 417 (RFC 9110, section 10.1.1); HTTP/1.0 has no Expect.
 *   - A request without Content-Length and Transfer-Encoding has no body (RFC 9112, section 6.3).
 *   - HTTP/1.0 keeps its connection where it says "Connection: keep-alive" (RFC 9112, section 9.3).
 *   - Upgrade is heeded where Connection names it, and not in HTTP/1.0 (RFC 9110, section 7.8).
 */
#ifndef HEAD_H
#define HEAD_H

#include <stdint.h>

#include "target.h"

enum {
    HEAD_BYTES_MAX = 16 * 1024,       /* of a whole head, with its empty line; more: 431 */
    HEAD_TARGET_BYTES_MAX = 8 * 1024, /* more: 414 */
    HEAD_METHOD_BYTES_MAX = 32        /* more: 501 */
};

enum head_method {
    HEAD_GET,
    HEAD_HEAD,
    HEAD_POST,
    HEAD_PUT,
    HEAD_DELETE,
    HEAD_OPTIONS,
    HEAD_TRACE,
    HEAD_PATCH
};

enum head_body { HEAD_BODY_NONE, HEAD_BODY_LENGTH, HEAD_BODY_CHUNKED };

/* A request. Slices are of the bytes that head_read() was given last. */
struct head {
    /* Of one that is refused or has not come whole: HEAD_HEAD if it is that, so that its answer has no body. */
    enum head_method method;
    unsigned minor; /* of HTTP/1.x: 0 or 1 */
    struct target target;
    struct slice
        host; /* "host:port" of the target, else of Host; may be empty; data NULL: there is none */
    struct slice fields; /* the field lines, each with its CRLF, without the empty line */
    enum head_body body;
    uint64_t body_size; /* of HEAD_BODY_LENGTH; may be 0 */
    bool keep_alive;    /* another request may follow on this connection */
    bool
        expect_continue; /* the client waits for "100 Continue" before it sends the body, which there is */
    bool upgrade;        /* it asks for another protocol, see handshake.h */
    size_t size;         /* how many bytes it took: the body begins behind them */
    /* Of a refused one: */
    unsigned status;    /* of HTTP */
    const char *reason; /* a static text in plain English, for people */
};

/* Where a reader is. Of its owner's memory; its members are this file's. All zero: at the start. */
struct head_reader {
    uint8_t state;
    uint8_t minor;
    uint8_t method;
    uint8_t flags;  /* what fields have said */
    uint8_t flags2; /* the same, of Transfer-Encoding */
    uint16_t at;    /* bytes before this one were read */
    uint16_t start; /* of the token that is being read */
    uint16_t name_size;
    uint16_t target_at, target_size;
    uint16_t fields_at;
    uint16_t host_at, host_size;
    uint64_t length;
};

enum head_result { HEAD_MORE, HEAD_DONE, HEAD_REFUSED };

/* Reads on. bytes: all that came so far, from the first byte of the head on; they may have moved since the
 * last call, but not changed. size: how many; those read before are not read again. HEAD_MORE: come back when
 * there are more; method of *head is filled. HEAD_DONE: *head is filled. HEAD_REFUSED: status, reason and method of
 * *head are; answer, and end the connection, for nobody knows where the next request would begin. After
 * either of the last two, the reader is at the start again. */
enum head_result head_read(struct head_reader *reader, const char *bytes, size_t size,
                           struct head *head);

/* The value of the first field of that name (of any case), without white space around it. false: there is none. */
bool head_field(const struct head *head, const char *name, struct slice *value);

/* The same for each field of that name: begin with *rest = head->fields. */
bool head_next_field(struct slice *rest, const char *name, struct slice *value);

/* How many fields of that name there are. */
size_t head_count(const struct head *head, const char *name);

/* "GET" */
const char *head_method_text(enum head_method method);

#endif
