/* http.c - what is served over HTTP: the page, /healthz, /stats. Small answers, made at once; and requests
 * that wait for the cluster. */
#include "echo_chat.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NONCE_BYTES = 16 };

struct query http_query(const struct web_request *request) {
    static const char *const keys[] = { "chat",  "user",     "token",  "hops", "session",
                                        "after", "position", "rewind", NULL };
    return (struct query){ request->head.target.query, keys };
}

/* What is wrong with the value of a position is for the library to judge; here it only has to fit. */
const char *http_resume(const struct web_request *request, struct resume *resume) {
    struct query query = http_query(request);
    char count[4];
    int size = query_find(&query, "position", resume->position, POSITIONS_BYTES_MAX);
    bool is_text = size < 0 || strlen(resume->position) == (size_t)size;
    if ((size < 0 && size != QUERY_MISSING) || !is_text)
        return "the position is too long, not %-encoded text, or there twice";
    if (size < 0)
        resume->position[0] = '\0';
    size = query_find(&query, "rewind", count, sizeof count - 1);
    bool digits = size > 0 && strspn(count, "0123456789") == (size_t)size;
    resume->rewind_count = digits ? (uint32_t)strtoul(count, NULL, 10) : 0;
    if (size == QUERY_MISSING || (digits && resume->rewind_count <= REWIND_COUNT_MAX))
        return NULL;
    return "rewind is not a number from 0 to 500";
}

/* ------------------------------------------------------------------------------------- answers */

/* Frees the body. */
static void answer(struct web_request *request, unsigned status, const char *type,
                   const char *const *headers, struct writer *body) {
    if (body->failed)
        web_answer(request, 503, "text/plain", NULL, NULL, 0);
    else
        web_answer(request, status, type, headers, body->data, body->size);
    writer_free(body);
}

void http_answer(struct web_request *request, unsigned status, struct writer *body,
                 const char *const *headers) {
    answer(request, status, "application/json", headers, body);
}

void http_plain(struct web_request *request, unsigned status, const char *text,
                const char *const *headers) {
    struct writer body = { 0 };
    writer_format(&body, "%s\n", text);
    answer(request, status, "text/plain; charset=utf-8", headers, &body);
}

struct waiting *wait_begin(struct server *server, struct web_request *request) {
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (waiting == NULL)
        return NULL;
    *waiting = (struct waiting){
        .server = server, .request = request, .next = server->waiting, .link = &server->waiting
    };
    if (waiting->next != NULL)
        waiting->next->link = &waiting->next;
    server->waiting = waiting;
    return waiting;
}

void wait_end(struct waiting *waiting) {
    *waiting->link = waiting->next;
    if (waiting->next != NULL)
        waiting->next->link = waiting->link;
    free(waiting);
}

void wait_give_up(struct server *server) {
    while (server->waiting != NULL) {
        http_plain(server->waiting->request, 503, "this replica is shutting down", NULL);
        wait_end(server->waiting);
    }
}

/* ---------------------------------------------------------------------------------- the page */

/* The page has its script and style inline. A nonce, new for each answer, lets just these two
 * run: markup that got into the page by any other way would not. */
static void page(struct web_request *request) {
    static const char placeholder[] = "nonce=\"00000000000000000000000000000000\"";
    unsigned char random[NONCE_BYTES];
    char nonce[2 * NONCE_BYTES + 1], policy[512];
    struct writer body = { 0 };
    if (RAND_bytes(random, sizeof random) != 1)
        body.failed = true;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(nonce + 2 * i, 3, "%02x", random[i]);
    snprintf(policy, sizeof policy,
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; img-src data:; "
             "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; "
             "frame-ancestors 'none'",
             nonce, nonce);
    const char *const headers[] = { "content-security-policy", policy, "referrer-policy",
                                    "no-referrer", NULL };
    writer_raw(&body, (const char *)page_html, page_html_size);
    writer_raw(&body, "", 1); /* ends the text for strstr() */
    if (!body.failed) {
        body.size--;
        for (char *place = body.data; (place = strstr(place, placeholder)) != NULL;) {
            place = strchr(place, '"') + 1;
            memcpy(place, nonce, sizeof nonce - 1);
        }
    }
    answer(request, 200, "text/html; charset=utf-8", headers, &body);
}

