/* Connections that are asked for only to see whether they are taken or refused. Under the lock of the mesh. */
#ifndef WSF_KNOCK_H
#define WSF_KNOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { WSF_KNOCKS_MAX = 64 };

typedef struct {
    uint64_t node; /* 0: free */
    int fd;
    bool ready; /* there is an answer, or may be */
    int error;  /* what it is, when ready; 0: a connection */
    uint64_t until_ms;
} wsf_knock;

typedef struct {
    int watch_fd;          /* an epoll instance */
    uint32_t watch_number; /* of the first; the others follow */
    wsf_knock list[WSF_KNOCKS_MAX];
} wsf_knocks;

/* Asks at an endpoint with an address. Where it cannot be asked, or the node is being asked, it is as
 * though nobody answered. */
void wsf_knocks_begin(wsf_knocks *knocks, uint64_t node, const char *endpoint, uint64_t ms);

void wsf_knocks_note(wsf_knocks *knocks, uint32_t number); /* the descriptor is ready */

/* Tells what has been answered, once. */
void wsf_knocks_tell(wsf_knocks *knocks, uint64_t ms,
                     void (*answered)(void *user, uint64_t node, bool refused), void *user);

uint64_t wsf_knocks_deadline(const wsf_knocks *knocks); /* 0: now; UINT64_MAX: never */
void wsf_knocks_end(wsf_knocks *knocks);

#endif
