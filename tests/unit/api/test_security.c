/* Nodes with keys, and whoever else comes, on real sockets. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wsfan/diagnosis.h>
#include <wsfan/peers.h>
#include <wsfan/placement.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>
#include <zmq.h>

#include "base/keys.h"
#include "mesh/connection.h"
#include "replica.h"
#include "suite.h"
#include "wire/encode.h"

enum { NODES_MAX = 3, KEY_SIZE = 40 };

typedef struct {
    char public_key[KEY_SIZE + 1];
    char secret_key[KEY_SIZE + 1];
} pair;

static pair pairs[NODES_MAX + 1]; /* the last is nobody's */
static uint32_t down_ms;

/* ------------------------------------------------------------------- which key is tried where */

enum { TRIES_MAX = 4096 };

typedef struct {
    char endpoint[64];
    char key[KEY_SIZE + 1];
} try;

static pthread_mutex_t tries_lock = PTHREAD_MUTEX_INITIALIZER;
static try tries[TRIES_MAX];
static size_t tries_count;
static _Thread_local char next_key[KEY_SIZE + 1]; /* of the socket that connects next */

int __real_zmq_setsockopt(void *socket, int option, const void *value, size_t size);
int __wrap_zmq_setsockopt(void *socket, int option, const void *value, size_t size);
int __real_zmq_connect(void *socket, const char *endpoint);
int __wrap_zmq_connect(void *socket, const char *endpoint);

int __wrap_zmq_setsockopt(void *socket, int option, const void *value, size_t size) {
    if (option == ZMQ_CURVE_SERVERKEY)
        memcpy(next_key, value, sizeof next_key);
    return __real_zmq_setsockopt(socket, option, value, size);
}

int __wrap_zmq_connect(void *socket, const char *endpoint) {
    pthread_mutex_lock(&tries_lock);
    try *t = &tries[tries_count < TRIES_MAX ? tries_count++ : 0];
    snprintf(t->endpoint, sizeof t->endpoint, "%s", endpoint);
    memcpy(t->key, next_key, sizeof t->key);
    pthread_mutex_unlock(&tries_lock);
    return __real_zmq_connect(socket, endpoint);
}

static void forget_tries(void) {
    pthread_mutex_lock(&tries_lock);
    tries_count = 0;
    pthread_mutex_unlock(&tries_lock);
}

/* The key that was tried first at an endpoint since they were forgotten; "": none. */
static const char *first_key_at(const char *endpoint) {
    const char *key = "";
    pthread_mutex_lock(&tries_lock);
    for (size_t i = tries_count; i-- > 0;)
        if (strcmp(tries[i].endpoint, endpoint) == 0)
            key = tries[i].key;
    pthread_mutex_unlock(&tries_lock);
    return key;
}

/* ------------------------------------------------------------------------------------- replicas */

static void make_pairs(void) {
    down_ms = 1500;
    for (int i = 0; i <= NODES_MAX; i++)
        ck_assert_int_eq(zmq_curve_keypair(pairs[i].public_key, pairs[i].secret_key), 0);
}

static unsigned results;
static wsfan_result last_result;

static void on_result(void *user, const wsfan_result *result) {
    (void)user;
    results++;
    last_result = *result;
}

static void start(int i, wsfan_options options, const char *peer) {
    static const wsfan_callbacks more = { .struct_size = sizeof more, .on_result = on_result };
    replica_start(i, options, &peer, peer != NULL, &more);
    replica_join(i, "chat");
}

/* Node i at an endpoint, with its own pair; it lets in so many others, and then the owners of the
 * pairs in the bit set `friends`. */
static void start_keyed_at(int i, const char *endpoint, size_t others, unsigned friends,
                           const char *peer) {
    static pair strangers[WSF_KEYS_MAX];
    wsfan_options options = quick_options(endpoint);
    const char *allow[WSF_KEYS_MAX];
    for (size_t k = 0; k < others; k++) {
        ck_assert_int_eq(zmq_curve_keypair(strangers[k].public_key, strangers[k].secret_key), 0);
        allow[options.allow_count++] = strangers[k].public_key;
    }
    for (int k = 0; k <= NODES_MAX; k++)
        if ((friends >> k & 1) != 0)
            allow[options.allow_count++] = pairs[k].public_key;
    options.secret_key = pairs[i].secret_key;
    options.allow = allow;
    options.down_ms = down_ms;
    options.forget_ms = down_ms > options.forget_ms ? 2 * down_ms : options.forget_ms;
    start(i, options, peer);
}

