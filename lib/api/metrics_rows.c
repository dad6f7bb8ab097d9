/* Answers for what each statistic is called, see wsfan/metrics.h. A statistic without a row fails unit_metrics. */
#include "api/metrics_rows.h"

#include <stddef.h>

#define ROW(type, field, kind, name, help)                                                         \
    { { name, help, kind }, offsetof(type, field), sizeof(((type *)0)->field) }

#define COUNTER(field, name, help) ROW(wsfan_stats, field, WSF_METRIC_COUNTER, "wsfan_" name, help)
#define GAUGE(field, name, help) ROW(wsfan_stats, field, WSF_METRIC_GAUGE, "wsfan_" name, help)
static const wsf_metrics_row NODE_ROWS[] = {
    GAUGE(loops, "loops", "Loops that are open."),
    GAUGE(peers, "peers", "Nodes that are known, up or not."),
    GAUGE(peers_up, "peers_up", "Peers that are up."),
    GAUGE(peers_refusing, "peers_refusing", "Nodes that refuse this one."),
    GAUGE(sessions, "sessions", "Open sessions of all loops."),
    GAUGE(chats, "chats", "Chats and users with a session on this node."),
    GAUGE(chats_remote, "remote_chats", "Chats and users that a peer has a session in."),
    COUNTER(published, "published_messages", "Messages that were accepted from publishers here."),
    COUNTER(published_bytes, "published_payload_bytes", "Their payloads."),
    COUNTER(delivered, "delivered_messages",
            "Messages that were put into inboxes, once for each loop."),
    COUNTER(received, "received_messages", "Messages from peers."),
    COUNTER(gaps, "missed_messages", "Messages of peers that did not reach this node."),
    GAUGE(publish_queue_count, "publish_queue_messages",
          "Messages that the mesh thread has not taken."),
    GAUGE(publish_queue_bytes, "publish_queue_bytes", "The memory of these."),
    GAUGE(joins_pending, "joins_pending", "Joins that are not complete."),
    GAUGE(endpoints, "endpoints", "Endpoints that options, DNS or the host name."),
    GAUGE(endpoints_surplus, "endpoints_surplus",
          "Endpoints that are named and not dialled, over the limit."),
    COUNTER(dns_answers, "dns_answers", "Answers of DNS with an address."),
    COUNTER(dns_failures, "dns_failures", "Questions to DNS without an address for an answer."),
    GAUGE(dns_surplus, "dns_surplus", "Addresses over the limit in the last answers of DNS."),
    COUNTER(requests, "requests", "Requests that were asked here."),
    GAUGE(requests_pending, "requests_pending", "Requests that are not answered."),
    COUNTER(requests_partial, "requests_partial", "Requests that some nodes did not answer."),
    COUNTER(requests_taken, "requests_taken", "Requests that this node has worked on."),
    COUNTER(requests_refused, "requests_refused", "Requests that this node refused, over a limit."),
    GAUGE(presence_chats, "presence_chats", "Chats with presence."),
    GAUGE(presence_rows, "presence_rows", "Users in these, once on each node."),
    COUNTER(presence_mended, "presence_mended",
            "Times that the presence of a peer was found to be wrong and was told again."),
    COUNTER(connections_ended, "connections_ended",
            "Connections to the mesh endpoint that were ended."),
    COUNTER(handshakes_refused, "handshakes_refused",
            "Handshakes at the mesh endpoint that failed for a key."),
    COUNTER(endpoint_failures, "endpoint_failures",
            "Times that an endpoint was found not to lead to a peer."),
    COUNTER(caller_failures, "caller_failures",
            "Times that somebody tried to become a peer and did not."),
    GAUGE(history_chats, "history_chats", "Chats whose messages are kept."),
    GAUGE(history_held, "history_held_chats",
          "Of these, chats without a session here that joined with history."),
    COUNTER(history_refused, "history_refused_chats",
            "Chats whose messages are not kept, for want of memory."),
    GAUGE(history_messages, "history_messages", "Messages that are kept."),
    GAUGE(history_bytes, "history_bytes", "The memory of these and of their chats."),
    COUNTER(history_evicted, "history_evicted_messages",
            "Messages that went for a limit of history, or were not kept for one."),
    COUNTER(history_expired, "history_expired_messages", "Kept messages that went for their age."),
    COUNTER(replayed, "replayed_messages",
            "Messages that were shown again, once for each session."),
};
#undef COUNTER
#undef GAUGE

