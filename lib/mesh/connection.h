/* Connections to peers, each a SUB socket that is replaced when it never receives anything. Under the lock of the
 * mesh, as socket.h. */
#ifndef WSF_MESH_CONNECTION_H
#define WSF_MESH_CONNECTION_H

#include <wsfan/peers.h>

#include "base/endpoint.h"
#include "mesh/auth.h"
#include "mesh/monitor.h"
#include "mesh/tcp_probe.h"

enum {
    WSF_CONNECTIONS_COUNT_MAX = WSFAN_ENDPOINTS_MAX,
    WSF_SUBSCRIBED_SIZE_MAX = 200,
    WSF_TRIALS_MAX = 64,
    WSF_TRIALS_PART = 16,  /* one in 16 descriptors; a trial takes two: an eighth */
    WSF_MONITORS_MAX = 64, /* of connections and trials; without one only a probe tells why */
    WSF_MONITORS_PART = 16 /* the same */
};

typedef struct {
    void *socket; /* NULL while dialled: it could not be made yet */
    bool dialled;
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1]; /* that was dialled last; "": none */
    bool unread;                              /* there may be something to read */
    bool proven;       /* something came by it, and wsf_connections_seek() did not doubt it since */
    uint32_t key;      /* index in keys->allowed of the key that the socket was made for */
    uint32_t identity; /* of that key; 0: there are no keys */
    uint64_t silent_at_ms; /* when the socket is replaced, unless proven */
    uint64_t proof_at_ms;  /* frames read before may precede the doubt: no proof */

    /* While not proven, trials of other keys are made, in rounds. */
    int hint;            /* index of the key to try next, before its turn; -1: none */
    uint32_t next;       /* index of the next key in the round */
    uint32_t round;      /* rounds that were completed */
    uint64_t seek_at_ms; /* when the next trial may begin */

    /* Why nothing comes. */
    wsf_monitor monitor;
    bool reached;               /* the socket had a connection */
    bool shut;                  /* the key of the socket is not that of the node there */
    bool unknown_there;         /* the node there, whose key one trial had, does not know ours */
    uint64_t probe_at_ms;       /* when the address may be probed; UINT64_MAX: not */
    wsfan_endpoint_state found; /* not told yet; DIALLING: nothing */
    uint32_t attempts;          /* not told yet */
} wsf_connection;

/* A trial of another key than that of the connection's socket, which it replaces if it receives anything. */
typedef struct {
    void *socket; /* NULL: free */
    wsf_monitor monitor;
    uint32_t connection;
    uint32_t key;
    uint64_t end_ms; /* when the trial is given up */
} wsf_trial;

typedef struct {
    void *context;
    wsf_auth *auth; /* NULL: plain text */
    const wsf_keys *keys;
    int watch_fd; /* an epoll instance */
    int64_t frame_size_max;
    uint8_t inbox[WSF_SUBSCRIBED_SIZE_MAX]; /* what each connection subscribes to */
    uint8_t introduction[WSF_SUBSCRIBED_SIZE_MAX];
    size_t inbox_size;
    size_t introduction_size;
    uint64_t retry_at_ms; /* when to retry sockets that could not be made; 0: none */
    uint32_t used;        /* connections in use are below */
    uint32_t trials_max;  /* at a time: a share of the descriptors */
    uint32_t trials_count;
    uint32_t trials_next; /* the connection whose turn to begin a trial is first */
    uint64_t monitors_opened;
    uint32_t monitors_count;
    uint32_t monitors_max; /* a share of the descriptors */
    bool monitors_unread;
    wsf_tcp_probes probes; /* of addresses by whose connection nothing came, by number plus 1 */
    wsf_trial trials[WSF_TRIALS_MAX];
    wsf_connection list[WSF_CONNECTIONS_COUNT_MAX];
} wsf_connections;

/* The number by which epoll tells a descriptor: that of the connection, or one of these. */
enum {
    WSF_WATCH_PUBLISHER = WSF_CONNECTIONS_COUNT_MAX,
    WSF_WATCH_AUTH,
    WSF_WATCH_TRIAL,
    WSF_WATCH_MONITOR,
    WSF_WATCH_TCP_PROBES, /* the first of these, */
    WSF_WATCH_CONNECTION_PROBES = WSF_WATCH_TCP_PROBES + WSF_TCP_PROBES_MAX, /* and of these */
    WSF_WATCH_END = WSF_WATCH_CONNECTION_PROBES + WSF_TCP_PROBES_MAX
};

/* identity: of the key to try first; 0, or not allowed: our own key is tried first. */
void wsf_connections_dial(wsf_connections *connections, uint32_t number, const char *endpoint,
                          uint32_t identity);
void wsf_connections_hang_up(wsf_connections *connections, uint32_t number);

/* With keys: another node may be at the endpoint, with the key of this identity, or any key (0). The socket
 * stays until a trial finds that node. */
void wsf_connections_seek(wsf_connections *connections, uint32_t number, uint32_t identity);
/* Something came by the connection's socket. */
void wsf_connections_heard(wsf_connections *connections, wsf_connection *connection);
void wsf_connections_set_keys(wsf_connections *connections, const wsf_keys *keys);

/* _renew() replaces silent sockets, retries those that could not be made, begins and ends trials and probes.
 * _deadline() tells when that is due, in ms of the monotonic clock; UINT64_MAX: never. */
void wsf_connections_renew(wsf_connections *connections);

/* Tells what was found of connections, each once. */
void wsf_connections_tell(wsf_connections *connections,
                          void (*found)(void *user, uint32_t number, wsfan_endpoint_state state,
                                        uint32_t attempts),
                          void *user);
uint64_t wsf_connections_deadline(const wsf_connections *connections);

#endif
