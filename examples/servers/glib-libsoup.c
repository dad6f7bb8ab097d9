/* A chat server on GLib and libsoup 3: one thread.
 *
 * libsoup queues what a client is to be sent without a bound, so a message is given to it only when the socket is
 * writable, one at a time; the others wait in a queue that is bounded. */
#include "chat.h"
#include <glib-unix.h>
#include <libsoup/soup.h>
#include <stdbool.h>
#include <wsfan/adapters/glib.h>

struct client {
    SoupWebsocketConnection *connection;
    char chat[CHAT_NAME_SIZE];
    wsfan_session session;
    wsfan_outbound *queue; /* yet to be sent */
    GSource *writable;     /* NULL: nothing waits */
};

static wsfan_node *node;
static wsfan_loop *loop;
static GHashTable *clients; /* a set */

static void stop_waiting(struct client *client) {
    if (client->writable == NULL)
        return;
    g_source_destroy(client->writable);
    g_clear_pointer(&client->writable, g_source_unref);
}

static gboolean on_writable(GObject *output, gpointer user) {
    struct client *client = user;
    wsfan_message *message = wsfan_outbound_take(client->queue);
    (void)output;
    if (message == NULL ||
        soup_websocket_connection_get_state(client->connection) != SOUP_WEBSOCKET_STATE_OPEN) {
        chat_release(message);
        stop_waiting(client);
        return G_SOURCE_REMOVE;
    }
    wsfan_bytes payload = wsfan_message_payload(message);
    bool binary = (wsfan_message_flags(message) & WSFAN_BINARY) != 0;
    GBytes *copied = g_bytes_new(payload.data, payload.size);
    soup_websocket_connection_send_message(
        client->connection, binary ? SOUP_WEBSOCKET_DATA_BINARY : SOUP_WEBSOCKET_DATA_TEXT, copied);
    g_bytes_unref(copied);
    wsfan_message_unref(message);
    return G_SOURCE_CONTINUE;
}

/* A close frame would wait behind what the client does not read. */
static void cut(struct client *client) {
    GIOStream *stream = soup_websocket_connection_get_io_stream(client->connection);
    if (stream != NULL)
        g_io_stream_close(stream, NULL, NULL);
    g_hash_table_remove(clients, client);
}

static void want_write(struct client *client) {
    GIOStream *stream = soup_websocket_connection_get_io_stream(client->connection);
    if (client->writable != NULL || stream == NULL)
        return;
    client->writable = g_pollable_output_stream_create_source(
        G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(stream)), NULL);
    g_source_set_callback(client->writable, G_SOURCE_FUNC(on_writable), client, NULL);
    g_source_attach(client->writable, NULL);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *to,
                       size_t count) {
    (void)user;
    for (size_t i = 0; i < count; i++) {
        struct client *client = to[i].session_user;
        if (chat_queue_push(client->queue, message) == 0)
            want_write(client);
        else
            cut(client);
    }
}

/* libsoup has checked that text is UTF-8, and the size of each frame; that of all frames of a message from 3.8 on. */
static void on_said(SoupWebsocketConnection *connection, int type, GBytes *data,
                    struct client *client) {
    size_t size;
    const void *bytes = g_bytes_get_data(data, &size);
    if (size > CHAT_MESSAGE_BYTES_MAX)
        soup_websocket_connection_close(connection, SOUP_WEBSOCKET_CLOSE_TOO_BIG, NULL);
    else if (chat_say(node, client->chat, bytes, size, type == SOUP_WEBSOCKET_DATA_BINARY) !=
             WSFAN_OK)
        soup_websocket_connection_close(connection, 1013, NULL); /* try again later */
}

static void on_closed(SoupWebsocketConnection *connection, struct client *client) {
    (void)connection;
    g_hash_table_remove(clients, client); /* which frees it */
}

static void free_client(void *user) {
    struct client *client = user;
    g_signal_handlers_disconnect_by_data(client->connection, client);
    stop_waiting(client);
    wsfan_session_close(loop, client->session);
    wsfan_outbound_close(client->queue);
    g_object_unref(client->connection);
    g_free(client);
}

/* Returns 0, or the status with which the connection is closed. */
static unsigned short open_session(struct client *client, const char *path) {
    char *chat = g_uri_unescape_string(path + 1, NULL);
    size_t size = g_strlcpy(client->chat, chat != NULL ? chat : "", sizeof client->chat);
    g_free(chat);
    if (size == 0 || size + 1 >= sizeof client->chat)
        return SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION;
    if (chat_queue_open(&client->queue) != WSFAN_OK ||
        wsfan_session_open(&client->session, loop, wsfan_string(""), client) != WSFAN_OK ||
        wsfan_session_join(loop, client->session, wsfan_string(client->chat)) != WSFAN_OK)
        return 1013;
    return 0;
}

static void on_connection(SoupServer *server, SoupServerMessage *request, const char *path,
                          SoupWebsocketConnection *connection, void *user) {
    struct client *client = g_new0(struct client, 1);
    (void)server, (void)request, (void)user;
    client->connection = g_object_ref(connection);
    g_hash_table_add(clients, client);
    soup_websocket_connection_set_max_incoming_payload_size(connection, CHAT_MESSAGE_BYTES_MAX);
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(connection), "max-total-message-size"))
        g_object_set(connection, "max-total-message-size", (guint64)CHAT_MESSAGE_BYTES_MAX, NULL);
    soup_websocket_connection_set_keepalive_interval(connection, 20); /* seconds */
    g_signal_connect(connection, "message", G_CALLBACK(on_said), client);
    g_signal_connect(connection, "closed", G_CALLBACK(on_closed), client);
    unsigned short refused = open_session(client, path);
    if (refused != 0)
        soup_websocket_connection_close(connection, refused, NULL);
}

static gboolean on_signal(void *main_loop) {
    g_main_loop_quit(main_loop);
    return G_SOURCE_CONTINUE;
}

int main(int count, char **values) {
    const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_message = on_message };
    uint16_t port;
    int status = chat_open(&node, &port, count, values);
    if (status != 0)
        return status;
    if (wsfan_loop_open(&loop, node, &callbacks, NULL) != WSFAN_OK)
        return 1;
    chat_wait_ready(node, loop);
    clients = g_hash_table_new_full(NULL, NULL, free_client, NULL);
    GMainLoop *main_loop = g_main_loop_new(NULL, FALSE);
    GSource *adapter = wsfan_glib_attach(NULL, loop);
    SoupServer *server = soup_server_new(NULL, NULL);
    soup_server_add_websocket_handler(server, NULL, NULL, NULL, on_connection, NULL, NULL);
    g_unix_signal_add(SIGINT, on_signal, main_loop);
    g_unix_signal_add(SIGTERM, on_signal, main_loop);
    if (soup_server_listen_all(server, port, 0, NULL))
        g_main_loop_run(main_loop);
    else
        status = 1;
    soup_server_disconnect(server);
    g_hash_table_destroy(clients);
    g_object_unref(server);
    wsfan_glib_detach(adapter);
    g_main_loop_unref(main_loop);
    wsfan_loop_close(loop);
    wsfan_node_close(node);
    return status;
}
