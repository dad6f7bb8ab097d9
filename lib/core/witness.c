/* Answers for how far this node got with each origin, that is, with each node that publishes: up to which clock it
 * took all messages that it should have got, and from which clock on none of them is missing.
 *
 * Only the origin knows what it sent, so it says MARK: all messages for you up to this clock are in frames up to this
 * number. A mark goes into each heartbeat to a peer that wants marks. What one says rounds down, what one lacks rounds
 * up, and these two rules are all there is to it:
 *  - A mark's clock is below every message that waits for the peer, and there is no mark while a loss is untold.
 *  - Every gap raises `whole`, below which nothing is vouched for: to the clock that LOST names, or to that of the
 *    origin's last message, in the first mark that was made after the gap.
 *
 * Messages that an origin published for a chat before it knew our interest in it are missing, and no gap says so. A
 * mark's frame acknowledges ours, so it tells which interest the origin knew; see wsf_witness_begin().
 *
 * Knows no chat. Costs nothing where nobody wants marks: no byte but the two bits in HELLO. */
#include "core/witness.h"

#include <assert.h>

#include "base/memory.h"
#include "core/handshake.h"
#include "core/link/gaps.h"

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

int wsf_witness_init(wsf_core *core) {
    if (core->config.history_ms == 0)
        return WSFAN_OK;
    core->witness.origins = wsf_alloc_zero(WSF_ORIGINS_MAX, sizeof *core->witness.origins);
    return core->witness.origins != NULL ? WSFAN_OK : WSFAN_ENOMEM;
}

void wsf_witness_destroy(wsf_core *core) {
    wsf_free(core->witness.origins);
}

/* ------------------------------------------------------------------------------------ origins */

static wsf_origin *find(const wsf_core *core, uint64_t node) {
    for (unsigned i = 0; core->witness.origins != NULL && i < WSF_ORIGINS_MAX; i++)
        if (core->witness.origins[i].node == node)
            return &core->witness.origins[i];
    return NULL;
}

uint64_t wsf_witness_unsure(const wsf_core *core) {
    return core->last_ms < core->witness.unsure_ms ? core->witness.unsure_clock : 0;
}

const wsf_origin *wsf_witness_find(const wsf_core *core, uint64_t node) {
    return find(core, node);
}

void wsf_witness_told(wsf_core *core, uint64_t node, uint64_t clock) {
    wsf_origin *origin = find(core, node);
    if (origin != NULL)
        origin->took = later(origin->took, clock);
}

/* From then on nobody keeps a message of the origin, which was a peer for up to a heartbeat after it was seen as one. */
static uint64_t forget_ms(const wsf_core *core, const wsf_origin *origin) {
    return origin->seen_ms + core->config.heartbeat_ms + core->config.history_ms;
}

/* A place for one more: that of the node that is gone for longest, where none is free. Where that one's messages have a hole, and from
 * when on they are here, is forgotten with it, so none of them that came is said to be of an unbroken run any more. */
static wsf_origin *place_for_one(wsf_core *core) {
    wsf_origin *place = NULL;
    unsigned places = core->config.peers_count_max + WSF_ORIGINS_GONE_MAX;
    for (unsigned i = 0; i < places; i++) {
        wsf_origin *origin = &core->witness.origins[i];
        if (origin->node == 0)
            return origin;
        if (wsf_peer_find(core, origin->node) == NULL &&
            (place == NULL || origin->seen_ms < place->seen_ms))
            place = origin;
    }
    assert(place != NULL); /* there are more places than peers */
    core->witness.unsure_ms = later(core->witness.unsure_ms, forget_ms(core, place));
    core->witness.unsure_clock = later(core->witness.unsure_clock,
                                       later(place->whole, place->took));
    return place;
}

/* Nothing of the peer has a clock from before its start. */
static uint64_t clock_at_start(const wsf_core *core, const wsf_peer *peer) {
    uint64_t start_ms = peer->handshake.incarnation;
    return start_ms > 0 && start_ms <= core->clock >> 16 ? (start_ms << 16) - 1 : 0;
}

/* One that is not known may have been forgotten early. */
static wsf_origin *find_or_make(wsf_core *core, const wsf_peer *peer) {
    wsf_origin *origin = find(core, peer->node);
    if (origin != NULL)
        return origin;
    uint64_t unsure = wsf_witness_unsure(core);
    origin = place_for_one(core);
    *origin = (wsf_origin){ .node = peer->node,
                            .seen_ms = core->now_ms,
                            .clock = clock_at_start(core, peer),
                            .whole = unsure < core->clock ? unsure : core->clock,
                            .took = unsure,
                            .thawed = ++core->witness.changes };
    return origin;
}

static bool is_a_minute_below(uint64_t clock, uint64_t other) {
    return (clock >> 16) + WSF_CLOCK_APART_MS_MAX < other >> 16;
}

