/* A *visit* is a traveller's session. What it has, and what it need not get, is known for each message of its chat, so that
 * the next visit, which begins with one of its positions, goes on from there: as of that position.
 *
 * What a position covers is in its seal. By the logs it is: what the visit got until then, and what a gap was told of until
 * then. Nothing else, of what the visit was to get, may it cover; what was published before a visit without a predecessor
 * had joined it may. */
#include "travels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/history.h>
#include <wsfan/peers.h>
#include <wsfan/wsfan.h>

#include "visits.h"

static void *need(void *memory) {
    if (memory == NULL)
        abort();
    return memory;
}

static void *grow(void *array, uint32_t count, uint32_t *capacity, size_t size) {
    if (count < *capacity)
        return array;
    *capacity = *capacity * 2 + 16;
    return need(realloc(array, *capacity * size));
}

static moment now(travels *t) {
    return (moment){ ++t->events, ledger_ms(t->ledger) };
}

travels *travels_new(ledger *l, travels_limits limits) {
    travels *t = need(calloc(1, sizeof *t));
    t->ledger = l;
    t->limits = limits;
    return t;
}

const travels_totals *travels_get_totals(const travels *t) {
    return &t->totals;
}

/* ---------------------------------------------------------------------------------------- lives */

static void forget_life(travels *t, uint32_t life) {
    if (t->lives[life] == NULL)
        return;
    free(t->lives[life]->positions);
    free(t->lives[life]->gaps);
    free(t->lives[life]);
    t->lives[life] = NULL;
}

static void unsettle(travels *t) {
    t->troubled_at = ++t->events;
    t->lossy = true;
}

/* The number may be that of a life that is forgotten. */
void travels_born(travels *t, uint32_t life) {
    forget_life(t, life);
    for (uint32_t i = 0; i < LEDGER_LIVES_MAX; i++)
        if (t->lives[i] != NULL)
            t->lives[i]->state[life] = 0;
    for (unsigned chat = 0; chat < TRAVELLERS_CHATS; chat++)
        t->chats[chat].published[life / 8] &= (uint8_t) ~(1u << (life % 8));
    t->lives[life] = need(calloc(1, sizeof *t->lives[life]));
    t->lives[life]->alive = true;
    t->lives[life]->positions_first = 1;
}

void travels_died(travels *t, uint32_t life) {
    t->lives[life]->alive = false;
    t->lives[life]->died_ms = ledger_ms(t->ledger);
    unsettle(t);
}

void travels_slept(travels *t) {
    t->troubled_at = ++t->events;
}

void travels_formed(travels *t) {
    for (uint32_t life = 0; life < LEDGER_LIVES_MAX; life++)
        if (t->lives[life] != NULL)
            t->lives[life]->first = t->lives[life]->alive;
    t->formed_at = ++t->events;
}

void travels_trouble(travels *t, bool clocks) {
    unsettle(t);
    t->clocks = t->clocks || clocks;
}

void travels_calm(travels *t) {
    t->calm_at = ++t->events;
}

void travels_peer(travels *t, uint32_t life, uint32_t other, unsigned peer_event, unsigned reason) {
    life_page *at = t->lives[life];
    if (peer_event == WSFAN_PEER_REFUSED)
        return;
    if (peer_event != WSFAN_PEER_UP)
        unsettle(t);
    if (peer_event == WSFAN_PEER_SILENT && t->limits.history_ms != 0)
        ledger_away(t->ledger, life, ledger_node(t->ledger, other));
    if (at->state[other] == peer_event)
        return;
    at->state[other] = (uint8_t)peer_event;
    at->parted[other] = peer_event == WSFAN_PEER_DOWN && reason == WSFAN_REASON_BYE;
    at->state_ms[other] = ledger_ms(t->ledger);
}

/* A node that has the other one up, for some time. */
static void add_gap(travels *t, uint32_t life, uint32_t of, unsigned loop, uint64_t count) {
    life_page *at = t->lives[life];
    unsettle(t);
    at->gaps = grow(at->gaps, at->gaps_count, &at->gaps_capacity, sizeof *at->gaps);
    at->gaps[at->gaps_count++] = (told_gap){ of, loop, count, now(t) };
}

