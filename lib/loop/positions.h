/* What the sessions of one loop have seen of chats: what the mesh thread says of all publishers, and beyond that what the loop
 * has dispatched. */
#ifndef WSF_LOOP_POSITIONS_H
#define WSF_LOOP_POSITIONS_H

#include "base/position.h"
#include "exchange/inbox.h"
#include "loop/registry.h"
#include "loop/trail.h"
#include "message/recovery.h"

typedef struct {
    const wsf_hash_seal_key *key; /* NULL: without history; nothing of the rest counts then */
    wsf_reach *reach;             /* all that it claims was dispatched; NULL: none yet */
    wsf_reach
        *taken; /* the same will be when what was taken from the mailbox with it is; NULL: none */
    wsf_trail trail;
} wsf_positions;

void wsf_positions_init(wsf_positions *positions, const wsf_hash_seal_key *key, uint64_t seed);
void wsf_positions_destroy(wsf_positions *positions);

/* Before the loop takes what is in the mailbox. */
void wsf_positions_take(wsf_positions *positions, wsf_inbox *inbox);

/* The loop has dispatched all that it had taken from the mailbox, and since wsf_positions_take() told of the messages that
 * had no room in it. */
void wsf_positions_reach(wsf_positions *positions);

/* The message is dispatched, before the host sees it. */
void wsf_positions_see(wsf_positions *positions, const wsf_registry *registry,
                       const wsfan_message *message);

/* A recovery is back, before its session is told of it. */
void wsf_positions_cap(wsf_positions *positions, const wsf_recovery *recovery);

/* Whether a position can be told of a session that has seen so much: then *position is set. */
bool wsf_positions_tell_of(const wsf_positions *positions, const wsf_vector *seen,
                           wsf_position *position);

/* Whether something can be said of the chat just now: then *position is set. */
bool wsf_positions_tell(const wsf_positions *positions, uint64_t chat, wsf_position *position);

#endif
