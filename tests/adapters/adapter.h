/* What is asked of every adapter. Each program defines the event loop: C99 and C++11 alike. */
#ifndef ADAPTER_H
#define ADAPTER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wsfan/wsfan.h>

/* Of the program: NULL means that it could not be attached. */
static void *attach(wsfan_loop *loop);
static void detach(void *adapter);
static void run_once(void); /* waits until something was to be done */

enum { COUNT = 3000, DEADLINE_S = 60 };

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define RUN_UNTIL(condition)                                                                       \
    while (!(condition))                                                                           \
    run_once()

typedef struct {
    wsfan_node *node;
    wsfan_loop *loop;
    void *adapter;
    unsigned messages;
    unsigned detach_at; /* in the callback of so many messages; 0: never */
    int joined;
    int results;
} replica;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    replica *r = (replica *)user;
    wsfan_bytes payload = wsfan_message_payload(message);
    unsigned number = 0;
    (void)recipients;
    MUST(count == 1 && payload.size == sizeof number);
    memcpy(&number, payload.data, sizeof number);
    MUST(number == r->messages);
    r->messages++;
    if (r->messages == r->detach_at) {
        detach(r->adapter);
        r->adapter = NULL;
    }
}

static void on_joined(void *user, const wsfan_joined *joined) {
    MUST(joined->status == WSFAN_OK);
    ((replica *)user)->joined = 1;
}

static void on_result(void *user, const wsfan_result *result) {
    MUST(result->status == WSFAN_OK);
    ((replica *)user)->results++;
}

static void open_replica(replica *r, const char *const *peers, size_t peers_count) {
    wsfan_options options;
    wsfan_callbacks callbacks;
    memset(r, 0, sizeof *r);
    memset(&callbacks, 0, sizeof callbacks);
    callbacks.struct_size = sizeof callbacks;
    callbacks.on_message = on_message;
    callbacks.on_joined = on_joined;
    callbacks.on_result = on_result;
    wsfan_options_init(&options);
    options.endpoint = "tcp://127.0.0.1:*";
    options.peers = peers;
    options.peers_count = peers_count;
    MUST(wsfan_node_open(&r->node, &options) == WSFAN_OK);
    MUST(wsfan_loop_open(&r->loop, r->node, &callbacks, r) == WSFAN_OK);
    r->adapter = attach(r->loop);
    MUST(r->adapter != NULL);
}

static void publish(replica *from, unsigned number, int asks) {
    wsfan_publish_options options;
    wsfan_bytes payload;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.result_loop = asks ? from->loop : NULL;
    payload.data = &number;
    payload.size = sizeof number;
    MUST(wsfan_broadcast(from->node, wsfan_string("chat"), payload, &options) == WSFAN_OK);
}

static void close_replica(replica *r) {
    detach(r->adapter);
    MUST(wsfan_loop_close(r->loop) == WSFAN_OK);
    MUST(wsfan_node_close(r->node) == WSFAN_OK);
}

/* Two nodes in one event loop: messages come in order, more of them than one dispatch handles; a loop that is
 * detached in its own callback is not dispatched, and is when it is attached again. */
static void check_adapter(void) {
    replica sender;
    replica receiver;
    wsfan_session session;
    const char *peers[1];
    unsigned i;
    alarm(DEADLINE_S);
    open_replica(&sender, NULL, 0);
    peers[0] = wsfan_node_endpoint(sender.node);
    open_replica(&receiver, peers, 1);
    RUN_UNTIL(wsfan_node_ready(sender.node) == 1 && wsfan_node_ready(receiver.node) == 1);
    MUST(wsfan_session_open(&session, receiver.loop, wsfan_string("u"), NULL) == WSFAN_OK);
    MUST(wsfan_session_join(receiver.loop, session, wsfan_string("chat")) == WSFAN_OK);
    RUN_UNTIL(receiver.joined);
    for (i = 0; i < COUNT; i++)
        publish(&sender, i, 0);
    receiver.detach_at = COUNT;
    RUN_UNTIL(receiver.messages == COUNT);
    MUST(receiver.adapter == NULL);
    publish(&sender, COUNT, 1);
    RUN_UNTIL(sender.results == 1); /* it is in the receiver's inbox */
    MUST(receiver.messages == COUNT);
    receiver.adapter = attach(receiver.loop);
    MUST(receiver.adapter != NULL);
    RUN_UNTIL(receiver.messages == COUNT + 1);
    close_replica(&receiver);
    close_replica(&sender);
}

#endif
