/* main.c - starts and ends the program. */
#include "echo_chat.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>

/* Signals to end arrive as something readable, so that they are handled in the event loop. Blocked
 * before any thread exists, and so in all of them. */
static int open_signals(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void explain_key(const wsfan_options *options, int reason) {
    fprintf(stderr, " --cert %s", options->key_file);
    if (options->allow_path != NULL)
        fprintf(stderr, " --allow %s", options->allow_path);
    fprintf(stderr, ": %s; wsfan-keygen makes a key, %s and %s_secret\n",
            reason == 0 || reason == EINVAL ? "there is no valid key in it" : strerror(reason),
            options->key_file, options->key_file);
}

static int explain(int error, const struct options *options) {
    int reason = errno;
    bool bad_argument = error == WSFAN_EINVAL || error == WSFAN_ETOOBIG ||
                        error == WSFAN_EENDPOINT || error == WSFAN_EINSECURE;
    fprintf(stderr, "echo-chat: cannot open the node:");
    if (options->cluster.endpoint != NULL)
        fprintf(stderr, " --mesh %s", options->cluster.endpoint);
    if (options->cluster.advertise != NULL)
        fprintf(stderr, " --advertise %s", options->cluster.advertise);
    if (error == WSFAN_EINSECURE) {
        fprintf(stderr, ": without a key only loopback; give --cert, or --insecure\n");
        return 2;
    }
    if (error == WSFAN_EKEY) {
        explain_key(&options->cluster, reason);
        return 1;
    }
    for (size_t i = 0; i < options->cluster.peers_count; i++)
        fprintf(stderr, " --join %s", options->cluster.peers[i]);
    fprintf(stderr, ": %s", error == WSFAN_ESYSTEM ? strerror(reason) : wsfan_error_text(error));
    const char *field;
    if (wsfan_options_check(&options->cluster, &field) != WSFAN_OK)
        fprintf(stderr, " (%s)", field);
    fprintf(stderr, "%s\n", bad_argument || error == WSFAN_EADDR ? "; see --help" : "");
    return bad_argument ? 2 : 1;
}

static void announce(const struct server *server, const struct options *options) {
    const char *host = options->listen_host;
    const char *mesh = wsfan_node_endpoint(server->node);
    bool ipv6 = strchr(host, ':') != NULL;
    printf("ready: node %s, page http%s://%s%s%s:%d/, mesh %s\n", wsfan_node_name(server->node),
           options->tls_cert != NULL ? "s" : "", ipv6 ? "[" : "", host, ipv6 ? "]" : "",
           server->listener.port, *mesh != '\0' ? mesh : "none");
    fflush(stdout);
}

int main(int argc, char **argv) {
    struct options options;
    struct server server = { 0 };
    options_read(&options, argc, argv);
    int signals = open_signals();
    server_reserve(&server, &options);
    if (door_open(&server, &options.door) != 0 || server_open(&server, &options) != 0)
        return 1;
    server.drain_ms = options.drain_s * 1000;
    server.redirect = options.redirect;
    server.keys_reloadable = options.cluster.allow_path != NULL;
    int status = 1;
    int error = cluster_open(&server, &options.cluster);
    if (error != WSFAN_OK) {
        status = explain(error, &options);
    } else if (options.publish_token != NULL && publish_open(&server, options.publish_token) != 0) {
        status = 2;
    } else if (web_watch(server.vhost, signals, "signal") == NULL) {
        fprintf(stderr, "echo-chat: cannot watch for signals\n");
    } else {
        announce(&server, &options);
        peers_expect(&server, options.cluster.peers_count);
        server_run(&server);
        status = 0;
    }
    server_close(&server);
    cluster_close(&server);
    publish_close(&server);
    return status;
}
