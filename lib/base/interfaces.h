/* Which of this machine's addresses others can use. */
#ifndef WSF_BASE_INTERFACES_H
#define WSF_BASE_INTERFACES_H

#include <stdbool.h>

enum { WSF_INTERFACE_HOST_SIZE = 48 }; /* of an address, as the host of an endpoint, with its NUL */

/* Whether this machine has an interface of this name. */
bool wsf_interfaces_has(const char *name);

/* Writes an address of an interface (NULL: of any that is not loopback) that others can use: the oldest of
 * IPv4, or else of IPv6 where ip6_too, in brackets. Of a machine that has loopback alone it is 127.0.0.1:
 * then all who can reach it are there. False: there is none. */
bool wsf_interfaces_address(const char *name, bool ip6_too, char host[WSF_INTERFACE_HOST_SIZE]);

#endif
