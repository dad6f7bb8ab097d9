/* Answers for the grammar of both formats. They differ in few places: OpenMetrics names a counter without
 * its _total and an info without its _info in the lines before its samples, and has a line for the unit.
 * No number goes through printf() with a decimal point, which would be that of the locale. */
#include "base/exposition.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void flush(wsf_exposition *out) {
    if (out->size > 0)
        out->write(out->user, out->buffer, out->size);
    out->size = 0;
}

static void put_bytes(wsf_exposition *out, const char *bytes, size_t size) {
    while (size > 0) {
        size_t room = sizeof out->buffer - out->size;
        size_t part = size < room ? size : room;
        memcpy(out->buffer + out->size, bytes, part);
        out->size += part;
        bytes += part;
        size -= part;
        if (out->size == sizeof out->buffer)
            flush(out);
    }
}

static void put(wsf_exposition *out, const char *text) {
    put_bytes(out, text, strlen(text));
}

static void put_number(wsf_exposition *out, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    put(out, text);
}

/* Microseconds as seconds, without zeros at the end: 1500000 is 1.5. */
static void put_seconds(wsf_exposition *out, uint64_t us) {
    char text[32];
    int size = snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
    while (text[size - 1] == '0' && text[size - 2] != '.')
        size--;
    put_bytes(out, text, (size_t)size);
}

static void put_escaped(wsf_exposition *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            put(out, "\\n");
        else if (*text == '"' || *text == '\\')
            put_bytes(out, (char[2]){ '\\', *text }, 2);
        else
            put_bytes(out, text, 1);
    }
}

void wsf_exposition_begin(wsf_exposition *out, bool openmetrics,
                          void (*write)(void *user, const char *text, size_t size), void *user) {
    out->write = write;
    out->user = user;
    out->openmetrics = openmetrics;
    out->size = 0;
}

void wsf_exposition_end(wsf_exposition *out) {
    flush(out);
}

static const char *suffix_of(const wsf_metric *metric) {
    return metric->kind == WSF_METRIC_COUNTER ? "_total"
           : metric->kind == WSF_METRIC_INFO  ? "_info"
                                              : "";
}

static const char *type_of(const wsf_exposition *out, const wsf_metric *metric) {
    switch (metric->kind) {
    case WSF_METRIC_COUNTER:
        return "counter";
    case WSF_METRIC_INFO:
        return out->openmetrics ? "info" : "gauge";
    case WSF_METRIC_HISTOGRAM:
        return "histogram";
    case WSF_METRIC_GAUGE:
        break;
    }
    return "gauge";
}

static bool ends_in(const char *text, const char *end) {
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

static void put_comment(wsf_exposition *out, const char *word, const wsf_metric *metric,
                        const char *text) {
    put(out, word);
    put(out, metric->name);
    if (!out->openmetrics)
        put(out, suffix_of(metric));
    put(out, " ");
    put(out, text);
    put(out, "\n");
}

void wsf_exposition_family(wsf_exposition *out, const wsf_metric *metric) {
    assert(strpbrk(metric->help, "\"\\\n") == NULL);
    put_comment(out, "# HELP ", metric, metric->help);
    put_comment(out, "# TYPE ", metric, type_of(out, metric));
    if (out->openmetrics && ends_in(metric->name, "_bytes"))
        put_comment(out, "# UNIT ", metric, "bytes");
    if (out->openmetrics && ends_in(metric->name, "_seconds"))
        put_comment(out, "# UNIT ", metric, "seconds");
}

static void put_name(wsf_exposition *out, const wsf_metric *metric, const char *suffix) {
    put(out, metric->name);
    put(out, suffix);
}

/* bound_us: of a bucket; 0: no label for one; UINT64_MAX: +Inf. */
static void put_labels(wsf_exposition *out, const wsf_label *labels, uint64_t bound_us) {
    const char *before = "{";
    for (; labels->name != NULL; labels++) {
        put(out, before);
        put(out, labels->name);
        put(out, "=\"");
        put_escaped(out, labels->value);
        put(out, "\"");
        before = ",";
    }
    if (bound_us > 0) {
        put(out, before);
        put(out, "le=\"");
        if (bound_us == UINT64_MAX)
            put(out, "+Inf");
        else
            put_seconds(out, bound_us);
        put(out, "\"");
        before = ",";
    }
    put(out, *before == '{' ? " " : "} ");
}

void wsf_exposition_sample(wsf_exposition *out, const wsf_metric *metric, const wsf_label *labels,
                           uint64_t value) {
    put_name(out, metric, suffix_of(metric));
    put_labels(out, labels, 0);
    put_number(out, value);
    put(out, "\n");
}

void wsf_exposition_histogram(wsf_exposition *out, const wsf_metric *metric,
                              const wsf_label *labels, const wsf_histogram_counts *counts,
                              const wsf_histogram_scale *scale) {
    uint64_t count = 0;
    for (unsigned i = 0; i < WSF_HISTOGRAM_BUCKETS; i++) {
        count += counts->buckets[i];
        if (i >= scale->bounds && i < WSF_HISTOGRAM_BUCKETS - 1)
            continue;
        put_name(out, metric, "_bucket");
        put_labels(out, labels,
                   i < scale->bounds ? (scale->first << i) * scale->unit_us : UINT64_MAX);
        put_number(out, count);
        put(out, "\n");
    }
    put_name(out, metric, "_sum");
    put_labels(out, labels, 0);
    put_seconds(out, counts->sum * scale->unit_us);
    put(out, "\n");
    put_name(out, metric, "_count");
    put_labels(out, labels, 0);
    put_number(out, count);
    put(out, "\n");
}
