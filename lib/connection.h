/* Connections to peers, each a SUB socket that is made anew where nothing ever came by it; and what all
 * sockets of the mesh have in common. Under the lock of the mesh, as socket.h. */
#ifndef WSF_CONNECTION_H
#define WSF_CONNECTION_H

#include <wsfan/wsfan.h>

#include "auth.h"
#include "endpoint.h"

enum { WSF_CONNECTIONS_COUNT_MAX = WSFAN_ENDPOINTS_MAX, WSF_SUBSCRIBED_SIZE_MAX = 200 };

typedef struct {
    void *socket; /* NULL though it is dialled: could not be made yet */
    bool dialled;
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1]; /* when it was last dialled; "": never */
    bool unread;                              /* there may be something to read */
    bool proven;                              /* something came by this socket */
    uint32_t key;          /* the place in keys->allowed of the one that it was made for */
    uint32_t identity;     /* of that key; 0: there are no keys */
    uint32_t tries;        /* with one key after another */
    uint64_t hint_serial;  /* the caller that was taken for the answerer last */
    uint64_t silent_at_ms; /* the socket is given up then, unless proven */
} wsf_connection;

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
    wsf_connection list[WSF_CONNECTIONS_COUNT_MAX];
} wsf_connections;

/* The descriptor of a connection is watched with its number, of other sockets with these. */
enum {
    WSF_WATCH_WAKE = WSF_CONNECTIONS_COUNT_MAX,
    WSF_WATCH_PUBLISHER,
    WSF_WATCH_AUTH,
    WSF_WATCH_KNOCKS /* the first of these */
};

void wsf_zmq_set_int(void *socket, int option, int value);
void wsf_zmq_set_common(void *socket, int64_t size_max, const char *endpoint);

/* From now on the descriptor is readable when there is something new to the socket: but only until
 * ZeroMQ was called with it, so that whoever is told reads until nothing is left. False: no memory. */
bool wsf_zmq_watch(int watch_fd, void *socket, uint32_t number);
void wsf_zmq_close(int watch_fd, void *socket);
bool wsf_zmq_readable(void *socket); /* there is something to read, old or new */

void wsf_connections_dial(wsf_connections *connections, uint32_t number, const char *endpoint);
void wsf_connections_hang_up(wsf_connections *connections, uint32_t number);
void wsf_connections_set_keys(wsf_connections *connections, const wsf_keys *keys);

/* Makes new sockets where the old ones are silent or could not be made; and when that is due, UINT64_MAX:
 * never. */
void wsf_connections_renew(wsf_connections *connections);
uint64_t wsf_connections_deadline(const wsf_connections *connections);

uint64_t wsf_monotonic_ms(void);

#endif
