/* One table for loops and peers, so that routing a message is one look-up for each target. Rows keep their
 * numbers: a snapshot walks them while they change. */
#include "core/routing/interest.h"

#include <assert.h>
#include <string.h>
#include <wsfan/wsfan.h>

#include "base/memory.h"

enum { BLOCK_ROWS = 1024 };

static wsf_interest_row *row_at(const wsf_interest *interest, uint32_t i) {
    return &interest->blocks[i / BLOCK_ROWS][i % BLOCK_ROWS];
}

int wsf_interest_init(wsf_interest *interest, uint32_t remote_count_max, uint32_t log_capacity,
                      uint64_t seed) {
    assert((log_capacity & (log_capacity - 1)) == 0);
    memset(interest, 0, sizeof *interest);
    interest->rows_free = WSF_TABLE_NONE;
    interest->remote_count_max = remote_count_max;
    interest->log_capacity = log_capacity;
    wsf_peers_pool_init(&interest->wide);
    wsf_table_init(&interest->index, seed);
    interest->log = wsf_alloc(log_capacity * sizeof *interest->log);
    return interest->log != NULL ? WSFAN_OK : WSFAN_ENOMEM;
}

void wsf_interest_destroy(wsf_interest *interest) {
    for (uint32_t i = 0; i < interest->blocks_count; i++)
        wsf_free(interest->blocks[i]);
    wsf_free(interest->blocks);
    wsf_free(interest->log);
    wsf_peers_pool_destroy(&interest->wide);
    wsf_table_destroy(&interest->index);
}

/* The number of a row; WSF_TABLE_NONE: there is none. */
static uint32_t find_number(const wsf_interest *interest, uint64_t hash) {
    uint32_t cursor = 0;
    uint32_t i;
    while ((i = wsf_table_next(&interest->index, hash, &cursor)) != WSF_TABLE_NONE)
        if (row_at(interest, i)->hash == hash)
            break;
    return i;
}

static wsf_interest_row *find(const wsf_interest *interest, uint64_t hash) {
    uint32_t i = find_number(interest, hash);
    return i != WSF_TABLE_NONE ? row_at(interest, i) : NULL;
}

void wsf_interest_find(const wsf_interest *interest, uint64_t hash, uint64_t *loops,
                       wsf_peers *peers) {
    const wsf_interest_row *row = find(interest, hash);
    *loops = row != NULL ? row->loops : 0;
    *peers = row != NULL ? wsf_packed_peers_read(&interest->wide, &row->peers) : (wsf_peers){ 0 };
}

void wsf_interest_find_packed(const wsf_interest *interest, uint64_t hash, uint64_t *loops,
                              wsf_packed_peers *peers) {
    const wsf_interest_row *row = find(interest, hash);
    *loops = row != NULL ? row->loops : 0;
    *peers = row != NULL ? row->peers : (wsf_packed_peers){ 0 };
}

/* The newest serial with the row's 32 bits: too new, if there were 2^32 changes since. */
static uint64_t serial_of(const wsf_interest *interest, const wsf_interest_row *row) {
    return interest->serial - ((uint32_t)interest->serial - row->serial);
}

uint64_t wsf_interest_told(const wsf_interest *interest, uint64_t hash) {
    const wsf_interest_row *row = find(interest, hash);
    return row != NULL && row->loops != 0 ? serial_of(interest, row) : UINT64_MAX;
}

static int grow(wsf_interest *interest) {
    size_t size = (interest->blocks_count + 1) * sizeof *interest->blocks;
    wsf_interest_row **blocks = wsf_realloc(interest->blocks, size);
    if (blocks == NULL)
        return WSFAN_ENOMEM;
    interest->blocks = blocks;
    blocks[interest->blocks_count] = wsf_alloc(BLOCK_ROWS * sizeof **blocks);
    if (blocks[interest->blocks_count] == NULL)
        return WSFAN_ENOMEM;
    interest->blocks_count++;
    return WSFAN_OK;
}

static int find_or_add(wsf_interest *interest, uint64_t hash, wsf_interest_row **row) {
    assert(hash != 0);
    *row = find(interest, hash);
    if (*row != NULL)
        return WSFAN_OK;
    bool reused = interest->rows_free != WSF_TABLE_NONE;
    if (!reused && interest->rows_used == interest->blocks_count * BLOCK_ROWS &&
        grow(interest) != WSFAN_OK)
        return WSFAN_ENOMEM;
    uint32_t i = reused ? interest->rows_free : interest->rows_used;
    if (wsf_table_insert(&interest->index, hash, i) != WSFAN_OK)
        return WSFAN_ENOMEM;
    *row = row_at(interest, i);
    if (reused)
        interest->rows_free = (*row)->serial;
    else
        interest->rows_used++;
    **row = (wsf_interest_row){ .hash = hash };
    interest->rows_count++;
    return WSFAN_OK;
}

