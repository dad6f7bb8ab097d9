/* Sets of peers in 8 bytes. Most sets are of few peers: up to 7 stand in the 8 bytes themselves. A larger one is
 * a bitmap in a pool, and the 8 bytes are its number. */
#ifndef WSF_BASE_PACKED_PEERS_H
#define WSF_BASE_PACKED_PEERS_H

#include "base/peers.h"
#include "base/slots.h"

enum { WSF_PACKED_PEERS_FEW = 7, WSF_PACKED_PEERS_WIDE = WSF_PACKED_PEERS_FEW + 1 };
_Static_assert(WSF_PEERS_MAX <= UINT8_MAX, "a peer is a byte");

typedef struct {
    uint8_t count;                     /* of `few`, in no order; or WIDE */
    uint8_t few[WSF_PACKED_PEERS_FEW]; /* of a WIDE one the first four: its number in the pool */
} wsf_packed_peers;                    /* all 0: empty */

typedef struct {
    wsf_peers *sets;
    wsf_slots slots;
} wsf_peers_pool;

void wsf_peers_pool_init(wsf_peers_pool *pool);
void wsf_peers_pool_destroy(wsf_peers_pool *pool);

wsf_peers wsf_packed_peers_wide(const wsf_peers_pool *pool, const wsf_packed_peers *packed);

static inline wsf_peers wsf_packed_peers_read(const wsf_peers_pool *pool,
                                              const wsf_packed_peers *packed) {
    if (packed->count == WSF_PACKED_PEERS_WIDE)
        return wsf_packed_peers_wide(pool, packed);
    wsf_peers set = { 0 };
    for (unsigned i = 0; i < packed->count; i++)
        wsf_peers_add(&set, packed->few[i]);
    return set;
}

static inline bool wsf_packed_peers_is_empty(const wsf_packed_peers *packed) {
    return packed->count == 0; /* a set in the pool is of more than WSF_PACKED_PEERS_FEW peers */
}

bool wsf_packed_peers_has(const wsf_peers_pool *pool, const wsf_packed_peers *packed,
                          unsigned peer);

/* WSFAN_OK, or WSFAN_ENOMEM: the set is unchanged. A peer may be in it already. */
int wsf_packed_peers_add(wsf_peers_pool *pool, wsf_packed_peers *packed, unsigned peer);

/* The peer may be in it or not. */
void wsf_packed_peers_remove(wsf_peers_pool *pool, wsf_packed_peers *packed, unsigned peer);

#endif
