/* Messages that did not reach a peer, and what a peer says of ours. */
#ifndef WSF_CORE_LINK_GAPS_H
#define WSF_CORE_LINK_GAPS_H

#include "core/part.h"

extern const wsf_part wsf_gaps_part;

/* Tells the host that so many messages of the peer did not arrive; 0: nobody counted. reason: a
 * wsfan_gap_reason, as the peer says it. */
void wsf_gaps_tell(wsf_core *core, wsf_peer *peer, uint64_t count, uint64_t reason);

#endif
