/* A double-ended queue of fixed-size elements in one ring of memory. */
#ifndef WSF_BASE_DEQUE_H
#define WSF_BASE_DEQUE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *data;
    uint32_t element_size;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t head;
    uint32_t count;
} wsf_deque;

void wsf_deque_init(wsf_deque *deque, uint32_t element_size);
void wsf_deque_destroy(wsf_deque *deque); /* not what the elements point to */

/* Room for a new last element, or NULL: out of memory. */
void *wsf_deque_push(wsf_deque *deque);

/* The i-th element from the front; i < count. Valid until the next push. */
void *wsf_deque_at(const wsf_deque *deque, uint32_t i);

void wsf_deque_pop_front(wsf_deque *deque); /* count > 0 */

#endif
