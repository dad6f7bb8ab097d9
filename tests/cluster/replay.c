#include "replay.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <wsfan/peers.h>
#include <wsfan/wsfan.h>

#include "excerpt.h"
#include "presence.h"
#include "recorder.h"
#include "travels.h"

enum {
    JOIN_SLACK_MS = 3000,
    LOOK_MS = 500,
    DEAD_MS = 180000,               /* so long after its end peers may tell something of a node */
    CALM_MS = 8 * RECORDER_DOWN_MS, /* by then all links have healed */
    EXCERPT_MS = 60000,             /* so much is told of every node where something is wrong, */
    EXCERPT_LINES = 150,            /* these are the latest, */
    EXCERPT_EVENTS = 12,            /* and so many of all kinds of the node that showed it */
    SEARCHED = EVENTS_MAX           /* events of a log at most */
};

/* From a recorder's numbers to the ledger's; those below `first` are forgotten. */
typedef struct {
    uint32_t *values;
    uint32_t first;
    uint32_t count;
    uint32_t capacity;
} numbers;

/* A log while it is read. */
typedef struct {
    life_log *log;
    unsigned next;
    unsigned count;
    uint64_t id;        /* 0: not born yet */
    uint32_t life;      /* the ledger's number */
    uint64_t looked_ms; /* at its joins */
    bool dead;          /* writes no more */
    bool over;          /* nothing is left of it */
    numbers messages;
    numbers sessions;
} reader;

struct replay {
    ledger *ledger;
    presence *presence;
    travels *travels;
    uint64_t began_ns;
    uint64_t ms; /* of the ledger, never back */
    reader *readers;
    unsigned count;
    unsigned capacity;
    replay_totals totals;
    bool trouble;
    bool slow;
    uint64_t calm_ms;  /* since when there is none; of the ledger's clock */
    uint64_t shown_by; /* the node whose event was the first that may not be; 0: none */
    unsigned shown_at; /* behind that event */
};

/* Numbers come one after another. */
static void note(numbers *known, uint32_t index, uint32_t value) {
    if (index != known->first + known->count)
        abort();
    if (known->count == known->capacity) {
        known->capacity = known->capacity * 2 + 64;
        known->values = realloc(known->values, known->capacity * sizeof *known->values);
        if (known->values == NULL)
            abort();
    }
    known->values[known->count++] = value;
}

/* UINT32_MAX: forgotten, or never noted. */
static uint32_t value_of(const numbers *known, uint32_t index) {
    return index >= known->first && index - known->first < known->count
               ? known->values[index - known->first]
               : UINT32_MAX;
}

static uint32_t session_of(const reader *at, uint32_t number) {
    return value_of(&at->sessions, number);
}

static const reader *reader_of(const replay *r, uint64_t id) {
    for (unsigned i = 0; i < r->count; i++)
        if (r->readers[i].id == id)
            return &r->readers[i];
    return NULL;
}

static uint32_t message_of(const replay *r, uint64_t publisher, uint32_t number) {
    const reader *at = reader_of(r, publisher);
    return at == NULL ? UINT32_MAX : value_of(&at->messages, number);
}

static void play_publish(replay *r, reader *from, const event *e) {
    ledger_targets targets = ledger_nobody();
    targets.chats = e->chats;
    targets.user = e->user;
    targets.all = e->all;
    targets.slot = e->slot;
    if (e->except != UINT32_MAX)
        targets.except = session_of(from, e->except);
    uint32_t number = ledger_publish(r->ledger, from->life, &targets, e->size, e->asked);
    note(&from->messages, e->number, number);
    travels_publish(r->travels, from->life, number, targets.except, e);
    r->totals.published++;
}

static void play_refused(replay *r, reader *from, const event *e) {
    ledger_take_back(r->ledger, value_of(&from->messages, e->number));
    travels_refused(r->travels, value_of(&from->messages, e->number));
    r->totals.published--;
    r->totals.refused++;
}

static void play_result(replay *r, const reader *at, const event *e) {
    uint32_t number = value_of(&at->messages, e->number);
    if (number == UINT32_MAX)
        ledger_violation(r->ledger, "life %u got a result after all was at rest", at->life);
    else
        ledger_result(r->ledger, number, e->whole);
}

static void play_gap(replay *r, const reader *at, const event *e) {
    uint32_t peer = ledger_find(r->ledger, e->id);
    if (peer != UINT32_MAX)
        travels_gap(r->travels, at->life, peer, e->loop, e->count);
    if (e->loop != 0)
        return;
    r->totals.gaps++;
    r->totals.missing += e->count;
    if (e->number != 1) /* the link with it is a new one, or has ended meanwhile */
        ledger_away(r->ledger, at->life, e->id);
    ledger_trace(r->ledger, "life %u: a gap of %llu", at->life, (unsigned long long)e->count);
    ledger_gap(r->ledger, at->life, e->id, e->count);
}

