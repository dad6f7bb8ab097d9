/* frames.h - the frames of WebSocket, read and written by a server (RFC 6455, sections 5 to 8)
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * Pure: no clock, no socket. Sizes are in bytes. Allocates only the buffer of a message that came in several reads.
 * Own code, because wslay costs 8 KB a client and refuses the close codes 1012 to 1014.
 *
 * Refused early: a bad first byte needs no second, a size that is too large no payload, a text that is no
 * UTF-8 no end. Choices, where the standard leaves one or `ws` does otherwise:
 *   - a size that is not in its shortest form, or above 63 bits, is 1002 (section 5.2; `ws` takes the first, and
 *     says 1009 to the second);
 *   - close codes: 1000 to 1014 without 1004 to 1006, and 3000 to 4999 (section 7.4 and IANA's registry, as `ws`);
 *     others are 1002, a reason that is no UTF-8 is 1007.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include "utf8.h"

enum frames_opcode {
    FRAMES_OP_CONTINUATION = 0,
    FRAMES_OP_TEXT = 1,
    FRAMES_OP_BINARY = 2,
    FRAMES_OP_CLOSE = 8,
    FRAMES_OP_PING = 9,
    FRAMES_OP_PONG = 10
};

/* Status codes of a close frame (section 7.4.1) that this file gives. */
enum {
    FRAMES_PROTOCOL_ERROR = 1002,
    FRAMES_NO_CODE = 1005, /* the close frame had none; never sent */
    FRAMES_NOT_UTF8 = 1007,
    FRAMES_TOO_LARGE = 1009,
    FRAMES_NO_MEMORY = 1011
};

enum {
    FRAMES_HEAD_BYTES_MAX = 10,         /* of a frame that a server sends: without a mask */
    FRAMES_CONTROL_PAYLOAD_MAX = 125,   /* section 5.5 */
    FRAMES_CONTROL_BYTES_MAX = 2 + 125, /* of a whole control frame that a server sends */
    FRAMES_CLOSE_REASON_BYTES_MAX = 123
};

/* Where a reader is. Of its owner's memory; its members are this file's. */
struct frames {
    uint64_t left;         /* payload bytes of this frame that are to come */
    unsigned char *buffer; /* the message so far, where it came in several reads; else NULL */
    size_t message_max;
    size_t message_size; /* the message so far */
    size_t buffer_size;
    struct utf8 utf8; /* of the message */
    uint8_t state;
    uint8_t opcode;        /* of this frame */
    uint8_t message;       /* opcode of the message that is not complete, 0: none */
    bool final;            /* this frame has FIN */
    uint8_t head_size;     /* bytes of the head that are in `head` */
    uint8_t control_size;  /* the same of `control` */
    unsigned char mask[4]; /* turned so that its first byte is the next payload byte's */
    unsigned char head[14];
    unsigned char control[FRAMES_CONTROL_PAYLOAD_MAX];
};

enum frames_kind {
    FRAMES_MORE,   /* all was taken; nothing is complete */
    FRAMES_TEXT,   /* a message: data and size, UTF-8 */
    FRAMES_BINARY, /* a message */
    FRAMES_PING,   /* to be answered by a pong with the same data */
    FRAMES_PONG,
    FRAMES_CLOSE, /* code and, in data, the reason; to be answered by the same */
    FRAMES_ERROR  /* the connection is to be closed with this code */
};

struct frames_event {
    const unsigned char
        *data; /* never NULL but with FRAMES_MORE and FRAMES_ERROR; ends with the next call */
    size_t size;
    unsigned code;    /* of FRAMES_CLOSE, which may be FRAMES_NO_CODE, and of FRAMES_ERROR */
    const char *text; /* of FRAMES_ERROR: a static text for the close frame, at most 123 bytes */
};

/* message_max: of a whole message; a longer one is FRAMES_TOO_LARGE as soon as a frame announces it. */
void frames_open(struct frames *frames, size_t message_max);
/* Frees the buffer. */
void frames_close(struct frames *frames);

/* Reads on, up to the next event. bytes, size: what came after what was taken before. They are written to: payload
 * is unmasked in place. *taken: how many were used up; call again with the rest until FRAMES_MORE, which has taken
 * all. A message that lies in bytes as one frame is handed out where it lies; else from the reader's buffer, which
 * is freed by the next call. After FRAMES_CLOSE and FRAMES_ERROR everything is FRAMES_MORE and
 * dropped (sections 5.5.1 and 7.1.7). */
enum frames_kind frames_read(struct frames *frames, unsigned char *bytes, size_t size,
                             size_t *taken, struct frames_event *event);

/* Whether a close frame may have that code. */
bool frames_is_close_code(unsigned code);

/* Writes the head of a frame with FIN. Returns its size. */
size_t frames_write_head(unsigned char head[FRAMES_HEAD_BYTES_MAX], enum frames_opcode opcode,
                         uint64_t payload_size);
/* Writes a whole ping or pong with at most FRAMES_CONTROL_PAYLOAD_MAX bytes of payload, which is cut there. */
size_t frames_write_control(unsigned char frame[FRAMES_CONTROL_BYTES_MAX],
                            enum frames_opcode opcode, const void *payload, size_t size);
/* Writes a whole close frame. FRAMES_NO_CODE: without code and reason. A reason that is too long is cut where a
 * character ends. */
size_t frames_write_close(unsigned char frame[FRAMES_CONTROL_BYTES_MAX], unsigned code,
                          const char *reason, size_t size);

#endif
