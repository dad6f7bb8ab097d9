/* echo_chat.h - a small chat server on libwebsockets, spread over replicas by libwsfan
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 *   main.c     starts and ends the program
 *   options.c  the command line
 *   server.c   libwebsockets: one thread, one event loop, its sockets and descriptors
 *   http.c     the page, /healthz and /stats
 *   who.c      /chats, /users, /nodes and /kick: questions to the whole cluster
 *   door.c     who may come in, and how fast
 *   client.c   one WebSocket client: what it says, and its bounded queue
 *   frame.c    a WebSocket message that many queues share
 *   cluster.c  libwsfan: every call that the chat itself needs
 *   members.c  who is in a chat, on which replica
 *   peers.c    the other replicas, and what the library says of them
 *   writer.c   writes JSON text
 *   redirect.c sends clients to the replica that owns their chat (--placement redirect)
 *   publish.c  POST /publish: other programs' messages (--publish-token)
 *   drain.c    the end, in order
 *
 * What it shares with thin-client is in examples/web. Everything runs on one thread, so nothing here
 * is locked.
 */
#ifndef ECHO_CHAT_H
#define ECHO_CHAT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libwebsockets.h>
#include <web.h>
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
    QUEUE_COUNT_MAX = 1024,     /* frames that wait for a client; over it, it is too slow */
    QUEUE_BYTES_MAX = 1024 * 1024,
    MOVED_BYTES_MAX = 123,  /* of a close reason (RFC 6455, section 5.5) */
    PUBLIC_BYTES_MAX = 100, /* of an address in one */
    ID_BYTES = 33           /* 16 hex digits, '-', 16 hex digits */
};

/* Why a connection ends (RFC 6455, section 7.4.1, and the registry that it opens). */
enum close_status {
    CLOSE_GOING_AWAY = 1001,
    CLOSE_NOT_TEXT = 1003,
    CLOSE_NOT_UTF8 = 1007,
    CLOSE_POLICY_VIOLATION = 1008,
    CLOSE_TOO_LARGE = 1009,
    CLOSE_INTERNAL_ERROR = 1011,
    CLOSE_TRY_AGAIN_LATER = 1013,
    CLOSE_KICKED = 4001, /* our own: do not come back by yourself */
    CLOSE_MOVED = 4307   /* the reason says where to; of the range for private use */
};

/* ------------------------------------------------------------------------------------ writer */

/* JSON text as it grows. Out of memory is remembered, so that only the end needs to look. */
struct writer {
    char *data; /* LWS_PRE bytes of room, then the text */
    size_t size;
    size_t capacity;
    bool failed;
};

void writer_free(struct writer *json);
void writer_raw(struct writer *json, const char *text, size_t size); /* as it is */
void writer_format(struct writer *json, const char *format, ...) LWS_FORMAT(2);
/* A quoted, escaped string. What is no UTF-8 becomes U+FFFD, so the text is JSON in any case. */
void writer_string(struct writer *json, const char *text);
void writer_string_sized(struct writer *json, const char *text, size_t size);
wsfan_bytes writer_text(const struct writer *json);

/* ------------------------------------------------------------------------------------- frame */

/* A message to clients: formatted once, held by the queue of each client that gets it. */
struct frame {
    uint32_t references;
    size_t size;          /* of header and payload, as they are sent */
    unsigned char room[]; /* LWS_PRE bytes, which libwebsockets wants before, then these */
};

unsigned char *frame_start(struct frame *frame);

/* Both return NULL without memory, and frame_from_json() also for a failed json.
 * A message that is a JSON object goes on with its id in it, other text as the text of a message, and what
 * is no text as a binary frame. */
struct frame *frame_from_message(const wsfan_message *message);
struct frame *frame_from_json(struct writer *json); /* frees the text and leaves json empty */
void frame_release(struct frame *frame);            /* NULL is allowed */
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
    struct bucket handshakes;
};

/* ------------------------------------------------------------------------------------ server */

