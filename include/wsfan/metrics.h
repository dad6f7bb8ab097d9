/** @file metrics.h
 * Statistics as text for Prometheus and what else reads its formats. Not included by wsfan.h.
 *
 * A host serves the text at a path of its own, conventionally /metrics:
 *
 *     static void append(void *user, const char *text, size_t size);  // to the body of the answer
 *     ...
 *     wsfan_metrics_write(node, WSFAN_METRICS_PROMETHEUS, append, &body);
 *     answer(request, wsfan_metrics_content_type(WSFAN_METRICS_PROMETHEUS), &body);
 *
 * It says who is in the mesh and how much is sent: show it to whoever may know that.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * @par Names
 * Each statistic of stats.h is there under a name that begins with wsfan_, with its unit, and _total where
 * it only rises; its HELP line says what stats.h does. Names and labels stay as they are from version 1.0 on.
 *   - wsfan_...: of the node. Label `reason`: wsfan_drop_name(); `recovery`: wsfan_recovery_text().
 *   - wsfan_peer_...{peer}: of each peer whose name is known, under its name, so that a node that was started
 *     again goes on under it. Nodes without a name are only counted, in wsfan_peers.
 *   - wsfan_loop_...{loop}: of each open loop; loops are numbered from 0 on, and a number is used again.
 *
 * @par Histograms
 * Times of what passes all the time are taken of some of it, and cost no system call where the clock can be read
 * without one:
 *   - wsfan_loop_dispatch_seconds{loop}: from wsfan_publish() to the dispatch on a loop of this node, of the
 *     first message of each batch that the mesh thread takes: at low load of each message.
 *   - wsfan_peer_round_trip_seconds{peer}: from sending a frame with messages to its acknowledgement, of one
 *     frame at a time, not of frames that were sent again. A peer without anything to send waits up to 10 ms
 *     before it acknowledges.
 *   - wsfan_join_seconds: from the mesh thread's taking a join to its being complete, or partial; of joins that
 *     ask peers, which a second member of a chat on a loop does not.
 *   - wsfan_repair_seconds: from the moment when a frame of a peer was seen to be missing until none was.
 */
#ifndef WSFAN_METRICS_H
#define WSFAN_METRICS_H

#include <wsfan/outbound.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A format that Prometheus reads. */
typedef enum wsfan_metrics_format {
    WSFAN_METRICS_PROMETHEUS = 0, /**< its text format 0.0.4: any scraper reads it */
    /** OpenMetrics 1.0. WSFAN_METRICS_END must be the end of the whole text, behind what else the host adds */
    WSFAN_METRICS_OPENMETRICS = 1
} wsfan_metrics_format;

/** The last line of a text in OpenMetrics. */
#define WSFAN_METRICS_END "# EOF\n"

/** The Content-Type of a format, a constant. [any] */
WSFAN_API const char *wsfan_metrics_content_type(wsfan_metrics_format format);

/** Tells every statistic of the node, of its peers and of its open loops, and its histograms.
 *
 * @param write is called with the text, a piece of at most 2 KiB at a time, on this thread and before this
 * function returns; text is not NUL-terminated, and valid until `write` returns. It may call every [any]
 * function. The whole text is of some 11 KiB, and 2 KiB for each peer with a name and each loop; the longest
 * names make that 10 KiB for a peer.
 * @param user is handed to `write`; may be NULL.
 * @return WSFAN_OK, or WSFAN_EINVAL (NULL; no such format), WSFAN_ENOMEM, WSFAN_EFORK; on an error nothing is
 * written. Waits as wsfan_node_get_stats() does, for no callback and no loop. Allocates some 50 KiB until it
 * returns. [any] */
WSFAN_API int wsfan_metrics_write(wsfan_node *node, wsfan_metrics_format format,
                                  void (*write)(void *user, const char *text, size_t size),
                                  void *user);

/** The same for outbound queues, which belong to the host: metrics that begin with wsfan_outbound_.
 *
 * @param sum what all queues together count, those that were closed too; a field behind its struct_size is
 * not written.
 * @return WSFAN_OK, or WSFAN_EINVAL (NULL; no struct_size; no such format). [any] */
WSFAN_API int wsfan_metrics_write_outbound(const wsfan_outbound_stats *sum,
                                           wsfan_metrics_format format,
                                           void (*write)(void *user, const char *text, size_t size),
                                           void *user);

#ifdef __cplusplus
}
#endif
#endif