static void start_keyed(int i, unsigned friends, const char *peer) {
    start_keyed_at(i, "tcp://127.0.0.1:*", 0, friends, peer);
}

static void pass_ms(int64_t ms) {
    for (int64_t end = now_ms() + ms; now_ms() < end;)
        dispatch_all();
}

static uint64_t dropped(int i, wsfan_drop reason) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(replicas[i].node, &stats), WSFAN_OK);
    return stats.dropped[reason];
}

static uint32_t known_peers(int i) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(replicas[i].node, &stats), WSFAN_OK);
    return stats.peers;
}

/* A subscriber that does not keep to the rules; own: its pair, NULL: plain text. */
static void *spy(void *context, const char *endpoint, const pair *own, const pair *server) {
    void *socket = zmq_socket(context, ZMQ_SUB);
    int linger = 0;
    ck_assert_int_eq(zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger), 0);
    if (own != NULL) {
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own->public_key, KEY_SIZE + 1);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, KEY_SIZE + 1);
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server->public_key, KEY_SIZE + 1);
    }
    for (int i = 0; i < NODES_MAX; i++) {
        uint8_t inbox[WSF_TOPIC_SIZE];
        if (replicas[i].node == NULL)
            continue;
        wsf_write_inbox(inbox, wsfan_node_id(replicas[i].node));
        ck_assert_int_eq(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, inbox, sizeof inbox), 0);
    }
    ck_assert_int_eq(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0), 0);
    ck_assert_int_eq(zmq_connect(socket, endpoint), 0);
    return socket;
}

static void expect_nothing(void *socket) {
    char byte;
    ck_assert_int_eq(zmq_recv(socket, &byte, 1, ZMQ_DONTWAIT), -1);
    zmq_close(socket);
}

START_TEST(nodes_that_know_each_others_keys_relay) {
    make_pairs();
    start_keyed(0, 6, NULL);
    start_keyed(1, 5, replica_endpoint(0));
    start_keyed(2, 3, replica_endpoint(0)); /* introduced to 1 by 0 */
    ck_assert_str_eq(wsfan_node_public_key(replicas[1].node), pairs[1].public_key);
    WAIT(replica_up(0, 1) && replica_up(1, 0) && replica_up(0, 2) && replica_up(2, 0) &&
         replica_up(1, 2) && replica_up(2, 1));
    for (int i = 0; i < 3; i++)
        replica_broadcast(i, "chat", "secret");
    WAIT(replicas[0].messages == 3 && replicas[1].messages == 3 && replicas[2].messages == 3);
    replicas_stop();
}
END_TEST

/* All but our own and the two that are here are of nobody. */
enum { STRANGERS = WSF_KEYS_MAX - 3 };

START_TEST(two_nodes_meet_among_as_many_keys_as_there_may_be) {
    make_pairs();
    start_keyed_at(0, "tcp://127.0.0.1:*", STRANGERS, 6, NULL);
    start_keyed_at(1, "tcp://127.0.0.1:*", STRANGERS, 5,
                   replica_endpoint(0)); /* 0's is the last but one */
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    /* 1 has said which key it has: 0 does not guess. */
    ck_assert_str_eq(first_key_at(replica_endpoint(1)), pairs[1].public_key);
    replicas_stop();
}
END_TEST

START_TEST(a_node_that_a_peer_tells_of_is_dialled_with_its_key) {
    make_pairs();
    start_keyed_at(0, "tcp://127.0.0.1:*", STRANGERS, 6, NULL);
    start_keyed(1, 1, replica_endpoint(0)); /* it does not let 2 in, so does not introduce itself */
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    forget_tries();
    start_keyed_at(2, "tcp://127.0.0.1:*", STRANGERS, 3, replica_endpoint(0));
    WAIT(replica_up(0, 2) && replica_up(2, 0));
    WAIT(first_key_at(replica_endpoint(1))[0] != '\0');
    ck_assert_str_eq(first_key_at(replica_endpoint(1)), pairs[1].public_key);
    replicas_stop();
}
END_TEST

