/* The epoch of the cluster: positions of another one say nothing. */
#ifndef WSF_CORE_HISTORY_EPOCH_H
#define WSF_CORE_HISTORY_EPOCH_H

#include "core/state.h"

/* Makes core->cluster_epoch, or takes over that of a peer. Without history it stays that of no cluster. */
void wsf_epoch_tick(wsf_core *core, wsf_now now);

#endif
