/* How nodes meet and part: introductions, hello, refusal, liveness. */
#ifndef WSF_CORE_HANDSHAKE_H
#define WSF_CORE_HANDSHAKE_H

#include "core/state.h"

wsf_peer *wsf_handshake_find(wsf_core *core, uint64_t node);

void wsf_handshake_subscriber(wsf_core *core, uint64_t node, bool subscribed, wsf_now now);
void wsf_handshake_introduction(wsf_core *core, const wsf_introduction *introduction, wsf_now now);

/* A node that we do not know and that does not introduce itself sent a frame. */
void wsf_handshake_unknown(wsf_core *core, uint32_t connection, uint64_t node, wsf_now now);

/* Entries of frames that are not part of the stream. peer may be NULL for the first hello. */
void wsf_handshake_hello(wsf_core *core, uint64_t sender, const wsf_hello *hello, wsf_now now);
void wsf_handshake_hello_ack(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                             uint64_t epoch, wsf_now now);
void wsf_handshake_refused(wsf_core *core, wsf_peer *peer, uint64_t node, uint64_t reason,
                           wsf_now now);

/* A frame with our own id: from ourselves, or from a node that has the same. */
void wsf_handshake_own_id(wsf_core *core, uint32_t connection);

/* Tells a new loop what the others were told before. */
void wsf_handshake_tell_loop(wsf_core *core, unsigned loop);

/* It lives: something valid came from it. */
void wsf_handshake_heard(wsf_core *core, wsf_peer *peer, wsf_now now);

/* Sends a frame that is not part of the stream, with one hello or one number in it. */
void wsf_handshake_send_hello(wsf_core *core, wsf_peer *peer, wsf_now now);
/* epoch is that of our stream to it; 0: none. */
void wsf_handshake_send_number(wsf_core *core, uint64_t node, uint64_t epoch, wsf_entry_type type,
                               uint64_t number);

/* Ends a peer for good and tells the host. */
void wsf_handshake_drop(wsf_core *core, wsf_peer *peer, wsfan_reason reason);

/* Takes a peer for down; what is heard of it takes that back. */
void wsf_handshake_down(wsf_core *core, wsf_peer *peer, wsfan_reason reason);

/* Gives a peer's link up because it is too slow: it is down until its next hello. Returns how many
 * queued messages were dropped; all that is missing is counted in its link and told then. */
uint64_t wsf_handshake_cut(wsf_core *core, wsf_peer *peer);

/* Parts with every peer whose key may() refuses. */
void wsf_handshake_expel(wsf_core *core, bool (*may)(void *user, uint32_t identity), void *user);

/* Moves the liveness of every peer to `now`, says hello again where it is due, gives up on
 * connections behind which nobody answers. */
void wsf_handshake_tick(wsf_core *core, wsf_now now);
uint64_t wsf_handshake_deadline(const wsf_core *core);

#endif
