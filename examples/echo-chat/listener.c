/* listener.c - the listening socket, which accepts only what there are descriptors for.
 *
 * libwebsockets' own listener, at the limit of descriptors, fails in accept() and tries again for ever. This
 * one pauses: a further connection waits in the system's queue and costs nothing. It goes on when a
 * connection has ended, or, if others of the process took the last descriptors, after a while. */
#include "echo_chat.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_MS = 100, ACCEPTS_AT_ONCE_MAX = 64 };

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

int listener_open(struct server *server, const struct options *options) {
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof address;
    bool found = find_address(options->listen_host, options->listen_port, &address);
    int fd = found ? listen_on(&address) : -1;
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        fprintf(stderr, "echo-chat: cannot listen on %s port %d: %s\n", options->listen_host,
                options->listen_port, found ? strerror(errno) : "not an address of this machine");
        return -1;
    }
    server->listen_port = ntohs(address.ss_family == AF_INET
                                    ? ((struct sockaddr_in *)&address)->sin_port
                                    : ((struct sockaddr_in6 *)&address)->sin6_port);
    server->listener = server_watch(server, fd, "listener");
    return server->listener != NULL ? 0 : -1;
}

/* ------------------------------------------------------------------------------------- accept */

static void go_on(lws_sorted_usec_list_t *timer) {
    struct server *server = lws_container_of(timer, struct server, accept_again);
    server->accept_paused = false;
    lws_rx_flow_control(server->listener, 1);
}

static void pause_accepting(struct server *server) {
    server->accept_paused = true;
    lws_rx_flow_control(server->listener, 0);
    lws_sul_schedule(server->context, 0, &server->accept_again, go_on, PAUSE_MS * LWS_US_PER_MS);
}

void listener_readable(struct server *server) {
    for (int i = 0; i < ACCEPTS_AT_ONCE_MAX; i++) {
        if (server->connections_count >= server->connections_max) {
            pause_accepting(server);
            return;
        }
        int fd = accept4(lws_get_socket_fd(server->listener), NULL, NULL,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            lws_adopt_socket_vhost(server->vhost, fd); /* or it has closed it */
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            pause_accepting(server);
        return;
    }
}
