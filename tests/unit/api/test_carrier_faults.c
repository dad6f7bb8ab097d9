/* A carrier of the host that is broken, or hands in what strangers sent: the node stays within its limits, says what is
 * wrong, and goes on where it can. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wsfan/carrier.h>
#include <wsfan/diagnosis.h>
#include <wsfan/placement.h>

#include "base/hash.h"
#include "failing.h"
#include "replica.h"
#include "wire/encode.h"

enum { FRAME = 1, SUBSCRIBE, UNSUBSCRIBE, ANNOUNCE };

/* A carrier that leads nowhere, and does in receive() what a test wants. */
typedef struct {
    wsfan_carrier carrier;
    const wsfan_carrier_mesh *mesh;
    int fd;
    atomic_bool told; /* that it works */
    atomic_uint sent;
    atomic_uint receives;
    unsigned closed;
    void (*act)(void); /* in each receive(); NULL: nothing */
} stub;

static stub wire;

static int stub_open(void *user, const wsfan_carrier_mesh *mesh) {
    (void)user;
    wire.mesh = mesh;
    return WSFAN_OK;
}

static void stub_send(void *user, const char *to, const wsfan_bytes *parts, size_t count) {
    size_t size = 0;
    (void)user;
    (void)to;
    ck_assert_uint_le(count, 4); /* as carrier.h says */
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    ck_assert_uint_le(size, wire.mesh->datagram_bytes_max);
    atomic_fetch_add(&wire.sent, 1);
}

static int stub_fd(void *user) {
    (void)user;
    return wire.fd;
}

static void stub_receive(void *user) {
    eventfd_t count;
    (void)user;
    atomic_fetch_add(&wire.receives, 1);
    eventfd_read(wire.fd, &count);
    if (!atomic_exchange(&wire.told, true))
        wire.mesh->stands(wire.mesh->mesh, WSFAN_ENDPOINT_RESOLVED);
    if (wire.act != NULL)
        wire.act();
}

static void stub_close(void *user, int linger_ms) {
    (void)user;
    (void)linger_ms;
    wire.closed++;
    wire.mesh = NULL;
}

static wsfan_options over_stub(void) {
    wire = (stub){ .carrier = { .struct_size = sizeof wire.carrier,
                                .scheme = "stub",
                                .open = stub_open,
                                .send = stub_send,
                                .fd = stub_fd,
                                .receive = stub_receive,
                                .close = stub_close },
                   .fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK) };
    wsfan_options options = quick_options(NULL);
    options.carrier = &wire.carrier;
    options.allocator = &FAILING; /* the first node of a process settles it */
    return options;
}

static void start(void (*act)(void)) {
    wsfan_options options = over_stub();
    wire.act = act;
    replica_start(0, options, NULL, 0, NULL);
    eventfd_write(wire.fd, 1);
}

static void stop(void) {
    replica_stop(0);
    close(wire.fd);
}

/* Sessions of the node itself hear each other, whatever the carrier does. */
static void goes_on(void) {
    unsigned before = replicas[0].messages;
    if (replicas[0].joined == 0)
        replica_join(0, "lobby");
    replica_broadcast(0, "lobby", "x");
    WAIT(replicas[0].messages == before + 1);
}

static uint64_t malformed(void) {
    return replica_stats(0).dropped[WSFAN_DROP_MALFORMED];
}

static int give(const char *from, const void *data, size_t size) {
    return wire.mesh->received(wire.mesh->mesh, from, data, size);
}

/* ----------------------------------------------------------------------------------------- sizes */

static atomic_bool given;
static uint8_t *large; /* one byte more than any datagram has */

static void give_sizes(void) {
    if (atomic_exchange(&given, true))
        return;
    size_t max = wire.mesh->datagram_bytes_max;
    large = calloc(1, max + 1);
    ck_assert_ptr_nonnull(large);
    large[0] = FRAME;
    give("a", large, max); /* of a node that this one has not dialled: no business of ours */
    give("a", large, max + 1);
    give("a", NULL, 0);
}

