#include "base/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

static void *host_alloc(void *user, size_t size) {
    (void)user;
    return malloc(size);
}

static void *host_realloc(void *user, void *memory, size_t size) {
    (void)user;
    return realloc(memory, size);
}

static void host_free(void *user, void *memory) {
    (void)user;
    free(memory);
}

wsfan_allocator wsf_allocator = { NULL, host_alloc, host_realloc, host_free };

int wsf_memory_use(const wsfan_allocator *allocator) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool settled;
    int error = WSFAN_OK;
    pthread_mutex_lock(&lock);
    if (!settled && allocator != NULL)
        wsf_allocator = *allocator;
    else if (allocator != NULL && memcmp(&wsf_allocator, allocator, sizeof *allocator) != 0)
        error = WSFAN_EBUSY;
    settled = true;
    pthread_mutex_unlock(&lock);
    return error;
}
