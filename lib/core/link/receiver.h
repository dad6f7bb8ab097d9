/* Frames that come in, and their entries. */
#ifndef WSF_CORE_LINK_RECEIVER_H
#define WSF_CORE_LINK_RECEIVER_H

#include "core/state.h"

/* Takes the frame that core->reader has open. Borrowed. */
void wsf_receiver_take(wsf_core *core, uint32_t connection, const wsf_frame_head *head,
                       wsf_buffer *frame, wsf_now now);

#endif
