/* A stack that every thread pushes to, and one takes whole: so no block is popped twice, and there is
 * nothing to confuse an old head with. */
#include "message/slab.h"

#include <stddef.h>

#include "base/memory.h"

struct wsf_depot {
    atomic_uint refs; /* its owner's, and one for each block that is out */
    atomic_uint kept; /* blocks in here */
    _Atomic(wsf_slab *) returned;
    wsf_slab *spare; /* the owner's, from `returned` */
    uint32_t unused; /* so many were here all the time since the last trim */
};

wsf_depot *wsf_depot_new(void) {
    wsf_depot *depot = wsf_alloc_zero(1, sizeof *depot);
    if (depot != NULL)
        atomic_init(&depot->refs, 1);
    return depot;
}

static wsf_slab *pop(wsf_depot *depot) {
    if (depot->spare == NULL)
        depot->spare = atomic_exchange_explicit(&depot->returned, NULL, memory_order_acquire);
    wsf_slab *slab = depot->spare;
    if (slab == NULL)
        return NULL;
    depot->spare = slab->next;
    atomic_fetch_sub_explicit(&depot->kept, 1, memory_order_relaxed);
    return slab;
}

static void push(wsf_depot *depot, wsf_slab *slab) {
    slab->next = atomic_load_explicit(&depot->returned, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&depot->returned, &slab->next, slab,
                                                  memory_order_release, memory_order_relaxed))
        continue;
}

void wsf_depot_close(wsf_depot *depot) {
    wsf_slab *slab;
    if (depot == NULL || atomic_fetch_sub_explicit(&depot->refs, 1, memory_order_acq_rel) != 1)
        return;
    while ((slab = pop(depot)) != NULL)
        wsf_free(slab);
    wsf_free(depot);
}

wsf_slab *wsf_depot_take(wsf_depot *depot, uint32_t refs) {
    wsf_slab *slab = pop(depot);
    uint32_t kept = atomic_load_explicit(&depot->kept, memory_order_relaxed);
    if (kept < depot->unused)
        depot->unused = kept;
    if (slab == NULL)
        slab = wsf_alloc(WSF_SLAB_BYTES);
    if (slab == NULL)
        return NULL;
    atomic_init(&slab->refs, refs);
    slab->depot = depot;
    atomic_fetch_add_explicit(&depot->refs, 1, memory_order_relaxed);
    return slab;
}

void wsf_depot_trim(wsf_depot *depot) {
    for (; depot->unused > 0; depot->unused--) {
        wsf_slab *slab = pop(depot);
        if (slab == NULL)
            break; /* it is counted, and pushed in a moment */
        wsf_free(slab);
    }
    depot->unused = atomic_load_explicit(&depot->kept, memory_order_relaxed);
}

void wsf_slab_unref(wsf_slab *slab, uint32_t count) {
    if (atomic_fetch_sub_explicit(&slab->refs, count, memory_order_acq_rel) != count)
        return;
    wsf_depot *depot = slab->depot;
    if (depot == NULL) {
        wsf_free(slab);
        return;
    }
    if (atomic_fetch_add_explicit(&depot->kept, 1, memory_order_relaxed) < WSF_SLABS_KEPT_MAX) {
        push(depot, slab);
    } else {
        atomic_fetch_sub_explicit(&depot->kept, 1, memory_order_relaxed);
        wsf_free(slab);
    }
    wsf_depot_close(depot);
}
