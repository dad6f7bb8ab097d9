/* chat.h - what the servers of this folder have in common, whatever their event loop and WebSocket library: the
 * command line, and the queue of what a client has yet to be sent. README.md says what a client may expect.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef CHAT_H
#define CHAT_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <wsfan/adapters/poll.h>
#include <wsfan/outbound.h>
#include <wsfan/wsfan.h>

enum { CHAT_MESSAGE_BYTES_MAX = 8192, CHAT_NAME_SIZE = 64 /* of "/CHAT", with its NUL */ };

/* Opens the node that the command line asks for: PORT MESH-ENDPOINT [PEER...]. Returns 0, or the exit status of
 * the program after a message on stderr. */
static inline int chat_open(wsfan_node **node, uint16_t *port, int count, char **values) {
    char *rest = NULL;
    long number = count < 3 ? 0 : strtol(values[1], &rest, 10);
    wsfan_options options;
    if (number < 1 || number > UINT16_MAX || *rest != '\0') {
        fprintf(stderr, "usage: %s PORT MESH-ENDPOINT [PEER...]\n", values[0]);
        return 2;
    }
    *port = (uint16_t)number;
    signal(SIGPIPE, SIG_IGN); /* of a client that has gone */
    wsfan_options_init(&options);
    options.endpoint = values[2];
    options.peers = (const char *const *)(values + 3);
    options.peers_count = (size_t)count - 3;
    int error = wsfan_node_open(node, &options);
    if (error == WSFAN_OK)
        return 0;
    fprintf(stderr, "%s: %s\n", values[0], wsfan_error_text(error));
    return 1;
}

static inline sigset_t chat_signals(void) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    return ends;
}

/* Whether a signal to end waits, where they are blocked. */
static inline int chat_must_end(void) {
    sigset_t waiting;
    return sigpending(&waiting) == 0 &&
           (sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1);
}

/* Waits, before the server listens, until the node has met the peers that it was told of, or has waited long enough, and is not
 * refused: a client that comes sooner may miss what is said on other replicas. */
static inline void chat_wait_ready(wsfan_node *node, wsfan_loop *loop) {
    while (wsfan_node_ready(node) <= 0 && !chat_must_end())
        (void)wsfan_poll_dispatch(loop, 50);
}

/* In the main thread, before it starts others, which inherit that: the signals to end wait until it asks for them. */
static inline void chat_block_signals(void) {
    sigset_t ends = chat_signals();
    sigprocmask(SIG_BLOCK, &ends, NULL);
}

static inline void chat_wait_for_signal(void) {
    sigset_t ends = chat_signals();
    int number;
    sigwait(&ends, &number);
}

static inline void chat_release(void *message) {
    wsfan_message_unref((wsfan_message *)message);
}

/* Opens a client's queue: 1024 messages, 1 MiB. */
static inline int chat_queue_open(wsfan_outbound **queue) {
    wsfan_outbound_options options;
    wsfan_outbound_options_init(&options);
    options.release = chat_release;
    return wsfan_outbound_open(queue, &options);
}

/* Queues a message. Returns 0, or -1: the client does not read, and is to be closed, lest the others wait for it. */
static inline int chat_queue_push(wsfan_outbound *queue, wsfan_message *message) {
    size_t size = wsfan_message_payload(message).size;
    if (wsfan_outbound_push(queue, wsfan_message_ref(message), size, 0) == WSFAN_OK)
        return 0;
    wsfan_message_unref(message);
    return -1;
}

/* Says something in a chat, on every replica. */
static inline int chat_say(wsfan_node *node, const char *chat, const void *data, size_t size,
                           int binary) {
    wsfan_publish_options options = { sizeof options, binary ? WSFAN_BINARY : 0,
                                      { 0, 0 },       NULL,
                                      NULL,           { NULL, 0 } };
    wsfan_bytes payload = { data, size };
    return wsfan_broadcast(node, wsfan_string(chat), payload, &options);
}

#endif
