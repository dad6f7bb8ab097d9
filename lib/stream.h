/* What established peers say to each other: entries in numbered frames, and the frames around them. */
#ifndef WSF_STREAM_H
#define WSF_STREAM_H

#include "state.h"

/* The loops and the peers that a message is for, as bits. */
void wsf_stream_route(const wsf_core *core, const wsfan_message *message, uint64_t *loops,
                      uint64_t *peers);

/* Hands a message to the loops, and queues one for a peer. */
void wsf_stream_deliver(wsf_core *core, wsfan_message *message, uint64_t loops);
void wsf_stream_enqueue(wsf_core *core, wsf_peer *peer, wsfan_message *message, wsf_now now);

/* Takes the frame that core->reader has open. */
void wsf_stream_receive(wsf_core *core, uint32_t connection, const wsf_frame_head *head,
                        size_t size, wsf_now now);

/* Sends a peer what it is owed, as far as its window allows. */
void wsf_stream_flush(wsf_core *core, wsf_peer *peer, wsf_now now);
uint64_t wsf_stream_deadline(const wsf_core *core, const wsf_peer *peer);

/* Queues the goodbye behind everything else that fits, and sends. */
void wsf_stream_bye(wsf_core *core, wsf_peer *peer, wsf_now now);

#endif
