/* storm.c - sessions that come back: how many a second a node can take, and what others notice when
 * thousands do. Part of `history`. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SECONDS_MAX = 120, QUICK = 50 /* times fewer */ };

/* ------------------------------------------------------------------------------------ recoveries */

enum { RECOVERIES = 10000, AT_A_TIME = 256 };
enum { PER_S, VERDICT_P50_US, VERDICT_P99_US, RECOVERY_VALUES };

struct recoveries_task {
    unsigned chats; /* in each, one session comes back */
    bool from_peer; /* which has what is missed; else the node itself */
};

/* Two nodes: one publishes, and perhaps is the only one that keeps the chats. */
struct pair {
    struct shelter home;
    struct shelter keeper;
};

static void open_pair(struct pair *pair, const struct recoveries_task *task) {
    wsfan_options options;
    node_options(&options, "keeper");
    keep_history(&options);
    options.history_copies = 0;
    shelter_open(&pair->keeper, &options, 0);
    const char *peer = wsfan_node_endpoint(pair->keeper.node);
    options.name = "home";
    options.peers = &peer;
    options.peers_count = 1;
    shelter_open(&pair->home, &options, task->chats);
    await_peers(pair->keeper.node, 1);
    await_peers(pair->home.node, 1);
}

static void serve_pair(struct pair *pair) {
    serve_loop(pair->keeper.loop, 0);
    serve_loop(pair->home.loop, 1);
}

static void tell_percentiles(uint32_t *samples, size_t count, double *p50_us, double *p99_us) {
    sort_samples(samples, count);
    *p50_us = percentile(samples, count, 50) / 1000;
    *p99_us = percentile(samples, count, 99) / 1000;
}

