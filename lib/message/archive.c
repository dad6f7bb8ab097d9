/* Answers for what is put into chats and given up, within the limits. Messages of a chat stand in a chain (see chain.h); they are
 * put in at its end, or where they join by their age, and given up at its front. Stamps never fall along a chain, so what is too
 * old is at its front. */
#include "message/archive.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "message/chunks.h"

enum {
    EXPIRE_COUNT = 4096, /* messages at a time, so that a call takes well below a millisecond */
    TARGETS_FEW = 8      /* for which no memory is taken */
};

/* Of a chat; the floors' entries are counted before they are needed, as that may be while memory is given up. */
enum { CHAT_BYTES = sizeof(struct wsf_archive_chat) + WSF_BOUNDS_ENTRIES_BYTES };

void wsf_archive_init(wsf_archive *archive, const wsf_archive_limits *limits, uint64_t seed) {
    assert(limits->count_max > 0 && limits->age_ms_max > 0 && limits->age_ms_max < 1u << 31);
    memset(archive, 0, sizeof *archive);
    archive->limits = *limits;
    archive->clock_max = UINT64_MAX;
    wsf_table_init(&archive->table, seed);
    wsf_slots_init(&archive->slots);
}

void wsf_archive_pass(wsf_archive *archive, uint64_t clock_max) {
    archive->clock_max = clock_max;
}

uint32_t wsf_archive_find(const wsf_archive *archive, uint64_t hash) {
    uint32_t cursor = 0;
    uint32_t number;
    do
        number = wsf_table_next(&archive->table, hash, &cursor);
    while (number != WSF_TABLE_NONE && archive->chats[number].hash != hash);
    return number;
}

/* ------------------------------------------------------------------------------------ giving up */

static void lose(const wsf_archive *archive, struct wsf_archive_chat *chat, wsfan_message_id id) {
    uint64_t clock = id.clock < archive->clock_max ? id.clock : archive->clock_max;
    wsf_bounds_raise(&chat->floor, id.origin, clock);
    if (chat->lost < clock)
        chat->lost = clock;
}

/* The first message; the first chunk has one. Its chunk stays, though it may be empty then. */
static inline void remove_first(wsf_archive *archive, struct wsf_archive_chat *chat) {
    struct wsf_archive_chunk *chunk = chat->first;
    const uint8_t *at = chunk->bytes + chunk->from;
    uint32_t size = (uint32_t)wsf_kept_size_at(at);
    lose(archive, chat, wsf_kept_head_at(at)->id);
    chunk->from += size;
    chat->bytes -= size;
    chat->count--;
    archive->stats.messages--;
    wsf_buffer *buffer = wsf_kept_buffer_at(at);
    if (buffer == NULL)
        return;
    uint64_t cost = wsf_kept_buffer_cost(buffer);
    chat->bytes -= (uint32_t)cost;
    archive->stats.bytes -= cost;
    wsf_buffer_unref(buffer);
}

/* The last chunk stays, for the next message. */
static inline void drop_empty_chunks(wsf_archive *archive, struct wsf_archive_chat *chat) {
    while (wsf_chunk_is_empty(chat->first) && chat->first != chat->last)
        wsf_chunks_free_first(archive, chat);
    struct wsf_archive_chunk *chunk = chat->first;
    if (wsf_chunk_is_empty(chunk)) {
        chunk->from = chunk->used = 0;
        if (chat->filled == chunk)
            chat->filled = NULL;
        return;
    }
    chat->first_stamp = wsf_kept_head_at(chunk->bytes + chunk->from)->stamp;
}

static inline void give_up_first(wsf_archive *archive, struct wsf_archive_chat *chat,
                                 uint64_t *counter) {
    remove_first(archive, chat);
    ++*counter;
    drop_empty_chunks(archive, chat);
}

