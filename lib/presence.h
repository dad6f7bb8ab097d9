/* Who is in which chat, on all nodes: the rows of this node's own sessions, those that peers sent, and
 * the view of each chat that both make together. And what peers and loops have not been told yet. */
#ifndef WSF_PRESENCE_H
#define WSF_PRESENCE_H

#include <stdbool.h>
#include <wsfan/wsfan.h>

#include "deque.h"
#include "queue.h"
#include "table.h"

enum { WSF_PRESENCE_PEERS_MAX = 64, WSF_PRESENCE_LOOPS_MAX = 64 };

/* One session of this node in one chat. Made with the join, it goes to the core twice, by `begin` and
 * by `end`: so a leave needs no memory. */
typedef struct wsf_attendance {
    wsf_item begin;
    wsf_item end;
    struct wsf_attendance *newer; /* of the same member; these two are the core's */
    struct wsf_attendance *older;
    uint64_t session;
    uint64_t chat_hash;
    uint64_t user_hash;
    uint16_t chat_size;
    uint16_t user_size;
    uint16_t metadata_size;
    uint8_t loop;
    bool closes;     /* the loop's last in this chat; set before it goes by `end` */
    bool noted;      /* the core had memory for it */
    uint8_t bytes[]; /* names of chat and user, metadata */
} wsf_attendance;

static inline wsf_attendance *wsf_attendance_of_end(wsf_item *item) {
    return (wsf_attendance *)((char *)item - offsetof(wsf_attendance, end));
}

/* A user's sessions in a chat on one peer. */
typedef struct {
    uint32_t member; /* of a free row: the next one */
    uint32_t next;   /* of the same member */
    uint32_t sessions;
    uint16_t metadata_size;
    uint8_t peer;
    bool used;
    uint8_t *metadata;
} wsf_presence_held;

/* A user in a chat, wherever its sessions are. */
typedef struct {
    uint64_t hash; /* of the user */
    uint8_t *name;
    wsf_attendance *own; /* newest first */
    uint64_t peers_owed; /* bits: in the queue of that peer */
    uint64_t loops_owed;
    uint64_t loops_told; /* bits: the loop thinks it is there */
    uint64_t leave_ms;   /* while it has no session: gone for good then; 0: it has one, or is gone */
    uint32_t chat;
    uint32_t prev, next; /* in the chat */
    uint32_t leave_prev, leave_next;
    uint32_t rows; /* of peers */
    uint32_t own_sessions;
    uint32_t sessions; /* without those of peers that are away */
    uint16_t name_size;
    bool used;
} wsf_presence_member;

typedef struct {
    uint64_t hash;
    uint8_t *name; /* NULL: no loop has told it yet, so none is to be told of it */
    uint64_t wanted;     /* bits of peers that are told of our rows */
    uint64_t loops;      /* bits of loops that are told of everyone's */
    uint64_t notify;     /* of these, to be told of the chat as such, */
    uint64_t anew;       /* and to forget what they were told before */
    uint64_t own_digest; /* sum over our rows */
    uint64_t sessions;
    uint32_t users;   /* with a session, or within their grace time */
    uint32_t members; /* first of the list; of a free chat: the next one */
    uint32_t members_count;
    uint16_t name_size;
    bool used;
    bool large;
    bool paced; /* its counts are told to loops before long */
} wsf_presence_chat;

typedef struct {
    uint32_t grace_ms;
    uint32_t members_count_max; /* of a chat whose members are told one by one */
    uint32_t remote_count_max;  /* rows of peers */
} wsf_presence_limits;

