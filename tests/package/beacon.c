/* A host of libwsfan-beacon that has no network to announce itself in. In C99 and C++11. */
#include <wsfan/beacon.h>

int main(void) {
    wsfan_options options;
    wsfan_beacon_options beacon_options;
    wsfan_node *node;
    wsfan_beacon *beacon = NULL;
    wsfan_options_init(&options);
    options.endpoint = "tcp://127.0.0.1:*";
    if (wsfan_node_open(&node, &options) != WSFAN_OK)
        return 1;
    wsfan_beacon_options_init(&beacon_options);
    beacon_options.interface = "nowhere";
    if (wsfan_beacon_open(&beacon, node, &beacon_options) != WSFAN_EADDR || beacon != NULL)
        return 2;
    return wsfan_beacon_close(beacon) == WSFAN_OK && wsfan_node_close(node) == WSFAN_OK ? 0 : 3;
}
