/* Which of this machine's addresses peers can use. */
#ifndef WSF_BASE_INTERFACES_H
#define WSF_BASE_INTERFACES_H

#include <stdbool.h>

enum { WSF_INTERFACE_HOST_SIZE = 48 }; /* of an address, as the host of an endpoint, with its NUL */

/* Whether this machine has an interface of this name. */
bool wsf_interfaces_has(const char *name);

/* Writes the address of an interface (NULL: of any but loopback) that peers can use: the oldest of IPv4, or
 * else, with ip6_too, the oldest of IPv6, in brackets. On a machine with loopback alone it is 127.0.0.1,
 * because every possible peer is on this machine too. False: there is no such address. */
bool wsf_interfaces_address(const char *name, bool ip6_too, char host[WSF_INTERFACE_HOST_SIZE]);

#endif
