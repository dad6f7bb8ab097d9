/* The statistics of all nodes at one time. */
#ifndef WSFAN_SNAPSHOT_H
#define WSFAN_SNAPSHOT_H

#include "tool.h"

struct statistic {
    uint64_t node;
    uint64_t peer; /* 0: of the node itself */
    char name[40];
    char peer_name[WSFAN_NODE_NAME_SIZE];
    uint64_t value;
};

struct shown_node {
    uint64_t id;
    char name[WSFAN_NODE_NAME_SIZE];
    uint64_t sessions;
    double round_trip_ms; /* below 0: it did not answer */
};

struct snapshot {
    double time_s;
    struct statistic *statistics; /* in order of node, peer and name */
    size_t count;
    struct shown_node *nodes;
    size_t nodes_count;
    bool partial; /* some did not answer */
    char liar
        [WSFAN_NODE_NAME_SIZE]; /* has more statistics than a node can have: no more was asked for; "": none */
};

/* Asks the nodes. Its own node, by which it asks, is not among them, nor links to it. */
void snapshot_take(struct snapshot *snapshot, struct mesh *mesh);
/* Names the liar on standard error, if there is one. */
void snapshot_complain(const struct snapshot *snapshot);
void snapshot_free(struct snapshot *snapshot);

/* 0 where there is no such statistic. */
uint64_t snapshot_value(const struct snapshot *snapshot, uint64_t node, uint64_t peer,
                        const char *name);

/* In a second, since the snapshot before; 0 where there was none. */
double snapshot_rate(const struct snapshot *now, const struct snapshot *before, uint64_t node,
                     uint64_t peer, const char *name);

/* Of all reasons but those of which no message is lost. */
uint64_t snapshot_drops(const struct snapshot *snapshot, uint64_t node);

#endif
