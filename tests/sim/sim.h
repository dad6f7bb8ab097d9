/* One run: a seed chooses the nodes, their limits, the load and the faults. */
#ifndef SIM_H
#define SIM_H

#include "faults.h"

enum { SIM_NODES_MAX = 250 }; /* a replica may come back at another address */

typedef struct {
    unsigned nodes;   /* 0: the seed chooses */
    unsigned minutes; /* minutes of load and faults; 0: the seed chooses from half to two */
    unsigned rounds; /* of these, each until all has healed; 0: one, with small tables up to four */
    bool returns;    /* clients keep positions and come back with them */
    bool trace;      /* prints faults and what nodes hear of each other to stderr */
} sim_options;

typedef struct {
    uint64_t simulated_ms;
    uint64_t faults[FAULT_COUNT];
    uint64_t frames;
    uint64_t published;
    uint64_t deliveries;
    size_t violations_count;
    char violations[LEDGER_VIOLATIONS_MAX][200];
} sim_report;

void sim_run(uint64_t seed, const sim_options *options, sim_report *report);

#endif
