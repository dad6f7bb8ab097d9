/* Sets of peers. A peer is a number below WSF_PEERS_MAX, its place in the core. Only this file knows the
 * width. */
#ifndef WSF_BASE_PEERS_H
#define WSF_BASE_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

enum { WSF_PEERS_WORDS = (WSF_PEERS_MAX + 63) / 64 };

typedef struct {
    uint64_t words[WSF_PEERS_WORDS]; /* all 0: empty */
} wsf_peers;

static inline bool wsf_peers_has(wsf_peers set, unsigned peer) {
    return (set.words[peer / 64] >> peer % 64 & 1) != 0;
}

static inline void wsf_peers_add(wsf_peers *set, unsigned peer) {
    set->words[peer / 64] |= UINT64_C(1) << peer % 64;
}

static inline void wsf_peers_remove(wsf_peers *set, unsigned peer) {
    set->words[peer / 64] &= ~(UINT64_C(1) << peer % 64);
}

static inline void wsf_peers_put(wsf_peers *set, unsigned peer, bool in) {
    if (in)
        wsf_peers_add(set, peer);
    else
        wsf_peers_remove(set, peer);
}

static inline bool wsf_peers_is_empty(wsf_peers set) {
    uint64_t any = 0;
    for (unsigned i = 0; i < WSF_PEERS_WORDS; i++)
        any |= set.words[i];
    return any == 0;
}

static inline unsigned wsf_peers_count(wsf_peers set) {
    unsigned count = 0;
    for (unsigned i = 0; i < WSF_PEERS_WORDS; i++)
        count += (unsigned)__builtin_popcountll(set.words[i]);
    return count;
}

/* One more than the highest peer; 0: the set is empty. */
static inline unsigned wsf_peers_end(wsf_peers set) {
    for (unsigned i = WSF_PEERS_WORDS; i-- > 0;)
        if (set.words[i] != 0)
            return 64 * i + 64 - (unsigned)__builtin_clzll(set.words[i]);
    return 0;
}

/* How many of the set have a lower number than `peer`. */
static inline unsigned wsf_peers_count_below(wsf_peers set, unsigned peer) {
    unsigned count = 0;
    for (unsigned i = 0; i < peer / 64; i++)
        count += (unsigned)__builtin_popcountll(set.words[i]);
    uint64_t below = set.words[peer / 64] & ((UINT64_C(1) << peer % 64) - 1);
    return count + (unsigned)__builtin_popcountll(below);
}

static inline wsf_peers wsf_peers_union(wsf_peers a, wsf_peers b) {
    for (unsigned i = 0; i < WSF_PEERS_WORDS; i++)
        a.words[i] |= b.words[i];
    return a;
}

static inline wsf_peers wsf_peers_intersection(wsf_peers a, wsf_peers b) {
    for (unsigned i = 0; i < WSF_PEERS_WORDS; i++)
        a.words[i] &= b.words[i];
    return a;
}

/* The peers of `a` that are not in `b`. */
static inline wsf_peers wsf_peers_difference(wsf_peers a, wsf_peers b) {
    for (unsigned i = 0; i < WSF_PEERS_WORDS; i++)
        a.words[i] &= ~b.words[i];
    return a;
}

/* Removes and returns the lowest peer; WSF_PEERS_MAX: the set is empty. Popping from a copy walks a set. */
static inline unsigned wsf_peers_pop(wsf_peers *set) {
    for (unsigned i = 0; i < WSF_PEERS_WORDS; i++) {
        uint64_t word = set->words[i];
        if (word == 0)
            continue;
        set->words[i] = word & (word - 1);
        return 64 * i + (unsigned)__builtin_ctzll(word);
    }
    return WSF_PEERS_MAX;
}

#endif
