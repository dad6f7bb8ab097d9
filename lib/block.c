/* A stack that every thread pushes to, and one takes whole: so no block is popped twice, and there is
 * nothing to confuse an old head with. */
#include "block.h"

#include <stddef.h>

#include "memory.h"

struct wsf_depot {
    atomic_uint refs; /* its owner's, and one for each block that is out */
    atomic_uint kept; /* blocks in here */
    _Atomic(wsf_block *) returned;
    wsf_block *spare; /* the owner's, from `returned` */
    uint32_t unused;  /* so many were here all the time since the last trim */
};

wsf_depot *wsf_depot_new(void) {
    wsf_depot *depot = wsf_alloc_zero(1, sizeof *depot);
    if (depot != NULL)
        atomic_init(&depot->refs, 1);
    return depot;
}

static wsf_block *pop(wsf_depot *depot) {
    if (depot->spare == NULL)
        depot->spare = atomic_exchange_explicit(&depot->returned, NULL, memory_order_acquire);
    wsf_block *block = depot->spare;
    if (block == NULL)
        return NULL;
    depot->spare = block->next;
    atomic_fetch_sub_explicit(&depot->kept, 1, memory_order_relaxed);
    return block;
}

static void push(wsf_depot *depot, wsf_block *block) {
    block->next = atomic_load_explicit(&depot->returned, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&depot->returned, &block->next, block,
                                                  memory_order_release, memory_order_relaxed))
        continue;
}

void wsf_depot_close(wsf_depot *depot) {
    wsf_block *block;
    if (depot == NULL || atomic_fetch_sub_explicit(&depot->refs, 1, memory_order_acq_rel) != 1)
        return;
    while ((block = pop(depot)) != NULL)
        wsf_free(block);
    wsf_free(depot);
}

wsf_block *wsf_depot_take(wsf_depot *depot, uint32_t refs) {
    wsf_block *block = pop(depot);
    uint32_t kept = atomic_load_explicit(&depot->kept, memory_order_relaxed);
    if (kept < depot->unused)
        depot->unused = kept;
    if (block == NULL)
        block = wsf_alloc(WSF_BLOCK_BYTES);
    if (block == NULL)
        return NULL;
    atomic_init(&block->refs, refs);
    block->depot = depot;
    atomic_fetch_add_explicit(&depot->refs, 1, memory_order_relaxed);
    return block;
}

void wsf_depot_trim(wsf_depot *depot) {
    for (; depot->unused > 0; depot->unused--) {
        wsf_block *block = pop(depot);
        if (block == NULL)
            break; /* it is counted, and pushed in a moment */
        wsf_free(block);
    }
    depot->unused = atomic_load_explicit(&depot->kept, memory_order_relaxed);
}

void wsf_block_unref(wsf_block *block, uint32_t count) {
    if (atomic_fetch_sub_explicit(&block->refs, count, memory_order_acq_rel) != count)
        return;
    wsf_depot *depot = block->depot;
    if (depot == NULL) {
        wsf_free(block);
        return;
    }
    if (atomic_fetch_add_explicit(&depot->kept, 1, memory_order_relaxed) < WSF_BLOCKS_KEPT_MAX) {
        push(depot, block);
    } else {
        atomic_fetch_sub_explicit(&depot->kept, 1, memory_order_relaxed);
        wsf_free(block);
    }
    wsf_depot_close(depot);
}
