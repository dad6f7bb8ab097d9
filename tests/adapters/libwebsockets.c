#include <wsfan/adapters/libwebsockets.h>

#include "adapter.h"

static struct lws_context *context;

static void *attach(wsfan_loop *loop) {
    return wsfan_libwebsockets_attach(lws_get_vhost_by_name(context, "default"), loop);
}

static void detach(void *adapter) {
    wsfan_libwebsockets_detach((struct lws *)adapter);
}

static void run_once(void) {
    MUST(lws_service(context, 0) >= 0);
}

int main(void) {
    static const struct lws_protocols protocols[] = { WSFAN_LIBWEBSOCKETS_PROTOCOL,
                                                      { NULL, NULL, 0, 0, 0, NULL, 0 } };
    struct lws_context_creation_info info;
    memset(&info, 0, sizeof info);
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.protocols = protocols;
    lws_set_log_level(LLL_ERR, NULL);
    context = lws_create_context(&info);
    MUST(context != NULL);
    check_adapter();
    lws_context_destroy(context);
    return 0;
}
