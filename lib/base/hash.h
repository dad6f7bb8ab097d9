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
    if (size < sizeof x) {
        for (size_t i = 0; i < size; i++)
            if (p[i] != q[i])
                return false;
        return true;
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
/* Hash of any bytes, under another key than every kind of target; never 0. */
uint64_t wsf_hash_bytes(const wsf_hash_key *key, wsfan_bytes bytes);

#endif