static uint32_t give_up_first_chunk(wsf_archive *archive, struct wsf_archive_chat *chat,
                                    uint64_t *counter) {
    struct wsf_archive_chunk *chunk = chat->first;
    uint32_t before = chat->count;
    while (!wsf_chunk_is_empty(chunk))
        remove_first(archive, chat);
    wsf_chunks_free_first(archive, chat);
    if (chat->first != NULL)
        drop_empty_chunks(archive, chat);
    *counter += before - chat->count;
    return before - chat->count;
}

static bool is_too_old(const wsf_archive *archive, uint32_t stamp, uint32_t now) {
    return now - stamp > archive->limits.age_ms_max;
}

static void expire_chat(wsf_archive *archive, struct wsf_archive_chat *chat, uint32_t now) {
    while (chat->count > 0 && is_too_old(archive, chat->first_stamp, now))
        give_up_first(archive, chat, &archive->stats.expired);
}

/* Messages of the oldest chunk are too old, and those before it in its chat are older. */
bool wsf_archive_expire(wsf_archive *archive, uint64_t now_ms) {
    uint32_t count = 0;
    while (archive->oldest != NULL &&
           is_too_old(archive, archive->oldest->stamp, (uint32_t)now_ms)) {
        if (count >= EXPIRE_COUNT)
            return false;
        struct wsf_archive_chat *chat = &archive->chats[archive->oldest->chat];
        count += 1 + give_up_first_chunk(archive, chat, &archive->stats.expired);
    }
    return true;
}

void wsf_archive_expire_chat(wsf_archive *archive, uint32_t chat, uint64_t now_ms) {
    expire_chat(archive, &archive->chats[chat], (uint32_t)now_ms);
}

/* Room for so many bytes more. False: there is none, whatever goes. */
static bool make_room(wsf_archive *archive, uint64_t bytes) {
    if (bytes > archive->limits.bytes_max)
        return false;
    while (archive->stats.bytes > archive->limits.bytes_max - bytes && archive->oldest != NULL)
        give_up_first_chunk(archive, &archive->chats[archive->oldest->chat],
                            &archive->stats.evicted);
    return archive->stats.bytes <= archive->limits.bytes_max - bytes;
}

/* ---------------------------------------------------------------------------------------- chats */

int wsf_archive_open(wsf_archive *archive, uint64_t hash, uint32_t *chat) {
    assert(wsf_archive_find(archive, hash) == WSF_TABLE_NONE);
    if (!make_room(archive, CHAT_BYTES))
        return WSFAN_ELIMIT;
    struct wsf_archive_chat *chats = wsf_slots_reserve(&archive->slots, archive->chats,
                                                       sizeof *chats);
    if (chats == NULL)
        return WSFAN_ENOMEM;
    archive->chats = chats;
    uint32_t number = wsf_slots_take(&archive->slots, chats, sizeof *chats);
    if (wsf_table_insert(&archive->table, hash, number) != WSFAN_OK) {
        wsf_slots_free(&archive->slots, chats, sizeof *chats, number);
        return WSFAN_ENOMEM;
    }
    chats[number] = (struct wsf_archive_chat){ .hash = hash, .since.rest = UINT64_MAX };
    archive->stats.bytes += CHAT_BYTES;
    *chat = number;
    return WSFAN_OK;
}

void wsf_archive_close(wsf_archive *archive, uint32_t number) {
    struct wsf_archive_chat *chat = &archive->chats[number];
    uint64_t closed =
        0; /* messages of a chat that nobody wants any more are neither evicted nor expired */
    while (chat->first != NULL)
        give_up_first_chunk(archive, chat, &closed);
    archive->stats.bytes -= CHAT_BYTES + (chat->name != NULL ? chat->name_size : 0) +
                            (chat->since.entries != NULL ? WSF_BOUNDS_ENTRIES_BYTES : 0);
    wsf_bounds_destroy(&chat->since);
    wsf_bounds_destroy(&chat->floor);
    wsf_free(chat->name);
    wsf_table_remove(&archive->table, chat->hash, number);
    memset(chat, 0, sizeof *chat);
    wsf_slots_free(&archive->slots, archive->chats, sizeof *chat, number);
}