/* The clock of one that is not up went on unheard. */
bool wsf_witness_is_behind(const wsf_core *core, const wsf_peer *peer) {
    uint64_t ours = peer->state == WSFAN_PEER_UP ? core->clock : peer->witness.heard_at;
    return peer->witness.heard && is_a_minute_below(peer->witness.heard_clock, ours);
}

bool wsf_witness_is_preempted(const wsf_core *core, const wsf_peer *peer, const wsf_vector *seen) {
    return wsf_witness_is_behind(core, peer) &&
           is_a_minute_below(peer->witness.heard_clock, wsf_vector_at(seen, peer->node));
}

void wsf_witness_skip(wsf_peer *peer, uint64_t serial) {
    wsf_origin *origin = peer->witness.origin;
    if (origin == NULL)
        return;
    wsf_origin_freeze(origin);
    origin->skipped = later(origin->skipped, serial);
}

/* A new link. What the peer published since the last one, or ever, was not sent to this node. */
static void link(wsf_core *core, wsf_peer *peer) {
    bool wants = (peer->features & WSF_FEATURE_MARKS) != 0;
    bool sends = (peer->features & WSF_FEATURE_HISTORY) != 0;
    peer->witness.due_ms = wants ? 0 : UINT64_MAX;
    peer->witness.again_ms = 0;
    peer->witness.heard = peer->witness.refused = false;
    core->witness.moved = true;
    wsf_peers_put(&core->witness.askers, wsf_peer_index(core, peer), wants);
    if (core->witness.origins == NULL || !sends)
        return;
    wsf_origin *origin = find_or_make(core, peer);
    peer->witness.origin = origin;
    if (peer->forgotten) { /* the gap is told with the first frame */
        wsf_origin_freeze(origin);
        origin->untold = false;
    }
    wsf_origin_open(core, origin, 0);
}

static void unlink(wsf_core *core, wsf_peer *peer) {
    wsf_peers_remove(&core->witness.askers, wsf_peer_index(core, peer));
}

/* -------------------------------------------------------------------------------- our own marks */

static bool wants_marks(const wsf_core *core, const wsf_peer *peer) {
    return wsf_peers_has(core->witness.askers, wsf_peer_index(core, peer));
}

/* The clock passes what it says: a later message has a later one. False: there is nothing to say. */
static bool mark_of(wsf_core *core, const wsf_peer *peer, wsf_now now, wsf_mark *mark) {
    const wsf_link *link = &peer->link;
    if (link->lost > 0 || link->lost_too_big > 0 || link->lost_unknown || link->open.messages > 0)
        return false;
    wsf_clock_pass(core, now);
    uint64_t least = wsf_link_least_clock(link);
    *mark = (wsf_mark){ least != UINT64_MAX ? least - 1 : core->clock, link->next - 1,
                        core->witness.last };
    return true;
}

static bool heartbeat_due(const wsf_core *core, const wsf_peer *peer, wsf_now now) {
    return wants_marks(core, peer) && now.ms >= peer->witness.due_ms;
}

static void write_heartbeat(wsf_core *core, wsf_peer *peer, wsf_writer *writer, wsf_now now) {
    wsf_mark mark;
    if (!wants_marks(core, peer))
        return;
    peer->witness.due_ms = now.ms + wsf_beat_ms(core);
    peer->witness.again_ms = now.ms + WSF_MARK_INTERVAL_MS;
    if (mark_of(core, peer, now, &mark))
        wsf_write_mark(writer, &mark);
}

void wsf_witness_hurry(wsf_peer *peer, wsf_now now) {
    uint64_t at = later(now.ms, peer->witness.again_ms);
    if (at < peer->witness.due_ms && peer->witness.due_ms != UINT64_MAX)
        peer->witness.due_ms = at;
}

static void tick(wsf_core *core, wsf_now now) {
    if (core->witness.origins == NULL || now.ms < core->witness.look_ms)
        return;
    core->witness.look_ms = now.ms + core->config.heartbeat_ms;
    for (unsigned i = 0; i < WSF_ORIGINS_MAX; i++) {
        wsf_origin *origin = &core->witness.origins[i];
        const wsf_peer *peer = wsf_peer_find(core, origin->node);
        if (peer != NULL && peer->linked && peer->state == WSFAN_PEER_UP)
            origin->left = 0;
        else if (origin->left == 0)
            origin->left = core->clock;
        if (peer != NULL)
            origin->seen_ms = now.ms;
        else if (now.ms >= forget_ms(core, origin))
            origin->node = 0;
    }
}

static uint64_t heartbeat_ms(const wsf_core *core, const wsf_peer *peer) {
    return wants_marks(core, peer) ? peer->witness.due_ms : UINT64_MAX;
}

/* -------------------------------------------------------------------------------- marks of peers */

