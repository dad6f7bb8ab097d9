/* Answers for the rows of presence and the view that they make. Each node owns the rows of its own sessions
 * and tells them to peers that have a session in the chat; no other node changes them.
 *
 * A member is a user in a chat. It has a list of this node's own sessions, a row for each peer that has some,
 * and marks (peers_owed, loops_owed) for the queues that it is in. A queue holds members, not changes: what
 * is told is the state at that time, so a member that comes and goes many times is one entry in each queue.
 * Loops are told nothing while a member is within its grace time, so a reload is at most an update.
 *
 * Invariants: a queue of a peer or loop may hold more than what is marked, never less; a member with a
 * mark, a session, a row or a grace time is kept. */
#include "core/presence/presence.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/memory.h"
#include "core/presence/owed.h"

enum {
    PACE_MS = 250, /* between two reports of a large chat's counts, */
    /* and as long again for each so many sessions: a report goes to all of them, so more often, a crowd that comes
       would cost the square of its size. In all nodes 10,000 are told a second, as far as PACES_MAX allows. */
    PACE_SESSIONS = WSF_SIZE(2500, 3),
    PACES_MAX = WSF_SIZE(40, 3), /* a count is 10 s old at most */
    DOUBT_MS = 1000,             /* between two checks whether a member may have gone, */
    DOUBTS_MAX = 60, /* at most: a peer that never tells all must not keep the dead alive */
    /* Gone members, kept until every peer and loop knows. Over it slow ones are told everything again. */
    GONE_MAX = WSF_SIZE(64 * 1024, 4)
};

static uint64_t bit(unsigned i) {
    return UINT64_C(1) << i;
}

