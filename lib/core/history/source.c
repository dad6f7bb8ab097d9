/* Answers for what other nodes are told of this node's archive: one page for each question, with all that is asked for as far
 * as it fits, and of each origin from where on and up to where nothing of it is missing.
 *
 * An answer waits until this node got as far as the asker wants with all nodes that are up, but not for longer than the asker
 * says, and then tells how far it got. Each peer has one question at a time: the next one takes its place. */
#include "core/history/source.h"

#include "base/memory.h"
#include "core/history/backfill.h"
#include "core/history/extent.h"
#include "core/rpc/reply.h"
#include "core/witness.h"
#include "wire/history_codec.h"

struct wsf_question {
    uint64_t id; /* the asker's */
    uint64_t reach;
    uint64_t deadline_ms;
    uint32_t count;
    wsf_asked_chat chats[];
};

enum { STRANGERS_MAX = 2 * WSF_BOUNDS_EXACT };

typedef struct {
    uint8_t *data; /* from wsf_alloc() */
    uint8_t *at;
    uint8_t *end;
    wsf_page_origin origins[WSF_PAGE_ORIGINS_MAX];
    uint32_t origins_count;
    wsf_page_extent extents[WSF_PAGE_ORIGINS_MAX]; /* of the chat in hand */
    uint32_t strangers_count;
} page;

_Static_assert((int)WSF_ORIGINS_MAX + 1 + (int)STRANGERS_MAX <= (int)WSF_PAGE_ORIGINS_MAX,
               "this node is one more, and there are strangers");
_Static_assert(WSF_PAGE_HEAD_SIZE + ((int)WSF_ORIGINS_MAX + 1) * WSF_PAGE_ORIGIN_SIZE +
                       WSF_PAGE_CHAT_SIZE +
                       ((int)WSF_ORIGINS_MAX + 1 + (int)STRANGERS_MAX) * WSF_PAGE_EXTENT_SIZE <
                   WSF_PAGE_BYTES,
               "a page has room for what is said of one chat");

/* ----------------------------------------------------------------------------------- the answer */

static wsf_page_origin origin_of(const wsf_core *core, uint64_t node) {
    if (node == core->config.node)
        return (wsf_page_origin){ node, core->witness.last, 0, core->clock };
    const wsf_origin *origin = wsf_witness_find(core, node);
    uint64_t whole = origin->open && origin->whole < origin->clock ? origin->clock : origin->whole;
    return (wsf_page_origin){ node,
                              wsf_extent_has_word(core, origin) ? wsf_origin_last(origin)
                                                                : UINT64_MAX,
                              whole, wsf_origin_reached(origin) };
}

static bool begin_page(const wsf_core *core, page *p) {
    uint32_t cursor = 0;
    p->data = p->at = wsf_alloc(WSF_PAGE_BYTES);
    if (p->data == NULL)
        return false;
    p->end = p->data + WSF_PAGE_BYTES;
    p->origins_count = 0;
    for (uint64_t node; (node = wsf_extent_next(core, &cursor)) != 0;)
        p->origins[p->origins_count++] = origin_of(core, node);
    p->at = wsf_page_write_head(p->at, core->cluster_epoch.number, p->origins, p->origins_count);
    return true;
}

static bool is_named(const page *p, uint64_t node, const wsf_page_chat *chat) {
    for (uint32_t i = 0; i < p->origins_count; i++)
        if (p->origins[i].node == node)
            return true;
    for (uint32_t i = 0; i < chat->extents_count; i++)
        if (p->extents[i].node == node)
            return true;
    return false;
}

static void add_extent(page *p, wsf_page_chat *chat, uint64_t node, const wsf_extent *e) {
    p->extents[chat->extents_count++] = (wsf_page_extent){ node, e->since, e->floor, e->whole,
                                                           e->to };
}

/* Of an origin that this node does not know it has what others told, which may go back less far than the rest, and has an end. */
static void add_stranger(const wsf_core *core, page *p, uint32_t number, uint64_t node,
                         wsf_page_chat *chat) {
    wsf_extent e = wsf_extent_of(core, number, node);
    if (p->strangers_count == STRANGERS_MAX || is_named(p, node, chat))
        return;
    p->strangers_count++;
    add_extent(p, chat, node, &e);
}

