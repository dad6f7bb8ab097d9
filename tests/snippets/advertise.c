/* The README's snippet about `advertise`: a node tells its peers what that says. It is bound to another
 * port than the snippet's, which may be taken. */
#include <stdio.h>
#include <string.h>
#include <wsfan/wsfan.h>

int main(void) {
    wsfan_options options;
    wsfan_node *node;
    wsfan_options_init(&options);
#include "advertise"
    int as_written = strcmp(options.endpoint, "tcp://*:7000") == 0;
    options.endpoint = "tcp://127.0.0.1:*";
    int error = wsfan_node_open(&node, &options);
    if (error != WSFAN_OK) {
        fprintf(stderr, "%s\n", wsfan_error_text(error));
        return 1;
    }
    int told = strcmp(wsfan_node_endpoint(node), "tcp://203.0.113.5:17000") == 0;
    wsfan_node_close(node);
    return as_written && told ? 0 : 1;
}
