/* What the files of a loop share. */
#ifndef WSF_LOOP_STATE_H
#define WSF_LOOP_STATE_H

#include "base/alone.h"
#include "base/counter.h"
#include "base/guard.h"
#include "loop/executor.h"
#include "loop/positions.h"
#include "loop/rebalance.h"
#include "loop/subscriptions.h"
#include "mesh/mesh.h"

/* Of all loops of a node, also of those that were closed. */
typedef struct {
    atomic_uint_fast64_t recoveries[WSFAN_RECOVERIES_MAX]; /* by verdict */
    atomic_uint_fast64_t replayed;
} wsf_loop_tally;

/* What a loop needs of its node. The node outlives its loops. */
typedef struct {
    wsfan_node *owner; /* opaque here */
    wsf_mesh *mesh;
    const wsf_guard *guard;
    const wsf_hash_key *key;
    const wsf_hash_seal_key *position_key; /* NULL: without history */
    wsf_loop_tally *tally;
    uint64_t node;
    const char *name;
} wsf_loop_node;

/* The first item of `todo`, if that is a recovery. */
typedef struct {
    const wsf_recovery *shown; /* while a callback runs for it; else NULL */
    uint32_t next;             /* of its list */
    bool begun;                /* it was shown in part */
} wsf_replay;

struct wsfan_loop {
    WSF_ALONE_FIELD
    wsf_loop_node node;
    wsf_inbox *inbox;
    wsf_subscriptions subscriptions;
    wsf_rebalance rebalance;
    bool publisher_only;
    atomic_bool draining;
    wsf_executor executor;
    wsf_positions positions;
    wsfan_callbacks callbacks;
    void *user;
    unsigned index;
    uint32_t name_bytes_max;
    uint32_t metadata_bytes_max;
    bool dispatching;
    bool unread;               /* by the sockets more has come than was read */
    wsf_mesh_command *goodbye; /* made at the start, so that closing needs no memory */
    wsf_item *todo;            /* taken from the inbox and not handled */
    wsf_replay replay;
    wsf_message_pool pool; /* of messages that were in a run */
    uint32_t pool_uses;    /* dispatches since it was trimmed */
    uint32_t headroom_bytes;
    wsf_message_bin bin;     /* dispatched messages, given back together */
    uint64_t released_count; /* dispatched messages that still count in the inbox */
    uint64_t released_bytes;
    wsf_counter messages;
    wsf_counter recipients;
    wsf_counter gap;
    wsf_counter chats; /* as of wsf_loop_tell_counts() */
    wsf_counter memberships;
    wsf_histogram dispatch; /* us from publish to dispatch, of timed messages */
    uint8_t shown[];        /* name_bytes_max bytes, see wsf_loop_show_name() */
};

/* WSFAN_EINVAL: NULL; WSFAN_EFORK. */
int wsf_loop_check(const wsfan_loop *loop);

/* Copies a chat's name for one callback. The callback may add a member to the chat, which moves the
 * registry's copy, or remove the last one, which frees it. */
wsfan_bytes wsf_loop_show_name(wsfan_loop *loop, wsfan_bytes name);

/* Tells of messages that are lost to this loop. Returns how many callbacks that took, 0 or 1. */
uint32_t wsf_loop_tell_gap(wsfan_loop *loop);

/* Tells other threads how many sessions, chats and memberships there are. */
void wsf_loop_tell_counts(wsfan_loop *loop);

#endif