/* Chats with chunks are found by these. */
void wsf_archive_destroy(wsf_archive *archive) {
    for (uint32_t i = 0; i < archive->slots.used; i++) {
        struct wsf_archive_chat *chat = &archive->chats[i];
        if (wsf_archive_find(archive, chat->hash) == i)
            wsf_archive_close(archive, i);
    }
    assert(archive->stats.bytes == 0 && archive->stats.messages == 0);
    wsf_table_destroy(&archive->table);
    wsf_free(archive->chats);
    archive->chats = NULL;
}

/* -------------------------------------------------------------------------------------- keeping */

static bool has_name(wsf_archive *archive, struct wsf_archive_chat *chat, wsfan_bytes name) {
    if (chat->name != NULL)
        return true;
    if (!make_room(archive, name.size))
        return false;
    chat->name = wsf_alloc(name.size);
    if (chat->name == NULL)
        return false;
    memcpy(chat->name, name.data, name.size);
    chat->name_size = (uint32_t)name.size;
    archive->stats.bytes += name.size;
    return true;
}

/* A chunk at the end with space for an entry, when there is room for its buffer too. NULL: there is none. */
static struct wsf_archive_chunk *chunk_for(wsf_archive *archive, struct wsf_archive_chat *chat,
                                           uint32_t need, uint64_t cost) {
    if (cost > 0 && !make_room(archive, cost))
        return NULL;
    if (wsf_chunk_has_space(chat->last, need))
        return chat->last;
    uint32_t size = wsf_chunk_size(chat->last, need);
    return make_room(archive, size + cost) ? wsf_chunks_add(archive, chat, chat->last, size) : NULL;
}

static inline bool is_over(const wsf_archive *archive, const struct wsf_archive_chat *chat,
                           uint64_t more) {
    return chat->count >= archive->limits.count_max ||
           chat->bytes + more > archive->limits.chat_bytes_max;
}

/* Puts a message into a chat, at its end. */
static inline bool put(wsf_archive *archive, struct wsf_archive_chat *chat, const wsf_kept *kept,
                       uint32_t now) {
    bool plain = wsf_kept_is_plain(kept, wsf_chain_name(chat));
    uint64_t cost = wsf_kept_buffer_cost(kept->buffer);
    uint64_t need = wsf_kept_size(kept, plain);
    if (need + cost > archive->limits.chat_bytes_max)
        return false;
    while (is_over(archive, chat, need + cost))
        give_up_first(archive, chat, &archive->stats.evicted);
    struct wsf_archive_chunk *chunk = chunk_for(archive, chat, (uint32_t)need, cost);
    if (chunk == NULL)
        return false;
    wsf_kept_write(chunk->bytes + chunk->used, kept, plain, now);
    if (chat->count++ == 0)
        chat->first_stamp = now;
    wsf_chunks_note_use(archive, chunk, (uint32_t)need, now);
    chat->bytes += (uint32_t)(need + cost);
    archive->stats.bytes += cost;
    return true;
}

/* Does what put() does, for a message to just this chat in the memory of a run, as nearly all are that come fast. False: nothing
 * was done, and put() is to do it. */
static inline bool put_plain(wsf_archive *archive, struct wsf_archive_chat *chat,
                             wsfan_message_id id, wsfan_bytes payload, uint32_t form,
                             uint32_t now) {
    uint32_t need = (uint32_t)(sizeof(wsf_kept_head) + wsf_kept_padded(payload.size));
    struct wsf_archive_chunk *chunk = chat->last;
    if (!wsf_chunk_has_space(chunk, need) || id.clock <= chat->joined ||
        need > archive->limits.chat_bytes_max)
        return false;
    while (is_over(archive, chat, need))
        give_up_first(archive, chat, &archive->stats.evicted);
    uint8_t *at = chunk->bytes + chunk->used;
    *(wsf_kept_head *)(void *)at = (wsf_kept_head){ id, now, (uint32_t)payload.size | form };
    memcpy(at + sizeof(wsf_kept_head), payload.data, payload.size);
    if (chat->count++ == 0)
        chat->first_stamp = now;
    wsf_chunks_note_use(archive, chunk, need, now);
    chat->bytes += need;
    return true;
}

