/* What is asked of nodes and answered by them: commands, lists, and the host's own messages. A
 * request (wsf_ask) is the core's that asks, and goes back to its loop with the answers. A task is
 * the core's that is asked, and goes as one errand to each loop concerned. */
#ifndef WSF_REQUEST_H
#define WSF_REQUEST_H

#include <pthread.h>
#include <wsfan/requests.h>

#include "message.h"
#include "rows.h"

enum {
    WSF_ASK_OWN = WSF_RECEIPT_PEERS_MAX, /* the place of this node itself in a request's nodes */
    WSF_CLOSE_REASON_SIZE_MAX = 123, /* RFC 6455, section 5.5: a control frame has at most 125 */
    WSF_ROWS_COUNT_MAX = WSFAN_ROWS_COUNT_MAX
};

/* Whether a close frame may carry it: 1000..1014 but for those that RFC 6455, section 7.4.1, reserves
 * (1004, 1005, 1006), and 3000..4999. 1012..1014 stand in IANA's registry; 1015 and 1016..2999 do not. */
bool wsf_close_valid(uint32_t code, wsfan_bytes reason);

/* What one loop, and then one node, has to say. */
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
void wsf_answer_name_peer(wsf_answer *answer, uint64_t node);    /* it has not acknowledged */

/* ------------------------------------------------------------------------------------- asking */

typedef struct {
    uint64_t node; /* 0: nobody was asked in this place */
    bool open;     /* it has not answered */
    wsf_answer answer;
} wsf_asked_node;

typedef struct wsf_ask {
    wsf_item item;
    struct wsf_ask *next;
    uint64_t id;
    wsfan_request_kind kind;
    uint32_t number; /* of a close: its code; of a list: the rows of a page */
    uint32_t ms_max;
    uint64_t deadline_ms;
    uint32_t open_count;
    wsfan_message *message; /* whom, and what: a chat, a reason, the key to go on after, bytes */
    void *inbox;            /* a reference; NULL: nobody wants to know */
    void *reply_user;
    uint32_t nodes_count;
    wsf_asked_node nodes[]; /* one for each peer, this node, one for each address in the targets */
} wsf_ask;

/* Takes over the message. NULL: out of memory. */
wsf_ask *wsf_ask_new(wsfan_request_kind kind, wsfan_message *message, uint32_t number,
                     uint32_t ms_max);
void wsf_ask_free(wsf_ask *ask); /* not its inbox */

/* Takes over the answer. False: nobody waits for it there, it is released. */
bool wsf_ask_answer(wsf_ask *ask, uint32_t place, wsf_answer *answer);

/* Puts the answers together for the host, and calls. */
void wsf_ask_tell(wsf_ask *ask, void (*tell)(void *user, const wsfan_reply *reply), void *user);

/* --------------------------------------------------------------------------------- being asked */

typedef struct wsf_task {
    wsf_item item; /* goes to the core when every loop is through */
    struct wsf_task *next;
    atomic_uint refs;
    atomic_uint loops_left; /* that are not through, and one for the core while it hands out */
    atomic_bool expired;    /* whoever asked has given up: do not begin */
    pthread_mutex_t lock;   /* of answer, until the loops are through */
    wsf_answer answer;
    wsfan_request_kind kind;
    uint32_t number;
    wsfan_message *message;

    /* The core's. */
    uint64_t token;
    uint64_t asker; /* node */
    uint64_t id;    /* the asker's */
    uint64_t deadline_ms;
    bool waiting; /* the asker still wants an answer */
    bool done;    /* the loops are through */
} wsf_task;

/* One loop's share. */
typedef struct wsf_errand {
    wsf_item item;
    struct wsf_errand *next; /* of those that wait for an audience */
    wsf_task *task;          /* a reference */
    wsf_answer answer;
    uint32_t cursor; /* how far a list has come */
    uint32_t audience;
} wsf_errand;

/* Takes a reference to the message. NULL: out of memory. */
wsf_task *wsf_task_new(wsfan_request_kind kind, wsfan_message *message, uint32_t number);
void wsf_task_unref(wsf_task *task);
wsf_errand *wsf_errand_new(wsf_task *task); /* NULL: out of memory */

/* One loop fewer to wait for. True: it was the last; a reference to the task goes to the core. */
bool wsf_task_loop_through(wsf_task *task);

/* [any] Adds an errand's answer to its task's and frees the errand. The task, with a reference, where
 * this was the last loop, else NULL. */
wsf_task *wsf_errand_end(wsf_errand *errand);

#endif
