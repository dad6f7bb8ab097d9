/* The bounded queue for hosts: limits, policies, latest values, and that every item is accounted for. */
#include <stdbool.h>
#include <string.h>
#include <wsfan/outbound.h>

#include "suite.h"

static unsigned released[256];

static void on_release(void *item) {
    released[*(unsigned char *)item]++;
}

static unsigned char items[256];

static wsfan_outbound *open_queue(wsfan_outbound_policy policy, uint32_t count_max,
                                  uint64_t bytes_max) {
    wsfan_outbound_options options;
    wsfan_outbound *outbound;
    wsfan_outbound_options_init(&options);
    options.policy = policy;
    options.count_max = count_max;
    options.bytes_max = bytes_max;
    options.release = on_release;
    memset(released, 0, sizeof released);
    for (unsigned i = 0; i < 256; i++)
        items[i] = (unsigned char)i;
    ck_assert_int_eq(wsfan_outbound_open(&outbound, &options), WSFAN_OK);
    return outbound;
}

static unsigned take(wsfan_outbound *outbound) {
    unsigned char *item = wsfan_outbound_take(outbound);
    return item != NULL ? *item : 999;
}

static wsfan_outbound_stats stats_of(const wsfan_outbound *outbound) {
    wsfan_outbound_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_outbound_get_stats(outbound, &stats), WSFAN_OK);
    return stats;
}

START_TEST(items_leave_in_the_order_in_which_they_came) {
    wsfan_outbound *q = open_queue(WSFAN_OUTBOUND_CLOSE, 100, 100);
    for (unsigned i = 1; i <= 100; i++)
        ck_assert_int_eq(wsfan_outbound_push(q, &items[i], 1, 0), WSFAN_OK);
    size_t size;
    ck_assert_uint_eq(*(unsigned char *)wsfan_outbound_peek(q, 99, &size), 100);
    ck_assert_uint_eq(size, 1);
    ck_assert_ptr_null(wsfan_outbound_peek(q, 100, NULL));
    for (unsigned i = 1; i <= 100; i++)
        ck_assert_uint_eq(take(q), i);
    ck_assert_uint_eq(take(q), 999);
    ck_assert_uint_eq(stats_of(q).taken, 100);
    ck_assert_uint_eq(stats_of(q).bytes, 0);
    wsfan_outbound_close(q);
}
END_TEST

/* For the one that takes, NULL is the end of the queue. */
START_TEST(null_is_no_item) {
    wsfan_outbound *q = open_queue(WSFAN_OUTBOUND_CLOSE, 1, 1);
    ck_assert_int_eq(wsfan_outbound_push(q, NULL, 1, 0), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_outbound_push(q, NULL, 1, 7), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_outbound_push(NULL, &items[1], 1, 0), WSFAN_EINVAL);
    ck_assert_uint_eq(stats_of(q).pushed, 0);
    ck_assert_int_eq(wsfan_outbound_push(q, &items[1], 1, 0), WSFAN_OK);
    ck_assert_int_eq(wsfan_outbound_push(q, NULL, 1, 0),
                     WSFAN_EINVAL); /* and the queue stays open */
    ck_assert_uint_eq(stats_of(q).dropped[WSFAN_OUTBOUND_DROP_CLOSED], 0);
    wsfan_outbound_close(q);
}
END_TEST

START_TEST(at_the_limit_everything_fits_and_over_it_the_policy_decides) {
    for (int policy = WSFAN_OUTBOUND_CLOSE; policy <= WSFAN_OUTBOUND_OLDEST; policy++)
        for (int by_count = 0; by_count < 2; by_count++) {
            wsfan_outbound *q = open_queue((wsfan_outbound_policy)policy, by_count ? 3 : 100,
                                           by_count ? 1000 : 30);
            for (unsigned i = 1; i <= 3; i++)
                ck_assert_int_eq(wsfan_outbound_push(q, &items[i], 10, 0), WSFAN_OK);
            int error = wsfan_outbound_push(q, &items[4], 10, 0);
            wsfan_outbound_stats stats = stats_of(q);
            ck_assert_uint_eq(stats.count, 3);
            ck_assert_uint_eq(stats.bytes, 30);
            ck_assert_uint_eq(stats.dropped[policy], 1);
            ck_assert_uint_eq(released[4], 0);
            ck_assert_int_eq(error, policy == WSFAN_OUTBOUND_CLOSE    ? WSFAN_ECLOSED
                                    : policy == WSFAN_OUTBOUND_NEWEST ? WSFAN_EAGAIN
                                                                      : WSFAN_OK);
            ck_assert_uint_eq(take(q), policy == WSFAN_OUTBOUND_OLDEST ? 2 : 1);
            ck_assert_uint_eq(released[1], policy == WSFAN_OUTBOUND_OLDEST);
            /* With room again, a queue that is to be closed takes nothing all the same. */
            error = wsfan_outbound_push(q, &items[5], 10, 0);
            ck_assert_int_eq(error, policy == WSFAN_OUTBOUND_CLOSE ? WSFAN_ECLOSED : WSFAN_OK);
            wsfan_outbound_close(q);
        }
}
END_TEST

