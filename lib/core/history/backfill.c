/* Answers for asking one node after another for what a chat lacks here, until it lacks nothing that is wanted, at most three,
 * each for a third of the time, or for two while its pages come; and for bounds, whatever they answer.
 *
 * A chat waits in the line of the peer that it is to be asked of. Each peer has one question at a time, for as many chats of its
 * line as go into it, and answers with a page. A chat whose messages go on, and those that the page had no room for, go into the
 * next question. So a storm of chats is many pages one after another, and each node's memory of it is a page and a line. */
#include "core/history/backfill.h"

#include "base/memory.h"
#include "core/history/extent.h"
#include "core/history/holders.h"
#include "core/history/keepers.h"
#include "core/history/merging.h"
#include "core/history/waiting.h"
#include "core/link/sender.h"
#include "core/routing/router.h"
#include "core/witness.h"
#include "wire/history_codec.h"

enum {
    ENDED = WSF_PEERS_MAX, /* the line of those that have ended, which are remembered for a while */
    LINES = ENDED + 1,
    AGAIN_MS = 20,
    PIECE_MESSAGES = 64, /* that are merged at a time */
    PIECE_TARGETS = WSF_TARGETS_COUNT_MAX
};

typedef struct {
    uint64_t hash;
    uint64_t serial;  /* the chat's, which is another one when it was closed and opened again */
    wsf_vector *seen; /* only as long as it has entries; NULL: the last messages are wanted */
    wsf_peers tried;
    wsf_peers missed;       /* those of them that did not answer, or not everything */
    uint64_t deadline_ms;   /* of the next page, */
    uint64_t until_ms;      /* and of the last one */
    wsfan_message_id after; /* up to here the messages came */
    uint64_t above;         /* those that were tried were asked for what is above this clock */
    wsf_merging *merging;   /* of the pages that came; NULL: none */
    uint64_t question;      /* the id of the one that it is in; 0: none */
    uint32_t sources;       /* that were asked */
    uint32_t before;        /* in its line; WSF_TABLE_NONE: none */
    uint32_t behind;
    uint16_t line;
    bool inherits; /* all that the chat's sources have is wanted */
} backfill;

struct wsf_backfills {
    wsf_table table; /* hash -> number */
    wsf_slots slots;
    backfill *list;
    struct {
        uint32_t first;
        uint32_t last;
        uint64_t question;    /* the id of the one under way; 0: none */
        uint64_t deadline_ms; /* of it; without one, the next is sent then at the earliest */
        bool shorter;         /* a chat of it has gone on to another peer since */
    } lines[LINES];
    wsf_merging merging; /* of the page in hand */
    wsf_kept messages[PIECE_MESSAGES];
    wsfan_target targets[PIECE_TARGETS];
};

/* --------------------------------------------------------------------------------------- lines */

static void append(struct wsf_backfills *all, uint32_t i, unsigned line) {
    backfill *b = &all->list[i];
    b->line = (uint16_t)line;
    b->before = all->lines[line].last;
    b->behind = WSF_TABLE_NONE;
    if (b->before != WSF_TABLE_NONE)
        all->list[b->before].behind = i;
    else
        all->lines[line].first = i;
    all->lines[line].last = i;
}

static void take_out(struct wsf_backfills *all, uint32_t i) {
    const backfill *b = &all->list[i];
    if (b->before != WSF_TABLE_NONE)
        all->list[b->before].behind = b->behind;
    else
        all->lines[b->line].first = b->behind;
    if (b->behind != WSF_TABLE_NONE)
        all->list[b->behind].before = b->before;
    else
        all->lines[b->line].last = b->before;
}

/* ------------------------------------------------------------------------------------- backfills */

static uint32_t find(const wsf_core *core, uint64_t hash) {
    const struct wsf_backfills *all = core->backfill.asks;
    uint32_t cursor = 0;
    uint32_t i = WSF_TABLE_NONE;
    while (all != NULL && (i = wsf_table_next(&all->table, hash, &cursor)) != WSF_TABLE_NONE)
        if (all->list[i].hash == hash)
            break;
    return i;
}

static struct wsf_backfills *all_of(wsf_core *core) {
    struct wsf_backfills *all = core->backfill.asks;
    if (all != NULL || (all = wsf_alloc_zero(1, sizeof *all)) == NULL)
        return all;
    wsf_table_init(&all->table, wsf_random(core));
    wsf_slots_init(&all->slots);
    for (unsigned line = 0; line < LINES; line++)
        all->lines[line].first = all->lines[line].last = WSF_TABLE_NONE;
    core->backfill.asks = all;
    return all;
}

