/* The faults of a run: begins faults of every kind, ends each after a while, and all for healing. */
#ifndef FAULTS_H
#define FAULTS_H

#include "hosts.h"

/* name, text */
#define FAULT_LIST(X)                                                                              \
    X(FAULT_LOSS, "loss")                                                                          \
    X(FAULT_DELAY, "delay")                                                                        \
    X(FAULT_DUPLICATION, "duplication")                                                            \
    X(FAULT_BIT_FLIPS, "bit_flips")                                                                \
    X(FAULT_TRUNCATION, "truncation")                                                              \
    X(FAULT_BREAK, "connection_break")                                                             \
    X(FAULT_DEAF, "dead_connection")                                                               \
    X(FAULT_ONE_WAY, "one_way_block")                                                              \
    X(FAULT_HALVES, "partition_halves")                                                            \
    X(FAULT_RING, "partition_ring")                                                                \
    X(FAULT_BRIDGE, "partition_bridge")                                                            \
    X(FAULT_SINGLE, "partition_single")                                                            \
    X(FAULT_FLAPPING, "flapping")                                                                  \
    X(FAULT_SWIZZLE, "swizzle")                                                                    \
    X(FAULT_SLOW, "slow_node")                                                                     \
    X(FAULT_FREEZE, "frozen_node")                                                                 \
    X(FAULT_FULL_INBOX, "full_inbox")                                                              \
    X(FAULT_REFUSED, "refused")                                                                    \
    X(FAULT_CRASH, "crash")                                                                        \
    X(FAULT_GOODBYE, "goodbye")                                                                    \
    X(FAULT_DRAIN, "drain")                                                                        \
    X(FAULT_RESTART, "restart_same_name")                                                          \
    X(FAULT_MOVE, "restart_other_address")                                                         \
    X(FAULT_TAKEOVER, "other_node_same_address")                                                   \
    X(FAULT_CLOCK, "clock_jump")                                                                   \
    X(FAULT_VERSION, "newer_version")                                                              \
    X(FAULT_FOREIGN, "foreign_node")                                                               \
    X(FAULT_REORDER, "reorder_at_reconnect")

#define FAULT_ENUM(name, text) name,
typedef enum { FAULT_LIST(FAULT_ENUM) FAULT_COUNT } fault_kind;
#undef FAULT_ENUM

const char *fault_text(fault_kind kind);

typedef struct faults faults;

/* Replicas are 0..nodes-1; addresses nodes..2*nodes-1 are spare. Adds to counts, of FAULT_COUNT elements. */
faults *faults_new(world *w, hosts *h, ledger *l, unsigned nodes, uint64_t *counts);
void faults_destroy(faults *f);

/* Starts every replica that does not run, at its own address. */
void faults_start(faults *f);

/* A random node that runs; false: none was found. */
bool faults_any_node(faults *f, unsigned *node);

void faults_begin_one(faults *f); /* of a random kind */
void faults_tick(faults *f);      /* ends faults that have lasted long enough */

/* Ends all faults. Then all replicas run, or as many nodes as may live. */
void faults_heal(faults *f, unsigned living_max);

#endif
