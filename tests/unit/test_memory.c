/* Memory that runs out: each allocation of the library fails, at every place, once or from there on. */
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <wsfan/wsfan.h>

#include "suite.h"
#include "world.h"

enum { NEVER = -1000000000, MESSAGES = 3 };

/* Linked with --wrap: every allocation of the library comes by here, from any thread. */
static atomic_long fail_at = NEVER; /* how many allocations go well before one fails */
static atomic_uint fail_one_in;     /* or: fail at random */
static atomic_bool for_ever;        /* and every one after it */
static atomic_bool ran_out;
static uint64_t random_state = 9;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool fails(void) {
    unsigned one_in = atomic_load(&fail_one_in);
    long left = atomic_fetch_sub(&fail_at, 1);
    bool fail = left == 0 || (left < 0 && left > NEVER && atomic_load(&for_ever)) ||
                (one_in > 0 && next_random(&random_state) % one_in == 0);
    if (fail)
        atomic_store(&ran_out, true);
    return fail;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return fails() ? NULL : __real_realloc(old, size);
}

/* Check's own macros allocate even when they hold, and come by here too. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            atomic_store(&fail_at, NEVER);                                                         \
            atomic_store(&fail_one_in, 0);                                                         \
            ck_abort_msg("%s", #condition);                                                        \
        }                                                                                          \
    } while (0)

typedef struct {
    unsigned messages;
    unsigned joined;
    unsigned deaf; /* joins that the node could not note */
    uint64_t gap;
} seen;

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    (void)message;
    (void)recipients;
    (void)count;
    ((seen *)user)->messages++;
}

static void on_joined(void *user, const wsfan_joined *joined) {
    ((seen *)user)->joined++;
    ((seen *)user)->deaf += joined->status == WSFAN_ENOMEM;
}

static void on_gap(void *user, const wsfan_gap *gap) {
    ((seen *)user)->gap += gap->count;
}

static const wsfan_callbacks CALLBACKS = { .struct_size = sizeof CALLBACKS,
                                           .on_message = on_message,
                                           .on_joined = on_joined,
                                           .on_gap = on_gap };

static bool all_or_no_memory(int error) {
    EXPECT(error == WSFAN_OK || error == WSFAN_ENOMEM);
    return error == WSFAN_OK;
}

/* A host's life; whatever fails is left out. Everything accepted is delivered or reported. */
static void live(wsfan_node *node) {
    seen s = { 0, 0, 0, 0 };
    wsfan_loop *loop;
    wsfan_session sessions[20];
    unsigned joins = 0;
    unsigned accepted = 0;
    if (!all_or_no_memory(wsfan_loop_open(&loop, node, &CALLBACKS, &s)))
        return;
    for (int i = 0; i < 20; i++) {
        if (!all_or_no_memory(wsfan_session_open(&sessions[i], loop, wsfan_string("u"), NULL)))
            continue;
        joins += all_or_no_memory(wsfan_session_join(loop, sessions[i], wsfan_string("x")));
    }
    for (int i = 0; i < MESSAGES && joins > 0; i++)
        accepted += all_or_no_memory(
            wsfan_broadcast(node, wsfan_string("x"), wsfan_string("payload"), NULL));
    while (s.joined < joins || (s.deaf == 0 && s.messages + s.gap < accepted)) {
        struct pollfd item = { .fd = wsfan_loop_fd(loop), .events = POLLIN };
        EXPECT(poll(&item, 1, 20000) == 1);
        EXPECT(wsfan_loop_dispatch(loop, 0) >= 0);
    }
    EXPECT(wsfan_loop_close(loop) == WSFAN_OK);
}

START_TEST(any_one_allocation_may_fail_in_the_life_of_a_host) {
    long n = 0;
    do {
        wsfan_node *node;
        wsfan_options options;
        wsfan_options_init(&options);
        atomic_store(&ran_out, false);
        atomic_store(&fail_at, n);
        if (all_or_no_memory(wsfan_node_open(&node, &options))) {
            live(node);
            EXPECT(wsfan_node_close(node) == WSFAN_OK);
        }
        atomic_store(&fail_at, NEVER);
        n++;
    } while (atomic_load(&ran_out));
    ck_assert_int_gt(n, 50);
}
END_TEST

/* Every call of the API that may allocate. From some place on all memory is gone: each returns an
 * error or completes, nothing is owed, and closing needs no memory. */
static void call_everything(wsfan_node *node) {
    static const char *const named[] = { "tcp://127.0.0.1:2", "tcp://127.0.0.1:3" };
    static const char *const keys[] = { "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID" };
    seen s = { 0, 0, 0, 0 };
    wsfan_loop *loop;
    wsfan_session session;
    wsfan_peer_stats peers[4];
    wsfan_stats stats = { .struct_size = sizeof stats };
    size_t count;
    peers[0].struct_size = sizeof *peers;
    all_or_no_memory(wsfan_node_set_peers(node, named, 2));
    all_or_no_memory(wsfan_node_allow_keys(node, keys, 1));
    all_or_no_memory(wsfan_node_reload_keys(node));
    all_or_no_memory(wsfan_node_peers(node, peers, 4, &count));
    EXPECT(wsfan_node_stats(node, &stats) == WSFAN_OK);
    if (!all_or_no_memory(wsfan_loop_open(&loop, node, &CALLBACKS, &s)))
        return;
    for (int i = 0; i < 10; i++) {
        char chat[8] = { 'c', (char)('0' + i), '\0' };
        wsfan_publish_options options = { .struct_size = sizeof options, .result_loop = loop };
        if (!all_or_no_memory(wsfan_session_open(&session, loop, wsfan_string("u"), NULL)))
            continue;
        if (all_or_no_memory(wsfan_session_join(loop, session, wsfan_string(chat))) && i % 3 == 0)
            EXPECT(wsfan_session_leave(loop, session, wsfan_string(chat)) == WSFAN_OK);
        all_or_no_memory(wsfan_broadcast(node, wsfan_string(chat), wsfan_string("x"), &options));
        all_or_no_memory(wsfan_broadcast_all(node, wsfan_string("y"), NULL));
        EXPECT(wsfan_loop_dispatch(loop, 0) >= 0);
        if (i % 2 == 0)
            EXPECT(wsfan_session_close(loop, session) == WSFAN_OK);
    }
    EXPECT(wsfan_loop_close(loop) == WSFAN_OK);
}

