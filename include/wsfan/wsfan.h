/* wsfan.h - a cluster-aware session registry for C WebSocket servers
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * CONCEPTS
 *   node      one process that links this library (a replica of your server).
 *   peer      another node, seen from this one.
 *   link      the two numbered, acknowledged streams between a node and one peer.
 *   loop      one event-loop thread of the host; it owns sessions and runs their callbacks.
 *   session   one WebSocket connection, owned by the loop that opened it.
 *   user      a name that a session carries; many sessions may carry the same.
 *   chat      a name that sessions join; a broadcast to it reaches every member on every node.
 *   message   an immutable, reference-counted payload on its way to sessions.
 *   target    whom a message or a request is for, or whom it leaves out.
 *   request   what is asked of other nodes: a command, a list, a message of the host; each has a reply.
 *   interest  what a node tells its peers: "I have a session in this chat, or of this user".
 *   owner     of a chat: the one node that placement gives it to. Whether anybody cares is up to the
 *             host: messages reach members wherever they are.
 *   presence  who is in a chat, on all nodes, for sessions that joined with WSFAN_PRESENCE.
 *   member    a user with a session in a chat, wherever its sessions are.
 *
 * THREADS
 *   Every function is tagged. [any]: any thread, at any time while the object lives. [loop]: only
 *   the thread that dispatches that wsfan_loop. [owner]: one thread, with no other call on the
 *   object at the same time. Callbacks run only inside wsfan_loop_dispatch(), on its thread, and
 *   may call every [any] function, and every [loop] function of their own loop except
 *   wsfan_loop_dispatch() and wsfan_loop_close(). No function blocks unless its comment says so. A
 *   thread that publishes or asks while the mesh thread sleeps sends by itself: some microseconds, with
 *   signals blocked and not cancelled; it waits for no lock that is held meanwhile.
 *
 * MEMORY
 *   Every string and buffer that is passed in is copied before the call returns. Everything passed
 *   to a callback is valid until that callback returns, whatever it calls meanwhile; a message can be kept
 *   with wsfan_message_ref(). Each queue and table is bounded by a field of wsfan_options.
 *
 * ERRORS
 *   A function that returns int returns WSFAN_OK (0) or one of the negative codes below. A call
 *   that fails has changed nothing.
 *
 * CAVEATS
 *   - One mesh thread per node reads all sockets. It runs with every signal blocked. A node without a
 *     mesh has no thread until there is something to wait for: a result, or a drain. The library
 *     installs no signal handler, reads no environment variable, prints nothing, and registers no
 *     atexit or fork hook. One exception: from the first endpoint with a name on that the host names
 *     (options.peers, wsfan_node_set_peers()), a second thread, with every signal blocked too, asks
 *     the name servers of /etc/resolv.conf, and the resolver (c-ares) reads LOCALDOMAIN and
 *     RES_OPTIONS, as libc's does, in that call and when resolv.conf has changed.
 *   - A node does not survive fork(): in the child every call that takes a node or a loop returns
 *     WSFAN_EFORK, and nothing is released.
 *   - Without a key (options.secret_key, options.key_file) the mesh carries plain text, and is bound
 *     to loopback only unless you insist (options.allow_insecure).
 */
#ifndef WSFAN_H
#define WSFAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(WSFAN_STATIC) || !defined(__GNUC__)
#define WSFAN_API
#else
#define WSFAN_API __attribute__((visibility("default")))
#endif

#define WSFAN_VERSION_MAJOR 0
#define WSFAN_VERSION_MINOR 1
#define WSFAN_VERSION_PATCH 0

/* ------------------------------------------------------------------------------------- errors */

/* name, value, text */
#define WSFAN_ERROR_LIST(X)                                                                        \
    X(WSFAN_OK, 0, "no error")                                                                     \
    X(WSFAN_EINVAL, -1,                                                                            \
      "an argument is NULL, out of its range, of another loop, or not for a node with these "      \
      "options")                                                                                   \
    X(WSFAN_ENOMEM, -2, "out of memory")                                                           \
    X(WSFAN_ETOOBIG, -3, "a name or payload is larger than its limit")                             \
    X(WSFAN_ELIMIT, -4, "a count has reached its limit")                                           \
    X(WSFAN_EAGAIN, -5, "the queue is full: nothing was queued; try again later")                  \
    X(WSFAN_ESTALE, -6, "the session is closed")                                                   \
    X(WSFAN_EEXIST, -7, "the session is in this chat already")                                     \
    X(WSFAN_ENOENT, -8, "the session is not in this chat, or joined it without presence")          \
    X(WSFAN_EENDPOINT, -9,                                                                         \
      "an endpoint is not of the form tcp://HOST:PORT or ipc://PATH ('*' only where a node "       \
      "listens, dns:// only among peers; for a beacon: tcp://ADDRESS:PORT)")                       \
    X(WSFAN_EADDRINUSE, -10, "the mesh endpoint is in use by another socket")                      \
    X(WSFAN_EADDR, -11,                                                                            \
      "it cannot be bound on this machine: no such address, interface (a DNS name is none) or "    \
      "path, or not permitted; or no address of it is of use to peers, see advertise")             \
    X(WSFAN_ESYSTEM, -12, "the system refused a thread, a descriptor or a socket; see errno")      \
    X(WSFAN_EBUSY, -13, "the node has open loops, or the allocator is another")                    \
    X(WSFAN_ECLOSED, -14, "the node drains or closes, or the outbound queue was full")             \
    X(WSFAN_EFORK, -15, "the node was opened before fork(); it is unusable in the child")          \
    X(WSFAN_EPARTIAL, -16, "some live peers did not acknowledge, or not in time")                  \
    X(WSFAN_ESILENT, -17, "the node did not answer in time, or is gone")                           \
    X(WSFAN_ENOTSUP, -18, "the node does not know how to do this")                                 \
    X(WSFAN_EINSECURE, -19,                                                                        \
      "a mesh without keys may be bound to loopback only; see key_file and allow_insecure")        \
    X(WSFAN_EKEY, -20,                                                                             \
      "a key or certificate is not valid, or its file cannot be read, see errno; wsfan-keygen "    \
      "makes one")                                                                                 \
    X(WSFAN_EREFUSED, -21, "every node that was found refuses this one; on_peer tells why")

#define WSFAN_ERROR_ENUM(name, value, text) name = (value),
enum { WSFAN_ERROR_LIST(WSFAN_ERROR_ENUM) WSFAN_ERROR_END_ = 1 };
#undef WSFAN_ERROR_ENUM

/* The text of an error code: a constant phrase; "unknown error" for any other number. [any] */
WSFAN_API const char *wsfan_error_text(int error);

/* The version of the library that is linked, such as "0.1.0". [any] */
WSFAN_API const char *wsfan_version(void);

/* -------------------------------------------------------------------------------------- types */

typedef struct wsfan_node wsfan_node;
typedef struct wsfan_loop wsfan_loop;
typedef struct wsfan_message wsfan_message;

/* Bytes that someone else owns. data may be NULL when size is 0. */
typedef struct {
    const void *data;
    size_t size;
} wsfan_bytes;

/* A NUL-terminated string as bytes, without the NUL. text must not be NULL. [any] */
static inline wsfan_bytes wsfan_string(const char *text) {
    wsfan_bytes bytes;
    bytes.data = text;
    bytes.size = strlen(text);
    return bytes;
}

/* A session by value. A handle of a closed session is never valid again (until its slot has been
 * reused 2^32 times); using it returns WSFAN_ESTALE, and with another loop than its own WSFAN_EINVAL.
 * {0} is never a session. */
typedef struct {
    uint64_t id;
} wsfan_session;

/* A session anywhere in the cluster. {0, 0} is no session. */
typedef struct {
    uint64_t node; /* wsfan_node_id() of the node that has it */
    uint64_t session;
} wsfan_address;

