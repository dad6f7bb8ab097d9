/* Who comes to the port of a mesh and is no peer, or no good one, on real sockets. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wsfan/peers.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>
#include <zmq.h>

#include "live.h"
#include "suite.h"
#include "wire/encode.h"

enum { NODES_MAX = 2, KEY_SIZE = 40, DESCRIPTORS = 256, PENDING = DESCRIPTORS / 8 };

typedef struct {
    char public_key[KEY_SIZE + 1];
    char secret_key[KEY_SIZE + 1];
} pair;

typedef struct {
    wsfan_node *node;
    wsfan_loop *loop;
    bool up;
    unsigned messages;
} replica;

static replica replicas[NODES_MAX];
static pair key;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    (void)message;
    (void)recipients;
    ((replica *)user)->messages += (unsigned)count;
}

static void on_peer(void *user, const wsfan_peer *peer) {
    if (peer->event != WSFAN_PEER_REFUSED)
        ((replica *)user)->up = peer->event == WSFAN_PEER_UP;
}

static void start(int i, bool keyed, const char *peer) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_peer = on_peer };
    replica *r = &replicas[i];
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    wsfan_session session;
    options.name = i == 0 ? "n0" : "n1";
    options.peers = &peer;
    options.peers_count = peer != NULL;
    options.secret_key = keyed ? key.secret_key : NULL;
    memset(r, 0, sizeof *r);
    ck_assert_int_eq(wsfan_node_open(&r->node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&r->loop, r->node, &callbacks, r), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_open(&session, r->loop, wsfan_string("u"), NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(r->loop, session, wsfan_string("chat")), WSFAN_OK);
    live[i] = r->loop;
}

static void start_both(bool keyed) {
    ck_assert_int_eq(zmq_curve_keypair(key.public_key, key.secret_key), 0);
    start(0, keyed, NULL);
    start(1, keyed, wsfan_node_endpoint(replicas[0].node));
    WAIT(replicas[0].up && replicas[1].up);
}

static void stop(int i) {
    ck_assert_int_eq(wsfan_loop_close(replicas[i].loop), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(replicas[i].node), WSFAN_OK);
    replicas[i] = (replica){ 0 };
    live[i] = NULL;
}

static void stop_all(void) {
    for (int i = 0; i < NODES_MAX; i++)
        if (replicas[i].node != NULL)
            stop(i);
}

static void expect_relay(void) {
    unsigned before = replicas[1].messages;
    ck_assert_int_eq(
        wsfan_broadcast(replicas[0].node, wsfan_string("chat"), wsfan_string("x"), NULL), WSFAN_OK);
    WAIT(replicas[1].messages == before + 1);
}

/* ------------------------------------------------------------------------------------ strangers */

/* A process that connects and says `greeting`, so many times, when it is told the port; it writes a
 * byte for each connection that has ended. */
typedef struct {
    pid_t process;
    int to;
    int from;
    unsigned ended;
} crowd;