/* Names and wall clocks that fail take no link down. */
static void check_down(replay *r, const reader *at, const event *e) {
    if (e->number == WSFAN_PEER_DOWN && e->count == WSFAN_REASON_TIMEOUT && !r->trouble &&
        r->calm_ms + CALM_MS <= r->ms)
        ledger_violation(r->ledger,
                         "life %u is told that %llx is down, and nothing was done to them",
                         at->life, (unsigned long long)e->id);
}

static void play_peer(replay *r, const reader *at, const event *e) {
    check_down(r, at, e);
    uint32_t peer = ledger_find(r->ledger, e->id);
    ledger_trace(r->ledger, "life %u: peer %llx is in state %u", at->life,
                 (unsigned long long)e->id, e->number);
    if (e->number == WSFAN_PEER_UP)
        ledger_up(r->ledger, at->life, e->id);
    if (e->number == WSFAN_PEER_DOWN)
        ledger_down(r->ledger, at->life, e->id);
    if (peer != UINT32_MAX) {
        presence_peer(r->presence, at->life, peer, e->number);
        travels_peer(r->travels, at->life, peer, e->number, (unsigned)e->count);
    } else if (e->number != WSFAN_PEER_REFUSED)
        ledger_violation(r->ledger, "life %u is told of a node that never was", at->life);
}

static void play_missing(replay *r, const reader *at, const event *e) {
    uint32_t life = ledger_find(r->ledger, e->id);
    if (life == UINT32_MAX)
        ledger_violation(r->ledger, "life %u: a join lacks a node that never was", at->life);
    else
        ledger_excuse(r->ledger, session_of(at, e->session), e->chat, life);
    if (life != UINT32_MAX)
        travels_session(r->travels, at->life, session_of(at, e->session), life, e);
}

/* A join that is partial names the peers that it is without; those that it does not name it is with. */
static void play_joined(replay *r, const reader *at, const event *e) {
    bool whole = (int)e->number == WSFAN_OK;
    bool partial = (int)e->number == WSFAN_EPARTIAL;
    if ((whole && e->count > 0) || (partial && e->count == 0))
        ledger_violation(r->ledger, "life %u: a join ends with %d and names %llu peers", at->life,
                         (int)e->number, (unsigned long long)e->count);
    ledger_joined(r->ledger, session_of(at, e->session), e->chat, whole);
    if (partial)
        ledger_promise(r->ledger, session_of(at, e->session), e->chat);
}

static void play_delivered(replay *r, const reader *at, const event *e) {
    uint32_t number = message_of(r, e->id, e->number);
    if (number != UINT32_MAX && ledger_size(r->ledger, number) != e->size)
        ledger_violation(r->ledger, "message %u has another size", number);
    travels_session(r->travels, at->life, session_of(at, e->session), number, e);
    if (e->replayed)
        r->totals.replayed++;
    else
        ledger_delivered(r->ledger, session_of(at, e->session), number);
}

static void play_broken(replay *r, const reader *at, const event *e) {
    static const char *const texts[] = {
        "more under way than the window", "more queued than allowed",
        "more held than the window",      "another count of publishes",
        "another count of deliveries",    "a call failed"
    };
    ledger_violation(r->ledger, "life %u: %s (%llu)", at->life, texts[e->number],
                     (unsigned long long)e->count);
}

