/* A chat's messages in the archive: a chain of chunks, each with entries one after another (see kept.h). Older messages that join
 * later stand before those that were there, up to and with the chunk `filled`.
 *
 * All chunks of an archive are in one more list, by when something was put in last. */
#ifndef WSF_MESSAGE_CHAIN_H
#define WSF_MESSAGE_CHAIN_H

#include "base/bounds.h"
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
    struct wsf_archive_chunk *filled; /* NULL: no message that joined later is left */
    char *name;                       /* of the first message's target; NULL: there was none yet */
    wsf_bounds since;
    wsf_bounds floor;
    uint64_t lost; /* the newest clock given up since wsf_archive_fill() */
    uint64_t
        joined; /* the newest clock of messages that joined later: others may be there already */
    uint32_t count;
    uint32_t bytes; /* of entries and buffers */
    uint32_t name_size;
    uint32_t first_stamp; /* of the first message, if there is one */
    uint32_t filled_stamp;
    uint32_t round; /* the last message with several targets */
};

static inline wsfan_bytes wsf_chain_name(const struct wsf_archive_chat *chat) {
    return (wsfan_bytes){ chat->name, chat->name_size };
}

/* The next entry, in the order of the chain; begin with the first chunk and its `from`. NULL: there is none. */
const uint8_t *wsf_chain_next(const struct wsf_archive_chunk **chunk, uint32_t *offset);

/* Whether a message of the origin above the clock is there. */
bool wsf_chain_has_above(const struct wsf_archive_chat *chat, uint64_t origin, uint64_t clock);

/* All messages that a query lets through, sorted, with room for as many behind them; freed with wsf_free(). NULL: no memory. */
wsf_kept_ref *wsf_chain_gather(const struct wsf_archive_chat *chat, const wsf_kept_query *query,
                               uint32_t *count);

/* Copies of what a query lets through, sorted by id. NULL: out of memory. */
wsf_kept_list *wsf_chain_list(const struct wsf_archive_chat *chat, const wsf_kept_query *query,
                              uint32_t now_ms);

#endif
