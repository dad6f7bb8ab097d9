/* Which loops and peers a message is for, and the way to the loops. */
#ifndef WSF_CORE_ROUTING_ROUTER_H
#define WSF_CORE_ROUTING_ROUTER_H

#include "core/state.h"

/* The loops (as bits, with that of WSF_LOOP_ARCHIVE) and the peers that a message is for. */
void wsf_router_find(wsf_core *core, wsfan_message *message, uint64_t *loops, wsf_peers *peers);

/* The same of a run, for each of its heads and for all of them; peers NULL: they do not matter. Returns whether a loop wants
 * each head. */
bool wsf_router_find_heads(wsf_core *core, wsfan_message *run, uint64_t *loops, wsf_peers *peers);

/* The same as wsf_router_find() for requests, which must reach every node concerned: also every peer that is not up, with a
 * link or without, since what is known of its interest may be old. The archive has no part in them. */
void wsf_router_find_known(wsf_core *core, wsfan_message *message, uint64_t *loops,
                           wsf_peers *peers);

/* Of `count` nodes without a link keeps those that the message may be for, and returns how many. */
uint32_t wsf_router_keep(const wsfan_message *message, uint64_t *nodes, uint32_t count);

/* Whether targets and a payload from a peer are within the limits of this node. */
bool wsf_router_acceptable(const wsf_core *core, const wsfan_target *targets,
                           uint32_t targets_count, size_t payload_size);

/* Hands a message to the peers, of a run to each what is for it. Borrowed. */
void wsf_router_send(wsf_core *core, wsfan_message *message, wsf_peers peers, wsf_now now);

/* The same to the archive and the loops. Takes over the caller's reference. */
void wsf_router_deliver(wsf_core *core, wsfan_message *message, uint64_t loops, wsf_now now);

#endif