START_TEST(what_is_larger_than_any_datagram_or_empty_is_counted_and_dropped) {
    start(give_sizes);
    WAIT(atomic_load(&given));
    WAIT(malformed() == 2);
    goes_on();
    stop();
    free(large);
}
END_TEST

/* ------------------------------------------------------------------------------------- strangers */

#ifdef __SANITIZE_THREAD__
enum { STRANGERS = 20000 };
#else
enum { STRANGERS = 200000 };
#endif

static atomic_uint strangers;

/* A node of this name says that it subscribes, and who it is. */
static int come(unsigned number) {
    wsf_introduction who = { .protocol_min = WSF_PROTOCOL_MIN, .protocol_max = WSF_PROTOCOL_MAX };
    uint8_t data[9 + WSF_TOPIC_SIZE + WSF_INTRODUCTION_SIZE_MAX] = { SUBSCRIBE };
    char name[32];
    snprintf(name, sizeof name, "s%u", number);
    snprintf(who.endpoint, sizeof who.endpoint, "stub:%s", name);
    snprintf(who.cluster, sizeof who.cluster, "wsfan");
    who.node = (uint64_t)wsf_hash_identity(who.endpoint) << 32 | number;
    wsf_put_u64(data + 1, 1);
    wsf_write_inbox(data + 9, who.node);
    size_t size = wsf_write_introduction(data + 9 + WSF_TOPIC_SIZE, &who);
    return give(name, data, 9 + WSF_TOPIC_SIZE + size);
}

/* It does not stop where the node has had enough. */
static void send_strangers(void) {
    for (unsigned i = 0; i < 1000 && atomic_load(&strangers) < STRANGERS; i++)
        come(atomic_fetch_add(&strangers, 1));
    eventfd_write(wire.fd, 1);
}

START_TEST(strangers_without_end_take_no_more_memory_than_the_first) {
    wsfan_options options = over_stub();
    wire.act = send_strangers;
    replica_start(0, options, NULL, 0, NULL);
    WAIT(atomic_load(&strangers) >= STRANGERS / 10);
    long before = atomic_load(&live_count);
    WAIT(atomic_load(&strangers) == STRANGERS);
    ck_assert_int_lt(atomic_load(&live_count), before + 1000);
    wsfan_endpoint endpoints[1] = { { .struct_size = sizeof endpoints[0] } };
    size_t count;
    ck_assert_int_eq(wsfan_node_get_endpoints(replicas[0].node, endpoints, 1, &count), WSFAN_OK);
    ck_assert_uint_le(count, WSFAN_ENDPOINTS_MAX + 1);
    goes_on();
    stop();
    ck_assert_int_eq(atomic_load(&live_count), 0);
}
END_TEST

/* -------------------------------------------------------------------------------------- standing */

static atomic_uint stood;

static void stand_anyhow(void) {
    static const int states[] = { WSFAN_ENDPOINT_RESOLVED, WSFAN_ENDPOINT_LINKED, -1, 99,
                                  WSFAN_ENDPOINT_NO_ANSWER };
    for (unsigned i = 0; i < 500 && atomic_load(&stood) < 10000; i++)
        wire.mesh->stands(wire.mesh->mesh,
                          (wsfan_endpoint_state)states[atomic_fetch_add(&stood, 1) % 5]);
    eventfd_write(wire.fd, 1);
}

static unsigned unknown;

static void on_event(void *user, const wsfan_event *event) {
    (void)user;
    unknown += strstr(event->code, "unknown") != NULL || strstr(event->text, "unknown") != NULL;
}

