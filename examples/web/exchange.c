/* exchange.c - one request and its answer, after which the connection ends.
 *
 * A connection carries one request because libwebsockets does not keep two apart: 4.1.6 loops for
 * ever over a pipelined request with a body (lws_service_do_ripe_rxflow), and takes a POST without a
 * length for one of 100 MB, so that the next request is read as its body. Behind a balancer that
 * would be the request of somebody else. */
#include "web.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { HEADER_BYTES_MAX = 2048, LENGTH_DIGITS_MAX = 18, SEND_BUFFER_USUAL_BYTES = 16 * 1024 };

/* libwebsockets decodes "%0a" in a URL, and takes it for the end of the request line. Then the version is
 * missing, and what follows, the Host perhaps, is a part of a header that has no name. */
static bool is_whole(struct lws *wsi) {
    char version[16];
    if (lws_hdr_copy(wsi, version, sizeof version, WSI_TOKEN_HTTP) <= 0)
        return false;
    return strcmp(version, "HTTP/1.0") == 0 || lws_hdr_total_length(wsi, WSI_TOKEN_HOST) > 0;
}

unsigned web_judge(struct lws *wsi, uint64_t *body_size, const char **reason) {
    char text[LENGTH_DIGITS_MAX + 1];
    *body_size = 0;
    if (!is_whole(wsi)) {
        *reason = "the request has no version, or no Host";
        return HTTP_STATUS_BAD_REQUEST;
    }
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
        *reason = "a body has a Content-Length here, no Transfer-Encoding";
        return 501;
    }
    int length = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    if (length == 0)
        return 0; /* no body (RFC 9112, section 6.3) */
    bool whole = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH) == length;
    if (!whole || strspn(text, "0123456789") != (size_t)length) {
        *reason = "the Content-Length is not a number of bytes";
        return HTTP_STATUS_BAD_REQUEST;
    }
    *body_size = strtoull(text, NULL, 10);
    return 0;
}

static int piece(void *from, int i, char *text, int size) {
    return lws_hdr_copy_fragment(from, text, size, WSI_TOKEN_HTTP_URI_ARGS, i);
}

struct arguments web_arguments(struct lws *wsi, const char *const *keys) {
    return (struct arguments){ piece, wsi, keys };
}

/* libwebsockets does not sleep while a pipelined request waits in its buffer, unless told not to read. */
void web_defer(struct lws *wsi) {
    lws_rx_flow_control(wsi, 0);
}

void web_resume(struct lws *wsi) {
    lws_rx_flow_control(wsi, 1);
    lws_callback_on_writable(wsi);
}

/* What the system does not take at once, libwebsockets sends while it does not sleep for what comes in. */
static void make_room(struct lws *wsi, size_t size) {
    int bytes = 2 * (int)size;
    if (size > SEND_BUFFER_USUAL_BYTES && size < INT_MAX / 2)
        setsockopt(lws_get_socket_fd(wsi), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static int add_header(struct lws *wsi, const char *name, const char *value, unsigned char **p,
                      unsigned char *end) {
    return lws_add_http_header_by_name(wsi, (const unsigned char *)name,
                                       (const unsigned char *)value, (int)strlen(value), p, end);
}

int web_answer(struct lws *wsi, unsigned status, const char *type, const char *const *headers,
               const void *body, size_t size, bool head_only) {
    unsigned char buffer[LWS_PRE + HEADER_BYTES_MAX];
    unsigned char *start = buffer + LWS_PRE, *p = start, *end = buffer + sizeof buffer;
    make_room(wsi, size + sizeof buffer);
    int failed = lws_add_http_common_headers(wsi, status, type, size, &p, end) ||
                 add_header(wsi, "connection:", "close", &p, end) ||
                 add_header(wsi, "cache-control:", "no-store", &p, end) ||
                 add_header(wsi, "x-content-type-options:", "nosniff", &p, end);
    for (; !failed && headers != NULL && headers[0] != NULL; headers += 2)
        failed = add_header(wsi, headers[0], headers[1], &p, end);
    if (!failed && lws_finalize_write_http_header(wsi, start, &p, end) == 0 && !head_only &&
        size > 0)
        lws_write(wsi, (unsigned char *)(uintptr_t)body, size, LWS_WRITE_HTTP_FINAL);
    return -1;
}
