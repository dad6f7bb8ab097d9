/* who.c - who is where in the whole cluster: GET /chats, /users?user=USER and /nodes, POST /kick. Each asks
 * all replicas concerned and answers when they have, or after ANSWER_MS with the names of the silent. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ANSWER_MS = 1000,
    ROWS_MAX = 128, /* of an answer, which is then within WEB_ANSWER_BYTES_MAX */
    AFTER_BYTES_MAX = 16 + CHAT_BYTES_MAX,
    WHO_BYTES_MAX = USER_BYTES_MAX > ID_BYTES ? USER_BYTES_MAX : ID_BYTES
};

/* An HTTP request that waits for the cluster. */
struct query {
    struct server *server;
    struct query *next;
    struct query **link; /* what points to this one */
    struct lws *wsi;     /* NULL: it has gone */
    bool head_only;
    unsigned status; /* 0: no answer yet */
    struct writer body;
};

static void query_free(struct query *query) {
    *query->link = query->next;
    if (query->next != NULL)
        query->next->link = query->link;
    if (query->wsi != NULL)
        lws_set_opaque_user_data(query->wsi, NULL);
    writer_free(&query->body);
    free(query);
}

static struct query *query_new(struct server *server, struct lws *wsi, bool head_only) {
    struct query *query = calloc(1, sizeof *query);
    if (query == NULL)
        return NULL;
    query->server = server;
    query->wsi = wsi;
    query->head_only = head_only;
    query->next = server->queries;
    query->link = &server->queries;
    if (query->next != NULL)
        query->next->link = &query->next;
    server->queries = query;
    lws_set_opaque_user_data(wsi, query);
    return query;
}

void who_end(struct server *server) {
    while (server->queries != NULL)
        query_free(server->queries);
}

void who_closed(struct lws *wsi) {
    struct query *query = lws_get_opaque_user_data(wsi);
    if (query != NULL)
        query->wsi = NULL; /* freed when the cluster has answered */
}

int who_writable(struct lws *wsi) {
    struct query *query = lws_get_opaque_user_data(wsi);
    if (query == NULL || query->status == 0)
        return 0;
    int result = http_answer(wsi, query->status, &query->body, NULL, query->head_only);
    query_free(query);
    return result;
}

/* -------------------------------------------------------------------------------- the answers */

/* A node by the name that people gave it, or by its id. */
static void node_name(const struct server *server, struct writer *json, uint64_t node) {
    size_t count;
    wsfan_peer_stats *peers = peers_list(server, &count);
    const char *name = NULL;
    char id[WSFAN_ADDRESS_TEXT_SIZE];
    if (node == wsfan_node_id(server->node))
        name = wsfan_node_name(server->node);
    for (size_t i = 0; i < count; i++)
        if (peers[i].node == node && peers[i].name[0] != '\0')
            name = peers[i].name;
    writer_string(json, name != NULL ? name : wsfan_address_text((wsfan_address){ node, 0 }, id));
    free(peers);
}

static void rows_of_chats(struct writer *json, const wsfan_reply *reply) {
    writer_format(json, "\"chats\":[");
    for (size_t i = 0; i < reply->rows_count; i++) {
        writer_format(json, "%s{\"name\":", i == 0 ? "" : ",");
        writer_string_sized(json, reply->rows[i].name.data, reply->rows[i].name.size);
        writer_format(json, ",\"sessions\":%" PRIu64 "}", reply->rows[i].sessions);
    }
    writer_format(json, "]");
}

static void rows_of_nodes(struct writer *json, const wsfan_reply *reply) {
    writer_format(json, "\"nodes\":[");
    for (size_t i = 0; i < reply->rows_count; i++) {
        char id[WSFAN_ADDRESS_TEXT_SIZE];
        writer_format(json, "%s{\"id\":\"%s\",\"name\":", i == 0 ? "" : ",",
                      wsfan_address_text(reply->rows[i].address, id));
        writer_string_sized(json, reply->rows[i].name.data, reply->rows[i].name.size);
        writer_format(json, ",\"sessions\":%" PRIu64 "}", reply->rows[i].sessions);
    }
    writer_format(json, "]");
}

/* The rows of one session, one for each chat, stand together. */
static void rows_of_sessions(const struct server *server, struct writer *json,
                             const wsfan_reply *reply) {
    writer_format(json, "\"sessions\":[");
    for (size_t i = 0; i < reply->rows_count;) {
        wsfan_address address = reply->rows[i].address;
        char id[WSFAN_ADDRESS_TEXT_SIZE];
        writer_format(json, "%s{\"id\":\"%s\",\"node\":", i == 0 ? "" : ",",
                      wsfan_address_text(address, id));
        node_name(server, json, address.node);
        writer_format(json, ",\"chats\":[");
        for (bool first = true;
             i < reply->rows_count && reply->rows[i].address.node == address.node &&
             reply->rows[i].address.session == address.session;
             i++) {
            if (reply->rows[i].name.size == 0)
                continue; /* it is in none */
            writer_format(json, first ? "" : ",");
            writer_string_sized(json, reply->rows[i].name.data, reply->rows[i].name.size);
            first = false;
        }
        writer_format(json, "]}");
    }
    writer_format(json, "]");
}

