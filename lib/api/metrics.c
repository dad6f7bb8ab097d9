/* Answers for how statistics are told, see wsfan/metrics.h. All is read before anything is written, so that no
 * lock is held while the host's function runs. */
#include <wsfan/metrics.h>

#include <stdio.h>
#include <string.h>
#include <wsfan/placement.h>

#include "api/metrics_rows.h"
#include "api/node.h"
#include "base/memory.h"
#include "base/sized.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ------------------------------------------------------- what is no number in a struct, and times */

static const wsf_metric NODE = { "wsfan_node", "The node: its name, id, cluster and library.",
                                 WSF_METRIC_INFO };
static const wsf_metric READY = { "wsfan_ready", "1: the node is ready, see wsfan_node_ready().",
                                  WSF_METRIC_GAUGE };
static const wsf_metric DROPPED = { "wsfan_dropped",
                                    "Messages, frames and notices that were dropped, by reason.",
                                    WSF_METRIC_COUNTER };
static const wsf_metric RECOVERIES = { "wsfan_recoveries",
                                       "Joins with history, by what became of the position.",
                                       WSF_METRIC_COUNTER };
static const wsf_metric OUTBOUND_DROPPED = { "wsfan_outbound_dropped_items",
                                             "Items that outbound queues dropped, by reason.",
                                             WSF_METRIC_COUNTER };
static const wsf_metric PEER = { "wsfan_peer", "The id and the endpoint of a peer.",
                                 WSF_METRIC_INFO };
static const wsf_metric PEER_STATE = { "wsfan_peer_state", "1 of the state that the peer is in.",
                                       WSF_METRIC_GAUGE };

/* The core knows milliseconds; a join waits join_ms_max, by default 5 s. */
static const wsf_histogram_scale MS = { 1, 1000, 15 };
static const wsf_histogram_scale DISPATCH_US = { WSF_DISPATCH_FIRST_US, 1,
                                                 WSF_HISTOGRAM_BUCKETS - 1 };
static const wsf_metric DISPATCH = {
    "wsfan_loop_dispatch_seconds",
    "From publish to dispatch on this node, of the first message of each batch.",
    WSF_METRIC_HISTOGRAM
};
static const wsf_metric ROUND_TRIP = {
    "wsfan_peer_round_trip_seconds",
    "From a frame to its acknowledgement, which may be 10 ms late, of one frame at a time.",
    WSF_METRIC_HISTOGRAM
};
static const wsf_metric JOIN = { "wsfan_join_seconds", "Until the peers knew of a join.",
                                 WSF_METRIC_HISTOGRAM };
static const wsf_metric REPAIR = { "wsfan_repair_seconds",
                                   "Until missing frames of a peer had come.",
                                   WSF_METRIC_HISTOGRAM };

static const wsf_label NO_LABELS[] = { { NULL, NULL } };

/* ----------------------------------------------------------------------------------------- text */

static uint64_t value_of(const wsf_metrics_row *row, const void *stats) {
    const char *at = (const char *)stats + row->offset;
    uint64_t wide;
    uint32_t narrow;
    if (row->size == sizeof wide)
        memcpy(&wide, at, sizeof wide);
    else
        memcpy(&narrow, at, sizeof narrow);
    return row->size == sizeof wide ? wide : narrow;
}

/* size: of the struct, which may be that of an older program. */
static void write_rows(wsf_exposition *out, const wsf_metrics_table *table, const void *stats,
                       size_t size) {
    for (size_t r = 0; r < table->count; r++) {
        const wsf_metrics_row *row = &table->rows[r];
        if (row->offset + (size_t)row->size > size)
            continue;
        wsf_exposition_family(out, &row->metric);
        wsf_exposition_sample(out, &row->metric, NO_LABELS, value_of(row, stats));
    }
}

