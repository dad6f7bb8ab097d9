#include <wsfan/adapters/glib.h>

#include "adapter.h"

static GMainContext *context;

static void *attach(wsfan_loop *loop) {
    return wsfan_glib_attach(context, loop);
}

static void detach(void *adapter) {
    wsfan_glib_detach((GSource *)adapter);
}

static void run_once(void) {
    g_main_context_iteration(context, TRUE);
}

int main(void) {
    context = g_main_context_new();
    check_adapter();
    g_main_context_unref(context);
    return 0;
}
