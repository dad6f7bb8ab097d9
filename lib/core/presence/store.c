/* Answers for where chats, members and rows are in memory, and when they are freed. Slots do not move
 * while they are in use. A member is kept while it has a session, a row or a grace time, or is in a queue. */
#include "core/presence/store.h"

#include <string.h>

#include "base/memory.h"

uint64_t wsf_presence_store_mix(uint64_t a, uint64_t b) {
    uint64_t z = a ^ (b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9); /* SplitMix64 */
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void wsf_presence_store_init(wsf_presence *p, const wsf_presence_limits *limits, uint64_t seed) {
    memset(p, 0, sizeof *p);
    p->limits = *limits;
    wsf_slots_init(&p->chat_slots);
    wsf_slots_init(&p->member_slots);
    wsf_slots_init(&p->row_slots);
    for (unsigned i = 0; i < 2; i++)
        p->leaving[i] = (wsf_leave_list){ WSF_TABLE_NONE, WSF_TABLE_NONE };
    wsf_table_init(&p->chat_index, seed);
    wsf_table_init(&p->member_index, ~seed);
    wsf_deque_init(&p->paced, sizeof(wsf_presence_pace));
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++)
        wsf_deque_init(&p->peer_queues[i], sizeof(uint32_t));
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        wsf_deque_init(&p->loop_queues[i], sizeof(uint32_t));
}

void wsf_presence_store_destroy(wsf_presence *p) {
    for (uint32_t i = 0; i < p->member_slots.used; i++) {
        wsf_free(p->members[i].name);
        for (wsf_presence_session *own = p->members[i].own; own != NULL;) {
            wsf_presence_session *older = own->older;
            wsf_free(own);
            own = older;
        }
    }
    while (p->unnoted != NULL) {
        wsf_presence_session *older = p->unnoted->older;
        wsf_free(p->unnoted);
        p->unnoted = older;
    }
    for (uint32_t i = 0; i < p->row_slots.used; i++)
        wsf_free(p->rows[i].metadata);
    for (uint32_t i = 0; i < p->chat_slots.used; i++)
        wsf_free(p->chats[i].name);
    wsf_free(p->members);
    wsf_free(p->rows);
    wsf_free(p->chats);
    wsf_table_destroy(&p->chat_index);
    wsf_table_destroy(&p->member_index);
    wsf_deque_destroy(&p->paced);
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++)
        wsf_deque_destroy(&p->peer_queues[i]);
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        wsf_deque_destroy(&p->loop_queues[i]);
}

uint8_t *wsf_presence_store_copy(const void *data, size_t size) {
    uint8_t *bytes = wsf_alloc(size > 0 ? size : 1);
    if (bytes != NULL && size > 0)
        memcpy(bytes, data, size);
    return bytes;
}

uint32_t wsf_presence_store_find_chat(const wsf_presence *p, uint64_t hash) {
    uint32_t cursor = 0;
    uint32_t i;
    while ((i = wsf_table_next(&p->chat_index, hash, &cursor)) != WSF_TABLE_NONE)
        if (p->chats[i].hash == hash)
            break;
    return i;
}

const wsf_presence_chat *wsf_presence_store_find(const wsf_presence *p, uint64_t chat_hash) {
    uint32_t i = wsf_presence_store_find_chat(p, chat_hash);
    return i != WSF_TABLE_NONE ? &p->chats[i] : NULL;
}

int wsf_presence_store_open_chat(wsf_presence *p, uint64_t hash, wsf_peers wanted) {
    if (wsf_presence_store_find_chat(p, hash) != WSF_TABLE_NONE)
        return WSFAN_OK;
    wsf_presence_chat *chats = wsf_slots_reserve(&p->chat_slots, p->chats, sizeof *chats);
    if (chats == NULL)
        return WSFAN_ENOMEM;
    p->chats = chats;
    uint32_t i = wsf_slots_take(&p->chat_slots, chats, sizeof *chats);
    if (wsf_table_insert(&p->chat_index, hash, i) != WSFAN_OK) {
        wsf_slots_free(&p->chat_slots, chats, sizeof *chats, i);
        return WSFAN_ENOMEM;
    }
    chats[i] = (wsf_presence_chat){
        .hash = hash, .wanted = wanted, .members = WSF_TABLE_NONE, .used = true
    };
    return WSFAN_OK;
}

