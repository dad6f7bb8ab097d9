/* Runs that publishers make while the mesh thread is busy: what they count as, their order, and their memory. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#include "live.h"
#include "loop/state.h"
#include "mesh/state.h"
#include "runs.h"

enum { PUBLISHERS = 4, EACH = 3000 /* messages */, SLAB = sizeof(wsf_slab) };

static wsfan_node *node;
static wsfan_loop *loop;
static wsf_mesh *mesh;
static uint32_t next_of[PUBLISHERS];
static uint64_t last_clock;
static unsigned shown;
static unsigned results;

/* Numbers of each publisher, without a hole, and rising ids. */
static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    (void)user, (void)recipients;
    uint32_t number = number_of(wsfan_message_payload(message));
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_lt(number / EACH, PUBLISHERS);
    ck_assert_uint_eq(number % EACH, next_of[number / EACH]);
    next_of[number / EACH]++;
    ck_assert_uint_gt(wsfan_message_get_id(message).clock, last_clock);
    last_clock = wsfan_message_get_id(message).clock;
    shown++;
}

static void on_result(void *user, const wsfan_result *result) {
    (void)user;
    ck_assert_int_eq(result->status, WSFAN_OK);
    results++;
}

static unsigned joined;

static void on_joined(void *user, const wsfan_joined *told) {
    (void)user, (void)told;
    joined++;
}

static void begin(const wsfan_options *options) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_joined = on_joined,
                                               .on_result = on_result };
    wsfan_session session;
    memset(next_of, 0, sizeof next_of);
    shown = results = joined = 0;
    last_clock = 0;
    ck_assert_int_eq(wsfan_node_open(&node, options), WSFAN_OK);
    ck_assert_int_eq(wsfan_loop_open(&loop, node, &callbacks, NULL), WSFAN_OK);
    mesh = loop->node.mesh;
    live[0] = loop;
    ck_assert_int_eq(wsfan_session_open(&session, loop, wsfan_string(""), NULL), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(loop, session, wsfan_string("a")), WSFAN_OK);
    ck_assert_int_eq(wsfan_session_join(loop, session, wsfan_string("b")), WSFAN_OK);
    WAIT(joined == 2);
}

static void end(void) {
    live[0] = NULL;
    ck_assert_int_eq(wsfan_loop_close(loop), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
}

/* Until release() nothing is taken from the publish queue. */
static void hold(void) {
    ck_assert_int_eq(pthread_mutex_lock(&mesh->lock), 0);
}

static void release(void) {
    pthread_mutex_unlock(&mesh->lock);
}

enum { PLAIN, OTHER_CHAT, KEYED, ASKED, SEVERAL, LARGE, BINARY, KINDS };

static int publish(uint32_t number, unsigned kind, size_t size) {
    if (kind == LARGE)
        size = 60000;
    uint8_t *payload = malloc(size);
    char key[16];
    wsfan_target targets[] = { { WSFAN_CHAT, wsfan_string(kind == OTHER_CHAT ? "b" : "a") },
                               { WSFAN_CHAT, wsfan_string("b") } };
    wsfan_publish_options options = { .struct_size = sizeof options };
    if (kind == KEYED) { /* one that no other replaces */
        snprintf(key, sizeof key, "%u", number);
        options.key = wsfan_string(key);
    }
    if (kind == ASKED)
        options.result_loop = loop;
    if (kind == BINARY)
        options.flags = WSFAN_BINARY;
    int error = wsfan_publish(node, targets, kind == SEVERAL ? 2 : 1,
                              numbered(payload, number, size), &options);
    free(payload);
    return error;
}

static uint64_t need_of(size_t size) {
    static uint8_t payload[WSF_SLICE_MIN];
    wsfan_target target = { WSFAN_CHAT, { "a", 1 } };
    wsf_message_parts parts = { .targets = &target,
                                .targets_count = 1,
                                .payload = { payload, size } };
    return wsf_message_need(&parts);
}

/* Counts the items of the publish queue, from the first to the last. */
static uint32_t count_waiting(uint64_t *bytes, uint32_t *runs) {
    wsf_queue *queue = &mesh->mailbox.queue;
    uint32_t count = 0;
    *bytes = *runs = 0;
    pthread_mutex_lock(&queue->mutex);
    for (const wsf_item *item = queue->head; item != NULL; item = item->next) {
        if (item->kind != WSF_MESH_PUBLISH)
            continue;
        count += ((const wsfan_message *)item)->count;
        *runs += wsf_message_is_run((const wsfan_message *)item);
        *bytes += item->bytes;
    }
    pthread_mutex_unlock(&queue->mutex);
    return count;
}

static wsfan_options options_of(void) {
    return quick_options("tcp://127.0.0.1:*");
}

static bool is_idle(void) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(node, &stats), WSFAN_OK);
    return stats.publish_queue_count == 0;
}

