/* Nodes that are asked to hold the chats which this node keeps. A chat is named by its number in the archive. */
#ifndef WSF_CORE_HISTORY_HOLDERS_H
#define WSF_CORE_HISTORY_HOLDERS_H

#include "core/state.h"

void wsf_holders_destroy(wsf_core *core);

/* A chat is kept for another reason than before: asks nodes to hold it, or does not any more. */
void wsf_holders_look(wsf_core *core, uint32_t chat);
void wsf_holders_leave(wsf_core *core, uint32_t chat); /* it is kept no more */

/* The history of a chat has become longer by what the peer `from` had: nodes that hold it are to have that too. */
void wsf_holders_renew(wsf_core *core, uint32_t chat, unsigned from);

void wsf_holders_held(wsf_core *core, uint32_t chat, unsigned peer); /* says the peer */
/* The peer holds nothing any more that one knows of: its link is given up; or the peer is down, so it may have given up what it
 * was asked. */
void wsf_holders_lose_peer(wsf_core *core, wsf_peer *peer);
void wsf_holders_doubt_peer(wsf_core *core, const wsf_peer *peer);

/* The peer is told of all chats again; those of the past are void for it. */
void wsf_holders_tell_all(wsf_peer *peer);

/* Whether a node that drains may go: no peer asks it to hold a chat, and others hold all that it keeps. */
bool wsf_holders_have_all(const wsf_core *core);

void wsf_holders_tick(wsf_core *core); /* while core->holders.looks is not 0, there is more to do */

#endif
