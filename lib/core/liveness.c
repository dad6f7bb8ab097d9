/* Answers for which peers are silent, down or given up, by when each was heard last, and for when a hello is
 * repeated. */
#include "core/liveness.h"

#include "core/dialer.h"
#include "core/handshake.h"
#include "core/presence/presence.h"
#include "core/probe.h"

/* How long a peer is kept that is not heard; one that never had a link is soon given up. */
static uint64_t keep_ms(const wsf_core *core, const wsf_peer *peer) {
    return peer->state != 0 ? core->config.forget_ms : core->config.down_ms;
}

static void tick_peer(wsf_core *core, wsf_peer *peer, wsf_now now) {
    uint64_t quiet_ms = now.ms - peer->heard_ms;
    if (quiet_ms >= keep_ms(core, peer)) {
        wsf_handshake_drop(core, peer, WSFAN_REASON_TIMEOUT);
        return;
    }
    bool known = peer->state != 0; /* it had a link, if it has none now */
    if (known && quiet_ms >= core->config.down_ms) {
        if (peer->state != WSFAN_PEER_DOWN)
            wsf_handshake_down(core, peer, WSFAN_REASON_TIMEOUT);
    } else if (known && peer->state == WSFAN_PEER_UP && quiet_ms >= core->config.silent_ms) {
        wsf_handshake_silent(core, peer);
    }
    if (known && peer->state != WSFAN_PEER_UP && now.ms >= peer->reach_ms) {
        peer->reach_ms = now.ms + core->config.down_ms;
        wsf_dialer_reach(core, peer->node, now);
    }
    wsf_probe_tick(core, peer, now);
    if (!peer->handshake.acked && now.ms >= peer->handshake.again_ms)
        wsf_handshake_send_hello(core, peer, now);
}

static void put_off(wsf_core *core, uint64_t overslept_ms, wsf_now now) {
    wsf_peers_stir_all(core);
    wsf_peers known = core->known;
    for (wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;) {
        peer->heard_ms += overslept_ms;
        if (peer->heard_ms > now.ms)
            peer->heard_ms = now.ms;
    }
}

void wsf_liveness_tick(wsf_core *core, wsf_now now) {
    /* A tick is due once a heartbeat. A node that slept longer could hear no peer: deadlines move. */
    uint64_t slept_ms = now.ms - core->last_ms;
    uint64_t heartbeat_ms = core->config.heartbeat_ms;
    uint64_t overslept_ms = slept_ms >= 2 * heartbeat_ms ? slept_ms - heartbeat_ms : 0;
    core->last_ms = now.ms;
    wsf_presence_overslept(&core->presence, overslept_ms);

    if (overslept_ms > 0)
        put_off(core, overslept_ms, now);
    wsf_peers stirred = core->stirred;
    for (wsf_peer *peer; (peer = wsf_peer_next(core, &stirred)) != NULL;)
        tick_peer(core, peer, now);
    wsf_dialer_tick(core, wsf_peers_is_empty(core->linked) ? 0 : overslept_ms, now);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t wsf_liveness_peer_deadline(const wsf_core *core, const wsf_peer *peer) {
    const wsf_core_config *config = &core->config;
    uint64_t at = peer->heard_ms + keep_ms(core, peer);
    if (peer->state != 0 && peer->state != WSFAN_PEER_DOWN) {
        at = earlier(at, peer->heard_ms + config->down_ms);
        if (peer->state != WSFAN_PEER_SILENT)
            at = earlier(at, peer->heard_ms + config->silent_ms);
    }
    if (peer->state != 0 && peer->state != WSFAN_PEER_UP)
        at = earlier(at, peer->reach_ms);
    if (!peer->handshake.acked)
        at = earlier(at, peer->handshake.again_ms);
    at = earlier(at, wsf_probe_deadline(core, peer));
    return at;
}

uint64_t wsf_liveness_deadline(const wsf_core *core) {
    uint64_t at = wsf_peers_is_empty(core->linked) ? UINT64_MAX
                                                   : core->last_ms + core->config.heartbeat_ms;
    return earlier(at, wsf_dialer_deadline(core));
}
