/* Reference counts are atomic: ZeroMQ's I/O thread gives its own back when a frame has left, and
 * loops give back frames that messages lie in. */
#include "message/buffer.h"

#include <string.h>

#include "base/memory.h"

static void free_buffer(wsf_buffer *buffer) {
    wsf_free(buffer);
}

wsf_buffer *wsf_buffer_new(uint32_t capacity) {
    wsf_buffer *buffer = wsf_alloc(sizeof *buffer + capacity);
    if (buffer == NULL)
        return NULL;
    atomic_init(&buffer->refs, 1);
    buffer->capacity = capacity;
    buffer->size = 0;
    buffer->data = (uint8_t *)(buffer + 1);
    buffer->release = free_buffer;
    buffer->rest = NULL;
    buffer->checksum = 0;
    return buffer;
}

wsf_buffer *wsf_buffer_ref(wsf_buffer *buffer) {
    atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    return buffer;
}

void wsf_buffer_unref(wsf_buffer *buffer) {
    if (buffer == NULL || atomic_fetch_sub_explicit(&buffer->refs, 1, memory_order_acq_rel) != 1)
        return;
    wsf_buffer *rest = buffer->rest;
    buffer->release(buffer);
    wsf_buffer_unref(rest);
}

void wsf_buffer_drop_rest(wsf_buffer *buffer) {
    wsf_buffer_unref(buffer->rest);
    buffer->rest = NULL;
}

wsf_buffer *wsf_buffer_copy(const wsf_buffer *buffer) {
    wsf_buffer *copy = wsf_buffer_new(buffer->size);
    if (copy == NULL)
        return NULL;
    memcpy(copy->data, buffer->data, buffer->size);
    copy->size = buffer->size;
    if (buffer->rest != NULL)
        copy->rest = wsf_buffer_ref(buffer->rest);
    return copy;
}

wsf_buffer *wsf_buffer_behind(wsf_buffer *buffer, uint32_t offset) {
    wsf_buffer *behind = wsf_buffer_new(0);
    if (behind == NULL)
        return NULL;
    behind->data = buffer->data + offset;
    behind->size = behind->capacity = buffer->size - offset;
    behind->rest = wsf_buffer_ref(buffer); /* holds the memory of `data`; no second part */
    return behind;
}

/* ---------------------------------------------------------------------------------------- cache */

enum { KEPT_CAPACITY_MIN = 32 * 1024 }; /* malloc() is fast below */

static wsf_buffer *remove_at(wsf_buffer_cache *cache, uint32_t i) {
    wsf_buffer *buffer = cache->buffers[i];
    cache->buffers[i] = cache->buffers[--cache->count];
    cache->bytes -= buffer->capacity;
    if (cache->unused > cache->count)
        cache->unused = cache->count;
    return buffer;
}

wsf_buffer *wsf_buffer_cache_take(wsf_buffer_cache *cache, uint32_t capacity) {
    for (uint32_t i = cache->count; i > 0; i--) {
        if (cache->buffers[i - 1]->capacity != capacity)
            continue;
        wsf_buffer *buffer = remove_at(cache, i - 1);
        buffer->size = 0;
        buffer->data = (uint8_t *)(buffer + 1);
        return buffer;
    }
    return wsf_buffer_new(capacity);
}

void wsf_buffer_cache_put(wsf_buffer_cache *cache, wsf_buffer *buffer) {
    if (cache == NULL || buffer == NULL || buffer->capacity < KEPT_CAPACITY_MIN ||
        cache->count == WSF_BUFFER_CACHE_COUNT ||
        cache->bytes + buffer->capacity > WSF_BUFFER_CACHE_BYTES ||
        atomic_load_explicit(&buffer->refs, memory_order_acquire) != 1) {
        wsf_buffer_unref(buffer);
        return;
    }
    wsf_buffer_drop_rest(buffer);
    cache->buffers[cache->count++] = buffer;
    cache->bytes += buffer->capacity;
}

void wsf_buffer_cache_trim(wsf_buffer_cache *cache) {
    for (uint32_t n = cache->unused; n > 0; n--)
        wsf_buffer_unref(remove_at(cache, 0)); /* the oldest */
    cache->unused = cache->count;
}

void wsf_buffer_cache_empty(wsf_buffer_cache *cache) {
    while (cache->count > 0)
        wsf_buffer_unref(remove_at(cache, 0));
}
