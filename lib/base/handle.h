/* The parts of a session handle. */
#ifndef WSF_BASE_HANDLE_H
#define WSF_BASE_HANDLE_H

#include <stdint.h>

#include "base/limits.h"

/* The index of the loop that owns a session of this node, read from the session's handle. */
static inline unsigned wsf_handle_loop(uint64_t session) {
    return (unsigned)(session >> 56) & (WSF_LOOPS_MAX - 1);
}

#endif