START_TEST(the_text_of_a_refusal_is_not_about_another_queue) {
    ck_assert_ptr_nonnull(strstr(wsfan_error_text(WSFAN_ECLOSED), "the outbound queue was full"));
    ck_assert_ptr_nonnull(strstr(wsfan_error_text(WSFAN_EAGAIN), "the queue is full"));
}
END_TEST

START_TEST(an_empty_queue_takes_an_item_of_any_size) {
    wsfan_outbound *q = open_queue(WSFAN_OUTBOUND_NEWEST, 3, 10);
    ck_assert_int_eq(wsfan_outbound_push(q, &items[1], 1000, 0), WSFAN_OK);
    ck_assert_int_eq(wsfan_outbound_push(q, &items[2], 1, 0), WSFAN_EAGAIN);
    ck_assert_uint_eq(take(q), 1);
    wsfan_outbound_close(q);
}
END_TEST

START_TEST(of_one_key_only_the_newest_waits_in_the_place_of_the_first) {
    wsfan_outbound *q = open_queue(WSFAN_OUTBOUND_CLOSE, 4, 1000);
    wsfan_outbound_push(q, &items[1], 10, 7);
    wsfan_outbound_push(q, &items[2], 10, 0);
    wsfan_outbound_push(q, &items[3], 10, 8);
    wsfan_outbound_push(q, &items[4], 10, 0);
    for (unsigned i = 5; i < 100; i++) /* the queue is full, and that does not matter */
        ck_assert_int_eq(wsfan_outbound_push(q, &items[i], 20, 7), WSFAN_OK);
    ck_assert_uint_eq(stats_of(q).count, 4);
    ck_assert_uint_eq(stats_of(q).bytes, 50);
    ck_assert_uint_eq(stats_of(q).dropped[WSFAN_OUTBOUND_DROP_REPLACED], 95);
    ck_assert_uint_eq(take(q), 99);
    wsfan_outbound_push(q, &items[100], 10, 7); /* what was taken is not replaced */
    ck_assert_uint_eq(take(q), 2);
    ck_assert_uint_eq(take(q), 3);
    ck_assert_uint_eq(take(q), 4);
    ck_assert_uint_eq(take(q), 100);
    for (unsigned i = 5; i < 99; i++)
        ck_assert_uint_eq(released[i], 1);
    ck_assert_uint_eq(released[99], 0);
    wsfan_outbound_close(q);
}
END_TEST

START_TEST(a_latest_value_that_became_too_large_is_a_matter_of_the_policy) {
    wsfan_outbound *q = open_queue(WSFAN_OUTBOUND_OLDEST, 10, 30);
    wsfan_outbound_push(q, &items[1], 10, 0);
    wsfan_outbound_push(q, &items[2], 10, 7);
    ck_assert_int_eq(wsfan_outbound_push(q, &items[3], 25, 7), WSFAN_OK);
    ck_assert_uint_eq(released[1], 1);
    ck_assert_uint_eq(take(q), 3);
    wsfan_outbound_close(q);
    q = open_queue(WSFAN_OUTBOUND_NEWEST, 10, 30);
    wsfan_outbound_push(q, &items[1], 10, 0);
    wsfan_outbound_push(q, &items[2], 10, 7);
    ck_assert_int_eq(wsfan_outbound_push(q, &items[3], 25, 7), WSFAN_EAGAIN);
    ck_assert_uint_eq(take(q), 1);
    ck_assert_uint_eq(take(q), 2);
    wsfan_outbound_close(q);
}
END_TEST

START_TEST(the_newest_value_of_a_key_survives_the_drop_of_the_oldest) {
    wsfan_outbound *q = open_queue(WSFAN_OUTBOUND_OLDEST, 10, 100);
    wsfan_outbound_push(q, &items[1], 10, 7); /* the oldest of all */
    wsfan_outbound_push(q, &items[2], 80, 0);
    wsfan_outbound_push(q, &items[3], 5, 0);
    ck_assert_int_eq(wsfan_outbound_push(q, &items[4], 30, 7), WSFAN_OK);
    ck_assert_uint_eq(released[1], 1);
    ck_assert_uint_eq(released[2], 1);
    wsfan_outbound_stats stats = stats_of(q);
    ck_assert_uint_eq(stats.dropped[WSFAN_OUTBOUND_DROP_REPLACED], 1);
    ck_assert_uint_eq(stats.dropped[WSFAN_OUTBOUND_DROP_OLDEST], 1);
    ck_assert_uint_eq(stats.count, 2);
    ck_assert_uint_eq(stats.bytes, 35);
    ck_assert_int_eq(wsfan_outbound_push(q, &items[5], 1000, 7), WSFAN_OK); /* alone, of any size */
    ck_assert_uint_eq(take(q), 5);
    ck_assert_uint_eq(take(q), 999);
    ck_assert_uint_eq(stats_of(q).bytes, 0);
    wsfan_outbound_close(q);
}
END_TEST

