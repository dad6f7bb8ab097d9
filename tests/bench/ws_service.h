/* What WebSocket clients talk to: replicas of echo-chat, or of Socket.IO with Redis between them (socket_io). */
#ifndef WS_SERVICE_H
#define WS_SERVICE_H

#include "bench.h"
#include "ws_client.h"

struct ws_service_kind;

struct ws_replica {
    pid_t pid;
    int port;
    char mesh[128];
};

struct ws_service {
    const struct ws_service_kind *kind;
    struct ws_replica replicas[REPLICAS_MAX];
    unsigned replicas_count;
    pid_t redis; /* 0: none */
};

void ws_service_open(struct ws_service *service, const struct settings *settings, unsigned replicas,
                     bool socket_io);
void ws_service_close(struct ws_service *service);
/* The CPU time of all replicas, and of Redis. */
double ws_service_cpu_s(const struct ws_service *service);

/* Connects a client of a chat to a replica. */
void ws_service_enter(const struct ws_service *service, struct ws_client *client, unsigned replica,
                      unsigned chat, unsigned user);
/* Sends a text, which all clients of the chat get as the member "text" of a JSON object, with a "type" of "message".
 * The text needs no escapes. */
void ws_service_say(const struct ws_service *service, struct ws_client *client, const char *text,
                    size_t size);

#endif
