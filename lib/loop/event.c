/* Answers for the words of events, and for how much each matters. Words are made when an event is dispatched, on the
 * host's thread: the mesh thread only copies what happened. */
#include "loop/event.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wsfan/wsfan.h>

static const char *gap_name(wsfan_gap_reason reason) {
    switch (reason) {
    case WSFAN_GAP_PEER_QUEUE:
        return "peer_queue";
    case WSFAN_GAP_LINK:
        return "link";
    case WSFAN_GAP_TOO_BIG:
        return "too_big";
    case WSFAN_GAP_INBOX:
        return "inbox";
    case WSFAN_GAP_AWAY:
        return "away";
    }
    return "unknown";
}

/* Who an event is about: its name, or its id, or nothing. */
typedef char who[WSFAN_NODE_NAME_SIZE + 8];

static const char *name_of(const wsfan_event *event, who out) {
    if (event->name[0] != '\0')
        snprintf(out, sizeof(who), "%s", event->name);
    else if (event->node != 0)
        snprintf(out, sizeof(who), "%016llx", (unsigned long long)event->node);
    else
        snprintf(out, sizeof(who), "a node");
    return out;
}

static void describe_node(wsfan_event *event, char *code, char *text) {
    wsfan_node_phase phase = (wsfan_node_phase)event->state;
    who refuser;
    snprintf(code, WSF_EVENT_CODE_SIZE, "node.%s", wsfan_node_phase_name(phase));
    event->level = WSFAN_LEVEL_INFO;
    switch (phase) {
    case WSFAN_NODE_STARTING:
        snprintf(text, WSF_EVENT_TEXT_SIZE, "this node is starting");
        return;
    case WSFAN_NODE_LOCAL:
        snprintf(text, WSF_EVENT_TEXT_SIZE, "this node has no endpoint, and so no peers");
        return;
    case WSFAN_NODE_ALONE:
        event->level = WSFAN_LEVEL_WARNING;
        snprintf(text, WSF_EVENT_TEXT_SIZE,
                 "this node is alone: no peer was named (peers and peers_count, "
                 "wsfan_node_set_peers()), and none is met");
        return;
    case WSFAN_NODE_SEARCHING:
        event->level = WSFAN_LEVEL_WARNING;
        snprintf(text, WSF_EVENT_TEXT_SIZE,
                 "this node knows where peers should be, and meets none");
        return;
    case WSFAN_NODE_MESH:
        snprintf(text, WSF_EVENT_TEXT_SIZE, "this node is in the mesh, with %llu peer%s",
                 (unsigned long long)event->count, event->count == 1 ? "" : "s");
        return;
    case WSFAN_NODE_REFUSED:
        event->level = WSFAN_LEVEL_ERROR;
        snprintf(text, WSF_EVENT_TEXT_SIZE, "this node is kept out: %s at %s refuses it, as %s",
                 name_of(event, refuser), event->endpoint, wsfan_reason_text(event->reason));
        return;
    case WSFAN_NODE_DRAINING:
        snprintf(text, WSF_EVENT_TEXT_SIZE, "this node drains");
        return;
    }
}

static wsfan_level level_of(wsfan_endpoint_state state) {
    if (state == WSFAN_ENDPOINT_LINKED)
        return WSFAN_LEVEL_INFO;
    return wsfan_endpoint_state_fails(state) ? WSFAN_LEVEL_WARNING : WSFAN_LEVEL_DEBUG;
}

static void describe_endpoint(wsfan_event *event, char *code, char *text) {
    wsfan_endpoint_state state = (wsfan_endpoint_state)event->state;
    snprintf(code, WSF_EVENT_CODE_SIZE, "endpoint.%s", wsfan_endpoint_state_name(state));
    event->level = level_of(state);
    who node;
    bool half = event->count > 0 && wsfan_endpoint_state_fails(state) &&
                state != WSFAN_ENDPOINT_REFUSED && state != WSFAN_ENDPOINT_LOST;
    snprintf(text, WSF_EVENT_TEXT_SIZE, "%s: %s%s%s%s%s", event->endpoint,
             wsfan_endpoint_state_text(state), state == WSFAN_ENDPOINT_REFUSED ? ": " : "",
             state == WSFAN_ENDPOINT_REFUSED ? wsfan_reason_text(event->reason) : "",
             half ? "; it should lead to a node that hears this one, " : "",
             half ? name_of(event, node) : "");
}

static void describe_caller(wsfan_event *event, char *code, char *text) {
    wsfan_endpoint_state cause = (wsfan_endpoint_state)event->state;
    who caller;
    snprintf(code, WSF_EVENT_CODE_SIZE, "caller.%s", wsfan_endpoint_state_name(cause));
    event->level = WSFAN_LEVEL_WARNING;
    bool refused = cause == WSFAN_ENDPOINT_REFUSED;
    const char *from = event->address[0] != '\0' ? event->address : event->endpoint;
    snprintf(text, WSF_EVENT_TEXT_SIZE, "%s%s%s called and is no peer: %s%s (%llu so far)",
             name_of(event, caller), from[0] != '\0' ? " at " : "", from,
             refused ? "refused: " : "",
             refused ? wsfan_reason_text(event->reason) : wsfan_endpoint_state_text(cause),
             (unsigned long long)event->count);
}

static void describe_peer(wsfan_event *event, char *code, char *text) {
    wsfan_peer_event state = (wsfan_peer_event)event->state;
    who peer;
    snprintf(code, WSF_EVENT_CODE_SIZE, "peer.%s", wsfan_peer_event_text(state));
    event->level = state == WSFAN_PEER_UP || event->reason == WSFAN_REASON_BYE
                       ? WSFAN_LEVEL_INFO
                       : WSFAN_LEVEL_WARNING;
    snprintf(text, WSF_EVENT_TEXT_SIZE, "%s%s%s is %s%s%s", name_of(event, peer),
             event->endpoint[0] != '\0' ? " at " : "", event->endpoint,
             wsfan_peer_event_text(state), event->reason != WSFAN_REASON_NONE ? ": " : "",
             event->reason != WSFAN_REASON_NONE ? wsfan_reason_text(event->reason) : "");
}

static void describe_gap(wsfan_event *event, char *code, char *text) {
    wsfan_gap_reason reason = (wsfan_gap_reason)event->state;
    who peer;
    char count[24] = "some";
    if (event->count > 0)
        snprintf(count, sizeof count, "%llu", (unsigned long long)event->count);
    snprintf(code, WSF_EVENT_CODE_SIZE, "gap.%s", gap_name(reason));
    event->level = WSFAN_LEVEL_ERROR;
    snprintf(text, WSF_EVENT_TEXT_SIZE, "%s message%s of %s did not arrive: %s", count,
             event->count == 1 ? "" : "s", name_of(event, peer), wsfan_gap_reason_text(reason));
}

void wsf_event_describe(wsfan_event *event, char code[WSF_EVENT_CODE_SIZE],
                        char text[WSF_EVENT_TEXT_SIZE]) {
    code[0] = text[0] = '\0';
    event->code = code;
    event->text = text;
    switch (event->kind) {
    case WSFAN_EVENT_NODE:
        describe_node(event, code, text);
        break;
    case WSFAN_EVENT_ENDPOINT:
        describe_endpoint(event, code, text);
        break;
    case WSFAN_EVENT_CALLER:
        describe_caller(event, code, text);
        break;
    case WSFAN_EVENT_PEER:
        describe_peer(event, code, text);
        break;
    case WSFAN_EVENT_GAP:
        describe_gap(event, code, text);
        break;
    }
}
