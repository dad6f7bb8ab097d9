/* The connections that others make to our port: how many there may be, and what they may send. */
#ifndef WSF_DOOR_H
#define WSF_DOOR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct wsf_door wsf_door;

/* For a socket that is not bound yet. WSFAN_ESYSTEM, WSFAN_ENOMEM. */
int wsf_door_open(wsf_door **door, void *context, void *socket);

/* The socket is bound to this port: begins to watch who connects, in a thread of its own.
 * WSFAN_ESYSTEM. */
int wsf_door_watch(wsf_door *door, uint16_t port);
void wsf_door_close(wsf_door *door); /* before the socket is closed; NULL is allowed */

typedef enum {
    WSF_DOOR_COUNTS,
    WSF_DOOR_LATE,   /* its connection has ended */
    WSF_DOOR_OFFENDS /* it is not in order, or there are too many; its connection ends */
} wsf_door_verdict;

/* How many connections were ended. [any] */
uint64_t wsf_door_ended(const wsf_door *door);

/* A subscription came by the connection with this descriptor (of ZeroMQ), of a node with this identity
 * (0: there are no keys). in_order: whether a peer may subscribe to that. */
wsf_door_verdict wsf_door_judge(wsf_door *door, int descriptor, uint32_t identity, bool in_order);

#endif
