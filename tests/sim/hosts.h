/* Host processes: for each node of the world its loops with sessions, and an inbox each that is
 * dispatched now and then. They tell the ledger what they do and what they get. */
#ifndef HOSTS_H
#define HOSTS_H

#include "ledger.h"
#include "world.h"

enum { HOSTS_USERS = 6 };

typedef struct hosts hosts;

hosts *hosts_new(ledger *l, unsigned loops);
void hosts_destroy(hosts *h); /* before the world */
void hosts_attach(hosts *h, world *w);
world_watcher hosts_watcher(hosts *h);

/* With the endpoints of the first `named` nodes in its static list. Nodes of another kind than 0 are
 * such as may not be peers of those. */
void hosts_start(hosts *h, unsigned node, const char *name, unsigned named, unsigned kind);
void hosts_crash(hosts *h, unsigned node);
uint32_t hosts_life(const hosts *h, unsigned node);

/* A random thing of that kind; does nothing where there is none. */
void hosts_open(hosts *h, unsigned node);
void hosts_close(hosts *h, unsigned node);
void hosts_join(hosts *h, unsigned node, unsigned chats);
void hosts_leave(hosts *h, unsigned node);
void hosts_move(hosts *h, unsigned node,
                unsigned to); /* a session goes to another node, by its user */
bool hosts_publish(hosts *h, unsigned node, unsigned chats, size_t size_max); /* false: congested */

/* The node takes a peer for not interested in a chat that it is in, which nothing that happens to frames is
 * known to do, and publishes there. Returns the peer's node; WORLD_NODES_MAX: there is none. */
unsigned hosts_mistake(hosts *h, unsigned node);

void hosts_ask(hosts *h, unsigned node, unsigned chats); /* a command, a list, a message to nodes */
void hosts_check_asks(hosts *h, unsigned node,
                      uint64_t frozen_ms); /* that is still to be answered */
void hosts_check_answers(hosts *h);        /* when all is at rest; */
void hosts_forget(hosts *h);               /* what was asked; after that, when it goes on */

/* While it is so, one in so many messages finds the inbox full; 0: none. */
void hosts_fill_inboxes(hosts *h, unsigned node, unsigned one_in);

/* Runs the callbacks of every node that is not frozen. */
void hosts_dispatch(hosts *h);

/* What the node counts against what it was seen to do. */
void hosts_check_counters(hosts *h, unsigned node);

/* What each node holds of presence against who is there. */
void hosts_check_presence(hosts *h, unsigned node);

/* What the node says of its interest against what its sessions are in. */
void hosts_check_interest(hosts *h, unsigned node);

#endif
