#include <wsfan/adapters/libuv.h>

#include "adapter.h"

static uv_loop_t uv;

static void *attach(wsfan_loop *loop) {
    return wsfan_libuv_attach(&uv, loop);
}

static void detach(void *adapter) {
    wsfan_libuv_detach((wsfan_libuv *)adapter);
}

static void run_once(void) {
    uv_run(&uv, UV_RUN_ONCE);
}

int main(void) {
    MUST(uv_loop_init(&uv) == 0);
    check_adapter();
    MUST(uv_run(&uv, UV_RUN_DEFAULT) == 0);
    MUST(uv_loop_close(&uv) == 0); /* nothing is left in it */
    return 0;
}
