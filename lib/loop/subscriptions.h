/* The sessions of one loop and their audiences, and what the peers must be told of them. Used by the loop's
 * thread alone. */
#ifndef WSF_LOOP_SUBSCRIPTIONS_H
#define WSF_LOOP_SUBSCRIPTIONS_H

#include "base/deque.h"
#include "core/types.h"
#include "loop/parkings.h"
#include "loop/presence_sessions.h"
#include "loop/registry.h"
#include "loop/sieve.h"

/* Called at once. Only `joined`, a callback of the host, may call subscriptions. */
typedef struct {
    void *user;
    void (*announce)(void *user,
                     wsf_ticket *ticket); /* to wsf_core_join(); the ticket comes back */
    void (*withdraw)(void *user, wsf_ticket *ticket); /* to wsf_core_leave(), for good */
    void (*ready)(void *user); /* wsf_subscriptions_tell_ready() has something to do */
    void (*joined)(void *user, const wsfan_joined *joined);
    /* hands it to wsf_core_recover(); wsf_subscriptions_recovered() follows */
    void (*recover)(void *user, wsf_recovery *recovery);
    void (*present)(void *user, wsf_presence_session *presence_session); /* to wsf_core_present() */
    void (*absent)(void *user, wsf_presence_session *presence_session);  /* to wsf_core_absent() */
} wsf_subscriptions_effects;

typedef struct {
    wsf_registry registry;
    wsf_presence_sessions presence_sessions;
    wsf_parkings parkings;
    wsf_sieve sieve; /* of sessions that were recovered */
    wsf_subscriptions_effects effects;
    wsf_deque ready; /* joins of audiences that the peers know already */
    unsigned loop;
} wsf_subscriptions;

void wsf_subscriptions_init(wsf_subscriptions *subscriptions, const wsf_registry_limits *limits,
                            unsigned loop, uint64_t seed, const wsf_subscriptions_effects *effects);

/* Leaves tickets that are away to their owners, the mesh or an inbox. */
void wsf_subscriptions_destroy(wsf_subscriptions *subscriptions);

/* As the functions of wsfan.h, with arguments that were checked. user: of the session; NULL: none. recovery: the node is to
 * keep the messages of the chat while the session is a member, which gets none before its recovery is back, but for one
 * with the verdict OFF: that is told, no more. NULL: without history. It is taken over, also where the join fails. */
int wsf_subscriptions_open(wsf_subscriptions *subscriptions, void *session_user,
                           const wsfan_target *user, uint64_t hash, wsfan_session *session);
int wsf_subscriptions_close(wsf_subscriptions *subscriptions, wsfan_session session);
int wsf_subscriptions_join(wsf_subscriptions *subscriptions, wsfan_session session,
                           const wsfan_target *target, uint64_t hash, wsf_recovery *recovery);
int wsf_subscriptions_leave(wsf_subscriptions *subscriptions, wsfan_session session,
                            const wsfan_target *target, uint64_t hash);

/* Whether peers have not acknowledged an audience with members. Its ticket is away then, and will be back. */
bool wsf_subscriptions_unsettled(wsf_subscriptions *subscriptions, uint32_t audience);
/* A join with presence; and other metadata for such a join. */
int wsf_subscriptions_join_present(wsf_subscriptions *subscriptions, wsfan_session session,
                                   const wsfan_target *chat, uint64_t hash, wsfan_bytes metadata,
                                   wsf_recovery *recovery);
int wsf_subscriptions_set_metadata(wsf_subscriptions *subscriptions, wsfan_session session,
                                   const wsfan_target *chat, uint64_t hash, wsfan_bytes metadata);

/* Whether the host is to see these events of the chat with this hash; fills in their recipients, valid until
 * the registry's next collection. False: the last present session left while they were on their way; or a
 * session is present again, and no event with WSFAN_PRESENCE_ANEW was seen since. */
bool wsf_subscriptions_show(wsf_subscriptions *subscriptions, wsfan_presence *presence,
                            uint64_t hash);

/* A ticket is back: all peers have acknowledged, or the time for that is over. */
void wsf_subscriptions_ticket_back(wsf_subscriptions *subscriptions, wsf_ticket *ticket);

/* Calls `joined` for the joins in `ready`, at most max. Returns how many. */
uint32_t wsf_subscriptions_tell_ready(wsf_subscriptions *subscriptions, uint32_t max);

/* A recovery is back. From now on the session gets messages, and `joined` is called; then it is shown what is in the list, each
 * as long as the session _replays(), and the recovery is _done(). False: the session has left the chat since, and nothing
 * was called. */
bool wsf_subscriptions_recovered(wsf_subscriptions *subscriptions, wsf_recovery *recovery);
bool wsf_subscriptions_replays(const wsf_subscriptions *subscriptions,
                               const wsf_recovery *recovery);
/* Frees it. What the session has seen, before or in the list, and this loop has yet to get, is kept from the session: another node
 * may have had it. whole: see wsf_sieve_add(); NULL: the session was not told. */
void wsf_subscriptions_done(wsf_subscriptions *subscriptions, wsf_recovery *recovery,
                            const wsf_vector *whole);

#endif
