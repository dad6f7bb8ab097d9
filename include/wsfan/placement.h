/** @file placement.h
 * Placement, readiness and drain: where clients belong.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_PLACEMENT_H
#define WSFAN_PLACEMENT_H

#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** wsfan_node_ready() returns one of these. */
enum wsfan_readiness {
    WSFAN_READY_NOT_YET = 0, /**< peers are missing, and ready_ms_max has not passed */
    WSFAN_READY_MET = 1,     /**< it has met peers, or there are none that it was told of */
    /** It has waited ready_ms_max; nobody answers whom it was told of. It may be the first, or cut off,
     * or it does not know their keys */
    WSFAN_READY_ALONE = 2
};

/** Whether the node should be given clients: above 0 when it has met its peers, that is, when everyone
 * whom options.peers and DNS named answers (or is this node), and every peer that was found has
 * exchanged its interest with us; or when ready_ms_max has passed. A node that was told of nobody is
 * ready at once. Once it has met a peer it stays ready whatever becomes of its peers, so that a cluster
 * does not fall like dominoes; a drain is the host's own, and does not change it. Waits as statistics
 * do.
 * @return one of wsfan_readiness, or WSFAN_EREFUSED (it has met no peer, and whoever it found refuses
 * it, or does not let its key in: its sessions would hear nobody; not for good), WSFAN_EINVAL, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_node_ready(wsfan_node *node);

/** Takes the node out of service, without a moment in which anybody loses a message:
 *
 *   - at once: wsfan_session_open(), wsfan_session_join() and wsfan_loop_open() return WSFAN_ECLOSED;
 *     the node owns no chat any more, here and, as soon as they hear of it, for its peers.
 *   - 3/4 of it: on_drain names the sessions of each loop a few at a time, evenly over this time: close
 *     them, and their clients come back elsewhere not all at once.
 *   - then, when no session is left, or at 7/8: wsfan_publish(), requests and wsfan_node_reply() return
 *     WSFAN_ECLOSED, and peers no longer wait for this node in joins; what was accepted goes out.
 *   - the end, when every live peer has acknowledged everything and others hold the chats that this
 *     node keeps (history.h), or drain_ms_max has passed: on_drained. Then close the loops and the node, which says goodbye.
 *
 * Returns at once. There is no way back. A second call can only make it end sooner.
 *
 * @param drain_ms_max milliseconds from when the mesh takes this from the publish queue, 0: everything now.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ENOMEM, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_node_drain(wsfan_node *node, uint32_t drain_ms_max);

/** Which node owns a chat. */
typedef struct wsfan_owner {
    size_t struct_size; /**< sizeof(wsfan_owner), set by the caller */
    uint64_t node;      /**< its id; 0: no node is ready */
    int here;           /**< 1: it is this node */
    int up;             /**< 0: nothing is heard of it just now; in doubt, keep your clients */
    char name[WSFAN_NODE_NAME_SIZE]; /**< its name */
    /** Its options.public_address; "" without one */
    char public_address[WSFAN_PUBLIC_ADDRESS_SIZE];
} wsfan_owner;

/** The node that owns a chat: of the nodes that are ready, not draining, not publishers only, and not
 * down, the one that weighted rendezvous hashing of its name and the chat's gives. Nodes that see the
 * same others say the same, without asking anybody. When a node comes or goes, only the chats that it
 * gets or had change their owner; a restart under the same name gets the same chats.
 * A few hundred nanoseconds for each node; allocates nothing, waits as statistics do.
 *
 * @param chat 1..name_bytes_max bytes.
 * @param owner filled.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_node_get_owner(wsfan_node *node, wsfan_bytes chat, wsfan_owner *owner);

/** What on_owner tells: a chat with sessions on this loop has got another owner. */
struct wsfan_moved {
    wsfan_bytes chat;                /**< its name */
    uint64_t node;                   /**< the new owner's id; 0: no node is ready */
    const char *name;                /**< the new owner's */
    const char *public_address;      /**< "" without one */
    int here;                        /**< 1: this node */
    const wsfan_recipient *sessions; /**< this loop's sessions in the chat */
    size_t sessions_count;           /**< at least 1 */
};

#ifdef __cplusplus
}
#endif
#endif
