/* What established peers are told: entries in numbered frames, and the frames around them. */
#ifndef WSF_SENDER_H
#define WSF_SENDER_H

#include "state.h"

/* Queues a message for a peer. */
void wsf_sender_enqueue(wsf_core *core, wsf_peer *peer, wsfan_message *message, wsf_now now);

/* Sends a peer what it is owed, as far as its window allows. */
void wsf_sender_flush(wsf_core *core, wsf_peer *peer, wsf_now now);
uint64_t wsf_sender_deadline(const wsf_core *core, const wsf_peer *peer);

/* Asks the peer for its interest or its presence from the start: RESYNC or PRESENCE_RESYNC. */
void wsf_sender_ask_again(wsf_core *core, wsf_peer *peer, wsf_entry_type type, wsf_now now);

/* Begins anew to tell the peer our interest. */
void wsf_sender_restart_interest(wsf_peer *peer);

/* Queues the goodbye behind everything else that fits, and sends. */
void wsf_sender_bye(wsf_core *core, wsf_peer *peer, wsf_now now);

#endif
