/* Answers for the status of nodes: which are ready, which drain, which may own chats. Which of these owns a
 * chat is for placement.c to say.
 *
 * A node is ready once it has met its peers: every endpoint leads somewhere, and interest is exchanged with
 * every peer, so that its sessions miss no message. It waits ready_ms_max for that at most, and stays ready
 * when peers go: a cluster that loses one node must not take the others out of service.
 *
 * A drain has phases. Sessions are shed, evenly over most of the time. When none is left, or their time is
 * up, nothing more is published (quiet); peers are told so in the stream, behind the last message, and
 * stop waiting for this node in joins. When they have acknowledged that, and other nodes hold the chats whose messages
 * this node keeps, the drain is over. */
#include "core/status.h"

#include <wsfan/placement.h>

#include "base/text.h"
#include "core/dialer.h"
#include "core/history/holders.h"

enum { SHED_STEPS = 200, SHED_STEP_MS_MIN = 10 };

void wsf_status_init(wsf_core *core, wsf_now now) {
    core->status.started_ms = now.ms;
    core->status.names_awaited = core->config.names_awaited;
    if (core->config.public_address != NULL)
        wsf_copy_text(core->status.address, sizeof core->status.address,
                      wsfan_string(core->config.public_address));
    core->status.place_hash = wsf_placement_hash(&core->key, core->name);
    core->status.serial = 1;
    core->status.view_stale = true;
}

wsf_status wsf_status_own(const wsf_core *core) {
    uint32_t flags = core->status.ready ? WSF_STATUS_READY : 0;
    if (core->status.drain != WSF_DRAIN_NONE)
        flags |= WSF_STATUS_DRAINING;
    if (core->status.quiet)
        flags |= WSF_STATUS_QUIET;
    if (core->config.publisher_only)
        flags |= WSF_STATUS_PUBLISHER;
    return (wsf_status){ flags, core->config.weight, wsfan_string(core->status.address),
                         core->cluster_epoch };
}

static void take_status(wsf_core *core, wsf_peer *peer, const wsf_status *status) {
    peer->status.flags = status->flags;
    peer->status.weight = status->weight;
    peer->status.cluster_epoch = status->cluster_epoch;
    peer->status.place_hash = wsf_placement_hash(&core->key, peer->name);
    wsfan_bytes address = status->address;
    if (!wsf_text_is_visible(address.data, address.size)) {
        wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        address.size = 0;
    }
    wsf_copy_text(peer->status.address, sizeof peer->status.address, address);
    wsf_peers_put(&core->status.publishers, wsf_peer_index(core, peer),
                  (status->flags & WSF_STATUS_PUBLISHER) != 0);
    core->status.view_stale = true;
}

void wsf_status_forget(wsf_core *core, wsf_peer *peer) {
    wsf_peers_remove(&core->status.publishers, wsf_peer_index(core, peer));
    core->status.view_stale = true;
}

static void changed(wsf_core *core) {
    core->diagnosis.due = true;
    core->status.serial++;
    core->status.view_stale = true;
}

void wsf_status_tell(wsf_core *core) {
    core->status.serial++;
}

/* ---------------------------------------------------------------------------------------- ready */

static bool synced(const wsf_core *core, const wsf_peer *peer) {
    return peer->linked && wsf_peers_has(core->complete, wsf_peer_index(core, peer)) &&
           peer->subscription.snapshot_done &&
           peer->link.acked >= peer->subscription.snapshot_number;
}

static bool is_dialled(const wsf_dialer_endpoint *connection) {
    return connection->used && connection->dialled;
}

/* Whether some endpoint has not been answered yet. */
static bool awaits_somebody(const wsf_core *core) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (is_dialled(&core->dialer.endpoints[i]) && core->dialer.endpoints[i].node == 0)
            return true;
    return core->status.names_awaited;
}

/* Whether another node's endpoint is named: to its own ones this node does not stay connected. */
static bool was_told_of_somebody(const wsf_core *core) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (is_dialled(&core->dialer.endpoints[i]) && core->dialer.endpoints[i].named != 0)
            return true;
    return core->status.names_awaited;
}

