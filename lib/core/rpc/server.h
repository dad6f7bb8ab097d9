/* Requests that this node is asked, by its peers and by itself. */
#ifndef WSF_CORE_RPC_SERVER_H
#define WSF_CORE_RPC_SERVER_H

#include "core/part.h"

/* The row of both files: calls, and the requests of rpc/client.h. */
extern const wsf_part wsf_rpc_part;

/* Asks the nodes that the request is for: peers by their links, this node at once. Takes the request over. */
void wsf_rpc_server_ask(wsf_core *core, wsf_request *request, wsf_now now);

/* Every loop has finished the call. Takes over the reference. */
void wsf_rpc_server_through(wsf_core *core, wsf_call *call);

/* The host's answer to the call with this token. Takes the payload over. */
void wsf_rpc_server_reply(wsf_core *core, uint64_t token, void *payload, size_t size);

void wsf_rpc_server_end(wsf_core *core);

#endif
