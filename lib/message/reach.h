/* How far a node got with all publishers, as the mesh thread tells its loops. Immutable. */
#ifndef WSF_MESSAGE_REACH_H
#define WSF_MESSAGE_REACH_H

#include <stdatomic.h>

#include "base/vector.h"

typedef struct {
    atomic_uint refs;
    uint32_t epoch; /* of the cluster, the part of it that positions have */
    bool told;      /* whether positions may be told */
    /* Of each publisher all messages up to its clock were delivered to the loops that had sessions for them, or the
     * host was told of a gap */
    wsf_vector whole;
} wsf_reach;

wsf_reach *wsf_reach_new(void); /* NULL: out of memory */
wsf_reach *wsf_reach_ref(wsf_reach *reach);
void wsf_reach_unref(wsf_reach *reach); /* NULL is allowed */

#endif
