/* What the node counts. */
#ifndef WSF_CORE_STATISTICS_H
#define WSF_CORE_STATISTICS_H

#include "core/state.h"
#include "message/request.h"

void wsf_statistics_node(const wsf_core *core, wsfan_stats *stats);

/* As wsf_core_peers(). */
size_t wsf_statistics_peers(const wsf_core *core, wsfan_peer_stats *peers, size_t capacity);

/* Histograms, and of peers with a name the statistics too. */
void wsf_statistics_measure(const wsf_core *core, wsf_core_metrics *metrics);

/* Answers a request for statistics: adds a row for each of this node, and of each of its peers, that belongs to
 * the page of the call. */
void wsf_statistics_note(const wsf_core *core, wsf_call *call);

#endif
