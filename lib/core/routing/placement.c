/* Answers for which node owns a chat: rendezvous hashing (Thaler, Ravishankar, "Using name-based
 * mappings to increase hit rates", 1998). Each node gets a number of its own for each chat, and the
 * best one owns it; so a node that comes takes its share from all, and the chats of one that goes
 * are spread over all that stay. No other chat moves.
 *
 * With weights the number is -log(u) / weight for a u in (0, 1), and the smallest is the best
 * (Schindelhauer, Schomaker, "Weighted distributed hash tables", 2005). Everything is in integers:
 * two machines whose libm differ in the last bit would not agree on an owner. */
#include "core/routing/placement.h"

#include <assert.h>

#include "base/memory.h"

enum { LOG_BITS = 24 }; /* binary places of a logarithm */

wsf_view *wsf_view_new(uint32_t count) {
    wsf_view *view = wsf_alloc_zero(1, sizeof *view + count * sizeof(wsf_placement_node));
    if (view == NULL)
        return NULL;
    atomic_init(&view->refs, 1);
    view->count = count;
    return view;
}

wsf_view *wsf_view_ref(wsf_view *view) {
    atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
    return view;
}

void wsf_view_unref(wsf_view *view) {
    if (view != NULL && atomic_fetch_sub_explicit(&view->refs, 1, memory_order_acq_rel) == 1)
        wsf_free(view);
}

uint64_t wsf_placement_hash(const wsf_hash_key *key, const char *name) {
    /* A kind that no target has, so that a chat of the same name has another hash. */
    wsfan_target target = { (wsfan_target_kind)0, wsfan_string(name) };
    return wsf_hash_target(key, &target);
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood, 2014). Both hashes are keyed and random. */
static uint64_t mix(uint64_t chat, uint64_t node) {
    uint64_t z = chat + node;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t wsf_placement_rank(uint64_t chat, uint64_t node_hash) {
    return mix(chat, node_hash);
}

/* -log2(u / 2^64) with LOG_BITS bits behind the point, for 0 < u. */
static uint64_t negative_log2(uint64_t u) {
    unsigned whole = 63;
    while ((u & UINT64_C(1) << 63) == 0) {
        u <<= 1;
        whole--;
    }
    uint64_t log = whole;
    uint64_t m = u >> 32; /* in [1, 2), 31 bits behind the point: squaring doubles its logarithm */
    for (int i = 0; i < LOG_BITS; i++) {
        m = m * m >> 31;
        log = log << 1 | m >> 32;
        m >>= m >> 32;
    }
    return (UINT64_C(64) << LOG_BITS) - log;
}

/* A node's cost is divided by its weight. Costs are below 2^30, weights below 2^10. */
static bool comes_before(const wsf_placement_node *a, uint64_t a_cost, const wsf_placement_node *b,
                         uint64_t b_cost) {
    uint64_t here = a_cost * b->weight;
    uint64_t there = b_cost * a->weight;
    return here < there || (here == there && a->hash < b->hash);
}

uint32_t wsf_view_first(const wsf_view *view, uint64_t chat, uint32_t max,
                        const wsf_placement_node *first[WSF_VIEW_FIRST_MAX]) {
    uint64_t costs[WSF_VIEW_FIRST_MAX];
    uint32_t count = 0;
    assert(max > 0 && max <= WSF_VIEW_FIRST_MAX);
    for (uint32_t i = 0; i < view->count; i++) {
        const wsf_placement_node *place = &view->places[i];
        uint64_t cost = negative_log2(mix(chat, place->hash) | 1);
        if (count == max && !comes_before(place, cost, first[max - 1], costs[max - 1]))
            continue;
        uint32_t at = count < max ? count++ : max - 1;
        for (; at > 0 && comes_before(place, cost, first[at - 1], costs[at - 1]); at--) {
            first[at] = first[at - 1];
            costs[at] = costs[at - 1];
        }
        first[at] = place;
        costs[at] = cost;
    }
    return count;
}

const wsf_placement_node *wsf_view_owner(const wsf_view *view, uint64_t chat) {
    const wsf_placement_node *first[WSF_VIEW_FIRST_MAX];
    return wsf_view_first(view, chat, 1, first) > 0 ? first[0] : NULL;
}

bool wsf_view_same(const wsf_view *a, const wsf_view *b) {
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->places[i].node != b->places[i].node || a->places[i].weight != b->places[i].weight)
            return false;
    return true;
}
