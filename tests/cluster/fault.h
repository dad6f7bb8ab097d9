/* What is done to recorders: kinds of faults, to whom, how strongly and for how long, as a seed chooses. */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "switch.h"

/* name, text */
#define FAULT_LIST(X)                                                                              \
    X(CUT, "cut")          /* packets vanish, */                                                   \
    X(UNPLUG, "link_down") /* and the host is told */                                              \
    X(HALVES, "halves")    /* two that do not reach each other, */                                 \
    X(RING, "ring")        /* everyone reaches its neighbours only, */                             \
    X(BRIDGE, "bridge")    /* two halves and one that reaches both */                              \
    X(FLAP, "flapping")                                                                            \
    X(LOSS, "loss")                                                                                \
    X(DELAY, "delay")                                                                              \
    X(REORDER, "reordering")                                                                       \
    X(DOUBLE, "duplicates")                                                                        \
    X(SLOW, "slow_wire")                                                                           \
    X(RESET, "resets")                                                                             \
    X(FLIP, "bit_errors") /* that pass the checksum of TCP */                                      \
    X(STOP, "sigstop")                                                                             \
    X(KILL, "sigkill_restart_same_address")                                                        \
    X(MOVE, "sigkill_restart_other_address")                                                       \
    X(LEAVE, "goodbye_restart")                                                                    \
    X(TWIN, "twin")                  /* another node of the same name */                           \
    X(SERVER_KILL, "server_sigkill") /* of NATS, and started again; */                             \
    X(SERVER_STOP, "server_sigstop")                                                               \
    X(CLOCK, "wall_clock_step") /* and back */                                                     \
    X(DNS_SILENT, "dns_silent")                                                                    \
    X(DNS_WRONG, "dns_wrong") /* one is missing, and an address is named where nobody is */

#define FAULT_ENUM(name, text) name,
typedef enum { FAULT_LIST(FAULT_ENUM) FAULT_COUNT } fault_kind;
#undef FAULT_ENUM

/* Which wires a fault is about. */
typedef enum {
    SCOPE_NONE,
    SCOPE_ONE_WAY,  /* from one node to another */
    SCOPE_PAIR,     /* between two */
    SCOPE_NODE,     /* between one and all others, and the name server */
    SCOPE_EVERYONE, /* all of them */
    SCOPE_HALVES,
    SCOPE_RING,
    SCOPE_BRIDGE,
    SCOPE_NAMES /* to and from the name server */
} fault_scope;

typedef struct {
    fault_kind kind;
    fault_scope scope;
    unsigned node;
    unsigned other;
    bool back;        /* with SCOPE_ONE_WAY: from the other one to the node */
    switch_wire wire; /* what these wires do */
    int64_t wall_s;
    uint64_t until_ms;
} fault;

const char *fault_text(fault_kind kind);
const char *scope_text(fault_scope scope);

/* The faults of a list "NAME,NAME" as bits; false where there is another name. */
bool fault_parse(const char *list, uint32_t *kinds);

/* Everything of a fault but how long it is, for so many nodes. */
void fault_choose(fault *f, fault_kind kind, unsigned nodes, uint64_t *dice);

/* Of nodes that reach each other by way of a host alone: the fault is between a node and that host. */
void fault_lead_by(fault *f, unsigned host, uint64_t *dice);

/* Sets all wires as these faults want them together. */
void fault_set_wires(const fault *faults, unsigned count, unsigned nodes);

#endif
