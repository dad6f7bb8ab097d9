/* Open addressing, linear probing, deletion by shifting back: no tombstones, at most 3/4 full.
 * Eight bytes a place, so that a million chats index in some ten megabytes. */
#include "base/table.h"

#include <assert.h>
#include <string.h>
#include <wsfan/wsfan.h>

#include "base/memory.h"

enum { CAPACITY_MIN = 16 };

void wsf_table_init(wsf_table *table, uint64_t seed) {
    memset(table, 0, sizeof *table);
    table->seed = seed | 1;
}

void wsf_table_destroy(wsf_table *table) {
    wsf_free(table->entries);
    table->entries = NULL;
    table->count = 0;
}

static void place(wsf_table *table, wsf_table_entry entry) {
    uint32_t i = entry.tag & table->mask;
    while (table->entries[i].value != WSF_TABLE_NONE)
        i = (i + 1) & table->mask;
    table->entries[i] = entry;
}

static int resize(wsf_table *table, uint32_t capacity) {
    wsf_table_entry *old = table->entries;
    uint32_t old_capacity = old != NULL ? table->mask + 1 : 0;
    wsf_table_entry *entries = wsf_alloc(capacity * sizeof *entries);
    if (entries == NULL)
        return WSFAN_ENOMEM;

    memset(entries, 0xff, capacity * sizeof *entries);
    table->entries = entries;
    table->mask = capacity - 1;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i].value != WSF_TABLE_NONE)
            place(table, old[i]);
    wsf_free(old);
    return WSFAN_OK;
}

int wsf_table_insert(wsf_table *table, uint64_t hash, uint32_t value) {
    assert(value != WSF_TABLE_NONE);
    uint32_t capacity = table->entries != NULL ? table->mask + 1 : 0;
    if (table->count >= capacity - capacity / 4) {
        int error = resize(table, capacity == 0 ? CAPACITY_MIN : capacity * 2);
        if (error != WSFAN_OK)
            return error;
    }
    place(table, (wsf_table_entry){ wsf_table_tag(table, hash), value });
    table->count++;
    return WSFAN_OK;
}

void wsf_table_remove(wsf_table *table, uint64_t hash, uint32_t value) {
    uint32_t mask = table->mask;
    uint32_t hole = wsf_table_tag(table, hash) & mask;
    while (table->entries[hole].value != value) {
        assert(table->entries[hole].value != WSF_TABLE_NONE);
        hole = (hole + 1) & mask;
    }
    for (uint32_t i = (hole + 1) & mask; table->entries[i].value != WSF_TABLE_NONE;
         i = (i + 1) & mask) {
        /* An entry may move back only as far as its home. */
        uint32_t home = table->entries[i].tag & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            table->entries[hole] = table->entries[i];
            hole = i;
        }
    }
    table->entries[hole].value = WSF_TABLE_NONE;
    table->count--;
}
