/* One attempt to connect, which ends in time whatever libnats does. */
#ifndef WSF_NATS_ATTEMPT_H
#define WSF_NATS_ATTEMPT_H

#include <nats/nats.h>
#include <stdint.h>

enum { WSF_NATS_DETAIL_SIZE = 256 };

/* What libnats does not return of an attempt: this one was given up, and the memory and the descriptor that it had are not
 * given back. */
#define WSF_NATS_HUNG NATS_STALE_CONNECTION

/* natsConnection_Connect(), on a thread of its own. ms_max: after so long libnats has nothing to read any more.
 * detail: its words about an error. */
natsStatus wsf_nats_attempt(natsConnection **nats, natsOptions *how, uint32_t ms_max,
                            char detail[WSF_NATS_DETAIL_SIZE]);

#endif
