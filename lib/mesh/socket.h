/* ZeroMQ as the carrier of a mesh: one XPUB that peers subscribe to, one SUB for each connection. */
#ifndef WSF_MESH_SOCKET_H
#define WSF_MESH_SOCKET_H

#include "mesh/carrier.h"

/* Binds endpoint. frame_size_max: larger frames break their connection. keys: who may connect, and be
 * connected to; borrowed; NULL: everybody, in plain text. wake_fd: an eventfd that is written when there is
 * something to receive that the carrier's descriptor does not show. WSFAN_EENDPOINT, WSFAN_EADDRINUSE, WSFAN_EADDR,
 * WSFAN_ESYSTEM, WSFAN_ENOMEM. */
int wsf_sockets_open(wsf_carrier **carrier, const char *endpoint, uint64_t frame_size_max,
                     const wsf_keys *keys, int wake_fd);

#endif
