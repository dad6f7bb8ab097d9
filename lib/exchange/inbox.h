/* What the mesh thread leaves for one loop. Both have a reference. */
#ifndef WSF_EXCHANGE_INBOX_H
#define WSF_EXCHANGE_INBOX_H

#include <stdatomic.h>

#include "base/deque.h"
#include "base/table.h"
#include "core/types.h"
#include "exchange/mailbox.h"
#include "message/run.h"

typedef enum {
    WSF_INBOX_MESSAGE, /* the message's own item */
    WSF_INBOX_SHARED,  /* a message that is in another inbox too, or a latest value */
    WSF_INBOX_RUN,     /* messages of a run */
    WSF_INBOX_JOINED,
    WSF_INBOX_PEER,
    WSF_INBOX_GAP,
    WSF_INBOX_RESULT,   /* a wsf_receipt */
    WSF_INBOX_CALL,     /* a wsf_loop_call */
    WSF_INBOX_REPLY,    /* a wsf_request */
    WSF_INBOX_PRESENCE, /* a wsf_presence_events */
    WSF_INBOX_EVENT,
    WSF_INBOX_RECOVERED /* a wsf_recovery */
} wsf_inbox_kind;

typedef struct {
    wsf_item item;
    wsfan_message *message;
} wsf_inbox_shared;

typedef struct {
    wsf_item item;
    wsf_span span; /* of a reference */
} wsf_inbox_run;

/* The newest value of a slot, which waits unless the loop has taken it since. */
typedef struct {
    uint64_t slot;
    uint64_t origin;
    wsfan_address except;
    wsf_inbox_shared *shared;
} wsf_inbox_latest;

typedef struct {
    wsf_item item; /* WSF_INBOX_PEER or WSF_INBOX_GAP */
    wsfan_peer peer;
    wsfan_gap gap;
    char name[WSF_NAME_SIZE_MAX + 1];
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
} wsf_inbox_notice;

typedef struct {
    wsf_item item;
    wsfan_event event;
    char name[WSF_NAME_SIZE_MAX + 1];
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    char address[WSFAN_CALLER_ADDRESS_SIZE];
} wsf_inbox_event;

typedef struct {
    wsf_mailbox mailbox;
    int watch_fd;       /* an epoll descriptor: of the mailbox, and what is watched besides */
    bool wants_events;  /* set once, before the mesh knows the inbox */
    atomic_uint events; /* waiting */
    atomic_uint_fast64_t events_lost; /* that had no room and were not reported yet */
    atomic_uint refs;
    atomic_uint notices;           /* waiting */
    atomic_uint results;           /* results that the loop waits for */
    atomic_uint requests;          /* replies that the loop waits for */
    atomic_uint_fast64_t gap;      /* messages that had no room and were not reported yet */
    atomic_uint_fast64_t sessions; /* of the loop; the mesh reads it during a drain */
    _Atomic(wsf_view *) view;      /* the newest that the loop has not taken; NULL: none */
    _Atomic(wsf_reach *) reach;    /* the same */
    atomic_uint shed_permille;     /* see wsf_effects */
    atomic_int drained;            /* 1: the drain is over, with drained_status */
    atomic_int drained_status;

    /* Guarded by the lock of the mesh. First the batch of messages that wsf_inbox_flush() posts together: */
    wsf_item *head;
    wsf_item *tail;
    uint64_t head_count;
    uint64_t head_bytes;
    uint64_t count_seen; /* in the batch and the mailbox, at most: the loop takes some meanwhile */
    uint64_t bytes_seen;

    /* Then the latest values in the mailbox: */
    uint64_t replaced; /* values that made way for newer ones */
    uint64_t takes;    /* wsf_queue_takes() when the values below were noted */
    wsf_table latest_index;
    wsf_deque latest; /* wsf_inbox_latest */
} wsf_inbox;

wsf_inbox *wsf_inbox_new(uint64_t count_max, uint64_t bytes_max, int *error);
wsf_inbox *wsf_inbox_ref(wsf_inbox *inbox);
void wsf_inbox_unref(wsf_inbox *inbox);

/* [any] Lets watch_fd be readable while fd is, too. False: out of memory, or of watches. */
bool wsf_inbox_watch(wsf_inbox *inbox, int fd);
void wsf_inbox_unwatch(wsf_inbox *inbox, int fd);
/* Lets watch_fd not be readable for what there is now at the fd that is watched besides, only for what comes later. */
void wsf_inbox_overlook(wsf_inbox *inbox);

/* Takes over a reference. Returns how many messages, the first ones of a run, the loop gets by wsf_inbox_flush();
 * of the others, without room, a gap is noted. */
uint32_t wsf_inbox_put_message(wsf_inbox *inbox, wsfan_message *message);
void wsf_inbox_flush(wsf_inbox *inbox);

/* Whether half of the room for messages is used. */
bool wsf_inbox_is_half_full(wsf_inbox *inbox);

/* Notes messages that are lost to the loop. */
void wsf_inbox_note_gap(wsf_inbox *inbox, uint64_t count);

void wsf_inbox_put_ticket(wsf_inbox *inbox, wsf_ticket *ticket);

/* False: the notice was dropped, because the loop does not dispatch or for want of memory. Of a gap the count
 * is then noted as the loop's own. */
bool wsf_inbox_put_peer(wsf_inbox *inbox, const wsfan_peer *peer);
bool wsf_inbox_put_gap(wsf_inbox *inbox, const wsfan_gap *gap);

/* False: there was no room for the event, which is counted. */
bool wsf_inbox_put_event(wsf_inbox *inbox, const wsfan_event *event);

/* Cannot fail: a value that the loop has not seen is replaced. The view is borrowed. */
void wsf_inbox_put_view(wsf_inbox *inbox, wsf_view *view);
/* After all that it claims was flushed. A loop that takes it, and then what is in the mailbox, has dispatched all that it
 * claims when it has dispatched that, and told of the messages that had no room. */
void wsf_inbox_put_reach(wsf_inbox *inbox, wsf_reach *reach);
void wsf_inbox_put_shed(wsf_inbox *inbox, uint32_t permille);
void wsf_inbox_put_drained(wsf_inbox *inbox, int status);
/* Takes over the events. */
void wsf_inbox_put_presence(wsf_inbox *inbox, wsf_presence_events *events);

/* Takes over the recovery. Its list takes room as so many messages do, in bytes as its item says; without that the verdict
 * becomes BUSY and there is no list. */
void wsf_inbox_put_recovered(wsf_inbox *inbox, wsf_recovery *recovery);

/* The message of a WSF_INBOX_MESSAGE or WSF_INBOX_SHARED. */
wsfan_message *wsf_inbox_message(wsf_item *item);

/* Frees an item that came out of the mailbox, and what it holds. */
void wsf_inbox_free_item(wsf_item *item);
void wsf_ticket_free(wsf_ticket *ticket);

/* Takes over the caller's reference to the receipt, but not the receipt's to the inbox. */
void wsf_inbox_put_result(wsf_inbox *inbox, wsf_receipt *receipt);

/* Takes over the loop call. False: the loop is closed, and the loop call is the caller's again. */
bool wsf_inbox_put_call(wsf_inbox *inbox, wsf_loop_call *loop_call);

/* Takes over the request, but not its reference to the inbox. */
void wsf_inbox_put_reply(wsf_inbox *inbox, wsf_request *request);

#endif
