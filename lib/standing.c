/* Answers for what this node and its peers are good for: who is ready, who drains, who may own
 * chats. Does not know what an owner is chosen for.
 *
 * A node is ready once it has met whom it was told of: every endpoint leads somewhere, and with
 * every peer the interest is exchanged, so that what its sessions miss is missed by none. It waits
 * for that only so long, and never stops to be ready when peers go: a cluster that loses one node
 * must not take the others out of service.
 *
 * A drain has phases: sessions are shed, evenly over most of the time; when none is left, or their
 * time is up, nothing more is published (quiet) and peers hear so in the stream, behind the last
 * message, and stop waiting for this node in joins; when they have acknowledged that, it is over. */
#include "standing.h"

#include <wsfan/placement.h>

#include "dial.h"
#include "text.h"

enum { SHED_STEPS = 200, SHED_STEP_MS_MIN = 10 };

void wsf_standing_init(wsf_core *core, wsf_now now) {
    core->started_ms = now.ms;
    core->names_awaited = core->config.names_awaited;
    if (core->config.public_address != NULL)
        wsf_copy_text(core->address, sizeof core->address,
                      wsfan_string(core->config.public_address));
    core->place_hash = wsf_place_hash(&core->key, core->name);
    core->standing_serial = 1;
    core->view_stale = true;
}

wsf_standing wsf_standing_own(const wsf_core *core) {
    uint32_t flags = core->ready ? WSF_STANDING_READY : 0;
    if (core->drain != WSF_DRAIN_NONE)
        flags |= WSF_STANDING_DRAINING;
    if (core->quiet)
        flags |= WSF_STANDING_QUIET;
    if (core->config.publisher_only)
        flags |= WSF_STANDING_PUBLISHER;
    return (wsf_standing){ flags, core->config.weight, wsfan_string(core->address) };
}

void wsf_standing_take(wsf_core *core, wsf_peer *peer, const wsf_standing *standing) {
    peer->standing_flags = standing->flags;
    peer->weight = standing->weight;
    peer->place_hash = wsf_place_hash(&core->key, peer->name);
    wsfan_bytes address = standing->address;
    if (!wsf_text_is_visible(address.data, address.size)) {
        wsf_core_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        address.size = 0;
    }
    wsf_copy_text(peer->address, sizeof peer->address, address);
    uint64_t bit = wsf_peer_bit(core, peer);
    if ((standing->flags & WSF_STANDING_PUBLISHER) != 0)
        core->publishers |= bit;
    else
        core->publishers &= ~bit;
    core->view_stale = true;
}

void wsf_standing_forget(wsf_core *core, wsf_peer *peer) {
    core->publishers &= ~wsf_peer_bit(core, peer);
    core->view_stale = true;
}

static void changed(wsf_core *core) {
    core->standing_serial++;
    core->view_stale = true;
}

/* ---------------------------------------------------------------------------------------- ready */

static bool synced(const wsf_core *core, const wsf_peer *peer) {
    return peer->linked && (core->complete & wsf_peer_bit(core, peer)) != 0 &&
           peer->snapshot_done && peer->link.acked >= peer->snapshot_number;
}

static bool is_dialled(const wsf_connection *connection) {
    return connection->used && connection->dialled;
}

/* Somewhere nobody has answered yet. */
static bool awaits_somebody(const wsf_core *core) {
    for (uint32_t i = 0; i < WSF_CONNECTIONS_MAX; i++)
        if (is_dialled(&core->connections[i]) && core->connections[i].node == 0)
            return true;
    return core->names_awaited;
}

/* An endpoint that is not its own: at those this node does not stay connected. */
static bool was_told_of_somebody(const wsf_core *core) {
    for (uint32_t i = 0; i < WSF_CONNECTIONS_MAX; i++)
        if (is_dialled(&core->connections[i]) && core->connections[i].named != 0)
            return true;
    return core->names_awaited;
}

static bool met_anyone(const wsf_core *core) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++)
        if (core->peers[i].node != 0 && synced(core, &core->peers[i]))
            return true;
    return false;
}

static bool met_everyone(const wsf_core *core) {
    if (awaits_somebody(core))
        return false;
    for (unsigned i = 0; i < core->config.peers_count_max; i++) {
        const wsf_peer *peer = &core->peers[i];
        if (peer->node != 0 && peer->state != WSFAN_PEER_DOWN && !synced(core, peer))
            return false;
    }
    return true;
}

static uint64_t ready_ms(const wsf_core *core) {
    return core->started_ms + core->config.ready_ms_max;
}

int wsf_standing_readiness(const wsf_core *core, wsf_now now) {
    if (!core->ready)
        return 0;
    if (!core->met && wsf_dial_refused(core, now))
        return WSFAN_EREFUSED;
    return core->met || !was_told_of_somebody(core) ? WSFAN_READY_MET : WSFAN_READY_ALONE;
}

static void tick_ready(wsf_core *core, wsf_now now) {
    core->met = core->met || met_anyone(core);
    if (core->ready || (now.ms < ready_ms(core) && !met_everyone(core)))
        return;
    core->ready = true;
    changed(core);
}

/* ---------------------------------------------------------------------------------------- drain */

