/* What the files of the mesh thread share. */
#ifndef WSF_MESH_STATE_H
#define WSF_MESH_STATE_H

#include <pthread.h>

#include "base/clock.h"
#include "mesh/effects.h"
#include "mesh/open_run.h"
#include "mesh/types.h"

/* A set of endpoints on its way to the core. The strings lie behind the pointers. */
typedef struct {
    size_t count;
    const char *endpoints[];
} named_set;

struct wsf_mesh {
    wsf_mailbox mailbox;
    wsf_message_pool pool; /* of small publishes; both are guarded by the mailbox's lock */
    wsf_open_run open_run;
    wsf_hash_key key;
    _Atomic(named_set *) named[WSF_DIALER_SOURCES_MAX]; /* not taken yet; NULL: none */
    atomic_bool named_any; /* one of named, names_known, keys_next was set */
    atomic_bool names_known;
    wsf_name *_Atomic names_next;  /* the newest list that was not taken yet, */
    atomic_bool names_told;        /* if this is set */
    _Atomic(wsf_keys *) keys_next; /* not taken yet; NULL: none */
    wsf_keys *keys;                /* in force; NULL: plain text */
    pthread_t thread;
    pthread_mutex_t lock;
    wsf_mesh_effects out;           /* with the core and the sockets; guarded by the lock */
    atomic_uint_fast64_t refused;   /* publishes that got WSFAN_EAGAIN */
    atomic_uint_fast64_t worked_ns; /* when there was work last, by the monotonic clock */
    atomic_uint_fast64_t
        read_ms;        /* when a loop read the sockets last, by the same clock; 0: not lately */
    atomic_bool unread; /* that loop has left what the descriptor of the sockets need not show */
    atomic_bool beside_reader; /* the thread waits, and looks at `unread` from time to time */
    wsf_inbox *reading;        /* see wsf_mesh_receive() */
    uint64_t trim_ms;
    uint64_t wake_ms; /* when the thread wakes if nothing comes */
    uint32_t close_ms_max;
    bool closing;
    bool threaded; /* guarded by the lock; it never becomes false again */
    wsf_mesh_command stop;
    wsf_mesh_command quiet;
    wsf_item *todo; /* commands that were taken and not handled */
};

static inline wsf_now wsf_mesh_now(void) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (wsf_now){ wsf_clock_ms(),
                      (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000 };
}

static inline void wsf_mesh_note_work(wsf_mesh *mesh) {
    atomic_store_explicit(&mesh->worked_ns, wsf_clock_ns(), memory_order_relaxed);
}

/* The caller of each function below holds the lock. */

/* Starts the thread. */
int wsf_mesh_start(wsf_mesh *mesh);

/* Reads what has come by the sockets: `share` frames of each at most, and no more once `reading`, the inbox of the
 * loop that does it, is half full; NULL: the mesh thread does it. */
void wsf_mesh_receive(wsf_mesh *mesh, uint32_t share, wsf_inbox *reading);

/* Carries out a share of the commands in the mailbox. Returns whether more can be carried out now. While the
 * core is congested commands wait: the publish queue fills, and publishers get WSFAN_EAGAIN. */
bool wsf_mesh_handle_commands(wsf_mesh *mesh);
/* Whether a command can be carried out now. */
bool wsf_mesh_can_handle(wsf_mesh *mesh);

/* Gives the core and the sockets the newest endpoints and keys that other threads have set. */
void wsf_mesh_take_settings(wsf_mesh *mesh);

#endif
