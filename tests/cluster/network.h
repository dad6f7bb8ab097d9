/* Hosts in network namespaces of their own, joined by the switch; the port of a host is its number. The
 * calling process gets a network namespace and a mount namespace too, and with its end all of it ends.
 * Each host has two addresses, and asks a name server of the network. Needs ip, and dnsmasq for names. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    NETWORK_HOSTS_MAX = 13,
    NETWORK_ADDRESSES = 2,
    NETWORK_NAME_SERVER = NETWORK_HOSTS_MAX, /* its port */
    NETWORK_ENDPOINT_SIZE = 40,
    NETWORK_PORT = 7000,
    NETWORK_SKIPPED = 77
};

/* Returns an exit status: 0; NETWORK_SKIPPED where namespaces or TUN devices are not permitted. Says why
 * on standard error when it is not 0. The switch runs afterwards. */
int network_make(unsigned hosts, uint64_t seed);

uint32_t network_address(unsigned host, unsigned address); /* its first or second */
void network_endpoint(unsigned host, unsigned address, char out[NETWORK_ENDPOINT_SIZE]);

/* An endpoint behind which servers stand: each connection leads to another one. */
void network_service(char out[NETWORK_ENDPOINT_SIZE]);
void network_set_servers(const uint32_t *addresses, unsigned count);

/* The first or second address of the name server, where the calling process is, too. */
void network_name_server(unsigned address, char out[NETWORK_ENDPOINT_SIZE]);

/* The calling process moves to that host. */
bool network_enter(unsigned host);

/* The cable of a host: it sees that it is unplugged. */
void network_plug(unsigned host, bool plugged);

/* What the name server knows, in the form of /etc/hosts. The first call starts it. */
void network_set_names(const char *hosts);

#endif
