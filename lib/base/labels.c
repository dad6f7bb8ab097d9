/* Texts and names of events, reasons and drops. None is NULL: a number without a text, as from a later
 * version, is "unknown". */
#include <stdbool.h>
#include <wsfan/diagnosis.h>
#include <wsfan/history.h>
#include <wsfan/peers.h>
#include <wsfan/presence.h>
#include <wsfan/requests.h>
#include <wsfan/stats.h>

static const struct {
    const char *name;
    const char *text;
} DROPS[] = {
    [WSFAN_DROP_PUBLISH_QUEUE] = { "publish_queue", "refused with WSFAN_EAGAIN" },
    [WSFAN_DROP_INBOX] = { "inbox", "a loop's inbox was full or out of memory" },
    [WSFAN_DROP_LINK_QUEUE] = { "link_queue", "a peer's queue was full or out of memory" },
    [WSFAN_DROP_TOO_BIG] = { "too_big", "larger than the peer accepts" },
    [WSFAN_DROP_UNWANTED] = { "unwanted", "received, but no loop has an interest in it, or nobody "
                                          "waits for it" },
    [WSFAN_DROP_DUPLICATE] = { "duplicate", "a frame that was received already" },
    [WSFAN_DROP_GAP] = { "gap",
                         "a frame out of order that could not be kept; it is asked for again" },
    [WSFAN_DROP_MALFORMED] = { "malformed",
                               "bytes from the network that are no valid frame or introduction" },
    [WSFAN_DROP_STRANGER] = { "stranger", "a frame of a node that has not introduced itself" },
    [WSFAN_DROP_EVENT] = { "event", "a notice to a loop that does not dispatch, or out of memory" },
    [WSFAN_DROP_REPLACED] = { "replaced", "a newer message with the same key took its place" },
    [WSFAN_DROP_FORGED] = { "forged", "in the name of a node that has another key" },
    [WSFAN_DROP_LIMIT] = { "limit", "interest or presence of a peer over a limit" },
};

_Static_assert(sizeof DROPS / sizeof *DROPS == WSFAN_DROP_COUNT, "each drop has a text");
_Static_assert(WSFAN_DROP_COUNT <= WSFAN_DROPS_MAX, "wsfan_stats has room");

const char *wsfan_drop_text(wsfan_drop reason) {
    return (unsigned)reason < WSFAN_DROP_COUNT ? DROPS[reason].text : "unknown reason";
}

const char *wsfan_drop_name(wsfan_drop reason) {
    return (unsigned)reason < WSFAN_DROP_COUNT ? DROPS[reason].name : "unknown";
}

const char *wsfan_peer_event_text(wsfan_peer_event event) {
    switch (event) {
    case WSFAN_PEER_MEETING:
        return "meeting";
    case WSFAN_PEER_UP:
        return "up";
    case WSFAN_PEER_SILENT:
        return "silent";
    case WSFAN_PEER_DOWN:
        return "down";
    case WSFAN_PEER_REFUSED:
        return "refused";
    }
    return "unknown";
}

const char *wsfan_recovery_text(wsfan_recovery recovery) {
    static const char *const TEXTS[] = {
        [WSFAN_RECOVERY_NONE] = "none",         [WSFAN_RECOVERY_WHOLE] = "whole",
        [WSFAN_RECOVERY_OLD] = "old",           [WSFAN_RECOVERY_UNKEPT] = "unkept",
        [WSFAN_RECOVERY_EPOCH] = "epoch",       [WSFAN_RECOVERY_GAP] = "gap",
        [WSFAN_RECOVERY_SILENT] = "silent",     [WSFAN_RECOVERY_BUSY] = "busy",
        [WSFAN_RECOVERY_POSITION] = "position", [WSFAN_RECOVERY_CLOCK] = "clock",
        [WSFAN_RECOVERY_MIXED] = "mixed",       [WSFAN_RECOVERY_OFF] = "off",
    };
    return (unsigned)recovery < sizeof TEXTS / sizeof *TEXTS ? TEXTS[recovery] : "unknown";
}

const char *wsfan_reason_text(wsfan_reason reason) {
    switch (reason) {
    case WSFAN_REASON_NONE:
        return "no reason";
    case WSFAN_REASON_TIMEOUT:
        return "nothing was heard of it";
    case WSFAN_REASON_BYE:
        return "it said goodbye";
    case WSFAN_REASON_REPLACED:
        return "a newer node has taken its name";
    case WSFAN_REASON_CLUSTER:
        return "it is of another cluster";
    case WSFAN_REASON_VERSION:
        return "it speaks no version of the protocol that this node does";
    case WSFAN_REASON_NAME:
        return "two nodes have the same name";
    case WSFAN_REASON_LIMIT:
        return "there are too many peers, or another limit is reached";
    case WSFAN_REASON_ID:
        return "another node has the same id";
    case WSFAN_REASON_SELF:
        return "the endpoint leads back to this node";
    case WSFAN_REASON_SLOW:
        return "its queue was full";
    case WSFAN_REASON_KEY:
        return "its key is not allowed";
    case WSFAN_REASON_ENDED:
        return "its process has ended";
    }
    return "unknown reason";
}

