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

/* One session of this node in one chat. It goes to the core twice, by `begin` and by `end`: a leave needs no
 * memory. */
typedef struct wsf_presence_session {
    wsf_item begin;
    wsf_item end;
    struct wsf_presence_session *newer; /* of the same member; both are the core's */
    struct wsf_presence_session *older;
    uint64_t session;
    uint64_t chat_hash;
    uint64_t user_hash;
    uint16_t chat_size;
    uint16_t user_size;
    uint16_t metadata_size;
    uint8_t loop;
    bool closes;     /* the loop's last one in this chat; set before it goes by `end` */
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
    wsf_presence_session *own; /* sessions of this node, newest first */
    wsf_peers peers_owed;      /* peers whose queue it is in */
    uint64_t loops_owed;
    uint64_t loops_told; /* bits: loops that were told that it is there */
    uint64_t leave_ms;   /* end of the grace time, or of the doubt after it; 0: in neither */
    uint32_t chat;
    uint32_t prev, next; /* in the chat */
    uint32_t leave_prev, leave_next;
    uint32_t rows; /* of peers */
    uint32_t own_sessions;
    uint32_t sessions; /* without those of peers that are away */
    uint16_t name_size;
    uint8_t doubts; /* how often its leave was put off; 0: not, so it is in leaving[0] */
    bool used;
} wsf_presence_member;

typedef struct {
    uint64_t hash;
    uint8_t *name;       /* NULL: no session of this node was in it yet, so no loop is told of it */
    wsf_peers wanted;    /* peers that are told of our rows */
    uint64_t loops;      /* bits of loops that are told of its members */
    uint64_t notify;     /* bits: the chat itself is in the queue, */
    uint64_t anew;       /* bits: the loop is to forget what it was told before */
    uint64_t own_digest; /* sum over this node's rows */
    uint64_t sessions;
    uint32_t users;   /* with a session, or within their grace time */
    uint32_t members; /* first of the list */
    uint32_t members_count;
    uint16_t name_size;
    bool used;
    bool large;
    bool paced;    /* it is in wsf_presence.paced, */
    uint8_t paces; /* so many times in a row */
} wsf_presence_chat;

/* Members without a session, in order of leave_ms: all were appended with the same delay. */
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
    wsf_leave_list leaving[2];            /* 0: within their grace time; 1: over it, but in doubt */
    uint32_t gone_count;                  /* members that are kept only because a queue has them */
    wsf_deque paced;                      /* wsf_presence_pace, in order */
    wsf_deque peer_queues[WSF_PEERS_MAX]; /* members */
    wsf_deque loop_queues[WSF_LOOPS_MAX]; /* members, or chats with a bit */
    uint32_t peer_rows[WSF_PEERS_MAX];    /* rows that this node holds of each peer */
    uint64_t peer_digests[WSF_PEERS_MAX]; /* of those rows */
    uint64_t told_digests[WSF_PEERS_MAX]; /* of the rows that each peer is to hold of this node */
    wsf_peers peers_stirred;              /* there is something new for them; the core takes it */
    wsf_peers peers_away;
    wsf_peers peers_anew;          /* are told first to forget our rows, */
    wsf_peers peers_wait;          /* and everything is queued once a frame has room */
    uint64_t failures;             /* changes that found no memory */
    wsf_presence_session *unnoted; /* found no memory; to be tried again, linked by `older` */
} wsf_presence;

enum { WSF_PRESENCE_EVENTS_OF_CHAT = (int)0x80000000 }; /* marks a chat in a loop's queue */

void wsf_presence_store_init(wsf_presence *presence, const wsf_presence_limits *limits,
                             uint64_t seed);
void wsf_presence_store_destroy(wsf_presence *presence);

/* NULL or WSF_TABLE_NONE: there is none. */
const wsf_presence_chat *wsf_presence_store_find(const wsf_presence *presence, uint64_t chat_hash);
uint32_t wsf_presence_store_find_chat(const wsf_presence *presence, uint64_t chat_hash);
uint32_t wsf_presence_store_find_member(const wsf_presence *presence, uint32_t chat,
                                        uint64_t user_hash);

/* Opens a chat that is not open; wanted as in wsf_presence_chat. WSFAN_OK, or WSFAN_ENOMEM. */
int wsf_presence_store_open_chat(wsf_presence *presence, uint64_t chat_hash, wsf_peers wanted);
void wsf_presence_store_close_chat(wsf_presence *presence, uint32_t chat); /* if nothing keeps it */

/* add_member: a member without a session. settle: frees a member that nothing keeps, and then its chat. */
int wsf_presence_store_add_member(wsf_presence *presence, uint32_t chat, uint64_t user_hash,
                                  wsfan_bytes user, uint32_t *added);
bool wsf_presence_store_gone(const wsf_presence_member *member); /* kept only for a queue */
void wsf_presence_store_settle(wsf_presence *presence, uint32_t member);

/* A copy, or NULL. A hash of two. */
uint8_t *wsf_presence_store_copy(const void *data, size_t size);
uint64_t wsf_presence_store_mix(uint64_t a, uint64_t b);

/* Without memory a failure is counted, and the value is not queued. */
bool wsf_presence_store_enqueue(wsf_presence *p, wsf_deque *queue, uint32_t value);

#endif