/* A peer that falls silent again and again may be skipped each time. */
void travels_gap(travels *t, uint32_t life, uint32_t other, unsigned loop, uint64_t count) {
    if (count == 0 && t->limits.history_ms != 0 && !travels_steady(t, life, other))
        ledger_away(t->ledger, life, ledger_node(t->ledger, other));
    add_gap(t, life, other, loop, count);
}

void travels_inbox_gap(travels *t, uint32_t life, unsigned loop, uint64_t count) {
    add_gap(t, life, INBOX, loop, count);
}

/* ------------------------------------------------------------------------------------- messages */

void travels_publish(travels *t, uint32_t life, uint32_t message, uint32_t except, const event *e) {
    kept_message m = { .number = message, .life = life, .except = except, .published = now(t) };
    for (uint32_t other = 0; other < LEDGER_LIVES_MAX; other++)
        if (t->lives[other] != NULL && ledger_mutual(t->ledger, life, other))
            set_bit(m.met, other);
    for (unsigned chat = 0; chat < TRAVELLERS_CHATS; chat++) {
        chat_page *page = &t->chats[chat];
        if ((e->chats >> chat & 1) == 0)
            continue;
        page->all++;
        page->publishers += !bit(page->published, life);
        set_bit(page->published, life);
        page->bytes += e->size;
        if (e->slot != 0)
            continue;
        page->messages = grow(page->messages, page->count, &page->capacity, sizeof *page->messages);
        page->messages[page->count++] = m;
    }
}

static kept_message *find(const chat_page *page, uint32_t message) {
    uint32_t from = 0;
    uint32_t to = page->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (page->messages[middle].number < message)
            from = middle + 1;
        else
            to = middle;
    }
    return from < page->count && page->messages[from].number == message ? &page->messages[from]
                                                                        : NULL;
}

void travels_refused(travels *t, uint32_t message) {
    for (unsigned chat = 0; chat < TRAVELLERS_CHATS; chat++) {
        kept_message *m = find(&t->chats[chat], message);
        if (m != NULL)
            m->refused = true;
    }
}

/* --------------------------------------------------------------------------------------- visits */

static visit *visit_of(const travels *t, uint32_t session) {
    uint32_t i = session < t->sessions_capacity ? t->by_session[session] : 0;
    return i == 0 ? NULL : t->visits[i - 1];
}

static uint32_t index_of(const travels *t, const visit *v) {
    return t->by_session[v->session] - 1;
}

static uint32_t *got(const travels *t, visit *v, uint32_t i) {
    uint32_t count = t->chats[v->chat].count;
    if (v->got_count < count) {
        v->got = need(realloc(v->got, (count + count / 4 + 64) * sizeof *v->got));
        memset(v->got + v->got_count, 0, (count + count / 4 + 64 - v->got_count) * sizeof *v->got);
        v->got_count = count + count / 4 + 64;
    }
    return &v->got[i];
}

static const position *position_of(const travels *t, uint32_t life, uint32_t serial) {
    const life_page *at = life == UINT32_MAX ? NULL : t->lives[life];
    if (at == NULL || serial < at->positions_first ||
        serial - at->positions_first >= at->positions_count)
        return NULL;
    const position *p = &at->positions[serial - at->positions_first];
    return p->visit == UINT32_MAX ? NULL : p;
}

/* Whoever is not up then, or has a clock that is far off, is not waited for, as in a node without history who is down: a gap may tell of that, and also where
 * another node's word was taken for one that was never met. */
static void expect_gaps(travels *t, uint32_t life) {
    for (uint32_t other = 0; t->limits.history_ms != 0 && other < LEDGER_LIVES_MAX; other++)
        if (other != life && t->lives[other] != NULL &&
            (t->clocks || t->lives[life]->state[other] != WSFAN_PEER_UP))
            ledger_away(t->ledger, life, ledger_node(t->ledger, other));
}

