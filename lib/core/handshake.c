/* Answers for which nodes are peers and whether they live. Identity is the node id; endpoints are hints.
 *
 * A node connects its SUB to a peer's XPUB and subscribes to its own inbox and to an introduction. The peer
 * reads both, connects back, and each says HELLO into the other's inbox until that is acknowledged. Only then
 * is the link established and anything else counted.
 *
 * Each side numbers a stream of its own, which has an epoch. A link is a pair of them: established when
 * the peer's hello has named its epoch and the peer, of that epoch, has acknowledged ours. A peer with a
 * new epoch has forgotten the link. This node then takes a new epoch too, but only if the peer could have
 * received a frame of the old one: otherwise two nodes that meet would go on renewing for ever. A node that
 * gives a link up by itself takes a new epoch in any case: nothing else makes the peer say hello again. */
#include "core/handshake.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/diagnosis.h"
#include "core/dialer.h"
#include "core/link/gaps.h"
#include "core/part.h"
#include "core/probe.h"
#include "core/routing/delivery.h"
#include "core/rpc/client.h"
#include "core/status.h"

wsf_peer *wsf_handshake_find(wsf_core *core, uint64_t node) {
    return wsf_peer_find(core, node);
}

static void tell_host(wsf_core *core, uint64_t node, const char *name, const char *endpoint,
                      wsfan_peer_event event, wsfan_reason reason) {
    wsfan_peer peer = { node, name, endpoint, event, reason };
    core->effects.peer(core->effects.user, core->loops, &peer);
}

static void tell_down(wsf_core *core, const wsf_peer *peer, bool down) {
    for (unsigned i = 0; core->parts[i] != NULL; i++)
        if (core->parts[i]->down != NULL)
            core->parts[i]->down(core, peer, down);
}

static void set_state(wsf_core *core, wsf_peer *peer, wsfan_peer_event state, wsfan_reason reason) {
    if (peer->state == state)
        return;
    peer->reason = reason;
    if (peer->state == WSFAN_PEER_DOWN || state == WSFAN_PEER_DOWN)
        tell_down(core, peer, state == WSFAN_PEER_DOWN);
    if (peer->state == WSFAN_PEER_UP || state == WSFAN_PEER_UP)
        peer->subscription.serial_owed = peer->subscription.serial_skipped;
    peer->state = state;
    wsf_peers_stir_all(core); /* the others are told of one that is up */
    core->diagnosis.due = true;
    core->status.view_stale = true;
    tell_host(core, peer->node, peer->name, peer->endpoint, state, reason);
}

void wsf_handshake_tell_loop(wsf_core *core, unsigned loop) {
    uint64_t bit = UINT64_C(1) << loop;
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;) {
        if (peer->state == 0)
            continue; /* the host was told nothing before the link was established */
        wsfan_peer known = { peer->node, peer->name, peer->endpoint, peer->state, peer->reason };
        core->effects.peer(core->effects.user, bit, &known);
    }
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        const wsf_dialer_endpoint *connection = &core->dialer.endpoints[i];
        if (!connection->used || connection->refused == WSFAN_REASON_NONE)
            continue;
        wsfan_peer refused = { connection->refuser, "", connection->endpoint, WSFAN_PEER_REFUSED,
                               connection->refused };
        core->effects.peer(core->effects.user, bit, &refused);
    }
}

/* --------------------------------------------------------------------------------- peers' lives */

static wsf_subscriber *find_subscriber(wsf_core *core, uint64_t node) {
    for (unsigned i = 0; i < WSF_SUBSCRIBERS_MAX; i++)
        if (core->handshake.subscribers[i].node == node)
            return &core->handshake.subscribers[i];
    return NULL;
}

static void occupy(wsf_core *core, wsf_peer *peer, uint64_t node) {
    unsigned i = wsf_peer_index(core, peer);
    uint8_t *first = &core->peer_index.first[wsf_peer_bucket(core, node)];
    peer->node = node;
    wsf_peers_add(&core->known, i);
    wsf_peer_stir(core, peer);
    core->peer_index.next[i] = *first;
    *first = (uint8_t)i;
}

