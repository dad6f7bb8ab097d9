/* The form in which an endpoint is bound, and whether it may be. */
#ifndef WSF_MESH_BIND_H
#define WSF_MESH_BIND_H

#include "base/endpoint.h"

/* Writes the endpoint for zmq_bind(), with an address in place of an interface. WSFAN_EADDR. */
int wsf_bind_write(const char *endpoint, char to_bind[WSF_ENDPOINT_SIZE_MAX + 1]);

/* Whether an ipc endpoint may be bound: nothing is at its path, or a socket without a listener. Two nodes
 * that start at the very same time may both be told yes. WSFAN_EADDR, WSFAN_EADDRINUSE, WSFAN_ESYSTEM. */
int wsf_bind_check_path(const char *endpoint);

/* The error code for the errno of zmq_bind(). */
int wsf_bind_error(int reason);

#endif
