/* echo_chat.h - a small chat server, spread over replicas by libwsfan
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 *   main.c     starts and ends the program and its threads
 *   options.c  the command line
 *   server.c   a thread: its connections, its loop of libwsfan
 *   http.c     the page, /healthz and /stats; requests that wait for the cluster
 *   metrics.c  /metrics, for Prometheus
 *   who.c      /chats, /users, /members, /nodes and /kick: questions to the whole cluster
 *   door.c     who may come in, and how fast
 *   client.c   one WebSocket client, and what it says
 *   frame.c    messages of libwsfan, as clients get them
 *   cluster.c  libwsfan: every call that the chat itself needs
 *   members.c  who is in a chat, on which replica
 *   log.c      what happens in the mesh, on stderr
 *   peers.c    the other replicas, and what the library says of them
 *   writer.c   writes JSON text
 *   object.c   looks JSON text over
 *   redirect.c sends clients to the replica that owns their chat (--placement redirect)
 *   publish.c  POST /publish: other programs' messages (--publish-token)
 *   drain.c    the end, in order
 *
 * Connections, TLS, HTTP and WebSocket are in examples/web. Each thread has a struct server, which no other
 * thread uses; struct replica is what they share: read-only once they run, atomic, or locked.
 */
#ifndef ECHO_CHAT_H
#define ECHO_CHAT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <web.h>
#include <wsfan/diagnosis.h>
#include <wsfan/history.h>
#include <wsfan/outbound.h>
#include <wsfan/peers.h>
#include <wsfan/placement.h>
#include <wsfan/presence.h>
#include <wsfan/requests.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

enum {
    CHAT_BYTES_MAX = 128,
    USER_BYTES_MAX = 64,
    TEXT_BYTES_MAX = 16 * 1024, /* of one message that a client sends */
    MEMBERS_COUNT_MAX = 100,    /* of a chat, that a client is told by name */
    QUEUE_COUNT_MAX = 1024,     /* frames that wait for a client; over it, it is too slow */
    QUEUE_BYTES_MAX = 1024 * 1024,
    REASON_BYTES_MAX = 123, /* of a close frame (RFC 6455, section 5.5) */
    PUBLIC_BYTES_MAX = 100, /* of an address in one */
    POSITIONS_BYTES_MAX = 2 * WSFAN_POSITION_TEXT_SIZE - 1, /* of two, with a space */
    REWIND_COUNT_MAX = 500,                                 /* half of a client's queue */
    ID_BYTES = 33                                           /* 16 hex digits, '-', 16 hex digits */
};

/* Why a connection ends (RFC 6455, section 7.4.1, and the registry that it opens). */
enum close_status {
    CLOSE_GOING_AWAY = 1001,
    CLOSE_NOT_TEXT = 1003,
    CLOSE_POLICY_VIOLATION = 1008,
    CLOSE_INTERNAL_ERROR = 1011,
    CLOSE_TRY_AGAIN_LATER = 1013,
    CLOSE_KICKED = 4001, /* our own: do not come back by yourself */
    CLOSE_MOVED = 4307   /* the reason says where to; of the range for private use */
};

/* ------------------------------------------------------------------------------------ writer */

/* JSON text as it grows. Out of memory is remembered, so that only the end needs to look. */
struct writer {
    char *data;
    size_t size;
    size_t capacity;
    bool failed;
};

void writer_free(struct writer *json);
void writer_raw(struct writer *json, const char *text, size_t size); /* as it is */
void writer_literal(struct writer *json, const char *text);          /* the same */
__attribute__((format(printf, 2, 3))) void writer_format(struct writer *json, const char *format,
                                                         ...);
/* A quoted, escaped string. What is no UTF-8 becomes U+FFFD, so the text is JSON in any case. */
void writer_string(struct writer *json, const char *text);
void writer_string_sized(struct writer *json, const char *text, size_t size);
/* From the first byte on, how many are of ASCII and in a string as they are. */
size_t writer_plain_size(const char *text, size_t size);
/* The text of an id that has two halves. */
void writer_id(char text[ID_BYTES + 1], uint64_t first, uint64_t second);
wsfan_bytes writer_text(const struct writer *json);

