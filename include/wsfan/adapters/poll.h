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

/** Waits until there is something to dispatch, for timeout_ms milliseconds at most (-1: for ever), and dispatches
 * all of it. A signal ends the wait.
 * @return how many messages and notices were handled, 0: none, or an error of wsfan_loop_dispatch(), or
 * WSFAN_ESYSTEM. */
static inline int wsfan_poll_dispatch(wsfan_loop *loop, int timeout_ms) {
    struct pollfd item;
    item.fd = wsfan_loop_fd(loop);
    item.events = POLLIN;
    item.revents = 0;
    if (item.fd < 0)
        return item.fd;
    int count = poll(&item, 1, timeout_ms);
    if (count < 0)
        return errno == EINTR ? 0 : WSFAN_ESYSTEM;
    return count == 0 ? 0 : wsfan_loop_dispatch(loop, 0);
}

#ifdef __cplusplus
}
#endif

#endif
