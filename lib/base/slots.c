/* The element that was freed last is taken first. */
#include "base/slots.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

#define NONE UINT32_MAX

enum { CAPACITY_MIN = 16 };

void wsf_slots_init(wsf_slots *slots) {
    *slots = (wsf_slots){ .first_free = NONE };
}

void *wsf_slots_reserve(wsf_slots *slots, void *array, size_t element_size) {
    if (slots->first_free != NONE || slots->used < slots->capacity)
        return array;
    uint32_t capacity = slots->capacity < CAPACITY_MIN ? CAPACITY_MIN
                                                       : wsf_larger_capacity(slots->capacity);
    void *larger = wsf_realloc(array, capacity * element_size);
    if (larger != NULL)
        slots->capacity = capacity;
    return larger;
}

static void *at(void *array, size_t element_size, uint32_t number) {
    return (char *)array + number * element_size;
}

uint32_t wsf_slots_take(wsf_slots *slots, void *array, size_t element_size) {
    uint32_t number = slots->first_free;
    if (number != NONE) {
        memcpy(&slots->first_free, at(array, element_size, number), sizeof slots->first_free);
    } else {
        assert(slots->used < slots->capacity);
        number = slots->used++;
        memset(at(array, element_size, number), 0, element_size);
    }
    slots->count++;
    return number;
}

void wsf_slots_free(wsf_slots *slots, void *array, size_t element_size, uint32_t number) {
    assert(number < slots->used && element_size >= sizeof slots->first_free);
    memcpy(at(array, element_size, number), &slots->first_free, sizeof slots->first_free);
    slots->first_free = number;
    slots->count--;
}
