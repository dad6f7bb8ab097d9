/* mesh.c - this program as a node: it publishes and asks, has no sessions (but `tail` and `bench`), and owns no
 * chat. */
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

enum { SPARE_MS = 200 };

volatile sig_atomic_t stopped;

double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

uint64_t now_ms(void) {
    return (uint64_t)(now_s() * 1000);
}

static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

/* The second signal ends a process that does not come to its end. */
static void catch_signals(void) {
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* --------------------------------------------------------------------------------------------- address */

/* A datagram socket that is connected sends nothing, and has the address that would be the sender's. */
static bool local_address(const struct address *to, char text[WSFAN_ENDPOINT_SIZE]) {
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    char host[INET6_ADDRSTRLEN + 16];
    int fd = socket(to->sockaddr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool ok = connect(fd, (const struct sockaddr *)&to->sockaddr, to->size) == 0 &&
              getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
              getnameinfo((struct sockaddr *)&own, size, host, sizeof host, NULL, 0,
                          NI_NUMERICHOST) == 0;
    close(fd);
    if (ok)
        snprintf(text, WSFAN_ENDPOINT_SIZE,
                 own.ss_family == AF_INET6 ? "tcp://[%s]:*" : "tcp://%s:*", host);
    return ok;
}

bool local_endpoint(const char *endpoint, char from[WSFAN_ENDPOINT_SIZE]) {
    struct target target;
    if (!target_read(&target, endpoint))
        return false;
    if (target.ipc) {
        strcpy(from, "tcp://127.0.0.1:*");
        return true;
    }
    const char *why;
    if (!target_resolve(&target, &why))
        return false;
    for (unsigned i = 0; i < target.count; i++)
        if (local_address(&target.addresses[i], from))
            return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------ node */

/* Nodes on other machines must reach this one, too, though the first is reached by loopback. */
static const char *choose_from(const struct options *options, struct mesh_storage *storage) {
    if (options->from != NULL)
        return options->from;
    bool known = options->joins_count > 0 && local_endpoint(options->joins[0], storage->from);
    bool loopback = !known || strncmp(storage->from, "tcp://127.", 10) == 0 ||
                    strcmp(storage->from, "tcp://[::1]:*") == 0;
    if (loopback && (options->key != NULL || options->insecure))
        return "tcp://*:*";
    return known ? storage->from : "tcp://127.0.0.1:*";
}

void mesh_options(wsfan_options *node, const struct options *options,
                  struct mesh_storage *storage) {
    static const char *const names[] = { "doctor", "keygen",   "nodes",   "chats",
                                         "users",  "sessions", "members", "publish",
                                         "tail",   "kick",     "top",     "bench" };
    uint32_t random = 0;
    wsfan_options_init(node);
    if (getrandom(&random, sizeof random, 0) < 0)
        random = (uint32_t)getpid();
    snprintf(storage->name, sizeof storage->name, "wsfan-%s-%08x", names[options->command], random);
    node->name = options->name != NULL && options->command != DOCTOR ? options->name
                                                                     : storage->name;
    node->endpoint = choose_from(options, storage);
    node->advertise = options->advertise;
    node->peers = options->joins;
    node->peers_count = options->joins_count;
    node->key_file = options->key;
    node->allow_path = options->allow;
    node->allow_insecure = options->insecure;
    if (options->cluster != NULL)
        node->cluster = options->cluster;
    node->publisher_only = 1;
    node->placement_weight = 0;
    node->ready_ms_max = options->timeout_ms;
}

/* Which argument is the bad one. */
static int complain_of_options(const wsfan_options *node, int error) {
    static const char *const flags[][2] = {
        { "endpoint", "--from" }, { "key_file", "--key" },        { "allow_path", "--allow" },
        { "peers", "--join" },    { "advertise", "--advertise" }, { "cluster", "--cluster" },
        { "name", "--name" }
    };
    const char *field = NULL;
    wsfan_options_check(node, &field);
    const char *flag = field;
    for (size_t i = 0; field != NULL && i < sizeof flags / sizeof *flags; i++)
        if (strcmp(field, flags[i][0]) == 0)
            flag = flags[i][1];
    if (error == WSFAN_EINSECURE)
        complain("%s is no loopback address, and there is no key: give --key FILE, or --insecure "
                 "where the nodes speak plain text",
                 node->endpoint);
    else if (error == WSFAN_EKEY)
        complain("--key %s%s%s: %s", node->key_file, node->allow_path != NULL ? ", --allow " : "",
                 node->allow_path != NULL ? node->allow_path : "",
                 errno != 0 ? strerror(errno) : wsfan_error_text(error));
    else if (error == WSFAN_EADDR || error == WSFAN_EADDRINUSE)
        complain("--from %s: %s%s", node->endpoint, wsfan_error_text(error),
                 error == WSFAN_EADDRINUSE ? "; leave --from out while your node runs there" : "");
    else
        complain("%s%s%s", flag != NULL ? flag : "", flag != NULL ? ": " : "",
                 wsfan_error_text(error));
    return flag != NULL || error == WSFAN_EINSECURE ? STATUS_BAD_ARGUMENT : STATUS_FAILED;
}

static void on_reply(void *user, const wsfan_reply *reply) {
    struct mesh *mesh = user;
    for (size_t i = 0; i < reply->rows_count && mesh->on_row != NULL && !mesh->enough; i++)
        mesh->on_row(mesh->on_row_user, &reply->rows[i]);
    free((void *)mesh->next.data);
    mesh->next = (wsfan_bytes){ NULL, 0 };
    if (reply->next.size > 0)
        mesh->next = (wsfan_bytes){ copy_text(reply->next.data, reply->next.size),
                                    reply->next.size };
    mesh->sessions = reply->sessions;
    mesh->reply_status = reply->status;
    mesh->replied = true;
}

int mesh_start(struct mesh *mesh, const wsfan_options *node, wsfan_callbacks callbacks,
               void *user) {
    *mesh = (struct mesh){ .timeout_ms = node->ready_ms_max };
    catch_signals();
    errno = 0;
    int error = wsfan_node_open(&mesh->node, node);
    if (error != WSFAN_OK)
        return error;
    callbacks.struct_size = sizeof callbacks;
    callbacks.on_reply = on_reply;
    error = wsfan_loop_open(&mesh->loop, mesh->node, &callbacks, user);
    if (error != WSFAN_OK)
        mesh_close(mesh);
    return error;
}

int mesh_open(struct mesh *mesh, const wsfan_options *node, wsfan_callbacks callbacks, void *user) {
    int error = mesh_start(mesh, node, callbacks, user);
    return error == WSFAN_OK ? STATUS_OK : complain_of_options(node, error);
}

void mesh_close(struct mesh *mesh) {
    free((void *)mesh->next.data);
    wsfan_loop_close(mesh->loop);
    wsfan_node_close(mesh->node);
    *mesh = (struct mesh){ 0 };
}

int mesh_status(const struct mesh *mesh, int status) {
    return status == STATUS_OK && mesh->lacking ? STATUS_PARTIAL : status;
}

void mesh_step(struct mesh *mesh, int ms) {
    struct pollfd item = { wsfan_loop_fd(mesh->loop), POLLIN, 0 };
    poll(&item, 1, ms);
    wsfan_loop_dispatch(mesh->loop, 0);
}

/* Without the options that this program has been given the doctor may find that all is well. */
static void point_to_doctor(const struct options *options, const char *what) {
    const char *const flags[][2] = { { "from", options->from },
                                     { "advertise", options->advertise },
                                     { "key", options->key },
                                     { "allow", options->allow },
                                     { "cluster", options->cluster } };
    char given[1024] = "";
    for (size_t i = 0, size = 0; i < sizeof flags / sizeof *flags && size < sizeof given; i++)
        if (flags[i][1] != NULL)
            size += (size_t)snprintf(given + size, sizeof given - size, " --%s %s", flags[i][0],
                                     flags[i][1]);
    complain("%s; `wsfan doctor%s %s` tells why", what, given,
             options->joins_count > 0 ? options->joins[0] : "ENDPOINT");
}

int mesh_join(struct mesh *mesh, const struct options *options, wsfan_callbacks callbacks,
              void *user) {
    wsfan_options node;
    struct mesh_storage storage = { 0 };
    mesh_options(&node, options, &storage);
    if (options->command == TAIL || options->command == BENCH)
        node.publisher_only = 0;
    /* Not before this time the node is ready although somebody is missing. */
    uint64_t ready_ms = now_ms() + options->timeout_ms;
    int status = mesh_open(mesh, &node, callbacks, user);
    if (status != STATUS_OK)
        return status;
    int ready = WSFAN_READY_NOT_YET;
    uint64_t end_ms = ready_ms + SPARE_MS;
    while (ready <= 0 && now_ms() < end_ms && !stopped) {
        mesh_step(mesh, STEP_MS);
        ready = wsfan_node_ready(mesh->node);
    }
    wsfan_stats stats = { .struct_size = sizeof stats };
    wsfan_node_get_stats(mesh->node, &stats);
    if (ready > 0 && stats.peers_up > 0) {
        mesh->lacking = now_ms() >= ready_ms;
        if (mesh->lacking)
            complain("some nodes were not met, or do not reach this program at %s (see --from)",
                     wsfan_node_endpoint(mesh->node));
        return STATUS_OK;
    }
    if (!stopped)
        point_to_doctor(options, ready == WSFAN_EREFUSED ? "it is refused" : "no node was met");
    mesh_close(mesh);
    return STATUS_NOBODY;
}

/* -------------------------------------------------------------------------------------------- requests */

wsfan_request_options mesh_request(struct mesh *mesh) {
    mesh->replied = false;
    return (wsfan_request_options){ .struct_size = sizeof(wsfan_request_options),
                                    .reply_loop = mesh->loop,
                                    .ms_max = mesh->timeout_ms < 6000 ? mesh->timeout_ms : 6000,
                                    .rows_max = WSFAN_ROWS_COUNT_MAX,
                                    .after = mesh->next };
}

int mesh_wait_reply(struct mesh *mesh, int error) {
    if (error != WSFAN_OK) {
        complain("%s", wsfan_error_text(error));
        return STATUS_FAILED;
    }
    while (!mesh->replied && !stopped)
        mesh_step(mesh, STEP_MS);
    if (!mesh->replied)
        return STATUS_FAILED;
    return mesh->reply_status == WSFAN_OK ? STATUS_OK : STATUS_PARTIAL;
}

static int ask(struct mesh *mesh, wsfan_request_kind kind, const wsfan_target *target) {
    wsfan_request_options options = mesh_request(mesh);
    switch (kind) {
    case WSFAN_REQUEST_SESSIONS:
        return wsfan_list_sessions(mesh->node, target, 1, &options);
    case WSFAN_REQUEST_CHATS:
        return wsfan_list_chats(mesh->node, target, 1, &options);
    case WSFAN_REQUEST_STATS:
        return wsfan_list_stats(mesh->node, &options);
    default:
        return wsfan_list_nodes(mesh->node, &options);
    }
}

int mesh_list(struct mesh *mesh, wsfan_request_kind kind, const wsfan_target *target,
              void (*on_row)(void *user, const wsfan_row *row), void *user) {
    int worst = STATUS_OK;
    mesh->on_row = on_row;
    mesh->on_row_user = user;
    mesh->enough = false;
    free((void *)mesh->next.data);
    mesh->next = (wsfan_bytes){ NULL, 0 };
    do {
        int status = mesh_wait_reply(mesh, ask(mesh, kind, target));
        worst = status > worst ? status : worst;
    } while (mesh->next.size > 0 && worst != STATUS_FAILED && !mesh->enough);
    mesh->on_row = NULL;
    return worst;
}

wsfan_peer_stats *mesh_peers(struct mesh *mesh, size_t *count) {
    wsfan_peer_stats *peers = make_room(NULL, WSFAN_PEERS_MAX, sizeof *peers);
    peers[0].struct_size = sizeof *peers;
    *count = 0;
    if (wsfan_node_get_peers(mesh->node, peers, WSFAN_PEERS_MAX, count) != WSFAN_OK)
        *count = 0;
    if (*count > WSFAN_PEERS_MAX)
        *count = WSFAN_PEERS_MAX;
    return peers;
}

uint64_t mesh_find(struct mesh *mesh, const char *node) {
    wsfan_address address = { 0, 0 };
    uint64_t found = 0;
    size_t count;
    wsfan_peer_stats *peers = mesh_peers(mesh, &count);
    wsfan_address_parse(&address, wsfan_string(node));
    for (size_t i = 0; i < count && found == 0; i++)
        if (strcmp(peers[i].name, node) == 0 || peers[i].node == address.node)
            found = peers[i].node;
    free(peers);
    return found;
}
