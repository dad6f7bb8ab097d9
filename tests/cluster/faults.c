/* Recorders under load, while cables are cut and processes are stopped and killed. Then everything
 * heals, and must be of one mind. Invariants: docs/reliability.md. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorders.h"

static void make_trouble(recorders *r, uint64_t ms) {
    uint64_t until_ms = recorders_ms(r) + ms;
    uint64_t next_ms = 0;
    while (recorders_ms(r) < until_ms && r->violations == 0) {
        recorders_mend(r, false);
        if (recorders_ms(r) >= next_ms) {
            recorders_break(r);
            next_ms = recorders_ms(r) + 100 + recorders_below(r, 1500);
        }
        recorders_step(r);
    }
    recorders_mend(r, true);
}

int main(int count, char **values) {
    static recorders r = { .messages_per_s = 1000, .long_one_in = 3 };
    uint64_t seconds = 25;
    if (count == 3 && strcmp(values[1], RECORDERS_ARGUMENT) == 0)
        return recorders_main(values[2]);
    if (!recorders_options(&r, count, values, (recorders_number){ "seconds", 300, &seconds },
                           (recorders_number){ NULL, 0, NULL })) {
        fputs("usage: wsfan-faults [--seconds 1..300 (25)] " RECORDERS_USAGE "\n", stderr);
        return 2;
    }
    int status = recorders_open(&r);
    if (status != 0)
        return status;
    if (r.violations == 0)
        make_trouble(&r, seconds * 1000);
    recorders_close(&r);
    recorders_report(&r);
    if (r.violations > 0)
        fprintf(stderr, "repeat it with: wsfan-faults --seed %" PRIu64 " --seconds %" PRIu64 "\n",
                r.seed, seconds);
    return r.violations > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
