/* Which peers a round looks at. */
#ifndef WSF_CORE_ROUNDS_H
#define WSF_CORE_ROUNDS_H

#include "core/state.h"

/* Stirs the peers whose time has come. */
void wsf_rounds_begin(wsf_core *core, wsf_now now);

/* Sends what there is for the stirred peers. */
void wsf_rounds_flush(wsf_core *core, wsf_now now);

/* When the first peer is to be looked at, at the latest. */
uint64_t wsf_rounds_deadline(const wsf_core *core);

#endif
