/* Host processes: each node of the world has loops with sessions, and each loop an inbox that is dispatched
 * now and then. Host processes tell the ledger what they do and what they get. */
#ifndef HOSTS_H
#define HOSTS_H

#include "custody.h"
#include "ledger.h"
#include "world.h"

enum { HOSTS_USERS = 6, HOSTS_HISTORY_MS = 10000 };

typedef struct hosts hosts;

/* Which nodes have history: none, all, or every other one that starts. */
typedef enum { HOSTS_HISTORY_NONE, HOSTS_HISTORY_ALL, HOSTS_HISTORY_SOME } hosts_history;

/* returning: clients keep positions and come back with them. */
hosts *hosts_new(ledger *l, unsigned loops, hosts_history history, bool returning);
void hosts_destroy(hosts *h); /* before the world */
void hosts_attach(hosts *h, world *w);
world_watcher hosts_watcher(hosts *h);

/* Starts a node whose static list has the endpoints of the first `named` nodes; 0: one that leads to any node. Nodes of another kind may not
 * be peers of nodes of kind 0. */
void hosts_start(hosts *h, unsigned node, const char *name, unsigned named, unsigned kind);
void hosts_crash(hosts *h, unsigned node);
uint32_t hosts_life(const hosts *h, unsigned node);

/* Do that to a random session or chat; nothing where there is none. */
void hosts_open(hosts *h, unsigned node);
void hosts_close(hosts *h, unsigned node);
void hosts_join(hosts *h, unsigned node, unsigned chats);
void hosts_leave(hosts *h, unsigned node);
void hosts_move(hosts *h, unsigned node,
                unsigned to); /* a session moves to another node, by its user */
/* Returns how many messages; 0: the node is congested. */
unsigned hosts_publish(hosts *h, unsigned node, unsigned chats, size_t size_max);

/* Makes the node take a peer for not interested in a chat that the peer is in, which no fault of the network
 * does, and publishes there. Returns the peer's node; WORLD_NODES_MAX: there is none. */
unsigned hosts_mistake(hosts *h, unsigned node);

void hosts_ask(hosts *h, unsigned node, unsigned chats); /* a command, a list, a message to nodes */
void hosts_check_asks(hosts *h, unsigned node,
                      uint64_t frozen_ms); /* requests still to be answered */
void hosts_check_answers(hosts *h);        /* when all is at rest */
void hosts_forget(hosts *h);               /* settles what was asked, to go on after that */

/* One in so many messages finds the inbox full; 0: none. */
void hosts_fill_inboxes(hosts *h, unsigned node, unsigned one_in);

/* Runs the callbacks of every node that is not frozen. */
void hosts_dispatch(hosts *h);

/* Checks the counters of the node against what it was seen to do. */
void hosts_check_counters(hosts *h, unsigned node);

/* Checks what the node knows of presence against the sessions there are. */
void hosts_check_presence(hosts *h, unsigned node);

/* Checks what the node says of how far it got with others, and what it keeps: at any time, and with another one at rest. */
void hosts_check_testimony(hosts *h, unsigned node);
void hosts_check_testimony_at_rest(hosts *h, unsigned node, unsigned other);

/* A node asks others for what it lacks of a chat. */
void hosts_backfill(hosts *h, unsigned node, unsigned chats);
/* Checks what the node keeps of chats: at rest; after 2 x history_ms without a message; and after as much without a session. */
void hosts_check_history_at_rest(hosts *h, unsigned node);
/* Checks that sessions that joined with history got what followed; how many were recovered, and not. */
void hosts_check_returns(hosts *h);
uint64_t hosts_recovered(const hosts *h, uint64_t *refused);
void hosts_check_expired(hosts *h, unsigned node);
void hosts_check_gone(hosts *h, unsigned node);
void hosts_close_all(hosts *h, unsigned node); /* its sessions */

/* Who holds what for whom. */
custody *hosts_custody(hosts *h);

/* Closes sessions of a node that drains, or moves them to another one, until no more than it should have by now are left. */
void hosts_shed(hosts *h, unsigned node, unsigned to);

/* Checks what the node says of its interest against its sessions. */
void hosts_check_interest(hosts *h, unsigned node);

#endif
