/* Answers for what is sent and received by ZeroMQ; auth.c, connection.c and admission.c are the only other
 * files that know ZeroMQ. Hazards of libzmq 4.3.4 that shape this file:
 * - A connecting SUB with a heartbeat of its own aborts the process when it reaches RCVHWM. So only the XPUB
 *   has one, and no socket has a high-water mark: links bound what is under way.
 * - With the default linger zmq_ctx_term() blocks for ever.
 * - A peer that speaks ZMTP 1.0 (any bytes that do not begin with 0xff look like one) can abort the process
 *   in zmtp_engine.cpp, "Resource temporarily unavailable", because a subscription is made up for it that may
 *   find no pipe. With a ZAP domain set such peers are turned away first.
 * - zmq_bind() removes what is at the path of an ipc endpoint, be it a file or the socket of a live node.
 * - A connection whose handshake failed (another key, a stranger at the other end) is never tried again by
 *   libzmq. So connection.c makes a new socket where nothing has come for a while.
 * - Where libzmq finds no descriptor or thread for its own threads it ends the process.
 * - When a connection ends, libzmq throws away a half-sent message of two parts; where it cannot, it ends the
 *   process: see docs/design.md.
 * - I/O threads inherit the signal mask of the thread that makes the first socket. */
#include "mesh/socket.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <wsfan/wsfan.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/interfaces.h"
#include "base/memory.h"
#include "base/preflight.h"
#include "base/thread.h"
#include "mesh/admission.h"
#include "mesh/bind.h"
#include "mesh/connection.h"
#include "mesh/tcp_probe.h"
#include "mesh/zmq.h"

enum {
    SUBSCRIPTION_SIZE_MAX = 256, /* bytes of a message that the XPUB accepts */
    INITIATE_SIZE_MAX = 512, /* the same with keys: the handshake of CURVE has a command of 285 */
    NOTICES_SHARE = 64,      /* subscriptions before the connections have their turn */
    DENIED_COUNT = 256,
    /* The context, its threads, our sockets, the port and its admission, and the first connections. */
    CONTEXT_DESCRIPTORS = 24,
    /* Of connections, of trials and monitors with two each, and of what the context has besides. */
    CONTEXT_SOCKETS = 2 * (WSF_CONNECTIONS_COUNT_MAX + WSF_TRIALS_MAX + WSF_MONITORS_MAX) + 64,
    CONNECTION_PROBE_MS = 2500,    /* a packet that was lost once is sent again */
    CONTEXT_THREADS = 4,           /* reaper, I/O, admission's, and the mesh thread that follows */
    RECEIVED_BYTES_MAX = 2 * 1024, /* of a connection to our port, in the kernel, not read yet */
    WATCHED_MAX = WSF_WATCH_END + WSF_TRIALS_MAX + WSF_MONITORS_MAX
};

typedef struct {
    wsf_carrier carrier;
    void *publisher;
    wsf_admission *admission;      /* NULL: for ipc, whose files say who may connect */
    bool publisher_unread;         /* there may be something to read */
    bool auth_unread;              /* the same, for wsf_auth_answer() */
    uint32_t denied[DENIED_COUNT]; /* subscriptions, counted by a hash of the topic */
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    void *received; /* the next frame is read into this; NULL: not made yet */
    wsf_connections connections;
    wsf_tcp_probes tcp_probes;
    bool stopped;                           /* the handler wants no more frames now */
    uint32_t next;                          /* the connection that is read first */
    struct epoll_event events[WATCHED_MAX]; /* of note_events() */
} wsf_sockets;

static const wsf_carrier_calls calls;

static wsf_sockets *sockets_of(wsf_carrier *carrier) {
    return (wsf_sockets *)carrier;
}

/* -------------------------------------------------------------------------------------- opening */

