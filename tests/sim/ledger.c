/* A message that a session must get is an expectation. It ends when the message arrives, when the session
 * leaves, or when one of the two nodes dies. Expectations left at the end must be covered by gaps that the
 * session's loop was told of after the message was published. */
#include "ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t life;
    uint32_t number; /* among the messages of its publisher, from 1 */
    uint64_t ms;
    uint32_t size;
    ledger_targets targets;
    bool asked;
    bool answered;
    bool whole; /* the publisher was told that every addressee has the message, */
    uint64_t down[(LEDGER_LIVES_MAX + 63) /
                  64]; /* and that these lives are down, before it published it */
} message_row;

typedef struct latest {
    uint32_t life;
    uint32_t slot;
    uint32_t number;
} latest;

typedef struct {
    uint32_t life;
    unsigned loop;
    uint64_t handle;
    int user;
    bool open;
    uint64_t closed_ms;
    uint32_t place;                        /* index in `open` of its life */
    uint32_t memberships;                  /* so far */
    uint32_t membership[LEDGER_CHATS_MAX]; /* the number of the membership, while it lasts */
    uint32_t chats;                        /* bits: a member */
    uint32_t joined;                       /* bits: a member, and on_joined has said so */
    uint32_t promised;                     /* bits: ledger_promise() was called instead */
    uint32_t joining;                      /* bits: on_joined is awaited, */
    uint32_t parked;                    /* with what it says of history: no message comes before */
    uint32_t without[LEDGER_LIVES_MAX]; /* bits: joined, but not to hear this publisher */
    uint64_t join_ms[LEDGER_CHATS_MAX]; /* when each join began */
    uint32_t latest[LEDGER_LIVES_MAX];  /* the number of the last message from each publisher */
    struct latest *keyed;               /* the last value of each slot */
    uint32_t keyed_count;
    uint32_t keyed_capacity;
    uint32_t *pending; /* messages, in order of publishing */
    uint32_t pending_count;
    uint32_t pending_capacity;
} session_row;

/* A gap of a peer that was away says that its link is a new one; another may say that joins were complete
 * without this node, which the peer took for away, with reason or without. While a node takes a peer for down, each
 * of its joins may end without that peer: where only the peer's frames come through, each tells another gap. */
enum { AWAY_GAPS = 2 };

typedef struct {
    uint64_t ms;
    uint64_t count;
} report;

typedef struct {
    report *reports; /* gaps of a known size, in order of time */
    uint32_t reports_count;
    uint32_t reports_capacity;
    uint64_t count;        /* of all reports */
    uint64_t forgotten_ms; /* of the latest gap of unknown size */
} gap;

typedef struct {
    uint64_t node;
    unsigned kind; /* only nodes of one kind are peers */
    bool alive;
    bool forgotten; /* the number may be taken by another life */
    uint64_t died_ms;
    uint32_t accepted;
    uint32_t settled; /* messages that ledger_forget() has forgotten, of these */
    uint32_t *open;   /* sessions */
    uint32_t open_count;
    uint32_t open_capacity;
} life_row;

struct ledger {
    uint64_t ms;
    bool trace;
    uint32_t lives_count;
    life_row lives[LEDGER_LIVES_MAX];
    bool met[LEDGER_LIVES_MAX][LEDGER_LIVES_MAX]; /* [life][peer]: told that it is up */
    bool down[LEDGER_LIVES_MAX]
             [LEDGER_LIVES_MAX]; /* [life][peer]: told that it is down, and not up since */
    uint8_t away[LEDGER_LIVES_MAX][LEDGER_LIVES_MAX]; /* so many gaps of unknown size may follow */
    gap gaps[LEDGER_LIVES_MAX][LEDGER_LIVES_MAX];     /* [receiver][publisher] */
    gap inbox_gaps[LEDGER_LIVES_MAX][LEDGER_LOOPS_MAX];
    message_row *messages; /* from messages_settled on */
    uint32_t messages_settled;
    uint32_t messages_count;
    uint32_t messages_capacity;
    session_row **sessions;
    uint32_t sessions_count;
    uint32_t sessions_capacity;
    uint64_t deliveries;
    uint64_t explained;
    char violations[LEDGER_VIOLATIONS_MAX][240];
    size_t violations_count;
};

