/* interest.c - a node with a million chats gets a new peer: how long until that peer knows all of
 * them, and what another peer notices of it. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <wsfan/stats.h>

enum { CHATS = 1000000, CHATS_QUICK = 5000, RUNS = 3, RATE = 5000, QUIET_MS = 1500, SIZE = 64 };
enum { HOLDER, QUIET, NEWCOMER };
enum { FROM_OPEN_S, FROM_UP_S };

struct task {
    uint64_t chats;
    unsigned rate;
};

/* Has the chats, and publishes what the quiet peer is timed by. */
static void run_holder(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    struct crowd crowd;
    struct source source;
    wsfan_session session = { 0 };
    crowd_open(&crowd, open_node(NULL, "holder"), &crowd_callbacks);
    for (uint64_t i = 0; i < task->chats; i++) {
        if (i % 1000 == 0)
            session = crowd_session(&crowd, i);
        crowd_join(&crowd, session, "chat", i);
        if (i % 256 == 0)
            serve_loop(crowd.loop, 0);
    }
    crowd_settle(&crowd, task->chats);
    strcpy(stage->address, wsfan_node_endpoint(crowd.node));
    worker_phase(self, PHASE_READY);
    worker_await(stage, COMMAND_GO);
    source_init(&source, SIZE);
    int64_t begin_ns = now_ns();
    for (uint64_t i = 0; atomic_load(&stage->command) < COMMAND_STOP; i++) {
        sleep_until_ns(begin_ns + (int64_t)(i * 1000000000 / task->rate));
        wsfan_bytes payload = { source_make(&source, i, now_ns()), SIZE };
        must(wsfan_broadcast(crowd.node, wsfan_string(TRANSPORT_CHAT), payload, NULL), "broadcast");
    }
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* Its subscriber is the same as in every other comparison. Samples from the time when the newcomer
 * is busy go to the newcomer. */
static void run_quiet(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    struct settings settings = { .publishers = 1 };
    struct job job = { .transport = &transport_wsfan, .size = SIZE, .peers = 1 };
    wsfan_stats stats = { .struct_size = sizeof stats };
    struct sink sink;
    struct worker *newcomer = &stage->workers[NEWCOMER];
    job_init(&job, &settings);
    void *subscriber = transport_wsfan.subscriber(stage, &job, 0);
    sink_init(&sink, SIZE, true, self);
    do {
        pause_us(1000);
        must(wsfan_node_get_stats(subscriber_node(subscriber), &stats), "statistics");
    } while (stats.chats_remote < task->chats);
    worker_phase(self, PHASE_READY);
    while (atomic_load(&stage->command) < COMMAND_STOP) {
        uint32_t before = self->samples_count;
        transport_wsfan.receive(subscriber, &sink);
        if (atomic_load(&newcomer->phase) != PHASE_READY)
            continue;
        for (uint32_t i = before; i < self->samples_count; i++)
            sample_add(newcomer, self->samples_ns[i]);
        self->samples_count = before;
    }
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

static void run_newcomer(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    wsfan_stats stats = { .struct_size = sizeof stats };
    worker_phase(self, PHASE_READY);
    int64_t begin_ns = now_ns();
    int64_t up_ns = 0;
    wsfan_node *node = open_node(stage->address, "newcomer");
    do {
        pause_us(1000);
        must(wsfan_node_get_stats(node, &stats), "statistics");
        if (up_ns == 0 && stats.peers_up > 0)
            up_ns = now_ns();
    } while (stats.chats_remote < task->chats);
    int64_t end_ns = now_ns();
    self->values[FROM_OPEN_S] = (double)(end_ns - begin_ns) / 1e9;
    self->values[FROM_UP_S] = (double)(end_ns - up_ns) / 1e9;
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

struct result {
    double from_open_s, from_up_s, quiet_p50_us, quiet_p99_us, busy_p50_us, busy_p99_us, ratio;
};

static struct result run(const struct task *task) {
    struct stage *stage = stage_open();
    stage_start(stage, run_holder, task);
    stage_await(stage, PHASE_READY, 60);
    struct worker *quiet = stage_start(stage, run_quiet, task);
    stage_await(stage, PHASE_READY, 60);
    stage_command(stage, COMMAND_GO);
    pause_us(QUIET_MS * 1000);
    struct worker *newcomer = stage_start(stage, run_newcomer, task);
    while (atomic_load(&newcomer->phase) != PHASE_DONE)
        pause_us(1000);
    stage_command(stage, COMMAND_STOP);
    stage_await(stage, PHASE_DONE, 10);
    sort_samples(quiet->samples_ns, quiet->samples_count);
    sort_samples(newcomer->samples_ns, newcomer->samples_count);
    struct result result = {
        .from_open_s = newcomer->values[FROM_OPEN_S],
        .from_up_s = newcomer->values[FROM_UP_S],
        .quiet_p50_us = percentile(quiet->samples_ns, quiet->samples_count, 50) / 1000,
        .quiet_p99_us = percentile(quiet->samples_ns, quiet->samples_count, 99) / 1000,
        .busy_p50_us = percentile(newcomer->samples_ns, newcomer->samples_count, 50) / 1000,
        .busy_p99_us = percentile(newcomer->samples_ns, newcomer->samples_count, 99) / 1000,
    };
    result.ratio = result.busy_p99_us / result.quiet_p99_us;
    stage_close(stage);
    return result;
}

int interest_main(const struct settings *settings) {
    static const char *const names[] = { "snapshot_s",        "snapshot_from_up_s", "quiet_p50_us",
                                         "quiet_p99_us",      "busy_p50_us",        "busy_p99_us",
                                         "p99_ratio_vs_quiet" };
    enum { FIGURES = sizeof names / sizeof names[0] };
    struct result results[RUNS_MAX];
    struct task task = { settings->quick ? CHATS_QUICK : CHATS,
                         settings->rate > 0 ? settings->rate : RATE };
    if (settings->sessions > 0)
        task.chats = settings->sessions;
    unsigned runs = settings->runs > 0 ? settings->runs : settings->quick ? 1 : RUNS;
    for (unsigned r = 0; r < runs; r++)
        results[r] = run(&task);
    report_number((double)task.chats, "chats");
    report_number(runs, "runs");
    for (unsigned f = 0; f < FIGURES; f++) {
        double values[RUNS_MAX];
        for (unsigned r = 0; r < runs; r++)
            memcpy(&values[r], (const double *)&results[r] + f, sizeof values[r]);
        report_median(values, runs, "%s", names[f]);
    }
    return 0;
}
