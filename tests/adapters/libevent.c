#include <wsfan/adapters/libevent.h>

#include "adapter.h"

static struct event_base *base;

static void *attach(wsfan_loop *loop) {
    return wsfan_libevent_attach(base, loop);
}

static void detach(void *adapter) {
    wsfan_libevent_detach((wsfan_libevent *)adapter);
}

static void run_once(void) {
    event_base_loop(base, EVLOOP_ONCE);
}

int main(void) {
    base = event_base_new();
    MUST(base != NULL);
    check_adapter();
    event_base_free(base);
    return 0;
}
