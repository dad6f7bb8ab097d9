/* Answers for where chunks are: in the chain of their chat, and in the list of all. Knows no limit. */
#include "message/chunks.h"

#include <string.h>

#include "base/memory.h"

/* With what malloc() adds, the larger ones are a quarter of a page and a page. */
enum { CHUNK_SMALL = 248, CHUNK_MIDDLE = 1016 };

uint32_t wsf_chunk_size(const struct wsf_archive_chunk *before, uint32_t need) {
    uint32_t least = need + (uint32_t)sizeof(struct wsf_archive_chunk);
    if (least > WSF_CHUNK_LARGE)
        return least;
    if (least > CHUNK_MIDDLE || (before != NULL && before->size >= CHUNK_MIDDLE))
        return WSF_CHUNK_LARGE;
    return least > CHUNK_SMALL || before != NULL ? CHUNK_MIDDLE : CHUNK_SMALL;
}

void wsf_chunks_unlink(wsf_archive *archive, struct wsf_archive_chunk *chunk) {
    if (chunk->older != NULL)
        chunk->older->newer = chunk->newer;
    else
        archive->oldest = chunk->newer;
    if (chunk->newer != NULL)
        chunk->newer->older = chunk->older;
    else
        archive->newest = chunk->older;
}

void wsf_chunks_link_newest(wsf_archive *archive, struct wsf_archive_chunk *chunk) {
    chunk->older = archive->newest;
    chunk->newer = NULL;
    if (archive->newest != NULL)
        archive->newest->newer = chunk;
    else
        archive->oldest = chunk;
    archive->newest = chunk;
}

void wsf_chunks_free_first(wsf_archive *archive, struct wsf_archive_chat *chat) {
    struct wsf_archive_chunk *chunk = chat->first;
    chat->first = chunk->next;
    if (chat->last == chunk)
        chat->last = NULL;
    if (chat->filled == chunk)
        chat->filled = NULL;
    wsf_chunks_unlink(archive, chunk);
    archive->stats.bytes -= chunk->size;
    wsf_free(chunk);
}

struct wsf_archive_chunk *wsf_chunks_add(wsf_archive *archive, struct wsf_archive_chat *chat,
                                         struct wsf_archive_chunk *before, uint32_t size) {
    struct wsf_archive_chunk *chunk = wsf_alloc(size);
    if (chunk == NULL)
        return NULL;
    *chunk = (struct wsf_archive_chunk){ .size = size };
    chunk->chat = (uint32_t)(chat - archive->chats);
    chunk->next = before != NULL ? before->next : chat->first;
    if (before != NULL)
        before->next = chunk;
    else
        chat->first = chunk;
    if (chunk->next == NULL)
        chat->last = chunk;
    while (chat->first != chunk && wsf_chunk_is_empty(chat->first))
        wsf_chunks_free_first(archive, chat);
    wsf_chunks_link_newest(archive, chunk);
    archive->stats.bytes += size;
    return chunk;
}

/* Moves what is behind the place to a chunk of its own. False: no memory. */
static bool split(wsf_archive *archive, struct wsf_archive_chat *chat, wsf_chain_place at) {
    uint32_t size = at.chunk->used - at.offset;
    struct wsf_archive_chunk *chunk = wsf_chunks_add(archive, chat, at.chunk,
                                                     wsf_chunk_size(at.chunk, size));
    if (chunk == NULL)
        return false;
    memcpy(chunk->bytes, at.chunk->bytes + at.offset, size);
    chunk->used = size;
    chunk->stamp = chunk->older->stamp; /* it is the newest now */
    at.chunk->used = at.offset;
    return true;
}

bool wsf_chunks_make_space(wsf_archive *archive, struct wsf_archive_chat *chat, wsf_chain_place *at,
                           uint32_t need) {
    if (!wsf_chunk_has_space(at->chunk, need)) {
        struct wsf_archive_chunk *before = wsf_chain_is_front(chat, *at) ? NULL : at->chunk;
        if (before != NULL && at->offset < before->used && !split(archive, chat, *at))
            return false;
        if (!wsf_chunk_has_space(before, need))
            *at = (wsf_chain_place){
                wsf_chunks_add(archive, chat, before, wsf_chunk_size(before, need)), 0
            };
    }
    struct wsf_archive_chunk *chunk = at->chunk;
    if (chunk == NULL)
        return false;
    memmove(chunk->bytes + at->offset + need, chunk->bytes + at->offset, chunk->used - at->offset);
    return true;
}
