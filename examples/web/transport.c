/* transport.c - what a connection reads and writes, plain or by TLS.
 *
 * What waits to be written is `sending`, from byte `sent` on, and then what the socket has. Frames are sent from
 * where they are, by one call for many; TLS needs them in one piece. Once TLS has refused bytes it wants to be given
 * the same ones again, whatever has become of the queue: they become one frame of their own. */
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PIECES_MAX = 64, RECORD_BYTES_MAX = 16 * 1024 };

struct web_frame *frame_alloc(size_t size) {
    struct web_frame *frame = malloc(sizeof *frame + size);
    if (frame != NULL)
        *frame = (struct web_frame){ .references = 1, .size = size };
    return frame;
}

void web_frame_release(struct web_frame *frame) {
    if (frame != NULL && --frame->references == 0)
        free(frame);
}

/* ---------------------------------------------------------------------------------------- read */

ssize_t transport_read(struct web_connection *connection, char *data, size_t size) {
    if (connection->ssl != NULL)
        return tls_read(connection->ssl, data, size, &connection->read_writes);
    ssize_t got = recv(connection->fd, data, size, 0);
    if (got > 0)
        return got;
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? IO_AGAIN : IO_END;
}

/* --------------------------------------------------------------------------------------- write */

static unsigned gather(const struct web_connection *connection, struct iovec pieces[PIECES_MAX]) {
    unsigned count = 0;
    if (connection->sending != NULL)
        pieces[count++] = (struct iovec){ connection->sending->bytes + connection->sent,
                                          connection->sending->size - connection->sent };
    if (connection->socket != NULL)
        count += socket_gather(connection->socket, pieces + count, PIECES_MAX - count);
    return count;
}

bool transport_pending(const struct web_connection *connection) {
    struct iovec piece;
    return connection->sending != NULL ||
           (connection->socket != NULL && socket_gather(connection->socket, &piece, 1) > 0);
}

/* Bytes that the socket took leave the connection. */
static void take(struct web_connection *connection, size_t size) {
    while (size > 0) {
        if (connection->sending == NULL)
            connection->sending = socket_take(connection->socket);
        size_t left = connection->sending->size - connection->sent;
        if (size < left) {
            connection->sent += size;
            return;
        }
        size -= left;
        web_frame_release(connection->sending);
        connection->sending = NULL;
        connection->sent = 0;
    }
}

static ssize_t write_plain(struct web_connection *connection, struct iovec *pieces,
                           unsigned count) {
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = count };
    ssize_t written = count == 1
                          ? send(connection->fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL)
                          : sendmsg(connection->fd, &message, MSG_NOSIGNAL);
    if (written >= 0)
        return written;
    return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_END;
}

/* Bytes that TLS did not take stay in the connection as they are. */
static bool keep_record(struct web_connection *connection, const char *record, size_t size) {
    if (connection->sending != NULL && connection->sending->size - connection->sent >= size)
        return true;
    struct web_frame *frame = frame_alloc(size);
    if (frame == NULL)
        return false;
    memcpy(frame->bytes, record, size);
    take(connection, size);
    if (connection->sending != NULL) { /* the record ended within a frame */
        size_t left = connection->sending->size - connection->sent;
        struct web_frame *longer = realloc(frame, sizeof *frame + size + left);
        if (longer == NULL) {
            free(frame);
            return false;
        }
        memcpy(longer->bytes + size, connection->sending->bytes + connection->sent, left);
        longer->size += left;
        web_frame_release(connection->sending);
        frame = longer;
    }
    connection->sending = frame;
    connection->sent = 0;
    return true;
}

static ssize_t write_tls(struct web_connection *connection, const struct iovec *pieces,
                         unsigned count) {
    char record[RECORD_BYTES_MAX];
    size_t size = 0;
    for (unsigned i = 0; i < count && size < sizeof record; i++) {
        size_t part = pieces[i].iov_len;
        if (part > sizeof record - size)
            part = sizeof record - size;
        memcpy(record + size, pieces[i].iov_base, part);
        size += part;
    }
    ssize_t written = tls_write(connection->ssl, record, size);
    if (written == IO_AGAIN && !keep_record(connection, record, size))
        return IO_END;
    return written;
}

void transport_write(struct web_connection *connection) {
    struct iovec pieces[PIECES_MAX];
    unsigned count;
    connection->blocked = false;
    while (!connection->failed && (count = gather(connection, pieces)) > 0) {
        ssize_t written = connection->ssl == NULL ? write_plain(connection, pieces, count)
                                                  : write_tls(connection, pieces, count);
        if (written == IO_AGAIN) {
            connection->blocked = true;
            return;
        }
        if (written == IO_END)
            connection_fail(connection);
        else
            take(connection, (size_t)written);
    }
}

void transport_shut(struct web_connection *connection) {
    if (connection->ssl != NULL)
        tls_goodbye(connection->ssl);
    shutdown(connection->fd, SHUT_WR);
}