/* WSF_TABLE_NONE: no room. */
static uint32_t add(wsf_core *core, uint64_t hash, uint64_t serial) {
    struct wsf_backfills *all = all_of(core);
    if (all == NULL || all->slots.count >= WSF_BACKFILLS_MAX)
        return WSF_TABLE_NONE;
    backfill *list = wsf_slots_reserve(&all->slots, all->list, sizeof *list);
    if (list == NULL)
        return WSF_TABLE_NONE;
    all->list = list;
    uint32_t i = wsf_slots_take(&all->slots, list, sizeof *list);
    if (wsf_table_insert(&all->table, hash, i) != WSFAN_OK) {
        wsf_slots_free(&all->slots, list, sizeof *list, i);
        return WSF_TABLE_NONE;
    }
    list[i] = (backfill){ .hash = hash, .serial = serial };
    append(all, i, ENDED);
    return i;
}

static void drop(struct wsf_backfills *all, uint32_t i) {
    backfill *b = &all->list[i];
    take_out(all, i);
    wsf_table_remove(&all->table, b->hash, i);
    wsf_free(b->seen);
    wsf_free(b->merging);
    *b = (backfill){ .hash = 0 };
    wsf_slots_free(&all->slots, all->list, sizeof *b, i);
}

/* The chat's number in the archive. WSF_TABLE_NONE: it is not what it was. */
static uint32_t chat_of(const wsf_core *core, const backfill *b) {
    uint32_t chat = wsf_archive_find(&core->keeping.archive, b->hash);
    return chat != WSF_TABLE_NONE && core->keeping.chats[chat].serial == b->serial ? chat
                                                                                   : WSF_TABLE_NONE;
}

/* --------------------------------------------------------------------------------- whom to ask */

static unsigned choose(const wsf_core *core, const backfill *b, uint32_t chat) {
    bool of_sources = b->inherits && chat != WSF_TABLE_NONE;
    wsf_peers all = of_sources ? core->keeping.chats[chat].sources : wsf_keepers_of(core, b->hash);
    return wsf_keepers_first(core, b->hash, wsf_peers_difference(all, b->tried));
}

static uint32_t share_ms(const wsf_core *core) {
    return core->config.recover_ms_max / WSF_BACKFILL_SOURCES_MAX + 1;
}

static void end(wsf_core *core, uint32_t i, wsf_now now) {
    struct wsf_backfills *all = core->backfill.asks;
    backfill *b = &all->list[i];
    take_out(all, i);
    append(all, i, ENDED);
    b->deadline_ms = now.ms + share_ms(core);
    wsf_free(b->seen);
    b->seen = NULL;
    uint32_t chat = wsf_archive_find(&core->keeping.archive, b->hash);
    if (chat != WSF_TABLE_NONE) /* it may have been closed and opened anew */
        wsf_waiting_wake_chat(core, chat);
}

/* Takes its place in the line of the next one, whose time begins with its question. False: there is none. */
static bool go_on(wsf_core *core, uint32_t i) {
    struct wsf_backfills *all = core->backfill.asks;
    backfill *b = &all->list[i];
    bool more = b->inherits || b->sources < WSF_BACKFILL_SOURCES_MAX;
    uint32_t chat = chat_of(core, b);
    unsigned next = more ? choose(core, b, chat) : WSF_PEERS_MAX;
    wsf_merging_give_up(core, b->merging, chat);
    wsf_free(b->merging);
    b->merging = NULL;
    b->question = 0;
    b->after = (wsfan_message_id){ b->above, b->above == 0 ? 0 : UINT64_MAX };
    if (next == WSF_PEERS_MAX)
        return false;
    b->sources++;
    wsf_peers_add(&b->tried, next);
    b->deadline_ms = UINT64_MAX;
    take_out(all, i);
    append(all, i, next);
    return true;
}

static void fail(wsf_core *core, uint32_t i, wsf_now now) {
    backfill *b = &core->backfill.asks->list[i];
    core->backfill.asks->lines[b->line].shorter = true;
    wsf_peers_add(&b->missed, b->line);
    core->backfill.failed++;
    if (!go_on(core, i))
        end(core, i, now);
}

