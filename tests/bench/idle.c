/* idle.c - three nodes with many sessions that say nothing: the CPU time of each. */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <wsfan/stats.h>

enum { NODES = 3, SESSIONS = 100000, SESSIONS_QUICK = 1000, RUNS = 3, RUN_S = 5, SETTLE_MS = 1500 };

struct task {
    uint64_t sessions;
    bool first;
};

/* Each session is in a chat of its own, which is the most that there can be to keep alive. */
static void run_node(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    char kind[32];
    struct crowd crowd;
    const char *peer = task->first ? NULL : stage->address;
    crowd_open(&crowd, open_node(peer, NULL), &crowd_callbacks);
    snprintf(kind, sizeof kind, "%p", (void *)self);
    if (task->first)
        strcpy(stage->address, wsfan_node_endpoint(crowd.node));
    worker_phase(self, PHASE_ADDRESSED);
    await_peers(crowd.node, NODES - 1);
    for (uint64_t i = 0; i < task->sessions; i++) {
        crowd_join(&crowd, crowd_session(&crowd, i), kind, i);
        if (i % 256 == 0)
            serve_loop(crowd.loop, 0);
    }
    crowd_settle(&crowd, task->sessions);
    wsfan_stats stats = { .struct_size = sizeof stats };
    do {
        serve_loop(crowd.loop, 10);
        must(wsfan_node_get_stats(crowd.node, &stats), "statistics");
    } while (stats.chats_remote < (NODES - 1) * task->sessions);
    worker_phase(self, PHASE_READY);
    while (atomic_load(&stage->command) != COMMAND_QUIT)
        serve_loop(crowd.loop, 1000);
}

int idle_main(const struct settings *settings) {
    double percents[RUNS_MAX];
    struct task task = { settings->quick ? SESSIONS_QUICK : SESSIONS, true };
    if (settings->sessions > 0)
        task.sessions = settings->sessions;
    struct task other = task;
    other.first = false;
    unsigned runs = settings->runs > 0 ? settings->runs : settings->quick ? 1 : RUNS;
    unsigned seconds = settings->quick ? 1 : RUN_S;

    struct stage *stage = stage_open();
    stage_start(stage, run_node, &task);
    stage_await(stage, PHASE_ADDRESSED, 10);
    for (unsigned i = 1; i < NODES; i++)
        stage_start(stage, run_node, &other);
    stage_await(stage, PHASE_READY, 60);
    pause_us(SETTLE_MS * 1000);
    for (unsigned r = 0; r < runs; r++) {
        double before = stage_cpu_s(stage);
        int64_t begin_ns = now_ns();
        pause_us(seconds * 1000000);
        double elapsed_s = (double)(now_ns() - begin_ns) / 1e9;
        percents[r] = (stage_cpu_s(stage) - before) / (double)NODES / elapsed_s * 100;
    }
    stage_close(stage);
    report_number(NODES, "nodes");
    report_number((double)task.sessions, "sessions");
    report_number(runs, "runs");
    report_median(percents, runs, "cpu_percent_per_node");
    return 0;
}
