/** @file options.h
 * The options of a node; wsfan.h includes this.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_OPTIONS_H
#define WSFAN_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <wsfan/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Nodes that a node may have as peers. */
#define WSFAN_PEERS_MAX 255

/** Keys that may be peers, of options.allow and options.allow_path together, our own among them. */
#define WSFAN_KEYS_MAX 256

#define WSFAN_NODE_NAME_SIZE 65       /**< Of a node's name: 64 bytes and a NUL. */
#define WSFAN_ENDPOINT_SIZE 129       /**< Of an endpoint: 128 bytes and a NUL. */
#define WSFAN_PUBLIC_ADDRESS_SIZE 256 /**< Of a public_address: 255 bytes and a NUL. */

/** What to do with a peer whose queue is full. */
typedef enum wsfan_slow_peer {
    WSFAN_SLOW_DROP = 0, /**< the oldest messages go, and the peer is told how many */
    /** The link is given up, which frees its memory at once, with WSFAN_PEER_DOWN and WSFAN_REASON_SLOW;
     * a new one begins when the peer answers again, and there on_gap tells what is missing */
    WSFAN_SLOW_CUT = 1
} wsfan_slow_peer;

/** Where memory comes from, in place of malloc(), realloc() and free(). The same rules: aligned for any
 * object, realloc() of NULL allocates, free() of NULL is allowed, NULL says that there is none. Called
 * from any thread, the library's own too, and from several at a time. */
typedef struct wsfan_allocator {
    void *user;                                              /**< passed to each function */
    void *(*alloc)(void *user, size_t size);                 /**< as malloc() */
    void *(*realloc)(void *user, void *memory, size_t size); /**< as realloc() */
    void (*free)(void *user, void *memory);                  /**< as free() */
} wsfan_allocator;

/** How a node is opened. Sizes are in bytes, times in milliseconds. wsfan_options_init() sets the defaults
 * in brackets. Strings need to live only until wsfan_node_open() returns.
 *
 * All endpoints: "tcp://HOST:PORT" or "ipc://PATH", at most 128 bytes, PATH 107, of UTF-8 without control
 * characters. Two nodes meet only if each of them can reach what the other advertises. Nodes tell each
 * other addresses, never names, and take nothing else: a name is resolved by the node whose host gives it.
 *
 * Security of the mesh: CURVE (ZeroMQ RFC 26) on every connection, if there is a key of our own. Both ends
 * must know each other's key, or nothing passes. Keys are Z85 text of 40 characters; certificates are files
 * as wsfan-keygen and czmq's zcert write them. */
