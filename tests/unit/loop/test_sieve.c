#include "loop/sieve.h"

#include "base/memory.h"
#include "failing.h"

enum { A = 11, B = 22, C = 33 };
static const uint64_t LOBBY = UINT64_C(0x1111222233334444);
static const uint64_t OTHER = UINT64_C(0x5555666677778888);
static const wsfan_session ANN = { 5 };
static const wsfan_session BOB = { 6 };

static wsf_sieve sieve;
static wsf_vector seen;
static wsf_vector whole;

/* Seen is 200 of A and 100 of C; whole is all up to 100, and 90 of C. */
static void begin(void) {
    wsf_sieve_init(&sieve, UINT64_C(0x9e3779b97f4a7c15));
    wsf_vector_init(&seen, 100);
    wsf_vector_raise(&seen, A, 200);
    wsf_vector_pin(&seen, C, 100);
    wsf_vector_init(&whole, 100);
    wsf_vector_pin(&whole, C, 90);
}

static bool stops(wsfan_session session, uint64_t chat, uint64_t origin, uint64_t clock) {
    return wsf_sieve_stops(&sieve, session, chat,
                           (wsfan_message_id){ .clock = clock, .origin = origin });
}

START_TEST(what_was_seen_elsewhere_is_stopped_for_that_session_in_that_chat) {
    begin();
    ck_assert(!stops(ANN, LOBBY, A, 150));
    ck_assert_int_eq(wsf_sieve_add(&sieve, ANN, LOBBY, &seen, &whole), WSFAN_OK);
    ck_assert(stops(ANN, LOBBY, A, 150));
    ck_assert(stops(ANN, LOBBY, A, 200));
    ck_assert(!stops(ANN, LOBBY, A, 201));
    ck_assert(stops(ANN, LOBBY, C, 95));
    ck_assert(!stops(ANN, LOBBY, B, 101));
    ck_assert(!stops(ANN, OTHER, A, 150));
    ck_assert(!stops(BOB, LOBBY, A, 150));
    wsf_sieve_destroy(&sieve);
}
END_TEST

START_TEST(nothing_is_noted_of_a_session_that_has_seen_no_more_than_is_whole) {
    begin();
    whole.rest = 200;
    wsf_vector_find(&whole, C)->clock = 100;
    ck_assert_int_eq(wsf_sieve_add(&sieve, ANN, LOBBY, &seen, &whole), WSFAN_OK);
    ck_assert_uint_eq(sieve.slots.count, 0);
    wsf_sieve_destroy(&sieve);
}
END_TEST

START_TEST(it_ends_when_all_that_was_seen_is_whole) {
    begin();
    wsf_sieve_add(&sieve, ANN, LOBBY, &seen, &whole);
    wsf_sieve_add(&sieve, BOB, OTHER, &seen, &whole);
    wsf_sieve_reach(&sieve, &whole);
    ck_assert_uint_eq(sieve.slots.count, 2);
    whole.rest = 200; /* but not of C */
    wsf_sieve_reach(&sieve, &whole);
    ck_assert_uint_eq(sieve.slots.count, 2);
    wsf_vector_find(&whole, C)->clock = 100;
    wsf_sieve_reach(&sieve, &whole);
    ck_assert_uint_eq(sieve.slots.count, 0);
    ck_assert(!stops(ANN, LOBBY, A, 150));
    wsf_sieve_destroy(&sieve);
}
END_TEST

START_TEST(it_ends_when_the_session_leaves_and_begins_anew_when_it_comes_back) {
    begin();
    wsf_sieve_add(&sieve, ANN, LOBBY, &seen, &whole);
    wsf_sieve_add(&sieve, ANN, OTHER, &seen, &whole);
    wsf_sieve_remove(&sieve, ANN, LOBBY);
    wsf_sieve_remove(&sieve, BOB, LOBBY);
    ck_assert(!stops(ANN, LOBBY, A, 150));
    ck_assert(stops(ANN, OTHER, A, 150));
    wsf_vector_raise(&seen, A, 300);
    wsf_sieve_add(&sieve, ANN, OTHER, &seen, &whole);
    ck_assert(stops(ANN, OTHER, A, 300));
    ck_assert_uint_eq(sieve.slots.count, 1);
    wsf_sieve_destroy(&sieve);
}
END_TEST

START_TEST(many_sessions_are_told_apart) {
    enum { COUNT = 500 };
    begin();
    for (uint64_t i = 1; i <= COUNT; i++) {
        wsf_vector_find(&seen, A)->clock = 100 + i;
        wsf_sieve_add(&sieve, (wsfan_session){ i }, LOBBY, &seen, &whole);
    }
    for (uint64_t i = 1; i <= COUNT; i++) {
        ck_assert(stops((wsfan_session){ i }, LOBBY, A, 100 + i));
        ck_assert(!stops((wsfan_session){ i }, LOBBY, A, 101 + i));
    }
    for (uint64_t i = 1; i <= COUNT; i += 2)
        wsf_sieve_remove(&sieve, (wsfan_session){ i }, LOBBY);
    for (uint64_t i = 1; i <= COUNT; i++)
        ck_assert_int_eq(stops((wsfan_session){ i }, LOBBY, A, 101), i % 2 == 0);
    wsf_sieve_destroy(&sieve);
}
END_TEST

START_TEST(without_memory_nothing_is_noted_and_nothing_leaks) {
    wsfan_allocator usual = wsf_allocator;
    wsf_allocator = FAILING;
    int error = WSFAN_ENOMEM;
    for (long n = 0; error != WSFAN_OK; n++) {
        begin();
        arm(n, false);
        error = wsf_sieve_add(&sieve, ANN, LOBBY, &seen, &whole);
        bool failed = disarm();
        ck_assert_int_eq(all_or_no_memory(error), !failed);
        ck_assert_int_eq(stops(ANN, LOBBY, A, 150), !failed);
        wsf_sieve_destroy(&sieve);
        ck_assert_int_eq(atomic_load(&live_count), 0);
    }
    wsf_allocator = usual;
}
END_TEST

SUITE_MAIN("sieve", what_was_seen_elsewhere_is_stopped_for_that_session_in_that_chat,
           nothing_is_noted_of_a_session_that_has_seen_no_more_than_is_whole,
           it_ends_when_all_that_was_seen_is_whole,
           it_ends_when_the_session_leaves_and_begins_anew_when_it_comes_back,
           many_sessions_are_told_apart, without_memory_nothing_is_noted_and_nothing_leaks)
