/* Answers for the table of endpoints: which are dialled, which rest, and when one is given up.
 *
 * An endpoint stays while a source names it, or while a peer is reached by it. So a set that becomes smaller,
 * or empty, takes no connection away from a peer; and an endpoint that no source names is not dialled for
 * ever. A named endpoint that leads to this node, or to a node that another connection reaches, rests: it
 * stays in the table, so that naming it again does not dial it again.
 *
 * What an endpoint leads to may change: a balancer may stand in front of all nodes, a node that refused may
 * accept later, and a connection may be dead at one end only. So an endpoint by which no linked peer is heard
 * is redialled within down_ms, with jitter, whether it rests or not; one by which a peer was heard, when that
 * peer has been silent for quiet_ms(). Of two endpoints of a peer the one that the peer itself tells stays;
 * the other may be another node's by now, and rests.
 *
 * Invariant: an endpoint rests only while its node is this one or has another connection. */
#include "core/dialer.h"

#include <assert.h>
#include <string.h>

#include "base/endpoint.h"

_Static_assert(WSFAN_ENDPOINTS_MAX == WSF_CONNECTIONS_MAX, "as wsfan/peers.h says");

/* To be called when an endpoint may be due sooner than it was. */
static void look_soon(wsf_core *core) {
    core->diagnosis.due = true;
    core->dialer.due_ms = 0;
}

static void hang_up(wsf_core *core, wsf_dialer_endpoint *connection) {
    connection->dialled = false;
    connection->again_ms = 0;
    look_soon(core);
    core->effects.disconnect(core->effects.user, (uint32_t)(connection - core->dialer.endpoints));
}

static void dial(wsf_core *core, wsf_dialer_endpoint *connection) {
    connection->dialled = true;
    connection->node = 0;
    connection->again_ms = 0;
    connection->attempts++;
    look_soon(core);
    core->effects.connect(core->effects.user, (uint32_t)(connection - core->dialer.endpoints),
                          connection->endpoint, wsf_identity_of(connection->likely));
}

static void seek(wsf_core *core, const wsf_dialer_endpoint *connection, uint64_t node) {
    core->effects.seek(core->effects.user, (uint32_t)(connection - core->dialer.endpoints),
                       wsf_identity_of(node));
}

static void forget(wsf_core *core, wsf_dialer_endpoint *connection) {
    connection->used = false;
    look_soon(core);
    if (connection->dialled)
        hang_up(core, connection);
}

static wsf_dialer_endpoint *find(wsf_core *core, const char *endpoint) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (core->dialer.endpoints[i].used &&
            strcmp(core->dialer.endpoints[i].endpoint, endpoint) == 0)
            return &core->dialer.endpoints[i];
    return NULL;
}

static bool abandoned(const wsf_dialer_endpoint *connection) {
    return connection->used && connection->named == 0 &&
           (connection->node == 0 || connection->refused != WSFAN_REASON_NONE);
}

/* A free place; if there is none and it is urgent, that of the oldest abandoned endpoint. */
static wsf_dialer_endpoint *place(wsf_core *core, bool urgent) {
    wsf_dialer_endpoint *oldest = NULL;
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        wsf_dialer_endpoint *connection = &core->dialer.endpoints[i];
        if (!connection->used)
            return connection;
        if (urgent && abandoned(connection) &&
            (oldest == NULL || connection->since_ms < oldest->since_ms))
            oldest = connection;
    }
    if (core->dialer.endpoints_count < WSF_CONNECTIONS_MAX)
        return &core->dialer.endpoints[core->dialer.endpoints_count++];
    if (oldest != NULL)
        forget(core, oldest);
    return oldest;
}

static bool add(wsf_core *core, const char *endpoint, uint64_t likely, uint32_t named, bool urgent,
                wsf_now now) {
    wsf_dialer_endpoint *connection = place(core, urgent);
    if (connection == NULL)
        return false;
    *connection = (wsf_dialer_endpoint){
        .used = true, .named = named, .likely = likely, .since_ms = now.ms
    };
    wsf_copy_text(connection->endpoint, sizeof connection->endpoint, wsfan_string(endpoint));
    dial(core, connection);
    return true;
}

/* --------------------------------------------------------------------------------------- naming */

/* A connection does not reach the node any more: its resting endpoints are dialled, and that which the peer
 * itself tells, which is not in the table while it is not named and another connection reaches the peer. */
