/* Answers for walks over a loop's chats and sessions, a few at a time. A view that comes during a walk waits
 * for its end; of several that wait only the newest is kept. */
#include "loop/rebalance.h"

void wsf_rebalance_destroy(wsf_rebalance *rebalance) {
    wsf_view_unref(rebalance->from);
    wsf_view_unref(rebalance->to);
    wsf_view_unref(rebalance->next);
}

static void begin(wsf_rebalance *rebalance, wsf_view *view) {
    if (rebalance->from == NULL || wsf_view_same(rebalance->from, view)) {
        wsf_view_unref(rebalance->from);
        rebalance->from = view;
        return;
    }
    rebalance->to = view;
    rebalance->cursor = 0;
}

void wsf_rebalance_see(wsf_rebalance *rebalance, wsf_view *view) {
    if (rebalance->to == NULL) {
        begin(rebalance, view);
        return;
    }
    wsf_view_unref(rebalance->next);
    rebalance->next = view;
}

bool wsf_rebalance_pending(const wsf_rebalance *rebalance) {
    return rebalance->to != NULL;
}

static void finish(wsf_rebalance *rebalance) {
    wsf_view *next = rebalance->next;
    wsf_view_unref(rebalance->from);
    rebalance->from = rebalance->to;
    rebalance->to = rebalance->next = NULL;
    if (next != NULL)
        begin(rebalance, next);
}

static bool moved(const wsf_rebalance *rebalance, const wsf_audience *audience,
                  const wsf_placement_node **owner) {
    const wsf_placement_node *before = wsf_view_owner(rebalance->from, audience->hash);
    *owner = wsf_view_owner(rebalance->to, audience->hash);
    return (before != NULL ? before->node : 0) != (*owner != NULL ? (*owner)->node : 0);
}

const wsf_audience *wsf_rebalance_next(wsf_rebalance *rebalance, const wsf_registry *registry,
                                       uint32_t *looks, const wsf_placement_node **owner,
                                       uint32_t *audience) {
    for (; rebalance->to != NULL && *looks > 0; (*looks)--) {
        if (rebalance->cursor >= registry->audiences.slots.used) {
            finish(rebalance);
            continue;
        }
        *audience = rebalance->cursor++;
        const wsf_audience *at = wsf_audiences_at(&registry->audiences, *audience);
        if (at->kind == WSFAN_CHAT && at->members_count > 0 && moved(rebalance, at, owner))
            return at;
    }
    return NULL;
}

void wsf_rebalance_shed(wsf_rebalance *rebalance, const wsf_registry *registry, uint32_t permille) {
    if (rebalance->shed_permille == 0 && rebalance->shed_cursor == 0)
        rebalance->shed_total = registry->session_slots.count;
    rebalance->shed_permille = permille;
}

/* No session opens during a drain, so one pass over the slots suffices; closed slots are skipped. Sessions
 * that close unasked let the pass end before `due` is reached. */
size_t wsf_rebalance_shed_next(wsf_rebalance *rebalance, const wsf_registry *registry,
                               wsfan_recipient sessions[WSF_SHED_BATCH]) {
    uint64_t due = (rebalance->shed_total * rebalance->shed_permille + 999) / 1000;
    size_t count = 0;
    while (count < WSF_SHED_BATCH && rebalance->shed_cursor < registry->session_slots.used &&
           rebalance->shed_asked < due) {
        wsfan_recipient recipient;
        if (!wsf_registry_at(registry, rebalance->shed_cursor++, &recipient))
            continue;
        sessions[count++] = recipient;
        rebalance->shed_asked++;
    }
    return count;
}
