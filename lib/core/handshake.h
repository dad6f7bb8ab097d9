/* How nodes meet and part: introductions, hello, refusal. */
#ifndef WSF_CORE_HANDSHAKE_H
#define WSF_CORE_HANDSHAKE_H

#include "core/state.h"

wsf_peer *wsf_handshake_find(wsf_core *core, uint64_t node);

void wsf_handshake_subscriber(wsf_core *core, uint64_t node, bool subscribed, wsf_now now);
void wsf_handshake_introduction(wsf_core *core, const wsf_introduction *introduction, wsf_now now);

/* A frame came from a node that is no peer and did not introduce itself. */
void wsf_handshake_unknown(wsf_core *core, uint32_t connection, uint64_t node, wsf_now now);

/* Entries of frames without a number. peer may be NULL. */
void wsf_handshake_hello(wsf_core *core, uint64_t sender, const wsf_hello *hello, wsf_now now);
void wsf_handshake_hello_ack(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                             uint64_t epoch, wsf_now now);
void wsf_handshake_refused(wsf_core *core, wsf_peer *peer, uint64_t node, uint64_t reason,
                           wsf_now now);

/* A frame with this node's own id: from itself, or from a node that has the same. */
void wsf_handshake_own_id(wsf_core *core, uint32_t connection);

/* Tells a new loop of peers and refusals what the other loops were told before. */
void wsf_handshake_tell_loop(wsf_core *core, unsigned loop);

/* A valid frame came from the peer: it lives. */
void wsf_handshake_heard(wsf_core *core, wsf_peer *peer, wsf_now now);

/* Sends a frame without a number, with one hello or one number in it. */
void wsf_handshake_send_hello(wsf_core *core, wsf_peer *peer, wsf_now now);
/* epoch: of our stream to the node; 0: none. */
void wsf_handshake_send_number(wsf_core *core, uint64_t node, uint64_t epoch, wsf_entry_type type,
                               uint64_t number);

/* Ends a peer for good and tells the host. */
void wsf_handshake_drop(wsf_core *core, wsf_peer *peer, wsfan_reason reason);

/* Takes a peer for silent. */
void wsf_handshake_silent(wsf_core *core, wsf_peer *peer);
/* Takes a peer for down; the next frame of the peer undoes that. */
void wsf_handshake_down(wsf_core *core, wsf_peer *peer, wsfan_reason reason);

/* Gives a peer's link up because the peer is too slow: it is down until its next hello. Returns how many
 * queued messages were dropped; all lost messages are counted in the link, and told then. */
uint64_t wsf_handshake_cut(wsf_core *core, wsf_peer *peer);

/* Drops every peer and subscriber whose key may() refuses. */
void wsf_handshake_expel(wsf_core *core, bool (*may)(void *user, uint32_t identity), void *user);

#endif
