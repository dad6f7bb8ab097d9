/* Where the library's memory comes from: malloc(), or the host's allocator. */
#ifndef WSF_BASE_MEMORY_H
#define WSF_BASE_MEMORY_H

#include <stdint.h>
#include <string.h>
#include <wsfan/wsfan.h>

/* One for the whole process, because messages pass between its nodes. */
extern wsfan_allocator wsf_allocator;

/* Sets the allocator, before the first allocation. NULL: keeps the one in use, at first malloc().
 * WSFAN_EBUSY: another one is in use. */
int wsf_memory_use(const wsfan_allocator *allocator);

/* NULL: out of memory. */
static inline void *wsf_alloc(size_t size) {
    return wsf_allocator.alloc(wsf_allocator.user, size);
}

static inline void *wsf_alloc_zero(size_t count, size_t size) {
    if (size > 0 && count > SIZE_MAX / size)
        return NULL;
    void *memory = wsf_alloc(count * size);
    return memory != NULL ? memset(memory, 0, count * size) : NULL;
}

static inline void *wsf_realloc(void *memory, size_t size) {
    return wsf_allocator.realloc(wsf_allocator.user, memory, size);
}

static inline void wsf_free(void *memory) {
    wsf_allocator.free(wsf_allocator.user, memory);
}

#endif
