/* How nodes meet and part: introductions, hello, refusal, liveness. */
#ifndef WSF_GREET_H
#define WSF_GREET_H

#include "state.h"

wsf_peer *wsf_greet_find(wsf_core *core, uint64_t node);

void wsf_greet_subscriber(wsf_core *core, uint64_t node, bool subscribed, wsf_now now);
void wsf_greet_introduction(wsf_core *core, const wsf_introduction *introduction, wsf_now now);

/* A node that we do not know and that does not introduce itself sent a frame. */
void wsf_greet_stranger(wsf_core *core, uint32_t connection, uint64_t node, wsf_now now);

/* Entries of frames that are not part of the stream. peer may be NULL for the first hello. */
void wsf_greet_hello(wsf_core *core, uint64_t sender, const wsf_hello *hello, wsf_now now);
void wsf_greet_hello_ack(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head, uint64_t epoch,
                         wsf_now now);
void wsf_greet_refused(wsf_core *core, wsf_peer *peer, uint64_t node, uint64_t reason, wsf_now now);

/* A frame with our own id: from ourselves, or from a node that has the same. */
void wsf_greet_own_id(wsf_core *core, uint32_t connection);

/* A peer that passed on another one's address. */
void wsf_greet_known(wsf_core *core, const wsf_known_peer *known, wsf_now now);

/* Tells a new loop what the others were told before. */
void wsf_greet_tell_loop(wsf_core *core, unsigned loop);

/* It lives: something valid came from it. */
void wsf_greet_heard(wsf_core *core, wsf_peer *peer, wsf_now now);

/* Sends a frame that is not part of the stream, with one hello or one number in it. */
void wsf_greet_send_hello(wsf_core *core, wsf_peer *peer, wsf_now now);
/* epoch is that of our stream to it; 0: none. */
void wsf_greet_send_number(wsf_core *core, uint64_t node, uint64_t epoch, wsf_entry_type type,
                           uint64_t number);

/* Ends a peer for good and tells the host. */
void wsf_greet_drop(wsf_core *core, wsf_peer *peer, wsfan_reason reason);

/* Gives a peer's link up because it is too slow: it is down until it greets again. Returns how many
 * queued messages were dropped; all that is missing is counted in its link and told then. */
uint64_t wsf_greet_cut(wsf_core *core, wsf_peer *peer);

/* Parts with every peer whose key may() refuses. */
void wsf_greet_expel(wsf_core *core, bool (*may)(void *user, uint32_t identity), void *user);

/* Moves the liveness of every peer to `now`, says hello again where it is due, gives up on
 * connections behind which nobody answers. */
void wsf_greet_tick(wsf_core *core, wsf_now now);
uint64_t wsf_greet_deadline(const wsf_core *core);

#endif
