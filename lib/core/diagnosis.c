/* Answers for telling the host why this node and others do or do not see each other. It only looks: nothing of
 * the protocol depends on it.
 *
 * The state of an endpoint follows from the dialer's table, from the peers, and from what the carrier of the frames
 * found (`carrier`), of which the core knows nothing else. Whoever changes one of these sets diagnosis.due; the
 * next flush compares each state with that which the host was told last. So several changes in one go are one
 * event, and a message costs one test of a flag. */
#include "core/diagnosis.h"

#include <string.h>

#include "base/memory.h"
#include "core/dialer.h"

enum {
    /* A node dials back within a round trip. */
    DIALLED_BACK_MS = 1000,
    CALLER_AGAIN_MS = 60 * 1000, /* until a caller is told of again */
    PERIOD_MS = 10 * 1000,       /* in which */
    CALLERS_TOLD_MAX = 32,       /* new callers are told of, */
    CHANGES_TOLD_MAX = 8,        /* and changes of an endpoint, or of the phase */
    TRIALS_MS = 2000,            /* in which a node has tried the keys that it knows */
    TRIALS_AGAIN_MS = 5000       /* without a call: what comes then are trials anew */
};

void wsf_names_free(wsf_name *names) {
    while (names != NULL) {
        wsf_name *next = names->next;
        wsf_free(names);
        names = next;
    }
}

void wsf_diagnosis_init(wsf_core *core) {
    core->diagnosis.phase = WSFAN_NODE_STARTING;
    core->diagnosis.due = true;
    core->diagnosis.at_ms = UINT64_MAX;
}

static void tell(const wsf_core *core, uint64_t loops, wsfan_event event) {
    event.name = event.name != NULL ? event.name : "";
    event.endpoint = event.endpoint != NULL ? event.endpoint : "";
    event.address = event.address != NULL ? event.address : "";
    core->effects.event(core->effects.user, loops, &event);
}

/* Whether one more event may be told now. Whoever is at the other end of an endpoint, or calls, says what it likes
 * as often as it likes, and hosts write each event to a log. */
static bool may_tell(wsf_pace *pace, uint32_t told_max, uint64_t ms) {
    if (ms - pace->from_ms >= PERIOD_MS)
        *pace = (wsf_pace){ .from_ms = ms };
    return pace->told < told_max && ++pace->told;
}

/* The same of a change: after the period the host is told how things stand then. */
static bool may_tell_change(wsf_core *core, wsf_pace *pace, uint64_t ms) {
    if (may_tell(pace, CHANGES_TOLD_MAX, ms))
        return true;
    if (pace->from_ms + PERIOD_MS < core->diagnosis.at_ms)
        core->diagnosis.at_ms = pace->from_ms + PERIOD_MS;
    return false;
}

/* ------------------------------------------------------------------------------------ endpoints */

typedef struct {
    wsfan_endpoint_state state;
    wsfan_reason reason;
    uint64_t until_ms; /* time changes the state then; UINT64_MAX: it does not */
} standing;

static standing stands(const wsf_core *core, const wsf_dialer_endpoint *connection, wsf_now now) {
    const wsf_peer *peer = wsf_peer_find(core, connection->node);
    standing s = { connection->carrier, WSFAN_REASON_NONE, UINT64_MAX };
    if (connection->node == core->config.node && connection->rejected != WSFAN_REASON_ID) {
        s.state = WSFAN_ENDPOINT_SELF;
    } else if (peer != NULL && peer->linked && peer->state == WSFAN_PEER_UP) {
        s.state = WSFAN_ENDPOINT_LINKED;
    } else if (wsfan_endpoint_state_fails(connection->carrier)) {
        s.state = connection->carrier; /* since the node there was heard, and so since it refused */
    } else if (connection->refused != WSFAN_REASON_NONE ||
               connection->rejected != WSFAN_REASON_NONE) {
        s.state = WSFAN_ENDPOINT_REFUSED;
        s.reason = connection->refused != WSFAN_REASON_NONE ? connection->refused
                                                            : connection->rejected;
    } else if (peer != NULL && peer->state != WSFAN_PEER_MEETING) {
        s.state = WSFAN_ENDPOINT_LOST;
        s.reason = peer->reason;
    } else if (peer != NULL && !peer->reachable) {
        s.state = now.ms - connection->heard_ms >= DIALLED_BACK_MS ? WSFAN_ENDPOINT_NOT_DIALLED_BACK
                                                                   : WSFAN_ENDPOINT_INTRODUCED;
        if (s.state == WSFAN_ENDPOINT_INTRODUCED)
            s.until_ms = connection->heard_ms + DIALLED_BACK_MS;
    }
    /* While a node does not dial back, its peer is given up and met again, time after time. */
    bool vague = s.state == WSFAN_ENDPOINT_DIALLING || s.state == WSFAN_ENDPOINT_INTRODUCED;
    if (vague && connection->state == WSFAN_ENDPOINT_NOT_DIALLED_BACK && !(peer && peer->reachable))
        s.state = connection->state;
    return s;
}