static void begin_visit(travels *t, uint32_t life, uint32_t session, uint32_t of, const event *e) {
    const position *by = e->handed == HANDED_POSITION ? position_of(t, of, e->number) : NULL;
    if (e->slot == 0 || e->chat >= TRAVELLERS_CHATS)
        return;
    while (session >= t->sessions_capacity) {
        uint32_t before = t->sessions_capacity;
        t->by_session = grow(t->by_session, before, &t->sessions_capacity, sizeof *t->by_session);
        memset(t->by_session + before, 0, (t->sessions_capacity - before) * sizeof *t->by_session);
    }
    t->visits = grow(t->visits, t->visits_count, &t->visits_capacity, sizeof(visit *));
    visit *v = need(calloc(1, sizeof *v));
    *v = (visit){ .session = session,
                  .life = life,
                  .loop = ledger_loop(t->ledger, session),
                  .chat = e->chat,
                  .traveller = e->slot,
                  .handed = (handed_kind)e->handed,
                  .rewind_count = e->size,
                  .from = by == NULL ? UINT32_MAX : by->visit,
                  .open = true,
                  .order = FIRST };
    if (by != NULL)
        v->by = *by;
    t->visits[t->visits_count++] = v;
    t->by_session[session] = t->visits_count;
}

static void note_position(travels *t, uint32_t life, const visit *v, const event *e) {
    life_page *at = t->lives[life];
    if (at->positions_count == 0)
        at->positions_first = e->number;
    at->positions = grow(at->positions, at->positions_count, &at->positions_capacity,
                         sizeof *at->positions);
    at->positions[at->positions_count++] = (position){ v == NULL ? UINT32_MAX : index_of(t, v),
                                                       v == NULL ? 0 : v->order, e->whole, now(t) };
}

/* ------------------------------------------------------------------------------ what is required */

static bool is_of(const told_gap *gap, const visit *v, uint32_t publisher) {
    return gap->loop == v->loop && (gap->of == publisher || gap->of == INBOX);
}

