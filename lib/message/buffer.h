/* A reference-counted block of bytes: one frame on its way to or from a peer, or a large payload. */
#ifndef WSF_MESSAGE_BUFFER_H
#define WSF_MESSAGE_BUFFER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wsf_buffer {
    atomic_uint refs;
    uint32_t capacity;
    uint32_t size;
    uint8_t *data;
    void (*release)(struct wsf_buffer *buffer); /* when the last reference goes */
    struct wsf_buffer *rest; /* a reference: the second part of a frame; NULL: it has none */
    uint64_t checksum;       /* of the payload in it; 0: not computed yet */
} wsf_buffer;

wsf_buffer *wsf_buffer_new(uint32_t capacity); /* NULL: out of memory */
wsf_buffer *wsf_buffer_ref(wsf_buffer *buffer);
void wsf_buffer_unref(wsf_buffer *buffer);

/* A copy in memory of just its size; a second part is shared. NULL: out of memory. */
wsf_buffer *wsf_buffer_copy(const wsf_buffer *buffer);

/* A buffer for the bytes from `offset` on, in the same memory. NULL: out of memory. */
wsf_buffer *wsf_buffer_behind(wsf_buffer *buffer, uint32_t offset);

void wsf_buffer_drop_rest(wsf_buffer *buffer);

/* Of both parts: bytes, and bytes of memory. */
static inline uint64_t wsf_buffer_bytes(const wsf_buffer *buffer) {
    return (uint64_t)buffer->size + (buffer->rest != NULL ? buffer->rest->size : 0);
}

static inline uint64_t wsf_buffer_cost(const wsf_buffer *buffer) {
    return (uint64_t)buffer->capacity + (buffer->rest != NULL ? buffer->rest->capacity : 0);
}

/* Buffers that are kept to be used again: to allocate and free such memory costs more than to fill it. For
 * one thread. Begins as {0}. Over these limits a buffer is freed at once. */
enum { WSF_BUFFER_CACHE_COUNT = 64, WSF_BUFFER_CACHE_BYTES = 4 * 1024 * 1024 };

typedef struct {
    size_t bytes;
    uint32_t count;
    uint32_t unused; /* the lowest count since the last trim */
    wsf_buffer *buffers[WSF_BUFFER_CACHE_COUNT];
} wsf_buffer_cache;

/* A buffer of just this capacity. NULL: out of memory. */
wsf_buffer *wsf_buffer_cache_take(wsf_buffer_cache *cache, uint32_t capacity);

/* Gives a reference back. With the last one a buffer that is large enough is kept. cache NULL: none. */
void wsf_buffer_cache_put(wsf_buffer_cache *cache, wsf_buffer *buffer);

/* trim: frees what was not used since the last trim. empty: frees everything. */
void wsf_buffer_cache_trim(wsf_buffer_cache *cache);
void wsf_buffer_cache_empty(wsf_buffer_cache *cache);

#endif
