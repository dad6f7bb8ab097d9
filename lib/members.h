/* The sessions of one loop and their audiences, and what the peers must be told of them. Used by the
 * loop's thread alone. */
#ifndef WSF_MEMBERS_H
#define WSF_MEMBERS_H

#include "attendance.h"
#include "core.h"
#include "deque.h"
#include "registry.h"

/* What it wants done, at once. None of these may call it, except `joined`, as a host would. */
typedef struct {
    void *user;
    void (*announce)(void *user,
                     wsf_ticket *ticket); /* to the core: wsf_core_join(). It comes back */
    void (*withdraw)(void *user,
                     wsf_ticket *ticket); /* to the core: wsf_core_leave(). It does not */
    void (*ready)(void *user);            /* wsf_members_tell_ready() has something to do */
    void (*joined)(void *user, const wsfan_joined *joined);
    void (*present)(void *user, wsf_attendance *attendance); /* to the core: wsf_core_present() */
    void (*absent)(void *user, wsf_attendance *attendance);  /* to the core: wsf_core_absent() */
} wsf_members_effects;

typedef struct {
    wsf_registry registry;
    wsf_attendances attendances;
    wsf_members_effects effects;
    wsf_deque ready; /* joins of audiences that the peers know already */
    unsigned loop;
} wsf_members;

void wsf_members_init(wsf_members *members, const wsf_registry_limits *limits, unsigned loop,
                      uint64_t seed, const wsf_members_effects *effects);

/* Tickets that are away belong to whoever has them. */
void wsf_members_destroy(wsf_members *members);

/* As the functions of wsfan.h, with arguments that were checked. target of open: its user, or NULL. */
int wsf_members_open(wsf_members *members, void *session_user, const wsfan_target *user,
                     uint64_t hash, wsfan_session *session);
int wsf_members_close(wsf_members *members, wsfan_session session);
int wsf_members_join(wsf_members *members, wsfan_session session, const wsfan_target *target,
                     uint64_t hash);
int wsf_members_leave(wsf_members *members, wsfan_session session, const wsfan_target *target,
                      uint64_t hash);

/* Whether the peers are still to be told of an audience with members; then its ticket is away, and will
 * be back. */
bool wsf_members_unsettled(wsf_members *members, uint32_t audience);
/* A join with presence; and other metadata for one. */
int wsf_members_join_present(wsf_members *members, wsfan_session session, const wsfan_target *chat,
                             uint64_t hash, wsfan_bytes metadata);
int wsf_members_set_metadata(wsf_members *members, wsfan_session session, const wsfan_target *chat,
                             uint64_t hash, wsfan_bytes metadata);

/* Whether the host is to see news of a chat with this hash; then its recipients are filled in, valid until
 * the registry's next collection. Not those that were on their way when its last
 * present session left; and when one is present again, not before those that begin anew. */
bool wsf_members_show(wsf_members *members, wsfan_presence *presence, uint64_t hash);

/* A ticket is back: the peers have been told, or that took too long. */
void wsf_members_ticket_back(wsf_members *members, wsf_ticket *ticket);

/* Tells those whose audience the peers know already; at most max. Returns how many. */
uint32_t wsf_members_tell_ready(wsf_members *members, uint32_t max);

#endif
