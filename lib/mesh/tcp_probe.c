/* Answers for finding out, without blocking, what is at an address. wsf_tcp_probes_tell() tells even a refusal
 * that came at once, because the core must not be called while it asks.
 *
 * The greeting of ZMTP is sent whole, and the connection kept until the other side has answered or hung up: ZeroMQ
 * itself hangs up when it has read a greeting that it cannot use, so that of two nodes one may not learn what the
 * other one speaks. It tells its mechanism when it has read which version this one speaks: so much of the greeting
 * goes first, and the rest when the other side's is there. */
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

enum {
    ANSWER_MS = 1000,
    SCHEME_SIZE = 6,
    SIGNATURE_SIZE = 10, /* of a greeting: its first bytes, which tell ZMTP from anything else */
    VERSION_SIZE = 11,   /* the signature and the version */
    MECHANISM_OFFSET = 12,
    /* A node that has read a greeting with another mechanism than its own hangs up at once. Before that it shall
     * find out who we are. */
    PAUSE_MS = 50,
    UNANSWERED_MS = ANSWER_MS / 2 /* the rest goes to who has not told its mechanism by then */
};

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
static void end(wsf_tcp_probes *probes, wsf_tcp_probe *probe) {
    probes->count--;
    if (probe->fd >= 0) {
        epoll_ctl(probes->watch_fd, EPOLL_CTL_DEL, probe->fd, NULL);
        close(probe->fd);
    }
    *probe = (wsf_tcp_probe){ .fd = -1 };
}

static void settle(wsf_tcp_probe *probe, wsf_tcp_outcome outcome) {
    probe->ready = true;
    probe->outcome = outcome;
}

/* ------------------------------------------------------------------------------------ greetings */

/* False: the connection has ended. */
static bool send_greeting(const wsf_tcp_probes *probes, wsf_tcp_probe *probe, size_t until) {
    uint8_t greeting[WSF_GREETING_SIZE] = { 0xff, [9] = 0x7f, [10] = 3 };
    memcpy(greeting + MECHANISM_OFFSET, probes->keyed ? "CURVE" : "NULL", probes->keyed ? 5 : 4);
    ssize_t size = send(probe->fd, greeting + probe->sent, until - probe->sent, MSG_NOSIGNAL);
    if (size > 0)
        probe->sent += (size_t)size;
    return size >= 0 || errno == EAGAIN;
}

static wsf_tcp_outcome judge(const wsf_tcp_probe *probe) {
    const uint8_t *data = probe->received;
    if (probe->received_size == 0)
        return WSF_TCP_MUTE;
    if (data[0] != 0xff || (probe->received_size >= SIGNATURE_SIZE && (data[9] & 1) == 0))
        return WSF_TCP_FOREIGN;
    if (probe->received_size < MECHANISM_OFFSET + 5)
        return WSF_TCP_MUTE; /* a node, most likely; it did not say more */
    return memcmp(data + MECHANISM_OFFSET, "CURVE", 5) == 0 ? WSF_TCP_KEYED : WSF_TCP_PLAIN;
}

/* Reads the other side's greeting until that is whole and the other side has ours, or until it hangs up. */
static void receive_greeting(wsf_tcp_probe *probe) {
    uint8_t more[WSF_GREETING_SIZE];
    size_t room = WSF_GREETING_SIZE - probe->received_size;
    ssize_t size = recv(probe->fd, more, room > 0 ? room : sizeof more, 0);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size > 0 && room > 0) {
        memcpy(probe->received + probe->received_size, more, (size_t)size);
        probe->received_size += (size_t)size;
    }
    /* What follows a whole greeting is the handshake of a node that has understood ours. */
    if (size <= 0 || room == 0)
        settle(probe, probe->received_size == 0 && size <= 0 ? WSF_TCP_FOREIGN : judge(probe));
}

static void on_connected(wsf_tcp_probes *probes, wsf_tcp_probe *probe, uint64_t ms) {
    uint32_t number = probes->watch_number + (uint32_t)(probe - probes->list);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = number };
    if (!probes->greets) {
        settle(probe, WSF_TCP_ACCEPTED);
        return;
    }
    probe->connected = true;
    probe->connected_ms = ms;
    probe->until_ms = ms + ANSWER_MS;
    if (!send_greeting(probes, probe, VERSION_SIZE) ||
        (epoll_ctl(probes->watch_fd, EPOLL_CTL_MOD, probe->fd, &event) != 0 &&
         epoll_ctl(probes->watch_fd, EPOLL_CTL_ADD, probe->fd, &event) != 0))
        settle(probe, WSF_TCP_NONE);
}

/* --------------------------------------------------------------------------------------- probes */

