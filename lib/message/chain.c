/* Answers for what is read of a chat: its entries, and lists of them. */
#include "message/chain.h"

#include "base/memory.h"

const uint8_t *wsf_chain_next(const struct wsf_archive_chunk **chunk, uint32_t *offset) {
    while (*chunk != NULL && *offset == (*chunk)->used) {
        *chunk = (*chunk)->next;
        *offset = *chunk != NULL ? (*chunk)->from : 0;
    }
    if (*chunk == NULL)
        return NULL;
    const uint8_t *at = (*chunk)->bytes + *offset;
    *offset += (uint32_t)wsf_kept_size_at(at);
    return at;
}

static bool is_older(const struct wsf_archive_chunk *chunk, uint32_t offset, uint32_t stamp,
                     uint32_t now) {
    return offset < chunk->used &&
           now - wsf_kept_head_at(chunk->bytes + offset)->stamp > now - stamp;
}

wsf_chain_place wsf_chain_place_for(const struct wsf_archive_chat *chat, uint32_t stamp,
                                    uint32_t now) {
    wsf_chain_place at = { chat->filled, chat->filled_to };
    if (at.chunk == NULL && (at.chunk = chat->first) == NULL)
        return at;
    if (chat->filled == NULL || at.offset < at.chunk->from)
        at.offset = at.chunk->from;
    for (;;) {
        while (is_older(at.chunk, at.offset, stamp, now))
            at.offset += (uint32_t)wsf_kept_size_at(at.chunk->bytes + at.offset);
        struct wsf_archive_chunk *next = at.chunk->next;
        while (next != NULL && next->from == next->used)
            next = next->next;
        if (at.offset < at.chunk->used || next == NULL || !is_older(next, next->from, stamp, now))
            return at;
        at = (wsf_chain_place){ next, next->from };
    }
}

bool wsf_chain_has_above(const struct wsf_archive_chat *chat, uint64_t origin, uint64_t clock) {
    const struct wsf_archive_chunk *chunk = chat->first;
    uint32_t offset = chunk != NULL ? chunk->from : 0;
    const uint8_t *at;
    while ((at = wsf_chain_next(&chunk, &offset)) != NULL)
        if (wsf_kept_head_at(at)->id.origin == origin && wsf_kept_head_at(at)->id.clock > clock)
            return true;
    return false;
}

wsf_kept_ref *wsf_chain_gather(const struct wsf_archive_chat *chat, const wsf_kept_query *query,
                               uint32_t *count) {
    wsf_kept_ref *refs = wsf_alloc((2 * (size_t)chat->count + 1) * sizeof *refs);
    const struct wsf_archive_chunk *chunk = chat->first;
    uint32_t offset = chunk != NULL ? chunk->from : 0;
    const uint8_t *at;
    *count = 0;
    while (refs != NULL && (at = wsf_chain_next(&chunk, &offset)) != NULL) {
        wsfan_message_id id = wsf_kept_head_at(at)->id;
        if ((query->above == NULL || !wsf_vector_covers(query->above, id)) &&
            (query->up_to == NULL || wsf_vector_covers(query->up_to, id)) &&
            wsf_kept_id_less(query->after, id) && !wsf_kept_leaves_out(at, query->except))
            refs[(*count)++] = (wsf_kept_ref){ id, at };
    }
    if (refs != NULL)
        wsf_kept_sort(refs, *count);
    return refs;
}

wsf_kept_list *wsf_chain_list(const struct wsf_archive_chat *chat, const wsf_kept_query *query,
                              uint32_t now_ms) {
    uint32_t count;
    wsf_kept_ref *refs = wsf_chain_gather(chat, query, &count);
    if (refs == NULL)
        return NULL;
    uint32_t from = query->last_max != 0 && query->last_max < count ? count - query->last_max : 0;
    uint32_t to = count;
    if (query->bytes_max != 0)
        to = from + wsf_kept_fit(refs + from, count - from, query->bytes_max);
    wsf_kept_list *list = wsf_kept_list_new(refs + from, to - from, wsf_chain_name(chat), now_ms);
    if (list != NULL)
        list->more = to < count;
    wsf_free(refs);
    return list;
}
