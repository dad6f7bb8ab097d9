/* The next numbered frame to a peer: what its parts put into it. */
#ifndef WSF_CORE_LINK_BATCH_H
#define WSF_CORE_LINK_BATCH_H

#include "core/part.h"

/* Too large for the stack of any thread that publishes. To be freed; NULL: out of memory. */
wsf_batch *wsf_batch_new(void);

/* Plans the frame. bye: it ends with that. False: nothing to say, or no room to say it. */
bool wsf_batch_plan(wsf_core *core, wsf_peer *peer, bool bye);

/* Whether so much more goes into the planned frame, and into its second part. A frame of its own takes
 * anything. */
bool wsf_batch_add(const wsf_peer *peer, wsf_batch *batch, size_t size, size_t apart);

/* The planned frame, sealed. NULL: out of memory. */
wsf_buffer *wsf_batch_write(const wsf_core *core, const wsf_peer *peer);

/* It was sent. */
void wsf_batch_commit(wsf_core *core, wsf_peer *peer);

#endif