#define WSFAN_ADDRESS_TEXT_SIZE 34

/* Writes an address as text, "NODE-SESSION" with 16 hexadecimal digits each, or "NODE" where session
 * is 0. Returns `text`, which is not NULL; it ends with a NUL. [any] */
WSFAN_API char *wsfan_address_text(wsfan_address address, char text[WSFAN_ADDRESS_TEXT_SIZE]);

/* Reads what wsfan_address_text() wrote, and nothing else. It does not tell whether there is such a
 * session. Errors: WSFAN_EINVAL; address is then untouched. [any] */
WSFAN_API int wsfan_address_parse(wsfan_address *address, wsfan_bytes text);

/* Unique in the cluster. Messages of one origin have strictly rising clocks; sorted by (clock,
 * origin), messages stand in the same order for every reader. The clock is a hybrid logical clock
 * (Kulkarni et al., "Logical Physical Clocks", 2014): 48 bits of milliseconds since 1970, then a
 * 16-bit counter. */
typedef struct {
    uint64_t clock;
    uint64_t origin; /* node id of the publisher */
} wsfan_message_id;

/* Whom a message is for: the sessions that any of its targets names and none of the WSFAN_NOT_
 * kind does, each once, whatever the order of the targets. */
typedef enum {
    WSFAN_CHAT = 1,    /* every member of the chat `name` */
    WSFAN_USER = 2,    /* every session of the user `name` */
    WSFAN_ALL = 3,     /* every session in the cluster; `name` is empty */
    WSFAN_SESSION = 4, /* one session; `name` is its address, written by wsfan_address_text() */
    WSFAN_NODE = 5,    /* every session of one node; `name` is its address, session 0, written so */
    WSFAN_NOT_CHAT = 17,
    WSFAN_NOT_USER = 18,
    WSFAN_NOT_SESSION = 20,
    WSFAN_NOT_NODE = 21
} wsfan_target_kind;

typedef struct {
    wsfan_target_kind kind;
    wsfan_bytes name;
} wsfan_target;

/* One recipient of a message on this loop. */
typedef struct {
    wsfan_session session;
    void *session_user; /* as given to wsfan_session_open() */
} wsfan_recipient;

/* ------------------------------------------------------------------------------------ options */

/* What to do with a peer whose queue is full. */
typedef enum {
    WSFAN_SLOW_DROP = 0, /* the oldest messages go, and the peer is told how many */
    WSFAN_SLOW_CUT = 1   /* the link is given up, which frees its memory at once, with
                            WSFAN_PEER_DOWN and WSFAN_REASON_SLOW; a new one begins when the peer
                            answers again, and there on_gap tells what is missing */
} wsfan_slow_peer;

/* Where memory comes from, in place of malloc(), realloc() and free(). The same rules: aligned for any
 * object, realloc() of NULL allocates, free() of NULL is allowed, NULL says that there is none. Called
 * from any thread, the library's own too, and from several at a time. */
typedef struct wsfan_allocator {
    void *user;
    void *(*alloc)(void *user, size_t size);
    void *(*realloc)(void *user, void *memory, size_t size);
    void (*free)(void *user, void *memory);
} wsfan_allocator;

/* Sizes are in bytes, times in milliseconds. wsfan_options_init() sets the defaults in brackets.
 * Strings need to live only until wsfan_node_open() returns. */
typedef struct wsfan_options {
    size_t struct_size; /* set by wsfan_options_init(); fields are only ever appended */

    /* Identity */
    const char *cluster; /* nodes of another cluster are refused; 1..32 bytes of UTF-8, none of them
                            a control character ["wsfan"] */
    const char *name;    /* 1..64 bytes, as for cluster; unique in the cluster, the same after a
                            restart [NULL: "node-" and the node id in hex] */

    /* Mesh. All endpoints: "tcp://HOST:PORT" or "ipc://PATH", at most 128 bytes, PATH 107, of UTF-8
     * without control characters. Two nodes meet only if each of them can reach what the other
     * advertises. Nodes tell each other addresses, never names, and take nothing else: a name is
     * resolved by the node whose host gives it. */
    const char *endpoint;     /* where this node listens. HOST: an address or the name of an
                                 interface of this machine (its first IPv4 address, or else a
                                 global one of IPv6), not a DNS name; "localhost" is 127.0.0.1; "*": all
                                 addresses of both families. PORT "*": any free one. [NULL: local
                                 only, no socket is opened] */
    const char *advertise;    /* where peers reach it, HOST and PORT as they must dial: needed where
                                  that is not what is bound, as behind NAT or a mapped port. HOST: an
                                  address, not a name, nor one that stands for all or many [NULL: the
                                  bound endpoint; for "*" and "[::]" the first IPv4 address of an
                                  interface that is up and not loopback, or else a global one of IPv6;
                                  127.0.0.1 on a machine with loopback alone. Where none of these is
                                  of use to a peer: WSFAN_EADDR] */
    const char *const *peers; /* endpoints to introduce ourselves to; one live one is enough; our
                                  own may be among them. HOST: an address, or a name, for which
                                  every address counts that DNS or /etc/hosts has (A and AAAA, at
                                  most 256), asked again every dns_interval_ms. "dns://HOST:PORT" is
                                  the same [NULL] */
    size_t peers_count;       /* 0..peers_count_max [0] */

    /* Messages */
    uint32_t headroom_bytes;    /* writable bytes before each payload, 0..4096 [0] */
    uint32_t payload_bytes_max; /* 1..64 Mi [1 Mi] */
    uint32_t name_bytes_max;    /* of a chat or user name, 1..65535 [256] */
    uint32_t targets_count_max; /* of one publish, those of WSFAN_NOT_ too, 1..1024 [64] */

    /* Counts */
    uint32_t loops_count_max;             /* 1..64 [16] */
    uint32_t peers_count_max;             /* 1..64 [64] */
    uint32_t sessions_count_max;          /* of one loop, 1..16777215 [1048576] */
    uint32_t chats_count_max;             /* of one loop, users too, 1..16777215 [2097152] */
    uint32_t chats_per_session_count_max; /* 1..65535 [1024] */
    uint32_t remote_chats_count_max;      /* chats and users that peers have sessions in, all
                                             together, 1..268435456 [16777216]; a peer that
                                             announces more is sent every message */

    /* Queues: the first limit that is reached counts. */
    uint32_t publish_queue_count_max; /* publishes that the mesh thread has not taken [65536] */
    uint64_t publish_queue_bytes_max; /* [64 Mi]; over it: WSFAN_EAGAIN */
    uint32_t inbox_count_max;         /* messages that a loop has not dispatched [65536] */
    uint64_t inbox_bytes_max;         /* [64 Mi]; over it: dropped for this loop, on_gap */
    uint64_t link_window_bytes;       /* sent to a peer and not acknowledged, 64 Ki.. [4 Mi] */
    uint32_t link_queue_count_max;    /* messages that wait for room in the window [65536] */
    uint64_t link_queue_bytes_max;    /* [16 Mi]; over it: see slow_peer. As much again for requests
                                         and replies, which say WSFAN_ELIMIT over it */
    wsfan_slow_peer slow_peer;        /* [WSFAN_SLOW_DROP] */
    uint32_t results_count_max;       /* on_result calls that a loop waits for, 1.. [4096] */
    uint32_t interest_log_count_max;  /* changes of interest kept for slow peers, a power of two in
                                        64..16777216 [65536]; over it: a new snapshot */

    /* Times: heartbeat < silent < down < forget */
    uint32_t heartbeat_ms;  /* 10.. [1000] */
    uint32_t silent_ms;     /* nothing heard: WSFAN_PEER_SILENT [3000] */
    uint32_t down_ms;       /* nothing heard: WSFAN_PEER_DOWN, joins do not wait for it; within a
                                second of its end where the address of a killed process refuses
                                connections, as on a host that lives (WSFAN_REASON_ENDED). An endpoint
                                that leads to no peer is dialled again at least so often [10000] */
    uint32_t forget_ms;     /* nothing heard: its state and queue are released [120000] */
    uint32_t join_ms_max;   /* a join completes as partial after this, 1.. [5000] */
    uint32_t result_ms_max; /* on_result comes after this at the latest, 1.. [5000] */
    uint32_t close_ms_max;  /* wsfan_node_close() delivers what was accepted, so long [1000] */

    uint32_t dns_interval_ms; /* between questions for a name; sooner, from 250 ms on, until
                                 the first answer with an address. 100..3600000 [5000] */

    /* Placement and readiness, see wsfan_node_owner() and wsfan_node_ready() */
    const char *public_address; /* where clients reach this node, in whatever form the host gives to
                                   them; 1..255 bytes of visible ASCII (0x21..0x7E), so that it may
                                   stand in a header as it is. A peer's that is not is taken for ""
                                   [NULL: none] */
    uint32_t placement_weight;  /* its share of the chats against that of the others, 0..1000; 0: it
                                   owns none [100] */
    uint32_t publisher_only; /* 1: no sessions may be opened. Such a node is never an owner and is
                                   sent no messages [0] */
    uint32_t ready_ms_max;   /* a node waits so long for peers that do not answer [5000] */

    /* Requests */
    uint32_t requests_count_max; /* on_reply calls that a loop waits for; requests that this node is
                                    at, its own and those of peers, of which one peer alone leaves a
                                    fifth to the others. 1..65536 [1024] */
    uint32_t request_ms_max;     /* on_reply comes after this at the latest, 1..; longer than
                                join_ms_max, or a join that is partial looks like silence [6000] */

    /* Presence */
    uint32_t presence_metadata_bytes_max; /* of one join here, 0..4096 [256]; of a peer's up to 4096
                                             are taken */
    uint32_t presence_members_count_max;  /* a chat with more members is large: on_presence tells
                                             only their number, until they are half as many.
                                             1..16777216 [1000] */
    uint32_t presence_remote_count_max;   /* rows that peers announce, all together (a row is a user
                                             in a chat on one node), 1..268435456 [4194304]; one
                                             peer alone leaves a fifth to the others. A peer that
                                             has more is named as missing from counts */
    uint32_t presence_grace_ms;           /* so long a member without a session stays a member,
                                             0..600000 [5000] */

    /* Security of the mesh: CURVE (ZeroMQ RFC 26) on every connection, if there is a key of our own.
     * Both ends must know each other's key, or nothing passes. Keys are Z85 text of 40 characters;
     * certificates are files as wsfan-keygen and czmq's zcert write them. */
    const char *secret_key; /* of this node [NULL: that of key_file; neither: plain text] */
    const char *key_file; /* certificate with it: key_file + "_secret", or else key_file. Read when
                               the node opens; not both with secret_key [NULL] */
    const char *const *allow; /* public keys of nodes that may be peers; our own always is, so that
                                 nodes that share a key need nothing here [NULL] */
    size_t allow_count;       /* 0..WSFAN_KEYS_MAX [0] */
    const char *allow_path;   /* a certificate, or a directory of them (names that begin with "." or
                               end with "_secret" are passed over): as many more [NULL] */
    uint32_t allow_insecure;  /* 1: plain text may be bound to more than loopback (127.0.0.0/8, ::1,
                                lo, ipc). 0: that is WSFAN_EINSECURE [0] */

    /* Memory */
    const wsfan_allocator *allocator; /* copied; of the library's own memory, not that of libzmq,
                                         libsodium and c-ares. One for the whole process: the first
                                         node or outbound queue settles it for good, and another one
                                         is WSFAN_EBUSY [NULL: the one in use, or malloc()] */
} wsfan_options;

