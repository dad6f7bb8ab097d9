/* Beacons in a network namespace (namespace.sh): two processes with a cable between them, and nodes
 * of one process on an interface that loops broadcasts back. */
#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/beacon.h>
#include <wsfan/peers.h>
#include <wsfan/stats.h>

#include "packet.h"
#include "replica.h"
#include "suite.h"

enum { PORT = 5671 };

static wsfan_beacon *beacons[2]; /* of these replicas */

static void command(const char *text) {
    ck_assert_msg(system(text) == 0, "%s", text);
}

static void start_node(int i, const char *cluster, const char *endpoint) {
    wsfan_options options = quick_options(endpoint);
    options.cluster = cluster;
    options.allow_insecure = 1; /* in a network of our own */
    replica_start(i, options, NULL, 0, NULL);
}

static void start(int i, const char *cluster, const char *endpoint, const char *interface) {
    wsfan_beacon_options options;
    wsfan_beacon_options_init(&options);
    options.interface = interface;
    options.interval_ms = 100;
    options.expiry_ms = 1000;
    start_node(i, cluster, endpoint);
    ck_assert_int_eq(wsfan_beacon_open(&beacons[i], replicas[i].node, &options), WSFAN_OK);
}

static void stop_all(void) {
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(wsfan_beacon_close(beacons[i]), WSFAN_OK);
        beacons[i] = NULL;
    }
    replicas_stop();
}

static wsfan_beacon_stats beacon_stats(int i) {
    wsfan_beacon_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_beacon_get_stats(beacons[i], &stats), WSFAN_OK);
    return stats;
}

/* A cable whose other end nobody listens at. Check runs each test in a process of its own, in the
 * same network. */
static void make_lan(void) {
    command("ip link show lan >/dev/null 2>&1 || { "
            "ip link add lan type veth peer name nobody && ip link set nobody up && "
            "ip address add 10.78.0.1/24 brd + dev lan && "
            "ip address add 10.78.0.2/24 brd + dev lan && ip link set lan up; }");
}

/* ---------------------------------------------------------------------------------------- tests */

/* The other end of the cable, in a process and network of its own. */
static void be_the_other_host(int ready, int plugged) {
    char byte = 'x';
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no one behind */
    if (unshare(CLONE_NEWNET) != 0 || write(ready, &byte, 1) != 1 || read(plugged, &byte, 1) != 1)
        _exit(1);
    command("ip address add 10.77.0.2/24 brd + dev cable1 && ip link set cable1 up");
    start(1, "wsfan", "tcp://10.77.0.2:7000", "cable1");
    for (;;)
        dispatch_all();
}

START_TEST(two_hosts_find_each_other_and_one_that_dies_is_no_longer_named) {
    char line[128];
    char byte;
    int ready[2];
    int plugged[2];
    ck_assert_int_eq(pipe(ready) + pipe(plugged), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        be_the_other_host(ready[1], plugged[0]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    snprintf(line, sizeof line, "ip link add cable0 type veth peer name cable1 netns %d", child);
    command(line);
    command("ip address add 10.77.0.1/24 brd + dev cable0 && ip link set cable0 up");
    ck_assert_int_eq(write(plugged[1], &byte, 1), 1);

    start(0, "wsfan", "tcp://10.77.0.1:7000", "cable0");
    WAIT(replica_up(0, 1));
    WAIT(beacon_stats(0).endpoints == 1 && replica_stats(0).endpoints == 1);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    WAIT(replicas[0].event_of[1] == WSFAN_PEER_DOWN);
    WAIT(beacon_stats(0).endpoints == 0 && replica_stats(0).endpoints == 0);
    ck_assert_uint_gt(beacon_stats(0).heard, 0);
    ck_assert_uint_eq(beacon_stats(0).refused, 0);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(plugged[i]);
    }
    stop_all();
}
END_TEST

START_TEST(a_peer_that_no_longer_announces_itself_stays) {
    make_lan();
    start(0, "wsfan", "tcp://10.78.0.1:7000", "lan");
    start(1, "wsfan", "tcp://10.78.0.2:7000", "lan");
    WAIT(replica_up(0, 1) && replica_up(1, 0) && replica_stats(0).endpoints == 1);
    ck_assert_int_eq(wsfan_beacon_close(beacons[1]), WSFAN_OK);
    beacons[1] = NULL;
    WAIT(replica_stats(0).endpoints == 0 && replica_stats(1).endpoints == 0);
    ck_assert(replica_up(0, 1) && replica_up(1, 0));
    stop_all();
}
END_TEST

START_TEST(other_clusters_and_noise_are_refused) {
    make_lan();
    start(0, "wsfan", "tcp://10.78.0.1:7000", "lan");
    start(1, "elsewhere", "tcp://10.78.0.2:7000", "lan");
    WAIT(beacon_stats(0).refused > 3 && beacon_stats(1).refused > 3);

    struct sockaddr_in all = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    inet_pton(AF_INET, "10.78.0.255", &all.sin_addr);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, sizeof(int));
    wsf_packet packet = { 4711, "wsfan", "tcp://10.78.0.9:7000" };
    uint8_t bytes[1000] = { 0 };
    size_t size = wsf_packet_write(&packet, bytes);
    for (size_t i = 0; i < sizeof bytes; i += i < size - 1 ? 1 : 50)
        if (i != size)
            ck_assert_int_ge(sendto(fd, bytes, i, 0, (struct sockaddr *)&all, sizeof all), 0);
    /* What zbeacon lets through, it cuts at 255 bytes. */
    WAIT(beacon_stats(0).refused > size);
    ck_assert_uint_eq(beacon_stats(0).endpoints, 0);

    for (int i = 0; i < 100; i++) { /* a valid one, many times over */
        snprintf(packet.endpoint, sizeof packet.endpoint, "tcp://10.78.0.9:%d", 7000 + i);
        size = wsf_packet_write(&packet, bytes);
        ck_assert_int_ge(sendto(fd, bytes, size, 0, (struct sockaddr *)&all, sizeof all), 0);
    }
    WAIT(beacon_stats(0).heard == 64);
    WAIT(replica_stats(0).endpoints == 64);
    WAIT(beacon_stats(0).endpoints == 0 && replica_stats(0).endpoints == 0);
    close(fd);
    stop_all();
}
END_TEST

