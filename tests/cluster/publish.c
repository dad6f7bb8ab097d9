/* Another program in the mesh: publishes into a chat what it is told, as it is told.
 *   wsfan-publish PEER CHAT
 * It says "ready" when the peer knows it, reads lines "text HEX", "binary HEX" or "close HEX" (all sessions of the
 * chat, with that reason and 4000), and answers each with "OK" or an error. It ends with its input. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/peers.h>
#include <wsfan/requests.h>
#include <wsfan/wsfan.h>

enum { LINE_BYTES = 65536, STEP_MS = 10, CLOSE_CODE = 4000 };

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

static void tell(int status) {
    puts(status == WSFAN_OK ? "OK" : wsfan_error_text(status));
    fflush(stdout);
    done = true;
}

static void on_result(void *user, const wsfan_result *result) {
    (void)user;
    tell(result->status);
}

static void on_reply(void *user, const wsfan_reply *reply) {
    (void)user;
    tell(reply->status);
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

/* Of a line: "text", "binary" or "close". */
static int carry_out(wsfan_node *node, wsfan_loop *loop, const char *what, wsfan_bytes chat,
                     wsfan_bytes bytes) {
    wsfan_target target = { WSFAN_CHAT, chat };
    wsfan_request_options request = { .struct_size = sizeof request, .reply_loop = loop };
    wsfan_publish_options publish = { .struct_size = sizeof publish,
                                      .flags = what[0] == 'b' ? WSFAN_BINARY : 0,
                                      .result_loop = loop };
    return what[0] == 'c' ? wsfan_remote_close(node, &target, 1, CLOSE_CODE, bytes, &request)
                          : wsfan_broadcast(node, chat, bytes, &publish);
}

int main(int count, char **values) {
    static char line[LINE_BYTES];
    static unsigned char bytes[LINE_BYTES / 2];
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_peer = on_peer,
                                               .on_result = on_result,
                                               .on_reply = on_reply };
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
        wsfan_bytes payload = { bytes, read_hex(space + 1, bytes) };
        done = false;
        error = carry_out(node, loop, line, wsfan_string(values[2]), payload);
        if (error != WSFAN_OK)
            fail(error, "publish");
        dispatch_until(loop, &done);
    }
    wsfan_loop_close(loop);
    wsfan_node_close(node);
    return EXIT_SUCCESS;
}