static bool met_anyone(const wsf_core *core) {
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;)
        if (synced(core, peer))
            return true;
    return false;
}

static bool met_everyone(const wsf_core *core) {
    if (awaits_somebody(core))
        return false;
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        if (peer->state != WSFAN_PEER_DOWN && !synced(core, peer))
            return false;
    return true;
}

static uint64_t ready_ms(const wsf_core *core) {
    return core->status.started_ms + core->config.ready_ms_max;
}

int wsf_status_readiness(const wsf_core *core, wsf_now now) {
    if (!core->status.ready)
        return 0;
    if (!core->status.met && wsf_dialer_refused(core, now))
        return WSFAN_EREFUSED;
    return core->status.met || !was_told_of_somebody(core) ? WSFAN_READY_MET : WSFAN_READY_ALONE;
}

static void tick_ready(wsf_core *core, wsf_now now) {
    core->status.met = core->status.met || met_anyone(core);
    if (core->status.ready || (now.ms < ready_ms(core) && !met_everyone(core)))
        return;
    core->status.ready = true;
    changed(core);
}

/* ---------------------------------------------------------------------------------------- drain */

void wsf_status_drain(wsf_core *core, uint32_t ms_max, wsf_now now) {
    if (core->status.drain != WSF_DRAIN_NONE) { /* a second call can only shorten the drain */
        if (now.ms + ms_max < core->status.drain_until_ms)
            core->status.drain_until_ms = now.ms + ms_max;
        return;
    }
    core->status.drain = WSF_DRAIN_SHED;
    core->status.drain_from_ms = now.ms;
    core->status.drain_until_ms = now.ms + ms_max;
    core->status.shed_ms = now.ms;
    changed(core);
}

void wsf_status_quiet(wsf_core *core) {
    core->status.quiet = true;
    core->status.serial++;
    if (core->status.drain == WSF_DRAIN_LAST)
        core->status.drain = WSF_DRAIN_QUIET;
}

static uint64_t drain_ms(const wsf_core *core) {
    return core->status.drain_until_ms - core->status.drain_from_ms;
}

/* Three quarters of the time for shedding, then an eighth for close handshakes, and an eighth until
 * the peers have acknowledged. */
static void tick_shed(wsf_core *core, wsf_now now) {
    uint64_t spread_ms = drain_ms(core) * 3 / 4;
    uint64_t passed_ms = now.ms - core->status.drain_from_ms;
    if (now.ms >= core->status.shed_ms) {
        uint64_t step_ms = spread_ms / SHED_STEPS;
        core->status.shed_ms = now.ms + (step_ms > SHED_STEP_MS_MIN ? step_ms : SHED_STEP_MS_MIN);
        core->effects.shed(core->effects.user,
                           passed_ms < spread_ms ? (uint32_t)(passed_ms * 1000 / spread_ms) : 1000);
    }
    if (core->effects.sessions(core->effects.user) > 0 && passed_ms < drain_ms(core) * 7 / 8)
        return;
    core->status.drain = WSF_DRAIN_LAST;
    core->effects.quiet(core->effects.user);
}

void wsf_status_finish(wsf_core *core, bool acknowledged, wsf_now now) {
    bool over = core->status.drain == WSF_DRAIN_QUIET && acknowledged && wsf_holders_have_all(core);
    bool late = core->status.drain != WSF_DRAIN_NONE && now.ms >= core->status.drain_until_ms;
    if (core->status.drain == WSF_DRAIN_DONE || (!over && !late))
        return;
    if (core->status.drain == WSF_DRAIN_SHED)
        core->effects.quiet(core->effects.user);
    core->status.drain = WSF_DRAIN_DONE;
    bool whole = over && core->effects.sessions(core->effects.user) == 0;
    core->effects.drained(core->effects.user, whole ? WSFAN_OK : WSFAN_EPARTIAL);
}

/* ----------------------------------------------------------------------------------------- view */

