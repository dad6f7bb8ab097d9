/* Entries are few, so they are searched from the first to the last. */
#include "base/bounds.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

struct wsf_bounds_entries {
    uint64_t origins[WSF_BOUNDS_EXACT];
    uint64_t clocks[WSF_BOUNDS_EXACT];
    uint32_t count;
};
_Static_assert(sizeof(struct wsf_bounds_entries) == WSF_BOUNDS_ENTRIES_BYTES, "as bounds.h says");

void wsf_bounds_destroy(wsf_bounds *bounds) {
    wsf_free(bounds->entries);
    bounds->entries = NULL;
}

static uint64_t *find(const wsf_bounds *bounds, uint64_t origin) {
    struct wsf_bounds_entries *entries = bounds->entries;
    for (uint32_t i = 0; entries != NULL && i < entries->count; i++)
        if (entries->origins[i] == origin)
            return &entries->clocks[i];
    return NULL;
}

uint64_t wsf_bounds_at(const wsf_bounds *bounds, uint64_t origin) {
    const uint64_t *clock = find(bounds, origin);
    return clock != NULL ? *clock : bounds->rest;
}

uint64_t wsf_bounds_origin(const wsf_bounds *bounds, uint32_t i) {
    const struct wsf_bounds_entries *entries = bounds->entries;
    return entries != NULL && i < entries->count ? entries->origins[i] : 0;
}

static bool add(wsf_bounds *bounds, uint64_t origin, uint64_t clock) {
    if (bounds->entries == NULL)
        bounds->entries = wsf_alloc_zero(1, sizeof *bounds->entries);
    struct wsf_bounds_entries *entries = bounds->entries;
    if (entries == NULL || entries->count == WSF_BOUNDS_EXACT)
        return false;
    entries->origins[entries->count] = origin;
    entries->clocks[entries->count++] = clock;
    return true;
}

/* The least clock joins the rest, where it is rounded up least. */
static void add_for_least(wsf_bounds *bounds, uint64_t origin, uint64_t clock) {
    struct wsf_bounds_entries *entries = bounds->entries;
    uint64_t folded = clock;
    uint32_t least = 0;
    for (uint32_t i = 1; entries != NULL && i < entries->count; i++)
        if (entries->clocks[i] < entries->clocks[least])
            least = i;
    if (entries != NULL && entries->clocks[least] < clock) {
        folded = entries->clocks[least];
        entries->origins[least] = origin;
        entries->clocks[least] = clock;
    }
    if (bounds->rest < folded)
        bounds->rest = folded;
}

void wsf_bounds_raise(wsf_bounds *bounds, uint64_t origin, uint64_t clock) {
    uint64_t *found = find(bounds, origin);
    if (found != NULL)
        *found = *found < clock ? clock : *found;
    else if (clock > bounds->rest && !add(bounds, origin, clock))
        add_for_least(bounds, origin, clock);
}

void wsf_bounds_lower(wsf_bounds *bounds, uint64_t origin, uint64_t clock) {
    uint64_t *found = origin == 0 ? &bounds->rest : find(bounds, origin);
    if (found != NULL)
        *found = *found > clock ? clock : *found;
    else if (clock < bounds->rest)
        add(bounds, origin, clock);
}