START_TEST(messages_that_find_others_waiting_are_in_runs_and_count_as_before) {
    enum { COUNT = 900 };
    wsfan_options options = options_of();
    begin(&options);
    for (unsigned round = 1; round <= 3; round++) {
        uint64_t bytes;
        uint64_t depth;
        uint64_t depth_bytes;
        uint32_t runs;
        hold();
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t number = next_of[0] + i;
            ck_assert_int_eq(publish(number, PLAIN, 40), WSFAN_OK);
        }
        ck_assert_uint_eq(count_waiting(&bytes, &runs), COUNT);
        ck_assert_uint_ge(runs, 1);
        ck_assert_uint_le(runs, 10);
        wsf_queue_depth(&mesh->mailbox.queue, &depth, &depth_bytes);
        ck_assert_uint_eq(depth, COUNT);
        ck_assert_uint_eq(depth_bytes, COUNT * need_of(40));
        ck_assert_uint_eq(bytes, depth_bytes);
        release();
        WAIT(shown == round * COUNT);
        WAIT(is_idle());
        wsf_queue_depth(&mesh->mailbox.queue, &depth, &depth_bytes);
        ck_assert_uint_eq(depth_bytes, 0);
    }
    end();
}
END_TEST

START_TEST(the_publish_queue_takes_as_many_messages_as_it_may_and_no_more) {
    enum { MAX = 300 };
    wsfan_options options = options_of();
    options.publish_queue_count_max = MAX;
    begin(&options);
    hold();
    for (uint32_t i = 0; i < MAX; i++)
        ck_assert_int_eq(publish(i, PLAIN, 20), WSFAN_OK);
    ck_assert_int_eq(publish(MAX, PLAIN, 20), WSFAN_EAGAIN);
    ck_assert_int_eq(publish(MAX, ASKED, 20), WSFAN_EAGAIN);
    release();
    WAIT(shown == MAX);
    WAIT(is_idle());
    ck_assert_int_eq(publish(MAX, PLAIN, 20), WSFAN_OK);
    WAIT(shown == MAX + 1);
    end();
}
END_TEST

START_TEST(the_publish_queue_takes_as_many_bytes_as_it_may_and_no_more) {
    wsfan_options options = options_of();
    options.publish_queue_bytes_max = 200 * need_of(100) + need_of(100) - 1;
    begin(&options);
    hold();
    for (uint32_t i = 0; i < 200; i++)
        ck_assert_int_eq(publish(i, PLAIN, 100), WSFAN_OK);
    ck_assert_int_eq(publish(200, PLAIN, 100), WSFAN_EAGAIN);
    ck_assert_int_eq(publish(200, PLAIN, 90), need_of(90) < need_of(100) ? WSFAN_OK : WSFAN_EAGAIN);
    release();
    WAIT(shown >= 200);
    WAIT(is_idle());
    end();
}
END_TEST

/* Runs that end with a few messages, because the queues of links are short, are not of more and more memory. */
START_TEST(runs_of_few_messages_take_no_more_memory_than_a_few_times_what_they_count_as) {
    enum { COUNT = 400, FACTOR = 8 };
    static const uint32_t links[] = { 8, 16, 40, 100 };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        for (size_t large = 0; large <= 30000; large += 30000) {
            uint64_t memory = 0;
            uint64_t depth;
            uint64_t depth_bytes;
            wsfan_options options = options_of();
            options.link_queue_count_max = links[i];
            begin(&options);
            hold();
            for (uint32_t number = 0; number < COUNT; number++) {
                size_t size = number == 2 && large > 0 ? large : 20;
                ck_assert_int_eq(publish(number, PLAIN, size), WSFAN_OK);
            }
            for (const wsf_item *item = mesh->mailbox.queue.head; item != NULL; item = item->next)
                memory += ((const wsfan_message *)item)->size;
            wsf_queue_depth(&mesh->mailbox.queue, &depth, &depth_bytes);
            ck_assert_uint_lt(memory, FACTOR * depth_bytes);
            release();
            WAIT(shown == COUNT);
            end();
        }
}
END_TEST

START_TEST(the_order_of_a_publisher_is_kept_across_runs_and_all_else) {
    uint64_t random = 3;
    wsfan_options options = options_of();
    options.publish_queue_bytes_max = UINT64_C(64) << 20;
    begin(&options);
    uint32_t number = 0;
    unsigned asked = 0;
    for (unsigned round = 0; round < 20; round++) {
        bool held = next_random(&random) % 4 != 0;
        if (held)
            hold();
        for (unsigned i = 0; i < 80; i++) {
            unsigned kind = (unsigned)(next_random(&random) % 20);
            size_t size = next_random(&random) % 10 == 0 ? 3000 : 4 + next_random(&random) % 200;
            if (kind >= KINDS)
                kind = PLAIN;
            asked += kind == ASKED;
            ck_assert_int_eq(publish(number++, kind, size), WSFAN_OK);
        }
        if (held)
            release();
        dispatch_all();
    }
    WAIT(shown == number);
    WAIT(results == asked);
    end();
}
END_TEST

