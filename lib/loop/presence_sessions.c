/* A table of its own beside the registry, so that memberships without presence take no more memory. */
#include "loop/presence_sessions.h"

#include <string.h>

#include "base/memory.h"

void wsf_presence_sessions_init(wsf_presence_sessions *a, uint64_t seed) {
    memset(a, 0, sizeof *a);
    wsf_table_init(&a->index, seed);
}

void wsf_presence_sessions_destroy(wsf_presence_sessions *a) {
    wsf_table_destroy(&a->index);
    wsf_free(a->slots);
    wsf_free(a->free);
}

static uint64_t key_of(uint64_t session, uint64_t chat_hash) {
    return chat_hash ^ session * UINT64_C(0x9e3779b97f4a7c15);
}

static int reserve(wsf_presence_sessions *a) {
    if (a->free_count > 0 || a->used < a->capacity)
        return WSFAN_OK;
    uint32_t capacity = a->capacity + a->capacity / 4 + 16;
    wsf_presence_session **slots = wsf_realloc(a->slots, capacity * sizeof *slots);
    if (slots == NULL)
        return WSFAN_ENOMEM;
    a->slots = slots;
    uint32_t *numbers = wsf_realloc(a->free, capacity * sizeof *numbers);
    if (numbers == NULL)
        return WSFAN_ENOMEM;
    a->free = numbers;
    a->capacity = capacity;
    return WSFAN_OK;
}

int wsf_presence_sessions_add(wsf_presence_sessions *a, wsfan_session session,
                              const wsfan_target *chat, uint64_t chat_hash, wsfan_bytes user,
                              uint64_t user_hash, wsfan_bytes metadata,
                              wsf_presence_session **added) {
    wsf_presence_session *made = wsf_alloc_zero(1, sizeof *made + chat->name.size + user.size +
                                                       metadata.size);
    if (made == NULL || reserve(a) != WSFAN_OK) {
        wsf_free(made);
        return WSFAN_ENOMEM;
    }
    uint32_t slot = a->free_count > 0 ? a->free[a->free_count - 1] : a->used;
    if (wsf_table_insert(&a->index, key_of(session.id, chat_hash), slot) != WSFAN_OK) {
        wsf_free(made);
        return WSFAN_ENOMEM;
    }
    if (a->free_count > 0)
        a->free_count--;
    else
        a->used++;
    made->session = session.id;
    made->chat_hash = chat_hash;
    made->user_hash = user_hash;
    made->chat_size = (uint16_t)chat->name.size;
    made->user_size = (uint16_t)user.size;
    made->metadata_size = (uint16_t)metadata.size;
    memcpy(made->bytes, chat->name.data, chat->name.size);
    memcpy(made->bytes + chat->name.size, user.data, user.size);
    if (metadata.size > 0)
        memcpy(made->bytes + chat->name.size + user.size, metadata.data, metadata.size);
    a->slots[slot] = made;
    a->count++;
    *added = made;
    return WSFAN_OK;
}

void wsf_presence_sessions_remove(wsf_presence_sessions *a,
                                  const wsf_presence_session *presence_session) {
    uint64_t key = key_of(presence_session->session, presence_session->chat_hash);
    uint32_t cursor = 0;
    uint32_t slot;
    while ((slot = wsf_table_next(&a->index, key, &cursor)) != WSF_TABLE_NONE)
        if (a->slots[slot] == presence_session)
            break;
    wsf_table_remove(&a->index, key, slot);
    a->slots[slot] = NULL;
    a->free[a->free_count++] = slot;
    a->count--;
}

wsf_presence_session *wsf_presence_sessions_find(const wsf_presence_sessions *a,
                                                 wsfan_session session, uint64_t chat_hash) {
    uint32_t cursor = 0;
    uint32_t slot;
    while ((slot = wsf_table_next(&a->index, key_of(session.id, chat_hash), &cursor)) !=
           WSF_TABLE_NONE)
        if (a->slots[slot]->session == session.id && a->slots[slot]->chat_hash == chat_hash)
            return a->slots[slot];
    return NULL;
}
