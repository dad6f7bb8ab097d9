/* What all sockets of the mesh have in common. */
#ifndef WSF_MESH_ZMQ_H
#define WSF_MESH_ZMQ_H

#include <stdbool.h>
#include <stdint.h>

void wsf_zmq_set_int(void *socket, int option, int value);
void wsf_zmq_set_common(void *socket, int64_t size_max, const char *endpoint);

/* Watches the descriptor of a socket. It becomes readable when the socket has something new, but only until
 * ZeroMQ is called with the socket; so the reader reads until nothing is left. False: no memory. */
bool wsf_zmq_watch(int watch_fd, void *socket, uint32_t number);
void wsf_zmq_close(int watch_fd, void *socket);
bool wsf_zmq_readable(void *socket); /* there is something to read, old or new */
int wsf_zmq_descriptor(void *socket);

#endif
