/* Answers for numbers, the window, what is kept for repair and what waits for its turn. Does not
 * know what is in a frame.
 *
 * ZeroMQ delivers in order while a connection lasts and loses silently when it breaks. The receiver
 * sees what is missing by the numbers, asks for it by range, and keeps what came too early.
 * Unacknowledged bytes never exceed the window, which keeps ZeroMQ's own queues below a few times that.
 *
 * What is sent again comes behind all that is under way, in order. Were each request of the peer followed, which asks until it
 * has come, a slow wire would carry the window again and again, and acknowledgements and news behind it: minutes
 * after the wire was fast again. So a frame is sent once more only when nothing was acknowledged for a while, which
 * doubles until all is acknowledged that had been sent by then. */
#include "core/link/link.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"

void wsf_link_init(wsf_link *link, const wsf_link_limits *limits, uint64_t epoch, unsigned peer) {
    memset(link, 0, sizeof *link);
    link->limits = *limits;
    link->peer = peer;
    link->epoch = epoch;
    link->next = 1;
    link->again_from = 1;
    link->in_expected = 1;
    wsf_deque_init(&link->sent, sizeof(wsf_sent_frame));
    wsf_deque_init(&link->held, sizeof(wsf_buffer *));
    wsf_deque_init(&link->queue, sizeof(wsf_span));
    wsf_deque_init(&link->talk, sizeof(wsf_buffer *));
    wsf_table_init(&link->latest, epoch);
    if (limits->budget != NULL)
        limits->budget->links++;
}

/* Changes a count of the link's bytes, and with it the budget's. */
static void grow(const wsf_link *link, uint64_t *count, uint64_t bytes) {
    *count += bytes;
    if (link->limits.budget != NULL)
        link->limits.budget->bytes += bytes;
}

static void shrink(const wsf_link *link, uint64_t *count, uint64_t bytes) {
    *count -= bytes;
    if (link->limits.budget != NULL)
        link->limits.budget->bytes -= bytes;
}

/* Whether there is no room in the budget for more bytes of this link. */
static bool is_over_budget(const wsf_link *link, uint64_t more) {
    const wsf_link_budget *budget = link->limits.budget;
    if (budget == NULL || budget->bytes + more <= budget->bytes_max / 2)
        return false;
    uint64_t own = link->sent_bytes + link->queue_bytes + link->talk_bytes + link->held_bytes;
    return own + more > budget->bytes_max / 2 / budget->links;
}

static void drop_first_sent(wsf_link *link) {
    wsf_sent_frame *first = wsf_deque_at(&link->sent, 0);
    link->again_count -= first->again;
    shrink(link, &link->sent_bytes, wsf_buffer_cost(first->frame));
    wsf_buffer_cache_put(link->limits.frames, first->frame);
    wsf_deque_pop_front(&link->sent);
}

static void drop_held(wsf_link *link) {
    for (; link->held.count > 0; wsf_deque_pop_front(&link->held))
        wsf_buffer_unref(*(wsf_buffer **)wsf_deque_at(&link->held, 0));
    shrink(link, &link->held_bytes, link->held_bytes);
}

static void drop_open(wsf_link *link) {
    wsf_buffer_cache_put(link->limits.frames, link->open.frame);
    link->open = (wsf_open_frame){ 0 };
}

void wsf_link_destroy(wsf_link *link) {
    drop_open(link);
    while (link->sent.count > 0)
        drop_first_sent(link);
    drop_held(link);
    wsf_deque_destroy(&link->held);
    while (link->queue.count > 0)
        wsf_link_take(link, wsf_span_count(*wsf_link_front(link)));
    wsf_link_drop_talk(link);
    wsf_deque_destroy(&link->sent);
    wsf_deque_destroy(&link->queue);
    wsf_deque_destroy(&link->talk);
    wsf_table_destroy(&link->latest);
    if (link->limits.budget != NULL)
        link->limits.budget->links--;
}

void wsf_link_restart_out(wsf_link *link, uint64_t epoch, uint64_t clock) {
    while (link->sent.count > 0) {
        link->lost += ((wsf_sent_frame *)wsf_deque_at(&link->sent, 0))->messages;
        drop_first_sent(link);
    }
    link->lost += link->open.messages;
    link->lost_clock = clock;
    drop_open(link);
    link->epoch = epoch;
    link->next = 1;
    link->acked = 0;
    link->again_from = 1;
    link->timed = 0;
    wsf_link_reconnected(link);
}

