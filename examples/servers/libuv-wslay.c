/* A chat server on libuv and wslay: one thread. */
#include "wslay_client.h"
#include <uv.h>
#include <wsfan/adapters/libuv.h>

struct connection {
    uv_tcp_t socket;
    uv_write_t write;
    struct client *client; /* NULL: it is being closed */
    bool writing;
    char block[16 * 1024]; /* being written */
};

static struct server server;

static void on_closed(uv_handle_t *socket) {
    free(socket->data);
}

static void close_connection(struct connection *connection) {
    if (connection->client == NULL)
        return;
    client_close(connection->client);
    connection->client = NULL;
    uv_close((uv_handle_t *)&connection->socket, on_closed);
}

static void on_written(uv_write_t *write, int error);

/* Writes what the client is to be sent, a block at a time: the rest waits in the client's queue, which is bounded. */
static void flush(struct connection *connection) {
    if (connection->writing || connection->client == NULL)
        return;
    size_t size = client_next(connection->client, connection->block, sizeof connection->block);
    uv_buf_t data = uv_buf_init(connection->block, (unsigned)size);
    if (size == 0 && !client_ended(connection->client))
        return;
    connection->writing = size > 0 &&
                          uv_write(&connection->write, (uv_stream_t *)&connection->socket, &data, 1,
                                   on_written) == 0;
    if (!connection->writing)
        close_connection(connection);
}

static void on_written(uv_write_t *write, int error) {
    struct connection *connection = write->handle->data;
    connection->writing = false;
    if (error != 0)
        close_connection(connection);
    else
        flush(connection);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *to,
                       size_t count) {
    (void)user;
    for (size_t i = 0; i < count; i++) {
        struct client *client = to[i].session_user;
        struct connection *connection = client->connection;
        if (client_push(client, message) == 0)
            flush(connection);
        else
            close_connection(connection);
    }
}

static void on_buffer(uv_handle_t *socket, size_t size, uv_buf_t *buffer) {
    static char block[64 * 1024]; /* on_read has done with it when it returns */
    (void)socket, (void)size;
    *buffer = uv_buf_init(block, sizeof block);
}

static void on_read(uv_stream_t *socket, ssize_t size, const uv_buf_t *buffer) {
    struct connection *connection = socket->data;
    if (size < 0) {
        close_connection(connection);
    } else if (connection->client != NULL) {
        client_receive(connection->client, buffer->base, (size_t)size);
        flush(connection);
    }
}

static void on_connection(uv_stream_t *listener, int status) {
    struct connection *connection = status == 0 ? calloc(1, sizeof *connection) : NULL;
    if (connection == NULL)
        return;
    uv_tcp_init(listener->loop, &connection->socket);
    connection->socket.data = connection;
    connection->client = client_open(&server, connection);
    if (connection->client == NULL)
        uv_close((uv_handle_t *)&connection->socket, on_closed);
    else if (uv_accept(listener, (uv_stream_t *)&connection->socket) != 0 ||
             uv_read_start((uv_stream_t *)&connection->socket, on_buffer, on_read) != 0)
        close_connection(connection);
}

static void on_signal(uv_signal_t *signal, int number) {
    (void)number;
    uv_stop(signal->loop);
}

/* Serves until a signal. Returns the exit status. */
static int serve(uint16_t port) {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_signal_t interrupt, terminate;
    struct sockaddr_in address;
    uv_loop_init(&loop);
    uv_tcp_init(&loop, &listener);
    uv_signal_init(&loop, &interrupt);
    uv_signal_init(&loop, &terminate);
    uv_ip4_addr("0.0.0.0", port, &address);
    wsfan_libuv *adapter = wsfan_libuv_attach(&loop, server.loop);
    int error = adapter == NULL ? UV_ENOMEM : 0;
    if (error == 0)
        error = uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&listener, 128, on_connection);
    if (error == 0 && uv_signal_start(&interrupt, on_signal, SIGINT) == 0 &&
        uv_signal_start(&terminate, on_signal, SIGTERM) == 0)
        uv_run(&loop, UV_RUN_DEFAULT);
    while (server.clients != NULL)
        close_connection(server.clients->connection);
    wsfan_libuv_detach(adapter);
    uv_close((uv_handle_t *)&listener, NULL);
    uv_close((uv_handle_t *)&interrupt, NULL);
    uv_close((uv_handle_t *)&terminate, NULL);
    uv_run(&loop, UV_RUN_DEFAULT); /* the handles' memory is given back */
    uv_loop_close(&loop);
    return error != 0;
}

int main(int count, char **values) {
    const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_message = on_message };
    uint16_t port;
    int status = chat_open(&server.node, &port, count, values);
    if (status != 0)
        return status;
    if (wsfan_loop_open(&server.loop, server.node, &callbacks, NULL) != WSFAN_OK)
        return 1;
    chat_wait_ready(server.node, server.loop);
    status = serve(port);
    wsfan_loop_close(server.loop);
    wsfan_node_close(server.node);
    return status;
}
