/* Carries out calls on the sessions of one loop. Used by the loop's thread alone. */
#ifndef WSF_LOOP_EXECUTOR_H
#define WSF_LOOP_EXECUTOR_H

#include "loop/subscriptions.h"

/* Called at once. All but `end` are callbacks of the host, which may make [loop] calls. */
typedef struct {
    void *user;
    void (*left)(void *user, const wsfan_left *left);    /* NULL: the host is not told */
    void (*close)(void *user, const wsfan_close *close); /* NULL: answered with WSFAN_ENOTSUP */
    void (*request)(void *user,
                    const wsfan_request *request);     /* NULL: answered with WSFAN_ENOTSUP */
    void (*end)(void *user, wsf_loop_call *loop_call); /* to wsf_loop_call_end() */
} wsf_executor_effects;

typedef struct {
    wsf_subscriptions *subscriptions;
    const wsf_hash_key *key;
    uint64_t node;
    wsf_executor_effects effects;
    wsf_loop_call *waiting; /* joins that the peers have not acknowledged */
} wsf_executor;

void wsf_executor_init(wsf_executor *executor, wsf_subscriptions *subscriptions,
                       const wsf_hash_key *key, uint64_t node, const wsf_executor_effects *effects);

/* Ends the joins that wait. */
void wsf_executor_close(wsf_executor *executor);

/* Takes over the loop call. False: there is more to do; run the call again after other work. */
bool wsf_executor_run(wsf_executor *executor, wsf_loop_call *loop_call);

/* Ends the joins that wait for a ticket that is back. Comes before wsf_subscriptions_ticket_back(). */
void wsf_executor_ticket_back(wsf_executor *executor, const wsf_ticket *ticket);

#endif
