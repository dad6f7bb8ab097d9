/* Peers tell each other of peers, so that one endpoint is enough to meet all. */
#ifndef WSF_CORE_GOSSIP_H
#define WSF_CORE_GOSSIP_H

#include "core/part.h"

extern const wsf_part wsf_gossip_part;

#endif
