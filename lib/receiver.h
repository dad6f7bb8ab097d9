/* What peers say: the frames that come in, and what is in them. */
#ifndef WSF_RECEIVER_H
#define WSF_RECEIVER_H

#include "state.h"

/* Takes the frame that core->reader has open; data and size are all of it. */
void wsf_receiver_take(wsf_core *core, uint32_t connection, const wsf_frame_head *head,
                       const void *data, size_t size, wsf_now now);

#endif