/* -------------------------------------------------------------------------------- statistics */

/* Whether a balancer should send clients here; /healthz tells whether the process works. A replica that
 * drains answers 404: by that HAProxy sends nobody new and lets go on who is there (disable-on-404). */
static void readiness(struct server *server, struct web_request *request) {
    bool stopping = server->replica->stopping;
    bool ready = !stopping && wsfan_node_ready(server->node) > 0;
    wsfan_node_state state = { .struct_size = sizeof state };
    struct writer json = { 0 };
    wsfan_node_get_state(server->node, &state);
    writer_format(&json, "{\"ready\":%s,\"state\":\"%s\",\"peers\":%u,\"endpoints_failing\":%u",
                  ready ? "true" : "false", wsfan_node_phase_name(state.phase),
                  (unsigned)state.peers, (unsigned)state.endpoints_failing);
    if (state.phase == WSFAN_NODE_REFUSED) {
        writer_format(&json, ",\"reason\":");
        writer_string(&json, wsfan_reason_text(state.reason));
    }
    writer_format(&json, "}\n");
    http_answer(request, ready ? 200 : stopping ? 404 : 503, &json, NULL);
}

/* Where the clients of a chat belong. */
static void owner(struct server *server, struct web_request *request) {
    char chat[CHAT_BYTES_MAX + 1];
    wsfan_owner owner = { .struct_size = sizeof owner };
    struct query query = http_query(request);
    struct writer json = { 0 };
    if (query_name(&query, "chat", chat, CHAT_BYTES_MAX) < 0 ||
        wsfan_node_get_owner(server->node, wsfan_string(chat), &owner) != WSFAN_OK) {
        http_plain(request, 400, "the URL names no chat: /owner?chat=CHAT", NULL);
        return;
    }
    writer_format(&json, "{\"chat\":");
    writer_string(&json, chat);
    writer_format(&json, ",\"node\":");
    writer_string(&json, owner.name);
    writer_format(&json, ",\"address\":");
    writer_string(&json, owner.public_address);
    writer_format(&json, ",\"here\":%s,\"up\":%s}\n", owner.here ? "true" : "false",
                  owner.up ? "true" : "false");
    http_answer(request, 200, &json, NULL);
}

