/** @file beacon.h
 * Nodes of one local network find each other by UDP broadcast; an addition to wsfan.h.
 *
 * A library of its own, libwsfan-beacon, because czmq, whose zbeacon does the work, takes over a
 * part of the process:
 *   - it has one context for the whole process, made at the first call and ended by atexit; it
 *     registers a fork hook and seeds random();
 *   - it reads environment variables whose names begin with ZSYS_;
 *   - it aborts the process when memory runs out, or when a broadcast socket fails in a way that it
 *     does not expect;
 *   - it would replace the handlers of SIGINT and SIGTERM, and log to stdout. wsfan_beacon_open()
 *     turns both off, by zsys_handler_set(NULL) and zsys_set_logstream(NULL); a program that uses
 *     czmq itself can choose otherwise after that call.
 *
 * Anyone in the local network can announce anything: a beacon only says where to try. Who may be a
 * peer is decided as for every endpoint. IPv4 only, as zbeacon is.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_BEACON_H
#define WSFAN_BEACON_H

#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wsfan_beacon wsfan_beacon; /**< A beacon, from wsfan_beacon_open(). */

/** How a beacon announces and listens. wsfan_beacon_options_init() sets the defaults in brackets.
 * Strings are copied. */
typedef struct wsfan_beacon_options {
    size_t struct_size; /**< set by wsfan_beacon_options_init(); fields are only ever appended */
    /** Of the network, such as "eth0"; "*": all; at most 15 bytes. The same for all beacons that are
     * open in the process [NULL: the one before, or ZSYS_INTERFACE, or the first that can broadcast] */
    const char *interface;
    uint16_t port;        /**< of UDP, the same on all nodes; at least 1 [5671] */
    uint16_t source;      /**< for wsfan_node_set_peers_from(); 0..7 [7] */
    uint32_t interval_ms; /**< between two beacons of ours, 100..60000 [1000] */
    /** An endpoint that was not announced for so long is no longer named, at least interval_ms [10000] */
    uint32_t expiry_ms;
} wsfan_beacon_options;

/** Sets every field to its default, in a struct of the size that its program was compiled with.
 *
 * @param options not NULL.
 * @param struct_size sizeof(wsfan_beacon_options), which its field struct_size becomes. [any] */
WSFAN_API void wsfan_beacon_options_init_sized(wsfan_beacon_options *options, size_t struct_size);

/** Sets every field to its default. options must not be NULL. [any] */
static inline void wsfan_beacon_options_init(wsfan_beacon_options *options) {
    wsfan_beacon_options_init_sized(options, sizeof *options);
}

/** Announces the node's endpoint, listens for others of its cluster, at most 64, and names their
 * endpoints to the node, in a thread of its own with every signal blocked. Blocks for a moment, until
 * the socket is bound or not.
 *
 * @param beacon receives the beacon; the caller closes it with wsfan_beacon_close() before the node.
 * Untouched on error.
 * @param node with a mesh, and tcp://ADDRESS:PORT as its endpoint: an address, not a name.
 * @param options may be NULL: the defaults.
 * @return WSFAN_OK, or WSFAN_EINVAL (a NULL, a field out of its range, a node without a mesh),
 * WSFAN_EENDPOINT (of the node), WSFAN_EADDR (no such interface, none that can broadcast, or the port
 * cannot be bound), WSFAN_ENOMEM, WSFAN_EFORK. [owner], and no two opens at a time. */
WSFAN_API int wsfan_beacon_open(wsfan_beacon **beacon, wsfan_node *node,
                                const wsfan_beacon_options *options);

/** Stops announcing; what was found is no longer named. Peers that live stay. NULL is allowed.
 * @return WSFAN_OK, or WSFAN_EFORK. [owner] */
WSFAN_API int wsfan_beacon_close(wsfan_beacon *beacon);

/** What a beacon counts. */
typedef struct wsfan_beacon_stats {
    size_t struct_size; /**< sizeof(wsfan_beacon_stats), set by the caller */
    uint64_t endpoints; /**< that are announced now */
    uint64_t heard;     /**< beacons of other nodes of the cluster */
    uint64_t refused;   /**< beacons that are malformed, of another cluster, or over 64 endpoints */
} wsfan_beacon_stats;

/** Fills `stats`.
 * @return WSFAN_OK, or WSFAN_EINVAL (NULL, no struct_size). [any] */
WSFAN_API int wsfan_beacon_get_stats(const wsfan_beacon *beacon, wsfan_beacon_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
