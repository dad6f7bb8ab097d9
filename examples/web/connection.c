/* connection.c - one TCP connection: requests in their order, one after another, and the end.
 *
 * While the server has a request nothing more is read, so that a connection has at most one, and answers go out
 * in the order of requests. What came behind it already is kept. A connection that is to end after an
 * answer lingers: were it closed with something unread, the system would reset it, and the other side might
 * lose the answer (RFC 9112, section 9.6). */
#include "connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds that each state may last. */
enum {
    HEAD_S =
        10, /* from the connection, or the first byte, to the end of the head; with TLS's handshake */
    IDLE_S = 60,   /* between an answer and the next request */
    BODY_S = 30,   /* of a body */
    WAIT_S = 60,   /* of the server */
    ANSWER_S = 30, /* until the other side has taken it */
    LINGER_S = 5
};

enum { HTTP_READ_BYTES_MAX = 16 * 1024 };

static void on_event(uv_poll_t *poll, int status, int events);

/* --------------------------------------------------------------------------------- open and end */

bool connection_open(struct web_thread *thread, int fd) {
    struct web_connection *connection = calloc(1, sizeof *connection);
    bool tls = thread->options.tls != NULL;
    if (connection != NULL && tls)
        connection->ssl = tls_new(thread->options.tls, fd);
    if (connection == NULL || (tls && connection->ssl == NULL) ||
        uv_poll_init(&thread->loop, &connection->poll, fd) != 0) {
        if (connection != NULL)
            tls_free(connection->ssl);
        free(connection);
        close(fd);
        return false;
    }
    connection->poll.data = connection;
    connection->thread = thread;
    connection->fd = fd;
    connection->watched = UV_READABLE;
    uv_poll_start(&connection->poll, UV_READABLE, on_event);
    connection_set_deadline(connection, HEAD_S);
    return true;
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

void request_free(struct web_request *request) {
    if (request == NULL)
        return;
    request->thread->bodies_bytes -= request->body_capacity;
    free(request->body_bytes);
    free(request);
}

/* A request that the server has is freed when it answers. */
static void drop_request(struct web_connection *connection) {
    struct web_request *request = connection->request;
    connection->request = NULL;
    if (request == NULL)
        return;
    request->connection = NULL;
    if (connection->state != STATE_WAIT)
        request_free(request);
}

void connection_close(struct web_connection *connection) {
    thread_forget(connection);
    drop_request(connection);
    if (connection->socket != NULL) {
        socket_end(connection->socket, 0);
        socket_free(connection->socket);
    }
    web_frame_release(connection->sending);
    free(connection->kept);
    if (connection->ssl != NULL) {
        tls_goodbye(connection->ssl);
        tls_free(connection->ssl);
    }
    uv_close((uv_handle_t *)&connection->poll, on_closed);
    close(connection->fd);
    atomic_fetch_sub(&connection->thread->options.descriptors->connections_count, 1);
}

void connection_fail(struct web_connection *connection) {
    connection->failed = true;
    connection_ready(connection);
}

void connection_linger(struct web_connection *connection) {
    if (connection->ended)
        connection_fail(connection);
    transport_shut(connection);
    connection->state = STATE_LINGER;
    connection_set_deadline(connection, LINGER_S);
}

/* --------------------------------------------------------------------------------------- answers */

/* NULL: out of memory. What may wait is "100 Continue". */
static void send_answer(struct web_connection *connection, struct web_frame *answer) {
    connection->state = STATE_ANSWER;
    connection_set_deadline(connection, ANSWER_S);
    transport_write(connection);
    if (answer == NULL || connection->sending != NULL) {
        web_frame_release(answer);
        connection_fail(connection);
        return;
    }
    connection->sending = answer;
    connection_ready(connection);
}

void connection_refuse(struct web_connection *connection, unsigned status, const char *reason,
                       const char *const *headers) {
    char text[256];
    int size = snprintf(text, sizeof text, "%s\n", reason);
    drop_request(connection);
    connection->keep_alive = false;
    send_answer(connection, answer_new(connection->thread, status, "text/plain; charset=utf-8",
                                       headers, text, (size_t)size, connection->head_only, false));
}

void web_answer(struct web_request *request, unsigned status, const char *type,
                const char *const *headers, const void *body, size_t size) {
    struct web_connection *connection = request->connection;
    if (connection != NULL) {
        if (connection->state == STATE_BODY)
            connection->keep_alive = false; /* the rest of the body is dropped */
        connection->request = NULL;
        send_answer(connection, answer_new(connection->thread, status, type, headers, body, size,
                                           connection->head_only, connection->keep_alive));
    }
    request_free(request);
}

/* ------------------------------------------------------------------------------------- requests */

bool web_reads(const struct web_request *request) {
    return request->head.method == HEAD_GET || request->head.method == HEAD_HEAD;
}

bool web_field(const struct web_request *request, const char *name, struct slice *value) {
    return head_count(&request->head, name) == 1 && head_field(&request->head, name, value);
}

/* A copy of the head, read again, so that its slices are of the copy. NULL: out of memory. */
static struct web_request *request_new(struct web_connection *connection, const char *bytes,
                                       const struct head *head) {
    size_t path_max = head->target.path.size + 1;
    struct web_request *request = malloc(sizeof *request + head->size + path_max + 1);
    if (request == NULL)
        return NULL;
    *request = (struct web_request){ .thread = connection->thread,
                                     .user = connection->thread->options.user,
                                     .secure = connection->ssl != NULL,
                                     .connection = connection };
    memcpy(request->bytes, bytes, head->size);
    struct head_reader reader = { 0 };
    head_read(&reader, request->bytes, head->size, &request->head);
    char *path = request->bytes + head->size;
    request->path = target_path(&request->head.target, path, path_max) >= 0 ? path : NULL;
    connection->request = request;
    return request;
}

static void begin_wait(struct web_connection *connection) {
    connection->state = STATE_WAIT;
    connection_set_deadline(connection, WAIT_S);
    connection->thread->options.handlers->on_request(connection->request);
}

/* Asks for the body. Nothing of it has been looked at; `more` says whether some has come. */
static void begin_body(struct web_connection *connection, bool more) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct web_handlers *handlers = connection->thread->options.handlers;
    struct web_request *request = connection->request;
    bool expected = request->head.expect_continue && !more;
    connection->state = STATE_BODY;
    connection_set_deadline(connection, BODY_S);
    size_t bytes_max = WEB_BODY_BYTES_USUAL;
    if (handlers->on_head != NULL)
        bytes_max = handlers->on_head(request);
    if (connection->state != STATE_BODY)
        return; /* it has been answered, and is no more */
    if (body_start(&request->reader, &request->head, bytes_max) != 0) {
        connection_refuse(connection, 413, "the body is too long", NULL);
        return;
    }
    if (!expected)
        return;
    connection->sending = frame_alloc(sizeof go_on - 1);
    if (connection->sending == NULL) {
        connection_fail(connection);
        return;
    }
    memcpy(connection->sending->bytes, go_on, sizeof go_on - 1);
    connection_ready(connection);
}

