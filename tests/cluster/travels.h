/* What became of travellers, by the logs alone: the promise of docs/guarantees.md to who comes back with a position.
 * Lives, sessions and messages are numbered as in the ledger, which is told of what does not hold. Events are told in the
 * order of time. */
#ifndef TRAVELS_H
#define TRAVELS_H

#include "events.h"
#include "ledger.h"

typedef struct {
    uint64_t whole;      /* of these verdicts, */
    uint64_t moved;      /* on another node than the position's */
    uint64_t replayed;   /* messages that were to be */
    uint64_t excused;    /* that did not come, and a gap was told of them */
    uint64_t required;   /* messages that had to come */
    uint64_t others[16]; /* by wsfan_recovery */
} travels_totals;

typedef struct travels travels;

/* What all nodes have in common. history_ms 0: off. */
typedef struct {
    uint32_t history_ms;
    uint32_t count_max;
    uint32_t chat_bytes_max;
} travels_limits;

travels *travels_new(ledger *l, travels_limits limits);
void travels_destroy(travels *t);

void travels_born(travels *t, uint32_t life);
void travels_died(travels *t, uint32_t life);
void travels_slept(travels *t);

/* All that live have met: the cluster's epoch is theirs, as it is the oldest. */
void travels_formed(travels *t);

/* Something that may cost a link, or clocks that are wrong, begins or is still there. */
void travels_trouble(travels *t, bool clocks);

/* All has healed, and is at rest: from now on, until there is trouble, positions that are told are good. */
void travels_calm(travels *t);

void travels_peer(travels *t, uint32_t life, uint32_t other, unsigned peer_event, unsigned reason);
void travels_gap(travels *t, uint32_t life, uint32_t other, unsigned loop, uint64_t count);
void travels_inbox_gap(travels *t, uint32_t life, unsigned loop, uint64_t count);

/* except: the ledger's, for the event's. */
void travels_publish(travels *t, uint32_t life, uint32_t message, uint32_t except, const event *e);
void travels_refused(travels *t, uint32_t message);

/* A session of that life does or sees what the event says: OPEN, JOIN, JOINED, MISSING (other: whom it lacks), POSITION,
 * CLOSE, DELIVERED (other: the ledger's message). of: the life whose position it hands in, UINT32_MAX: it is forgotten. */
void travels_session(travels *t, uint32_t life, uint32_t session, uint32_t other, const event *e);

/* When all is at rest. */
void travels_check(travels *t);
void travels_forget(travels *t);

const travels_totals *travels_get_totals(const travels *t);

#endif
