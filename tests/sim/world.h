/* A world of nodes: the shipped core, many times, on a virtual clock and a network in memory. One thread, no
 * I/O; the same seed gives the same run. */
#ifndef WORLD_H
#define WORLD_H

#include "core/core.h"

enum { WORLD_NODES_MAX = 512, WORLD_CONNECTIONS_MAX = 512 };

/* One address in front of all nodes. */
#define WORLD_VIRTUAL "tcp://10.1.0.1:7000"

typedef struct world world;

/* What the world tells its user. Any may be NULL. `node` is an index. */
typedef struct {
    void *user;
    bool (*deliver)(void *user, unsigned node, unsigned loop, wsfan_message *message);
    bool (*joined)(void *user, unsigned node, wsf_ticket *ticket); /* true: takes the ticket over */
    void (*peer)(void *user, unsigned node, const wsfan_peer *peer);
    void (*gap)(void *user, unsigned node, const wsfan_gap *gap);
    void (*result)(void *user, unsigned node, const wsfan_result *result);
    bool (*loop_call)(void *user, unsigned node, unsigned loop,
                      wsf_loop_call *loop_call); /* true: takes the loop call over */
    bool (*reply)(void *user, unsigned node, wsf_request *ask);
    void (*reach)(void *user, unsigned node, wsf_reach *reach); /* borrowed */
    bool (*recovered)(void *user, unsigned node, wsf_recovery *recovery);
    void (*presence)(void *user, unsigned node, unsigned loop, const wsfan_presence *presence);
    void (*event)(void *user, unsigned node, const wsfan_event *event);
    void (*drained)(void *user, unsigned node, int status);
} world_watcher;

/* What the network did to frames, and how often. */
typedef struct {
    uint64_t sent;
    uint64_t lost; /* alone, or in a connection that broke */
    uint64_t duplicated;
    uint64_t flipped; /* one bit */
    uint64_t truncated;
    uint64_t too_big;   /* both parts together, for the receiver: a carrier brings no such frame */
    uint64_t reordered; /* when a connection broke */
    uint64_t connections_broken;
    uint64_t refused; /* probes */
} world_counts;

world *world_new(uint64_t seed, const world_watcher *watcher);
void world_destroy(world *w);

uint64_t world_random(world *w, uint64_t below);
uint64_t world_ms(const world *w);
wsf_now world_now(const world *w, unsigned node);

/* The configuration of every node that starts afterwards, to be changed as you like. */
wsf_core_config *world_config(world *w);

/* Starts a node as replica `node` (name "n<node>", one endpoint for life), with a new id, one loop
 * (0), and the endpoints of the nodes in the bit set `peers` (the first 64) in its static list. */
void world_start(world *w, unsigned node, uint64_t peers);

/* The same under another name, with a given id (0: a new one) and number of loops. */
void world_start_as(world *w, unsigned node, const char *name, uint64_t id, unsigned loops,
                    uint64_t peers);
/* From now on the static list of a node has the endpoints of the first `count` nodes; 0: WORLD_VIRTUAL. */
void world_name(world *w, unsigned node, unsigned count);
void world_crash(world *w, unsigned node); /* its connections break at once */
bool world_alive(const world *w, unsigned node);
wsf_core *world_core(const world *w, unsigned node);
uint64_t world_node_id(const world *w, unsigned node);

/* The view of a node, with the nodes that may own chats. NULL: the node has not run yet. */
const wsf_view *world_view(const world *w, unsigned node);

/* A drain. Sessions are a number, which the caller lowers as it is asked to. */
void world_drain(world *w, unsigned node, uint32_t ms);
void world_set_sessions(world *w, unsigned node, uint64_t sessions);
uint32_t world_shed_permille(const world *w, unsigned node);
bool world_drained(const world *w, unsigned node, int *status);

/* After a call on world_core(): the node is run at the next moment. */
void world_touch(world *w, unsigned node);

/* The world's nodes as a loop would use them. A chat is a number. join, publish: false without memory. */
bool world_join(world *w, unsigned node, uint64_t chat);
void world_leave(world *w, unsigned node, uint64_t chat);
bool world_publish(world *w, unsigned node, uint64_t chat, uint64_t payload);
bool world_publish_bytes(world *w, unsigned node, wsfan_bytes chat, wsfan_bytes payload);
uint64_t world_chat_hash(world *w, uint64_t chat);
uint64_t world_payload(const wsfan_message *message); /* as given to world_publish() */

/* The network. Directions are those of bytes. A blocked direction holds bytes back, as TCP does; when it is
 * blocked for longer than ZeroMQ's heartbeat, the connection breaks. Frames under way in a connection that
 * breaks are lost, except those in the buffers of the receiver. */
void world_block(world *w, unsigned from, unsigned to, bool blocked);
bool world_blocked(const world *w, unsigned from, unsigned to);
void world_break(world *w, unsigned a, unsigned b); /* both connections, once; they redial */

/* Ends, for good, the connections of a node that lead or would lead to another one: the node does not notice,
 * and does not redial by itself. */
void world_deafen(world *w, unsigned node, unsigned to);

/* A node refuses connections from now on, as if it did not run; those to it break, its own to others
 * stand. */
void world_refuse(world *w, unsigned node, bool refused);

/* Where WORLD_VIRTUAL leads from now on: to a node, to a random one (WORLD_NODES_MAX), or to each in turn. */
enum { WORLD_IN_TURN = WORLD_NODES_MAX + 1 };
void world_lead(world *w, unsigned node);

/* From now on, so many of a million frames. */
void world_lose(world *w, uint32_t per_million);
void world_duplicate(world *w, uint32_t per_million);
void world_flip(world *w, uint32_t per_million);
void world_truncate(world *w, uint32_t per_million);
void world_delay(world *w, uint32_t ms_max); /* of each frame */
void world_freeze(world *w, unsigned node, bool frozen);
bool world_frozen(const world *w, unsigned node);
void world_slow(world *w, unsigned node, uint32_t ms); /* how long a few frames take; 0: no time */
void world_jump(world *w, unsigned node, int64_t ms);  /* its wall clock */
world_counts world_counted(const world *w);

/* Gives a frame to a node as if it had come by the connection. */
void world_inject(world *w, unsigned node, uint32_t connection, const void *data, size_t size);

/* Passes time. Nothing is finer than a millisecond. */
void world_run(world *w, uint64_t ms);

/* Runs until condition() holds; false when it does not within ms_max. */
bool world_run_until(world *w, bool (*condition)(void *user), void *user, uint64_t ms_max);

/* Whether every two living nodes have an established link; and also know each other's interest. */
bool world_all_up(const world *w);
bool world_meshed(const world *w);

#endif
