/* What peers ask this node of the messages that it keeps. */
#ifndef WSF_CORE_HISTORY_SOURCE_H
#define WSF_CORE_HISTORY_SOURCE_H

#include "core/state.h"

/* A REQUEST of the kind WSF_REQUEST_KEPT. */
void wsf_source_take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_now now);

void wsf_source_lose(wsf_core *core, const wsf_peer *peer); /* it does not wait any more */
void wsf_source_end(wsf_core *core);

void wsf_source_tick(wsf_core *core, wsf_now now);
uint64_t wsf_source_deadline(const wsf_core *core); /* UINT64_MAX: none */

#endif
