/* Answers for going through a loop's chats and sessions a few at a time, however many there are: a
 * view that comes while an older one is gone through waits, and of several only the newest. */
#include "moves.h"

void wsf_moves_destroy(wsf_moves *moves) {
    wsf_view_unref(moves->from);
    wsf_view_unref(moves->to);
    wsf_view_unref(moves->next);
}

static void begin(wsf_moves *moves, wsf_view *view) {
    if (moves->from == NULL || wsf_view_same(moves->from, view)) {
        wsf_view_unref(moves->from);
        moves->from = view;
        return;
    }
    moves->to = view;
    moves->cursor = 0;
}

void wsf_moves_see(wsf_moves *moves, wsf_view *view) {
    if (moves->to == NULL) {
        begin(moves, view);
        return;
    }
    wsf_view_unref(moves->next);
    moves->next = view;
}

bool wsf_moves_pending(const wsf_moves *moves) {
    return moves->to != NULL;
}

static void finish(wsf_moves *moves) {
    wsf_view *next = moves->next;
    wsf_view_unref(moves->from);
    moves->from = moves->to;
    moves->to = moves->next = NULL;
    if (next != NULL)
        begin(moves, next);
}

static bool moved(const wsf_moves *moves, const wsf_audience *audience, const wsf_place **owner) {
    const wsf_place *before = wsf_view_owner(moves->from, audience->hash);
    *owner = wsf_view_owner(moves->to, audience->hash);
    return (before != NULL ? before->node : 0) != (*owner != NULL ? (*owner)->node : 0);
}

const wsf_audience *wsf_moves_next(wsf_moves *moves, const wsf_registry *registry, uint32_t *looks,
                                   const wsf_place **owner, uint32_t *audience) {
    for (; moves->to != NULL && *looks > 0; (*looks)--) {
        if (moves->cursor >= registry->audiences_used) {
            finish(moves);
            continue;
        }
        *audience = moves->cursor++;
        const wsf_audience *at = wsf_registry_audience(registry, *audience);
        if (at->kind == WSFAN_CHAT && at->members_count > 0 && moved(moves, at, owner))
            return at;
    }
    return NULL;
}

void wsf_moves_shed(wsf_moves *moves, const wsf_registry *registry, uint32_t permille) {
    if (moves->shed_permille == 0 && moves->shed_cursor == 0)
        moves->shed_total = registry->sessions_count;
    moves->shed_permille = permille;
}

/* Nobody comes any more. Who goes unasked makes it end sooner. */
size_t wsf_moves_shed_next(wsf_moves *moves, const wsf_registry *registry,
                           wsfan_recipient sessions[WSF_SHED_BATCH]) {
    uint64_t due = (moves->shed_total * moves->shed_permille + 999) / 1000;
    size_t count = 0;
    while (count < WSF_SHED_BATCH && moves->shed_cursor < registry->sessions_used &&
           moves->shed_asked < due) {
        wsfan_recipient recipient;
        if (!wsf_registry_at(registry, moves->shed_cursor++, &recipient))
            continue;
        sessions[count++] = recipient;
        moves->shed_asked++;
    }
    return count;
}
