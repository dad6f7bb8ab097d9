/* Starting and ending the processes of recorders, and telling the network where they are. A host runs one:
 * the node of its number, or behind the others a twin of one of them. */
#ifndef PROCESSES_H
#define PROCESSES_H

#include "recorders.h"

bool processes_start(recorders *r, unsigned host, unsigned address, unsigned node);
void processes_kill(recorders *r, unsigned host);

/* It ends in good order, or that is a violation. The second only waits, for one that knows already. */
void processes_say_goodbye(recorders *r, unsigned host);
void processes_await_end(recorders *r, unsigned host, uint64_t until_ms);

/* It has ended. */
void processes_ended(recorders *r, process *p);

/* Names and the service follow processes and faults. */
void processes_tell_names(recorders *r);
bool processes_by_dns(const recorders *r);

#endif
