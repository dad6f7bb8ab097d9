/* A full ring doubles. A ring of more than CAPACITY_KEPT elements is freed when it becomes empty, so that the
 * memory of one burst is not kept. */
#include "base/deque.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

enum { CAPACITY_MIN = 16, CAPACITY_KEPT = 1024 };

void wsf_deque_init(wsf_deque *deque, uint32_t element_size) {
    memset(deque, 0, sizeof *deque);
    deque->element_size = element_size;
}

void wsf_deque_destroy(wsf_deque *deque) {
    wsf_free(deque->data);
    deque->data = NULL;
    deque->capacity = deque->count = deque->head = 0;
}

static int grow(wsf_deque *deque) {
    uint32_t capacity = deque->capacity == 0 ? CAPACITY_MIN : deque->capacity * 2;
    uint8_t *data = wsf_alloc((size_t)capacity * deque->element_size);
    if (data == NULL)
        return -1;
    for (uint32_t i = 0; i < deque->count; i++)
        memcpy(data + (size_t)i * deque->element_size, wsf_deque_at(deque, i), deque->element_size);
    wsf_free(deque->data);
    deque->data = data;
    deque->capacity = capacity;
    deque->head = 0;
    return 0;
}

void *wsf_deque_push(wsf_deque *deque) {
    if (deque->count == deque->capacity && grow(deque) != 0)
        return NULL;
    deque->count++;
    return wsf_deque_at(deque, deque->count - 1);
}

void *wsf_deque_at(const wsf_deque *deque, uint32_t i) {
    assert(i < deque->count);
    return deque->data + (size_t)((deque->head + i) & (deque->capacity - 1)) * deque->element_size;
}

void wsf_deque_pop_front(wsf_deque *deque) {
    assert(deque->count > 0);
    deque->head = (deque->head + 1) & (deque->capacity - 1);
    if (--deque->count == 0 && deque->capacity > CAPACITY_KEPT)
        wsf_deque_destroy(deque);
}