static void health(struct server *server, struct web_request *request) {
    struct writer json = { 0 };
    writer_format(&json,
                  "{\"status\":\"%s\",\"node\":", server->replica->stopping ? "stopping" : "ok");
    writer_string(&json, wsfan_node_name(server->node));
    writer_format(&json, "}\n");
    http_answer(request, 200, &json, NULL);
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

uint64_t clients_slow(const struct replica *replica) {
    uint64_t count = 0;
    for (unsigned n = 0; n < replica->servers_count; n++)
        count += web_counts(replica->servers[n].web)->slow;
    return count;
}

/* What clients were not sent, by reason. */
static void stats_outbound(const struct replica *replica, struct writer *json) {
    writer_format(json, ",\"outbound\":{");
    for (unsigned i = 0; i < WSFAN_OUTBOUND_DROP_COUNT; i++) {
        uint64_t dropped = 0;
        for (unsigned n = 0; n < replica->servers_count; n++)
            dropped += web_counts(replica->servers[n].web)->dropped[i];
        writer_format(json, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",",
                      wsfan_outbound_drop_name((wsfan_outbound_drop)i), dropped);
    }
    writer_format(json, "}");
}

static void stats_endpoints(struct server *server, struct writer *json) {
    size_t count = 0;
    wsfan_endpoint *endpoints = calloc(WSFAN_ENDPOINTS_MAX, sizeof *endpoints);
    if (endpoints == NULL)
        return;
    endpoints[0].struct_size = sizeof *endpoints;
    wsfan_node_get_endpoints(server->node, endpoints, WSFAN_ENDPOINTS_MAX, &count);
    for (size_t i = 0; i < count && i < WSFAN_ENDPOINTS_MAX; i++) {
        const wsfan_endpoint *e = &endpoints[i];
        writer_format(json, "%s{\"endpoint\":", i == 0 ? "" : ",");
        writer_string(json, e->endpoint);
        writer_format(json, ",\"via\":");
        writer_string(json, e->via);
        writer_format(json, ",\"state\":\"%s\",\"node\":\"%016" PRIx64 "\",\"hears_us\":%s",
                      wsfan_endpoint_state_name(e->state), e->node, e->hears_us ? "true" : "false");
        if (e->reason != WSFAN_REASON_NONE) {
            writer_format(json, ",\"reason\":");
            writer_string(json, wsfan_reason_text(e->reason));
        }
        writer_format(json, ",\"attempts\":%" PRIu64 ",\"since_ms\":%" PRIu64 "}", e->attempts,
                      e->since_ms);
    }
    free(endpoints);
}

static void stats_callers(struct server *server, struct writer *json) {
    size_t count = 0;
    wsfan_caller *callers = calloc(WSFAN_CALLERS_MAX, sizeof *callers);
    if (callers == NULL)
        return;
    callers[0].struct_size = sizeof *callers;
    wsfan_node_get_callers(server->node, callers, WSFAN_CALLERS_MAX, &count);
    for (size_t i = 0; i < count; i++) {
        const wsfan_caller *c = &callers[i];
        writer_format(json, "%s{\"address\":\"%s\",\"name\":", i == 0 ? "" : ",", c->address);
        writer_string(json, c->name);
        writer_format(json, ",\"endpoint\":");
        writer_string(json, c->endpoint);
        writer_format(json, ",\"cause\":\"%s\",\"count\":%" PRIu64 ",\"last_ms\":%" PRIu64,
                      wsfan_endpoint_state_name(c->cause), c->count, c->last_ms);
        if (c->reason != WSFAN_REASON_NONE) {
            writer_format(json, ",\"reason\":");
            writer_string(json, wsfan_reason_text(c->reason));
        }
        writer_format(json, "}");
    }
    free(callers);
}

/* Why this replica and others do or do not see each other. */
static void stats_diagnosis(struct server *server, struct writer *json) {
    wsfan_node_state state = { .struct_size = sizeof state };
    wsfan_node_get_state(server->node, &state);
    writer_format(json, "\"state\":\"%s\",\"endpoints_failing\":%u,\"endpoints\":[",
                  wsfan_node_phase_name(state.phase), (unsigned)state.endpoints_failing);
    stats_endpoints(server, json);
    writer_format(json, "],\"callers\":[");
    stats_callers(server, json);
    writer_format(json, "]");
}

static void statistics(struct server *server, struct web_request *request) {
    const struct replica *replica = server->replica;
    struct writer text = { 0 }, *json = &text;
    wsfan_stats stats = { .struct_size = sizeof stats };
    if (wsfan_node_get_stats(server->node, &stats) != WSFAN_OK)
        json->failed = true;
    writer_format(json, "{\"id\":\"%016" PRIx64 "\",\"name\":", wsfan_node_id(server->node));
    writer_string(json, wsfan_node_name(server->node));
    writer_format(json, ",\"endpoint\":");
    writer_string(json, wsfan_node_endpoint(server->node));
    writer_format(json, ",\"clients\":{\"open\":%u,\"max\":%" PRIu32, replica->clients_count,
                  replica->door.options.clients_max);
    writer_format(json, ",\"slow\":%" PRIu64 ",\"refused\":%" PRIuFAST64, clients_slow(replica),
                  replica->clients_refused);
    writer_format(json, ",\"moved\":%" PRIuFAST64 "},\"connections\":%u,\"threads\":%u",
                  replica->clients_moved, replica->descriptors.connections_count,
                  replica->servers_count);
    stats_outbound(replica, json);
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
    writer_format(json, "],\"diagnosis\":{");
    stats_diagnosis(server, json);
    writer_format(json, "}}\n");
    http_answer(request, 200, json, NULL);
}

/* ------------------------------------------------------------------------------------- routes */

static const char *const allow_reading[] = { "allow", "GET, HEAD", NULL };
static const char *const allow_post[] = { "allow", "POST", NULL };

static bool needs_token(const char *path) {
    static const char *const paths[] = { "/ws", "/stats", "/metrics", "/kick" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (strcmp(path, paths[i]) == 0)
            return true;
    return who_serves(path, false);
}

/* A question to the cluster, or a kick. */
static void ask(struct web_request *request) {
    const char *path = request->path;
    unsigned status = who_request(request);
    if (status == 400)
        http_plain(request, status,
                   strcmp(path, "/kick") == 0 ? "whom: /kick?session=ID or /kick?user=USER"
                   : strcmp(path, "/members") == 0
                       ? "whose: /members?chat=CHAT; after: what an answer gave as next"
                   : strncmp(path, "/users", 6) == 0
                       ? "whom: /users?user=USER; after: what an answer gave as next"
                       : "after: it must be what an answer gave as next",
                   NULL);
    else if (status != 0)
        http_plain(request, status, "the request was not made; try again", NULL);
}

static void get(struct server *server, struct web_request *request) {
    static const char *const upgrade[] = { "upgrade", "websocket", NULL };
    const char *path = request->path;
    if (strcmp(path, "/") == 0)
        page(request);
    else if (strcmp(path, "/owner") == 0)
        owner(server, request);
    else if (strcmp(path, "/stats") == 0)
        statistics(server, request);
    else if (strcmp(path, "/metrics") == 0)
        metrics_request(server, request);
    else if (strcmp(path, "/ws") == 0)
        http_plain(request, 426, "this is for WebSocket clients: /ws?chat=CHAT&user=USER", upgrade);
    else if (strcmp(path, "/kick") == 0)
        http_plain(request, 405, "only POST kicks", allow_post);
    else
        http_plain(request, 404,
                   "there is /, /ws, /owner, /publish, /healthz, /readyz, /stats, /metrics, "
                   "/chats, /users?user=USER, /members?chat=CHAT, /nodes and /kick",
                   NULL);
}

static void on_request(struct web_request *request) {
    struct server *server = request->user;
    const struct door *door = &server->replica->door;
    const char *path = request->path;
    bool reads = web_reads(request), posts = request->head.method == HEAD_POST;
    if (strcmp(path, "/publish") == 0)
        publish_request(request);
    else if (reads && strcmp(path, "/healthz") == 0)
        health(server, request);
    else if (reads && strcmp(path, "/readyz") == 0)
        readiness(server, request);
    else if (!web_own_host(&door->options.names, request))
        http_plain(request, 421, "this server does not know that name: start it with --host NAME",
                   NULL);
    else if (!reads && !(posts && who_serves(path, true)))
        http_plain(request, 405, "only GET and HEAD are served here", allow_reading);
    else if (needs_token(path) && !door_has_token(door, request))
        http_plain(request, 401, "the token is missing or wrong", NULL);
    else if (who_serves(path, posts))
        ask(request);
    else
        get(server, request);
}

static size_t on_head(struct web_request *request) {
    return strcmp(request->path, "/publish") == 0 ? publish_head(request) : WEB_BODY_BYTES_USUAL;
}

static void on_upgrade(struct web_request *request) {
    struct server *server = request->user;
    char location[LOCATION_BYTES_MAX + 1];
    const char *reason;
    unsigned status;
    if (strcmp(request->path, "/ws") != 0) {
        http_plain(request, 404, "WebSocket clients go to /ws?chat=CHAT&user=USER", NULL);
    } else if ((status = door_refuses(server->replica, request, &reason)) != 0) {
        http_plain(request, status, reason, NULL);
    } else if (redirect_before(server, request, location, sizeof location)) {
        const char *const headers[] = { "location", location, NULL };
        server->replica->clients_moved++;
        http_plain(request, 307, "another replica has this chat", headers);
    } else {
        client_open(server, request);
    }
}

const struct web_handlers http_handlers = { .on_head = on_head,
                                            .on_request = on_request,
                                            .on_upgrade = on_upgrade,
                                            .on_message = client_receive,
                                            .on_close = client_closed };
