/* Reference counts are atomic: ZeroMQ's I/O thread gives its own back when a frame has left. */
#include "buffer.h"

#include <stdlib.h>

wsf_buffer *wsf_buffer_new(uint32_t capacity) {
    wsf_buffer *buffer = malloc(sizeof *buffer + capacity);
    if (buffer == NULL)
        return NULL;
    atomic_init(&buffer->refs, 1);
    buffer->capacity = capacity;
    buffer->size = 0;
    return buffer;
}

wsf_buffer *wsf_buffer_ref(wsf_buffer *buffer) {
    atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    return buffer;
}

void wsf_buffer_unref(wsf_buffer *buffer) {
    if (buffer != NULL && atomic_fetch_sub_explicit(&buffer->refs, 1, memory_order_acq_rel) == 1)
        free(buffer);
}
