/* Answers for the table of endpoints: which are dialled, which rest, and when one is given up.
 *
 * An endpoint stays while a source names it, or while a peer lives behind it. So a set that becomes
 * smaller, or empty, takes no connection away from a peer; and what nobody names is not dialled for
 * ever. A named endpoint that leads to ourselves, or to a node that another connection reaches,
 * rests: it is remembered, so that naming it again does not dial it again.
 *
 * Invariant: an endpoint rests only while its node is ourselves or has another connection. */
#include "dial.h"

#include <assert.h>
#include <string.h>

_Static_assert(WSFAN_ENDPOINTS_MAX == WSF_CONNECTIONS_MAX, "as wsfan.h says");

static void hang_up(wsf_core *core, wsf_connection *connection) {
    connection->dialled = false;
    core->effects.disconnect(core->effects.user, (uint32_t)(connection - core->connections));
}

static void dial(wsf_core *core, wsf_connection *connection) {
    connection->dialled = true;
    connection->node = 0;
    core->effects.connect(core->effects.user, (uint32_t)(connection - core->connections),
                          connection->endpoint);
}

static void forget(wsf_core *core, wsf_connection *connection) {
    connection->used = false;
    if (connection->dialled)
        hang_up(core, connection);
}

static wsf_connection *find(wsf_core *core, const char *endpoint) {
    for (uint32_t i = 0; i < core->connections_count; i++)
        if (core->connections[i].used && strcmp(core->connections[i].endpoint, endpoint) == 0)
            return &core->connections[i];
    return NULL;
}

static bool abandoned(const wsf_connection *connection) {
    return connection->used && connection->named == 0 &&
           (connection->node == 0 || connection->refused != WSFAN_REASON_NONE);
}

/* A free place; where it is urgent, also that of one which nobody names or answers at. */
static wsf_connection *place(wsf_core *core, bool urgent) {
    wsf_connection *oldest = NULL;
    for (uint32_t i = 0; i < core->connections_count; i++) {
        wsf_connection *connection = &core->connections[i];
        if (!connection->used)
            return connection;
        if (urgent && abandoned(connection) &&
            (oldest == NULL || connection->since_ms < oldest->since_ms))
            oldest = connection;
    }
    if (core->connections_count < WSF_CONNECTIONS_MAX)
        return &core->connections[core->connections_count++];
    if (oldest != NULL)
        forget(core, oldest);
    return oldest;
}

static bool add(wsf_core *core, const char *endpoint, uint32_t named, bool urgent, wsf_now now) {
    wsf_connection *connection = place(core, urgent);
    if (connection == NULL)
        return false;
    *connection = (wsf_connection){
        .used = true, .named = named, .since_ms = now.ms, .tried_ms = now.ms
    };
    wsf_copy_text(connection->endpoint, sizeof connection->endpoint, wsfan_string(endpoint));
    dial(core, connection);
    return true;
}

/* --------------------------------------------------------------------------------------- naming */

/* The connection that reached a node is gone or somebody else's. */
static void wake_resting(wsf_core *core, uint64_t node) {
    for (uint32_t i = 0; i < core->connections_count; i++) {
        wsf_connection *connection = &core->connections[i];
        if (connection->used && !connection->dialled && connection->node == node)
            dial(core, connection);
    }
}

/* It is not named any more. */
static void let_go(wsf_core *core, wsf_connection *connection) {
    bool peer = connection->node != 0 && wsf_peer_find(core, connection->node) != NULL;
    /* Resting, or a node that may not be our peer. Where nobody has answered yet somebody may be
     * about to: wsf_dial_tick() gives up. */
    if (connection->dialled && (connection->node == 0 || peer))
        return;
    bool reached = connection->dialled;
    forget(core, connection);
    if (reached)
        wake_resting(core, connection->node);
}

void wsf_dial_name(wsf_core *core, unsigned source, const char *const *endpoints, size_t count,
                   wsf_now now) {
    assert(source < WSF_SOURCES_MAX);
    uint32_t bit = UINT32_C(1) << source;
    uint32_t before[WSF_CONNECTIONS_MAX] = { 0 };
    for (uint32_t i = 0; i < core->connections_count; i++) {
        before[i] = core->connections[i].used ? core->connections[i].named : 0;
        core->connections[i].named &= ~bit;
    }
    for (size_t i = 0; i < count; i++) {
        wsf_connection *known = find(core, endpoints[i]);
        if (known != NULL)
            known->named |= bit;
    }
    for (uint32_t i = 0; i < core->connections_count; i++) /* first make room */
        if (core->connections[i].used && before[i] != 0 && core->connections[i].named == 0)
            let_go(core, &core->connections[i]);
    core->surplus[source] = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(endpoints[i], core->endpoint) != 0 && find(core, endpoints[i]) == NULL &&
            !add(core, endpoints[i], bit, true, now))
            core->surplus[source]++;
}

bool wsf_dial_hearsay(wsf_core *core, const char *endpoint, bool own_word, wsf_now now) {
    if (find(core, endpoint) != NULL)
        return true;
    uint32_t pending = 0;
    for (uint32_t i = 0; i < WSF_CONNECTIONS_MAX; i++)
        pending += abandoned(&core->connections[i]);
    return (own_word || pending < WSF_HEARSAY_MAX) && add(core, endpoint, 0, own_word, now);
}

/* ---------------------------------------------------------------------------------------- nodes */

