/* Which keys are tried at an endpoint, and when, by sockets of ZeroMQ's. The clock of this program stands still. */
#include "mesh/connection.h"

#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "mesh/zmq.h"
#include "suite.h"

enum { OWN, FIRST, SECOND, KEYS_COUNT, STRANGER = KEYS_COUNT };
enum { FRAME_SIZE_MAX = 1024, PATIENCE_S = 30 };

static char publics[KEYS_COUNT + 1][WSF_KEY_SIZE + 1]; /* the last is nobody's here */
static char secrets[KEYS_COUNT + 1][WSF_KEY_SIZE + 1];
static wsf_keys keys;
static wsf_connections connections;
static void *there; /* the context of the node at the endpoint */
static void *publisher;

int __real_clock_gettime(clockid_t id, struct timespec *at);
int __wrap_clock_gettime(clockid_t id, struct timespec *at);

int __wrap_clock_gettime(clockid_t id, struct timespec *at) {
    (void)id;
    *at = (struct timespec){ .tv_sec = 1000 };
    return 0;
}

/* A node with a key, which says something to whoever has that key. */
static void listen_with(int key, char endpoint[64]) {
    int one = 1;
    int zero = 0;
    size_t size = 64;
    there = zmq_ctx_new();
    publisher = zmq_socket(there, ZMQ_XPUB);
    ck_assert_int_eq(zmq_setsockopt(publisher, ZMQ_LINGER, &zero, sizeof zero), 0);
    ck_assert_int_eq(zmq_setsockopt(publisher, ZMQ_CURVE_SERVER, &one, sizeof one), 0);
    ck_assert_int_eq(zmq_setsockopt(publisher, ZMQ_CURVE_SECRETKEY, secrets[key], WSF_KEY_SIZE + 1),
                     0);
    ck_assert_int_eq(zmq_setsockopt(publisher, ZMQ_XPUB_WELCOME_MSG, "hello", 5), 0);
    ck_assert_int_eq(zmq_bind(publisher, "tcp://127.0.0.1:*"), 0);
    ck_assert_int_eq(zmq_getsockopt(publisher, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
}

/* Our node has three keys, and dials one that has this key. */
static void begin(int key) {
    char endpoint[64];
    memset(&keys, 0, sizeof keys);
    for (int i = 0; i <= STRANGER; i++) {
        ck_assert_int_eq(zmq_curve_keypair(publics[i], secrets[i]), 0);
        if (i != STRANGER)
            ck_assert_int_eq(wsf_keys_allow(&keys, publics[i]), WSFAN_OK);
    }
    memcpy(keys.secret_key.text, secrets[OWN], WSF_KEY_SIZE + 1);
    connections = (wsf_connections){ .context = zmq_ctx_new(),
                                     .keys = &keys,
                                     .frame_size_max = FRAME_SIZE_MAX,
                                     .watch_fd = epoll_create1(EPOLL_CLOEXEC),
                                     .trials_max = WSF_TRIALS_MAX,
                                     .monitors_max = WSF_MONITORS_MAX };
    connections.probes.watch_fd = connections.watch_fd;
    ck_assert_int_eq(wsf_auth_open(&connections.auth, connections.context, &keys), WSFAN_OK);
    listen_with(key, endpoint);
    wsf_connections_dial(&connections, 0, endpoint, 0);
}

static void end(void) {
    wsf_connections_hang_up(&connections, 0);
    wsf_tcp_probes_end(&connections.probes);
    wsf_auth_close(connections.auth);
    zmq_ctx_term(connections.context);
    close(connections.watch_fd);
    zmq_close(publisher);
    zmq_ctx_term(there);
}

/* The rounds of both mesh threads, whatever may have come. */
static void renew(void) {
    struct epoll_event event;
    char byte;
    zmq_recv(publisher, &byte, 1, ZMQ_DONTWAIT); /* takes new connections, too */
    epoll_wait(connections.watch_fd, &event, 1, 10);
    connections.monitors_unread = true;
    wsf_connections_renew(&connections);
}

#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        struct timespec deadline;                                                                  \
        struct timespec at;                                                                        \
        __real_clock_gettime(CLOCK_MONOTONIC, &deadline);                                          \
        deadline.tv_sec += PATIENCE_S;                                                             \
        while (!(condition)) {                                                                     \
            __real_clock_gettime(CLOCK_MONOTONIC, &at);                                            \
            ck_assert_msg(at.tv_sec < deadline.tv_sec, "waited for: %s", #condition);              \
            renew();                                                                               \
        }                                                                                          \
    } while (0)

/* Where ZeroMQ's retry with the same key leads to another node, ourselves perhaps, nothing else would find this one. */
START_TEST(a_key_that_is_refused_has_no_head_start) {
    begin(SECOND);
    AWAIT(connections.list[0].proven);
    ck_assert_uint_eq(connections.list[0].key, SECOND);
    end();
}
END_TEST

START_TEST(no_other_key_is_tried_where_the_likeliest_one_fits) {
    begin(OWN);
    AWAIT(wsf_zmq_readable(connections.list[0].socket));
    ck_assert_uint_eq(connections.trials_count, 0);
    ck_assert_uint_eq(connections.list[0].next, 0);
    end();
}
END_TEST

START_TEST(a_key_that_is_refused_again_hurries_no_search) {
    begin(STRANGER);
    AWAIT(connections.list[0].attempts >= 4);
    ck_assert_uint_eq(connections.trials_count, KEYS_COUNT - 1);
    ck_assert_uint_eq(connections.list[0].round, 1);
    end();
}
END_TEST

SUITE_MAIN("connection", a_key_that_is_refused_has_no_head_start,
           no_other_key_is_tried_where_the_likeliest_one_fits,
           a_key_that_is_refused_again_hurries_no_search)
