/* The only file that knows ZeroMQ, besides auth.c. Hazards of libzmq 4.3.4 that shape it:
 * - A connecting SUB with a heartbeat of its own aborts the process when it reaches RCVHWM. So only
 *   the XPUB has one, and no socket has a high-water mark: links bound what is under way.
 * - With the default linger zmq_ctx_term() blocks for ever.
 * - A peer that speaks ZMTP 1.0 (any bytes that do not begin with 0xff look like one) can abort the
 *   process in zmtp_engine.cpp, "Resource temporarily unavailable", because a subscription is made
 *   up for it that may find no pipe. With a ZAP domain set such peers are turned away first.
 * - zmq_bind() removes what stands at the path of an ipc endpoint, be it a file or the socket of a
 *   node that is alive.
 * - A connection whose handshake failed (another key, a stranger at the other end) is never tried
 *   again by libzmq. So we make a new socket where nothing has come for a while.
 * - Where libzmq finds no descriptor or thread for its own threads it ends the process.
 * - A half-sent message of two parts is thrown away when its connection ends, or the process is where
 *   that cannot be done: see docs/design.md.
 * - I/O threads inherit the signal mask of the thread that makes the first socket. */
#include "socket.h"

#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/wsfan.h>
#include <zmq.h>

#include "auth.h"
#include "endpoint.h"
#include "hash.h"
#include "memory.h"
#include "reserve.h"

enum {
    CONNECTIONS_MAX = 256,
    TOPIC_SIZE_MAX = 200,
    SUBSCRIPTION_SIZE_MAX = 256, /* what an XPUB takes in */
    INITIATE_SIZE_MAX = 512, /* the same with keys: the handshake of CURVE has a command of 285 */
    SHARE_COUNT = 64,        /* frames of one socket before the next has its turn */
    HEARTBEAT_INTERVAL_MS = 2000,
    HEARTBEAT_TIMEOUT_MS = 6000,
    RECONNECT_MS = 100,
    RECONNECT_MS_MAX = 2000,
    RETRY_MS = 1000,
    SILENT_MS = 5000, /* a socket by which nothing has ever come is made anew */
    KEY_MS = 300,     /* the same where it may have been the wrong key; doubles each time round */
    KEY_DOUBLINGS_MAX = 4,
    DENIED_COUNT = 256,
    CONTEXT_DESCRIPTORS = 16, /* of the context, its threads, our sockets and the port; with some to
                                 spare for the first connections */
    CONTEXT_THREADS = 3       /* reaper, I/O, and the mesh thread that follows */
};

typedef struct {
    void *socket;                             /* NULL with an endpoint: could not be made yet */
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1]; /* "": free */
    bool proven;                              /* something came by this socket */
    uint32_t key;          /* the place in keys->allowed of the one that it was made for */
    uint32_t identity;     /* of that key; 0: there are no keys */
    uint32_t tries;        /* with one key after another */
    uint64_t hint_serial;  /* the caller that was taken for the answerer last */
    uint64_t silent_at_ms; /* the socket is given up then, unless proven */
} connection;

struct wsf_sockets {
    void *context;
    void *publisher;
    wsf_auth *auth; /* NULL: plain text */
    const wsf_keys *keys;
    uint32_t denied[DENIED_COUNT]; /* subscriptions, by a hash of their topic */
    int64_t frame_size_max;
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    uint8_t inbox[TOPIC_SIZE_MAX];
    uint8_t introduction[TOPIC_SIZE_MAX];
    size_t inbox_size;
    size_t introduction_size;
    void *received;            /* the next frame is read into this; NULL: not made yet */
    uint32_t connections_used; /* all in use are below */
    bool retry;
    connection connections[CONNECTIONS_MAX];
    zmq_pollitem_t items[CONNECTIONS_MAX + 3];
};

static void set_int(void *socket, int option, int value) {
    int result = zmq_setsockopt(socket, option, &value, sizeof value);
    assert(result == 0);
    (void)result;
}

static void set_common(void *socket, int64_t size_max, const char *endpoint) {
    int result = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &size_max, sizeof size_max);
    assert(result == 0);
    (void)result;
    set_int(socket, ZMQ_LINGER, 0);
    set_int(socket, ZMQ_SNDHWM, 0);
    set_int(socket, ZMQ_RCVHWM, 0);
    set_int(socket, ZMQ_IPV6, strchr(endpoint, '[') != NULL);
}

