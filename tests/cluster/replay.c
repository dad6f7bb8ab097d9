#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include <wsfan/wsfan.h>

#include "recorder.h"

enum { JOIN_SLACK_MS = 3000, LOOK_MS = 500 };

/* From a recorder's numbers to the ledger's. */
typedef struct {
    uint32_t *values;
    uint32_t count;
    uint32_t capacity;
} numbers;

/* A log while it is read. */
typedef struct {
    const life_log *log;
    unsigned next;
    unsigned count;
    uint64_t id;
    uint32_t life;      /* the ledger's number */
    uint64_t looked_ms; /* at its joins */
    bool ended;         /* by itself; else it died */
    numbers messages;   /* UINT32_MAX: it was refused */
    numbers sessions;
} reader;

typedef struct {
    ledger *ledger;
    reader *readers;
    unsigned count;
    replay_totals *totals;
} player;

/* Numbers come one after another. */
static void note(numbers *known, uint32_t index, uint32_t value) {
    if (index != known->count)
        abort();
    if (known->count == known->capacity) {
        known->capacity = known->capacity * 2 + 64;
        known->values = realloc(known->values, known->capacity * sizeof *known->values);
        if (known->values == NULL)
            abort();
    }
    known->values[known->count++] = value;
}

static uint32_t message_of(const player *p, uint64_t publisher, uint32_t number) {
    for (unsigned i = 0; i < p->count; i++) {
        const reader *from = &p->readers[i];
        if (from->id == publisher && number < from->messages.count)
            return from->messages.values[number];
    }
    return UINT32_MAX;
}

static void play_publish(player *p, reader *from, const event *e) {
    uint32_t number = UINT32_MAX;
    if (e->kind == EVENT_PUBLISH) {
        ledger_targets targets = ledger_nobody();
        targets.chats = e->chats;
        targets.user = e->user;
        targets.all = e->all;
        if (e->except != UINT32_MAX)
            targets.except = from->sessions.values[e->except];
        number = ledger_publish(p->ledger, from->life, &targets, e->size, e->asked);
        p->totals->published++;
    } else {
        p->totals->refused++;
    }
    note(&from->messages, e->number, number);
}

static void play_gap(player *p, const reader *at, const event *e) {
    p->totals->gaps++;
    p->totals->missing += e->count;
    if (e->number > 1) /* the link with it is a new one */
        ledger_away(p->ledger, at->life, e->id);
    ledger_trace(p->ledger, "life %u: a gap of %llu", at->life, (unsigned long long)e->count);
    ledger_gap(p->ledger, at->life, e->id, e->count);
}

static void play_peer(player *p, const reader *at, const event *e) {
    ledger_trace(p->ledger, "life %u: peer %llx is in state %u", at->life,
                 (unsigned long long)e->id, e->number);
    if (e->number == WSFAN_PEER_UP)
        ledger_up(p->ledger, at->life, e->id);
    if (e->number == WSFAN_PEER_DOWN)
        ledger_away(p->ledger, at->life, e->id);
}

static void play_delivered(player *p, const reader *at, const event *e) {
    uint32_t number = message_of(p, e->id, e->number);
    if (number != UINT32_MAX && ledger_size(p->ledger, number) != e->size)
        ledger_violation(p->ledger, "message %u has another size", number);
    ledger_delivered(p->ledger, at->sessions.values[e->session], number);
}

static void play_broken(player *p, const reader *at, const event *e) {
    static const char *const texts[] = {
        "more under way than the window", "more queued than allowed",
        "more held than the window",      "another count of publishes",
        "another count of deliveries",    "a call failed"
    };
    ledger_violation(p->ledger, "life %u: %s (%llu)", at->life, texts[e->number],
                     (unsigned long long)e->count);
}

static void play(player *p, reader *at, const event *e) {
    ledger *l = p->ledger;
    switch ((event_kind)e->kind) {
    case EVENT_BORN:
        at->id = e->id;
        at->life = ledger_born(l, e->id, 0);
        break;
    case EVENT_PEER:
        play_peer(p, at, e);
        break;
    case EVENT_GAP:
        play_gap(p, at, e);
        break;
    case EVENT_INBOX_GAP:
        ledger_inbox_gap(l, at->life, e->loop, e->count);
        break;
    case EVENT_OPEN:
        note(&at->sessions, e->session, ledger_open(l, at->life, e->loop, e->user));
        break;
    case EVENT_CLOSE:
        ledger_close(l, at->sessions.values[e->session]);
        break;
    case EVENT_JOIN:
        ledger_join(l, at->sessions.values[e->session], e->chat);
        break;
    case EVENT_JOINED:
        ledger_joined(l, at->sessions.values[e->session], e->chat, (int)e->number == WSFAN_OK);
        break;
    case EVENT_LEAVE:
        ledger_leave(l, at->sessions.values[e->session], e->chat);
        break;
    case EVENT_PUBLISH:
    case EVENT_REFUSED:
        play_publish(p, at, e);
        break;
    case EVENT_DELIVERED:
        play_delivered(p, at, e);
        break;
    case EVENT_DAMAGED:
        ledger_violation(l, "life %u got a message that nobody published", at->life);
        break;
    case EVENT_RESULT:
        ledger_result(l, at->messages.values[e->number], e->whole);
        break;
    case EVENT_SLEPT:
        ledger_postpone_joins(l, at->life, e->count);
        break;
    case EVENT_BROKEN:
        play_broken(p, at, e);
        break;
    case EVENT_END:
        at->ended = true;
        break;
    }
}

/* While it writes events it runs, and joins come to their end. */
static void look_at_joins(player *p, reader *at, uint64_t ms) {
    if (ms < at->looked_ms + LOOK_MS)
        return;
    at->looked_ms = ms;
    ledger_check_joins(p->ledger, at->life, 2 * RECORDER_JOIN_MS_MAX + JOIN_SLACK_MS);
}

static reader *earliest(const player *p) {
    reader *first = NULL;
    for (unsigned i = 0; i < p->count; i++) {
        reader *r = &p->readers[i];
        if (r->next < r->count &&
            (first == NULL || r->log->events[r->next].ns < first->log->events[first->next].ns))
            first = r;
    }
    return first;
}

void replay(ledger *l, const life_log *const *logs, unsigned count, uint64_t began_ns,
            replay_totals *totals) {
    player p = { l, calloc(count, sizeof(reader)), count, totals };
    if (p.readers == NULL)
        abort();
    memset(totals, 0, sizeof *totals);
    for (unsigned i = 0; i < count; i++)
        p.readers[i] = (reader){ .log = logs[i], .count = atomic_load(&logs[i]->count) };
    reader *at;
    while ((at = earliest(&p)) != NULL) {
        const event *e = &at->log->events[at->next++];
        uint64_t ms = 1 + (e->ns > began_ns ? e->ns - began_ns : 0) / 1000000;
        ledger_set_time(l, ms);
        play(&p, at, e);
        if (e->kind != EVENT_BORN)
            look_at_joins(&p, at, ms);
        if (at->next == at->count && !at->ended)
            ledger_died(l, at->life);
    }
    for (unsigned i = 0; i < count; i++) {
        free(p.readers[i].messages.values);
        free(p.readers[i].sessions.values);
    }
    free(p.readers);
}
