/* websocket.c - what a connection becomes after the upgrade (RFC 6455).
 *
 * What is sent within one turn of the loop waits in `sending` of the connection and then in a queue, which there
 * is only while something waits in it. At the end of the turn all of it goes into one write, or before,
 * when much has come together. So the bounds of the queue are for sockets that take no more. */
#include "connection.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Without anything of the client. A ping and its pong are all that an idle client costs, so they are as
     * rare as balancers allow, whose usual limit for a connection without traffic is 60 s. */
    PING_S = 55,
    HANG_UP_S = 65, /* the same, and then it is gone */
    MESSAGE_S = 30, /* from the first byte of a message to its last */
    CLOSE_S = 5,    /* for the client to answer a close frame */
    TURN_BYTES_MAX = 64 * 1024,
    TURN_COUNT_MAX = 60 /* in one turn: so many go into one write */
};

struct web_socket {
    struct web_connection *connection;
    void *user;
    wsfan_outbound *queue;  /* NULL: nothing waits in it */
    struct web_frame *last; /* a close frame, behind what waits */
    bool closing;           /* by whichever side: nothing more is sent or handed out */
    bool answered;          /* nothing is to be waited for when the close frame is written */
    bool told;              /* on_close() has been called */
    unsigned turn_count;    /* sent in this turn */
    size_t turn_bytes;
    uint32_t heard_s;
    uint32_t message_s; /* since when a message is coming; 0: none is */
    struct frames frames;
};

static uint32_t now_of(const struct web_socket *socket) {
    return socket->connection->thread->now_s;
}

/* --------------------------------------------------------------------------------------- frames */

struct web_frame *web_frame_new(bool is_text, size_t size, char **payload) {
    unsigned char head[FRAMES_HEAD_BYTES_MAX];
    size_t head_size = frames_write_head(head, is_text ? FRAMES_OP_TEXT : FRAMES_OP_BINARY, size);
    struct web_frame *frame = frame_alloc(head_size + size);
    if (frame == NULL)
        return NULL;
    memcpy(frame->bytes, head, head_size);
    *payload = (char *)frame->bytes + head_size;
    return frame;
}

static struct web_frame *new_pong(const void *payload, size_t size) {
    struct web_frame *frame = frame_alloc(FRAMES_CONTROL_BYTES_MAX);
    if (frame != NULL)
        frame->size = frames_write_control(frame->bytes, FRAMES_OP_PONG, payload, size);
    return frame;
}

static struct web_frame *new_close(unsigned code, const char *reason, size_t size) {
    struct web_frame *frame = frame_alloc(FRAMES_CONTROL_BYTES_MAX);
    if (frame != NULL)
        frame->size = frames_write_close(frame->bytes, code, reason, size);
    return frame;
}

/* ---------------------------------------------------------------------------------------- queue */

static void on_release(void *frame) {
    web_frame_release(frame);
}

static int open_queue(struct web_socket *socket) {
    const struct web_options *own = &socket->connection->thread->options;
    wsfan_outbound_options options;
    wsfan_outbound_options_init(&options);
    options.policy = WSFAN_OUTBOUND_CLOSE;
    options.count_max = own->queue_count_max;
    options.bytes_max = own->queue_bytes_max;
    options.release = on_release;
    return wsfan_outbound_open(&socket->queue, &options);
}

/* The drops of the queue are added to those of its thread. */
static void close_queue(struct web_socket *socket) {
    struct web_counts *counts = &socket->connection->thread->counts;
    wsfan_outbound_stats stats = { .struct_size = sizeof stats };
    if (socket->queue != NULL && wsfan_outbound_get_stats(socket->queue, &stats) == WSFAN_OK)
        for (unsigned i = 0; i < WSFAN_OUTBOUND_DROP_COUNT; i++)
            if (stats.dropped[i] > 0)
                atomic_fetch_add(&counts->dropped[i], stats.dropped[i]);
    wsfan_outbound_close(socket->queue);
    socket->queue = NULL;
}

unsigned socket_gather(const struct web_socket *socket, struct iovec *pieces, unsigned count_max) {
    unsigned count = 0;
    struct web_frame *frame;
    while (socket->queue != NULL && count < count_max &&
           (frame = wsfan_outbound_peek(socket->queue, count, NULL)) != NULL)
        pieces[count++] = (struct iovec){ frame->bytes, frame->size };
    if (socket->last != NULL && count < count_max)
        pieces[count++] = (struct iovec){ socket->last->bytes, socket->last->size };
    return count;
}