void wsf_link_restart_in(wsf_link *link, uint64_t epoch) {
    link->in_epoch = epoch;
    link->in_expected = 1;
    link->in_newest = 0;
    link->lacking = false;
    drop_held(link);
}

/* -------------------------------------------------------------------------------------- sending */

/* An empty queue takes one message of any size. */
bool wsf_link_fits(const wsf_link *link, wsf_span span) {
    uint32_t count = wsf_span_count(span);
    return (link->queue_count == 0 && count == 1) ||
           (link->queue_count + count <= link->limits.queue_count_max &&
            link->queue_bytes + wsf_span_bytes(span) <= link->limits.queue_bytes_max &&
            !is_over_budget(link, wsf_span_bytes(span)));
}

/* The place of a slot's newest value, or WSF_TABLE_NONE. */
static uint32_t find_latest(const wsf_link *link, uint64_t slot) {
    uint32_t cursor = 0;
    uint32_t place;
    while ((place = wsf_table_next(&link->latest, slot, &cursor)) != WSF_TABLE_NONE) {
        const wsf_span *waiting = wsf_deque_at(&link->queue, place - link->queue_taken);
        if (waiting->message->slot == slot)
            break;
    }
    return place;
}

/* Puts the last of the queue into the index, for `older`. Without memory it is not found, nor replaced. */
static void note_latest(wsf_link *link, uint64_t slot, uint32_t older) {
    uint32_t place = link->queue_taken + link->queue.count - 1;
    if (older != WSF_TABLE_NONE)
        wsf_table_remove(&link->latest, slot, older);
    if (place != WSF_TABLE_NONE)
        (void)wsf_table_insert(&link->latest, slot, place);
}

void wsf_link_note_lost(wsf_link *link, wsf_span span) {
    uint64_t clock = wsf_span_last_clock(span);
    if (link->lost_clock < clock)
        link->lost_clock = clock;
    if (span.message->receipt != NULL)
        wsf_peers_add(&span.message->receipt->lost, link->peer);
}

static void drop_first_queued(wsf_link *link, uint32_t count) {
    wsf_span front = *wsf_link_front(link);
    front.to = front.from + count;
    wsf_link_note_lost(link, front);
    wsf_link_take(link, count);
}

uint64_t wsf_link_drop_queue(wsf_link *link) {
    uint64_t dropped = link->queue_count;
    while (link->queue.count > 0)
        drop_first_queued(link, wsf_span_count(*wsf_link_front(link)));
    link->lost += dropped;
    return dropped;
}

bool wsf_link_replace(wsf_link *link, wsfan_message *message) {
    uint32_t place = find_latest(link, message->slot);
    if (place == WSF_TABLE_NONE)
        return false;
    wsf_span *waiting = wsf_deque_at(&link->queue, place - link->queue_taken);
    uint64_t before = wsf_span_bytes(*waiting);
    uint64_t after = wsf_message_size(message);
    bool fits = link->queue_bytes - before + after <= link->limits.queue_bytes_max &&
                (after <= before || !is_over_budget(link, after - before));
    if (!wsf_except_covers(message->except, waiting->message->except) ||
        (link->queue_count > 1 && !fits))
        return false;
    wsfan_message_unref(waiting->message);
    *waiting = wsf_span_of(wsfan_message_ref(message));
    shrink(link, &link->queue_bytes, before);
    grow(link, &link->queue_bytes, after);
    return true;
}

/* The span's own oldest messages are dropped last. */
static uint64_t make_room(wsf_link *link, wsf_span *span) {
    uint64_t dropped = 0;
    while (!wsf_link_fits(link, *span)) {
        if (link->queue_count > 0) {
            drop_first_queued(link, 1);
        } else {
            wsf_link_note_lost(link, (wsf_span){ span->message, span->from, span->from + 1 });
            span->from++;
        }
        dropped++;
    }
    return dropped;
}

