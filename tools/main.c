/* main.c - wsfan: looks into a mesh of nodes. */
#include "tool.h"

#include <czmq.h>

int main(int argc, char **argv) {
    static int (*const run[COMMANDS_COUNT])(const struct options *) = {
        [DOCTOR] = doctor_run, [KEYGEN] = keygen_run, [NODES] = list_run,   [CHATS] = list_run,
        [USERS] = list_run,    [SESSIONS] = list_run, [MEMBERS] = list_run, [PUBLISH] = publish_run,
        [TAIL] = tail_run,     [KICK] = kick_run,     [TOP] = top_run,      [BENCH] = bench_run
    };
    struct options options;
    options_read(&options, argc, argv);
    int status = run[options.command](&options);
    if (fflush(stdout) != 0 && status == STATUS_OK)
        status = STATUS_FAILED;
    zconfig_destroy(&options.file);
    return status;
}
