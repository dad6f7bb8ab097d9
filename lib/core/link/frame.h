/* What all frames to a peer have in common. */
#ifndef WSF_CORE_LINK_FRAME_H
#define WSF_CORE_LINK_FRAME_H

#include "core/state.h"

/* A frame is closed at this size. */
size_t wsf_frame_target(const wsf_link *link);

wsf_frame_head wsf_frame_head_of(const wsf_core *core, const wsf_peer *peer, uint64_t number);

/* The payload, for every peer from the same memory, with the headroom before it where no loop writes
 * there: so a receiver has room for its own. NULL: out of memory. */
wsf_buffer *wsf_frame_second_part(const wsf_peer *peer, wsfan_message *message);

/* The bytes before the payload there; and what the head says of both. rest may be NULL. */
uint32_t wsf_frame_room_in(const wsf_buffer *part, const wsfan_message *message);
void wsf_frame_tell_rest(wsf_frame_head *head, const wsf_buffer *rest, uint32_t room);

/* What a message takes of the window besides its entry. */
size_t wsf_frame_apart_size(const wsfan_message *message);

#endif
