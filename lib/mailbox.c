/* One eventfd, written only when the queue was empty: under load, one wake for many items. */
#include "mailbox.h"

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
    /* It can fail only when the counter is full, and then the descriptor is readable. */
    ssize_t written = write(mailbox->fd, &(uint64_t){ 1 }, sizeof(uint64_t));
    (void)written;
}

int wsf_mailbox_post(wsf_mailbox *mailbox, wsf_item *item) {
    bool was_empty;
    int error = wsf_queue_push(&mailbox->queue, item, &was_empty);
    if (was_empty)
        wsf_mailbox_wake(mailbox);
    return error;
}

int wsf_mailbox_post_bounded(wsf_mailbox *mailbox, wsf_item *item) {
    bool was_empty;
    int error = wsf_queue_push_bounded(&mailbox->queue, item, &was_empty);
    if (was_empty)
        wsf_mailbox_wake(mailbox);
    return error;
}

wsf_item *wsf_mailbox_take(wsf_mailbox *mailbox) {
    /* First the descriptor, then the items: a post in between wakes again, for nothing at worst. */
    uint64_t wakes;
    ssize_t cleared = read(mailbox->fd, &wakes, sizeof wakes);
    (void)cleared;
    return wsf_queue_take(&mailbox->queue);
}