void wsf_standing_drain(wsf_core *core, uint32_t ms_max, wsf_now now) {
    if (core->drain != WSF_DRAIN_NONE) { /* again: at most sooner */
        if (now.ms + ms_max < core->drain_until_ms)
            core->drain_until_ms = now.ms + ms_max;
        return;
    }
    core->drain = WSF_DRAIN_SHED;
    core->drain_from_ms = now.ms;
    core->drain_until_ms = now.ms + ms_max;
    core->shed_ms = now.ms;
    changed(core);
}

void wsf_standing_quiet(wsf_core *core) {
    core->quiet = true;
    core->standing_serial++;
    if (core->drain == WSF_DRAIN_LAST)
        core->drain = WSF_DRAIN_QUIET;
}

static uint64_t drain_ms(const wsf_core *core) {
    return core->drain_until_ms - core->drain_from_ms;
}

/* Three quarters of the time for shedding, then an eighth for close handshakes, and an eighth until
 * the peers have acknowledged. */
static void tick_shed(wsf_core *core, wsf_now now) {
    uint64_t spread_ms = drain_ms(core) * 3 / 4;
    uint64_t passed_ms = now.ms - core->drain_from_ms;
    if (now.ms >= core->shed_ms) {
        uint64_t step_ms = spread_ms / SHED_STEPS;
        core->shed_ms = now.ms + (step_ms > SHED_STEP_MS_MIN ? step_ms : SHED_STEP_MS_MIN);
        core->effects.shed(core->effects.user,
                           passed_ms < spread_ms ? (uint32_t)(passed_ms * 1000 / spread_ms) : 1000);
    }
    if (core->effects.sessions(core->effects.user) > 0 && passed_ms < drain_ms(core) * 7 / 8)
        return;
    core->drain = WSF_DRAIN_LAST;
    core->effects.quiet(core->effects.user);
}

void wsf_standing_finish(wsf_core *core, bool acknowledged, wsf_now now) {
    bool over = core->drain == WSF_DRAIN_QUIET && acknowledged;
    bool late = core->drain != WSF_DRAIN_NONE && now.ms >= core->drain_until_ms;
    if (core->drain == WSF_DRAIN_DONE || (!over && !late))
        return;
    if (core->drain == WSF_DRAIN_SHED)
        core->effects.quiet(core->effects.user);
    core->drain = WSF_DRAIN_DONE;
    bool whole = over && core->effects.sessions(core->effects.user) == 0;
    core->effects.drained(core->effects.user, whole ? WSFAN_OK : WSFAN_EPARTIAL);
}

/* ----------------------------------------------------------------------------------------- view */

static bool may_own(uint32_t flags, uint32_t weight) {
    return (flags & WSF_STANDING_READY) != 0 && weight > 0 &&
           (flags & (WSF_STANDING_DRAINING | WSF_STANDING_PUBLISHER)) == 0;
}

static void add_place(wsf_view *view, const wsf_place *place) {
    uint32_t i = view->count++;
    for (; i > 0 && view->places[i - 1].node > place->node; i--)
        view->places[i] = view->places[i - 1];
    view->places[i] = *place;
}

static void add_peer(wsf_view *view, const wsf_peer *peer) {
    if (peer->node == 0 || peer->state == 0 || peer->state == WSFAN_PEER_DOWN ||
        !may_own(peer->standing_flags, peer->weight))
        return;
    wsf_place place = { .node = peer->node, .hash = peer->place_hash, .weight = peer->weight };
    place.up = peer->state == WSFAN_PEER_UP;
    memcpy(place.name, peer->name, sizeof place.name);
    memcpy(place.address, peer->address, sizeof place.address);
    add_place(view, &place);
}

static void renew_view(wsf_core *core) {
    wsf_view *view = wsf_view_new(1 + core->config.peers_count_max);
    if (view == NULL)
        return; /* it stays stale */
    view->count = 0;
    wsf_standing own = wsf_standing_own(core);
    if (may_own(own.flags, own.weight)) {
        wsf_place place = {
            .node = core->config.node, .hash = core->place_hash, .weight = own.weight, .up = true
        };
        memcpy(place.name, core->name, sizeof place.name);
        memcpy(place.address, core->address, sizeof place.address);
        add_place(view, &place);
    }
    for (unsigned i = 0; i < core->config.peers_count_max; i++)
        add_peer(view, &core->peers[i]);
    core->view_stale = false;
    core->effects.view(core->effects.user, view);
    wsf_view_unref(view);
}

/* ----------------------------------------------------------------------------------------- time */

void wsf_standing_tick(wsf_core *core, wsf_now now) {
    tick_ready(core, now);
    if (core->drain == WSF_DRAIN_SHED)
        tick_shed(core, now);
    if (core->view_stale)
        renew_view(core);
}

uint64_t wsf_standing_deadline(const wsf_core *core) {
    uint64_t at = core->ready ? UINT64_MAX : ready_ms(core);
    if (core->drain == WSF_DRAIN_NONE || core->drain == WSF_DRAIN_DONE)
        return at;
    at = core->drain_until_ms < at ? core->drain_until_ms : at;
    return core->drain == WSF_DRAIN_SHED && core->shed_ms < at ? core->shed_ms : at;
}