static void vacate(wsf_core *core, wsf_peer *peer) {
    unsigned i = wsf_peer_index(core, peer);
    uint8_t *at = &core->peer_index.first[wsf_peer_bucket(core, peer->node)];
    while (*at != i)
        at = &core->peer_index.next[*at];
    *at = core->peer_index.next[i];
    wsf_peers_remove(&core->known, i);
    wsf_peers_remove(&core->stirred, i);
    peer->node = 0;
}

static unsigned count_peers(const wsf_core *core, uint32_t identity) {
    unsigned count = 0;
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        count += wsf_identity_of(peer->node) == identity;
    return count;
}

/* One key must not fill the table: a peer of the key with the most peers makes way for a node whose key
 * has fewer, a peer without a link before one with a link. */
static wsf_peer *crowding_peer(wsf_core *core, uint32_t identity) {
    wsf_peer *found = NULL;
    unsigned most = count_peers(core, identity) + 1;
    wsf_peers known = core->config.authenticated ? core->known : (wsf_peers){ 0 };
    for (wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;) {
        unsigned count = count_peers(core, wsf_identity_of(peer->node));
        if (count > most || (count == most && found != NULL && found->linked && !peer->linked)) {
            found = peer;
            most = count;
        }
    }
    return found;
}

/* A free place; if there is none, that of the peer that has been down for longest, or of a crowding one. */
static wsf_peer *free_peer(wsf_core *core, uint64_t node) {
    wsf_peer *oldest = NULL;
    for (unsigned i = 0; i < core->config.peers_count_max; i++) {
        wsf_peer *peer = &core->peers[i];
        if (peer->node == 0)
            return peer;
        if (peer->state == WSFAN_PEER_DOWN && (oldest == NULL || peer->heard_ms < oldest->heard_ms))
            oldest = peer;
    }
    if (oldest == NULL)
        oldest = crowding_peer(core, wsf_identity_of(node));
    if (oldest != NULL)
        wsf_handshake_drop(core, oldest, WSFAN_REASON_LIMIT);
    return oldest;
}

/* A new link owes a gap of unknown size if an earlier one was given up, of which nothing but the node's id
 * is left, in a ring. Once the ring has overwritten an id, this node may have met any node. So each node
 * says in its hello whether it may have met the receiver, and a gap is told only if both say so: a node
 * that has just started knows that it has met none. */

static bool is_noted(const wsf_core *core, uint64_t node) {
    for (unsigned i = 0; i < WSF_FORGOTTEN_MAX; i++)
        if (core->handshake.forgotten[i] == node)
            return true;
    return false;
}

static void note_forgotten(wsf_core *core, uint64_t node) {
    if (!is_noted(core, node))
        core->handshake.forgotten[core->handshake.forgotten_count++ % WSF_FORGOTTEN_MAX] = node;
}

/* Whether there may have been a link with the node before the present one. False: certainly not. */
static bool may_have_met(const wsf_core *core, uint64_t node) {
    return core->handshake.forgotten_count > WSF_FORGOTTEN_MAX || is_noted(core, node);
}

static void refuse(wsf_core *core, uint64_t node, const char *name, const char *endpoint,
                   wsfan_reason reason) {
    if (wsf_diagnosis_rejected(core, node, name, endpoint, reason))
        tell_host(core, node, name, endpoint, WSFAN_PEER_REFUSED, reason);
    wsf_handshake_send_number(core, node, 0, WSF_REFUSE, (uint64_t)reason);
}

