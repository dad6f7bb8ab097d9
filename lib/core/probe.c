/* Answers for when a peer's address is probed by a TCP connection, and for what a refusal means.
 *
 * When a process is killed, its host closes its connections, so that the peer no longer subscribes here,
 * and refuses new ones. The host of a frozen process accepts them; a host that is cut off does not answer.
 * One refusal proves little: a firewall refuses, and so does an address while a process restarts. So
 * refusals count only for a peer in doubt, twice in a row with nothing heard in between; and they make the
 * peer no more than down, which a frame undoes. */
#include "core/probe.h"

enum { REFUSALS = 2, AGAIN_MS = 100 }; /* in a row; ms until the second probe */

static uint64_t doubt_ms(const wsf_core *core, const wsf_peer *peer) {
    if (peer->state == 0 || peer->state == WSFAN_PEER_DOWN)
        return UINT64_MAX;
    return peer->reachable ? peer->heard_ms + 2 * wsf_beat_ms(core) : 0;
}

/* The endpoint by which the peer was heard; the one that it tells may not lead to it. */
static const char *endpoint_of(const wsf_core *core, const wsf_peer *peer) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (core->dialer.endpoints[i].dialled && core->dialer.endpoints[i].node == peer->node)
            return core->dialer.endpoints[i].endpoint;
    return peer->endpoint;
}

void wsf_probe_tick(wsf_core *core, wsf_peer *peer, wsf_now now) {
    if (now.ms < doubt_ms(core, peer)) {
        peer->probe.refusals = 0;
        return;
    }
    if (now.ms < peer->probe.next_ms)
        return;
    peer->probe.next_ms = now.ms + core->config.heartbeat_ms;
    core->effects.probe(core->effects.user, peer->node, endpoint_of(core, peer));
}

uint64_t wsf_probe_deadline(const wsf_core *core, const wsf_peer *peer) {
    uint64_t doubt = doubt_ms(core, peer);
    return doubt > peer->probe.next_ms ? doubt : peer->probe.next_ms;
}

bool wsf_probe_answer(const wsf_core *core, wsf_peer *peer, bool refused, wsf_now now) {
    if (!refused || now.ms < doubt_ms(core, peer) ||
        (peer->probe.refusals > 0 && peer->heard_ms > peer->probe.refused_ms)) {
        peer->probe.refusals = 0;
        return false;
    }
    if (peer->probe.refusals++ == 0)
        peer->probe.refused_ms = now.ms;
    if (peer->probe.refusals < REFUSALS) {
        if (now.ms + AGAIN_MS < peer->probe.next_ms)
            peer->probe.next_ms = now.ms + AGAIN_MS;
        return false;
    }
    peer->probe.refusals = 0;
    return true;
}
