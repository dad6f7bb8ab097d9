/** @file
 * libwsfan in a service thread of libwebsockets: callbacks of a wsfan_loop run in lws_service().
 *
 * @code
 * static const struct lws_protocols protocols[] = { { "chat", on_chat, ... }, WSFAN_LIBWEBSOCKETS_PROTOCOL, { NULL, ... } };
 * ...
 * struct lws *adapter = wsfan_libwebsockets_attach(lws_get_vhost_by_name(context, "default"), loop);
 * while (!stopped && lws_service(context, 0) >= 0)
 *     continue;
 * wsfan_libwebsockets_detach(adapter); // or lws_context_destroy()
 * wsfan_loop_close(loop);
 * @endcode
 *
 * Header-only; libwebsockets from 4.1 on. All calls belong to the service thread, which is that of the wsfan_loop.
 */
#ifndef WSFAN_ADAPTERS_LIBWEBSOCKETS_H
#define WSFAN_ADAPTERS_LIBWEBSOCKETS_H

#include <libwebsockets.h>
#include <stddef.h>
#include <unistd.h>
#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Messages and notices of one dispatch; then other connections have their turn. */
#ifndef WSFAN_ADAPTER_DISPATCH_MAX
#define WSFAN_ADAPTER_DISPATCH_MAX 1024
#endif

/** An item for the vhost's list of protocols. */
#define WSFAN_LIBWEBSOCKETS_PROTOCOL                                                               \
    { "wsfan-loop", wsfan_libwebsockets_on_event, 0, 0, 0, NULL, 0 }

static inline int wsfan_libwebsockets_on_event(struct lws *wsi, enum lws_callback_reasons reason,
                                               void *user, void *in, size_t size) {
    (void)user;
    (void)in;
    (void)size;
    wsfan_loop *loop = (wsfan_loop *)lws_get_opaque_user_data(wsi);
    if (reason == LWS_CALLBACK_RAW_RX_FILE && loop != NULL)
        (void)wsfan_loop_dispatch(loop, WSFAN_ADAPTER_DISPATCH_MAX);
    return 0;
}

/** Lets lws_service() dispatch the loop. The vhost has WSFAN_LIBWEBSOCKETS_PROTOCOL.
 * @return the adapter, or NULL: out of memory or descriptors, or the protocol is missing. */
static inline struct lws *wsfan_libwebsockets_attach(struct lws_vhost *vhost, wsfan_loop *loop) {
    lws_sock_file_fd_type fd;
    fd.filefd = dup(wsfan_loop_fd(loop)); /* libwebsockets closes what it watches */
    if (fd.filefd < 0)
        return NULL;
    struct lws *wsi = lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, fd, "wsfan-loop",
                                                 NULL); /* closes it when it fails */
    if (wsi != NULL)
        lws_set_opaque_user_data(wsi, loop);
    return wsi;
}

/** Before wsfan_loop_close(), unless lws_context_destroy() has been called; may be called in a callback of the loop.
 * NULL is allowed. */
static inline void wsfan_libwebsockets_detach(struct lws *adapter) {
    if (adapter == NULL)
        return;
    lws_set_opaque_user_data(adapter, NULL);
    lws_set_timeout(adapter, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

#ifdef __cplusplus
}
#endif

#endif
