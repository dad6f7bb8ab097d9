#include "base/packed_peers.h"

#include <wsfan/error.h>

#include "suite.h"

static wsf_peers_pool pool;

/* Whether the packed set has the peers of the bitmap, and no other. */
static void check_same(const wsf_packed_peers *packed, wsf_peers set) {
    wsf_peers read = wsf_packed_peers_read(&pool, packed);
    unsigned differ = 0;
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++)
        differ += wsf_packed_peers_has(&pool, packed, i) != wsf_peers_has(set, i);
    ck_assert_uint_eq(differ, 0);
    ck_assert(wsf_peers_is_empty(wsf_peers_difference(read, set)));
    ck_assert(wsf_peers_is_empty(wsf_peers_difference(set, read)));
    ck_assert_int_eq(wsf_packed_peers_is_empty(packed), wsf_peers_is_empty(set));
}

START_TEST(a_set_of_few_peers_needs_no_pool) {
    wsf_packed_peers packed = { 0 };
    wsf_peers set = { 0 };
    ck_assert_uint_eq(sizeof packed, 8);
    wsf_peers_pool_init(&pool);
    check_same(&packed, set);
    for (unsigned i = 0; i < WSF_PACKED_PEERS_FEW; i++) {
        unsigned peer = WSF_PEERS_MAX - 1 - 36 * i;
        for (int twice = 0; twice < 2; twice++)
            ck_assert_int_eq(wsf_packed_peers_add(&pool, &packed, peer), WSFAN_OK);
        wsf_peers_add(&set, peer);
        check_same(&packed, set);
    }
    ck_assert_uint_eq(pool.slots.used, 0);
    wsf_peers_pool_destroy(&pool);
}
END_TEST

START_TEST(a_set_of_all_peers_goes_into_the_pool_and_out_again) {
    wsf_packed_peers packed = { 0 };
    wsf_peers set = { 0 };
    wsf_peers_pool_init(&pool);
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++) {
        ck_assert_int_eq(wsf_packed_peers_add(&pool, &packed, i), WSFAN_OK);
        wsf_peers_add(&set, i);
        ck_assert_uint_eq(pool.slots.count, i >= WSF_PACKED_PEERS_FEW);
    }
    check_same(&packed, set);
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++) {
        wsf_packed_peers_remove(&pool, &packed, i);
        wsf_packed_peers_remove(&pool, &packed, i);
        wsf_peers_remove(&set, i);
        check_same(&packed, set);
    }
    ck_assert_uint_eq(pool.slots.count, 0);
    wsf_peers_pool_destroy(&pool);
}
END_TEST

START_TEST(many_sets_in_one_pool_agree_with_bitmaps) {
    enum { SETS = 50, STEPS = 20000 };
    static wsf_packed_peers packed[SETS];
    static wsf_peers sets[SETS];
    uint64_t random = 7;
    wsf_peers_pool_init(&pool);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)next_random(&random) % SETS;
        unsigned peer = (unsigned)next_random(&random) % WSF_PEERS_MAX;
        if (step % 100 == 0)
            peer = WSF_PEERS_MAX - 1;
        /* Around the size at which a set changes its place. */
        bool grow = wsf_peers_count(sets[i]) < next_random(&random) % 16;
        if (!grow)
            for (peer = 0; peer < WSF_PEERS_MAX - 1 && !wsf_peers_has(sets[i], peer);)
                peer++;
        if (grow)
            ck_assert_int_eq(wsf_packed_peers_add(&pool, &packed[i], peer), WSFAN_OK);
        else
            wsf_packed_peers_remove(&pool, &packed[i], peer);
        wsf_peers_put(&sets[i], peer, grow);
        check_same(&packed[i], sets[i]);
    }
    wsf_peers_pool_destroy(&pool);
}
END_TEST

SUITE_MAIN("packed_peers", a_set_of_few_peers_needs_no_pool,
           a_set_of_all_peers_goes_into_the_pool_and_out_again,
           many_sets_in_one_pool_agree_with_bitmaps)
