#include "loop/trail.h"

#include "base/memory.h"
#include "failing.h"

enum { A = 11, B = 22, C = 33 };
static const uint64_t LOBBY = UINT64_C(0x1111222233334444);
static const uint64_t OTHER = UINT64_C(0x5555666677778888);

static wsf_vector whole; /* as the mesh thread says */

static void begin(wsf_trail *trail, uint64_t rest) {
    wsf_trail_init(trail, UINT64_C(0x9e3779b97f4a7c15));
    wsf_vector_init(&whole, rest);
    wsf_trail_reach(trail, &whole);
}

static void reach(wsf_trail *trail, uint64_t rest) {
    whole.rest = rest;
    wsf_trail_reach(trail, &whole);
}

static void saw(wsf_trail *trail, uint64_t chat, uint64_t clock, uint64_t origin) {
    wsf_trail_saw(trail, chat, (wsfan_message_id){ .clock = clock, .origin = origin });
}

static bool tells(const wsf_trail *trail, uint64_t chat, wsf_vector *seen) {
    *seen = whole;
    return wsf_trail_tell(trail, chat, seen);
}

START_TEST(a_position_has_what_was_dispatched_beyond_what_is_whole) {
    wsf_trail trail;
    wsf_vector seen;
    begin(&trail, 100);
    saw(&trail, LOBBY, 110, A);
    saw(&trail, OTHER, 120, A);
    saw(&trail, LOBBY, 105, B);
    saw(&trail, LOBBY, 108, B);
    saw(&trail, LOBBY, 107, B); /* one that came late is no step back */
    saw(&trail, LOBBY, 100, C); /* covered */
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(seen.count, 2);
    ck_assert_uint_eq(wsf_vector_at(&seen, A), 110);
    ck_assert_uint_eq(wsf_vector_at(&seen, B), 108);
    ck_assert_uint_eq(wsf_vector_at(&seen, C), 100);
    ck_assert(tells(&trail, OTHER, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), 120);
    ck_assert_uint_eq(wsf_vector_at(&seen, B), 100);
    reach(&trail, 109);
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), 110);
    ck_assert_uint_eq(wsf_vector_at(&seen, B), 109);
    wsf_trail_destroy(&trail);
}
END_TEST

/* Also where its clock is below that of all others. */
START_TEST(what_was_dispatched_beyond_a_pinned_clock_makes_it_ragged) {
    wsf_trail trail;
    wsf_vector seen;
    begin(&trail, 100);
    ck_assert(wsf_vector_pin(&whole, A, 50) && wsf_vector_pin(&whole, B, 120));
    saw(&trail, LOBBY, 50, A);
    saw(&trail, LOBBY, 119, B);
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert(!wsf_vector_is_ragged(&seen));
    saw(&trail, LOBBY, 51, A);
    for (uint64_t i = 0; i < 2000; i++) /* sweeps */
        saw(&trail, i, 101 + i, C), reach(&trail, 100 + i);
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert(wsf_vector_is_ragged(&seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), 50);
    ck_assert(tells(&trail, OTHER, &seen));
    ck_assert(!wsf_vector_is_ragged(&seen));
    wsf_trail_destroy(&trail);
}
END_TEST

START_TEST(what_is_covered_takes_no_memory_for_long) {
    wsf_trail trail;
    wsf_vector seen;
    begin(&trail, 100);
    for (uint64_t i = 1; i <= 40000; i++) {
        saw(&trail, i, 100 + i, A);
        if (i % 8 == 0)
            reach(&trail, 100 + i - 4);
        if (!tells(&trail, i, &seen) || wsf_vector_at(&seen, A) != 100 + i)
            ck_abort_msg("message %llu", (unsigned long long)i);
    }
    ck_assert_uint_le(trail.slots.capacity, 1000);
    wsf_trail_destroy(&trail);
}
END_TEST

START_TEST(without_room_no_position_is_told_until_what_is_whole_has_caught_up) {
    wsf_trail trail;
    wsf_vector seen;
    begin(&trail, 100);
    for (uint64_t i = 1; i <= WSF_TRAIL_MAX; i++)
        saw(&trail, i, 200 + i, A);
    ck_assert(tells(&trail, 1, &seen));
    saw(&trail, LOBBY, 150, A);
    ck_assert(!tells(&trail, LOBBY, &seen));
    ck_assert(!tells(&trail, 1, &seen)); /* which chats are concerned is not known */
    reach(&trail, 149);
    ck_assert(!tells(&trail, LOBBY, &seen));
    reach(&trail, 150);
    ck_assert(tells(&trail, LOBBY, &seen));
    saw(&trail, 1, 1000000, A); /* that needs no room */
    ck_assert(tells(&trail, 1, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), 1000000);
    for (uint64_t i = 1; i <= 1000; i++) /* in vain, but it looks what is covered now and then */
        saw(&trail, LOBBY + i, 300, B);
    ck_assert(!tells(&trail, LOBBY, &seen));
    reach(&trail, 5000);
    for (uint64_t i = 1; i <= 1000; i++)
        saw(&trail, LOBBY + i, 5001, B);
    reach(&trail, 5001);
    saw(&trail, LOBBY, 6000, B); /* now there is some */
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, B), 6000);
    ck_assert_uint_le(trail.slots.count, WSF_TRAIL_MAX);
    wsf_trail_destroy(&trail);
}
END_TEST