static void rest(const struct server *server, struct writer *json, const wsfan_reply *reply) {
    writer_format(json, ",\"complete\":%s,\"missing\":[",
                  reply->status == WSFAN_OK ? "true" : "false");
    for (size_t i = 0; i < reply->missing_count; i++) {
        writer_format(json, i == 0 ? "" : ",");
        node_name(server, json, reply->missing[i]);
    }
    writer_format(json, "]");
    if (reply->next.size > 0) {
        writer_format(json, ",\"next\":\"");
        for (size_t i = 0; i < reply->next.size; i++)
            writer_format(json, "%02x", ((const unsigned char *)reply->next.data)[i]);
        writer_format(json, "\"");
    }
    writer_format(json, "}\n");
}

void who_reply(void *loop_user, const wsfan_reply *reply) {
    struct server *server = loop_user;
    struct query *query = reply->reply_user;
    struct writer *json = &query->body;
    if (query->wsi == NULL) {
        query_free(query);
        return;
    }
    query->status = HTTP_STATUS_OK;
    writer_format(json, "{");
    if (reply->kind == WSFAN_REQUEST_CHATS)
        rows_of_chats(json, reply);
    else if (reply->kind == WSFAN_REQUEST_NODES)
        rows_of_nodes(json, reply);
    else if (reply->kind == WSFAN_REQUEST_SESSIONS)
        rows_of_sessions(server, json, reply);
    else
        writer_format(json, "\"sessions\":%" PRIu64, reply->sessions);
    rest(server, json, reply);
    web_resume(query->wsi);
}

void who_close(void *loop_user, const wsfan_close *close) {
    (void)loop_user;
    struct client *client = close->session_user;
    memcpy(client->kick_reason, close->reason.data, close->reason.size);
    client->kick_reason[close->reason.size] = '\0';
    client_close(client, (enum close_status)close->code, client->kick_reason);
}

/* ------------------------------------------------------------------------------- the questions */

static int kick(struct server *server, const struct arguments *arguments,
                const wsfan_request_options *options) {
    char name[WHO_BYTES_MAX + 1];
    wsfan_target_kind kind = WSFAN_SESSION;
    int size = argument_find(arguments, "session", name, WHO_BYTES_MAX);
    if (size == ARGUMENT_MISSING) {
        kind = WSFAN_USER;
        size = argument_name(arguments, "user", name, USER_BYTES_MAX);
    }
    if (size <= 0)
        return WSFAN_EINVAL;
    wsfan_target target = { kind, { name, (size_t)size } };
    return wsfan_remote_close(server->node, &target, 1, CLOSE_KICKED, wsfan_string("kicked"),
                              options);
}

static int ask(struct server *server, struct lws *wsi, const char *path,
               wsfan_request_options *options) {
    static const char users[] = "/users/";
    unsigned char after[AFTER_BYTES_MAX];
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    struct arguments arguments = http_arguments(wsi);
    if (strcmp(path, "/kick") == 0)
        return kick(server, &arguments, options);
    int size = argument_hex(&arguments, "after", after, sizeof after); /* as we wrote it */
    if (size < 0 && size != ARGUMENT_MISSING)
        return WSFAN_EINVAL;
    options->after.data = after;
    options->after.size = size > 0 ? (size_t)size : 0;
    if (strcmp(path, "/chats") == 0)
        return wsfan_list_chats(server->node, &all, 1, options);
    if (strcmp(path, "/nodes") == 0)
        return wsfan_list_nodes(server->node, options);
    char name[USER_BYTES_MAX + 1] = "";
    if (strcmp(path, "/users") == 0)
        size = argument_name(&arguments, "user", name, USER_BYTES_MAX);
    else if (strlen(path + sizeof users - 1) <= USER_BYTES_MAX)
        size = (int)strlen(strcpy(name, path + sizeof users - 1));
    /* libwebsockets makes one path of "a//b", "a/./b" and "a/b", however they were written. */
    if (size <= 0 || !utf8_valid(name, strlen(name)) ||
        (strcmp(path, "/users") != 0 && strchr(name, '/') != NULL))
        return WSFAN_EINVAL;
    wsfan_target user = { WSFAN_USER, wsfan_string(name) };
    return wsfan_list_sessions(server->node, &user, 1, options);
}

bool who_serves(const char *path, bool post) {
    if (post)
        return strcmp(path, "/kick") == 0;
    return strcmp(path, "/chats") == 0 || strcmp(path, "/nodes") == 0 ||
           strcmp(path, "/users") == 0 || strncmp(path, "/users/", sizeof "/users/" - 1) == 0;
}

unsigned who_request(struct server *server, struct lws *wsi, const char *path, bool post,
                     bool head_only) {
    if (post && !door_own_page(server, wsi))
        return HTTP_STATUS_FORBIDDEN;
    struct query *query = query_new(server, wsi, head_only);
    if (query == NULL)
        return HTTP_STATUS_INTERNAL_SERVER_ERROR;
    wsfan_request_options options = { .struct_size = sizeof options,
                                      .reply_loop = server->loop,
                                      .reply_user = query,
                                      .ms_max = ANSWER_MS,
                                      .rows_max = ROWS_MAX };
    int error = ask(server, wsi, path, &options);
    if (error == WSFAN_OK) {
        web_defer(wsi);
        return 0;
    }
    query_free(query);
    return error == WSFAN_EINVAL || error == WSFAN_ETOOBIG ? HTTP_STATUS_BAD_REQUEST
                                                           : HTTP_STATUS_SERVICE_UNAVAILABLE;
}