/* Only a message that another node told of earlier can be there. */
static bool has(const struct wsf_archive_chat *chat, wsfan_message_id id) {
    const struct wsf_archive_chunk *chunk = chat->first;
    uint32_t offset = chunk != NULL ? chunk->from : 0;
    const uint8_t *at;
    while ((at = wsf_chain_next(&chunk, &offset)) != NULL)
        if (wsf_kept_head_at(at)->id.clock == id.clock &&
            wsf_kept_head_at(at)->id.origin == id.origin)
            return true;
    return false;
}

static inline void keep_in(wsf_archive *archive, uint32_t number, wsfan_bytes name,
                           const wsf_kept *kept, uint32_t now) {
    struct wsf_archive_chat *chat = &archive->chats[number];
    if (kept->id.clock <= chat->joined && has(chat, kept->id))
        return;
    expire_chat(archive, chat, now);
    if (has_name(archive, chat, name) && put(archive, chat, kept, now))
        return;
    archive->stats.evicted++;
    lose(archive, chat, kept->id);
}

static bool is_named(const struct wsf_archive_chat *chat, wsfan_bytes name) {
    return chat->name_size == name.size && wsf_same_bytes(chat->name, name.data, name.size);
}

/* What becomes of the messages of a run that have one head. */
typedef struct {
    uint32_t number; /* of the chat; WSF_TABLE_NONE: they are not kept */
    uint32_t form;   /* of an entry */
    bool plain;      /* for just that chat, by the name that it has */
} course;

static course course_of(wsf_archive *archive, const wsf_run_head *head, uint32_t now) {
    course of = { .number = WSF_TABLE_NONE };
    if (head->target.kind == WSFAN_CHAT && (head->flags & WSFAN_FLEETING) == 0)
        of.number = wsf_archive_find(archive, head->target.hash);
    if (of.number == WSF_TABLE_NONE)
        return of;
    struct wsf_archive_chat *chat = &archive->chats[of.number];
    expire_chat(archive, chat, now);
    of.form = (head->flags & WSFAN_BINARY) != 0 ? WSF_KEPT_BINARY : 0;
    of.plain = head->except.node == 0 && chat->name != NULL && is_named(chat, wsf_run_name(head));
    return of;
}

static void keep_of_run(wsf_archive *archive, uint32_t number, const wsf_run_head *head,
                        wsfan_message_id id, wsfan_bytes payload, uint32_t now) {
    const wsfan_target target = { WSFAN_CHAT, wsf_run_name(head) };
    const wsf_kept kept = { .id = id,
                            .parts = { .targets = &target,
                                       .targets_count = 1,
                                       .payload = payload,
                                       .flags = head->flags,
                                       .except = head->except } };
    keep_in(archive, number, target.name, &kept, now);
}

static void keep_run(wsf_archive *archive, const wsfan_message *run, uint32_t now) {
    course courses[WSF_RUN_HEADS_MAX];
    for (const wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;)
        courses[head->number] = course_of(archive, head, now);
    for (uint32_t i = 0; i < run->count; i++) {
        const wsf_run_head *head = wsf_run_head_of(run, i);
        const course *of = &courses[head->number];
        if (of->number == WSF_TABLE_NONE)
            continue;
        wsfan_message_id id = { run->id.clock + run->run->entries[i].offset, run->id.origin };
        wsfan_bytes payload = wsf_run_payload(run, i);
        if (!of->plain ||
            !put_plain(archive, &archive->chats[of->number], id, payload, of->form, now))
            keep_of_run(archive, of->number, head, id, payload, now);
    }
}

