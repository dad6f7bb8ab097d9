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

/* A stamp of 32 bits that is never 0: microseconds, which begin anew every 71 minutes. */
static inline uint32_t wsf_clock_stamp(uint64_t ns) {
    uint32_t us = (uint32_t)(ns / 1000);
    return us + (us == 0);
}

#endif
