/* client.c - one WebSocket client: who it is, and what it says.
 *
 * A client for which too much waits is closed. Closing has two steps: the client leaves the cluster at
 * once, and its connection ends when it has answered the close frame, or has not in time. */
#include "echo_chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void client_send(struct client *client, struct web_frame *frame, uint64_t key) {
    if (client->closing)
        return;
    unsigned status = frame != NULL ? web_send(client->socket, frame, key) : WEB_CLOSE_MEMORY;
    if (status == WEB_CLOSE_SLOW)
        client_close(client, CLOSE_TRY_AGAIN_LATER, wsfan_string("this client reads too slowly"));
    else if (status != 0)
        client_close(client, CLOSE_INTERNAL_ERROR, wsfan_string("out of memory"));
}

/* ---------------------------------------------------------------------------- open and close */

/* What is wrong with the URL, or NULL. */
static const char *read_names(struct client *client, const struct web_request *request) {
    static const char ambiguous[] =
        "an argument of the URL is not known here, or is there twice: write %26 for & in a name";
    static const char *const chat_problems[QUERY_PROBLEMS] = {
        "the URL names no chat: /ws?chat=CHAT&user=USER",
        "the chat's name is longer than 128 bytes", "the chat's name is not UTF-8 text", ambiguous
    };
    static const char *const user_problems[QUERY_PROBLEMS] = {
        "the URL names no user: /ws?chat=CHAT&user=USER", "the user's name is longer than 64 bytes",
        "the user's name is not UTF-8 text", ambiguous
    };
    struct query query = http_query(request);
    int size = query_name(&query, "chat", client->chat, CHAT_BYTES_MAX);
    if (size < 0)
        return chat_problems[QUERY_MISSING - size];
    size = query_name(&query, "user", client->user, USER_BYTES_MAX);
    return size < 0 ? user_problems[QUERY_MISSING - size] : NULL;
}

static void refuse(struct client *client, enum close_status status, const char *reason) {
    client->server->replica->clients_refused++;
    client_close(client, status, wsfan_string(reason));
}

static void begin(struct client *client, const struct web_request *request) {
    struct resume resume;
    /* After the upgrade and not before: a browser shows a script the reason of a close frame,
     * but nothing of a refused upgrade. */
    const char *problem = read_names(client, request);
    if (problem == NULL)
        problem = http_resume(request, &resume);
    if (problem != NULL) {
        refuse(client, CLOSE_POLICY_VIOLATION, problem);
        return;
    }
    if (redirect_after(client, request))
        return;
    int error = cluster_join(client, &resume);
    if (error != WSFAN_OK)
        client_close(client, CLOSE_TRY_AGAIN_LATER, wsfan_string(wsfan_error_text(error)));
    else
        peers_welcome(client);
}

void client_open(struct server *server, struct web_request *request) {
    struct client *client = calloc(1, sizeof *client);
    if (client != NULL)
        client->socket = web_upgrade(request, client);
    if (client == NULL || client->socket == NULL) {
        free(client);
        http_plain(request, 503, "out of memory", NULL);
        return;
    }
    client->server = server;
    client->next = server->clients;
    client->link = &server->clients;
    if (client->next != NULL)
        client->next->link = &client->next;
    server->clients = client;
    server->replica->clients_count++;
    begin(client, request);
}

void client_close(struct client *client, enum close_status status, wsfan_bytes reason) {
    if (client->closing)
        return;
    client->closing = true;
    cluster_leave(client);
    web_close_socket(client->socket, status, reason.data, reason.size);
}

void client_closed(struct web_socket *socket, unsigned refused) {
    struct client *client = web_user(socket);
    struct server *server = client->server;
    if (refused != 0)
        server->replica->clients_refused++;
    if (!client->closing)
        cluster_leave(client);
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    server->replica->clients_count--;
    free(client);
    drain_look(server);
}

/* ----------------------------------------------------------------------------------- receive */

static void say(struct client *client, const char *text, size_t size) {
    char session[ID_BYTES + 1];
    client_session(client, session);
    struct writer json = { 0 };
    writer_literal(&json, "{\"type\":\"message\",\"session\":");
    writer_string(&json, session);
    writer_literal(&json, ",\"chat\":");
    writer_string(&json, client->chat);
    writer_literal(&json, ",\"user\":");
    writer_string(&json, client->user);
    writer_literal(&json, ",\"text\":");
    writer_string_sized(&json, text, size);
    writer_literal(&json, ",\"node\":");
    writer_string(&json, wsfan_node_name(client->server->node));
    writer_literal(&json, "}");
    int error = json.failed ? WSFAN_ENOMEM : cluster_broadcast(client, writer_text(&json));
    writer_free(&json);
    if (error == WSFAN_OK)
        return;
    writer_format(&json, "{\"type\":\"error\",\"text\":");
    writer_string(&json, wsfan_error_text(error));
    writer_format(&json, "}");
    send_json(client, &json);
}

static bool is_command(const char *text, size_t size, const char *name) {
    return size - 1 == strlen(name) && memcmp(text + 1, name, size - 1) == 0;
}

/* Browsers do not tell a script of pings: by this it knows that its replica lives. */
static void answer(struct client *client) {
    struct writer json = { 0 };
    writer_format(&json, "{\"type\":\"alive\"}");
    send_json(client, &json);
}

static void tell_typing(struct client *client) {
    char session[ID_BYTES + 1];
    client_session(client, session);
    struct writer json = { 0 };
    writer_format(&json, "{\"type\":\"typing\",\"session\":\"%s\",\"user\":", session);
    writer_string(&json, client->user);
    writer_format(&json, "}");
    if (!json.failed) /* a mark that finds no room is not missed: the next one comes soon */
        cluster_broadcast_latest(client, writer_text(&json), wsfan_string(session));
    writer_free(&json);
}

/* A command of the page begins with a NUL, which nobody types: so it is no text. */
static void command(struct client *client, const char *text, size_t size) {
    if (is_command(text, size, "typing"))
        tell_typing(client);
    else if (is_command(text, size, "alive?"))
        answer(client);
    else
        refuse(client, CLOSE_POLICY_VIOLATION,
               "a text that begins with NUL is a command: typing or alive?");
}

void client_session(const struct client *client, char text[ID_BYTES + 1]) {
    wsfan_address address = wsfan_session_address(client->server->loop, client->session);
    writer_id(text, address.node, address.session);
}

void client_receive(struct web_socket *socket, bool is_text, const char *data, size_t size) {
    struct client *client = web_user(socket);
    if (!door_message(client))
        refuse(client, CLOSE_POLICY_VIOLATION, "this client sends too many messages");
    else if (!is_text)
        refuse(client, CLOSE_NOT_TEXT, "only text messages are understood");
    else if (size > 0 && data[0] == '\0')
        command(client, data, size);
    else
        say(client, data, size);
}
