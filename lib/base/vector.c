/* Entries are sorted, so that what is written of a vector is the same however it was made. An entry may equal the rest:
 * wsf_vector_saw() tells it from none. */
#include "base/vector.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"

void wsf_vector_init(wsf_vector *vector, uint64_t rest) {
    vector->rest = rest;
    vector->count = 0;
}

wsf_vector *wsf_vector_copy(const wsf_vector *vector) {
    size_t size = offsetof(wsf_vector, entries) + vector->count * sizeof *vector->entries;
    wsf_vector *copy = wsf_alloc(size);
    if (copy != NULL)
        memcpy(copy, vector, size);
    return copy;
}

/* The first entry whose origin is not below `origin`. */
static uint32_t place_of(const wsf_vector *vector, uint32_t origin) {
    uint32_t from = 0;
    uint32_t to = vector->count;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (vector->entries[middle].origin < origin)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

wsf_vector_entry *wsf_vector_find(const wsf_vector *vector, uint64_t node) {
    uint32_t origin = wsf_vector_origin(node);
    uint32_t place = place_of(vector, origin);
    if (place == vector->count || vector->entries[place].origin != origin)
        return NULL;
    return (wsf_vector_entry *)&vector->entries[place];
}

uint64_t wsf_vector_at(const wsf_vector *vector, uint64_t node) {
    const wsf_vector_entry *entry = wsf_vector_find(vector, node);
    return entry != NULL ? entry->clock : vector->rest;
}

static bool add(wsf_vector *vector, wsf_vector_entry entry) {
    if (vector->count == WSF_VECTOR_MAX)
        return false;
    uint32_t place = place_of(vector, entry.origin);
    memmove(&vector->entries[place + 1], &vector->entries[place],
            (vector->count - place) * sizeof *vector->entries);
    vector->entries[place] = entry;
    vector->count++;
    return true;
}

bool wsf_vector_raise(wsf_vector *vector, uint64_t node, uint64_t clock) {
    wsf_vector_entry *entry = wsf_vector_find(vector, node);
    if (entry == NULL)
        return clock <= vector->rest ||
               add(vector, (wsf_vector_entry){ clock, wsf_vector_origin(node), false });
    if (clock > entry->clock) {
        entry->clock = clock;
        entry->ragged = false;
    }
    return true;
}

bool wsf_vector_pin(wsf_vector *vector, uint64_t node, uint64_t clock) {
    wsf_vector_entry *entry = wsf_vector_find(vector, node);
    if (entry == NULL)
        return add(vector, (wsf_vector_entry){ clock, wsf_vector_origin(node), false });
    if (clock < entry->clock)
        entry->clock = clock;
    return true;
}

bool wsf_vector_saw(wsf_vector *vector, uint64_t node, uint64_t clock) {
    wsf_vector_entry *entry = wsf_vector_find(vector, node);
    if (entry == NULL)
        return wsf_vector_raise(vector, node, clock);
    entry->ragged = entry->ragged || clock > entry->clock;
    return true;
}

/* The clocks of one origin in `vector`, and in `other` with `theirs`. */
static void merge_entry(wsf_vector_entry *entry, const wsf_vector_entry *theirs,
                        uint64_t their_rest) {
    uint64_t clock = theirs != NULL ? theirs->clock : their_rest;
    entry->ragged = entry->ragged || (theirs != NULL && theirs->ragged);
    if (clock > entry->clock)
        entry->clock = clock;
}

void wsf_vector_merge(wsf_vector *vector, const wsf_vector *other) {
    assert(vector->count <= WSF_VECTOR_MAX / 2 && other->count <= WSF_VECTOR_MAX / 2);
    for (uint32_t i = 0; i < other->count; i++) {
        uint32_t origin = other->entries[i].origin;
        if (wsf_vector_find(vector, origin) == NULL)
            add(vector, (wsf_vector_entry){ vector->rest, origin, false });
    }
    for (uint32_t i = 0; i < vector->count; i++) {
        wsf_vector_entry *entry = &vector->entries[i];
        merge_entry(entry, wsf_vector_find(other, entry->origin), other->rest);
    }
    if (vector->rest < other->rest)
        vector->rest = other->rest;
}

bool wsf_vector_is_ragged(const wsf_vector *vector) {
    for (uint32_t i = 0; i < vector->count; i++)
        if (vector->entries[i].ragged)
            return true;
    return false;
}
