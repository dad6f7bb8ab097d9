/* The two numbered streams between this node and one peer. */
#ifndef WSF_CORE_LINK_LINK_H
#define WSF_CORE_LINK_LINK_H

#include <stdbool.h>

#include "base/deque.h"
#include "base/table.h"
#include "message/buffer.h"
#include "message/run.h"
#include "wire/encode.h"

/* What all links of a node may use together. Half of it is divided by their number: so much each may use whatever the others do.
 * The other half is for those that need more. */
typedef struct {
    uint64_t bytes_max;
    uint64_t bytes; /* of windows, queues, and what came early */
    uint32_t links;
} wsf_link_budget;

typedef struct {
    /* Bytes of frames that are sent and not acknowledged; over it messages wait in the queue. Also bytes
     * of frames that came early; over it they are dropped, and must come again. */
    uint64_t window_bytes;
    /* Messages that wait for room in the window; over either the oldest are dropped, or the link is given up
     * (wsfan_slow_peer), and the peer is told how many. As many bytes again for requests and replies, over
     * which they are refused. */
    uint64_t queue_bytes_max;
    uint32_t queue_count_max;
    wsf_link_budget *budget;  /* NULL: none */
    wsf_buffer_cache *frames; /* takes frames that are not needed any more; NULL: they are freed */
} wsf_link_limits;

/* How long nothing must be acknowledged before a frame is sent once more that was sent again: so long, and two round
 * trips, and twice as long each time; _MAX at most. */
enum { WSF_REPAIR_MS = 50, WSF_REPAIR_MS_MAX = 3200 };

typedef struct {
    wsf_buffer *frame;
    uint64_t serial;   /* the peer knows the interest log up to here after this frame */
    uint32_t messages; /* how many are in it */
    bool again;        /* to be sent again */
    bool receipts;     /* a message in it has a receipt */
} wsf_sent_frame;

/* A frame that is being filled with messages. It is sent before the queue. */
typedef struct {
    wsf_buffer *frame; /* NULL: none begun; its size includes the room for the head */
    uint64_t payload_bytes;
    uint32_t messages;
    uint32_t rest_room; /* bytes before the payload of its second part, which makes it full */
    bool receipts;
} wsf_open_frame;

typedef struct {
    wsf_link_limits limits;
    unsigned peer; /* the peer's number in receipts */

    /* Outgoing. Frames acked+1 .. next-1 are in `sent`. */
    uint64_t epoch;
    uint64_t next;
    uint64_t acked;
    wsf_deque sent;
    uint64_t sent_bytes;
    uint64_t again_from;  /* the oldest frame that may be sent again */
    uint32_t again_count; /* frames to be sent again */
    struct {
        uint64_t to;    /* the newest frame that was sent again by this connection; 0: none was */
        uint64_t at_ms; /* those up to there may be sent once more then */
        uint64_t until; /* the newest frame at the last doubling */
        uint32_t doublings;
    } repair;
    wsf_open_frame open;
    wsf_deque queue; /* wsf_span, oldest first */
    uint64_t queue_bytes;
    uint32_t queue_count; /* messages in it */
    wsf_deque talk;       /* wsf_buffer *: requests and replies, whole entries, oldest first */
    uint64_t talk_bytes;
    uint32_t queue_taken; /* spans taken from its front, modulo 2^32 */
    wsf_table latest; /* slot -> place of its newest value in the queue, counted from the start */
    uint64_t lost;    /* messages that were dropped and not yet reported, */
    uint64_t lost_too_big;  /* those over the peer's frame_size_max, */
    bool lost_unknown;      /* and perhaps others, an unknown number; */
    uint64_t lost_clock;    /* none of them is newer */
    bool receipts_acked;    /* a frame with receipts was acknowledged; the caller clears it */
    uint64_t timed;         /* the frame whose round trip is measured; 0: none */
    uint64_t timed_ms;      /* when it was sent */
    uint64_t round_trip_ms; /* as measured last; 0: not yet */

    /* Incoming. */
    uint64_t in_epoch;    /* 0: the peer has not said hello */
    uint64_t in_expected; /* the next number */
    uint64_t in_newest;   /* the highest that the peer is known to have used */
    wsf_deque held;       /* wsf_buffer *, frame in_expected + i at i; NULL: missing */
    uint64_t held_bytes;
    bool lacking;        /* frames were missing when wsf_link_repaired() last looked, */
    uint64_t lacking_ms; /* since then */
} wsf_link;

void wsf_link_init(wsf_link *link, const wsf_link_limits *limits, uint64_t epoch, unsigned peer);
void wsf_link_destroy(wsf_link *link);

/* Begins a new outgoing stream. Unacknowledged frames count as lost, since they may have arrived or not,
 * and so does the open frame; the queue stays. clock: no message is newer. */
void wsf_link_restart_out(wsf_link *link, uint64_t epoch, uint64_t clock);

/* A new incoming stream; 0: none. */
void wsf_link_restart_in(wsf_link *link, uint64_t epoch);