/* ------------------------------------------------------------------------------------ object */

/* Whether UTF-8 text is a JSON object that has members, but none of those that frame.c puts before them: id, position,
 * replayed. It may deny what is unusual.
 * members: what follows the first brace, to the end of the text. */
bool object_has_members(const char *text, size_t size, struct slice *members);

/* ------------------------------------------------------------------------------------- frame */

/* Both return NULL without memory, and frame_from_json() also for a failed json.
 * A message that is a JSON object goes on with its id in it, other text as the text of a message, and what
 * is no text as a binary frame. position: of the chat after this message; "": none. */
struct web_frame *frame_from_message(const wsfan_message *message, const char *position);
struct web_frame *frame_from_json(struct writer *json); /* frees the text and leaves json empty */
/* Of a mark that only the newest of its sender is worth anything of; 0: of any other message. */
uint64_t frame_key(const wsfan_message *message);

/* -------------------------------------------------------------------------------------- door */

enum { TOKEN_BYTES_MAX = 256 };

struct token {
    char text[TOKEN_BYTES_MAX];
    uint32_t size; /* 0: nobody needs one */
};

struct client;

struct door_options {
    const char *token_file; /* its first line is the token that clients need; NULL: none */
    struct web_names names;
    uint32_t clients_max; /* these three: 0 is no limit */
    uint32_t handshakes_per_second;
    uint32_t messages_per_second; /* of one client */
};

struct bucket {
    uint64_t level; /* millionths */
    uint64_t at_us; /* 0: not used yet, full */
};

struct door {
    struct door_options options;
    struct token token;
    uv_mutex_t lock; /* of what follows */
    struct bucket handshakes;
};

/* ---------------------------------------------------------------------------------------- log */

struct log_options {
    int level; /* the least wsfan_level that is logged; above them all: nothing */
    bool json;
};

void log_event(void *loop_user, const wsfan_event *event);

/* ----------------------------------------------------------------------- replica and servers */

/* The state of a replica that its threads share. */
struct replica {
    wsfan_node *node;
    struct wsfan_nats *nats; /* NULL: the mesh is over ZeroMQ */
    struct web_tls *tls;
    struct web_descriptors descriptors;
    struct door door;
    struct log_options log;
    struct publisher *publisher; /* NULL: nobody may publish over HTTP */
    struct server *servers;      /* one for each thread */
    unsigned servers_count;
    bool history;         /* there is a --history */
    bool keys_reloadable; /* there is an --allow */
    bool redirect;        /* clients of chats that others own */
    uint32_t drain_ms;
    atomic_bool stopping;
    atomic_uint clients_count;
    atomic_uint_fast64_t clients_refused; /* closed for what they did, or not let in */
    atomic_uint_fast64_t clients_moved;   /* closed with 4307 */
};

/* A thread. */
struct server {
    struct replica *replica;
    wsfan_node *node; /* the replica's */
    struct web_thread *web;
    wsfan_loop *loop;
    uv_thread_t thread; /* of all but the first */
    uv_poll_t cluster;  /* the descriptor of its loop */
    uv_check_t polled;
    bool said;               /* a client has said something in this turn */
    struct client *clients;  /* a list */
    struct waiting *waiting; /* HTTP requests that wait for the cluster, a list */
    bool drained;
    uv_async_t end;
    uv_timer_t stop_deadline;
    uv_timer_t recount; /* of members, for clients whose count is not complete */
};

struct nats_options {
    const char *urls;             /* NULL: the mesh is over ZeroMQ */
    const char *credentials_file; /* NULL: none */
    const char *ca_file;          /* NULL: the system's */
};

struct options {
    char listen_host[256];
    int listen_port;
    uint32_t threads;
    uint32_t drain_s;
    bool redirect;
    const char *publish_token; /* a file; NULL: none */
    const char *tls_cert;      /* files in PEM; NULL, both of them: plain text */
    const char *tls_key;
    struct door_options door;
    struct log_options log;
    bool clients_asked;           /* by --clients */
    const char *history_key_file; /* NULL: none */
    struct token history_key;     /* its first line */
    struct nats_options nats;
    wsfan_options cluster;
};

