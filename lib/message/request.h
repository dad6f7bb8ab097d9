/* What is asked of nodes and answered by them: commands, lists, and the host's own messages. A request
 * (wsf_request) belongs to the core of the node that asks, and goes back to its loop with the answers. A
 * call belongs to the core of a node that is asked, and goes as one loop call to each loop concerned. */
#ifndef WSF_MESSAGE_REQUEST_H
#define WSF_MESSAGE_REQUEST_H

#include <pthread.h>
#include <wsfan/requests.h>

#include "message/message.h"
#include "message/rows.h"

enum {
    WSF_REQUEST_OWN = 0, /* the place of this node itself in a request's nodes; peer i has 1 + i */
    WSF_CLOSE_REASON_SIZE_MAX = 123, /* RFC 6455, section 5.5: a control frame has at most 125 */
    WSF_ROWS_COUNT_MAX = WSFAN_ROWS_COUNT_MAX
};

/* Whether a close frame may carry code and reason: 1000..1014 but for those that RFC 6455, section 7.4.1,
 * reserves (1004, 1005, 1006), and 3000..4999. IANA's registry has 1012..1014, but not 1015 and
 * 1016..2999. */
bool wsf_close_valid(uint32_t code, wsfan_bytes reason);

/* The answer of one loop, and put together, of one node. */
typedef struct {
    int status;
    uint64_t sessions;
    uint64_t sessions_failed;
    wsf_rows rows; /* of a join: the peers that have not acknowledged, with their ids as keys */
    void *payload; /* from wsf_alloc() */
    size_t payload_size;
} wsf_answer;

void wsf_answer_init(wsf_answer *answer, uint32_t rows_count_max);
void wsf_answer_destroy(wsf_answer *answer);
void wsf_answer_merge(wsf_answer *into, const wsf_answer *from); /* not the payload */
void wsf_answer_name_peer(wsf_answer *answer, uint64_t node);    /* `node` has not acknowledged */

/* ------------------------------------------------------------------------------------- asking */

typedef struct {
    uint64_t node; /* 0: no node was asked in this place */
    bool open;     /* no answer yet */
    wsf_answer answer;
} wsf_asked_node;

typedef struct wsf_request {
    wsf_item item;
    struct wsf_request *next;
    uint64_t id;
    wsfan_request_kind kind;
    uint32_t number; /* of a close: its code; of a list: the rows of a page */
    uint32_t ms_max;
    uint64_t deadline_ms;
    uint32_t open_count;
    wsfan_message *message; /* targets; payload: a chat, a reason, a key to go on after, bytes */
    void *inbox;            /* a reference; NULL: no reply is wanted */
    void *reply_user;
    uint64_t *refusing; /* nodes that refuse this one, and were not asked */
    uint32_t refusing_count;
    uint32_t nodes_count;
    wsf_asked_node *nodes; /* this node, places for peers, one for each address in the targets */
    bool failed;           /* there was no memory for these */
} wsf_request;

/* Whether its answer is a page of rows, and its payload the key to go on after. */
bool wsf_request_is_list(wsfan_request_kind kind);

/* Takes over the message. NULL: out of memory. */
wsf_request *wsf_request_new(wsfan_request_kind kind, wsfan_message *message, uint32_t number,
                             uint32_t ms_max);
void wsf_request_free(wsf_request *request); /* not its inbox */

/* Makes room for the answers of peers with numbers below `peers_count`, and notes who refuses. False: no memory, which the
 * reply will say. */
bool wsf_request_make_room(wsf_request *request, uint32_t peers_count, const uint64_t *refusing,
                           uint32_t refusing_count);

/* Takes over the answer. False: no answer is awaited in that place; it is released. */
bool wsf_request_answer(wsf_request *request, uint32_t place, wsf_answer *answer);

/* Puts the answers together for the host, and calls. */
void wsf_request_tell(wsf_request *request, void (*tell)(void *user, const wsfan_reply *reply),
                      void *user);

/* --------------------------------------------------------------------------------- being asked */

typedef struct wsf_call {
    wsf_item item; /* goes to the core when every loop is done */
    struct wsf_call *next;
    atomic_uint refs;
    atomic_uint loops_left; /* that are not done, plus one while the core hands out */
    atomic_bool expired;    /* the asker has given up: do not begin */
    pthread_mutex_t lock;   /* of answer, until the loops are done */
    wsf_answer answer;
    wsfan_request_kind kind;
    uint32_t number;
    wsfan_message *message;

    /* The core's. */
    uint64_t token;
    uint64_t asker; /* node */
    uint64_t id;    /* the asker's */
    uint64_t deadline_ms;
    bool waiting; /* the asker still waits */
    bool done;    /* the loops are done */
} wsf_call;

/* One loop's share of a call. */
typedef struct wsf_loop_call {
    wsf_item item;
    struct wsf_loop_call *next; /* of those that wait for an audience */
    wsf_call *call;             /* a reference */
    wsf_answer answer;
    uint32_t cursor; /* where a list goes on */
    uint32_t audience;
} wsf_loop_call;

/* Takes a reference to the message. NULL: out of memory. */
wsf_call *wsf_call_new(wsfan_request_kind kind, wsfan_message *message, uint32_t number);
void wsf_call_unref(wsf_call *call);
wsf_loop_call *wsf_loop_call_new(wsf_call *call); /* NULL: out of memory */

/* One loop fewer to wait for. True: it was the last; the caller's reference goes to the core. */
bool wsf_call_loop_through(wsf_call *call);

/* [any] Adds a loop call's answer to that of the call and frees the loop call. Returns the call, with a
 * reference, if this was the last loop; else NULL. */
wsf_call *wsf_loop_call_end(wsf_loop_call *loop_call);

#endif