START_TEST(a_node_that_comes_back_is_found_by_the_key_that_worked) {
    char port[128];
    make_pairs();
    start_keyed(1, 5, NULL);
    snprintf(port, sizeof port, "%s", replica_endpoint(1));
    start_keyed_at(0, "tcp://127.0.0.1:*", STRANGERS, 6, port);
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    replica_stop(1);
    WAIT(replicas[0].event_of[1] == WSFAN_PEER_DOWN);
    forget_tries();
    start_keyed_at(1, port, STRANGERS, 5, NULL);
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    ck_assert_str_eq(first_key_at(replica_endpoint(0)), pairs[0].public_key);
    replicas_stop();
}
END_TEST

/* The place of the key that was tried last; -1: none yet. */
static int last_place(const wsf_keys *keys) {
    pthread_mutex_lock(&tries_lock);
    int place = tries_count > 0 ? wsf_keys_find(keys, tries[tries_count - 1].key) : -1;
    pthread_mutex_unlock(&tries_lock);
    return place;
}

START_TEST(a_search_for_a_key_goes_on_where_an_endpoint_is_dialled_again) {
    enum { FAR = 6 };
    static wsf_connections connections = { .trials_max = 1 };
    static wsf_keys keys;
    const char *nowhere = "tcp://127.0.0.1:1";
    pair own;
    make_pairs();
    own = pairs[0];
    memcpy(keys.secret_key.text, own.secret_key, KEY_SIZE + 1);
    ck_assert_int_eq(wsf_keys_allow(&keys, own.public_key), WSFAN_OK);
    while (keys.count < WSF_KEYS_MAX) {
        ck_assert_int_eq(zmq_curve_keypair(own.public_key, own.secret_key), 0);
        ck_assert_int_eq(wsf_keys_allow(&keys, own.public_key), WSFAN_OK);
    }
    connections.context = zmq_ctx_new();
    connections.keys = &keys;
    connections.watch_fd = epoll_create1(0);
    ck_assert_int_eq(wsf_auth_open(&connections.auth, connections.context, &keys), WSFAN_OK);
    wsf_connections_dial(&connections, 0, nowhere, 0);
    while (last_place(&keys) < FAR)
        wsf_connections_renew(&connections);
    wsf_connections_hang_up(&connections, 0);
    forget_tries();
    wsf_connections_dial(&connections, 0, nowhere, 0);
    ck_assert_int_eq(last_place(&keys), 0); /* the likeliest first, */
    while (last_place(&keys) == 0)
        wsf_connections_renew(&connections);
    ck_assert_int_eq(last_place(&keys), FAR + 1);
    wsf_connections_hang_up(&connections, 0);
    wsf_auth_close(connections.auth);
    zmq_ctx_term(connections.context);
    close(connections.watch_fd);
}
END_TEST

START_TEST(the_address_of_a_node_that_left_is_another_ones_with_another_key) {
    char port[128];
    make_pairs();
    start_keyed(1, 5, NULL);
    snprintf(port, sizeof port, "%s", replica_endpoint(1));
    start_keyed_at(0, "tcp://127.0.0.1:*", STRANGERS, 6, port);
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    replica_stop(1);
    start_keyed_at(2, port, 0, 3, NULL); /* it knows nobody */
    WAIT(replica_up(0, 2) && replica_up(2, 0));
    replicas_stop();
}
END_TEST

/* A node in a process of its own, with the pair of node 1. Writes its endpoint, and waits to be killed. */
static void run_victim(int fd) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    const char *allow[] = { pairs[0].public_key };
    wsfan_node *node;
    options.name = "n1";
    options.secret_key = pairs[1].secret_key;
    options.allow = allow;
    options.allow_count = 1;
    if (wsfan_node_open(&node, &options) != WSFAN_OK)
        _exit(1);
    const char *endpoint = wsfan_node_endpoint(node);
    if (write(fd, endpoint, strlen(endpoint) + 1) < 0)
        _exit(1);
    alarm(120);
    for (;;)
        pause();
}