const char *wsfan_gap_reason_text(wsfan_gap_reason reason) {
    switch (reason) {
    case WSFAN_GAP_PEER_QUEUE:
        return "the peer dropped messages: its queue for this node was full";
    case WSFAN_GAP_LINK:
        return "frames of the peer are lost";
    case WSFAN_GAP_TOO_BIG:
        return "messages of the peer are larger than this node accepts";
    case WSFAN_GAP_INBOX:
        return "the loop was too slow: its inbox was full";
    case WSFAN_GAP_AWAY:
        return "the peer was away, or this node was to it";
    }
    return "unknown reason";
}

const char *wsfan_member_event_text(wsfan_member_event event) {
    switch (event) {
    case WSFAN_MEMBER_JOIN:
        return "join";
    case WSFAN_MEMBER_UPDATE:
        return "update";
    case WSFAN_MEMBER_LEAVE:
        return "leave";
    }
    return "unknown";
}

const char *wsfan_request_kind_text(wsfan_request_kind kind) {
    switch (kind) {
    case WSFAN_REQUEST_JOIN:
        return "join";
    case WSFAN_REQUEST_LEAVE:
        return "leave";
    case WSFAN_REQUEST_CLOSE:
        return "close";
    case WSFAN_REQUEST_SESSIONS:
        return "sessions";
    case WSFAN_REQUEST_CHATS:
        return "chats";
    case WSFAN_REQUEST_NODES:
        return "nodes";
    case WSFAN_REQUEST_SEND:
        return "send";
    case WSFAN_REQUEST_STATS:
        return "stats";
    }
    return "unknown";
}

static const struct {
    const char *name;
    const char *text;
    bool fails;
} ENDPOINT_STATES[] = {
    [WSFAN_ENDPOINT_DIALLING] = { "dialling", "nothing is known yet", false },
    [WSFAN_ENDPOINT_RESOLVING] = { "resolving", "no name server has answered yet", false },
    [WSFAN_ENDPOINT_NO_NAME] = { "no_name", "there is no such name, or it has no address", true },
    [WSFAN_ENDPOINT_DNS_SILENT] = { "dns_silent", "no name server gives an answer", true },
    [WSFAN_ENDPOINT_RESOLVED] = { "resolved", "the name has addresses", false },
    [WSFAN_ENDPOINT_REFUSED_TCP] = { "refused_tcp",
                                     "the address refuses connections: no node listens there",
                                     true },
    [WSFAN_ENDPOINT_NO_ANSWER] = { "no_answer",
                                   "the address does not answer: it is wrong, or packets are "
                                   "filtered",
                                   true },
    [WSFAN_ENDPOINT_MUTE] = { "mute",
                              "it takes connections and says nothing: a frozen process, or no node",
                              true },
    [WSFAN_ENDPOINT_FOREIGN] = { "foreign", "it speaks another protocol than a node's", true },
    [WSFAN_ENDPOINT_KEY_UNKNOWN_HERE] = { "key_unknown_here",
                                          "the other node has a key that is not allowed here",
                                          true },
    [WSFAN_ENDPOINT_KEY_UNKNOWN_THERE] = { "key_unknown_there",
                                           "the other node does not know this node's key", true },
    [WSFAN_ENDPOINT_PLAIN_THERE] = { "plain_there",
                                     "the other node has no key and speaks plain text", true },
    [WSFAN_ENDPOINT_PLAIN_HERE] = { "plain_here",
                                    "the other node has a key, and this one speaks plain text",
                                    true },
    [WSFAN_ENDPOINT_INTRODUCED] = { "introduced", "this node waits to be answered", false },
    [WSFAN_ENDPOINT_NOT_DIALLED_BACK] = { "not_dialled_back",
                                          "it hears this node and does not reach the endpoint that "
                                          "this node advertises: see advertise, and firewalls",
                                          true },
    [WSFAN_ENDPOINT_REFUSED] = { "refused", "refused", true },
    [WSFAN_ENDPOINT_SELF] = { "self", "it leads back to this node", false },
    [WSFAN_ENDPOINT_LINKED] = { "linked", "it leads to a live peer", false },
    [WSFAN_ENDPOINT_LOST] = { "lost", "the peer there is silent or down", true },
};

enum { ENDPOINT_STATES_COUNT = sizeof ENDPOINT_STATES / sizeof *ENDPOINT_STATES };

const char *wsfan_endpoint_state_name(wsfan_endpoint_state state) {
    return (unsigned)state < ENDPOINT_STATES_COUNT ? ENDPOINT_STATES[state].name : "unknown";
}

const char *wsfan_endpoint_state_text(wsfan_endpoint_state state) {
    return (unsigned)state < ENDPOINT_STATES_COUNT ? ENDPOINT_STATES[state].text : "unknown state";
}

int wsfan_endpoint_state_fails(wsfan_endpoint_state state) {
    return (unsigned)state < ENDPOINT_STATES_COUNT && ENDPOINT_STATES[state].fails;
}

const char *wsfan_node_phase_name(wsfan_node_phase phase) {
    static const char *const NAMES[] = { "starting", "local",   "alone",   "searching",
                                         "mesh",     "refused", "draining" };
    return (unsigned)phase < sizeof NAMES / sizeof *NAMES ? NAMES[phase] : "unknown";
}

const char *wsfan_level_name(wsfan_level level) {
    static const char *const NAMES[] = { "debug", "info", "warning", "error" };
    return (unsigned)level < sizeof NAMES / sizeof *NAMES ? NAMES[level] : "unknown";
}