START_TEST(nor_while_a_pinned_clock_was_passed_unseen) {
    wsf_trail trail;
    wsf_vector seen;
    begin(&trail, 100);
    for (uint64_t i = 1; i <= WSF_TRAIL_MAX; i++)
        saw(&trail, i, 1000 + i, A);
    ck_assert(wsf_vector_pin(&whole, B, 50));
    saw(&trail, LOBBY, 60, B);
    reach(&trail, 500);
    ck_assert(!tells(&trail, LOBBY, &seen));
    whole.count = 0;
    reach(&trail, 501);
    ck_assert(tells(&trail, LOBBY, &seen));
    wsf_trail_destroy(&trail);
}
END_TEST

START_TEST(nor_below_what_was_whole_before) {
    wsf_trail trail;
    wsf_vector seen;
    begin(&trail, 100);
    reach(&trail, 200);
    saw(&trail, LOBBY, 150, A);
    reach(&trail, 120);
    ck_assert(!tells(&trail, LOBBY, &seen));
    reach(&trail, 200);
    ck_assert(tells(&trail, LOBBY, &seen));
    wsf_trail_destroy(&trail);
}
END_TEST

START_TEST(a_position_with_too_many_publishers_is_not_told) {
    wsf_trail trail;
    wsf_vector seen;
    begin(&trail, 100);
    for (uint64_t origin = 1; origin <= WSF_VECTOR_MAX; origin++)
        saw(&trail, LOBBY, 101, origin);
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(seen.count, WSF_VECTOR_MAX);
    saw(&trail, LOBBY, 101, 1000);
    ck_assert(!tells(&trail, LOBBY, &seen));
    reach(&trail, 101);
    ck_assert(tells(&trail, LOBBY, &seen));
    wsf_trail_destroy(&trail);
}
END_TEST

START_TEST(positions_claim_no_more_than_a_cap_until_more_is_whole) {
    enum { CAP = 60, UNTIL = 80 };
    wsf_trail trail;
    wsf_vector seen;
    begin(&trail, 100);
    ck_assert(wsf_vector_pin(&whole, A, UNTIL));
    saw(&trail, LOBBY, 110, B);
    wsf_trail_cap(&trail, LOBBY, A, CAP, UNTIL);
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), CAP);
    ck_assert_uint_eq(wsf_vector_at(&seen, B), 110);
    ck_assert(!wsf_vector_is_ragged(&seen));
    ck_assert(tells(&trail, OTHER, &seen)); /* of that chat alone */
    ck_assert_uint_eq(wsf_vector_at(&seen, A), UNTIL);
    for (uint64_t i = 0; i < 2000; i++) /* sweeps */
        saw(&trail, i, 101 + i, C), reach(&trail, 100 + i);
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), CAP);
    wsf_trail_cap(&trail, LOBBY, A, CAP + 5, UNTIL); /* of a history that has begun anew */
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), CAP + 5);
    whole.entries[0].clock = UNTIL + 1; /* the gap was told */
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), UNTIL + 1);
    wsf_trail_cap(&trail, OTHER, A, 0, UNTIL + 1); /* nothing of it */
    ck_assert(tells(&trail, OTHER, &seen));
    ck_assert_uint_le(wsf_vector_at(&seen, A), 1);
    whole.entries[0].clock = UNTIL + 2;
    wsf_trail_cap(&trail, LOBBY, B, UNTIL, UNTIL); /* no less than what is whole */
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, B), whole.rest);
    for (uint64_t i = 0; i < 2000; i++)
        saw(&trail, i, 10000 + i, C), reach(&trail, 10000 + i);
    ck_assert_uint_eq(trail.caps_count, 0);
    wsf_trail_destroy(&trail);
}
END_TEST

/* The publisher has no entry yet: the clock of all is below its own. */
START_TEST(a_cap_holds_too_when_the_clock_of_all_passes_it) {
    wsf_trail trail;
    wsf_vector seen;
    begin(&trail, 100);
    wsf_trail_cap(&trail, LOBBY, A, 110, 120);
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), 100);
    reach(&trail, 115);
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), 110);
    whole.rest = 130;
    ck_assert(wsf_vector_pin(&whole, A, 120));
    wsf_trail_reach(&trail, &whole);
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), 110);
    wsf_vector_init(&whole, 140); /* the publisher is forgotten, or whole again */
    wsf_trail_reach(&trail, &whole);
    ck_assert(tells(&trail, LOBBY, &seen));
    ck_assert_uint_eq(wsf_vector_at(&seen, A), 140);
    wsf_trail_destroy(&trail);
}
END_TEST

