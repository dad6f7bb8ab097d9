/* What all frames to a peer have in common. */
#ifndef WSF_CORE_LINK_FRAME_H
#define WSF_CORE_LINK_FRAME_H

#include "core/state.h"

/* A frame of this size, in bytes, is full. */
size_t wsf_frame_target(const wsf_peer *peer);

wsf_frame_head wsf_frame_head_of(const wsf_core *core, const wsf_peer *peer, uint64_t number);

/* The payloads of a span that is apart as a second part, for every peer from the same memory; one payload with the
 * bytes before it, which the receiver uses as headroom, unless a loop writes there. NULL: out of memory. */
wsf_buffer *wsf_frame_second_part(const wsf_peer *peer, wsf_span span);

/* The bytes before the payload in a second part; and what the head says of that part. rest may be NULL. */
uint32_t wsf_frame_room_in(const wsf_buffer *part, const wsfan_message *message);
void wsf_frame_tell_rest(wsf_frame_head *head, const wsf_buffer *rest, uint32_t room);

/* Bytes of the window that a span takes besides its entry: its second part. */
size_t wsf_frame_apart_size(wsf_span span);

#endif
