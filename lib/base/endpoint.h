/* What an endpoint may look like, wherever it comes from. */
#ifndef WSF_BASE_ENDPOINT_H
#define WSF_BASE_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

enum { WSF_ENDPOINT_SIZE_MAX = 128 };

/* Whether text is "tcp://HOST:PORT" or "ipc://PATH", PATH printable UTF-8. wildcard: HOST and PORT may
 * be "*", as for what is bound. */
bool wsf_endpoint_valid(const char *text, size_t size, bool wildcard);

/* Whether a valid one is on this machine alone: loopback, or ipc. */
bool wsf_endpoint_is_local(const char *text);

/* Writes a valid one as ZeroMQ binds it, which takes no names but those of interfaces: "localhost"
 * becomes 127.0.0.1. */
void wsf_endpoint_to_bind(const char *text, char bound[WSF_ENDPOINT_SIZE_MAX + 1]);

/* Whether a valid one has a host that is neither an address nor "*", and which. */
bool wsf_endpoint_names_host(const char *text, char host[WSF_ENDPOINT_SIZE_MAX + 1]);

/* Whether text may be among the endpoints that the host names, which are dialled: "tcp://HOST:PORT", the
 * same as "dns://HOST:PORT", or "ipc://PATH". resolve: HOST is a name (or was written as one, with dns://):
 * it goes to DNS and not to ZeroMQ, which would look it up in its only I/O thread. */
bool wsf_endpoint_to_dial(const char *text, size_t size, bool *resolve);

/* Whether text may be told to peers, and taken from them: "ipc://PATH", or "tcp://ADDRESS:PORT" with an
 * address that somebody can be called at: neither a name nor a zone, which mean something else to everybody,
 * nor all addresses, nor many. */
bool wsf_endpoint_to_tell(const char *text, size_t size);

/* The parts of one that is to be resolved. */
void wsf_endpoint_split(const char *text, char host[WSF_ENDPOINT_SIZE_MAX + 1], unsigned *port);

#endif
