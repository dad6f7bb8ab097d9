/* Discovery by a real dnsmasq, in a network namespace (namespace.sh): nodes listen on addresses of
 * the loopback interface, all on one port, and dnsmasq tells their addresses from a hosts file. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/peers.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "replica.h"
#include "suite.h"

enum { NODES_MAX = 4 };

static pid_t dnsmasq;

/* ------------------------------------------------------------------------------------- replicas */

static wsfan_options asking_options(const char *endpoint) {
    wsfan_options options = quick_options(endpoint);
    options.allow_insecure = 1; /* in a network of our own */
    options.forget_ms = 3000;
    options.dns_interval_ms = 200;
    return options;
}

static void start(int i, wsfan_options options, const char *peer) {
    replica_start(i, options, &peer, peer != NULL, NULL);
}

/* The node under test, which knows a name only. */
static void start_asking(const char *name) {
    start(0, asking_options("tcp://127.0.0.1:7000"), name);
}

static void start_at(int i, const char *endpoint) {
    start(i, asking_options(endpoint), NULL);
}

static size_t count_peers(int i) {
    size_t count;
    ck_assert_int_eq(wsfan_node_get_peers(replicas[i].node, NULL, 0, &count), WSFAN_OK);
    return count;
}

static bool up(int i, int j) {
    return replica_up(i, j) && replica_up(j, i);
}

static void wait_for_answers(unsigned count) {
    uint64_t before = replica_stats(0).dns_answers;
    WAIT(replica_stats(0).dns_answers >= before + count);
}

static void wait_for_failures(unsigned count) {
    uint64_t before = replica_stats(0).dns_failures;
    WAIT(replica_stats(0).dns_failures >= before + count);
}

/* -------------------------------------------------------------------------------------- dnsmasq */

static const char *scratch(const char *name) {
    static char path[2][256];
    static int next;
    char *out = path[next++ % 2];
    const char *directory = getenv("SCRATCH");
    ck_assert_msg(directory != NULL, "run it by namespace.sh");
    snprintf(out, sizeof path[0], "%s/%s", directory, name);
    return out;
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* What dnsmasq knows; a line is "ADDRESS NAME". */
static void records(const char *hosts) {
    write_file(scratch("hosts"), hosts);
    if (dnsmasq > 0)
        ck_assert_int_eq(kill(dnsmasq, SIGHUP), 0);
}

static void start_dnsmasq(void) {
    char hosts[300];
    snprintf(hosts, sizeof hosts, "--addn-hosts=%s", scratch("hosts"));
    dnsmasq = fork();
    ck_assert_int_ge(dnsmasq, 0);
    if (dnsmasq == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none behind */
        execlp("dnsmasq", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
               "--no-hosts", hosts, "--user=", "--group=", "--pid-file=", "--bind-interfaces",
               "--listen-address=127.0.0.1", "--local=/test/", "--txt-record=text.test,no address",
               "--log-facility=/dev/null", (char *)NULL);
        _exit(127);
    }
    /* It listens when TCP connects. */
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(53) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool listens = false;
    while (!listens) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        listens = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
        close(fd);
        ck_assert_msg(waitpid(dnsmasq, NULL, WNOHANG) == 0, "dnsmasq does not start");
    }
}

static void stop_dnsmasq(void) {
    if (dnsmasq <= 0)
        return;
    kill(dnsmasq, SIGKILL);
    ck_assert_int_eq(waitpid(dnsmasq, NULL, 0), dnsmasq);
    dnsmasq = 0;
}

static void begin(const char *hosts) {
    records(hosts);
    start_dnsmasq();
}

static void end(void) {
    for (int i = 0; i < NODES_MAX; i++)
        if (replicas[i].node != NULL)
            replica_stop(i);
    stop_dnsmasq();
}

/* ---------------------------------------------------------------------------------------- tests */

