/* A node for the tests of `wsfan`, with any options:
 *   wsfan-node [OPTION=VALUE]... [CHAT:USER]...
 * OPTION: endpoint, advertise, peer, cluster, name, key_file, allow_path, peers_count, peers_count_max, insecure.
 * It says "ready ENDPOINT", has a session in each CHAT, closes sessions when it is asked to, and ends with its
 * input. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wsfan/wsfan.h>

static wsfan_loop *loop;

static void fail(int error, const char *what) {
    fprintf(stderr, "%s: %s\n", what, wsfan_error_text(error));
    exit(EXIT_FAILURE);
}

static void on_close(void *user, const wsfan_close *close) {
    (void)user;
    printf("closed %.*s\n", (int)close->reason.size, (const char *)close->reason.data);
    fflush(stdout);
    wsfan_session_close(loop, close->session);
}

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    wsfan_bytes payload = wsfan_message_payload(message);
    (void)user, (void)recipients, (void)count;
    printf("message %.*s\n", (int)payload.size, (const char *)payload.data);
    fflush(stdout);
}

static void on_peer(void *user, const wsfan_peer *peer) {
    (void)user;
    printf("peer %s %s\n", peer->name, wsfan_peer_event_text(peer->event));
    fflush(stdout);
}

static void set(wsfan_options *options, const char *name, const char *value) {
    static const char *peer;
    if (strcmp(name, "peer") == 0) {
        peer = value;
        options->peers = &peer;
        options->peers_count = 1;
    } else if (strcmp(name, "endpoint") == 0) {
        options->endpoint = value;
    } else if (strcmp(name, "advertise") == 0) {
        options->advertise = value;
    } else if (strcmp(name, "cluster") == 0) {
        options->cluster = value;
    } else if (strcmp(name, "name") == 0) {
        options->name = value;
    } else if (strcmp(name, "key_file") == 0) {
        options->key_file = value;
    } else if (strcmp(name, "allow_path") == 0) {
        options->allow_path = value;
    } else if (strcmp(name, "peers_count") == 0) {
        options->peers_count = strtoul(value, NULL, 10);
    } else if (strcmp(name, "peers_count_max") == 0) {
        options->peers_count_max = (uint32_t)strtoul(value, NULL, 10);
    } else if (strcmp(name, "insecure") == 0) {
        options->allow_insecure = 1;
    } else {
        fail(WSFAN_EINVAL, name);
    }
}

static void open_session(const char *chat, const char *user) {
    wsfan_session session;
    int error = wsfan_session_open(&session, loop, wsfan_string(user), NULL);
    if (error == WSFAN_OK)
        error = wsfan_session_join(loop, session, wsfan_string(chat));
    if (error != WSFAN_OK)
        fail(error, chat);
}

int main(int count, char **values) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_peer = on_peer,
                                               .on_close = on_close };
    wsfan_options options;
    wsfan_node *node;
    wsfan_options_init(&options);
    options.endpoint = "tcp://127.0.0.1:*";
    for (int i = 1; i < count; i++) {
        char *equals = strchr(values[i], '=');
        if (equals == NULL)
            continue;
        *equals = '\0';
        set(&options, values[i], equals + 1);
        values[i] = NULL;
    }
    int error = wsfan_node_open(&node, &options);
    if (error == WSFAN_OK)
        error = wsfan_loop_open(&loop, node, &callbacks, NULL);
    if (error != WSFAN_OK)
        fail(error, "open");
    for (int i = 1; i < count; i++) {
        char *colon = values[i] != NULL ? strchr(values[i], ':') : NULL;
        if (colon == NULL)
            continue;
        *colon = '\0';
        open_session(values[i], colon + 1);
    }
    printf("ready %s\n", wsfan_node_endpoint(node));
    fflush(stdout);
    for (;;) {
        char ignored;
        struct pollfd items[] = { { wsfan_loop_fd(loop), POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
        poll(items, 2, -1);
        if (items[1].revents != 0 && read(STDIN_FILENO, &ignored, 1) <= 0)
            break;
        wsfan_loop_dispatch(loop, 0);
    }
    wsfan_loop_close(loop);
    return wsfan_node_close(node) == WSFAN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
