/* Which sessions of one loop are present in which chats. Used by the loop's thread alone. */
#ifndef WSF_LOOP_PRESENCE_SESSIONS_H
#define WSF_LOOP_PRESENCE_SESSIONS_H

#include "core/presence/presence.h"

typedef struct {
    wsf_table index;
    wsf_presence_session **slots; /* NULL: free */
    uint32_t *free;               /* numbers of free slots */
    uint32_t free_count;
    uint32_t used;
    uint32_t capacity; /* of both arrays */
    uint32_t count;
} wsf_presence_sessions;

void wsf_presence_sessions_init(wsf_presence_sessions *presence_sessions, uint64_t seed);
void wsf_presence_sessions_destroy(
    wsf_presence_sessions *presence_sessions); /* not the sessions that the core has taken over */

/* Makes and indexes a presence session. The caller hands it to the core, or removes and frees it. WSFAN_OK,
 * or WSFAN_ENOMEM. */
int wsf_presence_sessions_add(wsf_presence_sessions *presence_sessions, wsfan_session session,
                              const wsfan_target *chat, uint64_t chat_hash, wsfan_bytes user,
                              uint64_t user_hash, wsfan_bytes metadata,
                              wsf_presence_session **added);
void wsf_presence_sessions_remove(wsf_presence_sessions *presence_sessions,
                                  const wsf_presence_session *presence_session);

/* NULL: the session did not join this chat with presence. */
wsf_presence_session *wsf_presence_sessions_find(const wsf_presence_sessions *presence_sessions,
                                                 wsfan_session session, uint64_t chat_hash);

#endif
