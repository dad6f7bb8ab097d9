/* Answers for how members are shown to the host: events of a chat in one block of memory, and visits. */
#include "core/presence/events.h"

#include <string.h>

#include "base/limits.h"
#include "base/memory.h"

enum {
    MEMBERS_MAX = WSF_SIZE(512, 2), /* in one block; the next block has the rest */
    PLACES_MAX = WSF_PEERS_MAX + 1, /* all peers and this node */
    SLOTS_PER_MEMBER_MAX = 64       /* examined for each member that a visit may show */
};

static bool visible(const wsf_presence_member *m) {
    return m->sessions > 0 || m->leave_ms != 0;
}

static wsfan_bytes metadata_of(const wsf_presence_session *own) {
    return (wsfan_bytes){ own->bytes + own->chat_size + own->user_size, own->metadata_size };
}

/* Fills in the member's places, PLACES_MAX at most; peers that are away have none. */
static size_t places_of(const wsf_presence *p, const wsf_presence_member *m, const uint64_t *nodes,
                        uint64_t self, wsfan_place *places) {
    size_t count = 0;
    if (m->own != NULL)
        places[count++] = (wsfan_place){ self, m->own_sessions, metadata_of(m->own) };
    for (uint32_t r = m->rows; r != WSF_TABLE_NONE && count < PLACES_MAX; r = p->rows[r].next) {
        const wsf_presence_held *row = &p->rows[r];
        if (!wsf_peers_has(p->peers_away, row->peer))
            places[count++] = (wsfan_place){ nodes[row->peer],
                                             row->sessions,
                                             { row->metadata, row->metadata_size } };
    }
    return count;
}

/* -------------------------------------------------------------------------------------- events */

static uint32_t entry_at(const wsf_deque *queue, uint32_t i) {
    return *(const uint32_t *)wsf_deque_at(queue, i);
}

static bool is_chat(uint32_t entry) {
    return (entry & (uint32_t)WSF_PRESENCE_EVENTS_OF_CHAT) != 0;
}

/* The chat of a queue entry; WSF_TABLE_NONE: the entry is void. */
static uint32_t chat_of(const wsf_presence *p, uint32_t entry, uint64_t loop) {
    if (is_chat(entry)) {
        uint32_t c = entry & ~(uint32_t)WSF_PRESENCE_EVENTS_OF_CHAT;
        return (p->chats[c].notify & loop) != 0 ? c : WSF_TABLE_NONE;
    }
    const wsf_presence_member *m = &p->members[entry];
    return (m->loops_owed & loop) != 0 ? m->chat : WSF_TABLE_NONE;
}

/* What is to be told of a member; 0: nothing. */
static int event_of(const wsf_presence_member *m, uint64_t loop) {
    bool told = (m->loops_told & loop) != 0;
    if (!visible(m))
        return told ? WSFAN_MEMBER_LEAVE : 0;
    if (!told)
        return WSFAN_MEMBER_JOIN;
    return m->leave_ms != 0 ? 0 : WSFAN_MEMBER_UPDATE;
}

static void drop_entry(wsf_presence *p, unsigned loop) {
    uint64_t bit = UINT64_C(1) << loop;
    uint32_t entry = entry_at(&p->loop_queues[loop], 0);
    wsf_deque_pop_front(&p->loop_queues[loop]);
    if (is_chat(entry)) {
        wsf_presence_chat *chat = &p->chats[entry & ~(uint32_t)WSF_PRESENCE_EVENTS_OF_CHAT];
        chat->notify &= ~bit;
        return;
    }
    wsf_presence_member *m = &p->members[entry];
    if ((m->loops_owed & bit) == 0)
        return;
    m->loops_owed &= ~bit;
    if (visible(m))
        m->loops_told |= bit;
    else
        m->loops_told &= ~bit;
    wsf_presence_store_settle(p, entry);
}

/* What the next block will hold: entries of one chat from the front of the queue. Pass 1, outline_of(),
 * counts them, and pass 2, wsf_presence_events_take(), copies them; both must judge an entry alike
 * (chat_of(), event_of(), places_of()). A member that is queued twice is counted twice and copied once: the
 * block is large enough. */
typedef struct {
    uint32_t chat;
    uint32_t entries;
    size_t members;
    size_t places;
    size_t bytes;
} outline;

static outline outline_of(const wsf_presence *p, unsigned loop, const uint64_t *nodes) {
    const wsf_deque *queue = &p->loop_queues[loop];
    uint64_t bit = UINT64_C(1) << loop;
    outline o = { .chat = WSF_TABLE_NONE };
    wsfan_place places[PLACES_MAX];
    for (; o.entries < queue->count && o.members < MEMBERS_MAX; o.entries++) {
        uint32_t entry = entry_at(queue, o.entries);
        uint32_t c = chat_of(p, entry, bit);
        if (c == WSF_TABLE_NONE)
            continue;
        if (o.chat == WSF_TABLE_NONE)
            o.chat = c;
        if (c != o.chat)
            break;
        if (is_chat(entry) || event_of(&p->members[entry], bit) == 0)
            continue;
        const wsf_presence_member *m = &p->members[entry];
        size_t count = places_of(p, m, nodes, 0, places);
        o.members++;
        o.places += count;
        o.bytes += m->name_size;
        for (size_t i = 0; i < count; i++)
            o.bytes += places[i].metadata.size;
    }
    if (o.chat != WSF_TABLE_NONE)
        o.bytes += p->chats[o.chat].name_size;
    return o;
}

