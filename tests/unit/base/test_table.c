#include "base/table.h"

#include <stdbool.h>

#include "suite.h"

START_TEST(a_value_is_found_under_its_hash_until_it_is_removed) {
    wsf_table table;
    wsf_table_init(&table, 42);
    uint32_t cursor = 0;
    ck_assert_uint_eq(wsf_table_next(&table, 7, &cursor), WSF_TABLE_NONE);
    ck_assert_int_eq(wsf_table_insert(&table, 7, 100), 0);
    cursor = 0;
    ck_assert_uint_eq(wsf_table_next(&table, 7, &cursor), 100);
    ck_assert_uint_eq(wsf_table_next(&table, 7, &cursor), WSF_TABLE_NONE);
    wsf_table_remove(&table, 7, 100);
    cursor = 0;
    ck_assert_uint_eq(wsf_table_next(&table, 7, &cursor), WSF_TABLE_NONE);
    wsf_table_destroy(&table);
}
END_TEST

START_TEST(values_of_one_hash_live_side_by_side) {
    wsf_table table;
    wsf_table_init(&table, 42);
    for (uint32_t v = 0; v < 40; v++)
        ck_assert_int_eq(wsf_table_insert(&table, 7, v), 0);
    wsf_table_remove(&table, 7, 13);
    uint64_t seen = 0;
    uint32_t cursor = 0;
    uint32_t value;
    while ((value = wsf_table_next(&table, 7, &cursor)) != WSF_TABLE_NONE)
        seen |= UINT64_C(1) << value;
    ck_assert_uint_eq(seen, ((UINT64_C(1) << 40) - 1) & ~(UINT64_C(1) << 13));
    wsf_table_destroy(&table);
}
END_TEST

/* Against a model that cannot be wrong: an array that says which value is in. */
START_TEST(it_agrees_with_a_model_under_random_change) {
    enum { VALUES = 2000, STEPS = 60000 };
    static bool in[VALUES];
    uint64_t random = 1;
    wsf_table table;
    wsf_table_init(&table, next_random(&random));
    for (int step = 0; step < STEPS; step++) {
        uint32_t value = (uint32_t)(next_random(&random) % VALUES);
        uint64_t hash = value / 3 * UINT64_C(0x100000001); /* some hashes are shared */
        if (in[value])
            wsf_table_remove(&table, hash, value);
        else
            ck_assert_int_eq(wsf_table_insert(&table, hash, value), 0);
        in[value] = !in[value];
        uint32_t probe = (uint32_t)(next_random(&random) % VALUES);
        uint32_t cursor = 0;
        uint32_t found;
        do
            found = wsf_table_next(&table, probe / 3 * UINT64_C(0x100000001), &cursor);
        while (found != probe && found != WSF_TABLE_NONE);
        ck_assert_int_eq(found == probe, in[probe]);
    }
    uint32_t count = 0;
    for (int i = 0; i < VALUES; i++)
        count += in[i];
    ck_assert_uint_eq(table.count, count);
    wsf_table_destroy(&table);
}
END_TEST

SUITE_MAIN("table", a_value_is_found_under_its_hash_until_it_is_removed,
           values_of_one_hash_live_side_by_side, it_agrees_with_a_model_under_random_change)