/* targets: room for all of the message; NULL: no memory for them. */
static void keep_one(wsf_archive *archive, const wsfan_message *message, wsfan_target *targets,
                     uint32_t now) {
    wsf_kept kept = { .id = message->id,
                      .parts = { .targets = targets,
                                 .targets_count = message->targets_count,
                                 .payload = { message->payload, message->payload_size },
                                 .flags = message->flags,
                                 .except = message->except,
                                 .slot = message->slot },
                      .buffer = wsf_kept_own_buffer(message) };
    for (uint32_t i = 0; targets != NULL && i < message->targets_count; i++)
        targets[i] = wsf_message_target_of(message, &message->targets[i]);
    archive->round++;
    for (uint32_t i = 0; i < message->targets_count; i++) {
        const wsf_message_target *target = &message->targets[i];
        uint32_t number = target->kind == WSFAN_CHAT ? wsf_archive_find(archive, target->hash)
                                                     : WSF_TABLE_NONE;
        if (number == WSF_TABLE_NONE || archive->chats[number].round == archive->round)
            continue; /* not kept; named twice */
        archive->chats[number].round = archive->round;
        if (targets != NULL) {
            keep_in(archive, number, targets[i].name, &kept, now);
        } else {
            archive->stats.evicted++;
            lose(archive, &archive->chats[number], message->id);
        }
    }
}

void wsf_archive_keep(wsf_archive *archive, const wsfan_message *message, uint64_t now_ms) {
    wsfan_target few[TARGETS_FEW];
    if (wsf_message_is_run(message)) {
        keep_run(archive, message, (uint32_t)now_ms);
    } else if ((message->flags & WSFAN_FLEETING) == 0) {
        wsfan_target *many = NULL;
        if (message->targets_count > TARGETS_FEW)
            many = wsf_alloc(message->targets_count * sizeof *many);
        keep_one(archive, message, message->targets_count > TARGETS_FEW ? many : few,
                 (uint32_t)now_ms);
        wsf_free(many);
    }
}

/* ----------------------------------------------------------------------------- what a chat lacks */

uint64_t wsf_archive_since(const wsf_archive *archive, uint32_t chat, uint64_t origin) {
    return wsf_bounds_at(&archive->chats[chat].since, origin);
}

const wsf_bounds *wsf_archive_sinces(const wsf_archive *archive, uint32_t chat) {
    return &archive->chats[chat].since;
}

const wsf_bounds *wsf_archive_floors(const wsf_archive *archive, uint32_t chat) {
    return &archive->chats[chat].floor;
}

uint64_t wsf_archive_floor(const wsf_archive *archive, uint32_t chat, uint64_t origin) {
    return wsf_bounds_at(&archive->chats[chat].floor, origin);
}

bool wsf_archive_has_above(const wsf_archive *archive, uint32_t number, uint64_t origin,
                           uint64_t clock) {
    return wsf_chain_has_above(&archive->chats[number], origin, clock);
}

void wsf_archive_extend(wsf_archive *archive, uint32_t number, uint64_t origin, uint64_t since,
                        uint64_t floor) {
    struct wsf_archive_chat *chat = &archive->chats[number];
    wsf_bounds_lower(&chat->floor, origin, floor > chat->lost ? floor : chat->lost);
    bool had = chat->since.entries != NULL;
    if (origin != 0 && !had && !make_room(archive, WSF_BOUNDS_ENTRIES_BYTES))
        return;
    wsf_bounds_lower(&chat->since, origin, since);
    if (!had && chat->since.entries != NULL)
        archive->stats.bytes += WSF_BOUNDS_ENTRIES_BYTES;
}

/* Without room for one origin more, all have a higher bound. */
void wsf_archive_lack(wsf_archive *archive, uint32_t number, uint64_t origin, uint64_t since,
                      uint64_t floor) {
    struct wsf_archive_chat *chat = &archive->chats[number];
    wsf_bounds_raise(&chat->floor, origin, floor);
    bool had = chat->since.entries != NULL;
    if (since <= wsf_bounds_at(&chat->since, origin))
        return;
    if (!had && !make_room(archive, WSF_BOUNDS_ENTRIES_BYTES)) {
        chat->since.rest = since;
        return;
    }
    wsf_bounds_raise(&chat->since, origin, since);
    if (!had && chat->since.entries != NULL)
        archive->stats.bytes += WSF_BOUNDS_ENTRIES_BYTES;
}

