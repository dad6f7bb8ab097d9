/* A queue with a descriptor that is readable while there is something in it. */
#ifndef WSF_MAILBOX_H
#define WSF_MAILBOX_H

#include "queue.h"

typedef struct {
    wsf_queue queue;
    int fd;
} wsf_mailbox;

int wsf_mailbox_init(wsf_mailbox *mailbox, uint64_t count_max, uint64_t bytes_max);
void wsf_mailbox_destroy(wsf_mailbox *mailbox); /* not the items in it */

/* As wsf_queue_push() and wsf_queue_push_bounded(), and wakes the consumer when it was empty. */
int wsf_mailbox_post(wsf_mailbox *mailbox, wsf_item *item);
int wsf_mailbox_post_bounded(wsf_mailbox *mailbox, wsf_item *item);

/* Makes the descriptor readable; and takes all items, after which it is not. */
void wsf_mailbox_wake(wsf_mailbox *mailbox);
wsf_item *wsf_mailbox_take(wsf_mailbox *mailbox);

#endif
