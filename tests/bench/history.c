/* history.c - what history costs: a message that is kept, a position, the memory of a chat. */
#include "bench.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/stats.h>

enum { RUNS = 5, SECONDS_MAX = 120, QUICK = 50 /* times fewer */ };

/* --------------------------------------------------------------------------------- kept messages */

enum { SIZE = 128, COUNT_MAX = 1000000, MANY_CHATS = 100 };

/* The same relay without and with history, by turns; all subscribers keep all chats. */
static void report_kept(const char *name, unsigned chats, const struct settings *settings,
                        unsigned runs) {
    static struct outcome outcomes[2 * RUNS_MAX];
    double rates[2][RUNS_MAX], cpus[2][RUNS_MAX], ratios[RUNS_MAX], cpu_ratios[RUNS_MAX];
    struct settings of_job = *settings;
    struct job job = {
        .transport = &transport_wsfan,
        .size = settings->size > 0 ? settings->size : SIZE,
        .peers = settings->peers,
    };
    of_job.chats = chats;
    job.messages = messages_of(settings, job.size, COUNT_MAX);
    job_init(&job, &of_job);
    struct job jobs[2] = { job, job };
    jobs[1].history = true;
    contest(jobs, 2, runs, outcomes);
    for (unsigned r = 0; r < runs; r++) {
        for (unsigned i = 0; i < 2; i++) {
            rates[i][r] = (double)job.messages / outcomes[i * RUNS_MAX + r].seconds;
            cpus[i][r] = outcomes[i * RUNS_MAX + r].cpu_s * 1e9 / (double)job.messages;
        }
        ratios[r] = rates[1][r] / rates[0][r];
        cpu_ratios[r] = cpus[1][r] / cpus[0][r];
    }
    report_median(rates[0], runs, "%s_per_s", name);
    report_median(rates[1], runs, "%s_kept_per_s", name);
    report_median(ratios, runs, "%s_kept_ratio", name);
    report_median(cpus[0], runs, "%s_cpu_ns_per_message", name);
    report_median(cpus[1], runs, "%s_kept_cpu_ns_per_message", name);
    report_median(cpu_ratios, runs, "%s_kept_cpu_ratio", name);
}

/* ------------------------------------------------------------------------------------- positions */

enum { PUBLISHERS = 3, ROUNDS = 200, CALLS = 1000 };

/* A node that asks for positions, and those that publish, in one process. */
struct reader {
    struct crowd crowd;
    wsfan_node *publishers[PUBLISHERS];
    char position[WSFAN_POSITION_TEXT_SIZE];
    uint64_t recovered;
};

struct position_task {
    unsigned publishers;
    unsigned rounds;
};

static const wsfan_bytes CHAT = { TRANSPORT_CHAT, sizeof TRANSPORT_CHAT - 1 };

static void on_joined(void *user, const wsfan_joined *joined) {
    struct reader *reader = user;
    must(joined->status, "join");
    reader->crowd.joined++;
    reader->recovered += joined->recovered->recovery == WSFAN_RECOVERY_WHOLE &&
                         joined->recovered->replayed_count == 0;
}

static wsfan_node *open_keeper(const char *peer, uint64_t bytes_max) {
    wsfan_node *node;
    wsfan_options options;
    node_options(&options, NULL);
    keep_history(&options);
    options.peers = &peer;
    options.peers_count = peer != NULL;
    if (bytes_max > 0)
        options.history_bytes_max = bytes_max;
    must(wsfan_node_open(&node, &options), "open a node");
    return node;
}

static void join_kept(struct crowd *crowd, wsfan_session session, wsfan_bytes chat,
                      const char *position) {
    const wsfan_join_options options = { .struct_size = sizeof options,
                                         .flags = WSFAN_HISTORY,
                                         .position = wsfan_string(position) };
    must(wsfan_session_join_with(crowd->loop, session, chat, &options), "join");
}

static void open_reader(struct reader *reader, unsigned publishers) {
    wsfan_callbacks callbacks = crowd_callbacks;
    callbacks.on_joined = on_joined;
    wsfan_node *node = open_keeper(NULL, 0);
    crowd_open(&reader->crowd, node, &callbacks);
    for (unsigned i = 0; i < publishers; i++) {
        reader->publishers[i] = open_keeper(wsfan_node_endpoint(node), 0);
        await_peers(node, i + 1);
    }
    for (unsigned i = 0; i < publishers; i++)
        await_peers(reader->publishers[i], publishers);
    join_kept(&reader->crowd, crowd_session(&reader->crowd, 0), CHAT, "");
    crowd_settle(&reader->crowd, 1);
    int error;
    while ((error = wsfan_chat_position(reader->crowd.loop, CHAT, reader->position)) ==
           WSFAN_EAGAIN)
        serve_loop(reader->crowd.loop, 10);
    must(error, "position");
}

