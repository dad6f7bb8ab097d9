/* web.h - what the example servers need of HTTP beside libwebsockets
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 *   listener.c  the listening socket, which accepts only what there are descriptors for
 *   exchange.c  one request and its answer, after which the connection ends
 *   arguments.c the arguments of a URL
 *   origin.c    the host names and origins that are this server's own
 *   text.c      strings of a JSON object that C can keep whole
 *   utf8.c      UTF-8
 *
 * Nothing here is locked: a server calls it on the thread of its event loop.
 */
#ifndef WEB_H
#define WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <libwebsockets.h>

#include "utf8.h"

/* ---------------------------------------------------------------------------------- listener */

/* Its server counts connections, by LWS_CALLBACK_WSI_CREATE and LWS_CALLBACK_WSI_DESTROY. */
struct web_listener {
    struct lws *wsi;
    struct lws_vhost *vhost; /* that gets the connections */
    int port;
    unsigned connections_count; /* with the descriptors that libwebsockets watches */
    unsigned connections_max;
    lws_sorted_usec_list_t again; /* to be cancelled before the end */
};

/* Listens. protocol: whose LWS_CALLBACK_RAW_RX_FILE calls web_accept(). NULL: it does; else what is
 * wrong. host: an address, or the name of an interface. port 0: any free one. */
const char *web_listen(struct web_listener *listener, struct lws_vhost *vhost, const char *protocol,
                       const char *host, int port);
void web_accept(struct web_listener *listener);

/* Calls the protocol back when `fd` is readable. Takes the descriptor. NULL on failure, or for fd -1. */
struct lws *web_watch(struct lws_vhost *vhost, int fd, const char *protocol);

/* Sets the process's limit of descriptors to what is needed, as far as the system lets it. Returns how
 * many there are for connections; where there are few, half are for others. */
unsigned web_reserve_descriptors(unsigned connections, unsigned others);

/* ---------------------------------------------------------------------------------- exchange */

/* Judges the request line, Host, Content-Length and Transfer-Encoding (RFC 9112, sections 3 and 6).
 * Returns 0 and the size of the body that follows (0: none), or the HTTP status to refuse the request
 * with and why. */
unsigned web_judge(struct lws *wsi, uint64_t *body_size, const char **reason);

/* The answer comes later: until then nothing more is read from the connection. */
void web_defer(struct lws *wsi);
/* The answer is there: asks for the callback in which it may be sent. */
void web_resume(struct lws *wsi);

/* An answer of so many bytes at most is taken by the system at once. A larger one costs processor time while
 * it goes out. */
enum { WEB_ANSWER_BYTES_MAX = 128 * 1024 };

/* Sends the answer. headers: name with its colon, value, ..., NULL; or NULL. body has LWS_PRE bytes of
 * room before it. head_only: the answer to HEAD. Always -1, which a callback returns to
 * libwebsockets so that the connection ends when the answer has gone. */
int web_answer(struct lws *wsi, unsigned status, const char *type, const char *const *headers,
               const void *body, size_t size, bool head_only);

/* ------------------------------------------------------------------------------------- query */

/* Of one piece of a query string: libwebsockets takes no more in all headers of a request together. */
enum { ARGUMENT_BYTES_MAX = 4096 };

enum argument_problem {
    ARGUMENT_MISSING = -1,
    ARGUMENT_TOO_LONG = -2,
    ARGUMENT_NO_TEXT = -3,   /* not UTF-8, or with a NUL */
    ARGUMENT_AMBIGUOUS = -4, /* the key stands there twice, or beside a key that is not known */
    ARGUMENT_PROBLEMS = 4
};

/* The pieces of a query string, "key=value" each, decoded. */
struct arguments {
    /* Writes piece i and a NUL. Returns its size without the NUL, less than 0: there is none. */
    int (*piece)(void *from, int i, char *text, int size);
    void *from;
    const char *const *keys; /* that the server knows; NULL ends them */
};

/* The query string of a request. */
struct arguments web_arguments(struct lws *wsi, const char *const *keys);

/* The value of the piece with this key, and a NUL: value has room for bytes_max + 1. Returns its
 * size, or an enum argument_problem.
 *
 * libwebsockets divides a query string at '&' and at ';' and forgets which; a name may hold ';'. So a
 * piece without '=' continues the value before it, after a ';'. */
int argument_find(const struct arguments *arguments, const char *key, char *value,
                  size_t bytes_max);
/* The same for a name: it is not empty, and UTF-8 text without NUL. ARGUMENT_AMBIGUOUS if a piece has a
 * key that is not known: it may be a part of the name. */
int argument_name(const struct arguments *arguments, const char *key, char *name, size_t bytes_max);
/* The bytes that a value tells in lower-case hexadecimal digits. Returns how many, or a problem. */
int argument_hex(const struct arguments *arguments, const char *key, unsigned char *bytes,
                 size_t bytes_max);
/* A number of one digit; 0 if there is none. */
unsigned argument_digit(const struct arguments *arguments, const char *key);

/* ------------------------------------------------------------------------------------ origin */

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
bool web_own_host(const struct web_names *names, struct lws *wsi);
/* Whether the request is from a page of this server, or not from a page at all. A page of another site
 * may send a browser here, but not in our name. */
bool web_own_page(const struct web_names *names, struct lws *wsi);
/* Whether the request is from a page that may connect, or not from a page at all. */
bool web_allowed_page(const struct web_names *names, struct lws *wsi);

/* -------------------------------------------------------------------------------------- text */

/* A JSON text of one value, every string of it whole: in UTF-8, without NUL. NULL, and the HTTP status to
 * refuse it with: 400 for what is no JSON, 422 for strings that cannot be kept, and keys twice. */
json_t *web_json(const char *text, size_t size, unsigned *status);

#endif
