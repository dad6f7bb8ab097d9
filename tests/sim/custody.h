/* Who keeps which chat for whom, on all nodes: a node that asked another one to hold a chat is not left without, unless one of the
 * two ended or they lost each other; what is held outlives who asked for it by history_ms; a node that drained left nothing that
 * only it had; and at rest each chat is kept by the nodes with sessions, or where it lingers, and by the first of its order. */
#ifndef CUSTODY_H
#define CUSTODY_H

#include "ledger.h"
#include "world.h"

typedef struct custody custody;

custody *custody_new(ledger *l);
void custody_destroy(custody *c);
void custody_attach(custody *c, world *w);

/* Nodes are addresses of the world. */
void custody_start(custody *c, unsigned node, uint32_t life);
void custody_end(custody *c, unsigned node);

void custody_watch(custody *c);                        /* after each millisecond */
void custody_check(custody *c);                        /* after each slice */
void custody_check_drained(custody *c, unsigned node); /* the node says that it may go */

/* Whether every node is done with asking others to hold its chats. */
bool custody_settled(const custody *c);
void custody_check_rest(custody *c);

#endif
