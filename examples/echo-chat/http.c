/* http.c - what is served over HTTP: the page, /healthz, /stats. Small answers, made at once. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { HEADER_BYTES_MAX = 1024, NONCE_BYTES = 32 };

struct response {
    unsigned status;
    const char *type;
    const char *headers[4]; /* name:, value, name:, value; NULL ends them */
    struct json body;       /* any text; a json has the room that libwebsockets wants before it */
};

static int add_header(struct lws *wsi, const char *name, const char *value, unsigned char **p,
                      unsigned char *end) {
    return lws_add_http_header_by_name(wsi, (const unsigned char *)name,
                                       (const unsigned char *)value, (int)strlen(value), p, end);
}

/* Frees the body. 0: sent, or libwebsockets holds the rest. */
static int send_response(struct lws *wsi, struct response *response, bool head_only) {
    unsigned char buffer[LWS_PRE + HEADER_BYTES_MAX];
    unsigned char *start = buffer + LWS_PRE, *p = start, *end = buffer + sizeof buffer;
    wsfan_bytes body = json_text(&response->body);
    int failed = response->body.failed ||
                 lws_add_http_common_headers(wsi, response->status, response->type, body.size, &p,
                                             end) ||
                 add_header(wsi, "cache-control:", "no-store", &p, end) ||
                 add_header(wsi, "x-content-type-options:", "nosniff", &p, end);
    for (int i = 0; !failed && i < 4 && response->headers[i] != NULL; i += 2)
        failed = add_header(wsi, response->headers[i], response->headers[i + 1], &p, end);
    if (!failed)
        failed = lws_finalize_write_http_header(wsi, start, &p, end) != 0;
    if (!failed && !head_only)
        failed = lws_write(wsi, (unsigned char *)(uintptr_t)body.data, body.size,
                           LWS_WRITE_HTTP_FINAL) < 0;
    json_free(&response->body);
    return failed ? -1 : 0;
}

int http_send_json(struct lws *wsi, unsigned status, struct json *body, bool head_only) {
    struct response response = { .status = status, .type = "application/json", .body = *body };
    memset(body, 0, sizeof *body);
    return send_response(wsi, &response, head_only);
}

static int piece(void *from, int i, char *text, int size) {
    return lws_hdr_copy_fragment(from, text, size, WSI_TOKEN_HTTP_URI_ARGS, i);
}

struct arguments http_arguments(struct lws *wsi) {
    return (struct arguments){ piece, wsi };
}

static void plain(struct response *response, unsigned status, const char *text) {
    response->status = status;
    response->type = "text/plain; charset=utf-8";
    json_format(&response->body, "%s\n", text);
}

/* ---------------------------------------------------------------------------------- the page */

/* The page has its script and style inline. A nonce, new for each answer, lets just these two
 * run: markup that got into the page by any other way would not. */
static void page(struct server *server, struct response *response, char *policy,
                 size_t policy_size) {
    static const char placeholder[] = "nonce=\"00000000000000000000000000000000\"";
    char nonce[NONCE_BYTES + 1];
    lws_hex_random(server->context, nonce, sizeof nonce);
    snprintf(policy, policy_size,
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; img-src data:; "
             "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; "
             "frame-ancestors 'none'",
             nonce, nonce);
    response->status = HTTP_STATUS_OK;
    response->type = "text/html; charset=utf-8";
    response->headers[0] = "content-security-policy:";
    response->headers[1] = policy;
    response->headers[2] = "referrer-policy:";
    response->headers[3] = "no-referrer";
    json_raw(&response->body, (const char *)page_html, page_html_size);
    json_raw(&response->body, "", 1); /* ends the text for strstr() */
    if (response->body.failed)
        return;
    response->body.size--;
    char *place = response->body.data + LWS_PRE;
    while ((place = strstr(place, placeholder)) != NULL) {
        place = strchr(place, '"') + 1;
        memcpy(place, nonce, NONCE_BYTES);
    }
}

/* -------------------------------------------------------------------------------- statistics */

/* Whether a balancer should send clients here; /healthz tells whether the process works. */
static void readiness(struct server *server, struct response *response) {
    bool ready = !server->stopping && wsfan_node_ready(server->node) > 0;
    response->status = ready ? HTTP_STATUS_OK : HTTP_STATUS_SERVICE_UNAVAILABLE;
    response->type = "application/json";
    json_format(&response->body, "{\"ready\":%s}\n", ready ? "true" : "false");
}

