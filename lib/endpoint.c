/* Endpoints come from options and from peers: nothing else may reach the socket layer. */
#include "endpoint.h"

#include <string.h>

/* Names, IPv4 and bracketed IPv6 addresses with an optional zone. */
static bool host_valid(const char *host, size_t size, bool wildcard) {
    if (size == 1 && host[0] == '*')
        return wildcard;
    bool bracketed = size > 2 && host[0] == '[' && host[size - 1] == ']';
    if (bracketed) {
        host++;
        size -= 2;
    }
    const char *allowed = bracketed ? "0123456789abcdefABCDEF:.%"
                                      "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ"
                                    : "0123456789abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_";
    for (size_t i = 0; i < size; i++)
        if (host[i] == '\0' || strchr(allowed, host[i]) == NULL)
            return false;
    return size > 0;
}

static bool port_valid(const char *port, size_t size, bool wildcard) {
    if (size == 1 && port[0] == '*')
        return wildcard;
    unsigned number = 0;
    for (size_t i = 0; i < size; i++) {
        if (port[i] < '0' || port[i] > '9')
            return false;
        number = number * 10 + (unsigned)(port[i] - '0');
        if (number > 65535)
            return false;
    }
    return size > 0 && number > 0;
}

bool wsf_endpoint_valid(const char *text, size_t size, bool wildcard) {
    enum { SCHEME_SIZE = 6 };
    if (size <= SCHEME_SIZE || size > WSF_ENDPOINT_SIZE_MAX)
        return false;
    if (memcmp(text, "ipc://", SCHEME_SIZE) == 0)
        return memchr(text, '\0', size) == NULL;
    if (memcmp(text, "tcp://", SCHEME_SIZE) != 0)
        return false;
    const char *host = text + SCHEME_SIZE;
    const char *colon = text + size - 1;
    while (colon > host && *colon != ':')
        colon--;
    return colon > host && host_valid(host, (size_t)(colon - host), wildcard) &&
           port_valid(colon + 1, (size_t)(text + size - colon - 1), wildcard);
}
