/* A queue of things whose first member is an `item`, bounded by their number and their bytes. Not thread-safe. */
#ifndef ENTRY_QUEUE_H
#define ENTRY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct item {
    struct item *next;
    size_t bytes; /* of memory, about */
};

struct queue {
    struct item *first;
    struct item *last;
    size_t count;
    size_t bytes;
    size_t count_max;
    size_t bytes_max;
};

/* False: it finds no room. */
static inline bool queue_put(struct queue *queue, struct item *item) {
    if (queue->count == queue->count_max || item->bytes > queue->bytes_max - queue->bytes)
        return false;
    item->next = NULL;
    if (queue->first == NULL)
        queue->first = item;
    else
        queue->last->next = item;
    queue->last = item;
    queue->count++;
    queue->bytes += item->bytes;
    return true;
}

/* NULL: there is none. */
static inline struct item *queue_take(struct queue *queue) {
    struct item *item = queue->first;
    if (item != NULL) {
        queue->first = item->next;
        queue->count--;
        queue->bytes -= item->bytes;
    }
    return item;
}

#endif
