/* A recovery that is back is shown to its session: on_joined, then its messages, before anything else of the inbox. */
#ifndef WSF_LOOP_REPLAY_H
#define WSF_LOOP_REPLAY_H

#include "loop/state.h"

/* Shows what it may in `max` callbacks; returns how many it were. *done: that was all, and the recovery was freed. Else the
 * next call is to go on with it. */
uint32_t wsf_replay_run(wsfan_loop *loop, wsf_recovery *recovery, uint32_t max, bool *done);

/* Takes those out of the last selected recipients that have seen the message where they were before; returns how many are
 * left, the first ones. */
size_t wsf_replay_sift_all(wsfan_loop *loop, const wsfan_message *message, size_t count);
static inline size_t wsf_replay_sift(wsfan_loop *loop, const wsfan_message *message, size_t count) {
    return loop->subscriptions.sieve.slots.count == 0 ? count
                                                      : wsf_replay_sift_all(loop, message, count);
}

/* Whether a callback runs for a session that is shown what it missed of this chat, or its last messages. *seen: how far it
 * has seen the chat with what it is shown now; NULL: it gets older messages still, so it cannot be told. */
bool wsf_replay_seen(const wsfan_loop *loop, wsfan_bytes chat, const wsf_vector **seen);

#endif
