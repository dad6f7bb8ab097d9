/* Everything that was published, who had to get it, and what arrived: the invariants of
 * docs/reliability.md, as far as they can be seen from outside. Knows no core and no network. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEDGER_LIVES_MAX = 320,   /* starts of nodes in one run */
    LEDGER_LOOPS_MAX = 2,     /* of a node */
    LEDGER_CHATS_MAX = 32,    /* a set of them is 32 bits */
    LEDGER_VIOLATIONS_MAX = 8 /* that are kept */
};

typedef struct ledger ledger;

enum { LEDGER_OUT_MAX = 4 };

/* A message's targets, and who is left out of them. */
typedef struct {
    uint32_t chats; /* bits */
    int user;       /* -1: none */
    bool all;
    uint32_t session;   /* UINT32_MAX: none, here and below */
    uint32_t life;      /* of a node */
    uint32_t except;    /* session */
    uint32_t not_chats; /* bits */
    int not_user;
    uint32_t not_life;
    uint32_t not_sessions[LEDGER_OUT_MAX];
    uint32_t slot; /* of a latest value; 0: it is none */
} ledger_targets;

/* For nobody. */
ledger_targets ledger_nobody(void);

ledger *ledger_new(void);
void ledger_destroy(ledger *l);
void ledger_set_time(ledger *l, uint64_t ms);

/* Says what happens, where somebody wants to know. */
void ledger_set_trace(ledger *l, bool on);
void ledger_trace(const ledger *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says that an invariant does not hold. */
void ledger_violation(ledger *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t ledger_violations(const ledger *l, const char *texts[LEDGER_VIOLATIONS_MAX]);

/* Lives of nodes. A life's number is below LEDGER_LIVES_MAX. Only nodes of one kind may be peers. */
uint32_t ledger_born(ledger *l, uint64_t node, unsigned kind);
uint32_t ledger_lives_left(const ledger *l); /* so many more can be born */
void ledger_died(ledger *l, uint32_t life);
bool ledger_alive(const ledger *l, uint32_t life);
uint32_t ledger_find(const ledger *l, uint64_t node); /* UINT32_MAX: no life that is remembered */
void ledger_up(ledger *l, uint32_t life, uint64_t peer);
void ledger_away(ledger *l, uint32_t life,
                 uint64_t peer); /* it is down, or its link is a new one */
void ledger_gap(ledger *l, uint32_t life, uint64_t peer, uint64_t count);
void ledger_inbox_gap(ledger *l, uint32_t life, unsigned loop, uint64_t count);

/* Sessions. */
uint32_t ledger_open(ledger *l, uint32_t life, unsigned loop, int user);
void ledger_set_handle(ledger *l, uint32_t session, uint64_t handle);
uint64_t ledger_handle(const ledger *l, uint32_t session); /* 0: it is forgotten */
void ledger_close(ledger *l, uint32_t session);
void ledger_join(ledger *l, uint32_t session, unsigned chat);
void ledger_joined(ledger *l, uint32_t session, unsigned chat, bool whole);
void ledger_leave(ledger *l, uint32_t session, unsigned chat);
uint32_t ledger_chats(const ledger *l, uint32_t session);               /* bits */
bool ledger_open_since(const ledger *l, uint32_t session, uint64_t ms); /* it was, at some time */

/* Which of a session's memberships of a chat this one is; 0: it is not in it. */
uint32_t ledger_membership(const ledger *l, uint32_t session, unsigned chat);
/* on_joined said that it hears that publisher. */
bool ledger_told(const ledger *l, uint32_t session, unsigned chat, uint32_t life);

/* From now on every broadcast to the chat must reach it, whatever on_joined said. */
void ledger_promise(ledger *l, uint32_t session, unsigned chat);

/* Until it joins the chat again, those of that publisher need not. */
void ledger_excuse(ledger *l, uint32_t session, unsigned chat, uint32_t life);

uint32_t ledger_sessions(const ledger *l);
uint32_t ledger_life(const ledger *l, uint32_t session);          /* UINT32_MAX: the same */
bool ledger_at(const ledger *l, uint32_t session, uint32_t life); /* open there */
unsigned ledger_loop(const ledger *l, uint32_t session);
bool ledger_addresses(const ledger *l, uint32_t session, const ledger_targets *targets);
bool ledger_mutual(const ledger *l, uint32_t a, uint32_t b); /* lives that have met */
uint64_t ledger_ms(const ledger *l);
uint64_t ledger_node(const ledger *l, uint32_t life);

/* Joins that are not complete after so long, and not for want of running, are violations. */
void ledger_check_joins(ledger *l, uint32_t life, uint64_t ms_max);
void ledger_postpone_joins(ledger *l, uint32_t life, uint64_t ms); /* it did not run so long */

/* Messages. Their number goes into the payload. */
uint32_t ledger_publish(ledger *l, uint32_t life, const ledger_targets *targets, size_t size,
                        bool asked);
size_t ledger_size(const ledger *l, uint32_t message);
void ledger_delivered(ledger *l, uint32_t session, uint32_t message);

/* What a publisher that asked was told. */
void ledger_result(ledger *l, uint32_t message, bool whole);

/* It was not accepted after all. */
void ledger_take_back(ledger *l, uint32_t message);

/* At the end, when everything has healed and is quiet. */
void ledger_check(ledger *l);

/* After that, when it goes on for long: forgets messages, what is missing and the gaps that explain it,
 * closed sessions, and lives that ended more than `dead_ms` ago. Their numbers are not used again,
 * except that a life may get that of one that is forgotten. */
void ledger_forget(ledger *l, uint64_t dead_ms);
uint64_t ledger_deliveries(const ledger *l);
uint64_t ledger_explained(const ledger *l); /* messages that loops lack, and gaps told of them */
uint64_t ledger_accepted(const ledger *l, uint32_t life);

#endif
