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