uint64_t wsf_link_enqueue(wsf_link *link, wsf_span span) {
    uint64_t dropped = make_room(link, &span);
    uint64_t slot = span.message->slot;
    uint32_t older = slot != 0 ? find_latest(link, slot) : WSF_TABLE_NONE;
    wsf_span *place = wsf_deque_push(&link->queue);
    if (place != NULL) {
        *place = span;
        wsfan_message_ref(span.message);
        grow(link, &link->queue_bytes, wsf_span_bytes(span));
        link->queue_count += wsf_span_count(span);
        if (slot != 0)
            note_latest(link, slot, older);
    } else {
        wsf_link_note_lost(link, span);
        dropped += wsf_span_count(span);
    }
    link->lost += dropped;
    return dropped;
}

/* A latest value may be newer than what waits behind it; nothing else is. */
uint64_t wsf_link_least_clock(const wsf_link *link) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < link->queue.count; i++) {
        const wsf_span *span = wsf_deque_at(&link->queue, i);
        uint64_t clock = wsf_span_clock(*span);
        least = clock < least ? clock : least;
        if (span->message->slot == 0)
            break;
    }
    return least;
}

wsf_span *wsf_link_front(const wsf_link *link) {
    return link->queue.count > 0 ? wsf_deque_at(&link->queue, 0) : NULL;
}

void wsf_link_take(wsf_link *link, uint32_t count) {
    wsf_span *front = wsf_link_front(link);
    assert(front != NULL && count > 0 && count <= wsf_span_count(*front));
    wsfan_message *message = front->message;
    shrink(link, &link->queue_bytes,
           wsf_span_bytes((wsf_span){ message, front->from, front->from + count }));
    link->queue_count -= count;
    front->from += count;
    if (front->from < front->to)
        return;
    if (message->slot != 0 && find_latest(link, message->slot) == link->queue_taken)
        wsf_table_remove(&link->latest, message->slot, link->queue_taken);
    wsf_deque_pop_front(&link->queue);
    link->queue_taken++;
    wsfan_message_unref(message);
}

static uint64_t talk_cost(const wsf_buffer *entry) {
    return sizeof *entry + entry->capacity;
}

bool wsf_link_talk(wsf_link *link, wsf_buffer *entry) {
    if (link->talk.count > 0 &&
        (link->talk_bytes + talk_cost(entry) > link->limits.queue_bytes_max ||
         is_over_budget(link, talk_cost(entry))))
        return false;
    wsf_buffer **place = wsf_deque_push(&link->talk);
    if (place == NULL)
        return false;
    *place = wsf_buffer_ref(entry);
    grow(link, &link->talk_bytes, talk_cost(entry));
    return true;
}

void wsf_link_talked(wsf_link *link) {
    wsf_buffer *entry = *(wsf_buffer **)wsf_deque_at(&link->talk, 0);
    shrink(link, &link->talk_bytes, talk_cost(entry));
    wsf_deque_pop_front(&link->talk);
    wsf_buffer_unref(entry);
}

void wsf_link_drop_talk(wsf_link *link) {
    while (link->talk.count > 0)
        wsf_link_talked(link);
}

bool wsf_link_crowded(const wsf_link *link) {
    return link->queue_count > link->limits.queue_count_max / 2 ||
           link->queue_bytes > link->limits.queue_bytes_max / 2 ||
           is_over_budget(link, link->queue_bytes);
}

bool wsf_link_has_room(const wsf_link *link, size_t frame_size) {
    uint64_t half = link->limits.window_bytes / 2;
    uint64_t counted = frame_size < half ? frame_size : half;
    return link->sent_bytes == 0 || (link->sent_bytes + counted <= link->limits.window_bytes &&
                                     !is_over_budget(link, frame_size));
}

void wsf_link_note_sent(const wsf_link *link, const wsfan_message *message, uint64_t number) {
    if (message->receipt == NULL)
        return;
    wsf_receipt_peer *at = wsf_receipt_at(message->receipt, link->peer);
    if (at == NULL)
        return; /* the peer counts as lost */
    wsf_peers_add(&message->receipt->sent, link->peer);
    at->number = number;
}

int wsf_link_keep(wsf_link *link, wsf_buffer *frame, uint64_t serial, uint32_t messages,
                  bool receipts) {
    wsf_sent_frame *place = wsf_deque_push(&link->sent);
    if (place == NULL)
        return WSFAN_ENOMEM;
    *place = (wsf_sent_frame){ wsf_buffer_ref(frame), serial, messages, false, receipts };
    grow(link, &link->sent_bytes, wsf_buffer_cost(frame));
    link->next++;
    return WSFAN_OK;
}