static void *need(void *memory) {
    if (memory == NULL)
        abort();
    return memory;
}

/* Makes room for one more. */
static void *grow(void *array, uint32_t count, uint32_t *capacity, size_t size) {
    if (count < *capacity)
        return array;
    *capacity = *capacity * 2 + 16;
    return need(realloc(array, *capacity * size));
}

ledger *ledger_new(void) {
    return need(calloc(1, sizeof(ledger)));
}

static void free_session(session_row *s) {
    free(s->pending);
    free(s->keyed);
    free(s);
}

static void forget_gaps(gap *gaps, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        free(gaps[i].reports);
    memset(gaps, 0, count * sizeof *gaps);
}

void ledger_destroy(ledger *l) {
    for (uint32_t i = 0; i < l->sessions_count; i++)
        if (l->sessions[i] != NULL)
            free_session(l->sessions[i]);
    for (uint32_t i = 0; i < l->lives_count; i++) {
        free(l->lives[i].open);
        forget_gaps(l->gaps[i], LEDGER_LIVES_MAX);
        forget_gaps(l->inbox_gaps[i], LEDGER_LOOPS_MAX);
    }
    free(l->sessions);
    free(l->messages);
    free(l);
}

void ledger_set_time(ledger *l, uint64_t ms) {
    l->ms = ms;
}

void ledger_set_trace(ledger *l, bool on) {
    l->trace = on;
}

void ledger_trace(const ledger *l, const char *format, ...) {
    if (!l->trace)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%8llu  ", (unsigned long long)l->ms);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void ledger_violation(ledger *l, const char *format, ...) {
    if (l->violations_count == LEDGER_VIOLATIONS_MAX)
        return;
    char *out = l->violations[l->violations_count++];
    int used = snprintf(out, sizeof l->violations[0], "at %llu ms: ", (unsigned long long)l->ms);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out + used, sizeof l->violations[0] - (size_t)used, format, arguments);
    va_end(arguments);
}

size_t ledger_violations(const ledger *l, const char *texts[LEDGER_VIOLATIONS_MAX]) {
    for (size_t i = 0; i < l->violations_count; i++)
        texts[i] = l->violations[i];
    return l->violations_count;
}

/* --------------------------------------------------------------------------------------- lives */

uint32_t ledger_born(ledger *l, uint64_t node, unsigned kind) {
    uint32_t place = 0;
    while (place < l->lives_count && !l->lives[place].forgotten)
        place++;
    if (place == LEDGER_LIVES_MAX)
        abort();
    if (place == l->lives_count)
        l->lives_count++;
    l->lives[place] = (life_row){ .node = node, .kind = kind, .alive = true };
    return place;
}

uint32_t ledger_lives_left(const ledger *l) {
    return LEDGER_LIVES_MAX - l->lives_count;
}

uint32_t ledger_find(const ledger *l, uint64_t node) {
    for (uint32_t i = l->lives_count; i-- > 0;)
        if (l->lives[i].node == node && !l->lives[i].forgotten)
            return i;
    return UINT32_MAX;
}

bool ledger_alive(const ledger *l, uint32_t life) {
    return l->lives[life].alive;
}

void ledger_up(ledger *l, uint32_t life, uint64_t peer) {
    uint32_t other = ledger_find(l, peer);
    if (other == UINT32_MAX)
        return;
    l->met[life][other] = true;
    l->down[life][other] = false;
    if (l->lives[life].kind != l->lives[other].kind)
        ledger_violation(l, "life %u and life %u have met, and may not", life, other);
}

void ledger_away(ledger *l, uint32_t life, uint64_t peer) {
    uint32_t other = ledger_find(l, peer);
    if (other != UINT32_MAX)
        l->away[life][other] = l->away[other][life] = AWAY_GAPS;
}

void ledger_down(ledger *l, uint32_t life, uint64_t peer) {
    uint32_t other = ledger_find(l, peer);
    if (other != UINT32_MAX)
        l->down[life][other] = true;
    ledger_away(l, life, peer);
}

static void add_gap(ledger *l, gap *g, uint64_t count) {
    if (count == 0) {
        g->forgotten_ms = l->ms;
        return;
    }
    g->reports = grow(g->reports, g->reports_count, &g->reports_capacity, sizeof *g->reports);
    g->reports[g->reports_count++] = (report){ l->ms, count };
    g->count += count;
}

