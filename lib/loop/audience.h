/* Audiences of one loop: the sessions that one target addresses, those in a chat or those of a user. */
#ifndef WSF_LOOP_AUDIENCE_H
#define WSF_LOOP_AUDIENCE_H

#include <assert.h>
#include <stdbool.h>

#include "base/slots.h"
#include "base/table.h"
#include "message/message.h"

typedef struct {
    uint64_t hash;
    /* In one block with a place for each, and the name; NULL: dropped. First those that get messages, then the parked
     * ones. */
    wsfan_recipient *members;
    wsf_item *ticket;       /* allocated with the audience, so that no later step can lack memory */
    uint32_t members_count; /* parked ones too */
    uint32_t live_count;    /* that get messages */
    uint32_t members_capacity;
    uint32_t present_count; /* members that joined with presence; kept by subscriptions.c */
    uint32_t history_count; /* members that joined with history */
    uint16_t name_size;
    uint8_t kind; /* a wsfan_target_kind */
    /* State of subscriptions.c: what the peers were told of this audience. */
    bool ticket_away : 1; /* the mesh has the ticket, or it is on its way there or back */
    bool announced : 1;   /* the peers were told of the audience */
    bool settled : 1;     /* every live peer acknowledged that */
    bool history : 1;     /* the ticket said last that there are members with history */
    bool unseen : 1;      /* no presence event was shown since present_count left 0 */
} wsf_audience;

typedef struct {
    wsf_audience *array;
    wsf_slots slots;
    wsf_table index; /* by hash */
    uint32_t count_max;
    /* The one that a message was for last; the next message is often for the same. */
    uint32_t last;
} wsf_audiences;

void wsf_audiences_init(wsf_audiences *audiences, uint32_t count_max, uint64_t seed);
/* Leaves tickets that are away to their owners, the mesh or an inbox. */
void wsf_audiences_destroy(wsf_audiences *audiences);

static inline wsf_audience *wsf_audiences_at(const wsf_audiences *audiences, uint32_t number) {
    assert(number < audiences->slots.used);
    return &audiences->array[number];
}

/* Adds an audience without members and without a ticket. WSFAN_OK, or WSFAN_ELIMIT, WSFAN_ENOMEM. */
int wsf_audiences_add(wsf_audiences *audiences, const wsfan_target *target, uint64_t hash,
                      uint32_t *added);
void wsf_audiences_drop(wsf_audiences *audiences, uint32_t number); /* has no members */

/* Whether another audience has the same hash: peers know only hashes. */
bool wsf_audiences_has_twin(const wsf_audiences *audiences, uint32_t number);

/* Where things are in the block of an audience with room for so many members. */
static inline size_t wsf_audience_places_offset(uint32_t capacity) {
    return capacity * sizeof(wsfan_recipient);
}

static inline size_t wsf_audience_name_offset(uint32_t capacity) {
    return wsf_audience_places_offset(capacity) + capacity * sizeof(uint32_t);
}

static inline wsfan_bytes wsf_audience_name(const wsf_audience *audience) {
    return (wsfan_bytes){ (uint8_t *)audience->members +
                              wsf_audience_name_offset(audience->members_capacity),
                          audience->name_size };
}

static inline bool wsf_audience_is(const wsf_audience *audience, const wsfan_target *target,
                                   uint64_t hash) {
    return audience->hash == hash && audience->kind == target->kind &&
           audience->name_size == target->name.size &&
           wsf_same_bytes(wsf_audience_name(audience).data, target->name.data, target->name.size);
}

/* The number of an audience, or WSF_TABLE_NONE. */
static inline uint32_t wsf_audiences_find(const wsf_audiences *audiences,
                                          const wsfan_target *target, uint64_t hash) {
    uint32_t cursor = 0;
    uint32_t i;
    while ((i = wsf_table_next(&audiences->index, hash, &cursor)) != WSF_TABLE_NONE)
        if (wsf_audience_is(&audiences->array[i], target, hash))
            break;
    return i;
}

/* Makes room for one member more. WSFAN_OK or WSFAN_ENOMEM. */
int wsf_audience_reserve(wsf_audience *audience);
/* For each member, where in its session's memberships this audience stands. */
uint32_t *wsf_audience_places(const wsf_audience *audience);

#endif
