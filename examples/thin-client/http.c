/* http.c - what is served over HTTP. Requests are small and answered at once. */
#include "thin_client.h"

#include <metrics.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BODY_BYTES_MAX = 32 * 1024,
    AFTER_DIGITS_MAX = 19,
    CONNECTIONS_COUNT_MAX = 4096,
    OTHERS_COUNT = 24 + 256 /* of the program, and of the mesh */
};

/* ------------------------------------------------------------------------------------- answers */

static void send_bytes(struct web_request *request, unsigned status, const char *type,
                       const void *data, size_t size) {
    static const char *const headers[] = { "content-security-policy",
                                           "default-src 'self' 'unsafe-inline'; "
                                           "connect-src 'self' ws: wss:",
                                           NULL };
    web_answer(request, status, type, headers, data, size);
}

/* Frees the object. */
static void send_json(struct web_request *request, unsigned status, json_t *object) {
    char *text = json_dumps(object, JSON_COMPACT);
    if (text != NULL)
        send_bytes(request, status, "application/json", text, strlen(text));
    else
        send_bytes(request, 503, "text/plain", NULL, 0); /* out of memory */
    free(text);
    json_decref(object);
}

static void send_error(struct web_request *request, unsigned status, const char *text) {
    send_json(request, status, json_pack("{ss}", "error", text));
}

/* ------------------------------------------------------------------------------------ requests */

static void get_items(struct service *service, struct web_request *request) {
    static const char *const keys[] = { "chat", "after", NULL };
    struct query query = { request->head.target.query, keys };
    char chat[CHAT_BYTES_MAX + 1];
    char after[AFTER_DIGITS_MAX + 1] = "0";
    char *end;
    if (query_name(&query, "chat", chat, CHAT_BYTES_MAX) < 0) {
        send_error(request, 400, "the URL names no chat");
        return;
    }
    int size = query_find(&query, "after", after, AFTER_DIGITS_MAX);
    long long from = strtoll(after, &end, 10);
    if ((size < 0 && size != QUERY_MISSING) || size == 0 || *end != '\0' || from < 0) {
        send_error(request, 400, "after: it must be the number of an item");
        return;
    }
    json_t *list = store_list(service, chat, from);
    if (list != NULL)
        send_json(request, 200, list);
    else
        send_error(request, 503, "the store is not there");
}

static void get_about(struct service *service, struct web_request *request) {
    send_json(request, 200,
              json_pack("{sssIsIsI}", "sockets", service->sockets, "told",
                        (json_int_t)service->told, "told_partly", (json_int_t)service->told_partly,
                        "untold", (json_int_t)service->untold));
}

static void get_metrics(struct service *service, struct web_request *request) {
    static const char name[] = "thin_client_changes";
    struct web_metrics page;
    web_metrics_begin(&page, request, service->node);
    web_metrics_family(&page, WEB_COUNTER, name, "Changes, by whether the replicas heard of them.");
    web_metrics_sample(&page, WEB_COUNTER, name, "{told=\"all\"}", service->told);
    web_metrics_sample(&page, WEB_COUNTER, name, "{told=\"some\"}", service->told_partly);
    web_metrics_sample(&page, WEB_COUNTER, name, "{told=\"none\"}", service->untold);
    web_metrics_answer(&page, request);
}

/* Whether the body is announced as JSON, or not announced. A page of another origin can send JSON only if
 * the server has agreed before ("preflight", Fetch standard), which this one does not. */
static bool is_json(const struct web_request *request) {
    struct slice type, rest = request->head.fields;
    while (head_next_field(&rest, "content-type", &type)) {
        const char *end = memchr(type.data, ';', type.size);
        if (end != NULL)
            type.size = (size_t)(end - type.data);
        if (!slice_is_nocase(slice_trim(type), "application/json"))
            return false;
    }
    return true;
}

static bool is_post(const struct web_request *request) {
    return request->head.method == HEAD_POST && strcmp(request->path, "/items") == 0;
}

/* Whether the host is ours, and what else may be said before the body is there. */
static bool is_welcome(struct service *service, struct web_request *request) {
    if (!web_own_host(&service->names, request))
        send_error(request, 421, "this server does not know that name: start it with --host NAME");
    else if (is_post(request) && !web_own_page(&service->names, request))
        send_error(request, 403, "only pages of this server may post");
    else if (is_post(request) && !is_json(request))
        send_error(request, 415, "the Content-Type must be application/json");
    else
        return true;
    return false;
}

static size_t on_head(struct web_request *request) {
    return is_welcome(request->user, request) ? BODY_BYTES_MAX : 0;
}

static const char *text_of(const json_t *object, const char *name, size_t size_max) {
    const json_t *item = json_object_get(object, name);
    size_t size = json_string_length(item);
    return size > 0 && size <= size_max ? json_string_value(item) : NULL;
}

static void post_item(struct service *service, struct web_request *request, const json_t *object) {
    const char *chat = text_of(object, "chat", CHAT_BYTES_MAX);
    const char *user = text_of(object, "user", USER_BYTES_MAX);
    const char *text = text_of(object, "text", TEXT_BYTES_MAX);
    if (chat == NULL || user == NULL || text == NULL) {
        send_error(request, 422,
                   "it must be a JSON object with chat, user and text, each a "
                   "string in Unicode without NUL, none empty or too long");
        return;
    }
    int64_t item = store_add(service, chat, user, text);
    if (item == 0) {
        send_error(request, 503, "the store did not take it");
        return;
    }
    publisher_tell(service, chat, item); /* after it is durable, so that who hears of it finds it */
    send_json(request, 201, json_pack("{sI}", "item", (json_int_t)item));
}

static void on_request(struct web_request *request) {
    struct service *service = request->user;
    if (!is_welcome(service, request))
        return;
    if (is_post(request) && request->body.size == 0) {
        send_error(request, 411, "there is no body");
    } else if (is_post(request)) {
        unsigned status;
        json_t *object = web_json(request->body.data, request->body.size, &status);
        post_item(service, request, object);
        json_decref(object);
    } else if (!web_reads(request)) {
        static const char *const allow[] = { "allow", "GET, HEAD", NULL };
        static const char error[] = "{\"error\":\"GET, and POST /items\"}";
        web_answer(request, 405, "application/json", allow, error, sizeof error - 1);
    } else if (strcmp(request->path, "/items") == 0) {
        get_items(service, request);
    } else if (strcmp(request->path, "/about") == 0) {
        get_about(service, request);
    } else if (strcmp(request->path, "/metrics") == 0) {
        get_metrics(service, request);
    } else if (strcmp(request->path, "/") == 0) {
        send_bytes(request, 200, "text/html; charset=utf-8", page_html, page_html_size);
    } else {
        send_error(request, 404, "there is /, /items, /about and /metrics");
    }
}

int http_open(struct service *service, const char *host, int port) {
    static const struct web_handlers handlers = { .on_head = on_head, .on_request = on_request };
    struct web_options options = { .host = host,
                                   .port = port,
                                   .descriptors = &service->descriptors,
                                   .handlers = &handlers,
                                   .user = service };
    web_reserve_descriptors(&service->descriptors, CONNECTIONS_COUNT_MAX, OTHERS_COUNT);
    const char *problem = web_open(&service->thread, &options);
    if (problem == NULL)
        return 0;
    fprintf(stderr, "thin-client: cannot listen on %s port %d: %s\n", host, port, problem);
    return -1;
}
