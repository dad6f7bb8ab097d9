/* web.h - HTTP/1.1 and WebSocket for the example servers, on libuv and OpenSSL
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 *   listener.c    the listening socket; how many descriptors there are
 *   thread.c      a thread: its loop, time limits, what is to be done at the end of a turn
 *   connection.c  one TCP connection: requests in their order, and the end
 *   transport.c   what a connection reads and writes, plain or by TLS
 *   answer.c      answers to requests
 *   websocket.c   what a connection becomes after the upgrade
 *   tls.c         OpenSSL
 *   origin.c      the host names and origins that are this server's own
 *   metrics.c     GET /metrics (metrics.h)
 *   text.c        strings of a JSON object that C can keep whole
 *
 * The bytes themselves are read by files that know no socket and no clock: utf8, head, body, target, query,
 * handshake, frames.
 *
 * A server may have several threads, each with a loop, a listening socket and connections of its own.
 * Everything that belongs to a thread is used on it alone; nothing here is locked. What threads share is
 * read-only (struct web_tls) or atomic (counts). The process ignores SIGPIPE.
 *
 * Neither wslay nor llhttp reads the bytes: wslay refuses the close codes 1012 to 1014 and takes 8 KB for each
 * client; llhttp is not in Debian 12, and takes much that RFC 9112 forbids unless told not to.
 * permessage-deflate is not offered: a window for each direction of each client is 64 KB and more.
 */
#ifndef WEB_H
#define WEB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <uv.h>
#include <wsfan/outbound.h>

#include "body.h"
#include "frames.h"
#include "head.h"
#include "query.h"
#include "utf8.h"

struct web_connection;
struct web_frame;
struct web_socket;
struct web_thread;
struct web_tls;

/* ------------------------------------------------------------------------------- descriptors */

/* How many connections there may be, and are, in all threads that share this. */
struct web_descriptors {
    unsigned connections_max;
    atomic_uint connections_count;
};

/* Raises the process's limit of descriptors to the hard one, and keeps `others` of them from
 * connections; where there are few, half. At most `connections`. */
void web_reserve_descriptors(struct web_descriptors *descriptors, unsigned connections,
                             unsigned others);

/* ----------------------------------------------------------------------------------- requests */

/* One request. Everything in it is valid until it is answered. */
struct web_request {
    struct web_thread *thread;
    void *user;        /* of the thread */
    bool secure;       /* it came by TLS of this server */
    struct head head;  /* method, query, header fields */
    const char *path;  /* decoded and normalised (target.h) */
    struct slice body; /* empty until on_request() */
    /* The rest is for this folder. */
    struct web_connection *connection; /* NULL: it has gone */
    struct body reader;
    char *body_bytes;
    size_t body_capacity;
    char bytes[]; /* the head, then the path */
};

bool web_reads(const struct web_request *request); /* GET or HEAD */
/* The only field of a name (of any case). false: there is none, or several. */
bool web_field(const struct web_request *request, const char *name, struct slice *value);

/* Answers, now or later: each request once, before web_close(). Where the connection has gone, the answer is
 * dropped. Everything is copied. type: of the body; not sent: the body of an answer to HEAD.
 * headers: name, value, ..., NULL; or NULL. */
void web_answer(struct web_request *request, unsigned status, const char *type,
                const char *const *headers, const void *body, size_t size);

/* ------------------------------------------------------------------------------------ sockets */

enum {
    WEB_CLOSE_MEMORY = 1011,
    WEB_CLOSE_SLOW = 1013
}; /* RFC 6455, section 7.4.1, and its registry */

/* Makes a WebSocket of the connection of a request that on_upgrade() got, instead of an answer. The request is
 * valid until on_upgrade() returns. user: of the socket. NULL: out of memory; the request is to be answered. */
struct web_socket *web_upgrade(struct web_request *request, void *user);
void *web_user(const struct web_socket *socket);

/* A message that many sockets may share: framed once, of a fixed size. *payload: where its bytes go, before it
 * is sent. NULL: out of memory. The caller holds it until web_frame_release(); NULL is allowed there. */
struct web_frame *web_frame_new(bool is_text, size_t size, char **payload);
void web_frame_release(struct web_frame *frame);

/* Sends a frame, after those that were sent before; what one turn of the loop sends to a socket leaves in one
 * write at its end. key as of wsfan_outbound_push(). Returns 0, or the status to close with:
 * WEB_CLOSE_SLOW where too much waits for the socket, WEB_CLOSE_MEMORY. To a socket that is being
 * closed nothing is sent, which is no error. */
unsigned web_send(struct web_socket *socket, struct web_frame *frame, uint64_t key);

/* Closes: what waits is sent, then a close frame; with WEB_CLOSE_SLOW what waits is dropped. Nothing more is
 * received; on_close() comes when the other side has answered, or after some seconds.
 * reason: UTF-8 of `size` bytes; copied. What is over 123 is cut off where a character ends. */