static void drop_if_unwanted(wsf_interest *interest, uint32_t i) {
    wsf_interest_row *row = row_at(interest, i);
    if (row->loops != 0 || !wsf_packed_peers_is_empty(&row->peers))
        return;
    wsf_table_remove(&interest->index, row->hash, i);
    *row = (wsf_interest_row){ .serial = interest->rows_free };
    interest->rows_free = i;
    interest->rows_count--;
}

static void append_log(wsf_interest *interest, wsf_interest_row *row) {
    row->serial = (uint32_t)++interest->serial;
    interest->log[interest->serial & (interest->log_capacity - 1)] = row->hash;
}

int wsf_interest_add_loop(wsf_interest *interest, uint64_t hash, unsigned loop, uint64_t *serial) {
    wsf_interest_row *row;
    int error = find_or_add(interest, hash, &row);
    if (error != WSFAN_OK)
        return error;
    if (row->loops == 0) {
        interest->local_count++;
        interest->local_digest += hash;
        append_log(interest, row);
    }
    row->loops |= UINT64_C(1) << loop;
    *serial = serial_of(interest, row);
    return WSFAN_OK;
}

static void clear_loop(wsf_interest *interest, uint32_t i, unsigned loop) {
    wsf_interest_row *row = row_at(interest, i);
    uint64_t bit = UINT64_C(1) << loop;
    if ((row->loops & bit) == 0)
        return;
    row->loops &= ~bit;
    if (row->loops == 0) {
        interest->local_count--;
        interest->local_digest -= row->hash;
        append_log(interest, row);
        drop_if_unwanted(interest, i);
    }
}

void wsf_interest_remove_loop(wsf_interest *interest, uint64_t hash, unsigned loop) {
    uint32_t i = find_number(interest, hash);
    if (i != WSF_TABLE_NONE)
        clear_loop(interest, i, loop);
}

void wsf_interest_forget_loop(wsf_interest *interest, unsigned loop) {
    for (uint32_t i = 0; i < interest->rows_used; i++)
        clear_loop(interest, i, loop);
}

/* The limit is on what peers announce; local rows are bounded by the loops' registries. */
int wsf_interest_add_peer(wsf_interest *interest, uint64_t hash, unsigned peer) {
    uint32_t i = find_number(interest, hash);
    const wsf_interest_row *known = i != WSF_TABLE_NONE ? row_at(interest, i) : NULL;
    bool first = known == NULL || wsf_packed_peers_is_empty(&known->peers);
    if (known != NULL && wsf_packed_peers_has(&interest->wide, &known->peers, peer))
        return WSFAN_OK;
    if (first && interest->remote_count >= interest->remote_count_max)
        return WSFAN_ELIMIT;
    wsf_interest_row *row;
    int error = find_or_add(interest, hash, &row);
    if (error == WSFAN_OK) /* the first peer of a new row needs no memory */
        error = wsf_packed_peers_add(&interest->wide, &row->peers, peer);
    if (error != WSFAN_OK)
        return error;
    interest->remote_count += first;
    interest->peer_digests[peer] += hash;
    return WSFAN_OK;
}

static void clear_peer(wsf_interest *interest, uint32_t i, unsigned peer) {
    wsf_interest_row *row = row_at(interest, i);
    if (!wsf_packed_peers_has(&interest->wide, &row->peers, peer))
        return;
    wsf_packed_peers_remove(&interest->wide, &row->peers, peer);
    interest->peer_digests[peer] -= row->hash;
    interest->remote_count -= wsf_packed_peers_is_empty(&row->peers);
    drop_if_unwanted(interest, i);
}

void wsf_interest_remove_peer(wsf_interest *interest, uint64_t hash, unsigned peer) {
    uint32_t i = find_number(interest, hash);
    if (i != WSF_TABLE_NONE)
        clear_peer(interest, i, peer);
}

void wsf_interest_forget_peer(wsf_interest *interest, unsigned peer) {
    for (uint32_t i = 0; i < interest->rows_used; i++)
        clear_peer(interest, i, peer);
}

bool wsf_interest_log_has(const wsf_interest *interest, uint64_t serial) {
    return interest->serial - serial <= interest->log_capacity;
}

uint64_t wsf_interest_log_at(const wsf_interest *interest, uint64_t serial) {
    assert(serial >= 1 && serial <= interest->serial &&
           interest->serial - serial < interest->log_capacity);
    return interest->log[serial & (interest->log_capacity - 1)];
}

uint64_t wsf_interest_next_local(const wsf_interest *interest, uint32_t *cursor) {
    while (*cursor < interest->rows_used) {
        const wsf_interest_row *row = row_at(interest, (*cursor)++);
        if (row->loops != 0)
            return row->hash;
    }
    return 0;
}
