/* The hashes of names that were hashed lately: SipHash takes longer than all else that routing does for a name. */
#ifndef WSF_BASE_HASH_CACHE_H
#define WSF_BASE_HASH_CACHE_H

#include "base/hash.h"
#include "base/limits.h"

enum {
    WSF_HASH_CACHE_SETS = WSF_SIZE(2048, 2),
    WSF_HASH_CACHE_WAYS = 2,     /* so a thousand names that take turns nearly all stay */
    WSF_HASH_CACHE_NAME_MAX = 38 /* a longer name is hashed each time */
};

typedef struct {
    uint64_t hash;
    uint8_t kind; /* 0: free */
    uint8_t name_size;
    uint8_t name[WSF_HASH_CACHE_NAME_MAX];
} wsf_hash_cache_entry;

/* Begins as {0}. */
typedef struct {
    wsf_hash_cache_entry (
        *sets)[WSF_HASH_CACHE_WAYS]; /* 192 KiB; NULL: not needed yet, or out of memory */
} wsf_hash_cache;

void wsf_hash_cache_destroy(wsf_hash_cache *cache);

/* wsf_hash_target(), for a chat or a user. The key is always the same. */
uint64_t wsf_hash_cache_target(wsf_hash_cache *cache, const wsf_hash_key *key,
                               const wsfan_target *target);

#endif
