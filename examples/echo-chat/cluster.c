/* cluster.c - what makes this chat server a cluster: all its calls of libwsfan are here, but for
 * those that show members, peers and statistics. */
#include "echo_chat.h"

#include <stdio.h>

void cluster_position(struct server *server, wsfan_bytes chat,
                      char text[WSFAN_POSITION_TEXT_SIZE]) {
    if (!server->replica->history || wsfan_chat_position(server->loop, chat, text) != WSFAN_OK)
        text[0] = '\0';
}

/* One frame is for all recipients, so a message to several chats has no position: it would be of one of them. */
static void position_after(struct server *server, const wsfan_message *message,
                           char text[WSFAN_POSITION_TEXT_SIZE]) {
    wsfan_target target = wsfan_message_target(message, 0);
    text[0] = '\0';
    if (wsfan_message_targets_count(message) == 1 && target.kind == WSFAN_CHAT &&
        (wsfan_message_flags(message) & WSFAN_FLEETING) == 0)
        cluster_position(server, target.name, text);
}

static void on_message(void *loop_user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t recipients_count) {
    char position[WSFAN_POSITION_TEXT_SIZE];
    position_after(loop_user, message, position);
    struct web_frame *frame = frame_from_message(message, position);
    uint64_t key = frame_key(message);
    for (size_t i = 0; i < recipients_count; i++)
        client_send(recipients[i].session_user, frame, key);
    web_frame_release(frame);
}

static void on_readable(uv_poll_t *cluster, int status, int events) {
    struct server *server = cluster->data;
    (void)status, (void)events;
    wsfan_loop_dispatch(server->loop, 256);
}

/* Dispatches once more before the thread sleeps: messages of its own clients are in the inbox by then. */
static void on_polled(uv_check_t *polled) {
    struct server *server = polled->data;
    if (server->said)
        wsfan_loop_dispatch(server->loop, 256);
    server->said = false;
}

static int open_loop(struct server *server) {
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                  .on_message = on_message,
                                  .on_joined = peers_joined,
                                  .on_peer = peers_event,
                                  .on_gap = peers_gap,
                                  .on_presence = members_changed,
                                  .on_result = publish_result,
                                  .on_owner = redirect_owner,
                                  .on_drain = drain_sessions,
                                  .on_drained = drain_done,
                                  .on_close = who_close,
                                  .on_reply = who_reply };
    if (server == server->replica->servers) /* the log has each event once */
        callbacks.on_event = log_event;
    server->node = server->replica->node;
    server->cluster.data = server->polled.data = server;
    uv_check_init(web_loop(server->web), &server->polled);
    uv_check_start(&server->polled, on_polled);
    int error = wsfan_loop_open(&server->loop, server->node, &callbacks, server);
    if (error != WSFAN_OK)
        return error;
    return uv_poll_init(web_loop(server->web), &server->cluster, wsfan_loop_fd(server->loop)) ==
                       0 &&
                   uv_poll_start(&server->cluster, UV_READABLE, on_readable) == 0
               ? WSFAN_OK
               : WSFAN_ESYSTEM;
}

int cluster_open(struct replica *replica, const wsfan_options *options) {
    int error = wsfan_node_open(&replica->node, options);
    for (unsigned i = 0; i < replica->servers_count && error == WSFAN_OK; i++)
        error = open_loop(&replica->servers[i]);
    return error;
}

int cluster_join(struct client *client, const struct resume *resume) {
    bool returns = resume->position[0] != '\0' || resume->rewind_count > 0;
    uint32_t history = client->server->replica->history || returns ? WSFAN_HISTORY : 0;
    wsfan_loop *loop = client->server->loop;
    wsfan_join_options options = { .struct_size = sizeof options,
                                   .flags = WSFAN_PRESENCE | history,
                                   .metadata = wsfan_string(wsfan_node_name(client->server->node)),
                                   .position = wsfan_string(resume->position),
                                   .rewind_count = resume->rewind_count };
    int error = wsfan_session_open(&client->session, loop, wsfan_string(client->user), client);
    if (error == WSFAN_OK)
        error = wsfan_session_join_with(loop, client->session, wsfan_string(client->chat),
                                        &options);
    return error;
}

void cluster_leave(struct client *client) {
    wsfan_session_close(client->server->loop, client->session);
}

int cluster_broadcast(struct client *client, wsfan_bytes payload) {
    client->server->said = true;
    return wsfan_broadcast(client->server->node, wsfan_string(client->chat), payload, NULL);
}

int cluster_broadcast_latest(struct client *client, wsfan_bytes payload, wsfan_bytes key) {
    wsfan_publish_options options = { .struct_size = sizeof options,
                                      .flags = WSFAN_FLEETING,
                                      .except = wsfan_session_address(client->server->loop,
                                                                      client->session),
                                      .key = key };
    return wsfan_broadcast(client->server->node, wsfan_string(client->chat), payload, &options);
}

void cluster_reload_keys(struct replica *replica) {
    if (!replica->keys_reloadable)
        return;
    int error = wsfan_node_reload_keys(replica->node);
    if (error != WSFAN_OK)
        fprintf(stderr, "echo-chat: the keys stay as they are: %s\n", wsfan_error_text(error));
}

/* After the last client: each leaves when its connection ends. */
void cluster_close(struct replica *replica) {
    for (unsigned i = 0; i < replica->servers_count; i++)
        wsfan_loop_close(replica->servers[i].loop);
    wsfan_node_close(replica->node);
}
