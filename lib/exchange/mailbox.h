/* A queue with a descriptor that is readable while there is something to do for its consumer. */
#ifndef WSF_EXCHANGE_MAILBOX_H
#define WSF_EXCHANGE_MAILBOX_H

#include "base/queue.h"

typedef struct {
    wsf_queue queue;
    int fd;
} wsf_mailbox;

int wsf_mailbox_init(wsf_mailbox *mailbox, uint64_t count_max, uint64_t bytes_max);
void wsf_mailbox_destroy(wsf_mailbox *mailbox); /* not the items in it */

/* As the functions of the queue, and wake the consumer when it waits. */
int wsf_mailbox_post(wsf_mailbox *mailbox, wsf_item *item);
int wsf_mailbox_post_chain(wsf_mailbox *mailbox, wsf_item *head, wsf_item *tail, uint64_t count,
                           uint64_t bytes);

/* wake makes the descriptor readable. clear makes it unreadable, for a consumer that takes next. */
void wsf_mailbox_wake(wsf_mailbox *mailbox);
void wsf_mailbox_clear(wsf_mailbox *mailbox);

/* Takes all items. NULL: none, and the descriptor is not readable until the next post. A consumer that got
 * items takes again before it waits. */
wsf_item *wsf_mailbox_take(wsf_mailbox *mailbox);

#endif
