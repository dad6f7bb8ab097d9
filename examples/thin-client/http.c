/* http.c - libwebsockets on one thread. Requests are small and answered at once. */
#include "thin_client.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    BODY_BYTES_MAX = 32 * 1024,
    BODY_S = 30, /* a body must be here */
    AFTER_DIGITS_MAX = 19,
    CONNECTIONS_COUNT_MAX = 4096,
    OTHERS_COUNT = 24 + 256 /* of the program, and of the mesh */
};

/* What libwebsockets keeps for each request. */
struct request {
    char *body; /* of a POST, while it comes */
    size_t size;
    size_t size_announced;
    lws_usec_t until_us;
};

static struct service *service_of(struct lws *wsi) {
    return lws_context_user(lws_get_context(wsi));
}

/* ------------------------------------------------------------------------------------- answers */

/* All of them end the connection: they return -1. */
static int send_bytes(struct lws *wsi, unsigned status, const char *type, const void *data,
                      size_t size) {
    static const char *const headers[] = { "content-security-policy:",
                                           "default-src 'self' 'unsafe-inline'; "
                                           "connect-src 'self' ws: wss:",
                                           NULL };
    unsigned char *body = malloc(LWS_PRE + size);
    if (body == NULL)
        return -1;
    memcpy(body + LWS_PRE, data, size);
    int result = web_answer(wsi, status, type, headers, body + LWS_PRE, size, false);
    free(body);
    return result;
}

/* Frees the object. */
static int send_json(struct lws *wsi, unsigned status, json_t *object) {
    char *text = json_dumps(object, JSON_COMPACT);
    int result = text == NULL ? -1
                              : send_bytes(wsi, status, "application/json", text, strlen(text));
    free(text);
    json_decref(object);
    return result;
}

static int send_error(struct lws *wsi, unsigned status, const char *text) {
    return send_json(wsi, status, json_pack("{ss}", "error", text));
}

/* ------------------------------------------------------------------------------------ requests */

static int get_items(struct service *service, struct lws *wsi) {
    static const char *const keys[] = { "chat", "after", NULL };
    struct arguments arguments = web_arguments(wsi, keys);
    char chat[CHAT_BYTES_MAX + 1];
    char after[AFTER_DIGITS_MAX + 1] = "0";
    char *end;
    if (argument_name(&arguments, "chat", chat, CHAT_BYTES_MAX) < 0)
        return send_error(wsi, HTTP_STATUS_BAD_REQUEST, "the URL names no chat");
    int size = argument_find(&arguments, "after", after, AFTER_DIGITS_MAX);
    long long from = strtoll(after, &end, 10);
    if ((size < 0 && size != ARGUMENT_MISSING) || size == 0 || *end != '\0' || from < 0)
        return send_error(wsi, HTTP_STATUS_BAD_REQUEST, "after: it must be the number of an item");
    json_t *list = store_list(service, chat, from);
    return list != NULL
               ? send_json(wsi, HTTP_STATUS_OK, list)
               : send_error(wsi, HTTP_STATUS_SERVICE_UNAVAILABLE, "the store is not there");
}

static int get_about(struct service *service, struct lws *wsi) {
    return send_json(wsi, HTTP_STATUS_OK,
                     json_pack("{sssIsIsI}", "sockets", service->sockets, "told",
                               (json_int_t)service->told, "told_partly",
                               (json_int_t)service->told_partly, "untold",
                               (json_int_t)service->untold));
}

/* Whether the body is announced as JSON, or not announced. A page of another origin can send JSON only if
 * the server has agreed before ("preflight", Fetch standard), which this one does not. */
static bool is_json(struct lws *wsi) {
    static const char json[] = "application/json";
    char type[64];
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE) == 0)
        return true;
    return lws_hdr_copy(wsi, type, sizeof type, WSI_TOKEN_HTTP_CONTENT_TYPE) > 0 &&
           strncasecmp(type, json, sizeof json - 1) == 0 &&
           strchr("; \t", type[sizeof json - 1]) != NULL;
}

/* 0: the body may come. */
static int begin_post(struct service *service, struct lws *wsi, struct request *request,
                      uint64_t body_size) {
    if (!web_own_page(&service->names, wsi))
        return send_error(wsi, HTTP_STATUS_FORBIDDEN, "only pages of this server may post");
    if (!is_json(wsi))
        return send_error(wsi, HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE,
                          "the Content-Type must be application/json");
    if (body_size == 0)
        return send_error(wsi, HTTP_STATUS_LENGTH_REQUIRED, "there is no body with a length");
    if (body_size > BODY_BYTES_MAX)
        return send_error(wsi, HTTP_STATUS_REQ_ENTITY_TOO_LARGE, "the body is too long");
    request->until_us = lws_now_usecs() + BODY_S * LWS_US_PER_SEC;
    request->size_announced = (size_t)body_size;
    request->body = malloc(request->size_announced);
    return request->body != NULL
               ? 0
               : send_error(wsi, HTTP_STATUS_SERVICE_UNAVAILABLE, "out of memory");
}

