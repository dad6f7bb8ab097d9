/* What an endpoint may look like, wherever it comes from. */
#ifndef WSF_BASE_ENDPOINT_H
#define WSF_BASE_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

enum { WSF_ENDPOINT_SIZE_MAX = 128 };

/* Whether text is "tcp://HOST:PORT" or "ipc://PATH", PATH printable UTF-8. wildcard: HOST and PORT may be
 * "*", as in an endpoint to bind. */
bool wsf_endpoint_valid(const char *text, size_t size, bool wildcard);

/* Whether a valid endpoint is reachable from this machine only: loopback, or ipc. */
bool wsf_endpoint_is_local(const char *text);

/* Writes a valid endpoint as zmq_bind() takes it: zmq_bind() knows names of interfaces but not of hosts, so
 * "localhost" becomes 127.0.0.1. */
void wsf_endpoint_to_bind(const char *text, char bound[WSF_ENDPOINT_SIZE_MAX + 1]);

/* Whether the host of a valid endpoint is neither an address nor "*"; writes the host. */
bool wsf_endpoint_names_host(const char *text, char host[WSF_ENDPOINT_SIZE_MAX + 1]);

/* Whether text is an endpoint that the host may name for dialling: "tcp://HOST:PORT", the same as
 * "dns://HOST:PORT", or "ipc://PATH". *resolve: HOST is a name, or was written with dns://. Discovery
 * resolves it; ZeroMQ would do so in its only I/O thread. */
bool wsf_endpoint_to_dial(const char *text, size_t size, bool *resolve);

/* Whether text is "SCHEME:NAME", an endpoint of a carrier of the host: SCHEME begins with one of a-z, then also 0-9, at
 * most 15; NAME is of A-Z, a-z, 0-9, "_" and "-", at most 100. */
bool wsf_endpoint_is_carried(const char *text, size_t size);

/* Whether text may be told to peers, and accepted from them: "SCHEME:NAME", "ipc://PATH", or "tcp://ADDRESS:PORT" with
 * an address that can be dialled. Names and zones mean something else on another machine; unspecified and
 * multicast addresses are those of no node. */
bool wsf_endpoint_to_tell(const char *text, size_t size);

/* Splits a valid tcp endpoint into its host, without brackets, and its port. */
void wsf_endpoint_split(const char *text, char host[WSF_ENDPOINT_SIZE_MAX + 1], unsigned *port);

#endif