/* Messages that were missing when the mark was made are not newer than the origin's last one. */
static void settle(wsf_core *core, wsf_peer *peer, wsf_origin *origin) {
    if (origin->frozen && !peer->forgotten && peer->witness.heard_serial >= origin->skipped) {
        if (origin->untold && origin->last > origin->frozen_clock)
            wsf_gaps_tell(core, peer, 0, WSFAN_GAP_AWAY, origin->last);
        origin->frozen = origin->untold = false;
        origin->open = true;
        origin->thawed = ++core->witness.changes;
    }
    if (origin->open) {
        origin->whole = later(origin->whole, origin->last);
        origin->changed = ++core->witness.changes;
    }
    origin->open = origin->bare = false;
}

/* Marks may be late, double, and lies. One counts if all frames that it speaks of were taken, no newer one was, and
 * no frame that came before it acknowledged more. */
static void take_mark(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                      const wsf_mark *mark, wsf_now now) {
    wsf_origin *origin = peer->witness.origin;
    uint64_t top = later(mark->clock, mark->last);
    if (origin == NULL)
        return;
    wsf_clock_merge(core, top, now);
    peer->witness.refused = top > core->clock;
    if (peer->witness.refused) {
        core->witness.refused++;
        origin->open = true;
        return;
    }
    if (head->ack_epoch != peer->link.epoch || head->ack != peer->link.acked ||
        mark->newest >= peer->link.in_expected ||
        (peer->witness.heard && top < peer->witness.heard_clock) ||
        (origin->open && mark->newest < origin->open_number))
        return;
    peer->witness.heard = true;
    peer->witness.heard_serial = peer->subscription.serial_acked;
    peer->witness.heard_clock = top;
    peer->witness.heard_at = core->clock;
    origin->clock = later(origin->clock, mark->clock);
    origin->last = later(origin->last, mark->last);
    origin->said = later(origin->said, mark->clock);
    core->witness.moved = true;
    settle(core, peer, origin);
}

static void take_loose(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                       const wsf_entry *entry, wsf_now now) {
    if (entry->type == WSF_MARK) {
        take_mark(core, peer, head, &entry->mark, now);
        return;
    }
    wsf_clock_merge(core, entry->mark_ask, now); /* so that the mark reaches it */
    wsf_witness_hurry(peer, now);
}

void wsf_witness_ask(wsf_core *core, uint64_t clock) {
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;) {
        if (peer->state == WSFAN_PEER_UP && peer->witness.origin != NULL &&
            wsf_origin_reached(peer->witness.origin) < clock)
            wsf_handshake_send_number(core, peer->node, peer->link.epoch, WSF_MARK_ASK, clock);
    }
}

/* --------------------------------------------------------------------------------------- begins */

static bool knows(const wsf_peer *peer, uint64_t serial) {
    return peer->linked && peer->witness.heard && peer->witness.heard_serial >= serial;
}

/* A peer that is not waited for: not up, or of a clock by which nothing of it is whole. */
static bool is_out(const wsf_peer *peer) {
    return !peer->linked || peer->state != WSFAN_PEER_UP || peer->witness.refused;
}

/* The gap is told by the peer's acknowledgement of that interest, or, where that has come and no mark has, with the
 * next mark; on a new link in any case. */
static void skip(wsf_peer *peer, uint64_t serial) {
    wsf_witness_skip(peer, serial);
    if (!peer->linked)
        return;
    if (peer->subscription.serial_acked >= serial)
        peer->witness.origin->untold = true;
    else
        peer->subscription.serial_skipped = later(peer->subscription.serial_skipped, serial);
}

bool wsf_witness_begin(wsf_core *core, uint64_t serial, wsf_now now, uint64_t *since) {
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;)
        if (peer->witness.origin != NULL && !knows(peer, serial) && !is_out(peer))
            return false;
    wsf_clock_pass(core, now);
    *since = core->clock;
    wsf_peers known = core->known;
    for (wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;) {
        if (peer->witness.origin == NULL)
            continue;
        if (knows(peer, serial))
            *since = later(*since, peer->witness.heard_clock);
        else
            skip(peer, serial);
    }
    return true;
}

void wsf_witness_leave_out(wsf_core *core, uint64_t node, uint64_t serial) {
    wsf_origin *origin = find(core, node);
    wsf_peer *peer = wsf_peer_find(core, node);
    if (origin == NULL || origin->frozen)
        return;
    if (peer != NULL && peer->witness.origin == origin) {
        skip(peer, serial);
        return;
    }
    wsf_origin_freeze(origin);
    origin->untold = true;
}

const wsf_part wsf_witness_part = {
    .loose_types = UINT32_C(1) << WSF_MARK | UINT32_C(1) << WSF_MARK_ASK,
    .take_loose = take_loose,
    .heartbeat_due = heartbeat_due,
    .heartbeat_ms = heartbeat_ms,
    .write_heartbeat = write_heartbeat,
    .link = link,
    .unlink = unlink,
    .tick = tick,
};
