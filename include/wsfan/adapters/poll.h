/** @file
 * libwsfan without an event loop: a thread that does nothing but wait for a wsfan_loop and run its callbacks, as a
 * server with a thread for each connection has beside those, or a program that has nothing else to wait for.
 *
 * @code
 * while (!stopped && wsfan_poll_dispatch(loop, 1000) >= 0)
 *     continue;
 * @endcode
 *
 * Header-only; nothing to link.
 */
#ifndef WSFAN_ADAPTERS_POLL_H
#define WSFAN_ADAPTERS_POLL_H

#include <errno.h>
#include <poll.h>
#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Waits until there is something to dispatch, for timeout_ms milliseconds at most (-1: for ever). A signal ends the
 * wait. For a host whose threads share the loop under a mutex: this is no [loop] call, so it is made without it.
 * @return 1: there is something, 0: the time is up, or an error: that of wsfan_loop_fd(), or WSFAN_ESYSTEM. */
static inline int wsfan_poll_wait(const wsfan_loop *loop, int timeout_ms) {
    struct pollfd item;
    item.fd = wsfan_loop_fd(loop);
    item.events = POLLIN;
    item.revents = 0;
    if (item.fd < 0)
        return item.fd;
    int count = poll(&item, 1, timeout_ms);
    return count >= 0 ? count : errno == EINTR ? 0 : WSFAN_ESYSTEM;
}

/** Waits in the same way, and dispatches all that is there.
 * @return how many messages and notices were handled, or an error. */
static inline int wsfan_poll_dispatch(wsfan_loop *loop, int timeout_ms) {
    int ready = wsfan_poll_wait(loop, timeout_ms);
    return ready > 0 ? wsfan_loop_dispatch(loop, 0) : ready;
}

#ifdef __cplusplus
}
#endif

#endif