/* Keys that may be peers, of options.allow and options.allow_path together, our own among them. */
#define WSFAN_KEYS_MAX 256

/* Sets every field to its default. options must not be NULL. [any] */
WSFAN_API void wsfan_options_init(wsfan_options *options);

/* --------------------------------------------------------------------------------------- node */

/* Opens a node: binds options->endpoint (unless NULL), starts the mesh thread, begins to connect.
 *
 * node     receives the node; the caller closes it with wsfan_node_close(). Untouched on error.
 * options  not NULL.
 * Errors: WSFAN_EINVAL (a field out of its range), WSFAN_ETOOBIG (cluster or name too long),
 * WSFAN_EENDPOINT, WSFAN_EADDRINUSE, WSFAN_EADDR, WSFAN_EINSECURE, WSFAN_EKEY, WSFAN_ELIMIT (more
 * than WSFAN_KEYS_MAX), WSFAN_EBUSY (another allocator is in use), WSFAN_ESYSTEM, WSFAN_ENOMEM. A peer
 * that cannot be reached is no error: it is tried again until it can. [any] */
WSFAN_API int wsfan_node_open(wsfan_node **node, const wsfan_options *options);

/* Says goodbye to the peers and releases the node. Waits until everything that was accepted is
 * acknowledged by every live peer, at most close_ms_max, then until the goodbye has left, at most
 * 200 ms more: this function may block that long. NULL is allowed. Must not run in a callback.
 * Errors: WSFAN_EBUSY (a loop is open), WSFAN_EFORK. [owner] */
WSFAN_API int wsfan_node_close(wsfan_node *node);

/* wsfan_node_ready() returns one of these for a node that is ready. */
enum {
    WSFAN_READY_MET = 1, /* it has met peers, or there are none that it was told of */
    WSFAN_READY_ALONE =
        2 /* it has waited ready_ms_max; nobody answers whom it was told of. It may be
                             the first, or cut off, or its key is not theirs */
};

/* Whether the node should be given clients: above 0 when it has met its peers, that is, when everyone whom
 * options.peers and DNS named answers (or is this node), and every peer that was found has exchanged
 * its interest with us; or when ready_ms_max has passed. 0: not yet. A node that was told of nobody is
 * ready at once. Once it has met a peer it stays ready whatever becomes of its peers, so that a cluster
 * does not fall like dominoes; a drain is the host's own, and does not change it. Waits as statistics do.
 * Errors: WSFAN_EREFUSED (it has met no peer, and whoever it found refuses it: its sessions would hear
 * nobody; not for good), WSFAN_EINVAL, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_node_ready(wsfan_node *node);

/* Takes the node out of service, without a moment in which anybody loses a message:
 *
 *   at once    wsfan_session_open(), wsfan_session_join() and wsfan_loop_open() return WSFAN_ECLOSED;
 *              the node owns no chat any more, here and, as soon as they hear of it, for its peers.
 *   3/4 of it  on_drain names the sessions of each loop a few at a time, evenly over this time: close
 *              them, and their clients come back elsewhere not all at once.
 *   then       when no session is left, or at 7/8, wsfan_publish() returns WSFAN_ECLOSED, and peers
 *              no longer wait for this node in joins; what was accepted goes out.
 *   the end    when every live peer has acknowledged everything, or drain_ms_max has passed: on_drained.
 *              Then close the loops and the node, which says goodbye.
 *
 * Returns at once. There is no way back. A second call can only make it end sooner.
 *
 * drain_ms_max  milliseconds, 0: everything now.
 * Errors: WSFAN_EINVAL, WSFAN_ENOMEM, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_node_drain(wsfan_node *node, uint32_t drain_ms_max);

/* Which node owns a chat. */
typedef struct wsfan_owner {
    size_t struct_size; /* sizeof(wsfan_owner), set by the caller */
    uint64_t node;      /* its id; 0: no node is ready */
    int here;           /* 1: it is this node */
    int up;             /* 0: nothing is heard of it just now; in doubt, keep your clients */
    char name[65];
    char public_address[256]; /* its options.public_address; "" without one */
} wsfan_owner;