void ledger_gap(ledger *l, uint32_t life, uint64_t peer, uint64_t count) {
    uint32_t other = ledger_find(l, peer);
    if (other == UINT32_MAX) {
        ledger_violation(l, "a gap of a node that never was");
        return;
    }
    if (count == 0 && l->away[life][other] == 0)
        ledger_violation(l, "life %u is told that life %u was away, and it was not", life, other);
    else if (count == 0 && !l->down[life][other])
        l->away[life][other]--;
    add_gap(l, &l->gaps[life][other], count);
    const life_row *of = &l->lives[other];
    if (l->gaps[life][other].count > of->accepted - (of->alive ? of->settled : 0))
        ledger_violation(l, "life %u is told of more missing messages than life %u published", life,
                         other);
}

void ledger_inbox_gap(ledger *l, uint32_t life, unsigned loop, uint64_t count) {
    add_gap(l, &l->inbox_gaps[life][loop], count);
}

/* ------------------------------------------------------------------------------------ sessions */

uint32_t ledger_open(ledger *l, uint32_t life, unsigned loop, int user) {
    l->sessions = grow(l->sessions, l->sessions_count, &l->sessions_capacity, sizeof *l->sessions);
    session_row *s = need(calloc(1, sizeof *s));
    s->life = life;
    s->loop = loop;
    s->user = user;
    s->open = true;
    life_row *at = &l->lives[life];
    at->open = grow(at->open, at->open_count, &at->open_capacity, sizeof *at->open);
    s->place = at->open_count++;
    at->open[s->place] = l->sessions_count;
    l->sessions[l->sessions_count] = s;
    return l->sessions_count++;
}

ledger_targets ledger_nobody(void) {
    ledger_targets t = { .user = -1, .not_user = -1 };
    t.session = t.life = t.except = t.not_life = UINT32_MAX;
    for (int i = 0; i < LEDGER_OUT_MAX; i++)
        t.not_sessions[i] = UINT32_MAX;
    return t;
}

static bool left_out(const ledger *l, const session_row *s, const ledger_targets *t) {
    for (int i = 0; i < LEDGER_OUT_MAX; i++)
        if (t->not_sessions[i] != UINT32_MAX && l->sessions[t->not_sessions[i]] == s)
            return true;
    return (t->except != UINT32_MAX && l->sessions[t->except] == s) ||
           (t->not_chats & s->chats) != 0 || (t->not_user >= 0 && t->not_user == s->user) ||
           t->not_life == s->life;
}

/* Whether the targets address this session, if it is in these chats. */
static bool addressed(const ledger *l, const session_row *s, const ledger_targets *t,
                      uint32_t chats) {
    bool named = t->all || (t->chats & chats) != 0 || (t->user >= 0 && t->user == s->user) ||
                 (t->session != UINT32_MAX && l->sessions[t->session] == s) || t->life == s->life;
    return named && !left_out(l, s, t);
}

/* Whether the session must get the message. Targets that are a user count on the publisher's own node alone:
 * nothing says when a peer knows of the interest in a user. */
static bool wanted(const ledger *l, const session_row *s, const message_row *m) {
    ledger_targets t = m->targets;
    if (s->life != m->life)
        t.user = -1;
    return addressed(l, s, &t, s->joined & ~s->without[m->life]);
}

static message_row *message(const ledger *l, uint32_t number) {
    return &l->messages[number - l->messages_settled];
}

/* Ends the expectations of a session but those that keep() returns true for. */
static void release(const ledger *l, session_row *s,
                    bool (*keep)(const ledger *l, const session_row *s, const message_row *m)) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->pending_count; i++) {
        if (keep != NULL && keep(l, s, message(l, s->pending[i])))
            s->pending[kept++] = s->pending[i];
    }
    s->pending_count = kept;
}

void ledger_close(ledger *l, uint32_t session) {
    session_row *s = l->sessions[session];
    life_row *at = &l->lives[s->life];
    release(l, s, NULL);
    s->open = false;
    s->closed_ms = l->ms;
    s->chats = s->joined = s->joining = 0;
    at->open[s->place] = at->open[--at->open_count];
    l->sessions[at->open[s->place]]->place = s->place;
}

