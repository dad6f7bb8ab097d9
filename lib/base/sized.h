/* Structs of the host that say their size, so that later versions can add to them. */
#ifndef WSF_BASE_SIZED_H
#define WSF_BASE_SIZED_H

#include <stddef.h>

/* Whether there is one, and of a size that this version knows. */
#define WSF_IS_SIZED(given)                                                                        \
    ((given) != NULL && (given)->struct_size != 0 && (given)->struct_size <= sizeof *(given))

#endif