static void play(replay *r, reader *at, const event *e) {
    ledger *l = r->ledger;
    switch ((event_kind)e->kind) {
    case EVENT_BORN:
        at->id = e->id;
        at->life = ledger_born(l, e->id, 0);
        presence_born(r->presence, at->life);
        travels_born(r->travels, at->life);
        break;
    case EVENT_PEER:
        play_peer(r, at, e);
        break;
    case EVENT_GAP:
        play_gap(r, at, e);
        break;
    case EVENT_INBOX_GAP:
        ledger_inbox_gap(l, at->life, e->loop, e->count);
        travels_inbox_gap(r->travels, at->life, e->loop, e->count);
        break;
    case EVENT_OPEN:
        note(&at->sessions, e->session, ledger_open(l, at->life, e->loop, e->user));
        presence_act(r->presence, at->life, e);
        break;
    case EVENT_CLOSE:
        ledger_close(l, session_of(at, e->session));
        travels_session(r->travels, at->life, session_of(at, e->session), UINT32_MAX, e);
        presence_act(r->presence, at->life, e);
        break;
    case EVENT_JOIN:
        ledger_join(l, session_of(at, e->session), e->chat);
        travels_session(r->travels, at->life, session_of(at, e->session), ledger_find(l, e->id), e);
        presence_act(r->presence, at->life, e);
        break;
    case EVENT_MISSING:
        play_missing(r, at, e);
        break;
    case EVENT_JOINED:
        play_joined(r, at, e);
        travels_session(r->travels, at->life, session_of(at, e->session), UINT32_MAX, e);
        break;
    case EVENT_POSITION:
        travels_session(r->travels, at->life, session_of(at, e->session), UINT32_MAX, e);
        break;
    case EVENT_LEAVE:
        ledger_leave(l, session_of(at, e->session), e->chat);
        presence_act(r->presence, at->life, e);
        break;
    case EVENT_PRESENCE:
        presence_news(r->presence, at->life, e);
        break;
    case EVENT_MEMBER:
        presence_member(r->presence, at->life, e);
        r->totals.members++;
        break;
    case EVENT_PUBLISH:
        play_publish(r, at, e);
        break;
    case EVENT_REFUSED:
        play_refused(r, at, e);
        break;
    case EVENT_DELIVERED:
        play_delivered(r, at, e);
        break;
    case EVENT_DAMAGED:
        ledger_violation(l, "life %u got a message that nobody published", at->life);
        break;
    case EVENT_RESULT:
        play_result(r, at, e);
        break;
    case EVENT_SLEPT:
        ledger_postpone_joins(l, at->life, e->count);
        presence_slept(r->presence, at->life);
        travels_slept(r->travels);
        r->calm_ms = r->ms; /* stopped, or on a machine that is busy with other things */
        break;
    case EVENT_BROKEN:
        play_broken(r, at, e);
        break;
    case EVENT_END:
        at->over = true; /* by itself: what its sessions lack must be explained */
        presence_died(r->presence, at->life);
        break;
    }
}

/* While it writes events it runs, and joins come to their end. */
static void look_at_joins(replay *r, reader *at, uint64_t ms) {
    if (ms < at->looked_ms + LOOK_MS)
        return;
    at->looked_ms = ms;
    ledger_check_joins(r->ledger, at->life,
                       2 * RECORDER_JOIN_MS_MAX + RECORDER_RECOVER_MS_MAX + JOIN_SLACK_MS);
}

static const event *next_of(const reader *at) {
    return &at->log->events[at->next % EVENTS_MAX];
}

static reader *earliest(const replay *r) {
    reader *first = NULL;
    for (unsigned i = 0; i < r->count; i++) {
        reader *at = &r->readers[i];
        if (at->next != at->count && (first == NULL || next_of(at)->ns < next_of(first)->ns))
            first = at;
    }
    return first;
}

/* Of who died nothing more comes. */
static void bury(replay *r, reader *at) {
    if (!at->dead || at->over || at->next != atomic_load(&at->log->count))
        return;
    if (at->id != 0) {
        ledger_died(r->ledger, at->life);
        presence_died(r->presence, at->life);
        travels_died(r->travels, at->life);
    }
    at->over = true;
}

static void note_violation(replay *r, const reader *at) {
    const char *texts[LEDGER_VIOLATIONS_MAX];
    if (r->shown_by != 0 || ledger_violations(r->ledger, texts) == 0)
        return;
    r->shown_by = at->id;
    r->shown_at = at->next;
}

void replay_until(replay *r, uint64_t ns) {
    for (unsigned i = 0; i < r->count; i++)
        r->readers[i].count = atomic_load(&r->readers[i].log->count);
    reader *at;
    while ((at = earliest(r)) != NULL && next_of(at)->ns <= ns) {
        const event *e = next_of(at);
        uint64_t ms = 1 + (e->ns > r->began_ns ? e->ns - r->began_ns : 0) / 1000000;
        r->ms = ms > r->ms ? ms : r->ms;
        ledger_set_time(r->ledger, r->ms);
        play(r, at, e);
        if (e->kind != EVENT_BORN)
            look_at_joins(r, at, r->ms);
        at->next++;
        note_violation(r, at);
        bury(r, at);
    }
    for (unsigned i = 0; i < r->count; i++) {
        atomic_store(&r->readers[i].log->read, r->readers[i].next);
        bury(r, &r->readers[i]);
    }
}

/* --------------------------------------------------------------------------------------- readers */

