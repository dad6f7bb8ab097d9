/* What an endpoint may look like, wherever it comes from. */
#ifndef WSF_ENDPOINT_H
#define WSF_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

enum { WSF_ENDPOINT_SIZE_MAX = 128 };

/* Whether text is "tcp://HOST:PORT" or "ipc://PATH". wildcard: HOST and PORT may be "*". */
bool wsf_endpoint_valid(const char *text, size_t size, bool wildcard);

#endif
