/* latency.c - from the call that publishes to the subscriber that has it, at a rate that loads
 * nothing. */
#include "bench.h"

#include <stdlib.h>

enum { SIZE = 128, RUNS = 5, RATE = 1000, COUNT = 3000, COUNT_QUICK = 100 };

static void report(const struct job *jobs, unsigned jobs_count, unsigned rounds,
                   const struct outcome *outcomes) {
    for (unsigned i = 0; i < jobs_count; i++) {
        double p50[RUNS_MAX], p90[RUNS_MAX], p99[RUNS_MAX], p999[RUNS_MAX];
        double ratio50[RUNS_MAX], ratio99[RUNS_MAX];
        const char *name = jobs[i].name;
        for (unsigned r = 0; r < rounds; r++) {
            const struct outcome *ours = &outcomes[r];
            const struct outcome *theirs = &outcomes[i * RUNS_MAX + r];
            p50[r] = theirs->p50_us;
            p90[r] = theirs->p90_us;
            p99[r] = theirs->p99_us;
            p999[r] = theirs->p999_us;
            ratio50[r] = ours->p50_us / theirs->p50_us;
            ratio99[r] = ours->p99_us / theirs->p99_us;
        }
        const char *prefix = i == 0 ? "" : name;
        const char *dash = i == 0 ? "" : "_";
        report_median(p50, rounds, "%s%sp50_us", prefix, dash);
        report_median(p90, rounds, "%s%sp90_us", prefix, dash);
        report_median(p99, rounds, "%s%sp99_us", prefix, dash);
        report_median(p999, rounds, "%s%sp999_us", prefix, dash);
        if (i == 0)
            continue;
        report_median(ratio50, rounds, "p50_ratio_vs_%s", name);
        report_median(ratio99, rounds, "p99_ratio_vs_%s", name);
    }
}

int latency_main(const struct settings *settings) {
    struct job jobs[TRANSPORTS_MAX];
    struct outcome *outcomes = calloc((size_t)TRANSPORTS_MAX * RUNS_MAX, sizeof *outcomes);
    if (outcomes == NULL)
        die("out of memory");
    unsigned rounds = settings->runs > 0 ? settings->runs : settings->quick ? 1 : RUNS;
    struct job job = {
        .size = settings->size > 0 ? settings->size : SIZE,
        .peers = settings->peers,
        .rate = settings->rate > 0 ? settings->rate : RATE,
        .messages = settings->messages > 0 ? settings->messages
                    : settings->quick      ? COUNT_QUICK
                                           : COUNT,
    };
    if (job.messages > SAMPLES_MAX)
        die("--messages: at most %d where each is timed", SAMPLES_MAX);
    job_init(&job, settings);
    unsigned jobs_count = job_for_each(&job, settings, jobs);
    contest(jobs, jobs_count, rounds, outcomes);
    report_number((double)job.size, "size");
    report_number(job.peers, "peers");
    report_number(job.rate, "rate");
    report_number((double)job.messages, "messages");
    report_number(rounds, "runs");
    report(jobs, jobs_count, rounds, outcomes);
    free(outcomes);
    return 0;
}
