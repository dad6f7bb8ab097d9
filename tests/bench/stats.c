/* stats.c - medians and percentiles. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static int compare_samples(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

struct summary summarise(const double *values, size_t count) {
    double sorted[RUNS_MAX];
    if (count == 0 || count > RUNS_MAX)
        die("a summary of %zu runs", count);
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    return (struct summary){ (sorted[(count - 1) / 2] + sorted[count / 2]) / 2, sorted[0],
                             sorted[count - 1] };
}

void sort_samples(uint32_t *samples, size_t count) {
    qsort(samples, count, sizeof *samples, compare_samples);
}

/* The nearest rank: the smallest sample that `percent` of them do not exceed. */
double percentile(const uint32_t *sorted, size_t count, double percent) {
    if (count == 0)
        return 0;
    size_t rank = (size_t)(percent / 100 * (double)count);
    return sorted[rank < count ? rank : count - 1];
}
