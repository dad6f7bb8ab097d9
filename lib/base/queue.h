/* A queue from many threads to one: producers append, the consumer takes all at once. */
#ifndef WSF_BASE_QUEUE_H
#define WSF_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The first member of everything that is queued. */
typedef struct wsf_item {
    struct wsf_item *next;
    uint32_t kind;  /* the user's */
    uint32_t bytes; /* what it counts for when pushed with wsf_queue_push_bounded() */
} wsf_item;

typedef struct {
    pthread_mutex_t mutex;
    wsf_item *head;
    wsf_item *tail;
    uint64_t count; /* of bounded items, until wsf_queue_release() */
    uint64_t bytes;
    uint64_t count_max;
    uint64_t bytes_max;
    bool waiting; /* the consumer found nothing: it has to be woken for more */
    uint64_t takes;
    bool closed;
    bool bounded_closed;
} wsf_queue;

int wsf_queue_init(wsf_queue *queue, uint64_t count_max, uint64_t bytes_max);
void wsf_queue_destroy(wsf_queue *queue); /* not the items in it */

/* Appends. Sets *wake when the consumer has to be woken. WSFAN_ECLOSED after close. For items whose
 * number is bounded elsewhere. */
int wsf_queue_push(wsf_queue *queue, wsf_item *item, bool *wake);

/* The same within the bounds; WSFAN_EAGAIN over them. An empty queue takes one item of any size. */
int wsf_queue_push_bounded(wsf_queue *queue, wsf_item *item, bool *wake);

/* The same for an item that is made under the queue's lock: WSFAN_OK means that the lock is held
 * until wsf_queue_commit(). item NULL: it could not be made. */
int wsf_queue_begin(wsf_queue *queue, uint64_t bytes);
void wsf_queue_commit(wsf_queue *queue, wsf_item *item, bool *wake);

/* Appends items that are linked already, for which a producer that is the only one to append
 * bounded items has found room: see wsf_queue_depth(). */
int wsf_queue_push_chain(wsf_queue *queue, wsf_item *head, wsf_item *tail, uint64_t count,
                         uint64_t bytes, bool *wake);

/* All items, first to last, linked by `next`. NULL when there are none, and then the next push asks
 * to wake; until then a consumer that got something comes back by itself. Bounded items count until
 * they are released, so that what the consumer has not handled yet is bounded too. idle: called
 * under the lock when there are none; may be NULL. */
wsf_item *wsf_queue_take(wsf_queue *queue, void (*idle)(void *user), void *user);
void wsf_queue_release(wsf_queue *queue, uint64_t count, uint64_t bytes);

/* How often the items were taken; and a change of one that has been queued since, of a bounded one that
 * now counts for so many bytes. False: it may have been taken, or is not to become so large; it was not
 * touched. */
uint64_t wsf_queue_takes(wsf_queue *queue);
bool wsf_queue_change(wsf_queue *queue, uint64_t takes, wsf_item *item, uint32_t bytes,
                      void (*change)(wsf_item *item, void *user), void *user);

void wsf_queue_depth(wsf_queue *queue, uint64_t *count, uint64_t *bytes);

/* From now on nothing is accepted. What is queued stays to be taken. */
void wsf_queue_close(wsf_queue *queue);

/* The same for bounded items only. */
void wsf_queue_close_bounded(wsf_queue *queue);

#endif
