/* A mutex and a linked list: the consumer holds the lock for two assignments however long the
 * queue is. Does not know who is woken or how. */
#include "queue.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <wsfan/wsfan.h>

int wsf_queue_init(wsf_queue *queue, uint64_t count_max, uint64_t bytes_max) {
    memset(queue, 0, sizeof *queue);
    queue->count_max = count_max;
    queue->bytes_max = bytes_max;
    return pthread_mutex_init(&queue->mutex, NULL) == 0 ? WSFAN_OK : WSFAN_ESYSTEM;
}

void wsf_queue_destroy(wsf_queue *queue) {
    pthread_mutex_destroy(&queue->mutex);
}

static void append(wsf_queue *queue, wsf_item *item, bool *was_empty) {
    item->next = NULL;
    *was_empty = queue->head == NULL;
    if (queue->head == NULL)
        queue->head = item;
    else
        queue->tail->next = item;
    queue->tail = item;
}

int wsf_queue_push(wsf_queue *queue, wsf_item *item, bool *was_empty) {
    int error = WSFAN_OK;
    *was_empty = false;
    pthread_mutex_lock(&queue->mutex);
    if (queue->closed)
        error = WSFAN_ECLOSED;
    else
        append(queue, item, was_empty);
    pthread_mutex_unlock(&queue->mutex);
    return error;
}

int wsf_queue_push_bounded(wsf_queue *queue, wsf_item *item, bool *was_empty) {
    int error = WSFAN_OK;
    *was_empty = false;
    pthread_mutex_lock(&queue->mutex);
    if (queue->closed) {
        error = WSFAN_ECLOSED;
    } else if (queue->count > 0 && (queue->count >= queue->count_max ||
                                    queue->bytes + item->bytes > queue->bytes_max)) {
        error = WSFAN_EAGAIN;
    } else {
        append(queue, item, was_empty);
        queue->count++;
        queue->bytes += item->bytes;
    }
    pthread_mutex_unlock(&queue->mutex);
    return error;
}

wsf_item *wsf_queue_take(wsf_queue *queue) {
    pthread_mutex_lock(&queue->mutex);
    wsf_item *items = queue->head;
    queue->head = queue->tail = NULL;
    queue->takes++;
    pthread_mutex_unlock(&queue->mutex);
    return items;
}

uint64_t wsf_queue_takes(wsf_queue *queue) {
    pthread_mutex_lock(&queue->mutex);
    uint64_t takes = queue->takes;
    pthread_mutex_unlock(&queue->mutex);
    return takes;
}

bool wsf_queue_change(wsf_queue *queue, uint64_t takes, wsf_item *item, uint32_t bytes,
                      void (*change)(wsf_item *item, void *user), void *user) {
    pthread_mutex_lock(&queue->mutex);
    bool waits = queue->takes == takes && !queue->closed;
    if (waits) {
        queue->bytes += bytes;
        queue->bytes -= item->bytes;
        item->bytes = bytes;
        change(item, user);
    }
    pthread_mutex_unlock(&queue->mutex);
    return waits;
}

void wsf_queue_release(wsf_queue *queue, uint64_t count, uint64_t bytes) {
    if (count == 0)
        return;
    pthread_mutex_lock(&queue->mutex);
    assert(queue->count >= count && queue->bytes >= bytes);
    queue->count -= count;
    queue->bytes -= bytes;
    pthread_mutex_unlock(&queue->mutex);
}

void wsf_queue_depth(wsf_queue *queue, uint64_t *count, uint64_t *bytes) {
    pthread_mutex_lock(&queue->mutex);
    *count = queue->count;
    *bytes = queue->bytes;
    pthread_mutex_unlock(&queue->mutex);
}

void wsf_queue_close(wsf_queue *queue) {
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_mutex_unlock(&queue->mutex);
}
