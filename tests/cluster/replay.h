/* The logs of all lives, in the order of time, against the simulator's ledger: the same invariants.
 * They are read while they are written. */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdio.h>

#include "events.h"
#include "ledger.h"
#include "travels.h"

typedef struct {
    uint64_t published;
    uint64_t refused;
    uint64_t gaps;
    uint64_t missing; /* messages of gaps that were counted */
    uint64_t members; /* that loops were told of */
    uint64_t replayed;
} replay_totals;

typedef struct replay replay;

/* config: what all have in common. began_ns: from then on the ledger counts its time. */
replay *replay_new(ledger *l, const recorder_config *config, uint64_t began_ns);
void replay_destroy(replay *r);

/* A life that begins; its log is unmapped when nobody needs it any more. */
void replay_begin(replay *r, life_log *log);

/* That process has ended, and writes no more. */
void replay_end(replay *r, const life_log *log);

/* Whether anything is done to nodes or wires just now that may cost a link. Without it, and for some time
 * before, no peer may be down for want of signs of life. slow: a wire is, and may carry things late. clocks: one
 * is wrong. */
void replay_set_trouble(replay *r, bool trouble, bool slow, bool clocks);

/* All that run have met for the first time. */
void replay_formed(replay *r);

/* All has healed, what it did was checked, and now nothing happens to them. */
void replay_calm(replay *r);

/* Plays what happened up to then. An act is written down before others see it, so what is written
 * later than its time says could not have been seen yet. */
void replay_until(replay *r, uint64_t ns);

/* When all has come to rest: loops think that those are there who are, and nodes that all others are up.
 * What the ledger checks is not among it. */
void replay_check(replay *r);

/* What the nodes did and saw of late, as far as it is told in lines of text. */
void replay_tell(const replay *r, FILE *out);

/* When all has come to rest and was checked: forgets it, as the ledger does. */
void replay_forget(replay *r);

const replay_totals *replay_get_totals(const replay *r);
const travels_totals *replay_get_travels(const replay *r);

#endif
