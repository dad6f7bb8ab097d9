/* Metrics as text: Prometheus' exposition format 0.0.4, or OpenMetrics 1.0. Knows no metric. */
#ifndef WSF_BASE_EXPOSITION_H
#define WSF_BASE_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counter.h"

/* Where a text goes, a piece at a time. */
typedef struct {
    void (*write)(void *user, const char *text, size_t size);
    void *user;
    bool openmetrics;
    size_t size; /* of what is in the buffer */
    char buffer[2048];
} wsf_exposition;

typedef enum {
    WSF_METRIC_COUNTER, /* its sample is NAME_total */
    WSF_METRIC_GAUGE,
    WSF_METRIC_INFO, /* its sample is NAME_info, which is 1 */
    WSF_METRIC_HISTOGRAM
} wsf_metric_kind;

/* A family of samples. Its unit, where there is one, ends the name: bytes or seconds. */
typedef struct {
    const char *name;
    const char *help; /* without quotes, backslashes and line ends */
    wsf_metric_kind kind;
} wsf_metric;

/* The last of some labels has the name NULL. Values may be any text; they are escaped. */
typedef struct {
    const char *name;
    const char *value;
} wsf_label;

/* How a histogram's values are written. */
typedef struct {
    uint64_t first;   /* as of wsf_histogram_add() */
    uint64_t unit_us; /* of the values */
    unsigned
        bounds; /* that are written, below WSF_HISTOGRAM_BUCKETS; values above the last go under +Inf */
} wsf_histogram_scale;

void wsf_exposition_begin(wsf_exposition *out, bool openmetrics,
                          void (*write)(void *user, const char *text, size_t size), void *user);

/* The lines before the first sample of a family; its samples follow at once. */
void wsf_exposition_family(wsf_exposition *out, const wsf_metric *metric);
void wsf_exposition_sample(wsf_exposition *out, const wsf_metric *metric, const wsf_label *labels,
                           uint64_t value);

/* Two labels at most. */
void wsf_exposition_histogram(wsf_exposition *out, const wsf_metric *metric,
                              const wsf_label *labels, const wsf_histogram_counts *counts,
                              const wsf_histogram_scale *scale);

/* Gives the last piece away. */
void wsf_exposition_end(wsf_exposition *out);

#endif
