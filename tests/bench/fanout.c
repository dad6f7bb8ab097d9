/* fanout.c - what the delivery of a message to the sessions of one node costs: for each recipient,
 * beside how many chats that it does not concern, and on two loops. */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <wsfan/stats.h>

enum {
    RUNS = 5,
    SECONDS_MAX = 120,
    SESSIONS_SMALL = 10000,
    SESSIONS_LARGE = 1000000,
    SESSIONS_QUICK = 1000,
    RECIPIENTS_PER_RUN = 4000000,
    GROWTH_MEMBERS = 10,
    GROWTH_MESSAGES = 20000,
    GROWTH_SMALL = 1000,
    LOOPS = 2,
    LOOPS_SESSIONS = 100000,
    LOOPS_MESSAGES = 2000 /* so that the start of a thread does not count */
};

struct task {
    uint64_t sessions;
    unsigned runs;
    bool quick;
};

static unsigned messages_for(uint64_t sessions) {
    uint64_t messages = RECIPIENTS_PER_RUN / sessions;
    return messages > 1000 ? 1000 : messages > 4 ? (unsigned)messages : 4;
}

/* ---------------------------------------------------------------------------------- recipients */

/* Everybody is named, and nobody twice. */
static void verify(struct crowd *crowd, uint64_t sessions) {
    crowd->seen = calloc((size_t)sessions, 1);
    if (crowd->seen == NULL)
        die("out of memory");
    crowd_broadcast(crowd, "all-0", 1);
    for (uint64_t i = 0; i < sessions; i++)
        if (crowd->seen[i] != 1)
            die("session %llu got it %u times", (unsigned long long)i, crowd->seen[i]);
    free(crowd->seen);
    crowd->seen = NULL;
}

static void measure_recipients(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    struct crowd crowd;
    crowd_open(&crowd, crowd_node(), &crowd_callbacks);
    for (uint64_t i = 0; i < task->sessions; i++)
        crowd_join(&crowd, crowd_session(&crowd, i), "all", 0);
    crowd_settle(&crowd, task->sessions);
    verify(&crowd, task->sessions);
    unsigned messages = messages_for(task->sessions);
    for (unsigned run = 0; run < task->runs; run++)
        self->values[run] = (double)crowd_broadcast(&crowd, "all-0", messages) / messages /
                            (double)task->sessions;
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* -------------------------------------------------------------------------------------- growth */

/* Two nodes of one process, beside few and beside many chats of others, take turns: CPU of a broadcast to
 * GROWTH_MEMBERS sessions, from publish to callback, in ns. */
struct growth_task {
    uint64_t chats[2]; /* few, many */
    unsigned runs;
    unsigned messages;
};

static void gather(struct crowd *crowd, uint64_t chats) {
    crowd_open(crowd, crowd_node(), &crowd_callbacks);
    for (uint64_t i = 0; i < chats; i++)
        crowd_join(crowd, crowd_session(crowd, i), "other", i);
    for (uint64_t i = 0; i < GROWTH_MEMBERS; i++)
        crowd_join(crowd, crowd_session(crowd, i), "few", 0);
    crowd_settle(crowd, chats + GROWTH_MEMBERS);
}

static void measure_growth(struct stage *stage, struct worker *self, const void *argument) {
    const struct growth_task *task = argument;
    struct crowd crowds[2];
    for (unsigned i = 0; i < 2; i++)
        gather(&crowds[i], task->chats[i]);
    for (unsigned run = 0; run < 2 * task->runs; run++) {
        double before = cpu_s(getpid());
        crowd_broadcast(&crowds[run % 2], "few-0", task->messages);
        self->values[run] = (cpu_s(getpid()) - before) * 1e9 / task->messages;
    }
    for (unsigned i = 0; i < 2; i++)
        if (crowds[i].recipients != (uint64_t)task->messages * task->runs * GROWTH_MEMBERS)
            die("%llu recipients", (unsigned long long)crowds[i].recipients);
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* --------------------------------------------------------------------------------------- loops */

struct lane {
    struct crowd crowd;
    wsfan_node *node;
    uint64_t sessions;
    unsigned messages;
    pthread_barrier_t *barrier;
    int64_t begin_ns;
    int64_t end_ns;
};

static void *run_lane(void *user) {
    struct lane *lane = user;
    wsfan_loop_stats stats = { .struct_size = sizeof stats };
    crowd_open(&lane->crowd, lane->node, &crowd_callbacks);
    for (uint64_t i = 0; i < lane->sessions; i++)
        crowd_join(&lane->crowd, crowd_session(&lane->crowd, i), "all", 0);
    crowd_settle(&lane->crowd, lane->sessions);
    pthread_barrier_wait(lane->barrier); /* all have joined */
    do {
        pause_us(500);
        must(wsfan_loop_get_stats(lane->crowd.loop, &stats), "statistics");
    } while (stats.inbox_count < lane->messages);
    pthread_barrier_wait(lane->barrier);
    lane->begin_ns = now_ns();
    wsfan_loop_dispatch(lane->crowd.loop, 0);
    lane->end_ns = now_ns();
    return NULL;
}

/* Nanoseconds until all loops have dispatched. */
static double run_lanes(unsigned count, uint64_t sessions, unsigned messages) {
    struct lane lanes[LOOPS];
    pthread_t threads[LOOPS];
    pthread_barrier_t barrier;
    wsfan_node *node = crowd_node();
    pthread_barrier_init(&barrier, NULL, count + 1);
    for (unsigned i = 0; i < count; i++) {
        lanes[i] = (struct lane){
            .node = node, .sessions = sessions / count, .messages = messages, .barrier = &barrier
        };
        if (pthread_create(&threads[i], NULL, run_lane, &lanes[i]) != 0)
            die("no thread");
    }
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < messages; i++)
        must(wsfan_broadcast(node, wsfan_string("all-0"), wsfan_string("x"), NULL), "broadcast");
    pthread_barrier_wait(&barrier);
    int64_t begin_ns = INT64_MAX, end_ns = 0;
    uint64_t recipients = 0;
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        begin_ns = lanes[i].begin_ns < begin_ns ? lanes[i].begin_ns : begin_ns;
        end_ns = lanes[i].end_ns > end_ns ? lanes[i].end_ns : end_ns;
        recipients += lanes[i].crowd.recipients;
        must(wsfan_loop_close(lanes[i].crowd.loop), "close a loop");
    }
    if (recipients != sessions / count * count * messages)
        die("%llu recipients", (unsigned long long)recipients);
    must(wsfan_node_close(node), "close a node");
    pthread_barrier_destroy(&barrier);
    return (double)(end_ns - begin_ns);
}

