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
    uint64_t checksum;       /* of the payload in it; 0: nobody has asked */
} wsf_buffer;

wsf_buffer *wsf_buffer_new(uint32_t capacity); /* NULL: out of memory */
wsf_buffer *wsf_buffer_ref(wsf_buffer *buffer);
void wsf_buffer_unref(wsf_buffer *buffer);

/* The same bytes in memory of their own, no more than they need; a second part is shared. NULL: out
 * of memory. */
wsf_buffer *wsf_buffer_copy(const wsf_buffer *buffer);

/* The bytes from `offset` on, where they are. NULL: out of memory. */
wsf_buffer *wsf_buffer_behind(wsf_buffer *buffer, uint32_t offset);

void wsf_buffer_drop_rest(wsf_buffer *buffer);

/* Both parts: the bytes, and what they take in memory. */
static inline uint64_t wsf_buffer_bytes(const wsf_buffer *buffer) {
    return (uint64_t)buffer->size + (buffer->rest != NULL ? buffer->rest->size : 0);
}

static inline uint64_t wsf_buffer_cost(const wsf_buffer *buffer) {
    return (uint64_t)buffer->capacity + (buffer->rest != NULL ? buffer->rest->capacity : 0);
}

/* Buffers that wait to be used again: to take such memory and give it back costs more than to fill
 * it. For one thread. Begins as {0}. */
/* Over these a frame is freed at once. */
enum { WSF_BUFFER_CACHE_COUNT = 64, WSF_BUFFER_CACHE_BYTES = 4 * 1024 * 1024 };

typedef struct {
    size_t bytes;
    uint32_t count;
    uint32_t unused; /* so many were there all the time since the last trim */
    wsf_buffer *buffers[WSF_BUFFER_CACHE_COUNT];
} wsf_buffer_cache;

/* One of just this capacity. NULL: out of memory. */
wsf_buffer *wsf_buffer_cache_take(wsf_buffer_cache *cache, uint32_t capacity);

/* Gives a reference back; the last one of a buffer that is not too small to be kept keeps it here.
 * cache NULL: none. */
void wsf_buffer_cache_put(wsf_buffer_cache *cache, wsf_buffer *buffer);

/* Frees what was not used since the last time; and all of it. */
void wsf_buffer_cache_trim(wsf_buffer_cache *cache);
void wsf_buffer_cache_empty(wsf_buffer_cache *cache);

#endif
