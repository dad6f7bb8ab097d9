/* What this node is good for, what its peers are, and so which of them may own chats. */
#ifndef WSF_STANDING_H
#define WSF_STANDING_H

#include "state.h"

/* At the start, and when a peer's standing is told. */
void wsf_standing_init(wsf_core *core, wsf_now now);
void wsf_standing_take(wsf_core *core, wsf_peer *peer, const wsf_standing *standing);

/* A peer is gone. */
void wsf_standing_forget(wsf_core *core, wsf_peer *peer);

wsf_standing wsf_standing_own(const wsf_core *core);

void wsf_standing_drain(wsf_core *core, uint32_t ms_max, wsf_now now);

/* Everything that this node will ever publish has been published. */
void wsf_standing_quiet(wsf_core *core);

int wsf_standing_readiness(const wsf_core *core, wsf_now now);

/* Becomes ready, goes on with a drain, tells of a new view. */
void wsf_standing_tick(wsf_core *core, wsf_now now);

/* Ends a drain when everything is acknowledged. */
void wsf_standing_finish(wsf_core *core, bool acknowledged, wsf_now now);
uint64_t wsf_standing_deadline(const wsf_core *core);

#endif
