/* An index from 64-bit hashes to slot numbers. The slots and their keys belong to the caller. */
#ifndef WSF_BASE_TABLE_H
#define WSF_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define WSF_TABLE_NONE UINT32_MAX

typedef struct {
    uint32_t tag;   /* mixed hash; decides the home place */
    uint32_t value; /* WSF_TABLE_NONE: free */
} wsf_table_entry;

typedef struct {
    wsf_table_entry *entries;
    uint32_t mask; /* capacity - 1; capacity is a power of two, or no entries at all */
    uint32_t count;
    uint64_t seed;
} wsf_table;

/* seed: random and secret, so that nobody can choose names that crowd one place. */
void wsf_table_init(wsf_table *table, uint64_t seed);
void wsf_table_destroy(wsf_table *table);

/* Several values may stand under one hash. WSFAN_OK or WSFAN_ENOMEM; value is not
 * WSF_TABLE_NONE. */
int wsf_table_insert(wsf_table *table, uint64_t hash, uint32_t value);

/* value must stand under hash. */
void wsf_table_remove(wsf_table *table, uint64_t hash, uint32_t value);

/* Multiplies by a secret odd number: the upper half of the product depends on all lower bits. */
static inline uint32_t wsf_table_tag(const wsf_table *table, uint64_t hash) {
    return (uint32_t)(((hash ^ hash >> 32) * table->seed) >> 32);
}

/* Walks the values that may stand under hash; the caller compares its own full key. Begin with
 * *cursor = 0. Returns WSF_TABLE_NONE at the end. No insert or remove in between. */
static inline uint32_t wsf_table_next(const wsf_table *table, uint64_t hash, uint32_t *cursor) {
    if (table->entries == NULL)
        return WSF_TABLE_NONE;
    uint32_t tag = wsf_table_tag(table, hash);
    for (;;) {
        wsf_table_entry entry = table->entries[(tag + *cursor) & table->mask];
        if (entry.value == WSF_TABLE_NONE)
            return WSF_TABLE_NONE;
        ++*cursor;
        if (entry.tag == tag)
            return entry.value;
    }
}

#endif