/* NULL: there is no room, and the node is to be refused; it will ask again. */
static wsf_peer *add_peer(wsf_core *core, uint64_t node, const char *endpoint, wsf_now now) {
    wsf_peer *peer = free_peer(core, node);
    if (peer == NULL)
        return NULL;
    memset(peer, 0, sizeof *peer);
    core->diagnosis.due = true;
    occupy(core, peer, node);
    peer->heard_ms = now.ms;
    peer->ack_ms = UINT64_MAX;
    peer->nack_interval_ms = WSF_NACK_INTERVAL_MS;
    peer->version = core->config.protocol_min;
    peer->reachable = find_subscriber(core, node) != NULL;
    wsf_copy_text(peer->endpoint, sizeof peer->endpoint, wsfan_string(endpoint));
    wsf_link_init(&peer->link, &core->config.link, ++core->epoch, wsf_peer_index(core, peer));
    wsf_peers known = core->known; /* they were told of another peer with this number */
    for (wsf_peer *other; (other = wsf_peer_next(core, &known)) != NULL;)
        wsf_peers_remove(&other->gossip.told, wsf_peer_index(core, peer));
    tell_down(core, peer, false);
    return peer;
}

static void unlink_peer(wsf_core *core, wsf_peer *peer) {
    if (!peer->linked)
        return;
    peer->linked = false;
    peer->anew = 0;
    wsf_peers_remove(&core->linked, wsf_peer_index(core, peer));
    wsf_peers_remove(&core->congested, wsf_peer_index(core, peer));
    for (unsigned i = 0; core->parts[i] != NULL; i++)
        if (core->parts[i]->unlink != NULL)
            core->parts[i]->unlink(core, peer);
}

void wsf_handshake_drop(wsf_core *core, wsf_peer *peer, wsfan_reason reason) {
    bool was_known = peer->linked || peer->state != 0;
    unlink_peer(core, peer);
    if (was_known && reason != WSFAN_REASON_BYE) /* the node may live, and be back */
        note_forgotten(core, peer->node);
    if (was_known)
        set_state(core, peer, WSFAN_PEER_DOWN, reason);
    if (peer->subscription.serial_owed > peer->subscription.serial_acked)
        wsf_gaps_tell(core, peer, 0, WSFAN_GAP_AWAY, 0); /* the peer will not */
    wsf_dialer_release(core, peer->node);
    wsf_delivery_lose(core, peer, true);
    wsf_status_forget(core, peer);
    wsf_link_destroy(&peer->link);
    vacate(core, peer);
}

