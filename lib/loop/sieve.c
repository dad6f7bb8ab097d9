#include "loop/sieve.h"

#include <string.h>

#include "base/memory.h"

/* Up to where a session has seen publishers. */
typedef struct {
    uint32_t count;
    wsf_vector_entry entries[];
} notes;

struct wsf_sieve_mesh {
    uint64_t session; /* of a free one: what wsf_slots_free() wrote */
    uint64_t chat;
    notes *notes; /* NULL: free */
};

void wsf_sieve_init(wsf_sieve *sieve, uint64_t seed) {
    *sieve = (wsf_sieve){ .array = NULL };
    wsf_table_init(&sieve->index, seed);
    wsf_slots_init(&sieve->slots);
}

void wsf_sieve_destroy(wsf_sieve *sieve) {
    for (uint32_t i = 0; i < sieve->slots.used; i++)
        wsf_free(sieve->array[i].notes);
    wsf_free(sieve->array);
    wsf_table_destroy(&sieve->index);
}

static uint64_t key_of(wsfan_session session, uint64_t chat) {
    return chat ^ session.id * UINT64_C(0x9e3779b97f4a7c15);
}

static uint32_t find(const wsf_sieve *sieve, wsfan_session session, uint64_t chat) {
    uint32_t cursor = 0;
    uint32_t i;
    while ((i = wsf_table_next(&sieve->index, key_of(session, chat), &cursor)) != WSF_TABLE_NONE)
        if (sieve->array[i].session == session.id && sieve->array[i].chat == chat)
            break;
    return i;
}

static bool is_passed(const wsf_vector_entry *entry, const wsf_vector *whole) {
    return entry->clock <= wsf_vector_at(whole, entry->origin);
}

/* Drops the entries that are passed. */
static void shorten(notes *noted, const wsf_vector *whole) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < noted->count; i++)
        if (!is_passed(&noted->entries[i], whole))
            noted->entries[kept++] = noted->entries[i];
    noted->count = kept;
}

static notes *copy(const wsf_vector *seen) {
    size_t size = seen->count * sizeof *seen->entries;
    notes *noted = wsf_alloc(sizeof *noted + size);
    if (noted == NULL)
        return NULL;
    noted->count = seen->count;
    memcpy(noted->entries, seen->entries, size);
    return noted;
}

static void remove_one(wsf_sieve *sieve, uint32_t i) {
    struct wsf_sieve_mesh *mesh = &sieve->array[i];
    wsf_table_remove(&sieve->index, key_of((wsfan_session){ mesh->session }, mesh->chat), i);
    wsf_free(mesh->notes);
    mesh->notes = NULL;
    wsf_slots_free(&sieve->slots, sieve->array, sizeof *sieve->array, i);
}

void wsf_sieve_remove(wsf_sieve *sieve, wsfan_session session, uint64_t chat) {
    uint32_t i = sieve->slots.count > 0 ? find(sieve, session, chat) : WSF_TABLE_NONE;
    if (i != WSF_TABLE_NONE)
        remove_one(sieve, i);
}

int wsf_sieve_add(wsf_sieve *sieve, wsfan_session session, uint64_t chat, const wsf_vector *seen,
                  const wsf_vector *whole) {
    bool passed = true;
    wsf_sieve_remove(sieve, session, chat);
    for (uint32_t i = 0; i < seen->count; i++)
        passed = passed && is_passed(&seen->entries[i], whole);
    if (passed)
        return WSFAN_OK;
    notes *noted = copy(seen);
    if (noted == NULL)
        return WSFAN_ENOMEM;
    shorten(noted, whole);
    struct wsf_sieve_mesh *array = wsf_slots_reserve(&sieve->slots, sieve->array, sizeof *array);
    if (array == NULL) {
        wsf_free(noted);
        return WSFAN_ENOMEM;
    }
    sieve->array = array;
    uint32_t i = wsf_slots_take(&sieve->slots, array, sizeof *array);
    array[i] = (struct wsf_sieve_mesh){ session.id, chat, noted };
    if (wsf_table_insert(&sieve->index, key_of(session, chat), i) == WSFAN_OK)
        return WSFAN_OK;
    array[i].notes = NULL;
    wsf_slots_free(&sieve->slots, array, sizeof *array, i);
    wsf_free(noted);
    return WSFAN_ENOMEM;
}

void wsf_sieve_reach(wsf_sieve *sieve, const wsf_vector *whole) {
    if (sieve->slots.count == 0)
        return;
    for (uint32_t i = 0; i < sieve->slots.used; i++) {
        notes *noted = sieve->array[i].notes;
        if (noted == NULL)
            continue;
        shorten(noted, whole);
        if (noted->count == 0)
            remove_one(sieve, i);
    }
}

bool wsf_sieve_stops_noted(const wsf_sieve *sieve, wsfan_session session, uint64_t chat,
                           wsfan_message_id id) {
    uint32_t i = find(sieve, session, chat);
    const notes *noted = i != WSF_TABLE_NONE ? sieve->array[i].notes : NULL;
    for (uint32_t e = 0; noted != NULL && e < noted->count; e++)
        if (noted->entries[e].origin == wsf_vector_origin(id.origin))
            return id.clock <= noted->entries[e].clock;
    return false;
}
