#include "message/slab.h"

#include <pthread.h>
#include <sched.h>

#include "base/memory.h"
#include "failing.h"

enum { KEPT_MAX = WSF_SLABS_KEPT_BYTES / WSF_SLAB_BYTES };

static wsf_slab_cache *new_cache(void) {
    ck_assert_int_eq(wsf_memory_use(&FAILING), WSFAN_OK);
    ck_assert_int_eq(atomic_load(&live_count), 0);
    return wsf_slab_cache_new(WSF_SLAB_BYTES);
}

START_TEST(a_slab_that_came_back_is_taken_again) {
    wsf_slab_cache *cache = new_cache();
    wsf_slab *slab = wsf_slab_cache_take(cache, 3);
    wsf_slab_unref(slab, 2);
    wsf_slab *other = wsf_slab_cache_take(cache, 1);
    ck_assert_ptr_ne(other, slab); /* it has a reference */
    wsf_slab_unref(slab, 1);
    ck_assert_ptr_eq(wsf_slab_cache_take(cache, 1), slab);
    wsf_slab_unref(slab, 1);
    wsf_slab_unref(other, 1);
    wsf_slab_cache_close(cache);
    ck_assert_int_eq(atomic_load(&live_count), 0);
}
END_TEST

START_TEST(a_slab_may_outlive_its_cache) {
    wsf_slab_cache *cache = new_cache();
    wsf_slab *slab = wsf_slab_cache_take(cache, 1);
    wsf_slab_unref(wsf_slab_cache_take(cache, 1), 1);
    wsf_slab_cache_close(cache);
    memset(slab + 1, 1, WSF_SLAB_BYTES - sizeof *slab);
    wsf_slab_unref(slab, 1);
    ck_assert_int_eq(atomic_load(&live_count), 0);
}
END_TEST

START_TEST(what_is_not_needed_is_freed_and_no_more_than_a_limit_is_kept) {
    enum { COUNT = KEPT_MAX + 10, NEEDED = 7 };
    static wsf_slab *slabs[COUNT];
    wsf_slab_cache *cache = new_cache();
    for (int i = 0; i < COUNT; i++)
        slabs[i] = wsf_slab_cache_take(cache, 1);
    for (int i = 0; i < COUNT; i++)
        wsf_slab_unref(slabs[i], 1);
    ck_assert_int_eq(atomic_load(&live_count), 1 + KEPT_MAX);
    wsf_slab_cache_trim(cache); /* all of it was needed until now */
    ck_assert_int_eq(atomic_load(&live_count), 1 + KEPT_MAX);
    for (int i = 0; i < NEEDED; i++)
        slabs[i] = wsf_slab_cache_take(cache, 1);
    for (int i = 0; i < NEEDED; i++)
        wsf_slab_unref(slabs[i], 1);
    wsf_slab_cache_trim(cache);
    ck_assert_int_eq(atomic_load(&live_count), 1 + NEEDED);
    wsf_slab_cache_close(cache);
    ck_assert_int_eq(atomic_load(&live_count), 0);
}
END_TEST

START_TEST(without_memory_there_is_none) {
    wsf_slab_cache *cache = new_cache();
    arm(0, true);
    ck_assert_ptr_null(wsf_slab_cache_new(WSF_SLAB_BYTES));
    ck_assert_ptr_null(wsf_slab_cache_take(cache, 1));
    disarm();
    wsf_slab_cache_close(cache);
    ck_assert_int_eq(atomic_load(&live_count), 0);
}
END_TEST

enum { THREADS = 3, ROUNDS = 2000 };

static _Atomic(wsf_slab *) handed[THREADS];

static void *give_back(void *place) {
    _Atomic(wsf_slab *) *mine = place;
    for (int left = ROUNDS; left > 0;) {
        wsf_slab *slab = atomic_exchange(mine, NULL);
        if (slab == NULL) {
            sched_yield(); /* valgrind runs one thread at a time */
            continue;
        }
        wsf_slab_unref(slab, 1);
        left--;
    }
    return NULL;
}

START_TEST(any_thread_returns_what_one_took) {
    pthread_t threads[THREADS];
    wsf_slab_cache *cache = new_cache();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, give_back, &handed[i]), 0);
    int sent[THREADS] = { 0 };
    for (int left = THREADS * ROUNDS; left > 0;)
        for (int i = 0; i < THREADS; i++) {
            if (sent[i] == ROUNDS || atomic_load(&handed[i]) != NULL) {
                sched_yield();
                continue;
            }
            wsf_slab *slab = wsf_slab_cache_take(cache, 1);
            memset(slab + 1, i, WSF_SLAB_BYTES - sizeof *slab);
            atomic_store(&handed[i], slab);
            sent[i]++;
            left--;
        }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    wsf_slab_cache_close(cache);
    ck_assert_int_eq(atomic_load(&live_count), 0);
}
END_TEST

SUITE_MAIN("slab", a_slab_that_came_back_is_taken_again, a_slab_may_outlive_its_cache,
           what_is_not_needed_is_freed_and_no_more_than_a_limit_is_kept,
           without_memory_there_is_none, any_thread_returns_what_one_took)
