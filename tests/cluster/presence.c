/* A LEAVE is false while the member has a session at a node whose link stands, and the loop's node must
 * know of that session. When it must, logs do not say to the millisecond: LAG_MS after the session
 * joined, which is more than any row takes on a link that is not given up meanwhile; and what it knew
 * before a link was down it knows again as soon as the link is up. A slow wire may take longer, and all it carries is a sign of
 * life: a window before the row needs 4 s on the slowest, and as much again each time that it is repaired. So until LAG_MS
 * after its end nobody must know of another's sessions. MARGIN_MS is between what happens in a
 * node and the dispatch that tells of it. */
#include "presence.h"

#include <stdlib.h>
#include <string.h>
#include <wsfan/peers.h>
#include <wsfan/presence.h>
#include <wsfan/wsfan.h>

#include "recorder.h"

enum {
    LAG_MS = RECORDER_DOWN_MS + RECORDER_GRACE_MS + 1000,
    MARGIN_MS = 1000,
    NEVER = 0 /* of a time; the ledger's begins with 1 */
};

_Static_assert((int)EVENTS_CHATS <= LEDGER_CHATS_MAX && (int)EVENTS_LOOPS <= LEDGER_LOOPS_MAX,
               "as there");

typedef struct {
    uint8_t loop;
    int8_t user;
    uint32_t shown; /* bits: chats */
} shown_session;

typedef struct {
    uint32_t sessions[EVENTS_LOOPS][EVENTS_USERS]; /* that are shown */
    uint64_t since_ms[EVENTS_USERS];               /* of the first of them, without a break */
    uint32_t told[EVENTS_LOOPS]; /* bits: users that are there, for all it was told */
} chat_page;

typedef struct {
    unsigned state;   /* as on_peer said last; 0: not yet */
    uint64_t up_ms;   /* since when it is not down */
    uint64_t down_ms; /* when it was last */
    uint64_t mute_ms; /* since when it was silent last, */
    uint64_t back_ms; /* and until when */
} link_state;

typedef struct {
    bool alive;
    uint64_t slept_ms;
    shown_session *sessions;
    uint32_t sessions_capacity;
    chat_page chats[EVENTS_CHATS];
    link_state links[LEDGER_LIVES_MAX];
} life_page;

struct presence {
    ledger *ledger;
    uint64_t slow_until_ms; /* UINT64_MAX: a wire is slow */
    life_page *lives[LEDGER_LIVES_MAX];
};

presence *presence_new(ledger *l) {
    presence *p = calloc(1, sizeof *p);
    if (p == NULL)
        abort();
    p->ledger = l;
    return p;
}

static void forget(presence *p, uint32_t life) {
    if (p->lives[life] != NULL)
        free(p->lives[life]->sessions);
    free(p->lives[life]);
    p->lives[life] = NULL;
}

void presence_destroy(presence *p) {
    for (uint32_t life = 0; life < LEDGER_LIVES_MAX; life++)
        forget(p, life);
    free(p);
}

/* The number may be that of a life that is forgotten. */
void presence_born(presence *p, uint32_t life) {
    forget(p, life);
    for (uint32_t i = 0; i < LEDGER_LIVES_MAX; i++)
        if (p->lives[i] != NULL)
            p->lives[i]->links[life] = (link_state){ 0 };
    p->lives[life] = calloc(1, sizeof *p->lives[life]);
    if (p->lives[life] == NULL)
        abort();
    p->lives[life]->alive = true;
}

void presence_died(presence *p, uint32_t life) {
    p->lives[life]->alive = false;
    memset(p->lives[life]->chats, 0, sizeof p->lives[life]->chats);
}

void presence_slept(presence *p, uint32_t life) {
    p->lives[life]->slept_ms = ledger_ms(p->ledger);
}

void presence_slow(presence *p, uint64_t until_ms) {
    p->slow_until_ms = until_ms;
}

void presence_peer(presence *p, uint32_t life, uint32_t other, unsigned peer_event) {
    link_state *link = &p->lives[life]->links[other];
    if (peer_event == WSFAN_PEER_REFUSED)
        return;
    if (peer_event == WSFAN_PEER_DOWN)
        link->down_ms = ledger_ms(p->ledger);
    else if (link->state == 0 || link->state == WSFAN_PEER_DOWN)
        link->up_ms = ledger_ms(p->ledger);
    if (peer_event == WSFAN_PEER_SILENT)
        link->mute_ms = ledger_ms(p->ledger);
    else if (link->state == WSFAN_PEER_SILENT)
        link->back_ms = ledger_ms(p->ledger);
    link->state = peer_event;
}