static bool subscribes(const wsf_core *core, uint64_t node) {
    for (unsigned i = 0; i < WSF_SUBSCRIBERS_MAX && node != 0; i++)
        if (core->handshake.subscribers[i].node == node)
            return true;
    return false;
}

static void tell_endpoint(const wsf_core *core, uint64_t loops,
                          const wsf_dialer_endpoint *connection) {
    uint64_t node = connection->node != 0 ? connection->node : connection->likely;
    const wsf_peer *peer = wsf_peer_find(core, node);
    const char *name = peer != NULL ? peer->name : "";
    tell(core, loops,
         (wsfan_event){ .kind = WSFAN_EVENT_ENDPOINT,
                        .node = node,
                        .name = name,
                        .endpoint = connection->endpoint,
                        .state = (int)connection->told,
                        .reason = connection->told_reason,
                        .count = subscribes(core, node) });
}

static void tell_change(wsf_core *core, wsf_dialer_endpoint *connection, wsf_now now) {
    if ((connection->told == connection->state &&
         connection->told_reason == connection->state_reason) ||
        !may_tell_change(core, &connection->pace, now.ms))
        return;
    connection->told = connection->state;
    connection->told_reason = connection->state_reason;
    tell_endpoint(core, core->loops, connection);
}

static void look_at(wsf_core *core, wsf_dialer_endpoint *connection, wsf_now now) {
    standing s = stands(core, connection, now);
    if (s.until_ms < core->diagnosis.at_ms)
        core->diagnosis.at_ms = s.until_ms;
    if (s.state ==
        WSFAN_ENDPOINT_LINKED) /* what the carrier found before the link is out of date */
        connection->carrier = WSFAN_ENDPOINT_INTRODUCED;
    if (connection->state_ms == 0)
        connection->state_ms = now.ms;
    if (s.state != connection->state || s.reason != connection->state_reason) {
        connection->state = s.state;
        connection->state_reason = s.reason;
        connection->state_ms = now.ms;
        if (s.state == WSFAN_ENDPOINT_NOT_DIALLED_BACK || s.state == WSFAN_ENDPOINT_LOST)
            core->stats.endpoint_failures++;
    }
    tell_change(core, connection, now);
}

void wsf_diagnosis_carrier(wsf_core *core, uint32_t number, wsfan_endpoint_state found,
                           uint32_t attempts) {
    wsf_dialer_endpoint *connection = &core->dialer.endpoints[number];
    if (!connection->used || !connection->dialled)
        return;
    connection->attempts += attempts;
    if (found == WSFAN_ENDPOINT_DIALLING)
        return;
    core->stats.endpoint_failures += wsfan_endpoint_state_fails(found) != 0;
    core->diagnosis.due = core->diagnosis.due || connection->carrier != found;
    connection->carrier = found;
}

/* ---------------------------------------------------------------------------------------- names */

static void tell_name(const wsf_core *core, uint64_t loops, const wsf_name *name) {
    tell(core, loops,
         (wsfan_event){
             .kind = WSFAN_EVENT_ENDPOINT, .endpoint = name->endpoint, .state = (int)name->state });
}