/* -------------------------------------------------------------------------------------- opening */

static int bind_error(void) {
    switch (errno) {
    case EADDRINUSE:
        return WSFAN_EADDRINUSE;
    case EADDRNOTAVAIL:
    case ENODEV:
    case EACCES:
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return WSFAN_EADDR;
    case EINVAL:
    case EPROTONOSUPPORT:
        return WSFAN_EENDPOINT;
    case ENOMEM:
        return WSFAN_ENOMEM;
    default:
        return WSFAN_ESYSTEM;
    }
}

/* Whether an ipc endpoint may be bound: nothing is at its path, or a socket that nobody listens at
 * any more. Two nodes that start at the very same time may both be told yes. */
static int check_path(const char *endpoint) {
    enum { SCHEME_SIZE = 6 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = endpoint + SCHEME_SIZE;
    size_t size = strlen(endpoint) - SCHEME_SIZE;
    struct stat status;
    if (strncmp(endpoint, "ipc://", SCHEME_SIZE) != 0 || *path == '@' || lstat(path, &status) != 0)
        return WSFAN_OK;
    if (!S_ISSOCK(status.st_mode) || size >= sizeof address.sun_path)
        return WSFAN_EADDR;
    memcpy(address.sun_path, path, size);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return WSFAN_ESYSTEM;
    int result = connect(fd, (const struct sockaddr *)&address, sizeof address);
    int reason = result == 0 ? 0 : errno;
    close(fd);
    if (reason == ECONNREFUSED || reason == ENOENT)
        return WSFAN_OK;
    return reason == EACCES ? WSFAN_EADDR : WSFAN_EADDRINUSE;
}

/* An address of this machine that others can use: not one that is meant for one link only. */
static bool find_address(const struct ifaddrs *list, sa_family_t family, char *host,
                         size_t capacity) {
    for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        if (i->ifa_addr == NULL || i->ifa_addr->sa_family != family ||
            (i->ifa_flags & IFF_UP) == 0 || (i->ifa_flags & IFF_LOOPBACK) != 0)
            continue;
        const struct sockaddr_in6 *ip6 = (const struct sockaddr_in6 *)(const void *)i->ifa_addr;
        if (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&ip6->sin6_addr))
            continue;
        socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof *ip6;
        if (getnameinfo(i->ifa_addr, size, host, (socklen_t)capacity, NULL, 0, NI_NUMERICHOST) == 0)
            return true;
    }
    return false;
}

/* For an endpoint that is bound to every address, one that others can use. */
static void first_address(bool ip6_too, char *host, size_t capacity) {
    struct ifaddrs *list;
    char ip6[NI_MAXHOST];
    snprintf(host, capacity, "127.0.0.1");
    if (getifaddrs(&list) != 0)
        return;
    if (!find_address(list, AF_INET, host, capacity) && ip6_too &&
        find_address(list, AF_INET6, ip6, sizeof ip6))
        snprintf(host, capacity, "[%.60s]", ip6);
    freeifaddrs(list);
}

static void find_own_endpoint(wsf_sockets *sockets) {
    char bound[256];
    size_t size = sizeof bound;
    if (zmq_getsockopt(sockets->publisher, ZMQ_LAST_ENDPOINT, bound, &size) != 0)
        bound[0] = '\0';
    bool wildcard = strncmp(bound, "tcp://0.0.0.0:", 14) == 0;
    bool wildcard6 = strncmp(bound, "tcp://[::]:", 11) == 0;
    if (wildcard || wildcard6) {
        char host[NI_MAXHOST];
        first_address(wildcard6, host, sizeof host);
        snprintf(sockets->endpoint, sizeof sockets->endpoint, "tcp://%.100s%s", host,
                 strrchr(bound, ':'));
    } else {
        snprintf(sockets->endpoint, sizeof sockets->endpoint, "%.*s", WSF_ENDPOINT_SIZE_MAX, bound);
    }
}

