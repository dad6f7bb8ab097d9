/* A set takes the newest names in the order in which they came, so a name that a set has no room for is only hashed
 * anew. What is found was compared byte by byte. */
#include "base/hash_cache.h"

#include "base/memory.h"

void wsf_hash_cache_destroy(wsf_hash_cache *cache) {
    wsf_free(cache->sets);
    cache->sets = NULL;
}

static bool is_of(const wsf_hash_cache_entry *entry, const wsfan_target *target) {
    return entry->kind == target->kind && entry->name_size == target->name.size &&
           wsf_same_bytes(entry->name, target->name.data, target->name.size);
}

uint64_t wsf_hash_cache_target(wsf_hash_cache *cache, const wsf_hash_key *key,
                               const wsfan_target *target) {
    if (cache->sets == NULL)
        cache->sets = wsf_alloc_zero(WSF_HASH_CACHE_SETS, sizeof *cache->sets);
    if (cache->sets == NULL || target->name.size > WSF_HASH_CACHE_NAME_MAX)
        return wsf_hash_target(key, target);
    uint64_t quick = wsf_hash_quick(target->name, target->kind);
    wsf_hash_cache_entry *set = cache->sets[(quick >> 32) * WSF_HASH_CACHE_SETS >> 32];
    for (unsigned i = 0; i < WSF_HASH_CACHE_WAYS; i++)
        if (is_of(&set[i], target))
            return set[i].hash;
    for (unsigned i = WSF_HASH_CACHE_WAYS - 1; i > 0; i--)
        set[i] = set[i - 1];
    set->hash = wsf_hash_target(key, target);
    set->kind = (uint8_t)target->kind;
    set->name_size = (uint8_t)target->name.size;
    wsf_copy_short(set->name, target->name.data, target->name.size);
    return set->hash;
}
