/* Requests of this node that are under way. */
#ifndef WSF_ASKS_H
#define WSF_ASKS_H

#include "state.h"

/* Takes it over. Whoever is asked has been noted in it. */
void wsf_asks_add(wsf_core *core, wsf_ask *ask, wsf_now now);

/* The answer of a peer, or (WSF_ASK_OWN) our own, which is taken over. */
void wsf_asks_answer(wsf_core *core, uint32_t place, uint64_t node, uint64_t id,
                     wsf_answer *answer);

/* A peer's reply. */
void wsf_asks_take(wsf_core *core, const wsf_peer *peer, const wsf_entry *entry);

/* This peer will not answer any more. */
void wsf_asks_lose(wsf_core *core, const wsf_peer *peer);

/* Hands back those that are answered or due. */
void wsf_asks_tick(wsf_core *core, wsf_now now);
uint64_t wsf_asks_deadline(const wsf_core *core); /* UINT64_MAX: none */

/* Hands back all of them as they stand. */
void wsf_asks_end(wsf_core *core);

#endif
