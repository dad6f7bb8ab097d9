#include "base/deque.h"

#include "suite.h"

START_TEST(elements_come_out_in_the_order_they_went_in) {
    wsf_deque deque;
    uint64_t random = 2;
    uint64_t in = 0;
    uint64_t out = 0;
    wsf_deque_init(&deque, sizeof(uint64_t));
    for (int step = 0; step < 50000; step++) {
        if (next_random(&random) % 5 < 3) {
            *(uint64_t *)wsf_deque_push(&deque) = in++;
        } else if (deque.count > 0) {
            ck_assert_uint_eq(*(uint64_t *)wsf_deque_at(&deque, 0), out);
            wsf_deque_pop_front(&deque);
            out++;
        }
        ck_assert_uint_eq(deque.count, in - out);
        if (deque.count > 0) {
            uint32_t i = (uint32_t)(next_random(&random) % deque.count);
            ck_assert_uint_eq(*(uint64_t *)wsf_deque_at(&deque, i), out + i);
        }
    }
    wsf_deque_destroy(&deque);
}
END_TEST

START_TEST(a_large_deque_gives_its_memory_back_when_it_runs_empty) {
    wsf_deque deque;
    wsf_deque_init(&deque, sizeof(uint64_t));
    for (uint64_t i = 0; i < 5000; i++)
        *(uint64_t *)wsf_deque_push(&deque) = i;
    while (deque.count > 0)
        wsf_deque_pop_front(&deque);
    ck_assert_uint_eq(deque.capacity, 0);
    *(uint64_t *)wsf_deque_push(&deque) = 7;
    ck_assert_uint_eq(*(uint64_t *)wsf_deque_at(&deque, 0), 7);
    wsf_deque_destroy(&deque);
}
END_TEST

SUITE_MAIN("deque", elements_come_out_in_the_order_they_went_in,
           a_large_deque_gives_its_memory_back_when_it_runs_empty)
