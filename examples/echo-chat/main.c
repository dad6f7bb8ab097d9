/* main.c - starts and ends the program. */
#include "echo_chat.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY_KEY_BYTES_MIN = 16, HISTORY_KEY_BYTES_MAX = 64 };

static void on_signal(uv_signal_t *signal, int number) {
    struct replica *replica = signal->data;
    if (number == SIGHUP)
        cluster_reload_keys(replica);
    else
        drain_begin(replica);
}

/* On the first thread. */
static void watch_signals(struct replica *replica, uv_signal_t signals[3]) {
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uv_signal_init(web_loop(replica->servers[0].web), &signals[i]);
        signals[i].data = replica;
        uv_signal_start(&signals[i], on_signal, numbers[i]);
    }
}

static void explain_key(const wsfan_options *options, int reason) {
    fprintf(stderr, " --cert %s", options->key_file);
    if (options->allow_path != NULL)
        fprintf(stderr, " --allow %s", options->allow_path);
    fprintf(stderr, ": %s; wsfan-keygen makes a key, %s and %s_secret\n",
            reason == 0 || reason == EINVAL ? "there is no valid key in it" : strerror(reason),
            options->key_file, options->key_file);
}

/* Of a mesh over NATS. */
static int explain_nats(int error, const struct replica *replica) {
    const char *text = nats_error(replica);
    fprintf(stderr, "echo-chat: cannot open the node: --nats: %s%s%s\n", wsfan_error_text(error),
            *text != '\0' ? ": " : "", text);
    return 1;
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

static void announce(const struct replica *replica, const struct options *options) {
    const char *host = options->listen_host;
    const char *mesh = wsfan_node_endpoint(replica->node);
    bool ipv6 = strchr(host, ':') != NULL;
    printf("ready: node %s, page http%s://%s%s%s:%d/, mesh %s\n", wsfan_node_name(replica->node),
           options->tls_cert != NULL ? "s" : "", ipv6 ? "[" : "", host, ipv6 ? "]" : "",
           web_port(replica->servers[0].web), *mesh != '\0' ? mesh : "none");
    fflush(stdout);
}

static int read_history_key(struct options *options) {
    struct token *key = &options->history_key;
    const char *file = options->history_key_file;
    if (file == NULL)
        return 0;
    if (token_read(key, "--history-key", file) != 0)
        return -1;
    options->cluster.history_key = key->text;
    if (key->size >= HISTORY_KEY_BYTES_MIN && key->size <= HISTORY_KEY_BYTES_MAX)
        return 0;
    fprintf(stderr, "echo-chat: --history-key %s: its first line must be of %d to %d bytes\n", file,
            HISTORY_KEY_BYTES_MIN, HISTORY_KEY_BYTES_MAX);
    return -1;
}

int main(int argc, char **argv) {
    struct options options;
    static struct replica replica;
    uv_signal_t signals[3];
    options_read(&options, argc, argv);
    replica_reserve(&replica, &options);
    replica.drain_ms = options.drain_s * 1000;
    replica.redirect = options.redirect;
    replica.history = options.cluster.history_ms > 0;
    replica.log = options.log;
    replica.keys_reloadable = options.cluster.allow_path != NULL;
    if (read_history_key(&options) != 0 || door_open(&replica.door, &options.door) != 0 ||
        nats_open(&replica, &options) != 0 || replica_open(&replica, &options) != 0)
        return 1;
    watch_signals(&replica, signals);
    int status = 1;
    int error = cluster_open(&replica, &options.cluster);
    if (error != WSFAN_OK) {
        status = options.nats.urls != NULL ? explain_nats(error, &replica)
                                           : explain(error, &options);
    } else if (options.publish_token != NULL &&
               publish_open(&replica, options.publish_token) != 0) {
        status = 2;
    } else {
        announce(&replica, &options);
        replica_run(&replica);
        status = 0;
    }
    replica_close(&replica);
    cluster_close(&replica);
    nats_close(&replica);
    publish_close(&replica);
    free(replica.servers);
    return status;
}
