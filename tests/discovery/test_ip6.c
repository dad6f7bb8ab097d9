/* What is bound and what peers are told on machines with IPv6, in a network namespace (namespace.sh) that has
 * loopback alone until a test gives it an interface, without any IPv4 address. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "live.h"
#include "suite.h"

enum { NODES_MAX = 3 };

static wsfan_node *nodes[NODES_MAX];

static void run(const char *command) {
    ck_assert_msg(system(command) == 0, "%s", command);
}

/* An interface with a link-local address, and with those that are given. */
static void add_interface(const char *addresses) {
    char command[300];
    snprintf(command, sizeof command,
             "ip link add d0 type veth peer name d1; ip link set d1 up; ip link set d0 up;"
             "for a in %s; do ip -6 address add $a/64 dev d0 nodad; done",
             addresses);
    run(command);
}

static wsfan_options options_of(const char *endpoint) {
    wsfan_options options = quick_options(endpoint);
    options.allow_insecure = 1; /* in a network of our own */
    return options;
}

static void start(int i, wsfan_options options, const char *peer) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks };
    options.peers = peer != NULL ? &peer : NULL;
    options.peers_count = peer != NULL;
    ck_assert_int_eq(wsfan_node_open(&nodes[i], &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&live[i], nodes[i], &callbacks, NULL), WSFAN_OK);
}

static void stop_all(void) {
    for (int i = 0; i < NODES_MAX; i++) {
        ck_assert_int_eq(wsfan_loop_close(live[i]), WSFAN_OK);
        live[i] = NULL;
        ck_assert_int_eq(wsfan_node_close(nodes[i]), WSFAN_OK);
        nodes[i] = NULL;
    }
}

static bool all_up(unsigned peers) {
    for (int i = 0; i < NODES_MAX; i++) {
        wsfan_stats stats = { .struct_size = sizeof stats };
        if (nodes[i] == NULL)
            continue;
        ck_assert_int_eq(wsfan_node_get_stats(nodes[i], &stats), WSFAN_OK);
        if (stats.peers_up != peers)
            return false;
    }
    return true;
}

START_TEST(a_wildcard_is_bound_for_both_families) {
    wsfan_options options = options_of("tcp://*:7000");
    options.advertise = "tcp://127.0.0.1:7000";
    start(0, options, NULL);
    start(1, options_of("tcp://[::1]:7001"), "tcp://[::1]:7000");
    start(2, options_of("tcp://127.0.1.1:7002"), "tcp://127.0.0.1:7000");
    WAIT(all_up(2));
    stop_all();
}
END_TEST

START_TEST(on_a_host_with_loopback_alone_peers_are_told_loopback) {
    start(0, options_of("tcp://*:7000"), NULL);
    ck_assert_str_eq(wsfan_node_endpoint(nodes[0]), "tcp://127.0.0.1:7000");
    stop_all();
}
END_TEST

START_TEST(on_a_host_with_ip6_alone_peers_are_told_an_address_that_they_can_use) {
    static const char *const bound[] = { "tcp://*:7000", "tcp://[::]:7000", "tcp://d0:7000" };
    add_interface("fd01::1 fd01::2");
    for (size_t i = 0; i < sizeof bound / sizeof *bound; i++) {
        start(0, options_of(bound[i]), NULL);
        ck_assert_str_eq(wsfan_node_endpoint(nodes[0]), "tcp://[fd01::1]:7000");
        start(1, options_of("tcp://*:7001"), "tcp://[fd01::1]:7000");
        WAIT(all_up(1));
        stop_all();
    }
    run("ip link del d0");
}
END_TEST

START_TEST(an_address_that_no_peer_can_use_is_an_error) {
    static const char *const useless[] = { "tcp://*:*", "tcp://0.0.0.0:*", "tcp://[::]:*",
                                           "tcp://d0:*", "tcp://[fe80::1%d0]:*" };
    add_interface("fe80::1");
    for (size_t i = 0; i < sizeof useless / sizeof *useless; i++) {
        wsfan_options options = options_of(useless[i]);
        ck_assert_int_eq(wsfan_node_open(&nodes[0], &options), WSFAN_EADDR);
        options.advertise = "tcp://192.0.2.1:7000";
        int named = strcmp(useless[i], "tcp://d0:*") == 0 ? WSFAN_EADDR : WSFAN_OK; /* not bound */
        ck_assert_int_eq(wsfan_node_open(&nodes[0], &options), named);
        if (named == WSFAN_OK)
            ck_assert_int_eq(wsfan_node_close(nodes[0]), WSFAN_OK);
        nodes[0] = NULL;
    }
    run("ip link del d0");
}
END_TEST

SUITE_MAIN("ip6", a_wildcard_is_bound_for_both_families,
           on_a_host_with_loopback_alone_peers_are_told_loopback,
           on_a_host_with_ip6_alone_peers_are_told_an_address_that_they_can_use,
           an_address_that_no_peer_can_use_is_an_error)
