/* path.c - the whole path of a message in one process and by turns: in each round a burst is
 * published, then both subscribers take all of it. For tests/bench/instructions.sh, which has valgrind
 * write down what each call of play_round() and the threads of the nodes meanwhile execute. */
#include "bench.h"

#include <unistd.h>

enum { SIZE = 128, BURST = 10000, ROUNDS = 20, ROUNDS_QUICK = 2, PEERS = 2 };

struct path {
    struct job job;
    struct source source;
    struct sink sinks[PEERS];
    void *publisher;
    void *subscribers[PEERS];
    uint64_t sent;
};

static void open_path(struct path *path, const struct settings *settings, struct stage *stage) {
    struct job *job = &path->job;
    *job = (struct job){
        .transport = &transport_wsfan,
        .size = settings->size > 0 ? settings->size : SIZE,
        .peers = PEERS,
    };
    job_init(job, settings);
    source_init(&path->source, job->size);
    path->publisher = job->transport->publisher(stage, job);
    for (unsigned i = 0; i < PEERS; i++) {
        job->peers = i + 1; /* nodes that there are before this one */
        path->subscribers[i] = job->transport->subscriber(stage, job, i);
        sink_init(&path->sinks[i], job->size, false, &stage->workers[i]);
        sink_expect(&path->sinks[i], job_first_chat(job, i), job->parts);
    }
    job->transport->gather(path->publisher, job);
}

/* Its name stands in instructions.sh. */
__attribute__((noinline)) static void play_round(struct path *path) {
    const struct job *job = &path->job;
    const struct chat *chat = job->chats;
    for (unsigned i = 0; i < BURST; i++) {
        const uint8_t *payload = source_make(&path->source, path->sent++, 0);
        job->transport->publish(path->publisher, chat, payload, job->size);
        if (++chat == job->chats + job->chats_count)
            chat = job->chats;
    }
    for (unsigned i = 0; i < PEERS; i++)
        while (path->sinks[i].count < path->sent / job->parts)
            job->transport->receive(path->subscribers[i], &path->sinks[i]);
}

int path_main(const struct settings *settings) {
    static struct path path;
    double cpu_ns[RUNS_MAX];
    unsigned rounds = settings->runs > 0 ? settings->runs : settings->quick ? ROUNDS_QUICK : ROUNDS;
    struct stage *stage = stage_open();
    open_path(&path, settings, stage);
    for (unsigned i = 0; i < rounds; i++) {
        double before = cpu_s(getpid());
        play_round(&path);
        cpu_ns[i] = (cpu_s(getpid()) - before) * 1e9 / (double)BURST;
    }
    path.job.messages = path.sent;
    for (unsigned i = 0; i < PEERS && path.job.history; i++)
        check_kept(path.subscribers[i], &path.job);
    stage_close(stage);
    report_number((double)path.job.size, "size");
    report_number(BURST, "messages_in_a_round");
    report_number(rounds, "runs");
    report_median(cpu_ns, rounds, "cpu_ns_per_message");
    return 0;
}
