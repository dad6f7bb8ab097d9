/* Chats with presence, their members, and rows of peers: the slots that presence.c works on. */
#ifndef WSF_CORE_PRESENCE_STORE_H
#define WSF_CORE_PRESENCE_STORE_H

#include <stdbool.h>
#include <wsfan/wsfan.h>

#include "base/deque.h"
#include "base/peers.h"
#include "base/queue.h"
#include "base/slots.h"
#include "base/table.h"

/* One session of this node in one chat. Made with the join, it goes to the core twice, by `begin` and
 * by `end`: so a leave needs no memory. */
typedef struct wsf_presence_session {
    wsf_item begin;
    wsf_item end;
    struct wsf_presence_session *newer; /* of the same member; these two are the core's */
    struct wsf_presence_session *older;
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
} wsf_presence_session;

static inline wsf_presence_session *wsf_presence_session_of_end(wsf_item *item) {
    return (wsf_presence_session *)((char *)item - offsetof(wsf_presence_session, end));
}

/* A user's sessions in a chat on one peer. */
typedef struct {
    uint32_t member;
    uint32_t next; /* of the same member */
    uint32_t sessions;
    uint16_t metadata_size;
    uint8_t peer;
    bool used;
    uint8_t *metadata;
} wsf_presence_held;
_Static_assert(WSF_PEERS_MAX <= UINT8_MAX + 1, "a row's peer is a byte");

/* A user in a chat, wherever its sessions are. */
typedef struct {
    uint64_t hash; /* of the user */
    uint8_t *name;
    wsf_presence_session *own; /* newest first */
    wsf_peers peers_owed;      /* it is in the queues of these */
    uint64_t loops_owed;
    uint64_t loops_told; /* bits: the loop thinks it is there */
    uint64_t
        leave_ms; /* while it has no session: then it is gone, or in doubt; 0: it has one, or is
                          gone */
    uint32_t chat;
    uint32_t prev, next; /* in the chat */
    uint32_t leave_prev, leave_next;
    uint32_t rows; /* of peers */
    uint32_t own_sessions;
    uint32_t sessions; /* without those of peers that are away */
    uint16_t name_size;
    uint8_t doubts; /* so often its leave was put off; 0: it is in the first of the two lists */
    bool used;
} wsf_presence_member;

typedef struct {
    uint64_t hash;
    uint8_t *name;       /* NULL: no loop has told it yet, so none is to be told of it */
    wsf_peers wanted;    /* peers that are told of our rows */
    uint64_t loops;      /* bits of loops that are told of everyone's */
    uint64_t notify;     /* of these, to be told of the chat as such, */
    uint64_t anew;       /* and to forget what they were told before */
    uint64_t own_digest; /* sum over our rows */
    uint64_t sessions;
    uint32_t users;   /* with a session, or within their grace time */
    uint32_t members; /* first of the list */
    uint32_t members_count;
    uint16_t name_size;
    bool used;
    bool large;
    bool paced; /* its counts are told to loops before long */
} wsf_presence_chat;

/* Members without a session, in order of leave_ms: all were put at the end with the same delay. */
typedef struct {
    uint32_t head, tail;
} wsf_leave_list;

/* When the counts of a large chat are told again. */
typedef struct {
    uint32_t chat;
    uint64_t at_ms;
} wsf_presence_pace;

typedef struct {
    uint32_t grace_ms;
    uint32_t members_count_max; /* of a chat whose members are told one by one */
    uint32_t remote_count_max;  /* rows of peers */
} wsf_presence_limits;

typedef struct {
    wsf_presence_limits limits;
    uint64_t now_ms; /* as of the last wsf_presence_tick() */
    wsf_presence_chat *chats;
    wsf_slots chat_slots;
    wsf_presence_member *members;
    wsf_slots member_slots;
    wsf_presence_held *rows;
    wsf_slots row_slots;
    wsf_table chat_index, member_index;
    wsf_leave_list leaving[2]; /* within their grace time; and over it, but in doubt */
    uint32_t gone_count;       /* members that are kept only until somebody was told so */
    wsf_deque paced;           /* wsf_presence_pace, in order */
    wsf_deque peer_queues[WSF_PEERS_MAX]; /* members */
    wsf_deque loop_queues[WSF_LOOPS_MAX]; /* members, or chats with a bit */
    uint32_t peer_rows[WSF_PEERS_MAX];    /* that we hold of each */
    uint64_t peer_digests[WSF_PEERS_MAX]; /* of these */
    uint64_t told_digests[WSF_PEERS_MAX]; /* of what each is to hold of us */
    wsf_peers peers_away;
    wsf_peers peers_anew; /* are to forget our rows before they are told more, */
    wsf_peers peers_wait; /* and have fallen so far behind that nothing is queued for them */
    uint64_t failures;    /* changes that found no memory */
    wsf_presence_session *unnoted;
} wsf_presence;

enum { WSF_PRESENCE_EVENTS_OF_CHAT = (int)0x80000000 }; /* marks a chat in a loop's queue */

void wsf_presence_store_init(wsf_presence *presence, const wsf_presence_limits *limits,
                             uint64_t seed);
void wsf_presence_store_destroy(wsf_presence *presence);

/* Both return NULL or WSF_TABLE_NONE where there is none. */
const wsf_presence_chat *wsf_presence_store_find(const wsf_presence *presence, uint64_t chat_hash);
uint32_t wsf_presence_store_find_chat(const wsf_presence *presence, uint64_t chat_hash);
uint32_t wsf_presence_store_find_member(const wsf_presence *presence, uint32_t chat,
                                        uint64_t user_hash);

/* Makes a chat known; wanted as in wsf_presence_chat. WSFAN_OK, or WSFAN_ENOMEM. */
int wsf_presence_store_open_chat(wsf_presence *presence, uint64_t chat_hash, wsf_peers wanted);
void wsf_presence_store_close_chat(wsf_presence *presence, uint32_t chat); /* if nothing keeps it */

/* A member without a session; settle: ends it if nothing keeps it, and its chat likewise. */
int wsf_presence_store_add_member(wsf_presence *presence, uint32_t chat, uint64_t user_hash,
                                  wsfan_bytes user, uint32_t *added);
bool wsf_presence_store_gone(const wsf_presence_member *member); /* kept only to be told of */
void wsf_presence_store_settle(wsf_presence *presence, uint32_t member);

/* A copy, or NULL. A hash of two. */
uint8_t *wsf_presence_store_copy(const void *data, size_t size);
uint64_t wsf_presence_store_mix(uint64_t a, uint64_t b);

/* Without memory a failure is counted, and the value is not queued. */
bool wsf_presence_store_enqueue(wsf_presence *p, wsf_deque *queue, uint32_t value);

#endif