static int open_with(wsfan_beacon_options options) {
    wsfan_beacon *beacon = NULL;
    int error = wsfan_beacon_open(&beacon, replicas[0].node, &options);
    ck_assert(error == WSFAN_OK || beacon == NULL);
    ck_assert_int_eq(wsfan_beacon_close(beacon), WSFAN_OK);
    return error;
}

START_TEST(options_and_nodes_that_cannot_be_are_refused) {
    wsfan_beacon_options good;
    make_lan();
    wsfan_beacon_options_init(&good);
    good.interface = "lan";
    start_node(0, "wsfan", "tcp://10.78.0.1:7000");
#define REFUSED(field, value, error)                                                               \
    do {                                                                                           \
        wsfan_beacon_options bad = good;                                                           \
        bad.field = value;                                                                         \
        ck_assert_int_eq(open_with(bad), error);                                                   \
    } while (0)
    REFUSED(struct_size, 0, WSFAN_EINVAL);
    REFUSED(struct_size, SIZE_MAX, WSFAN_EINVAL);
    REFUSED(interface, "", WSFAN_EINVAL);
    REFUSED(interface, "an-interface-name", WSFAN_EINVAL);
    REFUSED(interface, "nowhere", WSFAN_EADDR);
    REFUSED(port, 0, WSFAN_EINVAL);
    REFUSED(source, 8, WSFAN_EINVAL);
    REFUSED(interval_ms, 99, WSFAN_EINVAL);
    REFUSED(interval_ms, 60001, WSFAN_EINVAL);
    REFUSED(expiry_ms, 999, WSFAN_EINVAL);
    REFUSED(port, PORT, WSFAN_OK);
    stop_all();

    start_node(0, "wsfan", NULL); /* without a mesh */
    ck_assert_int_eq(open_with(good), WSFAN_EINVAL);
    stop_all();
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%.100s/mesh", getenv("SCRATCH"));
    start_node(0, "wsfan", endpoint);
    ck_assert_int_eq(open_with(good), WSFAN_EENDPOINT);
    ck_assert_ptr_nonnull(strstr(wsfan_error_text(WSFAN_EENDPOINT), "for a beacon"));
    stop_all();
}
END_TEST

static void host_s_handler(int signal) {
    (void)signal;
}

static bool handlers_are_ours(void) {
    struct sigaction interrupt;
    struct sigaction terminate;
    sigaction(SIGINT, NULL, &interrupt);
    sigaction(SIGTERM, NULL, &terminate);
    return interrupt.sa_handler == host_s_handler && terminate.sa_handler == SIG_DFL;
}

/* czmq does to a process what it does at its first call: this is a process of its own. */
static int open_in_a_new_process(void) {
    char path[256];
    wsfan_beacon_options options;
    snprintf(path, sizeof path, "%s/stdout", getenv("SCRATCH"));
    if (freopen(path, "w", stdout) == NULL)
        return 1;
    signal(SIGINT, host_s_handler);
    signal(SIGTERM, SIG_DFL);
    start_node(0, "wsfan", "tcp://10.78.0.1:7000");
    wsfan_beacon_options_init(&options);
    options.interface = "nowhere";
    if (open_with(options) != WSFAN_EADDR) /* of which czmq would tell stdout */
        return 2;
    options.interface = "lan";
    if (open_with(options) != WSFAN_OK)
        return 3;
    stop_all();
    fflush(stdout);
    if (lseek(STDOUT_FILENO, 0, SEEK_END) != 0)
        return 4;
    return handlers_are_ours() ? 0 : 5;
}

START_TEST(signals_and_stdout_stay_the_host_s) {
    int status;
    make_lan();
    fflush(stdout);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(open_in_a_new_process());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* First those that fork. */
SUITE_MAIN("beacon", signals_and_stdout_stay_the_host_s,
           two_hosts_find_each_other_and_one_that_dies_is_no_longer_named,
           a_peer_that_no_longer_announces_itself_stays, other_clusters_and_noise_are_refused,
           options_and_nodes_that_cannot_be_are_refused)
