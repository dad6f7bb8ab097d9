#include "base/queue.h"

#include <wsfan/wsfan.h>

#include "suite.h"

static int push_bounded(wsf_queue *queue, wsf_item *item, bool *wake) {
    int error = wsf_queue_begin(queue, item->bytes);
    if (error == WSFAN_OK)
        wsf_queue_commit(queue, item, wake);
    return error;
}

START_TEST(only_the_first_of_several_pushes_asks_to_wake) {
    wsf_queue queue;
    wsf_item items[3] = { 0 };
    bool wake;
    ck_assert_int_eq(wsf_queue_init(&queue, 10, 1000), WSFAN_OK);
    ck_assert_int_eq(wsf_queue_push(&queue, &items[0], &wake), WSFAN_OK);
    ck_assert(wake);
    ck_assert_int_eq(wsf_queue_push(&queue, &items[1], &wake), WSFAN_OK);
    ck_assert(!wake);
    ck_assert_ptr_eq(wsf_queue_take(&queue, NULL, NULL), &items[0]);
    ck_assert_ptr_eq(items[0].next, &items[1]);
    ck_assert_ptr_null(items[1].next);
    ck_assert_ptr_null(wsf_queue_take(&queue, NULL, NULL));
    wsf_queue_push(&queue, &items[2], &wake);
    ck_assert(wake);
    wsf_queue_destroy(&queue);
}
END_TEST

static unsigned idle_calls;

static void on_idle(void *user) {
    (void)user;
    idle_calls++;
}

START_TEST(a_consumer_that_has_something_is_not_woken_until_it_found_nothing) {
    wsf_queue queue;
    wsf_item items[5] = { 0 };
    bool wake;
    idle_calls = 0;
    wsf_queue_init(&queue, 10, 1000);
    wsf_queue_push(&queue, &items[0], &wake);
    ck_assert(wake);
    ck_assert_ptr_eq(wsf_queue_take(&queue, on_idle, NULL), &items[0]);
    wsf_queue_push(&queue, &items[1], &wake); /* it will look again by itself */
    ck_assert(!wake);
    ck_assert_ptr_eq(wsf_queue_take(&queue, on_idle, NULL), &items[1]);
    ck_assert_uint_eq(idle_calls, 0);
    ck_assert_ptr_null(wsf_queue_take(&queue, on_idle, NULL));
    ck_assert_uint_eq(idle_calls, 1);
    items[2].next = &items[3];
    ck_assert_int_eq(wsf_queue_push_chain(&queue, &items[2], &items[3], 2, 20, &wake), WSFAN_OK);
    ck_assert(wake);
    wsf_queue_push(&queue, &items[4], &wake);
    ck_assert(!wake);
    uint64_t count;
    uint64_t queued_bytes;
    wsf_queue_depth(&queue, &count, &queued_bytes);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(queued_bytes, 20);
    ck_assert_ptr_eq(wsf_queue_take(&queue, NULL, NULL), &items[2]);
    ck_assert_ptr_eq(items[3].next, &items[4]);
    wsf_queue_destroy(&queue);
}
END_TEST

START_TEST(a_consumer_that_attends_is_not_woken_until_it_found_nothing) {
    wsf_queue queue;
    wsf_item items[3] = { 0 };
    bool wake;
    wsf_queue_init(&queue, 10, 1000);
    ck_assert(wsf_queue_attend(&queue));
    wsf_queue_push(&queue, &items[0], &wake);
    ck_assert(!wake);
    ck_assert(!wsf_queue_attend(&queue));
    ck_assert_ptr_eq(wsf_queue_take(&queue, NULL, NULL), &items[0]);
    wsf_queue_push(&queue, &items[1], &wake);
    ck_assert(!wake);
    ck_assert_ptr_eq(wsf_queue_take(&queue, NULL, NULL), &items[1]);
    ck_assert_ptr_null(wsf_queue_take(&queue, NULL, NULL));
    wsf_queue_push(&queue, &items[2], &wake);
    ck_assert(wake);
    wsf_queue_destroy(&queue);
}
END_TEST

START_TEST(an_item_that_could_not_be_made_leaves_the_queue_as_it_was) {
    wsf_queue queue;
    wsf_item item = { .bytes = 10 };
    bool wake;
    wsf_queue_init(&queue, 1, 1000);
    ck_assert_int_eq(wsf_queue_begin(&queue, 10), WSFAN_OK);
    wsf_queue_commit(&queue, NULL, &wake);
    ck_assert(!wake);
    ck_assert_int_eq(wsf_queue_begin(&queue, 10), WSFAN_OK);
    wsf_queue_commit(&queue, &item, &wake);
    ck_assert(wake);
    ck_assert_int_eq(wsf_queue_begin(&queue, 10), WSFAN_EAGAIN);
    wsf_queue_close(&queue);
    ck_assert_int_eq(wsf_queue_begin(&queue, 10), WSFAN_ECLOSED);
    ck_assert_int_eq(wsf_queue_push_chain(&queue, &item, &item, 1, 10, &wake), WSFAN_ECLOSED);
    wsf_queue_destroy(&queue);
}
END_TEST