static int open_publisher(wsf_sockets *sockets, const char *endpoint) {
    sockets->publisher = zmq_socket(sockets->context, ZMQ_XPUB);
    if (sockets->publisher == NULL)
        return errno == ENOMEM ? WSFAN_ENOMEM : WSFAN_ESYSTEM;
    set_common(sockets->publisher,
               sockets->auth != NULL ? INITIATE_SIZE_MAX : SUBSCRIPTION_SIZE_MAX, endpoint);
    set_int(sockets->publisher, ZMQ_XPUB_VERBOSER, 1);
    set_int(sockets->publisher, ZMQ_HEARTBEAT_IVL, HEARTBEAT_INTERVAL_MS);
    set_int(sockets->publisher, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS);
    /* The other side hangs up too when it hears nothing for so long. */
    set_int(sockets->publisher, ZMQ_HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS);
    zmq_setsockopt(sockets->publisher, ZMQ_ZAP_DOMAIN, "wsfan", 5);
    if (sockets->auth != NULL && !wsf_auth_listen(sockets->auth, sockets->publisher))
        return WSFAN_ESYSTEM;
    int error = check_path(endpoint);
    if (error != WSFAN_OK)
        return error;
    if (zmq_bind(sockets->publisher, endpoint) != 0)
        return bind_error();
    find_own_endpoint(sockets);
    return WSFAN_OK;
}

/* The handler is there before anybody can connect. */
static int open_context(wsf_sockets *sockets) {
    int error = wsf_reserve_check(CONTEXT_DESCRIPTORS, CONTEXT_THREADS);
    if (error != WSFAN_OK)
        return error;
    sockets->context = zmq_ctx_new();
    if (sockets->context == NULL)
        return errno == ENOMEM ? WSFAN_ENOMEM : WSFAN_ESYSTEM;
    if (sockets->keys == NULL)
        return WSFAN_OK;
    return wsf_auth_open(&sockets->auth, sockets->context, sockets->keys);
}

int wsf_sockets_open(wsf_sockets **out, const char *endpoint, uint64_t frame_size_max,
                     const wsf_keys *keys) {
    wsf_sockets *sockets = wsf_alloc_zero(1, sizeof *sockets);
    if (sockets == NULL)
        return WSFAN_ENOMEM;
    sockets->frame_size_max = (int64_t)frame_size_max;
    sockets->keys = keys;

    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = open_context(sockets);
    if (error == WSFAN_OK)
        error = open_publisher(sockets, endpoint);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (error != WSFAN_OK) {
        int saved = errno;
        wsf_sockets_close(sockets, 0);
        errno = saved;
        return error;
    }
    *out = sockets;
    return WSFAN_OK;
}

void wsf_sockets_close(wsf_sockets *sockets, int linger_ms) {
    if (sockets == NULL)
        return;
    for (uint32_t i = 0; i < sockets->connections_used; i++)
        wsf_sockets_disconnect(sockets, i);
    if (sockets->received != NULL)
        wsf_buffer_unref(sockets->received);
    if (sockets->publisher != NULL) {
        set_int(sockets->publisher, ZMQ_LINGER, linger_ms);
        zmq_close(sockets->publisher);
    }
    wsf_auth_close(sockets->auth);
    if (sockets->context != NULL)
        while (zmq_ctx_term(sockets->context) != 0 && errno == EINTR)
            continue;
    wsf_free(sockets);
}

const char *wsf_sockets_endpoint(const wsf_sockets *sockets) {
    return sockets->endpoint;
}

/* ---------------------------------------------------------------------------------- connections */

void wsf_sockets_subscribe_to(wsf_sockets *sockets, const void *inbox, size_t inbox_size,
                              const void *introduction, size_t introduction_size) {
    assert(inbox_size <= TOPIC_SIZE_MAX && introduction_size <= TOPIC_SIZE_MAX);
    memcpy(sockets->inbox, inbox, inbox_size);
    memcpy(sockets->introduction, introduction, introduction_size);
    sockets->inbox_size = inbox_size;
    sockets->introduction_size = introduction_size;
}

static uint64_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* Which node answers at an endpoint is not known, so nor is its key: one is tried after another,
 * every other time that of the node that called last, which is likely to be the one. */
