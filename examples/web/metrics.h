/* metrics.h - GET /metrics: those of libwsfan, then a server's own
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * Begin, add, answer: on any thread of the server. Out of memory is remembered, so that only the end looks.
 */
#ifndef METRICS_H
#define METRICS_H

#include <wsfan/metrics.h>

#include "web.h"

struct web_metrics {
    wsfan_metrics_format format;
    char *data;
    size_t size;
    size_t capacity;
    bool failed;
};

enum web_metric { WEB_GAUGE, WEB_COUNTER };

/* Tells those of the node, in the format that the client takes. */
void web_metrics_begin(struct web_metrics *page, const struct web_request *request,
                       wsfan_node *node);
/* name: without _total. A family is followed by its samples; labels: {a="b"}, or "". */
void web_metrics_family(struct web_metrics *page, enum web_metric type, const char *name,
                        const char *help);
void web_metrics_sample(struct web_metrics *page, enum web_metric type, const char *name,
                        const char *labels, uint64_t value);
/* A family of one sample. */
void web_metrics_add(struct web_metrics *page, enum web_metric type, const char *name,
                     const char *help, uint64_t value);
/* Answers the request, and frees the page. */
void web_metrics_answer(struct web_metrics *page, struct web_request *request);

#endif