static void write_stats(wsf_exposition *out, const wsfan_stats *stats) {
    write_rows(out, &wsf_metrics_node, stats, sizeof *stats);
    wsf_exposition_family(out, &DROPPED);
    for (unsigned i = 0; i < WSFAN_DROP_COUNT; i++) {
        wsf_label labels[] = { { "reason", wsfan_drop_name((wsfan_drop)i) }, { NULL, NULL } };
        wsf_exposition_sample(out, &DROPPED, labels, stats->dropped[i]);
    }
    wsf_exposition_family(out, &RECOVERIES);
    for (unsigned i = 0; i <= WSFAN_RECOVERY_OFF; i++) {
        wsf_label labels[] = { { "recovery", wsfan_recovery_text((wsfan_recovery)i) },
                               { NULL, NULL } };
        wsf_exposition_sample(out, &RECOVERIES, labels, stats->recoveries[i]);
    }
}

/* ---------------------------------------------------------------------------------------- peers */

/* Numbers of a node, all read before the first is written. No two peers have one name (claim_name() in handshake.c). */
typedef struct {
    wsfan_stats stats;
    bool ready;
    wsf_core_metrics core;
    uint32_t loops_count;
    wsf_loop_metrics loops[WSF_LOOPS_MAX];
} snapshot;

static void write_state(wsf_exposition *out, const wsfan_peer_stats *peer) {
    static const wsfan_peer_event STATES[] = { WSFAN_PEER_MEETING, WSFAN_PEER_UP, WSFAN_PEER_SILENT,
                                               WSFAN_PEER_DOWN };
    for (size_t i = 0; i < COUNT(STATES); i++) {
        wsf_label labels[] = { { "peer", peer->name },
                               { "state", wsfan_peer_event_text(STATES[i]) },
                               { NULL, NULL } };
        wsf_exposition_sample(out, &PEER_STATE, labels, peer->state == STATES[i]);
    }
}

static void write_peers(wsf_exposition *out, const snapshot *all) {
    const wsf_core_metrics *core = &all->core;
    wsf_exposition_family(out, &PEER);
    for (uint32_t i = 0; i < core->peers_count; i++) {
        char id[WSFAN_ADDRESS_TEXT_SIZE];
        const wsfan_peer_stats *peer = &core->peers[i].stats;
        wsfan_address_text((wsfan_address){ peer->node, 0 }, id);
        wsf_label labels[] = { { "peer", core->peers[i].stats.name },
                               { "id", id },
                               { "endpoint", peer->endpoint },
                               { NULL, NULL } };
        wsf_exposition_sample(out, &PEER, labels, 1);
    }
    wsf_exposition_family(out, &PEER_STATE);
    for (uint32_t i = 0; i < core->peers_count; i++)
        write_state(out, &core->peers[i].stats);
    for (size_t r = 0; r < wsf_metrics_peer.count; r++) {
        const wsf_metrics_row *row = &wsf_metrics_peer.rows[r];
        wsf_exposition_family(out, &row->metric);
        for (uint32_t i = 0; i < core->peers_count; i++) {
            wsf_label labels[] = { { "peer", core->peers[i].stats.name }, { NULL, NULL } };
            wsf_exposition_sample(out, &row->metric, labels, value_of(row, &core->peers[i].stats));
        }
    }
    wsf_exposition_family(out, &ROUND_TRIP);
    for (uint32_t i = 0; i < core->peers_count; i++) {
        wsf_label labels[] = { { "peer", core->peers[i].stats.name }, { NULL, NULL } };
        wsf_exposition_histogram(out, &ROUND_TRIP, labels, &core->peers[i].round_trip, &MS);
    }
}

/* ---------------------------------------------------------------------------------------- loops */

typedef struct {
    char number[12];
    wsf_label labels[2];
} loop_label;

static const wsf_label *label_loop(loop_label *label, const wsf_loop_metrics *loop) {
    snprintf(label->number, sizeof label->number, "%u", loop->loop);
    label->labels[0] = (wsf_label){ "loop", label->number };
    label->labels[1] = (wsf_label){ NULL, NULL };
    return label->labels;
}

static void write_loops(wsf_exposition *out, const snapshot *all) {
    loop_label label;
    for (size_t r = 0; r < wsf_metrics_loop.count; r++) {
        const wsf_metrics_row *row = &wsf_metrics_loop.rows[r];
        wsf_exposition_family(out, &row->metric);
        for (uint32_t i = 0; i < all->loops_count; i++)
            wsf_exposition_sample(out, &row->metric, label_loop(&label, &all->loops[i]),
                                  value_of(row, &all->loops[i].stats));
    }
    wsf_exposition_family(out, &DISPATCH);
    for (uint32_t i = 0; i < all->loops_count; i++)
        wsf_exposition_histogram(out, &DISPATCH, label_loop(&label, &all->loops[i]),
                                 &all->loops[i].dispatch, &DISPATCH_US);
}

