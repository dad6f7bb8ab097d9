/* The mistakes that people make when they set a mesh up, on real sockets: each side learns what is wrong, by an
 * event and by a call, and a counter of it moves. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "live.h"
#include "suite.h"
#include "wire/encode.h"

enum { CODES_MAX = 1024, ENDPOINTS_MAX = 64 };

typedef struct {
    wsfan_node *node;
    wsfan_loop *loop;
    char codes[CODES_MAX][48]; /* of events, in their order */
    char texts[CODES_MAX][256];
    char addresses[CODES_MAX][64];
    unsigned codes_count;
    uint64_t lost;
} member;

static member members[2];
static char secrets[2][41];
static char publics[2][41];

static void on_event(void *user, const wsfan_event *event) {
    member *m = user;
    ck_assert_uint_lt(m->codes_count, CODES_MAX);
    ck_assert_uint_gt(strlen(event->text), 0);
    ck_assert_ptr_null(strchr(event->text, '\n'));
    snprintf(m->codes[m->codes_count], sizeof m->codes[0], "%s", event->code);
    snprintf(m->texts[m->codes_count], sizeof m->texts[0], "%s", event->text);
    snprintf(m->addresses[m->codes_count], sizeof m->addresses[0], "%s", event->address);
    m->codes_count++;
    m->lost += event->lost;
}

static wsfan_stats stats_of(int i) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(members[i].node, &stats), WSFAN_OK);
    return stats;
}

static void start(int i, wsfan_options options, const char *peer) {
    member *m = &members[i];
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_event = on_event };
    memset(m, 0, sizeof *m);
    options.peers = &peer;
    options.peers_count = peer != NULL;
    ck_assert_int_eq(wsfan_node_open(&m->node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&m->loop, m->node, &callbacks, m), WSFAN_OK);
    live[i] = m->loop;
}

static void end(int i) {
    ck_assert_int_eq(wsfan_loop_close(members[i].loop), WSFAN_OK);
    live[i] = NULL;
    ck_assert_int_eq(wsfan_node_close(members[i].node), WSFAN_OK);
    members[i].node = NULL;
}

static void stop(void) {
    for (int i = 0; i < 2; i++)
        if (members[i].node != NULL)
            end(i);
}

static wsfan_options options_of(const char *name) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.name = name;
    return options;
}

/* Both nodes allow the keys that the test says. */
static wsfan_options keyed_options(const char *name, int own, const char *const *allow) {
    wsfan_options options = options_of(name);
    for (int i = 0; i < 2 && secrets[i][0] == '\0'; i++)
        ck_assert_int_eq(zmq_curve_keypair(publics[i], secrets[i]), 0);
    options.secret_key = secrets[own];
    options.allow = allow;
    options.allow_count = allow != NULL;
    return options;
}

/* ------------------------------------------------------------------------------------ what is known */

static bool saw(int i, const char *code) {
    for (unsigned k = 0; k < members[i].codes_count; k++)
        if (strcmp(members[i].codes[k], code) == 0)
            return true;
    return false;
}

static bool says(int i, const char *code, const char *words) {
    for (unsigned k = 0; k < members[i].codes_count; k++)
        if (strcmp(members[i].codes[k], code) == 0 && strstr(members[i].texts[k], words) != NULL)
            return true;
    return false;
}

static wsfan_endpoint endpoint_of(int i, const char *endpoint) {
    wsfan_endpoint all[ENDPOINTS_MAX] = { { .struct_size = sizeof all[0] } };
    size_t count;
    ck_assert_int_eq(wsfan_node_get_endpoints(members[i].node, all, ENDPOINTS_MAX, &count),
                     WSFAN_OK);
    for (size_t k = 0; k < count && k < ENDPOINTS_MAX; k++)
        if (strcmp(all[k].endpoint, endpoint) == 0)
            return all[k];
    return (wsfan_endpoint){ .state = WSFAN_ENDPOINT_DIALLING };
}

static bool stands(int i, const char *endpoint, wsfan_endpoint_state state) {
    return endpoint_of(i, endpoint).state == state;
}