static void begin_upgrade(struct web_connection *connection) {
    struct web_request *request = connection->request;
    connection->state = STATE_WAIT;
    connection_set_deadline(connection, WAIT_S);
    connection->thread->options.handlers->on_upgrade(request);
    if (connection->state != STATE_SOCKET)
        return;
    connection->request = NULL;
    request_free(request);
}

static void begin_request(struct web_connection *connection, const char *bytes, bool more,
                          const struct head *head) {
    struct handshake handshake = { .status = 0 };
    struct web_request *request = request_new(connection, bytes, head);
    connection->begun = false;
    connection->keep_alive = head->keep_alive;
    if (request == NULL) {
        connection_refuse(connection, 503, "out of memory", NULL);
        return;
    }
    if (request->path == NULL) {
        connection_refuse(connection, 400, "the path is not by the rules", NULL);
        return;
    }
    enum handshake_result upgrade = HANDSHAKE_NONE;
    if (connection->thread->options.handlers->on_upgrade != NULL)
        upgrade = handshake_read(head, NULL, &handshake);
    if (upgrade == HANDSHAKE_REFUSED)
        connection_refuse(connection, handshake.status, handshake.reason, handshake.headers);
    else if (upgrade == HANDSHAKE_GOOD)
        begin_upgrade(connection);
    else if (head->body == HEAD_BODY_NONE)
        begin_wait(connection);
    else
        begin_body(connection, more);
}