static void *publish_many(void *user) {
    const uint32_t *publisher = user;
    uint64_t random = *publisher;
    for (uint32_t i = 0; i < EACH; i++) {
        unsigned kind = (unsigned)(next_random(&random) % 50);
        int error;
        do
            error = publish(*publisher * EACH + i, kind < KINDS && kind != LARGE ? kind : PLAIN,
                            4 + next_random(&random) % 100);
        while (error == WSFAN_EAGAIN || error == WSFAN_ELIMIT);
        ck_assert_int_eq(error, WSFAN_OK);
    }
    return NULL;
}

START_TEST(the_order_of_each_publishing_thread_is_kept) {
    pthread_t threads[PUBLISHERS];
    uint32_t numbers[PUBLISHERS];
    wsfan_options options = options_of();
    options.publish_queue_count_max = 1000; /* full now and then */
    options.inbox_count_max = PUBLISHERS * EACH;
    begin(&options);
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, publish_many, &numbers[i]);
    }
    WAIT(shown == PUBLISHERS * EACH);
    for (unsigned i = 0; i < PUBLISHERS; i++)
        pthread_join(threads[i], NULL);
    end();
}
END_TEST

/* -------------------------------------------------------------------------------------- memory */

/* Gives the block that came back last again, if it is of that size. */
typedef struct {
    size_t size;
    _Alignas(16) uint8_t bytes[];
} block;

static pthread_mutex_t blocks = PTHREAD_MUTEX_INITIALIZER;
static size_t watched;   /* its size */
static block *last_back; /* NULL: none */
static bool given_again;

static void *again_alloc(void *user, size_t size) {
    (void)user;
    block *found = NULL;
    pthread_mutex_lock(&blocks);
    if (size == watched && last_back != NULL) {
        found = last_back;
        last_back = NULL;
        given_again = true;
    }
    pthread_mutex_unlock(&blocks);
    if (found == NULL)
        found = malloc(sizeof *found + size);
    if (found == NULL)
        return NULL;
    found->size = size;
    return found->bytes;
}

static void again_free(void *user, void *memory) {
    (void)user;
    if (memory == NULL)
        return;
    block *back = (block *)(void *)((uint8_t *)memory - offsetof(block, bytes));
    if (back->size == watched) {
        pthread_mutex_lock(&blocks);
        block *before = last_back;
        last_back = back;
        back = before;
        pthread_mutex_unlock(&blocks);
    }
    free(back);
}

static void *again_realloc(void *user, void *memory, size_t size) {
    void *larger = again_alloc(user, size);
    if (memory == NULL || larger == NULL)
        return larger;
    size_t before = ((block *)(void *)((uint8_t *)memory - offsetof(block, bytes)))->size;
    memcpy(larger, memory, before < size ? before : size);
    again_free(user, memory);
    return larger;
}

/* A run of just `run_bytes` by its first payload; then a message in memory of its own, where that was. */
static void publish_where_a_run_was(size_t first_size, size_t run_bytes, unsigned kind) {
    static const wsfan_allocator allocator = { NULL, again_alloc, again_realloc, again_free };
    wsfan_options options = options_of();
    options.allocator = &allocator;
    watched = run_bytes;
    begin(&options);
    hold();
    ck_assert_int_eq(publish(0, PLAIN, 20), WSFAN_OK);
    ck_assert_int_eq(publish(1, PLAIN, first_size), WSFAN_OK);
    release();
    WAIT(shown == 2 && is_idle());
    size_t size = run_bytes - SLAB - (need_of(20) - 20);
    ck_assert_uint_eq(need_of(size) + SLAB, run_bytes);
    given_again = false;
    hold();
    ck_assert_int_eq(publish(2, kind, size), WSFAN_OK);
    ck_assert(given_again);
    ck_assert_int_eq(publish(3, PLAIN, 20), WSFAN_OK);
    ck_assert_int_eq(publish(4, PLAIN, 20), WSFAN_OK);
    release();
    WAIT(shown == 5 && results == (kind == ASKED));
    end();
    free(last_back);
    last_back = NULL;
}

START_TEST(a_message_where_a_run_was_is_not_taken_for_it) {
    publish_where_a_run_was(20, WSF_RUN_BYTES_MIN, ASKED);
    publish_where_a_run_was(1000, 4 * WSF_RUN_BYTES_MIN,
                            PLAIN); /* which might have been in a run */
}
END_TEST

SUITE_MAIN("publish", a_message_where_a_run_was_is_not_taken_for_it,
           messages_that_find_others_waiting_are_in_runs_and_count_as_before,
           the_publish_queue_takes_as_many_messages_as_it_may_and_no_more,
           the_publish_queue_takes_as_many_bytes_as_it_may_and_no_more,
           runs_of_few_messages_take_no_more_memory_than_a_few_times_what_they_count_as,
           the_order_of_a_publisher_is_kept_across_runs_and_all_else,
           the_order_of_each_publishing_thread_is_kept)
