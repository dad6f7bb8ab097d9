/* Recorders for as long as one likes: one or two faults every 10 seconds, sessions and messages
 * throughout. Each minute all heals for a moment, must be of one mind, is checked and forgotten, so
 * that the check itself needs no more memory after a day than after a minute. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorders.h"

enum {
    EVERY_MS = 10000, /* faults */
    TOGETHER_MAX = 2, /* so many begin at a time */
    ROUND_MS = 60000,
    STEADY = 2, /* live throughout, so that their memory can be watched */
    MINUTES_MAX = 7 * 24 * 60,
    GROWTH_KB_MAX = 2048, /* in the second half of a life, as the slope says: in an hour a leak of
                             70 KB a minute is more; */
    YOUNG_MINUTES = 10    /* twice as much in a shorter half: buffers still find their size */
};

static void make_trouble(recorders *r, uint64_t until_ms) {
    uint64_t next_ms = 0;
    unsigned first = (unsigned)recorders_below(r, FAULT_COUNT);
    while (recorders_ms(r) < until_ms && r->violations == 0) {
        recorders_mend(r, false);
        if (recorders_ms(r) >= next_ms) {
            for (uint64_t left = 1 + recorders_below(r, TOGETHER_MAX); left > 0; left--)
                recorders_break(r, first);
            next_ms = recorders_ms(r) + EVERY_MS;
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

static void run(recorders *r, uint64_t minutes) {
    uint64_t until_ms = recorders_ms(r) + minutes * 60000;
    while (r->violations == 0) {
        uint64_t round_ms = recorders_ms(r) + ROUND_MS;
        make_trouble(r, round_ms < until_ms ? round_ms : until_ms);
        if (round_ms >= until_ms || r->violations > 0)
            break;
        recorders_settle(r);
        tell_progress(r);
    }
}

#ifdef SANITIZED /* keeps what was freed */
static const double judged_minutes_min = 1e9;
#else
static const double judged_minutes_min = 0.5; /* before, they fill for the first time */
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

int main(int count, char **values) {
    static recorders r = { .messages_per_s = 100, .steady = STEADY, .long_one_in = 2 };
    uint64_t minutes = 0;
    if (count == 3 && strcmp(values[1], RECORDERS_ARGUMENT) == 0)
        return recorders_main(values[2]);
    if (!recorders_options(&r, count, values, "minutes", MINUTES_MAX, &minutes)) {
        fputs("usage: sh tests/soak.sh --minutes M [--seed S] [--verbose]\n", stderr);
        return 2;
    }
    printf("soak: %" PRIu64 " min with seed %" PRIu64 "\n", minutes, r.seed);
    fflush(stdout);
    recorders_open(&r);
    run(&r, minutes);
    recorders_close(&r);
    bool grows = false;
    for (unsigned i = 0; i < RECORDERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "node %u", i);
        grows = tell_memory(name, &r.nodes[i].memory) || grows;
    }
    grows = tell_memory("the test", &r.memory) || grows;
    recorders_report(&r);
    return r.violations > 0 || grows ? EXIT_FAILURE : EXIT_SUCCESS;
}
