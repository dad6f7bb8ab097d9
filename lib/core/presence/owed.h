/* What peers are yet to be told of our rows. */
#ifndef WSF_CORE_PRESENCE_OWED_H
#define WSF_CORE_PRESENCE_OWED_H

#include "core/presence/store.h"
#include "wire/encode.h"

/* This node's row of a member has changed: its state is told when the peer's queue comes to it. */
void wsf_presence_owe_peer(wsf_presence *presence, uint32_t member, unsigned peer);

/* Whether a peer is told of this node's rows in a chat. want: from the start. */
void wsf_presence_want(wsf_presence *presence, unsigned peer, uint64_t chat_hash);
void wsf_presence_unwant(wsf_presence *presence, unsigned peer, uint64_t chat_hash);
void wsf_presence_unwant_all(wsf_presence *presence, unsigned peer);

/* The peer is told everything again, beginning with the order to forget. */
void wsf_presence_tell_anew(wsf_presence *presence, unsigned peer);

/* owed: rows in the peer's queue. owed_row: the i-th; false: it is void. sent: the first `count` were
 * sent. */
uint32_t wsf_presence_owed(wsf_presence *presence, unsigned peer);
bool wsf_presence_owed_row(const wsf_presence *presence, unsigned peer, uint32_t i,
                           wsf_presence_row *row);
void wsf_presence_sent(wsf_presence *presence, unsigned peer, uint32_t count);

#endif
