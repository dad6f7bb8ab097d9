/* One connection to a server of NATS, from its begin to its end. Of one thread, but for where messages go. */
#ifndef WSF_NATS_CONNECTION_H
#define WSF_NATS_CONNECTION_H

#include <nats/nats.h>
#include <stdint.h>
#include <wsfan/nats.h>

#include "attempt.h"

enum {
    /* Prefix and cluster, in hex if need be, with a dot behind each. */
    WSF_NATS_PREFIX_SIZE = 64 + 1 + 2 * 32 + 3,
    WSF_NATS_SUBJECT_SIZE = WSF_NATS_PREFIX_SIZE + 2 * (WSFAN_CARRIED_NAME_MAX + 1) + 2
};

typedef struct wsf_nats_ear wsf_nats_ear;

/* Begins as {0}. */
typedef struct {
    natsConnection *nats; /* NULL: none */
    natsSubscription *inbox;
    natsSubscription *hello;
    wsf_nats_ear *ear;
    char detail[WSF_NATS_DETAIL_SIZE]; /* of the attempt to connect */
} wsf_nats_connection;

/* The receiver of messages, called on threads of libnats. */
typedef struct {
    void *user;
    void (*message)(void *user, natsMsg *message); /* takes it over */
} wsf_nats_hearer;

/* Connects to one of the servers. On an error there may be a connection, which tells why. WSF_NATS_HUNG: see attempt.h. */
natsStatus wsf_nats_connect(wsf_nats_connection *connection, const wsfan_nats_options *options,
                            const wsfan_carrier_mesh *mesh);

/* Subscribes to what is for this node, and waits until the server has answered, for ms_max at most. */
natsStatus wsf_nats_listen(wsf_nats_connection *connection, const char *prefix, const char *name,
                           wsf_nats_hearer hearer, uint32_t ms_max);

/* Whether the connection stands, and the server permits what it is asked. */
natsStatus wsf_nats_look(const wsf_nats_connection *connection);

/* Ends it: nobody is told of a message any more. Returns how many libnats has dropped. */
uint64_t wsf_nats_disconnect(wsf_nats_connection *connection);

/* The URL of its server, without a user and a password. */
void wsf_nats_copy_server(char server[WSFAN_NATS_SERVER_SIZE], const char *url);
void wsf_nats_server(const wsf_nats_connection *connection, char server[WSFAN_NATS_SERVER_SIZE]);

/* The words of libnats or the server about the last error; "": none. Valid until the next call of libnats. */
const char *wsf_nats_detail(const wsf_nats_connection *connection);

#endif
