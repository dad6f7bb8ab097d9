/* Structs of the host that begin with their size, so that later versions can add fields. */
#ifndef WSF_BASE_SIZED_H
#define WSF_BASE_SIZED_H

#include <stddef.h>

/* Whether `given` is not NULL and has a struct_size that this version knows. */
#define WSF_IS_SIZED(given)                                                                        \
    ((given) != NULL && (given)->struct_size != 0 && (given)->struct_size <= sizeof *(given))

#endif
