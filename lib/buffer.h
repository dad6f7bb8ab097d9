/* A reference-counted block of bytes: one frame on its way to a peer. */
#ifndef WSF_BUFFER_H
#define WSF_BUFFER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    atomic_uint refs;
    uint32_t capacity;
    uint32_t size;
    uint8_t data[];
} wsf_buffer;

wsf_buffer *wsf_buffer_new(uint32_t capacity); /* NULL: out of memory */
wsf_buffer *wsf_buffer_ref(wsf_buffer *buffer);
void wsf_buffer_unref(wsf_buffer *buffer);

#endif