void wsf_presence_store_close_chat(wsf_presence *p, uint32_t i) {
    wsf_presence_chat *chat = &p->chats[i];
    if (chat->members_count > 0 || chat->loops != 0 || chat->paced)
        return;
    wsf_table_remove(&p->chat_index, chat->hash, i);
    wsf_free(chat->name);
    *chat = (wsf_presence_chat){ 0 };
    wsf_slots_free(&p->chat_slots, p->chats, sizeof *chat, i);
}

uint32_t wsf_presence_store_find_member(const wsf_presence *p, uint32_t chat, uint64_t user_hash) {
    uint64_t key = wsf_presence_store_mix(p->chats[chat].hash, user_hash);
    uint32_t cursor = 0;
    uint32_t i;
    while ((i = wsf_table_next(&p->member_index, key, &cursor)) != WSF_TABLE_NONE)
        if (p->members[i].hash == user_hash && p->members[i].chat == chat)
            break;
    return i;
}

int wsf_presence_store_add_member(wsf_presence *p, uint32_t c, uint64_t user_hash, wsfan_bytes user,
                                  uint32_t *added) {
    wsf_presence_member *members = wsf_slots_reserve(&p->member_slots, p->members, sizeof *members);
    if (members == NULL)
        return WSFAN_ENOMEM;
    p->members = members;
    uint8_t *name = wsf_presence_store_copy(user.data, user.size);
    if (name == NULL)
        return WSFAN_ENOMEM;
    uint32_t i = wsf_slots_take(&p->member_slots, members, sizeof *members);
    uint64_t key = wsf_presence_store_mix(p->chats[c].hash, user_hash);
    if (wsf_table_insert(&p->member_index, key, i) != WSFAN_OK) {
        wsf_slots_free(&p->member_slots, members, sizeof *members, i);
        wsf_free(name);
        return WSFAN_ENOMEM;
    }
    wsf_presence_chat *chat = &p->chats[c];
    p->members[i] = (wsf_presence_member){ .hash = user_hash,
                                           .name = name,
                                           .name_size = (uint16_t)user.size,
                                           .chat = c,
                                           .prev = WSF_TABLE_NONE,
                                           .next = chat->members,
                                           .rows = WSF_TABLE_NONE,
                                           .used = true };
    if (chat->members != WSF_TABLE_NONE)
        p->members[chat->members].prev = i;
    chat->members = i;
    chat->members_count++;
    p->gone_count++; /* until it has a session */
    *added = i;
    return WSFAN_OK;
}

bool wsf_presence_store_gone(const wsf_presence_member *m) {
    return m->own == NULL && m->rows == WSF_TABLE_NONE && m->leave_ms == 0;
}

void wsf_presence_store_settle(wsf_presence *p, uint32_t i) {
    wsf_presence_member *m = &p->members[i];
    if (!m->used || !wsf_presence_store_gone(m) || !wsf_peers_is_empty(m->peers_owed) ||
        m->loops_owed != 0)
        return;
    uint32_t c = m->chat;
    wsf_table_remove(&p->member_index, wsf_presence_store_mix(p->chats[c].hash, m->hash), i);
    if (m->prev != WSF_TABLE_NONE)
        p->members[m->prev].next = m->next;
    else
        p->chats[c].members = m->next;
    if (m->next != WSF_TABLE_NONE)
        p->members[m->next].prev = m->prev;
    wsf_free(m->name);
    *m = (wsf_presence_member){ 0 };
    wsf_slots_free(&p->member_slots, p->members, sizeof *m, i);
    p->gone_count--;
    p->chats[c].members_count--;
    wsf_presence_store_close_chat(p, c);
}

bool wsf_presence_store_enqueue(wsf_presence *p, wsf_deque *queue, uint32_t value) {
    uint32_t *place = wsf_deque_push(queue);
    if (place == NULL) {
        p->failures++;
        return false;
    }
    *place = value;
    return true;
}
