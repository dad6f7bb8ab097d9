/* Who is heard, and who is not. */
#ifndef WSF_CORE_LIVENESS_H
#define WSF_CORE_LIVENESS_H

#include "core/state.h"

/* Judges the liveness of the peers that this round looks at, repeats hellos that are due, and runs wsf_dialer_tick(). */
void wsf_liveness_tick(wsf_core *core, wsf_now now);
uint64_t wsf_liveness_deadline(const wsf_core *core);

/* When the peer is to be judged. */
uint64_t wsf_liveness_peer_deadline(const wsf_core *core, const wsf_peer *peer);

#endif
