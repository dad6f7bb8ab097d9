/* relay.c - how many messages a second go from one process to others, and what they cost. */
#include "bench.h"

#include <stdlib.h>

enum { SIZE = 128, RUNS = 5, COUNT_MAX = 1000000 };

static void report(const struct settings *settings, const struct job *job, unsigned rounds,
                   const struct outcome *outcomes) {
    for (unsigned i = 0; settings->against[i] != NULL; i++) {
        double rates[RUNS_MAX], cpus[RUNS_MAX], ratios[RUNS_MAX], cpu_ratios[RUNS_MAX];
        const char *name = settings->against[i]->name;
        for (unsigned r = 0; r < rounds; r++) {
            const struct outcome *ours = &outcomes[r];
            const struct outcome *theirs = &outcomes[i * RUNS_MAX + r];
            rates[r] = (double)job->messages / theirs->seconds;
            cpus[r] = theirs->cpu_s * 1e9 / (double)job->messages;
            ratios[r] = theirs->seconds / ours->seconds;
            cpu_ratios[r] = theirs->cpu_s / ours->cpu_s;
        }
        struct summary rate = summarise(rates, rounds);
        struct summary cpu = summarise(cpus, rounds);
        report_summary(&rate, "%s_per_s", name);
        report_summary(&cpu, "%s_cpu_ns_per_message", name);
        if (i == 0)
            continue;
        report_number(median_of(ratios, rounds), "ratio_vs_%s", name);
        report_number(median_of(cpu_ratios, rounds), "cpu_ratio_vs_%s", name);
    }
}

int relay_main(const struct settings *settings) {
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
    contest(settings, &job, rounds, outcomes);
    report_number((double)size, "size");
    report_number(job.peers, "peers");
    report_number((double)job.messages, "messages");
    report_number(rounds, "runs");
    report(settings, &job, rounds, outcomes);
    free(outcomes);
    return 0;
}
