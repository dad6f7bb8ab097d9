#include "base/slots.h"

#include "base/memory.h"
#include "failing.h"
#include "suite.h"

enum { COUNT = 500 };

START_TEST(taken_elements_keep_their_numbers_and_contents) {
    wsf_slots slots;
    uint64_t *array = NULL;
    bool taken[COUNT] = { false };
    uint32_t count = 0;
    uint64_t random = 3;
    wsf_slots_init(&slots);
    for (int step = 0; step < 20000; step++) {
        uint32_t i = (uint32_t)(next_random(&random) % COUNT);
        if (count < COUNT && next_random(&random) % 2 == 0) {
            uint64_t *larger = wsf_slots_reserve(&slots, array, sizeof *array);
            ck_assert_ptr_nonnull(larger);
            array = larger;
            uint32_t number = wsf_slots_take(&slots, array, sizeof *array);
            ck_assert_uint_lt(number, COUNT);
            ck_assert(!taken[number]);
            taken[number] = true;
            array[number] = number * UINT64_C(0x100000001);
            count++;
        } else if (taken[i]) {
            wsf_slots_free(&slots, array, sizeof *array, i);
            taken[i] = false;
            count--;
        }
        ck_assert_uint_eq(slots.count, count);
        ck_assert_uint_le(slots.used, slots.capacity);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        ck_assert(!taken[i] || array[i] == i * UINT64_C(0x100000001));
    wsf_free(array);
}
END_TEST

START_TEST(a_new_element_is_zero_and_an_old_one_keeps_all_but_its_first_bytes) {
    wsf_slots slots;
    uint32_t(*array)[2] = NULL;
    wsf_slots_init(&slots);
    array = wsf_slots_reserve(&slots, array, sizeof *array);
    uint32_t i = wsf_slots_take(&slots, array, sizeof *array);
    ck_assert_uint_eq(array[i][0], 0);
    ck_assert_uint_eq(array[i][1], 0);
    array[i][1] = 7;
    wsf_slots_free(&slots, array, sizeof *array, i);
    array = wsf_slots_reserve(&slots, array, sizeof *array);
    ck_assert_uint_eq(wsf_slots_take(&slots, array, sizeof *array), i);
    ck_assert_uint_eq(array[i][1], 7);
    wsf_free(array);
}
END_TEST

START_TEST(without_memory_the_array_stays_and_freed_elements_can_be_taken) {
    wsf_slots slots;
    uint64_t *array = NULL;
    wsfan_allocator usual = wsf_allocator;
    wsf_allocator = FAILING;
    wsf_slots_init(&slots);
    array = wsf_slots_reserve(&slots, array, sizeof *array);
    while (slots.used < slots.capacity)
        wsf_slots_take(&slots, array, sizeof *array);
    uint32_t capacity = slots.capacity;
    arm(0, true);
    ck_assert_ptr_null(wsf_slots_reserve(&slots, array, sizeof *array));
    ck_assert_uint_eq(slots.capacity, capacity);
    wsf_slots_free(&slots, array, sizeof *array, 3);
    ck_assert_ptr_eq(wsf_slots_reserve(&slots, array, sizeof *array), array);
    disarm();
    ck_assert_uint_eq(wsf_slots_take(&slots, array, sizeof *array), 3);
    wsf_free(array);
    wsf_allocator = usual;
}
END_TEST

SUITE_MAIN("slots", taken_elements_keep_their_numbers_and_contents,
           a_new_element_is_zero_and_an_old_one_keeps_all_but_its_first_bytes,
           without_memory_the_array_stays_and_freed_elements_can_be_taken)
