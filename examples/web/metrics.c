/* metrics.c - GET /metrics: those of libwsfan, then a server's own. */
#include "metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------------- format */

/* The part of the text before the next ';', which is taken off. */
static struct slice next_parameter(struct slice *rest) {
    const char *end = memchr(rest->data, ';', rest->size);
    size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
    struct slice part = slice_trim((struct slice){ rest->data, size });
    size_t taken = end != NULL ? size + 1 : size;
    *rest = (struct slice){ rest->data + taken, rest->size - taken };
    return part;
}

/* "q=0", "q=0.000": RFC 9110, section 12.4.2. */
static bool is_refusal(struct slice parameter) {
    if (parameter.size < 3 || (parameter.data[0] | 0x20) != 'q' || parameter.data[1] != '=')
        return false;
    for (size_t i = 2; i < parameter.size; i++)
        if (parameter.data[i] != '0' && parameter.data[i] != '.')
            return false;
    return true;
}

/* Whether a media range of Accept is OpenMetrics 1.0. */
static bool is_openmetrics(struct slice range) {
    if (!slice_is_nocase(next_parameter(&range), "application/openmetrics-text"))
        return false;
    while (range.size > 0) {
        struct slice parameter = next_parameter(&range);
        if (is_refusal(parameter) ||
            (parameter.size > 8 && strncasecmp(parameter.data, "version=", 8) == 0 &&
             !slice_is_nocase(parameter, "version=1.0.0")))
            return false;
    }
    return true;
}

/* Prometheus names OpenMetrics first, so whoever takes it gets it. */
static wsfan_metrics_format format_of(const struct web_request *request) {
    struct slice accept, range, fields = request->head.fields;
    while (head_next_field(&fields, "accept", &accept))
        while (syntax_next(&accept, &range))
            if (is_openmetrics(range))
                return WSFAN_METRICS_OPENMETRICS;
    return WSFAN_METRICS_PROMETHEUS;
}

/* --------------------------------------------------------------------------------------- text */

static void append(void *user, const char *text, size_t size) {
    enum { CAPACITY_FIRST = 32 * 1024 };
    struct web_metrics *page = user;
    size_t capacity = page->capacity > 0 ? page->capacity : CAPACITY_FIRST;
    while (capacity - page->size < size)
        capacity *= 2;
    char *data = capacity > page->capacity ? realloc(page->data, capacity) : page->data;
    if (data == NULL) {
        page->failed = true;
        return;
    }
    page->data = data;
    page->capacity = capacity;
    memcpy(page->data + page->size, text, size);
    page->size += size;
}

__attribute__((format(printf, 2, 3))) static void print(struct web_metrics *page,
                                                        const char *format, ...) {
    char text[512]; /* of names and texts in the sources */
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof text)
        page->failed = true;
    else
        append(page, text, (size_t)size);
}

void web_metrics_begin(struct web_metrics *page, const struct web_request *request,
                       wsfan_node *node) {
    *page = (struct web_metrics){ .format = format_of(request) };
    if (wsfan_metrics_write(node, page->format, append, page) != WSFAN_OK)
        page->failed = true;
}

void web_metrics_family(struct web_metrics *page, enum web_metric type, const char *name,
                        const char *help) {
    bool total = type == WEB_COUNTER && page->format == WSFAN_METRICS_PROMETHEUS;
    print(page, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, total ? "_total" : "", help, name,
          total ? "_total" : "", type == WEB_COUNTER ? "counter" : "gauge");
}

void web_metrics_sample(struct web_metrics *page, enum web_metric type, const char *name,
                        const char *labels, uint64_t value) {
    print(page, "%s%s%s %" PRIu64 "\n", name, type == WEB_COUNTER ? "_total" : "", labels, value);
}

void web_metrics_add(struct web_metrics *page, enum web_metric type, const char *name,
                     const char *help, uint64_t value) {
    web_metrics_family(page, type, name, help);
    web_metrics_sample(page, type, name, "", value);
}

void web_metrics_answer(struct web_metrics *page, struct web_request *request) {
    if (page->format == WSFAN_METRICS_OPENMETRICS)
        print(page, "%s", WSFAN_METRICS_END);
    if (page->failed)
        web_answer(request, 503, "text/plain", NULL, NULL, 0);
    else
        web_answer(request, 200, wsfan_metrics_content_type(page->format), NULL, page->data,
                   page->size);
    free(page->data);
}