#define COUNTER(field, name, help)                                                                 \
    ROW(wsfan_peer_stats, field, WSF_METRIC_COUNTER, "wsfan_peer_" name, help)
#define GAUGE(field, name, help)                                                                   \
    ROW(wsfan_peer_stats, field, WSF_METRIC_GAUGE, "wsfan_peer_" name, help)
static const wsf_metrics_row PEER_ROWS[] = {
    GAUGE(we_hear, "heard", "1 while a connection of this node to the peer carries something."),
    GAUGE(hears_us, "connected", "1 while the peer has a connection to this node."),
    COUNTER(links, "links", "Links with the peer that were begun."),
    COUNTER(messages_in, "received_messages", "Messages from the peer."),
    COUNTER(messages_out, "sent_messages", "Messages to the peer."),
    COUNTER(payload_bytes_in, "received_payload_bytes", "Payloads of messages from the peer."),
    COUNTER(payload_bytes_out, "sent_payload_bytes", "Payloads of messages to the peer."),
    COUNTER(frames_in, "received_frames", "Frames from the peer."),
    COUNTER(frames_out, "sent_frames", "Frames to the peer."),
    COUNTER(bytes_in, "received_bytes", "Bytes of frames from the peer."),
    COUNTER(bytes_out, "sent_bytes", "Bytes of frames to the peer."),
    COUNTER(frames_resent, "resent_frames", "Frames that the peer asked for again."),
    COUNTER(interest_mended, "interest_mended",
            "Times that the interest of the peer was found to be wrong and was told again."),
    COUNTER(gap_in, "missed_messages", "Messages of the peer that did not reach this node."),
    COUNTER(gap_out, "lost_messages", "Messages of this node that did not reach the peer."),
    GAUGE(queue_count, "queue_messages", "Messages that wait for room in the window."),
    GAUGE(queue_bytes, "queue_bytes", "The memory of these."),
    GAUGE(window_bytes, "window_bytes", "Bytes that are sent and not acknowledged."),
    GAUGE(held_bytes, "held_bytes", "Bytes that were received out of order."),
};
#undef COUNTER
#undef GAUGE

#define COUNTER(field, name, help)                                                                 \
    ROW(wsfan_loop_stats, field, WSF_METRIC_COUNTER, "wsfan_loop_" name, help)
#define GAUGE(field, name, help)                                                                   \
    ROW(wsfan_loop_stats, field, WSF_METRIC_GAUGE, "wsfan_loop_" name, help)
static const wsf_metrics_row LOOP_ROWS[] = {
    GAUGE(sessions, "sessions", "Open sessions of the loop."),
    GAUGE(chats, "chats", "Chats and users with a session on the loop."),
    GAUGE(memberships, "memberships", "Sessions in chats, and sessions with a user."),
    COUNTER(messages, "dispatched_messages", "Messages that were dispatched."),
    COUNTER(recipients, "recipients", "Sessions that these messages were for."),
    GAUGE(inbox_count, "inbox_messages", "Messages that wait to be dispatched."),
    GAUGE(inbox_bytes, "inbox_bytes", "The memory of these."),
    COUNTER(gap, "missed_messages", "Messages for which the inbox had no room."),
};
#undef COUNTER
#undef GAUGE

#define COUNTER(field, name, help)                                                                 \
    ROW(wsfan_outbound_stats, field, WSF_METRIC_COUNTER, "wsfan_outbound_" name, help)
#define GAUGE(field, name, help)                                                                   \
    ROW(wsfan_outbound_stats, field, WSF_METRIC_GAUGE, "wsfan_outbound_" name, help)
static const wsf_metrics_row OUTBOUND_ROWS[] = {
    GAUGE(count, "items", "Items that wait in outbound queues."),
    GAUGE(bytes, "bytes", "The size of these."),
    COUNTER(pushed, "pushed_items", "Items that were queued."),
    COUNTER(taken, "taken_items", "Items that were taken."),
};
#undef COUNTER
#undef GAUGE

#define TABLE(rows)                                                                                \
    { rows, sizeof(rows) / sizeof *(rows) }
const wsf_metrics_table wsf_metrics_node = TABLE(NODE_ROWS);
const wsf_metrics_table wsf_metrics_peer = TABLE(PEER_ROWS);
const wsf_metrics_table wsf_metrics_loop = TABLE(LOOP_ROWS);
const wsf_metrics_table wsf_metrics_outbound = TABLE(OUTBOUND_ROWS);