static int on_request(struct service *service, struct lws *wsi, struct request *request) {
    char *path = NULL;
    const char *reason;
    uint64_t body_size;
    int size;
    int method = lws_http_get_uri_and_method(wsi, &path, &size);
    bool items = strcmp(path, "/items") == 0;
    unsigned status = web_judge(wsi, &body_size, &reason);
    if (status != 0)
        return send_error(wsi, status, reason);
    if (!web_own_host(&service->names, wsi))
        return send_error(wsi, 421,
                          "this server does not know that name: start it with --host NAME");
    if (method == LWSHUMETH_POST && items)
        return begin_post(service, wsi, request, body_size);
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

static int on_body(struct request *request, const void *data, size_t size) {
    if (request->body == NULL || size > request->size_announced - request->size ||
        lws_now_usecs() > request->until_us)
        return -1;
    memcpy(request->body + request->size, data, size);
    request->size += size;
    return 0;
}

static const char *text_of(const json_t *object, const char *name, size_t size_max) {
    const json_t *item = json_object_get(object, name);
    size_t size = json_string_length(item);
    return size > 0 && size <= size_max ? json_string_value(item) : NULL;
}

static int post_item(struct service *service, struct lws *wsi, const json_t *object) {
    const char *chat = text_of(object, "chat", CHAT_BYTES_MAX);
    const char *user = text_of(object, "user", USER_BYTES_MAX);
    const char *text = text_of(object, "text", TEXT_BYTES_MAX);
    if (chat == NULL || user == NULL || text == NULL)
        return send_error(wsi, 422,
                          "it must be a JSON object with chat, user and text, each a "
                          "string in Unicode without NUL, none empty or too long");
    int64_t item = store_add(service, chat, user, text);
    if (item == 0)
        return send_error(wsi, HTTP_STATUS_SERVICE_UNAVAILABLE, "the store did not take it");
    publisher_tell(service, chat, item); /* after it is durable, so that who hears of it finds it */
    return send_json(wsi, 201, json_pack("{sI}", "item", (json_int_t)item));
}

static int on_body_end(struct service *service, struct lws *wsi, struct request *request) {
    unsigned status;
    if (request->body == NULL)
        return -1;
    json_t *object = web_json(request->body, request->size, &status);
    free(request->body);
    request->body = NULL;
    int result = post_item(service, wsi, object);
    json_decref(object);
    return result;
}

/* -------------------------------------------------------------------------------------- events */

static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t size) {
    struct request *request = user;
    switch (reason) {
    case LWS_CALLBACK_WSI_CREATE:
        service_of(wsi)->listener.connections_count++;
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        service_of(wsi)->listener.connections_count--;
        return 0;
    case LWS_CALLBACK_HTTP:
        return on_request(service_of(wsi), wsi, request);
    case LWS_CALLBACK_HTTP_BODY:
        return on_body(request, in, size);
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

static int on_listener(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                       size_t size) {
    (void)user, (void)in, (void)size;
    if (reason == LWS_CALLBACK_RAW_RX_FILE)
        web_accept(&service_of(wsi)->listener);
    return reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION ? -1 : 0;
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
        { "listener", on_listener, 0, 0, 0, NULL, 0 },
        { "wsfan", on_cluster, 0, 0, 0, NULL, 0 },
        { "signal", on_signal, 0, 0, 0, NULL, 0 },
        { NULL, NULL, 0, 0, 0, NULL, 0 },
    };
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .server_string = "thin-client",
        .user = service,
    };
    service->listener.connections_max = web_reserve_descriptors(CONNECTIONS_COUNT_MAX,
                                                                OTHERS_COUNT);
    lws_set_log_level(0, NULL);
    service->context = lws_create_context(&info);
    service->vhost = service->context != NULL ? lws_create_vhost(service->context, &info) : NULL;
    const char *problem = "out of memory";
    if (service->vhost != NULL)
        problem = web_listen(&service->listener, service->vhost, "listener", host, port);
    if (problem == NULL)
        return 0;
    fprintf(stderr, "thin-client: cannot listen on %s port %d: %s\n", host, port, problem);
    return -1;
}