/* --------------------------------------------------------------------------------------- public */

const char *wsfan_metrics_content_type(wsfan_metrics_format format) {
    return format == WSFAN_METRICS_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

static bool is_format(wsfan_metrics_format format) {
    return format == WSFAN_METRICS_PROMETHEUS || format == WSFAN_METRICS_OPENMETRICS;
}

static void write_node(wsf_exposition *out, const wsfan_node *node, const snapshot *all) {
    char id[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_address_text((wsfan_address){ wsfan_node_id(node), 0 }, id);
    wsf_label labels[] = { { "node", wsfan_node_name(node) },
                           { "id", id },
                           { "cluster", wsfan_node_cluster(node) },
                           { "version", wsfan_version() },
                           { NULL, NULL } };
    wsf_exposition_family(out, &NODE);
    wsf_exposition_sample(out, &NODE, labels, 1);
    wsf_exposition_family(out, &READY);
    wsf_exposition_sample(out, &READY, NO_LABELS, all->ready);
    write_stats(out, &all->stats);
    wsf_exposition_family(out, &JOIN);
    wsf_exposition_histogram(out, &JOIN, NO_LABELS, &all->core.join, &MS);
    wsf_exposition_family(out, &REPAIR);
    wsf_exposition_histogram(out, &REPAIR, NO_LABELS, &all->core.repair, &MS);
}

int wsfan_metrics_write(wsfan_node *node, wsfan_metrics_format format,
                        void (*write)(void *user, const char *text, size_t size), void *user) {
    int error = wsf_node_check(node);
    if (error != WSFAN_OK)
        return error;
    if (write == NULL || !is_format(format))
        return WSFAN_EINVAL;
    snapshot *all = wsf_alloc_zero(1, sizeof *all);
    if (all == NULL)
        return WSFAN_ENOMEM;
    all->stats.struct_size = sizeof all->stats;
    wsfan_node_get_stats(node, &all->stats); /* the node was checked: no error is left */
    all->ready = wsfan_node_ready(node) > 0;
    wsf_mesh_measure(wsf_node_mesh(node), &all->core);
    all->loops_count = wsf_node_measure_loops(node, all->loops);

    wsf_exposition out;
    wsf_exposition_begin(&out, format == WSFAN_METRICS_OPENMETRICS, write, user);
    write_node(&out, node, all);
    write_peers(&out, all);
    write_loops(&out, all);
    wsf_exposition_end(&out);
    wsf_free(all);
    return WSFAN_OK;
}

static void write_outbound_dropped(wsf_exposition *out, const wsfan_outbound_stats *sum) {
    wsf_exposition_family(out, &OUTBOUND_DROPPED);
    for (unsigned i = 0; i < WSFAN_OUTBOUND_DROP_COUNT; i++) {
        wsf_label labels[] = { { "reason", wsfan_outbound_drop_name((wsfan_outbound_drop)i) },
                               { NULL, NULL } };
        wsf_exposition_sample(out, &OUTBOUND_DROPPED, labels, sum->dropped[i]);
    }
}

int wsfan_metrics_write_outbound(const wsfan_outbound_stats *sum, wsfan_metrics_format format,
                                 void (*write)(void *user, const char *text, size_t size),
                                 void *user) {
    if (!WSF_IS_SIZED(sum) || write == NULL || !is_format(format))
        return WSFAN_EINVAL;
    wsf_exposition out;
    wsf_exposition_begin(&out, format == WSFAN_METRICS_OPENMETRICS, write, user);
    write_rows(&out, &wsf_metrics_outbound, sum, sum->struct_size);
    if (sum->struct_size >= sizeof *sum)
        write_outbound_dropped(&out, sum);
    wsf_exposition_end(&out);
    return WSFAN_OK;
}
