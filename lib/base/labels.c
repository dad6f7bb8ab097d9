/* Texts and names of events, reasons and drops. None is NULL: a number without a text, as from a later
 * version, is "unknown". */
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
        return "its key is not allowed any more";
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
