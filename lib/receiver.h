/* What peers say: the frames that come in, and what is in them. */
#ifndef WSF_RECEIVER_H
#define WSF_RECEIVER_H

#include "state.h"

/* Takes the frame that core->reader has open. Borrowed. */
void wsf_receiver_take(wsf_core *core, uint32_t connection, const wsf_frame_head *head,
                       wsf_buffer *frame, wsf_now now);

#endif
