/* Carries out what a node is asked, on the sessions of one loop. Used by the loop's thread alone. */
#ifndef WSF_LOOP_EXECUTOR_H
#define WSF_LOOP_EXECUTOR_H

#include "loop/subscriptions.h"

/* What it wants done, at once. All but `end` are calls of the host, which may do what hosts may. */
typedef struct {
    void *user;
    void (*left)(void *user, const wsfan_left *left);          /* NULL: need not be told */
    void (*close)(void *user, const wsfan_close *close);       /* NULL: cannot be asked */
    void (*request)(void *user, const wsfan_request *request); /* NULL: cannot be asked */
    void (*end)(void *user, wsf_loop_call *loop_call); /* hands it back: wsf_loop_call_end() */
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

/* Hands back what waits. */
void wsf_executor_close(wsf_executor *executor);

/* Takes the loop call over. False: there is more to do; call it again with it, after other work. */
bool wsf_executor_run(wsf_executor *executor, wsf_loop_call *loop_call);

/* A ticket is back; call this before wsf_subscriptions_ticket_back(). */
void wsf_executor_ticket_back(wsf_executor *executor, const wsf_ticket *ticket);

#endif
