/* relay.c - how many messages a second go from one process to others, and what they cost. */
#include "bench.h"

#include <stdlib.h>

enum { SIZE = 128, RUNS = 5, COUNT_MAX = 1000000 };

static void report(const struct job *jobs, unsigned jobs_count, unsigned rounds,
                   const struct outcome *outcomes) {
    for (unsigned i = 0; i < jobs_count; i++) {
        double rates[RUNS_MAX], cpus[RUNS_MAX], ratios[RUNS_MAX], cpu_ratios[RUNS_MAX];
        const char *name = jobs[i].name;
        for (unsigned r = 0; r < rounds; r++) {
            const struct outcome *ours = &outcomes[r];
            const struct outcome *theirs = &outcomes[i * RUNS_MAX + r];
            rates[r] = (double)jobs[i].messages / theirs->seconds;
            cpus[r] = theirs->cpu_s * 1e9 / (double)jobs[i].messages;
            ratios[r] = theirs->seconds / ours->seconds;
            cpu_ratios[r] = theirs->cpu_s / ours->cpu_s;
        }
        report_median(rates, rounds, "%s_per_s", name);
        report_median(cpus, rounds, "%s_cpu_ns_per_message", name);
        if (i == 0)
            continue;
        report_median(ratios, rounds, "ratio_vs_%s", name);
        report_median(cpu_ratios, rounds, "cpu_ratio_vs_%s", name);
    }
}

int relay_main(const struct settings *settings) {
    struct job jobs[TRANSPORTS_MAX];
    struct outcome *outcomes = calloc((size_t)TRANSPORTS_MAX * RUNS_MAX, sizeof *outcomes);
    if (outcomes == NULL)
        die("out of memory");
    size_t size = settings->size > 0 ? settings->size : SIZE;
    unsigned rounds = settings->runs > 0 ? settings->runs : settings->quick ? 1 : RUNS;
    struct job job = {
        .size = size,
        .peers = settings->peers,
        .messages = messages_of(settings, size, COUNT_MAX),
    };
    job_init(&job, settings);
    unsigned jobs_count = job_for_each(&job, settings, jobs);
    if (job.publishers > 1) {
        jobs[jobs_count] = jobs[0];
        jobs[jobs_count].name = "one_publisher";
        jobs[jobs_count++].publishers = 1;
    }
    contest(jobs, jobs_count, rounds, outcomes);
    report_number((double)size, "size");
    report_number(job.peers, "peers");
    report_number(job.chats_count, "chats");
    report_number(job.parts, "parts");
    report_number(job.publishers, "publishers");
    report_number(settings->curve, "curve");
    report_number((double)job.messages, "messages");
    report_number(rounds, "runs");
    report(jobs, jobs_count, rounds, outcomes);
    free(outcomes);
    return 0;
}
