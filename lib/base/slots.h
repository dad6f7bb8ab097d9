/* Which elements of a growing array are taken. The array and its elements belong to the caller. An element
 * keeps its number, not its address: a reservation may move the array. */
#ifndef WSF_BASE_SLOTS_H
#define WSF_BASE_SLOTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t used;       /* elements that were ever taken: a walk ends here */
    uint32_t count;      /* taken now */
    uint32_t capacity;   /* elements of the array */
    uint32_t first_free; /* of a list that goes through the first four bytes of each free element */
} wsf_slots;

/* The next capacity of a full array. From 64 on it is a quarter larger: on average about a tenth is spare. */
static inline uint32_t wsf_larger_capacity(uint32_t capacity) {
    return capacity < 64 ? capacity + capacity / 2 + 1 : capacity + capacity / 4;
}

void wsf_slots_init(wsf_slots *slots);

/* Makes room for one more element. Returns the array, perhaps moved. NULL: no memory; it is unchanged. */
void *wsf_slots_reserve(wsf_slots *slots, void *array, size_t element_size);

/* Takes an element, after wsf_slots_reserve(), and returns its number. An element that was never taken is
 * zero; another is as wsf_slots_free() left it. */
uint32_t wsf_slots_take(wsf_slots *slots, void *array, size_t element_size);

/* Gives an element back. Overwrites its first four bytes. */
void wsf_slots_free(wsf_slots *slots, void *array, size_t element_size, uint32_t number);

#endif