static void reach(wsf_core *core, uint64_t node, wsf_now now) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        wsf_dialer_endpoint *connection = &core->dialer.endpoints[i];
        if (connection->used && !connection->dialled && connection->node == node)
            dial(core, connection);
    }
    wsf_dialer_reach(core, node, now);
}

/* No source names the endpoint any more. */
static void let_go(wsf_core *core, wsf_dialer_endpoint *connection, wsf_now now) {
    bool peer = connection->node != 0 && wsf_peer_find(core, connection->node) != NULL;
    /* A connection to a peer stays, and one without any answer yet: wsf_dialer_tick() gives that up. */
    if (connection->dialled && (connection->node == 0 || peer))
        return;
    bool reached = connection->dialled;
    forget(core, connection);
    if (reached)
        reach(core, connection->node, now);
}

void wsf_dialer_name(wsf_core *core, unsigned source, const char *const *endpoints, size_t count,
                     wsf_now now) {
    assert(source < WSF_DIALER_SOURCES_MAX);
    uint32_t bit = UINT32_C(1) << source;
    uint32_t before[WSF_CONNECTIONS_MAX] = { 0 };
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        before[i] = core->dialer.endpoints[i].used ? core->dialer.endpoints[i].named : 0;
        core->dialer.endpoints[i].named &= ~bit;
    }
    for (size_t i = 0; i < count; i++) {
        wsf_dialer_endpoint *known = find(core, endpoints[i]);
        if (known != NULL)
            known->named |= bit;
    }
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) /* first make room */
        if (core->dialer.endpoints[i].used && before[i] != 0 &&
            core->dialer.endpoints[i].named == 0)
            let_go(core, &core->dialer.endpoints[i], now);
    look_soon(core);
    core->dialer.surplus[source] = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(endpoints[i], core->endpoint) != 0 && find(core, endpoints[i]) == NULL &&
            !add(core, endpoints[i], 0, bit, true, now))
            core->dialer.surplus[source]++;
}

/* Whether the carrier of this node can dial the endpoint; peers may tell any. */
static bool may_dial(const wsf_core *core, const char *endpoint) {
    return wsf_endpoint_is_carried(endpoint, strlen(endpoint)) ==
           wsf_endpoint_is_carried(core->endpoint, strlen(core->endpoint));
}

bool wsf_dialer_gossip(wsf_core *core, const char *endpoint, uint64_t node, bool own_word,
                       wsf_now now) {
    if (!may_dial(core, endpoint))
        return true; /* a hint that is of no use */
    wsf_dialer_endpoint *known = find(core, endpoint);
    if (known != NULL) {
        const wsf_peer *peer = wsf_peer_find(core, known->node);
        if (known->dialled && (peer == NULL || peer->state != WSFAN_PEER_UP)) {
            known->likely = node;
            seek(core, known, node);
        }
        return true;
    }
    uint32_t pending = 0;
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        pending += abandoned(&core->dialer.endpoints[i]);
    return (own_word || pending < WSF_GOSSIP_MAX) && add(core, endpoint, node, 0, own_word, now);
}

/* ---------------------------------------------------------------------------------------- nodes */

bool wsf_dialer_connected(const wsf_core *core, uint64_t node) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (core->dialer.endpoints[i].dialled && core->dialer.endpoints[i].node == node)
            return true;
    return false;
}

void wsf_dialer_reach(wsf_core *core, uint64_t node, wsf_now now) {
    const wsf_peer *peer = wsf_peer_find(core, node);
    if (peer != NULL && peer->endpoint[0] != '\0' && strcmp(peer->endpoint, core->endpoint) != 0 &&
        !wsf_dialer_connected(core, node))
        wsf_dialer_gossip(core, peer->endpoint, node, true, now);
}

/* The endpoint leads to this node, or where another connection leads. */
static void rest(wsf_core *core, wsf_dialer_endpoint *connection, uint64_t node) {
    if (connection->named == 0) {
        forget(core, connection);
        return;
    }
    hang_up(core, connection);
    connection->node = node;
    connection->refused = WSFAN_REASON_NONE;
}

