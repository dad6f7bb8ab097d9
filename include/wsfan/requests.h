/** @file requests.h
 * Requests: what needs an answer from other nodes.
 *
 * Each request goes to the nodes where its targets have sessions, as far as this node knows, and to
 * itself. All of them are asked at once; one that is silent is named in the reply, which comes after
 * the time limit then.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_REQUESTS_H
#define WSFAN_REQUESTS_H

#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What on_left tells: a session left a chat because somebody asked for that by wsfan_remote_leave(). */
struct wsfan_left {
    wsfan_session session; /**< of this loop */
    void *session_user;    /**< as given to wsfan_session_open() */
    wsfan_bytes chat;      /**< that it left */
};

/** What on_close tells: somebody wants a connection to be closed, by wsfan_remote_close(). */
struct wsfan_close {
    wsfan_session session; /**< of this loop */
    void *session_user;    /**< as given to wsfan_session_open() */
    uint16_t code; /**< as for wsfan_remote_close(): a close frame may carry both as they are */
    wsfan_bytes reason; /**< UTF-8, at most 123 bytes */
};

/** What on_request tells: what wsfan_node_send() brought here. */
struct wsfan_request {
    uint64_t node;       /**< who sent it */
    uint64_t token;      /**< for wsfan_node_reply() */
    wsfan_bytes payload; /**< as it was sent */
};

/** What a request asked for. */
typedef enum wsfan_request_kind {
    WSFAN_REQUEST_JOIN = 1,     /**< wsfan_remote_join() */
    WSFAN_REQUEST_LEAVE = 2,    /**< wsfan_remote_leave() */
    WSFAN_REQUEST_CLOSE = 3,    /**< wsfan_remote_close() */
    WSFAN_REQUEST_SESSIONS = 4, /**< wsfan_list_sessions() */
    WSFAN_REQUEST_CHATS = 5,    /**< wsfan_list_chats() */
    WSFAN_REQUEST_NODES = 6,    /**< wsfan_list_nodes() */
    WSFAN_REQUEST_SEND = 7,     /**< wsfan_node_send() */
    WSFAN_REQUEST_STATS = 8     /**< wsfan_list_stats() */
} wsfan_request_kind;

/** The text of a request's kind, a constant word such as "join"; "unknown" for any other number. What
 * its status is, and that of each answer, wsfan_error_text() tells. [any] */
WSFAN_API const char *wsfan_request_kind_text(wsfan_request_kind kind);

/** What one node that was asked said, or that it did not. */
typedef struct wsfan_answer {
    uint64_t node; /**< its id; 0: of one that does not let our key in */
    /** WSFAN_OK. WSFAN_EPARTIAL: it joined its sessions, but not all of its peers have acknowledged.
     * WSFAN_ESILENT: no answer; it may have done it, or may yet. WSFAN_ENOTSUP: a library or a host
     * that does not do this. WSFAN_ELIMIT: it, or the way to it, has too much to do. WSFAN_ETOOBIG:
     * larger than its limits. WSFAN_ENOMEM. WSFAN_EREFUSED: it refuses this node (see
     * wsfan_result.peers_refusing), and was not asked. */
    int status;
    /** join: that are in the chat now; leave: that left it; close: whose host was told */
    uint64_t sessions;
    uint64_t sessions_failed; /**< join: that reached a limit */
    wsfan_bytes payload;      /**< send: what was given to wsfan_node_reply() */
} wsfan_answer;

/** One row of a list. */
typedef struct wsfan_row {
    wsfan_address
        address; /**< sessions: of the session; nodes: of the node, session 0; stats: see there */
    wsfan_bytes user;  /**< sessions: its user, or empty */
    wsfan_bytes name;  /**< sessions, chats: of a chat; nodes: of the node */
    uint64_t sessions; /**< chats: of those asked for, how many are in it; nodes: how many it has */
} wsfan_row;

/** What on_reply tells: what became of a request. */
struct wsfan_reply {
    wsfan_request_kind kind; /**< what was asked for */
    void *reply_user;        /**< as given in wsfan_request_options */
    /** WSFAN_OK: complete. WSFAN_EPARTIAL: all there is but for the nodes in `missing`. WSFAN_ENOMEM:
     * the answers could not be put together. */
    int status;
    uint64_t sessions;           /**< of all nodes */
    uint64_t sessions_failed;    /**< of all nodes */
    const wsfan_answer *answers; /**< one for each node that was asked, or refuses this one */
    size_t answers_count;        /**< of `answers` */
    /** ids of nodes that did not answer, or with an error; of a join, also of those that had not
     * acknowledged it */
    const uint64_t *missing;
    size_t missing_count;  /**< of `missing` */
    const wsfan_row *rows; /**< in order of address and name */
    size_t rows_count;     /**< of `rows` */
    wsfan_bytes next;      /**< not empty: there are more rows; ask again with this as `after` */
};

/** Rows of one reply. */
#define WSFAN_ROWS_COUNT_MAX 1000