/* What a row adds to a digest. */
static uint64_t digest_of(uint64_t chat_hash, uint64_t user_hash, uint32_t sessions,
                          const uint8_t *metadata, size_t size) {
    if (sessions == 0)
        return 0;
    uint64_t digest = wsf_presence_store_mix(wsf_presence_store_mix(chat_hash, user_hash),
                                             sessions);
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ metadata[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return digest;
}

/* ---------------------------------------------------------------------------- what is to be told */

static void owe_loop(wsf_presence *p, uint32_t i, unsigned loop) {
    wsf_presence_member *m = &p->members[i];
    if ((m->loops_owed & bit(loop)) == 0 && wsf_presence_store_enqueue(p, &p->loop_queues[loop], i))
        m->loops_owed |= bit(loop);
}

/* Queues the chat itself: its counts, and whether it is large. */
static void owe_chat(wsf_presence *p, uint32_t c, uint64_t loops) {
    wsf_presence_chat *chat = &p->chats[c];
    loops &= chat->loops & ~chat->notify;
    for (unsigned loop = 0; loops >> loop != 0 && loop < WSF_LOOPS_MAX; loop++)
        if ((loops >> loop & 1) != 0 &&
            wsf_presence_store_enqueue(p, &p->loop_queues[loop],
                                       c | (uint32_t)WSF_PRESENCE_EVENTS_OF_CHAT))
            chat->notify |= bit(loop);
}

/* Our own row of a member has changed. digest_change: the new digest minus the old one. */
static void tell_peers(wsf_presence *p, uint32_t i, uint64_t digest_change) {
    wsf_presence_chat *chat = &p->chats[p->members[i].chat];
    chat->own_digest += digest_change;
    wsf_peers peers = chat->wanted;
    for (unsigned peer; (peer = wsf_peers_pop(&peers)) < WSF_PEERS_MAX;) {
        p->told_digests[peer] += digest_change;
        wsf_presence_owe_peer(p, i, peer);
    }
}

static bool pace(wsf_presence *p, uint32_t c) {
    wsf_presence_pace *place = wsf_deque_push(&p->paced);
    if (place != NULL)
        *place = (wsf_presence_pace){ c, p->now_ms + PACE_MS };
    return place != NULL;
}

/* Of PACE_MS each, until the counts of a large chat are told that have just changed. */
static uint8_t paces_of(const wsf_presence_chat *chat) {
    uint64_t paces = 1 + chat->sessions / PACE_SESSIONS;
    return (uint8_t)(paces < PACES_MAX ? paces : PACES_MAX);
}

static void tell_loops(wsf_presence *p, uint32_t i) {
    uint32_t c = p->members[i].chat;
    wsf_presence_chat *chat = &p->chats[c];
    if (chat->loops == 0)
        return;
    if (!chat->large) {
        for (unsigned loop = 0; loop < WSF_LOOPS_MAX && chat->loops >> loop != 0; loop++)
            if ((chat->loops >> loop & 1) != 0)
                owe_loop(p, i, loop);
    } else if (!chat->paced) {
        chat->paced = pace(p, c);
        chat->paces = paces_of(chat);
        p->failures += !chat->paced;
    }
}

/* Clears what loops were told, and are owed, of a chat's members. */
static void forget_told(wsf_presence *p, uint32_t c, uint64_t loops) {
    uint32_t next;
    for (uint32_t i = p->chats[c].members; i != WSF_TABLE_NONE; i = next) {
        next = p->members[i].next;
        p->members[i].loops_told &= ~loops;
        p->members[i].loops_owed &= ~loops;
        wsf_presence_store_settle(p, i); /* may free the chat with its last member */
    }
}

/* Queues the chat and its members, but for gone ones, for loops that are told everything from the start. */
static void owe_all(wsf_presence *p, uint32_t c, uint64_t loops) {
    p->chats[c].anew |= loops;
    owe_chat(p, c, loops);
    for (uint32_t i = p->chats[c].members; i != WSF_TABLE_NONE && !p->chats[c].large;
         i = p->members[i].next)
        for (unsigned loop = 0; loop < WSF_LOOPS_MAX && loops >> loop != 0; loop++)
            if ((loops >> loop & 1) != 0 && !wsf_presence_store_gone(&p->members[i]))
                owe_loop(p, i, loop);
}

/* A chat is large over members_count_max members, and small again from half of that down: so a member that
 * comes and goes does not switch it each time. */
static void judge_size(wsf_presence *p, uint32_t c) {
    wsf_presence_chat *chat = &p->chats[c];
    bool large = chat->users >
                 (chat->large ? p->limits.members_count_max / 2 : p->limits.members_count_max);
    if (large == chat->large)
        return;
    chat->large = large;
    uint64_t loops = chat->loops;
    if (large && loops != 0)
        forget_told(p, c, loops);
    owe_all(p, c, loops);
}

/* -------------------------------------------------------------------------------------- members */

static wsf_leave_list *leaving(wsf_presence *p, const wsf_presence_member *m) {
    return &p->leaving[m->doubts > 0];
}

static void end_grace(wsf_presence *p, uint32_t i) {
    wsf_presence_member *m = &p->members[i];
    wsf_leave_list *list = leaving(p, m);
    *(m->leave_prev != WSF_TABLE_NONE ? &p->members[m->leave_prev].leave_next
                                      : &list->head) = m->leave_next;
    *(m->leave_next != WSF_TABLE_NONE ? &p->members[m->leave_next].leave_prev
                                      : &list->tail) = m->leave_prev;
    m->leave_ms = 0;
    m->doubts = 0;
}

static void begin_grace(wsf_presence *p, uint32_t i, uint8_t doubts) {
    wsf_presence_member *m = &p->members[i];
    m->doubts = doubts;
    wsf_leave_list *list = leaving(p, m);
    m->leave_ms = p->now_ms + (doubts > 0 ? DOUBT_MS : p->limits.grace_ms) + 1; /* never 0 */
    m->leave_prev = list->tail;
    m->leave_next = WSF_TABLE_NONE;
    *(list->tail != WSF_TABLE_NONE ? &p->members[list->tail].leave_next : &list->head) = i;
    list->tail = i;
}

/* To be called after every change of a member's sessions or rows, with its state before. Brings the counts
 * of the chat and the grace time up to date, queues what loops are to be told, and frees the member if
 * nothing keeps it: it must not be used afterwards. */
static void note(wsf_presence *p, uint32_t i, bool was_gone, uint32_t sessions_before) {
    wsf_presence_member *m = &p->members[i];
    uint32_t c = m->chat;
    wsf_presence_chat *chat = &p->chats[c];
    chat->sessions += m->sessions;
    chat->sessions -= sessions_before;
    if (sessions_before == 0 && m->sessions > 0) {
        if (m->leave_ms != 0)
            end_grace(p, i);
        else
            chat->users++;
    } else if (sessions_before > 0 && m->sessions == 0) {
        begin_grace(p, i, 0);
    }
    if (was_gone != wsf_presence_store_gone(m))
        p->gone_count += was_gone ? UINT32_MAX : 1;
    if (m->leave_ms == 0 || chat->large) /* else its leave is told after the grace time */
        tell_loops(p, i);
    judge_size(p, c);
    wsf_presence_store_settle(p, i);
}

/* A loop that has fallen far behind is told everything again, instead of every change. */
static void restart_loop(wsf_presence *p, unsigned loop) {
    wsf_deque_destroy(&p->loop_queues[loop]);
    for (uint32_t c = 0; c < p->chat_slots.used; c++) {
        if (!p->chats[c].used || (p->chats[c].loops & bit(loop)) == 0)
            continue;
        p->chats[c].notify &= ~bit(loop);
        forget_told(p, c, bit(loop)); /* the loop's bit keeps the chat */
        owe_all(p, c, bit(loop));
    }
}

static void leave(wsf_presence *p, uint32_t i) {
    uint32_t c = p->members[i].chat;
    end_grace(p, i);
    p->gone_count += wsf_presence_store_gone(&p->members[i]);
    p->chats[c].users--;
    tell_loops(p, i);
    judge_size(p, c);
    wsf_presence_store_settle(p, i);
}

static void tick_leaving(wsf_presence *p, const wsf_leave_list *list,
                         const wsf_presence_doubt *doubt) {
    while (list->head != WSF_TABLE_NONE && p->members[list->head].leave_ms <= p->now_ms + 1) {
        uint32_t i = list->head;
        uint8_t doubts = p->members[i].doubts;
        if (doubts == DOUBTS_MAX || doubt == NULL ||
            !doubt->is_in(doubt->user, p->chats[p->members[i].chat].hash)) {
            leave(p, i);
            continue;
        }
        end_grace(p, i);
        begin_grace(p, i, (uint8_t)(doubts + 1));
    }
}

void wsf_presence_tick(wsf_presence *p, uint64_t now_ms, const wsf_presence_doubt *doubt) {
    p->now_ms = now_ms;
    for (unsigned i = 0; i < 2; i++)
        tick_leaving(p, &p->leaving[i], doubt);
    while (p->paced.count > 0 &&
           ((wsf_presence_pace *)wsf_deque_at(&p->paced, 0))->at_ms <= now_ms) {
        uint32_t c = ((wsf_presence_pace *)wsf_deque_at(&p->paced, 0))->chat;
        wsf_deque_pop_front(&p->paced);
        if (--p->chats[c].paces > 0 && pace(p, c))
            continue;
        p->chats[c].paced = false;
        owe_chat(p, c, p->chats[c].loops);
        wsf_presence_store_close_chat(p, c);
    }
    if (p->gone_count <= GONE_MAX)
        return;
    for (unsigned peer = 0; peer < WSF_PEERS_MAX; peer++)
        if (p->peer_queues[peer].count > 0)
            wsf_presence_tell_anew(p, peer);
    for (unsigned loop = 0; loop < WSF_LOOPS_MAX; loop++)
        if (p->loop_queues[loop].count > 0)
            restart_loop(p, loop);
}

void wsf_presence_overslept(wsf_presence *p, uint64_t ms) {
    /* At most one grace time from now: it may have begun after this node woke up. */
    uint64_t latest_ms = p->now_ms + p->limits.grace_ms + 1;
    for (uint32_t i = ms > 0 ? p->leaving[0].head : WSF_TABLE_NONE; i != WSF_TABLE_NONE;
         i = p->members[i].leave_next) {
        uint64_t later_ms = p->members[i].leave_ms + ms;
        p->members[i].leave_ms = later_ms < latest_ms ? later_ms : latest_ms;
    }
}

uint64_t wsf_presence_deadline(const wsf_presence *p) {
    uint64_t at = UINT64_MAX;
    for (unsigned i = 0; i < 2; i++)
        if (p->leaving[i].head != WSF_TABLE_NONE &&
            p->members[p->leaving[i].head].leave_ms - 1 < at)
            at = p->members[p->leaving[i].head].leave_ms - 1;
    if (p->paced.count > 0) {
        uint64_t paced_ms = ((wsf_presence_pace *)wsf_deque_at(&p->paced, 0))->at_ms;
        at = paced_ms < at ? paced_ms : at;
    }
    return at;
}

/* --------------------------------------------------------------------------- this node's sessions */

static uint64_t own_digest(const wsf_presence *p, const wsf_presence_member *m) {
    const wsf_presence_session *newest = m->own;
    if (newest == NULL)
        return 0;
    return digest_of(p->chats[m->chat].hash, m->hash, m->own_sessions,
                     newest->bytes + newest->chat_size + newest->user_size, newest->metadata_size);
}

/* The member of a presence session, added if there is none. */
static int find_or_add(wsf_presence *p, uint32_t c, const wsf_presence_session *presence_session,
                       uint32_t *i) {
    if (c == WSF_TABLE_NONE)
        return WSFAN_ENOMEM;
    wsf_presence_chat *chat = &p->chats[c];
    if (chat->name == NULL) {
        chat->name = wsf_presence_store_copy(presence_session->bytes, presence_session->chat_size);
        if (chat->name == NULL)
            return WSFAN_ENOMEM;
        chat->name_size = presence_session->chat_size;
    }
    *i = wsf_presence_store_find_member(p, c, presence_session->user_hash);
    if (*i != WSF_TABLE_NONE)
        return WSFAN_OK;
    wsfan_bytes user = { presence_session->bytes + presence_session->chat_size,
                         presence_session->user_size };
    return wsf_presence_store_add_member(p, c, presence_session->user_hash, user, i);
}

int wsf_presence_begin(wsf_presence *p, wsf_presence_session *presence_session) {
    uint32_t c = wsf_presence_store_find_chat(p, presence_session->chat_hash);
    uint32_t i;
    int error = find_or_add(p, c, presence_session, &i);
    presence_session->noted = error == WSFAN_OK;
    if (error != WSFAN_OK) {
        if (c != WSF_TABLE_NONE)
            wsf_presence_store_close_chat(p, c);
        presence_session->older = p->unnoted;
        p->unnoted = presence_session;
        return error;
    }
    wsf_presence_member *m = &p->members[i];
    uint64_t before = own_digest(p, m);
    bool was_gone = wsf_presence_store_gone(m);
    presence_session->newer = NULL;
    presence_session->older = m->own;
    if (m->own != NULL)
        m->own->newer = presence_session;
    m->own = presence_session;
    m->own_sessions++;
    m->sessions++;
    uint64_t loop = bit(presence_session->loop);
    if ((p->chats[c].loops & loop) == 0) {
        p->chats[c].loops |= loop;
        owe_all(p, c, loop);
    }
    tell_peers(p, i, own_digest(p, m) - before);
    note(p, i, was_gone, m->sessions - 1);
    return WSFAN_OK;
}

static void close_loop(wsf_presence *p, uint32_t c, uint64_t loop) {
    p->chats[c].loops &= ~loop;
    p->chats[c].notify &= ~loop;
    p->chats[c].anew &= ~loop;
    if (p->chats[c].members_count > 0)
        forget_told(p, c, loop);
    else
        wsf_presence_store_close_chat(p, c);
}

static void remove_own(wsf_presence *p, uint32_t c, const wsf_presence_session *presence_session) {
    uint32_t i = wsf_presence_store_find_member(p, c, presence_session->user_hash);
    assert(i != WSF_TABLE_NONE);
    wsf_presence_member *m = &p->members[i];
    uint64_t before = own_digest(p, m);
    if (presence_session->newer != NULL)
        presence_session->newer->older = presence_session->older;
    else
        m->own = presence_session->older;
    if (presence_session->older != NULL)
        presence_session->older->newer = presence_session->newer;
    m->own_sessions--;
    m->sessions--;
    tell_peers(p, i, own_digest(p, m) - before);
    note(p, i, false, m->sessions + 1);
}

static void remove_unnoted(wsf_presence *p, const wsf_presence_session *presence_session) {
    wsf_presence_session **link = &p->unnoted;
    while (*link != presence_session)
        link = &(*link)->older;
    *link = presence_session->older;
}

void wsf_presence_end(wsf_presence *p, wsf_presence_session *presence_session) {
    uint32_t c = wsf_presence_store_find_chat(p, presence_session->chat_hash);
    if (presence_session->noted)
        remove_own(p, c, presence_session);
    else
        remove_unnoted(p, presence_session);
    if (presence_session->closes && c != WSF_TABLE_NONE)
        close_loop(p, c, bit(presence_session->loop));
    wsf_free(presence_session);
}

static void end_all_of(wsf_presence *p, wsf_presence_session *first, unsigned loop) {
    wsf_presence_session *older;
    for (wsf_presence_session *a = first; a != NULL; a = older) {
        older = a->older;
        a->closes = false;
        if (a->loop == loop)
            wsf_presence_end(p, a);
    }
}

void wsf_presence_forget_loop(wsf_presence *p, unsigned loop) {
    for (uint32_t i = 0; i < p->member_slots.used; i++)
        end_all_of(p, p->members[i].own, loop); /* NULL in a free slot */
    end_all_of(p, p->unnoted, loop);
    for (uint32_t c = 0; c < p->chat_slots.used; c++)
        if (p->chats[c].used && (p->chats[c].loops & bit(loop)) != 0)
            close_loop(p, c, bit(loop));
    wsf_deque_destroy(&p->loop_queues[loop]);
}

/* ------------------------------------------------------------------------------- rows of the peers */

static uint32_t *find_row(wsf_presence *p, uint32_t member, unsigned peer) {
    uint32_t *link = &p->members[member].rows;
    while (*link != WSF_TABLE_NONE && p->rows[*link].peer != peer)
        link = &p->rows[*link].next;
    return link;
}

static uint64_t row_digest(const wsf_presence *p, const wsf_presence_held *row) {
    const wsf_presence_member *m = &p->members[row->member];
    return digest_of(p->chats[m->chat].hash, m->hash, row->sessions, row->metadata,
                     row->metadata_size);
}

/* link points to the row's number. */
static void remove_row(wsf_presence *p, uint32_t *link) {
    uint32_t r = *link;
    wsf_presence_held *row = &p->rows[r];
    unsigned peer = row->peer;
    uint32_t i = row->member;
    uint32_t before = p->members[i].sessions;
    p->peer_digests[peer] -= row_digest(p, row);
    if (!wsf_peers_has(p->peers_away, row->peer))
        p->members[i].sessions -= row->sessions;
    *link = row->next;
    wsf_free(row->metadata);
    *row = (wsf_presence_held){ 0 };
    wsf_slots_free(&p->row_slots, p->rows, sizeof *row, r);
    p->peer_rows[peer]--;
    note(p, i, false, before);
}

/* One peer must not take all the room: it has at most four times what is left. */
static bool has_room(const wsf_presence *p, unsigned peer) {
    uint32_t count = p->row_slots.count;
    uint64_t left = count < p->limits.remote_count_max ? p->limits.remote_count_max - count : 0;
    return left > 0 && p->peer_rows[peer] <= 4 * left;
}

static int add_row(wsf_presence *p, uint32_t member, unsigned peer, uint32_t *added) {
    if (!has_room(p, peer))
        return WSFAN_ELIMIT;
    wsf_presence_held *rows = wsf_slots_reserve(&p->row_slots, p->rows, sizeof *rows);
    if (rows == NULL)
        return WSFAN_ENOMEM;
    p->rows = rows;
    uint32_t r = wsf_slots_take(&p->row_slots, rows, sizeof *rows);
    rows[r] = (wsf_presence_held){
        .member = member, .next = p->members[member].rows, .peer = (uint8_t)peer, .used = true
    };
    p->members[member].rows = r;
    p->peer_rows[peer]++;
    *added = r;
    return WSFAN_OK;
}

int wsf_presence_put(wsf_presence *p, unsigned peer, const wsf_presence_row *row,
                     uint64_t user_hash) {
    uint32_t c = wsf_presence_store_find_chat(p, row->chat_hash);
    assert(c != WSF_TABLE_NONE);
    uint32_t i = wsf_presence_store_find_member(p, c, user_hash);
    if (row->sessions == 0) {
        uint32_t *link = i == WSF_TABLE_NONE ? NULL : find_row(p, i, peer);
        if (link != NULL && *link != WSF_TABLE_NONE)
            remove_row(p, link);
        return WSFAN_OK;
    }
    uint8_t *metadata = NULL;
    if (row->metadata.size > 0 &&
        (metadata = wsf_presence_store_copy(row->metadata.data, row->metadata.size)) == NULL)
        return WSFAN_ENOMEM;
    int error = WSFAN_OK;
    if (i == WSF_TABLE_NONE)
        error = wsf_presence_store_add_member(p, c, user_hash, row->user, &i);
    bool was_gone = error == WSFAN_OK && wsf_presence_store_gone(&p->members[i]);
    uint32_t r = error == WSFAN_OK ? *find_row(p, i, peer) : WSF_TABLE_NONE;
    if (error == WSFAN_OK && r == WSF_TABLE_NONE && (error = add_row(p, i, peer, &r)) != WSFAN_OK)
        wsf_presence_store_settle(p, i);
    if (error != WSFAN_OK) {
        wsf_free(metadata);
        return error;
    }
    wsf_presence_held *held = &p->rows[r];
    uint32_t before = p->members[i].sessions;
    p->peer_digests[peer] -= row_digest(p, held);
    if (!wsf_peers_has(p->peers_away, peer))
        p->members[i].sessions += row->sessions - held->sessions;
    wsf_free(held->metadata);
    held->sessions = row->sessions;
    held->metadata = metadata;
    held->metadata_size = (uint16_t)row->metadata.size;
    p->peer_digests[peer] += row_digest(p, held);
    note(p, i, was_gone, before);
    return WSFAN_OK;
}

void wsf_presence_forget_rows(wsf_presence *p, unsigned peer) {
    for (uint32_t r = 0; r < p->row_slots.used; r++)
        if (p->rows[r].used && p->rows[r].peer == peer)
            remove_row(p, find_row(p, p->rows[r].member, peer));
}

void wsf_presence_set_away(wsf_presence *p, unsigned peer, bool away) {
    if (away == wsf_peers_has(p->peers_away, peer))
        return;
    wsf_peers_put(&p->peers_away, peer, away);
    for (uint32_t r = 0; r < p->row_slots.used; r++) {
        if (!p->rows[r].used || p->rows[r].peer != peer)
            continue;
        wsf_presence_member *m = &p->members[p->rows[r].member];
        uint32_t before = m->sessions;
        m->sessions += away ? -p->rows[r].sessions : p->rows[r].sessions;
        note(p, p->rows[r].member, false, before);
    }
}

void wsf_presence_forget_chat(wsf_presence *p, uint64_t chat_hash) {
    uint32_t c = wsf_presence_store_find_chat(p, chat_hash);
    uint32_t next;
    for (uint32_t i = c == WSF_TABLE_NONE ? c : p->chats[c].members; i != WSF_TABLE_NONE;
         i = next) {
        next = p->members[i].next;
        uint32_t rows = p->members[i].rows;
        while (rows != WSF_TABLE_NONE) {
            rows = p->rows[rows].next;
            remove_row(p, &p->members[i].rows);
        }
    }
}
