/* The join barrier: a join is complete when all live peers know of it. */
#ifndef WSF_CORE_BARRIER_H
#define WSF_CORE_BARRIER_H

#include "core/state.h"

void wsf_barrier_add(wsf_core *core, wsf_ticket *ticket); /* its deadline is set */

/* Hands back the tickets whose serial all peers know, or whose time is over. */
void wsf_barrier_tick(wsf_core *core, wsf_now now);
uint64_t wsf_barrier_deadline(const wsf_core *core);

void wsf_barrier_forget_loop(wsf_core *core, unsigned loop); /* its tickets go back as closed */
void wsf_barrier_end(wsf_core *core);

#endif