/* Finds the endpoint that peers are told; "": no address that is bound is of use to them. */
static void find_own_endpoint(wsf_sockets *sockets, uint16_t *port) {
    char bound[256];
    char host[WSF_INTERFACE_HOST_SIZE];
    size_t size = sizeof bound;
    if (zmq_getsockopt(sockets->publisher, ZMQ_LAST_ENDPOINT, bound, &size) != 0)
        bound[0] = '\0';
    const char *colon = strrchr(bound, ':');
    *port = colon != NULL ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
    bool all4 = strncmp(bound, "tcp://0.0.0.0:", 14) == 0;
    bool all = strncmp(bound, "tcp://[::]:", 11) == 0; /* of both families */
    if ((all4 || all) && wsf_interfaces_address(NULL, all, host))
        snprintf(sockets->endpoint, sizeof sockets->endpoint, "tcp://%s%s", host, colon);
    else if (wsf_endpoint_to_tell(bound, strlen(bound)))
        snprintf(sockets->endpoint, sizeof sockets->endpoint, "%.*s", WSF_ENDPOINT_SIZE_MAX, bound);
}

static int open_publisher(wsf_sockets *sockets, const char *endpoint, int wake_fd) {
    const wsf_connections *shared = &sockets->connections;
    sockets->publisher = zmq_socket(shared->context, ZMQ_XPUB);
    if (sockets->publisher == NULL)
        return errno == ENOMEM ? WSFAN_ENOMEM : WSFAN_ESYSTEM;
    char to_bind[WSF_ENDPOINT_SIZE_MAX + 1];
    int error = wsf_bind_write(endpoint, to_bind);
    if (error != WSFAN_OK)
        return error;
    wsf_zmq_set_common(sockets->publisher,
                       shared->auth != NULL ? INITIATE_SIZE_MAX : SUBSCRIPTION_SIZE_MAX, to_bind);
    wsf_zmq_set_int(sockets->publisher, ZMQ_XPUB_VERBOSER, 1);
    wsf_zmq_set_int(sockets->publisher, ZMQ_RCVBUF, RECEIVED_BYTES_MAX);
    zmq_setsockopt(sockets->publisher, ZMQ_ZAP_DOMAIN, "wsfan", 5);
    if (shared->auth != NULL && !wsf_auth_listen(shared->auth, sockets->publisher))
        return WSFAN_ESYSTEM;
    if ((error = wsf_bind_check_path(endpoint)) != WSFAN_OK)
        return error;
    bool tcp = strncmp(endpoint, "tcp:", 4) == 0;
    if (tcp && (error = wsf_admission_open(&sockets->admission, shared->context,
                                           sockets->publisher)) != WSFAN_OK)
        return error;
    if (zmq_bind(sockets->publisher, to_bind) != 0)
        return wsf_bind_error(errno);
    uint16_t port;
    find_own_endpoint(sockets, &port);
    return tcp ? wsf_admission_watch(sockets->admission, port, shared->auth != NULL, wake_fd)
               : WSFAN_OK;
}

/* Opens the handler of ZAP as well, which has to be there before anybody can connect. */
static int open_context(wsf_connections *shared) {
    int error = wsf_preflight_check(CONTEXT_DESCRIPTORS, CONTEXT_THREADS);
    if (error != WSFAN_OK)
        return error;
    shared->context = zmq_ctx_new();
    if (shared->context == NULL)
        return errno == ENOMEM ? WSFAN_ENOMEM : WSFAN_ESYSTEM;
    zmq_ctx_set(shared->context, ZMQ_MAX_SOCKETS, CONTEXT_SOCKETS);
    if (shared->keys == NULL)
        return WSFAN_OK;
    return wsf_auth_open(&shared->auth, shared->context, shared->keys);
}

static int watch_all(wsf_sockets *sockets) {
    const wsf_connections *shared = &sockets->connections;
    bool watched = wsf_zmq_watch(shared->watch_fd, sockets->publisher, WSF_WATCH_PUBLISHER) &&
                   (shared->auth == NULL ||
                    wsf_zmq_watch(shared->watch_fd, wsf_auth_socket(shared->auth), WSF_WATCH_AUTH));
    sockets->publisher_unread = true;
    sockets->auth_unread = shared->auth != NULL;
    return watched ? WSFAN_OK : WSFAN_ESYSTEM;
}

