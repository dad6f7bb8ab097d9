/* connection.h - what the files of this folder that do I/O share
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * A connection reads, then takes turns: each turn takes what is there apart and calls the server. What the
 * server sends meanwhile is written at the end of the loop's turn, when thread.c visits the connections
 * that are ready. A connection ends there or in a turn of its own, never within a call of the server: so
 * on_close() comes at no time when a server goes through its sockets.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "handshake.h"
#include "web.h"

#include <sys/types.h>
#include <sys/uio.h>

struct ssl_st;

/* ------------------------------------------------------------------------------------- listener */

struct listener {
    struct web_thread *thread;
    uv_poll_t poll;
    uv_timer_t again; /* to accept */
    int fd;
    int port;
};

const char *listener_open(struct listener *listener, struct web_thread *thread);
void listener_close(struct listener *listener); /* after its handles */

/* --------------------------------------------------------------------------------------- thread */

/* Seconds that a deadline may be away at most; a later one is looked at in between. */
enum { WHEEL_SLOTS = 64 };

enum {
    READ_BYTES_MAX = 64 * 1024,         /* at a time */
    KEPT_BYTES_MAX = 64 * 1024,         /* of one connection, between reads */
    BODIES_BYTES_MAX = 64 * 1024 * 1024 /* of all requests together */
};

struct web_thread {
    uv_loop_t loop;
    struct web_options options;
    struct web_counts counts;
    struct listener listener;
    uv_timer_t second;
    uv_prepare_t turn_end;
    uint32_t now_s;
    struct web_connection *wheel[WHEEL_SLOTS]; /* every connection, by deadline */
    struct web_connection *ready;              /* to be visited at the end of the turn */
    struct web_frame *ping;
    size_t bodies_bytes;
    char date[40]; /* of an answer */
    int64_t date_s;
    char buffer[KEPT_BYTES_MAX +
                READ_BYTES_MAX]; /* what is read, for one connection after another */
};

/* Takes it out of the wheel and from those that are ready. */
void thread_forget(struct web_connection *connection);

/* ------------------------------------------------------------------------------------ transport */

/* The bytes of a message or an answer. */
struct web_frame {
    uint32_t references;
    size_t size;
    unsigned char bytes[];
};

struct web_frame *frame_alloc(size_t size); /* with one reference */

enum { IO_AGAIN = 0, IO_END = -1 };

/* Both return how many bytes, or IO_AGAIN, or IO_END: the other side has ended it, or an error has. */
struct ssl_st *tls_new(struct web_tls *tls, int fd);
ssize_t tls_read(struct ssl_st *ssl, char *data, size_t size, bool *wants_write);
ssize_t tls_write(struct ssl_st *ssl, const char *data, size_t size);
void tls_goodbye(struct ssl_st *ssl);
void tls_free(struct ssl_st *ssl);

ssize_t transport_read(struct web_connection *connection, char *data, size_t size);
/* Writes what waits, as far as the socket takes it. */
void transport_write(struct web_connection *connection);
/* Whether something waits. */
bool transport_pending(const struct web_connection *connection);
/* Nothing more will be written. */
void transport_shut(struct web_connection *connection);

/* ----------------------------------------------------------------------------------- connection */

enum connection_state {
    STATE_HEAD,   /* a head is to come, or the rest of it; TLS shakes hands */
    STATE_BODY,   /* the same of a body */
    STATE_WAIT,   /* the server has the request */
    STATE_ANSWER, /* the answer is being written */
    STATE_SOCKET,
    STATE_LINGER /* nothing more is written; what comes is dropped, until the other side has all and ends it */
};

struct web_connection {
    uv_poll_t poll;
    struct web_thread *thread;
    int fd;
    struct ssl_st *ssl;                 /* NULL: plain text */
    struct web_connection *next;        /* in its slot of the wheel */
    struct web_connection **link;       /* what points to this one there */
    struct web_connection *ready;       /* the next one that is ready */
    struct web_connection **ready_link; /* NULL: this one is not */
    uint32_t deadline_s;
    uint32_t slot_s;
    uint8_t state;    /* an enum connection_state */
    uint8_t watched;  /* for UV_READABLE, UV_WRITABLE */
    bool read_writes; /* TLS must write before it can read on */
    bool blocked;     /* the socket takes no more for now */
    bool ended;       /* nothing more will come */
    bool failed;      /* to be closed when it is ready */
    bool keep_alive;  /* after the answer */
    bool begun;       /* some of a head has come */
    bool head_only; /* the request, as far as it has come, is a HEAD: no answer to it has a body */
    bool resumed;   /* an answer was written since what was kept was looked at */
    struct head_reader head;
    char *kept; /* what came and could not be taken yet */
    size_t kept_size;
    struct web_frame *sending; /* the first that waits */
    size_t sent;               /* of it */
    struct web_request *request;
    struct web_socket *socket; /* NULL: not upgraded */
};

/* Takes the descriptor, in any case. false: out of memory. */
bool connection_open(struct web_thread *thread, int fd);
void connection_close(struct web_connection *connection);
/* A deadline that many seconds from now. */
void connection_set_deadline(struct web_connection *connection, uint32_t seconds);
void connection_expired(struct web_connection *connection);
/* Has it visited at the end of the turn. */
void connection_ready(struct web_connection *connection);
/* The visit. */
void connection_visit(struct web_connection *connection);
/* Ends it when it is visited. */
void connection_fail(struct web_connection *connection);
/* Nothing more is to be said: waits a while for the other side to end it. */
void connection_linger(struct web_connection *connection);
/* Sends an answer to a request that is none, and then the end. */
void connection_refuse(struct web_connection *connection, unsigned status, const char *reason,
                       const char *const *headers);
void request_free(struct web_request *request);

/* --------------------------------------------------------------------------------------- answer */

/* NULL: out of memory. */
struct web_frame *answer_new(struct web_thread *thread, unsigned status, const char *type,
                             const char *const *headers, const void *body, size_t size,
                             bool head_only, bool keep_alive);

/* ------------------------------------------------------------------------------------ websocket */

/* Reads all of it. */
void socket_receive(struct web_socket *socket, char *data, size_t size);
/* Adds what waits; the same one after the other, taken away. */
unsigned socket_gather(const struct web_socket *socket, struct iovec *pieces, unsigned count_max);
struct web_frame *socket_take(struct web_socket *socket);
/* All that waited is written. */
void socket_written(struct web_socket *socket);
void socket_expired(struct web_socket *socket);
/* Tells the server, if it has not been told. */
void socket_end(struct web_socket *socket, unsigned refused);
void socket_free(struct web_socket *socket);

#endif
