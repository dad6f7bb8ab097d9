#include "message/buffer.h"

#include <string.h>

#include "suite.h"

enum { CAPACITY = 64 * 1024 };

START_TEST(a_copy_takes_what_it_needs_and_outlives_the_original) {
    wsf_buffer *buffer = wsf_buffer_new(100);
    memcpy(buffer->data, "bytes", 5);
    buffer->size = 5;
    wsf_buffer *copy = wsf_buffer_copy(buffer);
    wsf_buffer_unref(buffer);
    ck_assert_uint_eq(copy->size, 5);
    ck_assert_uint_eq(copy->capacity, 5);
    ck_assert_mem_eq(copy->data, "bytes", 5);
    wsf_buffer_unref(copy);
}
END_TEST

static unsigned released;

static void count_release(wsf_buffer *buffer) {
    released++;
    free(buffer);
}

START_TEST(a_second_part_goes_with_the_last_frame_that_has_it) {
    static uint8_t bytes[500];
    wsf_buffer *frame = wsf_buffer_new(10);
    wsf_buffer *rest = malloc(sizeof *rest);
    memset(rest, 0, sizeof *rest);
    atomic_init(&rest->refs, 1);
    rest->release = count_release;
    rest->data = bytes;
    rest->size = rest->capacity = sizeof bytes;
    frame->size = 4;
    frame->rest = rest;
    ck_assert_uint_eq(wsf_buffer_bytes(frame), 504);
    ck_assert_uint_eq(wsf_buffer_cost(frame), 510);
    wsf_buffer *copy = wsf_buffer_copy(frame);
    ck_assert_ptr_eq(copy->rest, rest);
    wsf_buffer *behind = wsf_buffer_behind(rest, 100);
    ck_assert_uint_eq(behind->size, 400);
    wsf_buffer_unref(frame);
    wsf_buffer_drop_rest(copy);
    wsf_buffer_unref(copy);
    ck_assert_uint_eq(released, 0);
    wsf_buffer_unref(behind);
    ck_assert_uint_eq(released, 1);
}
END_TEST

START_TEST(a_cache_keeps_no_second_part) {
    wsf_buffer_cache cache = { 0 };
    wsf_buffer *frame = wsf_buffer_new(CAPACITY);
    wsf_buffer *rest = wsf_buffer_new(1);
    frame->rest = wsf_buffer_ref(rest);
    wsf_buffer_cache_put(&cache, frame);
    ck_assert_uint_eq(cache.count, 1);
    ck_assert_uint_eq(atomic_load(&rest->refs), 1);
    frame = wsf_buffer_cache_take(&cache, CAPACITY);
    ck_assert_ptr_null(frame->rest);
    wsf_buffer_unref(frame);
    wsf_buffer_unref(rest);
}
END_TEST

START_TEST(a_cache_gives_the_same_memory_again_and_only_for_the_same_capacity) {
    wsf_buffer_cache cache = { 0 };
    wsf_buffer *first = wsf_buffer_cache_take(&cache, CAPACITY);
    first->data += 10;
    first->size = 20;
    wsf_buffer_cache_put(&cache, first);
    ck_assert_uint_eq(cache.bytes, CAPACITY);
    wsf_buffer *other = wsf_buffer_cache_take(&cache, 2 * CAPACITY);
    ck_assert_ptr_ne(other, first);
    wsf_buffer *again = wsf_buffer_cache_take(&cache, CAPACITY);
    ck_assert_ptr_eq(again, first);
    ck_assert_uint_eq(again->size, 0);
    ck_assert_ptr_eq(again->data, (uint8_t *)(again + 1));
    wsf_buffer_cache_put(&cache, again);
    wsf_buffer_cache_put(&cache, other);
    wsf_buffer_cache_empty(&cache);
    ck_assert_uint_eq(cache.bytes, 0);
}
END_TEST

START_TEST(a_cache_keeps_nothing_small_nothing_in_use_and_no_more_than_its_bounds) {
    wsf_buffer_cache cache = { 0 };
    wsf_buffer_cache_put(&cache, wsf_buffer_new(100));
    wsf_buffer *used = wsf_buffer_new(CAPACITY);
    wsf_buffer_ref(used);
    wsf_buffer_cache_put(&cache, used);
    ck_assert_uint_eq(cache.count, 0);
    wsf_buffer_unref(used);
    for (int i = 0; i < WSF_BUFFER_CACHE_COUNT + 1; i++)
        wsf_buffer_cache_put(&cache, wsf_buffer_new(CAPACITY / 2));
    ck_assert_uint_eq(cache.count, WSF_BUFFER_CACHE_COUNT);
    wsf_buffer_cache_empty(&cache);
    for (int i = 0; i < 5; i++)
        wsf_buffer_cache_put(&cache, wsf_buffer_new(WSF_BUFFER_CACHE_BYTES / 4));
    ck_assert_uint_eq(cache.bytes, WSF_BUFFER_CACHE_BYTES);
    wsf_buffer_cache_empty(&cache);
}
END_TEST

START_TEST(what_a_cache_did_not_need_between_two_trims_goes) {
    wsf_buffer_cache cache = { 0 };
    for (int i = 0; i < 5; i++)
        wsf_buffer_cache_put(&cache, wsf_buffer_new(CAPACITY));
    wsf_buffer_cache_trim(&cache); /* they are new */
    ck_assert_uint_eq(cache.count, 5);
    wsf_buffer *a = wsf_buffer_cache_take(&cache, CAPACITY);
    wsf_buffer *b = wsf_buffer_cache_take(&cache, CAPACITY);
    wsf_buffer_cache_put(&cache, a);
    wsf_buffer_cache_put(&cache, b);
    wsf_buffer_cache_trim(&cache);
    ck_assert_uint_eq(cache.count, 2);
    wsf_buffer_cache_trim(&cache);
    ck_assert_uint_eq(cache.count, 0);
}
END_TEST

SUITE_MAIN("buffer", a_copy_takes_what_it_needs_and_outlives_the_original,
           a_second_part_goes_with_the_last_frame_that_has_it, a_cache_keeps_no_second_part,
           a_cache_gives_the_same_memory_again_and_only_for_the_same_capacity,
           a_cache_keeps_nothing_small_nothing_in_use_and_no_more_than_its_bounds,
           what_a_cache_did_not_need_between_two_trims_goes)
