/* What is known of visits, and of the lives and messages that they meet: shared by travels.c, which plays the events, and
 * verdicts.c. */
#ifndef VISITS_H
#define VISITS_H

#include <wsfan/history.h>

#include "travellers.h"
#include "travels.h"

enum {
    STEADY_MS = 2000, /* a link that stands so long has told all that it tells in the beginning */
    INBOX = LEDGER_LIVES_MAX,
    OPEN = 0,     /* of a message to a visit: it is to come */
    OPTIONAL = 1, /* may come, and need not */
    BEFORE = 2,   /* came in a visit before */
    FIRST = 3     /* and from here on, came in this one: in which order */
};

typedef struct {
    uint64_t at; /* which event this is of all */
    uint64_t ms;
} moment;

typedef struct {
    uint32_t number; /* the ledger's, as are the next two */
    uint32_t life;
    uint32_t except;
    bool refused;
    moment published;
    uint8_t met[LEDGER_LIVES_MAX / 8]; /* bits: lives that the publisher had a link with by then */
} kept_message;

typedef struct {
    kept_message *messages; /* for this chat, no latest values, in the order of their numbers */
    uint32_t count;
    uint32_t capacity;
    uint64_t bytes; /* of all of its messages */
    uint64_t all;   /* of them, latest values too */
    uint32_t publishers;
    uint8_t published[LEDGER_LIVES_MAX / 8]; /* bits: lives that did */
} chat_page;

typedef struct {
    uint32_t visit;
    uint32_t order; /* of the last message before it */
    bool exact;     /* that of the join was there */
    moment told;
} position;

typedef struct {
    uint32_t session;
    uint32_t life;
    unsigned loop;
    unsigned chat;
    uint32_t traveller;
    handed_kind handed;
    uint32_t rewind_count;
    uint32_t from; /* visit */
    position by;
    bool joined;
    bool open;
    wsfan_recovery verdict;
    moment told;
    uint32_t to_replay;
    uint32_t order;
    uint32_t *got; /* of each message of the chat, by its index; behind them: OPEN */
    uint32_t got_count;
    uint32_t last[LEDGER_LIVES_MAX]; /* the newest message of each publisher, + 1 */
    uint8_t
        without[LEDGER_LIVES_MAX / 8]; /* bits: publishers that its join was told to be without */
    uint8_t up[LEDGER_LIVES_MAX / 8];  /* bits: publishers that were up at the verdict */
} visit;

typedef struct {
    uint32_t of; /* life, or INBOX */
    unsigned loop;
    uint64_t count;
    moment told;
} told_gap;

typedef struct {
    bool alive;
    bool first; /* of those that formed the cluster */
    uint64_t died_ms;
    position *positions; /* by serial, from 1 */
    uint32_t positions_first;
    uint32_t positions_count;
    uint32_t positions_capacity;
    told_gap *gaps;
    uint32_t gaps_count;
    uint32_t gaps_capacity;
    uint8_t state[LEDGER_LIVES_MAX]; /* of each peer; 0: never met */
    uint64_t state_ms[LEDGER_LIVES_MAX];
    bool parted[LEDGER_LIVES_MAX]; /* it said goodbye, so all that it published was told of */
} life_page;

struct travels {
    ledger *ledger;
    travels_limits limits;
    uint64_t events;
    uint64_t
        troubled_at;  /* of events: the last of what may cost a link, a message or time; 0: none */
    uint64_t calm_at; /* 0: not yet */
    bool clocks;      /* some was wrong */
    uint64_t formed_at; /* of events; 0: not yet */
    bool lossy;         /* there was a gap, a death or trouble at all */
    chat_page chats[TRAVELLERS_CHATS];
    life_page *lives[LEDGER_LIVES_MAX];
    visit **visits;
    uint32_t visits_count;
    uint32_t visits_capacity;
    uint32_t *by_session; /* visit + 1, 0: none */
    uint32_t sessions_capacity;
    travels_totals totals;
};

static inline bool bit(const uint8_t *bits, uint32_t i) {
    return (bits[i / 8] >> (i % 8) & 1) != 0;
}

static inline void set_bit(uint8_t *bits, uint32_t i) {
    bits[i / 8] |= (uint8_t)(1u << (i % 8));
}

/* Whether the life has had a link with the other one for long. */
bool travels_steady(const travels *t, uint32_t life, uint32_t other);

/* Something does not hold of a visit: tells the ledger. */
void travels_broken(travels *t, const visit *v, const char *what);

/* What a visit was told of the position that it handed in. */
void travels_check_verdict(travels *t, const visit *v, uint32_t replayed);

#endif
