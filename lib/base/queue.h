/* A queue from many threads to one: producers append, the consumer takes all at once. */
#ifndef WSF_BASE_QUEUE_H
#define WSF_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wsfan/wsfan.h>

/* The first member of everything that is queued. */
typedef struct wsf_item {
    struct wsf_item *next;
    uint32_t kind;  /* the caller's; not used by the queue */
    uint32_t bytes; /* counted against bytes_max by wsf_queue_begin() */
} wsf_item;

typedef struct {
    pthread_mutex_t mutex;
    wsf_item *head;
    wsf_item *tail; /* NULL: the queue is empty */
    uint64_t count; /* of bounded items, until wsf_queue_release() */
    uint64_t bytes;
    uint64_t count_max;
    uint64_t bytes_max;
    bool waiting; /* the last take found nothing: the next push has to wake the consumer */
    uint64_t takes;
    bool closed;
    bool bounded_closed;
} wsf_queue;

int wsf_queue_init(wsf_queue *queue, uint64_t count_max, uint64_t bytes_max);
void wsf_queue_destroy(wsf_queue *queue); /* not the items in it */

/* Appends an item whose number is bounded elsewhere. *wake: the caller has to wake the consumer.
 * WSFAN_ECLOSED after wsf_queue_close(). */
int wsf_queue_push(wsf_queue *queue, wsf_item *item, bool *wake);

/* The same within count_max and bytes_max, else WSFAN_EAGAIN, for an item that may be made under the queue's
 * lock: WSFAN_OK means that the lock is held until wsf_queue_commit(). item NULL: it could not be made. An empty
 * queue takes one item of any size. */
static inline int wsf_queue_begin(wsf_queue *queue, uint64_t bytes) {
    int error = WSFAN_OK;
    pthread_mutex_lock(&queue->mutex);
    if (queue->closed || queue->bounded_closed)
        error = WSFAN_ECLOSED;
    else if (queue->count > 0 &&
             (queue->count >= queue->count_max || queue->bytes + bytes > queue->bytes_max))
        error = WSFAN_EAGAIN;
    if (error != WSFAN_OK)
        pthread_mutex_unlock(&queue->mutex);
    return error;
}
void wsf_queue_commit(wsf_queue *queue, wsf_item *item, bool *wake);

/* Between the two: the last item, if it has not been taken; NULL: the next one will be the first since the last
 * take. And, in place of commit: the last item stands for one more, of so many bytes. */
static inline wsf_item *wsf_queue_last(const wsf_queue *queue) {
    return queue->tail;
}

static inline void wsf_queue_commit_more(wsf_queue *queue, uint32_t bytes) {
    queue->count++;
    queue->bytes += bytes;
    queue->tail->bytes += bytes;
    pthread_mutex_unlock(&queue->mutex);
}

/* Appends linked bounded items without a check: the caller is the only producer of bounded items, and found
 * room with wsf_queue_depth(). */
int wsf_queue_push_chain(wsf_queue *queue, wsf_item *head, wsf_item *tail, uint64_t count,
                         uint64_t bytes, bool *wake);

/* Takes all items, first to last, linked by `next`. NULL: none, and the next push sets *wake. After a take
 * with items no push does: the consumer takes again by itself. Bounded items count until wsf_queue_release(),
 * so that the consumer's are bounded too. idle: called under the lock when there are none; may be NULL. */
wsf_item *wsf_queue_take(wsf_queue *queue, void (*idle)(void *user), void *user);
void wsf_queue_release(wsf_queue *queue, uint64_t count, uint64_t bytes);

/* The consumer is awake, and will take before it waits: until a take finds nothing no push has to wake the
 * consumer. Whether the queue is empty. */
bool wsf_queue_attend(wsf_queue *queue);

/* wsf_queue_takes() counts the takes. wsf_queue_change() calls `change` under the lock for a bounded item
 * that was pushed after that many takes, and counts `bytes` for it from then on. False, and no call: the item
 * may have been taken, or `bytes` exceeds bytes_max. */
uint64_t wsf_queue_takes(wsf_queue *queue);
bool wsf_queue_change(wsf_queue *queue, uint64_t takes, wsf_item *item, uint32_t bytes,
                      void (*change)(wsf_item *item, void *user), void *user);

void wsf_queue_depth(wsf_queue *queue, uint64_t *count, uint64_t *bytes);

/* Refuses further items. Queued items can still be taken. */
void wsf_queue_close(wsf_queue *queue);

/* The same for bounded items only. */
void wsf_queue_close_bounded(wsf_queue *queue);

#endif
