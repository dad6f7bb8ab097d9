/* Counters and histograms that one thread at a time writes, and any thread reads. */
#ifndef WSF_BASE_COUNTER_H
#define WSF_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef atomic_uint_fast64_t wsf_counter;

/* No read-modify-write: there is one writer. */
static inline void wsf_counter_add(wsf_counter *counter, uint64_t count) {
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + count, memory_order_relaxed);
}

static inline void wsf_counter_set(wsf_counter *counter, uint64_t value) {
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static inline uint64_t wsf_counter_read(const wsf_counter *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Bucket i counts the values up to first * 2^i that the buckets before it do not; the last one all others. */
enum { WSF_HISTOGRAM_BUCKETS = 21 };

typedef struct {
    wsf_counter buckets[WSF_HISTOGRAM_BUCKETS];
    wsf_counter sum; /* of the values, in their unit */
} wsf_histogram;

/* The state of a histogram when it was read. */
typedef struct {
    uint64_t buckets[WSF_HISTOGRAM_BUCKETS];
    uint64_t sum;
} wsf_histogram_counts;

/* first: of this histogram always the same, a constant above 0. */
static inline void wsf_histogram_add(wsf_histogram *histogram, uint64_t value, uint64_t first) {
    uint64_t steps = value / first + (value % first > 0); /* of `first`, rounded up */
    unsigned bucket = steps <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(steps - 1);
    if (bucket >= WSF_HISTOGRAM_BUCKETS)
        bucket = WSF_HISTOGRAM_BUCKETS - 1;
    wsf_counter_add(&histogram->buckets[bucket], 1);
    wsf_counter_add(&histogram->sum, value);
}

static inline void wsf_histogram_read(const wsf_histogram *histogram,
                                      wsf_histogram_counts *counts) {
    for (unsigned i = 0; i < WSF_HISTOGRAM_BUCKETS; i++)
        counts->buckets[i] = wsf_counter_read(&histogram->buckets[i]);
    counts->sum = wsf_counter_read(&histogram->sum);
}

#endif
