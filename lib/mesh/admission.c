/* Answers for the connections to the port of the mesh: how many there may be, how long one may stay without a
 * valid subscription, and how many bytes each may send. Does not know what a subscription means.
 *
 * ZeroMQ accepts connections and keeps subscriptions without a limit, and cannot be told to end one
 * connection. So this file learns of each connection from a socket monitor, duplicates its descriptor (a
 * duplicate cannot come to mean another connection), and ends a connection by shutdown(): to ZeroMQ it looks
 * as if the peer had gone.
 * - A peer connects, greets, makes two subscriptions, and says nothing more. Each
 *   connection has an allowance of bytes for that, which the kernel counts. A thread of its own checks the
 *   allowances: while subscriptions pour in, a call of ZeroMQ's does not return to the mesh thread.
 * - A connection without a valid subscription is pending, for PENDING_MS at most. Of too many that are
 *   pending the oldest is ended.
 * - When the process has no descriptor left, ZeroMQ retries accept() for ever. Then the spare descriptor is
 *   closed, so that accept() succeeds, and the connection is ended.
 *
 * Invariant: a slot's descriptor is of a connection to our port. `lock` guards everything but the thread. */
#include "mesh/admission.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wsfan/wsfan.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/preflight.h"

enum {
    CONNECTIONS_MAX = 512,
    CONNECTIONS_PART = 4, /* one in 4 descriptors; each takes two, ZeroMQ's and ours: a half */
    PENDING_PART = 8,
    PENDING_MAX = 128,
    PENDING_MS = 10 * 1000, /* time for a handshake and a subscription */
    SUBSCRIPTIONS_MAX = 4,  /* a peer makes two: its inbox and its introduction */
    BURST_BYTES = 2 * 1024, /* a greeting, a handshake and the subscriptions: less than 1 KiB */
    BYTES_PER_S = 512,      /* more than a peer has to say */
    EVENTS_MAX = 64,
    TICK_MS = 250,  /* between checks while a connection is pending or the spare is missing */
    IDLE_MS = 5000, /* between checks else */
    NAP_MS = 10,    /* between failures of accept() */
    REPORTS_MAX = 32,
    ADDRESSES_COUNT = 256
};

static const char MONITOR[] = "inproc://wsfan-admission";

typedef struct {
    int fd;          /* the duplicate; -1: the slot is free */
    int zmq_fd;      /* ZeroMQ's own, whose number may be another descriptor's by now */
    bool pending;    /* no valid subscription was made yet */
    bool ended;      /* by end() */
    uint32_t number; /* of the connection, in epoll's events */
    uint32_t identity;
    uint32_t subscriptions;
    uint64_t since_ms;
    int64_t allowance; /* bytes that could still come at allowed_ms */
    uint64_t allowed_ms;
    uint64_t received; /* bytes that have come */
} slot;

/* Where a connection came from. It outlives the slot: ZeroMQ tells why a connection failed when it is gone. */
typedef struct {
    int zmq_fd; /* 0: none, a descriptor that no connection has here */
    char text[WSFAN_CALLER_ADDRESS_SIZE];
} origin;

typedef struct {
    char address[WSFAN_CALLER_ADDRESS_SIZE];
    wsfan_endpoint_state cause;
} report;

struct wsf_admission {
    void *socket;  /* whose connections are watched */
    void *monitor; /* the socket's events */
    pthread_t thread;
    pthread_mutex_t lock;
    int epoll_fd;
    int wake_fd;
    int spare_fd; /* -1: closed, so that accept() succeeds */
    int grip_fd;  /* duplicates a connection that gets no descriptor of its own */
    atomic_uint_fast64_t ended;
    atomic_uint_fast64_t refused; /* handshakes */
    bool stop;
    bool threaded;
    uint16_t port;    /* network byte order */
    uint32_t numbers; /* given to connections so far */
    unsigned connections_max;
    unsigned pending_max;
    bool keyed;
    int told_fd;                     /* written after a report */
    wsfan_endpoint_state failure;    /* of the connection whose end comes next; DIALLING: none */
    origin origins[ADDRESSES_COUNT]; /* by descriptor */
    report reports[REPORTS_MAX];     /* a ring; the newest are dropped */
    unsigned reports_first;
    unsigned reports_count;
    atomic_uint reported; /* reports_count, to be read without the lock */
    slot slots[CONNECTIONS_MAX];
};