/* One of a chat that was closed since, and opened again, is of no use. */
static uint32_t find_of(wsf_core *core, uint64_t hash, uint64_t serial) {
    uint32_t i = find(core, hash);
    if (i == WSF_TABLE_NONE || core->backfill.asks->list[i].serial == serial)
        return i;
    drop(core->backfill.asks, i);
    return WSF_TABLE_NONE;
}

/* The one of a chat that has begun. True: one is under way already. *i: WSF_TABLE_NONE: no room. */
static bool is_under_way(wsf_core *core, uint32_t chat, uint32_t *i) {
    const wsf_keeping_chat *kept = &core->keeping.chats[chat];
    *i = find_of(core, kept->hash, kept->serial);
    if (*i != WSF_TABLE_NONE && core->backfill.asks->list[*i].line != ENDED)
        return true;
    if (*i == WSF_TABLE_NONE)
        *i = add(core, kept->hash, kept->serial);
    return false;
}

/* Where nobody is asked it is remembered no longer than it was, so that those who did not answer are asked again some time. */
static bool begin(wsf_core *core, uint32_t i, wsf_now now) {
    backfill *b = &core->backfill.asks->list[i];
    uint64_t deadline_ms = b->deadline_ms;
    if (go_on(core, i))
        return true;
    if (deadline_ms == 0)
        end(core, i, now);
    wsf_free(b->seen);
    b->seen = NULL;
    return false;
}

/* A position that needs more than those before gets all: there is no third time. Peers that did not answer are not asked again. */
static void want(backfill *b, uint64_t above) {
    if (wsf_peers_is_empty(b->tried)) {
        b->above = above;
    } else if (above < b->above) {
        b->above = 0;
        b->tried = b->missed;
    }
}

bool wsf_backfill_begin(wsf_core *core, uint64_t hash, const wsf_vector *seen, wsf_now now) {
    uint32_t chat = wsf_archive_find(&core->keeping.archive, hash);
    uint32_t i;
    if (chat == WSF_TABLE_NONE || !core->keeping.chats[chat].begun)
        return false;
    bool under_way = is_under_way(core, chat, &i);
    if (i == WSF_TABLE_NONE || (seen == NULL && core->keeping.chats[chat].filled && !under_way))
        return false;
    backfill *b = &core->backfill.asks->list[i];
    if (under_way && !b->inherits)
        return true;
    b->inherits = false;
    b->sources = 0;
    if (seen != NULL && (b->seen = wsf_vector_copy(seen)) == NULL)
        return false;
    if (under_way)
        return true;
    want(b, seen != NULL ? wsf_extent_lacks_above(core, chat, seen) : 0);
    return begin(core, i, now);
}

bool wsf_backfill_inherit(wsf_core *core, uint64_t hash, wsf_now now) {
    uint32_t chat = wsf_archive_find(&core->keeping.archive, hash);
    uint32_t i;
    if (is_under_way(core, chat, &i))
        return true;
    backfill *b = i != WSF_TABLE_NONE ? &core->backfill.asks->list[i] : NULL;
    if (b == NULL || !wsf_peers_is_empty(b->missed)) /* until that is forgotten */
        return false;
    b->inherits = true;
    b->above = 0;
    b->tried = (wsf_peers){ 0 };
    return begin(core, i, now);
}

static const backfill *of_chat(const wsf_core *core, uint64_t hash) {
    uint32_t i = find(core, hash);
    return i != WSF_TABLE_NONE ? &core->backfill.asks->list[i] : NULL;
}

bool wsf_backfill_waits(const wsf_core *core, uint64_t hash) {
    const backfill *b = of_chat(core, hash);
    return b != NULL && b->line != ENDED && !b->inherits;
}

bool wsf_backfill_failed(const wsf_core *core, uint64_t hash) {
    const backfill *b = of_chat(core, hash);
    return b != NULL && (!wsf_peers_is_empty(b->missed) || b->line != ENDED);
}

void wsf_backfill_hide(const wsf_core *core, uint64_t hash, wsf_vector *up_to) {
    const backfill *b = of_chat(core, hash);
    if (b != NULL && b->merging != NULL)
        wsf_merging_hide(core, b->merging, up_to);
}

/* ------------------------------------------------------------------------------------ questions */

