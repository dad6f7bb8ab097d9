/* The monotonic clock. */
#ifndef WSF_BASE_CLOCK_H
#define WSF_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t wsf_clock_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

static inline uint64_t wsf_clock_ms(void) {
    return wsf_clock_ns() / 1000000;
}

#endif
