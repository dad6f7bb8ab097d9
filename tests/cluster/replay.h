/* The logs of all lives, in the order of time, against the simulator's ledger: the same invariants. */
#ifndef REPLAY_H
#define REPLAY_H

#include "events.h"
#include "ledger.h"

typedef struct {
    uint64_t published;
    uint64_t refused;
    uint64_t gaps;
    uint64_t missing; /* messages of gaps that were counted */
} replay_totals;

void replay(ledger *l, const life_log *const *logs, unsigned count, uint64_t began_ns,
            replay_totals *totals);

#endif