void wsf_handshake_expel(wsf_core *core, bool (*may)(void *user, uint32_t identity), void *user) {
    wsf_peers known = core->known;
    for (wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        if (!may(user, wsf_identity_of(peer->node)))
            wsf_handshake_drop(core, peer, WSFAN_REASON_KEY);
    for (unsigned i = 0; i < WSF_SUBSCRIBERS_MAX; i++) {
        wsf_subscriber *subscriber = &core->handshake.subscribers[i];
        if (subscriber->node != 0 && !may(user, wsf_identity_of(subscriber->node)))
            *subscriber = (wsf_subscriber){ 0 };
    }
}

void wsf_handshake_silent(wsf_core *core, wsf_peer *peer) {
    set_state(core, peer, WSFAN_PEER_SILENT, WSFAN_REASON_NONE);
}

void wsf_handshake_down(wsf_core *core, wsf_peer *peer, wsfan_reason reason) {
    set_state(core, peer, WSFAN_PEER_DOWN, reason);
    wsf_dialer_again(core, peer->node);
    wsf_rpc_client_lose(core, peer);
}

void wsf_handshake_heard(wsf_core *core, wsf_peer *peer, wsf_now now) {
    peer->heard_ms = now.ms;
    if (peer->linked && peer->reachable)
        set_state(core, peer, WSFAN_PEER_UP, WSFAN_REASON_NONE);
}

static void establish(wsf_core *core, wsf_peer *peer, wsf_now now) {
    if (peer->linked)
        return;
    peer->linked = true;
    peer->stats.links++;
    wsf_peers_add(&core->linked, wsf_peer_index(core, peer));
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (core->dialer.endpoints[i].refuser == peer->node)
            core->dialer.endpoints[i].refused = WSFAN_REASON_NONE;
    core->diagnosis.due = true;
    wsf_dialer_linked(core, peer, now);
    for (unsigned i = 0; core->parts[i] != NULL; i++)
        if (core->parts[i]->link != NULL)
            core->parts[i]->link(core, peer);
    wsf_handshake_heard(core, peer, now);
}

/* ------------------------------------------------------------------------------- introductions */

static wsfan_reason judge(const wsf_core *core, uint32_t protocol_min, uint32_t protocol_max,
                          wsfan_bytes cluster) {
    if (cluster.size != strlen(core->cluster) ||
        memcmp(cluster.data, core->cluster, cluster.size) != 0)
        return WSFAN_REASON_CLUSTER;
    if (protocol_min > core->config.protocol_max || protocol_max < core->config.protocol_min)
        return WSFAN_REASON_VERSION;
    return WSFAN_REASON_NONE;
}

void wsf_handshake_own_id(wsf_core *core, uint32_t connection) {
    wsf_entry entry;
    wsfan_reason reason = WSFAN_REASON_SELF;
    int more;
    while ((more = wsf_reader_next(core->reader, &entry)) != 0)
        if (more == 1 && entry.type == WSF_REFUSE)
            reason = WSFAN_REASON_ID;
    if (!core->dialer.endpoints[connection].self_told) /* redials come here again */
        tell_host(core, core->config.node, "", core->dialer.endpoints[connection].endpoint,
                  WSFAN_PEER_REFUSED, reason);
    core->dialer.endpoints[connection].self_told = true;
    if (reason == WSFAN_REASON_ID)
        core->dialer.endpoints[connection].rejected = reason;
}

/* Why the node is refused; NONE: it is not. */
static wsfan_reason introduce(wsf_core *core, const wsf_introduction *introduction, wsf_now now) {
    uint64_t node = introduction->node;
    wsfan_reason reason = judge(core, introduction->protocol_min, introduction->protocol_max,
                                wsfan_string(introduction->cluster));
    if (reason != WSFAN_REASON_NONE)
        return reason;
    wsf_peer *peer = wsf_handshake_find(core, node);
    if (peer == NULL && (peer = add_peer(core, node, introduction->endpoint, now)) == NULL)
        return WSFAN_REASON_LIMIT;
    if (!wsf_dialer_connected(core, node) &&
        !wsf_dialer_gossip(core, introduction->endpoint, node, true, now))
        return WSFAN_REASON_LIMIT;
    if (!peer->handshake.acked)
        wsf_handshake_send_hello(core, peer, now);
    return WSFAN_REASON_NONE;
}

static void answer(wsf_core *core, uint64_t node, wsfan_reason reason) {
    if (reason == WSFAN_REASON_SELF)
        wsf_handshake_send_number(core, node, 0, WSF_HELLO_ACK, 0);
    else
        wsf_handshake_send_number(core, node, 0, WSF_REFUSE, (uint64_t)reason);
}

/* Answers to earlier introductions of the node, whose inbox never came. */
static void forget_answers(wsf_core *core, uint64_t node) {
    for (uint32_t i = 0; i < WSF_ANSWERS_MAX; i++)
        if (core->handshake.answers[i].node == node)
            core->handshake.answers[i].node = 0;
}

void wsf_handshake_introduction(wsf_core *core, const wsf_introduction *introduction, wsf_now now) {
    uint64_t node = introduction->node;
    wsfan_reason reason;
    forget_answers(core, node);
    /* With our id it is this node, or a copy. The answer shows by which connection. */
    if (node == core->config.node)
        reason = strcmp(introduction->endpoint, core->endpoint) == 0 ? WSFAN_REASON_SELF
                                                                     : WSFAN_REASON_ID;
    else
        reason = introduce(core, introduction, now);
    if (reason == WSFAN_REASON_NONE)
        return;
    if (reason != WSFAN_REASON_SELF &&
        wsf_diagnosis_rejected(core, node, "", introduction->endpoint, reason))
        tell_host(core, node, "", introduction->endpoint, WSFAN_PEER_REFUSED, reason);
    answer(core, node, reason);
    if (find_subscriber(core, node) != NULL)
        return;
    /* Nothing comes through before the inbox is subscribed to, of which ZeroMQ may tell later. */
    uint32_t i = core->handshake.answers_count++ % WSF_ANSWERS_MAX;
    core->handshake.answers[i].node = node;
    core->handshake.answers[i].reason = reason;
}

void wsf_handshake_unknown(wsf_core *core, uint32_t connection, uint64_t node, wsf_now now) {
    wsf_count_drop(core, WSFAN_DROP_STRANGER, 1);
    wsf_peer *peer = add_peer(core, node, core->dialer.endpoints[connection].endpoint, now);
    if (peer != NULL)
        wsf_handshake_send_hello(core, peer, now);
    else
        refuse(core, node, "", core->dialer.endpoints[connection].endpoint, WSFAN_REASON_LIMIT);
}

/* Where nodes have keys, one key takes half of the table at most. */
static bool may_note_subscriber(const wsf_core *core, uint64_t node) {
    unsigned count = 0;
    for (unsigned i = 0; i < WSF_SUBSCRIBERS_MAX && core->config.authenticated; i++)
        count += core->handshake.subscribers[i].node != 0 &&
                 wsf_identity_of(core->handshake.subscribers[i].node) == wsf_identity_of(node);
    return count < WSF_SUBSCRIBERS_MAX / 2;
}

static void say_answers(wsf_core *core, uint64_t node) {
    for (uint32_t i = 0; i < WSF_ANSWERS_MAX; i++) {
        if (core->handshake.answers[i].node != node)
            continue;
        core->handshake.answers[i].node = 0;
        answer(core, node, core->handshake.answers[i].reason);
    }
}

void wsf_handshake_subscriber(wsf_core *core, uint64_t node, bool subscribed, wsf_now now) {
    wsf_subscriber *subscriber = find_subscriber(core, node);
    wsf_peer *peer = wsf_handshake_find(core, node);
    core->diagnosis.due = true;
    if (peer != NULL)
        wsf_peer_stir(core, peer);
    if (subscribed) {
        if (subscriber == NULL && may_note_subscriber(core, node))
            subscriber = find_subscriber(core, 0);
        if (subscriber == NULL) { /* the node will subscribe again */
            wsf_count_drop(core, WSFAN_DROP_STRANGER, 1);
            refuse(core, node, peer != NULL ? peer->name : "", peer != NULL ? peer->endpoint : "",
                   WSFAN_REASON_LIMIT);
            return;
        }
        subscriber->node = node;
        subscriber->count++;
        say_answers(core, node);
        if (peer == NULL)
            return;
        /* A new connection: frames in the old one are lost. A heartbeat at once shows the peer which. */
        peer->reachable = true;
        peer->ack_ms = 0;
        wsf_link_reconnected(&peer->link);
        if (!peer->handshake.acked)
            wsf_handshake_send_hello(core, peer, now);
    } else if (subscriber != NULL && --subscriber->count == 0) {
        subscriber->node = 0;
        if (peer == NULL)
            return;
        peer->reachable = false;
        wsf_dialer_doubt(core, node);
        if (peer->linked && peer->state == WSFAN_PEER_UP)
            set_state(core, peer, WSFAN_PEER_SILENT, WSFAN_REASON_NONE);
    }
}

/* --------------------------------------------------------------------------------------- hello */

static wsf_buffer *loose_frame(wsf_core *core, uint64_t receiver, uint64_t epoch,
                               wsf_writer *writer, size_t size) {
    wsf_buffer *frame = wsf_buffer_new((uint32_t)(WSF_FRAME_HEAD_BOUND + size));
    if (frame == NULL)
        return NULL; /* such frames are repeated until they are answered */
    *writer = (wsf_writer){ frame->data, frame->capacity, 0 };
    /* Every version reads the hello of every version. */
    wsf_frame_head head = { .version = core->config.protocol_max,
                            .sender = core->config.node,
                            .epoch = epoch };
    wsf_write_head(writer, receiver, &head);
    return frame;
}

static void send_loose(wsf_core *core, wsf_buffer *frame, wsf_writer *writer) {
    wsf_seal(writer);
    frame->size = (uint32_t)writer->size;
    core->effects.send(core->effects.user, frame);
    wsf_buffer_unref(frame);
}

void wsf_handshake_send_number(wsf_core *core, uint64_t node, uint64_t epoch, wsf_entry_type type,
                               uint64_t number) {
    wsf_writer writer;
    wsf_buffer *frame = loose_frame(core, node, epoch, &writer, WSF_ENTRY_BOUND);
    if (frame == NULL)
        return;
    wsf_write_number(&writer, type, number);
    send_loose(core, frame, &writer);
}

void wsf_handshake_send_hello(wsf_core *core, wsf_peer *peer, wsf_now now) {
    peer->handshake.again_ms = now.ms + WSF_HELLO_INTERVAL_MS;
    if (!peer->reachable)
        return;
    wsf_writer writer;
    wsf_buffer *frame = loose_frame(core, peer->node, peer->link.epoch, &writer, WSF_HELLO_BOUND);
    if (frame == NULL)
        return;
    wsf_hello hello = {
        .protocol_min = core->config.protocol_min,
        .protocol_max = core->config.protocol_max,
        .features = WSF_FEATURE_HISTORY | (core->config.history_ms > 0 ? WSF_FEATURE_MARKS : 0),
        .cluster = wsfan_string(core->cluster),
        .name = wsfan_string(core->name),
        .incarnation = core->config.incarnation,
        .endpoint = wsfan_string(core->endpoint),
        .epoch = peer->link.epoch,
        .frame_size_max = core->frame_size_max,
        .met = peer->stats.links > 0 || may_have_met(core, peer->node),
    };
    wsf_write_hello(&writer, &hello);
    send_loose(core, frame, &writer);
}

/* Gives `name` to the sender. A peer that has the name and is not up is dropped, as for its own restart; one
 * that is up only for a newer incarnation with the same key. False: this node or a peer keeps the name.
 * Incarnations are wall clock times, which jump, so alone they say little. */
static bool claim_name(wsf_core *core, uint64_t sender, const wsf_hello *hello, const char *name) {
    if (strcmp(name, core->name) == 0)
        return false;
    wsf_peers known = core->known;
    for (wsf_peer *other; (other = wsf_peer_next(core, &known)) != NULL;) {
        if (other->node == sender || strcmp(other->name, name) != 0)
            continue;
        bool newer = other->handshake.incarnation > hello->incarnation ||
                     (other->handshake.incarnation == hello->incarnation && other->node > sender);
        bool foreign = core->config.authenticated &&
                       wsf_identity_of(other->node) != wsf_identity_of(sender);
        if ((newer || foreign) && other->state == WSFAN_PEER_UP)
            return false;
        wsf_handshake_drop(core, other, WSFAN_REASON_REPLACED);
    }
    return true;
}

/* Gives the link up, for a new one. in_epoch: of the peer's new stream; 0: this node gives up by itself. */
static void renew_link(wsf_core *core, wsf_peer *peer, uint64_t in_epoch) {
    unlink_peer(core, peer);
    if (peer->state == WSFAN_PEER_UP)
        set_state(core, peer, WSFAN_PEER_SILENT, WSFAN_REASON_NONE);
    if (in_epoch == 0 || peer->link.next > 1) {
        wsf_delivery_lose(core, peer, false);
        wsf_link_restart_out(&peer->link, ++core->epoch, core->clock);
    }
    wsf_link_restart_in(&peer->link, in_epoch);
    peer->handshake.acked = false;
    peer->ack_ms = UINT64_MAX;
    peer->nack_interval_ms = WSF_NACK_INTERVAL_MS;
    /* What the peer publishes before the next link is not sent to this node. */
    peer->forgotten = peer->forgotten || peer->stats.links > 0;
}

uint64_t wsf_handshake_cut(wsf_core *core, wsf_peer *peer) {
    uint64_t dropped = wsf_link_drop_queue(&peer->link);
    renew_link(core, peer, 0);
    peer->handshake.received = false;
    set_state(core, peer, WSFAN_PEER_DOWN, WSFAN_REASON_SLOW);
    return dropped;
}

void wsf_handshake_hello(wsf_core *core, uint64_t sender, const wsf_hello *hello, wsf_now now) {
    char name[WSF_NAME_SIZE_MAX + 1];
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    wsf_copy_text(name, sizeof name, hello->name);
    wsf_copy_text(endpoint, sizeof endpoint, hello->endpoint);

    wsf_peer *peer = wsf_handshake_find(core, sender);
    wsfan_reason reason = judge(core, hello->protocol_min, hello->protocol_max, hello->cluster);
    if (reason == WSFAN_REASON_NONE && peer != NULL && peer->handshake.received &&
        (peer->handshake.incarnation != hello->incarnation || strcmp(peer->name, name) != 0))
        reason = WSFAN_REASON_ID;
    if (reason == WSFAN_REASON_NONE && !claim_name(core, sender, hello, name))
        reason = WSFAN_REASON_NAME;
    if (reason != WSFAN_REASON_NONE) {
        if (peer != NULL && !peer->linked && reason != WSFAN_REASON_ID)
            wsf_handshake_drop(core, peer, reason);
        refuse(core, sender, name, endpoint, reason);
        return;
    }
    if (peer == NULL && (peer = add_peer(core, sender, endpoint, now)) == NULL) {
        refuse(core, sender, name, endpoint, WSFAN_REASON_LIMIT);
        return;
    }

    if (hello->epoch < peer->link.in_epoch)
        return; /* of an earlier stream: late */
    if (hello->epoch != peer->link.in_epoch)
        renew_link(core, peer, hello->epoch);
    if (peer->stats.links == 0) /* else renew_link() has set it */
        peer->forgotten = hello->met && may_have_met(core, sender);
    peer->handshake.received = true;
    peer->handshake.incarnation = hello->incarnation;
    peer->features = hello->features;
    peer->frame_size_max = hello->frame_size_max;
    peer->version = hello->protocol_max < core->config.protocol_max ? hello->protocol_max
                                                                    : core->config.protocol_max;
    memcpy(peer->name, name, sizeof name);
    memcpy(peer->endpoint, endpoint, sizeof endpoint);
    wsf_handshake_send_number(core, sender, peer->link.epoch, WSF_HELLO_ACK, hello->epoch);
    if (!peer->handshake.acked)
        wsf_handshake_send_hello(core, peer, now);
}

void wsf_handshake_hello_ack(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                             uint64_t epoch, wsf_now now) {
    if (!peer->handshake.received || head->epoch != peer->link.in_epoch ||
        epoch != peer->link.epoch)
        return; /* of another pair of streams */
    peer->handshake.acked = true;
    establish(core, peer, now);
}

void wsf_handshake_refused(wsf_core *core, wsf_peer *peer, uint64_t node, uint64_t reason,
                           wsf_now now) {
    if (peer != NULL && peer->linked)
        return; /* a late refusal; a peer that does refuse falls silent, and goes down */
    wsfan_reason known = reason <= WSFAN_REASON_KEY ? (wsfan_reason)reason : WSFAN_REASON_NONE;
    bool told = false; /* redials are refused again: the host is told once */
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        wsf_dialer_endpoint *connection = &core->dialer.endpoints[i];
        if (!connection->used || connection->node != node)
            continue;
        told = told || connection->refused == known;
        connection->refused = known;
        connection->refuser = node;
        connection->refusal_ms = now.ms;
    }
    core->diagnosis.due = true;
    core->dialer.due_ms = 0;
    core->stats.endpoint_failures++;
    if (!told)
        tell_host(core, node, peer != NULL ? peer->name : "", peer != NULL ? peer->endpoint : "",
                  WSFAN_PEER_REFUSED, known);
    if (peer != NULL) /* a node that refuses is asked less often */
        peer->handshake.again_ms = now.ms + core->config.silent_ms;
    if (peer != NULL && known == WSFAN_REASON_LIMIT)
        wsf_handshake_drop(core, peer, WSFAN_REASON_LIMIT); /* until our next introduction */
}