static void choose_key(wsf_sockets *sockets, connection *to) {
    uint64_t serial;
    uint32_t last = wsf_auth_last(sockets->auth, &serial);
    if (to->tries % 2 == 0 && serial != to->hint_serial)
        to->key = last;
    else
        to->key++;
    if (to->key >= sockets->keys->count)
        to->key = 0;
    uint32_t doublings = to->tries / sockets->keys->count;
    if (doublings > KEY_DOUBLINGS_MAX)
        doublings = KEY_DOUBLINGS_MAX;
    to->hint_serial = serial;
    to->tries++;
    to->identity = wsf_hash_identity(sockets->keys->allowed[to->key].text);
    to->silent_at_ms = now_ms() + ((uint64_t)KEY_MS << doublings);
}

static void try_connect(wsf_sockets *sockets, connection *to) {
    void *socket = zmq_socket(sockets->context, ZMQ_SUB);
    if (socket == NULL) {
        sockets->retry = true;
        return;
    }
    set_common(socket, sockets->frame_size_max, to->endpoint);
    set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX);
    to->proven = false;
    to->silent_at_ms = now_ms() + SILENT_MS;
    if (sockets->auth != NULL)
        choose_key(sockets, to);
    if ((sockets->auth != NULL &&
         !wsf_auth_dial(sockets->auth, socket, sockets->keys->allowed[to->key].text)) ||
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, sockets->inbox, sockets->inbox_size) != 0 ||
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, sockets->introduction, sockets->introduction_size) !=
            0 ||
        zmq_connect(socket, to->endpoint) != 0) {
        zmq_close(socket);
        sockets->retry = true;
        return;
    }
    to->socket = socket;
}

void wsf_sockets_connect(wsf_sockets *sockets, uint32_t number, const char *endpoint) {
    assert(number < CONNECTIONS_MAX && sockets->connections[number].endpoint[0] == '\0');
    connection *to = &sockets->connections[number];
    *to = (connection){ .key = WSF_KEYS_MAX }; /* our own is tried first */
    snprintf(to->endpoint, sizeof to->endpoint, "%s", endpoint);
    if (sockets->connections_used <= number)
        sockets->connections_used = number + 1;
    try_connect(sockets, to);
}

void wsf_sockets_disconnect(wsf_sockets *sockets, uint32_t number) {
    connection *from = &sockets->connections[number];
    if (from->socket != NULL)
        zmq_close(from->socket);
    from->socket = NULL;
    from->endpoint[0] = '\0';
}

static void connect_anew(wsf_sockets *sockets, connection *to) {
    zmq_close(to->socket);
    to->socket = NULL;
    try_connect(sockets, to);
}

/* Whatever is at the other end, we have not been understood there. */
static void give_up_silent(wsf_sockets *sockets, uint64_t ms) {
    for (uint32_t i = 0; i < sockets->connections_used; i++) {
        connection *to = &sockets->connections[i];
        if (to->socket != NULL && !to->proven && ms >= to->silent_at_ms)
            connect_anew(sockets, to);
    }
}

void wsf_sockets_set_keys(wsf_sockets *sockets, const wsf_keys *keys) {
    const wsf_keys *before = sockets->keys;
    sockets->keys = keys;
    wsf_auth_set_keys(sockets->auth, keys);
    for (uint32_t i = 0; i < sockets->connections_used; i++) {
        connection *to = &sockets->connections[i];
        if (to->socket == NULL)
            continue;
        int place = wsf_keys_find(keys, before->allowed[to->key].text);
        to->tries = 0;
        if (place >= 0)
            to->key = (uint32_t)place;
        else
            connect_anew(sockets, to);
    }
}

/* -------------------------------------------------------------------------------------- traffic */

static void give_back(void *data, void *frame) {
    (void)data;
    wsf_buffer_unref(frame);
}

/* False: nothing was sent. Without memory an empty part goes in the place of the second, so that
 * there is one: the receiver drops the frame, and asks for it. */
static bool send_part(wsf_sockets *sockets, wsf_buffer *part, int flags, bool needed) {
    zmq_msg_t message;
    wsf_buffer_ref(part);
    if (zmq_msg_init_data(&message, part->data, part->size, give_back, part) != 0) {
        wsf_buffer_unref(part);
        if (!needed)
            return false;
        zmq_msg_init(&message);
    }
    if (zmq_msg_send(&message, sockets->publisher, ZMQ_DONTWAIT | flags) >= 0)
        return true;
    zmq_msg_close(&message);
    return false;
}

