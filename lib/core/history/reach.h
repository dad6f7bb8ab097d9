/* How far this node got with all publishers at once, which its loops put into positions. */
#ifndef WSF_CORE_HISTORY_REACH_H
#define WSF_CORE_HISTORY_REACH_H

#include "core/state.h"

void wsf_reach_end(wsf_core *core);

/* Tells the loops, if it may have changed. After all else that a step of the core does. */
void wsf_reach_tick(wsf_core *core, wsf_now now);
uint64_t wsf_reach_deadline(const wsf_core *core); /* UINT64_MAX: none */

#endif