START_TEST(what_was_dispatched_beyond_a_cap_makes_it_ragged) {
    for (int order = 0; order < 2; order++) {
        wsf_trail trail;
        wsf_vector seen;
        begin(&trail, 100);
        if (order == 0)
            wsf_trail_cap(&trail, LOBBY, A, 90, 120);
        saw(&trail, LOBBY, 130, A);
        if (order == 1)
            wsf_trail_cap(&trail, LOBBY, A, 90, 120);
        ck_assert(tells(&trail, LOBBY, &seen));
        ck_assert_uint_eq(wsf_vector_at(&seen, A), 90);
        ck_assert(wsf_vector_is_ragged(&seen));
        wsf_trail_destroy(&trail);
    }
}
END_TEST

START_TEST(while_a_cap_has_no_room_no_position_is_told) {
    wsf_trail trail;
    wsf_vector seen;
    begin(&trail, 100);
    for (uint64_t i = 1; i <= WSF_TRAIL_MAX; i++)
        saw(&trail, i, 1000 + i, B);
    wsf_trail_cap(&trail, LOBBY, A, 110, 120);
    ck_assert(!tells(&trail, LOBBY, &seen));
    reach(&trail, 120); /* now its publisher may get an entry, */
    ck_assert(!tells(&trail, LOBBY, &seen));
    whole.rest = 130;
    ck_assert(wsf_vector_pin(&whole, A, 120));
    wsf_trail_reach(&trail, &whole);
    ck_assert(!tells(&trail, LOBBY, &seen));
    wsf_vector_init(&whole, 140); /* and loses it when it is whole again */
    wsf_trail_reach(&trail, &whole);
    ck_assert(tells(&trail, LOBBY, &seen));
    wsf_trail_destroy(&trail);
}
END_TEST

/* Of some chats and publishers, against all of their clocks; a position that is told is exact, though memory runs out at
 * times. */
START_TEST(it_agrees_with_a_model_under_random_use) {
    enum { SEEDS = 40, STEPS = 3000, CHATS = 40, ORIGINS = 6 };
    wsfan_allocator usual = wsf_allocator;
    wsf_allocator = FAILING;
    uint64_t told = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static uint64_t newest[CHATS][ORIGINS];
        uint64_t random = seed;
        uint64_t now = 100;
        uint32_t wrong = 0;
        wsf_trail trail;
        begin(&trail, 100);
        memset(newest, 0, sizeof newest);
        for (int step = 0; step < STEPS; step++) {
            uint64_t chat = next_random(&random) % CHATS;
            uint64_t origin = next_random(&random) % ORIGINS;
            atomic_store(&fail_one_in, seed % 2 == 0 ? 3 : 0);
            saw(&trail, chat * 997, ++now, origin + 1);
            newest[chat][origin] = now;
            if (next_random(&random) % 16 == 0)
                reach(&trail, whole.rest + next_random(&random) % (now + 1 - whole.rest));
            wsf_vector seen;
            chat = next_random(&random) % CHATS;
            if (!tells(&trail, chat * 997, &seen))
                continue;
            told++;
            for (uint64_t i = 0; i < ORIGINS; i++)
                wrong += wsf_vector_at(&seen, i + 1) !=
                         (newest[chat][i] > whole.rest ? newest[chat][i] : whole.rest);
        }
        atomic_store(&fail_one_in, 0);
        ck_assert_uint_eq(wrong, 0);
        wsf_trail_destroy(&trail);
        ck_assert_int_eq(atomic_load(&live_count), 0);
    }
    ck_assert_uint_gt(told, SEEDS * STEPS / 2);
    wsf_allocator = usual;
}
END_TEST

SUITE_MAIN("trail", a_position_has_what_was_dispatched_beyond_what_is_whole,
           what_was_dispatched_beyond_a_pinned_clock_makes_it_ragged,
           what_is_covered_takes_no_memory_for_long,
           without_room_no_position_is_told_until_what_is_whole_has_caught_up,
           nor_while_a_pinned_clock_was_passed_unseen, nor_below_what_was_whole_before,
           a_position_with_too_many_publishers_is_not_told,
           positions_claim_no_more_than_a_cap_until_more_is_whole,
           a_cap_holds_too_when_the_clock_of_all_passes_it,
           what_was_dispatched_beyond_a_cap_makes_it_ragged,
           while_a_cap_has_no_room_no_position_is_told, it_agrees_with_a_model_under_random_use)
