/* Answers for options and descriptors of ZeroMQ's sockets. */
#include "mesh/zmq.h"

#include <assert.h>
#include <string.h>
#include <sys/epoll.h>
#include <zmq.h>

enum {
    /* A connection whose other end is gone ends after some six seconds, idle or not: sooner than down_ms. */
    KEEPALIVE_IDLE_S = 2,
    KEEPALIVE_INTERVAL_S = 1,
    KEEPALIVE_COUNT = 4,
    UNACKNOWLEDGED_MS_MAX = 6000
};

void wsf_zmq_set_int(void *socket, int option, int value) {
    int result = zmq_setsockopt(socket, option, &value, sizeof value);
    assert(result == 0);
    (void)result;
}

void wsf_zmq_set_common(void *socket, int64_t size_max, const char *endpoint) {
    int result = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &size_max, sizeof size_max);
    assert(result == 0);
    (void)result;
    wsf_zmq_set_int(socket, ZMQ_LINGER, 0);
    wsf_zmq_set_int(socket, ZMQ_SNDHWM, 0);
    wsf_zmq_set_int(socket, ZMQ_RCVHWM, 0);
    bool all = strncmp(endpoint, "tcp://*:", 8) == 0; /* bound for IPv4 and IPv6 */
    wsf_zmq_set_int(socket, ZMQ_IPV6, all || strchr(endpoint, '[') != NULL);
    /* TCP finds a dead connection, and no heartbeat of ZeroMQ: a heartbeat that is due on a connection which ends
     * just then aborts the process (libzmq's issue 4364, "Assertion failed: !_io_error"). */
    wsf_zmq_set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
    wsf_zmq_set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S);
    wsf_zmq_set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S);
    wsf_zmq_set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT);
    wsf_zmq_set_int(socket, ZMQ_TCP_MAXRT, UNACKNOWLEDGED_MS_MAX);
}

int wsf_zmq_descriptor(void *socket) {
    int fd = -1;
    size_t size = sizeof fd;
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 ? fd : -1;
}

bool wsf_zmq_watch(int watch_fd, void *socket, uint32_t number) {
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = number };
    return epoll_ctl(watch_fd, EPOLL_CTL_ADD, wsf_zmq_descriptor(socket), &event) == 0;
}

/* Stops watching first, because ZeroMQ closes the descriptor some time later. */
void wsf_zmq_close(int watch_fd, void *socket) {
    epoll_ctl(watch_fd, EPOLL_CTL_DEL, wsf_zmq_descriptor(socket), NULL);
    zmq_close(socket);
}

bool wsf_zmq_readable(void *socket) {
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}
