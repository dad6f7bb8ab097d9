/* presence.c - what presence costs: a join with it, a row, a storm of joins over three nodes, a count. */
#include "bench.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/presence.h>

enum {
    NODES = 3,
    MEMBERS = 99999, /* of one chat; NODES of them each a third */
    MEMBERS_QUICK = 2997,
    BATCH = 256,
    SECONDS_MAX = 120,
    COUNTS = 2000000
};

enum value { JOIN_NS, JOIN_PRESENT_NS, BYTES_OWN, BYTES_REMOTE, STORM_S, COUNTS_PER_S, VALUES };

#define CHAT "crowded"

struct task {
    uint64_t members;
    int number;
};

static double heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return (double)info.uordblks + (double)info.hblkhd;
}

static wsfan_session open_user(struct crowd *crowd, uint64_t number) {
    char user[32];
    wsfan_session session;
    snprintf(user, sizeof user, "user-%llu", (unsigned long long)number);
    must(wsfan_session_open(&session, crowd->loop, wsfan_string(user), NULL), "open a session");
    return session;
}

static void join_present(struct crowd *crowd, wsfan_session session, const char *chat) {
    wsfan_join_options options = { .struct_size = sizeof options, .flags = WSFAN_PRESENCE };
    must(wsfan_session_join_with(crowd->loop, session, wsfan_string(chat), &options), "join");
}

static bool whole(wsfan_node *node, uint64_t members) {
    wsfan_count count = { .struct_size = sizeof count };
    must(wsfan_chat_get_count(node, wsfan_string(CHAT), &count), "count");
    return count.complete && count.users == members && count.sessions == members;
}

/* Nanoseconds for each join of a crowd, until all of it has been to the mesh and back. */
static double join_all(struct crowd *crowd, const wsfan_session *sessions, uint64_t count,
                       const char *chat, bool present) {
    uint64_t before = crowd->joined;
    int64_t begin_ns = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        if (present)
            join_present(crowd, sessions[i], chat);
        else
            must(wsfan_session_join(crowd->loop, sessions[i], wsfan_string(chat)), "join");
        if (i % BATCH == 0)
            serve_loop(crowd->loop, 0);
    }
    crowd_settle(crowd, before + count);
    while (present && !whole(crowd->node, count))
        serve_loop(crowd->loop, 1);
    return (double)(now_ns() - begin_ns) / (double)count;
}

