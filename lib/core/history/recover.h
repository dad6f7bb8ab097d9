/* Recoveries of this node's sessions: what becomes of the position of one that came back. */
#ifndef WSF_CORE_HISTORY_RECOVER_H
#define WSF_CORE_HISTORY_RECOVER_H

#include "core/state.h"

/* See wsf_core_recover(). */
void wsf_recover_add(wsf_core *core, wsf_recovery *recovery, wsf_now now);

#endif
