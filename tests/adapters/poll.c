#include <wsfan/adapters/poll.h>

#include "adapter.h"

/* There is no event loop: what is attached is dispatched by turns. */
static wsfan_loop *loops[2];

static void *attach(wsfan_loop *loop) {
    wsfan_loop **place = &loops[loops[0] != NULL];
    *place = loop;
    return place;
}

static void detach(void *adapter) {
    if (adapter != NULL)
        *(wsfan_loop **)adapter = NULL;
}

static void run_once(void) {
    for (int i = 0; i < 2; i++)
        MUST(loops[i] == NULL || wsfan_poll_dispatch(loops[i], 10) >= 0);
}

int main(void) {
    MUST(wsfan_poll_dispatch(NULL, 0) == WSFAN_EINVAL);
    check_adapter();
    return 0;
}
