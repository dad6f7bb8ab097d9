/* One address for several servers, as a cluster IP of Kubernetes or a balancer of layer 4 is one: both
 * addresses and the client's port are translated, so that a server may be its own client. */
#ifndef BALANCER_H
#define BALANCER_H

#include "packet.h"

enum { BALANCER_SERVERS_MAX = 16, BALANCER_FLOWS_MAX = 4096 };

typedef struct {
    packet_end client;
    packet_end service; /* as the client names it */
    uint32_t server;
} balancer_flow;

typedef struct {
    uint32_t address;
    uint32_t servers[BALANCER_SERVERS_MAX];
    unsigned servers_count;
    unsigned next_server;
    balancer_flow flows[BALANCER_FLOWS_MAX]; /* the oldest goes; its place is its port */
    unsigned next_flow;
} balancer;

/* Translates a valid packet that is for the balancer's address. False: for no connection and no server,
 * drop it. */
bool balancer_translate(balancer *b, uint8_t *packet, size_t size);

#endif
