/** @file peers.h
 * Who is a peer, who may be one, and where peers can be reached.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
/* Before the guard: wsfan.h includes this header ahead of stats.h, which needs it. */
#include <wsfan/wsfan.h>

#ifndef WSFAN_PEERS_H
#define WSFAN_PEERS_H

#ifdef __cplusplus
extern "C" {
#endif

/** What became of a peer, and its state. */
typedef enum wsfan_peer_event {
    WSFAN_PEER_MEETING = 0, /**< no link with it so far; in wsfan_peer_stats only */
    WSFAN_PEER_UP = 1,      /**< the link works: new, or again after silent or down */
    WSFAN_PEER_SILENT = 2,  /**< nothing heard for silent_ms, or its connection broke */
    WSFAN_PEER_DOWN = 3,    /**< gone, see the reason; joins do not wait for it */
    /** It may not be a peer, see the reason; it is asked again at the latest every down_ms, as long as
     * it is named. That this node refuses it is told the first time, then once a minute at most, and of 32
     * new ones in 10 s at most: wsfan_node_get_callers() counts them all */
    WSFAN_PEER_REFUSED = 4
} wsfan_peer_event;

/** Why a peer is down or refused. */
typedef enum wsfan_reason {
    WSFAN_REASON_NONE = 0,    /**< of up and silent */
    WSFAN_REASON_TIMEOUT = 1, /**< nothing heard for down_ms */
    WSFAN_REASON_BYE = 2,     /**< it said goodbye */
    /** A newer node took its name; the node itself, if it lives, is told WSFAN_REASON_NAME */
    WSFAN_REASON_REPLACED = 3,
    WSFAN_REASON_CLUSTER = 4, /**< another cluster name */
    WSFAN_REASON_VERSION = 5, /**< no protocol version in common */
    /** Two live nodes have one name. A node that meets both keeps the newer one as its peer, or where their
     * keys differ the one that was up, and refuses the other one, of which it and that one are told; nodes
     * of one name that meet refuse each other. As long as a node is refused, its joins are WSFAN_EPARTIAL;
     * it stays ready if it was */
    WSFAN_REASON_NAME = 6,
    /** peers_count_max or another limit is reached, here or there; it is tried again every down_ms */
    WSFAN_REASON_LIMIT = 7,
    WSFAN_REASON_ID = 8, /**< another node has the same id: a copy of a running machine? */
    /** An endpoint that leads back to this node; harmless in a list that all nodes share, and said once */
    WSFAN_REASON_SELF = 9,
    WSFAN_REASON_SLOW = 10, /**< its queue was full, and slow_peer is WSFAN_SLOW_CUT */
    WSFAN_REASON_KEY = 11,  /**< its key is not allowed, or not any more */
    /** It fell silent and its address refuses connections: the process is gone, which is known long
     * before down_ms */
    WSFAN_REASON_ENDED = 12
} wsfan_reason;

/** The text of a peer's event or state, a constant word such as "silent"; "unknown" for any other
 * number. [any] */
WSFAN_API const char *wsfan_peer_event_text(wsfan_peer_event event);

/** The text of a reason, a constant phrase; "unknown reason" for any other number. [any] */
WSFAN_API const char *wsfan_reason_text(wsfan_reason reason);

/** What on_peer tells. */
struct wsfan_peer {
    uint64_t node;          /**< its id */
    const char *name;       /**< "" where it is not known yet */
    const char *endpoint;   /**< where it says that it can be reached */
    wsfan_peer_event event; /**< what its state is now */
    wsfan_reason reason;    /**< of WSFAN_PEER_DOWN and WSFAN_PEER_REFUSED */
};

/* ---------------------------------------------------------------------------------------- keys */

/** Reads options.allow_path again, as it was given when the node was opened, and takes over who may
 * be a peer from now on: soon after this call a peer whose key is not allowed any more is down, with
 * WSFAN_REASON_KEY, and gets nothing. The node's own key stays until it is opened again. May block
 * on the file system.
 * @return WSFAN_OK, or WSFAN_EINVAL (a node without a key), WSFAN_EKEY, WSFAN_ELIMIT, WSFAN_ENOMEM,
 * WSFAN_EFORK. Each leaves everything as it was. [any] */
WSFAN_API int wsfan_node_reload_keys(wsfan_node *node);

/** As wsfan_node_reload_keys(), and keys replace those of options.allow.
 *
 * @param keys Z85 text of 40 characters each; copied. May be NULL when count is 0.
 * @param count 0..WSFAN_KEYS_MAX.
 * @return as wsfan_node_reload_keys(). [any] */
WSFAN_API int wsfan_node_allow_keys(wsfan_node *node, const char *const *keys, size_t count);

/** This node's public key, "" without one; valid while the node is open. [any] */
WSFAN_API const char *wsfan_node_public_key(const wsfan_node *node);

/* ----------------------------------------------------------------------------------- discovery */

/** Endpoints that are dialled at a time, of all sources together. */
#define WSFAN_ENDPOINTS_MAX 512

/** Where endpoints of the host come from: each source, 0..7, has a set of its own. */
#define WSFAN_SOURCES_MAX 8

/** Tells the node where its peers can be reached, as far as the host knows: call it with the whole
 * set whenever your registry (Consul, etcd, the Kubernetes API) reports a change. It replaces the
 * set of the call before, and adds to options.peers. A set that becomes smaller, or empty, takes no
 * connection away from a peer that lives; where nobody lives, the endpoint is no longer dialled.
 * The node takes the set over soon after; of several calls in a row, perhaps only the last.
 *
 * @param endpoints as in options.peers: HOST may be a name. The node's own may be among them. May be
 * NULL when count is 0.
 * @param count 0..WSFAN_ENDPOINTS_MAX.
 * @return WSFAN_OK, or WSFAN_EINVAL (a NULL; a node without a mesh), WSFAN_ELIMIT (count),
 * WSFAN_EENDPOINT, WSFAN_ENOMEM, WSFAN_EFORK; of the first name also WSFAN_ESYSTEM (no thread or
 * descriptor for DNS). Each leaves the set as it was. Does not wait for DNS. [any] */
WSFAN_API int wsfan_node_set_peers(wsfan_node *node, const char *const *endpoints, size_t count);

/** As wsfan_node_set_peers(), for one of several sources that do not know of each other;
 * wsfan_node_set_peers() is source 0, and libwsfan-beacon is source 7 unless told otherwise.
 *
 * @param source 0..WSFAN_SOURCES_MAX-1; else WSFAN_EINVAL.
 * @return as wsfan_node_set_peers(). [any] */
WSFAN_API int wsfan_node_set_peers_from(wsfan_node *node, unsigned source,
                                        const char *const *endpoints, size_t count);

#ifdef __cplusplus
}
#endif
#endif
