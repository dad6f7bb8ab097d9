/* What this node has of one origin's messages for a chat that it keeps. */
#ifndef WSF_CORE_HISTORY_EXTENT_H
#define WSF_CORE_HISTORY_EXTENT_H

#include <wsfan/history.h>

#include "core/state.h"

/* All messages of the origin for the chat above the greatest of the first three, up to `to`. */
typedef struct {
    uint64_t since; /* the history has no more from further back */
    uint64_t floor; /* some up to here were given up */
    uint64_t whole; /* some up to here did not come */
    uint64_t to;
    bool skipped; /* what is above `to` may not come, and then the host is told of a gap */
    bool
        open; /* a gap of which the end is not known yet: nothing above `whole` is said to have come */
} wsf_extent;

static inline uint64_t wsf_extent_from(const wsf_extent *extent) {
    uint64_t from = extent->since > extent->floor ? extent->since : extent->floor;
    return from > extent->whole ? from : extent->whole;
}

/* Whether the origin's word of its last message counts: it was told when the origin knew what this node wants, and what was published
 * later has come. Of one that is gone nobody knows what it published later. */
bool wsf_extent_has_word(const wsf_core *core, const wsf_origin *origin);

/* chat: its number in the archive. node: any, this one included; 0: one that nobody here knows. */
wsf_extent wsf_extent_of(const wsf_core *core, uint32_t chat, uint64_t node);

/* Whether that is all that `seen` does not cover, of all origins, as far as each has reached this node or the one that was
 * asked: WSFAN_RECOVERY_WHOLE. Else what is in the way: OLD, UNKEPT or GAP. */
wsfan_recovery wsf_extent_lacks(const wsf_core *core, uint32_t chat, const wsf_vector *seen);

/* Up to this clock the chat lacks nothing of it, of no origin; 0: it goes back less far than that, and not for gaps alone. */
uint64_t wsf_extent_lacks_above(const wsf_core *core, uint32_t chat, const wsf_vector *seen);

/* Above this clock nothing is missing, of no origin but those whose clock is far ahead; */
uint64_t wsf_extent_begin(const wsf_core *core, uint32_t chat);
/* and above this nothing of these either. */
void wsf_extent_begins(const wsf_core *core, uint32_t chat, wsf_vector *begin);

/* Up to where another node's messages must reach, so that ours go on from there. */
uint64_t wsf_extent_reach(const wsf_core *core, uint32_t chat);

/* Neither positions of the chat nor what is replayed may go beyond this of an origin, until the host was told of the gap: only so
 * far did the node get from which the history came. False: there is no such bound. */
bool wsf_extent_cap(const wsf_core *core, uint32_t chat, uint64_t node, uint64_t *clock);

/* Of an origin that is skipped, or that nobody here knows, the chat has all up to `clock`. One cap for each: that of before stays.
 * False: no memory. */
bool wsf_extent_set_cap(wsf_core *core, uint32_t chat, uint64_t node, uint64_t clock);

/* Takes out caps that hold no more. */
void wsf_extent_sweep_caps(wsf_core *core, uint32_t chat);

/* Walks the origins that nobody here knows and that have a cap in the chat; begin with *cursor = 0. 0 at the end. */
uint64_t wsf_extent_next_stranger(const wsf_core *core, uint32_t chat, uint32_t *cursor);

/* Tells a recovery the chat's caps. False: no memory. */
bool wsf_extent_tell_caps(const wsf_core *core, uint32_t chat, wsf_recovery *recovery);

/* Whether this node knows an origin with this low half of its id; itself it does. */
bool wsf_extent_knows(const wsf_core *core, uint32_t origin);

/* Walks the origins that this node knows, itself first; begin with *cursor = 0. 0 at the end. */
uint64_t wsf_extent_next(const wsf_core *core, uint32_t *cursor);

#endif