static bool send_question(wsf_core *core, wsf_peer *peer, uint64_t id, wsfan_bytes payload) {
    static const wsfan_target any = { WSFAN_ALL, { NULL, 0 } };
    const wsf_message_parts parts = { .targets = &any, .targets_count = 1, .payload = payload };
    wsf_request request = { .id = id,
                            .kind = (wsfan_request_kind)WSF_REQUEST_KEPT,
                            .ms_max = share_ms(core) / 2 };
    request.message = wsf_message_new(&core->key, &parts);
    if (request.message == NULL)
        return false;
    wsf_buffer *entry = wsf_buffer_new((uint32_t)wsf_message_bound(request.message));
    bool sent = false;
    if (entry != NULL) {
        wsf_writer writer = { entry->data, entry->capacity, 0 };
        wsf_write_request(&writer, &request);
        entry->size = (uint32_t)writer.size;
        sent = wsf_sender_talk(core, peer, entry) == WSFAN_OK;
        wsf_buffer_unref(entry);
    }
    wsfan_message_unref(request.message);
    return sent;
}

/* A question was sent. The time of a chat of which a part has come goes on, see put_by(); that of others begins, also of those that
 * an earlier page had no room for. So deadlines do not fall along a line. */
static void begin_time(struct wsf_backfills *all, unsigned line, uint32_t share) {
    uint64_t id = all->lines[line].question;
    for (uint32_t i = all->lines[line].first; i != WSF_TABLE_NONE && all->list[i].question == id;
         i = all->list[i].behind)
        if (all->list[i].merging == NULL) {
            all->list[i].deadline_ms = all->lines[line].deadline_ms;
            all->list[i].until_ms = all->lines[line].deadline_ms + share;
        }
}

/* Chats that are not kept any more leave the line. */
static void ask(wsf_core *core, unsigned line, wsf_now now) {
    struct wsf_backfills *all = core->backfill.asks;
    wsf_asked_chat chats[WSF_QUESTION_CHATS_MAX];
    uint8_t payload[WSF_QUESTION_HEAD_SIZE + WSF_QUESTION_CHATS_MAX * WSF_ASKED_CHAT_SIZE];
    uint64_t id = core->rpc.request_ids + 1;
    uint64_t reach = 0;
    uint32_t count = 0;
    for (uint32_t next, i = all->lines[line].first;
         i != WSF_TABLE_NONE && count < WSF_QUESTION_CHATS_MAX; i = next) {
        backfill *b = &all->list[i];
        uint32_t chat = chat_of(core, b);
        next = b->behind;
        if (chat == WSF_TABLE_NONE) {
            end(core, i, now);
            continue;
        }
        uint64_t reach_here = wsf_extent_reach(core, chat);
        reach = reach_here > reach ? reach_here : reach;
        chats[count++] = (wsf_asked_chat){ b->hash, b->after };
        b->question = id;
    }
    if (count == 0)
        return;
    wsf_question_write(payload, reach, chats, count);
    size_t size = WSF_QUESTION_HEAD_SIZE + count * (size_t)WSF_ASKED_CHAT_SIZE;
    if (!send_question(core, &core->peers[line], id, (wsfan_bytes){ payload, size })) {
        all->lines[line].deadline_ms = now.ms + AGAIN_MS; /* there is no room in the link */
        return;
    }
    core->rpc.request_ids = id;
    core->backfill.asked++;
    all->lines[line].question = id;
    all->lines[line].shorter = false;
    all->lines[line].deadline_ms = now.ms + share_ms(core);
    begin_time(all, line, share_ms(core));
}

/* -------------------------------------------------------------------------------------- answers */

typedef struct {
    wsf_core *core;
    uint64_t question;
    wsf_now now;
    wsf_page page;
    bool handled; /* some chat of the question is, or was it before */
    bool bad;     /* the page is not as it should be */
} answer;

/* Whether a message is one of the chat, as this node would take it from a publisher. */
static bool is_for(wsf_core *core, const wsf_kept *kept, uint64_t hash) {
    const wsf_message_parts *parts = &kept->parts;
    if (!wsf_router_acceptable(core, parts->targets, parts->targets_count, parts->payload.size) ||
        kept->id.origin == 0 || kept->id.clock == 0)
        return false;
    for (uint32_t i = 0; i < parts->targets_count; i++)
        if (parts->targets[i].kind == WSFAN_CHAT &&
            wsf_hash_cache_target(&core->hashes, &core->key, &parts->targets[i]) == hash)
            return true;
    return false;
}

