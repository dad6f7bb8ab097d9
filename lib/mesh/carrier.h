/* A carrier brings frames from node to node: ZeroMQ's sockets (socket.c), or one of the host (datagrams.c). The mesh
 * thread knows it by a table of calls, which all need the lock of the mesh. */
#ifndef WSF_MESH_CARRIER_H
#define WSF_MESH_CARRIER_H

#include <stdbool.h>
#include <stdint.h>
#include <wsfan/diagnosis.h>
#include <wsfan/stats.h>

#include "base/keys.h"
#include "message/buffer.h"

typedef struct wsf_carrier wsf_carrier;

/* The mesh, as a carrier tells it in its receive(). */
typedef struct {
    void *user;
    /* Whether a node with this identity may subscribe; 0: identities are not known. */
    bool (*may_subscribe)(void *user, uint32_t identity, const void *topic, size_t size);
    void (*subscription)(void *user, bool subscribed, const void *topic, size_t size);
    /* frame is borrowed; identity: of the node that sent it, 0: not known. Whether to read on. */
    bool (*frame)(void *user, uint32_t connection, uint32_t identity, wsf_buffer *frame);
    void (*stray)(void *user); /* neither a subscription nor a frame */
    void (*probed)(void *user, uint64_t node, bool refused);
    /* A finding about a connection; see wsf_core_carrier(). */
    void (*found)(void *user, uint32_t connection, wsfan_endpoint_state state, uint32_t attempts);
    /* Somebody was turned away at our port; see wsf_core_caller(). */
    void (*caller)(void *user, const char *address, wsfan_endpoint_state cause);
    /* How the carrier itself stands, by an endpoint that leads to all nodes; it failed so many times. met: those that
     * are there have been told of this node. Only where nodes find each other by the carrier. */
    void (*standing)(void *user, const char *endpoint, wsfan_endpoint_state state,
                     uint64_t failures, bool met);
} wsf_carrier_handler;

typedef struct {
    /* The endpoint that peers can reach; "": none. */
    const char *(*endpoint)(const wsf_carrier *carrier);

    /* The topics that each connection subscribes to; once, before the first. Copied. */
    void (*subscribe_to)(wsf_carrier *carrier, const void *inbox, size_t inbox_size,
                         const void *introduction, size_t introduction_size);

    /* Connections are numbered by the caller, below WSFAN_ENDPOINTS_MAX. One that cannot be made now is
     * retried. identity: of the node to try first there; 0: not known. */
    void (*connect)(wsf_carrier *carrier, uint32_t connection, const char *endpoint,
                    uint32_t identity);
    void (*disconnect)(wsf_carrier *carrier, uint32_t connection);

    /* With keys: looks for another node at the endpoint, this identity first, while the connection stays. */
    void (*seek)(wsf_carrier *carrier, uint32_t connection, uint32_t identity);

    /* Asks whether a process takes connections at an endpoint with an address. The handler is told with the
     * node's id: a connection, or a refusal; nothing where there is no answer. One question for each node. */
    void (*probe)(wsf_carrier *carrier, uint64_t node, const char *endpoint);

    /* Sends a frame, keeping a reference until it has left. Never blocks; a frame that nobody is
     * subscribed to is dropped. */
    void (*send)(wsf_carrier *carrier, wsf_buffer *frame);

    /* When there is something to do even if nothing comes, in ms of the monotonic clock; 0: now; UINT64_MAX:
     * never. Asked before each wait. */
    uint64_t (*deadline)(wsf_carrier *carrier);

    /* A descriptor that is readable while there may be something to receive. The same for life. [any] */
    int (*fd)(const wsf_carrier *carrier);

    /* Reads what is there, up to `share` frames of each connection, in turns where the handler stops before
     * that. The handler may connect and disconnect. */
    void (*receive)(wsf_carrier *carrier, uint32_t share, const wsf_carrier_handler *handler);

    /* Replaces the allowed keys; our own key is the same. A connection with a key that is no longer allowed is
     * hung up and dialled again. A peer with such a key makes no new subscriptions, but keeps those it has, so
     * the caller must not send to that peer. */
    void (*set_keys)(wsf_carrier *carrier, const wsf_keys *keys);

    /* Fills what the carrier counts. [any] */
    void (*count)(const wsf_carrier *carrier, wsfan_stats *stats);

    /* Closes, after what was sent has left, or after linger_ms. */
    void (*close)(wsf_carrier *carrier, int linger_ms);
} wsf_carrier_calls;

/* The first member of each carrier. */
struct wsf_carrier {
    const wsf_carrier_calls *calls;
};

#endif
