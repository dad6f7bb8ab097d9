/* Keyed hashes of chat and user names: the same on every node of a cluster. */
#ifndef WSF_HASH_H
#define WSF_HASH_H

#include <wsfan/wsfan.h>

typedef struct {
    uint8_t bytes[16];
} wsf_hash_key;

/* The key that all nodes of `cluster` share. */
void wsf_hash_key_init(wsf_hash_key *key, const char *cluster);

/* SipHash-2-4 of the name, under a key of its own for each kind; never 0. */
uint64_t wsf_hash_target(const wsf_hash_key *key, const wsfan_target *target);

/* Of any bytes, apart from all names; never 0. */
uint64_t wsf_hash_bytes(const wsf_hash_key *key, wsfan_bytes bytes);

#endif