/* Strangers with bounds of their own go first: the bound of the rest says something else of them. */
static void add_strangers(const wsf_core *core, page *p, uint32_t number, wsf_page_chat *chat) {
    const wsf_bounds *all[] = { wsf_archive_sinces(&core->keeping.archive, number),
                                wsf_archive_floors(&core->keeping.archive, number) };
    uint32_t cursor = 0;
    uint64_t node;
    p->strangers_count = 0;
    for (unsigned of = 0; of < 2; of++)
        for (uint32_t i = 0; (node = wsf_bounds_origin(all[of], i)) != 0; i++)
            add_stranger(core, p, number, node, chat);
    while ((node = wsf_extent_next_stranger(core, number, &cursor)) != 0)
        add_stranger(core, p, number, node, chat);
}

/* What the chat says otherwise than the page does of all. */
static void find_extents(const wsf_core *core, page *p, uint32_t number, wsf_page_chat *chat) {
    for (uint32_t i = 0; i < p->origins_count; i++) {
        const wsf_page_origin *usual = &p->origins[i];
        wsf_extent e = wsf_extent_of(core, number, usual->node);
        uint64_t since = chat->since < usual->last ? chat->since : usual->last;
        if (e.since != since || e.floor != chat->floor || e.whole != usual->whole ||
            e.to != usual->to)
            add_extent(p, chat, usual->node, &e);
    }
    add_strangers(core, p, number, chat);
}

/* How many of a list fit into the rest of the page, behind `head` bytes. */
static uint32_t count_fitting(const page *p, const wsf_kept_list *list, size_t head) {
    size_t room = (size_t)(p->end - p->at) - head;
    uint32_t count = 0;
    for (; count < list->count; count++) {
        size_t size = wsf_page_message_size(&list->messages[count]);
        if (size > room)
            break;
        room -= size;
    }
    return count;
}

/* One message alone may be larger than a page. False: out of memory. */
static bool make_room(page *p, size_t size) {
    size_t used = (size_t)(p->at - p->data);
    uint8_t *data = wsf_realloc(p->data, used + size);
    if (data == NULL)
        return false;
    p->data = data;
    p->at = data + used;
    p->end = p->at + size;
    return true;
}

/* False: the page is full, and what is left is for the next one. */
static bool add_chat(wsf_core *core, page *p, const wsf_asked_chat *asked, bool first,
                     wsf_now now) {
    wsf_archive *archive = &core->keeping.archive;
    uint32_t number = wsf_archive_find(archive, asked->hash);
    wsf_page_chat chat = { .hash = asked->hash, .flags = WSF_CHAT_UNKEPT };
    if (number == WSF_TABLE_NONE || !core->keeping.chats[number].begun) {
        bool fits = p->end - p->at >= WSF_PAGE_CHAT_SIZE;
        if (fits)
            p->at = wsf_page_write_chat(p->at, &chat, NULL);
        return fits;
    }
    chat.flags = 0;
    wsf_vector up_to;
    wsf_vector_init(&up_to, UINT64_MAX);
    wsf_backfill_hide(core, asked->hash, &up_to);
    wsf_kept_query query = { .up_to = up_to.count > 0 ? &up_to : NULL,
                             .after = asked->after,
                             .bytes_max = (uint64_t)(p->end - p->at) };
    wsf_kept_list *list = wsf_archive_list(archive, number, &query, now.ms);
    wsf_extent others = wsf_extent_of(core, number, 0);
    chat.since = others.since > others.whole ? others.since : others.whole;
    chat.floor = others.floor;
    find_extents(core, p, number, &chat);
    size_t head = WSF_PAGE_CHAT_SIZE + chat.extents_count * (size_t)WSF_PAGE_EXTENT_SIZE;
    bool fits = list != NULL && head <= (size_t)(p->end - p->at);
    chat.messages_count = fits ? count_fitting(p, list, head) : 0;
    if (fits && chat.messages_count == 0 && list->count > 0) {
        fits = first && make_room(p, head + wsf_page_message_size(&list->messages[0]));
        chat.messages_count = 1;
    }
    if (fits) {
        bool more = list->more || chat.messages_count < list->count;
        chat.flags = more ? WSF_CHAT_MORE : 0;
        p->at = wsf_page_write_chat(p->at, &chat, p->extents);
        for (uint32_t i = 0; i < chat.messages_count; i++)
            p->at = wsf_page_write_message(p->at, &list->messages[i]);
    }
    wsf_kept_list_free(list);
    return fits && chat.flags == 0;
}

