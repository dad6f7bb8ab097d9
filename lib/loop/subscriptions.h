/* The sessions of one loop and their audiences, and what the peers must be told of them. Used by the
 * loop's thread alone. */
#ifndef WSF_LOOP_SUBSCRIPTIONS_H
#define WSF_LOOP_SUBSCRIPTIONS_H

#include "base/deque.h"
#include "core/types.h"
#include "loop/presence_sessions.h"
#include "loop/registry.h"

/* What it wants done, at once. None of these may call it, except `joined`, as a host would. */
typedef struct {
    void *user;
    void (*announce)(void *user,
                     wsf_ticket *ticket); /* to the core: wsf_core_join(). It comes back */
    void (*withdraw)(void *user,
                     wsf_ticket *ticket); /* to the core: wsf_core_leave(). It does not */
    void (*ready)(void *user);            /* wsf_subscriptions_tell_ready() has something to do */
    void (*joined)(void *user, const wsfan_joined *joined);
    void (*present)(void *user,
                    wsf_presence_session *presence_session); /* to the core: wsf_core_present() */
    void (*absent)(void *user,
                   wsf_presence_session *presence_session); /* to the core: wsf_core_absent() */
} wsf_subscriptions_effects;

typedef struct {
    wsf_registry registry;
    wsf_presence_sessions presence_sessions;
    wsf_subscriptions_effects effects;
    wsf_deque ready; /* joins of audiences that the peers know already */
    unsigned loop;
} wsf_subscriptions;

void wsf_subscriptions_init(wsf_subscriptions *subscriptions, const wsf_registry_limits *limits,
                            unsigned loop, uint64_t seed, const wsf_subscriptions_effects *effects);

/* Tickets that are away belong to whoever has them. */
void wsf_subscriptions_destroy(wsf_subscriptions *subscriptions);

/* As the functions of wsfan.h, with arguments that were checked. target of open: its user, or NULL. */
int wsf_subscriptions_open(wsf_subscriptions *subscriptions, void *session_user,
                           const wsfan_target *user, uint64_t hash, wsfan_session *session);
int wsf_subscriptions_close(wsf_subscriptions *subscriptions, wsfan_session session);
int wsf_subscriptions_join(wsf_subscriptions *subscriptions, wsfan_session session,
                           const wsfan_target *target, uint64_t hash);
int wsf_subscriptions_leave(wsf_subscriptions *subscriptions, wsfan_session session,
                            const wsfan_target *target, uint64_t hash);

/* Whether the peers are still to be told of an audience with members; then its ticket is away, and will
 * be back. */
bool wsf_subscriptions_unsettled(wsf_subscriptions *subscriptions, uint32_t audience);
/* A join with presence; and other metadata for one. */
int wsf_subscriptions_join_present(wsf_subscriptions *subscriptions, wsfan_session session,
                                   const wsfan_target *chat, uint64_t hash, wsfan_bytes metadata);
int wsf_subscriptions_set_metadata(wsf_subscriptions *subscriptions, wsfan_session session,
                                   const wsfan_target *chat, uint64_t hash, wsfan_bytes metadata);

/* Whether the host is to see events of a chat with this hash; then its recipients are filled in, valid until
 * the registry's next collection. Not those that were on their way when its last present session left; and when
 * one is present again, not before those that begin anew. */
bool wsf_subscriptions_show(wsf_subscriptions *subscriptions, wsfan_presence *presence,
                            uint64_t hash);

/* A ticket is back: the peers have been told, or that took too long. */
void wsf_subscriptions_ticket_back(wsf_subscriptions *subscriptions, wsf_ticket *ticket);

/* Tells those whose audience the peers know already; at most max. Returns how many. */
uint32_t wsf_subscriptions_tell_ready(wsf_subscriptions *subscriptions, uint32_t max);

#endif