struct server {
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct web_listener listener;
    wsfan_node *node;
    wsfan_loop *loop;
    struct client *clients; /* a list */
    struct query *queries;  /* HTTP requests that wait for the cluster, a list */
    uint64_t clients_count;
    uint64_t clients_slow;    /* closed with 1013 since the start */
    uint64_t clients_refused; /* closed with 1008, 1003, 1007 or 1009, or not let in */
    uint64_t outbound_dropped[WSFAN_OUTBOUND_DROP_COUNT]; /* of clients that have gone */
    struct door door;
    bool keys_reloadable; /* there is an --allow */
    bool met;             /* another replica has answered */
    bool stopping;
    bool stopped;
    bool drained;
    uint32_t drain_ms;
    bool redirect;               /* clients of chats that others own */
    uint64_t clients_moved;      /* closed with 4307 */
    struct publisher *publisher; /* NULL: nobody may publish over HTTP */
    lws_sorted_usec_list_t stop_deadline;
    lws_sorted_usec_list_t meet_deadline;
    lws_sorted_usec_list_t recount; /* of members, for clients whose count is not complete */
};

struct options {
    char listen_host[256];
    int listen_port;
    uint32_t drain_s;
    bool redirect;
    const char *publish_token; /* a file; NULL: none */
    const char *tls_cert;      /* files in PEM; NULL, both of them: plain text */
    const char *tls_key;
    struct door_options door;
    bool clients_asked; /* by --clients */
    wsfan_options cluster;
};

/* Reads the first line of a file. Returns 0, or -1 and a message on stderr. */
int token_read(struct token *token, const char *flag, const char *file);
/* Whether the request brings it as Authorization: Bearer TOKEN. How long it takes to tell does not
 * depend on how much of a token of the right size is right. */
bool token_in_header(const struct token *token, struct lws *wsi);

/* Reads the token file. Returns 0, or -1 and a message on stderr. */
int door_open(struct server *server, const struct door_options *options);
/* Whether the request brings the token, in its header or its URL, or none is needed. */
bool door_has_token(const struct server *server, struct lws *wsi);
/* Whether the request names this server as it is called, so that its answer is not for a page of a
 * stranger. */
bool door_knows_host(const struct server *server, struct lws *wsi);
/* Whether it may act in the name of the page that it is from. */
bool door_own_page(const struct server *server, struct lws *wsi);
/* The HTTP status with which a handshake is refused, and why; 0: it may go on. */
unsigned door_refuses(struct server *server, struct lws *wsi, const char **reason);
/* Whether the client may say one more message now. */
bool door_message(struct client *client);
bool bucket_take(struct bucket *bucket, uint32_t per_second, uint64_t now_us);

/* Makes as many descriptors as the clients and the mesh need, as far as the system lets it, and sets
 * clients_max to what there are descriptors for, told on stderr if more were asked for. */
void server_reserve(struct server *server, struct options *options);
/* Starts libwebsockets, and listens. Returns 0, or -1 and a message on stderr. */
int server_open(struct server *server, const struct options *options);
/* Runs until a signal to end has been carried out: every client was told and has gone. */
void server_run(struct server *server);
void server_close(struct server *server);

/* ------------------------------------------------------------------------------------ client */

struct client {
    struct server *server;
    struct lws *wsi;
    struct client *next;
    struct client **link; /* what points to this one */
    wsfan_session session;
    bool large;      /* it was told that its chat has too many members to name them */
    bool incomplete; /* and that not all replicas are in the count */
    char chat[CHAT_BYTES_MAX + 1];
    char user[USER_BYTES_MAX + 1];
    char *text; /* of the message that is arriving in pieces */
    size_t text_size;
    wsfan_outbound *queue; /* of frames */
    struct bucket messages;
    int close_status; /* 0 while it is open, then an enum close_status */
    const char *close_reason;
    char moved_to[MOVED_BYTES_MAX + 1]; /* a close reason that is not constant */
    char kick_reason[124]; /* what close_reason points to when somebody else closes it */
};

/* WebSocket events; -1 makes libwebsockets close the connection. */
void client_open(struct client *client, struct server *server, struct lws *wsi);
int client_receive(struct client *client, const char *data, size_t size);
int client_writable(struct client *client);
void client_closed(struct client *client);

/* Queues a frame. A client whose queue is full is closed with 1013. frame may be NULL. key as of
 * wsfan_outbound_push(): of one key only the newest waits. */
