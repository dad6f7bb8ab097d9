/* Connections that are tried only to see whether they are accepted or refused. Under the lock of the mesh. */
#ifndef WSF_MESH_TCP_PROBE_H
#define WSF_MESH_TCP_PROBE_H

#include <stdbool.h>
#include <stdint.h>

enum { WSF_TCP_PROBES_MAX = 64 };

typedef struct {
    uint64_t node; /* 0: free */
    int fd;
    bool ready; /* connect() has ended */
    int error;  /* of connect(), when ready; 0: connected */
    uint64_t until_ms;
} wsf_tcp_probe;

typedef struct {
    int watch_fd;          /* an epoll instance */
    uint32_t watch_number; /* of list[0] in epoll; the others follow */
    wsf_tcp_probe list[WSF_TCP_PROBES_MAX];
} wsf_tcp_probes;

/* Begins a probe of an endpoint with an address; not if the node is being probed, or if that is not
 * possible. */
void wsf_tcp_probes_begin(wsf_tcp_probes *probes, uint64_t node, const char *endpoint, uint64_t ms);

void wsf_tcp_probes_note(wsf_tcp_probes *probes, uint32_t number); /* the descriptor is ready */

/* Tells each answer once. */
void wsf_tcp_probes_tell(wsf_tcp_probes *probes, uint64_t ms,
                         void (*answered)(void *user, uint64_t node, bool refused), void *user);

uint64_t wsf_tcp_probes_deadline(const wsf_tcp_probes *probes); /* 0: now; UINT64_MAX: never */
void wsf_tcp_probes_end(wsf_tcp_probes *probes);

#endif
