/* Messages that did not reach a peer, and those of a peer that did not reach this node. */
#ifndef WSF_CORE_LINK_GAPS_H
#define WSF_CORE_LINK_GAPS_H

#include "core/part.h"

extern const wsf_part wsf_gaps_part;

/* Tells the host that `count` messages of the peer did not arrive; 0: an unknown number. reason: a
 * wsfan_gap_reason, or any number that a peer sent. clock: none of them is newer; 0: not known. */
void wsf_gaps_tell(wsf_core *core, wsf_peer *peer, uint64_t count, uint64_t reason, uint64_t clock);

#endif
