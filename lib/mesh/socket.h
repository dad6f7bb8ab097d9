/* The mesh's sockets: one XPUB that peers subscribe to, one SUB for each connection. All calls under
 * the lock of the mesh, but that of wsf_sockets_wait(), which is the mesh thread's. */
#ifndef WSF_MESH_SOCKET_H
#define WSF_MESH_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/keys.h"
#include "message/buffer.h"

typedef struct wsf_sockets wsf_sockets;

typedef struct {
    void *user;
    /* Whether a node with this identity may subscribe; 0: there are no keys. */
    bool (*may_subscribe)(void *user, uint32_t identity, const void *topic, size_t size);
    void (*subscription)(void *user, bool subscribed, const void *topic, size_t size);
    /* frame is borrowed; identity: of the key of the node that sent it, 0: there are no keys */
    void (*frame)(void *user, uint32_t connection, uint32_t identity, wsf_buffer *frame);
    void (*stray)(void *user); /* something that is neither */
    void (*probed)(void *user, uint64_t node, bool refused);
} wsf_sockets_handler;

/* Binds endpoint. frame_size_max: larger frames break their connection. keys: who may connect, and
 * be connected to; borrowed; NULL: everybody, in plain text. wake_fd: readable, it ends the wait.
 * WSFAN_EENDPOINT, WSFAN_EADDRINUSE, WSFAN_EADDR, WSFAN_ESYSTEM, WSFAN_ENOMEM. */
int wsf_sockets_open(wsf_sockets **sockets, const char *endpoint, uint64_t frame_size_max,
                     const wsf_keys *keys, int wake_fd);

/* Other keys, with the same own one, from now on: hangs up where another node's is not among them,
 * and dials again. Whom nobody may reach any more subscribes to nothing new; what it has subscribed
 * to stays, so that the caller must not send there. */
void wsf_sockets_set_keys(wsf_sockets *sockets, const wsf_keys *keys);

/* Closes, after what was sent has left, or after linger_ms. NULL is allowed. */
void wsf_sockets_close(wsf_sockets *sockets, int linger_ms);

/* The endpoint that others can reach: the bound one, with the real port, and for a wildcard host an
 * address of this machine that others can use. "": none. */
const char *wsf_sockets_endpoint(const wsf_sockets *sockets);

/* How many connections to the endpoint were ended, see wsfan_stats. [any] */
uint64_t wsf_sockets_ended(const wsf_sockets *sockets);

/* What each connection subscribes to; once, before the first. Copied. */
void wsf_sockets_subscribe_to(wsf_sockets *sockets, const void *inbox, size_t inbox_size,
                              const void *introduction, size_t introduction_size);

/* Connections are numbered by the caller, 0..255. A socket that cannot be had now is tried
 * again. identity: of the key to try first; 0: not known. */
void wsf_sockets_connect(wsf_sockets *sockets, uint32_t connection, const char *endpoint,
                         uint32_t identity);
void wsf_sockets_disconnect(wsf_sockets *sockets, uint32_t connection);

/* Asks whether anybody takes connections at an endpoint with an address, and tells the handler with the
 * node's id: a connection, or a refusal; nothing where there is no answer. One question for each node. */
void wsf_sockets_probe(wsf_sockets *sockets, uint64_t node, const char *endpoint);

/* Where there are keys: looks for who else may be at the endpoint, this identity first, while the
 * connection stands. */
void wsf_sockets_seek(wsf_sockets *sockets, uint32_t connection, uint32_t identity);

/* Sends a frame, keeping a reference until it has left. Never blocks; a frame that nobody is
 * subscribed to is dropped. */
void wsf_sockets_send(wsf_sockets *sockets, wsf_buffer *frame);

/* When there is something to do even if nothing comes, in ms of the monotonic clock; 0: now; UINT64_MAX:
 * never. Asked before each wait. */
uint64_t wsf_sockets_deadline(wsf_sockets *sockets);

/* Waits until there is something to receive, or timeout_ms (-1: for ever) has passed. Whether it was wake_fd. */
bool wsf_sockets_wait(wsf_sockets *sockets, int timeout_ms);

/* Reads what is there, up to a fair share of each socket. The handler may connect and disconnect. */
void wsf_sockets_receive(wsf_sockets *sockets, const wsf_sockets_handler *handler);

#endif