START_TEST(the_address_of_a_node_that_died_is_another_ones_before_the_dead_one_is_down) {
    int fds[2];
    char port[128];
    make_pairs();
    ck_assert_int_eq(pipe(fds), 0);
    pid_t victim = fork();
    ck_assert_int_ge(victim, 0);
    if (victim == 0)
        run_victim(fds[1]);
    ck_assert_int_gt(read(fds[0], port, sizeof port), 0);
    down_ms = 2 * DEADLINE_MS; /* nobody waits for that */
    start_keyed_at(0, "tcp://127.0.0.1:*", STRANGERS, 6, port);
    WAIT(replica_up(0, 1));
    ck_assert_int_eq(kill(victim, SIGKILL), 0);
    ck_assert_int_eq(waitpid(victim, NULL, 0), victim);
    start_keyed_at(2, port, 0, 3, NULL);
    WAIT(replica_up(0, 2) && replica_up(2, 0));
    replicas_stop();
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(nodes_that_share_a_key_need_no_list) {
    make_pairs();
    pairs[1] = pairs[0];
    start_keyed(0, 0, NULL);
    start_keyed(1, 0, replica_endpoint(0));
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    replica_broadcast(0, "chat", "secret");
    WAIT(replicas[1].messages == 1);
    replicas_stop();
}
END_TEST

START_TEST(who_has_no_allowed_key_gets_nothing_and_learns_nothing) {
    void *context = zmq_ctx_new();
    make_pairs();
    start_keyed(0, 2, NULL);
    start_keyed(1, 1, replica_endpoint(0));
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    void *plain = spy(context, replica_endpoint(0), NULL, NULL);
    void *wrong = spy(context, replica_endpoint(0), &pairs[NODES_MAX], &pairs[0]);
    void *lost = spy(context, replica_endpoint(0), &pairs[1], &pairs[NODES_MAX]);
    start(2, quick_options("tcp://127.0.0.1:*"), replica_endpoint(0)); /* a node without a key */
    for (int i = 0; i < 20; i++) {
        replica_broadcast(0, "chat", "secret");
        pass_ms(50);
    }
    WAIT(replicas[1].messages == 20);
    ck_assert_uint_eq(replicas[2].messages, 0);
    ck_assert_uint_eq(known_peers(2), 0);
    ck_assert_uint_eq(known_peers(0), 1);
    expect_nothing(plain);
    expect_nothing(wrong);
    expect_nothing(lost);
    zmq_ctx_term(context);
    replicas_stop();
}
END_TEST

/* Waits until node 0 has refused a handshake of a spy with its pair. */
static void expect_a_refusal(const pair *own, const pair *server) {
    void *context = zmq_ctx_new();
    uint64_t before = replica_stats(0).handshakes_refused;
    void *socket = spy(context, replica_endpoint(0), own, server);
    WAIT(replica_stats(0).handshakes_refused > before);
    expect_nothing(socket);
    zmq_ctx_term(context);
}

/* The same of one that greets (ZMTP 3, ZeroMQ RFC 23) with a mechanism, and does not hang up: a spy may see sooner
 * than the node that theirs differ. */
static void expect_a_refusal_of(const char *mechanism) {
    enum { GREETING_SIZE = 64, VERSION = 10, MECHANISM = 12 };
    char greeting[GREETING_SIZE] = { '\xff', [VERSION - 1] = 0x7f, [VERSION] = 3 };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    address.sin_port = htons((uint16_t)atoi(strrchr(replica_endpoint(0), ':') + 1));
    memcpy(greeting + MECHANISM, mechanism, strlen(mechanism));
    uint64_t before = replica_stats(0).handshakes_refused;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(send(fd, greeting, sizeof greeting, MSG_NOSIGNAL), sizeof greeting);
    WAIT(replica_stats(0).handshakes_refused > before);
    close(fd);
}

START_TEST(handshakes_that_fail_for_a_key_are_counted) {
    make_pairs();
    pairs[1] = pairs[0];
    start_keyed(0, 0, NULL);
    start_keyed(1, 0, replica_endpoint(0));
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    ck_assert_uint_eq(replica_stats(0).handshakes_refused, 0);
    ck_assert_uint_eq(replica_stats(1).handshakes_refused, 0);
    expect_a_refusal(&pairs[NODES_MAX], &pairs[0]);
    expect_a_refusal(&pairs[0], &pairs[NODES_MAX]);
    expect_a_refusal_of("NULL");
    replicas_stop();
    start(0, quick_options("tcp://127.0.0.1:*"), NULL);
    expect_a_refusal_of("CURVE");
    replicas_stop();
}
END_TEST

/* Where a connection of the peer's is taken for one of a stranger's, its subscriptions are strays, and the nodes
 * meet seconds later, when it dials again. */
START_TEST(who_has_another_key_keeps_nobody_from_meeting) {
    enum { ROUNDS = 10, SPIES = 4 };
    void *context = zmq_ctx_new();
    make_pairs();
    pairs[1] = pairs[0];
    for (int round = 0; round < ROUNDS; round++) {
        void *spies[SPIES];
        start_keyed(0, 0, NULL);
        start_keyed(2, 0, replica_endpoint(0));
        for (int i = 0; i < SPIES; i++)
            spies[i] = spy(context, replica_endpoint(0), &pairs[NODES_MAX], &pairs[i % 3]);
        start_keyed(1, 0, replica_endpoint(0));
        WAIT(replica_up(0, 1) && replica_up(1, 0));
        ck_assert_uint_eq(dropped(0, WSFAN_DROP_MALFORMED), 0);
        ck_assert_uint_eq(dropped(1, WSFAN_DROP_MALFORMED), 0);
        for (int i = 0; i < SPIES; i++)
            expect_nothing(spies[i]);
        replicas_stop();
    }
    zmq_ctx_term(context);
}
END_TEST

START_TEST(a_node_with_a_key_that_is_not_allowed_stays_outside_until_it_is) {
    make_pairs();
    start_keyed(0, 2, NULL);
    start_keyed(1, 1, replica_endpoint(0));
    start_keyed(2, 3, replica_endpoint(0));
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    for (int i = 0; i < 20; i++) {
        replica_broadcast(0, "chat", "secret");
        pass_ms(50);
    }
    ck_assert_uint_eq(replicas[2].messages, 0);
    ck_assert_uint_eq(known_peers(2), 0);
    const char *allow[] = { pairs[1].public_key, pairs[2].public_key };
    ck_assert_int_eq(wsfan_node_allow_keys(replicas[0].node, allow, 2), WSFAN_OK);
    WAIT(replica_up(0, 2) && replica_up(2, 0));
    replica_broadcast(0, "chat", "secret");
    WAIT(replicas[2].messages == 1);
    replicas_stop();
}
END_TEST

START_TEST(a_node_whose_key_is_not_allowed_is_told_so_of_each_join_and_message) {
    make_pairs();
    start_keyed(0, 2, NULL);
    start_keyed(2, 1, replica_endpoint(0));
    WAIT(wsfan_node_ready(replicas[2].node) == WSFAN_EREFUSED);
    wsfan_node_state state = { .struct_size = sizeof state };
    ck_assert_int_eq(wsfan_node_get_state(replicas[2].node, &state), WSFAN_OK);
    ck_assert_int_eq(state.phase, WSFAN_NODE_REFUSED);
    ck_assert_int_eq(state.reason, WSFAN_REASON_KEY);
    ck_assert_uint_eq(state.refuser, 0); /* it does not say who it is */
    ck_assert_str_eq(state.endpoint, replica_endpoint(0));
    replica_join(2, "partly");
    ck_assert_int_eq(replicas[2].joined_status, WSFAN_EPARTIAL);
    ck_assert_uint_eq(replica_stats(2).peers_refusing, 1);
    wsfan_publish_options asking = { .struct_size = sizeof asking,
                                     .result_loop = replicas[2].loop };
    ck_assert_int_eq(
        wsfan_broadcast(replicas[2].node, wsfan_string("chat"), wsfan_string("?"), &asking),
        WSFAN_OK);
    WAIT(results == 1);
    ck_assert_int_eq(last_result.status, WSFAN_EPARTIAL);
    ck_assert_uint_eq(last_result.peers_refusing, 1);
    ck_assert_int_eq(wsfan_node_ready(replicas[0].node), WSFAN_READY_MET); /* nobody was named */
    const char *allow[] = { pairs[2].public_key };
    ck_assert_int_eq(wsfan_node_allow_keys(replicas[0].node, allow, 1), WSFAN_OK);
    WAIT(replica_up(0, 2) && replica_up(2, 0));
    WAIT(wsfan_node_ready(replicas[2].node) == WSFAN_READY_MET);
    replica_join(2, "wholly");
    ck_assert_int_eq(replicas[2].joined_status, WSFAN_OK);
    ck_assert_uint_eq(replica_stats(2).peers_refusing, 0);
    replicas_stop();
}
END_TEST

START_TEST(a_peer_whose_key_is_withdrawn_gets_nothing_more) {
    make_pairs();
    start_keyed(0, 6, NULL);
    start_keyed(1, 5, replica_endpoint(0));
    start_keyed(2, 3, replica_endpoint(0));
    WAIT(replica_up(0, 1) && replica_up(1, 0) && replica_up(0, 2) && replica_up(2, 0) &&
         replica_up(1, 2) && replica_up(2, 1));
    const char *allow[] = { pairs[1].public_key };
    ck_assert_int_eq(wsfan_node_allow_keys(replicas[0].node, allow, 1), WSFAN_OK);
    WAIT(replicas[0].event_of[2] == WSFAN_PEER_DOWN);
    ck_assert_int_eq(replicas[0].reason_of[2], WSFAN_REASON_KEY);
    unsigned before = replicas[2].messages;
    for (int i = 0; i < 50; i++) {
        replica_broadcast(0, "chat", "secret");
        replica_broadcast(2, "chat", "secret");
        pass_ms(50);
    }
    WAIT(replicas[1].messages >= 100);
    /* What 0 publishes does not reach 2, nor what 2 publishes 0: each has its own only. */
    ck_assert_uint_eq(replicas[2].messages - before, 50);
    ck_assert_uint_eq(replicas[0].messages, 50);
    const char *both[] = { pairs[1].public_key, pairs[2].public_key };
    ck_assert_int_eq(wsfan_node_allow_keys(replicas[0].node, both, 2), WSFAN_OK);
    WAIT(replica_up(0, 2) && replica_up(2, 0));
    replica_broadcast(0, "chat", "secret");
    WAIT(replicas[2].messages - before == 51);
    replicas_stop();
}
END_TEST

START_TEST(an_allowed_peer_cannot_subscribe_to_what_is_for_another) {
    void *context = zmq_ctx_new();
    make_pairs();
    start_keyed(0, 6, NULL); /* lets 2 in, which is nobody but the spy */
    start_keyed(1, 1, replica_endpoint(0));
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    void *socket = spy(context, replica_endpoint(0), &pairs[2], &pairs[0]);
    WAIT(dropped(0, WSFAN_DROP_FORGED) >= 3); /* two inboxes, and everything */
    for (int i = 0; i < 20; i++) {
        replica_broadcast(0, "chat", "secret");
        pass_ms(20);
    }
    WAIT(replicas[1].messages == 20);
    expect_nothing(socket); /* its leaving takes nothing away from 1 */
    pass_ms(200);
    ck_assert(replica_up(0, 1));
    replica_broadcast(0, "chat", "secret");
    WAIT(replicas[1].messages == 21);
    zmq_ctx_term(context);
    replicas_stop();
}
END_TEST

static void send_hello_as(void *socket, uint64_t sender, uint64_t receiver) {
    uint8_t data[1024];
    wsf_writer writer = { data, sizeof data, 0 };
    wsf_frame_head head = { .version = WSF_PROTOCOL_MAX, .sender = sender, .epoch = 1 };
    wsf_hello hello = { .protocol_min = WSF_PROTOCOL_MIN,
                        .protocol_max = WSF_PROTOCOL_MAX,
                        .cluster = wsfan_string("wsfan"),
                        .name = wsfan_string("n1"),
                        .incarnation = UINT64_C(1) << 60,
                        .endpoint = wsfan_string("tcp://127.0.0.1:1"),
                        .epoch = 1,
                        .frame_size_max = 1 << 20 };
    wsf_write_head(&writer, receiver, &head);
    wsf_write_hello(&writer, &hello);
    wsf_seal(&writer);
    zmq_send(socket, data, writer.size, 0);
}

START_TEST(an_allowed_peer_cannot_speak_for_another) {
    void *context = zmq_ctx_new();
    make_pairs();
    start_keyed(0, 6, NULL);
    start_keyed(1, 1, replica_endpoint(0));
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    /* 2 is a publisher that says what it likes. */
    void *liar = zmq_socket(context, ZMQ_XPUB);
    int one = 1;
    int zero = 0;
    char endpoint[128];
    size_t size = sizeof endpoint;
    zmq_setsockopt(liar, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(liar, ZMQ_CURVE_SERVER, &one, sizeof one);
    zmq_setsockopt(liar, ZMQ_CURVE_SECRETKEY, pairs[2].secret_key, KEY_SIZE + 1);
    ck_assert_int_eq(zmq_bind(liar, "tcp://127.0.0.1:*"), 0);
    ck_assert_int_eq(zmq_getsockopt(liar, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    const char *peers[] = { endpoint };
    ck_assert_int_eq(wsfan_node_set_peers(replicas[0].node, peers, 1), WSFAN_OK);
    char byte;
    WAIT(zmq_recv(liar, &byte, 1, ZMQ_DONTWAIT) >= 0);
    uint64_t victim = wsfan_node_id(replicas[1].node);
    while (dropped(0, WSFAN_DROP_FORGED) == 0) {
        send_hello_as(liar, victim, wsfan_node_id(replicas[0].node));
        pass_ms(20);
    }
    ck_assert(replica_up(0, 1));
    replica_broadcast(1, "chat", "secret");
    WAIT(replicas[0].messages == 1);
    zmq_close(liar);
    zmq_ctx_term(context);
    replicas_stop();
}
END_TEST

START_TEST(keys_are_rotated_one_node_after_another) {
    make_pairs();
    start_keyed(0, 2, NULL);
    start_keyed(1, 1, replica_endpoint(0));
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    char port[128];
    snprintf(port, sizeof port, "%s", replica_endpoint(1));
    /* First everybody is told of the next key, and takes the old one as well. */
    const char *both[] = { pairs[1].public_key, pairs[2].public_key };
    ck_assert_int_eq(wsfan_node_allow_keys(replicas[0].node, both, 2), WSFAN_OK);
    replica_stop(1);
    WAIT(replicas[0].event_of[1] == WSFAN_PEER_DOWN);
    pairs[1] = pairs[2];
    start_keyed(1, 1, replica_endpoint(0));
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    const char *next[] = { pairs[2].public_key };
    ck_assert_int_eq(wsfan_node_allow_keys(replicas[0].node, next, 1), WSFAN_OK);
    replica_broadcast(0, "chat", "secret");
    WAIT(replicas[1].messages == 1);
    pass_ms(200);
    ck_assert(replica_up(0, 1));
    replicas_stop();
}
END_TEST

static void write_certificate(const char *path, const pair *keys, bool secret) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "metadata\ncurve\n    public-key = \"%s\"\n", keys->public_key);
    if (secret)
        fprintf(file, "    secret-key = \"%s\"\n", keys->secret_key);
    fclose(file);
}

START_TEST(keys_come_from_files_that_are_read_again) {
    char directory[] = "/tmp/wsfan-keys-XXXXXX";
    char own[64];
    char other[64];
    make_pairs();
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(own, sizeof own, "%s/own_secret", directory);
    snprintf(other, sizeof other, "%s/other", directory);
    write_certificate(own, &pairs[0], true);
    own[strlen(own) - 7] = '\0';
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    options.key_file = own;
    options.allow_path = directory;
    start(0, options, NULL);
    start_keyed(1, 1, replica_endpoint(0));
    pass_ms(500);
    ck_assert_uint_eq(known_peers(0), 0);
    write_certificate(other, &pairs[1], false);
    ck_assert_int_eq(wsfan_node_reload_keys(replicas[0].node), WSFAN_OK);
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    FILE *file = fopen(other, "w"); /* spoilt: what was known stays in force */
    fputs("curve\n", file);
    fclose(file);
    ck_assert_int_eq(wsfan_node_reload_keys(replicas[0].node), WSFAN_EKEY);
    replica_broadcast(0, "chat", "secret");
    WAIT(replicas[1].messages == 1);
    ck_assert_int_eq(remove(other), 0);
    ck_assert_int_eq(wsfan_node_reload_keys(replicas[0].node), WSFAN_OK);
    WAIT(replicas[0].event_of[1] == WSFAN_PEER_DOWN);
    replicas_stop();
    snprintf(own, sizeof own, "%s/own_secret", directory);
    ck_assert_int_eq(remove(own), 0);
    ck_assert_int_eq(remove(directory), 0);
}
END_TEST

START_TEST(a_host_with_a_handler_of_its_own_is_not_disturbed) {
    void *context = zmq_ctx_new();
    void *handler = zmq_socket(context, ZMQ_REP);
    ck_assert_int_eq(zmq_bind(handler, "inproc://zeromq.zap.01"), 0);
    make_pairs();
    start_keyed(0, 2, NULL);
    start_keyed(1, 1, replica_endpoint(0));
    WAIT(replica_up(0, 1) && replica_up(1, 0));
    char byte;
    ck_assert_int_eq(zmq_recv(handler, &byte, 1, ZMQ_DONTWAIT), -1); /* we do not ask it */
    /* And it serves its own sockets: a request for one of them comes to it. */
    void *server = zmq_socket(context, ZMQ_XPUB);
    int one = 1;
    int zero = 0;
    char endpoint[128];
    size_t size = sizeof endpoint;
    zmq_setsockopt(server, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(server, ZMQ_CURVE_SERVER, &one, sizeof one);
    zmq_setsockopt(server, ZMQ_CURVE_SECRETKEY, pairs[2].secret_key, KEY_SIZE + 1);
    zmq_setsockopt(server, ZMQ_ZAP_DOMAIN, "host", 4);
    ck_assert_int_eq(zmq_bind(server, "tcp://127.0.0.1:*"), 0);
    ck_assert_int_eq(zmq_getsockopt(server, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    void *client = spy(context, endpoint, &pairs[NODES_MAX], &pairs[2]);
    WAIT(zmq_recv(handler, &byte, 1, ZMQ_DONTWAIT) >= 0);
    replica_broadcast(0, "chat", "secret");
    WAIT(replicas[1].messages == 1);
    zmq_close(client);
    zmq_close(server);
    zmq_close(handler);
    zmq_ctx_term(context);
    replicas_stop();
}
END_TEST

START_TEST(plain_text_is_bound_to_loopback_only_unless_one_insists) {
    static const char *const open_to_all[] = { "tcp://*:*", "tcp://0.0.0.0:*", "tcp://[::]:*",
                                               "tcp://192.0.2.1:*", "tcp://127.example.org:*" };
    static const char *const local[] = { "tcp://127.0.0.1:*", "tcp://127.9.9.9:*", "tcp://lo:*",
                                         "tcp://localhost:*", "ipc:///tmp/wsfan-test-local" };
    wsfan_options options;
    wsfan_node *node;
    for (size_t i = 0; i < sizeof open_to_all / sizeof *open_to_all; i++) {
        wsfan_options_init(&options);
        options.endpoint = open_to_all[i];
        ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_EINSECURE);
    }
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        wsfan_options_init(&options);
        options.endpoint = local[i];
        ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
        ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
    }
    wsfan_options_init(&options);
    options.endpoint = "tcp://*:*";
    options.allow_insecure = 2;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_EINVAL);
    options.allow_insecure = 1;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_reload_keys(node), WSFAN_EINVAL); /* it has none */
    ck_assert_str_eq(wsfan_node_public_key(node), "");
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
    make_pairs();
    options.allow_insecure = 0;
    options.secret_key = pairs[0].secret_key;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}
END_TEST

START_TEST(halves_of_two_pairs_are_no_key) {
    char path[] = "/tmp/wsfan-key-XXXXXX";
    wsfan_options options;
    wsfan_node *node;
    make_pairs();
    pair mixed = pairs[0];
    memcpy(mixed.public_key, pairs[1].public_key, sizeof mixed.public_key);
    ck_assert_int_ge(mkstemp(path), 0);
    write_certificate(path, &mixed, true);
    wsfan_options_init(&options);
    options.key_file = path;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_EKEY);
    write_certificate(path, &pairs[0], false); /* no secret */
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_EKEY);
    write_certificate(path, &pairs[0], true);
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK); /* local only: no socket */
    ck_assert_int_eq(wsfan_node_reload_keys(node), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
    ck_assert_int_eq(remove(path), 0);
}
END_TEST

