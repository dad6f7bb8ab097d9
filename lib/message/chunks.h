/* Memory of the archive's messages: the chunks of each chat's chain, and of all chats by when something was put in last. What is
 * added counts as the archive's bytes; whether there is room for it, is for the caller to say. */
#ifndef WSF_MESSAGE_CHUNKS_H
#define WSF_MESSAGE_CHUNKS_H

#include "message/archive_state.h"
#include "message/chain.h"

enum { WSF_CHUNK_LARGE = 4088 }; /* bytes of memory, unless one entry takes more */

static inline bool wsf_chunk_is_empty(const struct wsf_archive_chunk *chunk) {
    return chunk->from == chunk->used;
}

/* chunk: NULL: none. */
static inline bool wsf_chunk_has_space(const struct wsf_archive_chunk *chunk, uint32_t need) {
    return chunk != NULL && chunk->size - sizeof *chunk - chunk->used >= need;
}

/* Bytes of memory for a chunk behind another one (NULL: the first) that is to have space for an entry. */
uint32_t wsf_chunk_size(const struct wsf_archive_chunk *before, uint32_t need);

void wsf_chunks_unlink(wsf_archive *archive, struct wsf_archive_chunk *chunk);
void wsf_chunks_link_newest(wsf_archive *archive, struct wsf_archive_chunk *chunk);

/* A new chunk behind another one of the chat; NULL: before all. NULL: no memory. */
struct wsf_archive_chunk *wsf_chunks_add(wsf_archive *archive, struct wsf_archive_chat *chat,
                                         struct wsf_archive_chunk *before, uint32_t size);

void wsf_chunks_free_first(wsf_archive *archive, struct wsf_archive_chat *chat);

/* Makes space for an entry at a place, which may move. That takes two chunks at most, of which one is as large as the entry asks
 * for, the other WSF_CHUNK_LARGE. False: no memory. */
bool wsf_chunks_make_space(wsf_archive *archive, struct wsf_archive_chat *chat, wsf_chain_place *at,
                           uint32_t need);

/* An entry was written to the chunk, which is the newest now. */
static inline void wsf_chunks_note_use(wsf_archive *archive, struct wsf_archive_chunk *chunk,
                                       uint32_t need, uint32_t now) {
    chunk->used += need;
    chunk->stamp = now;
    archive->stats.messages++;
    if (archive->newest == chunk)
        return;
    wsf_chunks_unlink(archive, chunk);
    wsf_chunks_link_newest(archive, chunk);
}

#endif
