/* Recorders in network namespaces of their own, what is done to them, and the ledger that follows them
 * while they run. A seed chooses how many they are, how they find each other, their keys, and what
 * happens; the kernel's timing is its own. */
#ifndef RECORDERS_H
#define RECORDERS_H

#include <sys/types.h>

#include "fault.h"
#include "memory.h"
#include "network.h"
#include "recorder.h"
#include "replay.h"
#include "travellers.h"

enum {
    RECORDERS_MAX = NETWORK_HOSTS_MAX - 1, /* one host is for a twin */
    RECORDERS_ACTIVE_MAX = 3,
    RECORDERS_HISTORY_MAX = 256,
    RECORDERS_HEAL_MS_MAX = 8 * RECORDER_DOWN_MS, /* all must be linked again by then */
    RECORDERS_REST_MS_MAX = 60000                 /* and at rest */
};

/* How nodes find each other. name, text */
#define NAMING_LIST(X)                                                                             \
    X(NAMING_ADDRESSES, "addresses") /* every host's are named, */                                 \
    X(NAMING_TWO, "two")             /* or those of two hosts */                                   \
    X(NAMING_DNS, "dns")             /* one name has the addresses of all */                       \
    X(NAMING_NAMES, "names")         /* each host has a name */                                    \
    X(NAMING_SERVICE, "service")     /* one address leads to any of them */

#define KEYS_LIST(X)                                                                               \
    X(KEYS_NONE, "none")                                                                           \
    X(KEYS_SHARED, "shared")                                                                       \
    X(KEYS_EACH, "each")

#define CARRIER_LIST(X)                                                                            \
    X(CARRIER_ZMQ, "zmq")                                                                          \
    X(CARRIER_NATS, "nats") /* nobody is named, and there are no keys */

/* What is kept for those who come back. */
#define HISTORY_LIST(X)                                                                            \
    X(HISTORY_OFF, "off")                                                                          \
    X(HISTORY_SMALL, "small") /* so little that it is often gone */                                \
    X(HISTORY_LARGE, "large")

#define CHOICE_ENUM(name, text) name,
typedef enum { NAMING_LIST(CHOICE_ENUM) NAMING_COUNT } naming_kind;
typedef enum { KEYS_LIST(CHOICE_ENUM) KEYS_COUNT } keys_kind;
typedef enum { CARRIER_LIST(CHOICE_ENUM) CARRIER_COUNT } carrier_kind;
typedef enum { HISTORY_LIST(CHOICE_ENUM) HISTORY_COUNT } history_kind;
#undef CHOICE_ENUM

typedef struct {
    pid_t pid; /* 0: does not run */
    unsigned address;
    life_log *log;
    int64_t wall_s;       /* its clock's error, which outlives it */
    memory_series memory; /* of this life */
} process;

typedef struct {
    uint64_t seed;
    bool verbose;
    unsigned steady;         /* the first so many are never killed, where there are more */
    unsigned messages_per_s; /* of all together */
    unsigned long_one_in;    /* of so many faults one takes seconds */
    carrier_kind carrier;
    uint32_t only;  /* bits: kinds of faults; 0: all */
    unsigned count; /* nodes; 0, and the three counts below: by the seed */
    naming_kind naming;
    keys_kind keys;
    history_kind kept;

    uint64_t random;
    uint64_t began_ns;
    recorder_config config; /* what all have in common */
    char secret_keys[NETWORK_HOSTS_MAX][CONFIG_KEY_SIZE];
    process nodes[NETWORK_HOSTS_MAX]; /* behind the others, the twin of one of them */
    unsigned lives;
    fault active[RECORDERS_ACTIVE_MAX];
    unsigned active_count;
    unsigned counts[FAULT_COUNT];
    char history[RECORDERS_HISTORY_MAX][120]; /* of faults, as lines */
    unsigned history_count;
    ledger *ledger;
    replay *replay;
    travellers *travellers;
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

/* With the fields before `random` set: makes the network, starts all, waits until they have met. Returns
 * as network_make(). Once in a process. */
int recorders_open(recorders *r);

uint64_t recorders_below(recorders *r, uint64_t below); /* by the seed */
uint64_t recorders_ms(const recorders *r);

/* Says that something is not as promised, and why as far as is known. */
void recorders_violation(recorders *r, const char *text, unsigned node);

/* Lets them run a moment, and checks what they did. Everything below does that while it waits. */
void recorders_step(recorders *r);
void recorders_run(recorders *r, uint64_t ms);

/* A fault begins, of one of the kinds that have been least often. None does when as many are active as
 * may be, or when it is not possible just now. */
void recorders_break(recorders *r);
void recorders_mend(recorders *r, bool all); /* faults that are due, or all */

/* After the faults have ended: all meet again, come to rest, and are checked. What was settled is
 * forgotten, and they go on. */
void recorders_settle(recorders *r);

/* The same, but they end. */
void recorders_close(recorders *r);

/* The options that every program has, and one of the given name with a number of 1..max, which may be
 * missing only where *value is not 0; a second one likewise, where its name is not NULL. False where
 * there is anything else. */
typedef struct {
    const char *name;
    uint64_t max;
    uint64_t *value;
} recorders_number;
#define RECORDERS_USAGE                                                                            \
    "[--seed S] [--nodes 2..12] [--only FAULT,FAULT...] [--naming KIND] [--keys KIND] "            \
    "[--history KIND] [--carrier zmq|nats] [--verbose]"
bool recorders_options(recorders *r, int count, char **values, recorders_number first,
                       recorders_number second);

/* The totals; frees what is left. */
void recorders_report(recorders *r);

#endif