void client_send(struct client *client, struct frame *frame, uint64_t key);
void send_json(struct client *client, struct writer *json);
/* "<node>-<session>" in hex, the name of a client in the whole cluster. */
void client_session(const struct client *client, char text[ID_BYTES + 1]);
/* Leaves the cluster at once; the close frame goes out as soon as the socket takes it. */
void client_close(struct client *client, enum close_status status, const char *reason);

/* ----------------------------------------------------------------------------------- cluster */

int cluster_open(struct server *server, wsfan_options *options);
void cluster_readable(struct server *server);
int cluster_join(struct client *client);
void cluster_leave(struct client *client);
int cluster_broadcast(struct client *client, wsfan_bytes payload);
/* To the others, and only the newest, for whoever lags behind. */
int cluster_broadcast_latest(struct client *client, wsfan_bytes payload, wsfan_bytes key);
void cluster_reload_keys(struct server *server);
void cluster_close(struct server *server);

/* ------------------------------------------------------------------------- members and peers */

void members_welcome(struct client *client);
void members_recount(struct client *client);
void members_changed(void *loop_user, const wsfan_presence *presence);

/* Tells on stderr when none of the replicas that were named has answered after a while. */
void peers_expect(struct server *server, size_t named_count);
void peers_welcome(struct client *client);
void peers_joined(void *loop_user, const wsfan_joined *joined);
void peers_event(void *loop_user, const wsfan_peer *peer);
void peers_gap(void *loop_user, const wsfan_gap *gap);
/* The peers; to be freed. NULL and 0 without memory. */
wsfan_peer_stats *peers_list(const struct server *server, size_t *count);

/* ---------------------------------------------------------------------------------- redirect */

/* Before the upgrade of a program: true, and where to. */
bool redirect_before(const struct server *server, struct lws *wsi, char *location, size_t size);
/* After the upgrade of a browser: true, and it is closed. */
bool redirect_after(struct client *client);
void redirect_owner(void *loop_user, const wsfan_moved *moved);

/* ------------------------------------------------------------------------------------ publish */

/* Reads the token, the first line of a file. Returns 0, or -1 and a message on stderr. */
int publish_open(struct server *server, const char *token_file);
void publish_close(struct server *server);
/* The events of a request to POST /publish. -1: hang up. */
int publish_request(struct server *server, struct lws *wsi, bool post, uint64_t body_size);
int publish_body(struct server *server, struct lws *wsi, const char *data, size_t size);
int publish_complete(struct server *server, struct lws *wsi);
int publish_writable(struct server *server, struct lws *wsi);
void publish_hung_up(struct server *server, struct lws *wsi);
void publish_result(void *loop_user, const wsfan_result *result);

/* -------------------------------------------------------------------------------------- drain */

void drain_begin(struct server *server); /* the second time: ends at once */
void drain_sessions(void *loop_user, const wsfan_recipient *sessions, size_t count);
void drain_done(void *loop_user, int status);
bool drain_over(const struct server *server);

/* -------------------------------------------------------------------------------------- http */

/* The query string of a request. */
struct arguments http_arguments(struct lws *wsi);
/* Answers a request at once or later; -1 makes libwebsockets close the connection. */
int http_request(struct server *server, struct lws *wsi);
/* 0: the upgrade to WebSocket goes on; -1: it was refused, with an answer. */
int http_upgrade(struct server *server, struct lws *wsi, const char *protocol);
/* Answers with JSON text, which is freed; headers as of web_answer(). Always -1. */
int http_answer(struct lws *wsi, unsigned status, struct writer *body, const char *const *headers,
                bool head_only);

/* --------------------------------------------------------------------------------------- who */

bool who_serves(const char *path, bool post);
/* 0: it is answered when the cluster has answered; else an HTTP status to answer with now. */
unsigned who_request(struct server *server, struct lws *wsi, const char *path, bool post,
                     bool head_only);
int who_writable(struct lws *wsi);
void who_closed(struct lws *wsi);
void who_reply(void *loop_user, const wsfan_reply *reply);
void who_close(void *loop_user, const wsfan_close *close);
void who_end(struct server *server); /* forgets who still waits */

/* ------------------------------------------------------------------------------------ options */

/* Reads the command line; prints and exits on --help (0) and on a bad argument (2). */
void options_read(struct options *options, int argc, char **argv);

/* The page, made from page.html when the program is built. */
extern const unsigned char page_html[];
extern const size_t page_html_size;

#endif