/* How long a linked peer, which sends heartbeats, may say nothing by its connection. */
static uint64_t quiet_ms(const wsf_core *core) {
    uint64_t ms = (uint64_t)core->config.silent_ms + core->config.heartbeat_ms;
    return ms < core->config.down_ms ? ms : core->config.down_ms;
}

static bool is_own_word(const wsf_peer *peer, const wsf_dialer_endpoint *connection) {
    return peer != NULL && strcmp(peer->endpoint, connection->endpoint) == 0;
}

void wsf_dialer_identify(wsf_core *core, uint32_t number, uint64_t node, wsf_now now) {
    wsf_dialer_endpoint *connection = &core->dialer.endpoints[number];
    uint64_t before = connection->node;
    const wsf_peer *peer = wsf_peer_find(core, node);
    if (peer != NULL && peer->linked)
        connection->again_ms = now.ms + quiet_ms(core);
    if (before == node)
        return;
    connection->likely = node;
    connection->heard_ms = now.ms;
    connection->carrier = WSFAN_ENDPOINT_INTRODUCED;
    connection->rejected = WSFAN_REASON_NONE;
    core->diagnosis.due = true;
    if (node == core->config.node) {
        rest(core, connection, node);
    } else {
        /* Two connections to a node would bring every frame twice. Of a peer that was down, this one
         * works. */
        bool better = is_own_word(peer, connection) ||
                      (peer != NULL && peer->state == WSFAN_PEER_DOWN);
        connection->node = node;
        if (connection->refuser != node) /* the same one refuses again, or a link forgets it */
            connection->refused = WSFAN_REASON_NONE;
        for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
            wsf_dialer_endpoint *other = &core->dialer.endpoints[i];
            if (i == number || !other->dialled || other->node != node)
                continue;
            rest(core, better ? other : connection, node);
            break;
        }
    }
    if (before != 0)
        reach(core, before, now);
}

void wsf_dialer_linked(wsf_core *core, const wsf_peer *peer, wsf_now now) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        wsf_dialer_endpoint *connection = &core->dialer.endpoints[i];
        if (!connection->used || connection->node != peer->node)
            continue;
        connection->refused = WSFAN_REASON_NONE;
        if (connection->dialled && !is_own_word(peer, connection))
            wsf_dialer_gossip(core, peer->endpoint, peer->node, true, now);
    }
}

static void redial(wsf_core *core, uint32_t number) {
    core->dialer.endpoints[number].again_ms = 0;
    look_soon(core);
    core->dialer.endpoints[number].attempts++;
    core->effects.disconnect(core->effects.user, number);
    core->effects.connect(core->effects.user, number, core->dialer.endpoints[number].endpoint,
                          wsf_identity_of(core->dialer.endpoints[number].likely));
}

void wsf_dialer_doubt(wsf_core *core, uint64_t node) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (core->dialer.endpoints[i].dialled && core->dialer.endpoints[i].node == node)
            seek(core, &core->dialer.endpoints[i], 0);
}

void wsf_dialer_again(wsf_core *core, uint64_t node) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        wsf_dialer_endpoint *connection = &core->dialer.endpoints[i];
        if (!connection->used || connection->node != node)
            continue;
        if (!connection->dialled) {
            dial(core, connection);
            continue;
        }
        redial(core, i);
    }
}

void wsf_dialer_release(wsf_core *core, uint64_t node) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        wsf_dialer_endpoint *connection = &core->dialer.endpoints[i];
        if (!connection->used || connection->node != node)
            continue;
        connection->node = 0;
        core->diagnosis.due = true;
        if (connection->named == 0)
            forget(core, connection);
        else if (!connection->dialled)
            dial(core, connection);
        else
            seek(core, connection, 0);
    }
}

/* ------------------------------------------------------------------------------------- refusals */

enum { REFUSAL_TIMES = 3 }; /* times down_ms: two refusals in a row may be lost */

/* Whether the node is a live peer; 0: whether any is. */
static bool lives(const wsf_core *core, uint64_t node) {
    const wsf_peer *one = node != 0 ? wsf_peer_find(core, node) : NULL;
    if (node != 0)
        return one != NULL && wsf_peer_live(one);
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;)
        if (wsf_peer_live(peer))
            return true;
    return false;
}

static bool refuses(const wsf_core *core, const wsf_dialer_endpoint *connection, wsf_now now) {
    return connection->used && connection->dialled && connection->refused != WSFAN_REASON_NONE &&
           now.ms - connection->refusal_ms < REFUSAL_TIMES * (uint64_t)core->config.down_ms &&
           !lives(core, connection->refuser);
}