/* How often callers with this cause came to node i. */
static uint64_t callers(int i, wsfan_endpoint_state cause, wsfan_reason reason) {
    wsfan_caller all[WSFAN_CALLERS_MAX] = { { .struct_size = sizeof all[0] } };
    size_t count;
    uint64_t times = 0;
    ck_assert_int_eq(wsfan_node_get_callers(members[i].node, all, WSFAN_CALLERS_MAX, &count),
                     WSFAN_OK);
    for (size_t k = 0; k < count; k++)
        if (all[k].cause == cause && all[k].reason == reason)
            times += all[k].count;
    return times;
}

static wsfan_node_state state_of(int i) {
    wsfan_node_state state = { .struct_size = sizeof state };
    ck_assert_int_eq(wsfan_node_get_state(members[i].node, &state), WSFAN_OK);
    return state;
}

static bool in_phase(int i, wsfan_node_phase phase) {
    return state_of(i).phase == phase;
}

/* An endpoint of 127.0.0.1 that a socket has bound; nobody listens. */
static int bind_somewhere(char endpoint[64]) {
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(endpoint, 64, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

enum { FILLERS = 4 };

/* The same, as behind a packet filter: connections are neither accepted nor refused, for its queue is full. */
static int swallow_somewhere(char endpoint[64], int fillers[FILLERS]) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = bind_somewhere(endpoint);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(listen(fd, 0), 0);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fillers[i], 0);
        int result = connect(fillers[i], (struct sockaddr *)&address, sizeof address);
        ck_assert(result == 0 || errno == EINPROGRESS);
    }
    return fd;
}

static void close_all(int fd, const int fillers[FILLERS]) {
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(fd);
}

/* ------------------------------------------------------------------------------------- the mistakes */

START_TEST(a_mesh_that_works_says_so_and_nothing_else) {
    start(0, options_of("a"), NULL);
    WAIT(in_phase(0, WSFAN_NODE_ALONE) && saw(0, "node.alone"));
    start(1, options_of("b"), wsfan_node_endpoint(members[0].node));
    WAIT(saw(0, "peer.up") && saw(1, "peer.up") && saw(1, "endpoint.linked"));
    WAIT(in_phase(0, WSFAN_NODE_MESH) && in_phase(1, WSFAN_NODE_MESH));
    ck_assert(stands(1, wsfan_node_endpoint(members[0].node), WSFAN_ENDPOINT_LINKED));
    ck_assert_uint_eq(state_of(1).peers, 1);
    ck_assert_uint_eq(state_of(1).endpoints_failing, 0);
    wsfan_endpoint e = endpoint_of(1, wsfan_node_endpoint(members[0].node));
    ck_assert_uint_eq(e.sources, WSFAN_SOURCE_OPTIONS);
    ck_assert_uint_eq(e.hears_us, 1);
    ck_assert_uint_eq(e.node, wsfan_node_id(members[0].node));
    ck_assert_uint_ge(e.attempts, 1);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(stats_of(i).endpoint_failures, 0);
        ck_assert_uint_eq(stats_of(i).caller_failures, 0);
    }
    stop();
}
END_TEST

START_TEST(a_wrong_port_is_told_to_who_dials_it) {
    char nobody[64];
    int fd = bind_somewhere(nobody);
    start(0, options_of("a"), nobody);
    WAIT(saw(0, "endpoint.refused_tcp") && stands(0, nobody, WSFAN_ENDPOINT_REFUSED_TCP));
    WAIT(stats_of(0).endpoint_failures > 0);
    WAIT(endpoint_of(0, nobody).attempts > 1);
    ck_assert_uint_eq(state_of(0).endpoints_failing, 1);
    stop();
    close(fd);
}
END_TEST

/* The service behind the port is not ours. */
START_TEST(a_port_of_something_else_is_told_from_one_of_nobody) {
    char other[64];
    int fd = bind_somewhere(other);
    int caller;
    ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    start(0, options_of("a"), other);
    WAIT(stands(0, other, WSFAN_ENDPOINT_MUTE)); /* it takes connections and never reads */
    while (!stands(0, other, WSFAN_ENDPOINT_FOREIGN)) {
        dispatch_all();
        if ((caller = accept(fd, NULL, NULL)) < 0)
            continue;
        ck_assert_int_gt(send(caller, "SSH-2.0-nobody\r\n", 16, MSG_NOSIGNAL), 0);
        close(caller);
    }
    WAIT(saw(0, "endpoint.mute") && saw(0, "endpoint.foreign"));
    stop();
    close(fd);
}
END_TEST

