/** @file carrier.h
 * A carrier: what brings datagrams from node to node in place of ZeroMQ; an addition to wsfan.h. libwsfan-nats
 * (nats.h) is one, over NATS; this header is for who writes another.
 *
 * @par Promises
 * The mesh promises over a carrier what it promises over ZeroMQ: it numbers what it sends, asks again for what is
 * missing, and tells what is lost. So a carrier may lose datagrams, bring them twice, and in any order. It must not
 * alter them, nor hand in a part of one, and must not let a node send in the name of another: what a datagram is
 * said to come `from` stands for that node's key.
 *
 * @par Endpoints
 * A node is reached at "SCHEME:NAME", such as "nats:pod-3". NAME, at most 100 of A-Z, a-z, 0-9, "_" and "-", is
 * wsfan_options.endpoint without the scheme, or the node's name, or made up. No two nodes of a cluster may have the
 * same.
 *
 * @par Threads
 * The node calls a carrier from any thread, never from two at a time but for fd(), and in receive() alone the
 * carrier calls the node: a call from elsewhere does nothing, and ends a program with a library that is built without
 * NDEBUG. In such a call the node may call send(), so hold no lock there that send() takes. None of a carrier's
 * functions but open() and close() may wait.
 *
 * @par Size
 * A datagram has up to datagram_bytes_max bytes: 128 KiB and some more, or what payload_bytes_max asks for. All sizes
 * occur, so a wire that takes less needs a carrier that cuts datagrams and joins them again, or else refuses in open()
 * (WSFAN_ETOOBIG): what never gets through is sent again and again, and holds up what follows.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_CARRIER_H
#define WSFAN_CARRIER_H

#include <wsfan/diagnosis.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WSFAN_CARRIED_NAME_MAX 100 /**< Bytes of NAME in "SCHEME:NAME". */
#define WSFAN_CARRIED_SCHEME_MAX                                                                   \
    15 /**< Bytes of SCHEME, which are of a-z and 0-9, a letter first. */

/** The node as a carrier knows it, with the calls to it. Valid until close(). */
typedef struct wsfan_carrier_mesh {
    size_t struct_size;          /**< set by the library; fields are only ever appended */
    void *mesh;                  /**< the first argument of the functions here */
    const char *cluster;         /**< nodes of other clusters need not be reached */
    const char *name;            /**< NAME of this node */
    uint64_t datagram_bytes_max; /**< no datagram is larger; grows with options.payload_bytes_max */

    /** A datagram came. from: NAME of the node that sent it. data is copied. One that is larger than any, or is none,
     * is counted (WSFAN_DROP_MALFORMED) and dropped.
     * @return 1, or 0: this one is taken, the rest is to wait for the next receive(). */
    int (*received)(void *mesh, const char *from, const void *data, size_t size);

    /** The carrier works (WSFAN_ENDPOINT_RESOLVED) or does not, and why: a state that fails. Each RESOLVED says that
     * datagrams before it may be lost, so that peers are asked at once what is missing. Nothing is expected to
     * arrive before the first. */
    void (*stands)(void *mesh, wsfan_endpoint_state state);
} wsfan_carrier_mesh;

/** A carrier, for one node at a time. All functions must be there. */
typedef struct wsfan_carrier {
    size_t struct_size; /**< sizeof(wsfan_carrier), set by the host */
    void *user;         /**< the first argument of the functions here */
    const char *scheme; /**< SCHEME of its endpoints */

    /** A node is opened. May wait for a moment.
     * @return WSFAN_OK, or an error code, which wsfan_node_open() returns; then close() is not called. */
    int (*open)(void *user, const wsfan_carrier_mesh *mesh);

    /** Sends one datagram, the parts one after another, 4 at most, or drops it; parts are borrowed.
     * @param to NAME of a node, or NULL: all nodes of the cluster. A carrier that cannot reach all does nothing
     * then, and peers must be named. */
    void (*send)(void *user, const char *to, const wsfan_bytes *parts, size_t count);

    /** A descriptor that poll() shows as readable while receive() has something to do, which may be called without.
     * The same from open() to close(); below 0: wsfan_node_open() returns WSFAN_ESYSTEM. [any] */
    int (*fd)(void *user);

    /** Tells what has come, and how the carrier stands: at most until mesh->received() returns 0. */
    void (*receive)(void *user);

    /** The node is closed. What was sent may leave for linger_ms more. After it nothing of the mesh is valid. */
    void (*close)(void *user, int linger_ms);
} wsfan_carrier;

#ifdef __cplusplus
}
#endif
#endif