struct web_frame *socket_take(struct web_socket *socket) {
    struct web_frame *frame = socket->queue != NULL ? wsfan_outbound_take(socket->queue) : NULL;
    if (socket->queue != NULL && wsfan_outbound_peek(socket->queue, 0, NULL) == NULL)
        close_queue(socket);
    if (frame != NULL)
        return frame;
    frame = socket->last;
    socket->last = NULL;
    return frame;
}

/* ----------------------------------------------------------------------------------------- send */

static void write_before_the_end(struct web_socket *socket) {
    socket->turn_count = 0;
    socket->turn_bytes = 0;
    if (!socket->connection->blocked)
        transport_write(socket->connection);
}

static unsigned push(struct web_socket *socket, struct web_frame *frame, uint64_t key) {
    int error = socket->queue == NULL ? open_queue(socket) : WSFAN_OK;
    if (error == WSFAN_OK)
        error = wsfan_outbound_push(socket->queue, frame, frame->size, key);
    if (error == WSFAN_OK)
        frame->references++;
    else if (error != WSFAN_ENOMEM)
        atomic_fetch_add(&socket->connection->thread->counts.slow, 1);
    return error == WSFAN_OK ? 0 : error == WSFAN_ENOMEM ? WEB_CLOSE_MEMORY : WEB_CLOSE_SLOW;
}

unsigned web_send(struct web_socket *socket, struct web_frame *frame, uint64_t key) {
    struct web_connection *connection = socket->connection;
    if (socket->closing || connection->failed)
        return 0;
    unsigned status = 0;
    if (connection->sending == NULL && socket->queue == NULL) {
        frame->references++;
        connection->sending = frame;
    } else {
        status = push(socket, frame, key);
    }
    socket->turn_bytes += frame->size;
    if (++socket->turn_count >= TURN_COUNT_MAX || socket->turn_bytes >= TURN_BYTES_MAX)
        write_before_the_end(socket);
    if (!connection->blocked)
        connection_ready(connection);
    return status;
}

/* Sends a close frame, the last one. answered: the other side has sent its own, or nothing more of it is to
 * be heard. */
static void begin_close(struct web_socket *socket, unsigned code, const char *reason, size_t size,
                        bool answered) {
    struct web_connection *connection = socket->connection;
    socket->answered = socket->answered || answered;
    if (!socket->closing) {
        socket->closing = true;
        socket->last = new_close(code, reason, size);
        connection_set_deadline(connection, CLOSE_S);
    }
    connection_ready(connection);
}

void web_close_socket(struct web_socket *socket, unsigned status, const char *reason, size_t size) {
    if (socket->closing)
        return;
    if (status == WEB_CLOSE_SLOW)
        close_queue(socket);
    begin_close(socket, status, reason, size, false);
}

void socket_written(struct web_socket *socket) {
    socket->turn_count = 0;
    socket->turn_bytes = 0;
    if (socket->closing && socket->answered)
        connection_linger(socket->connection);
}

/* -------------------------------------------------------------------------------------- receive */

void socket_end(struct web_socket *socket, unsigned refused) {
    const struct web_handlers *handlers = socket->connection->thread->options.handlers;
    if (socket->told)
        return;
    socket->told = true;
    if (handlers->on_close != NULL)
        handlers->on_close(socket, refused);
}

/* A ping or pong; NULL: out of memory. It waits as other frames do, with the same bounds. */
static void send_control(struct web_socket *socket, struct web_frame *frame) {
    unsigned status = frame != NULL ? web_send(socket, frame, 0) : WEB_CLOSE_MEMORY;
    if (status == 0)
        return;
    const char *reason = status == WEB_CLOSE_SLOW ? "this client reads too slowly"
                                                  : "out of memory";
    web_close_socket(socket, status, reason, strlen(reason));
    socket_end(socket, 0);
}

static void answer_ping(struct web_socket *socket, const struct frames_event *event) {
    struct web_frame *pong = new_pong(event->data, event->size);
    send_control(socket, pong);
    web_frame_release(pong);
}

