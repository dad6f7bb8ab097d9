/** @file
 * libwsfan in a loop of libev: callbacks of a wsfan_loop run in ev_run().
 *
 * @code
 * wsfan_libev *adapter = wsfan_libev_attach(EV_DEFAULT_ loop);
 * ev_run(EV_DEFAULT_ 0);
 * wsfan_libev_detach(adapter);
 * wsfan_loop_close(loop);
 * @endcode
 *
 * Header-only; link with libev, built with EV_MULTIPLICITY as usual. All calls belong to the thread of the ev_loop,
 * which is that of the wsfan_loop.
 */
#ifndef WSFAN_ADAPTERS_LIBEV_H
#define WSFAN_ADAPTERS_LIBEV_H

#include <ev.h>
#include <stdlib.h>
#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Messages and notices of one dispatch; then other watchers have their turn. */
#ifndef WSFAN_ADAPTER_DISPATCH_MAX
#define WSFAN_ADAPTER_DISPATCH_MAX 1024
#endif

typedef struct wsfan_libev {
    ev_io readable;
    struct ev_loop *ev;
    wsfan_loop *loop;
} wsfan_libev;

static inline void wsfan_libev_on_readable(struct ev_loop *ev, ev_io *watcher, int events) {
    (void)ev;
    (void)events;
    (void)wsfan_loop_dispatch(((wsfan_libev *)watcher->data)->loop, WSFAN_ADAPTER_DISPATCH_MAX);
}

/** Lets ev_run() dispatch the loop. The watcher keeps ev_run() running; ev_unref() changes that.
 * @return the adapter, or NULL: out of memory. */
static inline wsfan_libev *wsfan_libev_attach(struct ev_loop *ev, wsfan_loop *loop) {
    wsfan_libev *adapter = (wsfan_libev *)malloc(sizeof *adapter);
    if (adapter == NULL)
        return NULL;
    adapter->ev = ev;
    adapter->loop = loop;
    adapter->readable.data = adapter;
    ev_init(&adapter->readable, wsfan_libev_on_readable);
    ev_io_set(&adapter->readable, wsfan_loop_fd(loop), EV_READ);
    ev_io_start(ev, &adapter->readable);
    return adapter;
}

/** Before wsfan_loop_close(); may be called in a callback of the loop. NULL is allowed. */
static inline void wsfan_libev_detach(wsfan_libev *adapter) {
    if (adapter != NULL)
        ev_io_stop(adapter->ev, &adapter->readable);
    free(adapter);
}

#ifdef __cplusplus
}
#endif

#endif
