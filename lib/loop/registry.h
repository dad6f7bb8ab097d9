/* The sessions of one loop and the audiences that they are in. */
#ifndef WSF_LOOP_REGISTRY_H
#define WSF_LOOP_REGISTRY_H

#include <stdbool.h>

#include "base/slots.h"
#include "loop/audience.h"

typedef struct {
    uint32_t audience;
    uint32_t position : 30; /* in the audience's members */
    uint32_t pending : 1;   /* on_joined is still to come */
    uint32_t history : 1;   /* joined with history */
} wsf_membership;

/* 32 bytes, half a cache line: a million sessions are not unusual. */
typedef struct {
    void *user; /* the host's; in a free slot what wsf_slots_free() wrote */
    union {
        wsf_membership *memberships;
        wsf_membership only; /* while the capacity is 1 */
    };
    uint32_t generation; /* 0 is never used */
    uint32_t mark;       /* the last round in which the session was collected */
    uint32_t memberships_count;
    uint32_t memberships_capacity : 31; /* >= 1 */
    uint32_t open : 1;
} wsf_session_slot;

typedef struct {
    uint32_t sessions_count_max;
    uint32_t audiences_count_max;
    uint32_t chats_per_session_count_max;
} wsf_registry_limits;

typedef struct {
    wsf_registry_limits limits;
    uint8_t loop; /* index, part of every handle */
    wsf_session_slot *sessions;
    wsf_slots session_slots;
    wsf_audiences audiences;
    uint64_t memberships_count;
    wsfan_recipient *scratch; /* always room for every open session */
    wsfan_recipient *lent;    /* what the last collection returned */
    uint32_t scratch_capacity;
    uint32_t round;
    uint64_t version; /* changes with every session and membership, and with every collection */
} wsf_registry;

void wsf_registry_init(wsf_registry *registry, const wsf_registry_limits *limits, uint8_t loop,
                       uint64_t seed);
void wsf_registry_destroy(wsf_registry *registry);

int wsf_registry_open(wsf_registry *registry, void *user, wsfan_session *session);
/* WSFAN_ESTALE: closed, or {0}. WSFAN_EINVAL: of another loop. Join and leave return the same. */
int wsf_registry_check(const wsf_registry *registry, wsfan_session session);

/* The host's pointer of a session, which is open. */
void *wsf_registry_pointer(const wsf_registry *registry, wsfan_session session);

/* The session in a slot; false: there is none. */
bool wsf_registry_at(const wsf_registry *registry, uint32_t slot, wsfan_recipient *recipient);
/* The audience of the session's user; WSF_TABLE_NONE: no user, or the session is closed. */
uint32_t wsf_registry_user(const wsf_registry *registry, wsfan_session session);

/* The session has left all its audiences. */
void wsf_registry_close(wsf_registry *registry, wsfan_session session);

/* Adds a membership; *audience: the one that was joined. A new audience has no ticket. */
int wsf_registry_join(wsf_registry *registry, wsfan_session session, const wsfan_target *target,
                      uint64_t hash, uint32_t *audience);

/* A member that is parked gets no message for the audience; for everything else it is a member like others. Unparking
 * fits only a member that is parked. */
void wsf_registry_park(wsf_registry *registry, wsfan_session session, uint32_t audience);
void wsf_registry_unpark(wsf_registry *registry, wsfan_session session, uint32_t audience);
bool wsf_registry_parked(const wsf_registry *registry, wsfan_session session, uint32_t audience);

/* Ends a membership; *audience: the one that was left. The caller drops an audience without members by
 * wsf_audiences_drop(). */
int wsf_registry_leave(wsf_registry *registry, wsfan_session session, const wsfan_target *target,
                       uint64_t hash, uint32_t *audience);

/* Ends the latest membership of the session; false when it has none. */
bool wsf_registry_leave_any(wsf_registry *registry, wsfan_session session, uint32_t *audience);

/* _expect() marks a membership: on_joined is still to come. _expected(): whether it is marked. _told() takes
 * the mark back; true: session is still a member and was marked. */
void wsf_registry_expect(wsf_registry *registry, wsfan_session session, uint32_t audience);
bool wsf_registry_expected(const wsf_registry *registry, wsfan_session session, uint32_t audience);
bool wsf_registry_told(wsf_registry *registry, wsfan_session session, uint32_t audience);

/* The membership is one with history, which it was not: the audience's history_count counts it while it lasts. */
void wsf_registry_set_history(wsf_registry *registry, wsfan_session session, uint32_t audience);

/* Whether session is a member of a settled audience, with on_joined still to come; fills recipient. */
bool wsf_registry_settled(const wsf_registry *registry, wsfan_session session, uint32_t audience,
                          wsfan_recipient *recipient);

/* Whether the message's target is a chat that a session joined with history. */
bool wsf_registry_has_history(const wsf_registry *registry, const wsfan_message *message,
                              const wsf_message_target *target);

/* For walking: the session in a slot below session_slots.used, {0} where there is none; the audience of a
 * session's i-th membership, WSF_TABLE_NONE behind the last. */
wsfan_session wsf_registry_session_at(const wsf_registry *registry, uint32_t slot);
uint32_t wsf_registry_membership(const wsf_registry *registry, wsfan_session session, uint32_t i);

/* The sessions of one audience; those that get a message; those that a message addresses, which are the parked ones
 * too. Each once. *recipients is valid until the next collection, whatever is opened or closed meanwhile. Never
 * fails. node: the id of this node. */
size_t wsf_registry_collect_audience(wsf_registry *registry, uint32_t audience,
                                     const wsfan_recipient **recipients);
size_t wsf_registry_select(wsf_registry *registry, const wsfan_message *message, uint64_t node,
                           const wsfan_recipient **recipients);
size_t wsf_registry_select_addressed(wsf_registry *registry, const wsfan_message *message,
                                     uint64_t node, const wsfan_recipient **recipients);

/* Takes recipients out of the last collection, which has `count`. Returns how many stay, the first ones. */
size_t wsf_registry_sift(wsf_registry *registry, size_t count,
                         bool (*stops)(void *user, wsfan_session session), void *user);

#endif
