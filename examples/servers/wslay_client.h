/* wslay_client.h - a WebSocket client of a server that gives and takes bytes, whatever its event loop is. wslay
 * reads and writes frames, ../web reads the request that comes before them.
 *
 *   client_open()      when it has connected
 *   client_receive()   for what it sends
 *   client_push()      for a message of its chat
 *   client_next()      for what it is to be sent, until there is nothing more
 *   client_ended()     when all has been sent: whether the connection is to be closed
 *   client_close()     when the connection is closed
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSLAY_CLIENT_H
#define WSLAY_CLIENT_H

#include "chat.h"

#include <handshake.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

enum { REQUEST_BYTES_MAX = 4096, ANSWER_BYTES_MAX = 256 };

struct client;

/* One thread of a server. */
struct server {
    wsfan_node *node;
    wsfan_loop *loop;
    struct client *clients; /* a list */
};

struct client {
    struct server *server;
    struct client *next;
    struct client **link; /* what points to this one */
    void *connection;     /* of the event loop */
    wsfan_session session;
    wsfan_outbound *queue;         /* yet to be sent */
    wslay_event_context_ptr wslay; /* NULL: its request has not come whole */
    char chat[CHAT_NAME_SIZE];     /* of its request: "/CHAT" */
    struct head_reader reader;
    char request[REQUEST_BYTES_MAX];
    size_t request_size;
    char answer[ANSWER_BYTES_MAX]; /* to its request; what has been sent is gone */
    size_t answer_size;
    bool refused;      /* it, or what it sent later */
    const uint8_t *in; /* within client_receive(), what wslay has yet to read */
    size_t in_size;
    uint8_t *out; /* within client_next(), where wslay writes */
    size_t out_size;
};

/* ------------------------------------------------------------------------------- what wslay calls */