START_TEST(a_key_that_is_not_allowed_is_told_to_both) {
    const char *allow[] = { NULL };
    keyed_options("", 0, NULL); /* makes the keys */
    allow[0] = publics[0];
    start(0, keyed_options("a", 0, NULL), NULL); /* knows its own key alone */
    start(1, keyed_options("b", 1, allow), wsfan_node_endpoint(members[0].node));
    const char *endpoint = wsfan_node_endpoint(members[0].node);
    WAIT(saw(1, "endpoint.key_unknown_there") &&
         stands(1, endpoint, WSFAN_ENDPOINT_KEY_UNKNOWN_THERE));
    WAIT(saw(0, "caller.key_unknown_here") &&
         callers(0, WSFAN_ENDPOINT_KEY_UNKNOWN_HERE, WSFAN_REASON_NONE) > 0);
    WAIT(stats_of(1).endpoint_failures > 0 && stats_of(0).caller_failures > 0 &&
         stats_of(0).handshakes_refused > 0);
    bool address = false;
    for (unsigned k = 0; k < members[0].codes_count; k++)
        address = address || (strcmp(members[0].codes[k], "caller.key_unknown_here") == 0 &&
                              strcmp(members[0].addresses[k], "127.0.0.1") == 0);
    ck_assert(address);
    stop();
}
END_TEST

START_TEST(a_key_that_nobody_expects_is_told_to_both) {
    start(0, keyed_options("a", 0, NULL), NULL);
    start(1, keyed_options("b", 1, NULL), wsfan_node_endpoint(members[0].node));
    const char *endpoint = wsfan_node_endpoint(members[0].node);
    WAIT(saw(1, "endpoint.key_unknown_here") &&
         stands(1, endpoint, WSFAN_ENDPOINT_KEY_UNKNOWN_HERE));
    WAIT(saw(0, "caller.key_unknown_there") &&
         callers(0, WSFAN_ENDPOINT_KEY_UNKNOWN_THERE, WSFAN_REASON_NONE) > 0);
    WAIT(stats_of(1).endpoint_failures > 0 && stats_of(0).caller_failures > 0);
    stop();
}
END_TEST

enum { CALLS = 4 }; /* until then the connection's greeting and a probe's have been told */

START_TEST(a_key_against_plain_text_is_told_to_both) {
    start(0, options_of("a"), NULL);
    start(1, keyed_options("b", 0, NULL), wsfan_node_endpoint(members[0].node));
    const char *endpoint = wsfan_node_endpoint(members[0].node);
    WAIT(saw(1, "endpoint.plain_there") && stands(1, endpoint, WSFAN_ENDPOINT_PLAIN_THERE));
    WAIT(saw(0, "caller.plain_here") &&
         callers(0, WSFAN_ENDPOINT_PLAIN_HERE, WSFAN_REASON_NONE) >= CALLS);
    WAIT(stats_of(1).endpoint_failures > 0 && stats_of(0).caller_failures > 0);
    ck_assert(!saw(1, "endpoint.mute") && stands(1, endpoint, WSFAN_ENDPOINT_PLAIN_THERE));
    stop();
}
END_TEST

START_TEST(plain_text_against_a_key_is_told_to_both) {
    start(0, keyed_options("a", 0, NULL), NULL);
    start(1, options_of("b"), wsfan_node_endpoint(members[0].node));
    const char *endpoint = wsfan_node_endpoint(members[0].node);
    WAIT(saw(1, "endpoint.plain_here") && stands(1, endpoint, WSFAN_ENDPOINT_PLAIN_HERE));
    WAIT(saw(0, "caller.plain_there") &&
         callers(0, WSFAN_ENDPOINT_PLAIN_THERE, WSFAN_REASON_NONE) >= CALLS);
    WAIT(stats_of(1).endpoint_failures > 0 && stats_of(0).caller_failures > 0);
    ck_assert(!saw(1, "endpoint.mute") && stands(1, endpoint, WSFAN_ENDPOINT_PLAIN_HERE));
    stop();
}
END_TEST

