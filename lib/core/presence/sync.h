/* Presence between nodes: who is told of which rows, and what a count is worth. */
#ifndef WSF_CORE_PRESENCE_SYNC_H
#define WSF_CORE_PRESENCE_SYNC_H

#include "core/part.h"

extern const wsf_part wsf_presence_part;

/* A session of ours begins or ends to be present in a chat; see wsf_presence_session. */
void wsf_presence_sync_begin(wsf_core *core, wsf_presence_session *presence_session);
void wsf_presence_sync_end(wsf_core *core, wsf_presence_session *presence_session);
void wsf_presence_sync_forget_loop(wsf_core *core, unsigned loop);

/* No loop of ours wants this hash any more: what peers said of it counts no longer. */
void wsf_presence_sync_left(wsf_core *core, uint64_t hash);

/* What a peer's interest means for presence, after it was noted. */
void wsf_presence_sync_take_interest(wsf_core *core, wsf_peer *peer, const wsf_entry *entry);

void wsf_presence_sync_count(const wsf_core *core, uint64_t hash, wsfan_count *count);

#endif