void wsf_sockets_send(wsf_sockets *sockets, wsf_buffer *frame) {
    if (send_part(sockets, frame, frame->rest != NULL ? ZMQ_SNDMORE : 0, false) &&
        frame->rest != NULL)
        send_part(sockets, frame->rest, 0, true);
}

void wsf_sockets_wait(wsf_sockets *sockets, int wake_fd, int timeout_ms) {
    if (sockets == NULL) {
        struct pollfd item = { .fd = wake_fd, .events = POLLIN };
        poll(&item, 1, timeout_ms);
        return;
    }
    if (sockets->retry && (timeout_ms < 0 || timeout_ms > RETRY_MS))
        timeout_ms = RETRY_MS;
    uint64_t ms = now_ms();
    int count = 0;
    if (wake_fd >= 0)
        sockets->items[count++] = (zmq_pollitem_t){ .fd = wake_fd, .events = ZMQ_POLLIN };
    sockets->items[count++] = (zmq_pollitem_t){ .socket = sockets->publisher,
                                                .events = ZMQ_POLLIN };
    if (sockets->auth != NULL)
        sockets->items[count++] = (zmq_pollitem_t){ .socket = wsf_auth_socket(sockets->auth),
                                                    .events = ZMQ_POLLIN };
    for (uint32_t i = 0; i < sockets->connections_used; i++) {
        const connection *from = &sockets->connections[i];
        if (from->socket == NULL)
            continue;
        sockets->items[count++] = (zmq_pollitem_t){ .socket = from->socket, .events = ZMQ_POLLIN };
        if (!from->proven && (timeout_ms < 0 || from->silent_at_ms < ms + (uint64_t)timeout_ms))
            timeout_ms = from->silent_at_ms > ms ? (int)(from->silent_at_ms - ms) : 0;
    }
    int ready = zmq_poll(sockets->items, count, timeout_ms);
    if (ready == 0 && sockets->retry) {
        sockets->retry = false;
        for (uint32_t i = 0; i < sockets->connections_used; i++) {
            connection *to = &sockets->connections[i];
            if (to->socket == NULL && to->endpoint[0] != '\0')
                try_connect(sockets, to);
        }
    }
}

/* A notice without a user is of a connection that has ended, and may be about a subscription that
 * was denied. A malicious peer with denied ones can make us miss that another's connection has
 * ended, which its silence tells a little later; it cannot make us think so. */
static uint32_t *denials(wsf_sockets *sockets, const uint8_t *topic, size_t size) {
    uint32_t hash = 2166136261; /* FNV-1a (Fowler, Noll, Vo) */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ topic[i]) * 16777619;
    return &sockets->denied[hash % DENIED_COUNT];
}

/* Whether the notice counts. Where there are keys the publisher's socket leaves it to us whom it
 * sends a topic, so that nobody reads what is for somebody else. */
static bool admit(wsf_sockets *sockets, zmq_msg_t *notice, const wsf_sockets_handler *handler) {
    const uint8_t *data = zmq_msg_data(notice);
    const uint8_t *topic = data + 1;
    size_t size = zmq_msg_size(notice) - 1;
    const char *user = zmq_msg_gets(notice, "User-Id");
    uint32_t *denied = denials(sockets, topic, size);
    bool subscribed = data[0] == 1;
    if (user == NULL) {
        if (subscribed || *denied == 0)
            return !subscribed;
        --*denied;
        return false;
    }
    bool allowed = wsf_keys_find(sockets->keys, user) >= 0 &&
                   handler->may_subscribe(handler->user, wsf_hash_identity(user), topic, size);
    int option = subscribed ? ZMQ_SUBSCRIBE : ZMQ_UNSUBSCRIBE;
    if (allowed)
        allowed = zmq_setsockopt(sockets->publisher, option, topic, size) == 0;
    if (!allowed && subscribed && *denied < UINT32_MAX)
        ++*denied;
    else if (!allowed && !subscribed && *denied > 0)
        --*denied;
    return allowed;
}

