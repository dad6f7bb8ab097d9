/* Who is in which chat, on all nodes: what the rows of this node's own sessions and those that peers
 * sent make together, and what peers and loops have not been told of it yet. */
#ifndef WSF_CORE_PRESENCE_PRESENCE_H
#define WSF_CORE_PRESENCE_PRESENCE_H

#include "core/presence/store.h"
#include "wire/encode.h"

/* This node's own sessions. begin needs an open chat and takes the presence session over; WSFAN_ENOMEM: it is
 * in `unnoted`. end frees it. */
int wsf_presence_begin(wsf_presence *presence, wsf_presence_session *presence_session);
void wsf_presence_end(wsf_presence *presence, wsf_presence_session *presence_session);
void wsf_presence_forget_loop(wsf_presence *presence, unsigned loop);

/* A peer's row; 0 sessions remove it. The chat must be open. WSFAN_ELIMIT, WSFAN_ENOMEM: not noted. */
int wsf_presence_put(wsf_presence *presence, unsigned peer, const wsf_presence_row *row,
                     uint64_t user_hash);
void wsf_presence_forget_rows(wsf_presence *presence, unsigned peer);
void wsf_presence_set_away(wsf_presence *presence, unsigned peer, bool away);

/* No session of this node is in the chat any more: peers no longer tell their rows, which are dropped. */
void wsf_presence_forget_chat(wsf_presence *presence, uint64_t chat_hash);

/* This node overslept by `ms`, and could hear no peer: grace times end later. */
void wsf_presence_overslept(wsf_presence *presence, uint64_t ms);

/* is_in(): whether a chat may have members that this node was not told of. Then a member that seems to have
 * left stays, for a minute at most. */
typedef struct {
    void *user;
    bool (*is_in)(void *user, uint64_t chat_hash);
} wsf_presence_doubt;

/* doubt may be NULL: no doubt. */
void wsf_presence_tick(wsf_presence *presence, uint64_t now_ms, const wsf_presence_doubt *doubt);
uint64_t wsf_presence_deadline(const wsf_presence *presence); /* UINT64_MAX: none */

#endif
