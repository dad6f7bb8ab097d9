/* Answers for which peers a round looks at, so that its cost does not depend on how many there are. A peer is stirred by its
 * frames, by what is for it alone, and, with all others, by news for all: interest, status, a peer that is up. Beyond that
 * only time matters: how long a peer was silent, what is to be repeated.
 *
 * A frame that comes puts off much of what time would do. due_ms stays as it was then, so a peer may be looked at in vain, and
 * is never looked at too late. */
#include "core/rounds.h"

#include "core/link/sender.h"
#include "core/liveness.h"

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

void wsf_rounds_begin(wsf_core *core, wsf_now now) {
    if (now.ms < core->rounds.least_ms)
        return;
    uint64_t least_ms = UINT64_MAX;
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;) {
        uint64_t due_ms = core->rounds.due_ms[wsf_peer_index(core, peer)];
        if (due_ms <= now.ms)
            wsf_peer_stir(core, peer);
        else
            least_ms = earlier(least_ms, due_ms);
    }
    core->rounds.least_ms = least_ms;
}

static uint64_t deadline_of(const wsf_core *core, const wsf_peer *peer) {
    return earlier(wsf_liveness_peer_deadline(core, peer), wsf_sender_deadline(core, peer));
}

static void stir_for_news(wsf_core *core) {
    core->stirred = wsf_peers_union(core->stirred, core->presence.peers_stirred);
    core->presence.peers_stirred = (wsf_peers){ 0 };
    if (core->rounds.interest_serial == core->interest.serial &&
        core->rounds.status_serial == core->status.serial)
        return;
    core->rounds.interest_serial = core->interest.serial;
    core->rounds.status_serial = core->status.serial;
    wsf_peers_stir_all(core);
}

void wsf_rounds_flush(wsf_core *core, wsf_now now) {
    stir_for_news(core);
    wsf_peers round = core->stirred;
    core->stirred = (wsf_peers){ 0 };
    for (wsf_peer *peer; (peer = wsf_peer_next(core, &round)) != NULL;) {
        if (!wsf_sender_flush(core, peer, now))
            wsf_peer_stir(core, peer); /* no memory: the next round tries again */
        uint64_t due_ms = deadline_of(core, peer);
        core->rounds.due_ms[wsf_peer_index(core, peer)] = due_ms;
        core->rounds.least_ms = earlier(core->rounds.least_ms, due_ms);
    }
}

/* Peers that were stirred since may be due sooner. */
uint64_t wsf_rounds_deadline(const wsf_core *core) {
    uint64_t at = core->rounds.least_ms;
    wsf_peers stirred = core->stirred;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &stirred)) != NULL;)
        at = earlier(at, deadline_of(core, peer));
    return at;
}
