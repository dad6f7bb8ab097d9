/* Recorders for as long as one likes, under faults of every kind, sessions and messages throughout: one
 * cluster after another, each chosen by a seed of its own. Each minute all heals for a moment, must be of
 * one mind, is checked and forgotten, so that the check itself needs no more memory after a day than
 * after a minute. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorders.h"

enum {
    EVERY_MS_MIN = 500, /* faults; or this doubled, up to */
    EVERY_DOUBLED = 3,  /* so many times */
    TOGETHER_MAX = 2,   /* so many begin at a time */
    ROUND_MS = 60000,
    STEADY = 2, /* live throughout, so that their memory can be watched */
    MINUTES_MAX = 7 * 24 * 60,
    EACH_S = 60,
    EXTRA_S = 300,        /* a cluster has ended so long after its time, or is ended */
    GROWTH_KB_MAX = 2048, /* in the second half of a life, as the slope says: in an hour a leak of
                             70 KB a minute is more; */
    YOUNG_MINUTES = 10    /* twice as much in a shorter half: buffers still find their size */
};

static void make_trouble(recorders *r, uint64_t every_ms, uint64_t until_ms) {
    uint64_t next_ms = 0;
    while (recorders_ms(r) < until_ms && r->violations == 0) {
        recorders_mend(r, false);
        if (recorders_ms(r) >= next_ms) {
            for (uint64_t left = 1 + recorders_below(r, TOGETHER_MAX); left > 0; left--)
                recorders_break(r);
            next_ms = recorders_ms(r) + every_ms;
        }
        recorders_step(r);
    }
    recorders_mend(r, true);
}

static void tell_progress(const recorders *r) {
    printf("after %6.1f min: %" PRIu64 " deliveries checked, %u lives, violations %u\n",
           (double)recorders_ms(r) / 60000, ledger_deliveries(r->ledger), r->lives, r->violations);
    fflush(stdout);
}

static void run(recorders *r, uint64_t seconds) {
    uint64_t every_ms = (uint64_t)EVERY_MS_MIN << recorders_below(r, EVERY_DOUBLED + 1);
    uint64_t until_ms = recorders_ms(r) + seconds * 1000;
    while (r->violations == 0) {
        uint64_t round_ms = recorders_ms(r) + ROUND_MS;
        make_trouble(r, every_ms, round_ms < until_ms ? round_ms : until_ms);
        if (round_ms >= until_ms || r->violations > 0)
            break;
        recorders_settle(r);
        tell_progress(r);
    }
}

#ifdef SANITIZED /* keeps what was freed */
static const double judged_minutes_min = 1e9;
#else
static const double judged_minutes_min =
    2; /* before, they and their histories fill for the first time */
#endif

static bool tell_memory(const char *name, const memory_series *s) {
    double minutes;
    double slope = memory_slope(s, &minutes);
    double max = minutes < (double)YOUNG_MINUTES ? 2 * GROWTH_KB_MAX : GROWTH_KB_MAX;
    bool grows = minutes >= judged_minutes_min && slope * minutes > max;
    if (s->count > 0)
        printf("memory     %s: %.0f KB at first, %.0f KB after %.1f min; %+.1f KB/min in the last "
               "%.1f%s\n",
               name, s->samples[0].kb, s->samples[s->count - 1].kb,
               s->samples[s->count - 1].minutes - s->samples[0].minutes, slope, minutes,
               grows ? ": it grows" : "");
    return grows;
}

static bool tell_memories(const recorders *r) {
    bool grows = false;
    for (unsigned i = 0; i < r->count; i++) {
        char name[16];
        snprintf(name, sizeof name, "node %u", i);
        grows = tell_memory(name, &r->nodes[i].memory) || grows;
    }
    return tell_memory("the test", &r->memory) || grows;
}

/* The whole of one cluster, in a process whose end is that of its network. */
static int run_cluster(recorders *r, uint64_t seconds) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm((unsigned)seconds + EXTRA_S);
    int status = recorders_open(r);
    if (status != 0)
        return status;
    if (r->violations == 0)
        run(r, seconds);
    recorders_close(r);
    bool grows = tell_memories(r);
    recorders_report(r);
    return r->violations > 0 || grows ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int await_cluster(recorders *r, uint64_t seconds) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        exit(run_cluster(r, seconds));
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return EXIT_FAILURE;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue; /* what it left, where this process is the first of its namespace */
    if (WIFSIGNALED(status))
        fprintf(stderr, "the cluster's process was ended by signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int main(int count, char **values) {
    static recorders r = { .messages_per_s = 500, .steady = STEADY, .long_one_in = 2 };
    uint64_t minutes = 0;
    uint64_t each = EACH_S;
    if (count == 3 && strcmp(values[1], RECORDERS_ARGUMENT) == 0)
        return recorders_main(values[2]);
    if (!recorders_options(&r, count, values,
                           (recorders_number){ "minutes", MINUTES_MAX, &minutes },
                           (recorders_number){ "each", MINUTES_MAX * 60, &each })) {
        fputs("usage: sh tests/soak.sh --minutes M [--each SECONDS] " RECORDERS_USAGE "\n", stderr);
        return 2;
    }
    int status = 0;
    unsigned failed = 0;
    for (uint64_t left = minutes * 60; left > 0 && status != NETWORK_SKIPPED; r.seed++) {
        uint64_t seconds = left < each ? left : each;
        status = await_cluster(&r, seconds);
        if (status != EXIT_SUCCESS && status != NETWORK_SKIPPED) {
            failed++;
            printf("FAILED: repeat it with --minutes %" PRIu64 " --each %" PRIu64 " --seed %" PRIu64
                   ", the rest as it was\n",
                   (seconds + 59) / 60, seconds, r.seed);
        }
        fflush(stdout);
        left -= seconds;
    }
    printf("clusters failed: %u\n", failed);
    return status == NETWORK_SKIPPED ? status : failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
