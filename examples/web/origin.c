/* origin.c - the host names and origins that are this server's own.
 *
 * An origin is SCHEME://HOST[:PORT] (RFC 6454), a Host header HOST[:PORT] (RFC 9110, section 7.2). Both
 * leave out the port that is usual for the scheme. */
#include "web.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_BYTES_MAX = 512 };

/* A host and a port, in the text that they were read from. */
struct authority {
    const char *host; /* an IPv6 address with its brackets */
    size_t size;
    unsigned port;
};

static bool read_authority(const char *text, unsigned usual_port, struct authority *authority) {
    size_t size = *text == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":");
    authority->host = text;
    authority->size = size;
    authority->port = usual_port;
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || strchr("/?#@,*\\\"<>", *c) != NULL)
            return false;
    if (size == 0 || size > strlen(text))
        return false;
    if (text[size] == '\0')
        return true;
    size_t digits = strspn(text + size + 1, "0123456789");
    authority->port = (unsigned)strtoul(text + size + 1, NULL, 10);
    return text[size] == ':' && digits >= 1 && digits <= 5 && text[size + 1 + digits] == '\0' &&
           authority->port <= 65535;
}

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

static unsigned usual_port(const char *origin) {
    return strncasecmp(origin, "http://", 7) == 0    ? HTTP_PORT
           : strncasecmp(origin, "https://", 8) == 0 ? HTTPS_PORT
                                                     : 0;
}

static bool read_origin(const char *origin, struct authority *authority) {
    unsigned port = usual_port(origin);
    return port != 0 && read_authority(strstr(origin, "://") + 3, port, authority);
}

static bool same_host(const struct authority *one, const char *host, size_t size) {
    return one->size == size && strncasecmp(one->host, host, size) == 0;
}

static bool same_origin(const char *one, const char *other) {
    struct authority a, b;
    return read_origin(one, &a) && read_origin(other, &b) && usual_port(one) == usual_port(other) &&
           a.port == b.port && same_host(&a, b.host, b.size);
}

bool web_is_origin(const char *text) {
    struct authority authority;
    return strcmp(text, "*") == 0 || read_origin(text, &authority);
}

/* false: it is missing, or longer than any that is ours. */
static bool copy(struct slice value, char text[NAME_BYTES_MAX]) {
    if (value.size == 0 || value.size >= NAME_BYTES_MAX)
        return false;
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    return true;
}

static bool copy_origin(const struct web_request *request, char text[NAME_BYTES_MAX]) {
    struct slice value;
    return web_field(request, "origin", &value) && copy(value, text);
}

/* --------------------------------------------------------------------------------------- host */

static bool is_address(const struct authority *host) {
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];
    bool ipv6 = host->host[0] == '[';
    size_t size = host->size - (ipv6 ? 2 : 0);
    if (size >= sizeof text)
        return false;
    memcpy(text, host->host + (ipv6 ? 1 : 0), size);
    text[size] = '\0';
    return inet_pton(ipv6 ? AF_INET6 : AF_INET, text, address) == 1;
}

/* Names that no name server answers for (RFC 6761, section 6.3). */
static bool is_localhost(const struct authority *host) {
    static const char suffix[] = ".localhost";
    size_t size = sizeof suffix - 1;
    return same_host(host, suffix + 1, size - 1) ||
           (host->size > size && strncasecmp(host->host + host->size - size, suffix, size) == 0);
}

static bool is_named(const struct web_names *names, const struct authority *host) {
    struct authority own;
    for (unsigned i = 0; i < names->hosts_count; i++)
        if (same_host(host, names->hosts[i], strlen(names->hosts[i])))
            return true;
    for (unsigned i = 0; i < names->origins_count; i++)
        if (strcmp(names->origins[i], "*") == 0 ||
            (read_origin(names->origins[i], &own) && same_host(host, own.host, own.size)))
            return true;
    return names->public_address != NULL && read_origin(names->public_address, &own) &&
           same_host(host, own.host, own.size);
}

bool web_own_host(const struct web_names *names, const struct web_request *request) {
    char text[NAME_BYTES_MAX];
    struct authority host;
    if (names->any_host || request->head.host.size == 0)
        return true; /* without a Host it is no browser */
    return copy(request->head.host, text) && read_authority(text, 0, &host) &&
           (is_address(&host) || is_localhost(&host) || is_named(names, &host));
}

/* ------------------------------------------------------------------------------------- origin */

bool web_own_page(const struct web_names *names, const struct web_request *request) {
    char origin[NAME_BYTES_MAX], text[NAME_BYTES_MAX];
    struct authority page, host;
    if (head_count(&request->head, "origin") == 0)
        return true;
    return copy_origin(request, origin) && copy(request->head.host, text) &&
           read_origin(origin, &page) && read_authority(text, usual_port(origin), &host) &&
           (!request->secure || usual_port(origin) == HTTPS_PORT) && page.port == host.port &&
           same_host(&page, host.host, host.size) && web_own_host(names, request);
}

/* A browser names the page that a script is from. Without a list it must be our own, so that another
 * page cannot use what a user may do here; programs that are no browsers name none. */
bool web_allowed_page(const struct web_names *names, const struct web_request *request) {
    char origin[NAME_BYTES_MAX];
    if (names->origins_count == 0 || head_count(&request->head, "origin") == 0)
        return web_own_page(names, request);
    if (!copy_origin(request, origin))
        return false;
    for (unsigned i = 0; i < names->origins_count; i++)
        if (strcmp(names->origins[i], "*") == 0 || same_origin(names->origins[i], origin))
            return true;
    return false;
}
