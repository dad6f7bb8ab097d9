/* A chat server on epoll and wslay: a thread for each core, each with a wsfan_loop of its own and a listener on the
 * same port, among which the kernel divides the connections. The threads share nothing but the node. */
#include "wslay_client.h"
#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS_MAX = 16 /* wsfan_options.loops_count_max */, EVENTS_MAX = 64 };

struct connection {
    int socket;
    struct client *client;
    bool waits_to_write;
    char block[16 * 1024]; /* from `at` on, yet to be written */
    size_t at, size;
};

struct thread {
    struct server server; /* the first member: of a client->server the thread is made */
    pthread_t id;
    int epoll, listener;
};

static int stop_fd; /* an eventfd, readable for ever when the threads are to end */

static int watch(int epoll, int operation, int fd, uint32_t events, void *data) {
    struct epoll_event event = { .events = events, .data.ptr = data };
    return epoll_ctl(epoll, operation, fd, &event);
}

static void close_connection(struct connection *connection) {
    client_close(connection->client);
    close(connection->socket); /* and out of epoll */
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

/* Writes, and lets epoll tell when the rest can be: that waits in the client's queue, which is bounded. */
static void flush(struct connection *connection) {
    const struct thread *thread = (const struct thread *)connection->client->server;
    int error = write_all(connection);
    bool waits = connection->at < connection->size;
    if (error == 0 && waits != connection->waits_to_write) {
        connection->waits_to_write = waits;
        error = watch(thread->epoll, EPOLL_CTL_MOD, connection->socket,
                      EPOLLIN | (waits ? EPOLLOUT : 0), connection);
    }
    if (error != 0)
        close_connection(connection);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *to,
                       size_t count) {
    (void)user;
    for (size_t i = 0; i < count; i++) {
        struct client *client = to[i].session_user;
        if (client_push(client, message) == 0)
            flush(client->connection);
        else
            close_connection(client->connection);
    }
}

static void read_some(struct connection *connection) {
    char block[16 * 1024];
    ssize_t size = recv(connection->socket, block, sizeof block, MSG_DONTWAIT);
    if (size > 0)
        client_receive(connection->client, block, (size_t)size);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
        close_connection(connection);
    else
        flush(connection);
}

static void accept_one(struct thread *thread) {
    int socket = accept4(thread->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *connection = socket >= 0 ? calloc(1, sizeof *connection) : NULL;
    if (connection != NULL)
        connection->client = client_open(&thread->server, connection);
    if (connection == NULL || connection->client == NULL) {
        free(connection);
        if (socket >= 0)
            close(socket);
        return;
    }
    connection->socket = socket;
    if (watch(thread->epoll, EPOLL_CTL_ADD, socket, EPOLLIN, connection) != 0)
        close_connection(connection);
}

/* A thread's; an event tells of what its pointer points to. */
static void *serve(void *user) {
    struct thread *thread = user;
    struct epoll_event events[EVENTS_MAX];
    bool stopped = false;
    while (!stopped) {
        bool dispatches = false;
        int count = epoll_wait(thread->epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            void *what = events[i].data.ptr;
            if (what == &stop_fd)
                stopped = true;
            else if (what == &thread->listener)
                accept_one(thread);
            else if (what == &thread->server)
                dispatches = true;
            else
                read_some(what);
        }
        if (dispatches) /* last: it may close connections that there are events of */
            wsfan_loop_dispatch(thread->server.loop, 256);
    }
    close(thread->listener);
    while (thread->server.clients != NULL)
        close_connection(thread->server.clients->connection);
    close(thread->epoll);
    wsfan_loop_close(thread->server.loop);
    return NULL;
}

/* Returns 0, or -1. */
static int start(struct thread *thread, uint16_t port) {
    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    thread->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (setsockopt(thread->listener, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, sizeof(int)) != 0 ||
        setsockopt(thread->listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) != 0 ||
        bind(thread->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(thread->listener, 128) != 0 ||
        watch(thread->epoll, EPOLL_CTL_ADD, stop_fd, EPOLLIN, &stop_fd) != 0 ||
        watch(thread->epoll, EPOLL_CTL_ADD, thread->listener, EPOLLIN, &thread->listener) != 0 ||
        watch(thread->epoll, EPOLL_CTL_ADD, wsfan_loop_fd(thread->server.loop), EPOLLIN,
              &thread->server) != 0)
        return -1;
    return pthread_create(&thread->id, NULL, serve, thread) == 0 ? 0 : -1;
}

int main(int count, char **values) {
    static struct thread threads[THREADS_MAX];
    const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_message = on_message };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int threads_count = cores < 1 ? 1 : cores < THREADS_MAX ? (int)cores : THREADS_MAX;
    wsfan_node *node;
    uint16_t port;
    int status = chat_open(&node, &port, count, values);
    if (status != 0)
        return status;
    chat_block_signals();
    stop_fd = eventfd(0, EFD_CLOEXEC);
    for (int i = 0; i < threads_count; i++) {
        threads[i].server.node = node;
        if (wsfan_loop_open(&threads[i].server.loop, node, &callbacks, NULL) != WSFAN_OK)
            return 1;
    }
    chat_wait_ready(node, threads[0].server.loop);
    for (int i = 0; i < threads_count; i++)
        if (start(&threads[i], port) != 0)
            return 1;
    chat_wait_for_signal();
    eventfd_write(stop_fd, 1);
    for (int i = 0; i < threads_count; i++)
        pthread_join(threads[i].id, NULL);
    wsfan_node_close(node);
    return 0;
}