/* ---------------------------------------------------------------------------------------- acts */

static uint32_t sessions_of_loop(const chat_page *page, unsigned loop) {
    uint32_t count = 0;
    for (unsigned user = 0; user < EVENTS_USERS; user++)
        count += page->sessions[loop][user];
    return count;
}

static uint32_t sessions_of_user(const chat_page *page, unsigned user) {
    uint32_t count = 0;
    for (unsigned loop = 0; loop < EVENTS_LOOPS; loop++)
        count += page->sessions[loop][user];
    return count;
}

static void show(const presence *p, life_page *at, shown_session *s, unsigned chat) {
    chat_page *page = &at->chats[chat];
    unsigned user = (unsigned)s->user;
    if (sessions_of_user(page, user) == 0)
        page->since_ms[user] = ledger_ms(p->ledger);
    page->sessions[s->loop][user]++;
    s->shown |= 1u << chat;
}

/* A loop without a session that is shown is told nothing more. */
static void hide(life_page *at, shown_session *s, unsigned chat) {
    chat_page *page = &at->chats[chat];
    if ((s->shown >> chat & 1) == 0)
        return;
    page->sessions[s->loop][(unsigned)s->user]--;
    s->shown &= ~(1u << chat);
    if (sessions_of_loop(page, s->loop) == 0)
        page->told[s->loop] = 0;
}

static void open_session(life_page *at, const event *e) {
    while (e->session >= at->sessions_capacity) {
        at->sessions_capacity = at->sessions_capacity * 2 + 64;
        at->sessions = realloc(at->sessions, at->sessions_capacity * sizeof *at->sessions);
        if (at->sessions == NULL)
            abort();
    }
    at->sessions[e->session] = (shown_session){ .loop = e->loop, .user = e->user };
}

void presence_act(presence *p, uint32_t life, const event *e) {
    life_page *at = p->lives[life];
    if (e->kind == EVENT_OPEN) {
        open_session(at, e);
        return;
    }
    shown_session *s = &at->sessions[e->session];
    if (e->kind == EVENT_JOIN && e->shown)
        show(p, at, s, e->chat);
    if (e->kind == EVENT_LEAVE)
        hide(at, s, e->chat);
    for (unsigned chat = 0; e->kind == EVENT_CLOSE && chat < EVENTS_CHATS; chat++)
        hide(at, s, chat);
}

/* ---------------------------------------------------------------------------------------- news */

void presence_news(presence *p, uint32_t life, const event *e) {
    chat_page *page = &p->lives[life]->chats[e->chat];
    if (sessions_of_loop(page, e->loop) == 0)
        ledger_violation(p->ledger,
                         "life %u, loop %u: news of chat %u without a session that is shown in it",
                         life, e->loop, e->chat);
    if ((e->number & WSFAN_PRESENCE_ANEW) != 0)
        page->told[e->loop] = 0;
}

/* Whether the link from one life to another stands for long enough. */
static bool stands(const presence *p, uint32_t life, uint32_t other) {
    const link_state *link = &p->lives[life]->links[other];
    return (link->state == WSFAN_PEER_UP || link->state == WSFAN_PEER_SILENT) &&
           link->up_ms + MARGIN_MS <= ledger_ms(p->ledger);
}

/* Whether a wire is slow, or was lately. */
static bool slow(const presence *p) {
    uint64_t now_ms = ledger_ms(p->ledger);
    return p->slow_until_ms > now_ms ||
           (p->slow_until_ms != NEVER && now_ms - p->slow_until_ms < LAG_MS);
}

/* Whether a row of that time had time to come, or to be repaired, while the link was not silent. */
static bool had_time(const link_state *link, uint64_t since_ms, uint64_t now_ms) {
    if (link->mute_ms == NEVER || since_ms + LAG_MS <= link->mute_ms)
        return since_ms + LAG_MS <= now_ms;
    return link->state == WSFAN_PEER_UP && since_ms + LAG_MS <= now_ms &&
           link->back_ms + LAG_MS <= now_ms;
}

