/* Interest between nodes: ours as each peer was told, and theirs. */
#ifndef WSF_CORE_ROUTING_SUBSCRIPTION_H
#define WSF_CORE_ROUTING_SUBSCRIPTION_H

#include "core/part.h"

extern const wsf_part wsf_subscription_part;

/* Whether the peer was told all of our interest up to now. */
bool wsf_subscription_told_all(const wsf_core *core, const wsf_peer *peer);

#endif
