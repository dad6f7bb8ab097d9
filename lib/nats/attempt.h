/* One attempt to connect, which ends in time whatever libnats does, and how long to wait for the next one. */
#ifndef WSF_NATS_ATTEMPT_H
#define WSF_NATS_ATTEMPT_H

#include <nats/nats.h>
#include <stdint.h>
#include <wsfan/nats.h>

enum { WSF_NATS_DETAIL_SIZE = 256 };

/* What libnats does not return of an attempt: this one was given up, and the memory and the descriptor that it had are not
 * given back. */
#define WSF_NATS_HUNG NATS_STALE_CONNECTION

/* natsConnection_Connect(), on a thread of its own, to one of the servers, which list the connection by this name. detail:
 * libnats' words about an error. */
natsStatus wsf_nats_attempt(natsConnection **nats, const wsfan_nats_options *options,
                            const char *name, char detail[WSF_NATS_DETAIL_SIZE]);

/* How many attempts in a row there were, and how many of these were given up. */
typedef struct {
    uint32_t count;
    uint32_t hung;
} wsf_nats_attempts;

/* Counts one; NATS_OK: the next one is the first. */
void wsf_nats_attempts_count(wsf_nats_attempts *attempts, natsStatus s);

/* How long to wait before the next one: not as long as everybody else whom a server has left. */
uint64_t wsf_nats_retry_ms(const wsf_nats_attempts *attempts, unsigned *random);

#endif
