/* Interest between nodes: ours as each peer was told, and theirs. */
#ifndef WSF_CORE_ROUTING_SUBSCRIPTION_H
#define WSF_CORE_ROUTING_SUBSCRIPTION_H

#include "core/part.h"

extern const wsf_part wsf_subscription_part;

#endif