static void be_strangers(int from, int to, unsigned count, const char *greeting) {
    enum { MAX = 512 };
    struct pollfd items[MAX];
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    alarm(120);
    if (read(from, &address.sin_port, sizeof address.sin_port) < 0)
        _exit(1);
    for (unsigned i = 0; i < count; i++) {
        items[i] = (struct pollfd){ socket(AF_INET, SOCK_STREAM, 0), POLLIN, 0 };
        if (connect(items[i].fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
            send(items[i].fd, greeting, strlen(greeting), MSG_NOSIGNAL) < 0)
            items[i].revents = POLLHUP;
    }
    for (;;) {
        char bytes[256];
        poll(items, count, -1);
        for (unsigned i = 0; i < count; i++) {
            if (items[i].revents == 0 || items[i].fd < 0 ||
                recv(items[i].fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
                continue;
            close(items[i].fd);
            items[i].fd = -1;
            if (write(to, "x", 1) != 1)
                _exit(1);
        }
    }
}

/* Before there is a node in this process. */
static crowd fork_crowd(unsigned count, const char *greeting) {
    int to[2];
    int from[2];
    ck_assert_int_eq(pipe(to), 0);
    ck_assert_int_eq(pipe(from), 0);
    crowd c = { fork(), to[1], from[0], 0 };
    ck_assert_int_ge(c.process, 0);
    if (c.process == 0)
        be_strangers(to[0], from[1], count, greeting);
    close(to[0]);
    close(from[1]);
    ck_assert_int_eq(fcntl(c.from, F_SETFL, O_NONBLOCK), 0);
    return c;
}

static int port_of_first(void) {
    return atoi(strrchr(wsfan_node_endpoint(replicas[0].node), ':') + 1);
}

static void let_loose(const crowd *c) {
    uint16_t port = htons((uint16_t)port_of_first());
    ck_assert_int_eq(write(c->to, &port, sizeof port), sizeof port);
}

static unsigned ended(crowd *c) {
    char bytes[64];
    ssize_t count;
    while ((count = read(c->from, bytes, sizeof bytes)) > 0)
        c->ended += (unsigned)count;
    return c->ended;
}

static void disperse(const crowd *c) {
    ck_assert_int_eq(kill(c->process, SIGKILL), 0);
    ck_assert_int_eq(waitpid(c->process, NULL, 0), c->process);
    close(c->to);
    close(c->from);
}

static unsigned count_descriptors(void) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static rlim_t limit_descriptors(rlim_t count) {
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = count;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static void expect_a_bounded_crowd(bool keyed, const char *greeting) {
    enum { STRANGERS = 3 * DESCRIPTORS / 2 };
    crowd c = fork_crowd(STRANGERS, greeting);
    rlim_t was = limit_descriptors(DESCRIPTORS);
    start_both(keyed);
    unsigned before = count_descriptors();
    let_loose(&c);
    WAIT(ended(&c) >= STRANGERS - PENDING);
    /* The rest waits for its time to be up; two descriptors for each. */
    ck_assert_uint_le(count_descriptors(), before + 2 * PENDING + 8);
    expect_relay();
    WAIT(ended(&c) == STRANGERS);
    WAIT(count_descriptors() <= before);
    expect_relay();
    stop_all();
    limit_descriptors(was);
    disperse(&c);
}

START_TEST(silent_strangers_take_a_bounded_number_of_descriptors) {
    expect_a_bounded_crowd(true, "");
}
END_TEST

START_TEST(so_do_those_that_begin_to_greet_where_there_are_no_keys) {
    expect_a_bounded_crowd(false, "\xff");
}
END_TEST

START_TEST(without_descriptors_strangers_are_turned_away_and_peers_come_in_later) {
    enum { STRANGERS = 20, FILL_MAX = DESCRIPTORS };
    int fill[FILL_MAX];
    int count = 0;
    crowd c = fork_crowd(STRANGERS, "");
    rlim_t was = limit_descriptors(DESCRIPTORS);
    ck_assert_int_eq(zmq_curve_keypair(key.public_key, key.secret_key), 0);
    start(0, true, NULL);
    while (count < FILL_MAX && (fill[count] = dup(0)) >= 0)
        count++;
    ck_assert_int_lt(count, FILL_MAX);
    let_loose(&c);
    WAIT(ended(&c) == STRANGERS);
    while (count > 0)
        close(fill[--count]);
    start(1, true, wsfan_node_endpoint(replicas[0].node));
    WAIT(replicas[0].up && replicas[1].up);
    expect_relay();
    stop_all();
    limit_descriptors(was);
    disperse(&c);
}
END_TEST

/* ---------------------------------------------------------------------------------- false peers */

enum { MORE_THAN_A_PEER_MAKES = 5 }; /* subscriptions */

typedef struct {
    void *context;
    void *socket;
    void *monitor;
} false_peer;

static false_peer connect_false_peer(bool keyed) {
    false_peer p = { .context = zmq_ctx_new() };
    int zero = 0;
    p.socket = zmq_socket(p.context, ZMQ_XSUB);
    p.monitor = zmq_socket(p.context, ZMQ_PAIR);
    zmq_setsockopt(p.socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(p.socket, ZMQ_SNDHWM, &zero, sizeof zero);
    if (keyed) {
        zmq_setsockopt(p.socket, ZMQ_CURVE_PUBLICKEY, key.public_key, KEY_SIZE + 1);
        zmq_setsockopt(p.socket, ZMQ_CURVE_SECRETKEY, key.secret_key, KEY_SIZE + 1);
        zmq_setsockopt(p.socket, ZMQ_CURVE_SERVERKEY, key.public_key, KEY_SIZE + 1);
    }
    ck_assert_int_eq(zmq_socket_monitor(p.socket, "inproc://false-peer",
                                        ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED),
                     0);
    ck_assert_int_eq(zmq_connect(p.monitor, "inproc://false-peer"), 0);
    ck_assert_int_eq(zmq_connect(p.socket, wsfan_node_endpoint(replicas[0].node)), 0);
    return p;
}

static bool has_happened(const false_peer *p, uint16_t event) {
    uint8_t data[6];
    char address[128];
    uint16_t what = 0;
    while (what != event && zmq_recv(p->monitor, data, sizeof data, ZMQ_DONTWAIT) >= 0) {
        memcpy(&what, data, sizeof what);
        zmq_recv(p->monitor, address, sizeof address, 0);
    }
    return what == event;
}

static void close_false_peer(const false_peer *p) {
    zmq_socket_monitor(p->socket, NULL, 0);
    zmq_close(p->monitor);
    zmq_close(p->socket);
    zmq_ctx_term(p->context);
}

/* Of a node with the same key as node 0, or none. */
static void subscribe_as(const false_peer *p, uint32_t number) {
    uint8_t message[1 + WSF_TOPIC_SIZE] = { 1 };
    wsf_write_inbox(message + 1, (wsfan_node_id(replicas[0].node) >> 32 << 32) + number);
    zmq_send(p->socket, message, sizeof message, 0);
}

static void expect_the_end_of_many_subscriptions(bool keyed) {
    start_both(keyed);
    false_peer p = connect_false_peer(keyed);
    for (uint32_t i = 1; i <= MORE_THAN_A_PEER_MAKES; i++)
        subscribe_as(&p, i);
    WAIT(has_happened(&p, ZMQ_EVENT_DISCONNECTED));
    expect_relay();
    close_false_peer(&p);
    expect_relay();
    stop_all();
}

START_TEST(who_subscribes_to_more_than_a_peer_does_is_turned_out) {
    expect_the_end_of_many_subscriptions(true);
}
END_TEST

START_TEST(who_does_so_without_a_key_is_turned_out_too) {
    expect_the_end_of_many_subscriptions(false);
}
END_TEST

static wsfan_stats stats_of_first(void) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(replicas[0].node, &stats), WSFAN_OK);
    return stats;
}

/* For a second; who needs longer than that to come again is turned out anew. */
START_TEST(the_key_of_who_was_turned_out_opens_to_nobody_for_a_while) {
    enum { TRIES_MAX = 100 };
    unsigned tries = 0;
    start_both(true);
    for (uint64_t ended = 0; stats_of_first().handshakes_refused == 0; tries++) {
        false_peer p = connect_false_peer(true);
        for (uint32_t i = 1; i <= MORE_THAN_A_PEER_MAKES; i++)
            subscribe_as(&p, i);
        WAIT(stats_of_first().connections_ended > ended || stats_of_first().handshakes_refused > 0);
        ended = stats_of_first().connections_ended;
        ck_assert_uint_gt(ended, 0);
        ck_assert_uint_lt(tries, TRIES_MAX);
        close_false_peer(&p);
    }
    ck_assert(replicas[0].up && replicas[1].up); /* who is in stays */
    expect_relay();
    stop(1);
    start(1, true, wsfan_node_endpoint(replicas[0].node));
    WAIT(replicas[0].up && replicas[1].up);
    stop_all();
}
END_TEST

static int connect_to(int port) {
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Whether the kernel tells how much has come by a connection. Some emulators of it do not. */
static bool counts_bytes(int fd) {
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_bytes_received > 0;
}

/* The bytes of a subscriber, without ZeroMQ: it has subscribed as a peer does, and says that it lives. */
START_TEST(who_says_more_than_a_peer_has_to_say_is_turned_out) {
    static const uint8_t greeting[64] = "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL"; /* ZMTP 3.0 */
    static const uint8_t ready[] = "\4\x19\5READY\13Socket-Type\0\0\0\3SUB";
    static const uint8_t pings[] = "\4\7\4PING\0\0\4\7\4PING\0\0\4\7\4PING\0\0\4\7\4PING\0\0"
                                   "\4\7\4PING\0\0\4\7\4PING\0\0\4\7\4PING\0\0\4\7\4PING\0\0";
    uint8_t subscription[3 + WSF_TOPIC_SIZE] = { 0, 1 + WSF_TOPIC_SIZE, 1 };
    uint8_t answer[sizeof greeting + sizeof ready]; /* READY of an XPUB, one byte longer */
    start_both(false);
    wsf_write_inbox(subscription + 3, (wsfan_node_id(replicas[0].node) >> 32 << 32) + 1);
    int fd = connect_to(port_of_first());
    ck_assert_int_eq(send(fd, greeting, sizeof greeting, 0), sizeof greeting);
    ck_assert_int_eq(send(fd, ready, sizeof ready - 1, 0), sizeof ready - 1);
    ck_assert_int_eq(recv(fd, answer, sizeof answer, MSG_WAITALL), sizeof answer);
    ck_assert_int_eq(send(fd, subscription, sizeof subscription, 0), sizeof subscription);
    for (int64_t deadline = now_ms() + DEADLINE_MS;
         counts_bytes(fd) && send(fd, pings, sizeof pings - 1, MSG_NOSIGNAL) > 0;) {
        ck_assert_int_lt(now_ms(), deadline);
        dispatch_all();
    }
    ck_assert_uint_eq(stats_of_first().connections_ended, counts_bytes(fd));
    expect_relay();
    close(fd);
    stop_all();
}
END_TEST

START_TEST(a_flood_of_topics_ends_with_its_connection_and_holds_nobody_up) {
    enum { TOPICS = 50000, TOPIC_SIZE = 240 };
    uint8_t message[TOPIC_SIZE];
    start_both(true);
    false_peer p = connect_false_peer(true);
    WAIT(has_happened(&p, ZMQ_EVENT_HANDSHAKE_SUCCEEDED));
    memset(message, 'a', sizeof message);
    message[0] = 1;
    for (uint32_t i = 0; i < TOPICS; i++) {
        memcpy(message + 1, &i, sizeof i);
        ck_assert_int_eq(zmq_send(p.socket, message, sizeof message, 0), sizeof message);
    }
    WAIT(has_happened(&p, ZMQ_EVENT_DISCONNECTED));
    ck_assert_uint_lt(stats_of_first().dropped[WSFAN_DROP_FORGED], TOPICS / 2);
    expect_relay();
    close_false_peer(&p);
    expect_relay();
    stop_all();
}
END_TEST

START_TEST(what_is_no_subscription_ends_a_connection) {
    start_both(false);
    false_peer p = connect_false_peer(false);
    ck_assert_int_eq(zmq_send(p.socket, "hello", 5, 0), 5);
    WAIT(has_happened(&p, ZMQ_EVENT_DISCONNECTED));
    expect_relay();
    close_false_peer(&p);
    stop_all();
}
END_TEST

/* ---------------------------------------------------------------------------- a node that was frozen */

/* A process with a node, which writes its port and then stops whenever it is told to. */
static pid_t fork_node(int *port) {
    int ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    pid_t process = fork();
    ck_assert_int_ge(process, 0);
    if (process == 0) {
        alarm(120);
        start(0, false, NULL);
        *port = port_of_first();
        if (write(ready[1], port, sizeof *port) != sizeof *port)
            _exit(1);
        for (;;)
            dispatch_all();
    }
    ck_assert_int_eq(read(ready[0], port, sizeof *port), sizeof *port);
    close(ready[0]);
    close(ready[1]);
    return process;
}

/* As one does that looks whether anybody listens. */
static void touch_port(int port) {
    close(connect_to(port));
}

/* The two subscriptions of a node that nobody has heard of yet. */
static void introduce(void *socket, uint64_t node) {
    uint8_t inbox[1 + WSF_TOPIC_SIZE] = { 1 };
    uint8_t topic[1 + WSF_INTRODUCTION_SIZE_MAX] = { 1 };
    wsf_introduction introduction = { .protocol_min = WSF_PROTOCOL_MIN,
                                      .protocol_max = WSF_PROTOCOL_MAX,
                                      .node = node,
                                      .cluster = "wsfan",
                                      .endpoint = "tcp://127.0.0.1:1" };
    wsf_write_inbox(inbox + 1, node);
    size_t size = 1 + wsf_write_introduction(topic + 1, &introduction);
    ck_assert_int_eq(zmq_send(socket, inbox, sizeof inbox, 0), sizeof inbox);
    ck_assert_int_eq(zmq_send(socket, topic, size, 0), (int)size);
}

START_TEST(a_peer_that_waited_while_the_node_was_frozen_is_answered) {
    enum { ROUNDS = 20, TOUCHES = 6, TIMEOUT_MS = 30000 };
    int port;
    int zero = 0;
    int timeout_ms = TIMEOUT_MS;
    char endpoint[64];
    pid_t process = fork_node(&port);
    void *context = zmq_ctx_new();
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        char frame[1024];
        void *socket = zmq_socket(context, ZMQ_XSUB);
        zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
        zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
        ck_assert_int_eq(kill(process, SIGSTOP), 0);
        ck_assert_int_eq(waitpid(process, NULL, WUNTRACED), process);
        for (int i = 0; i < TOUCHES; i++)
            touch_port(port);
        ck_assert_int_eq(zmq_connect(socket, endpoint), 0);
        introduce(socket, round);
        for (int i = 0; i < TOUCHES; i++)
            touch_port(port);
        ck_assert_int_eq(kill(process, SIGCONT), 0);
        ck_assert_int_gt(zmq_recv(socket, frame, sizeof frame, 0), 0);
        zmq_close(socket);
    }
    zmq_ctx_term(context);
    ck_assert_int_eq(kill(process, SIGKILL), 0);
    ck_assert_int_eq(waitpid(process, NULL, 0), process);
}
END_TEST

SUITE_MAIN("admission", silent_strangers_take_a_bounded_number_of_descriptors,
           so_do_those_that_begin_to_greet_where_there_are_no_keys,
           without_descriptors_strangers_are_turned_away_and_peers_come_in_later,
           who_subscribes_to_more_than_a_peer_does_is_turned_out,
           who_does_so_without_a_key_is_turned_out_too,
           the_key_of_who_was_turned_out_opens_to_nobody_for_a_while,
           who_says_more_than_a_peer_has_to_say_is_turned_out,
           a_flood_of_topics_ends_with_its_connection_and_holds_nobody_up,
           what_is_no_subscription_ends_a_connection,
           a_peer_that_waited_while_the_node_was_frozen_is_answered)
