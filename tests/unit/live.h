/* What tests of nodes on real sockets share: their loops, run until something holds. */
#ifndef LIVE_H
#define LIVE_H

#include <poll.h>
#include <wsfan/wsfan.h>

#include "now.h"
#include "suite.h"

enum { LIVE_MAX = 8, DEADLINE_MS = 60000 };

static wsfan_loop *live[LIVE_MAX]; /* the loops that are dispatched; the test's own to set */
static uint32_t live_messages_max; /* of one dispatch; 0: all */

static inline void dispatch_all(void) {
    struct pollfd items[LIVE_MAX];
    nfds_t count = 0;
    for (int i = 0; i < LIVE_MAX; i++)
        if (live[i] != NULL)
            items[count++] = (struct pollfd){ wsfan_loop_fd(live[i]), POLLIN, 0 };
    poll(items, count, 10);
    for (int i = 0; i < LIVE_MAX; i++)
        if (live[i] != NULL)
            ck_assert_int_ge(wsfan_loop_dispatch(live[i], live_messages_max), 0);
}

/* Dispatches every loop until the condition holds; fails after the deadline. */
#define WAIT(condition)                                                                            \
    do {                                                                                           \
        int64_t deadline = now_ms() + DEADLINE_MS;                                                 \
        while (!(condition)) {                                                                     \
            ck_assert_msg(now_ms() < deadline, "waited for: %s", #condition);                      \
            dispatch_all();                                                                        \
        }                                                                                          \
    } while (0)

/* Of a node that notices soon who is gone. */
static inline wsfan_options quick_options(const char *endpoint) {
    wsfan_options options;
    wsfan_options_init(&options);
    options.endpoint = endpoint;
    options.heartbeat_ms = 50;
    options.silent_ms = 500;
    options.down_ms = 1500;
    options.forget_ms = 60000;
    return options;
}

#endif
