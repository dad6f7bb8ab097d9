#include "message/reach.h"

#include "base/memory.h"

wsf_reach *wsf_reach_new(void) {
    wsf_reach *reach = wsf_alloc_zero(1, sizeof *reach);
    if (reach != NULL)
        atomic_init(&reach->refs, 1);
    return reach;
}

wsf_reach *wsf_reach_ref(wsf_reach *reach) {
    atomic_fetch_add_explicit(&reach->refs, 1, memory_order_relaxed);
    return reach;
}

void wsf_reach_unref(wsf_reach *reach) {
    if (reach != NULL && atomic_fetch_sub_explicit(&reach->refs, 1, memory_order_acq_rel) == 1)
        wsf_free(reach);
}
