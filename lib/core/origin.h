/* How far a node got with one publisher, and all that changes that but marks: see witness.c. */
#ifndef WSF_CORE_ORIGIN_H
#define WSF_CORE_ORIGIN_H

#include "core/state.h"

/* How far this node got with the messages of one node: those above `whole`, up to `clock`, it took all, of
 * those that the origin sent to it or should have. */
struct wsf_origin {
    uint64_t node;    /* 0: free */
    uint64_t seen_ms; /* it was a peer then */
    uint64_t clock;
    uint64_t whole;
    uint64_t last;    /* clock of its last message to anybody, as it said in its newest mark, */
    uint64_t said;    /* of its messages up to here */
    uint64_t changed; /* of witness.changes: the newest gap, or what is known of it */
    uint64_t took;    /* clock of its last message that was taken, or that another node told of */
    /* Where our clock cannot follow its: the first message behind a gap, our clock when it came, and the first one behind any
     * gap for as long as `clock` is not past it; 0: none. */
    uint64_t far;
    uint64_t far_at;
    uint64_t far_first;
    uint64_t
        left; /* our clock when it was no longer up, or soon after; 0: it is up, or was lately */

    /* Some may be missing, and nobody has said yet up to which clock: nothing is whole. A mark of the peer that covers
     * this frame says it. */
    bool open;
    bool bare; /* no message has come since the gap */
    uint64_t open_number;

    /* Messages may be missing of which the host is to be told (WSFAN_GAP_AWAY): until that, and until a mark says
     * that the origin knew our interest up to `skipped`, `frozen_clock` is as far as this node got. */
    bool frozen;
    bool untold; /* the gap is to be told with that mark; else it comes by another way */
    uint64_t frozen_clock;
    uint64_t skipped;
    uint64_t thawed; /* of witness.changes: since then it is not frozen, or is anew */
};

/* All messages of the origin up to here were taken, or the host was told of a gap, or may not have been meant for
 * this node. Which of them were taken, `whole` and `open` say. */
static inline uint64_t wsf_origin_reached(const wsf_origin *origin) {
    return origin->frozen ? origin->frozen_clock : origin->clock;
}

/* Clock of its last message that this node knows of, or a later one. Those up to `whole` that did not come are known of, too. */
static inline uint64_t wsf_origin_last(const wsf_origin *origin) {
    uint64_t came = origin->took > origin->last ? origin->took : origin->last;
    return came > origin->whole ? came : origin->whole;
}

/* A message of the peer was taken. Those before it came before it, or are of a gap, unless it is a latest value, which
 * overtakes. */
static inline void wsf_origin_took(const wsf_core *core, const wsf_peer *peer, uint64_t clock,
                                   bool overtakes) {
    wsf_origin *origin = peer->witness.origin;
    if (origin == NULL)
        return;
    if (origin->took < clock)
        origin->took = clock;
    if (clock > core->clock && origin->bare) {
        origin->far_first = origin->far > origin->clock ? origin->far_first : clock;
        origin->far = clock;
        origin->far_at = core->clock;
    } else if (clock <= core->clock && !overtakes && origin->clock < clock) {
        origin->clock = clock;
    }
    origin->bare = origin->bare && overtakes;
}

/* Messages may be missing up to a clock that nobody has said. number: a mark that covers this frame will say it. */
static inline void wsf_origin_open(wsf_core *core, wsf_origin *origin, uint64_t number) {
    origin->open = origin->bare = true;
    origin->open_number = number;
    origin->changed = ++core->witness.changes;
}

/* Messages of the peer may be missing, none newer than `clock`; 0: nobody knows. */
static inline void wsf_origin_gap(wsf_core *core, const wsf_peer *peer, uint64_t clock) {
    wsf_origin *origin = peer->witness.origin;
    if (origin == NULL)
        return;
    origin->changed = ++core->witness.changes;
    if (clock == 0 || clock > core->clock)
        wsf_origin_open(core, origin,
                        peer->link.in_expected - 1); /* the frame in hand, or the last one */
    else if (clock > origin->whole)
        origin->whole = clock;
}

static inline void wsf_origin_freeze(wsf_origin *origin) {
    origin->frozen_clock = wsf_origin_reached(origin);
    origin->frozen = true;
}

#endif
