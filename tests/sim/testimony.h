/* What nodes with history say of how far they got with each other node's messages, held against what they took:
 * no message is claimed that neither came nor is told of by a gap, none is vouched for that did not come, and nothing
 * is disclaimed without a cause. As a chat's history would ask, from its begin on. */
#ifndef TESTIMONY_H
#define TESTIMONY_H

#include "ledger.h"
#include "world.h"

typedef struct testimony testimony;

testimony *testimony_new(ledger *l);
void testimony_destroy(testimony *t);
void testimony_attach(testimony *t, world *w);
void testimony_forget(testimony *t); /* messages so far, as ledger_forget() */

/* Nodes are addresses of the world. */
void testimony_start(testimony *t, unsigned node, uint32_t life, unsigned kind);
void testimony_end(testimony *t, unsigned node);
void testimony_publish(testimony *t, unsigned node, uint32_t number, const ledger_targets *targets);
void testimony_stamp(testimony *t, uint32_t number,
                     uint64_t clock); /* later, but before time passes */
void testimony_take(testimony *t, unsigned node, uint32_t number); /* by the core */
void testimony_gap(testimony *t, unsigned node, uint64_t origin);

/* A loop of the node has left the chat: if it was the last one, another may join before the node is looked at, by the same
 * interest, as its archive still has it. */
void testimony_leave(testimony *t, unsigned node, uint64_t hash);

/* From now on the node does not send the other one what it should, until the other is told of a gap. */
void testimony_mistake(testimony *t, unsigned node, unsigned other);

/* Whether the node may lack what the other one published then, by such a mistake. */
bool testimony_is_mistaken(const testimony *t, unsigned node, uint64_t origin, uint64_t ms);

/* Whether any node may have lacked it, from which others took what it had before it was told of the gap. */
bool testimony_is_misled(const testimony *t, uint64_t origin, uint64_t ms);

void testimony_check(testimony *t, unsigned node);
/* When all is at rest: that the node got as far with the other one as that published. */
void testimony_check_rest(testimony *t, unsigned node, unsigned other);

#endif
