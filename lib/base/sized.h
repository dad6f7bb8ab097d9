/* Structs of the host that say their size in their first field, so that later versions can add to them. A
 * program and a library of different versions work together as long as the program uses nothing that the
 * library does not know. */
#ifndef WSF_BASE_SIZED_H
#define WSF_BASE_SIZED_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Larger is a mistake: a field that was not set. */
enum { WSF_SIZED_MAX = 4096 };

/* Whether there is a struct that says its size. */
#define WSF_IS_SIZED(given)                                                                        \
    ((given) != NULL && (given)->struct_size >= sizeof(size_t) &&                                  \
     (given)->struct_size <= WSF_SIZED_MAX)

/* Reads a struct of the host over ours, which holds the defaults of what it is too short for. False: it does
 * not say its size, or has something set that this version does not know. */
static inline bool wsf_read_sized(void *ours, size_t our_size, const void *given) {
    size_t given_size;
    if (given == NULL)
        return false;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > WSF_SIZED_MAX)
        return false;
    for (size_t i = our_size; i < given_size; i++)
        if (((const char *)given)[i] != 0)
            return false;
    memcpy(ours, given, given_size < our_size ? given_size : our_size);
    return true;
}

/* Fills a struct of the host from ours. What this version does not know becomes 0. */
static inline void wsf_fill_sized(void *given, size_t given_size, const void *ours,
                                  size_t our_size) {
    size_t common = given_size < our_size ? given_size : our_size;
    memcpy(given, ours, common);
    memset((char *)given + common, 0, given_size - common);
}

#endif