wsf_refusal wsf_dialer_refusal(const wsf_core *core, const wsf_dialer_endpoint *connection,
                               wsf_now now) {
    if (refuses(core, connection, now))
        return (wsf_refusal){ connection->refuser, connection->refused };
    bool shut = connection->used && connection->dialled &&
                connection->carrier == WSFAN_ENDPOINT_KEY_UNKNOWN_THERE;
    return (wsf_refusal){ connection->likely, shut ? WSFAN_REASON_KEY : WSFAN_REASON_NONE };
}

uint32_t wsf_dialer_refusers(const wsf_core *core, wsf_now now, uint64_t nodes[WSF_PEERS_MAX]) {
    uint32_t count = 0;
    bool alone = !lives(core, 0);
    for (uint32_t i = 0; i < core->dialer.endpoints_count && count < WSF_PEERS_MAX; i++) {
        wsf_refusal refusal = wsf_dialer_refusal(core, &core->dialer.endpoints[i], now);
        bool foreign = refusal.reason == WSFAN_REASON_CLUSTER ||
                       refusal.reason == WSFAN_REASON_VERSION || refusal.reason == WSFAN_REASON_KEY;
        bool counts = refusal.reason != WSFAN_REASON_NONE && (alone || !foreign);
        for (uint32_t n = 0; n < count && counts; n++)
            counts = nodes[n] != refusal.node;
        if (counts)
            nodes[count++] = refusal.node;
    }
    return count;
}

bool wsf_dialer_refused(const wsf_core *core, wsf_now now) {
    uint64_t nodes[WSF_PEERS_MAX];
    return !lives(core, 0) && wsf_dialer_refusers(core, now, nodes) > 0;
}

/* ----------------------------------------------------------------------------------------- time */

/* Time until an endpoint is redialled: down_ms at most, with the time for an answer. A dialled one has
 * most of that, 3/4 to 15/16, for a handshake, trials of keys and two hellos. A resting one has 1/8 to
 * 15/16: behind a balancer that serves its nodes in turn, nodes that also redial in turn would reach
 * themselves for ever; times that differ much change the order. A node without a live peer halves these. */
static uint64_t jittered_ms(wsf_core *core, bool dialled) {
    uint64_t ms = core->config.down_ms;
    if (dialled)
        return ms * 3 / 4 + wsf_random(core) % (ms * 3 / 16 + 1);
    if (!lives(core, 0))
        ms /= 2;
    return ms / 8 + wsf_random(core) % (ms * 13 / 16 + 1);
}

static void tick_connection(wsf_core *core, uint32_t number, uint64_t overslept_ms, wsf_now now) {
    wsf_dialer_endpoint *connection = &core->dialer.endpoints[number];
    if (abandoned(connection) && now.ms - connection->since_ms >= core->config.forget_ms) {
        forget(core, connection);
        return;
    }
    if (connection->again_ms != 0 && now.ms >= connection->again_ms + overslept_ms) {
        if (connection->dialled)
            redial(core, number);
        else
            dial(core, connection);
    }
    if (connection->again_ms == 0)
        connection->again_ms = now.ms + jittered_ms(core, connection->dialled);
    else
        connection->again_ms += overslept_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t connection_ms(const wsf_core *core, const wsf_dialer_endpoint *connection) {
    uint64_t at = abandoned(connection) ? connection->since_ms + core->config.forget_ms
                                        : UINT64_MAX;
    return connection->used ? earlier(at, connection->again_ms) : at;
}

/* An endpoint that is put off leaves due_ms as it is, so endpoints may be looked at in vain. */
void wsf_dialer_tick(wsf_core *core, uint64_t overslept_ms, wsf_now now) {
    if (overslept_ms == 0 && now.ms < core->dialer.due_ms)
        return;
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (core->dialer.endpoints[i].used)
            tick_connection(core, i, overslept_ms, now);
    core->dialer.due_ms = UINT64_MAX;
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        core->dialer.due_ms = earlier(core->dialer.due_ms,
                                      connection_ms(core, &core->dialer.endpoints[i]));
}

uint64_t wsf_dialer_deadline(const wsf_core *core) {
    return core->dialer.due_ms;
}
