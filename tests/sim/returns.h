/* Clients that keep positions and come back with them, on any node: what they are told and what they get then is checked
 * against what was published. */
#ifndef RETURNS_H
#define RETURNS_H

#include "base/position.h"
#include "ledger.h"
#include "message/recovery.h"
#include "testimony.h"
#include "world.h"

typedef struct returns returns;

/* Somebody who was in a chat and has left it. */
typedef struct keepsake keepsake;

/* on: clients come back; else nothing is done and checked. */
returns *returns_new(ledger *l, bool on);
bool returns_on(const returns *r);
void returns_destroy(returns *r);
void returns_attach(returns *r, world *w, const testimony *t);
void returns_forget(returns *r); /* settles the round: positions stay good */

void returns_start(returns *r, unsigned node, uint32_t life);
void returns_crash(returns *r, unsigned node);
void returns_trouble(returns *r); /* something happened that a verdict may suffer from */

/* The next message has this number; later, its clock. */
void returns_publish(returns *r, unsigned node, uint32_t number, const ledger_targets *targets,
                     bool fleeting);
void returns_stamp(returns *r, uint32_t number, uint64_t clock);

/* The node was told of a gap of an origin, or a loop of one of its own. */
void returns_gap(returns *r, unsigned node, uint64_t origin);
void returns_inbox_gap(returns *r, unsigned node, unsigned loop);

/* A session joins with history. Returns what the loop is to hand in, with the position of somebody who was there before; NULL:
 * nobody was. hosts.c fills in the rest. */
wsf_recovery *returns_join(returns *r, unsigned node, unsigned loop, uint32_t session,
                           unsigned chat, wsfan_bytes name, keepsake *former);

/* Somebody who was in the chat, and is not yet back; NULL: there is none. It is the caller's. */
keepsake *returns_take(returns *r, unsigned chat);

/* The recovery goes to the core; it is back and goes into the inbox; the session is told of it; a message is shown; that was all. */
void returns_asked(returns *r, unsigned node, const wsf_recovery *recovery);
void returns_answered(returns *r, unsigned node, const wsf_recovery *recovery);
void returns_told(returns *r, uint32_t session, unsigned chat, wsfan_recovery verdict, bool whole);
void returns_replayed(returns *r, uint32_t session, unsigned chat, wsfan_message_id id);
void returns_done(returns *r, uint32_t session, unsigned chat, const wsf_vector *seen);

/* A live message comes to a session in those chats (bits) of its. */
void returns_delivered(returns *r, uint32_t session, uint32_t chats, uint32_t number);

/* The session leaves a chat, perhaps to come back with this position (NULL: none can be told). Returns that it was; NULL: it
 * was not there with history. NULL keep: it does not. */
keepsake *returns_leave(returns *r, uint32_t session, unsigned chat, const wsf_position *position,
                        int user);
void returns_keep(returns *r, keepsake *k);
void returns_drop(keepsake *k);
int returns_user(const keepsake *k);
unsigned returns_chat(const keepsake *k);

/* Checks what the node says now: at any time, and when all is at rest. */
void returns_check(returns *r, unsigned node);
void returns_check_rest(returns *r);

uint64_t returns_whole(const returns *r); /* recoveries so far, */
uint64_t returns_not(const returns *r);   /* and refused ones of good positions */

#endif
