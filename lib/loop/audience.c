/* Answers for the audiences of a loop and the memory of each: one block with the members (an array that a
 * delivery copies as it is), a place for each member, and the name. Members are added and removed by
 * registry.c. */
#include "loop/audience.h"

#include <string.h>

#include "base/memory.h"

void wsf_audiences_init(wsf_audiences *audiences, uint32_t count_max, uint64_t seed) {
    *audiences = (wsf_audiences){ .count_max = count_max };
    wsf_slots_init(&audiences->slots);
    wsf_table_init(&audiences->index, seed);
}

void wsf_audiences_destroy(wsf_audiences *audiences) {
    for (uint32_t i = 0; i < audiences->slots.used; i++) {
        wsf_free(audiences->array[i].members);
        if (!audiences->array[i].ticket_away)
            wsf_free(audiences->array[i].ticket);
    }
    wsf_free(audiences->array);
    wsf_table_destroy(&audiences->index);
}

/* -------------------------------------------------------------------------------- the block */

uint32_t *wsf_audience_places(const wsf_audience *audience) {
    return (uint32_t *)(audience->members + audience->members_capacity);
}

int wsf_audience_reserve(wsf_audience *audience) {
    uint32_t capacity = audience->members_capacity;
    if (audience->members_count < capacity)
        return WSFAN_OK;
    uint32_t larger = wsf_larger_capacity(capacity);
    uint8_t *block = wsf_realloc(audience->members,
                                 wsf_audience_name_offset(larger) + audience->name_size);
    if (block == NULL)
        return WSFAN_ENOMEM;
    memmove(block + wsf_audience_name_offset(larger), block + wsf_audience_name_offset(capacity),
            audience->name_size);
    memmove(block + wsf_audience_places_offset(larger),
            block + wsf_audience_places_offset(capacity), capacity * sizeof(uint32_t));
    audience->members = (wsfan_recipient *)(void *)block;
    audience->members_capacity = larger;
    return WSFAN_OK;
}

/* --------------------------------------------------------------------------------- the set */

int wsf_audiences_add(wsf_audiences *audiences, const wsfan_target *target, uint64_t hash,
                      uint32_t *added) {
    if (audiences->slots.count >= audiences->count_max)
        return WSFAN_ELIMIT;
    wsf_audience *array = wsf_slots_reserve(&audiences->slots, audiences->array, sizeof *array);
    if (array == NULL)
        return WSFAN_ENOMEM;
    audiences->array = array;
    assert(target->name.size <= UINT16_MAX);
    uint8_t *block = wsf_alloc(wsf_audience_name_offset(1) + target->name.size);
    if (block == NULL)
        return WSFAN_ENOMEM;
    memcpy(block + wsf_audience_name_offset(1), target->name.data, target->name.size);

    uint32_t i = wsf_slots_take(&audiences->slots, array, sizeof *array);
    if (wsf_table_insert(&audiences->index, hash, i) != WSFAN_OK) {
        wsf_slots_free(&audiences->slots, array, sizeof *array, i);
        wsf_free(block);
        return WSFAN_ENOMEM;
    }
    array[i] = (wsf_audience){
        .hash = hash,
        .members = (wsfan_recipient *)(void *)block,
        .members_capacity = 1,
        .name_size = (uint16_t)target->name.size,
        .kind = (uint8_t)target->kind,
    };
    *added = i;
    return WSFAN_OK;
}

void wsf_audiences_drop(wsf_audiences *audiences, uint32_t number) {
    wsf_audience *dropped = wsf_audiences_at(audiences, number);
    assert(dropped->members_count == 0 && !dropped->ticket_away);
    wsf_table_remove(&audiences->index, dropped->hash, number);
    wsf_free(dropped->members);
    wsf_free(dropped->ticket);
    *dropped = (wsf_audience){ 0 };
    wsf_slots_free(&audiences->slots, audiences->array, sizeof *dropped, number);
}

bool wsf_audiences_has_twin(const wsf_audiences *audiences, uint32_t number) {
    uint64_t hash = wsf_audiences_at(audiences, number)->hash;
    uint32_t cursor = 0;
    uint32_t i;
    while ((i = wsf_table_next(&audiences->index, hash, &cursor)) != WSF_TABLE_NONE)
        if (i != number && audiences->array[i].hash == hash)
            return true;
    return false;
}
