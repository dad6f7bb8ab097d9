#include "core/routing/interest.h"

#include <string.h>
#include <wsfan/wsfan.h>

#include "suite.h"

static wsf_interest interest;

static uint64_t loops_of(uint64_t hash) {
    uint64_t loops;
    wsf_peers peers;
    wsf_interest_find(&interest, hash, &loops, &peers);
    return loops;
}

static wsf_peers peers_of(uint64_t hash) {
    uint64_t loops;
    wsf_peers peers;
    wsf_interest_find(&interest, hash, &loops, &peers);
    return peers;
}

START_TEST(the_log_tells_when_a_chat_begins_and_ends_here) {
    uint64_t serial;
    wsf_interest_init(&interest, 100, 64, 1);
    ck_assert_int_eq(wsf_interest_add_loop(&interest, 7, 0, &serial), WSFAN_OK);
    ck_assert_uint_eq(serial, 1);
    ck_assert_int_eq(wsf_interest_add_loop(&interest, 7, 1, &serial), WSFAN_OK);
    ck_assert_uint_eq(serial, 1); /* the peers know already */
    ck_assert_uint_eq(loops_of(7), 3);
    wsf_interest_remove_loop(&interest, 7, 0);
    ck_assert_uint_eq(interest.serial, 1);
    wsf_interest_remove_loop(&interest, 7, 1);
    ck_assert_uint_eq(interest.serial, 2);
    ck_assert_uint_eq(wsf_interest_log_at(&interest, 1), 7);
    ck_assert_uint_eq(wsf_interest_log_at(&interest, 2), 7);
    ck_assert_uint_eq(interest.rows_count, 0);
    wsf_interest_destroy(&interest);
}
END_TEST

START_TEST(the_log_says_when_it_has_lost_what_a_reader_needs) {
    uint64_t serial;
    wsf_interest_init(&interest, 1000, 64, 1);
    for (uint64_t hash = 1; hash <= 64; hash++)
        wsf_interest_add_loop(&interest, hash, 0, &serial);
    ck_assert(wsf_interest_log_has(&interest, 0));
    ck_assert_uint_eq(wsf_interest_log_at(&interest, 1), 1);
    wsf_interest_add_loop(&interest, 65, 0, &serial);
    ck_assert(!wsf_interest_log_has(&interest, 0));
    ck_assert(wsf_interest_log_has(&interest, 1));
    ck_assert_uint_eq(wsf_interest_log_at(&interest, 2), 2);
    wsf_interest_destroy(&interest);
}
END_TEST

START_TEST(what_peers_announce_is_bounded_and_local_chats_are_not_squeezed_out) {
    uint64_t serial;
    wsf_interest_init(&interest, 3, 64, 1);
    for (uint64_t hash = 1; hash <= 3; hash++)
        ck_assert_int_eq(wsf_interest_add_peer(&interest, hash, 0), WSFAN_OK);
    ck_assert_int_eq(wsf_interest_add_peer(&interest, 4, 0), WSFAN_ELIMIT);
    ck_assert_int_eq(wsf_interest_add_peer(&interest, 3, 1), WSFAN_OK);
    ck_assert_int_eq(wsf_interest_add_loop(&interest, 4, 0, &serial), WSFAN_OK);
    wsf_interest_destroy(&interest);
}
END_TEST

START_TEST(forgetting_a_peer_or_loop_leaves_the_others) {
    uint64_t serial;
    wsf_interest_init(&interest, 1000, 64, 1);
    for (uint64_t hash = 1; hash <= 200; hash++) {
        wsf_interest_add_peer(&interest, hash, hash % 2);
        if (hash % 5 == 0)
            wsf_interest_add_loop(&interest, hash, 0, &serial);
    }
    wsf_interest_forget_peer(&interest, 0);
    ck_assert_uint_eq(interest.remote_count, 100);
    for (uint64_t hash = 1; hash <= 200; hash++) {
        ck_assert_uint_eq(wsf_peers_count(peers_of(hash)), hash % 2);
        ck_assert_uint_eq(wsf_peers_has(peers_of(hash), 1), hash % 2);
        ck_assert_uint_eq(loops_of(hash), hash % 5 == 0 ? 1 : 0);
    }
    wsf_interest_forget_loop(&interest, 0);
    ck_assert_uint_eq(interest.local_count, 0);
    ck_assert_uint_eq(interest.rows_count, 100);
    wsf_interest_destroy(&interest);
}
END_TEST

/* A reader that starts with a walk and then follows the log must end with what holds. */
START_TEST(a_walk_and_the_log_together_miss_nothing_under_random_change) {
    enum { HASHES = 300 };
    static bool reader[HASHES + 1];
    uint64_t random = 6;
    uint64_t serial;
    for (int round = 0; round < 20; round++) {
        memset(reader, 0, sizeof reader);
        wsf_interest_init(&interest, 1000, 8192, next_random(&random));
        for (int i = 0; i < 200; i++)
            wsf_interest_add_loop(&interest, 1 + next_random(&random) % HASHES, 0, &serial);
        uint64_t at = interest.serial;
        uint32_t cursor = 0;
        uint64_t hash;
        while ((hash = wsf_interest_next_local(&interest, &cursor)) != 0) {
            reader[hash] = true;
            for (int i = 0; i < 3; i++) {
                uint64_t other = 1 + next_random(&random) % HASHES;
                if (loops_of(other) != 0)
                    wsf_interest_remove_loop(&interest, other, 0);
                else
                    wsf_interest_add_loop(&interest, other, 0, &serial);
            }
        }
        while (at < interest.serial) {
            hash = wsf_interest_log_at(&interest, ++at);
            reader[hash] = loops_of(hash) != 0;
        }
        for (hash = 1; hash <= HASHES; hash++)
            ck_assert_int_eq(reader[hash], loops_of(hash) != 0);
        wsf_interest_destroy(&interest);
    }
}
END_TEST

/* Rows keep half of it. */
START_TEST(the_serial_of_a_change_is_whole_beyond_32_bits) {
    uint64_t serial;
    wsf_interest_init(&interest, 1000, 64, 1);
    interest.serial = UINT32_MAX - 2;
    for (uint64_t i = 0; i < 6; i++) {
        ck_assert_int_eq(wsf_interest_add_loop(&interest, 1 + i, 0, &serial), WSFAN_OK);
        ck_assert_uint_eq(serial, UINT32_MAX - UINT64_C(1) + i);
    }
    for (uint64_t i = 0; i < 6; i++) { /* those before too, and for who comes later */
        ck_assert_uint_eq(wsf_interest_told(&interest, 1 + i), UINT32_MAX - UINT64_C(1) + i);
        ck_assert_int_eq(wsf_interest_add_loop(&interest, 1 + i, 1, &serial), WSFAN_OK);
        ck_assert_uint_eq(serial, UINT32_MAX - UINT64_C(1) + i);
    }
    wsf_interest_destroy(&interest);
}
END_TEST

SUITE_MAIN("interest", the_log_tells_when_a_chat_begins_and_ends_here,
           the_log_says_when_it_has_lost_what_a_reader_needs,
           what_peers_announce_is_bounded_and_local_chats_are_not_squeezed_out,
           forgetting_a_peer_or_loop_leaves_the_others,
           the_serial_of_a_change_is_whole_beyond_32_bits,
           a_walk_and_the_log_together_miss_nothing_under_random_change)