void ledger_join(ledger *l, uint32_t session, unsigned chat) {
    for (uint32_t life = 0; life < l->lives_count; life++)
        l->sessions[session]->without[life] &= ~(1u << chat);
    l->sessions[session]->membership[chat] = ++l->sessions[session]->memberships;
    l->sessions[session]->chats |= 1u << chat;
    l->sessions[session]->joining |= 1u << chat;
    l->sessions[session]->promised &= ~(1u << chat);
    l->sessions[session]->parked &= ~(1u << chat);
    l->sessions[session]->join_ms[chat] = l->ms;
    release(l, l->sessions[session], wanted); /* ends what was for this chat alone */
}

void ledger_park(ledger *l, uint32_t session, unsigned chat) {
    l->sessions[session]->parked |= 1u << chat;
}

void ledger_joined(ledger *l, uint32_t session, unsigned chat, bool whole) {
    uint32_t bit = 1u << chat;
    if (l->sessions[session] == NULL) {
        ledger_violation(l, "on_joined for session %u, which is forgotten", session);
        return;
    }
    if (!l->sessions[session]->open || (l->sessions[session]->chats & bit) == 0)
        ledger_violation(l, "on_joined for session %u, which is not in chat %u", session, chat);
    else if ((l->sessions[session]->joining & bit) == 0)
        ledger_violation(l, "on_joined twice for session %u and chat %u", session, chat);
    l->sessions[session]->joining &= ~bit;
    l->sessions[session]->parked &= ~bit;
    if (whole)
        l->sessions[session]->joined |= bit;
}

void ledger_leave(ledger *l, uint32_t session, unsigned chat) {
    l->sessions[session]->chats &= ~(1u << chat);
    l->sessions[session]->joined &= ~(1u << chat);
    l->sessions[session]->joining &= ~(1u << chat);
    release(l, l->sessions[session], wanted);
}

uint32_t ledger_chats(const ledger *l, uint32_t session) {
    return l->sessions[session]->chats;
}

bool ledger_open_since(const ledger *l, uint32_t session, uint64_t ms) {
    return l->sessions[session]->open || l->sessions[session]->closed_ms >= ms;
}

uint32_t ledger_membership(const ledger *l, uint32_t session, unsigned chat) {
    const session_row *s = l->sessions[session];
    return (s->chats >> chat & 1) != 0 ? s->membership[chat] : 0;
}

bool ledger_told(const ledger *l, uint32_t session, unsigned chat, uint32_t life) {
    const session_row *s = l->sessions[session];
    return ((s->joined & ~s->without[life]) >> chat & 1) != 0;
}

void ledger_promise(ledger *l, uint32_t session, unsigned chat) {
    session_row *s = l->sessions[session];
    if (s == NULL || (s->parked >> chat & 1) != 0)
        return;
    s->joined |= 1u << chat;
    s->promised |= 1u << chat;
}

void ledger_excuse(ledger *l, uint32_t session, unsigned chat, uint32_t life) {
    if (l->sessions[session] != NULL)
        l->sessions[session]->without[life] |= 1u << chat;
}

void ledger_set_handle(ledger *l, uint32_t session, uint64_t handle) {
    l->sessions[session]->handle = handle;
}

uint64_t ledger_handle(const ledger *l, uint32_t session) {
    return l->sessions[session] != NULL ? l->sessions[session]->handle : 0;
}

uint32_t ledger_life(const ledger *l, uint32_t session) {
    return l->sessions[session] != NULL ? l->sessions[session]->life : UINT32_MAX;
}

uint32_t ledger_sessions(const ledger *l) {
    return l->sessions_count;
}

bool ledger_at(const ledger *l, uint32_t session, uint32_t life) {
    const session_row *s = l->sessions[session];
    return s != NULL && s->open && s->life == life;
}

unsigned ledger_loop(const ledger *l, uint32_t session) {
    return l->sessions[session]->loop;
}

bool ledger_addresses(const ledger *l, uint32_t session, const ledger_targets *targets) {
    return addressed(l, l->sessions[session], targets, l->sessions[session]->chats);
}

bool ledger_mutual(const ledger *l, uint32_t a, uint32_t b) {
    return a == b || (l->met[a][b] && l->met[b][a]);
}

uint64_t ledger_ms(const ledger *l) {
    return l->ms;
}

