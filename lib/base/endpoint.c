/* Answers for which endpoints are valid. Endpoints come from options and from peers; what these checks refuse
 * must not reach the socket layer. */
#include "base/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* A host is a name, an IPv4 address, or an IPv6 address in brackets with an optional zone. */
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
    if (inet_aton(host, &address) != 0) /* short forms too, as the system: 127.1 */
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

/* The size of the zone of an IPv6 address, with its "%"; 0: it has none. */
static size_t zone_size(const char *host) {
    const char *zone = strrchr(host, '%');
    return zone != NULL ? strlen(zone) : 0;
}

/* Whether a host without its brackets is an address: no name for DNS to resolve. */
static bool is_address(const char *host, bool bracketed, bool zone_too) {
    char text[WSF_ENDPOINT_SIZE_MAX + 1];
    struct in_addr ip4;
    struct in6_addr ip6;
    if (!bracketed)
        return inet_pton(AF_INET, host, &ip4) == 1;
    size_t zone = zone_size(host);
    snprintf(text, sizeof text, "%.*s", (int)(strlen(host) - zone), host);
    return inet_pton(AF_INET6, text, &ip6) == 1 && (zone == 0 || (zone_too && zone > 1));
}

/* Whether a host can only be a mistyped IPv4 address: no name in DNS ends in a number (RFC 1123, 2.1). */
static bool ends_in_number(const char *host) {
    const char *last = strrchr(host, '.');
    last = last != NULL ? last + 1 : host;
    return *last != '\0' && strspn(last, "0123456789") == strlen(last);
}

static bool is_bracketed(const char *text) {
    return text[SCHEME_SIZE] == '[';
}

bool wsf_endpoint_names_host(const char *text, char host[WSF_ENDPOINT_SIZE_MAX + 1]) {
    if (strncmp(text, "tcp://", SCHEME_SIZE) != 0)
        return false;
    copy_host(text, host);
    return strcmp(host, "*") != 0 && !is_address(host, is_bracketed(text), true);
}

bool wsf_endpoint_to_dial(const char *text, size_t size, bool *resolve) {
    char host[WSF_ENDPOINT_SIZE_MAX + 1];
    char plain[WSF_ENDPOINT_SIZE_MAX + 1];
    *resolve = false;
    if (size > WSF_ENDPOINT_SIZE_MAX)
        return false;
    memcpy(plain, text, size);
    plain[size] = '\0';
    bool dns = strncmp(plain, "dns://", SCHEME_SIZE) == 0;
    if (dns)
        memcpy(plain, "tcp://", SCHEME_SIZE);
    if (!wsf_endpoint_valid(plain, size, false))
        return false;
    if (strncmp(plain, "ipc://", SCHEME_SIZE) == 0)
        return true;
    copy_host(plain, host);
    *resolve = dns || !is_address(host, is_bracketed(plain), true);
    return !*resolve ||
           (!is_bracketed(plain) && (!ends_in_number(host) || is_address(host, false, false)));
}

/* Whether host is an address that cannot be dialled: unspecified, multicast or reserved. */
static bool is_undialable(const char *host, bool ip6) {
    struct in_addr address;
    struct in6_addr address6;
    if (ip6)
        return inet_pton(AF_INET6, host, &address6) == 1 &&
               (IN6_IS_ADDR_UNSPECIFIED(&address6) || IN6_IS_ADDR_MULTICAST(&address6));
    return inet_pton(AF_INET, host, &address) == 1 &&
           (ntohl(address.s_addr) >> 24 == 0 || ntohl(address.s_addr) >> 28 >= 14);
}

bool wsf_endpoint_is_carried(const char *text, size_t size) {
    enum { CARRIED_SCHEME_MAX = 15, CARRIED_NAME_MAX = 100 };
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789"
                                  "_-ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *colon = memchr(text, ':', size);
    size_t scheme = colon != NULL ? (size_t)(colon - text) : 0;
    if (scheme == 0 || scheme > CARRIED_SCHEME_MAX || size - scheme - 1 == 0 ||
        size - scheme - 1 > CARRIED_NAME_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        const char *letter = text[i] != '\0' ? strchr(letters, text[i]) : NULL;
        if (i != scheme && (letter == NULL || (i < scheme && letter >= letters + 36)))
            return false;
    }
    return text[0] >= 'a';
}

bool wsf_endpoint_to_tell(const char *text, size_t size) {
    char plain[WSF_ENDPOINT_SIZE_MAX + 1];
    char host[WSF_ENDPOINT_SIZE_MAX + 1];
    if (!wsf_endpoint_valid(text, size, false))
        return wsf_endpoint_is_carried(text, size);
    memcpy(plain, text, size);
    plain[size] = '\0';
    if (strncmp(plain, "ipc://", SCHEME_SIZE) == 0)
        return true;
    copy_host(plain, host);
    bool ip6 = is_bracketed(plain);
    return is_address(host, ip6, false) && !is_undialable(host, ip6);
}

void wsf_endpoint_split(const char *text, char host[WSF_ENDPOINT_SIZE_MAX + 1], unsigned *port) {
    const char *begin = text + SCHEME_SIZE;
    copy_host(text, host);
    *port = (unsigned)strtoul(last_colon(begin, text + strlen(text)) + 1, NULL, 10);
}
