/* Whom a message is for, and the way to the loops. */
#ifndef WSF_ROUTE_H
#define WSF_ROUTE_H

#include "state.h"

/* The loops and the peers that a message is for, as bits. */
void wsf_route_find(wsf_core *core, wsfan_message *message, uint64_t *loops, uint64_t *peers);

/* Hands a message to the loops. Takes over the caller's reference. */
void wsf_route_deliver(wsf_core *core, wsfan_message *message, uint64_t loops);

#endif