/* ENOENT: the path of ipc is gone. Other errors do not say whether a process listens. */
static void take_error(wsf_tcp_probes *probes, wsf_tcp_probe *probe, int error, uint64_t ms) {
    if (error == 0)
        on_connected(probes, probe, ms);
    else
        settle(probe, error == ECONNREFUSED || error == ENOENT ? WSF_TCP_REFUSED : WSF_TCP_NONE);
}

void wsf_tcp_probes_begin(wsf_tcp_probes *probes, uint64_t number, const char *endpoint,
                          uint64_t ms) {
    struct sockaddr_storage address;
    socklen_t size;
    uint32_t free_place = WSF_TCP_PROBES_MAX;
    for (uint32_t i = 0; i < WSF_TCP_PROBES_MAX; i++) {
        if (probes->list[i].number == number)
            return;
        if (probes->list[i].number == 0)
            free_place = i;
    }
    if (free_place == WSF_TCP_PROBES_MAX || !read_address(endpoint, &address, &size))
        return;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    uint32_t answer_ms = probes->answer_ms != 0 ? probes->answer_ms : ANSWER_MS;
    wsf_tcp_probe *probe = &probes->list[free_place];
    probes->count++;
    *probe = (wsf_tcp_probe){ .number = number, .fd = fd, .until_ms = ms + answer_ms };
    int error = connect(fd, (struct sockaddr *)&address, size) == 0 ? 0 : errno;
    struct epoll_event event = { .events = EPOLLOUT,
                                 .data.u32 = probes->watch_number + free_place };
    if (error != EINPROGRESS)
        take_error(probes, probe, error, ms);
    else if (epoll_ctl(probes->watch_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        end(probes, probe);
}

void wsf_tcp_probes_cancel(wsf_tcp_probes *probes, uint64_t number) {
    for (uint32_t i = 0; i < WSF_TCP_PROBES_MAX; i++)
        if (probes->list[i].number == number)
            end(probes, &probes->list[i]);
}

void wsf_tcp_probes_note(wsf_tcp_probes *probes, uint32_t i, uint64_t ms) {
    wsf_tcp_probe *probe = &probes->list[i];
    int error;
    socklen_t size = sizeof error;
    if (probe->number == 0 || probe->ready)
        return; /* the event is of an earlier probe */
    if (probe->connected)
        receive_greeting(probe);
    else if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
        take_error(probes, probe, error, ms);
}

/* When the rest of the greeting is to be sent; UINT64_MAX: it has been, or there is nobody yet to send it to. */
static uint64_t rest_at_ms(const wsf_tcp_probe *probe) {
    if (!probe->connected || probe->rest_sent)
        return UINT64_MAX;
    bool told = probe->received_size == WSF_GREETING_SIZE;
    return probe->connected_ms + (told ? PAUSE_MS : UNANSWERED_MS);
}

static void send_rest(wsf_tcp_probes *probes, uint64_t ms) {
    for (uint32_t i = 0; i < WSF_TCP_PROBES_MAX; i++) {
        wsf_tcp_probe *probe = &probes->list[i];
        if (probe->number == 0 || probe->ready || ms < rest_at_ms(probe))
            continue;
        probe->rest_sent = true;
        if (!send_greeting(probes, probe, WSF_GREETING_SIZE))
            settle(probe, judge(probe));
    }
}

void wsf_tcp_probes_tell(wsf_tcp_probes *probes, uint64_t ms,
                         void (*answered)(void *user, uint64_t number, wsf_tcp_outcome outcome),
                         void *user) {
    if (probes->count == 0)
        return;
    send_rest(probes, ms);
    for (uint32_t i = 0; i < WSF_TCP_PROBES_MAX; i++) {
        wsf_tcp_probe probe = probes->list[i];
        if (probe.number == 0 || (!probe.ready && ms < probe.until_ms))
            continue;
        end(probes, &probes->list[i]);
        if (!probe.ready)
            probe.outcome = probe.connected ? judge(&probe) : WSF_TCP_NONE;
        answered(user, probe.number, probe.outcome);
    }
}

uint64_t wsf_tcp_probes_deadline(const wsf_tcp_probes *probes) {
    uint64_t at = UINT64_MAX;
    for (uint32_t i = 0; i < WSF_TCP_PROBES_MAX && probes->count > 0; i++) {
        const wsf_tcp_probe *probe = &probes->list[i];
        if (probe->number == 0)
            continue;
        if (probe->ready)
            return 0;
        if (probe->until_ms < at)
            at = probe->until_ms;
        if (rest_at_ms(probe) < at)
            at = rest_at_ms(probe);
    }
    return at;
}

void wsf_tcp_probes_end(wsf_tcp_probes *probes) {
    for (uint32_t i = 0; i < WSF_TCP_PROBES_MAX; i++)
        if (probes->list[i].number != 0)
            end(probes, &probes->list[i]);
}
