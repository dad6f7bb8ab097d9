/* Messages in the stream: those that wait for a peer, and those that come from one. */
#ifndef WSF_CORE_ROUTING_MESSAGES_H
#define WSF_CORE_ROUTING_MESSAGES_H

#include "core/part.h"

extern const wsf_part wsf_messages_part;

#endif
