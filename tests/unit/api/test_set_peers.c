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

#include "replica.h"
#include "suite.h"

static void start(int i, const char *endpoint) {
    replica_start(i, quick_options(endpoint), NULL, 0, NULL);
}

START_TEST(peers_are_joined_when_they_are_named_and_stay_when_they_are_not) {
    for (int i = 0; i < 3; i++)
        start(i, "tcp://127.0.0.1:*");
    const char *endpoints[] = { wsfan_node_endpoint(replicas[0].node),
                                wsfan_node_endpoint(replicas[1].node) };
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, endpoints, 2), WSFAN_OK);
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    ck_assert_uint_eq(replica_stats(0).endpoints, 1); /* its own is not counted */
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, NULL, 0), WSFAN_OK);
    WAIT(replica_stats(0).endpoints == 0);
    endpoints[1] = wsfan_node_endpoint(replicas[2].node);
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, endpoints, 2), WSFAN_OK);
    WAIT(replica_up(0, 2) &&
         replica_up(1, 2)); /* that 1 hears of it says that 0 and 1 still talk */
    replicas_stop();
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
        WAIT(replica_stats(0).endpoints == count);
    }
    replicas_stop();
}
END_TEST

START_TEST(sources_do_not_know_of_each_other) {
    start(0, "tcp://127.0.0.1:*");
    const char *a[] = { "tcp://127.0.0.1:1", "tcp://127.0.0.1:2" };
    for (unsigned source = 0; source < WSFAN_SOURCES_MAX; source++)
        ck_assert_int_eq(wsfan_node_set_peers_from(replicas[0].node, source, a, 2), WSFAN_OK);
    WAIT(replica_stats(0).endpoints == 2);
    for (unsigned source = 1; source < WSFAN_SOURCES_MAX; source++)
        ck_assert_int_eq(wsfan_node_set_peers_from(replicas[0].node, source, NULL, 0), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_set_peers_from(replicas[0].node, 7, a + 1, 1), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, a, 1), WSFAN_OK);
    WAIT(replica_stats(0).endpoints == 2);
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, NULL, 0), WSFAN_OK);
    WAIT(replica_stats(0).endpoints == 1);
    replicas_stop();
}
END_TEST

START_TEST(a_set_with_one_bad_endpoint_changes_nothing) {
    const char *many[WSFAN_ENDPOINTS_MAX + 1];
    const char *good[] = { "tcp://127.0.0.1:1" };
    start(0, "tcp://127.0.0.1:*");
    start(1, NULL);
    wsfan_node *node = replicas[0].node;
    ck_assert_int_eq(wsfan_node_set_peers(node, good, 1), WSFAN_OK);
    WAIT(replica_stats(0).endpoints == 1);

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
    ck_assert_uint_eq(replica_stats(0).endpoints, 1);

    ck_assert_int_eq(wsfan_node_set_peers(node, many, WSFAN_ENDPOINTS_MAX), WSFAN_OK);
    WAIT(replica_stats(0).endpoints == 1); /* all the same */
    replicas_stop();
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
    replicas_stop();
}
END_TEST

SUITE_MAIN("set_peers", peers_are_joined_when_they_are_named_and_stay_when_they_are_not,
           no_set_is_overlooked_however_fast_they_come, sources_do_not_know_of_each_other,
           a_set_with_one_bad_endpoint_changes_nothing, a_forked_child_may_not_name_peers)
