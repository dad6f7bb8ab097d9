/* http.c - what is served over HTTP: the page, /healthz, /stats. Small answers, made at once. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { NONCE_BYTES = 32 };

struct response {
    unsigned status;
    const char *type;
    const char *headers[5]; /* name:, value, name:, value; NULL ends them */
    struct writer body;     /* any text; a writer has the room that libwebsockets wants before it */
};

/* Frees the body. Always -1. */
static int send_response(struct lws *wsi, struct response *response, bool head_only) {
    wsfan_bytes body = writer_text(&response->body);
    int result = -1; /* without an answer, if it did not fit into memory */
    if (!response->body.failed)
        result = web_answer(wsi, response->status, response->type, response->headers, body.data,
                            body.size, head_only);
    writer_free(&response->body);
    return result;
}

int http_answer(struct lws *wsi, unsigned status, struct writer *body, const char *const *headers,
                bool head_only) {
    struct response response = { .status = status, .type = "application/json", .body = *body };
    memset(body, 0, sizeof *body);
    for (int i = 0; headers != NULL && headers[i] != NULL && i < 4; i++)
        response.headers[i] = headers[i];
    return send_response(wsi, &response, head_only);
}

struct arguments http_arguments(struct lws *wsi) {
    static const char *const keys[] = { "chat", "user", "token", "hops", "session", "after", NULL };
    return web_arguments(wsi, keys);
}

