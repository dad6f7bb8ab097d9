/* A chat server on libevent's bufferevents and wslay: one thread. libevent 2.1 has no WebSocket of its own. */
#include "wslay_client.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <wsfan/adapters/libevent.h>

enum { BLOCK_BYTES = 16 * 1024 };

static struct server server;

static void close_client(struct client *client) {
    bufferevent_free(client->connection);
    client_close(client);
}

/* Hands libevent what the client is to be sent, as long as little waits: the rest waits in the client's queue, which
 * is bounded. Frees the client that has ended. */
static void flush(struct client *client) {
    struct evbuffer *output = bufferevent_get_output(client->connection);
    char block[BLOCK_BYTES];
    size_t size;
    while (evbuffer_get_length(output) < sizeof block &&
           (size = client_next(client, block, sizeof block)) > 0)
        bufferevent_write(client->connection, block, size);
    if (client_ended(client) && evbuffer_get_length(output) == 0)
        close_client(client);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *to,
                       size_t count) {
    (void)user;
    for (size_t i = 0; i < count; i++) {
        struct client *client = to[i].session_user;
        if (client_push(client, message) == 0)
            flush(client);
        else
            close_client(client);
    }
}

static void on_readable(struct bufferevent *connection, void *user) {
    struct client *client = user;
    char block[BLOCK_BYTES];
    size_t size;
    while ((size = bufferevent_read(connection, block, sizeof block)) > 0)
        client_receive(client, block, size);
    flush(client);
}

static void on_written(struct bufferevent *connection, void *user) {
    (void)connection;
    flush(user);
}

static void on_end(struct bufferevent *connection, short events, void *user) {
    (void)connection, (void)events;
    close_client(user);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t socket,
                          struct sockaddr *from, int from_size, void *user) {
    struct bufferevent *connection = bufferevent_socket_new(evconnlistener_get_base(listener),
                                                            socket, BEV_OPT_CLOSE_ON_FREE);
    struct client *client = connection != NULL ? client_open(&server, connection) : NULL;
    (void)from, (void)from_size, (void)user;
    if (client != NULL) {
        bufferevent_setcb(connection, on_readable, on_written, on_end, client);
        bufferevent_enable(connection, EV_READ | EV_WRITE);
    } else if (connection != NULL) {
        bufferevent_free(connection);
    } else {
        evutil_closesocket(socket);
    }
}

static void on_signal(evutil_socket_t number, short events, void *base) {
    (void)number, (void)events;
    event_base_loopbreak(base);
}

/* Serves until a signal. Returns the exit status. */
static int serve(uint16_t port) {
    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct event_base *base = event_base_new();
    struct event *interrupt = evsignal_new(base, SIGINT, on_signal, base);
    struct event *terminate = evsignal_new(base, SIGTERM, on_signal, base);
    wsfan_libevent *adapter = wsfan_libevent_attach(base, server.loop);
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, on_connection, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 128,
        (const struct sockaddr *)&address, sizeof address);
    int status = 1;
    if (adapter != NULL && listener != NULL && evsignal_add(interrupt, NULL) == 0 &&
        evsignal_add(terminate, NULL) == 0)
        status = event_base_dispatch(base) < 0;
    if (listener != NULL)
        evconnlistener_free(listener);
    while (server.clients != NULL)
        close_client(server.clients);
    wsfan_libevent_detach(adapter);
    event_free(terminate);
    event_free(interrupt);
    event_base_free(base);
    return status;
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
