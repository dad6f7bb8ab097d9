/** @file
 * libwsfan in a loop of libuv: callbacks of a wsfan_loop run in uv_run().
 *
 * @code
 * wsfan_libuv *adapter = wsfan_libuv_attach(uv_default_loop(), loop);
 * uv_run(uv_default_loop(), UV_RUN_DEFAULT); // until there is nothing else to wait for, or uv_stop()
 * wsfan_libuv_detach(adapter);
 * wsfan_loop_close(loop);
 * @endcode
 *
 * Header-only; link with libuv. All calls belong to the thread of the uv_loop_t, which is that of the wsfan_loop.
 */
#ifndef WSFAN_ADAPTERS_LIBUV_H
#define WSFAN_ADAPTERS_LIBUV_H

#include <stdlib.h>
#include <uv.h>
#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Messages and notices of one dispatch; then other handles have their turn. */
#ifndef WSFAN_ADAPTER_DISPATCH_MAX
#define WSFAN_ADAPTER_DISPATCH_MAX 1024
#endif

typedef struct wsfan_libuv {
    uv_poll_t poll;
    wsfan_loop *loop;
} wsfan_libuv;

static inline void wsfan_libuv_on_readable(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    (void)wsfan_loop_dispatch(((wsfan_libuv *)poll->data)->loop, WSFAN_ADAPTER_DISPATCH_MAX);
}

static inline void wsfan_libuv_on_close(uv_handle_t *handle) {
    free(handle->data);
}

/** Lets uv_run() dispatch the loop. The handle keeps uv_run() running; uv_unref((uv_handle_t *)&adapter->poll)
 * changes that.
 * @return the adapter, or NULL: out of memory, or the descriptor could not be watched. */
static inline wsfan_libuv *wsfan_libuv_attach(uv_loop_t *uv, wsfan_loop *loop) {
    wsfan_libuv *adapter = (wsfan_libuv *)malloc(sizeof *adapter);
    if (adapter == NULL)
        return NULL;
    adapter->loop = loop;
    if (uv_poll_init(uv, &adapter->poll, wsfan_loop_fd(loop)) != 0) {
        free(adapter);
        return NULL;
    }
    adapter->poll.data = adapter;
    if (uv_poll_start(&adapter->poll, UV_READABLE, wsfan_libuv_on_readable) == 0)
        return adapter;
    uv_close((uv_handle_t *)&adapter->poll, wsfan_libuv_on_close);
    return NULL;
}

/** Before wsfan_loop_close(); may be called in a callback of the loop. The adapter's memory is given back by
 * uv_run(), so let that return once more before uv_loop_close(). NULL is allowed. */
static inline void wsfan_libuv_detach(wsfan_libuv *adapter) {
    if (adapter != NULL)
        uv_close((uv_handle_t *)&adapter->poll, wsfan_libuv_on_close);
}

#ifdef __cplusplus
}
#endif

#endif