START_TEST(addresses_of_both_families_are_joined) {
    begin("127.0.1.1 mesh.test\nfd00::1 mesh.test\n127.0.0.1 mesh.test\n");
    start_asking("dns://mesh.test:7000");
    start_at(1, "tcp://127.0.1.1:7000");
    start_at(2, "tcp://[fd00::1]:7000");
    WAIT(up(0, 1) && up(0, 2) && up(1, 2));
    ck_assert_uint_eq(replica_stats(0).endpoints, 2); /* its own is left out */
    end();
}
END_TEST

START_TEST(an_address_that_is_added_is_joined_and_one_that_is_removed_keeps_its_live_peer) {
    begin("127.0.1.1 mesh.test\n");
    start_asking("dns://mesh.test:7000");
    start_at(1, "tcp://127.0.1.1:7000");
    start_at(2, "tcp://127.0.1.2:7000");
    WAIT(up(0, 1));
    ck_assert_int_ne(replicas[0].event_of[2], WSFAN_PEER_UP);
    records("127.0.1.2 mesh.test\n");
    WAIT(up(0, 2));
    wait_for_answers(2);
    ck_assert_uint_eq(replica_stats(0).endpoints, 1);
    int64_t begin_ms = now_ms();
    WAIT(now_ms() - begin_ms > 4000); /* more than forget_ms */
    ck_assert(up(0, 1));
    ck_assert_int_eq(wsfan_session_join(replicas[1].loop, replicas[1].session, wsfan_string("c")),
                     WSFAN_OK);
    WAIT(replicas[1].joined == 1);
    ck_assert_int_eq(
        wsfan_broadcast(replicas[0].node, wsfan_string("c"), wsfan_string("hello"), NULL),
        WSFAN_OK);
    WAIT(replicas[1].messages == 1);
    end();
}
END_TEST

static pid_t start_child_at(const char *endpoint) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        start_at(1, endpoint);
        for (;;)
            dispatch_all();
    }
    return child;
}

static int listen_at(const char *address) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(7000) };
    inet_pton(AF_INET, address, &at.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

static bool hung_up(int fd) {
    char bytes[256];
    ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno == ECONNRESET);
}

START_TEST(a_peer_that_is_dead_and_no_longer_named_is_hung_up_on_and_not_dialled_again) {
    records("127.0.1.1 mesh.test\n127.0.1.2 mesh.test\n");
    pid_t child = start_child_at("tcp://127.0.1.1:7000");
    start_dnsmasq();
    start_asking("dns://mesh.test:7000");
    WAIT(replicas[0].event_of[1] == WSFAN_PEER_UP);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);

    int listener = listen_at("127.0.1.1");
    int caller = -1;
    WAIT((caller = accept(listener, NULL, NULL)) >= 0); /* named: it is dialled */
    records("127.0.1.2 mesh.test\n");
    WAIT(replicas[0].event_of[1] == WSFAN_PEER_DOWN);
    WAIT(count_peers(0) == 0); /* until it is forgotten it is dialled anew */
    for (int next = 0; next >= 0 || !hung_up(caller);) { /* calls that were on their way, too */
        dispatch_all();
        next = accept(listener, NULL, NULL);
        if (next >= 0) {
            close(caller);
            caller = next;
        }
    }
    ck_assert_uint_eq(replica_stats(0).endpoints, 1);
    /* Longer than the longest pause between two dials, 2 s. */
    struct pollfd item = { .fd = listener, .events = POLLIN };
    ck_assert_int_eq(poll(&item, 1, 5000), 0);
    close(caller);
    close(listener);
    end();
}
END_TEST

