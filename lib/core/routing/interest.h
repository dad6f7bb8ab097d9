/* Interest: for each hash of a chat or user name, the loops here and the peers that have a session in it.
 * And the log of local changes, from which every link reads at its own pace. */
#ifndef WSF_CORE_ROUTING_INTEREST_H
#define WSF_CORE_ROUTING_INTEREST_H

#include <stdbool.h>

#include "base/packed_peers.h"
#include "base/table.h"

typedef struct __attribute__((packed, aligned(4))) {
    uint64_t hash;  /* 0: a free row */
    uint64_t loops; /* one bit each */
    wsf_packed_peers peers;
    uint32_t serial; /* of the last local change, modulo 2^32; in a free row: the next free one */
} wsf_interest_row;

typedef struct {
    wsf_interest_row **blocks; /* of rows, so that they need not be moved for more */
    uint32_t blocks_count;
    uint32_t rows_used;
    uint32_t rows_free;
    uint32_t rows_count;
    uint32_t local_count;  /* rows with a loop */
    uint32_t remote_count; /* rows with a peer */
    /* A peer with a hash over it is sent every message until there is room. */
    uint32_t remote_count_max;
    uint64_t local_digest; /* sum of the hashes with a loop; the same set, the same digest */
    uint64_t peer_digests[WSF_PEERS_MAX];
    wsf_peers_pool wide; /* sets of rows with many peers */
    wsf_table index;
    uint64_t *log;         /* hashes; entry s stands at s modulo its capacity */
    uint32_t log_capacity; /* a link that falls further behind sends a new snapshot */
    uint64_t serial;       /* of the newest entry; the first is 1 */
} wsf_interest;

/* log_capacity is a power of two. WSFAN_OK or WSFAN_ENOMEM. */
int wsf_interest_init(wsf_interest *interest, uint32_t remote_count_max, uint32_t log_capacity,
                      uint64_t seed);
void wsf_interest_destroy(wsf_interest *interest);

/* The loops (bits) and peers that want a hash. */
void wsf_interest_find(const wsf_interest *interest, uint64_t hash, uint64_t *loops,
                       wsf_peers *peers);

/* The same, with the peers as they are in the row, until the next change; their pool is interest->wide. */
void wsf_interest_find_packed(const wsf_interest *interest, uint64_t hash, uint64_t *loops,
                              wsf_packed_peers *peers);

/* The serial of the log entry that told of a hash with a loop; UINT64_MAX: no loop wants it. */
uint64_t wsf_interest_told(const wsf_interest *interest, uint64_t hash);

/* *serial: of the log entry that peers must acknowledge. WSFAN_ENOMEM: nothing was changed. */
int wsf_interest_add_loop(wsf_interest *interest, uint64_t hash, unsigned loop, uint64_t *serial);
void wsf_interest_remove_loop(wsf_interest *interest, uint64_t hash, unsigned loop);
void wsf_interest_forget_loop(wsf_interest *interest, unsigned loop);

/* WSFAN_ENOMEM, or WSFAN_ELIMIT (remote_count_max): nothing was changed. */
int wsf_interest_add_peer(wsf_interest *interest, uint64_t hash, unsigned peer);
void wsf_interest_remove_peer(wsf_interest *interest, uint64_t hash, unsigned peer);
void wsf_interest_forget_peer(wsf_interest *interest, unsigned peer);

/* Whether every entry after `serial` is still in the log. */
bool wsf_interest_log_has(const wsf_interest *interest, uint64_t serial);
uint64_t wsf_interest_log_at(const wsf_interest *interest, uint64_t serial); /* a hash */

/* Walks the hashes with a loop, begin with *cursor = 0; 0 at the end. Rows that are added or removed
 * meanwhile are in the log. */
uint64_t wsf_interest_next_local(const wsf_interest *interest, uint32_t *cursor);

#endif