void wsf_diagnosis_set_names(wsf_core *core, wsf_name *names, wsf_now now) {
    for (wsf_name *name = names; name != NULL; name = name->next) {
        const wsf_name *before = core->diagnosis.names;
        while (before != NULL &&
               (before->source != name->source || strcmp(before->endpoint, name->endpoint) != 0))
            before = before->next;
        bool same = before != NULL && before->state == name->state;
        uint64_t questions = before != NULL ? before->questions : 0;
        name->since_ms = same ? before->since_ms : now.ms;
        if (wsfan_endpoint_state_fails(name->state) && (!same || name->questions > questions))
            core->stats.endpoint_failures++;
        if (!same && name->state != WSFAN_ENDPOINT_RESOLVING)
            tell_name(core, core->loops, name);
    }
    wsf_names_free(core->diagnosis.names);
    core->diagnosis.names = names;
    core->diagnosis.due = true;
}

/* -------------------------------------------------------------------------------------- callers */

static void tell_caller(wsf_core *core, const wsfan_caller *caller, uint64_t loops) {
    tell(core, loops,
         (wsfan_event){ .kind = WSFAN_EVENT_CALLER,
                        .node = caller->node,
                        .name = caller->name,
                        .endpoint = caller->endpoint,
                        .address = caller->address,
                        .state = (int)caller->cause,
                        .reason = caller->reason,
                        .count = caller->count });
}

/* The caller that is known already, or the place of the one that came last the longest ago. */
static wsf_caller *caller_place(wsf_core *core, const wsfan_caller *caller) {
    wsf_caller *oldest = core->diagnosis.callers;
    for (unsigned i = 0; i < WSFAN_CALLERS_MAX; i++) {
        wsf_caller *known = &core->diagnosis.callers[i];
        if (known->caller.count > 0 && known->caller.node == caller->node &&
            known->caller.cause == caller->cause && known->caller.reason == caller->reason &&
            strcmp(known->caller.address, caller->address) == 0 &&
            strcmp(known->caller.endpoint, caller->endpoint) == 0)
            return known;
        if (known->last_ms < oldest->last_ms)
            oldest = known;
    }
    *oldest = (wsf_caller){ .caller = *caller };
    return oldest;
}

/* Nodes with a key each try those that they know until one opens a connection: whoever goes on does not know ours. */
static bool may_be_trial(const wsf_caller *known) {
    return known->caller.cause == WSFAN_ENDPOINT_KEY_UNKNOWN_THERE &&
           known->last_ms - known->trials_ms < TRIALS_MS;
}

/* Whether the host is told. */
static bool note_caller(wsf_core *core, const wsfan_caller *caller, uint64_t ms) {
    wsf_caller *known = caller_place(core, caller);
    core->stats.caller_failures++;
    if (known->caller.count == 0)
        known->first_ms = ms;
    if (known->caller.count == 0 || ms - known->last_ms >= TRIALS_AGAIN_MS)
        known->trials_ms = ms;
    known->last_ms = ms;
    known->caller.count++;
    memcpy(known->caller.name, caller->name, sizeof caller->name);
    if (may_be_trial(known) || (known->told && ms - known->told_ms < CALLER_AGAIN_MS))
        return false;
    known->told = true;
    known->told_ms = ms;
    if (!may_tell(&core->diagnosis.callers_pace, CALLERS_TOLD_MAX, ms)) {
        wsf_count_drop(core, WSFAN_DROP_EVENT, 1);
        return false;
    }
    tell_caller(core, &known->caller, core->loops);
    return true;
}

void wsf_diagnosis_caller(wsf_core *core, const char *address, wsfan_endpoint_state cause,
                          wsf_now now) {
    wsfan_caller caller = { .cause = cause };
    wsf_copy_text(caller.address, sizeof caller.address, wsfan_string(address));
    note_caller(core, &caller, now.ms);
}

bool wsf_diagnosis_rejected(wsf_core *core, uint64_t node, const char *name, const char *endpoint,
                            wsfan_reason reason) {
    wsfan_caller caller = { .node = node, .cause = WSFAN_ENDPOINT_REFUSED, .reason = reason };
    wsf_copy_text(caller.name, sizeof caller.name, wsfan_string(name));
    wsf_copy_text(caller.endpoint, sizeof caller.endpoint, wsfan_string(endpoint));
    bool told = note_caller(core, &caller, core->last_ms);
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (core->dialer.endpoints[i].used && core->dialer.endpoints[i].node == node)
            core->dialer.endpoints[i].rejected = reason;
    core->diagnosis.due = true;
    return told;
}