/** How a request is made. */
typedef struct wsfan_request_options {
    size_t struct_size; /**< sizeof(wsfan_request_options) */
    /** Of this node, open: its on_reply tells what came of it. NULL: nobody is told; not for lists */
    wsfan_loop *reply_loop;
    void *reply_user; /**< handed back with the reply */
    /** The reply comes after this at the latest, 0: request_ms_max, its maximum */
    uint32_t ms_max;
    /** lists: of one reply, 0..WSFAN_ROWS_COUNT_MAX, 0: 100; fewer, where they are more than 64 KiB */
    uint32_t rows_max;
    wsfan_bytes after; /**< lists: the `next` of the reply before; empty: from the beginning */
} wsfan_request_options;

/** Makes sessions anywhere join a chat. Their hosts are told by on_joined. When the reply says
 * WSFAN_OK, every broadcast to the chat that is issued from now on, anywhere, reaches these sessions. (One that is
 * just joining by itself with WSFAN_HISTORY: what its on_joined says is to come counts.)
 *
 * @param targets as for wsfan_publish().
 * @param chat 1..name_bytes_max bytes.
 * @param options may be NULL: nobody is told what came of it.
 * @return of all requests: WSFAN_OK, or WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_ELIMIT (targets_count_max,
 * requests_count_max), WSFAN_EAGAIN (nothing was queued), WSFAN_ECLOSED (at the end of a drain),
 * WSFAN_ENOMEM, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_remote_join(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                                wsfan_bytes chat, const wsfan_request_options *options);

/** Makes sessions anywhere leave a chat. Their hosts are told by on_left. Its parameters are those of
 * wsfan_remote_join().
 * @return as wsfan_remote_join(). [any] */
WSFAN_API int wsfan_remote_leave(wsfan_node *node, const wsfan_target *targets,
                                 size_t targets_count, wsfan_bytes chat,
                                 const wsfan_request_options *options);

/** Asks the hosts of sessions anywhere to close their connections, by on_close.
 *
 * @param code a WebSocket close code that may be sent (RFC 6455, section 7.4, and IANA's registry):
 * 1000..1003, 1007..1014, or 3000..4999. Any other is WSFAN_EINVAL: 1004, 1005, 1006 and 1015
 * are reserved, 1016..2999 are not assigned. A peer's request with such a code is refused.
 * @param reason 0..123 bytes of UTF-8, else WSFAN_EINVAL; more are WSFAN_ETOOBIG.
 * @return as wsfan_remote_join(). [any] */
WSFAN_API int wsfan_remote_close(wsfan_node *node, const wsfan_target *targets,
                                 size_t targets_count, uint16_t code, wsfan_bytes reason,
                                 const wsfan_request_options *options);

/** The sessions that targets name, with the user of each and its chats: one row for each chat of a
 * session, or one with an empty name.
 *
 * @param options not NULL, with a reply_loop; so for every list.
 * @return as wsfan_remote_join(). [any] */
WSFAN_API int wsfan_list_sessions(wsfan_node *node, const wsfan_target *targets,
                                  size_t targets_count, const wsfan_request_options *options);

/** The chats that the sessions named by targets are in, each with how many of them: a user's, or with
 * WSFAN_ALL all chats. Each page costs every loop a look at all chats that it has, in slices between
 * its other work.
 * @return as wsfan_remote_join(). [any] */
WSFAN_API int wsfan_list_chats(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                               const wsfan_request_options *options);

/** The nodes, each with how many sessions it has.
 * @return as wsfan_remote_join(). [any] */
WSFAN_API int wsfan_list_nodes(wsfan_node *node, const wsfan_request_options *options);

/** What the nodes count: a row for each statistic of a node or of one of its peers. Of a row, `address` has
 * the node and, as session, the id of its peer, or 0; `user` the peer's name; `name` that of a field of
 * wsfan_stats or wsfan_peer_stats, such as "published" and "queue_count", or "dropped_" and a
 * wsfan_drop_name(), or of a peer "round_trips", how many frames with messages were timed from being sent to their
 * acknowledgement, and "round_trips_ms", the sum of these times; `sessions` the number. A node answers without its loops. Each node tells some 30 of
 * itself and 18 of each peer; a later version may tell more.
 * @return as wsfan_remote_join(). [any] */
WSFAN_API int wsfan_list_stats(wsfan_node *node, const wsfan_request_options *options);

/** Sends bytes of the host to other nodes, where on_request gets them; replies are in the answers.
 *
 * @param to a node's id; 0: every node, this one too.
 * @param payload 0..payload_bytes_max bytes.
 * @return as wsfan_remote_join(). [any] */
WSFAN_API int wsfan_node_send(wsfan_node *node, uint64_t to, wsfan_bytes payload,
                              const wsfan_request_options *options);

/** Answers an on_request, once; too late, it goes nowhere.
 *
 * @param token of the request.
 * @param payload 0..payload_bytes_max bytes.
 * @return WSFAN_OK (also too late), or WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_EAGAIN (nothing was queued),
 * WSFAN_ECLOSED (at the end of a drain), WSFAN_ENOMEM, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_node_reply(wsfan_node *node, uint64_t token, wsfan_bytes payload);

#ifdef __cplusplus
}
#endif
#endif
