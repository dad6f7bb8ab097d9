/* http.c - libwebsockets on one thread. Requests are small and answered at once. */
#include "thin_client.h"

#include <stdio.h>
#include <stdlib.h>

enum { BODY_BYTES_MAX = 32 * 1024, HEADER_BYTES_MAX = 1024 };

/* What libwebsockets keeps for each request. */
struct request {
    char *body; /* of a POST, while it comes */
    size_t size;
    bool too_large;
};

static struct service *service_of(struct lws *wsi) {
    return lws_context_user(lws_get_context(wsi));
}

/* ------------------------------------------------------------------------------------- answers */

static int send_bytes(struct lws *wsi, unsigned status, const char *type, const void *data,
                      size_t size) {
    static const char policy[] = "default-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:";
    unsigned char head[LWS_PRE + HEADER_BYTES_MAX];
    unsigned char *start = head + LWS_PRE, *p = start, *end = head + sizeof head;
    unsigned char *body = malloc(LWS_PRE + size);
    if (body == NULL)
        return -1;
    memcpy(body + LWS_PRE, data, size);
    int failed = lws_add_http_common_headers(wsi, status, type, size, &p, end) ||
                 lws_add_http_header_by_name(wsi, (const unsigned char *)"cache-control:",
                                             (const unsigned char *)"no-store", 8, &p, end) ||
                 lws_add_http_header_by_name(wsi, (const unsigned char *)"content-security-policy:",
                                             (const unsigned char *)policy, sizeof policy - 1, &p,
                                             end) ||
                 lws_finalize_write_http_header(wsi, start, &p, end) ||
                 lws_write(wsi, body + LWS_PRE, size, LWS_WRITE_HTTP_FINAL) < 0;
    free(body);
    return failed || lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* Frees the object. */
static int send_json(struct lws *wsi, unsigned status, cJSON *object) {
    char *text = cJSON_PrintUnformatted(object);
    int result = text == NULL ? -1
                              : send_bytes(wsi, status, "application/json", text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(object);
    return result;
}

static int send_error(struct lws *wsi, unsigned status, const char *text) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "error", text);
    return send_json(wsi, status, object);
}

/* ------------------------------------------------------------------------------------ requests */

static int get_items(struct service *service, struct lws *wsi) {
    char chat[CHAT_BYTES_MAX + 8];
    char after[32];
    const char *name = lws_get_urlarg_by_name(wsi, "chat=", chat, sizeof chat);
    const char *from = lws_get_urlarg_by_name(wsi, "after=", after, sizeof after);
    if (name == NULL || *name == '\0')
        return send_error(wsi, HTTP_STATUS_BAD_REQUEST, "the URL names no chat");
    cJSON *list = store_list(service, name, from != NULL ? strtoll(from, NULL, 10) : 0);
    return list != NULL
               ? send_json(wsi, HTTP_STATUS_OK, list)
               : send_error(wsi, HTTP_STATUS_SERVICE_UNAVAILABLE, "the store is not there");
}

static int get_about(struct service *service, struct lws *wsi) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "sockets", service->sockets);
    cJSON_AddNumberToObject(object, "told", (double)service->told);
    cJSON_AddNumberToObject(object, "told_partly", (double)service->told_partly);
    cJSON_AddNumberToObject(object, "untold", (double)service->untold);
    return send_json(wsi, HTTP_STATUS_OK, object);
}

static int on_request(struct service *service, struct lws *wsi) {
    char *path = NULL;
    int size;
    int method = lws_http_get_uri_and_method(wsi, &path, &size);
    bool items = strcmp(path, "/items") == 0;
    if (method == LWSHUMETH_POST && items)
        return 0; /* its body follows */
    if (method != LWSHUMETH_GET)
        return send_error(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED, "GET, and POST /items");
    if (items)
        return get_items(service, wsi);
    if (strcmp(path, "/about") == 0)
        return get_about(service, wsi);
    if (strcmp(path, "/") == 0)
        return send_bytes(wsi, HTTP_STATUS_OK, "text/html; charset=utf-8", page_html,
                          page_html_size);
    return send_error(wsi, HTTP_STATUS_NOT_FOUND, "there is /, /items and /about");
}

