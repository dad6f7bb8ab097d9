/** @file nats.h
 * A mesh over NATS in place of ZeroMQ: for nodes that cannot dial each other, or whose operators run NATS already. An
 * addition to wsfan.h, and a carrier (carrier.h): same API, same promises.
 *
 * A library of its own, libwsfan-nats, because libnats, which does the work, takes over a part of the process: it
 * ignores SIGPIPE, registers an atexit hook, and has threads of its own (all signals are blocked in them).
 *
 *     wsfan_nats_options how;
 *     wsfan_nats_options_init(&how);
 *     how.urls = "nats://nats-0:4222,nats://nats-1:4222";
 *     wsfan_nats_open(&nats, &how);
 *     options.carrier = wsfan_nats_carrier(nats);
 *     if (wsfan_node_open(&node, &options) != WSFAN_OK)
 *         puts(wsfan_nats_error(nats));
 *
 * @par Subjects
 * PREFIX.CLUSTER.f.FROM.TO for what is for one node, PREFIX.CLUSTER.h.FROM for introductions to all. A node publishes
 * under its own FROM only and subscribes to its own TO and to h.*, so an account can forbid everything else. Whoever may
 * publish under a FROM is that node: permissions of subjects are what keys are over ZeroMQ. CLUSTER is the cluster's
 * name, or "=" and its bytes in hex where that is not of A-Z, a-z, 0-9, "_" and "-".
 *
 * @par The server
 * Its max_payload must be at least that of a frame: options.payload_bytes_max and some 20 KiB, so 1 MiB, the default
 * of both, is too little: WSFAN_ETOOBIG. It cuts off a client that does not read for 64 MiB (max_pending); the mesh repairs what is
 * lost by that.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_NATS_H
#define WSFAN_NATS_H

#include <wsfan/carrier.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wsfan_nats wsfan_nats; /**< A connection to NATS, from wsfan_nats_open(). */

/** How to reach NATS. wsfan_nats_options_init() sets the defaults in brackets. Strings are copied. */
typedef struct wsfan_nats_options {
    size_t struct_size; /**< set by wsfan_nats_options_init(); fields are only ever appended */
    /** As "nats://HOST:PORT" or "tls://HOST:PORT", several with commas between: all servers of a cluster that may be
     * up alone. Not those that servers tell of ["nats://127.0.0.1:4222"] */
    const char *urls;
    const char
        *prefix; /**< PREFIX of subjects, tokens with dots between, at most 64 bytes ["wsfan"] */

    /* Credentials of this node: at most one kind [NULL] */
    const char *user;             /**< with password */
    const char *password;         /**< with user */
    const char *token;            /**< alone */
    const char *credentials_file; /**< a JWT and its seed, as nsc makes it */
    const char *nkey_file;        /**< the seed of an nkey; needs nkey */
    const char *nkey;             /**< the public nkey of that seed, "U..." */

    /* TLS: where a URL says tls://, or one of these is set; libnats before 3.11 does not lock what two of its threads do
     * with a TLS connection, see docs/nats.md [NULL] */
    const char *ca_file;   /**< who may sign the server's certificate [the system's] */
    const char *cert_file; /**< our own certificate; with key_file */
    const char *key_file;  /**< its key */

    /** Each server that is tried may take so long, when the node is opened too; 100..60000 [2000] */
    uint32_t connect_ms_max;
    /** Datagrams that no server has taken yet; over it new ones are dropped, and repaired. At least 1 Mi [64 Mi] */
    uint64_t send_bytes_max;
    /** The same of those that the node has not taken yet [64 Mi] */
    uint64_t receive_bytes_max;
} wsfan_nats_options;

/** Sets every field to its default, in a struct of the size that its program was compiled with.
 *
 * @param options not NULL.
 * @param struct_size sizeof(wsfan_nats_options), which its field struct_size becomes. [any] */
WSFAN_API void wsfan_nats_options_init_sized(wsfan_nats_options *options, size_t struct_size);

/** Sets every field to its default. options must not be NULL. [any] */
static inline void wsfan_nats_options_init(wsfan_nats_options *options) {
    wsfan_nats_options_init_sized(options, sizeof *options);
}

/** Makes the carrier of one node. Nothing is connected before that is opened.
 *
 * @param nats receives it; the caller closes it with wsfan_nats_close() after the node. Untouched on error.
 * @param options may be NULL: the defaults.
 * @return WSFAN_OK, or WSFAN_EINVAL (a NULL, a field out of its range, two ways to say who this is), WSFAN_ENOMEM,
 * WSFAN_ESYSTEM. [any] */
WSFAN_API int wsfan_nats_open(wsfan_nats **nats, const wsfan_nats_options *options);

/** For wsfan_options.carrier. wsfan_node_open() then returns, beside its own errors:
 *   - WSFAN_EKEY: the server does not let this node in, or not with these subjects, or TLS fails;
 *   - WSFAN_ETOOBIG: the server's max_payload is too small;
 *   - WSFAN_EBUSY: another node has the carrier.
 * Where no server answers the node opens all the same, and goes on trying: the endpoint "nats:*" of
 * wsfan_node_get_endpoints() tells how it stands, and events tell each change. */
WSFAN_API const wsfan_carrier *wsfan_nats_carrier(wsfan_nats *nats);

/** The last failure, a line of English, such as "nats://n:4222: Authorization Violation"; "" where nothing did. Valid
 * until the next call with this nats. [any], one thread at a time */
WSFAN_API const char *wsfan_nats_error(wsfan_nats *nats);

#define WSFAN_NATS_SERVER_SIZE 256 /**< Of the URL of a server, with its NUL. */

/** Counters of a connection to NATS. */
typedef struct wsfan_nats_stats {
    size_t struct_size;                  /**< sizeof(wsfan_nats_stats), set by the caller */
    uint32_t connected;                  /**< 1, or 0 */
    uint64_t connects;                   /**< times that it was connected */
    uint64_t failures;                   /**< connections that failed or broke */
    uint64_t sent;                       /**< datagrams, */
    uint64_t sent_bytes;                 /**< and bytes */
    uint64_t send_dropped;               /**< datagrams: no server, or send_bytes_max */
    uint64_t received;                   /**< datagrams, */
    uint64_t received_bytes;             /**< and bytes */
    uint64_t receive_dropped;            /**< datagrams: receive_bytes_max, or in libnats */
    uint64_t send_waiting;               /**< bytes that no server has taken yet */
    uint64_t receive_waiting;            /**< bytes that the node has not taken yet */
    uint64_t payload_max;                /**< of the server, max_payload; 0: not known yet */
    char server[WSFAN_NATS_SERVER_SIZE]; /**< URL of the server, without who this is; "": none */
} wsfan_nats_stats;

/** Fills `stats`.
 * @return WSFAN_OK, or WSFAN_EINVAL (NULL, no struct_size). [any] */
WSFAN_API int wsfan_nats_get_stats(wsfan_nats *nats, wsfan_nats_stats *stats);

/** Frees it. NULL is allowed.
 * @return WSFAN_OK, or WSFAN_EBUSY (its node is open). [owner] */
WSFAN_API int wsfan_nats_close(wsfan_nats *nats);

#ifdef __cplusplus
}
#endif
#endif
