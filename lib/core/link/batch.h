/* The next numbered frame to a peer: planned, written, committed. */
#ifndef WSF_CORE_LINK_BATCH_H
#define WSF_CORE_LINK_BATCH_H

#include "core/part.h"

/* Too large for the stack of any thread that publishes. To be freed; NULL: out of memory. */
wsf_batch *wsf_batch_new(void);

/* Plans the frame. bye: a BYE ends it. False: nothing to send, or no room in the window. */
bool wsf_batch_plan(wsf_core *core, wsf_peer *peer, bool bye);

/* Adds `size` bytes to the planned frame, if they fit with a second part of `apart` bytes. A frame of one
 * entry may have any size: it is known that the peer takes it. */
bool wsf_batch_add(const wsf_peer *peer, wsf_batch *batch, size_t size, size_t apart);

/* The planned frame, sealed. NULL: out of memory. */
wsf_buffer *wsf_batch_write(const wsf_core *core, const wsf_peer *peer);

/* The link keeps the written frame: the parts note what is in it as sent. */
void wsf_batch_commit(wsf_core *core, wsf_peer *peer);

#endif
