/* Requests of this node that are under way. */
#ifndef WSF_CORE_RPC_CLIENT_H
#define WSF_CORE_RPC_CLIENT_H

#include "core/state.h"

/* Takes the request over. The nodes that are asked have been noted in it. */
void wsf_rpc_client_add(wsf_core *core, wsf_request *request, wsf_now now);

/* The answer of a peer, or of this node (WSF_REQUEST_OWN), in its place. Takes the answer over. */
void wsf_rpc_client_answer(wsf_core *core, uint32_t place, uint64_t node, uint64_t id,
                           wsf_answer *answer);

/* A peer's reply. */
void wsf_rpc_client_take(wsf_core *core, const wsf_peer *peer, const wsf_entry *entry);

/* The peer will not answer any more. */
void wsf_rpc_client_lose(wsf_core *core, const wsf_peer *peer);

/* Hands back requests that are answered or due. */
void wsf_rpc_client_tick(wsf_core *core, wsf_now now);
uint64_t wsf_rpc_client_deadline(const wsf_core *core); /* UINT64_MAX: none */

/* Hands back all requests as they stand. */
void wsf_rpc_client_end(wsf_core *core);

#endif