/* --------------------------------------------------------------------------------------- state */

static uint32_t count_live(const wsf_core *core) {
    uint32_t count = 0;
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;)
        count += wsf_peer_live(peer);
    return count;
}

/* A caller's endpoint is not yet a search: it is dialled back, and the link stands within a round trip or fails. */
static bool seeks_anybody(const wsf_core *core) {
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        const wsf_dialer_endpoint *connection = &core->dialer.endpoints[i];
        bool named = connection->named != 0 && connection->state != WSFAN_ENDPOINT_SELF;
        if (connection->used && (named || wsfan_endpoint_state_fails(connection->state)))
            return true;
    }
    for (const wsf_name *name = core->diagnosis.names; name != NULL; name = name->next)
        if (name->state != WSFAN_ENDPOINT_RESOLVED)
            return true;
    return false;
}

static wsfan_node_phase phase_of(const wsf_core *core, wsf_now now) {
    if (core->status.drain != WSF_DRAIN_NONE)
        return WSFAN_NODE_DRAINING;
    if (core->endpoint[0] == '\0')
        return WSFAN_NODE_LOCAL;
    if (count_live(core) > 0)
        return WSFAN_NODE_MESH;
    if (wsf_dialer_refused(core, now))
        return WSFAN_NODE_REFUSED;
    if (!core->status.ready)
        return WSFAN_NODE_STARTING;
    return seeks_anybody(core) ? WSFAN_NODE_SEARCHING : WSFAN_NODE_ALONE;
}

void wsf_diagnosis_state(const wsf_core *core, wsfan_node_state *state, wsf_now now) {
    *state = (wsfan_node_state){ .phase = phase_of(core, now), .peers = count_live(core) };
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        const wsf_dialer_endpoint *connection = &core->dialer.endpoints[i];
        if (!connection->used)
            continue;
        state->endpoints_failing += wsfan_endpoint_state_fails(connection->state) != 0;
        wsf_refusal refusal = wsf_dialer_refusal(core, connection, now);
        if (state->phase != WSFAN_NODE_REFUSED || refusal.reason == WSFAN_REASON_NONE)
            continue;
        state->refuser = refusal.node;
        state->reason = refusal.reason;
        memcpy(state->endpoint, connection->endpoint, sizeof state->endpoint);
    }
    for (const wsf_name *name = core->diagnosis.names; name != NULL; name = name->next)
        state->endpoints_failing += wsfan_endpoint_state_fails(name->state) != 0;
}

static void tell_phase(const wsf_core *core, uint64_t loops, wsf_now now) {
    wsfan_node_state state;
    wsf_diagnosis_state(core, &state, now);
    tell(core, loops,
         (wsfan_event){ .kind = WSFAN_EVENT_NODE,
                        .node = state.refuser,
                        .endpoint = state.endpoint,
                        .state = (int)core->diagnosis.phase,
                        .reason = state.reason,
                        .count = state.peers });
}

/* ---------------------------------------------------------------------------------------- time */

void wsf_diagnosis_tell_loop(wsf_core *core, unsigned loop) {
    uint64_t bit = UINT64_C(1) << loop;
    if (core->diagnosis.phase != WSFAN_NODE_STARTING)
        tell_phase(core, bit, (wsf_now){ core->last_ms, 0 });
    for (const wsf_name *name = core->diagnosis.names; name != NULL; name = name->next)
        if (name->state != WSFAN_ENDPOINT_RESOLVING)
            tell_name(core, bit, name);
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (core->dialer.endpoints[i].used &&
            core->dialer.endpoints[i].told != WSFAN_ENDPOINT_DIALLING)
            tell_endpoint(core, bit, &core->dialer.endpoints[i]);
    for (unsigned i = 0; i < WSFAN_CALLERS_MAX; i++)
        if (core->diagnosis.callers[i].told)
            tell_caller(core, &core->diagnosis.callers[i].caller, bit);
}