void wsf_link_time_begin(wsf_link *link, uint64_t now_ms) {
    if (link->timed != 0)
        return;
    link->timed = link->next - 1;
    link->timed_ms = now_ms;
}

bool wsf_link_time_end(wsf_link *link, uint64_t now_ms, uint64_t *ms) {
    if (link->timed == 0 || link->acked < link->timed)
        return false;
    *ms = link->round_trip_ms = now_ms - link->timed_ms;
    link->timed = 0;
    return true;
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
        link->receipts_acked = link->receipts_acked || first->receipts;
        drop_first_sent(link);
        link->acked++;
    }
    return true;
}

/* The frames are unacknowledged. */
static void mark_again(wsf_link *link, wsf_range range) {
    for (uint64_t number = range.from; number <= range.to; number++) {
        wsf_sent_frame *sent = wsf_deque_at(&link->sent, (uint32_t)(number - link->acked - 1));
        link->again_count += !sent->again;
        sent->again = true;
        /* It would not be known which of the two was acknowledged (Karn and Partridge, 1987). */
        if (number <= link->timed)
            link->timed = 0;
    }
    if (range.from < link->again_from)
        link->again_from = range.from;
}

static uint64_t repair_ms(const wsf_link *link) {
    uint64_t ms = (WSF_REPAIR_MS + 2 * link->round_trip_ms) << link->repair.doublings;
    return ms < WSF_REPAIR_MS_MAX ? ms : WSF_REPAIR_MS_MAX;
}

void wsf_link_ask_again(wsf_link *link, const wsf_range *ranges, uint32_t count, uint64_t now_ms) {
    enum { DOUBLINGS_MAX = 6 }; /* WSF_REPAIR_MS_MAX at the latest */
    uint64_t to = link->repair.to;
    bool once_more = link->acked >= to || now_ms >= link->repair.at_ms;
    bool repeated = false;
    for (uint32_t i = 0; i < count; i++) {
        wsf_range range = ranges[i];
        if (range.from <= link->acked)
            range.from = link->acked + 1;
        if (range.from <= to && !once_more)
            range.from = to + 1;
        if (range.to >= link->next)
            range.to = link->next - 1;
        if (range.from > range.to)
            continue;
        mark_again(link, range);
        repeated = repeated || range.from <= to;
        if (link->repair.to < range.to)
            link->repair.to = range.to;
    }
    if (repeated) {
        link->repair.doublings += link->repair.doublings < DOUBLINGS_MAX;
        link->repair.until = link->next - 1;
    }
    if (once_more)
        link->repair.at_ms = now_ms + repair_ms(link);
}

void wsf_link_progress(wsf_link *link, uint64_t now_ms) {
    if (link->acked >= link->repair.until)
        link->repair.doublings = 0;
    link->repair.at_ms = now_ms + repair_ms(link);
}

void wsf_link_reconnected(wsf_link *link) {
    memset(&link->repair, 0, sizeof link->repair);
}

wsf_buffer *wsf_link_next_again(wsf_link *link) {
    if (link->again_from <= link->acked)
        link->again_from = link->acked + 1;
    while (link->again_count > 0) {
        assert(link->again_from < link->next);
        wsf_sent_frame *sent = wsf_deque_at(&link->sent,
                                            (uint32_t)(link->again_from++ - link->acked - 1));
        if (!sent->again)
            continue;
        sent->again = false;
        link->again_count--;
        return sent->frame;
    }
    link->again_from = link->next;
    return NULL;
}

/* ------------------------------------------------------------------------------------ receiving */

enum {
    /* Frames that are held. A further one is dropped, and asked for again. */
    HELD_COUNT_MAX = WSF_SIZE(65536, 8),
    HELD_SIZE_MIN = 8192
};

static bool is_small(const wsf_buffer *part) {
    return part != NULL && part->size < HELD_SIZE_MIN;
}

/* The frame, or a copy. A small part is copied: it may lie in memory that ZeroMQ received many frames in. NULL: out of
 * memory. */
