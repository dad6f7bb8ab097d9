/* registry.c - what sessions and chats take in memory, and how fast they come and go. */
#include "bench.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wsfan/stats.h>

enum {
    RUNS = 3,
    SECONDS_MAX = 120,
    SESSIONS = 1000000,
    SESSIONS_QUICK = 2000,
    CHATS_EACH = 4,   /* of a session, where memberships are weighed, */
    CHATS_ALL = 1000, /* out of so many */
    CHURN_SESSIONS = 100000,
    CHURN_CHATS = 10000,
    CHURN_COUNT = 1000000,
    CHURN_BATCH = 256, /* joins, then dispatch, then the leaves */
    CLOSE_COUNT = 200000
};

enum value {
    BYTES_PER_SESSION,
    BYTES_PER_MEMBERSHIP,
    BYTES_ALL,
    RSS_ALL,
    JOINS_KNOWN,
    JOINS_FRESH,
    CLOSE_FEW,
    CLOSE_MANY,
    BYTES_PER_REMOTE_CHAT,
    VALUES_COUNT
};

struct task {
    uint64_t sessions;
    bool quick;
};

/* What is allocated, with malloc's own overhead, in all arenas. */
static double heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return (double)info.uordblks + (double)info.hblkhd;
}

static double resident_bytes(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        die("no /proc/self/statm");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* -------------------------------------------------------------------------------------- memory */

static void weigh_sessions(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    struct crowd crowd;
    crowd_open(&crowd, crowd_node(), &crowd_callbacks);
    wsfan_session *sessions = calloc((size_t)task->sessions, sizeof *sessions);
    if (sessions == NULL)
        die("out of memory");
    double before = heap_bytes();
    for (uint64_t i = 0; i < task->sessions; i++)
        sessions[i] = crowd_session(&crowd, i);
    double opened = heap_bytes();
    for (uint64_t i = 0; i < task->sessions; i++)
        for (uint64_t c = 0; c < CHATS_EACH; c++)
            crowd_join(&crowd, sessions[i], "chat", (i * CHATS_EACH + c) % CHATS_ALL);
    crowd_settle(&crowd, task->sessions * CHATS_EACH);
    double joined = heap_bytes();
    self->values[BYTES_PER_SESSION] = (opened - before) / (double)task->sessions;
    self->values[BYTES_PER_MEMBERSHIP] = (joined - opened) / (double)(task->sessions * CHATS_EACH);
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

static void weigh_all(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    struct crowd crowd;
    double heap_before = heap_bytes();
    crowd_open(&crowd, crowd_node(), &crowd_callbacks);
    for (uint64_t i = 0; i < task->sessions; i++) {
        crowd_join(&crowd, crowd_session(&crowd, i), "chat", i);
        if (i % CHURN_BATCH == 0)
            serve_loop(crowd.loop, 0);
    }
    crowd_settle(&crowd, task->sessions);
    self->values[BYTES_ALL] = heap_bytes() - heap_before;
    self->values[RSS_ALL] = resident_bytes();
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* Two nodes: one has chats, the other, which has none, is weighed. */
static void hold_chats(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    struct crowd crowd;
    wsfan_session session = { 0 };
    crowd_open(&crowd, open_node(stage->address, "holder"), &crowd_callbacks);
    for (uint64_t i = 0; i < task->sessions; i++) {
        if (i % 1000 == 0)
            session = crowd_session(&crowd, i);
        crowd_join(&crowd, session, "chat", i);
        if (i % CHURN_BATCH == 0)
            serve_loop(crowd.loop, 0);
    }
    crowd_settle(&crowd, task->sessions);
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

static void weigh_remote(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    wsfan_stats stats = { .struct_size = sizeof stats };
    wsfan_node *node = open_node(NULL, "weighed");
    strcpy(stage->address, wsfan_node_endpoint(node));
    double before = heap_bytes();
    worker_phase(self, PHASE_ADDRESSED);
    do {
        pause_us(1000);
        must(wsfan_node_get_stats(node, &stats), "statistics");
    } while (stats.chats_remote < task->sessions);
    pause_us(100000); /* for what is still in buffers */
    self->values[BYTES_PER_REMOTE_CHAT] = (heap_bytes() - before) / (double)task->sessions;
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* --------------------------------------------------------------------------------------- churn */

static uint64_t count_chats(struct crowd *crowd) {
    wsfan_loop_stats stats = { .struct_size = sizeof stats };
    must(wsfan_loop_get_stats(crowd->loop, &stats), "statistics");
    return stats.chats;
}

/* Joins and leaves per second of a live registry, until all of it has been to the mesh and back.
 * fresh: of chats that nobody else is in. */
static double churn(struct crowd *crowd, const wsfan_session *sessions, uint64_t count,
                    bool fresh) {
    char chat[CHURN_BATCH][32];
    uint64_t made = 0;
    uint64_t chats_before = count_chats(crowd);
    int64_t begin_ns = now_ns();
    for (uint64_t done = 0; done < count; done += CHURN_BATCH) {
        for (unsigned i = 0; i < CHURN_BATCH; i++) {
            uint64_t number = fresh ? CHURN_CHATS + made++ : (done * 7 + i * 31) % CHURN_CHATS;
            snprintf(chat[i], sizeof chat[i], "chat-%llu", (unsigned long long)number);
            must(wsfan_session_join(crowd->loop, sessions[i], wsfan_string(chat[i])), "join");
        }
        serve_loop(crowd->loop, 0);
        for (unsigned i = 0; i < CHURN_BATCH; i++)
            must(wsfan_session_leave(crowd->loop, sessions[i], wsfan_string(chat[i])), "leave");
    }
    while (serve_loop(crowd->loop, 0), count_chats(crowd) > chats_before)
        continue;
    return (double)(2 * count) * 1e9 / (double)(now_ns() - begin_ns);
}

/* Nanoseconds for each chat that a session which closes is in. */
static double close_sessions(struct crowd *crowd, uint64_t count, uint64_t chats) {
    uint64_t sessions_count = count / chats;
    wsfan_session *sessions = calloc((size_t)sessions_count, sizeof *sessions);
    if (sessions == NULL)
        die("out of memory");
    for (uint64_t i = 0; i < sessions_count; i++) {
        sessions[i] = crowd_session(crowd, i);
        for (uint64_t c = 0; c < chats; c++)
            crowd_join(crowd, sessions[i], "chat", (i * 7 + c) % CHURN_CHATS);
    }
    while (serve_loop(crowd->loop, 10) > 0)
        continue;
    int64_t begin_ns = now_ns();
    for (uint64_t i = 0; i < sessions_count; i++)
        must(wsfan_session_close(crowd->loop, sessions[i]), "close a session");
    double ns = (double)(now_ns() - begin_ns) / (double)(sessions_count * chats);
    free(sessions);
    return ns;
}

static void measure_churn(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    uint64_t scale = task->quick ? 100 : 1;
    struct crowd crowd;
    crowd_open(&crowd, crowd_node(), &crowd_callbacks);
    for (uint64_t i = 0; i < CHURN_SESSIONS / scale; i++)
        crowd_join(&crowd, crowd_session(&crowd, i), "chat", i % CHURN_CHATS);
    crowd_settle(&crowd, CHURN_SESSIONS / scale);
    wsfan_session sessions[CHURN_BATCH];
    for (unsigned i = 0; i < CHURN_BATCH; i++)
        sessions[i] = crowd_session(&crowd, i);
    self->values[JOINS_KNOWN] = churn(&crowd, sessions, CHURN_COUNT / scale, false);
    self->values[JOINS_FRESH] = churn(&crowd, sessions, CHURN_COUNT / scale, true);
    self->values[CLOSE_FEW] = close_sessions(&crowd, CLOSE_COUNT / scale, 2);
    self->values[CLOSE_MANY] = close_sessions(&crowd, CLOSE_COUNT / scale, 200);
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* ----------------------------------------------------------------------------------------- all */

static void measure(worker_main *how, worker_main *other, const struct task *task,
                    double values[VALUES_COUNT]) {
    struct stage *stage = stage_open();
    struct worker *worker = stage_start(stage, how, task);
    if (other != NULL) {
        stage_await(stage, PHASE_ADDRESSED, SECONDS_MAX);
        stage_start(stage, other, task);
    }
    stage_await(stage, PHASE_DONE, SECONDS_MAX);
    for (unsigned i = 0; i < VALUES_COUNT; i++)
        if (worker->values[i] != 0)
            values[i] = worker->values[i];
    stage_close(stage);
}

static void report(double values[RUNS_MAX][VALUES_COUNT], unsigned runs) {
    static const char *const names[VALUES_COUNT] = {
        [BYTES_PER_SESSION] = "bytes_per_session",
        [BYTES_PER_MEMBERSHIP] = "bytes_per_membership",
        [BYTES_ALL] = "heap_bytes_sessions_in_own_chats",
        [RSS_ALL] = "rss_bytes_sessions_in_own_chats",
        [JOINS_KNOWN] = "joins_per_s",
        [JOINS_FRESH] = "joins_of_new_chats_per_s",
        [CLOSE_FEW] = "close_ns_per_chat_of_2",
        [CLOSE_MANY] = "close_ns_per_chat_of_200",
        [BYTES_PER_REMOTE_CHAT] = "bytes_per_remote_chat",
    };
    for (unsigned v = 0; v < VALUES_COUNT; v++) {
        double of_runs[RUNS_MAX];
        for (unsigned r = 0; r < runs; r++)
            of_runs[r] = values[r][v];
        report_median(of_runs, runs, "%s", names[v]);
    }
}

int registry_main(const struct settings *settings) {
    double values[RUNS_MAX][VALUES_COUNT];
    unsigned runs = settings->runs > 0 ? settings->runs : settings->quick ? 1 : RUNS;
    struct task task = { SESSIONS, settings->quick };
    if (settings->quick)
        task.sessions = SESSIONS_QUICK;
    if (settings->sessions > 0)
        task.sessions = settings->sessions;
    report_number((double)task.sessions, "sessions");
    for (unsigned r = 0; r < runs; r++) {
        measure(weigh_sessions, NULL, &task, values[r]);
        measure(weigh_all, NULL, &task, values[r]);
        measure(measure_churn, NULL, &task, values[r]);
        measure(weigh_remote, hold_chats, &task, values[r]);
    }
    report(values, runs);
    presence_report(settings, runs);
    return 0;
}
