/** @file error.h
 * The error codes, and the macro before each function; wsfan.h includes this.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_ERROR_H
#define WSFAN_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(WSFAN_STATIC) || !defined(__GNUC__)
#define WSFAN_API /**< An exported function. */
#else
#define WSFAN_API __attribute__((visibility("default")))
#endif

/** What an int of a function says, where it is no success. */
enum wsfan_error {
    WSFAN_OK = 0, /**< no error */
    /** An argument is NULL, out of its range, of another loop, or not for a node with these options, or the
     * struct_size of a struct is not set; of wsfan_options, wsfan_options_check() names the field */
    WSFAN_EINVAL = -1,
    WSFAN_ENOMEM = -2,  /**< out of memory */
    WSFAN_ETOOBIG = -3, /**< a name or payload is larger than its limit */
    WSFAN_ELIMIT = -4,  /**< a count has reached its limit */
    /** Not just now: the queue is full and nothing was queued, or a position cannot be told. Try again later */
    WSFAN_EAGAIN = -5,
    WSFAN_ESTALE = -6, /**< the session is closed */
    WSFAN_EEXIST = -7, /**< the session is in this chat already */
    WSFAN_ENOENT = -8, /**< the session is not in this chat, or joined it without presence */
    /** An endpoint is not of the form tcp://HOST:PORT or ipc://PATH ('*' only where a node listens, dns://
     * only among peers; for a beacon: tcp://ADDRESS:PORT; over a carrier: SCHEME:NAME) */
    WSFAN_EENDPOINT = -9,
    WSFAN_EADDRINUSE = -10, /**< the mesh endpoint is in use by another socket */
    /** It cannot be bound on this machine: no such address, interface (a DNS name is none) or path, or
     * not permitted; or no address of it is of use to peers, see advertise */
    WSFAN_EADDR = -11,
    WSFAN_ESYSTEM = -12,  /**< the system refused a thread, a descriptor or a socket; see errno */
    WSFAN_EBUSY = -13,    /**< the node has open loops, or the allocator is another */
    WSFAN_ECLOSED = -14,  /**< the node drains or closes, or the outbound queue was full */
    WSFAN_EFORK = -15,    /**< the node was opened before fork(); it is unusable in the child */
    WSFAN_EPARTIAL = -16, /**< some nodes have not done it, or not in time: see missing */
    WSFAN_ESILENT = -17,  /**< the node did not answer in time, or is gone */
    WSFAN_ENOTSUP = -18,  /**< the node does not know how to do this */
    /** A mesh without keys may be bound to loopback only; see key_file and allow_insecure */
    WSFAN_EINSECURE = -19,
    /** A key, certificate or history_key is missing or not valid, or its file cannot be read, see errno; wsfan-keygen makes
     * keys of the mesh. Where wsfan_options_check() finds nothing, it is that of key_file or allow_path */
    WSFAN_EKEY = -20,
    WSFAN_EREFUSED = -21 /**< every node that was found refuses this one; on_peer tells why */
};

/** The text of an error code or a status, a constant phrase; "unknown error" for any other. [any] */
WSFAN_API const char *wsfan_error_text(int error);

#ifdef __cplusplus
}
#endif
#endif