bool wsf_dial_connected(const wsf_core *core, uint64_t node) {
    for (uint32_t i = 0; i < core->connections_count; i++)
        if (core->connections[i].dialled && core->connections[i].node == node)
            return true;
    return false;
}

/* It leads where another connection leads, or to ourselves. */
static void rest(wsf_core *core, wsf_connection *connection, uint64_t node) {
    if (connection->named == 0) {
        forget(core, connection);
        return;
    }
    hang_up(core, connection);
    connection->node = node;
    connection->refused = WSFAN_REASON_NONE;
}

void wsf_dial_identify(wsf_core *core, uint32_t number, uint64_t node) {
    wsf_connection *connection = &core->connections[number];
    uint64_t before = connection->node;
    if (before == node)
        return;
    if (node == core->config.node) {
        rest(core, connection, node);
    } else {
        /* One connection to a node is enough; two would bring every frame twice. Of a peer that was
         * down, the one that brought a frame is the one that works. */
        const wsf_peer *peer = wsf_peer_find(core, node);
        bool was_down = peer != NULL && peer->state == WSFAN_PEER_DOWN;
        connection->node = node;
        connection->refused = WSFAN_REASON_NONE;
        for (uint32_t i = 0; i < core->connections_count; i++) {
            wsf_connection *other = &core->connections[i];
            if (i == number || !other->dialled || other->node != node)
                continue;
            rest(core, was_down ? other : connection, node);
            break;
        }
    }
    if (before != 0)
        wake_resting(core, before);
}

static void redial(wsf_core *core, uint32_t number) {
    core->effects.disconnect(core->effects.user, number);
    core->effects.connect(core->effects.user, number, core->connections[number].endpoint);
}

void wsf_dial_again(wsf_core *core, uint64_t node) {
    for (uint32_t i = 0; i < core->connections_count; i++) {
        wsf_connection *connection = &core->connections[i];
        if (!connection->used || connection->node != node)
            continue;
        if (!connection->dialled) {
            dial(core, connection);
            continue;
        }
        redial(core, i);
    }
}

void wsf_dial_release(wsf_core *core, uint64_t node) {
    for (uint32_t i = 0; i < core->connections_count; i++) {
        wsf_connection *connection = &core->connections[i];
        if (!connection->used || connection->node != node)
            continue;
        connection->node = 0;
        if (connection->named == 0)
            forget(core, connection);
        else if (!connection->dialled)
            dial(core, connection);
    }
}

/* ------------------------------------------------------------------------------------- refusals */

enum { REFUSAL_TIMES = 3 }; /* down_ms: two answers in a row may be lost */

/* The node, or with 0 any peer. */
static bool lives(const wsf_core *core, uint64_t node) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++) {
        const wsf_peer *peer = &core->peers[i];
        if (peer->node != 0 && (node == 0 || peer->node == node) && wsf_peer_live(peer))
            return true;
    }
    return false;
}

static bool refuses(const wsf_core *core, const wsf_connection *connection, wsf_now now) {
    return connection->used && connection->dialled && connection->refused != WSFAN_REASON_NONE &&
           now.ms - connection->refusal_ms < REFUSAL_TIMES * (uint64_t)core->config.down_ms &&
           !lives(core, connection->refuser);
}

uint32_t wsf_dial_refusers(const wsf_core *core, wsf_now now, uint64_t nodes[WSF_PEERS_MAX]) {
    uint32_t count = 0;
    bool alone = !lives(core, 0);
    for (uint32_t i = 0; i < core->connections_count && count < WSF_PEERS_MAX; i++) {
        const wsf_connection *connection = &core->connections[i];
        bool foreign = connection->refused == WSFAN_REASON_CLUSTER ||
                       connection->refused == WSFAN_REASON_VERSION;
        bool counts = refuses(core, connection, now) && (alone || !foreign);
        for (uint32_t n = 0; n < count && counts; n++)
            counts = nodes[n] != connection->refuser;
        if (counts)
            nodes[count++] = connection->refuser;
    }
    return count;
}

bool wsf_dial_refused(const wsf_core *core, wsf_now now) {
    uint64_t nodes[WSF_PEERS_MAX];
    return !lives(core, 0) && wsf_dial_refusers(core, now, nodes) > 0;
}

/* ----------------------------------------------------------------------------------------- time */

void wsf_dial_tick(wsf_core *core, wsf_now now) {
    for (uint32_t i = 0; i < core->connections_count; i++) {
        wsf_connection *connection = &core->connections[i];
        if (abandoned(connection) && now.ms - connection->since_ms >= core->config.forget_ms) {
            forget(core, connection);
        } else if (connection->dialled && now.ms - connection->tried_ms >= core->config.down_ms) {
            /* Whoever had no room for us may have it by now; and where we were refused, or refused
             * somebody, nobody else may begin it. */
            connection->tried_ms = now.ms;
            const wsf_peer *peer = wsf_peer_find(core, connection->node);
            if (peer != NULL && wsf_peer_live(peer))
                connection->since_ms = now.ms;
            else
                redial(core, i);
        }
    }
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t wsf_dial_deadline(const wsf_core *core) {
    uint64_t at = UINT64_MAX;
    for (uint32_t i = 0; i < core->connections_count; i++) {
        const wsf_connection *connection = &core->connections[i];
        if (abandoned(connection))
            at = earlier(at, connection->since_ms + core->config.forget_ms);
        if (connection->dialled)
            at = earlier(at, connection->tried_ms + core->config.down_ms);
    }
    return at;
}