/* -------------------------------------------------------------------------- older messages join */

void wsf_archive_fill(wsf_archive *archive, uint32_t number) {
    struct wsf_archive_chat *chat = &archive->chats[number];
    chat->filled = NULL;
    chat->lost = 0;
}

/* Puts a message where it joins. Where the chat is full, older ones go for it. */
static bool join(wsf_archive *archive, struct wsf_archive_chat *chat, const wsf_kept *kept,
                 uint32_t stamp, uint32_t now) {
    bool plain = wsf_kept_is_plain(kept, wsf_chain_name(chat));
    uint64_t cost = wsf_kept_buffer_cost(kept->buffer);
    uint32_t need = (uint32_t)wsf_kept_size(kept, plain);
    if (need + cost > archive->limits.chat_bytes_max ||
        !make_room(archive, cost + need + 2 * WSF_CHUNK_LARGE)) /* for two chunks */
        return false;
    wsf_chain_place at = wsf_chain_place_for(chat, stamp, now);
    for (; is_over(archive, chat, need + cost); at = wsf_chain_place_for(chat, stamp, now)) {
        if (wsf_chain_is_front(chat, at))
            return false;
        give_up_first(archive, chat, &archive->stats.evicted);
    }
    bool front = wsf_chain_is_front(chat, at);
    if (!wsf_chunks_make_space(archive, chat, &at, need))
        return false;
    wsf_kept_write(at.chunk->bytes + at.offset, kept, plain, stamp);
    if (front)
        chat->first_stamp = stamp;
    wsf_chunks_note_use(archive, at.chunk, need, now);
    chat->count++;
    chat->bytes += need + (uint32_t)cost;
    archive->stats.bytes += cost;
    chat->filled = at.chunk;
    chat->filled_to = at.offset + need;
    chat->filled_stamp = stamp;
    return true;
}

static void merge_one(wsf_archive *archive, struct wsf_archive_chat *chat, const wsf_kept *kept,
                      uint32_t now) {
    const wsf_message_parts *parts = &kept->parts;
    if (kept->age_ms > archive->limits.age_ms_max) {
        archive->stats.expired++;
        lose(archive, chat, kept->id);
        return;
    }
    if (parts->targets_count == 1 && parts->targets[0].kind == WSFAN_CHAT)
        has_name(archive, chat, parts->targets[0].name); /* without it the message has the name */
    uint32_t age_ms = kept->age_ms;
    if (chat->filled != NULL && age_ms > now - chat->filled_stamp)
        age_ms = now - chat->filled_stamp;
    if (!join(archive, chat, kept, now - age_ms, now)) {
        archive->stats.evicted++;
        lose(archive, chat, kept->id);
        return;
    }
    if (chat->joined < kept->id.clock)
        chat->joined = kept->id.clock;
}

int wsf_archive_merge(wsf_archive *archive, uint32_t number, const wsf_kept *messages,
                      uint32_t count, uint64_t now_ms) {
    struct wsf_archive_chat *chat = &archive->chats[number];
    const wsf_kept_query all = { .above = NULL };
    uint32_t there;
    expire_chat(archive, chat, (uint32_t)now_ms);
    wsf_kept_ref *refs = wsf_chain_gather(chat, &all, &there); /* what goes meanwhile counts too */
    if (refs == NULL)
        return WSFAN_ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        if ((i == 0 || wsf_kept_id_less(messages[i - 1].id, messages[i].id)) &&
            !wsf_kept_is_among(refs, there, messages[i].id))
            merge_one(archive, chat, &messages[i], (uint32_t)now_ms);
    wsf_free(refs);
    return WSFAN_OK;
}

wsf_kept_list *wsf_archive_list(wsf_archive *archive, uint32_t number, const wsf_kept_query *query,
                                uint64_t now_ms) {
    struct wsf_archive_chat *chat = &archive->chats[number];
    expire_chat(archive, chat, (uint32_t)now_ms);
    return wsf_chain_list(chat, query, (uint32_t)now_ms);
}
