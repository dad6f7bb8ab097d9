/* MessagePack as msgpack-c would write it (the shortest form of each value) and with the bounds of
 * decode.c, but without a call and an object for every few bytes. Any other form is left to decode.c. */
#include "wire/message_codec.h"

#include <string.h>

/* ------------------------------------------------------------------------------------- writing */

/* Each appends at `at` and returns where it ends. */

static inline uint8_t *append_big_endian(uint8_t *at, uint64_t value, unsigned width) {
    for (unsigned shift = width * 8; shift > 0; shift -= 8)
        *at++ = (uint8_t)(value >> (shift - 8));
    return at;
}

static inline uint8_t *append_uint(uint8_t *at, uint64_t value) {
    if (value <= 0x7f) {
        *at = (uint8_t)value;
        return at + 1;
    }
    if (value > UINT32_MAX) {
        *at = 0xcf;
        wsf_put_u64(at + 1, value);
        return at + 9;
    }
    unsigned log_width = value <= UINT8_MAX ? 0 : value <= UINT16_MAX ? 1 : 2;
    *at = (uint8_t)(0xcc + log_width);
    return append_big_endian(at + 1, value, 1u << log_width);
}

static inline uint8_t *append_bin(uint8_t *at, wsfan_bytes bytes) {
    unsigned log_width = bytes.size <= UINT8_MAX ? 0 : bytes.size <= UINT16_MAX ? 1 : 2;
    *at = (uint8_t)(0xc4 + log_width);
    at = append_big_endian(at + 1, bytes.size, 1u << log_width);
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static inline uint8_t *append_array(uint8_t *at, uint32_t count) {
    if (count <= 0x0f) {
        *at = (uint8_t)(0x90 | count);
        return at + 1;
    }
    *at = 0xdc;
    return append_big_endian(at + 1, count, 2);
}

uint8_t *wsf_entry_write(uint8_t *at, const wsfan_message *message) {
    bool apart = wsf_message_is_apart(message);
    at = append_array(at, 6u + !apart + (message->slot != 0));
    at = append_uint(at, apart ? WSF_ENTRY_APART : WSF_ENTRY_MESSAGE);
    at = append_uint(at, message->id.clock);
    at = append_uint(at, message->flags);
    at = append_uint(at, message->except.node);
    at = append_uint(at, message->except.session);
    at = append_array(at, message->targets_count * 2u);
    for (uint32_t i = 0; i < message->targets_count; i++) {
        wsfan_target target = wsf_message_target_of(message, &message->targets[i]);
        at = append_uint(at, target.kind);
        at = append_bin(at, target.name);
    }
    if (!apart)
        at = append_bin(at, (wsfan_bytes){ message->payload, message->payload_size });
    if (message->slot != 0)
        at = append_uint(at, message->slot);
    return at;
}

/* ------------------------------------------------------------------------------------- reading */

/* An unsigned number of the forms that occur in messages; nine bytes are there. */
static inline bool parse_uint(const uint8_t **at, uint64_t *value) {
    const uint8_t *p = *at;
    if (*p <= 0x7f) {
        *value = *p;
        *at = p + 1;
        return true;
    }
    if (*p == 0xcf) {
        *value = wsf_get_u64(p + 1);
        *at = p + 9;
        return true;
    }
    if (*p == 0xce) {
        *value = wsf_get_u64(p + 1) >> 32;
        *at = p + 5;
        return true;
    }
    if (*p == 0xcc || *p == 0xcd) {
        *value = *p == 0xcc ? p[1] : (uint64_t)p[1] << 8 | p[2];
        *at = p + (*p == 0xcc ? 2 : 3);
        return true;
    }
    return false;
}

/* Bytes with their length; false where they do not end before `end`. */
static inline bool parse_bin(const uint8_t **at, const uint8_t *end, wsfan_bytes *bytes) {
    const uint8_t *p = *at;
    if (end - p < 5)
        return false;
    size_t size = p[1];
    size_t head = 2;
    if (*p == 0xc5) {
        size = size << 8 | p[2];
        head = 3;
    } else if (*p == 0xc6) {
        size = size << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
        head = 5;
    } else if (*p != 0xc4) {
        return false;
    }
    if ((size_t)(end - p) - head < size)
        return false;
    *bytes = (wsfan_bytes){ p + head, size };
    *at = p + head + size;
    return true;
}

bool wsf_entry_parse(const uint8_t **from, const uint8_t *end, wsf_message_entry *entry,
                     wsfan_target *target) {
    enum { FIXED_BOUND = 2 + 4 * 9 + 2 };
    const uint8_t *at = *from;
    uint64_t flags;
    if (end - at < FIXED_BOUND || at[0] != 0x97 || at[1] != WSF_ENTRY_MESSAGE)
        return false;
    at += 2;
    if (!parse_uint(&at, &entry->clock) || !parse_uint(&at, &flags) ||
        !parse_uint(&at, &entry->except.node) || !parse_uint(&at, &entry->except.session) ||
        at[0] != 0x92)
        return false;
    uint8_t kind = at[1];
    at += 2;
    if (flags > UINT32_MAX || kind < WSFAN_CHAT || kind > WSFAN_ALL ||
        !parse_bin(&at, end, &target->name) || target->name.size > UINT16_MAX ||
        (target->name.size == 0) != (kind == WSFAN_ALL) || !parse_bin(&at, end, &entry->payload))
        return false;
    target->kind = (wsfan_target_kind)kind;
    entry->flags = (uint32_t)flags;
    entry->slot = 0;
    entry->targets = target;
    entry->targets_count = 1;
    entry->apart = false;
    entry->head_size = (uint32_t)((const uint8_t *)entry->payload.data - *from);
    *from = at;
    return true;
}
