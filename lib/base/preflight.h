/* Checks for descriptors and threads on behalf of ZeroMQ, which ends the process if it gets none. */
#ifndef WSF_BASE_PREFLIGHT_H
#define WSF_BASE_PREFLIGHT_H

#include <stdbool.h>

/* Whether this many descriptors and threads can be had now. WSFAN_OK, or WSFAN_ESYSTEM with errno. */
int wsf_preflight_check(unsigned descriptors, unsigned threads);

/* Whether the process may have so many (RLIMIT_NOFILE). */
bool wsf_preflight_has(unsigned descriptors);

/* 1/part of the descriptors that the process may have (RLIMIT_NOFILE), from 1 to max. */
unsigned wsf_preflight_share(unsigned part, unsigned max);

#endif
