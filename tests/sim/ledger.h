/* Everything that was published, who had to get it, and what arrived: the invariants of
 * docs/reliability.md, as far as they can be seen from outside. Knows no core and no network. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEDGER_LIVES_MAX = 160,   /* starts of nodes in one run */
    LEDGER_LOOPS_MAX = 2,     /* of a node */
    LEDGER_CHATS_MAX = 32,    /* a set of them is 32 bits */
    LEDGER_VIOLATIONS_MAX = 8 /* that are kept */
};

typedef struct ledger ledger;

/* A message's targets. */
typedef struct {
    uint32_t chats;  /* bits */
    int user;        /* -1: none */
    bool all;
    uint32_t except; /* session; UINT32_MAX: nobody */
    uint32_t slot;   /* of a latest value; 0: it is none */
} ledger_targets;

ledger *ledger_new(void);
void ledger_destroy(ledger *l);
void ledger_set_time(ledger *l, uint64_t ms);

/* Says what happens, where somebody wants to know. */
void ledger_set_trace(ledger *l, bool on);
void ledger_trace(const ledger *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says that an invariant does not hold. */
void ledger_violation(ledger *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t ledger_violations(const ledger *l, const char *texts[LEDGER_VIOLATIONS_MAX]);

/* Lives of nodes. A life's number is below LEDGER_LIVES_MAX. */
uint32_t ledger_born(ledger *l, uint64_t node);
void ledger_died(ledger *l, uint32_t life);
bool ledger_alive(const ledger *l, uint32_t life);
void ledger_up(ledger *l, uint32_t life, uint64_t peer);
void ledger_away(ledger *l, uint32_t life, uint64_t peer); /* it is down, or its link is a new one */
void ledger_gap(ledger *l, uint32_t life, uint64_t peer, uint64_t count);
void ledger_inbox_gap(ledger *l, uint32_t life, unsigned loop);

/* Sessions. */
uint32_t ledger_open(ledger *l, uint32_t life, unsigned loop, int user);
void ledger_close(ledger *l, uint32_t session);
void ledger_join(ledger *l, uint32_t session, unsigned chat);
void ledger_joined(ledger *l, uint32_t session, unsigned chat, bool whole);
void ledger_leave(ledger *l, uint32_t session, unsigned chat);
uint32_t ledger_chats(const ledger *l, uint32_t session); /* bits */

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

/* At the end, when everything has healed and is quiet. */
void ledger_check(ledger *l);
uint64_t ledger_deliveries(const ledger *l);
uint64_t ledger_accepted(const ledger *l, uint32_t life);

#endif
