/* Hosts in network namespaces of their own on a bridge, made in the namespace of the caller, whose end
 * ends all of it. Each has two addresses. Needs ip and nft. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>

enum { NETWORK_HOSTS_MAX = 8, NETWORK_ADDRESSES = 2, NETWORK_ENDPOINT_SIZE = 40 };

/* Says why on standard error and returns false when it cannot. */
bool network_make(unsigned hosts);

/* "tcp://...", of a host's first or second address. */
void network_endpoint(unsigned host, unsigned address, char out[NETWORK_ENDPOINT_SIZE]);

/* The calling process moves to that host. */
bool network_enter(unsigned host);

/* What `from` sends does not reach `to`: packets vanish, nobody is told. As often as it was cut it
 * has to be restored. */
void network_cut(unsigned from, unsigned to, bool cut);

/* The cable between a host and the bridge. */
void network_plug(unsigned host, bool plugged);

#endif