/* ------------------------------------------------------------------------------------- reading */

/* Each takes some of what has come, and returns how much; 0: more must come first. */
static size_t read_head(struct web_connection *connection, const char *bytes, size_t size) {
    struct head head;
    enum head_result result = head_read(&connection->head, bytes, size, &head);
    connection->head_only = head.method == HEAD_HEAD;
    switch (result) {
    case HEAD_DONE:
        begin_request(connection, bytes, size > head.size, &head);
        return head.size;
    case HEAD_REFUSED:
        connection_refuse(connection, head.status, head.reason, NULL);
        return size;
    default:
        return 0;
    }
}

static bool append(struct web_request *request, struct slice data) {
    size_t needed = request->body.size + data.size;
    size_t capacity = request->body_capacity;
    if (needed > capacity) {
        capacity = capacity == 0 ? needed : capacity * 2;
        capacity = capacity < needed ? needed : capacity;
        size_t more = capacity - request->body_capacity;
        if (more > BODIES_BYTES_MAX - request->thread->bodies_bytes)
            return false;
        char *bytes = realloc(request->body_bytes, capacity);
        if (bytes == NULL)
            return false;
        request->thread->bodies_bytes += more;
        request->body_bytes = bytes;
        request->body_capacity = capacity;
    }
    memcpy(request->body_bytes + request->body.size, data.data, data.size);
    request->body = (struct slice){ request->body_bytes, needed };
    return true;
}

static size_t read_body(struct web_connection *connection, const char *bytes, size_t size) {
    struct web_request *request = connection->request;
    struct slice data;
    unsigned status;
    size_t taken = 0;
    switch (body_read(&request->reader, bytes, size, &taken, &data, &status)) {
    case BODY_DATA:
        if (!append(request, data))
            connection_refuse(connection, 503, "there is no room for the body", NULL);
        break;
    case BODY_END:
        begin_wait(connection);
        break;
    case BODY_REFUSED:
        connection_refuse(connection, status, "the body is too long, or not by the rules", NULL);
        break;
    default:
        break;
    }
    return taken;
}

/* Reads once. Returns how much is in the buffer, with what was kept. */
static size_t fill(struct web_connection *connection, char *buffer, bool readable) {
    size_t size = connection->kept_size;
    if (size > 0)
        memcpy(buffer, connection->kept, size);
    connection->kept_size = 0;
    if (!readable)
        return size;
    size_t most = connection->state == STATE_SOCKET ? READ_BYTES_MAX : HTTP_READ_BYTES_MAX;
    ssize_t got = transport_read(connection, buffer + size, most);
    connection->ended = connection->ended || got == IO_END;
    return got > 0 ? size + (size_t)got : size;
}

/* Keeps what could not be taken. */
static void keep(struct web_connection *connection, const char *bytes, size_t size) {
    char *kept = size > 0 && size <= KEPT_BYTES_MAX ? realloc(connection->kept, size) : NULL;
    if (kept == NULL) {
        free(connection->kept);
        connection->kept = NULL;
        if (size > 0)
            connection_fail(connection);
        return;
    }
    memcpy(kept, bytes, size);
    connection->kept = kept;
    connection->kept_size = size;
    if (connection->state == STATE_HEAD && !connection->begun) {
        connection->begun = true;
        connection_set_deadline(connection, HEAD_S);
    }
}

/* The state that follows when an answer or a close frame has been written. */
static void written(struct web_connection *connection) {
    if (connection->state == STATE_SOCKET) {
        socket_written(connection->socket);
    } else if (connection->state == STATE_ANSWER && !connection->keep_alive) {
        connection_linger(connection);
    } else if (connection->state == STATE_ANSWER) {
        connection->state = STATE_HEAD;
        connection->resumed = true;
        connection_set_deadline(connection, IDLE_S);
    }
}

