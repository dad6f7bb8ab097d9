#include <wsfan/adapters/libev.h>

#include "adapter.h"

static struct ev_loop *ev;

static void *attach(wsfan_loop *loop) {
    return wsfan_libev_attach(ev, loop);
}

static void detach(void *adapter) {
    wsfan_libev_detach((wsfan_libev *)adapter);
}

static void run_once(void) {
    ev_run(ev, EVRUN_ONCE);
}

int main(void) {
    ev = ev_loop_new(EVFLAG_AUTO);
    MUST(ev != NULL);
    check_adapter();
    ev_loop_destroy(ev);
    return 0;
}
