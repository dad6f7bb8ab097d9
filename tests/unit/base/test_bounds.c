#include "base/bounds.h"

#include <stdbool.h>

#include "base/memory.h"
#include "failing.h"

static uint64_t greater(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

START_TEST(a_few_origins_are_exact) {
    wsf_bounds bounds = { .rest = 10 };
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 1), 10);
    wsf_bounds_raise(&bounds, 1, 9);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 1), 10);
    for (uint64_t origin = 1; origin <= WSF_BOUNDS_EXACT; origin++)
        wsf_bounds_raise(&bounds, origin, 20 + origin);
    for (uint64_t origin = 1; origin <= WSF_BOUNDS_EXACT; origin++)
        ck_assert_uint_eq(wsf_bounds_at(&bounds, origin), 20 + origin);
    wsf_bounds_raise(&bounds, 3, 22);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 3), 23);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 99), 10);
    wsf_bounds_destroy(&bounds);
}
END_TEST

START_TEST(of_more_the_least_joins_the_rest) {
    wsf_bounds bounds = { .rest = 10 };
    for (uint64_t origin = 1; origin <= WSF_BOUNDS_EXACT; origin++)
        wsf_bounds_raise(&bounds, origin, 20 + origin);
    wsf_bounds_raise(&bounds, 50, 40);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 50), 40);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 1), 21);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 99), 21);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 2), 22);
    wsf_bounds_raise(&bounds, 51, 22); /* itself the least */
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 51), 22);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 99), 22);
    wsf_bounds_destroy(&bounds);
}
END_TEST

START_TEST(what_becomes_lower_is_exact_or_stays) {
    wsf_bounds bounds = { .rest = 100 };
    wsf_bounds_lower(&bounds, 1, 100);
    ck_assert_ptr_null(bounds.entries);
    for (uint64_t origin = 1; origin <= WSF_BOUNDS_EXACT + 1; origin++)
        wsf_bounds_lower(&bounds, origin, 50 + origin);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, WSF_BOUNDS_EXACT), 50 + WSF_BOUNDS_EXACT);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, WSF_BOUNDS_EXACT + 1), 100);
    wsf_bounds_lower(&bounds, 1, 60);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 1), 51);
    wsf_bounds_lower(&bounds, 0, 55); /* all others */
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 99), 55);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 8), 58);
    wsf_bounds_lower(&bounds, 0, 70);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 99), 55);
    wsf_bounds_raise(&bounds, 99, 60); /* the entry that goes is below the rest */
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 1), 55);
    ck_assert_uint_eq(wsf_bounds_at(&bounds, 99), 60);
    wsf_bounds_destroy(&bounds);
}
END_TEST

/* Each origin's own clock, had there been room, is never above what is told. */
START_TEST(nothing_is_ever_rounded_down) {
    enum { ORIGINS = 12, ROUNDS = 300, STEPS = 200 };
    uint64_t random = 8;
    wsfan_allocator usual = wsf_allocator;
    wsf_allocator = FAILING;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t exact[ORIGINS + 1];
        uint32_t wrong = 0;
        wsf_bounds bounds = { .rest = round % 2 == 0 ? 0 : 500 };
        for (int i = 0; i <= ORIGINS; i++)
            exact[i] = bounds.rest;
        atomic_store(&fail_one_in, round % 3 == 0 ? 2 : 0);
        for (int step = 0; step < STEPS; step++) {
            uint64_t origin = 1 + next_random(&random) % ORIGINS;
            uint64_t clock = next_random(&random) % 1000;
            if (next_random(&random) % 4 == 0) {
                wsf_bounds_lower(&bounds, origin, clock);
                exact[origin] = exact[origin] < clock ? exact[origin] : clock;
            } else {
                wsf_bounds_raise(&bounds, origin, clock);
                exact[origin] = greater(exact[origin], clock);
            }
            for (uint64_t i = 1; i <= ORIGINS; i++)
                wrong += wsf_bounds_at(&bounds, i) < exact[i];
        }
        ck_assert_uint_eq(wrong, 0);
        wsf_bounds_destroy(&bounds);
        ck_assert_int_eq(atomic_load(&live_count), 0);
    }
    atomic_store(&fail_one_in, 0);
    wsf_allocator = usual;
}
END_TEST

SUITE_MAIN("bounds", a_few_origins_are_exact, of_more_the_least_joins_the_rest,
           what_becomes_lower_is_exact_or_stays, nothing_is_ever_rounded_down)
