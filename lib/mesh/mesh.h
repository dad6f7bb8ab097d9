/* The mesh thread of a node: runs the core under a clock and real sockets. */
#ifndef WSF_MESH_MESH_H
#define WSF_MESH_MESH_H

#include <wsfan/carrier.h>

#include "core/core.h"
#include "mesh/keyring.h"
#include "mesh/types.h"

typedef struct {
    const wsfan_carrier *carrier; /* of the host; NULL: ZeroMQ */
    const char *endpoint;         /* NULL: no carrier */
    const char *advertise;        /* NULL: the endpoint as it is bound */
    const char *const *peers;     /* addresses, no names */
    size_t peers_count;
    uint64_t publish_queue_bytes_max;
    uint32_t publish_queue_count_max;
    uint32_t close_ms_max;
    wsf_keys *keys; /* NULL: plain text; else taken over by the mesh once it is open */
} wsf_mesh_config;

/* core->endpoint is set here. WSFAN_OK, or an error of sockets or threads. */
int wsf_mesh_open(wsf_mesh **mesh, const wsf_mesh_config *config, const wsf_core_config *core);

/* Blocks until everything is delivered and goodbye is said, bounded by close_ms_max and 200 ms. All
 * loops have been removed. */
void wsf_mesh_close(wsf_mesh *mesh);

const char *wsf_mesh_endpoint(const wsf_mesh *mesh); /* "" without a carrier */

/* [any] Never fails: every item is part of an object whose number is bounded. */
void wsf_mesh_post(wsf_mesh *mesh, wsf_item *item);

/* [loop] Whether this loop reads the sockets itself, which wakes one thread less; the loop's descriptor then shows
 * the sockets, too. wsf_mesh_read() does so, and puts what comes of it into inboxes; true: there may be more. A loop
 * that stops reading holds nobody up: the mesh thread looks after the sockets when they are not read. */
bool wsf_mesh_has_reader(wsf_mesh *mesh, unsigned loop);
bool wsf_mesh_read(wsf_mesh *mesh, wsf_inbox *inbox);

/* [any] Makes a message of its parts and queues it. receipt: taken over, also on error; NULL: none.
 * WSFAN_EAGAIN, WSFAN_ECLOSED: refused. WSFAN_ENOMEM. */
int wsf_mesh_publish(wsf_mesh *mesh, const wsf_message_parts *parts, wsf_receipt *receipt);

/* [any] Take the request or reply over, and free it on an error. WSFAN_EAGAIN, WSFAN_ECLOSED: refused. */
int wsf_mesh_ask(wsf_mesh *mesh, wsf_request *request);
int wsf_mesh_reply_to(wsf_mesh *mesh, wsf_mesh_reply *reply);

/* [any] Names the endpoints of one source, see wsf_core_name_endpoints(). Copied; a set that the mesh
 * thread has not taken yet is replaced. WSFAN_ENOMEM, or WSFAN_OK. */
int wsf_mesh_name_endpoints(wsf_mesh *mesh, unsigned source, const char *const *endpoints,
                            size_t count);

/* [any] See wsf_core_names_known(). Comes after the endpoints that the names led to. */
void wsf_mesh_names_known(wsf_mesh *mesh);

/* [any] See wsf_core_set_names(). Takes the list over; one that was not used yet is replaced. */
void wsf_mesh_set_names(wsf_mesh *mesh, wsf_name *names);

/* [any] Begins to drain; WSFAN_ENOMEM. */
int wsf_mesh_drain(wsf_mesh *mesh, uint32_t ms);
int wsf_mesh_ready(wsf_mesh *mesh);
wsf_view *wsf_mesh_view(wsf_mesh *mesh); /* a reference; NULL: no node is ready yet */
/* [any] Takes over the keys, which a newer set may replace before they are used. The mesh was opened with
 * keys, and the node's own key is the same. */
void wsf_mesh_set_keys(wsf_mesh *mesh, wsf_keys *keys);

/* [any] */
void wsf_mesh_stats(wsf_mesh *mesh, wsfan_stats *stats);
size_t wsf_mesh_peers(wsf_mesh *mesh, wsfan_peer_stats *peers, size_t capacity);
size_t wsf_mesh_endpoints(wsf_mesh *mesh, wsfan_endpoint *endpoints, size_t capacity);
size_t wsf_mesh_callers(wsf_mesh *mesh, wsfan_caller *callers, size_t capacity);
void wsf_mesh_state(wsf_mesh *mesh, wsfan_node_state *state);
void wsf_mesh_measure(wsf_mesh *mesh, wsf_core_metrics *metrics);
void wsf_mesh_count(wsf_mesh *mesh, uint64_t chat_hash, wsfan_count *count);
void wsf_mesh_visit(wsf_mesh *mesh, uint64_t chat_hash, uint64_t *cursor, uint32_t max,
                    void (*each)(void *user, const wsfan_member *member), void *user);

#endif