/* Whether a name server answers depends on where the test runs. */
START_TEST(a_name_that_does_not_resolve_is_told) {
    const char *name = "tcp://nowhere.invalid:7000";
    start(0, options_of("a"), name);
    WAIT((saw(0, "endpoint.no_name") && stands(0, name, WSFAN_ENDPOINT_NO_NAME)) ||
         (saw(0, "endpoint.dns_silent") && stands(0, name, WSFAN_ENDPOINT_DNS_SILENT)));
    ck_assert_uint_gt(stats_of(0).endpoint_failures, 0);
    ck_assert_uint_gt(stats_of(0).dns_failures, 0);
    ck_assert_uint_eq(endpoint_of(0, name).sources, WSFAN_SOURCE_OPTIONS);
    stop();
}
END_TEST

START_TEST(a_name_shows_what_it_stands_for) {
    char by_name[64];
    start(0, options_of("a"), NULL);
    const char *port = strrchr(wsfan_node_endpoint(members[0].node), ':');
    snprintf(by_name, sizeof by_name, "dns://localhost%s", port);
    start(1, options_of("b"), by_name);
    WAIT(stands(1, wsfan_node_endpoint(members[0].node), WSFAN_ENDPOINT_LINKED));
    WAIT(stands(1, by_name, WSFAN_ENDPOINT_RESOLVED));
    ck_assert_uint_ge(endpoint_of(1, by_name).addresses, 1);
    wsfan_endpoint e = endpoint_of(1, wsfan_node_endpoint(members[0].node));
    ck_assert_str_eq(e.via, by_name);
    ck_assert_uint_eq(e.sources, WSFAN_SOURCE_OPTIONS | WSFAN_SOURCE_DNS);
    stop();
}
END_TEST

START_TEST(nat_without_advertise_is_told_to_both) {
    char nobody[64];
    int fd = bind_somewhere(nobody);
    wsfan_options behind = options_of("b");
    behind.advertise = nobody;
    start(0, options_of("a"), NULL);
    start(1, behind, wsfan_node_endpoint(members[0].node));
    const char *endpoint = wsfan_node_endpoint(members[0].node);
    WAIT(saw(1, "endpoint.not_dialled_back") &&
         stands(1, endpoint, WSFAN_ENDPOINT_NOT_DIALLED_BACK));
    WAIT(saw(0, "endpoint.refused_tcp") && stands(0, nobody, WSFAN_ENDPOINT_REFUSED_TCP));
    ck_assert(says(0, "endpoint.refused_tcp", "should lead to a node that hears this one"));
    wsfan_endpoint told = endpoint_of(0, nobody);
    ck_assert_uint_eq(told.hears_us, 1);
    ck_assert_uint_eq(told.sources, WSFAN_SOURCE_PEERS);
    ck_assert_uint_eq(told.node, wsfan_node_id(members[1].node));
    WAIT(stats_of(1).endpoint_failures > 0 && stats_of(0).endpoint_failures > 0);
    stop();
    close(fd);
}
END_TEST

START_TEST(a_firewall_in_one_direction_is_told_to_both) {
    char filtered[64];
    int fillers[FILLERS];
    int fd = swallow_somewhere(filtered, fillers);
    wsfan_options behind = options_of("b");
    behind.advertise = filtered;
    start(0, options_of("a"), NULL);
    start(1, behind, wsfan_node_endpoint(members[0].node));
    const char *endpoint = wsfan_node_endpoint(members[0].node);
    WAIT(saw(1, "endpoint.not_dialled_back") &&
         stands(1, endpoint, WSFAN_ENDPOINT_NOT_DIALLED_BACK));
    WAIT(saw(0, "endpoint.no_answer") && stands(0, filtered, WSFAN_ENDPOINT_NO_ANSWER));
    WAIT(stats_of(1).endpoint_failures > 0 && stats_of(0).endpoint_failures > 0);
    stop();
    close_all(fd, fillers);
}
END_TEST

