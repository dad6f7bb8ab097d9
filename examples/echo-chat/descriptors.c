/* descriptors.c - how many descriptors there are, and so how many clients.
 *
 * libwebsockets stops accepting when its share is used: a further connection waits in the system's
 * queue and costs nothing. Without a share of its own it would meet the limit of the process in
 * accept(), and try again for ever. */
#include "echo_chat.h"

#include <stdio.h>
#include <sys/resource.h>

enum {
    OTHERS_COUNT = 24, /* standard streams, log, poll, event, signal and library descriptors */
    /* 63 peers with four each, 128 for tries of keys, 256 that strangers may hold at its port, and some
       of its own. */
    MESH_COUNT = 656,
    HTTP_COUNT = 1024, /* connections that are no clients (yet) */
    MOST_COUNT = 1048576
};

static unsigned at_most(unsigned count, unsigned most) {
    return count < most ? count : most;
}

unsigned descriptors_share(struct options *options) {
    struct door_options *door = &options->door;
    unsigned mesh = options->cluster.endpoint != NULL ? MESH_COUNT : 0;
    unsigned clients = door->clients_max > 0 ? door->clients_max : MOST_COUNT;
    unsigned wanted = at_most(clients, MOST_COUNT) + HTTP_COUNT + mesh + OTHERS_COUNT;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0; /* libwebsockets chooses */
    /* No more than that: libwebsockets makes its tables as large as the limit. */
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    unsigned have = (unsigned)limit.rlim_cur;
    /* Where there are few, the mesh and others leave half to the clients. */
    unsigned share = have - at_most(mesh + OTHERS_COUNT, have / 2);
    unsigned room = share - at_most(HTTP_COUNT, share / 4);
    if (clients <= room)
        return share;
    if (options->clients_asked && door->clients_max > 0)
        fprintf(stderr,
                "echo-chat: --clients %u: there are descriptors for %u; raise the hard limit "
                "(ulimit -Hn %u)\n",
                door->clients_max, room, wanted);
    door->clients_max = room;
    return share;
}