START_TEST(a_state_that_is_no_failure_is_one_that_nobody_answers) {
    static const wsfan_callbacks more = { .struct_size = sizeof more, .on_event = on_event };
    wsfan_endpoint endpoints[2] = { { .struct_size = sizeof endpoints[0] } };
    size_t count;
    wsfan_options options = over_stub();
    wire.act = stand_anyhow;
    replica_start(0, options, NULL, 0, &more);
    WAIT(atomic_load(&stood) == 10000);
    ck_assert_int_eq(wsfan_node_get_endpoints(replicas[0].node, endpoints, 2, &count), WSFAN_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(endpoints[0].endpoint, "stub:*");
    ck_assert_int_eq(endpoints[0].state, WSFAN_ENDPOINT_NO_ANSWER);
    goes_on();
    ck_assert_uint_eq(unknown, 0);
    stop();
}
END_TEST

/* ----------------------------------------------------------------------------------- descriptors */

START_TEST(a_carrier_without_a_descriptor_is_refused_and_closed) {
    wsfan_options options = over_stub();
    wsfan_node *node = NULL;
    close(wire.fd);
    wire.fd = -1;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_ESYSTEM);
    ck_assert_ptr_null(node);
    ck_assert_uint_eq(wire.closed, 1);
}
END_TEST

static atomic_bool wanted_closed;

static void close_when_wanted(void) {
    if (atomic_exchange(&wanted_closed, false))
        close(wire.fd);
}

/* Its node waits for the time of the next thing to do instead, and not in circles. */
START_TEST(a_descriptor_that_its_carrier_has_closed_is_not_waited_for_in_circles) {
    start(close_when_wanted);
    WAIT(atomic_load(&wire.told));
    goes_on();
    atomic_store(&wanted_closed, true);
    eventfd_write(wire.fd, 1);
    WAIT(!atomic_load(&wanted_closed));
    unsigned before = atomic_load(&wire.receives);
    int64_t until_ms = now_ms() + 1000;
    WAIT(now_ms() >= until_ms);
    ck_assert_uint_lt(atomic_load(&wire.receives), before + 1000);
    goes_on();
    replica_stop(0);
}
END_TEST

/* --------------------------------------------------------------------------------- other threads */

static void *call_from_outside(void *user) {
    (void)user;
    wire.mesh->stands(wire.mesh->mesh, WSFAN_ENDPOINT_NO_ANSWER);
    ck_assert_int_eq(give("a", "\4", 1), 0);
    return NULL;
}

/* Built without NDEBUG it ends the process, with a word about it. */
START_TEST(what_is_called_outside_of_receive_does_nothing) {
    start(NULL);
    WAIT(atomic_load(&wire.told));
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, 2);
        call_from_outside(NULL);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
#ifdef NDEBUG
    ck_assert_int_eq(status, 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, call_from_outside, NULL), 0);
    pthread_join(thread, NULL);
#else
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
#endif
    goes_on();
    stop();
}
END_TEST

/* ------------------------------------------------------------------------------------------ mute */

/* It never says that it works, nor that it does not, and no peer can be met. */
START_TEST(a_carrier_that_says_nothing_leaves_the_node_alone_and_ready_in_time) {
    wsfan_options options = over_stub();
    options.ready_ms_max = 300;
    atomic_store(&wire.told, true);
    replica_start(0, options, NULL, 0, NULL);
    WAIT(wsfan_node_ready(replicas[0].node) > 0);
    goes_on();
    ck_assert_uint_eq(atomic_load(&wire.sent), 0);
    stop();
}
END_TEST

SUITE_MAIN("carrier_faults", what_is_larger_than_any_datagram_or_empty_is_counted_and_dropped,
           strangers_without_end_take_no_more_memory_than_the_first,
           a_state_that_is_no_failure_is_one_that_nobody_answers,
           a_carrier_without_a_descriptor_is_refused_and_closed,
           a_descriptor_that_its_carrier_has_closed_is_not_waited_for_in_circles,
           what_is_called_outside_of_receive_does_nothing,
           a_carrier_that_says_nothing_leaves_the_node_alone_and_ready_in_time)