START_TEST(a_bound_holds_until_items_are_released) {
    wsf_queue queue;
    wsf_item items[5] = { 0 };
    bool wake;
    for (int i = 0; i < 5; i++)
        items[i].bytes = 10;
    wsf_queue_init(&queue, 3, 1000);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(push_bounded(&queue, &items[i], &wake), WSFAN_OK);
    ck_assert_int_eq(push_bounded(&queue, &items[3], &wake), WSFAN_EAGAIN);
    wsf_queue_take(&queue, NULL, NULL);
    ck_assert_int_eq(push_bounded(&queue, &items[3], &wake), WSFAN_EAGAIN);
    wsf_queue_release(&queue, 1, 10);
    ck_assert_int_eq(push_bounded(&queue, &items[3], &wake), WSFAN_OK);
    ck_assert_int_eq(push_bounded(&queue, &items[4], &wake), WSFAN_EAGAIN);
    ck_assert_int_eq(wsf_queue_push(&queue, &items[4], &wake), WSFAN_OK); /* not bounded */
    wsf_queue_destroy(&queue);
}
END_TEST

START_TEST(bytes_are_bounded_too_but_one_item_always_fits) {
    wsf_queue queue;
    wsf_item big = { .bytes = 500 };
    wsf_item small = { .bytes = 1 };
    bool wake;
    wsf_queue_init(&queue, 10, 100);
    ck_assert_int_eq(push_bounded(&queue, &big, &wake), WSFAN_OK);
    ck_assert_int_eq(push_bounded(&queue, &small, &wake), WSFAN_EAGAIN);
    wsf_queue_destroy(&queue);
}
END_TEST

START_TEST(a_closed_queue_takes_nothing_and_keeps_what_it_has) {
    wsf_queue queue;
    wsf_item items[2] = { 0 };
    bool wake;
    wsf_queue_init(&queue, 10, 100);
    wsf_queue_push(&queue, &items[0], &wake);
    wsf_queue_close(&queue);
    ck_assert_int_eq(wsf_queue_push(&queue, &items[1], &wake), WSFAN_ECLOSED);
    ck_assert_int_eq(push_bounded(&queue, &items[1], &wake), WSFAN_ECLOSED);
    ck_assert_ptr_eq(wsf_queue_take(&queue, NULL, NULL), &items[0]);
    wsf_queue_destroy(&queue);
}
END_TEST

enum { PRODUCERS = 4, EACH = 20000 };

typedef struct {
    wsf_queue *queue;
    wsf_item *items;
    uint32_t producer;
} producer;

static void *produce(void *user) {
    producer *p = user;
    bool wake;
    for (uint32_t i = 0; i < EACH; i++) {
        p->items[i].kind = p->producer;
        p->items[i].bytes = i;
        wsf_queue_push(p->queue, &p->items[i], &wake);
    }
    return NULL;
}

START_TEST(what_one_thread_pushes_stays_in_order_among_others) {
    wsf_queue queue;
    pthread_t threads[PRODUCERS];
    producer producers[PRODUCERS];
    uint32_t next[PRODUCERS] = { 0 };
    wsf_queue_init(&queue, 1, 1);
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (producer){ &queue, calloc(EACH, sizeof(wsf_item)), i };
        pthread_create(&threads[i], NULL, produce, &producers[i]);
    }
    for (uint32_t seen = 0; seen < PRODUCERS * EACH;)
        for (wsf_item *item = wsf_queue_take(&queue, NULL, NULL); item != NULL;
             item = item->next, seen++)
            ck_assert_uint_eq(item->bytes, next[item->kind]++);
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(threads[i], NULL);
        free(producers[i].items);
    }
    wsf_queue_destroy(&queue);
}
END_TEST

SUITE_MAIN("queue", only_the_first_of_several_pushes_asks_to_wake,
           a_consumer_that_has_something_is_not_woken_until_it_found_nothing,
           a_consumer_that_attends_is_not_woken_until_it_found_nothing,
           an_item_that_could_not_be_made_leaves_the_queue_as_it_was,
           a_bound_holds_until_items_are_released, bytes_are_bounded_too_but_one_item_always_fits,
           a_closed_queue_takes_nothing_and_keeps_what_it_has,
           what_one_thread_pushes_stays_in_order_among_others)
