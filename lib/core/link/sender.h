/* What established peers are told: entries in numbered frames, and the frames around them. */
#ifndef WSF_CORE_LINK_SENDER_H
#define WSF_CORE_LINK_SENDER_H

#include "core/state.h"

/* The entry of a message, once a peer's frame has it: the next peer's is a copy. */
typedef struct {
    const uint8_t *data; /* NULL: not written yet */
    size_t size;
} wsf_sender_entry;

/* Puts a message into the peer's next frame or its queue. entry: of this message, for one peer after
 * another. */
void wsf_sender_enqueue(wsf_core *core, wsf_peer *peer, wsfan_message *message,
                        wsf_sender_entry *entry, wsf_now now);

/* Queues a request or reply, a whole entry. Takes a reference. WSFAN_ETOOBIG: the peer would not take
 * it; WSFAN_ELIMIT: too many wait. */
int wsf_sender_talk(wsf_peer *peer, wsf_buffer *entry);

/* Sends a peer what it is owed, as far as its window allows. */
void wsf_sender_flush(wsf_core *core, wsf_peer *peer, wsf_now now);
uint64_t wsf_sender_deadline(const wsf_core *core, const wsf_peer *peer);

/* Asks the peer to tell everything of a part from the start: its RESYNC. That is a lot, and may be wrong again:
 * may_ask_again says whether enough time has passed, and counts it as used. */
bool wsf_sender_may_ask_again(wsf_peer *peer, wsf_now now);
void wsf_sender_ask_again(wsf_core *core, wsf_peer *peer, wsf_entry_type type, wsf_now now);

/* Queues the goodbye behind everything else that fits, and sends. */
void wsf_sender_bye(wsf_core *core, wsf_peer *peer, wsf_now now);

#endif
