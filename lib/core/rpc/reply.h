/* Replies to peers. */
#ifndef WSF_CORE_RPC_REPLY_H
#define WSF_CORE_RPC_REPLY_H

#include "core/state.h"

/* The answer is borrowed. One that is too large for the peer becomes WSFAN_ETOOBIG. */
void wsf_rpc_reply(wsf_core *core, wsf_peer *peer, uint64_t id, const wsf_answer *answer);

#endif