/* Whether the visit's loop was told of a gap that may cover a message of the publisher. */
static bool told_between(const travels *t, const visit *v, uint32_t publisher, uint64_t after,
                         uint64_t before) {
    const life_page *at = t->lives[v->life];
    for (uint32_t i = at->gaps_count; i-- > 0 && at->gaps[i].told.at > after;)
        if (is_of(&at->gaps[i], v, publisher) && at->gaps[i].told.at < before)
            return true;
    return false;
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* What the visit before leaves to this one of a message that it did not get before its position. */
static bool is_left(const travels *t, visit *from, const position *by, uint32_t i) {
    const kept_message *m = &t->chats[from->chat].messages[i];
    bool linked = m->life == from->life || bit(m->met, from->life);
    if (m->published.at > by->told.at)
        return linked || !t->clocks;
    if (*got(t, from, i) == OPTIONAL || bit(from->without, m->life) || !linked)
        return false;
    if (t->lives[from->life] == NULL)
        return false;
    uint64_t after = later(m->published.at, from->told.at);
    return !told_between(t, from, m->life, after, by->told.at);
}

static bool leaves_out(const travels *t, const visit *v, const kept_message *m) {
    for (;;) {
        if (m->except != UINT32_MAX && m->except == v->session)
            return true;
        if (v->verdict != WSFAN_RECOVERY_WHOLE || v->from == UINT32_MAX)
            return false;
        v = t->visits[v->from];
    }
}

/* From here on it has what was got until its position. */
static void inherit(travels *t, visit *v) {
    const chat_page *page = &t->chats[v->chat];
    visit *from = t->visits[v->from];
    for (uint32_t i = 0; i < page->count; i++) {
        uint32_t before = *got(t, from, i);
        const kept_message *m = &page->messages[i];
        if (before == BEFORE || (before >= FIRST && before <= v->by.order)) {
            *got(t, v, i) = v->by.exact ? BEFORE : OPTIONAL;
            if (v->by.exact)
                v->last[m->life] = m->number + 1;
        } else if (!is_left(t, from, &v->by, i)) {
            *got(t, v, i) = OPTIONAL;
        }
    }
}

/* What was published before it joined, as nobody says what it knew of it. */
static void begin_anew(travels *t, visit *v) {
    for (uint32_t i = 0; i < t->chats[v->chat].count; i++)
        *got(t, v, i) = OPTIONAL;
}

static void play_joined(travels *t, visit *v, const event *e) {
    v->told = now(t);
    v->joined = true;
    v->verdict = (wsfan_recovery)e->slot;
    v->to_replay = e->size;
    for (uint32_t other = 0; other < LEDGER_LIVES_MAX; other++)
        if (t->lives[other] != NULL && travels_steady(t, v->life, other))
            set_bit(v->up, other);
    if (!e->history)
        travels_broken(t, v, "a join with history is not told what became of the position");
    travels_check_verdict(t, v, e->size);
    t->totals.others[v->verdict & 15]++;
    t->totals.replayed += e->size;
    if (v->verdict != WSFAN_RECOVERY_WHOLE || v->from == UINT32_MAX) {
        begin_anew(t, v);
        return;
    }
    t->totals.whole++;
    t->totals.moved += t->visits[v->from]->life != v->life;
    inherit(t, v);
}

/* ----------------------------------------------------------------------------------- deliveries */

static void broken_by(travels *t, const visit *v, const kept_message *m, bool replayed,
                      const char *what) {
    char text[120];
    snprintf(text, sizeof text, "message %u of life %u, of %llu ms%s: %s", m->number, m->life,
             (unsigned long long)m->published.ms, replayed ? ", replayed" : "", what);
    travels_broken(t, v, text);
}

static void check_time(travels *t, visit *v, const kept_message *m, bool replayed) {
    bool expected = v->joined && v->to_replay > 0;
    if (replayed && !expected)
        travels_broken(t, v, "more is replayed than was said");
    else if (!replayed && m != NULL && !v->joined && t->limits.history_ms != 0)
        travels_broken(t, v, "a message of the chat comes before the verdict");
    else if (!replayed && m != NULL && expected)
        travels_broken(t, v, "a new message of the chat comes before what is replayed");
    v->to_replay -= replayed && expected;
}

static void play_delivered(travels *t, visit *v, uint32_t message, bool replayed) {
    const chat_page *page = &t->chats[v->chat];
    const kept_message *m = message == UINT32_MAX ? NULL : find(page, message);
    check_time(t, v, m, replayed);
    if (m == NULL)
        return; /* a latest value, or for all alone, or of a time that is forgotten */
    uint32_t *at = got(t, v, (uint32_t)(m - page->messages));
    if (*at >= BEFORE)
        broken_by(t, v, m, replayed,
                  *at == BEFORE ? "it got that before its position" : "it got that already");
    else if (v->last[m->life] > message + 1)
        broken_by(t, v, m, replayed, "it got a later one before");
    if (replayed && m->except != UINT32_MAX && v->from != UINT32_MAX &&
        m->except == t->visits[v->from]->session)
        ledger_violation(t->ledger,
                         "message %u is replayed to session %u, which it left out before", message,
                         v->session);
    if (v->last[m->life] < message + 1)
        v->last[m->life] = message + 1;
    *at = ++v->order;
}

void travels_session(travels *t, uint32_t life, uint32_t session, uint32_t other, const event *e) {
    if (e->kind == EVENT_JOIN) {
        if (e->history)
            expect_gaps(t, life);
        begin_visit(t, life, session, other, e);
        return;
    }
    visit *v = visit_of(t, session);
    if (e->kind == EVENT_POSITION)
        note_position(t, life, v, e);
    if (v == NULL)
        return;
    switch ((event_kind)e->kind) {
    case EVENT_JOINED:
        play_joined(t, v, e);
        break;
    case EVENT_MISSING:
        set_bit(v->without, other);
        break;
    case EVENT_DELIVERED:
        play_delivered(t, v, other, e->replayed);
        break;
    case EVENT_CLOSE:
        v->open = false;
        break;
    default:
        break;
    }
}

/* -------------------------------------------------------------------------------------- at rest */

/* So many of one publisher may be missing, of which the earliest is of that moment, or all. */
static bool is_excused(const travels *t, const visit *v, uint32_t publisher, uint64_t missing,
                       uint64_t since) {
    const life_page *at = t->lives[v->life];
    uint64_t told = 0;
    for (uint32_t i = at->gaps_count; i-- > 0 && at->gaps[i].told.at > since;) {
        if (!is_of(&at->gaps[i], v, publisher))
            continue;
        if (at->gaps[i].count == 0)
            return true;
        told += at->gaps[i].count;
    }
    return told >= missing;
}

/* Who has gone got nothing behind the last that it got. */
static bool is_due(const travels *t, visit *v, uint32_t i) {
    const kept_message *m = &t->chats[v->chat].messages[i];
    bool linked = m->life == v->life || bit(v->up, m->life) || bit(m->met, v->life);
    return *got(t, v, i) == OPEN && !m->refused && linked && !bit(v->without, m->life) &&
           !leaves_out(t, v, m) && (v->open || m->number + 1 < v->last[m->life]);
}

static void check_publisher(travels *t, visit *v, uint32_t publisher) {
    const chat_page *page = &t->chats[v->chat];
    uint64_t missing = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < page->count; i++) {
        if (page->messages[i].life != publisher || !is_due(t, v, i))
            continue;
        first = missing++ == 0 ? i : first;
    }
    if (missing == 0)
        return;
    const kept_message *m = &page->messages[first];
    if (is_excused(t, v, publisher, missing, later(v->told.at, m->published.at)))
        t->totals.excused += missing;
    else
        ledger_violation(t->ledger,
                         "session %u of life %u, traveller %u in chat %u, whole at %llu ms by a "
                         "position of %llu ms of "
                         "life %u, lacks %llu messages of life %u, from %u of %llu ms on",
                         v->session, v->life, v->traveller, v->chat, (unsigned long long)v->told.ms,
                         (unsigned long long)v->by.told.ms, t->visits[v->from]->life,
                         (unsigned long long)missing, publisher, m->number,
                         (unsigned long long)m->published.ms);
}