/* 127.0.2.1 and the addresses after it. */
static void many_records(int count) {
    FILE *file = fopen(scratch("hosts"), "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 1; i <= count; i++)
        fprintf(file, "127.0.%d.%d mesh.test\n", 2 + i / 250, i % 250 + 1);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_hundred_addresses_come_by_tcp_and_none_is_missing) {
    many_records(100); /* UDP takes 512 bytes */
    start_dnsmasq();
    start_asking("dns://mesh.test:7000");
    start_at(1, "tcp://127.0.2.2:7000");
    start_at(2, "tcp://127.0.2.101:7000");
    WAIT(replica_stats(0).endpoints == 100);
    WAIT(up(0, 1) && up(0, 2));
    ck_assert_uint_eq(replica_stats(0).dns_surplus, 0);
    end();
}
END_TEST

START_TEST(more_addresses_than_are_taken_are_counted) {
    many_records(WSFAN_ENDPOINTS_MAX + 44);
    start_dnsmasq();
    start_asking("dns://mesh.test:7000");
    WAIT(replica_stats(0).endpoints == WSFAN_ENDPOINTS_MAX);
    WAIT(replica_stats(0).dns_surplus == 44);
    end();
}
END_TEST

START_TEST(no_such_name_no_address_no_server_and_no_answer_keep_the_last_set) {
    begin("127.0.1.1 mesh.test\n127.0.1.2 mesh.test\n");
    start_asking("dns://mesh.test:7000");
    start_at(1, "tcp://127.0.1.1:7000");
    WAIT(up(0, 1) && replica_stats(0).endpoints == 2);

    records("");
    wait_for_failures(3);
    records("127.0.1.2 other.test\n");
    wait_for_failures(3);
    ck_assert_int_eq(kill(dnsmasq, SIGSTOP), 0);
    wait_for_failures(1);
    stop_dnsmasq();
    wait_for_failures(3);
    ck_assert_uint_eq(replica_stats(0).endpoints, 2);
    ck_assert(up(0, 1));

    records("127.0.1.3 mesh.test\n");
    start_dnsmasq();
    start_at(2, "tcp://127.0.1.3:7000");
    WAIT(up(0, 2));
    ck_assert_uint_eq(replica_stats(0).endpoints, 1);
    ck_assert(up(0, 1));
    end();
}
END_TEST

START_TEST(a_name_without_an_address_and_one_that_is_refused_are_harmless) {
    const char *names[] = { "dns://text.test:7000", "dns://mesh.elsewhere:7000",
                            "dns://mesh.test:7000" };
    wsfan_options options = asking_options("tcp://127.0.0.1:7000");
    begin("127.0.1.1 mesh.test\n");
    start_at(1, "tcp://127.0.1.1:7000");
    options.name = "n0";
    options.peers = names;
    options.peers_count = 3;
    ck_assert_int_eq(wsfan_node_open(&replicas[0].node, &options), WSFAN_OK);
    WAIT(replicas[1].event_of[0] == WSFAN_PEER_UP);
    wait_for_failures(4);
    wait_for_answers(2);
    ck_assert_uint_eq(replica_stats(0).endpoints, 1);
    ck_assert_int_eq(wsfan_node_close(replicas[0].node), WSFAN_OK);
    replicas[0].node = NULL;
    end();
}
END_TEST

START_TEST(a_server_that_comes_up_later_is_asked_long_before_the_interval_is_over) {
    wsfan_options options = asking_options("tcp://127.0.0.1:7000");
    options.dns_interval_ms = 3600000;
    records("127.0.1.1 mesh.test\n");
    start(0, options, "dns://mesh.test:7000");
    start_at(1, "tcp://127.0.1.1:7000");
    WAIT(replica_stats(0).dns_failures >= 3);
    start_dnsmasq();
    WAIT(up(0, 1));
    end();
}
END_TEST

START_TEST(a_resolv_conf_that_changes_is_read_again) {
    write_file("/etc/resolv.conf", "nameserver 127.0.0.3\n"); /* nobody there */
    begin("127.0.1.1 mesh.test\n");
    start_asking("dns://mesh:7000");
    start_at(1, "tcp://127.0.1.1:7000");
    wait_for_failures(2);
    write_file("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch test\n");
    WAIT(up(0, 1));
    write_file("/etc/resolv.conf", "nameserver 127.0.0.1\n");
    end();
}
END_TEST

START_TEST(names_are_written_with_tcp_too_and_there_may_be_many) {
    enum { NAMES = 20 };
    char text[NAMES][32];
    const char *names[NAMES];
    FILE *file = fopen(scratch("hosts"), "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < NAMES; i++) {
        fprintf(file, "127.0.1.%d chat-%d.test\n", i + 1, i);
        snprintf(text[i], sizeof text[i], "%s://chat-%d.test:7000", i % 3 == 0 ? "dns" : "tcp", i);
        names[i] = text[i];
    }
    ck_assert_int_eq(fclose(file), 0);
    start_dnsmasq();
    wsfan_options options = asking_options("tcp://127.0.0.1:7000");
    options.name = "n0";
    options.peers = names;
    options.peers_count = NAMES;
    start_at(1, "tcp://127.0.1.1:7000");
    start_at(2, "tcp://127.0.1.20:7000");
    ck_assert_int_eq(wsfan_node_open(&replicas[0].node, &options), WSFAN_OK);
    WAIT(replicas[1].event_of[0] == WSFAN_PEER_UP && replicas[2].event_of[0] == WSFAN_PEER_UP);
    WAIT(replica_stats(0).endpoints == NAMES);
    ck_assert_int_eq(wsfan_node_close(replicas[0].node), WSFAN_OK);
    replicas[0].node = NULL;
    end();
}
END_TEST

static void set_peers(unsigned source, const char *a, const char *b) {
    const char *endpoints[] = { a, b };
    size_t count = (a != NULL) + (size_t)(b != NULL);
    ck_assert_int_eq(wsfan_node_set_peers_from(replicas[0].node, source, endpoints, count),
                     WSFAN_OK);
}

START_TEST(names_may_be_named_while_the_node_runs_by_each_source) {
    begin("127.0.1.1 mesh.test\n127.0.1.2 other.test\n127.0.1.3 other.test\n");
    start_at(0, "tcp://127.0.0.1:7000"); /* no name so far */
    start_at(1, "tcp://127.0.1.1:7000");
    start_at(2, "tcp://127.0.1.2:7000");
    set_peers(0, "tcp://mesh.test:7000", "tcp://127.0.9.9:7000");
    WAIT(up(0, 1) && replica_stats(0).endpoints == 2);
    set_peers(7, "tcp://other.test:7000", NULL);
    WAIT(up(0, 2) && replica_stats(0).endpoints == 4);
    set_peers(0, "tcp://other.test:7000",
              "tcp://mesh.test:7000"); /* one of them is known already */
    WAIT(replica_stats(0).endpoints == 3);
    set_peers(7, NULL, NULL);
    set_peers(0, "tcp://mesh.test:7000", "tcp://mesh.test:7000");
    WAIT(replica_stats(0).endpoints == 1);
    set_peers(0, NULL, NULL);
    WAIT(replica_stats(0).endpoints == 0);
    uint64_t answers = replica_stats(0).dns_answers;
    set_peers(3, "dns://mesh.test:7000", NULL);
    WAIT(replica_stats(0).dns_answers > answers && replica_stats(0).endpoints == 1);
    ck_assert(up(0, 1) && up(0, 2));
    end();
}
END_TEST

/* A name server that never answers. */
static int listen_silently(void) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(silent, (struct sockaddr *)&at, sizeof at), 0);
    return silent;
}

