/** @file stats.h
 * Statistics of a node, of its peers and of a loop.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_STATS_H
#define WSFAN_STATS_H

#include <wsfan/peers.h>
#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Why messages or frames were dropped. */
typedef enum wsfan_drop {
    WSFAN_DROP_PUBLISH_QUEUE = 0, /**< refused with WSFAN_EAGAIN */
    WSFAN_DROP_INBOX = 1,         /**< a loop's inbox was full or out of memory */
    WSFAN_DROP_LINK_QUEUE = 2,    /**< a peer's queue was full or out of memory */
    WSFAN_DROP_TOO_BIG = 3,       /**< larger than the peer accepts */
    WSFAN_DROP_UNWANTED =
        4, /**< received, but no loop has an interest in it, or nobody waits for it */
    WSFAN_DROP_DUPLICATE = 5, /**< a frame that was received already */
    WSFAN_DROP_GAP = 6, /**< a frame out of order that could not be kept; it is asked for again */
    WSFAN_DROP_MALFORMED = 7, /**< bytes from the network that are no valid frame or introduction */
    WSFAN_DROP_STRANGER = 8,  /**< a frame of a node that has not introduced itself */
    WSFAN_DROP_EVENT = 9,     /**< a notice to a loop that does not dispatch, or out of memory */
    WSFAN_DROP_REPLACED = 10, /**< a newer message with the same key took its place */
    WSFAN_DROP_FORGED = 11,   /**< in the name of a node that has another key */
    WSFAN_DROP_LIMIT = 12,    /**< interest or presence of a peer over a limit */
    WSFAN_DROP_COUNT          /**< how many there are; more in a later version */
} wsfan_drop;

/** Elements of an array by wsfan_drop: room for those of later versions. */
#define WSFAN_DROPS_MAX 16

/** Elements of an array by wsfan_recovery: room for those of later versions. */
#define WSFAN_RECOVERIES_MAX 16

/** The text of a wsfan_drop, a constant phrase; "unknown reason" for any other number. [any] */
WSFAN_API const char *wsfan_drop_text(wsfan_drop reason);

/** The name of a wsfan_drop for a program, such as "too_big"; "unknown" for any other number. [any] */
WSFAN_API const char *wsfan_drop_name(wsfan_drop reason);

/** Counters only rise while the node is open; the rest are as of now. */
typedef struct wsfan_stats {
    size_t struct_size;       /**< sizeof(wsfan_stats), set by the caller; only so much is filled */
    uint32_t loops;           /**< open */
    uint32_t peers;           /**< known: as many as wsfan_node_get_peers() tells of */
    uint32_t peers_up;        /**< of these, WSFAN_PEER_UP */
    uint64_t sessions;        /**< open, of all loops */
    uint64_t chats;           /**< chats and users with a session here */
    uint64_t chats_remote;    /**< chats and users that a peer has a session in */
    uint64_t published;       /**< messages accepted and taken by the mesh thread */
    uint64_t published_bytes; /**< their payloads */
    uint64_t delivered;       /**< messages put into inboxes, once per loop */
    uint64_t received;        /**< messages from peers */
    uint64_t gaps;            /**< messages that peers' gaps cover */
    uint64_t publish_queue_count;      /**< publishes that the mesh thread has not taken */
    uint64_t publish_queue_bytes;      /**< of these */
    uint64_t joins_pending;            /**< joins that are not complete */
    uint64_t dropped[WSFAN_DROPS_MAX]; /**< by wsfan_drop */
    uint64_t endpoints;                /**< that options, DNS or the host name */
    uint64_t endpoints_surplus;        /**< named, but over WSFAN_ENDPOINTS_MAX: not dialled */
    uint64_t dns_answers;              /**< with at least one address */
    uint64_t dns_failures;     /**< no such name, no address, no answer: the last answer stands */
    uint64_t dns_surplus;      /**< addresses over WSFAN_ENDPOINTS_MAX in the last answers */
    uint64_t requests;         /**< asked here */
    uint64_t requests_pending; /**< of these, not answered */
    uint64_t requests_partial; /**< of these, answered without some nodes */
    uint64_t requests_taken;   /**< of peers and of this node itself, that were begun */
    uint64_t requests_refused; /**< the same, over requests_count_max or a limit of size */
    uint64_t presence_chats;   /**< with presence */
    uint64_t presence_rows;    /**< users in these, each once on each node */
    uint64_t presence_mended;  /**< times that what we held of a peer's rows was not what it has */
    uint64_t peers_refusing;   /**< nodes that refuse this one, as wsfan_result counts them */
    /** Connections of others to our endpoint: strangers that did not become peers within 10 s, or were
     * too many; whoever sent what no peer sends. */
    uint64_t connections_ended;
    /** Handshakes of others with our tcp endpoint that failed for a key: of nodes whose key is not allowed
     * here (or was not for a second, after one with it did what no peer does), of nodes that take ours for
     * another, of nodes without a key, and where we have none of those with keys. Nodes keep trying, so it
     * goes on rising, though of the last two kinds not each is seen. Nodes that share a key add nothing
     * to it; those with a key of their own do while they look for the one that is ours. */
    uint64_t handshakes_refused;
    /** Times that an endpoint was found not to lead to a peer, see wsfan_endpoint_state_fails() */
    uint64_t endpoint_failures;
    /** Times that somebody tried to become a peer and did not, see wsfan_caller. */
    uint64_t caller_failures;
    uint64_t history_chats; /**< whose messages are kept here */
    uint64_t history_held;  /**< of these, without a session here that joined with WSFAN_HISTORY */
    uint64_t history_refused;  /**< chats that are not kept, for want of memory */
    uint64_t history_messages; /**< kept */
    uint64_t history_bytes;    /**< the memory of these and of their chats */
    uint64_t
        history_evicted; /**< messages that went for a limit of history, or were not kept for one */
    uint64_t history_expired; /**< messages that went for their age */
    /** Joins with WSFAN_HISTORY that were told of, by wsfan_recovery */
    uint64_t recoveries[WSFAN_RECOVERIES_MAX];
    uint64_t replayed; /**< messages that were shown again, once for each session */
    uint64_t
        recoveries_waiting; /**< sessions that are not told yet what became of what they brought */
    uint64_t recoveries_remote;  /**< that are WHOLE, after other nodes were asked */
    uint64_t history_asked;      /**< questions to other nodes, for what chats lack here, so far */
    uint64_t history_answered;   /**< and of other nodes, that this one answered */
    uint64_t history_unanswered; /**< times that a node did not tell all that it has of a chat */
    uint64_t history_unheld;     /**< chats that a node that should keep them too does not yet */
    uint64_t history_unclocked;  /**< marks of nodes whose clock is over a minute ahead, so far */
} wsfan_stats;

