/* Who is heard, and who is not. */
#ifndef WSF_CORE_LIVENESS_H
#define WSF_CORE_LIVENESS_H

#include "core/state.h"

/* Begins a round. Returns by how much the node overslept; when peers were heard moves with it. */
uint64_t wsf_liveness_wake(wsf_core *core, wsf_now now);

/* Judges the liveness of the peers that this round looks at, repeats hellos that are due, and runs wsf_dialer_tick(). */
void wsf_liveness_tick(wsf_core *core, uint64_t overslept_ms, wsf_now now);
uint64_t wsf_liveness_deadline(const wsf_core *core);

/* When the peer is to be judged. */
uint64_t wsf_liveness_peer_deadline(const wsf_core *core, const wsf_peer *peer);

#endif