/* The node that owns a chat: of the nodes that are ready, not draining, not publishers only, and not
 * down, the one that weighted rendezvous hashing of its name and the chat's gives. Nodes that see the
 * same others say the same, without asking anybody. When a node comes or goes, only the chats that it
 * gets or had change their owner; a restart under the same name gets the same chats.
 * A few hundred nanoseconds for each node; allocates nothing, waits as statistics do.
 *
 * chat   1..name_bytes_max bytes.
 * owner  filled.
 * Errors: WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_ENOMEM (at the start only), WSFAN_EFORK. [any] */
WSFAN_API int wsfan_node_owner(wsfan_node *node, wsfan_bytes chat, wsfan_owner *owner);

/* The node's id: random at each open, never 0. [any] */
WSFAN_API uint64_t wsfan_node_id(const wsfan_node *node);

/* The node's name; valid while the node is open. [any] */
WSFAN_API const char *wsfan_node_name(const wsfan_node *node);

/* The endpoint that peers are told, with the real port; "" when local only. Valid while the node
 * is open. [any] */
WSFAN_API const char *wsfan_node_endpoint(const wsfan_node *node);

/* The name of its cluster; valid while the node is open. [any] */
WSFAN_API const char *wsfan_node_cluster(const wsfan_node *node);

/* ---------------------------------------------------------------------------------------- keys */

/* Reads options.allow_path again, as it was given when the node was opened, and takes over who may
 * be a peer from now on: soon after this call a peer whose key is not allowed any more is down, with
 * WSFAN_REASON_KEY, and gets nothing. The node's own key stays until it is opened again. May block
 * on the file system.
 * Errors: WSFAN_EINVAL (a node without a key), WSFAN_EKEY, WSFAN_ELIMIT, WSFAN_ENOMEM, WSFAN_EFORK.
 * Each leaves everything as it was. [any] */
WSFAN_API int wsfan_node_reload_keys(wsfan_node *node);

/* The same, and keys replace those of options.allow.
 *
 * keys   Z85 text of 40 characters each; copied. May be NULL when count is 0.
 * count  0..WSFAN_KEYS_MAX. */
WSFAN_API int wsfan_node_allow_keys(wsfan_node *node, const char *const *keys, size_t count);

/* This node's public key, "" without one; valid while the node is open. [any] */
WSFAN_API const char *wsfan_node_public_key(const wsfan_node *node);

/* ----------------------------------------------------------------------------------- discovery */

/* Endpoints that are dialled at a time, of all sources together. */
#define WSFAN_ENDPOINTS_MAX 256

/* Where endpoints of the host come from: each source, 0..7, has a set of its own. */
#define WSFAN_SOURCES_MAX 8

/* Tells the node where its peers can be reached, as far as the host knows: call it with the whole
 * set whenever your registry (Consul, etcd, the Kubernetes API) reports a change. It replaces the
 * set of the call before, and adds to options.peers. A set that becomes smaller, or empty, takes no
 * connection away from a peer that lives; where nobody lives, the endpoint is no longer dialled.
 * The node takes the set over soon after; of several calls in a row, perhaps only the last.
 *
 * endpoints  as in options.peers: HOST may be a name. The node's own may be among them. May be NULL when
 *            count is 0.
 * count      0..WSFAN_ENDPOINTS_MAX.
 * Errors: WSFAN_EINVAL (a NULL; a node without a mesh), WSFAN_ELIMIT (count), WSFAN_EENDPOINT,
 * WSFAN_ENOMEM, WSFAN_EFORK; of the first name also WSFAN_ESYSTEM (no thread or descriptor for DNS). Each
 * leaves the set as it was. Does not wait for DNS. [any] */
WSFAN_API int wsfan_node_set_peers(wsfan_node *node, const char *const *endpoints, size_t count);

/* The same for one of several sources that do not know of each other; wsfan_node_set_peers() is
 * source 0, and libwsfan-beacon is source 7 unless told otherwise.
 *
 * source  0..WSFAN_SOURCES_MAX-1; else WSFAN_EINVAL. [any] */
WSFAN_API int wsfan_node_set_peers_from(wsfan_node *node, unsigned source,
                                        const char *const *endpoints, size_t count);

/* --------------------------------------------------------------------------------------- loop */

/* What became of a join. */
typedef struct {
    wsfan_session session;
    void *session_user;
    wsfan_bytes chat;
    int status;              /* WSFAN_OK: every live peer acknowledged, so each broadcast issued
                                     from now on, anywhere, reaches the session. WSFAN_EPARTIAL: the
                                     peers in `missing` had not within join_ms_max, or refuse this
                                     node: WSFAN_PEER_REFUSED told why; the others had. What a peer
                                     that is down publishes is missing until it is back, which
                                     WSFAN_GAP_AWAY tells. Those of another cluster
                                     or version are named only where no peer lives.
                                     WSFAN_ENOMEM: the node could not note the interest; leave and
                                     join again. */
    const uint64_t *missing; /* node ids */
    size_t missing_count;
} wsfan_joined;

typedef enum {
    WSFAN_PEER_MEETING = 0, /* no link with it so far; in wsfan_peer_stats only */
    WSFAN_PEER_UP = 1,      /* the link works: new, or again after silent or down */
    WSFAN_PEER_SILENT = 2,  /* nothing heard for silent_ms, or its connection broke */
    WSFAN_PEER_DOWN = 3,    /* gone, see the reason; barriers do not wait for it */
    WSFAN_PEER_REFUSED = 4  /* it may not be a peer, see the reason; it is asked again at the latest
                              every down_ms, as long as it is named */
} wsfan_peer_event;

typedef enum {
    WSFAN_REASON_NONE = 0,
    WSFAN_REASON_TIMEOUT = 1,  /* nothing heard for down_ms */
    WSFAN_REASON_BYE = 2,      /* it said goodbye */
    WSFAN_REASON_REPLACED = 3, /* a newer node took its name */
    WSFAN_REASON_CLUSTER = 4,  /* another cluster name */
    WSFAN_REASON_VERSION = 5,  /* no protocol version in common */
    WSFAN_REASON_NAME = 6,     /* an older node with a name that is taken by a newer one */
    WSFAN_REASON_LIMIT = 7,    /* peers_count_max or another limit is reached, here or there; it is
                                  tried again every down_ms */
    WSFAN_REASON_ID = 8,       /* another node has the same id: a copy of a running machine? */
    WSFAN_REASON_SELF = 9,     /* an endpoint that leads back to this node; harmless in a list that
                                  all nodes share, and said once */
    WSFAN_REASON_SLOW = 10,    /* its queue was full, and slow_peer is WSFAN_SLOW_CUT */
    WSFAN_REASON_KEY = 11,     /* its key is not allowed any more */
    WSFAN_REASON_ENDED = 12    /* it fell silent and its address refuses connections: the process is
                                  gone, which is known long before down_ms */
} wsfan_reason;

typedef struct {
    uint64_t node;
    const char *name;     /* "" where it is not known yet */
    const char *endpoint; /* where it says that it can be reached */
    wsfan_peer_event event;
    wsfan_reason reason;
} wsfan_peer;

typedef enum {
    WSFAN_GAP_PEER_QUEUE = 1, /* the peer dropped them: its queue for us was full, lost the oldest,
                                 or it began the link anew and gave up what was under way */
    WSFAN_GAP_LINK = 2,       /* frames of the peer are missing and cannot be had again */
    WSFAN_GAP_TOO_BIG = 3,    /* the peer has larger limits than this node accepts */
    WSFAN_GAP_INBOX = 4,      /* this loop was too slow: its inbox was full, or out of memory. Where
                                 4096 notices wait, further gaps of peers are added to this one,
                                 those that nobody counted as 1 */
    WSFAN_GAP_AWAY = 5        /* the peer is back: its link had been given up (forget_ms, or
                                 WSFAN_SLOW_CUT), or joins ended without it while it was down; or it
                                 had a wrong idea of what this node wants. What it published meanwhile
                                 may be missing, nobody counted it */
} wsfan_gap_reason;

