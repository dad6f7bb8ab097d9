/* kick.c - wsfan kick: asks the hosts of sessions to close their connections. */
#include <inttypes.h>

#include "tool.h"

int kick_run(const struct options *options) {
    struct mesh mesh;
    wsfan_target target;
    char text[WSFAN_ADDRESS_TEXT_SIZE];
    wsfan_address address;
    wsfan_bytes reason = wsfan_string(options->reason != NULL ? options->reason : "");
    if (options->session != NULL &&
        (wsfan_address_parse(&address, wsfan_string(options->session)) != WSFAN_OK ||
         address.session == 0)) {
        complain("--session %s: it must be as `wsfan sessions` shows it", options->session);
        return STATUS_BAD_ARGUMENT;
    }
    int status = mesh_join(&mesh, options, (wsfan_callbacks){ 0 }, &mesh);
    if (status != STATUS_OK)
        return status;
    if (options->session != NULL) {
        target = (wsfan_target){ WSFAN_SESSION, wsfan_string(options->session) };
    } else if (options->user != NULL) {
        target = (wsfan_target){ WSFAN_USER, wsfan_string(options->user) };
    } else if (options->chat != NULL) {
        target = (wsfan_target){ WSFAN_CHAT, wsfan_string(options->chat) };
    } else {
        address = (wsfan_address){ mesh_find(&mesh, options->node), 0 };
        target = (wsfan_target){ WSFAN_NODE, wsfan_string(wsfan_address_text(address, text)) };
        if (address.node == 0) {
            complain("there is no node %s", options->node);
            mesh_close(&mesh);
            return STATUS_BAD_ARGUMENT;
        }
    }
    wsfan_request_options request = mesh_request(&mesh);
    status = mesh_wait_reply(&mesh, wsfan_remote_close(mesh.node, &target, 1,
                                                       (uint16_t)options->code, reason, &request));
    if (status == STATUS_OK || status == STATUS_PARTIAL)
        printf("%" PRIu64 " session%s asked to close\n", mesh.sessions,
               mesh.sessions == 1 ? " was" : "s were");
    if (status == STATUS_PARTIAL)
        complain("some nodes did not answer, or cannot be asked to");
    status = mesh_status(&mesh, status);
    mesh_close(&mesh);
    return status;
}
