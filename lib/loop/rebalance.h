/* Which of a loop's chats got another owner, and which of its sessions are to go. */
#ifndef WSF_LOOP_REBALANCE_H
#define WSF_LOOP_REBALANCE_H

#include "loop/subscriptions.h"

enum { WSF_SHED_BATCH = 64 };

typedef struct {
    wsf_view *from;       /* the host was told of moves up to this one; NULL: none was seen yet */
    wsf_view *to;         /* while the chats are gone through */
    wsf_view *next;       /* came meanwhile */
    uint32_t cursor;      /* audiences up to here are done */
    uint32_t shed_cursor; /* session slots up to here were asked to go */
    uint32_t shed_permille;
    uint64_t shed_total; /* sessions when it began */
    uint64_t shed_asked;
} wsf_rebalance;

void wsf_rebalance_destroy(wsf_rebalance *rebalance);

/* Takes over the reference. */
void wsf_rebalance_see(wsf_rebalance *rebalance, wsf_view *view);
bool wsf_rebalance_pending(const wsf_rebalance *rebalance);

/* Goes through at most `*looks` more chats, and takes off what it used. Returns one with members
 * that moved, and its new owner (NULL: nobody); NULL: none among these. */
const wsf_audience *wsf_rebalance_next(wsf_rebalance *rebalance, const wsf_registry *registry,
                                       uint32_t *looks, const wsf_placement_node **owner,
                                       uint32_t *audience);

/* From now on so many of the sessions there were at the first call should be gone. */
void wsf_rebalance_shed(wsf_rebalance *rebalance, const wsf_registry *registry, uint32_t permille);

/* The next sessions to be asked, WSF_SHED_BATCH at most; 0: none for now. */
size_t wsf_rebalance_shed_next(wsf_rebalance *rebalance, const wsf_registry *registry,
                               wsfan_recipient sessions[WSF_SHED_BATCH]);

#endif