START_TEST(sizes_at_the_end_of_their_range_are_added_up) {
    for (int policy = WSFAN_OUTBOUND_NEWEST; policy <= WSFAN_OUTBOUND_OLDEST; policy++) {
        bool oldest = policy == WSFAN_OUTBOUND_OLDEST;
        wsfan_outbound *q = open_queue((wsfan_outbound_policy)policy, 10, SIZE_MAX);
        ck_assert_int_eq(wsfan_outbound_push(q, &items[1], SIZE_MAX - 5, 0), WSFAN_OK);
        ck_assert_int_eq(wsfan_outbound_push(q, &items[2], 5, 9), WSFAN_OK);
        ck_assert_uint_eq(stats_of(q).bytes, SIZE_MAX);
        ck_assert_int_eq(wsfan_outbound_push(q, &items[3], SIZE_MAX, 9),
                         oldest ? WSFAN_OK : WSFAN_EAGAIN);
        ck_assert_uint_eq(stats_of(q).bytes, SIZE_MAX);
        ck_assert_uint_eq(stats_of(q).count, oldest ? 1 : 2);
        ck_assert_int_eq(wsfan_outbound_push(q, &items[4], 1, 0), oldest ? WSFAN_OK : WSFAN_EAGAIN);
        ck_assert_uint_eq(take(q), oldest ? 4 : 1);
        ck_assert_uint_eq(stats_of(q).bytes, oldest ? 0 : 5);
        wsfan_outbound_close(q);
    }
}
END_TEST

static bool waits(const wsfan_outbound *q, const void *item) {
    const void *waiting;
    for (uint32_t i = 0; (waiting = wsfan_outbound_peek(q, i, NULL)) != NULL; i++)
        if (waiting == item)
            return true;
    return false;
}

START_TEST(every_item_is_taken_or_released_once_whatever_happens) {
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t state = seed;
        unsigned held[256] = { 0 };
        wsfan_outbound *q = open_queue((wsfan_outbound_policy)(seed % 3),
                                       1 + (uint32_t)(next_random(&state) % 20), 500);
        uint64_t newest[4] = { 0 };
        uint64_t number[256] = { 0 };
        for (unsigned i = 0; i < 256; i++) {
            uint64_t key = next_random(&state) % 4;
            if (wsfan_outbound_push(q, &items[i], 1 + (size_t)(next_random(&state) % 100), key) ==
                WSFAN_OK)
                held[i] = 1;
            ck_assert_int_eq(waits(q, &items[i]), held[i]);
            wsfan_outbound_stats stats = stats_of(q);
            ck_assert(stats.bytes <= 500 || stats.count == 1);
            number[i] = key;
            if (next_random(&state) % 3 != 0)
                continue;
            unsigned char *taken = wsfan_outbound_take(q);
            if (taken == NULL)
                continue;
            held[*taken] = 0;
            if (number[*taken] != 0) { /* those of one key never overtake each other */
                ck_assert_uint_ge(*taken + 1u, newest[number[*taken]]);
                newest[number[*taken]] = *taken + 1u;
            }
        }
        wsfan_outbound_close(q);
        for (unsigned i = 0; i < 256; i++)
            ck_assert_uint_eq(released[i], held[i]);
    }
}
END_TEST

START_TEST(bad_options_are_refused) {
    wsfan_outbound *q;
    wsfan_outbound_options options;
    wsfan_outbound_options_init(&options);
    ck_assert_int_eq(wsfan_outbound_open(NULL, &options), WSFAN_EINVAL);
    ck_assert_int_eq(wsfan_outbound_open(&q, NULL), WSFAN_EINVAL);
    options.count_max = 0;
    ck_assert_int_eq(wsfan_outbound_open(&q, &options), WSFAN_EINVAL);
    options.count_max = 16 * 1024 * 1024 + 1;
    ck_assert_int_eq(wsfan_outbound_open(&q, &options), WSFAN_EINVAL);
    options.count_max = 16 * 1024 * 1024;
    options.bytes_max = 0;
    ck_assert_int_eq(wsfan_outbound_open(&q, &options), WSFAN_EINVAL);
    options.bytes_max = 1;
    ck_assert_int_eq(wsfan_outbound_open(&q, &options), WSFAN_OK);
    wsfan_outbound_close(q);
    ck_assert_str_eq(wsfan_outbound_drop_text(WSFAN_OUTBOUND_DROP_COUNT), "unknown reason");
}
END_TEST

SUITE_MAIN("outbound", items_leave_in_the_order_in_which_they_came, null_is_no_item,
           at_the_limit_everything_fits_and_over_it_the_policy_decides,
           the_text_of_a_refusal_is_not_about_another_queue,
           an_empty_queue_takes_an_item_of_any_size,
           of_one_key_only_the_newest_waits_in_the_place_of_the_first,
           a_latest_value_that_became_too_large_is_a_matter_of_the_policy,
           the_newest_value_of_a_key_survives_the_drop_of_the_oldest,
           sizes_at_the_end_of_their_range_are_added_up,
           every_item_is_taken_or_released_once_whatever_happens, bad_options_are_refused)
