/* A host of libwsfan-nats that has no server. In C99 and C++11. */
#include <wsfan/nats.h>

int main(void) {
    wsfan_options options;
    wsfan_nats_options nats_options;
    wsfan_node *node;
    wsfan_nats *nats = NULL;
    wsfan_nats_options_init(&nats_options);
    nats_options.urls = "nats://127.0.0.1:1";
    nats_options.connect_ms_max = 100;
    if (wsfan_nats_open(&nats, &nats_options) != WSFAN_OK)
        return 1;
    wsfan_options_init(&options);
    options.carrier = wsfan_nats_carrier(nats);
    if (wsfan_node_open(&node, &options) != WSFAN_OK)
        return 2;
    if (wsfan_nats_error(nats)[0] == '\0' || wsfan_nats_close(nats) != WSFAN_EBUSY)
        return 3;
    return wsfan_node_close(node) == WSFAN_OK && wsfan_nats_close(nats) == WSFAN_OK ? 0 : 4;
}