replay *replay_new(ledger *l, const recorder_config *config, uint64_t began_ns) {
    replay *r = calloc(1, sizeof *r);
    if (r == NULL)
        abort();
    r->ledger = l;
    r->presence = presence_new(l);
    r->travels = travels_new(l,
                             (travels_limits){ .history_ms = config->history_ms,
                                               .count_max = config->history_count_max,
                                               .chat_bytes_max = config->history_chat_bytes_max });
    r->began_ns = began_ns;
    return r;
}

static void release(const reader *at) {
    free(at->messages.values);
    free(at->sessions.values);
    munmap(at->log, sizeof *at->log);
}

void replay_destroy(replay *r) {
    for (unsigned i = 0; i < r->count; i++)
        release(&r->readers[i]);
    presence_destroy(r->presence);
    travels_destroy(r->travels);
    free(r->readers);
    free(r);
}

void replay_begin(replay *r, life_log *log) {
    if (r->count == r->capacity) {
        r->capacity = r->capacity * 2 + 8;
        r->readers = realloc(r->readers, r->capacity * sizeof *r->readers);
        if (r->readers == NULL)
            abort();
    }
    r->readers[r->count++] = (reader){ .log = log };
}

void replay_end(replay *r, const life_log *log) {
    for (unsigned i = 0; i < r->count; i++)
        if (r->readers[i].log == log)
            r->readers[i].dead = true;
}

void replay_forget(replay *r) {
    unsigned kept = 0;
    for (unsigned i = 0; i < r->count; i++) {
        reader *at = &r->readers[i];
        if (at->dead && at->over) {
            release(at);
            continue;
        }
        at->messages.first += at->messages.count;
        at->messages.count = 0;
        r->readers[kept++] = *at;
    }
    r->count = kept;
    ledger_forget(r->ledger, DEAD_MS);
    travels_forget(r->travels);
}

void replay_set_trouble(replay *r, bool trouble, bool slow, bool clocks) {
    uint64_t now_ms = 1 + (recorder_ns() - r->began_ns) / 1000000;
    if (r->trouble && !trouble)
        r->calm_ms = now_ms;
    if (r->slow != slow)
        presence_slow(r->presence, slow ? UINT64_MAX : now_ms);
    r->trouble = trouble;
    r->slow = slow;
    if (trouble || clocks)
        travels_trouble(r->travels, clocks);
}

void replay_check(replay *r) {
    presence_check(r->presence);
    travels_check(r->travels);
}

/* ----------------------------------------------------------------------------------------- texts */

static const char *name_of(const void *context, uint64_t id) {
    const reader *at = reader_of(context, id);
    return at == NULL ? "a node that is forgotten" : at->log->config.name;
}

/* The last events that hold, from the first of them on. */
static void tell_log(const replay *r, const reader *at, unsigned end, unsigned lines,
                     bool (*holds)(const replay *r, const event *e), FILE *out) {
    unsigned oldest = end > SEARCHED ? end - SEARCHED : 0;
    unsigned first = end;
    for (unsigned left = lines; first > oldest && left > 0; first--)
        left -= holds(r, &at->log->events[(first - 1) % EVENTS_MAX]);
    for (; first < end; first++) {
        const event *e = &at->log->events[first % EVENTS_MAX];
        if (holds(r, e))
            excerpt_write(out, e, r->began_ns, name_of, r);
    }
}

static bool any(const replay *r, const event *e) {
    (void)r;
    (void)e;
    return true;
}

static bool recent_and_telling(const replay *r, const event *e) {
    uint64_t ms = e->ns > r->began_ns ? (e->ns - r->began_ns) / 1000000 : 0;
    return excerpt_tells(e) && ms + EXCERPT_MS >= r->ms;
}

void replay_tell(const replay *r, FILE *out) {
    for (unsigned i = 0; i < r->count; i++) {
        const reader *at = &r->readers[i];
        if (at->id == 0)
            continue;
        fprintf(out, "  life %u is %s, %016llx%s\n", at->life, at->log->config.name,
                (unsigned long long)at->id, at->over ? ", which has ended" : "");
        tell_log(r, at, at->count, EXCERPT_LINES, recent_and_telling, out);
        if (at->id != r->shown_by)
            continue;
        fputs("    and the last of what it did and saw until it showed the violation:\n", out);
        tell_log(r, at, r->shown_at, EXCERPT_EVENTS, any, out);
    }
}

void replay_formed(replay *r) {
    travels_formed(r->travels);
}

void replay_calm(replay *r) {
    travels_calm(r->travels);
}

const travels_totals *replay_get_travels(const replay *r) {
    return travels_get_totals(r->travels);
}

const replay_totals *replay_get_totals(const replay *r) {
    return &r->totals;
}
