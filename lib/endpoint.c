/* Endpoints come from options and from peers: nothing else may reach the socket layer. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"

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

enum { SCHEME_SIZE = 6 };

static const char *last_colon(const char *host, const char *end) {
    const char *colon = end - 1;
    while (colon > host && *colon != ':')
        colon--;
    return colon;
}

bool wsf_endpoint_valid(const char *text, size_t size, bool wildcard) {
    if (size <= SCHEME_SIZE || size > WSF_ENDPOINT_SIZE_MAX)
        return false;
    if (memcmp(text, "ipc://", SCHEME_SIZE) == 0)
        return wsf_text_is_printable(text, size);
    if (memcmp(text, "tcp://", SCHEME_SIZE) != 0)
        return false;
    const char *host = text + SCHEME_SIZE;
    const char *colon = last_colon(host, text + size);
    return colon > host && host_valid(host, (size_t)(colon - host), wildcard) &&
           port_valid(colon + 1, (size_t)(text + size - colon - 1), wildcard);
}

/* The host of a valid tcp endpoint, without its brackets. */
static void copy_host(const char *text, char host[WSF_ENDPOINT_SIZE_MAX + 1]) {
    const char *begin = text + SCHEME_SIZE;
    const char *end = last_colon(begin, text + strlen(text));
    if (*begin == '[') {
        begin++;
        end--;
    }
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
}

/* RFC 6761, section 6.3: this name is loopback, whatever a name server says. */
static bool is_localhost(const char *host) {
    return strcasecmp(host, "localhost") == 0;
}

static bool is_loopback4(struct in_addr address) {
    return ntohl(address.s_addr) >> 24 == 127;
}

static bool is_loopback6(const struct in6_addr *address) {
    struct in_addr mapped;
    memcpy(&mapped, &address->s6_addr[12], sizeof mapped);
    return IN6_IS_ADDR_LOOPBACK(address) || (IN6_IS_ADDR_V4MAPPED(address) && is_loopback4(mapped));
}

bool wsf_endpoint_is_local(const char *text) {
    char host[WSF_ENDPOINT_SIZE_MAX + 1];
    struct in_addr address;
    struct in6_addr address6;
    if (strncmp(text, "ipc://", SCHEME_SIZE) == 0)
        return true;
    copy_host(text, host);
    if (is_localhost(host) || strcmp(host, "lo") == 0)
        return true;
    if (inet_aton(host, &address) != 0) /* short forms too, which the system takes as well: 127.1 */
        return is_loopback4(address);
    return inet_pton(AF_INET6, host, &address6) == 1 && is_loopback6(&address6);
}

void wsf_endpoint_to_bind(const char *text, char bound[WSF_ENDPOINT_SIZE_MAX + 1]) {
    char host[WSF_ENDPOINT_SIZE_MAX + 1];
    bool localhost = false;
    if (strncmp(text, "tcp://", SCHEME_SIZE) == 0) {
        copy_host(text, host);
        localhost = is_localhost(host);
    }
    snprintf(bound, WSF_ENDPOINT_SIZE_MAX + 1, "%s%s", localhost ? "tcp://127.0.0.1" : "",
             localhost ? strrchr(text, ':') : text);
}

bool wsf_endpoint_valid_dns(const char *text, size_t size) {
    if (size <= SCHEME_SIZE || size > WSF_ENDPOINT_SIZE_MAX ||
        memcmp(text, "dns://", SCHEME_SIZE) != 0 || text[SCHEME_SIZE] == '[')
        return false;
    const char *host = text + SCHEME_SIZE;
    const char *colon = last_colon(host, text + size);
    return colon > host && host_valid(host, (size_t)(colon - host), false) &&
           port_valid(colon + 1, (size_t)(text + size - colon - 1), false);
}

void wsf_endpoint_split_dns(const char *text, char host[WSF_ENDPOINT_SIZE_MAX + 1],
                            unsigned *port) {
    const char *begin = text + SCHEME_SIZE;
    const char *colon = last_colon(begin, text + strlen(text));
    memcpy(host, begin, (size_t)(colon - begin));
    host[colon - begin] = '\0';
    *port = (unsigned)strtoul(colon + 1, NULL, 10);
}
