/* Presence between nodes: who is told of which rows, and what a count is worth. */
#ifndef WSF_CORE_PRESENCE_SYNC_H
#define WSF_CORE_PRESENCE_SYNC_H

#include "core/state.h"

/* A session of ours begins or ends to be present in a chat; see wsf_presence_session. */
void wsf_presence_sync_begin(wsf_core *core, wsf_presence_session *presence_session);
void wsf_presence_sync_end(wsf_core *core, wsf_presence_session *presence_session);
void wsf_presence_sync_forget_loop(wsf_core *core, unsigned loop);

/* No loop of ours wants this hash any more: what peers said of it counts no longer. */
void wsf_presence_sync_left(wsf_core *core, uint64_t hash);

/* What a peer's interest means for presence, after it was noted. */
void wsf_presence_sync_take_interest(wsf_core *core, wsf_peer *peer, const wsf_entry *entry);
void wsf_presence_sync_take_rows(wsf_core *core, wsf_peer *peer, const wsf_entry *entry);
bool wsf_presence_sync_take_sum(wsf_core *core, wsf_peer *peer,
                                const wsf_presence_sum *sum); /* false:
                                                           what we hold is wrong; ask anew */
void wsf_presence_sync_tell_anew(wsf_core *core, wsf_peer *peer);

/* The link with the peer is given up; and it is down, or is not. */
void wsf_presence_sync_unlink(wsf_core *core, wsf_peer *peer);
void wsf_presence_sync_set_down(wsf_core *core, const wsf_peer *peer, bool down);

/* Whether a peer can be told that it was told everything, and in which words. */
bool wsf_presence_sync_sum(const wsf_core *core, const wsf_peer *peer, wsf_presence_sum *sum);

void wsf_presence_sync_count(const wsf_core *core, uint64_t hash, wsfan_count *count);

/* Ends grace times, hands events to the loops. */
void wsf_presence_sync_tick(wsf_core *core, wsf_now now);

#endif
