/* Whether the process of a peer that has fallen silent has ended: then its address refuses connections. */
#ifndef WSF_CORE_PROBE_H
#define WSF_CORE_PROBE_H

#include "core/state.h"

/* Probes the peer if that is due. */
void wsf_probe_tick(wsf_core *core, wsf_peer *peer, wsf_now now);
uint64_t wsf_probe_deadline(const wsf_core *core, const wsf_peer *peer);

/* Takes the result of a probe. True: the process has ended. */
bool wsf_probe_answer(const wsf_core *core, wsf_peer *peer, bool refused, wsf_now now);

#endif