/* One node, on its own. */
static void measure_own(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    struct crowd crowd;
    crowd_open(&crowd, crowd_node(), &crowd_callbacks);
    wsfan_session *sessions = calloc((size_t)task->members, sizeof *sessions);
    if (sessions == NULL)
        die("out of memory");
    for (uint64_t i = 0; i < task->members; i++)
        sessions[i] = open_user(&crowd, i);
    self->values[JOIN_NS] = join_all(&crowd, sessions, task->members, "plain", false);
    double begin = heap_bytes();
    join_all(&crowd, sessions, task->members, "plain too", false);
    double plain = heap_bytes() - begin;
    begin = heap_bytes();
    self->values[JOIN_PRESENT_NS] = join_all(&crowd, sessions, task->members, CHAT, true);
    self->values[BYTES_OWN] = (heap_bytes() - begin - plain) / (double)task->members;
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* A third of a storm. The first one is weighed besides, and counts. */
static void run_storm(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    struct crowd crowd;
    uint64_t share = task->members / NODES;
    char name[16];
    snprintf(name, sizeof name, "storm-%d", task->number);
    wsfan_node *node = open_node(task->number > 0 ? stage->address : NULL, name);
    crowd_open(&crowd, node, &crowd_callbacks);
    if (task->number == 0)
        strcpy(stage->address, wsfan_node_endpoint(node));
    worker_phase(self, PHASE_ADDRESSED);
    await_peers(node, NODES - 1);
    wsfan_session *sessions = calloc((size_t)share, sizeof *sessions);
    if (sessions == NULL)
        die("out of memory");
    for (uint64_t i = 0; i < share; i++)
        sessions[i] = open_user(&crowd, (uint64_t)task->number * share + i);
    while (serve_loop(crowd.loop, 200) > 0)
        continue;
    worker_phase(self, PHASE_READY);
    worker_await(stage, COMMAND_GO);
    self->begin_ns = now_ns();
    for (uint64_t i = 0; i < share; i++) {
        join_present(&crowd, sessions[i], CHAT);
        if (i % BATCH == 0)
            serve_loop(crowd.loop, 0);
    }
    while (!whole(node, task->members))
        serve_loop(crowd.loop, 1);
    self->end_ns = now_ns();
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* A node with one member, which is told of the others by a peer; then it counts. */
static void run_weighed(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    struct crowd crowd;
    wsfan_node *node = open_node(NULL, "weighed");
    crowd_open(&crowd, node, &crowd_callbacks);
    strcpy(stage->address, wsfan_node_endpoint(node));
    join_present(&crowd, open_user(&crowd, task->members), CHAT);
    crowd_settle(&crowd, 1);
    double before = heap_bytes();
    worker_phase(self, PHASE_ADDRESSED);
    while (!whole(node, task->members + 1))
        serve_loop(crowd.loop, 1);
    while (serve_loop(crowd.loop, 500) > 0) /* what was on its way to this loop is freed */
        continue;
    self->values[BYTES_REMOTE] = (heap_bytes() - before) / (double)task->members;
    wsfan_count count = { .struct_size = sizeof count };
    uint64_t counts = task->members < MEMBERS ? COUNTS / 100 : COUNTS;
    int64_t begin_ns = now_ns();
    for (uint64_t i = 0; i < counts; i++)
        must(wsfan_chat_get_count(node, wsfan_string(CHAT), &count), "count");
    self->values[COUNTS_PER_S] = (double)counts * 1e9 / (double)(now_ns() - begin_ns);
    if (count.users != task->members + 1)
        die("%llu users", (unsigned long long)count.users);
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

static void run_others(struct stage *stage, struct worker *self, const void *argument) {
    const struct task *task = argument;
    struct crowd crowd;
    crowd_open(&crowd, open_node(stage->address, "others"), &crowd_callbacks);
    for (uint64_t i = 0; i < task->members; i++) {
        join_present(&crowd, open_user(&crowd, i), CHAT);
        if (i % BATCH == 0)
            serve_loop(crowd.loop, 0);
    }
    worker_phase(self, PHASE_DONE);
    while (atomic_load(&stage->command) != COMMAND_QUIT)
        serve_loop(crowd.loop, 10);
}

static void run_once(const struct task *task, double values[VALUES]) {
    struct stage *stage = stage_open();
    struct worker *own = stage_start(stage, measure_own, task);
    stage_await(stage, PHASE_DONE, SECONDS_MAX);
    values[JOIN_NS] = own->values[JOIN_NS];
    values[JOIN_PRESENT_NS] = own->values[JOIN_PRESENT_NS];
    values[BYTES_OWN] = own->values[BYTES_OWN];
    stage_close(stage);

    struct task tasks[NODES];
    struct worker *workers[NODES];
    stage = stage_open();
    for (int i = 0; i < NODES; i++) {
        tasks[i] = (struct task){ task->members, i };
        workers[i] = stage_start(stage, run_storm, &tasks[i]);
        stage_await(stage, PHASE_ADDRESSED, SECONDS_MAX);
    }
    stage_await(stage, PHASE_READY, SECONDS_MAX);
    stage_command(stage, COMMAND_GO);
    stage_await(stage, PHASE_DONE, SECONDS_MAX);
    int64_t begin_ns = INT64_MAX;
    int64_t end_ns = 0;
    for (int i = 0; i < NODES; i++) {
        begin_ns = workers[i]->begin_ns < begin_ns ? workers[i]->begin_ns : begin_ns;
        end_ns = workers[i]->end_ns > end_ns ? workers[i]->end_ns : end_ns;
    }
    values[STORM_S] = (double)(end_ns - begin_ns) / 1e9;
    stage_close(stage);

    stage = stage_open();
    struct worker *weighed = stage_start(stage, run_weighed, task);
    stage_await(stage, PHASE_ADDRESSED, SECONDS_MAX);
    stage_start(stage, run_others, task);
    stage_await(stage, PHASE_DONE, SECONDS_MAX);
    values[BYTES_REMOTE] = weighed->values[BYTES_REMOTE];
    values[COUNTS_PER_S] = weighed->values[COUNTS_PER_S];
    stage_close(stage);
}

void presence_report(const struct settings *settings, unsigned runs) {
    static const char *const names[VALUES] = {
        [JOIN_NS] = "join_ns",
        [JOIN_PRESENT_NS] = "join_with_presence_ns",
        [BYTES_OWN] = "presence_bytes_per_own_row",
        [BYTES_REMOTE] = "presence_bytes_per_remote_row",
        [STORM_S] = "presence_storm_s",
        [COUNTS_PER_S] = "presence_counts_per_s",
    };
    double values[RUNS_MAX][VALUES];
    struct task task = { settings->quick ? MEMBERS_QUICK : MEMBERS, 0 };
    report_number((double)task.members, "presence_members");
    for (unsigned r = 0; r < runs; r++)
        run_once(&task, values[r]);
    for (unsigned v = 0; v < VALUES; v++) {
        double of_runs[RUNS_MAX];
        for (unsigned r = 0; r < runs; r++)
            of_runs[r] = values[r][v];
        report_median(of_runs, runs, "%s", names[v]);
    }
}
