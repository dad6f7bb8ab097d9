/* Endpoints that the host names while the node runs, on real sockets. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/peers.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "live.h"
#include "suite.h"

enum { NODES_MAX = 3 };

typedef struct {
    wsfan_node *node;
    wsfan_loop *loop;
    wsfan_peer_event event_of[NODES_MAX]; /* of the peer "n<i>" */
} replica;

static replica replicas[NODES_MAX];

static void on_peer(void *user, const wsfan_peer *peer) {
    if (peer->event != WSFAN_PEER_REFUSED && peer->name[0] == 'n')
        ((replica *)user)->event_of[peer->name[1] - '0'] = peer->event;
}

static void start(int i, const char *endpoint) {
    replica *r = &replicas[i];
    wsfan_callbacks callbacks = { .struct_size = sizeof callbacks, .on_peer = on_peer };
    char name[8];
    wsfan_options options = quick_options(endpoint);
    memset(r, 0, sizeof *r);
    snprintf(name, sizeof name, "n%d", i);
    options.name = name;
    ck_assert_int_eq(wsfan_node_open(&r->node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&r->loop, r->node, &callbacks, r), WSFAN_OK);
    live[i] = r->loop;
}

static void stop_all(void) {
    for (int i = 0; i < NODES_MAX; i++) {
        ck_assert_int_eq(wsfan_loop_close(replicas[i].loop), WSFAN_OK);
        ck_assert_int_eq(wsfan_node_close(replicas[i].node), WSFAN_OK);
        live[i] = NULL;
        memset(&replicas[i], 0, sizeof replicas[i]);
    }
}

static bool up(int i, int j) {
    return replicas[i].event_of[j] == WSFAN_PEER_UP;
}

static wsfan_stats stats_of(int i) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(replicas[i].node, &stats), WSFAN_OK);
    return stats;
}

START_TEST(peers_are_joined_when_they_are_named_and_stay_when_they_are_not) {
    for (int i = 0; i < 3; i++)
        start(i, "tcp://127.0.0.1:*");
    const char *endpoints[] = { wsfan_node_endpoint(replicas[0].node),
                                wsfan_node_endpoint(replicas[1].node) };
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, endpoints, 2), WSFAN_OK);
    WAIT(up(0, 1) && up(1, 0));
    ck_assert_uint_eq(stats_of(0).endpoints, 1); /* its own is not counted */
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, NULL, 0), WSFAN_OK);
    WAIT(stats_of(0).endpoints == 0);
    endpoints[1] = wsfan_node_endpoint(replicas[2].node);
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, endpoints, 2), WSFAN_OK);
    WAIT(up(0, 2) && up(1, 2)); /* that 1 hears of it says that 0 and 1 still talk */
    stop_all();
}
END_TEST

START_TEST(no_set_is_overlooked_however_fast_they_come) {
    start(0, "tcp://127.0.0.1:*");
    const char *endpoints[] = { "tcp://127.0.0.1:1", "ipc:///nobody/here" };
    for (unsigned round = 0; round < 300;
         round++) { /* a node without peers wakes up for it alone */
        size_t count = 0;
        for (unsigned i = 0; i < 100 + round; i++) {
            count = (round + i) % 3;
            ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, endpoints, count), WSFAN_OK);
        }
        WAIT(stats_of(0).endpoints == count);
    }
    stop_all();
}
END_TEST

START_TEST(sources_do_not_know_of_each_other) {
    start(0, "tcp://127.0.0.1:*");
    const char *a[] = { "tcp://127.0.0.1:1", "tcp://127.0.0.1:2" };
    for (unsigned source = 0; source < WSFAN_SOURCES_MAX; source++)
        ck_assert_int_eq(wsfan_node_set_peers_from(replicas[0].node, source, a, 2), WSFAN_OK);
    WAIT(stats_of(0).endpoints == 2);
    for (unsigned source = 1; source < WSFAN_SOURCES_MAX; source++)
        ck_assert_int_eq(wsfan_node_set_peers_from(replicas[0].node, source, NULL, 0), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_set_peers_from(replicas[0].node, 7, a + 1, 1), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, a, 1), WSFAN_OK);
    WAIT(stats_of(0).endpoints == 2);
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, NULL, 0), WSFAN_OK);
    WAIT(stats_of(0).endpoints == 1);
    stop_all();
}
END_TEST

START_TEST(a_set_with_one_bad_endpoint_changes_nothing) {
    const char *many[WSFAN_ENDPOINTS_MAX + 1];
    const char *good[] = { "tcp://127.0.0.1:1" };
    start(0, "tcp://127.0.0.1:*");
    start(1, NULL);
    wsfan_node *node = replicas[0].node;
    ck_assert_int_eq(wsfan_node_set_peers(node, good, 1), WSFAN_OK);
    WAIT(stats_of(0).endpoints == 1);

    static const char *const bad[] = {
        "tcp://127.0.0.1", "tcp://*:7000", "tcp://127.0.0.1:*", "dns://localhost", "", NULL
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *set[] = { "tcp://127.0.0.1:2", "tcp://127.0.0.1:3", bad[i] };
        ck_assert_int_eq(wsfan_node_set_peers(node, set, 3),
                         bad[i] == NULL ? WSFAN_EINVAL : WSFAN_EENDPOINT);
    }
    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        many[i] = "tcp://127.0.0.1:2";
    ck_assert_int_eq(wsfan_node_set_peers(node, many, WSFAN_ENDPOINTS_MAX + 1), WSFAN_ELIMIT);
    ck_assert_int_eq(wsfan_node_set_peers(node, NULL, 1), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_set_peers(NULL, good, 1), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_set_peers_from(node, 8, good, 1), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_node_set_peers(replicas[1].node, good, 1), WSFAN_EINVAL); /* no mesh */
    ck_assert_uint_eq(stats_of(0).endpoints, 1);

    ck_assert_int_eq(wsfan_node_set_peers(node, many, WSFAN_ENDPOINTS_MAX), WSFAN_OK);
    WAIT(stats_of(0).endpoints == 1); /* all the same */
    stop_all();
}
END_TEST

START_TEST(a_forked_child_may_not_name_peers) {
    start(0, "tcp://127.0.0.1:*");
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(wsfan_node_set_peers(replicas[0].node, NULL, 0) == WSFAN_EFORK ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    stop_all();
}
END_TEST

SUITE_MAIN("set_peers", peers_are_joined_when_they_are_named_and_stay_when_they_are_not,
           no_set_is_overlooked_however_fast_they_come, sources_do_not_know_of_each_other,
           a_set_with_one_bad_endpoint_changes_nothing, a_forked_child_may_not_name_peers)
