/* contest.c - the same work for every transport: one publisher and its subscribers, each a process
 * of its own, started anew for each run; the transports take turns, so that whatever else the
 * machine does falls on all of them. */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECONDS_MAX = 120,
    WINDOW_BYTES = 32 * 1024 * 1024, /* for transports without back-pressure */
    WINDOW_COUNT = 32768,            /* half of what a loop's inbox holds */
    PACE = 64,                       /* messages from one look at the window to the next */
    WORK_BYTES = 512 * 1024 * 1024
};

uint64_t messages_of(const struct settings *settings, size_t size, uint64_t count_max) {
    if (settings->messages > 0)
        return settings->messages;
    uint64_t count = WORK_BYTES / (size + 384);
    count = count < count_max ? count : count_max;
    return settings->quick ? count / 200 + 20 : count;
}

/* What the publishing threads of one process share. */
struct publishing {
    struct stage *stage;
    const struct job *job;
    void *publisher;
    atomic_uint_fast64_t published; /* rounded up to the pace of each thread */
};

struct publishing_thread {
    struct publishing *shared;
    pthread_t thread;
    unsigned number;
    struct source source;
};

/* Where what a subscriber does not take would be dropped, wait for the slowest. `pace` messages
 * are about to be published. */
static void hold_back(struct publishing *shared, uint64_t pace) {
    const struct job *job = shared->job;
    uint64_t published = atomic_fetch_add(&shared->published, pace) / job->parts;
    uint64_t window = WINDOW_BYTES / job->size;
    window = window < WINDOW_COUNT ? window : WINDOW_COUNT;
    for (unsigned i = 1; i <= job->peers; i++)
        while (published > window + atomic_load_explicit(&shared->stage->workers[i].received,
                                                         memory_order_acquire))
            pause_us(50);
}

static void publish_all(struct publishing_thread *self) {
    struct publishing *shared = self->shared;
    const struct job *job = shared->job;
    const struct transport *transport = job->transport;
    const struct chat *chat = job->chats;
    uint64_t pace = job->size > 4096 ? 1 : PACE;
    uint64_t count = job->messages / job->publishers;
    int64_t begin_ns = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        if (job->rate > 0)
            sleep_until_ns(begin_ns + (int64_t)(i * 1000000000 / job->rate));
        if (transport->no_back_pressure && i % pace == 0)
            hold_back(shared, pace);
        const uint8_t *payload = source_make(&self->source, payload_number(self->number, i),
                                             job->rate > 0 ? now_ns() : 0);
        transport->publish(shared->publisher, chat, payload, job->size);
        if (++chat == job->chats + job->chats_count)
            chat = job->chats;
        if (job->rate > 0 && transport->flush != NULL)
            transport->flush(shared->publisher);
    }
}

static void *run_thread(void *argument) {
    struct publishing_thread *self = argument;
    worker_await(self->shared->stage, COMMAND_GO);
    publish_all(self);
    return NULL;
}

/* The process's own thread is the first of those that publish. */
static void run_publisher(struct stage *stage, struct worker *self, const void *argument) {
    const struct job *job = argument;
    const struct transport *transport = job->transport;
    struct publishing shared = { .stage = stage, .job = job };
    struct publishing_thread threads[PUBLISHERS_MAX];
    for (unsigned i = 0; i < job->publishers; i++) {
        threads[i] = (struct publishing_thread){ .shared = &shared, .number = i };
        source_init(&threads[i].source, job->size);
    }
    shared.publisher = transport->publisher(stage, job);
    worker_phase(self, PHASE_ADDRESSED);
    if (transport->gather != NULL)
        transport->gather(shared.publisher, job);
    for (unsigned i = 1; i < job->publishers; i++)
        if (pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]) != 0)
            die("no thread");
    worker_phase(self, PHASE_READY);
    worker_await(stage, COMMAND_GO);

    self->begin_ns = now_ns();
    publish_all(&threads[0]);
    for (unsigned i = 1; i < job->publishers; i++)
        pthread_join(threads[i].thread, NULL);
    if (transport->flush != NULL)
        transport->flush(shared.publisher);
    worker_phase(self, PHASE_DONE);
    worker_await(stage, COMMAND_QUIT);
}

static void run_subscriber(struct stage *stage, struct worker *self, const void *argument) {
    const struct job *job = argument;
    struct sink sink;
    unsigned number = (unsigned)(self - stage->workers) - 1;
    sink_init(&sink, job->size, job->rate > 0, self);
    sink_expect(&sink, job_first_chat(job, number), job->parts);
    void *subscriber = job->transport->subscriber(stage, job, number);
    worker_phase(self, PHASE_READY);
    while (sink.count < job->messages / job->parts)
        job->transport->receive(subscriber, &sink);
    self->end_ns = now_ns();
    if (job->history)
        check_kept(subscriber, job);
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

void contest(const struct job *jobs, unsigned jobs_count, unsigned rounds,
             struct outcome *outcomes) {
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < jobs_count; i++)
            run(&jobs[i], &outcomes[i * RUNS_MAX + round]);
}
