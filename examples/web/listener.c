/* listener.c - the listening socket, which accepts only what there are descriptors for.
 *
 * libwebsockets' own listener, at the limit of descriptors, fails in accept() and tries again for ever. This
 * one pauses: a further connection waits in the system's queue and costs nothing. It goes on when a
 * connection has ended, or, if others of the process took the last descriptors, after a while. */
#include "web.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_MS = 100, ACCEPTS_AT_ONCE_MAX = 64, DESCRIPTORS_MAX = 1048576 };

/* ------------------------------------------------------------------------------------- listen */

/* An IPv4 address of the interface, else an IPv6 one. */
static bool interface_address(const char *name, struct sockaddr_storage *address) {
    struct ifaddrs *all;
    int family = AF_UNSPEC;
    if (getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr == NULL || strcmp(one->ifa_name, name) != 0 || family == AF_INET)
            continue;
        if (one->ifa_addr->sa_family != AF_INET && one->ifa_addr->sa_family != AF_INET6)
            continue;
        family = one->ifa_addr->sa_family;
        memcpy(address, one->ifa_addr,
               family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    }
    freeifaddrs(all);
    return family != AF_UNSPEC;
}

static bool find_address(const char *host, int port, struct sockaddr_storage *address) {
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found;
    if (getaddrinfo(host, NULL, &hints, &found) == 0) {
        memcpy(address, found->ai_addr, found->ai_addrlen);
        freeaddrinfo(found);
    } else if (!interface_address(host, address)) {
        return false;
    }
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    return true;
}

static int listen_on(const struct sockaddr_storage *address) {
    socklen_t size = address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                   : sizeof(struct sockaddr_in6);
    int yes = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(fd, (const struct sockaddr *)address, size) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

const char *web_listen(struct web_listener *listener, struct lws_vhost *vhost, const char *protocol,
                       const char *host, int port) {
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof address;
    if (!find_address(host, port, &address))
        return "not an address of this machine";
    int fd = listen_on(&address);
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return strerror(errno);
    listener->port = ntohs(address.ss_family == AF_INET
                               ? ((struct sockaddr_in *)&address)->sin_port
                               : ((struct sockaddr_in6 *)&address)->sin6_port);
    listener->vhost = vhost;
    listener->wsi = web_watch(vhost, fd, protocol);
    return listener->wsi != NULL ? NULL : "out of memory";
}

struct lws *web_watch(struct lws_vhost *vhost, int fd, const char *protocol) {
    lws_sock_file_fd_type descriptor = { .filefd = fd };
    return fd < 0 ? NULL
                  : lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, descriptor, protocol,
                                               NULL);
}

/* ------------------------------------------------------------------------------------- accept */

static void go_on(lws_sorted_usec_list_t *timer) {
    lws_rx_flow_control(lws_container_of(timer, struct web_listener, again)->wsi, 1);
}

static void pause_accepting(struct web_listener *listener) {
    lws_rx_flow_control(listener->wsi, 0);
    lws_sul_schedule(lws_get_context(listener->wsi), 0, &listener->again, go_on,
                     PAUSE_MS * LWS_US_PER_MS);
}

void web_accept(struct web_listener *listener) {
    for (int i = 0; i < ACCEPTS_AT_ONCE_MAX; i++) {
        if (listener->connections_count >= listener->connections_max) {
            pause_accepting(listener);
            return;
        }
        int fd = accept4(lws_get_socket_fd(listener->wsi), NULL, NULL,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            lws_adopt_socket_vhost(listener->vhost, fd); /* or it has closed it */
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            pause_accepting(listener);
        return;
    }
}

/* -------------------------------------------------------------------------------- descriptors */

static unsigned at_most(unsigned count, unsigned most) {
    return count < most ? count : most;
}

unsigned web_reserve_descriptors(unsigned connections, unsigned others) {
    unsigned wanted = at_most(connections, DESCRIPTORS_MAX) + others;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    /* No more than that: libwebsockets makes its tables as large as the limit. */
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    unsigned have = (unsigned)limit.rlim_cur;
    return have - at_most(others, have / 2);
}
