#include "base/peers.h"

#include "suite.h"

/* At both ends of a word, and of the set. */
static const unsigned edges[] = { 0, 1, 62, 63, WSF_PEERS_MAX - 64, WSF_PEERS_MAX - 1 };
enum { EDGES = sizeof edges / sizeof *edges };

static wsf_peers everyone(void) {
    wsf_peers set = { 0 };
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++)
        wsf_peers_add(&set, i);
    return set;
}

/* Nobody else is in it. */
static void check_only(wsf_peers set, unsigned peer) {
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++)
        ck_assert_int_eq(wsf_peers_has(set, i), i == peer);
}

START_TEST(nobody_is_in_an_empty_set) {
    wsf_peers set = { 0 };
    ck_assert(wsf_peers_is_empty(set));
    ck_assert_uint_eq(wsf_peers_count(set), 0);
    check_only(set, WSF_PEERS_MAX);
    ck_assert_uint_eq(wsf_peers_pop(&set), WSF_PEERS_MAX);
}
END_TEST

START_TEST(a_peer_is_in_from_add_to_remove_and_no_other_is_touched) {
    for (unsigned e = 0; e < EDGES; e++) {
        wsf_peers set = { 0 };
        for (unsigned twice = 0; twice < 2; twice++)
            wsf_peers_add(&set, edges[e]);
        check_only(set, edges[e]);
        ck_assert(!wsf_peers_is_empty(set));
        ck_assert_uint_eq(wsf_peers_count(set), 1);
        for (unsigned twice = 0; twice < 2; twice++)
            wsf_peers_remove(&set, edges[e]);
        ck_assert(wsf_peers_is_empty(set));
        wsf_peers all = everyone();
        wsf_peers_remove(&all, edges[e]);
        check_only(wsf_peers_difference(everyone(), all), edges[e]);
    }
}
END_TEST

START_TEST(put_adds_or_removes) {
    wsf_peers set = { 0 };
    wsf_peers_put(&set, WSF_PEERS_MAX - 1, true);
    wsf_peers_put(&set, 0, false);
    check_only(set, WSF_PEERS_MAX - 1);
    wsf_peers_put(&set, WSF_PEERS_MAX - 1, false);
    ck_assert(wsf_peers_is_empty(set));
}
END_TEST

START_TEST(all_peers_fit_and_come_out_in_order) {
    wsf_peers set = everyone();
    ck_assert_uint_eq(wsf_peers_count(set), WSF_PEERS_MAX);
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++)
        ck_assert_uint_eq(wsf_peers_pop(&set), i);
    ck_assert_uint_eq(wsf_peers_pop(&set), WSF_PEERS_MAX);
    ck_assert(wsf_peers_is_empty(set));
}
END_TEST

/* Against a model that cannot be wrong: arrays that say who is in. */
START_TEST(operations_on_two_sets_agree_with_a_model) {
    uint64_t random = 1;
    for (unsigned round = 0; round < 200; round++) {
        bool in_a[WSF_PEERS_MAX], in_b[WSF_PEERS_MAX];
        wsf_peers a = { 0 }, b = { 0 };
        unsigned count = 0;
        for (unsigned i = 0; i < WSF_PEERS_MAX; i++) {
            wsf_peers_put(&a, i, in_a[i] = next_random(&random) % 4 < round % 5);
            wsf_peers_put(&b, i, in_b[i] = next_random(&random) % 2 != 0);
            count += in_a[i];
        }
        ck_assert_uint_eq(wsf_peers_count(a), count);
        for (unsigned i = 0, below = 0; i < WSF_PEERS_MAX; below += in_a[i++])
            ck_assert_uint_eq(wsf_peers_count_below(a, i), below);
        unsigned end = WSF_PEERS_MAX;
        while (end > 0 && !in_a[end - 1])
            end--;
        ck_assert_uint_eq(wsf_peers_end(a), end);
        for (unsigned i = 0; i < WSF_PEERS_MAX; i++) {
            ck_assert_int_eq(wsf_peers_has(wsf_peers_union(a, b), i), in_a[i] || in_b[i]);
            ck_assert_int_eq(wsf_peers_has(wsf_peers_intersection(a, b), i), in_a[i] && in_b[i]);
            ck_assert_int_eq(wsf_peers_has(wsf_peers_difference(a, b), i), in_a[i] && !in_b[i]);
        }
        for (unsigned i = 0; i < WSF_PEERS_MAX; i++)
            if (in_a[i])
                ck_assert_uint_eq(wsf_peers_pop(&a), i);
        ck_assert(wsf_peers_is_empty(a));
    }
}
END_TEST

SUITE_MAIN("peers", nobody_is_in_an_empty_set,
           a_peer_is_in_from_add_to_remove_and_no_other_is_touched, put_adds_or_removes,
           all_peers_fit_and_come_out_in_order, operations_on_two_sets_agree_with_a_model)