void wsf_diagnosis_tick(wsf_core *core, wsf_now now) {
    if (!core->diagnosis.due && now.ms < core->diagnosis.at_ms)
        return;
    core->diagnosis.due = false;
    core->diagnosis.at_ms = UINT64_MAX;
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        if (core->dialer.endpoints[i].used)
            look_at(core, &core->dialer.endpoints[i], now);
    wsfan_node_phase phase = phase_of(core, now);
    if (phase == core->diagnosis.phase ||
        !may_tell_change(core, &core->diagnosis.phase_pace, now.ms))
        return;
    core->diagnosis.phase = phase;
    tell_phase(core, core->loops, now);
}

/* ---------------------------------------------------------------------------------------- calls */

static const char *via(const wsf_core *core, const char *endpoint) {
    for (const wsf_name *name = core->diagnosis.names; name != NULL; name = name->next)
        for (uint32_t i = 0; i < name->addresses_count; i++)
            if (strcmp(name->addresses[i], endpoint) == 0)
                return name->endpoint;
    return "";
}

static uint32_t sources_of(uint32_t named) {
    uint32_t own = (UINT32_C(1) << WSF_SOURCE_DNS) - 1;
    uint32_t sources = (named & own) | (named >> WSF_SOURCE_DNS & own);
    if ((named & ~own) != 0)
        sources |= WSFAN_SOURCE_DNS;
    return named != 0 ? sources : WSFAN_SOURCE_PEERS;
}

static void fill_endpoint(const wsf_core *core, const wsf_dialer_endpoint *connection,
                          wsfan_endpoint *out, wsf_now now) {
    uint64_t node = connection->node != 0 ? connection->node : connection->likely;
    *out = (wsfan_endpoint){ .sources = sources_of(connection->named),
                             .state = connection->state,
                             .reason = connection->state_reason,
                             .node = node,
                             .hears_us = subscribes(core, node),
                             .attempts = connection->attempts,
                             .since_ms = connection->state_ms != 0 ? now.ms - connection->state_ms
                                                                   : 0 };
    memcpy(out->endpoint, connection->endpoint, sizeof out->endpoint);
    if ((out->sources & WSFAN_SOURCE_DNS) != 0)
        wsf_copy_text(out->via, sizeof out->via, wsfan_string(via(core, connection->endpoint)));
}

size_t wsf_diagnosis_endpoints(const wsf_core *core, wsfan_endpoint *endpoints, size_t capacity,
                               wsf_now now) {
    size_t count = 0;
    for (const wsf_name *name = core->diagnosis.names; name != NULL; name = name->next) {
        if (count < capacity) {
            endpoints[count] = (wsfan_endpoint){ .sources = UINT32_C(1) << name->source,
                                                 .state = name->state,
                                                 .addresses = name->addresses_count,
                                                 .attempts = name->questions,
                                                 .since_ms = now.ms - name->since_ms };
            memcpy(endpoints[count].endpoint, name->endpoint, sizeof name->endpoint);
        }
        count++;
    }
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++) {
        if (!core->dialer.endpoints[i].used)
            continue;
        if (count < capacity)
            fill_endpoint(core, &core->dialer.endpoints[i], &endpoints[count], now);
        count++;
    }
    return count;
}

size_t wsf_diagnosis_callers(const wsf_core *core, wsfan_caller *callers, size_t capacity,
                             wsf_now now) {
    size_t count = 0;
    bool listed[WSFAN_CALLERS_MAX] = { false };
    for (;;) {
        unsigned latest = WSFAN_CALLERS_MAX;
        for (unsigned i = 0; i < WSFAN_CALLERS_MAX; i++) {
            const wsf_caller *known = &core->diagnosis.callers[i];
            if (known->caller.count > 0 && !listed[i] &&
                (latest == WSFAN_CALLERS_MAX ||
                 known->last_ms > core->diagnosis.callers[latest].last_ms))
                latest = i;
        }
        if (latest == WSFAN_CALLERS_MAX)
            return count;
        const wsf_caller *known = &core->diagnosis.callers[latest];
        listed[latest] = true;
        if (count < capacity) {
            callers[count] = known->caller;
            callers[count].first_ms = now.ms - known->first_ms;
            callers[count].last_ms = now.ms - known->last_ms;
        }
        count++;
    }
}
