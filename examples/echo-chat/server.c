/* server.c - the threads: each has connections, a loop of libuv, and a loop of libwsfan that it watches. */
#include "echo_chat.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    OTHERS_COUNT = 24, /* standard streams, log, signal and library descriptors */
    THREAD_COUNT = 8,  /* of each thread: poll, event, pipe and listening descriptors */
    /* 63 peers with four each, 128 for tries of keys, as many for what ZeroMQ tells of them, 64 to probe
       addresses, 256 that strangers may hold at its port, and some of its own. */
    MESH_COUNT = 848,
    HTTP_COUNT = 1024, /* connections that are no clients (yet) */
    CLIENTS_COUNT_MAX = 1048576
};

void replica_reserve(struct replica *replica, struct options *options) {
    struct door_options *door = &options->door;
    unsigned asked = door->clients_max > 0 ? door->clients_max : CLIENTS_COUNT_MAX;
    unsigned clients = asked < CLIENTS_COUNT_MAX ? asked : CLIENTS_COUNT_MAX;
    unsigned others = OTHERS_COUNT + (options->threads - 1) * THREAD_COUNT +
                      (options->cluster.endpoint != NULL ? MESH_COUNT : 0);
    web_reserve_descriptors(&replica->descriptors, clients + HTTP_COUNT, others);
    unsigned share = replica->descriptors.connections_max;
    unsigned room = share - (share / 4 < HTTP_COUNT ? share / 4 : HTTP_COUNT);
    if (asked <= room)
        return;
    if (options->clients_asked && door->clients_max > 0)
        fprintf(stderr,
                "echo-chat: --clients %u: there are descriptors for %u; raise the hard limit "
                "(ulimit -Hn %u)\n",
                asked, room, clients + HTTP_COUNT + others);
    door->clients_max = room;
}

/* ---------------------------------------------------------------------------------------- open */

static void on_end(uv_async_t *end) {
    struct server *server = end->data;
    web_stop(server->web);
}

/* port: of the first thread, for the others. */
static const char *open_thread(struct server *server, const struct options *options, int port) {
    struct web_options web = { .host = options->listen_host,
                               .port = port,
                               .sharing = options->threads == 1                ? WEB_PORT_ALONE
                                          : server == server->replica->servers ? WEB_PORT_SHARED
                                                                               : WEB_PORT_JOINED,
                               .tls = server->replica->tls,
                               .descriptors = &server->replica->descriptors,
                               .message_bytes_max = TEXT_BYTES_MAX,
                               .queue_count_max = QUEUE_COUNT_MAX,
                               .queue_bytes_max = QUEUE_BYTES_MAX,
                               .handlers = &http_handlers,
                               .user = server };
    const char *problem = web_open(&server->web, &web);
    if (problem != NULL)
        return problem;
    uv_loop_t *loop = web_loop(server->web);
    uv_timer_t *timers[] = { &server->stop_deadline, &server->recount };
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        uv_timer_init(loop, timers[i]);
        timers[i]->data = server;
    }
    server->end.data = server;
    return uv_async_init(loop, &server->end, on_end) == 0 ? NULL : "out of memory";
}

int replica_open(struct replica *replica, const struct options *options) {
    if (options->tls_cert != NULL &&
        (replica->tls = web_tls_open(options->tls_cert, options->tls_key)) == NULL) {
        fprintf(stderr, "echo-chat: cannot use --tls-cert %s with --tls-key %s\n",
                options->tls_cert, options->tls_key);
        return -1;
    }
    replica->servers = calloc(options->threads, sizeof *replica->servers);
    const char *problem = replica->servers == NULL ? "out of memory" : NULL;
    int port = options->listen_port;
    while (problem == NULL && replica->servers_count < options->threads) {
        struct server *server = &replica->servers[replica->servers_count++];
        server->replica = replica;
        problem = open_thread(server, options, port);
        if (problem == NULL)
            port = web_port(server->web);
    }
    if (problem == NULL)
        return 0;
    fprintf(stderr, "echo-chat: cannot listen on %s port %d: %s\n", options->listen_host,
            options->listen_port, problem);
    return -1;
}

/* ----------------------------------------------------------------------------------------- run */

static void run(void *server) {
    web_run(((struct server *)server)->web);
}

void replica_run(struct replica *replica) {
    unsigned started = 1;
    while (started < replica->servers_count &&
           uv_thread_create(&replica->servers[started].thread, run, &replica->servers[started]) ==
               0)
        started++;
    if (started < replica->servers_count)
        fprintf(stderr, "echo-chat: only %u of the threads can be had\n", started);
    else
        run(replica->servers);
    for (unsigned i = 1; i < started; i++) {
        if (started < replica->servers_count)
            uv_async_send(&replica->servers[i].end);
        uv_thread_join(&replica->servers[i].thread);
    }
}

void replica_close(struct replica *replica) {
    for (unsigned i = 0; i < replica->servers_count; i++) {
        wait_give_up(&replica->servers[i]);
        web_close(replica->servers[i].web);
    }
    web_tls_close(replica->tls);
}
