/* Slabs of 4 KiB for small messages, and a cache, as memory that is taken on one thread and freed on another
 * is slow. */
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
    WSF_SLAB_BYTES = 4080,    /* bytes; with what malloc() adds, a page */
    WSF_SLABS_KEPT_MAX = 1024 /* 4 MiB; over it a slab is freed at once */
};

/* For one thread at a time, but any thread may give back a slab. NULL: out of memory. */
wsf_slab_cache *wsf_slab_cache_new(void);
/* The cache goes with the last of its slabs. NULL is allowed. */
void wsf_slab_cache_close(wsf_slab_cache *cache);

/* A slab of WSF_SLAB_BYTES with so many references. NULL: out of memory. */
wsf_slab *wsf_slab_cache_take(wsf_slab_cache *cache, uint32_t refs);

/* Frees slabs that were not needed since the last trim. */
void wsf_slab_cache_trim(wsf_slab_cache *cache);

void wsf_slab_unref(wsf_slab *slab, uint32_t count);

#endif
