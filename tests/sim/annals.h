/* All that was published for chats, held against what nodes with history keep: of each origin, what the archive of a node
 * vouches for is there, once; nothing is there that was not published for the chat; limits hold. A chat is kept while a
 * session wants it and for history_ms after that, and then nothing is left of it. */
#ifndef ANNALS_H
#define ANNALS_H

#include "testimony.h"

typedef struct annals annals;

annals *annals_new(ledger *l);
void annals_destroy(annals *a);
void annals_attach(annals *a, world *w, const testimony *t);

/* Nodes are addresses of the world. */
void annals_start(annals *a, unsigned node, uint32_t life);
void annals_publish(annals *a, unsigned node, const ledger_targets *targets);
void annals_stamp(annals *a, unsigned node, uint32_t count,
                  uint64_t clock); /* of the last ones, which follow one another */

/* The node asks others for what its archive lacks of the last back_ms, in this chat or the next one that it keeps; 0: for what
 * they have. */
void annals_ask(annals *a, unsigned node, unsigned chat, uint32_t back_ms);

/* wanted: chats that sessions of the node joined with history (bits). _check() looks into one chat at a time. */
void annals_check(annals *a, unsigned node, uint32_t wanted);
void annals_check_rest(annals *a, unsigned node, uint32_t wanted);
void annals_check_expired(annals *a, unsigned node); /* nothing was published for 2 x history_ms */
void annals_check_gone(annals *a, unsigned node);    /* and nobody was there */

#endif