/* Positions just after a message of each publisher, which is when they are longest. */
static void measure_positions(struct stage *stage, struct worker *self, const void *argument) {
    const struct position_task *task = argument;
    static struct reader reader;
    int64_t ns = 0;
    uint64_t bytes = 0;
    open_reader(&reader, task->publishers);
    for (unsigned round = 1; round <= task->rounds; round++) {
        for (unsigned i = 0; i < task->publishers; i++)
            must(wsfan_broadcast(reader.publishers[i], CHAT, wsfan_string("x"), NULL), "broadcast");
        while (reader.crowd.messages < (uint64_t)round * task->publishers)
            serve_loop(reader.crowd.loop, 100);
        int64_t begin_ns = now_ns();
        for (unsigned i = 0; i < CALLS; i++)
            must(wsfan_chat_position(reader.crowd.loop, CHAT, reader.position), "position");
        ns += now_ns() - begin_ns;
        bytes += strlen(reader.position);
    }
    join_kept(&reader.crowd, crowd_session(&reader.crowd, 1), CHAT, reader.position);
    crowd_settle(&reader.crowd, 2);
    if (reader.recovered != 1)
        die("the last position is not the newest");
    self->values[0] = (double)ns / task->rounds / (double)CALLS;
    self->values[1] = (double)bytes / task->rounds;
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* ---------------------------------------------------------------------------------------- memory */

enum { CHATS = 10000, CHAT_MESSAGES = 100, CHAT_MESSAGE_SIZE = 200, INBOX = 16384 };

static double heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return (double)info.uordblks + (double)info.hblkhd;
}

static wsfan_bytes name_of(unsigned chat, char name[32]) {
    snprintf(name, 32, "chat-%u", chat);
    return wsfan_string(name);
}

/* CHAT_MESSAGES to each chat, and until the loop has all. */
static void fill_chats(struct crowd *crowd, unsigned chats) {
    char name[32];
    struct source source;
    source_init(&source, CHAT_MESSAGE_SIZE);
    uint64_t count = 0;
    for (unsigned i = 0; i < CHAT_MESSAGES; i++) {
        for (unsigned chat = 0; chat < chats; chat++) {
            wsfan_bytes payload = { source_make(&source, count, 0), CHAT_MESSAGE_SIZE };
            must(wsfan_broadcast(crowd->node, name_of(chat, name), payload, NULL), "broadcast");
            for (count++; count - crowd->messages > INBOX;)
                serve_loop(crowd->loop, 100);
        }
    }
    while (crowd->messages < count)
        serve_loop(crowd->loop, 100);
    free(source.variants);
}

static void weigh_chats(struct stage *stage, struct worker *self, const void *argument) {
    const unsigned *chats = argument;
    char name[32];
    struct crowd crowd;
    wsfan_stats stats = { .struct_size = sizeof stats };
    crowd_open(&crowd, open_keeper(NULL, UINT64_C(4) << 30), &crowd_callbacks);
    wsfan_session session = crowd_session(&crowd, 0);
    double begin = heap_bytes();
    for (unsigned i = 0; i < *chats; i++) {
        join_kept(&crowd, session, name_of(i, name), "");
        if (i % 256 == 0)
            serve_loop(crowd.loop, 0);
    }
    crowd_settle(&crowd, *chats);
    double joined = heap_bytes();
    fill_chats(&crowd, *chats);
    double filled = heap_bytes();
    must(wsfan_node_get_stats(crowd.node, &stats), "statistics");
    if (stats.history_messages != (uint64_t)*chats * CHAT_MESSAGES)
        die("%llu messages are kept", (unsigned long long)stats.history_messages);
    self->values[0] = (joined - begin) / *chats;
    self->values[1] = (filled - joined) / *chats;
    self->values[2] = (double)stats.history_bytes / *chats;
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

/* ------------------------------------------------------------------------------------------- all */

/* In a process of its own each time: its values, by `names`. */
static void measure(worker_main *how, const void *task, const char *const *names,
                    unsigned names_count, unsigned runs) {
    double values[VALUES_MAX][RUNS_MAX];
    for (unsigned r = 0; r < runs; r++) {
        struct stage *stage = stage_open();
        struct worker *worker = stage_start(stage, how, task);
        stage_await(stage, PHASE_DONE, SECONDS_MAX);
        for (unsigned v = 0; v < names_count; v++)
            values[v][r] = worker->values[v];
        stage_close(stage);
    }
    for (unsigned v = 0; v < names_count; v++)
        report_median(values[v], runs, "%s", names[v]);
}

int history_main(const struct settings *settings) {
    static const char *const of_one[] = { "position_ns", "position_bytes" };
    static const char *const of_three[] = { "position_of_3_publishers_ns",
                                            "position_of_3_publishers_bytes" };
    static const char *const memory[] = { "heap_bytes_per_empty_chat", "heap_bytes_per_chat_of_100",
                                          "history_bytes_per_chat_of_100" };
    unsigned runs = settings->runs > 0 ? settings->runs : settings->quick ? 1 : RUNS;
    unsigned rounds = settings->quick ? ROUNDS / QUICK : ROUNDS;
    unsigned chats = settings->quick ? CHATS / QUICK : CHATS;
    report_number(runs, "runs");
    report_kept("one_chat", 1, settings, runs);
    report_kept("many_chats", MANY_CHATS, settings, runs);
    measure(measure_positions, &(struct position_task){ 1, rounds }, of_one, 2, runs);
    measure(measure_positions, &(struct position_task){ PUBLISHERS, rounds }, of_three, 2, runs);
    report_number(chats, "chats");
    measure(weigh_chats, &chats, memory, 3, runs);
    recoveries_report(settings, runs);
    storm_report(settings, runs);
    return 0;
}