/* Messages that did not arrive. It is not known which chats they were for: tell every member of a
 * chat that it may have missed something. */
typedef struct {
    uint64_t node;    /* the publisher's node id; this node's own for WSFAN_GAP_INBOX */
    const char *name; /* its name */
    uint64_t count;   /* messages; 0: unknown (WSFAN_GAP_AWAY) */
    wsfan_gap_reason reason;
} wsfan_gap;

/* What became of one message, for a publisher that asked (wsfan_publish_options.result_loop). A peer
 * has acknowledged when it has put the message into the inboxes of its loops. */
typedef struct {
    void *result_user;   /* as given to wsfan_publish() */
    wsfan_message_id id; /* of the message */
    int status; /* WSFAN_OK: every loop and peer that it was for has it, and no node refuses this one.
                   WSFAN_EPARTIAL: some have not, see below */
    uint32_t loops;        /* of this node that it was for */
    uint32_t loops_lost;   /* of these, had no room in the inbox */
    uint32_t loops_behind; /* have not dispatched it after result_ms_max */
    uint64_t sessions;     /* that got it on this node */
    uint32_t peers;        /* that it was for */
    uint32_t peers_acknowledged;
    uint32_t peers_behind;   /* have not acknowledged after result_ms_max; they may yet get it */
    uint32_t peers_lost;     /* do not get it: dropped from their queue, or they are gone */
    const uint64_t *missing; /* node ids of the peers refusing, behind and lost */
    size_t missing_count;
    uint32_t
        peers_refusing; /* nodes that it may have been for and that refused this node in the last
                                3 * down_ms (WSFAN_PEER_REFUSED): as an older one of its name, as one too
                                many; where no peer lives, also of another cluster or version. At most 64,
                                not counted in `peers` */
} wsfan_result;

/* Where a member is: on a node that is not down. */
typedef struct {
    uint64_t node;
    uint32_t sessions;    /* of this user in this chat on that node */
    wsfan_bytes metadata; /* of the newest of these sessions */
} wsfan_place;

typedef enum {
    WSFAN_MEMBER_JOIN = 1,   /* of its sessions anywhere, the first */
    WSFAN_MEMBER_UPDATE = 2, /* another number of sessions, another place, other metadata */
    WSFAN_MEMBER_LEAVE = 3 /* it has had no session anywhere for presence_grace_ms; told later where
                                a peer that lives has yet to say who is there: see
                                docs/guarantees.md */
} wsfan_member_event;

typedef struct {
    wsfan_member_event event;
    wsfan_bytes user;
    uint64_t sessions;         /* of this user in this chat, on all nodes; 0: it is within its grace
                                  time, or has left */
    const wsfan_place *places; /* each node once */
    size_t places_count;
} wsfan_member;

#define WSFAN_PRESENCE_ANEW 1u /* forget what you were told of the chat before */
#define WSFAN_PRESENCE_LARGE                                                                       \
    2u /* it has more members than presence_members_count_max: only numbers
                                   are told, and what was told of its members is not kept up */

/* News of one chat. Several changes of one member in a short time may be told as one. */
typedef struct {
    wsfan_bytes chat;
    uint32_t flags;
    uint64_t sessions; /* of the chat, as far as this node knows; wsfan_chat_count() says how far */
    uint64_t users;    /* its members, those within their grace time too */
    const wsfan_member *members; /* that changed */
    size_t members_count;
} wsfan_presence;

/* A chat with sessions on this loop that has got another owner. */
typedef struct {
    wsfan_bytes chat;
    uint64_t node; /* the new owner's id; 0: no node is ready */
    const char *name;
    const char *public_address;      /* "" without one */
    int here;                        /* 1: this node */
    const wsfan_recipient *sessions; /* this loop's sessions in the chat */
    size_t sessions_count;
} wsfan_moved;

/* A session left a chat because somebody asked for that by wsfan_remote_leave(). */
typedef struct {
    wsfan_session session;
    void *session_user;
    wsfan_bytes chat;
} wsfan_left;

/* Somebody wants a connection to be closed, by wsfan_remote_close(). */
typedef struct {
    wsfan_session session;
    void *session_user;
    uint16_t code; /* as for wsfan_remote_close(): a close frame may carry both as they are */
    wsfan_bytes reason;
} wsfan_close;

/* What wsfan_node_send() brought here. */
typedef struct {
    uint64_t node;  /* who sent it */
    uint64_t token; /* for wsfan_node_reply() */
    wsfan_bytes payload;
} wsfan_request;

typedef enum {
    WSFAN_REQUEST_JOIN = 1, /* wsfan_remote_join() */
    WSFAN_REQUEST_LEAVE = 2,
    WSFAN_REQUEST_CLOSE = 3,
    WSFAN_REQUEST_SESSIONS = 4, /* wsfan_list_sessions() */
    WSFAN_REQUEST_CHATS = 5,
    WSFAN_REQUEST_NODES = 6,
    WSFAN_REQUEST_SEND = 7 /* wsfan_node_send() */
} wsfan_request_kind;

/* What one node that was asked said, or that it did not. */
typedef struct {
    uint64_t node;
    int status; /* WSFAN_OK. WSFAN_EPARTIAL: it joined its sessions, but not all of its peers have
                   acknowledged. WSFAN_ESILENT: no answer; it may have done it, or may yet.
                   WSFAN_ENOTSUP: a library or a host that does not do this. WSFAN_ELIMIT: it, or the
                   way to it, has too much to do. WSFAN_ETOOBIG: larger than its limits.
                   WSFAN_ENOMEM. */
    uint64_t sessions;        /* join: that are in the chat now; leave: that left it; close: whose
                                 host was told */
    uint64_t sessions_failed; /* join: that reached a limit */
    wsfan_bytes payload;      /* send: what was given to wsfan_node_reply() */
} wsfan_answer;

/* One row of a list. */
typedef struct {
    wsfan_address address; /* sessions: of the session; nodes: of the node, session 0 */
    wsfan_bytes user;      /* sessions: its user, or empty */
    wsfan_bytes name;      /* sessions, chats: of a chat; nodes: of the node */
    uint64_t sessions; /* chats: of those asked for, how many are in it; nodes: how many it has */
} wsfan_row;

/* What became of a request. */
typedef struct {
    wsfan_request_kind kind;
    void *reply_user; /* as given in wsfan_request_options */
    int status; /* WSFAN_OK: complete. WSFAN_EPARTIAL: all there is but for the nodes in `missing`.
                   WSFAN_ENOMEM: the answers could not be put together. */
    uint64_t sessions; /* of all nodes */
    uint64_t sessions_failed;
    const wsfan_answer *answers; /* one for each node that was asked */
    size_t answers_count;
    const uint64_t *missing; /* ids of nodes whose answer is missing; of a join, also of those that
                                had not acknowledged it */
    size_t missing_count;
    const wsfan_row *rows; /* in order of address and name */
    size_t rows_count;
    wsfan_bytes next; /* not empty: there are more rows; ask again with this as `after` */
} wsfan_reply;