void web_close_socket(struct web_socket *socket, unsigned status, const char *reason, size_t size);

/* ------------------------------------------------------------------------------------ threads */

/* Callbacks of a server. Any may be NULL but on_request. */
struct web_handlers {
    /* The head is there and a body announced, of which nothing has come yet. Returns how large a body may
     * be; a larger one is refused with 413. It may answer already: then the body is dropped.
     * NULL: WEB_BODY_BYTES_USUAL. */
    size_t (*on_head)(struct web_request *request);
    /* The request is whole. */
    void (*on_request)(struct web_request *request);
    /* A handshake as RFC 6455 wants it: answer it, or web_upgrade(). NULL: it is a request as others. */
    void (*on_upgrade)(struct web_request *request);
    /* A whole message. A text is UTF-8. data is valid until it returns. */
    void (*on_message)(struct web_socket *socket, bool is_text, const char *data, size_t size);
    /* The last of a socket, once. refused: the status that the connection was closed with for what came on
     * it (1002, 1007, 1009); 0: any other end. */
    void (*on_close)(struct web_socket *socket, unsigned refused);
};

enum { WEB_BODY_BYTES_USUAL = 16 * 1024 };

/* A port of several threads: the first one asks for WEB_PORT_SHARED, and gets it if nobody else has it. */
enum web_sharing { WEB_PORT_ALONE, WEB_PORT_SHARED, WEB_PORT_JOINED };

struct web_options {
    const char *host;         /* an address, or the name of an interface */
    int port;                 /* 0: any free one */
    enum web_sharing sharing; /* of the port */
    struct web_tls *tls;      /* NULL: plain text */
    struct web_descriptors *descriptors;
    size_t message_bytes_max; /* of a client's message */
    uint32_t queue_count_max; /* frames that wait for a socket */
    uint64_t queue_bytes_max;
    const struct web_handlers *handlers;
    void *user;
};

/* Counters of a thread, which any thread may read. */
struct web_counts {
    atomic_uint_fast64_t slow; /* sockets that were closed with WEB_CLOSE_SLOW */
    atomic_uint_fast64_t
        dropped[WSFAN_OUTBOUND_DROPS_MAX]; /* by queues that have emptied or gone */
};

/* Reads certificate and key in PEM. Shared by threads. NULL: they cannot be used together. */
struct web_tls *web_tls_open(const char *cert_file, const char *key_file);
void web_tls_close(struct web_tls *tls); /* NULL is allowed */

/* Opens a thread, and listens. options: copied, but for what it points to. Returns NULL, or what is wrong. */
const char *web_open(struct web_thread **thread, const struct web_options *options);
int web_port(const struct web_thread *thread);
struct web_counts *web_counts(struct web_thread *thread);
/* For timers, signals and descriptors of the server. web_close() closes what is left of them; it frees none. */
uv_loop_t *web_loop(struct web_thread *thread);
/* Runs until web_stop(), which is called on the thread. */
void web_run(struct web_thread *thread);
void web_stop(struct web_thread *thread);
/* Closes all connections, at once, and frees the thread. NULL is allowed. */
void web_close(struct web_thread *thread);

/* ------------------------------------------------------------------------------------- origin */

enum { WEB_NAMES_COUNT_MAX = 16 };

/* The names of this server, and whose pages may use it. */
struct web_names {
    const char *origins[WEB_NAMES_COUNT_MAX]; /* "https://example.org", or "*"; none: own pages */
    unsigned origins_count;
    const char *hosts[WEB_NAMES_COUNT_MAX]; /* names without a port */
    unsigned hosts_count;
    bool any_host;              /* the name does not matter */
    const char *public_address; /* "http://HOST:PORT", or NULL */
};

/* "*", or SCHEME://HOST[:PORT] with http or https, and nothing behind it. */
bool web_is_origin(const char *text);

/* Whether the Host of the request is an address, localhost, a name of `names`, or missing. Another name
 * may be one that a stranger's DNS server points here, so that a page of his counts as our own
 * ("DNS rebinding"). */
bool web_own_host(const struct web_names *names, const struct web_request *request);
/* Whether the request is from a page of this server, or not from a page at all. A page of another site
 * may send a browser here, but not in our name. What comes by TLS is of a page that came by TLS; what comes
 * without may be either, for a proxy may stand before that ends TLS: `origins` says which, where it matters. */
bool web_own_page(const struct web_names *names, const struct web_request *request);
/* Whether the request is from a page that may connect, or not from a page at all. */
bool web_allowed_page(const struct web_names *names, const struct web_request *request);

/* -------------------------------------------------------------------------------------- text */

/* A JSON text of one value, every string of it whole: in UTF-8, without NUL. NULL, and the HTTP status to
 * refuse it with: 400 for what is no JSON, 422 for strings that cannot be kept, and keys twice. */
json_t *web_json(const char *text, size_t size, unsigned *status);

#endif
