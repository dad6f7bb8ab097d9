/* A clock for each origin below which something may be missing: exact for a few origins, one for all others. What cannot be
 * kept exactly is rounded up, so that more is called missing than is. */
#ifndef WSF_BASE_BOUNDS_H
#define WSF_BASE_BOUNDS_H

#include <stdint.h>

enum { WSF_BOUNDS_EXACT = 8 }; /* origins */

typedef struct {
    uint64_t rest;                      /* the clock of all others */
    struct wsf_bounds_entries *entries; /* NULL: there are none yet */
} wsf_bounds;

enum { WSF_BOUNDS_ENTRIES_BYTES = 136 }; /* of memory, where there are entries */

void wsf_bounds_destroy(wsf_bounds *bounds);

uint64_t wsf_bounds_at(const wsf_bounds *bounds, uint64_t origin);

/* The i-th origin with a clock of its own; 0: there are not so many. */
uint64_t wsf_bounds_origin(const wsf_bounds *bounds, uint32_t i);

/* _raise(): the clock of the origin is at least `clock`. _lower(): at most `clock`, if there is room to say so; origin 0:
 * that of all others. Out of memory they round up. */
void wsf_bounds_raise(wsf_bounds *bounds, uint64_t origin, uint64_t clock);
void wsf_bounds_lower(wsf_bounds *bounds, uint64_t origin, uint64_t clock);

#endif
