/* A chat server with threads for each connection, on civetweb.
 * One thread dispatches, and holds `registry` while it does; the others hold it for each [loop] call. on_message
 * writes to no socket: one that is not read would hold up all chats. It pushes into the client's queue, under the
 * client's own lock, and a second thread of each connection writes. */
#include "chat.h"
#include <civetweb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <utf8.h>

struct client { /* one connection */
    struct mg_connection *connection;
    wsfan_session session;
    char chat[CHAT_NAME_SIZE];
    char data[CHAT_MESSAGE_BYTES_MAX]; /* what it is saying, */
    size_t size;                       /* as far as it has come; */
    int opcode;                        /* 0: nothing */
    pthread_t writer;
    atomic_bool slow;     /* it does not read, and is to be closed */
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    wsfan_outbound *queue; /* yet to be sent */
    bool gone;
};

static wsfan_node *node;
static wsfan_loop *loop;
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER; /* held for each [loop] call */
static atomic_bool stopped;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *to,
                       size_t count) {
    (void)user;
    for (size_t i = 0; i < count; i++) {
        struct client *client = to[i].session_user;
        pthread_mutex_lock(&client->lock);
        if (chat_queue_push(client->queue, message) != 0)
            client->slow = true;
        pthread_cond_signal(&client->changed);
        pthread_mutex_unlock(&client->lock);
    }
}

static void *dispatch(void *user) {
    while (!stopped) {
        wsfan_poll_wait(loop, 100); /* without the lock */
        pthread_mutex_lock(&registry);
        wsfan_loop_dispatch(loop, 256);
        pthread_mutex_unlock(&registry);
    }
    return user;
}

static wsfan_message *next_message(struct client *client) {
    wsfan_message *message = NULL;
    pthread_mutex_lock(&client->lock);
    while (!client->slow && !client->gone && (message = wsfan_outbound_take(client->queue)) == NULL)
        pthread_cond_wait(&client->changed, &client->lock);
    pthread_mutex_unlock(&client->lock);
    return message;
}

static void close_later(struct mg_connection *connection) { /* 1013: try again later */
    mg_websocket_write(connection, MG_WEBSOCKET_OPCODE_CONNECTION_CLOSE, "\x03\xf5", 2);
}

static void *write_all(void *user) {
    struct client *client = user;
    wsfan_message *message;
    while ((message = next_message(client)) != NULL) {
        wsfan_bytes payload = wsfan_message_payload(message);
        int opcode = (wsfan_message_flags(message) & WSFAN_BINARY) != 0 ? MG_WEBSOCKET_OPCODE_BINARY
                                                                        : MG_WEBSOCKET_OPCODE_TEXT;
        int sent = mg_websocket_write(client->connection, opcode, payload.data, payload.size);
        wsfan_message_unref(message);
        if (sent < (int)payload.size) { /* a part has left, and nothing may follow it */
            client->slow = true;
            return NULL;
        }
    }
    if (client->slow)
        close_later(client->connection);
    return NULL;
}

static int open_session(struct client *client) {
    pthread_mutex_lock(&registry);
    int error = wsfan_session_open(&client->session, loop, wsfan_string(""), client);
    if (error == WSFAN_OK)
        error = wsfan_session_join(loop, client->session, wsfan_string(client->chat));
    pthread_mutex_unlock(&registry);
    return error;
}

static void free_client(struct client *client) {
    pthread_mutex_lock(&registry);
    wsfan_session_close(loop, client->session); /* no on_message has the client after this */
    pthread_mutex_unlock(&registry);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    wsfan_outbound_close(client->queue);
    free(client);
}

static int on_connect(const struct mg_connection *connection, void *user) {
    size_t size = strlen(mg_get_request_info(connection)->local_uri);
    (void)user;
    return size < 2 || size >= CHAT_NAME_SIZE; /* 1: refused */
}

static void on_ready(struct mg_connection *connection, void *user) {
    struct client *client = calloc(1, sizeof *client);
    (void)user;
    if (client == NULL || chat_queue_open(&client->queue) != WSFAN_OK) {
        free(client);
        close_later(connection);
        return;
    }
    client->connection = connection;
    strcpy(client->chat, mg_get_request_info(connection)->local_uri + 1);
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->changed, NULL);
    if (open_session(client) == WSFAN_OK &&
        pthread_create(&client->writer, NULL, write_all, client) == 0) {
        mg_set_user_connection_data(connection, client);
    } else {
        free_client(client);
        close_later(connection);
    }
}

/* Returns 1, or 0: the connection is closed. civetweb hands on frames as they come, and looks into none. */
static int on_data(struct mg_connection *connection, int bits, char *data, size_t size,
                   void *user) {
    struct client *client = mg_get_user_connection_data(connection);
    int opcode = bits & 0xf;
    (void)user;
    if (opcode >= MG_WEBSOCKET_OPCODE_CONNECTION_CLOSE)
        return opcode != MG_WEBSOCKET_OPCODE_CONNECTION_CLOSE;
    if (client == NULL || (opcode == 0) != (client->opcode != 0) ||
        size > sizeof client->data - client->size)
        return 0;
    client->opcode |= opcode;
    memcpy(client->data + client->size, data, size);
    client->size += size;
    if ((bits & 0x80) == 0)
        return 1;
    int binary = client->opcode == MG_WEBSOCKET_OPCODE_BINARY;
    size = client->size;
    client->size = 0, client->opcode = 0;
    return (binary || utf8_valid(client->data, size)) && !client->slow &&
           chat_say(node, client->chat, client->data, size, binary) == WSFAN_OK;
}

static void on_close(const struct mg_connection *connection, void *user) {
    struct client *client = mg_get_user_connection_data(connection);
    (void)user;
    if (client == NULL)
        return;
    pthread_mutex_lock(&client->lock);
    client->gone = true;
    pthread_cond_signal(&client->changed);
    pthread_mutex_unlock(&client->lock);
    pthread_join(client->writer, NULL);
    free_client(client);
}

/* Before a connection is accepted; after mg_start() the first ones would find no handler. */
static void on_init(const struct mg_context *server) {
    mg_set_websocket_handler((void *)server, "/", on_connect, on_ready, on_data, on_close, NULL);
}

int main(int count, char **values) {
    const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_message = on_message };
    const struct mg_callbacks events = { .init_context = on_init };
    pthread_t dispatcher;
    int status = chat_open(&node, &(uint16_t){ 0 }, count, values);
    if (status != 0)
        return status;
    const char *config[9] = {
        "listening_ports",    values[1], "enable_websocket_ping_pong", "yes",
        "request_timeout_ms", "10000",   "websocket_timeout_ms",       "5000"
    };
    chat_block_signals();
    if (wsfan_loop_open(&loop, node, &callbacks, NULL) != WSFAN_OK)
        return 1;
    chat_wait_ready(node, loop);
    struct mg_context *server = mg_start(&events, NULL, config); /* 50 connections: num_threads */
    if (server == NULL || pthread_create(&dispatcher, NULL, dispatch, NULL) != 0)
        return 1;
    chat_wait_for_signal();
    mg_stop(server); /* closes the connections, and so the sessions */
    stopped = true;
    pthread_join(dispatcher, NULL);
    wsfan_loop_close(loop);
    wsfan_node_close(node);
    return 0;
}