START_TEST(another_cluster_is_told_to_both) {
    wsfan_options other = options_of("b");
    other.cluster = "other";
    start(0, options_of("a"), NULL);
    start(1, other, wsfan_node_endpoint(members[0].node));
    const char *endpoint = wsfan_node_endpoint(members[0].node);
    WAIT(saw(1, "endpoint.refused") && stands(1, endpoint, WSFAN_ENDPOINT_REFUSED));
    ck_assert_int_eq(endpoint_of(1, endpoint).reason, WSFAN_REASON_CLUSTER);
    WAIT(in_phase(1, WSFAN_NODE_REFUSED) && saw(1, "node.refused"));
    ck_assert_int_eq(state_of(1).reason, WSFAN_REASON_CLUSTER);
    ck_assert_uint_eq(state_of(1).refuser, wsfan_node_id(members[0].node));
    ck_assert_str_eq(state_of(1).endpoint, endpoint);
    WAIT(saw(0, "caller.refused") && callers(0, WSFAN_ENDPOINT_REFUSED, WSFAN_REASON_CLUSTER) > 0);
    WAIT(stats_of(1).endpoint_failures > 0 && stats_of(0).caller_failures > 0);
    stop();
}
END_TEST

START_TEST(a_node_that_refused_and_has_ended_is_no_longer_said_to_refuse) {
    char endpoint[WSFAN_ENDPOINT_SIZE];
    wsfan_options other = options_of("b");
    other.cluster = "other";
    start(0, options_of("a"), NULL);
    snprintf(endpoint, sizeof endpoint, "%s", wsfan_node_endpoint(members[0].node));
    start(1, other, endpoint);
    WAIT(stands(1, endpoint, WSFAN_ENDPOINT_REFUSED));
    end(0);
    WAIT(stands(1, endpoint, WSFAN_ENDPOINT_REFUSED_TCP));
    WAIT(saw(1, "endpoint.refused_tcp"));
    stop();
}
END_TEST

START_TEST(a_name_of_two_nodes_is_told_to_both) {
    start(0, options_of("a"), NULL);
    start(1, options_of("a"), wsfan_node_endpoint(members[0].node));
    const char *other = wsfan_node_endpoint(members[0].node);
    WAIT(saw(1, "endpoint.refused") && stands(1, other, WSFAN_ENDPOINT_REFUSED));
    ck_assert_int_eq(endpoint_of(1, other).reason, WSFAN_REASON_NAME);
    WAIT(stats_of(1).endpoint_failures > 0);
    for (int i = 0; i < 2; i++) {
        WAIT(callers(i, WSFAN_ENDPOINT_REFUSED, WSFAN_REASON_NAME) > 0 && saw(i, "caller.refused"));
        WAIT(stats_of(i).caller_failures > 0);
    }
    stop();
}
END_TEST

START_TEST(a_node_too_many_is_told_to_both) {
    wsfan_options full = options_of("a");
    wsfan_options first = options_of("first");
    wsfan_node *node;
    full.peers_count_max = 1;
    start(0, full, NULL);
    const char *other = wsfan_node_endpoint(members[0].node);
    first.peers = &other;
    first.peers_count = 1;
    ck_assert_int_eq(wsfan_node_open(&node, &first), WSFAN_OK);
    WAIT(in_phase(0, WSFAN_NODE_MESH));
    start(1, options_of("b"), other);
    WAIT(saw(1, "endpoint.refused") && saw(1, "node.refused"));
    WAIT(stands(1, other, WSFAN_ENDPOINT_REFUSED) && in_phase(1, WSFAN_NODE_REFUSED));
    ck_assert_int_eq(state_of(1).reason, WSFAN_REASON_LIMIT);
    WAIT(callers(0, WSFAN_ENDPOINT_REFUSED, WSFAN_REASON_LIMIT) > 0 && saw(0, "caller.refused"));
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
    WAIT(in_phase(0, WSFAN_NODE_MESH) && in_phase(1, WSFAN_NODE_MESH)); /* there is room */
    stop();
}
END_TEST