SUITE_MAIN("security", nodes_that_know_each_others_keys_relay,
           two_nodes_meet_among_as_many_keys_as_there_may_be,
           a_node_that_a_peer_tells_of_is_dialled_with_its_key,
           a_node_that_comes_back_is_found_by_the_key_that_worked,
           a_search_for_a_key_goes_on_where_an_endpoint_is_dialled_again,
           the_address_of_a_node_that_left_is_another_ones_with_another_key,
           the_address_of_a_node_that_died_is_another_ones_before_the_dead_one_is_down,
           nodes_that_share_a_key_need_no_list,
           who_has_no_allowed_key_gets_nothing_and_learns_nothing,
           handshakes_that_fail_for_a_key_are_counted,
           who_has_another_key_keeps_nobody_from_meeting,
           a_node_with_a_key_that_is_not_allowed_stays_outside_until_it_is,
           a_node_whose_key_is_not_allowed_is_told_so_of_each_join_and_message,
           a_peer_whose_key_is_withdrawn_gets_nothing_more,
           an_allowed_peer_cannot_subscribe_to_what_is_for_another,
           an_allowed_peer_cannot_speak_for_another, keys_are_rotated_one_node_after_another,
           keys_come_from_files_that_are_read_again,
           a_host_with_a_handler_of_its_own_is_not_disturbed,
           plain_text_is_bound_to_loopback_only_unless_one_insists, halves_of_two_pairs_are_no_key)
