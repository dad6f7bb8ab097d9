/* Answers for when a peer's address is asked for a connection, and what a refusal means.
 *
 * Where a process is killed its host ends its connections, so that the peer does not subscribe to us any
 * more, and refuses new ones. A process that is frozen, or cut off, takes them or does not answer. A
 * refusal alone proves little: a firewall refuses, and so does an address between two lives of a process.
 * So it counts only of a peer that gives reason for doubt, twice in a row, with nothing heard in between;
 * and it makes the peer no more than down, which a frame takes back. */
#include "core/probe.h"

enum { REFUSALS = 2, AGAIN_MS = 100 };

static uint64_t doubt_ms(const wsf_core *core, const wsf_peer *peer) {
    if (peer->state == 0 || peer->state == WSFAN_PEER_DOWN)
        return UINT64_MAX;
    return peer->reachable ? peer->heard_ms + 2 * (uint64_t)core->config.heartbeat_ms : 0;
}

/* Where it was heard; a peer is not always reached where it says. */
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