START_TEST(memory_may_be_gone_for_good_at_any_place) {
    long n = 0;
    atomic_store(&for_ever, true);
    do {
        wsfan_node *node;
        wsfan_options options;
        wsfan_options_init(&options);
        options.endpoint = "tcp://127.0.0.1:*";
        options.secret_key = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
        options.close_ms_max = 0;
        atomic_store(&ran_out, false);
        atomic_store(&fail_at, n);
        if (all_or_no_memory(wsfan_node_open(&node, &options))) {
            call_everything(node);
            EXPECT(wsfan_node_close(node) == WSFAN_OK);
        }
        atomic_store(&fail_at, NEVER);
        n++;
    } while (atomic_load(&ran_out));
    atomic_store(&for_ever, false);
    ck_assert_int_gt(n, 60);
}
END_TEST

START_TEST(any_one_allocation_may_fail_while_peers_are_named) {
    static const char *const peers[] = { "tcp://127.0.0.1:1", "dns://localhost:4" };
    static const char *const named[] = { "tcp://127.0.0.1:2", "tcp://127.0.0.1:3" };
    long n = 0;
    do {
        wsfan_node *node;
        wsfan_options options;
        wsfan_options_init(&options);
        options.endpoint = "tcp://127.0.0.1:*";
        options.peers = peers;
        options.peers_count = 2;
        atomic_store(&ran_out, false);
        atomic_store(&fail_at, n);
        if (all_or_no_memory(wsfan_node_open(&node, &options))) {
            bool set = all_or_no_memory(wsfan_node_set_peers(node, named, 2));
            wsfan_stats stats = { .struct_size = sizeof stats };
            do /* the name, too, is asked for until there is an answer that can be kept */
                EXPECT(wsfan_node_stats(node, &stats) == WSFAN_OK);
            while (stats.dns_answers == 0 || stats.endpoints < (set ? 4 : 2));
            EXPECT(wsfan_node_close(node) == WSFAN_OK);
        }
        atomic_store(&fail_at, NEVER);
        n++;
    } while (atomic_load(&ran_out));
    ck_assert_int_gt(n, 5);
}
END_TEST

typedef struct {
    unsigned delivered[4000];
    uint64_t gap;
    unsigned joined;
} receiver;

static bool on_deliver(void *user, unsigned node, unsigned loop, wsfan_message *message) {
    (void)loop;
    if (node == 1)
        ((receiver *)user)->delivered[world_payload(message)]++;
    return true;
}

static void on_world_gap(void *user, unsigned node, const wsfan_gap *gap) {
    if (node == 1)
        ((receiver *)user)->gap += gap->count;
}

static bool on_world_joined(void *user, unsigned node, wsf_ticket *ticket) {
    ((receiver *)user)->joined += node == 1 && ticket->status == WSFAN_OK;
    return false;
}

static bool meshed(void *user) {
    return world_meshed(user);
}

START_TEST(a_link_between_nodes_that_run_out_of_memory_loses_nothing_silently) {
    static receiver r;
    world_watcher watcher = {
        .user = &r, .deliver = on_deliver, .joined = on_world_joined, .gap = on_world_gap
    };
    world *w = world_new(1, &watcher);
    bool accepted[4000] = { false };
    atomic_store(&fail_at, NEVER);
    world_start(w, 0, 0);
    world_start(w, 1, 1);
    ck_assert(world_run_until(w, meshed, w, 10000));
    world_join(w, 1, 100);
    world_run(w, 100);
    ck_assert_uint_eq(r.joined, 1);
    atomic_store(&fail_one_in, 20);
    for (uint64_t i = 0; i < 3000; i++) {
        accepted[i] = world_publish(w, 0, 100, i);
        world_join(w, 1, 1000 + i);
        if (i % 3 == 0)
            world_leave(w, 1, 1000 + i / 2);
        world_run(w, 1);
    }
    atomic_store(&fail_one_in, 0);
    atomic_store(&fail_at, NEVER);
    world_run(w, 5000);
    for (uint64_t i = 3000; i < 3100; i++)
        accepted[i] = world_publish(w, 0, 100, i);
    world_run(w, 1000);
    uint64_t missing = 0;
    for (int i = 0; i < 4000; i++) {
        ck_assert_uint_le(r.delivered[i], accepted[i]);
        missing += accepted[i] && r.delivered[i] == 0;
    }
    for (int i = 3000; i < 3100; i++)
        ck_assert_uint_eq(r.delivered[i], 1);
    ck_assert_uint_eq(r.gap, missing);
    world_destroy(w);
}
END_TEST

SUITE_MAIN("memory", any_one_allocation_may_fail_in_the_life_of_a_host,
           memory_may_be_gone_for_good_at_any_place,
           any_one_allocation_may_fail_while_peers_are_named,
           a_link_between_nodes_that_run_out_of_memory_loses_nothing_silently)