/* All callbacks may be NULL. They may open, close, join and leave sessions, publish, and ask. */
typedef struct wsfan_callbacks {
    size_t struct_size; /* sizeof(wsfan_callbacks) */

    /* A message for sessions of this loop: once per message, with every session that it is for,
     * each once. recipients is valid until the callback returns; a session that the callback
     * itself closes stays in the array. */
    void (*on_message)(void *loop_user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t recipients_count);

    /* Once for every wsfan_session_join() that returned WSFAN_OK, unless the session leaves or
     * closes before. */
    void (*on_joined)(void *loop_user, const wsfan_joined *joined);

    /* A peer's state changed. Each loop of the node is told; one that opens later is first told of
     * the peers that are known then. */
    void (*on_peer)(void *loop_user, const wsfan_peer *peer);

    /* Messages are missing. Each loop is told of a peer's gap, only the loop itself of its own. */
    void (*on_gap)(void *loop_user, const wsfan_gap *gap);

    /* Once for every publish that named this loop as result_loop and returned WSFAN_OK, within
     * result_ms_max; not any more when the loop is closed. */
    void (*on_result)(void *loop_user, const wsfan_result *result);

    /* The owner of a chat with sessions on this loop changed, as far as this node knows. A chat is
     * named once for each such change, or not at all if another change has undone it meanwhile. */
    void (*on_owner)(void *loop_user, const wsfan_moved *moved);

    /* A drain wants these sessions to go, at most 64 at a time; each session is named once. Close
     * them soon: tell the client to come back, and wsfan_session_close(). */
    void (*on_drain)(void *loop_user, const wsfan_recipient *sessions, size_t count);

    /* A drain is over. WSFAN_OK: no session is left, and every live peer has all there was. Else, when
     * its time has passed: WSFAN_EPARTIAL. */
    void (*on_drained)(void *loop_user, int status);

    /* A session was made to leave a chat. When one was made to join, on_joined tells. */
    void (*on_left)(void *loop_user, const wsfan_left *left);

    /* The connection is yours: close it, and wsfan_session_close() the session, now or later. NULL:
     * this host cannot be asked to, and says so (WSFAN_ENOTSUP). */
    void (*on_close)(void *loop_user, const wsfan_close *close);

    /* A message for this node; of its loops, the one that was opened first gets them all. Answer it by
     * wsfan_node_reply(), now or later. NULL: the sender is told WSFAN_ENOTSUP. */
    void (*on_request)(void *loop_user, const wsfan_request *request);

    /* Once for every request that named this loop as reply_loop and returned WSFAN_OK, within its time
     * limit; not any more when the loop is closed. */
    void (*on_reply)(void *loop_user, const wsfan_reply *reply);
    /* Who comes, changes and goes in a chat, on all nodes. Told to each loop while it has a session
     * in the chat that joined with WSFAN_PRESENCE; first of everyone who is there. When the last such
     * session leaves nothing more is told, not even that the others leave. */
    void (*on_presence)(void *loop_user, const wsfan_presence *presence);
} wsfan_callbacks;

/* Opens a loop. The calling thread, or the one it hands the loop to, is the loop's thread.
 *
 * loop       receives the loop; the caller closes it with wsfan_loop_close() before the node.
 * callbacks  copied; not NULL.
 * loop_user  passed to every callback; may be NULL.
 * Errors: WSFAN_EINVAL, WSFAN_ELIMIT (loops_count_max), WSFAN_ECLOSED (the node drains), WSFAN_ESYSTEM,
 * WSFAN_ENOMEM, WSFAN_EFORK.
 * [any] */
WSFAN_API int wsfan_loop_open(wsfan_loop **loop, wsfan_node *node, const wsfan_callbacks *callbacks,
                              void *loop_user);

/* Closes the loop and its sessions. No callback runs any more. NULL is allowed.
 * Errors: WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_loop_close(wsfan_loop *loop);

/* A descriptor that is readable while wsfan_loop_dispatch() has work: add it, level-triggered, to
 * your event loop. Owned by the loop: do not read or close it. [any] */
WSFAN_API int wsfan_loop_fd(const wsfan_loop *loop);

/* Runs the callbacks that are due. The only place where callbacks run.
 *
 * max  how many messages and notices to handle at most, 0 for all that are there now. With work
 *      left, wsfan_loop_fd() stays readable.
 * Returns how many were handled, or WSFAN_EINVAL, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_loop_dispatch(wsfan_loop *loop, uint32_t max);

/* ------------------------------------------------------------------------------------ session */

/* Opens a session.
 *
 * session       receives the handle.
 * user          0..name_bytes_max bytes; empty: a session without a user.
 * session_user  your pointer, handed back with each recipient; may be NULL.
 * Errors: WSFAN_EINVAL (also where options.publisher_only is set), WSFAN_ETOOBIG (user), WSFAN_ELIMIT
 * (sessions_count_max, chats_count_max), WSFAN_ECLOSED (the node drains), WSFAN_ENOMEM, WSFAN_EFORK.
 * [loop] */
WSFAN_API int wsfan_session_open(wsfan_session *session, wsfan_loop *loop, wsfan_bytes user,
                                 void *session_user);

/* Closes a session; it leaves its chats, in time proportional to their number. No callback names
 * it any more. Errors: WSFAN_EINVAL (of another loop), WSFAN_ESTALE, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_session_close(wsfan_loop *loop, wsfan_session session);

/* Makes the session a member of a chat. From now on it may get the chat's messages; on_joined says
 * from when on it gets them all.
 *
 * chat  1..name_bytes_max bytes, any bytes.
 * Errors: WSFAN_EINVAL (empty name, a session of another loop), WSFAN_ETOOBIG, WSFAN_EEXIST,
 * WSFAN_ESTALE, WSFAN_ELIMIT (chats_per_session_count_max, chats_count_max), WSFAN_ECLOSED (the node
 * drains), WSFAN_ENOMEM, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_session_join(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat);

/* Show who the session is to the other members, and be shown them: see on_presence. Counts of a chat
 * are of sessions that joined so. */
#define WSFAN_PRESENCE 1u

typedef struct wsfan_join_options {
    size_t struct_size;   /* sizeof(wsfan_join_options) */
    uint32_t flags;       /* 0 or WSFAN_PRESENCE */
    wsfan_bytes metadata; /* shown with WSFAN_PRESENCE, at most presence_metadata_bytes_max */
} wsfan_join_options;

/* wsfan_session_join() with options; NULL: none. Users are told apart by 64-bit hashes of their names.
 * Errors: as of wsfan_session_join(); WSFAN_EINVAL also for WSFAN_PRESENCE of a session without a user,
 * WSFAN_ETOOBIG also for the metadata. [loop] */
WSFAN_API int wsfan_session_join_with(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat,
                                      const wsfan_join_options *options);

/* Replaces the metadata of a session that joined the chat with WSFAN_PRESENCE.
 * Errors: WSFAN_EINVAL, WSFAN_ESTALE, WSFAN_ENOENT (it did not), WSFAN_ETOOBIG, WSFAN_ENOMEM,
 * WSFAN_EFORK. Each leaves the metadata as it was. [loop] */
WSFAN_API int wsfan_session_set_metadata(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat,
                                         wsfan_bytes metadata);

/* Ends a membership. No message of the chat reaches the session after this returns, except one
 * that is also for its user or another of its chats.
 * Errors: WSFAN_EINVAL, WSFAN_ENOENT, WSFAN_ESTALE, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_session_leave(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat);

/* The session's cluster-wide address, for wsfan_publish_options.except and targets. [any] */
WSFAN_API wsfan_address wsfan_session_address(const wsfan_loop *loop, wsfan_session session);

/* ----------------------------------------------------------------------------------- presence */

typedef struct wsfan_count {
    size_t struct_size; /* sizeof(wsfan_count), set by the caller; only so much is filled */
    uint64_t
        sessions;   /* in the chat, of those that joined with WSFAN_PRESENCE, on all live nodes */
    uint64_t users; /* distinct, those within their grace time too */
    int complete;   /* 1: every live peer's part is in it. 0: those named next are not, or not
                           for certain; so are, where this node has no session in the chat, all peers
                           that have */
    uint32_t missing_count;
    uint64_t missing[64]; /* node ids; this node's own after it ran out of memory */
} wsfan_count;