static bool may_own(uint32_t flags, uint32_t weight) {
    return (flags & WSF_STATUS_READY) != 0 && weight > 0 &&
           (flags & (WSF_STATUS_DRAINING | WSF_STATUS_PUBLISHER)) == 0;
}

static void add_place(wsf_view *view, const wsf_placement_node *place) {
    uint32_t i = view->count++;
    for (; i > 0 && view->places[i - 1].node > place->node; i--)
        view->places[i] = view->places[i - 1];
    view->places[i] = *place;
}

static void add_peer(wsf_view *view, const wsf_peer *peer) {
    if (peer->state == 0 || peer->state == WSFAN_PEER_DOWN ||
        !may_own(peer->status.flags, peer->status.weight))
        return;
    wsf_placement_node place = { .node = peer->node,
                                 .hash = peer->status.place_hash,
                                 .weight = peer->status.weight };
    place.up = peer->state == WSFAN_PEER_UP;
    memcpy(place.name, peer->name, sizeof place.name);
    memcpy(place.address, peer->status.address, sizeof place.address);
    add_place(view, &place);
}

static void renew_view(wsf_core *core) {
    wsf_view *view = wsf_view_new(1 + wsf_peers_count(core->known));
    if (view == NULL)
        return; /* the view stays stale */
    view->count = 0;
    wsf_status own = wsf_status_own(core);
    if (may_own(own.flags, own.weight)) {
        wsf_placement_node place = { .node = core->config.node,
                                     .hash = core->status.place_hash,
                                     .weight = own.weight,
                                     .up = true };
        memcpy(place.name, core->name, sizeof place.name);
        memcpy(place.address, core->status.address, sizeof place.address);
        add_place(view, &place);
    }
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        add_peer(view, peer);
    core->status.view_stale = false;
    core->effects.view(core->effects.user, view);
    wsf_view_unref(core->status.view);
    core->status.view = view;
}

/* ----------------------------------------------------------------------------------------- time */

void wsf_status_tick(wsf_core *core, wsf_now now) {
    tick_ready(core, now);
    if (core->status.drain == WSF_DRAIN_SHED)
        tick_shed(core, now);
    if (core->status.view_stale)
        renew_view(core);
}

uint64_t wsf_status_deadline(const wsf_core *core) {
    uint64_t at = core->status.ready ? UINT64_MAX : ready_ms(core);
    if (core->status.drain == WSF_DRAIN_NONE || core->status.drain == WSF_DRAIN_DONE)
        return at;
    at = core->status.drain_until_ms < at ? core->status.drain_until_ms : at;
    return core->status.drain == WSF_DRAIN_SHED && core->status.shed_ms < at ? core->status.shed_ms
                                                                             : at;
}

/* --------------------------------------------------------------------------------------- stream */

static bool take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now) {
    (void)frame;
    (void)now;
    take_status(core, peer, &entry->node_status);
    return true;
}

/* A quiet status may stand only behind the last message. */
static bool plan(wsf_core *core, wsf_peer *peer, wsf_batch *batch) {
    bool due = peer->status.told < core->status.serial &&
               (!core->status.quiet || peer->link.queue_count == 0);
    if (due)
        batch->bound += WSF_STATUS_BOUND;
    return due;
}

static void write(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer) {
    (void)peer;
    (void)batch;
    wsf_status own = wsf_status_own(core);
    wsf_write_status(writer, &own);
}

static void commit(wsf_core *core, wsf_peer *peer, const wsf_batch *batch) {
    (void)batch;
    peer->status.told = core->status.serial;
}

static void link(wsf_core *core, wsf_peer *peer) {
    (void)core;
    peer->status.told = 0;
}

const wsf_part wsf_status_part = {
    .types = UINT32_C(1) << WSF_STATUS,
    .take = take,
    .reserve_bytes = WSF_PART_CONTROL,
    .plan = plan,
    .write = write,
    .commit = commit,
    .link = link,
    .deadline = wsf_status_deadline,
};
