/* MESSAGE entries, the most frequent ones; a part of encode.c and decode.c. Format: docs/protocol.md. */
#ifndef WSF_WIRE_MESSAGE_CODEC_H
#define WSF_WIRE_MESSAGE_CODEC_H

#include "message/message.h"

enum { WSF_ENTRY_MESSAGE = 4, WSF_ENTRY_APART = 15 }; /* types of its entries */

typedef struct {
    uint64_t clock;
    uint32_t flags;
    uint32_t targets_count;
    wsfan_address except;
    const wsfan_target *targets;
    wsfan_bytes payload;
    uint64_t slot; /* of a latest value; 0: no latest value */
    /* bytes before the payload that may be overwritten once the entry was taken; 0: not known */
    uint32_t head_size;
    bool apart; /* the payload is in the second part of the frame */
} wsf_message_entry;

/* Writes a message with any number of targets, without a second part; returns where the entry ends. */
uint8_t *wsf_entry_write(uint8_t *at, const wsfan_message *message);

/* Reads the usual message, of seven fields and one target, that ends before `end`, and moves *from behind it;
 * fills `target`, to which the entry then points. False: something else, or not complete. */
bool wsf_entry_parse(const uint8_t **from, const uint8_t *end, wsf_message_entry *entry,
                     wsfan_target *target);

/* Big endian. Written out, because compilers make one instruction of that. */
static inline void wsf_put_u64(uint8_t *out, uint64_t value) {
    out[0] = (uint8_t)(value >> 56);
    out[1] = (uint8_t)(value >> 48);
    out[2] = (uint8_t)(value >> 40);
    out[3] = (uint8_t)(value >> 32);
    out[4] = (uint8_t)(value >> 24);
    out[5] = (uint8_t)(value >> 16);
    out[6] = (uint8_t)(value >> 8);
    out[7] = (uint8_t)value;
}

static inline uint64_t wsf_get_u64(const uint8_t *in) {
    return (uint64_t)in[0] << 56 | (uint64_t)in[1] << 48 | (uint64_t)in[2] << 40 |
           (uint64_t)in[3] << 32 | (uint64_t)in[4] << 24 | (uint64_t)in[5] << 16 |
           (uint64_t)in[6] << 8 | in[7];
}

#endif
