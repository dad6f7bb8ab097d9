/* Connections to peers, each a SUB socket that is made anew where nothing ever came by it; and what all
 * sockets of the mesh have in common. Under the lock of the mesh, as socket.h. */
#ifndef WSF_MESH_CONNECTION_H
#define WSF_MESH_CONNECTION_H

#include <wsfan/peers.h>

#include "base/endpoint.h"
#include "mesh/auth.h"

enum {
    WSF_CONNECTIONS_COUNT_MAX = WSFAN_ENDPOINTS_MAX,
    WSF_SUBSCRIBED_SIZE_MAX = 200,
    WSF_TRIALS_MAX = 64,
    WSF_TRIALS_PART = 16 /* one in so many descriptors; a trial has two: an eighth */
};

typedef struct {
    void *socket; /* NULL though it is dialled: could not be made yet */
    bool dialled;
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1]; /* when it was last dialled; "": never */
    bool unread;                              /* there may be something to read */
    bool proven;           /* something came by this socket, and nobody doubts it since */
    uint32_t key;          /* the place in keys->allowed of the one that it was made for */
    uint32_t identity;     /* of that key; 0: there are no keys */
    uint64_t silent_at_ms; /* the socket is made anew then, unless proven */
    uint64_t proof_at_ms;  /* what is read before may have been sent before the doubt */

    /* Unless proven, other keys are tried besides, in rounds. */
    int hint;            /* the place of one to be tried next; -1: none */
    uint32_t next;       /* the place of the round's next one */
    uint32_t round;      /* rounds that were completed */
    uint64_t seek_at_ms; /* when the next one may be tried */
} wsf_connection;

/* A socket with another key than that of its connection, whose socket it becomes if anything comes. */
typedef struct {
    void *socket; /* NULL: free */
    uint32_t connection;
    uint32_t key;
    uint64_t end_ms; /* it is given up then */
} wsf_trial;

typedef struct {
    void *context;
    wsf_auth *auth; /* NULL: plain text */
    const wsf_keys *keys;
    int watch_fd; /* an epoll instance */
    int64_t frame_size_max;
    uint8_t inbox[WSF_SUBSCRIBED_SIZE_MAX]; /* what each of them subscribes to */
    uint8_t introduction[WSF_SUBSCRIBED_SIZE_MAX];
    size_t inbox_size;
    size_t introduction_size;
    uint64_t retry_at_ms; /* sockets that could not be made; 0: none */
    uint32_t used;        /* all in use are below */
    uint32_t trials_max;  /* at a time: a share of the descriptors */
    uint32_t trials_count;
    uint32_t trials_next; /* the connection whose turn it is */
    wsf_trial trials[WSF_TRIALS_MAX];
    wsf_connection list[WSF_CONNECTIONS_COUNT_MAX];
} wsf_connections;

/* The descriptor of a connection is watched with its number, of other sockets with these. */
enum {
    WSF_WATCH_WAKE = WSF_CONNECTIONS_COUNT_MAX,
    WSF_WATCH_PUBLISHER,
    WSF_WATCH_AUTH,
    WSF_WATCH_TRIAL,
    WSF_WATCH_TCP_PROBES /* the first of these */
};

void wsf_zmq_set_int(void *socket, int option, int value);
void wsf_zmq_set_common(void *socket, int64_t size_max, const char *endpoint);

/* From now on the descriptor is readable when there is something new to the socket: but only until
 * ZeroMQ was called with it, so that whoever is told reads until nothing is left. False: no memory. */
bool wsf_zmq_watch(int watch_fd, void *socket, uint32_t number);
void wsf_zmq_close(int watch_fd, void *socket);
bool wsf_zmq_readable(void *socket); /* there is something to read, old or new */

/* identity: of the key to try first; 0, or of none that is allowed: our own. */
void wsf_connections_dial(wsf_connections *connections, uint32_t number, const char *endpoint,
                          uint32_t identity);
void wsf_connections_hang_up(wsf_connections *connections, uint32_t number);

/* Where there are keys: somebody else may be at the endpoint, with the key of this identity, or with
 * any (0). The socket stays until that is so. */
void wsf_connections_seek(wsf_connections *connections, uint32_t number, uint32_t identity);
/* Something came by the connection's socket. */
void wsf_connections_heard(wsf_connection *connection);
void wsf_connections_set_keys(wsf_connections *connections, const wsf_keys *keys);

/* Makes new sockets where the old ones are silent or could not be made, begins and ends trials of keys;
 * and when that is due, UINT64_MAX: never. */
void wsf_connections_renew(wsf_connections *connections);
uint64_t wsf_connections_deadline(const wsf_connections *connections);

#endif