uint64_t ledger_node(const ledger *l, uint32_t life) {
    return l->lives[life].node;
}

void ledger_died(ledger *l, uint32_t life) {
    l->lives[life].alive = false;
    l->lives[life].died_ms = l->ms;
    while (l->lives[life].open_count > 0)
        ledger_close(l, l->lives[life].open[0]);
}

void ledger_check_joins(ledger *l, uint32_t life, uint64_t ms_max) {
    for (uint32_t i = 0; i < l->lives[life].open_count; i++) {
        const session_row *s = l->sessions[l->lives[life].open[i]];
        for (unsigned chat = 0; s->joining != 0 && chat < LEDGER_CHATS_MAX; chat++)
            if ((s->joining >> chat & 1) != 0 && l->ms > s->join_ms[chat] + ms_max)
                ledger_violation(l, "session %u waits for chat %u since %llu ms",
                                 l->lives[life].open[i], chat,
                                 (unsigned long long)s->join_ms[chat]);
    }
}

void ledger_postpone_joins(ledger *l, uint32_t life, uint64_t ms) {
    for (uint32_t i = 0; i < l->lives[life].open_count; i++) {
        session_row *s = l->sessions[l->lives[life].open[i]];
        for (unsigned chat = 0; s->joining != 0 && chat < LEDGER_CHATS_MAX; chat++)
            s->join_ms[chat] += ms;
    }
}

/* ------------------------------------------------------------------------------------ messages */

/* Ends the expectation of older values of a slot. */
static void make_way(const ledger *l, session_row *s, const message_row *newer) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->pending_count; i++) {
        const message_row *m = message(l, s->pending[i]);
        if (m->life != newer->life || m->targets.slot != newer->targets.slot)
            s->pending[kept++] = s->pending[i];
    }
    s->pending_count = kept;
}

/* Adds the message to what the sessions of one life must get. */
static void expect(ledger *l, uint32_t life, uint32_t number) {
    const message_row *m = message(l, number);
    if (m->life != life && !(l->met[m->life][life] && l->met[life][m->life]))
        return;
    for (uint32_t i = 0; i < l->lives[life].open_count; i++) {
        session_row *s = l->sessions[l->lives[life].open[i]];
        if (!wanted(l, s, m))
            continue;
        if (m->targets.slot != 0)
            make_way(l, s, m);
        s->pending = grow(s->pending, s->pending_count, &s->pending_capacity, sizeof *s->pending);
        s->pending[s->pending_count++] = number;
    }
}

uint32_t ledger_publish(ledger *l, uint32_t life, const ledger_targets *targets, size_t size,
                        bool asked) {
    l->messages = grow(l->messages, l->messages_count - l->messages_settled, &l->messages_capacity,
                       sizeof *l->messages);
    uint32_t number = l->messages_count++;
    *message(l, number) = (message_row){ .life = life,
                                         .number = ++l->lives[life].accepted,
                                         .ms = l->ms,
                                         .size = (uint32_t)size,
                                         .targets = *targets,
                                         .asked = asked };
    for (uint32_t i = 0; i < l->lives_count; i++) {
        if (l->down[life][i])
            message(l, number)->down[i / 64] |= UINT64_C(1) << i % 64;
        expect(l, i, number);
    }
    return number;
}

/* Checks a latest value: values of a slot never go back or come twice, but may overtake other messages. */
static void note_latest(ledger *l, session_row *s, uint32_t index, const message_row *m) {
    for (uint32_t i = 0; i < s->keyed_count; i++) {
        latest *last = &s->keyed[i];
        if (last->life != m->life || last->slot != m->targets.slot)
            continue;
        if (m->number <= last->number)
            ledger_violation(l, "an older value of slot %u to session %u after a newer one",
                             m->targets.slot, index);
        last->number = m->number;
        return;
    }
    s->keyed = grow(s->keyed, s->keyed_count, &s->keyed_capacity, sizeof *s->keyed);
    s->keyed[s->keyed_count++] = (latest){ m->life, m->targets.slot, m->number };
}

size_t ledger_size(const ledger *l, uint32_t number) {
    return number >= l->messages_settled && number < l->messages_count ? message(l, number)->size
                                                                       : SIZE_MAX;
}