static wsf_buffer *ref_or_copy(wsf_buffer *frame) {
    if (!is_small(frame) && !is_small(frame->rest))
        return wsf_buffer_ref(frame);
    wsf_buffer *copy = wsf_buffer_copy(frame);
    if (copy == NULL || !is_small(copy->rest))
        return copy;
    wsf_buffer *rest = wsf_buffer_copy(frame->rest);
    wsf_buffer_drop_rest(copy);
    copy->rest = rest;
    if (rest != NULL)
        return copy;
    wsf_buffer_unref(copy);
    return NULL;
}

/* Keeps a frame that came early. False: too far ahead, the window is full, or out of memory. */
static bool hold(wsf_link *link, uint64_t number, wsf_buffer *frame) {
    uint64_t place = number - link->in_expected;
    if (place >= HELD_COUNT_MAX ||
        link->held_bytes + wsf_buffer_bytes(frame) > link->limits.window_bytes ||
        is_over_budget(link, wsf_buffer_bytes(frame)))
        return false;
    frame = ref_or_copy(frame);
    if (frame == NULL)
        return false;
    while (link->held.count <= place) {
        wsf_buffer **slot = wsf_deque_push(&link->held);
        if (slot == NULL) {
            wsf_buffer_unref(frame);
            return false;
        }
        *slot = NULL;
    }
    grow(link, &link->held_bytes, wsf_buffer_bytes(frame));
    *(wsf_buffer **)wsf_deque_at(&link->held, (uint32_t)place) = frame;
    return true;
}

static bool is_held(const wsf_link *link, uint64_t number) {
    uint64_t place = number - link->in_expected;
    return place < link->held.count &&
           *(wsf_buffer **)wsf_deque_at(&link->held, (uint32_t)place) != NULL;
}

static void advance(wsf_link *link) {
    link->in_expected++;
    if (link->held.count > 0)
        wsf_deque_pop_front(&link->held);
}

wsf_receive wsf_link_receive(wsf_link *link, uint64_t epoch, uint64_t number, wsf_buffer *frame) {
    if (epoch != link->in_epoch || epoch == 0)
        return WSF_RECEIVE_FOREIGN;
    if (number < link->in_expected || is_held(link, number))
        return WSF_RECEIVE_DUPLICATE;
    wsf_link_note_newest(link, number);
    if (number > link->in_expected)
        return hold(link, number, frame) ? WSF_RECEIVE_HELD : WSF_RECEIVE_NO_ROOM;
    advance(link);
    return WSF_RECEIVE_NEXT;
}

wsf_buffer *wsf_link_held(const wsf_link *link) {
    return link->held.count > 0 ? *(wsf_buffer **)wsf_deque_at(&link->held, 0) : NULL;
}

void wsf_link_drop_held(wsf_link *link) {
    wsf_buffer **first = wsf_deque_at(&link->held, 0);
    shrink(link, &link->held_bytes, wsf_buffer_bytes(*first));
    wsf_buffer_unref(*first);
    *first = NULL;
}

void wsf_link_take_held(wsf_link *link) {
    wsf_link_drop_held(link);
    advance(link);
}

void wsf_link_note_newest(wsf_link *link, uint64_t newest) {
    if (link->in_newest < newest)
        link->in_newest = newest;
}

bool wsf_link_complete(const wsf_link *link) {
    return link->in_newest < link->in_expected;
}

bool wsf_link_repaired(wsf_link *link, uint64_t now_ms, uint64_t *ms) {
    bool lacked = link->lacking;
    link->lacking = !wsf_link_complete(link);
    if (link->lacking && !lacked)
        link->lacking_ms = now_ms;
    *ms = now_ms - link->lacking_ms;
    return lacked && !link->lacking;
}

uint32_t wsf_link_missing(const wsf_link *link, wsf_range ranges[WSF_NACK_RANGES_MAX]) {
    uint32_t count = 0;
    uint64_t number = link->in_expected;
    uint64_t held_end = link->in_expected + link->held.count; /* one past the last held frame */
    while (count < WSF_NACK_RANGES_MAX && number <= link->in_newest) {
        if (is_held(link, number)) {
            number++;
            continue;
        }
        wsf_range *range = &ranges[count++];
        range->from = number++;
        while (number < held_end && !is_held(link, number))
            number++;
        if (number >= held_end)
            number = link->in_newest + 1; /* no later frame is held */
        range->to = number - 1;
    }
    return count;
}
