/* What a recorder does and sees, as records in memory that it shares with the test. So nothing is
 * lost when it is killed, and the clock of all is the same. */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    EVENTS_MAX = 1 << 17, /* of one life, that the test has not read; a power of two */
    EVENTS_LOOPS = 2,
    EVENTS_CHATS = 32, /* many for few sessions, so that interest comes and goes */
    EVENTS_USERS = 4,
    EVENTS_NOBODY = -1
};

typedef enum {
    EVENT_BORN,      /* id: the node's */
    EVENT_PEER,      /* id: the peer's; number: a wsfan_peer_event; count: a wsfan_reason */
    EVENT_GAP,       /* loop, each is told; id: the peer's; count; number: links with it so far */
    EVENT_INBOX_GAP, /* loop, count */
    EVENT_OPEN,      /* session, loop, user */
    EVENT_CLOSE,     /* session */
    EVENT_JOIN, /* session, chat, shown, history. Of a traveller: slot: its number, from 1; handed; id, number: of the
                        position; size: the rewind_count */
    EVENT_JOINED, /* session, chat; number: a WSFAN_ code; count: of peers that it names; history: it says what
                        became of the position. slot: that, a wsfan_recovery; size: so many are replayed */
    EVENT_POSITION,  /* session, chat; number: its own, from 1. whole: the traveller has that of its
                        join too */
    EVENT_MISSING,   /* session, chat; id: of a peer that the next EVENT_JOINED names */
    EVENT_LEAVE,     /* session, chat */
    EVENT_PRESENCE,  /* loop, chat; number: flags. Its members follow */
    EVENT_MEMBER,    /* loop, chat, user; number: a wsfan_member_event; count: sessions */
    EVENT_PUBLISH,   /* number: its own; chats, user, all, except, size, asked, slot */
    EVENT_REFUSED,   /* number: of a publish that was not accepted after all */
    EVENT_DELIVERED, /* session; id: the publisher's; number: its own; size; replayed */
    EVENT_DAMAGED,   /* a payload that nobody has published */
    EVENT_RESULT,    /* number; whole */
    EVENT_SLEPT,     /* count: ms that it was not run */
    EVENT_BROKEN,    /* number: a recorder_fault; count: what it saw */
    EVENT_END        /* nothing comes any more, and not because it died */
} event_kind;

/* What a traveller hands in when it comes. */
typedef enum { HANDED_NOTHING, HANDED_POSITION, HANDED_RUBBISH } handed_kind;

/* Everything is within its bounds, and what is counted is what happened. */
typedef enum {
    BROKEN_WINDOW,
    BROKEN_QUEUE,
    BROKEN_HELD,
    BROKEN_PUBLISHED,
    BROKEN_DISPATCHED,
    BROKEN_INTEREST, /* what is held of a peer's interest was wrong */
    BROKEN_CALL
} recorder_fault;

typedef struct {
    uint64_t ns;
    uint64_t id;
    uint64_t count;
    uint32_t number;
    uint32_t session;
    uint32_t except; /* a session of the same life; UINT32_MAX: nobody */
    uint32_t chats;  /* bits */
    uint32_t size;
    uint8_t kind;
    uint8_t loop;
    uint8_t chat;
    uint8_t slot; /* of a latest value; 0: it is none */
    int8_t user;
    bool shown; /* with presence */
    bool history;
    bool replayed;
    uint8_t handed; /* a handed_kind */
    bool all;
    bool asked;
    bool whole;
} event;

/* Who is in a chat with presence, when all is quiet. */
typedef struct {
    atomic_uint own[EVENTS_USERS]; /* sessions here, of each user */
    atomic_uint sessions;          /* what the node counts, of all nodes */
    atomic_uint users;
    atomic_bool complete;
} chat_count;

enum {
    CONFIG_TEXT_SIZE = 40,
    CONFIG_PEERS_MAX = 26,
    CONFIG_KEYS_MAX = 13,
    CONFIG_KEY_SIZE = 41,
    CONFIG_SERVERS_SIZE = 64
};

typedef struct {
    uint64_t seed;
    char name[CONFIG_TEXT_SIZE];
    char endpoint[CONFIG_TEXT_SIZE];
    char peers[CONFIG_PEERS_MAX][CONFIG_TEXT_SIZE];
    unsigned peers_count;
    char servers[CONFIG_SERVERS_SIZE]; /* of NATS; "": the mesh is over ZeroMQ */
    char secret_key[CONFIG_KEY_SIZE];  /* "": plain text */
    char allow[CONFIG_KEYS_MAX][CONFIG_KEY_SIZE];
    unsigned allow_count;
    bool passes; /* when it is told to finish it goes as a host that is replaced does: what its
                    sessions lack then is nobody's concern */
    uint32_t forget_ms;
    uint32_t history_ms; /* 0: off */
    uint32_t history_count_max;
    uint32_t history_chat_bytes_max;
    int travellers;          /* their descriptor */
    unsigned life;           /* its number among all that were started, from 1 */
    unsigned messages_per_s; /* about */
    unsigned payload_size_max;
} recorder_config;

/* What a node has to wait for; all 0 at rest. */
typedef struct {
    atomic_uint results;                                 /* not told yet */
    atomic_ullong queue_count, window_bytes, held_bytes; /* of all peers together */
    atomic_ullong node;                                  /* a peer that something waits for, or 0 */
} recorder_waits;

/* A peer with which a node has no link: whether it hears it, and is heard. */
typedef struct {
    atomic_ullong node; /* 0: there is none */
    atomic_bool we_hear, hears_us;
    atomic_ullong ended; /* connections to this node that it has ended */
} recorder_apart;

/* One life of a recorder: what the test tells it, what it tells the test. */
typedef struct {
    recorder_config config;
    atomic_bool quiet;   /* by the test: no more load */
    atomic_bool finish;  /* by the test: tell the end and go */
    atomic_llong wall_s; /* by the test: so much is added to the clock that tells the date */
    atomic_uint peers_up;
    recorder_waits waits;
    recorder_apart apart;
    atomic_bool ready;
    atomic_uint looks; /* at all of this, each after it has dispatched everything */
    chat_count chats[EVENTS_CHATS];
    atomic_uint read;         /* by the test: so many events may be overwritten */
    atomic_uint count;        /* of events that are whole */
    event events[EVENTS_MAX]; /* a ring */
} life_log;

#endif