static void close_all(wsf_carrier *carrier, int linger_ms) {
    wsf_sockets *sockets = sockets_of(carrier);
    wsf_connections *shared = &sockets->connections;
    for (uint32_t i = 0; i < shared->used; i++)
        wsf_connections_hang_up(shared, i);
    wsf_tcp_probes_end(&sockets->tcp_probes);
    wsf_tcp_probes_end(&shared->probes);
    if (sockets->received != NULL)
        wsf_buffer_unref(sockets->received);
    wsf_admission_close(sockets->admission);
    if (sockets->publisher != NULL) {
        wsf_zmq_set_int(sockets->publisher, ZMQ_LINGER, linger_ms);
        zmq_close(sockets->publisher);
    }
    wsf_auth_close(shared->auth);
    if (shared->context != NULL)
        while (zmq_ctx_term(shared->context) != 0 && errno == EINTR)
            continue;
    if (shared->watch_fd >= 0)
        close(shared->watch_fd);
    wsf_free(sockets);
}

int wsf_sockets_open(wsf_carrier **out, const char *endpoint, uint64_t frame_size_max,
                     const wsf_keys *keys, int wake_fd) {
    wsf_sockets *sockets = wsf_alloc_zero(1, sizeof *sockets);
    if (sockets == NULL)
        return WSFAN_ENOMEM;
    sockets->carrier.calls = &calls;
    wsf_connections *shared = &sockets->connections;
    shared->frame_size_max = (int64_t)frame_size_max;
    shared->keys = keys;
    shared->trials_max = wsf_preflight_share(WSF_TRIALS_PART, WSF_TRIALS_MAX);
    shared->monitors_max = wsf_preflight_share(WSF_MONITORS_PART, WSF_MONITORS_MAX);
    shared->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    shared->probes = (wsf_tcp_probes){ .watch_fd = shared->watch_fd,
                                       .watch_number = WSF_WATCH_CONNECTION_PROBES,
                                       .answer_ms = CONNECTION_PROBE_MS,
                                       .greets = true,
                                       .keyed = keys != NULL };
    sockets->tcp_probes.watch_fd = shared->watch_fd;
    sockets->tcp_probes.watch_number = WSF_WATCH_TCP_PROBES;
    int error = shared->watch_fd >= 0 ? WSFAN_OK : WSFAN_ESYSTEM;

    sigset_t before;
    wsf_thread_block_signals(&before);
    if (error == WSFAN_OK)
        error = open_context(shared);
    if (error == WSFAN_OK)
        error = open_publisher(sockets, endpoint, wake_fd);
    if (error == WSFAN_OK)
        error = watch_all(sockets);
    wsf_thread_restore_signals(&before);

    if (error != WSFAN_OK) {
        int saved = errno;
        close_all(&sockets->carrier, 0);
        errno = saved;
        return error;
    }
    *out = &sockets->carrier;
    return WSFAN_OK;
}

static void count(const wsf_carrier *carrier, wsfan_stats *stats) {
    const wsf_admission *admission = ((const wsf_sockets *)carrier)->admission;
    stats->connections_ended = admission != NULL ? wsf_admission_ended(admission) : 0;
    stats->handshakes_refused = admission != NULL ? wsf_admission_refused(admission) : 0;
}

static const char *endpoint_of(const wsf_carrier *carrier) {
    return ((const wsf_sockets *)carrier)->endpoint;
}

/* ---------------------------------------------------------------------------------- connections */

static void subscribe_to(wsf_carrier *carrier, const void *inbox, size_t inbox_size,
                         const void *introduction, size_t introduction_size) {
    wsf_connections *shared = &sockets_of(carrier)->connections;
    assert(inbox_size <= WSF_SUBSCRIBED_SIZE_MAX && introduction_size <= WSF_SUBSCRIBED_SIZE_MAX);
    memcpy(shared->inbox, inbox, inbox_size);
    memcpy(shared->introduction, introduction, introduction_size);
    shared->inbox_size = inbox_size;
    shared->introduction_size = introduction_size;
}

static void dial(wsf_carrier *carrier, uint32_t number, const char *endpoint, uint32_t identity) {
    wsf_connections_dial(&sockets_of(carrier)->connections, number, endpoint, identity);
}