/* Whether a life must know that the user is in the chat at another. */
static bool must_know(const presence *p, uint32_t life, uint32_t other, const event *e) {
    const life_page *there = p->lives[other];
    uint64_t now_ms = ledger_ms(p->ledger);
    if (there == NULL || !there->alive ||
        sessions_of_user(&there->chats[e->chat], (unsigned)e->user) == 0)
        return false;
    uint64_t since_ms = there->chats[e->chat].since_ms[(unsigned)e->user];
    if (life == other)
        return since_ms + MARGIN_MS <= now_ms;
    if (slow(p) || !stands(p, life, other) || !stands(p, other, life))
        return false;
    const link_state *link = &p->lives[life]->links[other];
    bool without_break = link->up_ms + LAG_MS <= now_ms && had_time(link, since_ms, now_ms);
    bool before_break = link->down_ms != NEVER && since_ms + LAG_MS <= link->down_ms;
    return without_break || before_break;
}

/* Whether a life was not run for a while, so lately. */
static bool slept(const presence *p, uint32_t life, uint64_t within_ms) {
    uint64_t slept_ms = p->lives[life]->slept_ms;
    return slept_ms != NEVER && slept_ms + within_ms > ledger_ms(p->ledger);
}

static void check_leave(presence *p, uint32_t life, const event *e) {
    if (slept(p, life, MARGIN_MS))
        return;
    for (uint32_t other = 0; other < LEDGER_LIVES_MAX; other++)
        if (must_know(p, life, other, e) && !slept(p, other, LAG_MS))
            ledger_violation(p->ledger,
                             "life %u is told that user %d leaves chat %u, and it is at life %u",
                             life, e->user, e->chat, other);
}

void presence_member(presence *p, uint32_t life, const event *e) {
    uint32_t *told = &p->lives[life]->chats[e->chat].told[e->loop];
    uint32_t bit = 1u << e->user;
    bool known = (*told & bit) != 0;
    if (known == (e->number == WSFAN_MEMBER_JOIN))
        ledger_violation(p->ledger, "life %u, loop %u is told %s of user %d in chat %u", life,
                         e->loop, known ? "twice" : "out of turn", e->user, e->chat);
    if (e->number == WSFAN_MEMBER_LEAVE) {
        check_leave(p, life, e);
        *told &= ~bit;
    } else {
        *told |= bit;
    }
}

/* ------------------------------------------------------------------------------------- at rest */

static uint32_t users_in(const presence *p, unsigned chat) {
    uint32_t users = 0;
    for (uint32_t life = 0; life < LEDGER_LIVES_MAX; life++)
        for (unsigned user = 0; p->lives[life] != NULL && user < EVENTS_USERS; user++)
            if (sessions_of_user(&p->lives[life]->chats[chat], user) > 0)
                users |= 1u << user;
    return users;
}

static void check_links(presence *p, uint32_t life) {
    for (uint32_t other = 0; other < LEDGER_LIVES_MAX; other++)
        if (other != life && p->lives[other] != NULL && p->lives[other]->alive &&
            p->lives[life]->links[other].state != WSFAN_PEER_UP)
            ledger_violation(p->ledger, "life %u was last told state %u of life %u, which is up",
                             life, p->lives[life]->links[other].state, other);
}

void presence_check(presence *p) {
    for (uint32_t life = 0; life < LEDGER_LIVES_MAX; life++)
        if (p->lives[life] != NULL && p->lives[life]->alive)
            check_links(p, life);
    for (unsigned chat = 0; chat < EVENTS_CHATS; chat++) {
        uint32_t users = users_in(p, chat);
        for (uint32_t life = 0; life < LEDGER_LIVES_MAX; life++)
            for (unsigned loop = 0; p->lives[life] != NULL && loop < EVENTS_LOOPS; loop++) {
                const chat_page *page = &p->lives[life]->chats[chat];
                if (sessions_of_loop(page, loop) > 0 && page->told[loop] != users)
                    ledger_violation(p->ledger,
                                     "life %u, loop %u thinks users %x are in chat %u, not %x",
                                     life, loop, page->told[loop], chat, users);
            }
    }
}
