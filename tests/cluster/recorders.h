/* Five recorders in five network namespaces, what is done to them, and the ledger that follows them
 * while they run. A seed chooses what happens; the kernel's timing is its own. */
#ifndef RECORDERS_H
#define RECORDERS_H

#include <sys/types.h>

#include "memory.h"
#include "recorder.h"
#include "replay.h"

enum { RECORDERS = 5, RECORDERS_ACTIVE_MAX = 3, RECORDERS_HEAL_MS_MAX = 60000 };

/* name, text */
#define FAULT_LIST(X)                                                                              \
    X(CUT_BOTH, "cut_both_ways")                                                                   \
    X(CUT_ONE_WAY, "cut_one_way")                                                                  \
    X(ISOLATE, "cut_from_all")                                                                     \
    X(UNPLUG, "link_down")                                                                         \
    X(STOP, "sigstop")                                                                             \
    X(KILL, "sigkill_restart_same_address")                                                        \
    X(MOVE, "sigkill_restart_other_address")

#define FAULT_ENUM(name, text) name,
typedef enum { FAULT_LIST(FAULT_ENUM) FAULT_COUNT } fault_kind;
#undef FAULT_ENUM

typedef struct {
    fault_kind kind;
    unsigned node;
    unsigned other;
    uint64_t until_ms;
} fault;

typedef struct {
    pid_t pid; /* 0: does not run */
    unsigned address;
    life_log *log;
    memory_series memory; /* of this life */
} process;

typedef struct {
    uint64_t seed;
    bool verbose;
    unsigned steady;         /* the first so many are never killed */
    unsigned messages_per_s; /* of each */
    unsigned long_one_in;    /* of so many faults one takes seconds */

    uint64_t random;
    uint64_t began_ns;
    recorder_config config; /* what all have in common */
    process nodes[RECORDERS];
    unsigned lives;
    fault active[RECORDERS_ACTIVE_MAX];
    unsigned active_count;
    unsigned counts[FAULT_COUNT];
    ledger *ledger;
    replay *replay;
    memory_series memory; /* of the test itself */
    uint64_t sampled_ms;
    uint64_t compared; /* counts of a chat by a node that were as they must be */
    size_t told;       /* of the ledger's violations */
    unsigned violations;
} recorders;

/* The main() of a recorder's process, which recorders_open() and the faults start: where the first
 * argument is RECORDERS_ARGUMENT, it is what the program has to do. */
#define RECORDERS_ARGUMENT "--recorder"
int recorders_main(const char *log_descriptor);

/* With the fields before `random` set: makes the network, starts all, waits until they have met. */
void recorders_open(recorders *r);

uint64_t recorders_below(recorders *r, uint64_t below); /* by the seed */
uint64_t recorders_ms(const recorders *r);

/* Lets them run a moment, and checks what they did. Everything below does that while it waits. */
void recorders_step(recorders *r);
void recorders_run(recorders *r, uint64_t ms);

/* A fault begins: of the first kind, counted from `first` on, that has not been yet, or else of any.
 * None does when as many are active as may be, or when it is not possible just now. */
void recorders_break(recorders *r, unsigned first);
void recorders_mend(recorders *r, bool all); /* faults that are due, or all */

/* After the faults have ended: all meet again, come to rest, and are checked. What was settled is
 * forgotten, and they go on. */
void recorders_settle(recorders *r);

/* The same, but they end. */
void recorders_close(recorders *r);

/* --seed N, --verbose, and an option of the given name with a number of 1..max, which may be missing
 * only where *value is not 0. False where there is anything else. */
bool recorders_options(recorders *r, int count, char **values, const char *name, uint64_t max,
                       uint64_t *value);

/* The totals; frees what is left. */
void recorders_report(recorders *r);

#endif