typedef struct {
    wsf_presence_limits limits;
    uint64_t now_ms; /* as of the last wsf_presence_tick() */
    wsf_presence_chat *chats;
    uint32_t chats_used, chats_capacity, chats_free, chats_count;
    wsf_presence_member *members;
    uint32_t members_used, members_capacity, members_free, members_count;
    wsf_presence_held *rows;
    uint32_t rows_used, rows_capacity, rows_free, rows_count;
    wsf_table chat_index, member_index;
    uint32_t leave_head, leave_tail; /* in order of leave_ms */
    uint32_t gone_count;             /* members that are kept only until somebody was told so */
    wsf_deque paced;                 /* chats and when, in order */
    wsf_deque peer_queues[WSF_PRESENCE_PEERS_MAX]; /* members */
    wsf_deque loop_queues[WSF_PRESENCE_LOOPS_MAX]; /* members, or chats with a bit */
    uint64_t peer_digests[WSF_PRESENCE_PEERS_MAX]; /* of what we hold of each */
    uint64_t told_digests[WSF_PRESENCE_PEERS_MAX]; /* of what each is to hold of us */
    uint64_t peers_away;
    uint64_t peers_anew; /* bits: are to forget our rows before they are told more, */
    uint64_t peers_wait; /* and have fallen so far behind that nothing is queued for them */
    uint64_t failures;   /* changes that found no memory */
    wsf_attendance *unnoted;
} wsf_presence;

/* One row on its way to or from a peer. */
typedef struct {
    uint64_t chat_hash;
    uint32_t sessions; /* 0: no more */
    wsfan_bytes user;
    wsfan_bytes metadata;
} wsf_presence_row;

void wsf_presence_init(wsf_presence *presence, const wsf_presence_limits *limits, uint64_t seed);
void wsf_presence_destroy(wsf_presence *presence);

const wsf_presence_chat *wsf_presence_find(const wsf_presence *presence, uint64_t chat_hash);

/* Makes a chat known; wanted as in wsf_presence_chat. WSFAN_OK, or WSFAN_ENOMEM. */
int wsf_presence_open_chat(wsf_presence *presence, uint64_t chat_hash, uint64_t wanted);

/* This node's own sessions, in chats that are known. begin takes the attendance over; WSFAN_ENOMEM: it
 * is not noted. end frees it. */
int wsf_presence_begin(wsf_presence *presence, wsf_attendance *attendance);
void wsf_presence_end(wsf_presence *presence, wsf_attendance *attendance);
void wsf_presence_forget_loop(wsf_presence *presence, unsigned loop);

/* What a peer said. The chat must be known. WSFAN_ELIMIT, WSFAN_ENOMEM: not noted. */
int wsf_presence_put(wsf_presence *presence, unsigned peer, const wsf_presence_row *row,
                     uint64_t user_hash);
void wsf_presence_forget_rows(wsf_presence *presence, unsigned peer);
void wsf_presence_set_away(wsf_presence *presence, unsigned peer, bool away);

/* No session of this node is in the chat any more: what peers said of it is not kept up. */
void wsf_presence_forget_chat(wsf_presence *presence, uint64_t chat_hash);

/* Which peers are told of our rows in which chats. want: from the start. */
void wsf_presence_want(wsf_presence *presence, unsigned peer, uint64_t chat_hash);
void wsf_presence_unwant(wsf_presence *presence, unsigned peer, uint64_t chat_hash);
void wsf_presence_unwant_all(wsf_presence *presence, unsigned peer);

/* The peer is told everything again, beginning with the order to forget. */
void wsf_presence_tell_anew(wsf_presence *presence, unsigned peer);

/* What a peer is owed: the i-th row of its queue (false: nothing any more), and then that the first
 * `count` of them were sent. */
uint32_t wsf_presence_owed(wsf_presence *presence, unsigned peer);
bool wsf_presence_owed_row(const wsf_presence *presence, unsigned peer, uint32_t i,
                           wsf_presence_row *row);
void wsf_presence_sent(wsf_presence *presence, unsigned peer, uint32_t count);

/* Nobody could be heard for so long: grace times end later. */
void wsf_presence_overslept(wsf_presence *presence, uint64_t ms);

void wsf_presence_tick(wsf_presence *presence, uint64_t now_ms);
uint64_t wsf_presence_deadline(const wsf_presence *presence); /* UINT64_MAX: none */

/* For presence.c and news.c. */
enum { WSF_NEWS_OF_CHAT = (int)0x80000000 };
void wsf_presence_settle(wsf_presence *presence, uint32_t member);

#endif
