/* Another program in the mesh: publishes into a chat what it is told, as it is told.
 *   wsfan-publish PEER CHAT
 * It says "ready" when the peer knows it, reads lines "text HEX" or "binary HEX", and answers each with "OK"
 * or an error. It ends with its input. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/peers.h>
#include <wsfan/wsfan.h>

enum { LINE_BYTES = 65536, STEP_MS = 10 };

static bool up;
static bool done;

static void fail(int error, const char *what) {
    fprintf(stderr, "%s: %s\n", what, wsfan_error_text(error));
    exit(EXIT_FAILURE);
}

static void on_peer(void *user, const wsfan_peer *peer) {
    (void)user;
    up = up || peer->event == WSFAN_PEER_UP;
}

static void on_result(void *user, const wsfan_result *result) {
    (void)user;
    puts(result->status == WSFAN_OK ? "OK" : wsfan_error_text(result->status));
    fflush(stdout);
    done = true;
}

static void dispatch_until(wsfan_loop *loop, const bool *condition) {
    while (!*condition) {
        struct pollfd item = { wsfan_loop_fd(loop), POLLIN, 0 };
        poll(&item, 1, STEP_MS);
        int error = wsfan_loop_dispatch(loop, 0);
        if (error < 0)
            fail(error, "dispatch");
    }
}

static size_t read_hex(const char *hex, unsigned char *bytes) {
    size_t size = 0;
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        bytes[size++] = (unsigned char)byte;
    return size;
}

int main(int count, char **values) {
    static char line[LINE_BYTES];
    static unsigned char bytes[LINE_BYTES / 2];
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_peer = on_peer,
                                               .on_result = on_result };
    wsfan_options options;
    wsfan_node *node;
    wsfan_loop *loop = NULL;
    if (count != 3)
        return EXIT_FAILURE;
    wsfan_options_init(&options);
    options.endpoint = "tcp://127.0.0.1:*";
    options.peers = (const char *const *)&values[1];
    options.peers_count = 1;
    int error = wsfan_node_open(&node, &options);
    if (error == WSFAN_OK)
        error = wsfan_loop_open(&loop, node, &callbacks, NULL);
    if (error != WSFAN_OK)
        fail(error, "open");
    dispatch_until(loop, &up);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *space = strchr(line, ' ');
        wsfan_publish_options publish = { .struct_size = sizeof publish,
                                          .flags = line[0] == 'b' ? WSFAN_BINARY : 0,
                                          .result_loop = loop };
        wsfan_bytes payload = { bytes, read_hex(space + 1, bytes) };
        done = false;
        error = wsfan_broadcast(node, wsfan_string(values[2]), payload, &publish);
        if (error != WSFAN_OK)
            fail(error, "publish");
        dispatch_until(loop, &done);
    }
    wsfan_loop_close(loop);
    wsfan_node_close(node);
    return EXIT_SUCCESS;
}