/* Drops the queue and counts it as lost. Returns how many messages. */
uint64_t wsf_link_drop_queue(wsf_link *link);

/* The message has a slot. Puts a latest value in the place of the queued one of its slot. False, it is to be appended: none is
 * queued, or that is for a session that the new one leaves out, or there is no room for a larger one. */
bool wsf_link_replace(wsf_link *link, wsfan_message *message);

/* Appends a span, taking a reference. Over the limits the oldest messages are dropped; returns how many
 * were, those of the span among them if there is no memory. They are added to `lost`. */
uint64_t wsf_link_enqueue(wsf_link *link, wsf_span span);

/* Notes that messages of the span are lost for the peer; the caller counts them. */
void wsf_link_note_lost(wsf_link *link, wsf_span span);

/* The least clock of the messages that wait in the queue; UINT64_MAX: none waits. */
uint64_t wsf_link_least_clock(const wsf_link *link);

/* The oldest span, which is not empty. take: so many of its messages need not wait any more. */
wsf_span *wsf_link_front(const wsf_link *link); /* NULL: none waits */
void wsf_link_take(wsf_link *link, uint32_t count);

/* Queues a request or reply before messages, taking a reference. False: no room for it, or no memory. */
bool wsf_link_talk(wsf_link *link, wsf_buffer *entry);
void wsf_link_talked(wsf_link *link); /* gives the front's reference back */
void wsf_link_drop_talk(wsf_link *link);

/* Whether these messages would fit without dropping another. */
bool wsf_link_fits(const wsf_link *link, wsf_span span);

/* Whether the queue is more than half full. */
bool wsf_link_crowded(const wsf_link *link);

/* Whether a frame may be sent now. An empty window takes one of any size, and so does one that is half empty: smaller ones would
 * always go before it. */
bool wsf_link_has_room(const wsf_link *link, size_t frame_size);

/* Notes the number of the message's frame in its receipt, if it has one. */
void wsf_link_note_sent(const wsf_link *link, const wsfan_message *message, uint64_t number);

/* Keeps frame number link->next until it is acknowledged. WSFAN_ENOMEM: it may not be sent. */
int wsf_link_keep(wsf_link *link, wsf_buffer *frame, uint64_t serial, uint32_t messages,
                  bool receipts);

/* Measures round trips, of one frame at a time. begin: frame next - 1 has been sent. end: true when the timed
 * frame has been acknowledged, *ms after it was sent. */
void wsf_link_time_begin(wsf_link *link, uint64_t now_ms);
bool wsf_link_time_end(wsf_link *link, uint64_t now_ms, uint64_t *ms);

/* The peer has every frame up to `number`; *serial grows to that of the last one. False: no such frame was
 * sent. */
bool wsf_link_acknowledge(wsf_link *link, uint64_t epoch, uint64_t number, uint64_t *serial);

/* The peer asks for frames: marks those to be sent again that were not, or that may be sent once more. next_again takes
 * the oldest marked one. progress: something new was acknowledged, so the rest is on its way. reconnected: by a new
 * connection, which has nothing of what was sent before. */
void wsf_link_ask_again(wsf_link *link, const wsf_range *ranges, uint32_t count, uint64_t now_ms);
void wsf_link_progress(wsf_link *link, uint64_t now_ms);
void wsf_link_reconnected(wsf_link *link);
wsf_buffer *wsf_link_next_again(wsf_link *link); /* NULL: nothing to send again */

typedef enum {
    WSF_RECEIVE_NEXT,      /* the expected one; wsf_link_held() may give the next */
    WSF_RECEIVE_DUPLICATE, /* received before */
    WSF_RECEIVE_HELD,      /* frames before it are missing; it waits for them */
    WSF_RECEIVE_NO_ROOM,   /* the same, but it is dropped, and must come again */
    WSF_RECEIVE_FOREIGN    /* of another epoch */
} wsf_receive;

/* Keeps the frame, or a copy, when it has to wait. */
wsf_receive wsf_link_receive(wsf_link *link, uint64_t epoch, uint64_t number, wsf_buffer *frame);

/* The expected frame, if it is held, or NULL. take_held() accepts it, drop_held() lets it be missing. */
wsf_buffer *wsf_link_held(const wsf_link *link);
void wsf_link_take_held(wsf_link *link);
void wsf_link_drop_held(wsf_link *link);

/* The peer has used numbers up to this one. */
void wsf_link_note_newest(wsf_link *link, uint64_t newest);

/* What is missing, oldest first, at most WSF_NACK_RANGES_MAX ranges. Returns how many. */
uint32_t wsf_link_missing(const wsf_link *link, wsf_range ranges[WSF_NACK_RANGES_MAX]);
bool wsf_link_complete(const wsf_link *link); /* nothing is missing */

/* To be called when something has come. True when nothing is missing any more: *ms since that was seen first. */
bool wsf_link_repaired(wsf_link *link, uint64_t now_ms, uint64_t *ms);

#endif