/* Reads the messages of a chat and merges them, piece by piece. merging: NULL: nobody asked for them. *last: the greatest id. */
static void take_messages(answer *a, const wsf_page_chat *said, wsf_merging *merging, uint32_t chat,
                          wsfan_message_id *last) {
    struct wsf_backfills *all = a->core->backfill.asks;
    uint32_t count = 0;
    uint32_t targets = 0;
    for (uint32_t i = 0; i < said->messages_count && !a->bad; i++) {
        if (count == PIECE_MESSAGES || (count > 0 && targets > PIECE_TARGETS / 2)) {
            wsf_merging_add(a->core, merging, chat, all->messages, count, a->now);
            count = targets = 0;
        }
        wsf_kept *kept = &all->messages[count];
        a->bad = !wsf_page_read_message(&a->page, kept, all->targets + targets,
                                        PIECE_TARGETS - targets) ||
                 (merging != NULL &&
                  !(wsf_kept_id_less(*last, kept->id) && is_for(a->core, kept, said->hash)));
        if (a->bad || merging == NULL)
            continue;
        *last = kept->id;
        targets += kept->parts.targets_count;
        count++;
    }
    if (count > 0)
        wsf_merging_add(a->core, merging, chat, all->messages, count, a->now);
}

/* Whether the chat has now what it lacked. */
static bool is_enough(const wsf_core *core, uint32_t chat, const backfill *b) {
    return !b->inherits &&
           (b->seen == NULL || wsf_extent_lacks(core, chat, b->seen) == WSFAN_RECOVERY_WHOLE);
}

/* The peer in whose line it is has told all. What this node holds for itself elsewhere is longer now than it was. */
static void end_chat(answer *a, uint32_t i, uint32_t chat, wsf_merging *merging) {
    wsf_core *core = a->core;
    unsigned source = core->backfill.asks->list[i].line;
    uint64_t begin = wsf_extent_begin(core, chat);
    wsf_merging_end(core, merging, chat);
    if (merging->above == 0)
        wsf_peers_remove(&core->keeping.chats[chat].sources, source);
    if (wsf_extent_begin(core, chat) < begin)
        wsf_holders_renew(core, chat, source);
    if (is_enough(core, chat, &core->backfill.asks->list[i]) || !go_on(core, i))
        end(core, i, a->now);
}

/* What comes with the next page goes on from here. False: it would not, or there is no memory. */
static bool put_by(answer *a, backfill *b, const wsf_merging *merging, wsfan_message_id last) {
    bool moved = wsf_kept_id_less(b->after, last);
    uint64_t deadline_ms = a->now.ms + share_ms(a->core);
    b->deadline_ms = deadline_ms < b->until_ms ? deadline_ms : b->until_ms;
    b->after = last;
    if (b->merging == NULL && (b->merging = wsf_alloc(sizeof *merging)) == NULL)
        return false;
    if (b->merging != merging)
        memcpy(b->merging, merging, sizeof *merging);
    return moved && wsf_page_is_over(&a->page); /* only the last chat of a page goes on */
}

static void take_chat(answer *a, const wsf_page_chat *said) {
    wsf_core *core = a->core;
    uint32_t i = find(core, said->hash);
    backfill *b = i != WSF_TABLE_NONE ? &core->backfill.asks->list[i] : NULL;
    uint32_t chat = b != NULL && b->question == a->question ? chat_of(core, b) : WSF_TABLE_NONE;
    wsfan_message_id last = b != NULL ? b->after : (wsfan_message_id){ 0, 0 };
    a->handled = a->handled || chat != WSF_TABLE_NONE;
    if (chat == WSF_TABLE_NONE || (said->flags & WSF_CHAT_UNKEPT) != 0) {
        take_messages(a, said, NULL, 0, &last);
        if (chat == WSF_TABLE_NONE)
            return;
        wsf_peers_remove(&core->keeping.chats[chat].sources, b->line);
        if (!go_on(core, i))
            end(core, i, a->now);
        return;
    }
    wsf_merging *merging = b->merging;
    if (merging != NULL) {
        wsf_merging_narrow(merging, &a->page, said);
    } else {
        merging = &core->backfill.asks->merging;
        wsf_merging_begin(core, merging, chat, &a->page, said, b->seen, b->above);
    }
    take_messages(a, said, merging, chat, &last);
    b->question = 0;
    bool more = (said->flags & WSF_CHAT_MORE) != 0 &&
                !wsf_merging_is_over(core, merging, chat, last);
    if (((more || a->bad) && !put_by(a, b, merging, last)) || a->bad)
        fail(core, i, a->now);
    else if (!more)
        end_chat(a, i, chat, merging);
}

