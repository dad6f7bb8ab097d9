/* who.c - who is where in the whole cluster: GET /chats, /users?user=USER, /members?chat=CHAT and /nodes, POST /kick.
 * Each asks all replicas concerned and answers when they have, or after ANSWER_MS with the names of the silent. */
#include "echo_chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MS = 1000,
    ROWS_MAX = 128, /* of an answer */
    AFTER_BYTES_MAX = 16 + CHAT_BYTES_MAX,
    WHO_BYTES_MAX = USER_BYTES_MAX > ID_BYTES ? USER_BYTES_MAX : ID_BYTES
};

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

/* Of a chat: each session by itself, in order of replicas. */
static void rows_of_members(const struct server *server, struct writer *json,
                            const wsfan_reply *reply) {
    writer_format(json, "\"members\":[");
    for (size_t i = 0; i < reply->rows_count; i++) {
        const wsfan_row *row = &reply->rows[i];
        char id[WSFAN_ADDRESS_TEXT_SIZE];
        writer_format(json, "%s{\"id\":\"%s\",\"user\":", i == 0 ? "" : ",",
                      wsfan_address_text(row->address, id));
        writer_string_sized(json, row->user.data, row->user.size);
        writer_format(json, ",\"node\":");
        node_name(server, json, row->address.node);
        writer_format(json, "}");
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
    struct waiting *waiting = reply->reply_user;
    struct writer json = { 0 };
    writer_format(&json, "{");
    if (reply->kind == WSFAN_REQUEST_CHATS)
        rows_of_chats(&json, reply);
    else if (reply->kind == WSFAN_REQUEST_NODES)
        rows_of_nodes(&json, reply);
    else if (reply->kind == WSFAN_REQUEST_SESSIONS && waiting->members)
        rows_of_members(server, &json, reply);
    else if (reply->kind == WSFAN_REQUEST_SESSIONS)
        rows_of_sessions(server, &json, reply);
    else
        writer_format(&json, "\"sessions\":%" PRIu64, reply->sessions);
    rest(server, &json, reply);
    http_answer(waiting->request, 200, &json, NULL);
    wait_end(waiting);
}

void who_close(void *loop_user, const wsfan_close *close) {
    (void)loop_user;
    client_close(close->session_user, (enum close_status)close->code, close->reason);
}

/* ------------------------------------------------------------------------------- the questions */

static int kick(struct server *server, const struct query *query,
                const wsfan_request_options *options) {
    char name[WHO_BYTES_MAX + 1];
    wsfan_target_kind kind = WSFAN_SESSION;
    int size = query_find(query, "session", name, WHO_BYTES_MAX);
    if (size == QUERY_MISSING) {
        kind = WSFAN_USER;
        size = query_name(query, "user", name, USER_BYTES_MAX);
    }
    if (size <= 0)
        return WSFAN_EINVAL;
    wsfan_target target = { kind, { name, (size_t)size } };
    return wsfan_remote_close(server->node, &target, 1, CLOSE_KICKED, wsfan_string("kicked"),
                              options);
}

static int list_sessions(struct server *server, const struct web_request *request,
                         const struct query *query, const wsfan_request_options *options) {
    static const char users[] = "/users/";
    char name[USER_BYTES_MAX + 1];
    const char *path = request->path;
    int size;
    if (strcmp(path, "/users") == 0)
        size = query_name(query, "user", name, USER_BYTES_MAX);
    else
        size = snprintf(name, sizeof name, "%s", path + sizeof users - 1);
    if (size <= 0 || size > USER_BYTES_MAX ||
        (strcmp(path, "/users") != 0 && strchr(name, '/') != NULL))
        return WSFAN_EINVAL;
    wsfan_target user = { WSFAN_USER, wsfan_string(name) };
    return wsfan_list_sessions(server->node, &user, 1, options);
}

static int list_members(struct server *server, const struct query *query,
                        const wsfan_request_options *options) {
    struct waiting *waiting = options->reply_user;
    char name[CHAT_BYTES_MAX + 1];
    int size = query_name(query, "chat", name, CHAT_BYTES_MAX);
    if (size <= 0)
        return WSFAN_EINVAL;
    waiting->members = true;
    wsfan_target chat = { WSFAN_CHAT, wsfan_string(name) };
    return wsfan_list_sessions(server->node, &chat, 1, options);
}

static int ask(struct server *server, const struct web_request *request,
               wsfan_request_options *options) {
    unsigned char after[AFTER_BYTES_MAX];
    wsfan_target all = { WSFAN_ALL, { NULL, 0 } };
    struct query query = http_query(request);
    if (strcmp(request->path, "/kick") == 0)
        return kick(server, &query, options);
    int size = query_hex(&query, "after", after, sizeof after); /* as we wrote it */
    if (size < 0 && size != QUERY_MISSING)
        return WSFAN_EINVAL;
    options->after.data = after;
    options->after.size = size > 0 ? (size_t)size : 0;
    if (strcmp(request->path, "/chats") == 0)
        return wsfan_list_chats(server->node, &all, 1, options);
    if (strcmp(request->path, "/nodes") == 0)
        return wsfan_list_nodes(server->node, options);
    if (strcmp(request->path, "/members") == 0)
        return list_members(server, &query, options);
    return list_sessions(server, request, &query, options);
}

bool who_serves(const char *path, bool post) {
    if (post)
        return strcmp(path, "/kick") == 0;
    return strcmp(path, "/chats") == 0 || strcmp(path, "/nodes") == 0 ||
           strcmp(path, "/members") == 0 || strcmp(path, "/users") == 0 ||
           strncmp(path, "/users/", sizeof "/users/" - 1) == 0;
}

unsigned who_request(struct web_request *request) {
    struct server *server = request->user;
    if (!web_reads(request) && !web_own_page(&server->replica->door.options.names, request))
        return 403;
    struct waiting *waiting = wait_begin(server, request);
    if (waiting == NULL)
        return 500;
    wsfan_request_options options = { .struct_size = sizeof options,
                                      .reply_loop = server->loop,
                                      .reply_user = waiting,
                                      .ms_max = ANSWER_MS,
                                      .rows_max = ROWS_MAX };
    int error = ask(server, request, &options);
    if (error == WSFAN_OK)
        return 0;
    wait_end(waiting);
    return error == WSFAN_EINVAL || error == WSFAN_ETOOBIG ? 400 : 503;
}