/* Peers were listed, and peers_count was left at 0. */
START_TEST(a_forgotten_peers_count_leaves_a_node_that_says_it_is_alone) {
    start(0, options_of("a"), NULL);
    start(1, options_of("b"), NULL);
    WAIT(saw(0, "node.alone") && saw(1, "node.alone"));
    ck_assert(in_phase(0, WSFAN_NODE_ALONE) && in_phase(1, WSFAN_NODE_ALONE));
    const char *late = wsfan_node_endpoint(members[0].node);
    ck_assert_int_eq(wsfan_node_set_peers(members[1].node, &late, 1), WSFAN_OK);
    WAIT(saw(0, "node.mesh") && saw(1, "node.mesh"));
    ck_assert_uint_eq(endpoint_of(1, late).sources, WSFAN_SOURCE_HOST(0));
    stop();
}
END_TEST

/* ------------------------------------------------------------------------------------------ the rest */

START_TEST(what_a_mistake_was_is_over_when_it_is_mended) {
    char nobody[64];
    int fd = bind_somewhere(nobody);
    start(0, options_of("a"), nobody);
    WAIT(stands(0, nobody, WSFAN_ENDPOINT_REFUSED_TCP));
    WAIT(in_phase(0, WSFAN_NODE_SEARCHING) || in_phase(0, WSFAN_NODE_STARTING));
    close(fd);
    wsfan_options late = options_of("b");
    late.endpoint = nobody;
    start(1, late, NULL);
    WAIT(stands(0, nobody, WSFAN_ENDPOINT_LINKED) && in_phase(0, WSFAN_NODE_MESH));
    ck_assert_uint_eq(state_of(0).endpoints_failing, 0);
    ck_assert_int_eq(wsfan_node_drain(members[0].node, 1000), WSFAN_OK);
    WAIT(in_phase(0, WSFAN_NODE_DRAINING) && saw(0, "node.draining"));
    stop();
}
END_TEST

/* A loop that opens late is told what holds; one without the callback costs nothing. */
START_TEST(a_loop_that_opens_late_is_told_what_holds) {
    char nobody[64];
    int fd = bind_somewhere(nobody);
    start(0, options_of("a"), nobody);
    WAIT(saw(0, "endpoint.refused_tcp"));
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_event = on_event };
    member *late = &members[1];
    memset(late, 0, sizeof *late);
    ck_assert_int_eq(wsfan_loop_open(&late->loop, members[0].node, &callbacks, late), WSFAN_OK);
    live[1] = late->loop;
    WAIT(saw(1, "endpoint.refused_tcp"));
    live[1] = NULL;
    ck_assert_int_eq(wsfan_loop_close(late->loop), WSFAN_OK);
    stop();
    close(fd);
}
END_TEST

/* A loop that does not dispatch costs a bounded queue, and is told how much it missed. */
START_TEST(events_without_room_are_counted_and_told) {
    static char texts[WSFAN_ENDPOINTS_MAX][32];
    const char *nobody[WSFAN_ENDPOINTS_MAX];
    for (unsigned i = 0; i < WSFAN_ENDPOINTS_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "tcp://127.0.0.2:%u", i + 1);
        nobody[i] = texts[i];
    }
    start(0, options_of("a"), NULL);
    WAIT(saw(0, "node.alone"));
    ck_assert_int_eq(wsfan_node_set_peers(members[0].node, nobody, WSFAN_ENDPOINTS_MAX), WSFAN_OK);
    int64_t until_ms = now_ms() + DEADLINE_MS;
    while (stats_of(0).dropped[WSFAN_DROP_EVENT] == 0) { /* without dispatching */
        ck_assert_int_lt(now_ms(), until_ms);
        poll(NULL, 0, 10);
    }
    uint64_t dropped = stats_of(0).dropped[WSFAN_DROP_EVENT];
    unsigned before = members[0].codes_count;
    dispatch_all();
    ck_assert_uint_ge(members[0].codes_count - before, 256);
    ck_assert_int_eq(wsfan_node_drain(members[0].node, 1000), WSFAN_OK);
    WAIT(saw(0, "node.draining"));
    ck_assert_uint_ge(members[0].lost, dropped);
    stop();
}
END_TEST

enum { STRANGERS = 200 };

