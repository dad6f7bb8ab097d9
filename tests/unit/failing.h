/* An allocator for options.allocator that counts what is out, and fails when it is told to. Memory that
 * did not come from it, or goes back elsewhere, is seen: the pointers differ from malloc()'s. */
#ifndef FAILING_H
#define FAILING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <wsfan/wsfan.h>

#include "suite.h"

/* Every place is tried where that does not take minutes. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { STRIDE = 5 };
#else
enum { STRIDE = 1 };
#endif

enum { NEVER = -1000000000, MARK_SIZE = 16, MARK = 0x77 };

static atomic_long fail_at = NEVER; /* how many allocations go well before one fails */
static atomic_uint fail_one_in;     /* or: fail at random */
static atomic_bool for_ever;        /* and every one after it */
static atomic_bool ran_out;
static atomic_long live_count; /* allocated and not given back */
static uint64_t random_state = 9;

static bool fails(void) {
    unsigned one_in = atomic_load(&fail_one_in);
    long left = atomic_fetch_sub(&fail_at, 1);
    bool fail = left == 0 || (left < 0 && left > NEVER && atomic_load(&for_ever)) ||
                (one_in > 0 && next_random(&random_state) % one_in == 0);
    if (fail)
        atomic_store(&ran_out, true);
    return fail;
}

static void *marked(uint8_t *memory) {
    if (memory == NULL)
        return NULL;
    memset(memory, MARK, MARK_SIZE);
    return memory + MARK_SIZE;
}

/* The block that it stands in. */
static uint8_t *unmarked(void *memory) {
    uint8_t *block = (uint8_t *)memory - MARK_SIZE;
    if (block[0] != MARK || block[MARK_SIZE - 1] != MARK)
        abort(); /* not ours */
    return block;
}

static void *failing_alloc(void *user, size_t size) {
    if (user != &live_count)
        abort();
    if (fails())
        return NULL;
    void *memory = marked(malloc(MARK_SIZE + size));
    atomic_fetch_add(&live_count, memory != NULL);
    return memory;
}

static void *failing_realloc(void *user, void *memory, size_t size) {
    if (memory == NULL)
        return failing_alloc(user, size);
    if (fails())
        return NULL;
    return marked(realloc(unmarked(memory), MARK_SIZE + size));
}

static void failing_free(void *user, void *memory) {
    (void)user;
    if (memory == NULL)
        return;
    uint8_t *block = unmarked(memory);
    memset(block, 0, MARK_SIZE);
    free(block);
    atomic_fetch_sub(&live_count, 1);
}

static const wsfan_allocator FAILING = { &live_count, failing_alloc, failing_realloc,
                                         failing_free };

/* From here on the n-th allocation fails, counted from 0, and with `all` every later one. */
static inline void arm(long n, bool all) {
    atomic_store(&for_ever, all);
    atomic_store(&ran_out, false);
    atomic_store(&fail_at, n);
}

/* Memory is back. Returns whether any allocation had failed. */
static inline bool disarm(void) {
    atomic_store(&fail_at, NEVER);
    return atomic_load(&ran_out);
}

static inline bool all_or_no_memory(int error) {
    ck_assert_msg(error == WSFAN_OK || error == WSFAN_ENOMEM, "%s", wsfan_error_text(error));
    return error == WSFAN_OK;
}

#endif
