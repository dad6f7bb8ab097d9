/* A queue of datagrams, bounded by their bytes. Not thread-safe. */
#ifndef WSF_NATS_QUEUE_H
#define WSF_NATS_QUEUE_H

#include <nats/nats.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wsf_nats_item {
    struct wsf_nats_item *next;
    uint64_t bytes;   /* of memory, about */
    natsMsg *message; /* that came; NULL: one to send, with what follows */
    size_t size;
    char *data;     /* behind the subject */
    char subject[]; /* with its NUL */
} wsf_nats_item;

typedef struct {
    wsf_nats_item *first;
    wsf_nats_item **last; /* where the next one goes */
    uint64_t bytes;
    uint64_t bytes_max;
} wsf_nats_queue;

void wsf_nats_queue_init(wsf_nats_queue *queue, uint64_t bytes_max);

/* Makes a datagram to send, which the caller fills. NULL: no memory. */
wsf_nats_item *wsf_nats_item_new(const char *subject, size_t subject_size, size_t size);

/* Takes a message over, also where there is no memory for it: NULL. */
wsf_nats_item *wsf_nats_item_of(natsMsg *message);
void wsf_nats_item_free(wsf_nats_item *item);

/* Takes the item over. False: it finds no room and is freed. */
bool wsf_nats_queue_put(wsf_nats_queue *queue, wsf_nats_item *item);

/* Takes all items, or the first; they count until wsf_nats_queue_done(). NULL: there is none. */
wsf_nats_item *wsf_nats_queue_take_all(wsf_nats_queue *queue);
wsf_nats_item *wsf_nats_queue_take(wsf_nats_queue *queue);
void wsf_nats_queue_done(wsf_nats_queue *queue, uint64_t bytes);

/* Returns how many there were. */
uint64_t wsf_nats_queue_clear(wsf_nats_queue *queue);

#endif