static void seek(wsf_carrier *carrier, uint32_t number, uint32_t identity) {
    wsf_connections_seek(&sockets_of(carrier)->connections, number, identity);
}

static void hang_up(wsf_carrier *carrier, uint32_t number) {
    wsf_connections_hang_up(&sockets_of(carrier)->connections, number);
}

static void probe(wsf_carrier *carrier, uint64_t node, const char *endpoint) {
    wsf_tcp_probes_begin(&sockets_of(carrier)->tcp_probes, node, endpoint, wsf_clock_ms());
}

static void set_keys(wsf_carrier *carrier, const wsf_keys *keys) {
    wsf_connections *shared = &sockets_of(carrier)->connections;
    wsf_auth_set_keys(shared->auth, keys);
    wsf_connections_set_keys(shared, keys);
}

/* -------------------------------------------------------------------------------------- traffic */

static void give_back(void *data, void *frame) {
    (void)data;
    wsf_buffer_unref(frame);
}

/* False: nothing was sent. needed: the first part was sent, so without memory an empty part goes in place of
 * the second; the receiver drops the frame, and asks for it again. */
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

static void send_frame(wsf_carrier *carrier, wsf_buffer *frame) {
    wsf_sockets *sockets = sockets_of(carrier);
    sockets->publisher_unread = true; /* zmq_msg_send() handles events, and clears the descriptor */
    if (send_part(sockets, frame, frame->rest != NULL ? ZMQ_SNDMORE : 0, false) &&
        frame->rest != NULL)
        send_part(sockets, frame->rest, 0, true);
}

/* ------------------------------------------------------------------------------------- waiting */

static uint64_t deadline(wsf_carrier *carrier) {
    wsf_sockets *sockets = sockets_of(carrier);
    const wsf_connections *connections = &sockets->connections;
    if (sockets->publisher_unread)
        sockets->publisher_unread = wsf_zmq_readable(sockets->publisher);
    if (sockets->publisher_unread || sockets->auth_unread)
        return 0;
    for (uint32_t i = 0; i < connections->used; i++)
        if (connections->list[i].unread)
            return 0;
    uint64_t tcp_probes_ms = wsf_tcp_probes_deadline(&sockets->tcp_probes);
    uint64_t connections_ms = wsf_connections_deadline(connections);
    return tcp_probes_ms < connections_ms ? tcp_probes_ms : connections_ms;
}

static int descriptor(const wsf_carrier *carrier) {
    return ((const wsf_sockets *)carrier)->connections.watch_fd;
}

/* The event may be of a socket that was replaced: then reading finds nothing. */
static void note_events(wsf_sockets *sockets) {
    uint64_t ms = wsf_clock_ms();
    int count = epoll_wait(sockets->connections.watch_fd, sockets->events, WATCHED_MAX, 0);
    for (int i = 0; i < count; i++) {
        uint32_t number = sockets->events[i].data.u32;
        if (number == WSF_WATCH_PUBLISHER)
            sockets->publisher_unread = true;
        else if (number == WSF_WATCH_AUTH)
            sockets->auth_unread = true;
        else if (number < WSF_CONNECTIONS_COUNT_MAX)
            sockets->connections.list[number].unread = true;
        else if (number == WSF_WATCH_MONITOR)
            sockets->connections.monitors_unread = true;
        else if (number >= WSF_WATCH_CONNECTION_PROBES)
            wsf_tcp_probes_note(&sockets->connections.probes, number - WSF_WATCH_CONNECTION_PROBES,
                                ms);
        else if (number >= WSF_WATCH_TCP_PROBES)
            wsf_tcp_probes_note(&sockets->tcp_probes, number - WSF_WATCH_TCP_PROBES, ms);
    }
}

/* ------------------------------------------------------------------------------------ receiving */

/* A notice of a connection that has ended has no user, and may be about a subscription that was denied; so
 * denied ones are counted. A malicious peer with denied subscriptions can hide the end of another's
 * connection, which silence tells a little later; it cannot make a live connection seem ended. */
