/* listener.c - the listening socket, which accepts only what there are descriptors for.
 *
 * At the limit of descriptors a further connection waits in the system's queue and costs nothing. The listener
 * goes on after a while: when a connection of any thread has ended, or others of the process took the last
 * descriptors. */
#include "connection.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
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

/* A socket that is bound, or -1 and errno. */
static int bind_to(const struct sockaddr_storage *address, bool shared) {
    socklen_t size = address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                   : sizeof(struct sockaddr_in6);
    int yes = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* Connections have TCP_NODELAY of it. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0) &&
        bind(fd, (const struct sockaddr *)address, size) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A port that may be shared could be shared with another program. So the first of its threads listens on it alone,
 * which fails where anybody listens, and lets others in only then: the others of its process, and whoever asks for a
 * shared port without such a first one. */
static int listen_on(const struct sockaddr_storage *address, enum web_sharing sharing) {
    int yes = 1;
    int fd = bind_to(address, sharing == WEB_PORT_JOINED);
    if (fd < 0)
        return -1;
    if (listen(fd, SOMAXCONN) == 0 &&
        (sharing != WEB_PORT_SHARED ||
         setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* ------------------------------------------------------------------------------------- accept */

static void on_connections(uv_poll_t *poll, int status, int events);

static void go_on(uv_timer_t *timer) {
    struct listener *listener = timer->data;
    uv_poll_start(&listener->poll, UV_READABLE, on_connections);
}

static void pause_accepting(struct listener *listener) {
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->again, go_on, PAUSE_MS, 0);
}

/* Counts the connection, if there may be one more. */
static bool reserve(struct web_descriptors *descriptors) {
    if (atomic_fetch_add(&descriptors->connections_count, 1) < descriptors->connections_max)
        return true;
    atomic_fetch_sub(&descriptors->connections_count, 1);
    return false;
}

static void on_connections(uv_poll_t *poll, int status, int events) {
    struct listener *listener = poll->data;
    struct web_descriptors *descriptors = listener->thread->options.descriptors;
    (void)status, (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE_MAX; i++) {
        if (!reserve(descriptors)) {
            pause_accepting(listener);
            return;
        }
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && connection_open(listener->thread, fd))
            continue;
        atomic_fetch_sub(&descriptors->connections_count, 1);
        if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            pause_accepting(listener); /* EMFILE, ENFILE, ENOMEM, ENOBUFS ... */
        if (fd < 0)
            return;
    }
}

/* --------------------------------------------------------------------------------------- open */

const char *listener_open(struct listener *listener, struct web_thread *thread) {
    const struct web_options *options = &thread->options;
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof address;
    listener->thread = thread;
    listener->fd = -1;
    if (!find_address(options->host, options->port, &address))
        return "not an address of this machine";
    listener->fd = listen_on(&address, options->sharing);
    if (listener->fd < 0 || getsockname(listener->fd, (struct sockaddr *)&address, &size) != 0)
        return strerror(errno);
    listener->port = ntohs(address.ss_family == AF_INET
                               ? ((struct sockaddr_in *)&address)->sin_port
                               : ((struct sockaddr_in6 *)&address)->sin6_port);
    listener->poll.data = listener->again.data = listener;
    uv_timer_init(&thread->loop, &listener->again);
    int error = uv_poll_init(&thread->loop, &listener->poll, listener->fd);
    if (error == 0)
        error = uv_poll_start(&listener->poll, UV_READABLE, on_connections);
    return error == 0 ? NULL : uv_strerror(error);
}

void listener_close(struct listener *listener) {
    if (listener->fd >= 0)
        close(listener->fd);
}

/* -------------------------------------------------------------------------------- descriptors */

static unsigned at_most(rlim_t count, unsigned most) {
    return count < most ? (unsigned)count : most;
}

void web_reserve_descriptors(struct web_descriptors *descriptors, unsigned connections,
                             unsigned others) {
    struct rlimit limit = { 0 };
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    unsigned have = at_most(limit.rlim_cur, DESCRIPTORS_MAX);
    descriptors->connections_max = at_most(connections, have - at_most(others, have / 2));
}