static inline ssize_t client_on_recv(wslay_event_context_ptr wslay, uint8_t *data, size_t size,
                                     int flags, void *user) {
    struct client *client = user;
    (void)flags;
    size = size < client->in_size ? size : client->in_size;
    if (size == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(data, client->in, size);
    client->in += size;
    client->in_size -= size;
    return (ssize_t)size;
}

static inline ssize_t client_on_send(wslay_event_context_ptr wslay, const uint8_t *data,
                                     size_t size, int flags, void *user) {
    struct client *client = user;
    (void)flags;
    size = size < client->out_size ? size : client->out_size;
    if (size == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(client->out, data, size);
    client->out += size;
    client->out_size -= size;
    return (ssize_t)size;
}

/* A whole message; wslay has checked that text is UTF-8. */
static inline void client_on_message(wslay_event_context_ptr wslay,
                                     const struct wslay_event_on_msg_recv_arg *message,
                                     void *user) {
    struct client *client = user;
    bool binary = message->opcode == WSLAY_BINARY_FRAME;
    if (!wslay_is_ctrl_frame(message->opcode) &&
        chat_say(client->server->node, client->chat + 1, message->msg, message->msg_length,
                 binary) != WSFAN_OK)
        wslay_event_queue_close(wslay, 1013, NULL, 0); /* try again later */
}

/* ---------------------------------------------------------------------------------- the request */

static inline int client_join(struct client *client) {
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = client_on_recv,
        .send_callback = client_on_send,
        .on_msg_recv_callback = client_on_message,
    };
    if (chat_queue_open(&client->queue) != WSFAN_OK ||
        wsfan_session_open(&client->session, client->server->loop, wsfan_string(""), client) !=
            WSFAN_OK ||
        wsfan_session_join(client->server->loop, client->session, wsfan_string(client->chat + 1)) !=
            WSFAN_OK ||
        wslay_event_context_server_init(&client->wslay, &callbacks, client) != 0)
        return 503;
    wslay_event_config_set_max_recv_msg_length(client->wslay, CHAT_MESSAGE_BYTES_MAX);
    return 101;
}

/* Returns the status of the answer, 0: more is to come. */
static inline int client_read_request(struct client *client, struct handshake *handshake) {
    struct head head;
    enum head_result result = head_read(&client->reader, client->request, client->request_size,
                                        &head);
    if (result == HEAD_MORE)
        return client->request_size == sizeof client->request ? 431 : 0;
    if (result == HEAD_REFUSED)
        return (int)head.status;
    if (handshake_read(&head, NULL, handshake) != HANDSHAKE_GOOD)
        return 400;
    if (target_path(&head.target, client->chat, sizeof client->chat - 1) < 2)
        return 404;
    /* Bytes after the request are frames: they stay, at its place. */
    client->request_size -= head.size;
    memmove(client->request, client->request + head.size, client->request_size);
    return client_join(client);
}

static inline void client_take_request(struct client *client, const void *data, size_t *size) {
    struct handshake handshake;
    size_t room = sizeof client->request - client->request_size;
    *size = *size < room ? *size : room;
    memcpy(client->request + client->request_size, data, *size);
    client->request_size += *size;
    int status = client_read_request(client, &handshake);
    int written = 0;
    if (status == 101)
        written = snprintf(client->answer, sizeof client->answer,
                           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                           handshake.accept);
    else if (status != 0)
        written = snprintf(client->answer, sizeof client->answer,
                           "HTTP/1.1 %d Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                           status);
    client->answer_size = (size_t)written;
    client->refused = status != 0 && status != 101;
}

/* --------------------------------------------------------------------------- what the server calls */

/* Returns NULL without memory. */
static inline struct client *client_open(struct server *server, void *connection) {
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    client->server = server;
    client->connection = connection;
    client->next = server->clients;
    client->link = &server->clients;
    if (client->next != NULL)
        client->next->link = &client->next;
    server->clients = client;
    return client;
}

static inline void client_close(struct client *client) {
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    wsfan_session_close(client->server->loop, client->session);
    wsfan_outbound_close(client->queue);
    if (client->wslay != NULL)
        wslay_event_context_free(client->wslay);
    free(client);
}

static inline void client_read_frames(struct client *client, const void *data, size_t size) {
    client->in = data;
    client->in_size = size;
    if (wslay_event_recv(client->wslay) != 0)
        client->refused = true;
}

/* Takes bytes from the socket. The server then sends what client_next() gives. */
static inline void client_receive(struct client *client, const void *data, size_t size) {
    if (client->refused)
        return;
    if (client->wslay != NULL) {
        client_read_frames(client, data, size);
        return;
    }
    size_t taken = size;
    client_take_request(client, data, &taken);
    if (client->wslay == NULL)
        return;
    client_read_frames(client, client->request, client->request_size);
    client_read_frames(client, (const char *)data + taken, size - taken);
}

/* Returns 0, or -1: it does not read, and the connection is to be closed. */
static inline int client_push(struct client *client, wsfan_message *message) {
    return chat_queue_push(client->queue, message);
}

/* Gives wslay a message when it has written all others, so that what waits is in the queue, which is bounded. */
static inline void client_write_frame(struct client *client) {
    wsfan_message *message = wsfan_outbound_take(client->queue);
    if (message == NULL)
        return;
    wsfan_bytes payload = wsfan_message_payload(message);
    bool binary = (wsfan_message_flags(message) & WSFAN_BINARY) != 0;
    struct wslay_event_msg copied = { binary ? WSLAY_BINARY_FRAME : WSLAY_TEXT_FRAME, payload.data,
                                      payload.size };
    wslay_event_queue_msg(client->wslay, &copied);
    wsfan_message_unref(message);
}

/* Writes what is to be sent next. Returns how many bytes, 0: there is nothing now. */
static inline size_t client_next(struct client *client, void *data, size_t size) {
    size_t written = client->answer_size < size ? client->answer_size : size;
    memcpy(data, client->answer, written);
    client->answer_size -= written;
    memmove(client->answer, client->answer + written, client->answer_size);
    if (client->wslay == NULL)
        return written;
    client->out = (uint8_t *)data + written;
    client->out_size = size - written;
    while (client->out_size > 0) {
        if (!wslay_event_want_write(client->wslay))
            client_write_frame(client);
        if (!wslay_event_want_write(client->wslay))
            break;
        if (wslay_event_send(client->wslay) != 0) {
            client->refused = true;
            break;
        }
    }
    return size - client->out_size;
}

/* Nothing more is to be said to it or heard of it. */
static inline bool client_ended(const struct client *client) {
    if (client->answer_size > 0)
        return false;
    return client->refused || (client->wslay != NULL && !wslay_event_want_read(client->wslay) &&
                               !wslay_event_want_write(client->wslay));
}

#endif