static void fulfil(session_row *s, uint32_t number) {
    for (uint32_t i = 0; i < s->pending_count; i++) {
        if (s->pending[i] != number)
            continue;
        memmove(&s->pending[i], &s->pending[i + 1],
                (s->pending_count - i - 1) * sizeof *s->pending);
        s->pending_count--;
        return;
    }
}

void ledger_delivered(ledger *l, uint32_t index, uint32_t number) {
    session_row *s = l->sessions[index];
    l->deliveries++;
    if (number >= l->messages_count) {
        ledger_violation(l, "session %u got a message that nobody published", index);
        return;
    }
    if (s == NULL) {
        ledger_violation(l, "message %u to session %u, which is forgotten", number, index);
        return;
    }
    if (number < l->messages_settled) {
        ledger_violation(l, "message %u to session %u after all was at rest", number, index);
        return;
    }
    const message_row *m = message(l, number);
    if (l->lives[m->life].kind != l->lives[s->life].kind)
        ledger_violation(l, "message %u to a node that may not be a peer", number);
    if (!s->open)
        ledger_violation(l, "message %u to session %u, which is closed", number, index);
    if (left_out(l, s, &m->targets))
        ledger_violation(l, "message %u to session %u, its exception", number, index);
    else if (!addressed(l, s, &m->targets, s->chats))
        ledger_violation(l, "message %u to session %u, which it is not for", number, index);
    if (m->targets.slot != 0)
        note_latest(l, s, index, m);
    else if (m->number == s->latest[m->life])
        ledger_violation(l, "message %u twice to session %u", number, index);
    else if (m->number < s->latest[m->life])
        ledger_violation(l, "message %u to session %u after a later one", number, index);
    if (m->targets.slot == 0)
        s->latest[m->life] = m->number;
    fulfil(s, number);
}

void ledger_result(ledger *l, uint32_t number, bool whole) {
    message_row *m = message(l, number);
    if (!m->asked || m->answered)
        ledger_violation(l, "a result for message %u that nobody waits for", number);
    m->answered = true;
    m->whole = whole;
}

void ledger_take_back(ledger *l, uint32_t number) {
    message_row *m = message(l, number);
    m->targets = ledger_nobody();
    m->asked = false;
    for (uint32_t i = 0; i < l->sessions_count; i++)
        if (l->sessions[i] != NULL)
            fulfil(l->sessions[i], number);
}

uint64_t ledger_deliveries(const ledger *l) {
    return l->deliveries;
}

uint64_t ledger_explained(const ledger *l) {
    return l->explained;
}

uint64_t ledger_accepted(const ledger *l, uint32_t life) {
    return l->lives[life].accepted;
}

/* ------------------------------------------------------------------------------------- the end */

static void check_result(ledger *l, uint32_t number, uint32_t session) {
    const message_row *m = message(l, number);
    const session_row *s = l->sessions[session];
    bool down = (m->down[s->life / 64] >> s->life % 64 & 1) != 0;
    if (m->whole && !down && l->inbox_gaps[s->life][s->loop].count == 0)
        ledger_violation(
            l,
            "message %u of life %u, of %llu ms and for chats %x, did not arrive at "
            "session %u of life %u, which is in %x (%x of them in part), and was said to",
            number, m->life, (unsigned long long)m->ms, m->targets.chats, session, s->life,
            s->joined, s->promised);
}

/* Marks the messages of one publisher that sessions of one loop lack. */
static uint64_t mark_missing(ledger *l, uint32_t life, unsigned loop, uint32_t publisher,
                             uint8_t *missing) {
    uint64_t after_ms = l->gaps[life][publisher].forgotten_ms;
    uint64_t count = 0;
    for (uint32_t i = 0; i < l->lives[life].open_count; i++) {
        uint32_t session = l->lives[life].open[i];
        const session_row *s = l->sessions[session];
        for (uint32_t p = 0; s->loop == loop && p < s->pending_count; p++) {
            const message_row *m = message(l, s->pending[p]);
            uint8_t *mark = &missing[s->pending[p] - l->messages_settled];
            if (m->life != publisher || m->ms <= after_ms || *mark)
                continue;
            *mark = 1;
            count++;
            check_result(l, s->pending[p], session);
        }
    }
    return count;
}

