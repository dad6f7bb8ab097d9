/* contest.c - the same work for every transport: one publisher and its subscribers, each a process
 * of its own, started anew for each run; the transports take turns, so that whatever else the
 * machine does falls on all of them. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum {
    SECONDS_MAX = 120,
    WINDOW_BYTES = 32 * 1024 * 1024, /* for transports without back-pressure */
    WINDOW_COUNT = 32768,            /* half of what a loop's inbox holds */
    WORK_BYTES = 512 * 1024 * 1024
};

uint64_t messages_of(const struct settings *settings, size_t size, uint64_t count_max) {
    if (settings->messages > 0)
        return settings->messages;
    uint64_t count = WORK_BYTES / (size + 384);
    count = count < count_max ? count : count_max;
    return settings->quick ? count / 200 + 20 : count;
}

/* Where what a subscriber does not take would be dropped, wait for the slowest. */
static void hold_back(const struct stage *stage, const struct job *job, uint64_t number) {
    uint64_t window = WINDOW_BYTES / job->size;
    window = window < WINDOW_COUNT ? window : WINDOW_COUNT;
    for (unsigned i = 1; i <= job->peers; i++)
        while (number - atomic_load_explicit(&stage->workers[i].received, memory_order_acquire) >
               window)
            pause_us(50);
}

static void run_publisher(struct stage *stage, struct worker *self, const void *argument) {
    const struct job *job = argument;
    const struct transport *transport = job->transport;
    struct source source;
    source_init(&source, job->size);
    void *publisher = transport->publisher(stage, job);
    worker_phase(self, PHASE_ADDRESSED);
    if (transport->gather != NULL)
        transport->gather(publisher, job->peers);
    worker_phase(self, PHASE_READY);
    worker_await(stage, COMMAND_GO);

    self->begin_ns = now_ns();
    for (uint64_t i = 0; i < job->messages; i++) {
        if (job->rate > 0)
            sleep_until_ns(self->begin_ns + (int64_t)(i * 1000000000 / job->rate));
        if (transport->no_back_pressure && (i % 64 == 0 || job->size > 4096))
            hold_back(stage, job, i);
        transport->publish(publisher, source_make(&source, i, job->rate > 0 ? now_ns() : 0),
                           job->size);
        if (job->rate > 0 && transport->flush != NULL)
            transport->flush(publisher);
    }
    if (transport->flush != NULL)
        transport->flush(publisher);
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

static void run_subscriber(struct stage *stage, struct worker *self, const void *argument) {
    const struct job *job = argument;
    struct sink sink;
    sink_init(&sink, job->size, job->rate > 0, self);
    void *subscriber = job->transport->subscriber(stage, job);
    worker_phase(self, PHASE_READY);
    while (sink.count < job->messages)
        job->transport->receive(subscriber, &sink);
    self->end_ns = now_ns();
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

static void read_percentiles(const struct stage *stage, struct outcome *outcome) {
    size_t count = 0;
    for (unsigned i = 1; i < stage->workers_count; i++)
        count += stage->workers[i].samples_count;
    uint32_t *all = malloc(count * sizeof *all);
    if (all == NULL)
        die("out of memory");
    count = 0;
    for (unsigned i = 1; i < stage->workers_count; i++) {
        const struct worker *worker = &stage->workers[i];
        memcpy(all + count, worker->samples_ns, worker->samples_count * sizeof *all);
        count += worker->samples_count;
    }
    sort_samples(all, count);
    outcome->p50_us = percentile(all, count, 50) / 1000;
    outcome->p90_us = percentile(all, count, 90) / 1000;
    outcome->p99_us = percentile(all, count, 99) / 1000;
    outcome->p999_us = percentile(all, count, 99.9) / 1000;
    free(all);
}

static void run(const struct job *job, struct outcome *outcome) {
    struct stage *stage = stage_open();
    if (job->transport->broker != NULL)
        job->transport->broker(stage);
    struct worker *publisher = stage_start(stage, run_publisher, job);
    stage_await(stage, PHASE_ADDRESSED, SECONDS_MAX);
    for (unsigned i = 0; i < job->peers; i++)
        stage_start(stage, run_subscriber, job);
    stage_await(stage, PHASE_READY, SECONDS_MAX);

    double cpu_before = stage_cpu_s(stage);
    stage_command(stage, COMMAND_GO);
    stage_await(stage, PHASE_DONE, SECONDS_MAX);
    outcome->cpu_s = stage_cpu_s(stage) - cpu_before;
    int64_t end_ns = 0;
    for (unsigned i = 1; i < stage->workers_count; i++)
        if (stage->workers[i].end_ns > end_ns)
            end_ns = stage->workers[i].end_ns;
    outcome->seconds = (double)(end_ns - publisher->begin_ns) / 1e9;
    if (job->rate > 0)
        read_percentiles(stage, outcome);
    stage_close(stage);
}

void contest(const struct settings *settings, const struct job *job, unsigned rounds,
             struct outcome *outcomes) {
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; settings->against[i] != NULL; i++) {
            struct job turn = *job;
            turn.transport = settings->against[i];
            run(&turn, &outcomes[i * RUNS_MAX + round]);
        }
}