/* Strangers that introduce themselves, each as another node of another cluster. */
static void call_many(void *context, void *sockets[STRANGERS], const char *endpoint) {
    for (unsigned i = 0; i < STRANGERS; i++) {
        uint8_t topic[WSF_INTRODUCTION_SIZE_MAX];
        wsf_introduction introduction = { .protocol_min = WSF_PROTOCOL_MIN,
                                          .protocol_max = WSF_PROTOCOL_MAX,
                                          .node = 1000 + i,
                                          .cluster = "elsewhere" };
        snprintf(introduction.endpoint, sizeof introduction.endpoint, "tcp://127.0.0.2:%u", i + 1);
        size_t size = wsf_write_introduction(topic, &introduction);
        int zero = 0;
        sockets[i] = zmq_socket(context, ZMQ_SUB);
        ck_assert_ptr_nonnull(sockets[i]);
        zmq_setsockopt(sockets[i], ZMQ_LINGER, &zero, sizeof zero);
        ck_assert_int_eq(zmq_setsockopt(sockets[i], ZMQ_SUBSCRIBE, topic, size), 0);
        ck_assert_int_eq(zmq_connect(sockets[i], endpoint), 0);
    }
}

/* Whoever reaches the port can make a host's log only so long. */
START_TEST(a_flood_of_strangers_is_told_of_a_few_times_and_counted) {
    enum { TOLD_MAX = 2 * 32 }; /* in two periods of 10 s */
    static void *sockets[STRANGERS];
    void *context = zmq_ctx_new();
    start(0, options_of("a"), NULL);
    WAIT(saw(0, "node.alone"));
    call_many(context, sockets, wsfan_node_endpoint(members[0].node));
    WAIT(stats_of(0).caller_failures >= STRANGERS);
    WAIT(saw(0, "caller.refused"));
    unsigned told = 0;
    for (unsigned i = 0; i < members[0].codes_count; i++)
        told += strstr(members[0].codes[i], ".refused") != NULL;
    ck_assert_uint_le(told, TOLD_MAX);
    for (unsigned i = 0; i < STRANGERS; i++)
        zmq_close(sockets[i]);
    zmq_ctx_term(context);
    stop();
}
END_TEST

static unsigned descriptors(void) {
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

/* Sockets, probes and monitors of all kinds are under way, each time for a little longer. */
START_TEST(a_node_closes_while_it_looks_for_peers_and_leaves_nothing_behind) {
    enum { TIMES = 12, NAMED = 40 };
    static char texts[NAMED][64];
    const char *named[NAMED];
    int fillers[FILLERS];
    int fd = swallow_somewhere(texts[0], fillers);
    for (unsigned i = 1; i < NAMED; i++)
        snprintf(texts[i], sizeof texts[i],
                 i % 4 == 0 ? "tcp://name%u.invalid:7000" : "tcp://127.0.0.2:%u", i);
    for (unsigned i = 0; i < NAMED; i++)
        named[i] = texts[i];
    unsigned before = 0;
    for (unsigned i = 0; i < TIMES; i++) {
        start(0, options_of("a"), NULL);
        ck_assert_int_eq(wsfan_node_set_peers(members[0].node, named, NAMED), WSFAN_OK);
        unsigned seen = members[0].codes_count;
        while (i > 0 && members[0].codes_count < seen + 4 * i && !saw(0, "node.searching"))
            dispatch_all();
        stop();
        if (i == 0)
            before = descriptors();
    }
    ck_assert_uint_eq(descriptors(), before);
    close_all(fd, fillers);
}
END_TEST

static unsigned calls_within;

static void call_within(void *user, const wsfan_event *event) {
    member *m = user;
    char code[48];
    wsfan_endpoint endpoint = { .struct_size = sizeof endpoint };
    wsfan_caller caller = { .struct_size = sizeof caller };
    wsfan_node_state state = { .struct_size = sizeof state };
    size_t count;
    snprintf(code, sizeof code, "%s", event->code);
    ck_assert_int_eq(wsfan_loop_dispatch(m->loop, 0), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_loop_close(m->loop), WSFAN_EINVAL);
    ck_assert_int_ne(wsfan_node_close(m->node), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_get_endpoints(m->node, &endpoint, 1, &count), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_get_callers(m->node, &caller, 1, &count), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_get_state(m->node, &state), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_set_peers(m->node, NULL, 0), WSFAN_OK);
    ck_assert_str_eq(event->code, code);
    ck_assert_ptr_nonnull(event->name);
    calls_within++;
}

START_TEST(what_an_event_is_about_can_be_asked_within_it) {
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_event = call_within };
    wsfan_options options = options_of("a");
    member *m = &members[0];
    calls_within = 0;
    ck_assert_int_eq(wsfan_node_open(&m->node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&m->loop, m->node, &callbacks, m), WSFAN_OK);
    live[0] = m->loop;
    WAIT(calls_within > 0);
    stop();
}
END_TEST

