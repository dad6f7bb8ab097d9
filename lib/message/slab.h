/* Slabs of 4 KiB for small things, and where they wait to be used again: to take such memory on one
 * thread and to give it back on another costs more than to fill it. */
#ifndef WSF_MESSAGE_SLAB_H
#define WSF_MESSAGE_SLAB_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct wsf_slab_cache wsf_slab_cache;

typedef struct wsf_slab {
    _Alignas(16) atomic_uint refs;
    union {
        wsf_slab_cache *cache; /* where it goes with the last reference; NULL: it is freed */
        struct wsf_slab *next; /* in the cache */
    };
} wsf_slab;

enum {
    WSF_SLAB_BYTES = 4080,    /* with what malloc() adds, a page */
    WSF_SLABS_KEPT_MAX = 1024 /* over it a slab is freed at once */
};

/* For one thread at a time, but that any may return what it took. NULL: out of memory. */
wsf_slab_cache *wsf_slab_cache_new(void);
void wsf_slab_cache_close(
    wsf_slab_cache *cache); /* goes with the last of its slabs; NULL is allowed */

/* A slab of WSF_SLAB_BYTES with so many references. NULL: out of memory. */
wsf_slab *wsf_slab_cache_take(wsf_slab_cache *cache, uint32_t refs);

/* Frees what was not needed since the last time. */
void wsf_slab_cache_trim(wsf_slab_cache *cache);

void wsf_slab_unref(wsf_slab *slab, uint32_t count);

#endif
