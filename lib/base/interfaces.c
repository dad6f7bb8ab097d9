/* Answers for the address that peers are told for an interface, or for all interfaces. */
#include "base/interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool wsf_interfaces_has(const char *name) {
    return strlen(name) < IF_NAMESIZE && if_nametoindex(name) != 0;
}

static bool write_host(const struct sockaddr *address, char host[WSF_INTERFACE_HOST_SIZE]) {
    char text[INET6_ADDRSTRLEN];
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *ip = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &ip->sin_addr, text, sizeof text);
        snprintf(host, WSF_INTERFACE_HOST_SIZE, "%s", text);
        return true;
    }
    const struct sockaddr_in6 *ip = (const struct sockaddr_in6 *)(const void *)address;
    if (IN6_IS_ADDR_LINKLOCAL(&ip->sin6_addr))
        return false; /* useless without a zone, which means something else on another machine */
    inet_ntop(AF_INET6, &ip->sin6_addr, text, sizeof text);
    snprintf(host, WSF_INTERFACE_HOST_SIZE, "[%s]", text);
    return true;
}

/* getifaddrs() lists the oldest IPv4 address of an interface first and the oldest IPv6 address last, after
 * the temporary ones (RFC 8981): the first IPv4 or the last IPv6 address is taken. */
static bool find(const struct ifaddrs *list, const char *name, sa_family_t family,
                 char host[WSF_INTERFACE_HOST_SIZE]) {
    const char *found = NULL;
    for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        bool meant = name != NULL
                         ? strcmp(i->ifa_name, name) == 0
                         : (i->ifa_flags & IFF_UP) != 0 && (i->ifa_flags & IFF_LOOPBACK) == 0;
        if (!meant || i->ifa_addr == NULL || i->ifa_addr->sa_family != family ||
            (found != NULL && strcmp(found, i->ifa_name) != 0) || !write_host(i->ifa_addr, host))
            continue;
        found = i->ifa_name;
        if (family == AF_INET)
            break;
    }
    return found != NULL;
}

/* Whether loopback is up and no other interface is running. A running interface without a usable address may
 * get one later, and peers would not be on loopback then. */
static bool is_loopback_alone(const struct ifaddrs *list) {
    bool loopback = false;
    for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        if ((i->ifa_flags & IFF_LOOPBACK) != 0)
            loopback = loopback || (i->ifa_flags & IFF_UP) != 0;
        else if ((i->ifa_flags & IFF_RUNNING) != 0)
            return false;
    }
    return loopback;
}

bool wsf_interfaces_address(const char *name, bool ip6_too, char host[WSF_INTERFACE_HOST_SIZE]) {
    struct ifaddrs *list;
    if (getifaddrs(&list) != 0)
        return false;
    bool found = find(list, name, AF_INET, host) || (ip6_too && find(list, name, AF_INET6, host));
    if (!found && name == NULL && is_loopback_alone(list)) {
        snprintf(host, WSF_INTERFACE_HOST_SIZE, "127.0.0.1");
        found = true;
    }
    freeifaddrs(list);
    return found;
}