/* Where the clients of a chat belong. */
static void owner(struct server *server, struct lws *wsi, struct response *response) {
    char chat[CHAT_BYTES_MAX + 1];
    wsfan_owner owner = { .struct_size = sizeof owner };
    struct arguments arguments = http_arguments(wsi);
    if (argument_name(&arguments, "chat", chat, CHAT_BYTES_MAX) < 0 ||
        wsfan_node_owner(server->node, wsfan_string(chat), &owner) != WSFAN_OK) {
        plain(response, HTTP_STATUS_BAD_REQUEST, "the URL names no chat: /owner?chat=CHAT");
        return;
    }
    response->status = HTTP_STATUS_OK;
    response->type = "application/json";
    json_format(&response->body, "{\"chat\":");
    json_string(&response->body, chat);
    json_format(&response->body, ",\"node\":");
    json_string(&response->body, owner.name);
    json_format(&response->body, ",\"address\":");
    json_string(&response->body, owner.public_address);
    json_format(&response->body, ",\"here\":%s,\"up\":%s}\n", owner.here ? "true" : "false",
                owner.up ? "true" : "false");
}

static void health(struct server *server, struct response *response) {
    response->status = server->stopping ? HTTP_STATUS_SERVICE_UNAVAILABLE : HTTP_STATUS_OK;
    response->type = "application/json";
    json_format(&response->body,
                "{\"status\":\"%s\",\"node\":", server->stopping ? "stopping" : "ok");
    json_string(&response->body, wsfan_node_name(server->node));
    json_format(&response->body, "}\n");
}

static void stats_peers(struct server *server, struct json *json) {
    size_t count;
    wsfan_peer_stats *peers = peers_list(server, &count);
    for (size_t i = 0; i < count; i++) {
        const wsfan_peer_stats *peer = &peers[i];
        json_format(json, "%s{\"node\":\"%016" PRIx64 "\"", i == 0 ? "" : ",", peer->node);
        json_format(json, ",\"name\":");
        json_string(json, peer->name);
        json_format(json, ",\"endpoint\":");
        json_string(json, peer->endpoint);
        json_format(json, ",\"state\":\"%s\"", peers_state(peer->state));
#define FIELD(name) json_format(json, ",\"" #name "\":%" PRIu64, peer->name)
        FIELD(messages_in), FIELD(messages_out);
        FIELD(payload_bytes_in), FIELD(payload_bytes_out);
        FIELD(frames_in), FIELD(frames_out);
        FIELD(bytes_in), FIELD(bytes_out);
        FIELD(gap_in), FIELD(gap_out);
        FIELD(queue_count), FIELD(queue_bytes), FIELD(window_bytes);
#undef FIELD
        json_format(json, "}");
    }
    free(peers);
}

