/** @file
 * libwsfan in an event_base of libevent 2: callbacks of a wsfan_loop run in event_base_dispatch().
 *
 * @code
 * wsfan_libevent *adapter = wsfan_libevent_attach(base, loop);
 * event_base_dispatch(base);
 * wsfan_libevent_detach(adapter);
 * wsfan_loop_close(loop);
 * @endcode
 *
 * Header-only; link with libevent_core. All calls belong to the thread of the event_base, which is that of the
 * wsfan_loop.
 */
#ifndef WSFAN_ADAPTERS_LIBEVENT_H
#define WSFAN_ADAPTERS_LIBEVENT_H

#include <event2/event.h>
#include <stdlib.h>
#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Messages and notices of one dispatch; then other events have their turn. */
#ifndef WSFAN_ADAPTER_DISPATCH_MAX
#define WSFAN_ADAPTER_DISPATCH_MAX 1024
#endif

typedef struct wsfan_libevent {
    struct event *readable;
    wsfan_loop *loop;
} wsfan_libevent;

static inline void wsfan_libevent_on_readable(evutil_socket_t fd, short events, void *user) {
    (void)fd;
    (void)events;
    (void)wsfan_loop_dispatch(((wsfan_libevent *)user)->loop, WSFAN_ADAPTER_DISPATCH_MAX);
}

/** Before wsfan_loop_close(); may be called in a callback of the loop. NULL is allowed. */
static inline void wsfan_libevent_detach(wsfan_libevent *adapter) {
    if (adapter != NULL && adapter->readable != NULL)
        event_free(adapter->readable); /* and out of the base */
    free(adapter);
}

/** Lets event_base_dispatch() dispatch the loop.
 * @return the adapter, or NULL: out of memory, or the descriptor could not be watched. */
static inline wsfan_libevent *wsfan_libevent_attach(struct event_base *base, wsfan_loop *loop) {
    wsfan_libevent *adapter = (wsfan_libevent *)malloc(sizeof *adapter);
    if (adapter == NULL)
        return NULL;
    adapter->loop = loop;
    adapter->readable = event_new(base, wsfan_loop_fd(loop), EV_READ | EV_PERSIST,
                                  wsfan_libevent_on_readable, adapter);
    if (adapter->readable != NULL && event_add(adapter->readable, NULL) == 0)
        return adapter;
    wsfan_libevent_detach(adapter);
    return NULL;
}

#ifdef __cplusplus
}
#endif

#endif
