/* A set goes into the pool with its eighth peer and stays there until it is empty. So what was copied of a packed set stays true
 * of all peers that are not removed meanwhile. */
#include "base/packed_peers.h"

#include <assert.h>
#include <string.h>
#include <wsfan/error.h>

#include "base/memory.h"

void wsf_peers_pool_init(wsf_peers_pool *pool) {
    pool->sets = NULL;
    wsf_slots_init(&pool->slots);
}

void wsf_peers_pool_destroy(wsf_peers_pool *pool) {
    wsf_free(pool->sets);
}

static uint32_t number_of(const wsf_packed_peers *packed) {
    uint32_t number;
    memcpy(&number, packed->few, sizeof number);
    return number;
}

wsf_peers wsf_packed_peers_wide(const wsf_peers_pool *pool, const wsf_packed_peers *packed) {
    return pool->sets[number_of(packed)];
}

bool wsf_packed_peers_wide_has(const wsf_peers_pool *pool, const wsf_packed_peers *packed,
                               unsigned peer) {
    return wsf_peers_has(pool->sets[number_of(packed)], peer);
}

/* Puts a set of WSF_PACKED_PEERS_FEW peers into the pool. */
static int widen(wsf_peers_pool *pool, wsf_packed_peers *packed) {
    wsf_peers set = wsf_packed_peers_read(pool, packed);
    wsf_peers *sets = wsf_slots_reserve(&pool->slots, pool->sets, sizeof *sets);
    if (sets == NULL)
        return WSFAN_ENOMEM;
    pool->sets = sets;
    uint32_t number = wsf_slots_take(&pool->slots, sets, sizeof *sets);
    sets[number] = set;
    *packed = (wsf_packed_peers){ .count = WSF_PACKED_PEERS_WIDE };
    memcpy(packed->few, &number, sizeof number);
    return WSFAN_OK;
}

int wsf_packed_peers_add(wsf_peers_pool *pool, wsf_packed_peers *packed, unsigned peer) {
    assert(peer < WSF_PEERS_MAX);
    if (wsf_packed_peers_has(pool, packed, peer))
        return WSFAN_OK;
    if (packed->count < WSF_PACKED_PEERS_FEW) {
        packed->few[packed->count++] = (uint8_t)peer;
        return WSFAN_OK;
    }
    if (packed->count == WSF_PACKED_PEERS_FEW && widen(pool, packed) != WSFAN_OK)
        return WSFAN_ENOMEM;
    wsf_peers_add(&pool->sets[number_of(packed)], peer);
    return WSFAN_OK;
}

void wsf_packed_peers_remove(wsf_peers_pool *pool, wsf_packed_peers *packed, unsigned peer) {
    if (!wsf_packed_peers_has(pool, packed, peer))
        return;
    if (packed->count < WSF_PACKED_PEERS_WIDE) {
        packed->few[wsf_packed_peers_place(packed, peer)] = packed->few[packed->count - 1];
        packed->few[--packed->count] = 0;
        return;
    }
    wsf_peers *set = &pool->sets[number_of(packed)];
    wsf_peers_remove(set, peer);
    if (!wsf_peers_is_empty(*set))
        return;
    wsf_slots_free(&pool->slots, pool->sets, sizeof *set, number_of(packed));
    *packed = (wsf_packed_peers){ 0 };
}
