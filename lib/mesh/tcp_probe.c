/* Answers for finding out, without blocking, whether a process listens at an address. wsf_tcp_probes_tell()
 * tells even a refusal that came at once, because the core must not be called while it asks. */
#include "mesh/tcp_probe.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/endpoint.h"

enum { ANSWER_MS = 1000, SCHEME_SIZE = 6 };

/* False: not an address. */
static bool read_address(const char *endpoint, struct sockaddr_storage *address, socklen_t *size) {
    char host[WSF_ENDPOINT_SIZE_MAX + 1];
    char port[8];
    unsigned number;
    struct addrinfo *found;
    struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                .ai_socktype = SOCK_STREAM };
    memset(address, 0, sizeof *address);
    if (strncmp(endpoint, "ipc://", SCHEME_SIZE) == 0) {
        struct sockaddr_un *path = (struct sockaddr_un *)(void *)address;
        size_t length = strlen(endpoint + SCHEME_SIZE);
        if (length >= sizeof path->sun_path)
            return false;
        path->sun_family = AF_UNIX;
        memcpy(path->sun_path, endpoint + SCHEME_SIZE, length);
        bool abstract = path->sun_path[0] == '@'; /* as ZeroMQ writes abstract paths */
        if (abstract)
            path->sun_path[0] = '\0';
        *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract);
        return true;
    }
    wsf_endpoint_split(endpoint, host, &number);
    snprintf(port, sizeof port, "%u", number);
    if (getaddrinfo(host, port, &numeric, &found) != 0) /* AI_NUMERICHOST: does not ask DNS */
        return false;
    memcpy(address, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

/* Stops watching first: after close() epoll watches on while a forked child of the host has the descriptor. */
static void end(const wsf_tcp_probes *probes, wsf_tcp_probe *probe) {
    if (probe->fd >= 0) {
        epoll_ctl(probes->watch_fd, EPOLL_CTL_DEL, probe->fd, NULL);
        close(probe->fd);
    }
    *probe = (wsf_tcp_probe){ .fd = -1 };
}

void wsf_tcp_probes_begin(wsf_tcp_probes *probes, uint64_t node, const char *endpoint,
                          uint64_t ms) {
    struct sockaddr_storage address;
    socklen_t size;
    uint32_t number = WSF_TCP_PROBES_MAX;
    for (uint32_t i = 0; i < WSF_TCP_PROBES_MAX; i++) {
        if (probes->list[i].node == node)
            return;
        if (probes->list[i].node == 0)
            number = i;
    }
    if (number == WSF_TCP_PROBES_MAX || !read_address(endpoint, &address, &size))
        return;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    wsf_tcp_probe *probe = &probes->list[number];
    *probe = (wsf_tcp_probe){ .node = node, .fd = fd, .until_ms = ms + ANSWER_MS };
    probe->error = connect(fd, (struct sockaddr *)&address, size) == 0 ? 0 : errno;
    probe->ready = probe->error != EINPROGRESS;
    struct epoll_event event = { .events = EPOLLOUT, .data.u32 = probes->watch_number + number };
    if (!probe->ready && epoll_ctl(probes->watch_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        end(probes, probe);
}

void wsf_tcp_probes_note(wsf_tcp_probes *probes, uint32_t number) {
    wsf_tcp_probe *probe = &probes->list[number];
    socklen_t size = sizeof probe->error;
    if (probe->node == 0 || probe->ready)
        return; /* the event is of an earlier probe */
    if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &probe->error, &size) == 0)
        probe->ready = true;
}

/* ENOENT: the path of ipc is gone. Other errors do not say whether a process listens. */
static bool is_refusal(int error) {
    return error == ECONNREFUSED || error == ENOENT;
}

void wsf_tcp_probes_tell(wsf_tcp_probes *probes, uint64_t ms,
                         void (*answered)(void *user, uint64_t node, bool refused), void *user) {
    for (uint32_t i = 0; i < WSF_TCP_PROBES_MAX; i++) {
        wsf_tcp_probe probe = probes->list[i];
        if (probe.node == 0 || (!probe.ready && ms < probe.until_ms))
            continue;
        end(probes, &probes->list[i]);
        if (probe.ready && (probe.error == 0 || is_refusal(probe.error)))
            answered(user, probe.node, probe.error != 0);
    }
}

uint64_t wsf_tcp_probes_deadline(const wsf_tcp_probes *probes) {
    uint64_t at = UINT64_MAX;
    for (uint32_t i = 0; i < WSF_TCP_PROBES_MAX; i++) {
        const wsf_tcp_probe *probe = &probes->list[i];
        if (probe->node != 0 && probe->ready)
            return 0;
        if (probe->node != 0 && probe->until_ms < at)
            at = probe->until_ms;
    }
    return at;
}

void wsf_tcp_probes_end(wsf_tcp_probes *probes) {
    for (uint32_t i = 0; i < WSF_TCP_PROBES_MAX; i++)
        if (probes->list[i].node != 0)
            end(probes, &probes->list[i]);
}
