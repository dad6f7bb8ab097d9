/* A mutex and a linked list: the consumer takes the whole list, so it holds the lock briefly, however long
 * the queue is. Does not know how the consumer is woken. */
#include "base/queue.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* Producers hold the lock briefly, so an adaptive mutex, which spins before it sleeps, is cheaper. */
static int init_mutex(pthread_mutex_t *mutex) {
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0)
        return WSFAN_ESYSTEM;
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    int result = pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return result == 0 ? WSFAN_OK : WSFAN_ESYSTEM;
}

int wsf_queue_init(wsf_queue *queue, uint64_t count_max, uint64_t bytes_max) {
    memset(queue, 0, sizeof *queue);
    queue->count_max = count_max;
    queue->bytes_max = bytes_max;
    queue->waiting = true;
    return init_mutex(&queue->mutex);
}

void wsf_queue_destroy(wsf_queue *queue) {
    pthread_mutex_destroy(&queue->mutex);
}

static void append(wsf_queue *queue, wsf_item *head, wsf_item *tail, bool *wake) {
    tail->next = NULL;
    if (queue->head == NULL)
        queue->head = head;
    else
        queue->tail->next = head;
    queue->tail = tail;
    *wake = queue->waiting;
    queue->waiting = false;
}

int wsf_queue_push(wsf_queue *queue, wsf_item *item, bool *wake) {
    int error = WSFAN_OK;
    *wake = false;
    pthread_mutex_lock(&queue->mutex);
    if (queue->closed)
        error = WSFAN_ECLOSED;
    else
        append(queue, item, item, wake);
    pthread_mutex_unlock(&queue->mutex);
    return error;
}

void wsf_queue_commit(wsf_queue *queue, wsf_item *item, bool *wake) {
    *wake = false;
    if (item != NULL) {
        append(queue, item, item, wake);
        queue->count++;
        queue->bytes += item->bytes;
    }
    pthread_mutex_unlock(&queue->mutex);
}

int wsf_queue_push_chain(wsf_queue *queue, wsf_item *head, wsf_item *tail, uint64_t count,
                         uint64_t bytes, bool *wake) {
    int error = WSFAN_OK;
    *wake = false;
    pthread_mutex_lock(&queue->mutex);
    if (queue->closed) {
        error = WSFAN_ECLOSED;
    } else {
        append(queue, head, tail, wake);
        queue->count += count;
        queue->bytes += bytes;
    }
    pthread_mutex_unlock(&queue->mutex);
    return error;
}

wsf_item *wsf_queue_take(wsf_queue *queue, void (*idle)(void *user), void *user) {
    pthread_mutex_lock(&queue->mutex);
    wsf_item *items = queue->head;
    queue->head = queue->tail = NULL;
    queue->waiting = items == NULL;
    if (items == NULL && idle != NULL)
        idle(user);
    queue->takes++;
    pthread_mutex_unlock(&queue->mutex);
    return items;
}

bool wsf_queue_attend(wsf_queue *queue) {
    pthread_mutex_lock(&queue->mutex);
    bool empty = queue->head == NULL;
    queue->waiting = false;
    pthread_mutex_unlock(&queue->mutex);
    return empty;
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
    bool possible = queue->takes == takes && !queue->closed &&
                    (queue->count == 1 || bytes <= item->bytes ||
                     queue->bytes - item->bytes + bytes <= queue->bytes_max);
    if (possible) {
        queue->bytes += bytes;
        queue->bytes -= item->bytes;
        item->bytes = bytes;
        change(item, user);
    }
    pthread_mutex_unlock(&queue->mutex);
    return possible;
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

void wsf_queue_close_bounded(wsf_queue *queue) {
    pthread_mutex_lock(&queue->mutex);
    queue->bounded_closed = true;
    pthread_mutex_unlock(&queue->mutex);
}
