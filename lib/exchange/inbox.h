/* What the mesh thread puts down for one loop. Shared by both; the last one to leave frees it. */
#ifndef WSF_EXCHANGE_INBOX_H
#define WSF_EXCHANGE_INBOX_H

#include <stdatomic.h>

#include "base/deque.h"
#include "base/table.h"
#include "core/types.h"
#include "exchange/mailbox.h"

typedef enum {
    WSF_INBOX_MESSAGE, /* the message's own item */
    WSF_INBOX_SHARED,  /* one that is in the inbox of another loop too, or a latest value */
    WSF_INBOX_JOINED,
    WSF_INBOX_PEER,
    WSF_INBOX_GAP,
    WSF_INBOX_RESULT,  /* a wsf_receipt */
    WSF_INBOX_CALL,    /* a wsf_loop_call */
    WSF_INBOX_REPLY,   /* a wsf_request */
    WSF_INBOX_PRESENCE /* a wsf_presence_events */
} wsf_inbox_kind;

typedef struct {
    wsf_item item;
    wsfan_message *message;
} wsf_inbox_shared;

/* The newest value of a slot that waits, unless the loop has taken it meanwhile. */
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
    wsf_mailbox mailbox;
    atomic_uint refs;
    atomic_uint notices;           /* waiting */
    atomic_uint results;           /* asked for and not dispatched */
    atomic_uint requests;          /* the same */
    atomic_uint_fast64_t gap;      /* messages that found no room and were not reported yet */
    atomic_uint_fast64_t sessions; /* of the loop; the mesh reads it during a drain */
    _Atomic(wsf_view *) view;      /* the newest that the loop has not seen; NULL: none */
    atomic_uint shed_permille;     /* see wsf_effects */
    atomic_int drained;            /* 1: the drain is over; the status is the next */
    atomic_int drained_status;

    /* The mesh thread's: messages on their way to the mailbox, which they reach together. */
    wsf_item *head;
    wsf_item *tail;
    uint64_t head_count;
    uint64_t head_bytes;
    uint64_t
        count_seen; /* in here and in the mailbox, at most: the loop may have taken some since */
    uint64_t bytes_seen;

    /* The mesh thread's. */
    uint64_t replaced; /* latest values that made way for newer ones */
    uint64_t takes;    /* as often the loop had taken what waits, when the rest of this was noted */
    wsf_table latest_index;
    wsf_deque latest; /* wsf_inbox_latest */
} wsf_inbox;

wsf_inbox *wsf_inbox_new(uint64_t count_max, uint64_t bytes_max, int *error);
wsf_inbox *wsf_inbox_ref(wsf_inbox *inbox);
void wsf_inbox_unref(wsf_inbox *inbox);

/* Takes over the caller's reference. False: no room; the gap is noted for the loop. True: it is
 * there with the next flush, or with whatever else is put in. */
bool wsf_inbox_put_message(wsf_inbox *inbox, wsfan_message *message);
void wsf_inbox_flush(wsf_inbox *inbox);

/* A message that could not even be made. */
void wsf_inbox_note_gap(wsf_inbox *inbox, uint64_t count);

void wsf_inbox_put_ticket(wsf_inbox *inbox, wsf_ticket *ticket);

/* False: the notice was dropped, because the loop does not dispatch or for want of memory. A gap
 * is then noted as the loop's own. */
bool wsf_inbox_put_peer(wsf_inbox *inbox, const wsfan_peer *peer);
bool wsf_inbox_put_gap(wsf_inbox *inbox, const wsfan_gap *gap);

/* Neither can fail: what the loop has not seen is replaced. The view is borrowed. */
void wsf_inbox_put_view(wsf_inbox *inbox, wsf_view *view);
void wsf_inbox_put_shed(wsf_inbox *inbox, uint32_t permille);
void wsf_inbox_put_drained(wsf_inbox *inbox, int status);
void wsf_inbox_put_presence(wsf_inbox *inbox, wsf_presence_events *events);

/* The message of an item of either kind. */
wsfan_message *wsf_inbox_message(wsf_item *item);

/* Frees an item that came out of the mailbox, and what it holds. */
void wsf_inbox_free_item(wsf_item *item);
void wsf_ticket_free(wsf_ticket *ticket);

/* Takes over the caller's reference to the receipt, not the inbox in it. */
void wsf_inbox_put_result(wsf_inbox *inbox, wsf_receipt *receipt);

/* Takes it over. False: the loop is closed, and it is the caller's again. */
bool wsf_inbox_put_call(wsf_inbox *inbox, wsf_loop_call *loop_call);

/* Takes the request over, not the inbox in it. */
void wsf_inbox_put_reply(wsf_inbox *inbox, wsf_request *request);

#endif