/* Counts a chat from what this node holds, without asking anybody, in time that does not depend on
 * the chat's size. Waits for a lock as the statistics do.
 *
 * chat  1..name_bytes_max bytes.
 * Errors: WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_chat_count(wsfan_node *node, wsfan_bytes chat, wsfan_count *count);

/* Visits members of a chat, those within their grace time too, as far as this node knows them:
 * wsfan_chat_count() says how far. In no particular order.
 *
 * cursor  begins with 0; goes on where the call before stopped; 0 again after the last member. Who
 *         comes or goes between two calls may be visited or not; everyone else is, once.
 * max     how many to visit, at least 1: the mesh waits meanwhile, so not all of a large chat at once.
 * each    is called within this call and must not call the library; event is WSFAN_MEMBER_JOIN.
 * Errors: WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_chat_members(wsfan_node *node, wsfan_bytes chat, uint64_t *cursor, uint32_t max,
                                 void (*each)(void *user, const wsfan_member *member), void *user);

/* ------------------------------------------------------------------------------------ publish */

/* A WebSocket binary message. Without it: text; the library does not check UTF-8. */
#define WSFAN_BINARY 1u

typedef struct wsfan_publish_options {
    size_t struct_size; /* sizeof(wsfan_publish_options) */
    uint32_t flags;     /* 0 or WSFAN_BINARY */
    wsfan_address
        except; /* this session gets nothing, wherever it is; {0, 0}: nobody is left out */
    wsfan_loop *result_loop; /* of this node, open: its on_result tells what became of the message;
                                 NULL: do not ask, which costs nothing */
    void *result_user;       /* handed back with the result */
    wsfan_bytes
        key; /* not empty: a latest value, such as a cursor's place. A key is one of its targets, in
                        their order: with others it is another key. Where the newest value of this node
                        with the key still waits in a peer's queue or a loop's inbox, this one takes its
                        place, which is counted as WSFAN_DROP_REPLACED and is no gap; unless it leaves
                        out a session that the other does not (`except`), or is larger than there is
                        room for: then both wait. So it may overtake messages of other keys or none, and
                        never one of its own. Keys are compared by 64-bit hashes. At most
                        name_bytes_max; not with a result_loop */
} wsfan_publish_options;

/* Sends a payload to every session in a chat, on every node. The same as wsfan_publish() with one
 * WSFAN_CHAT target. [any] */
WSFAN_API int wsfan_broadcast(wsfan_node *node, wsfan_bytes chat, wsfan_bytes payload,
                              const wsfan_publish_options *options);

/* Sends a payload to every session of the cluster. The same as wsfan_publish() with one WSFAN_ALL
 * target. [any] */
WSFAN_API int wsfan_broadcast_all(wsfan_node *node, wsfan_bytes payload,
                                  const wsfan_publish_options *options);

/* Sends a payload to the sessions that any of the targets names and none of the WSFAN_NOT_ kind
 * does, to each once. What one thread publishes arrives in that order.
 *
 * targets   1..targets_count_max, at least one of them not WSFAN_NOT_.
 * payload   0..payload_bytes_max bytes.
 * options   may be NULL: text, nobody left out.
 * Allocates once, twice with a result_loop. Errors: WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_ELIMIT
 * (targets_count_max, results_count_max), WSFAN_EAGAIN (nothing was queued), WSFAN_ECLOSED (at the end of
 * a drain), WSFAN_ENOMEM, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_publish(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                            wsfan_bytes payload, const wsfan_publish_options *options);

/* ----------------------------------------------------------------------------------- requests
 *
 * What needs an answer from other nodes. Each request goes to the nodes where its targets have
 * sessions, as far as this node knows, and to itself. All of them are asked at once; one that is
 * silent is named in the reply, which comes after the time limit then. */

#define WSFAN_ROWS_COUNT_MAX 1000

typedef struct wsfan_request_options {
    size_t struct_size;     /* sizeof(wsfan_request_options) */
    wsfan_loop *reply_loop; /* of this node, open: its on_reply tells what came of it. NULL: nobody
                               is told; not for lists */
    void *reply_user;       /* handed back with the reply */
    uint32_t ms_max; /* the reply comes after this at the latest, 0: request_ms_max, its maximum */
    uint32_t rows_max; /* lists: of one reply, 0..WSFAN_ROWS_COUNT_MAX, 0: 100; fewer, where they
                          are more than 64 KiB */
    wsfan_bytes after; /* lists: the `next` of the reply before; empty: from the beginning */
} wsfan_request_options;

/* Makes sessions anywhere join or leave a chat. Their hosts are told by on_joined and on_left. When a
 * join's reply says WSFAN_OK, every broadcast to the chat that is issued from now on, anywhere,
 * reaches these sessions.
 *
 * targets  as for wsfan_publish().
 * chat     1..name_bytes_max bytes.
 * options  may be NULL: nobody is told what came of it.
 * Errors of all requests: WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_ELIMIT (targets_count_max,
 * requests_count_max), WSFAN_EAGAIN (nothing was queued), WSFAN_ENOMEM, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_remote_join(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                                wsfan_bytes chat, const wsfan_request_options *options);
WSFAN_API int wsfan_remote_leave(wsfan_node *node, const wsfan_target *targets,
                                 size_t targets_count, wsfan_bytes chat,
                                 const wsfan_request_options *options);

/* Asks the hosts of sessions anywhere to close their connections, by on_close.
 *
 * code    a WebSocket close code that may be sent (RFC 6455, section 7.4, and IANA's registry):
 *         1000..1003, 1007..1014, or 3000..4999. Any other is WSFAN_EINVAL: 1004, 1005, 1006 and 1015
 *         are reserved, 1016..2999 are not assigned. A peer's request with such a code is refused.
 * reason  0..123 bytes of UTF-8, else WSFAN_EINVAL; more are WSFAN_ETOOBIG. [any] */
WSFAN_API int wsfan_remote_close(wsfan_node *node, const wsfan_target *targets,
                                 size_t targets_count, uint16_t code, wsfan_bytes reason,
                                 const wsfan_request_options *options);

/* The sessions that targets name, with the user of each and its chats: one row for each chat of a
 * session, or one with an empty name. [any] */
WSFAN_API int wsfan_list_sessions(wsfan_node *node, const wsfan_target *targets,
                                  size_t targets_count, const wsfan_request_options *options);

/* The chats that the sessions named by targets are in, each with how many of them: a user's, or with
 * WSFAN_ALL all chats. Each page costs every loop a look at all chats that it has, in slices between
 * its other work. [any] */
WSFAN_API int wsfan_list_chats(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                               const wsfan_request_options *options);

/* The nodes, each with how many sessions it has. [any] */
WSFAN_API int wsfan_list_nodes(wsfan_node *node, const wsfan_request_options *options);

/* Sends bytes of the host to other nodes, where on_request gets them; replies are in the answers.
 *
 * to       a node's id; 0: every node, this one too.
 * payload  0..payload_bytes_max bytes. [any] */
WSFAN_API int wsfan_node_send(wsfan_node *node, uint64_t to, wsfan_bytes payload,
                              const wsfan_request_options *options);

/* Answers an on_request, once; too late, it goes nowhere.
 *
 * token    of the request.
 * payload  0..payload_bytes_max bytes. [any] */
WSFAN_API int wsfan_node_reply(wsfan_node *node, uint64_t token, wsfan_bytes payload);

/* ------------------------------------------------------------------------------------ message */

/* Takes and gives back a reference; the last one frees the message. [any] */
WSFAN_API wsfan_message *wsfan_message_ref(wsfan_message *message);
WSFAN_API void wsfan_message_unref(wsfan_message *message);

/* The payload; valid while you hold a reference. [any] */
WSFAN_API wsfan_bytes wsfan_message_payload(const wsfan_message *message);

