/* The metric of each number in the structs of wsfan/stats.h and wsfan/outbound.h. */
#ifndef WSF_API_METRICS_ROWS_H
#define WSF_API_METRICS_ROWS_H

#include <wsfan/outbound.h>
#include <wsfan/stats.h>

#include "base/exposition.h"

typedef struct {
    wsf_metric metric;
    uint16_t offset; /* of the number in its struct */
    uint8_t size;    /* 4 or 8 */
} wsf_metrics_row;

typedef struct {
    const wsf_metrics_row *rows;
    size_t count;
} wsf_metrics_table;

extern const wsf_metrics_table wsf_metrics_node;     /* of wsfan_stats */
extern const wsf_metrics_table wsf_metrics_peer;     /* of wsfan_peer_stats */
extern const wsf_metrics_table wsf_metrics_loop;     /* of wsfan_loop_stats */
extern const wsf_metrics_table wsf_metrics_outbound; /* of wsfan_outbound_stats */

#endif