static void take_event(struct web_socket *socket, enum frames_kind kind,
                       const struct frames_event *event) {
    const struct web_handlers *handlers = socket->connection->thread->options.handlers;
    switch (kind) {
    case FRAMES_TEXT:
    case FRAMES_BINARY:
        if (!socket->closing && handlers->on_message != NULL)
            handlers->on_message(socket, kind == FRAMES_TEXT, (const char *)event->data,
                                 event->size);
        break;
    case FRAMES_PING:
        if (!socket->closing)
            answer_ping(socket, event);
        break;
    case FRAMES_CLOSE:
        begin_close(socket, event->code, (const char *)event->data, event->size, true);
        socket_end(socket, 0);
        break;
    case FRAMES_ERROR: { /* what comes behind our close frame is refused no more */
        unsigned refused = socket->closing ? 0 : event->code;
        begin_close(socket, event->code, event->text, strlen(event->text), true);
        socket_end(socket, refused);
        break;
    }
    default:
        break;
    }
}

void socket_receive(struct web_socket *socket, char *data, size_t size) {
    enum frames_kind kind;
    size_t left;
    socket->heard_s = now_of(socket);
    do {
        struct frames_event event;
        size_t taken = 0;
        left = size;
        kind = frames_read(&socket->frames, (unsigned char *)data, size, &taken, &event);
        data += taken;
        size -= taken;
        if (kind == FRAMES_TEXT || kind == FRAMES_BINARY)
            socket->message_s = 0;
        take_event(socket, kind, &event);
    } while (kind != FRAMES_MORE && !socket->connection->failed);
    bool coming = left > 0 || socket->frames.message != 0;
    if (!coming)
        socket->message_s = 0;
    else if (socket->message_s == 0)
        socket->message_s = now_of(socket); /* never 0: the system has been up for a second */
}

/* ----------------------------------------------------------------------------------------- time */

void socket_expired(struct web_socket *socket) {
    struct web_connection *connection = socket->connection;
    uint32_t silent_s = now_of(socket) - socket->heard_s;
    uint32_t coming_s = socket->message_s != 0 ? now_of(socket) - socket->message_s : 0;
    if (socket->closing || silent_s >= HANG_UP_S || coming_s >= MESSAGE_S) {
        connection_fail(connection);
        return;
    }
    if (silent_s >= PING_S)
        send_control(socket, connection->thread->ping);
    uint32_t next_s = (silent_s >= PING_S ? HANG_UP_S : PING_S) - silent_s;
    connection_set_deadline(connection,
                            next_s < MESSAGE_S - coming_s ? next_s : MESSAGE_S - coming_s);
}

/* ----------------------------------------------------------------------------------------- open */

static struct web_frame *new_acceptance(const struct web_request *request) {
    static const char end[] = "\r\n\r\n";
    static const char head[] = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
                               "connection: Upgrade\r\nsec-websocket-accept: ";
    struct handshake handshake;
    if (handshake_read(&request->head, NULL, &handshake) != HANDSHAKE_GOOD)
        return NULL;
    struct web_frame *frame = frame_alloc(sizeof head + HANDSHAKE_ACCEPT_SIZE + sizeof end - 2);
    if (frame == NULL)
        return NULL;
    unsigned char *at = frame->bytes;
    memcpy(at, head, sizeof head - 1);
    at += sizeof head - 1;
    memcpy(at, handshake.accept, HANDSHAKE_ACCEPT_SIZE);
    memcpy(at + HANDSHAKE_ACCEPT_SIZE, end, sizeof end - 1);
    return frame;
}

struct web_socket *web_upgrade(struct web_request *request, void *user) {
    struct web_connection *connection = request->connection;
    struct web_socket *socket = calloc(1, sizeof *socket);
    struct web_frame *acceptance = socket != NULL ? new_acceptance(request) : NULL;
    if (acceptance == NULL) {
        free(socket);
        return NULL;
    }
    socket->connection = connection;
    socket->user = user;
    socket->heard_s = connection->thread->now_s;
    frames_open(&socket->frames, connection->thread->options.message_bytes_max);
    connection->socket = socket;
    connection->sending = acceptance;
    connection->state = STATE_SOCKET;
    connection_set_deadline(connection, PING_S);
    connection_ready(connection);
    return socket;
}

void *web_user(const struct web_socket *socket) {
    return socket->user;
}

void socket_free(struct web_socket *socket) {
    close_queue(socket);
    web_frame_release(socket->last);
    frames_close(&socket->frames);
    free(socket);
}
