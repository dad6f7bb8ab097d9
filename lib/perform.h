/* Carries out what a node is asked, on the sessions of one loop. Used by the loop's thread alone. */
#ifndef WSF_PERFORM_H
#define WSF_PERFORM_H

#include "members.h"

/* What it wants done, at once. All but `end` are calls of the host, which may do what hosts may. */
typedef struct {
    void *user;
    void (*left)(void *user, const wsfan_left *left);          /* NULL: need not be told */
    void (*close)(void *user, const wsfan_close *close);       /* NULL: cannot be asked */
    void (*request)(void *user, const wsfan_request *request); /* NULL: cannot be asked */
    void (*end)(void *user, wsf_errand *errand);               /* hands it back: wsf_errand_end() */
} wsf_performer_effects;

typedef struct {
    wsf_members *members;
    const wsf_hash_key *key;
    uint64_t node;
    wsf_performer_effects effects;
    wsf_errand *waiting; /* joins that the peers have not acknowledged */
} wsf_performer;

void wsf_performer_init(wsf_performer *performer, wsf_members *members, const wsf_hash_key *key,
                        uint64_t node, const wsf_performer_effects *effects);

/* Hands back what waits. */
void wsf_performer_close(wsf_performer *performer);

/* Takes the errand over. False: there is more to do; call it again with it, after other work. */
bool wsf_perform(wsf_performer *performer, wsf_errand *errand);

/* A ticket is back; call this before wsf_members_ticket_back(). */
void wsf_perform_ticket_back(wsf_performer *performer, const wsf_ticket *ticket);

#endif
