/* A consumer that pauses. libzmq 4.3.4, and later versions, end the process with "Assertion failed:
 * _input_stopped" when a connecting SUB has a heartbeat and a high-water mark, that mark is reached,
 * and nobody reads until the heartbeat has broken the connection; then the next read aborts
 * (github.com/zeromq/libzmq/issues/3937). So the sockets of the library have neither.
 *
 * Here a socket of our own plays a peer: it sends many frames, then is silent, as it has to be for
 * the assertion. Of the node only the mesh thread is stopped meanwhile. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>
#include <zmq.h>

#include "hold.h"

enum {
    FRAMES = 5000, /* ZeroMQ's default mark is 1000 at each end */
    INBOX_SIZE = 12,
    PAUSE_S = 6,
    STEP_MS = 10,
    DEADLINE_MS = 20000
};

/* Ends when all frames were read: they are no valid ones, and counted as that. */
static void run_node(const char *peer) {
    wsfan_options options;
    wsfan_node *node;
    wsfan_stats stats = { .struct_size = sizeof stats };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    wsfan_options_init(&options);
    options.endpoint = "tcp://127.0.0.1:*";
    options.peers = &peer;
    options.peers_count = 1;
    check(wsfan_node_open(&node, &options) == WSFAN_OK, "a node opens");
    while (stats.dropped[WSFAN_DROP_MALFORMED] < FRAMES) {
        check(wsfan_node_get_stats(node, &stats) == WSFAN_OK, "it tells what it counts");
        sleep_ms(STEP_MS);
    }
    check(wsfan_node_close(node) == WSFAN_OK, "it closes");
    _exit(EXIT_SUCCESS);
}

/* The inbox that the node subscribes to. */
static void read_inbox(void *publisher, uint8_t inbox[INBOX_SIZE]) {
    uint8_t topic[256];
    int size;
    do {
        size = zmq_recv(publisher, topic, sizeof topic, 0);
        check(size > 0, "the node subscribes");
    } while (size != 1 + INBOX_SIZE || topic[0] != 1 || memcmp(topic + 1, "WSFN", 4) != 0);
    memcpy(inbox, topic + 1, INBOX_SIZE);
}

static void send_frames(void *publisher, const uint8_t inbox[INBOX_SIZE]) {
    uint8_t frame[100] = { 0 };
    memcpy(frame, inbox, INBOX_SIZE);
    for (unsigned i = 0; i < FRAMES; i++)
        check(zmq_send(publisher, frame, sizeof frame, 0) == sizeof frame, "a frame is sent");
}

int main(void) {
    char endpoint[64];
    size_t endpoint_size = sizeof endpoint;
    uint8_t inbox[INBOX_SIZE];
    int unlimited = 0;
    int deadline_ms = DEADLINE_MS;
    void *context = zmq_ctx_new();
    void *publisher = zmq_socket(context, ZMQ_XPUB);
    check(publisher != NULL &&
              zmq_setsockopt(publisher, ZMQ_SNDHWM, &unlimited, sizeof unlimited) == 0 &&
              zmq_setsockopt(publisher, ZMQ_RCVTIMEO, &deadline_ms, sizeof deadline_ms) == 0 &&
              zmq_bind(publisher, "tcp://127.0.0.1:*") == 0 &&
              zmq_getsockopt(publisher, ZMQ_LAST_ENDPOINT, endpoint, &endpoint_size) == 0,
          "a socket listens");
    pid_t node = fork();
    if (node == 0)
        run_node(endpoint);
    read_inbox(publisher, inbox);
    pid_t thread = 0;
    for (unsigned ms = 0; thread == 0 && ms < DEADLINE_MS; ms += STEP_MS) {
        sleep_ms(STEP_MS);
        thread = mesh_thread(node);
    }
    check(thread != 0, "it has a mesh thread");
    hold(thread);
    send_frames(publisher, inbox);
    sleep_ms(PAUSE_S * 1000);
    let_go(thread);
    int status = 0;
    pid_t ended = 0;
    for (unsigned ms = 0; ended == 0 && ms < DEADLINE_MS; ms += STEP_MS) {
        ended = waitpid(node, &status, WNOHANG);
        sleep_ms(STEP_MS);
    }
    if (WIFSIGNALED(status))
        fprintf(stderr, "the node was ended by signal %d\n", WTERMSIG(status));
    check(ended == node && status == 0, "the node reads on and ends well");
    printf("a consumer paused for %d s with %d frames waiting, and went on\n", PAUSE_S, FRAMES);
    return EXIT_SUCCESS;
}