static void answer(wsf_core *core, wsf_peer *peer, const struct wsf_question *question,
                   wsf_now now) {
    page p;
    wsf_answer answer;
    wsf_answer_init(&answer, 0);
    wsf_clock_pass(core, now);
    if (begin_page(core, &p)) {
        for (uint32_t i = 0; i < question->count; i++)
            if (!add_chat(core, &p, &question->chats[i], i == 0, now))
                break;
        answer.payload = p.data;
        answer.payload_size = (size_t)(p.at - p.data);
    } else {
        answer.status = WSFAN_ENOMEM;
    }
    core->backfill.answered++;
    wsf_rpc_reply(core, peer, question->id, &answer);
    wsf_answer_destroy(&answer);
}

/* ------------------------------------------------------------------------------------ questions */

static bool has_reached(const wsf_core *core, uint64_t reach) {
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;) {
        const wsf_origin *origin = peer->witness.origin;
        if (peer->state == WSFAN_PEER_UP && origin != NULL && !peer->witness.refused &&
            !origin->frozen && (origin->open || wsf_origin_reached(origin) < reach))
            return false;
    }
    return true;
}

static void forget(wsf_core *core, unsigned i) {
    wsf_free(core->backfill.questions[i]);
    core->backfill.questions[i] = NULL;
    wsf_peers_remove(&core->backfill.askers, i);
}

static void refuse(wsf_core *core, wsf_peer *peer, uint64_t id, int status) {
    wsf_answer answer;
    wsf_answer_init(&answer, 0);
    answer.status = status;
    core->stats.requests_refused++;
    wsf_rpc_reply(core, peer, id, &answer);
}

void wsf_source_take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_now now) {
    wsf_asked_chat chats[WSF_QUESTION_CHATS_MAX];
    uint64_t reach;
    uint32_t count;
    unsigned i = wsf_peer_index(core, peer);
    if (!wsf_question_read(entry->request.payload, &reach, chats, &count)) {
        refuse(core, peer, entry->request.id, WSFAN_EINVAL);
        return;
    }
    forget(core, i);
    struct wsf_question *question = wsf_alloc(sizeof *question + count * sizeof *chats);
    if (question == NULL) {
        refuse(core, peer, entry->request.id, WSFAN_ENOMEM);
        return;
    }
    uint32_t ms_max = core->config.recover_ms_max;
    *question = (struct wsf_question){ .id = entry->request.id, .reach = reach, .count = count };
    question->deadline_ms = now.ms +
                            (entry->request.ms_max < ms_max ? entry->request.ms_max : ms_max);
    memcpy(question->chats, chats, count * sizeof *chats);
    core->backfill.questions[i] = question;
    wsf_peers_add(&core->backfill.askers, i);
    wsf_clock_merge(core, reach, now); /* so that what this node publishes next is above it */
    if (!has_reached(core, reach))
        wsf_witness_ask(core, reach);
}

void wsf_source_lose(wsf_core *core, const wsf_peer *peer) {
    forget(core, wsf_peer_index(core, peer));
}

void wsf_source_end(wsf_core *core) {
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++)
        wsf_free(core->backfill.questions[i]);
}

void wsf_source_tick(wsf_core *core, wsf_now now) {
    wsf_peers askers = core->backfill.askers;
    for (unsigned i; (i = wsf_peers_pop(&askers)) < WSF_PEERS_MAX;) {
        const struct wsf_question *question = core->backfill.questions[i];
        if (now.ms < question->deadline_ms && !has_reached(core, question->reach))
            continue;
        answer(core, &core->peers[i], question, now);
        forget(core, i);
    }
}

uint64_t wsf_source_deadline(const wsf_core *core) {
    uint64_t at = UINT64_MAX;
    wsf_peers askers = core->backfill.askers;
    for (unsigned i; (i = wsf_peers_pop(&askers)) < WSF_PEERS_MAX;)
        if (core->backfill.questions[i]->deadline_ms < at)
            at = core->backfill.questions[i]->deadline_ms;
    return at;
}