static void put_reason(struct json *json, const char *name, uint64_t count) {
    json_format(json, "\"");
    for (const char *c = name; *c != '\0'; c++)
        json_format(json, "%c", *c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    json_format(json, "\":%" PRIu64, count);
}

static void stats_dropped(struct json *json, const wsfan_stats *stats) {
#define DROP_NAME(name, text) #name,
    static const char *const names[] = { WSFAN_DROP_LIST(DROP_NAME) };
#undef DROP_NAME
    for (size_t i = 0; i < WSFAN_DROP_COUNT; i++) {
        json_format(json, "%s", i == 0 ? "" : ",");
        put_reason(json, names[i] + sizeof "WSFAN_DROP_" - 1, stats->dropped[i]);
    }
}

/* What clients were not sent, by reason. */
static void stats_outbound(struct server *server, struct json *json) {
#define DROP_NAME(name, text) #name,
    static const char *const names[] = { WSFAN_OUTBOUND_DROP_LIST(DROP_NAME) };
#undef DROP_NAME
    uint64_t dropped[WSFAN_OUTBOUND_DROP_COUNT];
    memcpy(dropped, server->outbound_dropped, sizeof dropped);
    for (struct client *client = server->clients; client != NULL; client = client->next) {
        wsfan_outbound_stats stats = { .struct_size = sizeof stats };
        if (wsfan_outbound_get_stats(client->queue, &stats) != WSFAN_OK)
            continue; /* it has left */
        for (unsigned i = 0; i < WSFAN_OUTBOUND_DROP_COUNT; i++)
            dropped[i] += stats.dropped[i];
    }
    json_format(json, ",\"outbound\":{");
    for (size_t i = 0; i < WSFAN_OUTBOUND_DROP_COUNT; i++) {
        json_format(json, "%s", i == 0 ? "" : ",");
        put_reason(json, names[i] + sizeof "WSFAN_OUTBOUND_DROP_" - 1, dropped[i]);
    }
    json_format(json, "}");
}

static void statistics(struct server *server, struct response *response) {
    struct json *json = &response->body;
    wsfan_stats stats = { .struct_size = sizeof stats };
    response->status = HTTP_STATUS_OK;
    response->type = "application/json";
    if (wsfan_node_stats(server->node, &stats) != WSFAN_OK)
        json->failed = true;
    json_format(json, "{\"id\":\"%016" PRIx64 "\",\"name\":", wsfan_node_id(server->node));
    json_string(json, wsfan_node_name(server->node));
    json_format(json, ",\"endpoint\":");
    json_string(json, wsfan_node_endpoint(server->node));
    json_format(json, ",\"clients\":{\"open\":%" PRIu64 ",\"slow\":%" PRIu64, server->clients_count,
                server->clients_slow);
    json_format(json, ",\"refused\":%" PRIu64 ",\"moved\":%" PRIu64 "}", server->clients_refused,
                server->clients_moved);
    stats_outbound(server, json);
#define FIELD(name) json_format(json, ",\"" #name "\":%" PRIu64, (uint64_t)stats.name)
    FIELD(sessions), FIELD(chats), FIELD(chats_remote), FIELD(peers_up);
    FIELD(published), FIELD(published_bytes), FIELD(delivered), FIELD(received), FIELD(gaps);
    FIELD(endpoints), FIELD(dns_failures), FIELD(joins_pending), FIELD(publish_queue_count),
        FIELD(publish_queue_bytes);
#undef FIELD
    json_format(json, ",\"dropped\":{");
    stats_dropped(json, &stats);
    json_format(json, "},\"peers\":[");
    stats_peers(server, json);
    json_format(json, "]}\n");
}

/* ------------------------------------------------------------------------------------- routes */

int http_request(struct server *server, struct lws *wsi) {
    char policy[512];
    char *path = NULL;
    int path_size = 0;
    int method = lws_http_get_uri_and_method(wsi, &path, &path_size);
    struct response response = { 0 };
    if (path != NULL && strcmp(path, "/publish") == 0)
        return publish_request(server, wsi);
    bool post = method == LWSHUMETH_POST;
    if ((post || method == LWSHUMETH_GET || method == LWSHUMETH_HEAD) && who_serves(path, post)) {
        bool allowed = door_has_token(server, wsi);
        unsigned status = HTTP_STATUS_UNAUTHORIZED;
        if (allowed)
            status = who_request(server, wsi, path, post, method == LWSHUMETH_HEAD);
        if (status == 0)
            return 0;
        plain(&response, status,
              allowed ? "the request was not made" : "the token is missing or wrong");
    } else if (method != LWSHUMETH_GET && method != LWSHUMETH_HEAD) {
        plain(&response, HTTP_STATUS_METHOD_NOT_ALLOWED, "only GET and HEAD are served here");
        response.headers[0] = "allow:";
        response.headers[1] = "GET, HEAD";
    } else if (strcmp(path, "/") == 0) {
        page(server, &response, policy, sizeof policy);
    } else if (strcmp(path, "/healthz") == 0) {
        health(server, &response);
    } else if (strcmp(path, "/readyz") == 0) {
        readiness(server, &response);
    } else if (strcmp(path, "/owner") == 0) {
        owner(server, wsi, &response);
    } else if (strcmp(path, "/stats") == 0 && !door_has_token(server, wsi)) {
        plain(&response, HTTP_STATUS_UNAUTHORIZED, "the token is missing or wrong");
    } else if (strcmp(path, "/stats") == 0) {
        statistics(server, &response);
    } else if (strcmp(path, "/ws") == 0) {
        plain(&response, 426, "this is for WebSocket clients: /ws?chat=CHAT&user=USER");
        response.headers[0] = "upgrade:";
        response.headers[1] = "websocket";
    } else {
        plain(&response, HTTP_STATUS_NOT_FOUND,
              "there is /, /ws, /owner, /publish, /healthz, /readyz, /stats, /chats, /users/USER, "
              "/nodes and /kick");
    }
    if (send_response(wsi, &response, method == LWSHUMETH_HEAD) != 0)
        return -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

int http_answer(struct lws *wsi, unsigned status, struct json *body, const char *const header[2]) {
    struct response response = { .status = status, .type = "application/json", .body = *body };
    memset(body, 0, sizeof *body);
    if (header != NULL) {
        response.headers[0] = header[0];
        response.headers[1] = header[1];
    }
    if (send_response(wsi, &response, false) != 0)
        return -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

int http_upgrade(struct server *server, struct lws *wsi, const char *protocol) {
    char *path = NULL;
    int path_size = 0;
    char location[PUBLIC_BYTES_MAX + 3 * (CHAT_BYTES_MAX + USER_BYTES_MAX) + 64];
    struct response response = { 0 };
    const char *reason = "WebSocket clients go to /ws?chat=CHAT&user=USER";
    bool known = strcasecmp(protocol, "websocket") == 0 &&
                 lws_http_get_uri_and_method(wsi, &path, &path_size) == LWSHUMETH_GET &&
                 strcmp(path, "/ws") == 0;
    unsigned status = known ? door_refuses(server, wsi, &reason) : HTTP_STATUS_NOT_FOUND;
    if (status != 0) {
        plain(&response, status, reason);
    } else if (redirect_before(server, wsi, location, sizeof location)) {
        plain(&response, 307, "another replica has this chat");
        response.headers[0] = "location:";
        response.headers[1] = location;
        server->clients_moved++;
    } else {
        return 0;
    }
    return send_response(wsi, &response, false) == 0 ? 1 : -1;
}
