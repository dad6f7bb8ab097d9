/* Tells a process from its forked child. */
#ifndef WSF_BASE_GUARD_H
#define WSF_BASE_GUARD_H

#include <stdbool.h>

typedef struct {
    volatile unsigned char *page; /* the kernel clears it in a child */
} wsf_guard;

int wsf_guard_open(wsf_guard *guard); /* WSFAN_OK or WSFAN_ESYSTEM */
void wsf_guard_close(wsf_guard *guard);

/* Whether this process is a child of the one that opened the guard. Costs one load. */
static inline bool wsf_guard_forked(const wsf_guard *guard) {
    return *guard->page == 0;
}

#endif
