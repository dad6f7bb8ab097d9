/* A loop of libuv that the snippet runs until a join is complete. */
#include "adapter"

#include <assert.h>

static void on_joined(void *user, const wsfan_joined *joined) {
    assert(joined->status == WSFAN_OK);
    uv_stop(user);
}

int main(void) {
    const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_joined = on_joined };
    wsfan_options options;
    wsfan_node *node;
    wsfan_loop *loop;
    wsfan_session session;
    uv_loop_t uv;
    wsfan_options_init(&options);
    int error = uv_loop_init(&uv);
    assert(error == 0);
    error = wsfan_node_open(&node, &options);
    assert(error == WSFAN_OK);
    error = wsfan_loop_open(&loop, node, &callbacks, &uv);
    assert(error == WSFAN_OK);
    error = wsfan_session_open(&session, loop, wsfan_string("u"), NULL);
    assert(error == WSFAN_OK);
    error = wsfan_session_join(loop, session, wsfan_string("chat"));
    assert(error == WSFAN_OK);
    error = serve(&uv, loop);
    assert(error == WSFAN_OK);
    uv_run(&uv, UV_RUN_DEFAULT);
    error = uv_loop_close(&uv);
    assert(error == 0);
    wsfan_loop_close(loop);
    wsfan_node_close(node);
    return 0;
}