static wsfan_bytes put(uint8_t **at, wsfan_bytes from) {
    wsfan_bytes bytes = { *at, from.size };
    if (from.size > 0)
        memcpy(*at, from.data, from.size);
    *at += from.size;
    return bytes;
}

wsf_presence_events *wsf_presence_events_take(wsf_presence *p, unsigned loop, const uint64_t *nodes,
                                              uint64_t self) {
    uint64_t bit = UINT64_C(1) << loop;
    outline o = outline_of(p, loop, nodes);
    if (o.chat == WSF_TABLE_NONE) {
        while (o.entries-- > 0)
            drop_entry(p, loop);
        return NULL;
    }
    wsf_presence_events *events = wsf_alloc(sizeof *events + o.members * sizeof(wsfan_member) +
                                            o.places * sizeof(wsfan_place) + o.bytes);
    if (events == NULL)
        return NULL;
    wsfan_member *members = (wsfan_member *)(events + 1);
    wsfan_place *places = (wsfan_place *)(members + o.members);
    uint8_t *bytes = (uint8_t *)(places + o.places);
    wsf_presence_chat *chat = &p->chats[o.chat];
    *events = (wsf_presence_events){ .loop = loop, .chat_hash = chat->hash };
    events->presence = (wsfan_presence){
        .chat = put(&bytes, (wsfan_bytes){ chat->name, chat->name_size }),
        .flags = ((chat->anew & bit) != 0 ? WSFAN_PRESENCE_ANEW : 0) |
                 (chat->large ? WSFAN_PRESENCE_LARGE : 0),
        .sessions = chat->sessions,
        .users = chat->users,
        .members = members,
    };
    chat->anew &= ~bit;
    for (; o.entries > 0; o.entries--) {
        uint32_t entry = entry_at(&p->loop_queues[loop], 0);
        int event = is_chat(entry) || chat_of(p, entry, bit) == WSF_TABLE_NONE
                        ? 0
                        : event_of(&p->members[entry], bit);
        if (event != 0) {
            const wsf_presence_member *m = &p->members[entry];
            size_t count = places_of(p, m, nodes, self, places);
            *members++ = (wsfan_member){ (wsfan_member_event)event,
                                         put(&bytes, (wsfan_bytes){ m->name, m->name_size }),
                                         m->sessions, places, count };
            for (size_t i = 0; i < count; i++)
                places[i].metadata = put(&bytes, places[i].metadata);
            places += count;
            events->presence.members_count++;
        }
        drop_entry(p, loop);
    }
    return events;
}

/* --------------------------------------------------------------------------------------- visits */

typedef struct {
    const wsf_presence *presence;
    const uint64_t *nodes;
    uint64_t self;
    void (*each)(void *user, const wsfan_member *member);
    void *user;
} visitor;

static void show(const visitor *v, const wsf_presence_member *m) {
    wsfan_place places[PLACES_MAX];
    size_t count = places_of(v->presence, m, v->nodes, v->self, places);
    wsfan_member member = {
        WSFAN_MEMBER_JOIN, { m->name, m->name_size }, m->sessions, places, count
    };
    v->each(v->user, &member);
}

void wsf_presence_visit(const wsf_presence *p, uint64_t chat_hash, const uint64_t *nodes,
                        uint64_t self, uint64_t *cursor, uint32_t max,
                        void (*each)(void *user, const wsfan_member *member), void *user) {
    visitor v = { p, nodes, self, each, user };
    const wsf_presence_chat *chat = wsf_presence_store_find(p, chat_hash);
    if (chat == NULL) {
        *cursor = 0;
        return;
    }
    if (*cursor == 0 && chat->members_count <= max) {
        for (uint32_t i = chat->members; i != WSF_TABLE_NONE; i = p->members[i].next)
            if (visible(&p->members[i]))
                show(&v, &p->members[i]);
        return;
    }
    /* Slots do not move: a member that stays is shown once. */
    uint32_t c = (uint32_t)(chat - p->chats);
    uint64_t end = *cursor + (uint64_t)max * SLOTS_PER_MEMBER_MAX;
    for (; *cursor < p->member_slots.used && *cursor < end && max > 0; ++*cursor) {
        const wsf_presence_member *m = &p->members[*cursor];
        if (!m->used || m->chat != c || !visible(m))
            continue;
        show(&v, m);
        max--;
    }
    if (*cursor >= p->member_slots.used)
        *cursor = 0;
}
