/* Which sessions of one loop are present in which chats. Used by the loop's thread alone. */
#ifndef WSF_ATTENDANCE_H
#define WSF_ATTENDANCE_H

#include "presence.h"

typedef struct {
    wsf_table index;
    wsf_attendance **slots; /* NULL: free */
    uint32_t *free;         /* numbers of free slots */
    uint32_t free_count;
    uint32_t used;
    uint32_t capacity; /* of both arrays */
    uint32_t count;
} wsf_attendances;

void wsf_attendances_init(wsf_attendances *attendances, uint64_t seed);
void wsf_attendances_destroy(wsf_attendances *attendances); /* not what the core has taken over */

/* Makes one and notes it. WSFAN_OK, or WSFAN_ENOMEM. It is the caller's, to hand to the core, or to
 * remove and free. */
int wsf_attendances_add(wsf_attendances *attendances, wsfan_session session,
                        const wsfan_target *chat, uint64_t chat_hash, wsfan_bytes user,
                        uint64_t user_hash, wsfan_bytes metadata, wsf_attendance **added);
void wsf_attendances_remove(wsf_attendances *attendances, const wsf_attendance *attendance);

/* NULL: the session is not present there. */
wsf_attendance *wsf_attendances_find(const wsf_attendances *attendances, wsfan_session session,
                                     uint64_t chat_hash);

#endif
