/* The snippet of docs/nats.md, without a server: the node opens all the same. */
#include <stdio.h>

#include "nats"

int main(void) {
    wsfan_node *node = NULL;
    wsfan_nats *nats = NULL;
    if (open_over_nats(&node, &nats, "nats://127.0.0.1:1", "pod-3") != WSFAN_OK)
        return 1;
    return wsfan_node_close(node) != WSFAN_OK || wsfan_nats_close(nats) != WSFAN_OK;
}
