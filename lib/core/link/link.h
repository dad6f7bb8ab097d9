/* The two numbered streams between this node and one peer. */
#ifndef WSF_CORE_LINK_LINK_H
#define WSF_CORE_LINK_LINK_H

#include <stdbool.h>

#include "base/deque.h"
#include "base/table.h"
#include "message/buffer.h"
#include "message/message.h"
#include "wire/encode.h"

typedef struct {
    /* Sent and not acknowledged: over it messages wait in the queue. And received before its turn: over
     * it frames have to come again. */
    uint64_t window_bytes;
    /* Waiting for room in the window: over it the oldest go, or the link is given up, and the peer is told
     * how many. As much again for requests and replies, which are refused over it. */
    uint64_t queue_bytes_max;
    uint32_t queue_count_max;
    wsf_buffer_cache *frames; /* where they go when they are not needed any more; NULL: nowhere */
} wsf_link_limits;

typedef struct {
    wsf_buffer *frame;
    uint64_t serial;   /* of the interest log, up to which the peer knows after this frame */
    uint32_t messages; /* in this frame */
    bool again;        /* it is to be sent once more */
    bool receipts;     /* somebody asked what becomes of a message in it */
} wsf_sent_frame;

/* A frame that is being filled. It goes before everything that waits. */
typedef struct {
    wsf_buffer *frame; /* NULL: none begun; size counts from the room for the head on */
    uint64_t payload_bytes;
    uint32_t messages;
    uint32_t rest_room; /* of its second part; with that it is full */
    bool receipts;
} wsf_open_frame;

typedef struct {
    wsf_link_limits limits;
    unsigned peer; /* in receipts */

    /* Outgoing. Frames acked+1 .. next-1 are in `sent`. */
    uint64_t epoch;
    uint64_t next;
    uint64_t acked;
    wsf_deque sent;
    uint64_t sent_bytes;
    uint64_t again_from;  /* no frame before this one is to be sent again, */
    uint32_t again_count; /* but so many in all */
    wsf_open_frame open;
    wsf_deque queue; /* wsfan_message *, oldest first */
    uint64_t queue_bytes;
    wsf_deque talk; /* wsf_buffer *: requests and replies, whole entries, oldest first */
    uint64_t talk_bytes;
    uint32_t queue_taken; /* messages that have left it at the front, modulo 2^32 */
    wsf_table latest; /* slot -> place of its newest value in the queue, counted from the start */
    uint64_t lost;    /* messages that were dropped and not yet reported, */
    uint64_t lost_too_big; /* those that the peer would not take, */
    bool lost_unknown;     /* and perhaps others, which nobody counted */
    bool receipts_acked;   /* a frame with receipts was acknowledged; the user clears it */

    /* Incoming. */
    uint64_t in_epoch;    /* 0: the peer has not said hello */
    uint64_t in_expected; /* the next number */
    uint64_t in_newest;   /* the highest that the peer is known to have used */
    wsf_deque held;       /* wsf_buffer *, frame in_expected + i at i; NULL: missing */
    uint64_t held_bytes;
} wsf_link;

void wsf_link_init(wsf_link *link, const wsf_link_limits *limits, uint64_t epoch, unsigned peer);
void wsf_link_destroy(wsf_link *link);

/* A new outgoing stream. What was sent and not acknowledged counts as lost, because nobody can tell
 * whether it arrived, and so does what is in the open frame; what waits goes on waiting. */
void wsf_link_restart_out(wsf_link *link, uint64_t epoch);

/* A new incoming stream; 0: none. */
void wsf_link_restart_in(wsf_link *link, uint64_t epoch);

/* Drops what waits and counts it as lost. Returns how many messages. */
uint64_t wsf_link_drop_queue(wsf_link *link);

/* A latest value takes the place of the newest of its slot that waits. False: none does, or it is for
 * somebody whom the newer one leaves out, or there is no room for the newer one: it is to be appended. */
bool wsf_link_replace(wsf_link *link, wsfan_message *message);

/* Appends a message, taking a reference. Over the limits the oldest go; returns how many messages
 * were dropped, this one among them where there is no memory. They are added to `lost`. */
uint64_t wsf_link_enqueue(wsf_link *link, wsfan_message *message);
wsfan_message *wsf_link_front(const wsf_link *link); /* NULL: none waits */
void wsf_link_dequeue(wsf_link *link);               /* gives the reference back */

/* Appends an entry, taking a reference; it goes before messages that wait. False: no room for it, or
 * no memory. */
bool wsf_link_talk(wsf_link *link, wsf_buffer *entry);
void wsf_link_talked(wsf_link *link); /* gives the front's reference back */
void wsf_link_drop_talk(wsf_link *link);

/* Whether this message would fit without dropping another. */
bool wsf_link_fits(const wsf_link *link, const wsfan_message *message);

/* Whether the queue is more than half full. */
bool wsf_link_crowded(const wsf_link *link);

/* Whether a frame may be sent now. An empty window takes one of any size. */
bool wsf_link_has_room(const wsf_link *link, size_t frame_size);

/* Notes in the message's receipt, if it has one, by which frame it goes. */
void wsf_link_note_sent(const wsf_link *link, const wsfan_message *message, uint64_t number);

/* Keeps the frame that was numbered link->next until it is acknowledged. WSFAN_ENOMEM: it may not
 * be sent. */
int wsf_link_keep(wsf_link *link, wsf_buffer *frame, uint64_t serial, uint32_t messages,
                  bool receipts);

/* The peer has everything up to `number`. Returns false when that cannot be. *serial grows to that
 * of the last acknowledged frame. */
bool wsf_link_acknowledge(wsf_link *link, uint64_t epoch, uint64_t number, uint64_t *serial);

/* These frames go again, as far as they are not acknowledged. */
void wsf_link_ask_again(wsf_link *link, wsf_range range);
wsf_buffer *wsf_link_next_again(wsf_link *link); /* NULL: nothing to send again */

typedef enum {
    WSF_RECEIVE_NEXT,      /* the expected one; those of wsf_link_held() may follow */
    WSF_RECEIVE_DUPLICATE, /* was here before */
    WSF_RECEIVE_HELD,      /* frames before it are missing; it waits for them */
    WSF_RECEIVE_NO_ROOM,   /* the same, but it cannot be kept; it will have to come again */
    WSF_RECEIVE_FOREIGN    /* of another epoch */
} wsf_receive;

/* Keeps the frame, or a copy, when it has to wait. */
wsf_receive wsf_link_receive(wsf_link *link, uint64_t epoch, uint64_t number, wsf_buffer *frame);

/* The expected frame, if it is here already; NULL: it is not. Take it, or let it be missing. */
wsf_buffer *wsf_link_held(const wsf_link *link);
void wsf_link_take_held(wsf_link *link);
void wsf_link_drop_held(wsf_link *link);

/* The peer has used numbers up to this one. */
void wsf_link_note_newest(wsf_link *link, uint64_t newest);

/* What is missing, oldest first, at most WSF_NACK_RANGES_MAX ranges. Returns how many. */
uint32_t wsf_link_missing(const wsf_link *link, wsf_range ranges[WSF_NACK_RANGES_MAX]);
bool wsf_link_complete(const wsf_link *link); /* nothing is missing */

#endif
