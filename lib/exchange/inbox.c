/* Messages are bounded by count and bytes, notices by count, tickets by the number of audiences. Messages
 * without room are counted, so that the loop can report a gap to its host. */
#include "exchange/inbox.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/memory.h"

enum { NOTICES_COUNT_MAX = 4096, EVENTS_COUNT_MAX = 256 };

static bool watch(wsf_inbox *inbox, int fd, uint32_t events) {
    struct epoll_event event = { .events = events };
    return epoll_ctl(inbox->watch_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

wsf_inbox *wsf_inbox_new(uint64_t count_max, uint64_t bytes_max, int *error) {
    wsf_inbox *inbox = wsf_alloc_zero(1, sizeof *inbox);
    *error = WSFAN_ENOMEM;
    if (inbox == NULL)
        return NULL;
    *error = wsf_mailbox_init(&inbox->mailbox, count_max, bytes_max);
    if (*error != WSFAN_OK)
        goto free_inbox;
    inbox->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    if (inbox->watch_fd < 0 || !watch(inbox, inbox->mailbox.fd, EPOLLIN)) {
        *error = WSFAN_ESYSTEM;
        goto free_mailbox;
    }
    atomic_init(&inbox->refs, 1);
    wsf_table_init(&inbox->latest_index, (uint64_t)(uintptr_t)inbox);
    wsf_deque_init(&inbox->latest, sizeof(wsf_inbox_latest));
    return inbox;

free_mailbox:
    if (inbox->watch_fd >= 0)
        close(inbox->watch_fd);
    wsf_mailbox_destroy(&inbox->mailbox);
free_inbox:
    wsf_free(inbox);
    return NULL;
}

bool wsf_inbox_watch(wsf_inbox *inbox, int fd) {
    return watch(inbox, fd, EPOLLIN | EPOLLET); /* until wsf_inbox_overlook() */
}

void wsf_inbox_overlook(wsf_inbox *inbox) {
    struct epoll_event events[2];
    epoll_wait(inbox->watch_fd, events, 2, 0);
}

void wsf_inbox_unwatch(wsf_inbox *inbox, int fd) {
    epoll_ctl(inbox->watch_fd, EPOLL_CTL_DEL, fd, NULL);
}

wsf_inbox *wsf_inbox_ref(wsf_inbox *inbox) {
    atomic_fetch_add_explicit(&inbox->refs, 1, memory_order_relaxed);
    return inbox;
}

void wsf_inbox_unref(wsf_inbox *inbox) {
    if (inbox == NULL || atomic_fetch_sub_explicit(&inbox->refs, 1, memory_order_acq_rel) != 1)
        return;
    wsf_item *item = wsf_queue_take(&inbox->mailbox.queue, NULL, NULL);
    while (item != NULL) {
        wsf_item *next = item->next;
        wsf_inbox_free_item(item);
        item = next;
    }
    wsf_view_unref(atomic_load(&inbox->view));
    wsf_reach_unref(atomic_load(&inbox->reach));
    close(inbox->watch_fd);
    wsf_mailbox_destroy(&inbox->mailbox);
    wsf_table_destroy(&inbox->latest_index);
    wsf_deque_destroy(&inbox->latest);
    wsf_free(inbox);
}

void wsf_ticket_free(wsf_ticket *ticket) {
    if (ticket != NULL)
        wsf_free(ticket->missing);
    wsf_free(ticket);
}

wsfan_message *wsf_inbox_message(wsf_item *item) {
    return item->kind == WSF_INBOX_MESSAGE ? (wsfan_message *)item
                                           : ((wsf_inbox_shared *)item)->message;
}

void wsf_inbox_free_item(wsf_item *item) {
    switch ((wsf_inbox_kind)item->kind) {
    case WSF_INBOX_MESSAGE:
        wsfan_message_unref((wsfan_message *)item);
        break;
    case WSF_INBOX_SHARED:
        wsfan_message_unref(((wsf_inbox_shared *)item)->message);
        wsf_free(item);
        break;
    case WSF_INBOX_RUN:
        wsfan_message_unref(((wsf_inbox_run *)item)->span.message);
        wsf_free(item);
        break;
    case WSF_INBOX_JOINED:
        wsf_ticket_free((wsf_ticket *)item);
        break;
    case WSF_INBOX_PEER:
    case WSF_INBOX_GAP:
    case WSF_INBOX_PRESENCE:
    case WSF_INBOX_EVENT:
        wsf_free(item);
        break;
    case WSF_INBOX_RESULT:
        wsf_receipt_unref((wsf_receipt *)item);
        break;
    case WSF_INBOX_CALL: /* the loop ends its calls before it closes */
        wsf_call_unref(wsf_loop_call_end((wsf_loop_call *)item));
        break;
    case WSF_INBOX_REPLY:
        wsf_request_free((wsf_request *)item);
        break;
    case WSF_INBOX_RECOVERED:
        wsf_recovery_free((wsf_recovery *)item);
        break;
    }
}

void wsf_inbox_note_gap(wsf_inbox *inbox, uint64_t count) {
    atomic_fetch_add(&inbox->gap, count);
    wsf_mailbox_wake(&inbox->mailbox);
}

/* The first inbox that a message goes into takes the message's own item. Most messages go into one only: no
 * memory is taken on the mesh thread to be given back on the loop's. */
static wsf_item *item_for(wsfan_message *message) {
    if (!message->in_inbox && message->slot == 0) {
        message->in_inbox = true;
        message->item.kind = WSF_INBOX_MESSAGE;
        return &message->item;
    }
    wsf_inbox_shared *shared = wsf_alloc(sizeof *shared);
    if (shared == NULL)
        return NULL;
    shared->item.kind = WSF_INBOX_SHARED;
    shared->message = message;
    return &shared->item;
}

static bool fits(const wsf_inbox *inbox, uint32_t count, uint64_t bytes) {
    const wsf_queue *queue = &inbox->mailbox.queue;
    return (inbox->count_seen == 0 && count == 1) ||
           (inbox->count_seen + count <= queue->count_max &&
            inbox->bytes_seen + bytes <= queue->bytes_max);
}

static void look(wsf_inbox *inbox) {
    wsf_queue_depth(&inbox->mailbox.queue, &inbox->count_seen, &inbox->bytes_seen);
    inbox->count_seen += inbox->head_count;
    inbox->bytes_seen += inbox->head_bytes;
}

/* Messages are added under the lock of the mesh alone, so there is at least the room that it saw last. */
static bool has_room(wsf_inbox *inbox, uint32_t count, uint64_t bytes) {
    if (fits(inbox, count, bytes))
        return true;
    look(inbox);
    return fits(inbox, count, bytes);
}

static uint32_t bytes_of(const wsfan_message *message) {
    size_t bytes = sizeof(wsf_inbox_shared) + wsf_message_size(message);
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static void append_item(wsf_inbox *inbox, wsf_item *item, uint32_t bytes, uint32_t count) {
    item->bytes = bytes;
    item->next = NULL;
    if (inbox->head == NULL)
        inbox->head = item;
    else
        inbox->tail->next = item;
    inbox->tail = item;
    inbox->head_count += count;
    inbox->head_bytes += bytes;
    inbox->count_seen += count;
    inbox->bytes_seen += bytes;
}

static bool append(wsf_inbox *inbox, wsfan_message *message) {
    uint32_t bytes = bytes_of(message);
    wsf_item *item = has_room(inbox, 1, bytes) ? item_for(message) : NULL;
    if (item == NULL) {
        wsfan_message_unref(message);
        wsf_inbox_note_gap(inbox, 1);
        return false;
    }
    append_item(inbox, item, bytes, 1);
    return true;
}

/* ---------------------------------------------------------------------------------------- runs */

static uint64_t run_bytes(wsf_span span) {
    return sizeof(wsf_inbox_run) + wsf_span_bytes(span);
}

/* How many messages of a run have room. */
static uint32_t room_for(wsf_inbox *inbox, wsfan_message *run) {
    wsf_span span = wsf_span_of(run);
    if (has_room(inbox, span.to, run_bytes(span)))
        return span.to;
    uint32_t least = 0;      /* have room, */
    uint32_t most = span.to; /* and these have not */
    while (most - least > 1) {
        span.to = least + (most - least) / 2;
        if (fits(inbox, span.to, run_bytes(span)))
            least = span.to;
        else
            most = span.to;
    }
    return least;
}

/* A few messages must not keep the memory of a whole run. Takes over a reference; NULL: out of memory. */
static wsfan_message *cut(wsfan_message *run, uint32_t count) {
    enum { SMALL_SHARE = 2 };
    if (count > run->count / SMALL_SHARE)
        return run;
    for (wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;)
        head->wanted = true;
    wsfan_message *copy = wsf_run_pick((wsf_span){ run, 0, count });
    wsfan_message_unref(run);
    return copy;
}

static uint32_t append_run(wsf_inbox *inbox, wsfan_message *run) {
    uint32_t all = run->count;
    uint32_t count = room_for(inbox, run);
    wsf_inbox_run *place = count > 0 ? wsf_alloc(sizeof *place) : NULL;
    wsfan_message *cut_run = NULL;
    if (place == NULL)
        wsfan_message_unref(run);
    else
        cut_run = cut(run, count);
    if (cut_run == NULL) {
        wsf_free(place);
        wsf_inbox_note_gap(inbox, all);
        return 0;
    }
    place->item.kind = WSF_INBOX_RUN;
    place->span = (wsf_span){ cut_run, 0, count < cut_run->count ? count : cut_run->count };
    append_item(inbox, &place->item, (uint32_t)run_bytes(place->span), wsf_span_count(place->span));
    if (count < all)
        wsf_inbox_note_gap(inbox, all - count);
    return count;
}

void wsf_inbox_flush(wsf_inbox *inbox) {
    wsf_item *item = inbox->head;
    if (item == NULL)
        return;
    int error = wsf_mailbox_post_chain(&inbox->mailbox, item, inbox->tail, inbox->head_count,
                                       inbox->head_bytes);
    inbox->head = inbox->tail = NULL;
    inbox->head_count = inbox->head_bytes = 0;
    while (error != WSFAN_OK && item != NULL) { /* the loop is closed */
        wsf_item *next = item->next;
        wsf_inbox_free_item(item);
        item = next;
    }
}

bool wsf_inbox_is_half_full(wsf_inbox *inbox) {
    const wsf_queue *queue = &inbox->mailbox.queue;
    look(inbox);
    return inbox->count_seen >= queue->count_max / 2 || inbox->bytes_seen >= queue->bytes_max / 2;
}

static void exchange(wsf_item *item, void *user) {
    wsfan_message **message = user;
    wsfan_message *older = ((wsf_inbox_shared *)item)->message;
    ((wsf_inbox_shared *)item)->message = *message;
    *message = older;
}

static void forget_latest(wsf_inbox *inbox) {
    wsf_deque_destroy(&inbox->latest);
    wsf_table_destroy(&inbox->latest_index);
}

/* The value noted for a message's slot and origin; NULL: none that may still wait. */
static wsf_inbox_latest *find_latest(wsf_inbox *inbox, const wsfan_message *message) {
    uint64_t takes = wsf_queue_takes(&inbox->mailbox.queue);
    if (takes != inbox->takes) { /* the loop has taken all values that were noted */
        inbox->takes = takes;
        forget_latest(inbox);
    }
    uint32_t cursor = 0;
    uint32_t i;
    while ((i = wsf_table_next(&inbox->latest_index, message->slot, &cursor)) != WSF_TABLE_NONE) {
        wsf_inbox_latest *latest = wsf_deque_at(&inbox->latest, i);
        if (latest->slot == message->slot && latest->origin == message->id.origin)
            return latest;
    }
    return NULL;
}

/* Puts a newer message in the place of an older one. False: the loop may have taken the older one, or the
 * newer one is not for all that the older one is for, or too large. */
static bool replace(wsf_inbox *inbox, wsf_inbox_latest *latest, wsfan_message *message) {
    uint32_t bytes = bytes_of(message);
    wsfan_address except = message->except;
    if (!wsf_except_covers(except, latest->except) ||
        !wsf_queue_change(&inbox->mailbox.queue, inbox->takes, &latest->shared->item, bytes,
                          exchange, &message))
        return false;
    latest->except = except;
    inbox->bytes_seen += bytes;   /* an upper bound */
    wsfan_message_unref(message); /* exchange() has put the older one here */
    inbox->replaced++;
    return true;
}

/* Without memory the value is not noted, and so not replaced later. */
static void note_latest(wsf_inbox *inbox, wsf_inbox_latest latest) {
    wsf_inbox_latest *place = wsf_deque_push(&inbox->latest);
    if (place == NULL)
        return;
    *place = latest;
    (void)wsf_table_insert(&inbox->latest_index, latest.slot, inbox->latest.count - 1);
}

/* A latest value is flushed at once, because wsf_queue_change() needs it in the mailbox. */
static bool put_latest(wsf_inbox *inbox, wsfan_message *message) {
    wsf_inbox_latest latest = { message->slot, message->id.origin, message->except, NULL };
    wsf_inbox_flush(inbox);
    wsf_inbox_latest *older = find_latest(inbox, message);
    if (older != NULL && replace(inbox, older, message))
        return true;
    if (!append(inbox, message))
        return false;
    latest.shared = (wsf_inbox_shared *)inbox->tail;
    wsf_inbox_flush(inbox);
    if (older != NULL)
        *older = latest;
    else
        note_latest(inbox, latest);
    return true;
}

uint32_t wsf_inbox_put_message(wsf_inbox *inbox, wsfan_message *message) {
    if (wsf_message_is_run(message))
        return append_run(inbox, message);
    return message->slot != 0 ? put_latest(inbox, message) : append(inbox, message);
}

void wsf_inbox_put_ticket(wsf_inbox *inbox, wsf_ticket *ticket) {
    ticket->item.kind = WSF_INBOX_JOINED;
    wsf_inbox_flush(inbox);
    if (wsf_mailbox_post(&inbox->mailbox, &ticket->item) != WSFAN_OK)
        wsf_ticket_free(ticket); /* the loop is closed */
}

/* What was put before is in the list or older than that, what comes later is not: so no later value may take the place of
 * one that was put before. */
void wsf_inbox_put_recovered(wsf_inbox *inbox, wsf_recovery *recovery) {
    size_t bytes = wsf_recovery_list_bytes(recovery);
    if (recovery->list != NULL &&
        (bytes > UINT32_MAX || !has_room(inbox, recovery->list->count, bytes))) {
        wsf_kept_list_free(recovery->list);
        recovery->list = NULL;
        recovery->verdict = WSFAN_RECOVERY_BUSY;
    }
    recovery->item.kind = WSF_INBOX_RECOVERED;
    forget_latest(inbox);
    append_item(inbox, &recovery->item, (uint32_t)wsf_recovery_list_bytes(recovery),
                wsf_recovery_count(recovery));
    wsf_inbox_flush(inbox);
}

static bool put_notice(wsf_inbox *inbox, wsf_inbox_kind kind, const wsfan_peer *peer,
                       const wsfan_gap *gap) {
    if (atomic_load(&inbox->notices) >= NOTICES_COUNT_MAX)
        return false;
    wsf_inbox_notice *notice = wsf_alloc_zero(1, sizeof *notice);
    if (notice == NULL)
        return false;
    notice->item.kind = kind;
    const char *name = kind == WSF_INBOX_PEER ? peer->name : gap->name;
    strncpy(notice->name, name, sizeof notice->name - 1);
    if (kind == WSF_INBOX_PEER) {
        strncpy(notice->endpoint, peer->endpoint, sizeof notice->endpoint - 1);
        notice->peer = *peer;
        notice->peer.name = notice->name;
        notice->peer.endpoint = notice->endpoint;
    } else {
        notice->gap = *gap;
        notice->gap.name = notice->name;
    }
    atomic_fetch_add(&inbox->notices, 1);
    wsf_inbox_flush(inbox);
    if (wsf_mailbox_post(&inbox->mailbox, &notice->item) != WSFAN_OK)
        wsf_free(notice); /* the loop is closed */
    return true;
}

bool wsf_inbox_put_peer(wsf_inbox *inbox, const wsfan_peer *peer) {
    return put_notice(inbox, WSF_INBOX_PEER, peer, NULL);
}

bool wsf_inbox_put_gap(wsf_inbox *inbox, const wsfan_gap *gap) {
    if (put_notice(inbox, WSF_INBOX_GAP, NULL, gap))
        return true;
    wsf_inbox_note_gap(inbox, gap->count > 0 ? gap->count : 1);
    return false;
}

bool wsf_inbox_put_event(wsf_inbox *inbox, const wsfan_event *event) {
    if (!inbox->wants_events)
        return true;
    wsf_inbox_event *copy = atomic_load(&inbox->events) < EVENTS_COUNT_MAX
                                ? wsf_alloc_zero(1, sizeof *copy)
                                : NULL;
    if (copy == NULL) {
        atomic_fetch_add(&inbox->events_lost, 1);
        return false;
    }
    copy->item.kind = WSF_INBOX_EVENT;
    copy->event = *event;
    strncpy(copy->name, event->name, sizeof copy->name - 1);
    strncpy(copy->endpoint, event->endpoint, sizeof copy->endpoint - 1);
    strncpy(copy->address, event->address, sizeof copy->address - 1);
    copy->event.name = copy->name;
    copy->event.endpoint = copy->endpoint;
    copy->event.address = copy->address;
    copy->event.lost = atomic_exchange(&inbox->events_lost, 0);
    atomic_fetch_add(&inbox->events, 1);
    wsf_inbox_flush(inbox);
    if (wsf_mailbox_post(&inbox->mailbox, &copy->item) != WSFAN_OK)
        wsf_free(copy); /* the loop is closed */
    return true;
}

void wsf_inbox_put_presence(wsf_inbox *inbox, wsf_presence_events *events) {
    events->item.kind = WSF_INBOX_PRESENCE;
    if (wsf_mailbox_post(&inbox->mailbox, &events->item) != WSFAN_OK)
        wsf_free(events); /* the loop is closed */
}

void wsf_inbox_put_result(wsf_inbox *inbox, wsf_receipt *receipt) {
    receipt->item.kind = WSF_INBOX_RESULT;
    wsf_inbox_flush(inbox);
    if (wsf_mailbox_post(&inbox->mailbox, &receipt->item) != WSFAN_OK)
        wsf_receipt_unref(receipt); /* the loop is closed */
}

void wsf_inbox_put_view(wsf_inbox *inbox, wsf_view *view) {
    wsf_view_unref(atomic_exchange(&inbox->view, wsf_view_ref(view)));
    wsf_mailbox_wake(&inbox->mailbox);
}

void wsf_inbox_put_reach(wsf_inbox *inbox, wsf_reach *reach) {
    wsf_reach_unref(atomic_exchange(&inbox->reach, wsf_reach_ref(reach)));
    wsf_mailbox_wake(&inbox->mailbox);
}

void wsf_inbox_put_shed(wsf_inbox *inbox, uint32_t permille) {
    atomic_store(&inbox->shed_permille, permille);
    wsf_mailbox_wake(&inbox->mailbox);
}

void wsf_inbox_put_drained(wsf_inbox *inbox, int status) {
    atomic_store(&inbox->drained_status, status);
    atomic_store(&inbox->drained, 1);
    wsf_mailbox_wake(&inbox->mailbox);
}

bool wsf_inbox_put_call(wsf_inbox *inbox, wsf_loop_call *loop_call) {
    loop_call->item.kind = WSF_INBOX_CALL;
    return wsf_mailbox_post(&inbox->mailbox, &loop_call->item) == WSFAN_OK;
}

void wsf_inbox_put_reply(wsf_inbox *inbox, wsf_request *request) {
    request->item.kind = WSF_INBOX_REPLY;
    if (wsf_mailbox_post(&inbox->mailbox, &request->item) != WSFAN_OK)
        wsf_request_free(request); /* the loop is closed */
}
