#include "base/endpoint.h"

#include <string.h>

#include "suite.h"

START_TEST(good_endpoints_are_accepted) {
    static const char *const good[] = { "tcp://127.0.0.1:7000",   "tcp://chat-0.chat.svc:1",
                                        "tcp://a_b:65535",        "tcp://[::1]:7000",
                                        "tcp://[fe80::1%eth0]:9", "ipc:///run/wsfan.sock",
                                        "ipc:///run/näh 1" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(wsf_endpoint_valid(good[i], strlen(good[i]), false), "%s", good[i]);
}
END_TEST

START_TEST(wildcards_are_for_binding_only) {
    static const char *const wild[] = { "tcp://*:7000", "tcp://127.0.0.1:*", "tcp://*:*" };
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
        ck_assert_msg(wsf_endpoint_valid(wild[i], strlen(wild[i]), true), "%s", wild[i]);
        ck_assert_msg(!wsf_endpoint_valid(wild[i], strlen(wild[i]), false), "%s", wild[i]);
    }
}
END_TEST

START_TEST(everything_else_is_refused) {
    static const char *const bad[] = { "",
                                       "tcp://",
                                       "tcp://host",
                                       "tcp://host:",
                                       "tcp://:7000",
                                       "tcp://host:0",
                                       "tcp://host:65536",
                                       "tcp://host:99999999999999999999",
                                       "tcp://host:12x",
                                       "tcp://ho st:1",
                                       "tcp://eth0;1.2.3.4:5@x:1",
                                       "tcp://[]:1",
                                       "udp://host:1",
                                       "inproc://x",
                                       "host:1",
                                       "ipc://",
                                       "ipc:///tmp/a\nb",
                                       "ipc:///tmp/\x1b[2J",
                                       "ipc:///tmp/\xff" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!wsf_endpoint_valid(bad[i], strlen(bad[i]), true), "%s", bad[i]);
    ck_assert(!wsf_endpoint_valid("tcp://a\0b:1", 11, true));
    ck_assert(!wsf_endpoint_valid("ipc://a\0b", 9, true));
}
END_TEST

START_TEST(the_size_limit_holds) {
    char text[WSF_ENDPOINT_SIZE_MAX + 2];
    memset(text, 'a', sizeof text);
    memcpy(text, "ipc://", 6);
    ck_assert(wsf_endpoint_valid(text, WSF_ENDPOINT_SIZE_MAX, false));
    ck_assert(!wsf_endpoint_valid(text, WSF_ENDPOINT_SIZE_MAX + 1, false));
}
END_TEST

START_TEST(loopback_is_known_however_it_is_written) {
    static const char *const local[] = {
        "tcp://127.0.0.1:7000",      "tcp://127.1:7000",    "tcp://lo:*",
        "tcp://localhost:7000",      "tcp://LocalHost:*",   "tcp://[::1]:7000",
        "tcp://[0:0:0:0:0:0:0:1]:*", "tcp://[::0001]:7000", "tcp://[::ffff:127.0.0.1]:*",
        "ipc:///run/wsfan.sock"
    };
    static const char *const other[] = { "tcp://*:7000",
                                         "tcp://0.0.0.0:7000",
                                         "tcp://[::]:7000",
                                         "tcp://[::2]:7000",
                                         "tcp://[::ffff:128.0.0.1]:*",
                                         "tcp://128.0.0.1:7000",
                                         "tcp://127.example.org:7000",
                                         "tcp://localhost.example.org:7000",
                                         "tcp://localhost2:7000",
                                         "tcp://[localhost2]:7000",
                                         "tcp://lo0:7000",
                                         "tcp://LO:7000" };
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        ck_assert_msg(wsf_endpoint_valid(local[i], strlen(local[i]), true), "%s", local[i]);
        ck_assert_msg(wsf_endpoint_is_local(local[i]), "%s", local[i]);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        ck_assert_msg(wsf_endpoint_valid(other[i], strlen(other[i]), true), "%s", other[i]);
        ck_assert_msg(!wsf_endpoint_is_local(other[i]), "%s", other[i]);
    }
}
END_TEST

START_TEST(localhost_is_bound_as_an_address_and_all_else_as_it_is_written) {
    static const char *const same[] = { "tcp://127.0.0.1:7000", "tcp://*:*", "tcp://lo:7000",
                                        "tcp://[::1]:7000", "ipc://localhost" };
    char bound[WSF_ENDPOINT_SIZE_MAX + 1];
    wsf_endpoint_to_bind("tcp://localhost:7000", bound);
    ck_assert_str_eq(bound, "tcp://127.0.0.1:7000");
    wsf_endpoint_to_bind("tcp://LOCALHOST:*", bound);
    ck_assert_str_eq(bound, "tcp://127.0.0.1:*");
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        wsf_endpoint_to_bind(same[i], bound);
        ck_assert_str_eq(bound, same[i]);
    }
}
END_TEST

