/* Answers for numbers, the window and what is kept for repair. Does not know what is in a frame.
 *
 * ZeroMQ delivers in order while a connection lasts and loses silently when it breaks, so repair is
 * to go back: the receiver takes frames strictly by number, and the sender sends again from the
 * first that is missing (go-back-N). Unacknowledged bytes never exceed the window, which keeps
 * ZeroMQ's own queues below it too. */
#include "link.h"

#include <assert.h>
#include <string.h>

void wsf_link_init(wsf_link *link, const wsf_link_limits *limits, uint64_t epoch) {
    memset(link, 0, sizeof *link);
    link->limits = *limits;
    link->epoch = epoch;
    link->next = 1;
    link->resend = 1;
    link->in_expected = 1;
    wsf_deque_init(&link->sent, sizeof(wsf_sent_frame));
    wsf_deque_init(&link->queue, sizeof(wsfan_message *));
}

static void drop_first_sent(wsf_link *link) {
    wsf_sent_frame *first = wsf_deque_at(&link->sent, 0);
    link->sent_bytes -= first->frame->capacity;
    wsf_buffer_unref(first->frame);
    wsf_deque_pop_front(&link->sent);
}

void wsf_link_destroy(wsf_link *link) {
    while (link->sent.count > 0)
        drop_first_sent(link);
    while (link->queue.count > 0)
        wsf_link_dequeue(link);
    wsf_deque_destroy(&link->sent);
    wsf_deque_destroy(&link->queue);
}

void wsf_link_restart(wsf_link *link, uint64_t epoch) {
    while (link->sent.count > 0) {
        link->lost += ((wsf_sent_frame *)wsf_deque_at(&link->sent, 0))->messages;
        drop_first_sent(link);
    }
    link->epoch = epoch;
    link->next = 1;
    link->acked = 0;
    link->resend = 1;
    link->in_epoch = 0;
    link->in_expected = 1;
}

/* -------------------------------------------------------------------------------------- sending */

uint64_t wsf_link_enqueue(wsf_link *link, wsfan_message *message) {
    size_t size = wsf_message_size(message);
    uint64_t dropped = 0;
    while (link->queue.count > 0 && (link->queue.count >= link->limits.queue_count_max ||
                                     link->queue_bytes + size > link->limits.queue_bytes_max)) {
        wsf_link_dequeue(link);
        dropped++;
    }
    wsfan_message **place = wsf_deque_push(&link->queue);
    if (place != NULL) {
        *place = wsfan_message_ref(message);
        link->queue_bytes += size;
    } else {
        dropped++;
    }
    link->lost += dropped;
    return dropped;
}

wsfan_message *wsf_link_front(const wsf_link *link) {
    return link->queue.count > 0 ? *(wsfan_message **)wsf_deque_at(&link->queue, 0) : NULL;
}

void wsf_link_dequeue(wsf_link *link) {
    wsfan_message *message = wsf_link_front(link);
    assert(message != NULL);
    link->queue_bytes -= wsf_message_size(message);
    wsf_deque_pop_front(&link->queue);
    wsfan_message_unref(message);
}

bool wsf_link_crowded(const wsf_link *link) {
    return link->queue.count > link->limits.queue_count_max / 2 ||
           link->queue_bytes > link->limits.queue_bytes_max / 2;
}

bool wsf_link_has_room(const wsf_link *link, size_t frame_size) {
    return link->sent_bytes == 0 || link->sent_bytes + frame_size <= link->limits.window_bytes;
}

int wsf_link_keep(wsf_link *link, wsf_buffer *frame, uint64_t serial, uint32_t messages) {
    wsf_sent_frame *place = wsf_deque_push(&link->sent);
    if (place == NULL)
        return WSFAN_ENOMEM;
    *place = (wsf_sent_frame){ wsf_buffer_ref(frame), serial, messages };
    link->sent_bytes += frame->capacity;
    if (link->resend == link->next)
        link->resend++;
    link->next++;
    return WSFAN_OK;
}

bool wsf_link_acknowledge(wsf_link *link, uint64_t epoch, uint64_t number, uint64_t *serial) {
    if (epoch != link->epoch)
        return true; /* of an earlier stream, or none yet */
    if (number >= link->next)
        return false;
    while (link->acked < number) {
        wsf_sent_frame *first = wsf_deque_at(&link->sent, 0);
        if (*serial < first->serial)
            *serial = first->serial;
        drop_first_sent(link);
        link->acked++;
    }
    if (link->resend <= link->acked)
        link->resend = link->acked + 1;
    return true;
}

void wsf_link_resend(wsf_link *link, uint64_t from) {
    if (from <= link->acked)
        from = link->acked + 1;
    if (from < link->resend)
        link->resend = from;
}

wsf_buffer *wsf_link_next_resend(wsf_link *link) {
    if (link->resend == link->next)
        return NULL;
    uint32_t i = (uint32_t)(link->resend - link->acked - 1);
    link->resend++;
    return ((wsf_sent_frame *)wsf_deque_at(&link->sent, i))->frame;
}

/* ------------------------------------------------------------------------------------ receiving */

wsf_receive wsf_link_receive(wsf_link *link, uint64_t epoch, uint64_t number) {
    if (epoch != link->in_epoch || epoch == 0)
        return WSF_RECEIVE_FOREIGN;
    if (number < link->in_expected)
        return WSF_RECEIVE_DUPLICATE;
    if (number > link->in_expected)
        return WSF_RECEIVE_GAP;
    link->in_expected++;
    return WSF_RECEIVE_NEXT;
}
