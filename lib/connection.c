/* Answers for dialling: which key, when anew. What comes by a connection is socket.c's. */
#include "connection.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <zmq.h>

#include "hash.h"

enum {
    RECONNECT_MS = 100,
    RECONNECT_MS_MAX = 2000,
    RETRY_MS = 1000,
    SILENT_MS = 5000, /* a socket by which nothing has ever come is made anew */
    KEY_MS = 300,     /* the same where it may have been the wrong key; doubles each time round */
    KEY_DOUBLINGS_MAX = 4
};

uint64_t wsf_monotonic_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------ any socket */

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
    bool all = strncmp(endpoint, "tcp://*:", 8) == 0; /* bound for both families then */
    wsf_zmq_set_int(socket, ZMQ_IPV6, all || strchr(endpoint, '[') != NULL);
}

static int descriptor_of(void *socket) {
    int fd = -1;
    size_t size = sizeof fd;
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 ? fd : -1;
}

bool wsf_zmq_watch(int watch_fd, void *socket, uint32_t number) {
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = number };
    return epoll_ctl(watch_fd, EPOLL_CTL_ADD, descriptor_of(socket), &event) == 0;
}

/* ZeroMQ closes the descriptor some time later. */
void wsf_zmq_close(int watch_fd, void *socket) {
    epoll_ctl(watch_fd, EPOLL_CTL_DEL, descriptor_of(socket), NULL);
    zmq_close(socket);
}

bool wsf_zmq_readable(void *socket) {
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

/* ---------------------------------------------------------------------------------- connections */

/* Which node answers at an endpoint is not known, so nor is its key: one is tried after another,
 * every other time that of the node that called last, which is likely to be the one. */
static void choose_key(wsf_connections *connections, wsf_connection *to) {
    uint64_t serial;
    uint32_t last = wsf_auth_last(connections->auth, &serial);
    if (to->tries % 2 == 0 && serial != to->hint_serial)
        to->key = last;
    else
        to->key++;
    if (to->key >= connections->keys->count)
        to->key = 0;
    uint32_t doublings = to->tries / connections->keys->count;
    if (doublings > KEY_DOUBLINGS_MAX)
        doublings = KEY_DOUBLINGS_MAX;
    to->hint_serial = serial;
    to->tries++;
    to->identity = wsf_hash_identity(connections->keys->allowed[to->key].text);
    to->silent_at_ms = wsf_monotonic_ms() + ((uint64_t)KEY_MS << doublings);
}

static bool set_up(wsf_connections *connections, wsf_connection *to, void *socket) {
    wsf_zmq_set_common(socket, connections->frame_size_max, to->endpoint);
    wsf_zmq_set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    wsf_zmq_set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX);
    return (connections->auth == NULL ||
            wsf_auth_dial(connections->auth, socket, connections->keys->allowed[to->key].text)) &&
           zmq_setsockopt(socket, ZMQ_SUBSCRIBE, connections->inbox, connections->inbox_size) ==
               0 &&
           zmq_setsockopt(socket, ZMQ_SUBSCRIBE, connections->introduction,
                          connections->introduction_size) == 0 &&
           zmq_connect(socket, to->endpoint) == 0;
}

static void try_dial(wsf_connections *connections, wsf_connection *to) {
    uint64_t ms = wsf_monotonic_ms();
    void *socket = zmq_socket(connections->context, ZMQ_SUB);
    if (socket == NULL) {
        connections->retry_at_ms = ms + RETRY_MS;
        return;
    }
    to->proven = false;
    to->silent_at_ms = ms + SILENT_MS;
    if (connections->auth != NULL)
        choose_key(connections, to);
    if (!set_up(connections, to, socket) ||
        !wsf_zmq_watch(connections->watch_fd, socket, (uint32_t)(to - connections->list))) {
        zmq_close(socket);
        connections->retry_at_ms = ms + RETRY_MS;
        return;
    }
    to->unread = true;
    to->socket = socket;
}

void wsf_connections_dial(wsf_connections *connections, uint32_t number, const char *endpoint) {
    wsf_connection *to = &connections->list[number];
    assert(number < WSF_CONNECTIONS_COUNT_MAX && !to->dialled);
    if (strcmp(to->endpoint, endpoint) != 0) {
        *to = (wsf_connection){ .key = WSF_KEYS_MAX }; /* our own is tried first */
        snprintf(to->endpoint, sizeof to->endpoint, "%s", endpoint);
    } else if (to->proven) { /* it is the next one again; else the search goes on */
        to->key--;
        to->tries = 0;
    }
    to->dialled = true;
    if (connections->used <= number)
        connections->used = number + 1;
    try_dial(connections, to);
}

static void close_socket(wsf_connections *connections, wsf_connection *from) {
    if (from->socket != NULL)
        wsf_zmq_close(connections->watch_fd, from->socket);
    from->socket = NULL;
    from->unread = false;
}

void wsf_connections_hang_up(wsf_connections *connections, uint32_t number) {
    wsf_connection *from = &connections->list[number];
    close_socket(connections, from);
    from->dialled = false;
}

static void dial_anew(wsf_connections *connections, wsf_connection *to) {
    close_socket(connections, to);
    try_dial(connections, to);
}

void wsf_connections_set_keys(wsf_connections *connections, const wsf_keys *keys) {
    const wsf_keys *before = connections->keys;
    connections->keys = keys;
    for (uint32_t i = 0; i < connections->used; i++) {
        wsf_connection *to = &connections->list[i];
        if (to->socket == NULL)
            continue;
        int place = wsf_keys_find(keys, before->allowed[to->key].text);
        to->tries = 0;
        if (place >= 0)
            to->key = (uint32_t)place;
        else
            dial_anew(connections, to);
    }
}

/* Whatever is at the other end, we have not been understood there. What came while this thread did
 * not run may not have been looked at. */
static bool is_silent(wsf_connection *to, uint64_t ms) {
    if (to->proven || to->unread || ms < to->silent_at_ms)
        return false;
    to->unread = wsf_zmq_readable(to->socket);
    return !to->unread;
}

void wsf_connections_renew(wsf_connections *connections) {
    uint64_t ms = wsf_monotonic_ms();
    bool retry = connections->retry_at_ms != 0 && ms >= connections->retry_at_ms;
    if (retry)
        connections->retry_at_ms = 0;
    for (uint32_t i = 0; i < connections->used; i++) {
        wsf_connection *to = &connections->list[i];
        if (to->socket != NULL && is_silent(to, ms))
            dial_anew(connections, to);
        else if (to->socket == NULL && retry && to->dialled)
            try_dial(connections, to);
    }
}

uint64_t wsf_connections_deadline(const wsf_connections *connections) {
    uint64_t at = connections->retry_at_ms != 0 ? connections->retry_at_ms : UINT64_MAX;
    for (uint32_t i = 0; i < connections->used; i++) {
        const wsf_connection *to = &connections->list[i];
        if (to->socket != NULL && !to->proven && to->silent_at_ms < at)
            at = to->silent_at_ms;
    }
    return at;
}