typedef struct wsfan_options {
    size_t struct_size; /**< set by wsfan_options_init(); fields are only ever appended */

    /* Identity */
    /** Nodes of another cluster are refused; 1..32 bytes of UTF-8, no character of which controls a
     * terminal, ends a line, or turns the direction of text ["wsfan"] */
    const char *cluster;
    /** 1..64 bytes, as for cluster; unique in the cluster, the same after a restart [NULL: "node-" and
     * the node id in hex] */
    const char *name;

    /* Mesh */
    /** Where this node listens. HOST: an address or the name of an interface of this machine (its first
     * IPv4 address, or else a global one of IPv6), not a DNS name; "localhost" is 127.0.0.1; "*": all
     * addresses of both families. PORT "*": any free one. [NULL: local only, no socket is opened] */
    const char *endpoint;
    /** Where peers reach it, HOST and PORT as they must dial: needed where that is not what is bound, as
     * behind NAT or a mapped port. HOST: an address, not a name, nor one that stands for all or many
     * [NULL: the bound endpoint; for "*" and "[::]" the first IPv4 address of an interface that is up
     * and not loopback, or else a global one of IPv6; 127.0.0.1 on a machine with loopback alone. Where
     * none of these is of use to a peer: WSFAN_EADDR] */
    const char *advertise;
    /** Endpoints to introduce ourselves to; one live one is enough; our own may be among them. HOST: an
     * address, or a name, for which every address counts that DNS or /etc/hosts has (A and AAAA, at
     * most 256), asked again every dns_interval_ms. "dns://HOST:PORT" is the same [NULL] */
    const char *const *peers;
    /** 0..peers_count_max; above 0 needs an endpoint, and RLIMIT_NOFILE four descriptors for each: else WSFAN_ESYSTEM
     * with errno EMFILE. Raise that (LimitNOFILE=, ulimit -n) for peers that peers tell of, too [0] */
    size_t peers_count;

    /* Messages */
    uint32_t headroom_bytes;    /**< writable bytes before each payload, 0..4096 [0] */
    uint32_t payload_bytes_max; /**< 1..64 Mi [1 Mi] */
    uint32_t name_bytes_max;    /**< of a chat or user name, 1..65535 [256] */
    uint32_t targets_count_max; /**< of one publish, those of WSFAN_NOT_ too, 1..1024 [64] */

    /* Counts */
    uint32_t loops_count_max;             /**< 1..64 [16] */
    uint32_t peers_count_max;             /**< 1..WSFAN_PEERS_MAX [255] */
    uint32_t sessions_count_max;          /**< of one loop, 1..16777215 [1048576] */
    uint32_t chats_count_max;             /**< of one loop, users too, 1..16777215 [2097152] */
    uint32_t chats_per_session_count_max; /**< 1..65535 [1024] */
    /** Chats and users that peers have sessions in, all together, 1..268435456 [16777216]; a peer that
     * announces more is sent every message */
    uint32_t remote_chats_count_max;

    /* Queues: the first limit that is reached counts. Each at least 1, where nothing else is said. */
    uint32_t publish_queue_count_max; /**< publishes that the mesh thread has not taken [65536] */
    uint64_t publish_queue_bytes_max; /**< [64 Mi]; over it: WSFAN_EAGAIN */
    uint32_t inbox_count_max;         /**< messages that a loop has not dispatched [65536] */
    uint64_t inbox_bytes_max;         /**< [64 Mi]; over it: dropped for this loop, on_gap */
    uint64_t link_window_bytes; /**< sent to a peer and not acknowledged, at least 64 Ki [4 Mi] */
    uint32_t link_queue_count_max; /**< messages that wait for room in the window [65536] */
    /** [16 Mi]; over it: see slow_peer. As much again for requests and replies, which say WSFAN_ELIMIT
     * over it */
    uint64_t link_queue_bytes_max;
    wsfan_slow_peer slow_peer;  /**< [WSFAN_SLOW_DROP] */
    uint32_t results_count_max; /**< on_result calls that a loop waits for, at least 1 [4096] */
    /** Changes of interest kept for slow peers, a power of two in 64..16777216 [65536]; over it: a new
     * snapshot */
    uint32_t interest_log_count_max;

    /* Times: heartbeat_ms < silent_ms < down_ms < forget_ms, or WSFAN_EINVAL. Joins, results and requests
     * have theirs from when the mesh takes them from the publish queue */
    uint32_t heartbeat_ms; /**< at least 10 [1000] */
    uint32_t silent_ms;    /**< nothing heard: WSFAN_PEER_SILENT [3000] */
    /** Nothing heard: WSFAN_PEER_DOWN, joins do not wait for it; within a second of its end where the
     * address of a killed process refuses connections, as on a host that lives (WSFAN_REASON_ENDED). An
     * endpoint that leads to no peer is dialled again at least so often [10000] */
    uint32_t down_ms;
    uint32_t forget_ms;     /**< nothing heard: its state and queue are released [120000] */
    uint32_t join_ms_max;   /**< a join completes as partial after this, at least 1 [5000] */
    uint32_t result_ms_max; /**< on_result comes after this at the latest, at least 1 [5000] */
    uint32_t close_ms_max;  /**< wsfan_node_close() delivers what was accepted, so long [1000] */

    /** Between questions for a name; sooner, from 250 ms on, until the first answer with an address.
     * 100..3600000 [5000] */
    uint32_t dns_interval_ms;

    /* Placement and readiness, see wsfan_node_get_owner() and wsfan_node_ready() */
    /** Where clients reach this node, in whatever form the host gives to them; 1..255 bytes of visible
     * ASCII (0x21..0x7E), so that it may stand in a header as it is. A peer's that is not is taken for
     * "" [NULL: none] */
    const char *public_address;
    /** Its share of the chats against that of the others, 0..1000; 0: it owns none [100] */
    uint32_t placement_weight;
    /** 1: no sessions may be opened. Such a node is never an owner and is sent no messages [0] */
    uint32_t publisher_only;
    uint32_t ready_ms_max; /**< a node waits so long for peers that do not answer [5000] */

    /* Requests */
    /** on_reply calls that a loop waits for; requests that this node is at, its own and those of peers,
     * of which one peer alone leaves a fifth to the others. 1..65536 [1024] */
    uint32_t requests_count_max;
    /** on_reply comes after this at the latest, at least 1; longer than join_ms_max, or a join that is
     * partial looks like silence [6000] */
    uint32_t request_ms_max;

    /* Presence */
    /** Of one join here, 0..4096 [256]; of a peer's up to 4096 are taken */
    uint32_t presence_metadata_bytes_max;
    /** A chat with more members is large: on_presence tells only their number, until they are half as
     * many. 1..16777216 [1000] */
    uint32_t presence_members_count_max;
    /** Rows that peers announce, all together (a row is a user in a chat on one node), 1..268435456
     * [4194304]; one peer alone leaves a fifth to the others. A peer that has more is named as missing
     * from counts */
    uint32_t presence_remote_count_max;
    /** So long a member without a session stays a member, 0..600000 [5000] */
    uint32_t presence_grace_ms;

    /* Security of the mesh */
    const char *secret_key; /**< of this node [NULL: that of key_file; neither: plain text] */
    /** Certificate with it: key_file + "_secret", or else key_file. Read when the node opens; not both
     * with secret_key [NULL] */
    const char *key_file;
    /** Public keys of nodes that may be peers; our own always is, so that nodes that share a key need
     * nothing here [NULL] */
    const char *const *allow;
    size_t allow_count; /**< 0..WSFAN_KEYS_MAX; above 0 needs a key of our own [0] */
    /** A certificate, or a directory of them (names that begin with "." or end with "_secret" are passed
     * over): as many more; needs a key of our own [NULL] */
    const char *allow_path;
    /** 1: plain text may be bound to more than loopback (127.0.0.0/8, ::1, lo, ipc). 0: that is
     * WSFAN_EINSECURE [0] */
    uint32_t allow_insecure;

    /* Memory */
    /** Copied; of the library's own memory, not that of libzmq, libsodium and c-ares. One for the whole
     * process: the first node or outbound queue settles it for good, and another one is WSFAN_EBUSY
     * [NULL: the one in use, or malloc()] */
    const wsfan_allocator *allocator;

    /* History, see wsfan/history.h. Every node keeps messages of the chats that its own sessions joined with
     * WSFAN_HISTORY, in memory, within what follows; a limit that is reached costs the oldest. */
    /** Messages are kept so long, and so long the chat itself after its last session that joined with WSFAN_HISTORY.
     * 0..3600000; 0: none are, and this node tells no position and replays nothing. Set it on all nodes: those that
     * have it go on beside one that has not, but whoever comes back to that one gets nothing [0] */
    uint32_t history_ms;
    uint32_t history_count_max;      /**< messages of one chat, 1..65536 [256] */
    uint32_t history_chat_bytes_max; /**< of one chat, 1 Ki..1 Mi [64 Ki] */
    uint64_t history_bytes_max;      /**< of all chats, at least 1 Mi [64 Mi] */
    /** Nodes without a session in a chat that keep it too, lest its messages go with the only node that has one.
     * 0..3 [1] */
    uint32_t history_copies;
    /** What becomes of a position is told this long after the join's barrier at the latest, which takes join_ms_max at most,
     * and as long again behind another join. At least 1; with history_ms at most join_ms_max. Longer than silent_ms, or a
     * node that has stopped costs the positions of all [4000] */
    uint32_t recover_ms_max;
    /** 16..64 bytes, a secret, the same on all nodes: clients bring back positions that are sealed with it. Any text that
     * nobody can guess, as of `openssl rand -base64 32`; wsfan-keygen makes none. Nodes do not compare theirs. With
     * history_ms it must be given: WSFAN_EKEY. loops_count_max is at most 63 then [NULL] */
    const char *history_key;
    /** Sessions that came back with a position, or want the last messages, and are not told yet: some 6 KiB each. Further ones
     * are told WSFAN_RECOVERY_BUSY. At least 1 [16 Ki] */
    uint32_t recoveries_count_max;

    /* Another wire than ZeroMQ */
    /** Brings frames from node to node in place of ZeroMQ, see carrier.h; copied but for its user, which lives
     * until the node is closed. Endpoints are "SCHEME:NAME" then, and ours may be NULL: NAME is `name`, or made
     * up without one. Peers need no naming where the carrier reaches all nodes. advertise, and what is said of
     * keys, must be NULL: the carrier knows who sends [NULL: ZeroMQ] */
    const struct wsfan_carrier *carrier;

    /* Many nodes, see docs/scale.md */
    /** Of windows and queues to all peers together, and of what came early from them, at least 1 Mi. Half of it is divided by the
     * number of peers, for each of them; the other half is for those that need more. Over it as over link_window_bytes and
     * link_queue_bytes_max [1.5 Gi] */
    uint64_t links_bytes_max;
    /** A join waits so long for a peer that is WSFAN_PEER_SILENT, and names it as missing then; join_ms_max where that is
     * shorter; 0: join_ms_max [0] */
    uint32_t join_silent_ms;
} wsfan_options;

/** Sets every field to its default, in a struct of the size that its program was compiled with.
 *
 * @param options not NULL.
 * @param struct_size sizeof(wsfan_options), which its field struct_size becomes. [any] */
WSFAN_API void wsfan_options_init_sized(wsfan_options *options, size_t struct_size);

/** Sets every field to its default. options must not be NULL. [any] */
static inline void wsfan_options_init(wsfan_options *options) {
    wsfan_options_init_sized(options, sizeof *options);
}

#ifdef __cplusplus
}
#endif

#endif
