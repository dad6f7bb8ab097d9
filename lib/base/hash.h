/* Keyed hashes of chat and user names: the same on every node of a cluster. */
#ifndef WSF_BASE_HASH_H
#define WSF_BASE_HASH_H

#include <stdbool.h>
#include <string.h>
#include <wsfan/wsfan.h>

typedef struct {
    uint8_t bytes[16];
} wsf_hash_key;

/* The key that all nodes of `cluster` share. */
void wsf_hash_key_init(wsf_hash_key *key, const char *cluster);

/* The upper 32 bits of the id of every node with this public key; never 0. */
uint32_t wsf_hash_identity(const char *public_key);

/* SipHash-2-4 of the name, under a key of its own for each kind; never 0. */
uint64_t wsf_hash_target(const wsf_hash_key *key, const wsfan_target *target);

/* memcmp() == 0 without a call, for names and other short strings. */
static inline bool wsf_same_bytes(const void *a, const void *b, size_t size) {
    const uint8_t *p = a;
    const uint8_t *q = b;
    uint64_t x;
    uint64_t y;
    uint32_t x_half;
    uint32_t y_half;
    if (size < sizeof x_half) {
        for (size_t i = 0; i < size; i++)
            if (p[i] != q[i])
                return false;
        return true;
    }
    if (size < sizeof x) {
        size_t last = size - sizeof x_half; /* the last 4 bytes, some of them again */
        memcpy(&x_half, p, sizeof x_half);
        memcpy(&y_half, q, sizeof y_half);
        if (x_half != y_half)
            return false;
        memcpy(&x_half, p + last, sizeof x_half);
        memcpy(&y_half, q + last, sizeof y_half);
        return x_half == y_half;
    }
    for (size_t i = 0;; i += sizeof x) {
        if (i > size - sizeof x)
            i = size - sizeof x; /* the last 8 bytes, some of them again */
        memcpy(&x, p + i, sizeof x);
        memcpy(&y, q + i, sizeof y);
        if (x != y)
            return false;
        if (i == size - sizeof x)
            return true;
    }
}

/* memcpy() without a call, for names and other short strings. */
static inline void wsf_copy_short(void *to, const void *from, size_t size) {
    uint64_t first;
    uint64_t last;
    uint32_t first_half;
    uint32_t last_half;
    if (size >= sizeof first && size <= 2 * sizeof first) { /* the two may overlap */
        memcpy(&first, from, sizeof first);
        memcpy(&last, (const uint8_t *)from + size - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy((uint8_t *)to + size - sizeof last, &last, sizeof last);
    } else if (size >= sizeof first_half && size < sizeof first) {
        memcpy(&first_half, from, sizeof first_half);
        memcpy(&last_half, (const uint8_t *)from + size - sizeof last_half, sizeof last_half);
        memcpy(to, &first_half, sizeof first_half);
        memcpy((uint8_t *)to + size - sizeof last_half, &last_half, sizeof last_half);
    } else {
        memcpy(to, from, size);
    }
}

/* Only to find names again soon: without a key, so whoever chooses the names can make that slow. `more` is part of what
 * is hashed. The upper bits depend on everything. */
static inline uint64_t wsf_hash_quick(wsfan_bytes name, uint64_t more) {
    const uint64_t ratio = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 divided by the golden ratio */
    const uint8_t *bytes = name.data;
    uint64_t mixed = (more ^ name.size) * ratio;
    uint64_t word = 0;
    if (name.size < sizeof word) {
        for (size_t i = 0; i < name.size; i++)
            word = word << 8 | bytes[i];
        return (mixed ^ word) * ratio;
    }
    size_t last = name.size - sizeof word; /* the last 8 bytes, some of them again */
    for (size_t i = 0; i < last; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        mixed = (mixed ^ word) * ratio;
        mixed ^= mixed >> 32;
    }
    memcpy(&word, bytes + last, sizeof word);
    return (mixed ^ word) * ratio;
}

/* Hash of any bytes, under another key than every kind of target; never 0. */
uint64_t wsf_hash_bytes(const wsf_hash_key *key, wsfan_bytes bytes);

/* ---------------------------------------------------------------------------------------- seals */

/* Secret: two keys of SipHash, for the context and for what is sealed in it. */
typedef struct {
    uint8_t bytes[32];
} wsf_hash_seal_key;

enum { WSF_SEAL_SECRET_MIN = 16, WSF_SEAL_SECRET_MAX = 64, WSF_SEALED_MAX = 1024 }; /* bytes */

/* From a secret of WSF_SEAL_SECRET_MIN to _MAX bytes that the nodes share: BLAKE2b-256 of `purpose`, keyed with it
 * (RFC 7693), so that keys for two purposes tell nothing of each other. */
void wsf_hash_seal_key_init(wsf_hash_seal_key *key, wsfan_bytes secret, const char *purpose);

/* SipHash-2-4 of body | SipHash-2-4(context). body: at most WSF_SEALED_MAX bytes. Without the key nobody can tell the seal
 * of another body or context, or make one but by chance, 1 in 2^64. */
uint64_t wsf_hash_seal(const wsf_hash_seal_key *key, wsfan_bytes context, wsfan_bytes body);

/* In the same time wherever the two differ. */
static inline bool wsf_hash_seal_equal(uint64_t a, uint64_t b) {
    return (a ^ b) == 0; /* one word: there is no first byte that differs */
}

#endif
