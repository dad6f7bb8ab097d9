#include "base/vector.h"

#include "suite.h"

enum { A = 11, B = 22, C = 33 };

static wsf_vector vector_of(uint64_t rest) {
    wsf_vector vector;
    wsf_vector_init(&vector, rest);
    return vector;
}

static bool covers(const wsf_vector *vector, uint64_t clock, uint64_t origin) {
    return wsf_vector_covers(vector, (wsfan_message_id){ clock, origin });
}

START_TEST(who_has_no_entry_has_the_clock_of_all_others) {
    wsf_vector vector = vector_of(100);
    ck_assert(wsf_vector_raise(&vector, A, 120));
    ck_assert(wsf_vector_pin(&vector, B, 80));
    ck_assert_uint_eq(wsf_vector_at(&vector, A), 120);
    ck_assert_uint_eq(wsf_vector_at(&vector, B), 80);
    ck_assert_uint_eq(wsf_vector_at(&vector, C), 100);
    ck_assert(covers(&vector, 120, A) && !covers(&vector, 121, A));
    ck_assert(covers(&vector, 80, B) && !covers(&vector, 81, B));
    ck_assert(covers(&vector, 100, C) && !covers(&vector, 101, C));
}
END_TEST

/* A node's id has 64 bits: those above are of its key, those of a position below. */
START_TEST(an_origin_is_the_low_half_of_a_node) {
    wsf_vector vector = vector_of(0);
    ck_assert(wsf_vector_raise(&vector, UINT64_C(0x1234567800000007), 5));
    ck_assert_uint_eq(vector.entries[0].origin, 7);
    ck_assert_uint_eq(wsf_vector_at(&vector, UINT64_C(0x1234567800000007)), 5);
}
END_TEST

START_TEST(a_clock_is_raised_never_lowered_and_pinned_never_raised) {
    wsf_vector vector = vector_of(100);
    ck_assert(wsf_vector_raise(&vector, A, 90));
    ck_assert_uint_eq(vector.count, 0);
    ck_assert(wsf_vector_raise(&vector, A, 130) && wsf_vector_raise(&vector, A, 120));
    ck_assert_uint_eq(wsf_vector_at(&vector, A), 130);
    ck_assert(wsf_vector_pin(&vector, A, 140));
    ck_assert_uint_eq(wsf_vector_at(&vector, A), 130);
    ck_assert(wsf_vector_pin(&vector, A, 70));
    ck_assert_uint_eq(wsf_vector_at(&vector, A), 70);
    ck_assert_uint_eq(vector.count, 1);
}
END_TEST

START_TEST(what_was_seen_raises_a_clock_but_makes_a_pinned_one_ragged) {
    wsf_vector vector = vector_of(100);
    ck_assert(wsf_vector_pin(&vector, A, 100)); /* as all others, and yet an entry */
    ck_assert(wsf_vector_pin(&vector, B, 120));
    ck_assert(wsf_vector_saw(&vector, C, 110) && wsf_vector_saw(&vector, B, 120));
    ck_assert(!wsf_vector_is_ragged(&vector));
    ck_assert_uint_eq(wsf_vector_at(&vector, C), 110);
    ck_assert(wsf_vector_saw(&vector, A, 101));
    ck_assert(wsf_vector_is_ragged(&vector));
    ck_assert_uint_eq(wsf_vector_at(&vector, A), 100);
    ck_assert(wsf_vector_raise(&vector, A, 101)); /* all of it was seen after all */
    ck_assert(!wsf_vector_is_ragged(&vector));
}
END_TEST

START_TEST(a_merged_vector_has_the_greater_clock_of_each_origin) {
    enum { ROUNDS = 2000, ORIGINS = 40 };
    uint64_t random = 3;
    for (int round = 0; round < ROUNDS; round++) {
        wsf_vector one[2];
        wsf_vector merged;
        for (int v = 0; v < 2; v++) {
            one[v] = vector_of(50 + next_random(&random) % 4);
            for (int n = 0; n < 8; n++) {
                uint64_t origin = next_random(&random) % ORIGINS;
                uint64_t clock = 48 + next_random(&random) % 8;
                ck_assert(next_random(&random) % 2 == 0 ? wsf_vector_raise(&one[v], origin, clock)
                                                        : wsf_vector_pin(&one[v], origin, clock));
            }
        }
        merged = one[0];
        wsf_vector_merge(&merged, &one[1]);
        for (uint64_t origin = 0; origin <= ORIGINS; origin++) { /* the last one has no entry */
            uint64_t a = wsf_vector_at(&one[0], origin);
            uint64_t b = wsf_vector_at(&one[1], origin);
            ck_assert_uint_eq(wsf_vector_at(&merged, origin), a > b ? a : b);
        }
        for (uint32_t i = 1; i < merged.count; i++)
            ck_assert_uint_lt(merged.entries[i - 1].origin, merged.entries[i].origin);
    }
}
END_TEST

/* How far beyond the clock something was seen is not known, so no other clock makes up for it. */
START_TEST(an_entry_that_is_ragged_stays_so_in_whatever_it_is_merged_with) {
    for (int order = 0; order < 2; order++) {
        for (uint64_t clock = 89; clock <= 200; clock++) {
            wsf_vector ragged = vector_of(100);
            wsf_vector other = vector_of(100);
            ck_assert(wsf_vector_pin(&ragged, A, 90) && wsf_vector_saw(&ragged, A, 120));
            ck_assert(wsf_vector_raise(&ragged, B, 110));
            if (clock % 2 == 0)
                other = vector_of(clock); /* the clock of all others */
            else
                ck_assert(wsf_vector_pin(&other, A, clock));
            wsf_vector merged = order == 0 ? ragged : other;
            wsf_vector_merge(&merged, order == 0 ? &other : &ragged);
            ck_assert(wsf_vector_find(&merged, A)->ragged);
            ck_assert_uint_eq(wsf_vector_at(&merged, A), clock > 90 ? clock : 90);
            ck_assert(!wsf_vector_find(&merged, B)->ragged);
        }
    }
}
END_TEST

START_TEST(without_room_nothing_changes) {
    wsf_vector vector = vector_of(100);
    for (uint64_t origin = 1; origin <= WSF_VECTOR_MAX; origin++)
        ck_assert(wsf_vector_raise(&vector, origin * 5 % 331, 200 + origin));
    ck_assert_uint_eq(vector.count, WSF_VECTOR_MAX);
    ck_assert(!wsf_vector_raise(&vector, 1000, 101));
    ck_assert(!wsf_vector_pin(&vector, 1000, 99));
    ck_assert(!wsf_vector_saw(&vector, 1000, 101));
    ck_assert_uint_eq(wsf_vector_at(&vector, 1000), 100);
    ck_assert(wsf_vector_raise(&vector, 1000, 100));
    for (uint64_t origin = 1; origin <= WSF_VECTOR_MAX; origin++)
        ck_assert_uint_eq(wsf_vector_at(&vector, origin * 5 % 331), 200 + origin);
}
END_TEST

SUITE_MAIN("vector", who_has_no_entry_has_the_clock_of_all_others,
           an_origin_is_the_low_half_of_a_node,
           a_clock_is_raised_never_lowered_and_pinned_never_raised,
           what_was_seen_raises_a_clock_but_makes_a_pinned_one_ragged,
           a_merged_vector_has_the_greater_clock_of_each_origin,
           an_entry_that_is_ragged_stays_so_in_whatever_it_is_merged_with,
           without_room_nothing_changes)
