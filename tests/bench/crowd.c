/* crowd.c - a node with many sessions, in this process. */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <wsfan/stats.h>

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    struct crowd *crowd = user;
    (void)message;
    crowd->messages++;
    crowd->recipients += count;
    for (size_t i = 0; crowd->seen != NULL && i < count; i++)
        crowd->seen[(uintptr_t)recipients[i].session_user]++;
}

static void on_joined(void *user, const wsfan_joined *joined) {
    must(joined->status, "join");
    ((struct crowd *)user)->joined++;
}

static void on_gap(void *user, const wsfan_gap *gap) {
    (void)user;
    die("%llu messages are lost, reason %d", (unsigned long long)gap->count, (int)gap->reason);
}

const wsfan_callbacks crowd_callbacks = { .struct_size = sizeof crowd_callbacks,
                                          .on_message = on_message,
                                          .on_joined = on_joined,
                                          .on_gap = on_gap };

wsfan_node *crowd_node(void) {
    wsfan_node *node;
    wsfan_options options;
    wsfan_options_init(&options);
    must(wsfan_node_open(&node, &options), "open a node");
    return node;
}

void crowd_open(struct crowd *crowd, wsfan_node *node, const wsfan_callbacks *callbacks) {
    memset(crowd, 0, sizeof *crowd);
    crowd->node = node;
    must(wsfan_loop_open(&crowd->loop, node, callbacks, crowd), "open a loop");
}

wsfan_session crowd_session(struct crowd *crowd, uint64_t number) {
    wsfan_session session;
    must(wsfan_session_open(&session, crowd->loop, wsfan_string(""), (void *)(uintptr_t)number),
         "open a session");
    return session;
}

void crowd_join(struct crowd *crowd, wsfan_session session, const char *kind, uint64_t number) {
    char chat[64];
    snprintf(chat, sizeof chat, "%s-%llu", kind, (unsigned long long)number);
    must(wsfan_session_join(crowd->loop, session, wsfan_string(chat)), "join");
}

void crowd_settle(struct crowd *crowd, uint64_t joins) {
    while (crowd->joined < joins)
        serve_loop(crowd->loop, 100);
}

int64_t crowd_broadcast(struct crowd *crowd, const char *chat, unsigned messages) {
    wsfan_loop_stats stats = { .struct_size = sizeof stats };
    uint64_t before = crowd->messages;
    for (unsigned i = 0; i < messages; i++)
        must(wsfan_broadcast(crowd->node, wsfan_string(chat), wsfan_string("payload"), NULL),
             "broadcast");
    do {
        pause_us(100);
        must(wsfan_loop_get_stats(crowd->loop, &stats), "statistics");
    } while (stats.inbox_count < messages);
    int64_t begin_ns = now_ns();
    wsfan_loop_dispatch(crowd->loop, 0);
    int64_t end_ns = now_ns();
    if (crowd->messages - before != messages)
        die("%llu messages instead of %u", (unsigned long long)(crowd->messages - before),
            messages);
    return end_ns - begin_ns;
}
