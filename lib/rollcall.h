/* Presence between nodes: who is told of which rows, and what a count is worth. */
#ifndef WSF_ROLLCALL_H
#define WSF_ROLLCALL_H

#include "state.h"

/* A session of ours begins or ends to be present in a chat; see wsf_attendance. */
void wsf_rollcall_begin(wsf_core *core, wsf_attendance *attendance);
void wsf_rollcall_end(wsf_core *core, wsf_attendance *attendance);
void wsf_rollcall_forget_loop(wsf_core *core, unsigned loop);

/* No loop of ours wants this hash any more: what peers said of it counts no longer. */
void wsf_rollcall_left(wsf_core *core, uint64_t hash);

/* What a peer's interest means for presence, after it was noted. */
void wsf_rollcall_take_interest(wsf_core *core, wsf_peer *peer, const wsf_entry *entry);
void wsf_rollcall_take_rows(wsf_core *core, wsf_peer *peer, const wsf_entry *entry);
bool wsf_rollcall_take_sum(wsf_core *core, wsf_peer *peer, const wsf_presence_sum *sum); /* false:
                                                           what we hold is wrong; ask anew */
void wsf_rollcall_tell_anew(wsf_core *core, wsf_peer *peer);

/* The link with the peer is given up; and it is down, or is not. */
void wsf_rollcall_unlink(wsf_core *core, wsf_peer *peer);
void wsf_rollcall_set_down(wsf_core *core, const wsf_peer *peer, bool down);

/* Whether a peer can be told that it was told everything, and in which words. */
bool wsf_rollcall_sum(const wsf_core *core, const wsf_peer *peer, wsf_presence_sum *sum);

void wsf_rollcall_count(const wsf_core *core, uint64_t hash, wsfan_count *count);

/* Ends grace times, hands news to the loops. */
void wsf_rollcall_tick(wsf_core *core, wsf_now now);

#endif