/* What a node had accepted and not sent dies with it, and a node that dies tells no gap. */
void travels_check(travels *t) {
    for (uint32_t i = 0; i < t->visits_count; i++) {
        visit *v = t->visits[i];
        if (!v->joined || v->verdict != WSFAN_RECOVERY_WHOLE || v->from == UINT32_MAX ||
            t->lives[v->life] == NULL || !t->lives[v->life]->alive)
            continue;
        for (uint32_t k = 0; k < t->chats[v->chat].count; k++)
            t->totals.required += *got(t, v, k) > BEFORE;
        for (uint32_t publisher = 0; publisher < LEDGER_LIVES_MAX; publisher++)
            if (t->lives[publisher] != NULL && t->lives[publisher]->alive)
                check_publisher(t, v, publisher);
    }
}

/* Positions from before are of a time that is forgotten, and so are they that began with them. */
void travels_forget(travels *t) {
    for (uint32_t i = 0; i < t->visits_count; i++) {
        free(t->visits[i]->got);
        free(t->visits[i]);
    }
    t->visits_count = 0;
    if (t->sessions_capacity > 0)
        memset(t->by_session, 0, t->sessions_capacity * sizeof *t->by_session);
    for (unsigned chat = 0; chat < TRAVELLERS_CHATS; chat++)
        t->chats[chat].count = 0;
    for (uint32_t life = 0; life < LEDGER_LIVES_MAX; life++) {
        if (t->lives[life] == NULL)
            continue;
        t->lives[life]->positions_count = 0;
        t->lives[life]->gaps_count = 0;
    }
}

void travels_destroy(travels *t) {
    travels_forget(t);
    for (uint32_t life = 0; life < LEDGER_LIVES_MAX; life++)
        forget_life(t, life);
    for (unsigned chat = 0; chat < TRAVELLERS_CHATS; chat++)
        free(t->chats[chat].messages);
    free(t->by_session);
    free(t->visits);
    free(t);
}