/** What is known of a peer; counters are of the time since it is known. */
typedef struct wsfan_peer_stats {
    size_t struct_size; /**< sizeof(wsfan_peer_stats), set by the caller in element 0 */
    uint64_t node;      /**< its id */
    char name[WSFAN_NODE_NAME_SIZE];    /**< "" where it is not known */
    char endpoint[WSFAN_ENDPOINT_SIZE]; /**< "" where it is not known */
    wsfan_peer_event state;             /**< MEETING, UP, SILENT or DOWN */
    uint64_t links;             /**< begun with it, more than one where it or we had given one up */
    uint64_t messages_in;       /**< from it */
    uint64_t messages_out;      /**< to it */
    uint64_t payload_bytes_in;  /**< of messages_in */
    uint64_t payload_bytes_out; /**< of messages_out */
    uint64_t frames_in;         /**< from it */
    uint64_t frames_out;        /**< to it */
    uint64_t bytes_in;          /**< of frames_in */
    uint64_t bytes_out;         /**< of frames_out */
    uint64_t frames_resent;     /**< of frames_out, those that it asked for again */
    uint64_t interest_mended;   /**< what we held of its interest was wrong, and it told anew */
    uint64_t gap_in;            /**< messages of the peer that did not reach us */
    uint64_t gap_out;           /**< messages of ours that did not reach the peer */
    uint64_t queue_count;       /**< messages that wait for room in the window */
    uint64_t queue_bytes;       /**< of these */
    uint64_t window_bytes;      /**< sent and not acknowledged */
    uint64_t held_bytes;        /**< received out of order */
    uint32_t we_hear;  /**< 1: by a connection of ours it was heard within silent_ms; else 0 */
    uint32_t hears_us; /**< 1: it has a connection to our endpoint; else 0. A link takes both */
} wsfan_peer_stats;

/** What a loop counts. */
typedef struct wsfan_loop_stats {
    size_t struct_size;   /**< sizeof(wsfan_loop_stats), set by the caller */
    uint64_t sessions;    /**< open */
    uint64_t chats;       /**< chats and users with a session on this loop */
    uint64_t memberships; /**< sessions in chats, and sessions with a user */
    uint64_t messages;    /**< dispatched */
    uint64_t recipients;  /**< of those messages */
    uint64_t inbox_count; /**< messages that wait */
    uint64_t inbox_bytes; /**< of these */
    uint64_t gap;         /**< messages that the inbox lost */
} wsfan_loop_stats;

/** Fills `stats`. Waits for a lock that is held while the mesh works, never while it waits: usually
 * microseconds.
 * @return WSFAN_OK, or WSFAN_EINVAL (NULL, no struct_size), WSFAN_EFORK.
 * [any] */
WSFAN_API int wsfan_node_get_stats(wsfan_node *node, wsfan_stats *stats);

/** Fills at most `capacity` elements of `peers` and sets *count to the number of known peers, which is
 * wsfan_stats.peers: those that we have, had, or try to have a link with, and those that are
 * connected to our endpoint, to which ours may not lead (name and endpoint are "" where they are not
 * known). A node that refuses this one, or is refused, is among them as MEETING, SILENT or DOWN; only
 * on_peer tells that it is. peers may be NULL when capacity is 0. Waits as wsfan_node_get_stats() does.
 * @return as wsfan_node_get_stats(), or WSFAN_ENOMEM. [any] */
WSFAN_API int wsfan_node_get_peers(wsfan_node *node, wsfan_peer_stats *peers, size_t capacity,
                                   size_t *count);

/** Fills the loop's own. Waits for nothing.
 * @return as wsfan_node_get_stats(). [loop] */
WSFAN_API int wsfan_loop_get_stats(wsfan_loop *loop, wsfan_loop_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