/* ---------------------------------------------------------------------------------------- slots */

static void tell(wsf_admission *admission, int zmq_fd, wsfan_endpoint_state cause) {
    const origin *from = &admission->origins[(unsigned)zmq_fd % ADDRESSES_COUNT];
    if (admission->reports_count == REPORTS_MAX)
        return; /* counted all the same, by `ended` and `refused` */
    report *r =
        &admission->reports[(admission->reports_first + admission->reports_count++) % REPORTS_MAX];
    r->cause = cause;
    snprintf(r->address, sizeof r->address, "%s", from->zmq_fd == zmq_fd ? from->text : "");
    atomic_store_explicit(&admission->reported, admission->reports_count, memory_order_relaxed);
    if (admission->reports_count == 1) /* else the mesh thread has been woken, and takes all */
        eventfd_write(admission->told_fd, 1);
}

/* fd: a duplicate; ZeroMQ's own may be another's by now. */
static void note_origin(wsf_admission *admission, int zmq_fd, int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } peer;
    socklen_t size = sizeof peer;
    origin *from = &admission->origins[(unsigned)zmq_fd % ADDRESSES_COUNT];
    *from = (origin){ .zmq_fd = zmq_fd };
    if (getpeername(fd, &peer.any, &size) != 0)
        return;
    const void *ip = peer.any.sa_family == AF_INET ? (const void *)&peer.ip4.sin_addr
                                                   : &peer.ip6.sin6_addr;
    inet_ntop(peer.any.sa_family, ip, from->text, sizeof from->text);
}

static void end(wsf_admission *admission, slot *s, wsfan_endpoint_state cause) {
    tell(admission, s->zmq_fd, cause);
    atomic_fetch_add_explicit(&admission->ended, 1, memory_order_relaxed);
    s->ended = true;
    shutdown(s->fd, SHUT_RDWR);
}

/* epoll watches the connection, of which ZeroMQ has a descriptor still, and not our descriptor. */
static void release_slot(wsf_admission *admission, slot *s) {
    epoll_ctl(admission->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    close(s->fd);
    s->fd = -1;
}

static slot *find(wsf_admission *admission, int zmq_fd) {
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (admission->slots[i].fd >= 0 && admission->slots[i].zmq_fd == zmq_fd)
            return &admission->slots[i];
    return NULL;
}

/* Whether fd is of a connection to our port: the number that ZeroMQ told may be reused by now. */
static bool is_ours(const wsf_admission *admission, int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } own;
    socklen_t size = sizeof own;
    int listens = 0;
    socklen_t listens_size = sizeof listens;
    if (getsockname(fd, &own.any, &size) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) != 0 || listens != 0)
        return false;
    return (own.any.sa_family == AF_INET && own.ip4.sin_port == admission->port) ||
           (own.any.sa_family == AF_INET6 && own.ip6.sin6_port == admission->port);
}

/* Ends a connection for which there is no slot or no descriptor. */
static void turn_away(wsf_admission *admission, int zmq_fd) {
    if (dup3(zmq_fd, admission->grip_fd, O_CLOEXEC) < 0)
        return; /* ZeroMQ has closed the connection */
    if (is_ours(admission, admission->grip_fd)) {
        note_origin(admission, zmq_fd, admission->grip_fd);
        shutdown(admission->grip_fd, SHUT_RDWR);
        atomic_fetch_add_explicit(&admission->ended, 1, memory_order_relaxed);
    }
    dup3(admission->wake_fd, admission->grip_fd, O_CLOEXEC);
}

/* The oldest pending connection, and how many are pending and there are in all. */
static slot *oldest_pending(wsf_admission *admission, unsigned *pending, unsigned *all) {
    slot *oldest = NULL;
    *pending = *all = 0;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        slot *s = &admission->slots[i];
        if (s->fd < 0)
            continue;
        ++*all;
        if (!s->pending || s->ended)
            continue;
        ++*pending;
        if (oldest == NULL || s->since_ms < oldest->since_ms)
            oldest = s;
    }
    return oldest;
}

