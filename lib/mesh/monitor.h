/* What ZeroMQ tells of a socket that dials. Under the lock of the mesh. */
#ifndef WSF_MESH_MONITOR_H
#define WSF_MESH_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <wsfan/diagnosis.h>

typedef struct {
    void *socket; /* that is watched */
    void *reader; /* NULL: nothing is watched */
    bool greeted; /* the handshake of the present connection has ended */
} wsf_monitor;

typedef struct {
    bool reached;     /* a connection stood */
    uint32_t retries; /* attempts besides the first */
    /* DIALLING: nothing new; INTRODUCED; MUTE: the connection ended before the handshake did, for an unknown
     * reason; or another state that fails. */
    wsfan_endpoint_state found;
} wsf_monitor_news;

/* Before the socket is connected. serial: another one for each call. False: not now; the socket works without. */
bool wsf_monitor_open(wsf_monitor *monitor, void *context, void *socket, uint64_t serial,
                      int watch_fd, uint32_t watch_number);
void wsf_monitor_close(wsf_monitor *monitor, int watch_fd); /* before the socket; nothing twice */

/* Reads all that is there. keyed: this node has a key. */
wsf_monitor_news wsf_monitor_read(wsf_monitor *monitor, bool keyed);

#endif
