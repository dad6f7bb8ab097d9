/* Which node owns a chat: the same answer wherever the same nodes are seen. */
#ifndef WSF_CORE_ROUTING_PLACEMENT_H
#define WSF_CORE_ROUTING_PLACEMENT_H

#include "wire/encode.h"

/* A node that may own chats. */
typedef struct {
    uint64_t node;
    uint64_t hash;   /* of its name: a restart under the same name gets its chats back */
    uint32_t weight; /* 1..WSF_WEIGHT_MAX */
    bool up;         /* not silent just now; does not change who owns */
    char name[WSF_NAME_SIZE_MAX + 1];
    char address[WSF_PUBLIC_SIZE_MAX + 1]; /* for clients */
} wsf_placement_node;

/* The nodes that may own chats, as one node sees them at one time. Immutable and shared. */
typedef struct {
    atomic_uint refs;
    uint32_t count;
    wsf_placement_node places[];
} wsf_view;

wsf_view *wsf_view_new(uint32_t count); /* one reference; NULL: out of memory */
wsf_view *wsf_view_ref(wsf_view *view);
void wsf_view_unref(wsf_view *view); /* NULL is allowed */

uint64_t wsf_placement_hash(const wsf_hash_key *key, const char *name);

/* The owner of a chat, by its wsf_hash_target(). NULL: no node may own it. */
const wsf_placement_node *wsf_view_owner(const wsf_view *view, uint64_t chat);

/* The first `max` nodes of a chat's order, which begins with its owner: those that would own it one after the other, as
 * nodes go. Returns how many there are. */
enum { WSF_VIEW_FIRST_MAX = 4 };
uint32_t wsf_view_first(const wsf_view *view, uint64_t chat, uint32_t max,
                        const wsf_placement_node *first[WSF_VIEW_FIRST_MAX]);
/* Where a node stands in a chat's order, if all have the same weight: before those with a lesser one. */
uint64_t wsf_placement_rank(uint64_t chat, uint64_t node_hash);

/* Whether both views give every chat to the same node. */
bool wsf_view_same(const wsf_view *a, const wsf_view *b);

#endif
