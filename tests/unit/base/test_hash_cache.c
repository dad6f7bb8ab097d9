/* A hash that is remembered is that of the name and the kind that are asked for, whatever was asked before. */
#include "base/hash_cache.h"

#include <stdio.h>

#include "base/memory.h"
#include "failing.h"

static wsf_hash_cache cache;
static wsf_hash_key key;

static void check(wsfan_target_kind kind, wsfan_bytes name) {
    wsfan_target target = { kind, name };
    ck_assert_uint_eq(wsf_hash_cache_target(&cache, &key, &target), wsf_hash_target(&key, &target));
}

static void check_both(wsfan_bytes name) {
    for (unsigned round = 0; round < 2; round++) { /* the second may find it */
        check(WSFAN_CHAT, name);
        check(WSFAN_USER, name);
    }
}

/* Each differs from the one before in one place, and is asked for right behind it. */
START_TEST(names_that_differ_in_one_byte_are_told_apart) {
    uint8_t name[WSF_HASH_CACHE_NAME_MAX + 3];
    wsf_hash_key_init(&key, "wsfan");
    for (size_t size = 1; size <= sizeof name; size++) {
        memset(name, 'a', sizeof name);
        for (size_t i = 0; i < size; i++) {
            check_both((wsfan_bytes){ name, size });
            name[i] = 'b';
        }
        check_both((wsfan_bytes){ name, size });
    }
    wsf_hash_cache_destroy(&cache);
}
END_TEST

START_TEST(more_names_than_there_is_room_for_take_turns) {
    enum { NAMES = 4 * WSF_HASH_CACHE_SETS * WSF_HASH_CACHE_WAYS, TURNS = 2 };
    wsf_hash_key_init(&key, "wsfan");
    for (unsigned i = 0; i < TURNS * NAMES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i % NAMES);
        check(i % 3 == 0 ? WSFAN_USER : WSFAN_CHAT, wsfan_string(name));
    }
    wsf_hash_cache_destroy(&cache);
}
END_TEST

START_TEST(without_memory_names_are_hashed_each_time) {
    wsf_hash_key_init(&key, "wsfan");
    ck_assert_int_eq(wsf_memory_use(&FAILING), WSFAN_OK);
    arm(0, true);
    check_both(wsfan_string("lobby"));
    ck_assert(disarm());
    check_both(wsfan_string("lobby"));
    ck_assert_int_eq(atomic_load(&live_count), 1);
    wsf_hash_cache_destroy(&cache);
    ck_assert_int_eq(atomic_load(&live_count), 0);
}
END_TEST

/* As whoever chooses names can make them: of all these only the first and the last bytes are the same. */
START_TEST(names_that_begin_and_end_alike_spread) {
    enum { NAMES = 4096, SLOTS = 256 };
    unsigned counts[SLOTS] = { 0 };
    for (unsigned i = 0; i < NAMES; i++) {
        char name[32];
        snprintf(name, sizeof name, "tenant-7/%06u/messages", i);
        counts[wsf_hash_quick(wsfan_string(name), 0) >> 56]++;
    }
    for (unsigned i = 0; i < SLOTS; i++)
        ck_assert_uint_le(counts[i], 4 * NAMES / SLOTS);
}
END_TEST

/* The first one chooses the allocator of the process. */
SUITE_MAIN("hash_cache", without_memory_names_are_hashed_each_time,
           names_that_differ_in_one_byte_are_told_apart,
           more_names_than_there_is_room_for_take_turns, names_that_begin_and_end_alike_spread)
