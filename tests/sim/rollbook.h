/* Checks what loops are told of presence against the sessions that are there: the invariants of presence in
 * docs/reliability.md. */
#ifndef ROLLBOOK_H
#define ROLLBOOK_H

#include "ledger.h"
#include "world.h"

enum { ROLLBOOK_USERS_MAX = 8 };

typedef struct rollbook rollbook;

rollbook *rollbook_new(ledger *l);
void rollbook_destroy(rollbook *r);
void rollbook_attach(rollbook *r, world *w);

/* A session of a user is present in a chat from now on (with the result as its metadata), or no more. */
uint32_t rollbook_add(rollbook *r, unsigned node, unsigned loop, unsigned chat, unsigned user);
void rollbook_remove(rollbook *r, unsigned node, unsigned loop, unsigned chat, unsigned user);
void rollbook_crash(rollbook *r, unsigned node);

/* A node was told of another one that it is up, silent or down. */
void rollbook_peer(rollbook *r, unsigned node, const wsfan_peer *peer);

void rollbook_told(rollbook *r, unsigned node, unsigned loop, const wsfan_presence *presence);

/* At the end, when everything has healed and every grace time is over. */
void rollbook_check(rollbook *r, unsigned node);

#endif
