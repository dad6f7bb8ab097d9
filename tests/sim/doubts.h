/* What a node may have against a position that is handed in there. */
#ifndef DOUBTS_H
#define DOUBTS_H

#include "base/bounds.h"
#include "base/vector.h"
#include "core/core.h"

/* The clock of a peer is too far off, ahead or behind. */
bool doubts_far(const wsf_core *core, const wsf_vector *seen);

/* The position is of a clock that the node's must not follow. */
bool doubts_beyond(const wsf_core *core, const wsf_vector *seen, uint64_t wall_ms);

/* It is from later than the node's own clock. */
bool doubts_ahead(const wsf_core *core, const wsf_vector *seen);

/* The bounds are all below it, so it is not from before them. */
bool doubts_below(const wsf_bounds *bounds, const wsf_vector *seen);

/* It claims less of an origin that the node knows, or of the node, than from where that has the chat, or than up to where messages of
 * one that is silent are missing: of a peer of which the node before heard nothing for a while. */
bool doubts_lags(const wsf_core *core, const wsf_bounds *since, const wsf_vector *seen);

/* Some that it does not cover did not come. */
bool doubts_hole(const wsf_core *core, const wsf_vector *seen);

/* The node did not get as far with a peer: it waits for that, perhaps too long. */
bool doubts_behind(const wsf_core *core, const wsf_vector *seen);

#endif
