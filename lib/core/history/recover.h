/* Recoveries of this node's sessions: what becomes of the position of one that came back. */
#ifndef WSF_CORE_HISTORY_RECOVER_H
#define WSF_CORE_HISTORY_RECOVER_H

#include "core/state.h"

/* See wsf_core_recover(). */
void wsf_recover_add(wsf_core *core, wsf_recovery *recovery, wsf_now now);

void wsf_recover_forget_loop(wsf_core *core, unsigned loop);
void wsf_recover_end(wsf_core *core);

void wsf_recover_tick(wsf_core *core, wsf_now now);
uint64_t wsf_recover_deadline(const wsf_core *core); /* UINT64_MAX: none */

#endif
