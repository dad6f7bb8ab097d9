/* A stack without a lock: every thread pushes, and the owner takes all of it. No slab is popped alone, so
 * an old head cannot be taken for a new one (the ABA problem). */
#include "message/slab.h"

#include <stddef.h>

#include "base/memory.h"

struct wsf_slab_cache {
    uint32_t bytes;   /* of a slab */
    atomic_uint refs; /* the owner's, and one for each slab that is out */
    atomic_uint kept; /* slabs in here */
    _Atomic(wsf_slab *) returned;
    wsf_slab *spare; /* the owner's, from `returned` */
    uint32_t unused; /* the lowest `kept` since the last trim */
};

wsf_slab_cache *wsf_slab_cache_new(uint32_t bytes) {
    wsf_slab_cache *cache = wsf_alloc_zero(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    atomic_init(&cache->refs, 1);
    cache->bytes = bytes;
    return cache;
}

static wsf_slab *pop(wsf_slab_cache *cache) {
    if (cache->spare == NULL)
        cache->spare = atomic_exchange_explicit(&cache->returned, NULL, memory_order_acquire);
    wsf_slab *slab = cache->spare;
    if (slab == NULL)
        return NULL;
    cache->spare = slab->next;
    atomic_fetch_sub_explicit(&cache->kept, 1, memory_order_relaxed);
    return slab;
}

static void push(wsf_slab_cache *cache, wsf_slab *slab) {
    slab->next = atomic_load_explicit(&cache->returned, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&cache->returned, &slab->next, slab,
                                                  memory_order_release, memory_order_relaxed))
        continue;
}

void wsf_slab_cache_close(wsf_slab_cache *cache) {
    wsf_slab *slab;
    if (cache == NULL || atomic_fetch_sub_explicit(&cache->refs, 1, memory_order_acq_rel) != 1)
        return;
    while ((slab = pop(cache)) != NULL)
        wsf_free(slab);
    wsf_free(cache);
}

wsf_slab *wsf_slab_cache_take(wsf_slab_cache *cache, uint32_t refs) {
    wsf_slab *slab = pop(cache);
    uint32_t kept = atomic_load_explicit(&cache->kept, memory_order_relaxed);
    if (kept < cache->unused)
        cache->unused = kept;
    if (slab == NULL)
        slab = wsf_alloc(cache->bytes);
    if (slab == NULL)
        return NULL;
    atomic_init(&slab->refs, refs);
    slab->cache = cache;
    atomic_fetch_add_explicit(&cache->refs, 1, memory_order_relaxed);
    return slab;
}

void wsf_slab_cache_trim(wsf_slab_cache *cache) {
    for (; cache->unused > 0; cache->unused--) {
        wsf_slab *slab = pop(cache);
        if (slab == NULL)
            break; /* counted by another thread, which pushes it in a moment */
        wsf_free(slab);
    }
    cache->unused = atomic_load_explicit(&cache->kept, memory_order_relaxed);
}

void wsf_slab_unref(wsf_slab *slab, uint32_t count) {
    if (atomic_fetch_sub_explicit(&slab->refs, count, memory_order_acq_rel) != count)
        return;
    wsf_slab_cache *cache = slab->cache;
    if (cache == NULL) {
        wsf_free(slab);
        return;
    }
    if (atomic_fetch_add_explicit(&cache->kept, 1, memory_order_relaxed) <
        WSF_SLABS_KEPT_BYTES / cache->bytes) {
        push(cache, slab);
    } else {
        atomic_fetch_sub_explicit(&cache->kept, 1, memory_order_relaxed);
        wsf_free(slab);
    }
    wsf_slab_cache_close(cache);
}
