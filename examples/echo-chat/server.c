/* server.c - libwebsockets on one thread: connections, and foreign descriptors: the listening socket,
 * libwsfan's loop, and the one for signals. */
#include "echo_chat.h"

#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    RECEIVE_BYTES = 4096,    /* of a message at a time; client.c puts the pieces together */
    SEND_BYTES = 128 * 1024, /* at least one frame, or libwebsockets copies what is beyond it */
    PING_S = 20,             /* without any traffic, so that no balancer thinks a client idle */
    HANG_UP_S = 30,
    OTHERS_COUNT = 24, /* standard streams, log, poll, event, signal and library descriptors */
    /* 63 peers with four each, 128 for tries of keys, 256 that strangers may hold at its port, and some
       of its own. */
    MESH_COUNT = 656,
    HTTP_COUNT = 1024, /* connections that are no clients (yet) */
    CLIENTS_COUNT_MAX = 1048576
};

static struct server *server_of(struct lws *wsi) {
    return lws_context_user(lws_get_context(wsi));
}

static int on_connection(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                         size_t size) {
    struct client *client = user;
    switch (reason) {
    case LWS_CALLBACK_WSI_CREATE:
        server_of(wsi)->listener.connections_count++;
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        server_of(wsi)->listener.connections_count--;
        return 0;
    case LWS_CALLBACK_HTTP:
        return http_request(server_of(wsi), wsi);
    case LWS_CALLBACK_HTTP_BODY:
        return publish_body(server_of(wsi), wsi, in, size);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return publish_complete(server_of(wsi), wsi);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return publish_writable(server_of(wsi), wsi) != 0 ? -1 : who_writable(wsi);
    case LWS_CALLBACK_CLOSED_HTTP:
        publish_hung_up(server_of(wsi), wsi);
        who_closed(wsi);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return http_upgrade(server_of(wsi), wsi, in);
    case LWS_CALLBACK_ESTABLISHED:
        client_open(client, server_of(wsi), wsi);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return client_receive(client, in, size);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return client_writable(client);
    case LWS_CALLBACK_CLOSED:
        client_closed(client);
        return 0;
    default:
        return 0;
    }
}

/* The protocols of descriptors. To libwebsockets they are WebSocket protocols too, which a client
 * may ask for: not here. */
static int on_descriptor(enum lws_callback_reasons reason) {
    return reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION ? -1 : 0;
}

static int on_listener(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                       size_t size) {
    (void)user, (void)in, (void)size;
    if (reason == LWS_CALLBACK_RAW_RX_FILE)
        web_accept(&server_of(wsi)->listener);
    return on_descriptor(reason);
}

static int on_cluster(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                      size_t size) {
    (void)user, (void)in, (void)size;
    if (reason == LWS_CALLBACK_RAW_RX_FILE)
        cluster_readable(server_of(wsi));
    return on_descriptor(reason);
}

/* ------------------------------------------------------------------------------------ the end */

static int on_signal(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                     size_t size) {
    (void)user, (void)in, (void)size;
    struct signalfd_siginfo signal;
    if (reason == LWS_CALLBACK_RAW_RX_FILE &&
        read(lws_get_socket_fd(wsi), &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo == SIGHUP)
            cluster_reload_keys(server_of(wsi));
        else
            drain_begin(server_of(wsi));
    }
    return on_descriptor(reason);
}

/* ------------------------------------------------------------------------------ open and run */

static const struct lws_protocols protocols[] = {
    { "echo-chat", on_connection, sizeof(struct client), RECEIVE_BYTES, 0, NULL, SEND_BYTES },
    { "listener", on_listener, 0, 0, 0, NULL, 0 },
    { "wsfan", on_cluster, 0, 0, 0, NULL, 0 },
    { "signal", on_signal, 0, 0, 0, NULL, 0 },
    { NULL, NULL, 0, 0, 0, NULL, 0 },
};

void server_reserve(struct server *server, struct options *options) {
    struct door_options *door = &options->door;
    unsigned asked = door->clients_max > 0 ? door->clients_max : CLIENTS_COUNT_MAX;
    unsigned clients = asked < CLIENTS_COUNT_MAX ? asked : CLIENTS_COUNT_MAX;
    unsigned mesh = options->cluster.endpoint != NULL ? MESH_COUNT : 0;
    unsigned share = web_reserve_descriptors(clients + HTTP_COUNT, mesh + OTHERS_COUNT);
    if (share == 0)
        return;
    server->listener.connections_max = share;
    unsigned room = share - (share / 4 < HTTP_COUNT ? share / 4 : HTTP_COUNT);
    if (asked <= room)
        return;
    if (options->clients_asked && door->clients_max > 0)
        fprintf(stderr,
                "echo-chat: --clients %u: there are descriptors for %u; raise the hard limit "
                "(ulimit -Hn %u)\n",
                asked, room, clients + HTTP_COUNT + mesh + OTHERS_COUNT);
    door->clients_max = room;
}

int server_open(struct server *server, const struct options *options) {
    static const lws_retry_bo_t idle = { .secs_since_valid_ping = PING_S,
                                         .secs_since_valid_hangup = HANG_UP_S };
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        /* A WebSocket over HTTP/2 would come in by no callback that asks the door. */
        .alpn = "http/1.1",
        .retry_and_idle_policy = &idle,
        .server_string = "echo-chat",
        .user = server,
    };
    if (options->tls_cert != NULL) {
        info.ssl_cert_filepath = options->tls_cert;
        info.ssl_private_key_filepath = options->tls_key;
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    }
    /* libwebsockets logs what clients do wrong as its own errors; /stats counts that instead. */
    lws_set_log_level(0, NULL);
    server->context = lws_create_context(&info);
    if (server->context == NULL) {
        fprintf(stderr, "echo-chat: cannot start libwebsockets\n");
        return -1;
    }
    server->vhost = lws_create_vhost(server->context, &info);
    const char *problem = NULL;
    if (server->vhost == NULL)
        fprintf(stderr, "echo-chat: cannot use --tls-cert %s with --tls-key %s\n",
                options->tls_cert, options->tls_key);
    else if ((problem = web_listen(&server->listener, server->vhost, "listener",
                                   options->listen_host, options->listen_port)) != NULL)
        fprintf(stderr, "echo-chat: cannot listen on %s port %d: %s\n", options->listen_host,
                options->listen_port, problem);
    else
        return 0;
    lws_context_destroy(server->context);
    return -1;
}

void server_run(struct server *server) {
    while (!drain_over(server) && lws_service(server->context, 0) >= 0)
        continue;
    lws_sul_cancel(&server->listener.again);
    lws_sul_cancel(&server->stop_deadline);
    lws_sul_cancel(&server->meet_deadline);
    lws_sul_cancel(&server->recount);
}

void server_close(struct server *server) {
    lws_context_destroy(server->context);
}
