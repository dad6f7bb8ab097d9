/* The mesh's sockets: one XPUB that peers subscribe to, one SUB for each connection. All calls need the lock
 * of the mesh. */
#ifndef WSF_MESH_SOCKET_H
#define WSF_MESH_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <wsfan/diagnosis.h>

#include "base/keys.h"
#include "message/buffer.h"

typedef struct wsf_sockets wsf_sockets;

typedef struct {
    void *user;
    /* Whether a node with this identity may subscribe; 0: there are no keys. */
    bool (*may_subscribe)(void *user, uint32_t identity, const void *topic, size_t size);
    void (*subscription)(void *user, bool subscribed, const void *topic, size_t size);
    /* frame is borrowed; identity: of the key of the node that sent it, 0: there are no keys. Whether to read on. */
    bool (*frame)(void *user, uint32_t connection, uint32_t identity, wsf_buffer *frame);
    void (*stray)(void *user); /* neither a subscription nor a frame */
    void (*probed)(void *user, uint64_t node, bool refused);
    /* What was found of a connection; see wsf_core_carrier(). */
    void (*found)(void *user, uint32_t connection, wsfan_endpoint_state state, uint32_t attempts);
    /* Somebody was turned away at our port; see wsf_core_caller(). */
    void (*caller)(void *user, const char *address, wsfan_endpoint_state cause);
} wsf_sockets_handler;

/* Binds endpoint. frame_size_max: larger frames break their connection. keys: who may connect, and be
 * connected to; borrowed; NULL: everybody, in plain text. wake_fd: an eventfd that is
 * written when there is something to receive that wsf_sockets_fd() does not show. WSFAN_EENDPOINT, WSFAN_EADDRINUSE, WSFAN_EADDR, WSFAN_ESYSTEM, WSFAN_ENOMEM. */
int wsf_sockets_open(wsf_sockets **sockets, const char *endpoint, uint64_t frame_size_max,
                     const wsf_keys *keys, int wake_fd);

/* Replaces the allowed keys; our own key is the same. A connection with a key that is no longer allowed is
 * hung up and dialled again. A peer with such a key makes no new subscriptions, but keeps those it has, so
 * the caller must not send to that peer. */
void wsf_sockets_set_keys(wsf_sockets *sockets, const wsf_keys *keys);

/* Closes, after what was sent has left, or after linger_ms. NULL is allowed. */
void wsf_sockets_close(wsf_sockets *sockets, int linger_ms);

/* The endpoint that peers can reach: the bound one, with the real port, and for a wildcard host an address of
 * this machine that peers can use. "": none. */
const char *wsf_sockets_endpoint(const wsf_sockets *sockets);

/* How many connections to the endpoint were ended, and how many handshakes refused, see wsfan_stats. [any] */
uint64_t wsf_sockets_ended(const wsf_sockets *sockets);
uint64_t wsf_sockets_refused(const wsf_sockets *sockets);

/* What each connection subscribes to; once, before the first. Copied. */
void wsf_sockets_subscribe_to(wsf_sockets *sockets, const void *inbox, size_t inbox_size,
                              const void *introduction, size_t introduction_size);

/* Connections are numbered by the caller, below WSFAN_ENDPOINTS_MAX. A socket that cannot be made now is
 * retried. identity: of the key to try first; 0: not known. */
void wsf_sockets_connect(wsf_sockets *sockets, uint32_t connection, const char *endpoint,
                         uint32_t identity);
void wsf_sockets_disconnect(wsf_sockets *sockets, uint32_t connection);

/* Asks whether a process takes connections at an endpoint with an address. The handler is told with the
 * node's id: a connection, or a refusal; nothing where there is no answer. One question for each node. */
void wsf_sockets_probe(wsf_sockets *sockets, uint64_t node, const char *endpoint);

/* With keys: looks for another node at the endpoint, this identity first, while the connection stays. */
void wsf_sockets_seek(wsf_sockets *sockets, uint32_t connection, uint32_t identity);

/* Sends a frame, keeping a reference until it has left. Never blocks; a frame that nobody is
 * subscribed to is dropped. */
void wsf_sockets_send(wsf_sockets *sockets, wsf_buffer *frame);

/* When there is something to do even if nothing comes, in ms of the monotonic clock; 0: now; UINT64_MAX:
 * never. Asked before each wait. */
uint64_t wsf_sockets_deadline(wsf_sockets *sockets);

/* A descriptor that is readable while there may be something to receive. The same for life. [any] */
int wsf_sockets_fd(const wsf_sockets *sockets);

/* Reads what is there, up to `share` frames of each socket, in turns where the handler stops before that. The handler may connect and disconnect. */
void wsf_sockets_receive(wsf_sockets *sockets, uint32_t share, const wsf_sockets_handler *handler);

#endif
