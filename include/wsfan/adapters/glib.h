/** @file
 * libwsfan in a GMainContext of GLib: callbacks of a wsfan_loop run in g_main_loop_run().
 *
 * @code
 * GSource *source = wsfan_glib_attach(NULL, loop); // NULL: the default context
 * g_main_loop_run(main_loop);
 * wsfan_glib_detach(source);
 * wsfan_loop_close(loop);
 * @endcode
 *
 * Header-only; link with glib-2.0, from 2.36 on. All calls belong to the thread that runs the context, which is that
 * of the wsfan_loop.
 */
#ifndef WSFAN_ADAPTERS_GLIB_H
#define WSFAN_ADAPTERS_GLIB_H

#include <glib.h>
#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Messages and notices of one dispatch; then other sources have their turn. */
#ifndef WSFAN_ADAPTER_DISPATCH_MAX
#define WSFAN_ADAPTER_DISPATCH_MAX 1024
#endif

typedef struct wsfan_glib {
    GSource source; /* the first member, as g_source_new() wants it */
    wsfan_loop *loop;
    gpointer tag; /* of the descriptor */
} wsfan_glib;

static inline gboolean wsfan_glib_check(GSource *source) {
    return g_source_query_unix_fd(source, ((wsfan_glib *)source)->tag) != 0;
}

static inline gboolean wsfan_glib_dispatch(GSource *source, GSourceFunc function, gpointer user) {
    (void)function;
    (void)user;
    (void)wsfan_loop_dispatch(((wsfan_glib *)source)->loop, WSFAN_ADAPTER_DISPATCH_MAX);
    return G_SOURCE_CONTINUE;
}

/** Lets g_main_loop_run() dispatch the loop.
 * @return the source, whose priority and name may be set; it stays valid until wsfan_glib_detach(). */
static inline GSource *wsfan_glib_attach(GMainContext *context, wsfan_loop *loop) {
    static GSourceFuncs functions = {
        NULL, wsfan_glib_check, wsfan_glib_dispatch, NULL, NULL, NULL
    };
    GSource *source = g_source_new(&functions, sizeof(wsfan_glib));
    ((wsfan_glib *)source)->loop = loop;
    ((wsfan_glib *)source)->tag = g_source_add_unix_fd(source, wsfan_loop_fd(loop), G_IO_IN);
    g_source_attach(source, context);
    return source;
}

/** Before wsfan_loop_close(); may be called in a callback of the loop. NULL is allowed. */
static inline void wsfan_glib_detach(GSource *source) {
    if (source == NULL)
        return;
    g_source_destroy(source);
    g_source_unref(source);
}

#ifdef __cplusplus
}
#endif

#endif
