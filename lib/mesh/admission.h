/* The connections that others make to our port: how many there may be, and what they may send. */
#ifndef WSF_MESH_ADMISSION_H
#define WSF_MESH_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>
#include <wsfan/diagnosis.h>

typedef struct wsf_admission wsf_admission;

/* For a socket that is not bound yet. WSFAN_ESYSTEM, WSFAN_ENOMEM. */
int wsf_admission_open(wsf_admission **admission, void *context, void *socket);

/* The socket is bound to this port: begins to watch who connects, in a thread of its own. keyed: this node has a
 * key. wake_fd: an eventfd that is written when wsf_admission_take() has something. WSFAN_ESYSTEM. */
int wsf_admission_watch(wsf_admission *admission, uint16_t port, bool keyed, int wake_fd);
void wsf_admission_close(
    wsf_admission *admission); /* before the socket is closed; NULL is allowed */

typedef enum {
    WSF_ADMISSION_COUNTS,
    WSF_ADMISSION_LATE,   /* the connection has ended already */
    WSF_ADMISSION_OFFENDS /* not in order, or one too many; the connection is ended */
} wsf_admission_verdict;

/* How many connections were ended. [any] */
uint64_t wsf_admission_ended(const wsf_admission *admission);

/* How many handshakes failed for a key, see wsfan_stats. [any] */
uint64_t wsf_admission_refused(const wsf_admission *admission);

/* Takes the oldest of those that were turned away: the address, "" where it had gone before it could be asked, and
 * why. False: there is none. */
bool wsf_admission_take(wsf_admission *admission, char address[WSFAN_CALLER_ADDRESS_SIZE],
                        wsfan_endpoint_state *cause);

/* A subscription came by the connection with this descriptor (of ZeroMQ), of a node with this identity (0:
 * there are no keys). in_order: a peer may make this subscription. */
wsf_admission_verdict wsf_admission_judge(wsf_admission *admission, int descriptor,
                                          uint32_t identity, bool in_order);

#endif