static void measure_loops(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    unsigned messages = task->quick ? 10 : LOOPS_MESSAGES;
    for (unsigned run = 0; run < task->runs; run++)
        self->values[run] = run_lanes(1, task->sessions, messages) /
                            run_lanes(LOOPS, task->sessions, messages);
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* ------------------------------------------------------------------------------------------ all */

/* In a process of its own, whose heap nobody has used before. */
static struct summary measure(worker_main *how, const struct task *task) {
    struct stage *stage = stage_open();
    struct worker *worker = stage_start(stage, how, task);
    stage_await(stage, PHASE_DONE, SECONDS_MAX);
    struct summary summary = summarise(worker->values, task->runs);
    stage_close(stage);
    return summary;
}

static void report_growth(const struct growth_task *task) {
    double few[RUNS_MAX];
    double many[RUNS_MAX];
    double growth[RUNS_MAX];
    struct stage *stage = stage_open();
    struct worker *worker = stage_start(stage, measure_growth, task);
    stage_await(stage, PHASE_DONE, SECONDS_MAX);
    for (unsigned run = 0; run < task->runs; run++) {
        few[run] = worker->values[2 * run];
        many[run] = worker->values[2 * run + 1];
        growth[run] = many[run] / few[run];
    }
    stage_close(stage);
    struct summary of_few = summarise(few, task->runs);
    struct summary of_many = summarise(many, task->runs);
    struct summary of_growth = summarise(growth, task->runs);
    report_number((double)task->chats[0], "chats_few");
    report_number((double)task->chats[1], "chats_many");
    report_summary(&of_few, "cpu_ns_per_broadcast_few");
    report_summary(&of_many, "cpu_ns_per_broadcast_many");
    report_summary(&of_growth, "growth");
}

static void report_recipients(const struct settings *settings, unsigned runs) {
    uint64_t first = SESSIONS_SMALL, last = SESSIONS_LARGE;
    if (settings->sessions > 0)
        first = last = settings->sessions;
    else if (settings->quick)
        first = last = SESSIONS_QUICK;
    for (uint64_t sessions = first; sessions <= last; sessions *= 10) {
        struct task task = { .sessions = sessions, .runs = runs };
        struct summary ns = measure(measure_recipients, &task);
        report_summary(&ns, "ns_per_recipient_%llu", (unsigned long long)sessions);
    }
}

int fanout_main(const struct settings *settings) {
    unsigned runs = settings->runs > 0 ? settings->runs : settings->quick ? 1 : RUNS;
    struct growth_task growth = {
        .chats = { GROWTH_SMALL, settings->quick ? 2 * GROWTH_SMALL : SESSIONS_LARGE },
        .runs = runs,
        .messages = settings->quick ? GROWTH_MESSAGES / 100 : GROWTH_MESSAGES,
    };
    struct task loops = { .sessions = settings->quick ? SESSIONS_QUICK : LOOPS_SESSIONS,
                          .runs = runs,
                          .quick = settings->quick };
    report_recipients(settings, runs);
    report_growth(&growth);
    struct summary scale = measure(measure_loops, &loops);
    report_summary(&scale, "two_loops_scale");
    return 0;
}
