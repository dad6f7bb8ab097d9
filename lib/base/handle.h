/* A session's handle, taken apart. */
#ifndef WSF_BASE_HANDLE_H
#define WSF_BASE_HANDLE_H

#include <stdint.h>

#include "base/limits.h"

/* The loop that has a session of this node, as its handle says. */
static inline unsigned wsf_handle_loop(uint64_t session) {
    return (unsigned)(session >> 56) & (WSF_LOOPS_MAX - 1);
}

#endif