static bool was_asked(int silent) {
    char question[512];
    return recv(silent, question, sizeof question, MSG_DONTWAIT) > 0;
}

/* A join and a message in each direction. */
static void talk(void) {
    for (int i = 0; i < 2; i++) {
        replica *from = &replicas[i];
        replica *to = &replicas[1 - i];
        unsigned joined = to->joined;
        unsigned messages = to->messages;
        ck_assert_int_eq(wsfan_session_join(to->loop, to->session, wsfan_string("c")), WSFAN_OK);
        WAIT(to->joined > joined);
        ck_assert_int_eq(
            wsfan_broadcast(from->node, wsfan_string("c"), wsfan_string("hello"), NULL), WSFAN_OK);
        WAIT(to->messages > messages);
        ck_assert_int_eq(wsfan_session_leave(to->loop, to->session, wsfan_string("c")), WSFAN_OK);
    }
}

START_TEST(a_silent_name_server_holds_up_no_message_no_link_and_no_close) {
    static const char *const peers[] = { "tcp://127.0.1.1:7000", "tcp://mesh.test:7000" };
    int silent = listen_silently();
    wsfan_options options = asking_options("tcp://127.0.0.1:7000");
    options.silent_ms = 1000;
    options.down_ms = 2000;
    options.close_ms_max = 1000;
    start_at(1, "tcp://127.0.1.1:7000");
    replica_start(0, options, peers, 2, NULL);
    WAIT(up(0, 1));
    for (int asked = 0; asked < 3;) { /* long after down_ms: c-ares waits 2 s, and then 4 */
        talk();
        asked += was_asked(silent);
        ck_assert_uint_eq(replicas[0].troubles + replicas[1].troubles, 0);
    }
    set_peers(0, "tcp://late.test:7000", NULL);
    set_peers(0, "dns://later.test:7000", NULL); /* while the first one is asked for */
    for (int asked = 0; asked < 4;) {
        talk();
        asked += was_asked(silent);
        ck_assert_uint_eq(replicas[0].troubles + replicas[1].troubles, 0);
    }
    int64_t begin_ms = now_ms();
    replica_stop(0);
    ck_assert_int_lt(now_ms() - begin_ms, 1500); /* close_ms_max and 200 ms: the contract */
    close(silent);
    end();
}
END_TEST

