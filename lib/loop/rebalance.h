/* Which of a loop's chats got another owner, and which of its sessions a drain asks to go. */
#ifndef WSF_LOOP_REBALANCE_H
#define WSF_LOOP_REBALANCE_H

#include "loop/subscriptions.h"

enum { WSF_SHED_BATCH = 64 };

typedef struct {
    wsf_view *from;  /* the host knows the owners of this view; NULL: none was seen yet */
    wsf_view *to;    /* the walk looks for chats with another owner in this view; NULL: no walk */
    wsf_view *next;  /* the newest view that came during the walk; NULL: none */
    uint32_t cursor; /* audiences below are done */
    uint32_t shed_cursor; /* session slots below are done */
    uint32_t shed_permille;
    uint64_t shed_total; /* sessions at the first wsf_rebalance_shed() */
    uint64_t shed_asked;
} wsf_rebalance;

void wsf_rebalance_destroy(wsf_rebalance *rebalance);

/* Takes over the reference to the view. */
void wsf_rebalance_see(wsf_rebalance *rebalance, wsf_view *view);
bool wsf_rebalance_pending(const wsf_rebalance *rebalance);

/* Walks on over at most *looks audiences and subtracts those. Returns a chat with members whose owner
 * changed, and its new owner (NULL: no node); NULL: there is none among these. */
const wsf_audience *wsf_rebalance_next(wsf_rebalance *rebalance, const wsf_registry *registry,
                                       uint32_t *looks, const wsf_placement_node **owner,
                                       uint32_t *audience);

/* permille: the part of the sessions, counted at the first call, that should have been asked to go by now. */
void wsf_rebalance_shed(wsf_rebalance *rebalance, const wsf_registry *registry, uint32_t permille);

/* The next sessions to ask, WSF_SHED_BATCH at most; 0: none for now. */
size_t wsf_rebalance_shed_next(wsf_rebalance *rebalance, const wsf_registry *registry,
                               wsfan_recipient sessions[WSF_SHED_BATCH]);

#endif