/* Reads the first line of a file. Returns 0, or -1 and a message on stderr. */
int token_read(struct token *token, const char *flag, const char *file);
/* Whether the request brings it as Authorization: Bearer TOKEN. How long it takes to tell does not
 * depend on how much of a token of the right size is right. */
bool token_in_header(const struct token *token, const struct web_request *request);

/* Reads the token file. Returns 0, or -1 and a message on stderr. */
int door_open(struct door *door, const struct door_options *options);
/* Whether the request brings the token, in its header or its URL, or none is needed. */
bool door_has_token(const struct door *door, const struct web_request *request);
/* The HTTP status with which a handshake is refused, and why; 0: it may go on. */
unsigned door_refuses(struct replica *replica, const struct web_request *request,
                      const char **reason);
/* Whether the client may say one more message now. */
bool door_message(struct client *client);
bool bucket_take(struct bucket *bucket, uint32_t per_second, uint64_t now_us);

/* Sets clients_max to what there are descriptors for, told on stderr if more were asked for. */
void replica_reserve(struct replica *replica, struct options *options);
/* Opens the threads, and listens. Returns 0, or -1 and a message on stderr. */
int replica_open(struct replica *replica, const struct options *options);
/* Runs all threads until a signal to end has been carried out: every client was told and has gone. */
void replica_run(struct replica *replica);
void replica_close(struct replica *replica);

/* ------------------------------------------------------------------------------------ client */

struct client {
    struct server *server;
    struct web_socket *socket;
    struct client *next;
    struct client **link; /* what points to this one */
    wsfan_session session;
    bool closing;    /* it has left the cluster */
    bool large;      /* its chat has more members than it was told by name */
    bool incomplete; /* and that not all replicas are in the count */
    char chat[CHAT_BYTES_MAX + 1];
    char user[USER_BYTES_MAX + 1];
    struct bucket messages;
};

/* Makes a client of the request. */
void client_open(struct server *server, struct web_request *request);
void client_receive(struct web_socket *socket, bool is_text, const char *data, size_t size);
void client_closed(struct web_socket *socket, unsigned refused);

/* Sends a frame. A client for which too much waits is closed with 1013. frame may be NULL. key as of
 * wsfan_outbound_push(): of one key only the newest waits. */
void client_send(struct client *client, struct web_frame *frame, uint64_t key);
void send_json(struct client *client, struct writer *json);
/* "<node>-<session>" in hex, the name of a client in the whole cluster. */
void client_session(const struct client *client, char text[ID_BYTES + 1]);
/* Leaves the cluster at once; the close frame goes out as soon as the socket takes it. reason: as of
 * web_close_socket(). */
void client_close(struct client *client, enum close_status status, wsfan_bytes reason);

/* ----------------------------------------------------------------------------------- cluster */

/* How a client comes back to its chat, or begins in it. */
struct resume {
    char position[POSITIONS_BYTES_MAX + 1]; /* "": it has none */
    uint32_t rewind_count;                  /* of the last messages */
};

int cluster_open(struct replica *replica, const wsfan_options *options);
int cluster_join(struct client *client, const struct resume *resume);
/* Where the clients of this thread are in a chat. "" where no position can be told just now. */
void cluster_position(struct server *server, wsfan_bytes chat, char text[WSFAN_POSITION_TEXT_SIZE]);
void cluster_leave(struct client *client);
int cluster_broadcast(struct client *client, wsfan_bytes payload);
/* To the others, and only the newest, for whoever lags behind. */
int cluster_broadcast_latest(struct client *client, wsfan_bytes payload, wsfan_bytes key);
void cluster_reload_keys(struct replica *replica);
void cluster_close(struct replica *replica);

/* ------------------------------------------------------------------------- members and peers */

void members_welcome(struct client *client);
void members_recount(struct client *client);
void members_changed(void *loop_user, const wsfan_presence *presence);