START_TEST(closing_does_not_wait_for_an_answer) {
    int silent = listen_silently();
    start_asking("dns://mesh.test:7000");
    char question[512];
    ck_assert_int_gt(recv(silent, question, sizeof question, 0), 0);
    int64_t begin_ms = now_ms();
    replica_stop(0);
    ck_assert_int_lt(now_ms() - begin_ms, 1500); /* an answer is waited for 2 s, and then 4 */
    close(silent);
    end();
}
END_TEST

START_TEST(a_node_that_only_asks_for_names_opens_and_closes_at_once_many_times) {
    begin("127.0.1.1 mesh.test\n");
    for (int i = 0; i < 50; i++) {
        start_asking("dns://mesh.test:7000");
        replica_stop(0);
    }
    end();
}
END_TEST

START_TEST(nodes_meet_over_ip6_alone) {
    begin("fd00::1 mesh.test\n");
    start(0, asking_options("tcp://[::1]:7000"), "tcp://mesh.test:7000");
    start_at(1, "tcp://[fd00::1]:7000");
    WAIT(up(0, 1));
    ck_assert_str_eq(wsfan_node_endpoint(replicas[1].node), "tcp://[fd00::1]:7000");
    end();
}
END_TEST

SUITE_MAIN("dns", addresses_of_both_families_are_joined,
           an_address_that_is_added_is_joined_and_one_that_is_removed_keeps_its_live_peer,
           a_peer_that_is_dead_and_no_longer_named_is_hung_up_on_and_not_dialled_again,
           a_hundred_addresses_come_by_tcp_and_none_is_missing,
           more_addresses_than_are_taken_are_counted,
           no_such_name_no_address_no_server_and_no_answer_keep_the_last_set,
           a_name_without_an_address_and_one_that_is_refused_are_harmless,
           a_server_that_comes_up_later_is_asked_long_before_the_interval_is_over,
           a_resolv_conf_that_changes_is_read_again,
           names_are_written_with_tcp_too_and_there_may_be_many,
           names_may_be_named_while_the_node_runs_by_each_source,
           a_silent_name_server_holds_up_no_message_no_link_and_no_close,
           closing_does_not_wait_for_an_answer,
           a_node_that_only_asks_for_names_opens_and_closes_at_once_many_times,
           nodes_meet_over_ip6_alone)
