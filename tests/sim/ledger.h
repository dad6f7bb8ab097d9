/* Every message, the sessions that had to get it, and what arrived: the invariants of docs/reliability.md, as
 * far as they show from outside. Knows no core and no network. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEDGER_LIVES_MAX = 640,   /* starts of nodes in one run */
    LEDGER_LOOPS_MAX = 2,     /* of a node */
    LEDGER_CHATS_MAX = 32,    /* a set of them is 32 bits */
    LEDGER_VIOLATIONS_MAX = 8 /* that are kept */
};

typedef struct ledger ledger;

enum { LEDGER_OUT_MAX = 4 };

/* A message's targets, and what is left out of them. */
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
    uint32_t slot; /* of a latest value; 0: an ordinary message */
} ledger_targets;

/* Targets that address nobody. */
ledger_targets ledger_nobody(void);

ledger *ledger_new(void);
void ledger_destroy(ledger *l);
void ledger_set_time(ledger *l, uint64_t ms);

/* Prints what happens, if the trace is on. */
void ledger_set_trace(ledger *l, bool on);
void ledger_trace(const ledger *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Notes that an invariant does not hold. */
void ledger_violation(ledger *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t ledger_violations(const ledger *l, const char *texts[LEDGER_VIOLATIONS_MAX]);

/* Lives of nodes. A life's number is below LEDGER_LIVES_MAX. Only nodes of one kind may be peers. */
uint32_t ledger_born(ledger *l, uint64_t node, unsigned kind);
uint32_t ledger_lives_left(const ledger *l); /* so many more can be born */
void ledger_died(ledger *l, uint32_t life);
bool ledger_alive(const ledger *l, uint32_t life);
uint32_t ledger_find(const ledger *l, uint64_t node); /* UINT32_MAX: no life that is remembered */
void ledger_up(ledger *l, uint32_t life, uint64_t peer);
void ledger_down(ledger *l, uint32_t life, uint64_t peer);
void ledger_away(ledger *l, uint32_t life,
                 uint64_t peer); /* the peer is down, or its link is a new one */
void ledger_gap(ledger *l, uint32_t life, uint64_t peer, uint64_t count);
void ledger_inbox_gap(ledger *l, uint32_t life, unsigned loop, uint64_t count);

/* Sessions. */
uint32_t ledger_open(ledger *l, uint32_t life, unsigned loop, int user);
void ledger_set_handle(ledger *l, uint32_t session, uint64_t handle);
uint64_t ledger_handle(const ledger *l, uint32_t session); /* 0: the session is forgotten */
void ledger_close(ledger *l, uint32_t session);
void ledger_join(ledger *l, uint32_t session, unsigned chat);

/* The session that joins gets nothing of the chat before on_joined, whatever a request that joins it too is told. */
void ledger_park(ledger *l, uint32_t session, unsigned chat);
void ledger_joined(ledger *l, uint32_t session, unsigned chat, bool whole);
void ledger_leave(ledger *l, uint32_t session, unsigned chat);
uint32_t ledger_chats(const ledger *l, uint32_t session);               /* bits */
bool ledger_open_since(const ledger *l, uint32_t session, uint64_t ms); /* at some time since */

/* The number of a session's membership of a chat, counted over its life; 0: not a member. */
uint32_t ledger_membership(const ledger *l, uint32_t session, unsigned chat);
/* Whether on_joined said that the session hears that publisher. */
bool ledger_told(const ledger *l, uint32_t session, unsigned chat, uint32_t life);

/* Every broadcast to the chat must reach the session from now on, even if on_joined did not say so. */
void ledger_promise(ledger *l, uint32_t session, unsigned chat);

/* Broadcasts of that publisher need not reach the session until it joins the chat again. */
void ledger_excuse(ledger *l, uint32_t session, unsigned chat, uint32_t life);

uint32_t ledger_sessions(const ledger *l);
uint32_t ledger_life(const ledger *l, uint32_t session);          /* UINT32_MAX: it is forgotten */
bool ledger_at(const ledger *l, uint32_t session, uint32_t life); /* whether it is open there */
unsigned ledger_loop(const ledger *l, uint32_t session);
bool ledger_addresses(const ledger *l, uint32_t session, const ledger_targets *targets);
bool ledger_mutual(const ledger *l, uint32_t a, uint32_t b); /* lives that have met */
uint64_t ledger_ms(const ledger *l);
uint64_t ledger_node(const ledger *l, uint32_t life);

/* Joins that are not complete after ms_max of running time are violations. */
void ledger_check_joins(ledger *l, uint32_t life, uint64_t ms_max);
void ledger_postpone_joins(ledger *l, uint32_t life, uint64_t ms); /* of not running */

/* Messages. A message's number goes into its payload. */
uint32_t ledger_publish(ledger *l, uint32_t life, const ledger_targets *targets, size_t size,
                        bool asked);
size_t ledger_size(const ledger *l, uint32_t message);
void ledger_delivered(ledger *l, uint32_t session, uint32_t message);

/* What a publisher that asked for a result was told. */
void ledger_result(ledger *l, uint32_t message, bool whole);

/* The message was not accepted after all. */
void ledger_take_back(ledger *l, uint32_t message);

/* Checks everything, at the end: when all has healed and is quiet. */
void ledger_check(ledger *l);

/* Forgets messages, what is missing and the gaps that explain it, closed sessions, and lives that ended more
 * than `dead_ms` ago, so that a run can go on after ledger_check(). Only numbers of lives are used again. */
void ledger_forget(ledger *l, uint64_t dead_ms);
uint64_t ledger_deliveries(const ledger *l);
uint64_t ledger_explained(const ledger *l); /* missing messages that gaps explain */
uint64_t ledger_accepted(const ledger *l, uint32_t life);

#endif
