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

bool wsf_packed_peers_wide_has(const wsf_peers_pool *pool, const wsf_packed_peers *packed,
                               unsigned peer);
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

/* Adds the peers of a packed set to another one. */
static inline void wsf_packed_peers_add_to(const wsf_peers_pool *pool,
                                           const wsf_packed_peers *packed, wsf_peers *set) {
    if (packed->count == WSF_PACKED_PEERS_WIDE)
        *set = wsf_peers_union(*set, wsf_packed_peers_wide(pool, packed));
    else
        for (unsigned i = 0; i < packed->count; i++)
            wsf_peers_add(set, packed->few[i]);
}

static inline bool wsf_packed_peers_is_empty(const wsf_packed_peers *packed) {
    return packed->count == 0; /* a set in the pool is not empty */
}

/* The place of a peer in `few`; `count`: it is not there. Not of a WIDE one. */
static inline unsigned wsf_packed_peers_place(const wsf_packed_peers *packed, unsigned peer) {
    unsigned i = 0;
    while (i < packed->count && packed->few[i] != peer)
        i++;
    return i;
}

static inline bool wsf_packed_peers_has(const wsf_peers_pool *pool, const wsf_packed_peers *packed,
                                        unsigned peer) {
    if (packed->count == WSF_PACKED_PEERS_WIDE)
        return wsf_packed_peers_wide_has(pool, packed, peer);
    return wsf_packed_peers_place(packed, peer) < packed->count;
}

/* WSFAN_OK, or WSFAN_ENOMEM: the set is unchanged. A peer may be in it already. */
int wsf_packed_peers_add(wsf_peers_pool *pool, wsf_packed_peers *packed, unsigned peer);

/* The peer may be in it or not. */
void wsf_packed_peers_remove(wsf_peers_pool *pool, wsf_packed_peers *packed, unsigned peer);

#endif