/* Chats of the question that nothing was said of are asked for again, or, after an answer that is none, of others. */
static void settle(wsf_core *core, unsigned line, const answer *a) {
    struct wsf_backfills *all = core->backfill.asks;
    uint32_t i = all->lines[line].first;
    for (uint32_t next, n = 0; n < WSF_QUESTION_CHATS_MAX && i != WSF_TABLE_NONE; n++, i = next) {
        next = all->list[i].behind;
        if (all->list[i].question != a->question)
            continue;
        all->list[i].question = 0;
        if (a->bad || !a->handled)
            fail(core, i, a->now);
    }
}

bool wsf_backfill_take(wsf_core *core, const wsf_peer *peer, const wsf_entry *entry, wsf_now now) {
    struct wsf_backfills *all = core->backfill.asks;
    unsigned line = wsf_peer_index(core, peer);
    if (all == NULL || entry->reply.id == 0 || all->lines[line].question != entry->reply.id)
        return false;
    answer a = { core, entry->reply.id, now, .handled = all->lines[line].shorter };
    wsf_page_chat said;
    all->lines[line].question = 0;
    all->lines[line].deadline_ms = now.ms;
    wsf_clock_pass(core, now);
    a.bad = entry->reply.status != WSFAN_OK || !wsf_page_open(&a.page, entry->reply.payload) ||
            a.page.epoch != core->cluster_epoch.number;
    while (!a.bad && wsf_page_read_chat(&a.page, &said))
        take_chat(&a, &said);
    a.bad = a.bad || !wsf_page_is_over(&a.page);
    if (a.bad && entry->reply.status == WSFAN_OK)
        wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
    settle(core, line, &a);
    return true;
}

/* ---------------------------------------------------------------------------------------- time */

/* The peer does not answer: all that are to be asked of it go on. */
static void give_up(wsf_core *core, unsigned line, wsf_now now) {
    struct wsf_backfills *all = core->backfill.asks;
    all->lines[line].question = 0;
    all->lines[line].deadline_ms = now.ms;
    while (all->lines[line].first != WSF_TABLE_NONE)
        fail(core, all->lines[line].first, now);
}

void wsf_backfill_lose(wsf_core *core, const wsf_peer *peer) {
    if (core->backfill.asks != NULL)
        give_up(core, wsf_peer_index(core, peer), (wsf_now){ .ms = core->now_ms });
}

/* Of a peer that does answer, a chat may take too long, whose pages have no end. */
static void check_time(wsf_core *core, unsigned line, wsf_now now) {
    const struct wsf_backfills *all = core->backfill.asks;
    uint32_t i;
    if (all->lines[line].question != 0 && all->lines[line].deadline_ms <= now.ms)
        give_up(core, line, now);
    while ((i = all->lines[line].first) != WSF_TABLE_NONE && all->list[i].deadline_ms <= now.ms)
        fail(core, i, now);
}

void wsf_backfill_tick(wsf_core *core, wsf_now now) {
    struct wsf_backfills *all = core->backfill.asks;
    if (all == NULL)
        return;
    for (unsigned line = 0; line < ENDED; line++)
        check_time(core, line, now);
    for (uint32_t i;
         (i = all->lines[ENDED].first) != WSF_TABLE_NONE && all->list[i].deadline_ms <= now.ms;)
        drop(all, i);
    for (unsigned line = 0; line < ENDED; line++)
        if (all->lines[line].question == 0 && all->lines[line].deadline_ms <= now.ms &&
            all->lines[line].first != WSF_TABLE_NONE)
            ask(core, line, now);
}

uint64_t wsf_backfill_deadline(const wsf_core *core) {
    const struct wsf_backfills *all = core->backfill.asks;
    uint64_t at = UINT64_MAX;
    for (unsigned line = 0; all != NULL && line < LINES; line++) {
        uint32_t first = all->lines[line].first;
        if (first == WSF_TABLE_NONE)
            continue;
        if (all->list[first].deadline_ms < at)
            at = all->list[first].deadline_ms;
        if (line != ENDED && all->lines[line].deadline_ms < at)
            at = all->lines[line].deadline_ms;
    }
    return at;
}

void wsf_backfill_end(wsf_core *core) {
    struct wsf_backfills *all = core->backfill.asks;
    if (all == NULL)
        return;
    for (unsigned line = 0; line < LINES; line++)
        while (all->lines[line].first != WSF_TABLE_NONE)
            drop(all, all->lines[line].first);
    wsf_table_destroy(&all->table);
    wsf_free(all->list);
    wsf_free(all);
}
