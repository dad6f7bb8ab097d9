/* Replicas of one process on real sockets: a node, a loop and a session each, named "n0", "n1", ... */
#ifndef REPLICA_H
#define REPLICA_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wsfan/peers.h>
#include <wsfan/stats.h>

#include "live.h"

enum { REPLICAS_MAX = LIVE_MAX };

typedef struct {
    wsfan_node *node; /* NULL: it does not run */
    wsfan_loop *loop;
    wsfan_session session;
    char name[16];
    unsigned messages;
    char last[32]; /* the beginning of the last one */
    unsigned joined;
    int joined_status; /* of the last one */
    uint64_t gap;
    wsfan_peer_event event_of[REPLICAS_MAX]; /* the last of the peer "n<i>", but REFUSED */
    wsfan_reason reason_of[REPLICAS_MAX];
    unsigned refused;
    unsigned troubles; /* peers that were silent or down */
} replica;

static replica replicas[REPLICAS_MAX];

static inline void replica_on_message(void *user, wsfan_message *message,
                                      const wsfan_recipient *recipients, size_t count) {
    replica *r = user;
    wsfan_bytes payload = wsfan_message_payload(message);
    (void)recipients;
    r->messages += (unsigned)count;
    memset(r->last, 0, sizeof r->last);
    memcpy(r->last, payload.data,
           payload.size < sizeof r->last ? payload.size : sizeof r->last - 1);
}

static inline void replica_on_joined(void *user, const wsfan_joined *joined) {
    replica *r = user;
    r->joined++;
    r->joined_status = joined->status;
}

static inline void replica_on_peer(void *user, const wsfan_peer *peer) {
    replica *r = user;
    r->refused += peer->event == WSFAN_PEER_REFUSED;
    r->troubles += peer->event == WSFAN_PEER_SILENT || peer->event == WSFAN_PEER_DOWN;
    if (peer->event == WSFAN_PEER_REFUSED || peer->name[0] != 'n')
        return;
    r->event_of[peer->name[1] - '0'] = peer->event;
    r->reason_of[peer->name[1] - '0'] = peer->reason;
}

static inline void replica_on_gap(void *user, const wsfan_gap *gap) {
    ((replica *)user)->gap += gap->count;
}

/* more: callbacks beside the four above; NULL: none. Each gets the replica as its loop's pointer. */
static inline void replica_start(int i, wsfan_options options, const char *const *peers,
                                 size_t peers_count, const wsfan_callbacks *more) {
    replica *r = &replicas[i];
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks };
    if (more != NULL)
        callbacks = *more;
    callbacks.on_message = replica_on_message;
    callbacks.on_joined = replica_on_joined;
    callbacks.on_peer = replica_on_peer;
    callbacks.on_gap = replica_on_gap;
    memset(r, 0, sizeof *r);
    snprintf(r->name, sizeof r->name, "n%d", i);
    options.name = r->name;
    options.peers = peers;
    options.peers_count = peers_count;
    ck_assert_int_eq(wsfan_node_open(&r->node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&r->loop, r->node, &callbacks, r), WSFAN_OK);
    live[i] = r->loop;
    ck_assert_int_eq(wsfan_session_open(&r->session, r->loop, wsfan_string(r->name), NULL),
                     WSFAN_OK);
}

static inline void replica_stop(int i) {
    ck_assert_int_eq(wsfan_loop_close(replicas[i].loop), WSFAN_OK);
    replicas[i].loop = live[i] = NULL;
    ck_assert_int_eq(wsfan_node_close(replicas[i].node), WSFAN_OK);
    replicas[i].node = NULL;
}

static inline void replicas_stop(void) {
    for (int i = 0; i < REPLICAS_MAX; i++)
        if (replicas[i].node != NULL)
            replica_stop(i);
}

static inline void replica_join(int i, const char *chat) {
    unsigned before = replicas[i].joined;
    ck_assert_int_eq(wsfan_session_join(replicas[i].loop, replicas[i].session, wsfan_string(chat)),
                     WSFAN_OK);
    WAIT(replicas[i].joined > before);
}

static inline const char *replica_endpoint(int i) {
    return wsfan_node_endpoint(replicas[i].node);
}

static inline wsfan_stats replica_stats(int i) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(replicas[i].node, &stats), WSFAN_OK);
    return stats;
}

/* Whether replica i has a link with replica `of`. */
static inline bool replica_up(int i, int of) {
    return replicas[i].event_of[of] == WSFAN_PEER_UP;
}

static inline void replica_broadcast(int i, const char *chat, const char *text) {
    ck_assert_int_eq(
        wsfan_broadcast(replicas[i].node, wsfan_string(chat), wsfan_string(text), NULL), WSFAN_OK);
}

#endif