START_TEST(arguments_are_checked) {
    size_t count;
    wsfan_endpoint endpoint = { .struct_size = 0 };
    wsfan_caller caller = { .struct_size = 0 };
    wsfan_node_state state = { .struct_size = 0 };
    start(0, options_of("a"), "tcp://127.0.0.1:1");
    wsfan_node *node = members[0].node;
    ck_assert_int_eq(wsfan_node_get_endpoints(NULL, NULL, 0, &count), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_get_endpoints(node, NULL, 0, NULL), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_get_endpoints(node, &endpoint, 1, &count), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_get_endpoints(node, NULL, 0, &count), WSFAN_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(wsfan_node_get_callers(NULL, NULL, 0, &count), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_get_callers(node, &caller, 1, &count), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_get_callers(node, NULL, 0, &count), WSFAN_OK);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(wsfan_node_get_state(NULL, &state), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_get_state(node, NULL), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_get_state(node, &state), WSFAN_EINVAL);
    stop();
}
END_TEST

START_TEST(every_state_has_a_name_and_a_text) {
    for (int i = WSFAN_ENDPOINT_DIALLING; i <= WSFAN_ENDPOINT_LOST; i++) {
        ck_assert_str_ne(wsfan_endpoint_state_name((wsfan_endpoint_state)i), "unknown");
        ck_assert_str_ne(wsfan_endpoint_state_text((wsfan_endpoint_state)i), "unknown state");
    }
    for (int i = WSFAN_NODE_STARTING; i <= WSFAN_NODE_DRAINING; i++)
        ck_assert_str_ne(wsfan_node_phase_name((wsfan_node_phase)i), "unknown");
    for (int i = WSFAN_LEVEL_DEBUG; i <= WSFAN_LEVEL_ERROR; i++)
        ck_assert_str_ne(wsfan_level_name((wsfan_level)i), "unknown");
    ck_assert_str_eq(wsfan_endpoint_state_name((wsfan_endpoint_state)99), "unknown");
    ck_assert_str_eq(wsfan_endpoint_state_text((wsfan_endpoint_state)99), "unknown state");
    ck_assert_str_eq(wsfan_node_phase_name((wsfan_node_phase)99), "unknown");
    ck_assert_str_eq(wsfan_level_name((wsfan_level)99), "unknown");
    ck_assert_int_eq(wsfan_endpoint_state_fails((wsfan_endpoint_state)99), 0);
}
END_TEST

SUITE_MAIN("mistakes", a_mesh_that_works_says_so_and_nothing_else,
           a_wrong_port_is_told_to_who_dials_it,
           a_port_of_something_else_is_told_from_one_of_nobody,
           a_key_that_is_not_allowed_is_told_to_both, a_key_that_nobody_expects_is_told_to_both,
           a_key_against_plain_text_is_told_to_both, plain_text_against_a_key_is_told_to_both,
           a_name_that_does_not_resolve_is_told, a_name_shows_what_it_stands_for,
           nat_without_advertise_is_told_to_both, a_firewall_in_one_direction_is_told_to_both,
           another_cluster_is_told_to_both, a_name_of_two_nodes_is_told_to_both,
           a_node_that_refused_and_has_ended_is_no_longer_said_to_refuse,
           a_node_too_many_is_told_to_both,
           a_forgotten_peers_count_leaves_a_node_that_says_it_is_alone,
           what_a_mistake_was_is_over_when_it_is_mended, a_loop_that_opens_late_is_told_what_holds,
           events_without_room_are_counted_and_told,
           a_flood_of_strangers_is_told_of_a_few_times_and_counted,
           a_node_closes_while_it_looks_for_peers_and_leaves_nothing_behind,
           what_an_event_is_about_can_be_asked_within_it, arguments_are_checked,
           every_state_has_a_name_and_a_text)
