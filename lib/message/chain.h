/* A chat's messages in the archive: a chain of chunks, each with entries one after another (see kept.h), the oldest first. Messages
 * that another node told of join those of their age.
 *
 * All chunks of an archive are in one more list, by when something was put in last. What is done with it: see archive.h. */
#ifndef WSF_MESSAGE_CHAIN_H
#define WSF_MESSAGE_CHAIN_H

#include "base/bounds.h"
#include "base/slots.h"
#include "base/table.h"
#include "message/kept.h"

struct wsf_archive_chunk {
    struct wsf_archive_chunk *next; /* of the chat */
    struct wsf_archive_chunk *older;
    struct wsf_archive_chunk *newer;
    uint32_t chat;
    uint32_t stamp; /* when something was put in last */
    uint32_t size;  /* bytes of memory */
    uint32_t from;  /* of `bytes`: entries before it were given up */
    uint32_t used;
    _Alignas(8) uint8_t bytes[];
};

struct wsf_archive_chat {
    uint64_t hash; /* of a free row: what wsf_slots_free() wrote */
    struct wsf_archive_chunk *first;
    struct wsf_archive_chunk *last;
    struct wsf_archive_chunk *filled; /* has the message that joined last; NULL: that is gone */
    char *name;                       /* of the first message's target; NULL: there was none yet */
    wsf_bounds since;
    wsf_bounds floor;
    uint64_t lost; /* the newest clock given up since wsf_archive_fill() */
    uint64_t
        joined; /* the newest clock of messages that joined later: others may be there already */
    uint32_t count;
    uint32_t bytes; /* of entries and buffers */
    uint32_t name_size;
    uint32_t first_stamp;  /* of the first message, if there is one */
    uint32_t filled_stamp; /* of the message that joined last, */
    uint32_t filled_to;    /* which ends there in its chunk */
    uint32_t round;        /* the last message with several targets */
};

typedef struct {
    uint32_t count_max;      /* messages of a chat, >= 1 */
    uint32_t chat_bytes_max; /* of them, with buffers that they refer to; >= 1024 */
    uint32_t age_ms_max;     /* >= 1, below 2^31 */
    uint64_t bytes_max;      /* of memory, of all chats */
} wsf_archive_limits;

typedef struct {
    uint64_t messages; /* kept now */
    uint64_t bytes; /* memory of chats, chunks and buffers; spare rows and the table not counted */
    uint64_t evicted; /* for a limit or for lack of memory, so far; some before they were kept */
    uint64_t expired; /* for their age, so far */
} wsf_archive_stats;

typedef struct {
    wsf_archive_limits limits;
    uint64_t clock_max; /* what is given up raises floors no higher; see wsf_archive_pass() */
    wsf_archive_stats stats;
    wsf_table table;
    wsf_slots slots; /* slots.count: open chats */
    struct wsf_archive_chat *chats;
    struct wsf_archive_chunk *oldest; /* by when the last message was put in */
    struct wsf_archive_chunk *newest;
    uint32_t round; /* of messages with several targets */
} wsf_archive;

static inline wsfan_bytes wsf_chain_name(const struct wsf_archive_chat *chat) {
    return (wsfan_bytes){ chat->name, chat->name_size };
}

/* The next entry, in the order of the chain; begin with the first chunk and its `from`. NULL: there is none. */
const uint8_t *wsf_chain_next(const struct wsf_archive_chunk **chunk, uint32_t *offset);

/* Before an entry of a chunk, or behind its last one. */
typedef struct {
    struct wsf_archive_chunk *chunk; /* NULL: the chat has none */
    uint32_t offset;
} wsf_chain_place;

/* Where a message joins: behind the one that did last, and behind all that are older. */
wsf_chain_place wsf_chain_place_for(const struct wsf_archive_chat *chat, uint32_t stamp,
                                    uint32_t now);

/* Whether nothing in the chat is before the place. */
static inline bool wsf_chain_is_front(const struct wsf_archive_chat *chat, wsf_chain_place at) {
    return at.chunk == NULL || (at.chunk == chat->first && at.offset == at.chunk->from);
}

/* Whether a message of the origin above the clock is there. */
bool wsf_chain_has_above(const struct wsf_archive_chat *chat, uint64_t origin, uint64_t clock);

/* All messages that a query lets through, sorted, with room for as many behind them; freed with wsf_free(). NULL: no memory. */
wsf_kept_ref *wsf_chain_gather(const struct wsf_archive_chat *chat, const wsf_kept_query *query,
                               uint32_t *count);

/* Copies of what a query lets through, sorted by id. NULL: out of memory. */
wsf_kept_list *wsf_chain_list(const struct wsf_archive_chat *chat, const wsf_kept_query *query,
                              uint32_t now_ms);

#endif