static void on_body(struct request *request, const void *data, size_t size) {
    char *body = size > BODY_BYTES_MAX - request->size
                     ? NULL
                     : realloc(request->body, request->size + size);
    request->too_large = request->too_large || body == NULL;
    if (body == NULL)
        return;
    memcpy(body + request->size, data, size);
    request->body = body;
    request->size += size;
}

static const char *text_of(const cJSON *object, const char *name, size_t size_max) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL && *text != '\0' && strlen(text) <= size_max ? text : NULL;
}

static int post_item(struct service *service, struct lws *wsi, const cJSON *object) {
    const char *chat = text_of(object, "chat", CHAT_BYTES_MAX);
    const char *user = text_of(object, "user", USER_BYTES_MAX);
    const char *text = text_of(object, "text", TEXT_BYTES_MAX);
    if (chat == NULL || user == NULL || text == NULL)
        return send_error(wsi, 422, "it must have chat, user and text, none empty or too long");
    int64_t item = store_add(service, chat, user, text);
    if (item == 0)
        return send_error(wsi, HTTP_STATUS_SERVICE_UNAVAILABLE, "the store did not take it");
    publisher_tell(service, chat, item); /* after it is durable, so that who hears of it finds it */
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddNumberToObject(answer, "item", (double)item);
    return send_json(wsi, 201, answer);
}

static int on_body_end(struct service *service, struct lws *wsi, struct request *request) {
    struct request taken = *request; /* libwebsockets may use the room for the next request */
    *request = (struct request){ .body = NULL };
    cJSON *object = cJSON_ParseWithLength(taken.body, taken.size);
    int result = taken.too_large
                     ? send_error(wsi, HTTP_STATUS_REQ_ENTITY_TOO_LARGE, "the body is too long")
                     : post_item(service, wsi, object);
    cJSON_Delete(object);
    free(taken.body);
    return result;
}

/* -------------------------------------------------------------------------------------- events */

static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t size) {
    struct request *request = user;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return on_request(service_of(wsi), wsi);
    case LWS_CALLBACK_HTTP_BODY:
        on_body(request, in, size);
        return 0;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return on_body_end(service_of(wsi), wsi, request);
    case LWS_CALLBACK_CLOSED_HTTP:
        if (request != NULL)
            free(request->body);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: /* no sockets here: that is the point */
        return -1;
    default:
        return 0;
    }
}

static int on_cluster(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                      size_t size) {
    (void)user, (void)in, (void)size;
    if (reason == LWS_CALLBACK_RAW_RX_FILE)
        wsfan_loop_dispatch(service_of(wsi)->loop, 256);
    return reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION ? -1 : 0;
}

static int on_signal(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                     size_t size) {
    (void)user, (void)in, (void)size;
    if (reason == LWS_CALLBACK_RAW_RX_FILE)
        service_of(wsi)->stopped = true;
    return reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION ? -1 : 0;
}

int http_open(struct service *service, const char *host, int port) {
    static const struct lws_protocols protocols[] = {
        { "http", on_http, sizeof(struct request), 4096, 0, NULL, 256 * 1024 },
        { "wsfan", on_cluster, 0, 0, 0, NULL, 0 },
        { "signal", on_signal, 0, 0, 0, NULL, 0 },
        { NULL, NULL, 0, 0, 0, NULL, 0 },
    };
    struct lws_context_creation_info info = {
        .port = port,
        .iface = host,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
                   LWS_SERVER_OPTION_DISABLE_IPV6,
        .keepalive_timeout = 60,
        .server_string = "thin-client",
        .user = service,
    };
    lws_set_log_level(0, NULL);
    service->context = lws_create_context(&info);
    service->vhost = service->context != NULL ? lws_create_vhost(service->context, &info) : NULL;
    if (service->vhost != NULL)
        return 0;
    fprintf(stderr, "thin-client: cannot listen on %s port %d\n", host, port);
    return -1;
}

int http_watch(struct service *service, int fd, const char *protocol) {
    lws_sock_file_fd_type descriptor = { .filefd = fd };
    return fd >= 0 && lws_adopt_descriptor_vhost(service->vhost, LWS_ADOPT_RAW_FILE_DESC,
                                                 descriptor, protocol, NULL) != NULL
               ? 0
               : -1;
}
