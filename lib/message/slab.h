/* Slabs, each with several small messages, and a cache of them, as memory that is taken on one thread and freed on
 * another is slow. */
#ifndef WSF_MESSAGE_SLAB_H
#define WSF_MESSAGE_SLAB_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct wsf_slab_cache wsf_slab_cache;

typedef struct wsf_slab {
    _Alignas(16) atomic_uint refs;
    union {
        wsf_slab_cache *cache; /* takes the slab with the last reference; NULL: it is freed */
        struct wsf_slab *next; /* in the cache */
    };
} wsf_slab;

enum {
    WSF_SLAB_BYTES = 4080,                 /* with what malloc() adds, a page */
    WSF_SLABS_KEPT_BYTES = 4 * 1024 * 1024 /* over it a slab is freed at once */
};

/* Of slabs of `bytes` each. For one thread at a time, but any thread may give back a slab. NULL: out of memory. */
wsf_slab_cache *wsf_slab_cache_new(uint32_t bytes);
/* The cache goes with the last of its slabs. NULL is allowed. */
void wsf_slab_cache_close(wsf_slab_cache *cache);

/* A slab with so many references. NULL: out of memory. */
wsf_slab *wsf_slab_cache_take(wsf_slab_cache *cache, uint32_t refs);

/* Frees slabs that were not needed since the last trim. */
void wsf_slab_cache_trim(wsf_slab_cache *cache);

void wsf_slab_unref(wsf_slab *slab, uint32_t count);

#endif
