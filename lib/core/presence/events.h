/* How members of chats are shown to the host. */
#ifndef WSF_CORE_PRESENCE_EVENTS_H
#define WSF_CORE_PRESENCE_EVENTS_H

#include <wsfan/presence.h>

#include "core/presence/presence.h"

/* Events of one chat for one loop, in one block of memory with all that they point to. */
typedef struct {
    wsf_item item;
    unsigned loop;
    uint64_t chat_hash;
    wsfan_presence presence;
} wsf_presence_events;

/* nodes: ids of the peers, self: this node's own. The events are to be freed. NULL: none, or no memory. */
wsf_presence_events *wsf_presence_events_take(wsf_presence *presence, unsigned loop,
                                              const uint64_t *nodes, uint64_t self);

/* Visits up to max members; *cursor begins with 0 and is 0 again at the end. */
void wsf_presence_visit(const wsf_presence *presence, uint64_t chat_hash, const uint64_t *nodes,
                        uint64_t self, uint64_t *cursor, uint32_t max,
                        void (*each)(void *user, const wsfan_member *member), void *user);

#endif
