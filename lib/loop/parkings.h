/* Sessions of one loop that joined a chat with history, from then on until all is replayed to them. Used by the loop's thread
 * alone. */
#ifndef WSF_LOOP_PARKINGS_H
#define WSF_LOOP_PARKINGS_H

#include "base/slots.h"
#include "base/table.h"
#include "message/recovery.h"

typedef struct wsf_parking wsf_parking;

typedef struct {
    wsf_table index; /* by session and audience */
    wsf_slots slots;
    wsf_parking *array;
    uint32_t
        serial; /* of the last one; begins at random, as loops that had this one's number did */
    uint64_t gaps_told; /* of the loop's own */
} wsf_parkings;

void wsf_parkings_init(wsf_parkings *parkings, uint64_t seed);
void wsf_parkings_destroy(wsf_parkings *parkings); /* not the recoveries that were taken */

/* Notes a session and takes over its recovery, which gets the session's and the audience's number and a serial. WSFAN_OK;
 * WSFAN_ENOMEM: the recovery is the caller's again. */
int wsf_parkings_add(wsf_parkings *parkings, wsf_recovery *recovery, wsfan_session session,
                     uint32_t audience);

/* The recovery of a session that has not been taken; NULL: there is none. It stays where it is. */
const wsf_recovery *wsf_parkings_waiting(const wsf_parkings *parkings, wsfan_session session,
                                         uint32_t audience);
/* Takes it. */
wsf_recovery *wsf_parkings_take(wsf_parkings *parkings, wsfan_session session, uint32_t audience);

/* The loop's host is told of messages that its inbox lost. */
static inline void wsf_parkings_note_gap(wsf_parkings *parkings) {
    parkings->gaps_told++;
}

/* Whether the session that this recovery was taken for has not been removed since; and whether none of the loop's own
 * gaps was told since. */
bool wsf_parkings_has(const wsf_parkings *parkings, const wsf_recovery *recovery);
bool wsf_parkings_missed_nothing(const wsf_parkings *parkings, const wsf_recovery *recovery);

/* Forgets a session, if it is noted, with its recovery if that was not taken. */
void wsf_parkings_remove(wsf_parkings *parkings, wsfan_session session, uint32_t audience);

#endif