static void measure_recoveries(struct stage *stage, struct worker *self, const void *argument) {
    const struct recoveries_task *task = argument;
    struct pair pair;
    struct source source;
    char(*positions)[WSFAN_POSITION_TEXT_SIZE] = calloc(task->chats, sizeof *positions);
    if (positions == NULL)
        die("out of memory");
    open_pair(&pair, task);
    source_init(&source, MISSED_SIZE);
    struct shelter *home = &pair.home;
    struct shelter *resident = task->from_peer ? &pair.keeper : home;
    shelter_reside(resident, task->chats, positions);
    for (unsigned chat = 0; chat < task->chats; chat++) {
        publish_missed(pair.keeper.node, &source, chat);
        serve_pair(&pair);
    }
    while (resident->messages < (uint64_t)task->chats * MISSED)
        serve_pair(&pair);

    int64_t begin_ns = now_ns();
    while (home->done < task->chats) {
        while (home->came < task->chats && home->came - home->done < AT_A_TIME) {
            uint32_t chat = (uint32_t)home->came;
            shelter_come(home, chat, positions[chat]);
        }
        serve_pair(&pair);
    }
    self->values[PER_S] = (double)task->chats * 1e9 / (double)(now_ns() - begin_ns);
    shelter_check(home);
    tell_percentiles(home->verdicts_ns, home->told, &self->values[VERDICT_P50_US],
                     &self->values[VERDICT_P99_US]);
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

static void report_recoveries(const char *name, const struct recoveries_task *task, unsigned runs) {
    static const char *const names[RECOVERY_VALUES] = {
        [PER_S] = "per_s",
        [VERDICT_P50_US] = "verdict_p50_us",
        [VERDICT_P99_US] = "verdict_p99_us",
    };
    double values[RECOVERY_VALUES][RUNS_MAX];
    for (unsigned r = 0; r < runs; r++) {
        struct stage *stage = stage_open();
        struct worker *worker = stage_start(stage, measure_recoveries, task);
        stage_await(stage, PHASE_DONE, SECONDS_MAX);
        for (unsigned v = 0; v < RECOVERY_VALUES; v++)
            values[v][r] = worker->values[v];
        stage_close(stage);
    }
    for (unsigned v = 0; v < RECOVERY_VALUES; v++)
        report_median(values[v], runs, "%s_%s", name, names[v]);
}

void recoveries_report(const struct settings *settings, unsigned runs) {
    struct recoveries_task task = { settings->quick ? RECOVERIES / QUICK : RECOVERIES, false };
    report_number(task.chats, "recoveries");
    report_number(MISSED, "messages_missed");
    report_number(AT_A_TIME, "recoveries_at_a_time");
    report_recoveries("recoveries", &task, runs);
    task.from_peer = true;
    report_recoveries("recoveries_from_peer", &task, runs);
}

/* ----------------------------------------------------------------------------------------- storm */

enum { STORM = 10000, STORM_CHAT_SIZE = 10, STORM_MS = 1000, QUIET_MS = 2000 };
enum { LIVE_RATE = 2000, LIVE_SIZE = 128, NODES = 3 };
enum { PUBLISHER, HOME, SHELTER };
enum step { STEP_MISS, STEP_LIVE, STEP_STORM };

/* Samples of live messages before the storm and until all of it was recovered; what is told of them. */
enum storm_value {
    QUIET_P50_US,
    QUIET_P99_US,
    STORM_P50_US,
    STORM_P99_US,
    STORM_S,
    STORM_VERDICT_P50_US,
    STORM_VERDICT_P99_US,
    STORM_VALUES
};

/* Shared by all workers. */
struct storm {
    unsigned sessions;
    unsigned chats;
    atomic_int step;
    char positions[][WSFAN_POSITION_TEXT_SIZE];
};

static void open_member(struct shelter *shelter, struct stage *stage, const char *name,
                        uint64_t clients_max) {
    wsfan_options options;
    const char *peer = stage->address;
    node_options(&options, name);
    keep_history(&options);
    options.peers = &peer;
    options.peers_count = stage->address[0] != '\0';
    shelter_open(shelter, &options, clients_max);
}

/* Publishes what is missed, then what latency is measured by. */
static void run_publisher(struct stage *stage, struct worker *self, const void *argument) {
    struct storm *storm = (struct storm *)(uintptr_t)argument;
    struct shelter shelter;
    struct source missed, live;
    open_member(&shelter, stage, "publisher", 0);
    strcpy(stage->address, wsfan_node_endpoint(shelter.node));
    source_init(&missed, MISSED_SIZE);
    source_init(&live, LIVE_SIZE);
    worker_phase(self, PHASE_ADDRESSED);
    await_peers(shelter.node, NODES - 1);
    worker_phase(self, PHASE_READY);
    worker_await(stage, COMMAND_GO);
    for (uint32_t chat = 0; chat < storm->chats; chat++)
        publish_missed(shelter.node, &missed, chat);
    atomic_store(&storm->step, STEP_LIVE);
    int64_t begin_ns = now_ns();
    for (uint64_t i = 0; atomic_load(&stage->command) != COMMAND_QUIT; i++) {
        sleep_until_ns(begin_ns + (int64_t)(i * 1000000000 / LIVE_RATE));
        wsfan_bytes payload = { source_make(&live, i, now_ns()), LIVE_SIZE };
        must(wsfan_broadcast(shelter.node, wsfan_string(TRANSPORT_CHAT), payload, NULL),
             "broadcast");
    }
}

static void tell_live(struct worker *self, uint32_t quiet, uint32_t end) {
    tell_percentiles(self->samples_ns, quiet, &self->values[QUIET_P50_US],
                     &self->values[QUIET_P99_US]);
    tell_percentiles(self->samples_ns + quiet, end - quiet, &self->values[STORM_P50_US],
                     &self->values[STORM_P99_US]);
}

static void wait_for_storm(struct shelter *shelter, const struct storm *storm) {
    while (atomic_load(&storm->step) != STEP_STORM)
        serve_loop(shelter->loop, 10);
}

/* Had the sessions, whose place one takes that is in all chats; they go before anything is published. */
static void run_home(struct stage *stage, struct worker *self, const void *argument) {
    struct storm *storm = (struct storm *)(uintptr_t)argument;
    const struct worker *other = &stage->workers[SHELTER];
    struct shelter home;
    open_member(&home, stage, "home", 0);
    await_peers(home.node, NODES - 1);
    sink_init(&home.live, LIVE_SIZE, true, self);
    shelter_listen(&home);
    wsfan_session session = shelter_reside(&home, storm->chats, storm->positions);
    must(wsfan_session_close(home.loop, session), "close a session");
    worker_phase(self, PHASE_READY);
    wait_for_storm(&home, storm);
    uint32_t quiet = self->samples_count;
    while (atomic_load(&other->phase) != PHASE_DONE)
        serve_loop(home.loop, 10);
    tell_live(self, quiet, self->samples_count);
    worker_phase(self, PHASE_DONE);
    while (atomic_load(&stage->command) != COMMAND_QUIT)
        serve_loop(home.loop, 10);
}

/* Sessions come evenly within STORM_MS, whatever becomes of those before. */
static void weather(struct shelter *shelter, const struct storm *storm) {
    int64_t begin_ns = now_ns();
    while (shelter->done < storm->sessions) {
        uint64_t due = (uint64_t)(now_ns() - begin_ns) * storm->sessions / (STORM_MS * 1000000ull);
        while (shelter->came < storm->sessions && shelter->came <= due) {
            uint32_t chat = (uint32_t)(shelter->came % storm->chats);
            shelter_come(shelter, chat, storm->positions[chat]);
        }
        serve_loop(shelter->loop, 1);
    }
}

static void run_shelter(struct stage *stage, struct worker *self, const void *argument) {
    struct storm *storm = (struct storm *)(uintptr_t)argument;
    struct shelter shelter;
    open_member(&shelter, stage, "shelter", storm->sessions);
    await_peers(shelter.node, NODES - 1);
    sink_init(&shelter.live, LIVE_SIZE, true, self);
    shelter_listen(&shelter);
    worker_phase(self, PHASE_READY);
    wait_for_storm(&shelter, storm);
    uint32_t quiet = self->samples_count;
    int64_t begin_ns = now_ns();
    weather(&shelter, storm);
    self->values[STORM_S] = (double)(now_ns() - begin_ns) / 1e9;
    shelter_check(&shelter);
    tell_live(self, quiet, self->samples_count);
    tell_percentiles(shelter.verdicts_ns, shelter.told, &self->values[STORM_VERDICT_P50_US],
                     &self->values[STORM_VERDICT_P99_US]);
    worker_phase(self, PHASE_DONE);
    while (atomic_load(&stage->command) != COMMAND_QUIT)
        serve_loop(shelter.loop, 10);
}

static void run_storm(struct storm *storm, double values[2][STORM_VALUES]) {
    struct stage *stage = stage_open();
    struct worker *publisher = stage_start(stage, run_publisher, storm);
    stage_await(stage, PHASE_ADDRESSED, SECONDS_MAX);
    const struct worker *workers[] = { stage_start(stage, run_home, storm),
                                       stage_start(stage, run_shelter, storm) };
    atomic_store(&storm->step, STEP_MISS);
    stage_await(stage, PHASE_READY, SECONDS_MAX);
    stage_command(stage, COMMAND_GO);
    while (atomic_load(&storm->step) != STEP_LIVE)
        pause_us(1000);
    worker_phase(publisher, PHASE_DONE); /* it goes on until the others have */
    pause_us(QUIET_MS * 1000);
    atomic_store(&storm->step, STEP_STORM);
    stage_await(stage, PHASE_DONE, SECONDS_MAX);
    for (unsigned i = 0; i < 2; i++)
        memcpy(values[i], workers[i]->values, sizeof values[i]);
    stage_close(stage);
}

static void report_live(const char *name, double (*values)[2][STORM_VALUES], unsigned node,
                        unsigned runs) {
    static const char *const names[] = { "quiet_p50_us", "quiet_p99_us", "p50_us", "p99_us" };
    double p50_ratios[RUNS_MAX], p99_ratios[RUNS_MAX];
    for (unsigned v = QUIET_P50_US; v <= STORM_P99_US; v++) {
        double of_runs[RUNS_MAX];
        for (unsigned r = 0; r < runs; r++)
            of_runs[r] = values[r][node][v];
        report_median(of_runs, runs, "%s_%s", name, names[v]);
    }
    for (unsigned r = 0; r < runs; r++) {
        p50_ratios[r] = values[r][node][STORM_P50_US] / values[r][node][QUIET_P50_US];
        p99_ratios[r] = values[r][node][STORM_P99_US] / values[r][node][QUIET_P99_US];
    }
    report_median(p50_ratios, runs, "%s_p50_ratio_vs_quiet", name);
    report_median(p99_ratios, runs, "%s_p99_ratio_vs_quiet", name);
}

void storm_report(const struct settings *settings, unsigned runs) {
    static const char *const names[] = { "storm_s", "storm_verdict_p50_us",
                                         "storm_verdict_p99_us" };
    double values[RUNS_MAX][2][STORM_VALUES];
    unsigned sessions = settings->sessions > 0 ? (unsigned)settings->sessions
                        : settings->quick      ? STORM / QUICK
                                               : STORM;
    unsigned chats = (sessions + STORM_CHAT_SIZE - 1) / STORM_CHAT_SIZE;
    size_t size = sizeof(struct storm) + chats * (size_t)WSFAN_POSITION_TEXT_SIZE;
    struct storm *storm = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                               0);
    if (storm == MAP_FAILED)
        die("no memory to share");
    storm->sessions = sessions;
    storm->chats = chats;
    for (unsigned r = 0; r < runs; r++)
        run_storm(storm, values[r]);
    report_number(storm->sessions, "storm_sessions_recovered"); /* all, or it had ended before */
    report_number(storm->chats, "storm_chats");
    for (unsigned v = STORM_S; v < STORM_VALUES; v++) {
        double of_runs[RUNS_MAX];
        for (unsigned r = 0; r < runs; r++)
            of_runs[r] = values[r][1][v];
        report_median(of_runs, runs, "%s", names[v - STORM_S]);
    }
    report_live("storm_other_node", values, 0, runs);
    report_live("storm_same_loop", values, 1, runs);
    munmap(storm, size);
}
