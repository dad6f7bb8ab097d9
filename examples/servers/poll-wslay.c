/* A chat server on poll() and wslay: one thread, and no event-loop library. To copy where there is nothing yet, or where
 * the server has a poll() of its own: wsfan_loop_fd() is one descriptor more in it. */
#include "wslay_client.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Fewer clients than a process usually may have descriptors: 1024. */
enum { CLIENTS_MAX = 512, LISTENER = 0, LOOP = 1, FIRST_CLIENT = 2 };

struct connection {
    int socket;
    struct client *client;
    bool ended;            /* to be closed before the next poll() */
    char block[16 * 1024]; /* from `at` on, yet to be written */
    size_t at, size;
};

static struct server server;
static volatile sig_atomic_t stopped;

static void close_connection(struct connection *connection) {
    client_close(connection->client);
    close(connection->socket);
    free(connection);
}

/* Returns 0, or -1: the connection has an error, or has ended. */
static int write_all(struct connection *connection) {
    struct client *client = connection->client;
    for (;;) {
        if (connection->at == connection->size) {
            connection->at = 0;
            connection->size = client_next(client, connection->block, sizeof connection->block);
            if (connection->size == 0)
                return client_ended(client) ? -1 : 0;
        }
        ssize_t sent = send(connection->socket, connection->block + connection->at,
                            connection->size - connection->at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        connection->at += (size_t)sent;
    }
}

/* What the socket does not take waits in the client's queue, which is bounded, until poll() tells that it does. */
static void flush(struct connection *connection) {
    if (!connection->ended && write_all(connection) != 0)
        connection->ended = true;
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *to,
                       size_t count) {
    (void)user;
    for (size_t i = 0; i < count; i++) {
        struct client *client = to[i].session_user;
        struct connection *connection = client->connection;
        if (client_push(client, message) != 0)
            connection->ended = true;
        flush(connection);
    }
}

static void read_some(struct connection *connection) {
    char block[16 * 1024];
    ssize_t size = recv(connection->socket, block, sizeof block, MSG_DONTWAIT);
    if (size > 0)
        client_receive(connection->client, block, (size_t)size);
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        connection->ended = true;
}

static void accept_one(int listener) {
    int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct connection *connection = socket >= 0 ? calloc(1, sizeof *connection) : NULL;
    if (connection != NULL)
        connection->client = client_open(&server, connection);
    if (connection != NULL && connection->client != NULL) {
        connection->socket = socket;
        return;
    }
    free(connection);
    if (socket >= 0)
        close(socket);
}

/* Closes the connections that have ended, and fills in what to wait for. Returns how many descriptors. */
static nfds_t prepare(struct pollfd *items, int listener) {
    nfds_t count = FIRST_CLIENT;
    for (struct client *client = server.clients, *next; client != NULL; client = next) {
        struct connection *connection = client->connection;
        short writable = connection->at < connection->size ? POLLOUT : 0;
        next = client->next;
        if (connection->ended)
            close_connection(connection);
        else
            items[count++] = (struct pollfd){ connection->socket, POLLIN | writable, 0 };
    }
    short more = count < FIRST_CLIENT + CLIENTS_MAX ? POLLIN : 0;
    items[LISTENER] = (struct pollfd){ listener, more, 0 };
    items[LOOP] = (struct pollfd){ wsfan_loop_fd(server.loop), POLLIN, 0 };
    return count;
}

/* The clients come first, in the order of prepare(): the others change what the list has. */
static void handle(const struct pollfd *items, int listener) {
    const struct pollfd *item = items + FIRST_CLIENT;
    for (struct client *client = server.clients; client != NULL; client = client->next, item++) {
        if ((item->revents & ~POLLOUT) != 0)
            read_some(client->connection);
        if (item->revents != 0)
            flush(client->connection);
    }
    if (items[LOOP].revents != 0)
        wsfan_loop_dispatch(server.loop, 256);
    if (items[LISTENER].revents != 0)
        accept_one(listener);
}

static void stop(int number) {
    stopped = number;
}

/* Serves until a signal, which is blocked but in ppoll(). Returns the exit status. */
static int serve(uint16_t port) {
    static struct pollfd items[FIRST_CLIENT + CLIENTS_MAX];
    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sigset_t none;
    sigemptyset(&none);
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) != 0 ||
        bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 128) != 0)
        return 1;
    while (!stopped)
        if (ppoll(items, prepare(items, listener), NULL, &none) > 0)
            handle(items, listener);
    close(listener);
    while (server.clients != NULL)
        close_connection(server.clients->connection);
    return 0;
}

int main(int count, char **values) {
    const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_message = on_message };
    uint16_t port;
    int status = chat_open(&server.node, &port, count, values);
    if (status != 0)
        return status;
    chat_block_signals();
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    if (wsfan_loop_open(&server.loop, server.node, &callbacks, NULL) != WSFAN_OK)
        return 1;
    chat_wait_ready(server.node, server.loop);
    status = serve(port);
    wsfan_loop_close(server.loop);
    wsfan_node_close(server.node);
    return status;
}