/* Adds up the reports since `ms`, from the end of the list. */
static uint64_t told_since(const gap *g, uint64_t ms, uint32_t *left) {
    uint64_t count = 0;
    while (*left > 0 && g->reports[*left - 1].ms >= ms)
        count += g->reports[--*left].count;
    return count;
}

/* A gap is told after all messages that it covers were published. So the reports since any time are at least
 * as many as the missing messages published since then. */
static void check_pair(ledger *l, uint32_t life, unsigned loop, uint32_t publisher) {
    const gap *gaps[2] = { &l->gaps[life][publisher], &l->inbox_gaps[life][loop] };
    uint32_t left[2] = { gaps[0]->reports_count, gaps[1]->reports_count };
    uint32_t messages = l->messages_count - l->messages_settled;
    uint8_t *missing = need(calloc(messages + 1, 1));
    uint64_t total = mark_missing(l, life, loop, publisher, missing);
    uint64_t count = 0;
    uint64_t told = 0;
    for (uint32_t i = messages; i-- > 0 && count < total && count <= told;) {
        if (!missing[i])
            continue;
        uint64_t ms = l->messages[i].ms;
        count++;
        told += told_since(gaps[0], ms, &left[0]) + told_since(gaps[1], ms, &left[1]);
        if (count > told)
            ledger_violation(
                l,
                "of %llu messages of life %u that are missing at life %u, %llu are of %llu "
                "ms and later, and %llu were reported since",
                (unsigned long long)total, publisher, life, (unsigned long long)count,
                (unsigned long long)ms, (unsigned long long)told);
    }
    if (count <= told)
        l->explained += total;
    free(missing);
}

void ledger_check(ledger *l) {
    bool pending = false;
    for (uint32_t i = 0; i < l->sessions_count; i++)
        pending = pending || (l->sessions[i] != NULL && l->sessions[i]->pending_count > 0);
    for (uint32_t life = 0; pending && life < l->lives_count; life++)
        for (unsigned loop = 0; l->lives[life].alive && loop < LEDGER_LOOPS_MAX; loop++)
            for (uint32_t publisher = 0; publisher < l->lives_count; publisher++)
                if (l->lives[publisher].alive)
                    check_pair(l, life, loop, publisher);
    for (uint32_t i = l->messages_settled; i < l->messages_count; i++) {
        const message_row *m = message(l, i);
        if (m->asked && !m->answered && l->lives[m->life].alive)
            ledger_violation(l, "nobody was told what became of message %u", i);
    }
}

static void forget_publisher(session_row *s, uint32_t life) {
    uint32_t kept = 0;
    s->latest[life] = 0;
    s->without[life] = 0;
    for (uint32_t i = 0; i < s->keyed_count; i++)
        if (s->keyed[i].life != life)
            s->keyed[kept++] = s->keyed[i];
    s->keyed_count = kept;
}

/* Removes all traces of a life, because another life may take its number. */
static void forget_life(ledger *l, uint32_t life) {
    for (uint32_t other = 0; other < l->lives_count; other++) {
        l->met[life][other] = l->met[other][life] = false;
        l->away[life][other] = l->away[other][life] = 0;
        l->down[life][other] = l->down[other][life] = false;
    }
    for (uint32_t i = 0; i < l->sessions_count; i++)
        if (l->sessions[i] != NULL)
            forget_publisher(l->sessions[i], life);
    free(l->lives[life].open);
    l->lives[life] = (life_row){ .forgotten = true };
}

void ledger_forget(ledger *l, uint64_t dead_ms) {
    l->messages_settled = l->messages_count;
    for (uint32_t i = 0; i < l->sessions_count; i++) {
        if (l->sessions[i] == NULL)
            continue;
        l->sessions[i]->pending_count = 0;
        if (l->sessions[i]->open)
            continue;
        free_session(l->sessions[i]);
        l->sessions[i] = NULL;
    }
    for (uint32_t i = 0; i < l->lives_count; i++) {
        life_row *life = &l->lives[i];
        life->settled = life->accepted;
        forget_gaps(l->gaps[i], LEDGER_LIVES_MAX);
        forget_gaps(l->inbox_gaps[i], LEDGER_LOOPS_MAX);
        if (!life->forgotten && !life->alive && l->ms > life->died_ms + dead_ms)
            forget_life(l, i);
    }
}
