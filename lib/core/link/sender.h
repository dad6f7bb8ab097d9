/* Frames to established peers, and the messages in them. */
#ifndef WSF_CORE_LINK_SENDER_H
#define WSF_CORE_LINK_SENDER_H

#include "core/state.h"

/* Puts a message into the peer's next frame or queue. */
void wsf_sender_enqueue(wsf_core *core, wsf_peer *peer, wsfan_message *message, wsf_now now);

/* Queues a request or reply, a whole entry. Takes a reference. WSFAN_ETOOBIG: over the peer's
 * frame_size_max; WSFAN_ELIMIT: the queue is full. */
int wsf_sender_talk(wsf_core *core, wsf_peer *peer, wsf_buffer *entry);

/* Sends a peer all that waits or is due, as far as its window allows. False: there was no memory for all of it. */
bool wsf_sender_flush(wsf_core *core, wsf_peer *peer, wsf_now now);
uint64_t wsf_sender_deadline(const wsf_core *core, const wsf_peer *peer);

/* Asks the peer, by a part's RESYNC, to tell everything of that part from the start. That is a lot, so
 * may_ask_again says whether enough time has passed since the last one, and counts as asking. */
bool wsf_sender_may_ask_again(wsf_peer *peer, wsf_now now);
void wsf_sender_ask_again(wsf_core *core, wsf_peer *peer, wsf_entry_type type, wsf_now now);

/* Queues the goodbye behind everything else that fits, and sends. */
void wsf_sender_bye(wsf_core *core, wsf_peer *peer, wsf_now now);

#endif