static void flush(struct web_connection *connection) {
    transport_write(connection);
    if (!connection->failed && !transport_pending(connection))
        written(connection);
}

static bool takes_input(const struct web_connection *connection) {
    return !connection->failed &&
           (connection->state == STATE_HEAD || connection->state == STATE_BODY ||
            connection->state == STATE_SOCKET);
}

/* The other side has ended its part. */
static void end_of_input(struct web_connection *connection) {
    connection->keep_alive = false;
    if (connection->state == STATE_HEAD && connection->kept_size > 0 && !connection->failed)
        connection_refuse(connection, 400, "the request is not whole", NULL);
    else if (connection->state != STATE_WAIT && connection->state != STATE_ANSWER)
        connection_fail(connection);
}

/* Takes some of it. Returns how much. */
static size_t step(struct web_connection *connection, char *bytes, size_t size) {
    if (connection->state == STATE_HEAD)
        return size > 0 ? read_head(connection, bytes, size) : 0;
    if (connection->state == STATE_BODY)
        return read_body(connection, bytes, size);
    if (size > 0)
        socket_receive(connection->socket, bytes, size);
    return size;
}

/* Takes apart what is there, request by request. */
static void turn(struct web_connection *connection, bool readable) {
    char *buffer = connection->thread->buffer;
    size_t size = fill(connection, buffer, readable);
    size_t used = 0;
    connection->resumed = false;
    while (takes_input(connection)) {
        uint8_t state = connection->state;
        size_t taken = step(connection, buffer + used, size - used);
        bool moved = taken > 0 || connection->state != state;
        used += taken;
        if (connection->state == STATE_ANSWER)
            flush(connection);
        if (!moved)
            break;
    }
    if (connection->state == STATE_LINGER || connection->failed)
        used = size;
    keep(connection, buffer + used, size - used);
    if (connection->ended)
        end_of_input(connection);
}

/* ---------------------------------------------------------------------------------------- events */

static void watch(struct web_connection *connection) {
    bool reads = !connection->ended &&
                 (takes_input(connection) || connection->state == STATE_LINGER);
    int events = (reads && !connection->read_writes ? UV_READABLE : 0) |
                 (connection->blocked || (reads && connection->read_writes) ? UV_WRITABLE : 0);
    if (events == connection->watched)
        return;
    connection->watched = (uint8_t)events;
    if (events == 0)
        uv_poll_stop(&connection->poll);
    else
        uv_poll_start(&connection->poll, events, on_event);
}

void connection_visit(struct web_connection *connection) {
    if (!connection->failed && !connection->blocked)
        flush(connection);
    if (connection->resumed && connection->state == STATE_HEAD && connection->kept_size > 0)
        turn(connection, false); /* what came behind the request */
    if (connection->failed)
        connection_close(connection);
    else
        watch(connection);
}

static void on_event(uv_poll_t *poll, int status, int events) {
    struct web_connection *connection = poll->data;
    if (status <
        0) /* libuv has stopped watching: what is there is read first, the error after it */
        connection->watched = 0;
    if (connection->blocked && (status < 0 || (events & UV_WRITABLE) != 0))
        flush(connection);
    if (status < 0 || (events & UV_READABLE) != 0 || connection->read_writes)
        turn(connection, !connection->ended && !connection->failed);
    connection_visit(connection);
}

void connection_expired(struct web_connection *connection) {
    bool begun = connection->state == STATE_BODY ||
                 (connection->state == STATE_HEAD && connection->kept_size > 0);
    if (connection->state == STATE_SOCKET)
        socket_expired(connection->socket);
    else if (connection->state == STATE_WAIT)
        connection_refuse(connection, 503, "there was no answer in time", NULL);
    else if (begun)
        connection_refuse(connection, 408, "the request did not come in time", NULL);
    else
        connection_fail(connection);
}