static uint32_t *denials(wsf_sockets *sockets, const uint8_t *topic, size_t size) {
    uint32_t hash = 2166136261; /* FNV-1a (Fowler, Noll, Vo) */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ topic[i]) * 16777619;
    return &sockets->denied[hash % DENIED_COUNT];
}

/* Whether a peer may make this subscription, and its connection may make another one. */
static bool is_in_order(wsf_sockets *sockets, zmq_msg_t *notice, const char *user,
                        const wsf_carrier_handler *handler) {
    const uint8_t *data = zmq_msg_data(notice);
    uint32_t identity = user != NULL ? wsf_hash_identity(user) : 0;
    bool known = user == NULL || wsf_keys_find(sockets->connections.keys, user) >= 0;
    bool in_order = known && handler->may_subscribe(handler->user, identity, data + 1,
                                                    zmq_msg_size(notice) - 1);
    if (sockets->admission == NULL || data[0] == 0)
        return in_order;
    int descriptor = zmq_msg_get(notice, ZMQ_SRCFD);
    wsf_admission_verdict verdict = wsf_admission_judge(sockets->admission, descriptor, identity,
                                                        in_order);
    if (verdict == WSF_ADMISSION_OFFENDS && user != NULL)
        wsf_auth_shut_out(sockets->connections.auth, user);
    return verdict == WSF_ADMISSION_COUNTS;
}

/* Whether the notice counts. With keys the XPUB is manual: it sends a topic only to subscribers that were
 * confirmed here, so that no peer reads what is for another. */
static bool admit(wsf_sockets *sockets, zmq_msg_t *notice, const wsf_carrier_handler *handler) {
    const uint8_t *data = zmq_msg_data(notice);
    const uint8_t *topic = data + 1;
    size_t size = zmq_msg_size(notice) - 1;
    bool keyed = sockets->connections.auth != NULL;
    const char *user = zmq_msg_gets(notice, "User-Id");
    uint32_t *denied = denials(sockets, topic, size);
    bool subscribed = data[0] == 1;
    if (zmq_msg_gets(notice, "Socket-Type") == NULL) { /* the connection has ended */
        if (subscribed || *denied == 0)
            return !subscribed;
        --*denied;
        return false;
    }
    bool allowed = (user != NULL) == keyed && is_in_order(sockets, notice, user, handler);
    int option = subscribed ? ZMQ_SUBSCRIBE : ZMQ_UNSUBSCRIBE;
    if (allowed && keyed)
        allowed = zmq_setsockopt(sockets->publisher, option, topic, size) == 0;
    if (!allowed && subscribed && *denied < UINT32_MAX)
        ++*denied;
    else if (!allowed && !subscribed && *denied > 0)
        --*denied;
    return allowed;
}

/* Ends the connection of a message that is not a subscription: no peer sends one. */
static void turn_out(wsf_sockets *sockets, zmq_msg_t *message) {
    if (sockets->admission != NULL && zmq_msg_gets(message, "Socket-Type") != NULL)
        wsf_admission_judge(sockets->admission, zmq_msg_get(message, ZMQ_SRCFD), 0, false);
}

static void receive_subscriptions(wsf_sockets *sockets, const wsf_carrier_handler *handler) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    int count = 0;
    while (count < NOTICES_SHARE && zmq_msg_recv(&message, sockets->publisher, ZMQ_DONTWAIT) >= 0) {
        const uint8_t *data = zmq_msg_data(&message);
        size_t size = zmq_msg_size(&message);
        bool notice = size > 0 && data[0] <= 1;
        if (notice && admit(sockets, &message, handler)) {
            handler->subscription(handler->user, data[0] == 1, data + 1, size - 1);
        } else {
            handler->stray(handler->user);
            if (!notice)
                turn_out(sockets, &message);
        }
        count++;
    }
    zmq_msg_close(&message);
    sockets->publisher_unread = count == NOTICES_SHARE;
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

/* Reads the second part, if there is one: ZeroMQ has all parts before it gives the first. False: there are
 * more parts, or there is no memory, and the frame is void. */
