/* One eventfd, written only when the consumer waits and read only before it does: under load, no
 * system call at all. */
#include "exchange/mailbox.h"

#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <wsfan/wsfan.h>

int wsf_mailbox_init(wsf_mailbox *mailbox, uint64_t count_max, uint64_t bytes_max) {
    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->fd < 0)
        return WSFAN_ESYSTEM;
    int error = wsf_queue_init(&mailbox->queue, count_max, bytes_max);
    if (error != WSFAN_OK)
        close(mailbox->fd);
    return error;
}

void wsf_mailbox_destroy(wsf_mailbox *mailbox) {
    wsf_queue_destroy(&mailbox->queue);
    close(mailbox->fd);
}

void wsf_mailbox_wake(wsf_mailbox *mailbox) {
    /* write() fails only when the counter is full, and then the descriptor is readable. */
    ssize_t written = write(mailbox->fd, &(uint64_t){ 1 }, sizeof(uint64_t));
    (void)written;
}

int wsf_mailbox_post(wsf_mailbox *mailbox, wsf_item *item) {
    bool wake;
    int error = wsf_queue_push(&mailbox->queue, item, &wake);
    if (wake)
        wsf_mailbox_wake(mailbox);
    return error;
}

int wsf_mailbox_post_chain(wsf_mailbox *mailbox, wsf_item *head, wsf_item *tail, uint64_t count,
                           uint64_t bytes) {
    bool wake;
    int error = wsf_queue_push_chain(&mailbox->queue, head, tail, count, bytes, &wake);
    if (wake)
        wsf_mailbox_wake(mailbox);
    return error;
}

void wsf_mailbox_clear(wsf_mailbox *mailbox) {
    uint64_t wakes;
    ssize_t cleared = read(mailbox->fd, &wakes, sizeof wakes);
    (void)cleared;
}

/* Under the queue's lock: a post before this is taken, a post after it wakes the consumer. A producer whose
 * write() is late wakes the consumer in vain. */
static void clear(void *user) {
    wsf_mailbox_clear(user);
}

wsf_item *wsf_mailbox_take(wsf_mailbox *mailbox) {
    return wsf_queue_take(&mailbox->queue, clear, mailbox);
}
