/* What an endpoint may look like, wherever it comes from. */
#ifndef WSF_ENDPOINT_H
#define WSF_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

enum { WSF_ENDPOINT_SIZE_MAX = 128 };

/* Whether text is "tcp://HOST:PORT" or "ipc://PATH", PATH printable UTF-8. wildcard: HOST and PORT may
 * be "*". */
bool wsf_endpoint_valid(const char *text, size_t size, bool wildcard);

/* Whether a valid one is on this machine alone: loopback, or ipc. */
bool wsf_endpoint_is_local(const char *text);

/* Writes a valid one as ZeroMQ binds it, which takes no names but those of interfaces: "localhost"
 * becomes 127.0.0.1. */
void wsf_endpoint_to_bind(const char *text, char bound[WSF_ENDPOINT_SIZE_MAX + 1]);

/* Whether text is "dns://HOST:PORT", to be resolved. HOST is a name or an IPv4 address. */
bool wsf_endpoint_valid_dns(const char *text, size_t size);

/* The parts of a valid one. */
void wsf_endpoint_split_dns(const char *text, char host[WSF_ENDPOINT_SIZE_MAX + 1], unsigned *port);

#endif