static bool receive_subscriptions(wsf_sockets *sockets, const wsf_sockets_handler *handler) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    int count = 0;
    while (count < SHARE_COUNT && zmq_msg_recv(&message, sockets->publisher, ZMQ_DONTWAIT) >= 0) {
        const uint8_t *data = zmq_msg_data(&message);
        size_t size = zmq_msg_size(&message);
        bool notice = size > 0 && data[0] <= 1;
        if (notice && (sockets->auth == NULL || admit(sockets, &message, handler)))
            handler->subscription(handler->user, data[0] == 1, data + 1, size - 1);
        else
            handler->stray(handler->user);
        count++;
    }
    zmq_msg_close(&message);
    return count == SHARE_COUNT;
}

/* A frame in the memory that ZeroMQ received it into. */
typedef struct {
    wsf_buffer buffer;
    zmq_msg_t message;
} received;

static void release_received(wsf_buffer *buffer) {
    received *frame = (received *)buffer;
    zmq_msg_close(&frame->message);
    wsf_free(frame);
}

static received *new_received(void) {
    received *part = wsf_alloc(sizeof *part);
    if (part == NULL)
        return NULL;
    memset(&part->buffer, 0, sizeof part->buffer);
    atomic_init(&part->buffer.refs, 1);
    part->buffer.release = release_received;
    zmq_msg_init(&part->message);
    return part;
}

static bool receive_part(received *part, void *socket) {
    if (zmq_msg_recv(&part->message, socket, ZMQ_DONTWAIT) < 0)
        return false;
    part->buffer.data = zmq_msg_data(&part->message);
    part->buffer.size = part->buffer.capacity = (uint32_t)zmq_msg_size(&part->message);
    return true;
}

/* Reads what is left of a message. */
static void drain(void *socket) {
    zmq_msg_t part;
    zmq_msg_init(&part);
    while (zmq_msg_recv(&part, socket, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&part))
        continue;
    zmq_msg_close(&part);
}

/* The second part, if there is one: ZeroMQ has all parts before it gives the first. False: there are
 * more, or there is no memory; the frame is void then. */
static bool receive_rest(received *frame, void *socket) {
    if (!zmq_msg_more(&frame->message))
        return true;
    received *rest = new_received();
    if (rest != NULL && receive_part(rest, socket)) {
        frame->buffer.rest = &rest->buffer;
        if (!zmq_msg_more(&rest->message))
            return true;
    } else if (rest != NULL) {
        wsf_buffer_unref(&rest->buffer);
    }
    drain(socket);
    return false;
}

/* Whether there was one. What the handler did not keep is read into again. */
static bool receive_frame(wsf_sockets *sockets, void *socket, uint32_t number,
                          const wsf_sockets_handler *handler) {
    received *frame = sockets->received;
    if (frame == NULL) {
        frame = sockets->received = new_received();
        if (frame == NULL)
            return false; /* it waits until there is memory */
    }
    if (!receive_part(frame, socket))
        return false;
    sockets->connections[number].proven = true;
    if (receive_rest(frame, socket))
        handler->frame(handler->user, number, sockets->connections[number].identity,
                       &frame->buffer);
    else
        handler->stray(handler->user);
    if (atomic_load(&frame->buffer.refs) > 1) {
        wsf_buffer_unref(&frame->buffer);
        sockets->received = NULL;
    } else {
        wsf_buffer_drop_rest(&frame->buffer);
        zmq_msg_close(&frame->message);
        zmq_msg_init(&frame->message);
    }
    return true;
}

static bool receive_frames(wsf_sockets *sockets, uint32_t number,
                           const wsf_sockets_handler *handler) {
    /* The handler may hang up, and dial again, while we read. */
    const connection *from = &sockets->connections[number];
    void *socket = from->socket;
    int count = 0;
    while (count < SHARE_COUNT && socket != NULL && from->socket == socket &&
           receive_frame(sockets, socket, number, handler))
        count++;
    return count == SHARE_COUNT;
}

bool wsf_sockets_receive(wsf_sockets *sockets, const wsf_sockets_handler *handler) {
    if (sockets->auth != NULL)
        wsf_auth_answer(sockets->auth);
    bool more = receive_subscriptions(sockets, handler);
    for (uint32_t i = 0; i < sockets->connections_used; i++)
        more = receive_frames(sockets, i, handler) || more;
    give_up_silent(sockets, now_ms()); /* after all that has come while this thread did not run */
    return more;
}
