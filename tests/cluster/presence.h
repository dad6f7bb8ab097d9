/* What loops are told of members and peers, against who is there: the promises about presence in
 * docs/guarantees.md, as far as logs of calls and callbacks show them. Lives are numbered as in the
 * ledger, which is told of what does not hold; sessions as their node numbers them, users and chats as in
 * events.h. */
#ifndef PRESENCE_H
#define PRESENCE_H

#include "events.h"
#include "ledger.h"

typedef struct presence presence;

presence *presence_new(ledger *l);
void presence_destroy(presence *p);

void presence_born(presence *p, uint32_t life);
void presence_died(presence *p, uint32_t life);
void presence_slept(presence *p, uint32_t life); /* what it is told now may be old */

/* Until then a wire was slow, of the ledger's clock; UINT64_MAX: one is. */
void presence_slow(presence *p, uint64_t until_ms);

/* What on_peer says of another life. */
void presence_peer(presence *p, uint32_t life, uint32_t other, unsigned peer_event);

/* Acts: what they need of an event is what its kind says. */
void presence_act(presence *p, uint32_t life, const event *e);

/* on_presence: of a chat, and of one member of it. */
void presence_news(presence *p, uint32_t life, const event *e);
void presence_member(presence *p, uint32_t life, const event *e);

/* When all is at rest. */
void presence_check(presence *p);

#endif
