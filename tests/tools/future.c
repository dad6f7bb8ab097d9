/* A node of a version to come, for the tests of `wsfan doctor`: it refuses whoever introduces itself. It says
 * "ready ENDPOINT", and ends with its input. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wsfan/peers.h>
#include <zmq.h>

#include "wire/encode.h"

enum { VERSION = 9, ITSELF = 0x42 };

static void refuse(void *socket, uint64_t node) {
    uint8_t bytes[WSF_FRAME_HEAD_BOUND + WSF_ENTRY_BOUND];
    wsf_writer writer = { bytes, sizeof bytes, 0 };
    wsf_frame_head head = { .version = VERSION, .sender = ITSELF };
    wsf_write_head(&writer, node, &head);
    wsf_write_number(&writer, WSF_REFUSE, WSFAN_REASON_VERSION);
    wsf_seal(&writer);
    zmq_send(socket, bytes, writer.size, 0);
}

int main(void) {
    char endpoint[64];
    size_t size = sizeof endpoint;
    uint8_t topic[256];
    wsf_introduction introduction;
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_XPUB);
    if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
        return EXIT_FAILURE;
    printf("ready %s\n", endpoint);
    fflush(stdout);
    zmq_pollitem_t items[] = { { socket, 0, ZMQ_POLLIN, 0 },
                               { NULL, STDIN_FILENO, ZMQ_POLLIN, 0 } };
    while (zmq_poll(items, 2, -1) >= 0 && items[1].revents == 0) {
        int received = zmq_recv(socket, topic, sizeof topic, 0);
        if (received > 1 && received <= (int)sizeof topic && topic[0] == 1 &&
            wsf_read_topic(topic + 1, (size_t)received - 1, &introduction) != WSF_TOPIC_OTHER)
            refuse(socket, introduction.node); /* at its inbox it comes through */
    }
    int none = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_close(socket);
    zmq_ctx_term(context);
    return EXIT_SUCCESS;
}
