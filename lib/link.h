/* The two numbered streams between this node and one peer. */
#ifndef WSF_LINK_H
#define WSF_LINK_H

#include <stdbool.h>

#include "buffer.h"
#include "deque.h"
#include "message.h"

typedef struct {
    uint64_t window_bytes;    /* sent and not acknowledged */
    uint64_t queue_bytes_max; /* waiting for room in the window */
    uint32_t queue_count_max;
} wsf_link_limits;

typedef struct {
    wsf_buffer *frame;
    uint64_t serial;   /* of the interest log, up to which the peer knows after this frame */
    uint32_t messages; /* in this frame */
} wsf_sent_frame;

typedef struct {
    wsf_link_limits limits;

    /* Outgoing. Frames acked+1 .. next-1 are in `sent`; those from `resend` on must go again. */
    uint64_t epoch;
    uint64_t next;
    uint64_t acked;
    uint64_t resend;
    wsf_deque sent;
    uint64_t sent_bytes;
    wsf_deque queue; /* wsfan_message *, oldest first */
    uint64_t queue_bytes;
    uint64_t lost;         /* messages that were dropped and not yet reported, */
    uint64_t lost_too_big; /* those that the peer would not take */

    /* Incoming. */
    uint64_t in_epoch;    /* 0: the peer has not said hello */
    uint64_t in_expected; /* the next number */
} wsf_link;

void wsf_link_init(wsf_link *link, const wsf_link_limits *limits, uint64_t epoch);
void wsf_link_destroy(wsf_link *link);

/* A new outgoing stream. What was sent and not acknowledged counts as lost, because nobody can tell
 * whether it arrived; what waits goes on waiting. */
void wsf_link_restart(wsf_link *link, uint64_t epoch);

/* Appends a message, taking a reference. Over the limits the oldest go; returns how many messages
 * were dropped, this one among them where there is no memory. They are added to `lost`. */
uint64_t wsf_link_enqueue(wsf_link *link, wsfan_message *message);
wsfan_message *wsf_link_front(const wsf_link *link); /* NULL: none waits */
void wsf_link_dequeue(wsf_link *link);               /* gives the reference back */

/* Whether the queue is more than half full. */
bool wsf_link_crowded(const wsf_link *link);

/* Whether a frame may be sent now. An empty window takes one of any size. */
bool wsf_link_has_room(const wsf_link *link, size_t frame_size);

/* Keeps the frame that was numbered link->next until it is acknowledged. WSFAN_ENOMEM: it may not
 * be sent. */
int wsf_link_keep(wsf_link *link, wsf_buffer *frame, uint64_t serial, uint32_t messages);

/* The peer has everything up to `number`. Returns false when that cannot be. *serial grows to that
 * of the last acknowledged frame. */
bool wsf_link_acknowledge(wsf_link *link, uint64_t epoch, uint64_t number, uint64_t *serial);

/* From this frame on everything goes again, as far as it is not acknowledged. */
void wsf_link_resend(wsf_link *link, uint64_t from);
wsf_buffer *wsf_link_next_resend(wsf_link *link); /* NULL: nothing to send again */

typedef enum {
    WSF_RECEIVE_NEXT,      /* the expected one */
    WSF_RECEIVE_DUPLICATE, /* was here before */
    WSF_RECEIVE_GAP,       /* frames before it are missing */
    WSF_RECEIVE_FOREIGN    /* of another epoch */
} wsf_receive;

wsf_receive wsf_link_receive(wsf_link *link, uint64_t epoch, uint64_t number);

#endif
