/* A table of its own beside the registry, so that memberships without history take no more memory. */
#include "loop/parkings.h"

#include <assert.h>

#include "base/memory.h"

struct wsf_parking {
    uint32_t serial; /* 0: free, see base/slots.h */
    uint32_t audience;
    wsfan_session session;
    wsf_recovery *recovery; /* NULL: it was taken, */
    uint64_t gaps_told;     /* when so many gaps were told */
};

void wsf_parkings_init(wsf_parkings *parkings, uint64_t seed) {
    *parkings = (wsf_parkings){ .serial = (uint32_t)(seed >> 32) };
    wsf_table_init(&parkings->index, seed);
    wsf_slots_init(&parkings->slots);
}

void wsf_parkings_destroy(wsf_parkings *parkings) {
    uint32_t left = parkings->slots.count;
    for (uint32_t i = 0; left > 0 && i < parkings->slots.used; i++)
        wsf_recovery_free(parkings->array[i].recovery);
    wsf_free(parkings->array);
    wsf_table_destroy(&parkings->index);
}

static uint64_t key_of(wsfan_session session, uint32_t audience) {
    return session.id ^ (audience + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint32_t find(const wsf_parkings *parkings, wsfan_session session, uint32_t audience) {
    uint32_t cursor = 0;
    uint32_t i;
    if (parkings->slots.count == 0)
        return WSF_TABLE_NONE;
    while ((i = wsf_table_next(&parkings->index, key_of(session, audience), &cursor)) !=
           WSF_TABLE_NONE)
        if (parkings->array[i].session.id == session.id && parkings->array[i].audience == audience)
            break;
    return i;
}

int wsf_parkings_add(wsf_parkings *parkings, wsf_recovery *recovery, wsfan_session session,
                     uint32_t audience) {
    assert(find(parkings, session, audience) == WSF_TABLE_NONE);
    wsf_parking *array = wsf_slots_reserve(&parkings->slots, parkings->array, sizeof *array);
    if (array == NULL)
        return WSFAN_ENOMEM;
    parkings->array = array;
    uint32_t i = wsf_slots_take(&parkings->slots, array, sizeof *array);
    if (wsf_table_insert(&parkings->index, key_of(session, audience), i) != WSFAN_OK) {
        array[i].recovery = NULL;
        wsf_slots_free(&parkings->slots, array, sizeof *array, i);
        return WSFAN_ENOMEM;
    }
    recovery->session = session;
    recovery->audience = audience;
    recovery->serial = ++parkings->serial;
    array[i] = (wsf_parking){
        .serial = recovery->serial, .audience = audience, .session = session, .recovery = recovery
    };
    return WSFAN_OK;
}

const wsf_recovery *wsf_parkings_waiting(const wsf_parkings *parkings, wsfan_session session,
                                         uint32_t audience) {
    uint32_t i = find(parkings, session, audience);
    return i != WSF_TABLE_NONE ? parkings->array[i].recovery : NULL;
}

wsf_recovery *wsf_parkings_take(wsf_parkings *parkings, wsfan_session session, uint32_t audience) {
    uint32_t i = find(parkings, session, audience);
    if (i == WSF_TABLE_NONE)
        return NULL;
    wsf_recovery *recovery = parkings->array[i].recovery;
    parkings->array[i].recovery = NULL;
    parkings->array[i].gaps_told = parkings->gaps_told;
    return recovery;
}

/* The number of the parking that a recovery was taken from. */
static uint32_t find_of(const wsf_parkings *parkings, const wsf_recovery *recovery) {
    uint32_t i = find(parkings, recovery->session, recovery->audience);
    return i != WSF_TABLE_NONE && parkings->array[i].serial == recovery->serial ? i
                                                                                : WSF_TABLE_NONE;
}

bool wsf_parkings_has(const wsf_parkings *parkings, const wsf_recovery *recovery) {
    return find_of(parkings, recovery) != WSF_TABLE_NONE;
}

bool wsf_parkings_missed_nothing(const wsf_parkings *parkings, const wsf_recovery *recovery) {
    uint32_t i = find_of(parkings, recovery);
    return i != WSF_TABLE_NONE && parkings->array[i].gaps_told == parkings->gaps_told;
}

void wsf_parkings_remove(wsf_parkings *parkings, wsfan_session session, uint32_t audience) {
    uint32_t i = find(parkings, session, audience);
    if (i == WSF_TABLE_NONE)
        return;
    wsf_recovery_free(parkings->array[i].recovery);
    wsf_table_remove(&parkings->index, key_of(session, audience), i);
    parkings->array[i] = (wsf_parking){ 0 };
    wsf_slots_free(&parkings->slots, parkings->array, sizeof *parkings->array, i);
}