static bool to_dial(const char *text, bool *resolve) {
    return wsf_endpoint_to_dial(text, strlen(text), resolve);
}

START_TEST(what_the_host_names_goes_to_dns_unless_it_is_an_address) {
    static const char *const names[] = { "dns://chat:7000",      "tcp://chat.default.svc:1",
                                         "dns://a_b:65535",      "dns://192.0.2.1:80",
                                         "tcp://localhost:7000", "tcp://1.example:1",
                                         "tcp://cafe:1" };
    static const char *const addresses[] = { "tcp://192.0.2.1:80", "tcp://[2001:db8::1]:80",
                                             "tcp://[::ffff:192.0.2.1]:80",
                                             "tcp://[fe80::1%eth0]:9", "ipc:///run/chat.example" };
    static const char *const bad[] = { "dns://",
                                       "dns://chat",
                                       "dns://chat:0",
                                       "dns://chat:*",
                                       "dns://*:1",
                                       "dns://[::1]:1",
                                       "dns://chat:1:2",
                                       "dns://:7000",
                                       "tcp://*:1",
                                       "tcp://chat:*",
                                       "tcp://[chat]:1",
                                       "tcp://[fe80::1%]:1",
                                       "tcp://10.0.0.256:1",
                                       "tcp://127.1:1",
                                       "tcp://2130706433:1",
                                       "tcp://[1.2.3.4]:1",
                                       "udp://chat:1" };
    bool resolve;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(to_dial(names[i], &resolve) && resolve, "%s", names[i]);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        ck_assert_msg(to_dial(addresses[i], &resolve) && !resolve, "%s", addresses[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!to_dial(bad[i], &resolve), "%s", bad[i]);
    char host[WSF_ENDPOINT_SIZE_MAX + 1];
    unsigned port;
    wsf_endpoint_split("dns://chat.default.svc:65535", host, &port);
    ck_assert_str_eq(host, "chat.default.svc");
    ck_assert_uint_eq(port, 65535);
}
END_TEST

START_TEST(what_is_told_to_peers_is_an_address_of_one_node) {
    static const char *const good[] = { "tcp://192.0.2.1:80",          "tcp://[2001:db8::1]:80",
                                        "tcp://127.0.0.1:7000",        "tcp://[::1]:7000",
                                        "tcp://[::ffff:192.0.2.1]:80", "ipc:///run/wsfan.sock" };
    static const char *const bad[] = {
        "tcp://chat:7000",        "tcp://localhost:7000", "dns://chat:7000",
        "tcp://[fe80::1%eth0]:9", "tcp://127.1:7000",     "tcp://0.0.0.0:7000",
        "tcp://0.1.2.3:1",        "tcp://224.0.0.1:7000", "tcp://255.255.255.255:7000",
        "tcp://[::]:7000",        "tcp://[ff02::1]:7000", "tcp://*:7000",
        "tcp://192.0.2.1:*",      "tcp://[chat]:1"
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(wsf_endpoint_to_tell(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!wsf_endpoint_to_tell(bad[i], strlen(bad[i])), "%s", bad[i]);
}
END_TEST

START_TEST(an_endpoint_of_a_carrier_is_a_scheme_and_a_name) {
    static const char *const good[] = { "nats:pod-3", "a:b", "air2:0_A-z", "abcdefghijklmno:n" };
    static const char *const bad[] = { "",
                                       ":",
                                       "nats",
                                       "nats:",
                                       ":pod",
                                       "Nats:pod",
                                       "2nats:pod",
                                       "na-ts:pod",
                                       "nats:pod.3",
                                       "nats:*",
                                       "nats:a b",
                                       "nats:a:b",
                                       "nats:\xc3\xa4",
                                       "tcp://127.0.0.1:7000",
                                       "ipc://a",
                                       "abcdefghijklmnop:n",
                                       "nats:a\n" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(wsf_endpoint_is_carried(good[i], strlen(good[i])), "%s", good[i]);
        ck_assert(wsf_endpoint_to_tell(good[i], strlen(good[i])));
        ck_assert(!wsf_endpoint_valid(good[i], strlen(good[i]), true));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!wsf_endpoint_is_carried(bad[i], strlen(bad[i])), "%s", bad[i]);
    ck_assert(!wsf_endpoint_is_carried("nats:a\0b", 8));
    char name[107] = "nats:";
    memset(name + 5, 'x', 101);
    ck_assert(wsf_endpoint_is_carried(name, 105));
    ck_assert(!wsf_endpoint_is_carried(name, 106));
}
END_TEST

SUITE_MAIN("endpoint", an_endpoint_of_a_carrier_is_a_scheme_and_a_name, good_endpoints_are_accepted,
           wildcards_are_for_binding_only, everything_else_is_refused, the_size_limit_holds,
           loopback_is_known_however_it_is_written,
           localhost_is_bound_as_an_address_and_all_else_as_it_is_written,
           what_the_host_names_goes_to_dns_unless_it_is_an_address,
           what_is_told_to_peers_is_an_address_of_one_node)