static void on_accepted(wsf_admission *admission, int zmq_fd) {
    unsigned pending;
    unsigned all;
    slot *known = find(admission, zmq_fd);
    if (known != NULL)
        release_slot(admission, known); /* the number was reused */
    slot *oldest = oldest_pending(admission, &pending, &all);
    if (oldest != NULL && (pending >= admission->pending_max || all >= admission->connections_max))
        end(admission, oldest, WSFAN_ENDPOINT_MUTE);
    int fd = all < admission->connections_max ? fcntl(zmq_fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fd < 0) {
        turn_away(admission, zmq_fd);
        return;
    }
    slot *s = admission->slots;
    while (s->fd >= 0)
        s++;
    uint64_t ms = wsf_clock_ms();
    *s = (slot){ .fd = fd,
                 .zmq_fd = zmq_fd,
                 .pending = true,
                 .number = ++admission->numbers,
                 .since_ms = ms,
                 .allowance = BURST_BYTES,
                 .allowed_ms = ms };
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                 .data.u64 = (uint64_t)s->number << 32 |
                                             (uint64_t)(s - admission->slots) };
    if (!is_ours(admission, fd)) {
        admission->origins[(unsigned)zmq_fd % ADDRESSES_COUNT].zmq_fd = 0;
        release_slot(admission, s);
        return;
    }
    note_origin(admission, zmq_fd, fd);
    if (epoll_ctl(admission->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        release_slot(admission, s);
}

/* ------------------------------------------------------------------------------------ the events */

static void close_spare(wsf_admission *admission) {
    if (admission->spare_fd >= 0)
        close(admission->spare_fd);
    admission->spare_fd = -1;
}

/* Whether a handshake failed for a key. ZAP asks auth.c about a client's key only; a client that takes the node
 * for another, or has no key, fails before. */
static bool is_refusal(uint16_t event, uint32_t value) {
    return event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH ||
           (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL &&
            (value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC ||
             value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH));
}

/* Why a handshake failed, which ZeroMQ tells just before the end of its connection. auth.c knows best of keys that
 * are not allowed. */
static void note_failure(wsf_admission *admission, uint16_t event, uint32_t value) {
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
        admission->failure = WSFAN_ENDPOINT_FOREIGN;
        if (value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)
            admission->failure = WSFAN_ENDPOINT_KEY_UNKNOWN_THERE;
        else if (value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
            admission->failure = admission->keyed ? WSFAN_ENDPOINT_PLAIN_THERE
                                                  : WSFAN_ENDPOINT_PLAIN_HERE;
    }
    if (is_refusal(event, value))
        atomic_fetch_add_explicit(&admission->refused, 1, memory_order_relaxed);
}

static void note_end(wsf_admission *admission, int zmq_fd) {
    slot *s = find(admission, zmq_fd);
    if (admission->failure != WSFAN_ENDPOINT_DIALLING)
        tell(admission, zmq_fd, admission->failure);
    admission->failure = WSFAN_ENDPOINT_DIALLING;
    if (s != NULL)
        release_slot(admission, s);
}

/* False: accept() fails still, and there is no spare descriptor to close. */
static bool read_events(wsf_admission *admission) {
    struct {
        uint16_t event;
        uint32_t value;
    } e;
    bool in_vain = false;
    uint8_t data[sizeof e.event + sizeof e.value];
    char address[256];
    int size;
    while ((size = zmq_recv(admission->monitor, data, sizeof data, ZMQ_DONTWAIT)) >= 0) {
        zmq_recv(admission->monitor, address, sizeof address, 0);
        if (size != sizeof data)
            continue;
        memcpy(&e.event, data, sizeof e.event);
        memcpy(&e.value, data + sizeof e.event, sizeof e.value);
        if (e.event == ZMQ_EVENT_DISCONNECTED) {
            note_end(admission, (int)e.value);
        } else if (e.event == ZMQ_EVENT_ACCEPTED) {
            on_accepted(admission, (int)e.value);
            in_vain = false;
        } else if (e.event == ZMQ_EVENT_ACCEPT_FAILED && (e.value == EMFILE || e.value == ENFILE)) {
            in_vain = admission->spare_fd < 0;
            close_spare(admission);
        } else {
            note_failure(admission, e.event, e.value);
        }
    }
    return !in_vain;
}

/* Takes the bytes that have come from the allowance of a connection; ends it when they are more. */
static void count_bytes(wsf_admission *admission, slot *s) {
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    if (s->ended || getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return;
    uint64_t ms = wsf_clock_ms();
    s->allowance += (int64_t)((ms - s->allowed_ms) * BYTES_PER_S / 1000);
    if (s->allowance > BURST_BYTES)
        s->allowance = BURST_BYTES;
    s->allowed_ms = ms;
    s->allowance -= (int64_t)(info.tcpi_bytes_received - s->received);
    s->received = info.tcpi_bytes_received;
    if (s->allowance < 0)
        end(admission, s, WSFAN_ENDPOINT_FOREIGN);
}

/* Ends connections that are pending for too long. Returns how long to wait in ms, never for ever: the mesh
 * thread may read the events of new connections, and this thread is not woken then. */
static int tick(wsf_admission *admission) {
    uint64_t ms = wsf_clock_ms();
    bool waiting = false;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        slot *s = &admission->slots[i];
        if (s->fd < 0 || !s->pending || s->ended)
            continue;
        if (ms - s->since_ms >= PENDING_MS)
            end(admission, s, WSFAN_ENDPOINT_MUTE);
        else
            waiting = true;
    }
    if (admission->spare_fd < 0)
        admission->spare_fd = fcntl(admission->wake_fd, F_DUPFD_CLOEXEC, 0);
    return waiting || admission->spare_fd < 0 ? TICK_MS : IDLE_MS;
}

/* The slot that an event of epoll is about; NULL: of none, or of a connection that had the slot before. */
static slot *slot_of(wsf_admission *admission, uint64_t data) {
    uint32_t i = (uint32_t)data;
    slot *s = i < CONNECTIONS_MAX ? &admission->slots[i] : NULL;
    return s != NULL && s->fd >= 0 && s->number == data >> 32 ? s : NULL;
}

static void *run(void *user) {
    wsf_admission *admission = user;
    struct epoll_event events[EVENTS_MAX];
    int timeout_ms = TICK_MS;
    for (bool stop = false; !stop;) {
        int count = epoll_wait(admission->epoll_fd, events, EVENTS_MAX, timeout_ms);
        pthread_mutex_lock(&admission->lock);
        for (int i = 0; i < count; i++) {
            slot *s = slot_of(admission, events[i].data.u64);
            if (s == NULL)
                continue;
            if ((events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
                release_slot(admission, s);
            else
                count_bytes(admission, s);
        }
        bool in_vain = !read_events(admission);
        timeout_ms = tick(admission);
        stop = admission->stop;
        pthread_mutex_unlock(&admission->lock);
        if (in_vain) /* accept() fails at once, again and again: do not look at each failure */
            poll(NULL, 0, NAP_MS);
    }
    return NULL;
}

/* ------------------------------------------------------------------------------- open and close */

static int open_monitor(wsf_admission *admission, void *context) {
    int zero = 0;
    int fd;
    size_t size = sizeof fd;
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = CONNECTIONS_MAX };
    admission->monitor = zmq_socket(context, ZMQ_PAIR);
    if (admission->monitor == NULL ||
        zmq_socket_monitor(admission->socket, MONITOR,
                           ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED |
                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                               ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) != 0 ||
        zmq_setsockopt(admission->monitor, ZMQ_LINGER, &zero, sizeof zero) != 0 ||
        /* no limit: ZeroMQ's I/O thread must not wait for this one */
        zmq_setsockopt(admission->monitor, ZMQ_RCVHWM, &zero, sizeof zero) != 0 ||
        zmq_connect(admission->monitor, MONITOR) != 0 ||
        zmq_getsockopt(admission->monitor, ZMQ_FD, &fd, &size) != 0 ||
        epoll_ctl(admission->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 ||
        epoll_ctl(admission->epoll_fd, EPOLL_CTL_ADD, admission->wake_fd, &event) != 0)
        return WSFAN_ESYSTEM;
    return WSFAN_OK;
}

int wsf_admission_open(wsf_admission **out, void *context, void *socket) {
    wsf_admission *admission = wsf_alloc_zero(1, sizeof *admission);
    if (admission == NULL)
        return WSFAN_ENOMEM;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        admission->slots[i].fd = -1;
    admission->socket = socket;
    admission->connections_max = wsf_preflight_share(CONNECTIONS_PART, CONNECTIONS_MAX);
    admission->pending_max = wsf_preflight_share(PENDING_PART, PENDING_MAX);
    admission->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    admission->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    admission->spare_fd = fcntl(admission->wake_fd, F_DUPFD_CLOEXEC, 0);
    admission->grip_fd = fcntl(admission->wake_fd, F_DUPFD_CLOEXEC, 0);
    pthread_mutex_init(&admission->lock, NULL);
    int error = WSFAN_ESYSTEM;
    if (admission->epoll_fd >= 0 && admission->wake_fd >= 0 && admission->spare_fd >= 0 &&
        admission->grip_fd >= 0)
        error = open_monitor(admission, context);
    if (error != WSFAN_OK) {
        int reason = errno;
        wsf_admission_close(admission);
        errno = reason;
        return error;
    }
    *out = admission;
    return WSFAN_OK;
}

int wsf_admission_watch(wsf_admission *admission, uint16_t port, bool keyed, int wake_fd) {
    admission->port = htons(port);
    admission->keyed = keyed;
    admission->told_fd = wake_fd;
    admission->threaded = pthread_create(&admission->thread, NULL, run, admission) == 0;
    return admission->threaded ? WSFAN_OK : WSFAN_ESYSTEM;
}

void wsf_admission_close(wsf_admission *admission) {
    if (admission == NULL)
        return;
    if (admission->threaded) {
        pthread_mutex_lock(&admission->lock);
        admission->stop = true;
        pthread_mutex_unlock(&admission->lock);
        eventfd_write(admission->wake_fd, 1);
        pthread_join(admission->thread, NULL);
    }
    zmq_socket_monitor(admission->socket, NULL, 0);
    if (admission->monitor != NULL)
        zmq_close(admission->monitor);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        if (admission->slots[i].fd >= 0)
            release_slot(admission, &admission->slots[i]);
    int fds[] = { admission->epoll_fd, admission->wake_fd, admission->spare_fd,
                  admission->grip_fd };
    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    pthread_mutex_destroy(&admission->lock);
    wsf_free(admission);
}

bool wsf_admission_take(wsf_admission *admission, char address[WSFAN_CALLER_ADDRESS_SIZE],
                        wsfan_endpoint_state *cause) {
    if (atomic_load_explicit(&admission->reported, memory_order_relaxed) == 0)
        return false;
    pthread_mutex_lock(&admission->lock);
    bool any = admission->reports_count > 0;
    if (any) {
        const report *r = &admission->reports[admission->reports_first];
        memcpy(address, r->address, sizeof r->address);
        *cause = r->cause;
        admission->reports_first = (admission->reports_first + 1) % REPORTS_MAX;
        admission->reports_count--;
    }
    atomic_store_explicit(&admission->reported, admission->reports_count, memory_order_relaxed);
    pthread_mutex_unlock(&admission->lock);
    return any;
}

uint64_t wsf_admission_ended(const wsf_admission *admission) {
    return atomic_load_explicit(&admission->ended, memory_order_relaxed);
}

uint64_t wsf_admission_refused(const wsf_admission *admission) {
    return atomic_load_explicit(&admission->refused, memory_order_relaxed);
}

/* -------------------------------------------------------------------------------- subscriptions */

/* Whether one key has three quarters of the connections. The rest is for other keys. */
static bool crowds(const wsf_admission *admission, uint32_t identity) {
    unsigned count = 0;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        count += admission->slots[i].fd >= 0 && !admission->slots[i].pending &&
                 admission->slots[i].identity == identity;
    return identity != 0 && count >= admission->connections_max * 3 / 4;
}

/* A descriptor's number is all that tells which connection a message came by. What one sent before it ended may be
 * judged when its number is another's: that one is ended in its place, and dials again. */
wsf_admission_verdict wsf_admission_judge(wsf_admission *admission, int descriptor,
                                          uint32_t identity, bool in_order) {
    wsf_admission_verdict verdict;
    pthread_mutex_lock(&admission->lock);
    /* The number may be a new connection's: its event comes before its first subscription. */
    read_events(admission);
    slot *s = find(admission, descriptor);
    if (s == NULL || s->ended) {
        verdict = in_order ? WSF_ADMISSION_LATE : WSF_ADMISSION_OFFENDS;
    } else if (!in_order || s->subscriptions == SUBSCRIPTIONS_MAX ||
               (s->pending && crowds(admission, identity))) {
        end(admission, s, WSFAN_ENDPOINT_FOREIGN);
        verdict = WSF_ADMISSION_OFFENDS;
    } else {
        s->subscriptions++;
        s->pending = false;
        s->identity = identity;
        verdict = WSF_ADMISSION_COUNTS;
    }
    pthread_mutex_unlock(&admission->lock);
    return verdict;
}