void peers_welcome(struct client *client);
void peers_joined(void *loop_user, const wsfan_joined *joined);
void peers_event(void *loop_user, const wsfan_peer *peer);
void peers_gap(void *loop_user, const wsfan_gap *gap);
/* The peers; to be freed. NULL and 0 without memory. */
wsfan_peer_stats *peers_list(const struct server *server, size_t *count);

/* ---------------------------------------------------------------------------------- redirect */

enum {
    LOCATION_BYTES_MAX = PUBLIC_BYTES_MAX +
                         3 * (CHAT_BYTES_MAX + USER_BYTES_MAX + POSITIONS_BYTES_MAX) + 64
};

/* Before the upgrade of a program: true, and where to. */
bool redirect_before(const struct server *server, const struct web_request *request, char *location,
                     size_t size);
/* After the upgrade of a browser: true, and it is closed. */
bool redirect_after(struct client *client, const struct web_request *request);
void redirect_owner(void *loop_user, const wsfan_moved *moved);

/* -------------------------------------------------------------------------------------- http */

/* A request that waits for the cluster. */
struct waiting {
    struct server *server;
    struct web_request *request;
    struct waiting *next;
    struct waiting **link; /* what points to this one */
    uint64_t key_serial;   /* publish.c: of its Idempotency-Key; 0: it has none */
    bool members;          /* who.c: of a chat are asked for */
};

extern const struct web_handlers http_handlers;

/* The query string of a request, with the keys that the server knows. */
struct query http_query(const struct web_request *request);
/* Reads the position and the rewind_count of the URL. Returns what is wrong with them, or NULL. */
const char *http_resume(const struct web_request *request, struct resume *resume);
/* Answers with JSON text, which is freed; headers as of web_answer(). */
void http_answer(struct web_request *request, unsigned status, struct writer *body,
                 const char *const *headers);
/* Clients that were closed since the start because they read too slowly. */
uint64_t clients_slow(const struct replica *replica);
void http_plain(struct web_request *request, unsigned status, const char *text,
                const char *const *headers);
/* NULL: out of memory. */
struct waiting *wait_begin(struct server *server, struct web_request *request);
void wait_end(struct waiting *waiting); /* its request has been answered, or will be now */
void wait_give_up(struct server *server);

void metrics_request(struct server *server, struct web_request *request);

/* --------------------------------------------------------------------------------------- nats */

/* With --nats: sets options->cluster to be carried over NATS. Returns 0, or -1 and a message on stderr. */
int nats_open(struct replica *replica, struct options *options);
const char *nats_error(const struct replica *replica); /* "": none */
void nats_close(struct replica *replica);              /* after the node */

/* ------------------------------------------------------------------------------------ publish */

/* Reads the token, the first line of a file. Returns 0, or -1 and a message on stderr. */
int publish_open(struct replica *replica, const char *token_file);
void publish_close(struct replica *replica);
/* A request to /publish, before its body: how large that may be; 0: it is answered. */
size_t publish_head(struct web_request *request);
void publish_request(struct web_request *request);
void publish_result(void *loop_user, const wsfan_result *result);

/* -------------------------------------------------------------------------------------- drain */

void drain_begin(struct replica *replica); /* the second time: ends at once */
void drain_sessions(void *loop_user, const wsfan_recipient *sessions, size_t count);
void drain_done(void *loop_user, int status);
/* Ends the thread, if it was the last client of a drain that has gone. */
void drain_look(struct server *server);

/* --------------------------------------------------------------------------------------- who */

bool who_serves(const char *path, bool post);
/* 0: it is answered when the cluster has answered; else an HTTP status to answer with now. */
unsigned who_request(struct web_request *request);
void who_reply(void *loop_user, const wsfan_reply *reply);
void who_close(void *loop_user, const wsfan_close *close);

/* ------------------------------------------------------------------------------------ options */

/* Reads the command line; prints and exits on --help (0) and on a bad argument (2). */
void options_read(struct options *options, int argc, char **argv);

/* The page, made from page.html when the program is built. */
extern const unsigned char page_html[];
extern const size_t page_html_size;

#endif
