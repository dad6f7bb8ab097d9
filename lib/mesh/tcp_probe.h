/* Connections that are tried only to see what is at an address: whether it accepts or refuses them, and with a greeting
 * also whether a node is there. Under the lock of the mesh. */
#ifndef WSF_MESH_TCP_PROBE_H
#define WSF_MESH_TCP_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WSF_TCP_PROBES_MAX = 64, WSF_GREETING_SIZE = 64 };

typedef enum {
    WSF_TCP_NONE,     /* no answer, or an error that says nothing */
    WSF_TCP_REFUSED,  /* nobody listens */
    WSF_TCP_ACCEPTED, /* without a greeting: more is not known */

    /* With a greeting: */
    WSF_TCP_MUTE,    /* accepted, but nothing came */
    WSF_TCP_FOREIGN, /* what came is no greeting of ZMTP 3 (ZeroMQ RFC 23) */
    WSF_TCP_PLAIN,   /* a greeting of a node without a key */
    WSF_TCP_KEYED    /* a greeting of a node with a key */
} wsf_tcp_outcome;

typedef struct {
    uint64_t number; /* of the node or connection that it is for; 0: free */
    int fd;
    bool connected; /* the greeting is exchanged */
    bool rest_sent; /* all of ours has been sent */
    bool ready;     /* the outcome is known */
    wsf_tcp_outcome outcome;
    size_t sent; /* bytes of the greeting */
    size_t received_size;
    uint64_t connected_ms;
    uint64_t until_ms;
    uint8_t received[WSF_GREETING_SIZE];
} wsf_tcp_probe;

typedef struct {
    int watch_fd;          /* an epoll instance */
    uint32_t watch_number; /* of list[0] in epoll; the others follow */
    uint32_t answer_ms;    /* time for an answer; 0: 1000 */
    bool greets;           /* exchanges greetings, */
    bool keyed;            /* as a node with a key does */
    uint32_t count;        /* of the list, in use */
    wsf_tcp_probe list[WSF_TCP_PROBES_MAX];
} wsf_tcp_probes;

/* Begins a probe of an endpoint with an address; not if there is one with this number, or if that is not
 * possible. */
void wsf_tcp_probes_begin(wsf_tcp_probes *probes, uint64_t number, const char *endpoint,
                          uint64_t ms);

void wsf_tcp_probes_cancel(wsf_tcp_probes *probes, uint64_t number); /* if there is one */

/* The descriptor is ready. i: of the probe in the list. */
void wsf_tcp_probes_note(wsf_tcp_probes *probes, uint32_t i, uint64_t ms);

/* Tells each outcome once. */
void wsf_tcp_probes_tell(wsf_tcp_probes *probes, uint64_t ms,
                         void (*answered)(void *user, uint64_t number, wsf_tcp_outcome outcome),
                         void *user);

uint64_t wsf_tcp_probes_deadline(const wsf_tcp_probes *probes); /* 0: now; UINT64_MAX: never */
void wsf_tcp_probes_end(wsf_tcp_probes *probes);

#endif
