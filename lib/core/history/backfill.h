/* Asking other nodes for messages of chats that this node's archive lacks. */
#ifndef WSF_CORE_HISTORY_BACKFILL_H
#define WSF_CORE_HISTORY_BACKFILL_H

#include "core/state.h"

/* Chats at a time for which other nodes are asked. */
enum { WSF_BACKFILLS_MAX = WSF_SIZE(16384, 16), WSF_BACKFILL_SOURCES_MAX = 3 };

/* The history of a chat has begun here and lacks something that `seen` does not cover; NULL: the last messages are wanted,
 * whatever they are. Asks other nodes, one after another, and merges what comes into the archive. True: one is under way, for
 * this or for somebody else, and what is lacking is to be looked at again when it is no more. False: there is nobody to ask, or
 * nobody else than was asked just now, or no room. */
bool wsf_backfill_begin(wsf_core *core, uint64_t hash, const wsf_vector *seen, wsf_now now);

/* The same for the chat's sources, each of which is none any more when it has told all that it has. One that is under way gives
 * way to wsf_backfill_begin(), and is to be begun again. False: there is no source that can be asked now. */
bool wsf_backfill_inherit(wsf_core *core, uint64_t hash, wsf_now now);

/* One of wsf_backfill_begin() is under way. */
bool wsf_backfill_waits(const wsf_core *core, uint64_t hash);

/* Whether a node that was asked just now did not say all that it has of the chat, or has not yet. */
bool wsf_backfill_failed(const wsf_core *core, uint64_t hash);

/* While pages come a part of a run that nobody here vouches for is in the archive: nothing of it is to be told. */
void wsf_backfill_hide(const wsf_core *core, uint64_t hash, wsf_vector *up_to);

/* The answer of a peer. False: it is not of a question of these. */
bool wsf_backfill_take(wsf_core *core, const wsf_peer *peer, const wsf_entry *entry, wsf_now now);

void wsf_backfill_lose(wsf_core *core, const wsf_peer *peer);
void wsf_backfill_end(wsf_core *core);

void wsf_backfill_tick(wsf_core *core, wsf_now now);
uint64_t wsf_backfill_deadline(const wsf_core *core); /* UINT64_MAX: none */

#endif
