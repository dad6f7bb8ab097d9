/* Blocks of 4 KiB for small things, and where they wait to be used again: to take such memory on one
 * thread and to give it back on another costs more than to fill it. */
#ifndef WSF_BLOCK_H
#define WSF_BLOCK_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct wsf_depot wsf_depot;

typedef struct wsf_block {
    _Alignas(16) atomic_uint refs;
    union {
        wsf_depot *depot;       /* where it goes with the last reference; NULL: it is freed */
        struct wsf_block *next; /* in the depot */
    };
} wsf_block;

enum {
    WSF_BLOCK_BYTES = 4080,    /* with what malloc() adds, a page */
    WSF_BLOCKS_KEPT_MAX = 1024 /* over it a block is freed at once */
};

/* For one thread at a time, but that any may return what it took. NULL: out of memory. */
wsf_depot *wsf_depot_new(void);
void wsf_depot_close(wsf_depot *depot); /* goes with the last of its blocks; NULL is allowed */

/* A block of WSF_BLOCK_BYTES with so many references. NULL: out of memory. */
wsf_block *wsf_depot_take(wsf_depot *depot, uint32_t refs);

/* Frees what was not needed since the last time. */
void wsf_depot_trim(wsf_depot *depot);

void wsf_block_unref(wsf_block *block, uint32_t count);

#endif
