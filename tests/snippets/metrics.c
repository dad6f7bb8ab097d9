/* The snippet of docs/operations.md about metrics, which answers into a file. */
#include <stdio.h>
#include <string.h>

#include "metrics"

int main(void) {
    static char text[64 * 1024];
    wsfan_options options;
    wsfan_node *node;
    wsfan_options_init(&options);
    FILE *answer = fmemopen(text, sizeof text, "w");
    if (answer == NULL || wsfan_node_open(&node, &options) != WSFAN_OK)
        return 1;
    int error = serve_metrics(node, answer);
    fclose(answer);
    wsfan_node_close(node);
    return error != WSFAN_OK || strstr(text, "\nwsfan_peers 0\n") == NULL;
}