/* 0 or WSFAN_BINARY. [any] */
WSFAN_API uint32_t wsfan_message_flags(const wsfan_message *message);

WSFAN_API wsfan_message_id wsfan_message_get_id(const wsfan_message *message);

/* The targets that the publisher named, at least one; i < wsfan_message_targets_count(). The
 * name is valid while you hold a reference. [any] */
WSFAN_API size_t wsfan_message_targets_count(const wsfan_message *message);
WSFAN_API wsfan_target wsfan_message_target(const wsfan_message *message, size_t i);

/* The last `size` bytes before the payload, to write a frame header into, so that header and
 * payload leave as one buffer, for every recipient the same. Its bytes are this loop's own: where
 * two loops get a message of a node with headroom, or a loop one that peers are still being sent,
 * there is a copy. Write them once, before the message is handed to anyone else. NULL where size > headroom_bytes. [loop] */
WSFAN_API void *wsfan_message_headroom(wsfan_message *message, size_t size);

/* --------------------------------------------------------------------------------- statistics */

/* Why messages or frames were dropped. name, text */
#define WSFAN_DROP_LIST(X)                                                                         \
    X(WSFAN_DROP_PUBLISH_QUEUE, "refused with WSFAN_EAGAIN")                                       \
    X(WSFAN_DROP_INBOX, "a loop's inbox was full or out of memory")                                \
    X(WSFAN_DROP_LINK_QUEUE, "a peer's queue was full or out of memory")                           \
    X(WSFAN_DROP_TOO_BIG, "larger than the peer accepts")                                          \
    X(WSFAN_DROP_UNWANTED, "received, but no loop has an interest in it, or nobody waits for it")  \
    X(WSFAN_DROP_DUPLICATE, "a frame that was received already")                                   \
    X(WSFAN_DROP_GAP, "a frame out of order that could not be kept; it is asked for again")        \
    X(WSFAN_DROP_MALFORMED, "bytes from the network that are no valid frame or introduction")      \
    X(WSFAN_DROP_STRANGER, "a frame of a node that has not introduced itself")                     \
    X(WSFAN_DROP_EVENT, "a notice to a loop that does not dispatch, or out of memory")             \
    X(WSFAN_DROP_REPLACED, "a newer message with the same key took its place")                     \
    X(WSFAN_DROP_FORGED, "in the name of a node that has another key")                             \
    X(WSFAN_DROP_LIMIT, "interest or presence of a peer over a limit")

#define WSFAN_DROP_ENUM(name, text) name,
typedef enum { WSFAN_DROP_LIST(WSFAN_DROP_ENUM) WSFAN_DROP_COUNT } wsfan_drop;
#undef WSFAN_DROP_ENUM

/* The text of a wsfan_drop, a constant. [any] */
WSFAN_API const char *wsfan_drop_text(wsfan_drop reason);

/* Counters only rise while the node is open; the rest are as of now. */
typedef struct wsfan_stats {
    size_t struct_size; /* sizeof(wsfan_stats), set by the caller; only so much is filled */
    uint32_t loops;
    uint32_t peers; /* known: as many as wsfan_node_peers() tells of */
    uint32_t peers_up;
    uint64_t sessions;        /* open, of all loops */
    uint64_t chats;           /* chats and users with a session here */
    uint64_t chats_remote;    /* chats and users that a peer has a session in */
    uint64_t published;       /* messages accepted */
    uint64_t published_bytes; /* their payloads */
    uint64_t delivered;       /* messages put into inboxes, once per loop */
    uint64_t received;        /* messages from peers */
    uint64_t gaps;            /* messages that peers' gaps cover */
    uint64_t publish_queue_count;
    uint64_t publish_queue_bytes;
    uint64_t joins_pending;     /* barriers that are not complete */
    uint64_t dropped[16];       /* by wsfan_drop */
    uint64_t endpoints;         /* that options, DNS or the host name */
    uint64_t endpoints_surplus; /* named, but over WSFAN_ENDPOINTS_MAX: not dialled */
    uint64_t dns_answers;       /* with at least one address */
    uint64_t dns_failures;      /* no such name, no address, no answer: the last answer stands */
    uint64_t dns_surplus;       /* addresses over 256 in the last answers */
    uint64_t requests;          /* asked here */
    uint64_t requests_pending;  /* of these, not answered */
    uint64_t requests_partial;  /* of these, answered without some nodes */
    uint64_t requests_taken;    /* of peers and of this node itself, that were begun */
    uint64_t requests_refused;  /* the same, over requests_count_max or a limit of size */
    uint64_t presence_chats;    /* with presence */
    uint64_t presence_rows;     /* users in these, each once on each node */
    uint64_t presence_mended;   /* times that what we held of a peer's rows was not what it has */
    uint64_t peers_refusing;    /* nodes that refuse this one, as wsfan_result counts them */
    uint64_t
        connections_ended; /* of others to our endpoint: strangers that did not become peers within
                                   10 s, or were too many; whoever sent what no peer sends */
} wsfan_stats;

typedef struct wsfan_peer_stats {
    size_t struct_size; /* sizeof(wsfan_peer_stats), set by the caller in element 0 */
    uint64_t node;
    char name[65];
    char endpoint[129];
    wsfan_peer_event state; /* MEETING, UP, SILENT or DOWN */
    uint64_t links;         /* begun with it, more than one where it or we had given one up */
    uint64_t messages_in, messages_out;
    uint64_t payload_bytes_in, payload_bytes_out; /* of those messages */
    uint64_t frames_in, frames_out;
    uint64_t bytes_in, bytes_out; /* of those frames */
    uint64_t frames_resent;
    uint64_t interest_mended; /* what we held of its interest was wrong, and it told anew */
    uint64_t gap_in;          /* messages of the peer that did not reach us */
    uint64_t gap_out;         /* messages of ours that did not reach the peer */
    uint64_t queue_count;     /* messages that wait for room in the window */
    uint64_t queue_bytes;
    uint64_t window_bytes; /* sent and not acknowledged */
    uint64_t held_bytes;   /* received out of order */
    uint32_t we_hear;      /* 1: by a connection of ours it was heard within silent_ms; else 0 */
    uint32_t hears_us;     /* 1: it has a connection to our endpoint; else 0. A link takes both */
} wsfan_peer_stats;

typedef struct wsfan_loop_stats {
    size_t struct_size; /* sizeof(wsfan_loop_stats), set by the caller */
    uint64_t sessions;
    uint64_t chats;       /* chats and users with a session on this loop */
    uint64_t memberships; /* sessions in chats, and sessions with a user */
    uint64_t messages;    /* dispatched */
    uint64_t recipients;  /* of those messages */
    uint64_t inbox_count; /* waiting */
    uint64_t inbox_bytes;
    uint64_t gap; /* messages that the inbox lost */
} wsfan_loop_stats;

/* Each fills a struct. They wait for a lock that is held while the mesh works, never while it waits:
 * usually microseconds. Errors: WSFAN_EINVAL (NULL, struct_size is 0 or above the
 * library's), WSFAN_EFORK. [any] */
WSFAN_API int wsfan_node_stats(wsfan_node *node, wsfan_stats *stats);

/* Fills at most `capacity` elements of `peers` and sets *count to the number of known peers, which is
 * wsfan_stats.peers: those that we have, had, or try to have a link with, and those that are connected to our
 * endpoint, to which ours may not lead (name and endpoint are "" where they are not known). peers may be
 * NULL when capacity is 0. */
WSFAN_API int wsfan_node_peers(wsfan_node *node, wsfan_peer_stats *peers, size_t capacity,
                               size_t *count);

/* The loop's own. [loop] */
WSFAN_API int wsfan_loop_get_stats(wsfan_loop *loop, wsfan_loop_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
