/* Presence between nodes: which peers are told of which rows, and whether a count is complete. */
#ifndef WSF_CORE_PRESENCE_SYNC_H
#define WSF_CORE_PRESENCE_SYNC_H

#include "core/part.h"

extern const wsf_part wsf_presence_part;

/* A session of this node becomes present in a chat, or stops being so; see wsf_presence_session. */
void wsf_presence_sync_begin(wsf_core *core, wsf_presence_session *presence_session);
void wsf_presence_sync_end(wsf_core *core, wsf_presence_session *presence_session);
void wsf_presence_sync_forget_loop(wsf_core *core, unsigned loop);

/* If no loop of this node wants this hash any more, drops what peers told of it. */
void wsf_presence_sync_left(wsf_core *core, uint64_t hash);

/* What a peer's interest means for presence, after it was noted. */
void wsf_presence_sync_take_interest(wsf_core *core, wsf_peer *peer, const wsf_entry *entry);

void wsf_presence_sync_count(const wsf_core *core, uint64_t hash, wsfan_count *count);

#endif
