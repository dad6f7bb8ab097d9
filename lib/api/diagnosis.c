/* The public functions that tell why nodes do or do not see each other: checks of arguments, and glue. */
#include <wsfan/diagnosis.h>

#include "api/node.h"
#include "base/memory.h"
#include "base/sized.h"

enum { SPARE_COUNT = 16 }; /* that may come between the two looks */

int wsfan_node_get_endpoints(wsfan_node *node, wsfan_endpoint *endpoints, size_t capacity,
                             size_t *count) {
    int error = wsf_node_check(node);
    if (error != WSFAN_OK)
        return error;
    if (count == NULL || (capacity > 0 && !WSF_IS_SIZED(endpoints)))
        return WSFAN_EINVAL;
    wsfan_endpoint *all = NULL;
    size_t room = 0;
    *count = wsf_mesh_endpoints(wsf_node_mesh(node), NULL, 0);
    while (room < *count && room < capacity) { /* more may have come since the look before */
        wsf_free(all);
        room = *count + SPARE_COUNT;
        all = wsf_alloc_zero(room, sizeof *all);
        if (all == NULL)
            return WSFAN_ENOMEM;
        *count = wsf_mesh_endpoints(wsf_node_mesh(node), all, room);
    }
    size_t stride = capacity > 0 ? endpoints[0].struct_size : 0;
    for (size_t i = 0; i < *count && i < capacity; i++) {
        all[i].struct_size = stride;
        wsf_fill_sized((uint8_t *)endpoints + i * stride, stride, &all[i], sizeof all[i]);
    }
    wsf_free(all);
    return WSFAN_OK;
}

int wsfan_node_get_callers(wsfan_node *node, wsfan_caller *callers, size_t capacity,
                           size_t *count) {
    int error = wsf_node_check(node);
    if (error != WSFAN_OK)
        return error;
    if (count == NULL || (capacity > 0 && !WSF_IS_SIZED(callers)))
        return WSFAN_EINVAL;
    wsfan_caller *all = wsf_alloc_zero(WSFAN_CALLERS_MAX, sizeof *all);
    if (all == NULL)
        return WSFAN_ENOMEM;
    *count = wsf_mesh_callers(wsf_node_mesh(node), all, WSFAN_CALLERS_MAX);
    size_t stride = capacity > 0 ? callers[0].struct_size : 0;
    for (size_t i = 0; i < *count && i < capacity; i++) {
        all[i].struct_size = stride;
        wsf_fill_sized((uint8_t *)callers + i * stride, stride, &all[i], sizeof all[i]);
    }
    wsf_free(all);
    return WSFAN_OK;
}

int wsfan_node_get_state(wsfan_node *node, wsfan_node_state *state) {
    int error = wsf_node_check(node);
    if (error != WSFAN_OK)
        return error;
    if (!WSF_IS_SIZED(state))
        return WSFAN_EINVAL;
    wsfan_node_state all;
    wsf_mesh_state(wsf_node_mesh(node), &all);
    all.struct_size = state->struct_size;
    wsf_fill_sized(state, all.struct_size, &all, sizeof all);
    return WSFAN_OK;
}