static void plain(struct response *response, unsigned status, const char *text) {
    response->status = status;
    response->type = "text/plain; charset=utf-8";
    writer_format(&response->body, "%s\n", text);
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
    writer_raw(&response->body, (const char *)page_html, page_html_size);
    writer_raw(&response->body, "", 1); /* ends the text for strstr() */
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

/* Whether a balancer should send clients here; /healthz tells whether the process works. A replica that
 * drains answers 404: by that HAProxy sends nobody new and lets go on who is there (disable-on-404). */
static void readiness(struct server *server, struct response *response) {
    bool ready = !server->stopping && wsfan_node_ready(server->node) > 0;
    response->status = ready              ? HTTP_STATUS_OK
                       : server->stopping ? HTTP_STATUS_NOT_FOUND
                                          : HTTP_STATUS_SERVICE_UNAVAILABLE;
    response->type = "application/json";
    writer_format(&response->body, "{\"ready\":%s}\n", ready ? "true" : "false");
}

/* Where the clients of a chat belong. */
static void owner(struct server *server, struct lws *wsi, struct response *response) {
    char chat[CHAT_BYTES_MAX + 1];
    wsfan_owner owner = { .struct_size = sizeof owner };
    struct arguments arguments = http_arguments(wsi);
    if (argument_name(&arguments, "chat", chat, CHAT_BYTES_MAX) < 0 ||
        wsfan_node_get_owner(server->node, wsfan_string(chat), &owner) != WSFAN_OK) {
        plain(response, HTTP_STATUS_BAD_REQUEST, "the URL names no chat: /owner?chat=CHAT");
        return;
    }
    response->status = HTTP_STATUS_OK;
    response->type = "application/json";
    writer_format(&response->body, "{\"chat\":");
    writer_string(&response->body, chat);
    writer_format(&response->body, ",\"node\":");
    writer_string(&response->body, owner.name);
    writer_format(&response->body, ",\"address\":");
    writer_string(&response->body, owner.public_address);
    writer_format(&response->body, ",\"here\":%s,\"up\":%s}\n", owner.here ? "true" : "false",
                  owner.up ? "true" : "false");
}

static void health(struct server *server, struct response *response) {
    response->status = HTTP_STATUS_OK;
    response->type = "application/json";
    writer_format(&response->body,
                  "{\"status\":\"%s\",\"node\":", server->stopping ? "stopping" : "ok");
    writer_string(&response->body, wsfan_node_name(server->node));
    writer_format(&response->body, "}\n");
}

static void stats_peers(struct server *server, struct writer *json) {
    size_t count;
    wsfan_peer_stats *peers = peers_list(server, &count);
    for (size_t i = 0; i < count; i++) {
        const wsfan_peer_stats *peer = &peers[i];
        writer_format(json, "%s{\"node\":\"%016" PRIx64 "\"", i == 0 ? "" : ",", peer->node);
        writer_format(json, ",\"name\":");
        writer_string(json, peer->name);
        writer_format(json, ",\"endpoint\":");
        writer_string(json, peer->endpoint);
        writer_format(json, ",\"state\":\"%s\"", wsfan_peer_event_text(peer->state));
        writer_format(json, ",\"we_hear\":%s,\"hears_us\":%s", peer->we_hear ? "true" : "false",
                      peer->hears_us ? "true" : "false");
#define FIELD(name) writer_format(json, ",\"" #name "\":%" PRIu64, peer->name)
        FIELD(messages_in), FIELD(messages_out);
        FIELD(payload_bytes_in), FIELD(payload_bytes_out);
        FIELD(frames_in), FIELD(frames_out);
        FIELD(bytes_in), FIELD(bytes_out);
        FIELD(gap_in), FIELD(gap_out);
        FIELD(queue_count), FIELD(queue_bytes), FIELD(window_bytes);
#undef FIELD
        writer_format(json, "}");
    }
    free(peers);
}

static void stats_dropped(struct writer *json, const wsfan_stats *stats) {
    for (unsigned i = 0; i < WSFAN_DROP_COUNT; i++)
        writer_format(json, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",", wsfan_drop_name((wsfan_drop)i),
                      stats->dropped[i]);
}

/* What clients were not sent, by reason. */
static void stats_outbound(struct server *server, struct writer *json) {
    uint64_t dropped[WSFAN_OUTBOUND_DROP_COUNT];
    memcpy(dropped, server->outbound_dropped, sizeof dropped);
    for (struct client *client = server->clients; client != NULL; client = client->next) {
        wsfan_outbound_stats stats = { .struct_size = sizeof stats };
        if (wsfan_outbound_get_stats(client->queue, &stats) != WSFAN_OK)
            continue; /* it has left */
        for (unsigned i = 0; i < WSFAN_OUTBOUND_DROP_COUNT; i++)
            dropped[i] += stats.dropped[i];
    }
    writer_format(json, ",\"outbound\":{");
    for (unsigned i = 0; i < WSFAN_OUTBOUND_DROP_COUNT; i++)
        writer_format(json, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",",
                      wsfan_outbound_drop_name((wsfan_outbound_drop)i), dropped[i]);
    writer_format(json, "}");
}

static void statistics(struct server *server, struct response *response) {
    struct writer *json = &response->body;
    wsfan_stats stats = { .struct_size = sizeof stats };
    response->status = HTTP_STATUS_OK;
    response->type = "application/json";
    if (wsfan_node_get_stats(server->node, &stats) != WSFAN_OK)
        json->failed = true;
    writer_format(json, "{\"id\":\"%016" PRIx64 "\",\"name\":", wsfan_node_id(server->node));
    writer_string(json, wsfan_node_name(server->node));
    writer_format(json, ",\"endpoint\":");
    writer_string(json, wsfan_node_endpoint(server->node));
    writer_format(json, ",\"clients\":{\"open\":%" PRIu64 ",\"max\":%" PRIu32,
                  server->clients_count, server->door.options.clients_max);
    writer_format(json, ",\"slow\":%" PRIu64, server->clients_slow);
    writer_format(json, ",\"refused\":%" PRIu64 ",\"moved\":%" PRIu64 "}", server->clients_refused,
                  server->clients_moved);
    writer_format(json, ",\"connections\":%u", server->listener.connections_count);
    stats_outbound(server, json);
#define FIELD(name) writer_format(json, ",\"" #name "\":%" PRIu64, (uint64_t)stats.name)
    FIELD(sessions), FIELD(chats), FIELD(chats_remote), FIELD(peers_up);
    FIELD(published), FIELD(published_bytes), FIELD(delivered), FIELD(received), FIELD(gaps);
    FIELD(endpoints), FIELD(dns_failures), FIELD(joins_pending), FIELD(publish_queue_count),
        FIELD(publish_queue_bytes);
#undef FIELD
    writer_format(json, ",\"dropped\":{");
    stats_dropped(json, &stats);
    writer_format(json, "},\"peers\":[");
    stats_peers(server, json);
    writer_format(json, "]}\n");
}

/* ------------------------------------------------------------------------------------- routes */

static void refuse_token(struct response *response) {
    plain(response, HTTP_STATUS_UNAUTHORIZED, "the token is missing or wrong");
}

/* A question to the cluster, or a kick. Returns whether it is answered later. */
static bool ask(struct server *server, struct lws *wsi, const char *path, int method,
                struct response *response) {
    if (!door_has_token(server, wsi)) {
        refuse_token(response);
        return false;
    }
    unsigned status = who_request(server, wsi, path, method == LWSHUMETH_POST,
                                  method == LWSHUMETH_HEAD);
    if (status == HTTP_STATUS_BAD_REQUEST)
        plain(response, status,
              strcmp(path, "/kick") == 0 ? "whom: /kick?session=ID or /kick?user=USER"
              : strncmp(path, "/users", 6) == 0
                  ? "whom: /users?user=USER; after: what an answer gave as next"
                  : "after: it must be what an answer gave as next");
    else if (status != 0)
        plain(response, status, "the request was not made; try again");
    return status == 0;
}

static void get(struct server *server, struct lws *wsi, const char *path, char *policy,
                size_t policy_size, struct response *response) {
    if (strcmp(path, "/") == 0) {
        page(server, response, policy, policy_size);
    } else if (strcmp(path, "/owner") == 0) {
        owner(server, wsi, response);
    } else if ((strcmp(path, "/stats") == 0 || strcmp(path, "/ws") == 0) &&
               !door_has_token(server, wsi)) {
        refuse_token(response);
    } else if (strcmp(path, "/stats") == 0) {
        statistics(server, response);
    } else if (strcmp(path, "/ws") == 0) {
        plain(response, 426, "this is for WebSocket clients: /ws?chat=CHAT&user=USER");
        response->headers[0] = "upgrade:";
        response->headers[1] = "websocket";
    } else {
        plain(response, HTTP_STATUS_NOT_FOUND,
              "there is /, /ws, /owner, /publish, /healthz, /readyz, /stats, /chats, "
              "/users?user=USER, "
              "/nodes and /kick");
    }
}

int http_request(struct server *server, struct lws *wsi) {
    char policy[512];
    char *path = NULL;
    int path_size = 0;
    int method = lws_http_get_uri_and_method(wsi, &path, &path_size);
    struct response response = { 0 };
    const char *reason;
    uint64_t body_size;
    bool read = method == LWSHUMETH_GET || method == LWSHUMETH_HEAD;
    unsigned status = web_judge(wsi, &body_size, &reason);
    if (status != 0)
        plain(&response, status, reason);
    else if (strcmp(path, "/publish") == 0)
        return publish_request(server, wsi, method == LWSHUMETH_POST, body_size);
    else if (read && strcmp(path, "/healthz") == 0)
        health(server, &response);
    else if (read && strcmp(path, "/readyz") == 0)
        readiness(server, &response);
    else if (!door_knows_host(server, wsi))
        plain(&response, 421, "this server does not know that name: start it with --host NAME");
    else if ((read || method == LWSHUMETH_POST) && who_serves(path, !read)) {
        if (ask(server, wsi, path, method, &response))
            return 0;
    } else if (read && strcmp(path, "/kick") == 0) {
        plain(&response, HTTP_STATUS_METHOD_NOT_ALLOWED, "only POST kicks");
        response.headers[0] = "allow:";
        response.headers[1] = "POST";
    } else if (read) {
        get(server, wsi, path, policy, sizeof policy, &response);
    } else {
        plain(&response, HTTP_STATUS_METHOD_NOT_ALLOWED, "only GET and HEAD are served here");
        response.headers[0] = "allow:";
        response.headers[1] = "GET, HEAD";
    }
    return send_response(wsi, &response, method == LWSHUMETH_HEAD);
}

/* Asks what libwebsockets does not (RFC 6455, section 4.2.1). Returns the HTTP status to refuse with. */
static unsigned judge_handshake(struct lws *wsi, const char **reason) {
    enum { KEY_CHARACTERS = 24 }; /* of 16 bytes in base64 */
    char version[4];
    uint64_t body_size;
    unsigned status = web_judge(wsi, &body_size, reason);
    if (status != 0)
        return status;
    *reason = "WebSocket is spoken in version 13 here";
    if (lws_hdr_copy(wsi, version, sizeof version, WSI_TOKEN_VERSION) <= 0 ||
        strcmp(version, "13") != 0)
        return 426;
    *reason = "a handshake has a key of 16 bytes, and no body";
    return body_size == 0 && lws_hdr_total_length(wsi, WSI_TOKEN_KEY) == KEY_CHARACTERS
               ? 0
               : HTTP_STATUS_BAD_REQUEST;
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
    unsigned status = known ? judge_handshake(wsi, &reason) : HTTP_STATUS_NOT_FOUND;
    if (status == 0)
        status = door_refuses(server, wsi, &reason);
    if (status != 0) {
        plain(&response, status, reason);
        response.headers[0] = status == 426 ? "sec-websocket-version:" : NULL;
        response.headers[1] = "13";
    } else if (redirect_before(server, wsi, location, sizeof location)) {
        plain(&response, 307, "another replica has this chat");
        response.headers[0] = "location:";
        response.headers[1] = location;
        server->clients_moved++;
    } else {
        return 0;
    }
    return send_response(wsi, &response, false);
}