static bool receive_second(received *frame, void *socket) {
    if (!zmq_msg_more(&frame->message))
        return true;
    received *second = new_received();
    if (second != NULL && receive_part(second, socket)) {
        frame->buffer.rest = &second->buffer;
        if (!zmq_msg_more(&second->message))
            return true;
    } else if (second != NULL) {
        wsf_buffer_unref(&second->buffer);
    }
    drain(socket);
    return false;
}

/* Whether there was a frame. Memory that the handler did not keep is used for the next frame. */
static bool receive_frame(wsf_sockets *sockets, void *socket, uint32_t number,
                          const wsf_carrier_handler *handler) {
    if (sockets->received == NULL)
        sockets->received = new_received();
    received *frame = sockets->received;
    if (frame == NULL || !receive_part(frame, socket))
        return false; /* without memory the frame waits */
    wsf_connection *from = &sockets->connections.list[number];
    wsf_connections_heard(&sockets->connections, from);
    if (receive_second(frame, socket))
        sockets->stopped = !handler->frame(handler->user, number, from->identity, &frame->buffer);
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

static void receive_frames(wsf_sockets *sockets, uint32_t number, uint32_t share,
                           const wsf_carrier_handler *handler) {
    /* The handler may hang up, and dial again, while we read. */
    wsf_connection *from = &sockets->connections.list[number];
    void *socket = from->socket;
    uint32_t count = 0;
    while (count < share && !sockets->stopped && socket != NULL && from->socket == socket &&
           receive_frame(sockets, socket, number, handler))
        count++;
    if (from->socket == socket) /* without memory for the next frame the socket stays unread */
        from->unread = count == share || sockets->stopped || sockets->received == NULL;
}

static void receive_all(wsf_sockets *sockets, uint32_t share, const wsf_carrier_handler *handler) {
    uint32_t first = sockets->next;
    sockets->stopped = false;
    for (uint32_t i = 0; i < sockets->connections.used && !sockets->stopped; i++) {
        uint32_t number = (first + i) % sockets->connections.used;
        if (sockets->connections.list[number].unread)
            receive_frames(sockets, number, share, handler);
        sockets->next = number + 1;
    }
}

/* Only an acceptance or a refusal says something of a process. */
static void on_probed(void *user, uint64_t node, wsf_tcp_outcome outcome) {
    const wsf_carrier_handler *handler = *(const wsf_carrier_handler **)user;
    if (outcome != WSF_TCP_NONE)
        handler->probed(handler->user, node, outcome == WSF_TCP_REFUSED);
}

static void tell_callers(wsf_sockets *sockets, const wsf_carrier_handler *handler) {
    char address[WSFAN_CALLER_ADDRESS_SIZE];
    wsfan_endpoint_state cause;
    while (sockets->admission != NULL && wsf_admission_take(sockets->admission, address, &cause))
        handler->caller(handler->user, address, cause);
    while (sockets->connections.auth != NULL && wsf_auth_take(sockets->connections.auth, address))
        handler->caller(handler->user, address, WSFAN_ENDPOINT_KEY_UNKNOWN_HERE);
}

static void receive(wsf_carrier *carrier, uint32_t share, const wsf_carrier_handler *handler) {
    wsf_sockets *sockets = sockets_of(carrier);
    note_events(sockets);
    if (sockets->auth_unread)
        sockets->auth_unread = wsf_auth_answer(sockets->connections.auth);
    if (sockets->publisher_unread)
        receive_subscriptions(sockets, handler);
    receive_all(sockets, share, handler);
    wsf_connections_renew(&sockets->connections);
    wsf_connections_tell(&sockets->connections, handler->found, handler->user);
    wsf_tcp_probes_tell(&sockets->tcp_probes, wsf_clock_ms(), on_probed, &handler);
    tell_callers(sockets, handler);
}

static const wsf_carrier_calls calls = {
    .endpoint = endpoint_of,
    .subscribe_to = subscribe_to,
    .connect = dial,
    .disconnect = hang_up,
    .seek = seek,
    .probe = probe,
    .send = send_frame,
    .deadline = deadline,
    .fd = descriptor,
    .receive = receive,
    .set_keys = set_keys,
    .count = count,
    .close = close_all,
};
