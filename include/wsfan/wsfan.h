/** @file wsfan.h
 * A cluster-aware session registry for C WebSocket servers.
 *
 * This header has all that a simple server needs. What else there is stands in headers that it includes
 * (options.h, error.h; at its end peers.h and others), and in five more: metrics.h, outbound.h, beacon.h, carrier.h, nats.h.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 *
 * @par Concepts
 *   - node: one process that links this library (a replica of your server).
 *   - peer: another node, seen from this one.
 *   - link: the two numbered, acknowledged streams between a node and one peer.
 *   - loop: one event-loop thread of the host; it owns sessions and runs their callbacks.
 *   - session: one WebSocket connection, owned by the loop that opened it.
 *   - user: a name that a session carries; many sessions may carry the same.
 *   - chat: a name that sessions join; a broadcast to it reaches every member on every node.
 *   - message: an immutable, reference-counted payload on its way to sessions.
 *   - target: whom a message or a request is for, or whom it leaves out.
 *   - request: what is asked of other nodes: a command, a list, a message of the host; each has a reply.
 *   - interest: what a node tells its peers: "I have a session in this chat, or of this user".
 *   - owner: the one node that placement gives a chat to; messages reach members wherever they are.
 *   - presence: who is in a chat, on all nodes, for sessions that joined with WSFAN_PRESENCE.
 *   - member: a user with a session in a chat, wherever its sessions are.
 *
 * @par Threads
 * Every function is tagged. [any]: any thread, at any time while the object lives. [loop]: one thread at
 * a time, and while callbacks run only the thread that dispatches. [owner]: one thread, with no other
 * call on the object at the same time. So a loop usually belongs to one thread; a host may hand it to
 * another, or lock a mutex of its own around each [loop] call that it does not make within a callback. A
 * library that is built without NDEBUG finds a call with a loop that breaks this, and aborts with its name.
 * @par
 * Callbacks run only inside wsfan_loop_dispatch(), on its thread, and may call every [any] function,
 * and every [loop] function of their own loop except wsfan_loop_dispatch() and wsfan_loop_close(). No
 * function blocks unless its comment says so. A thread that publishes or asks while the mesh thread sleeps sends
 * by itself, and a node's only loop reads the sockets in dispatch: some microseconds, with signals blocked and not
 * cancelled, waiting for no lock.
 *
 * @par Memory
 * Every string and buffer that is passed in is copied before the call returns. Everything passed to a
 * callback is valid until that callback returns, whatever it calls meanwhile; a message can be kept
 * with wsfan_message_ref(). Each queue and table is bounded by a field of wsfan_options.
 *
 * @par Errors
 * A function that returns int returns WSFAN_OK (0) or one of the negative codes of wsfan_error, of which
 * WSFAN_EINVAL is for a NULL too; any other function takes no NULL unless its comment says so. A call
 * that fails has changed nothing. Three return more than WSFAN_OK: wsfan_loop_dispatch() a count,
 * wsfan_loop_fd() a descriptor, and wsfan_node_ready() one of wsfan_readiness.
 *
 * @par Versions
 * A struct that begins with struct_size only ever gets more fields, at its end. A program and a library of
 * different versions work together: a field that the program does not have is at its default; one that the
 * library does not know is 0 where the library fills it in, and WSFAN_EINVAL where the program sets it.
 *
 * @par Names
 * A function that copies what the library knows into a struct of the caller has "get" in its name; so
 * has wsfan_message_get_id(), as wsfan_message_id is a type. One that returns what it tells has just the
 * name of that. SIZE in a macro: bytes of an array of char, with the NUL. MAX: how many there can be.
 *
 * @par Caveats
 *   - One mesh thread per node serves the sockets, another watches its port, and libzmq has two; a node
 *     without a mesh has none until there is something to wait for: a result, or a drain. From the first endpoint with a name on that the host names (wsfan_options.peers,
 *     wsfan_node_set_peers()), one more asks the name servers of /etc/resolv.conf. All of them run with
 *     every signal blocked. The library installs no signal handler, prints nothing, registers no atexit
 *     or fork hook, and reads no environment variable; c-ares reads LOCALDOMAIN and RES_OPTIONS for names.
 *   - A node does not survive fork(): in the child every function that returns int and takes a node or a
 *     loop returns WSFAN_EFORK, and nothing is released.
 *   - Without a key (wsfan_options.secret_key, wsfan_options.key_file) the mesh carries plain text,
 *     and is bound to loopback only unless you insist (wsfan_options.allow_insecure).
 */
#ifndef WSFAN_H
#define WSFAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <wsfan/error.h>
#include <wsfan/options.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Of this header; wsfan_version() is the library's. */
#define WSFAN_VERSION_MAJOR 0
/** Of this header; before 1.0 another one may have another API. */
#define WSFAN_VERSION_MINOR 2
/** Of this header. */
#define WSFAN_VERSION_PATCH 0

/** The version of the library that is linked, such as "0.2.0". [any] */
WSFAN_API const char *wsfan_version(void);

/* -------------------------------------------------------------------------------------- types */

typedef struct wsfan_node wsfan_node;       /**< A node, from wsfan_node_open(). */
typedef struct wsfan_loop wsfan_loop;       /**< A loop, from wsfan_loop_open(). */
typedef struct wsfan_message wsfan_message; /**< A message, from on_message. */

/* What callbacks are given; the structs are in the header of their part. */
typedef struct wsfan_peer wsfan_peer;         /**< See wsfan/peers.h. */
typedef struct wsfan_event wsfan_event;       /**< See wsfan/diagnosis.h. */
typedef struct wsfan_moved wsfan_moved;       /**< See wsfan/placement.h. */
typedef struct wsfan_left wsfan_left;         /**< See wsfan/requests.h. */
typedef struct wsfan_close wsfan_close;       /**< See wsfan/requests.h. */
typedef struct wsfan_request wsfan_request;   /**< See wsfan/requests.h. */
typedef struct wsfan_reply wsfan_reply;       /**< See wsfan/requests.h. */
typedef struct wsfan_presence wsfan_presence; /**< See wsfan/presence.h. */

/** Bytes that someone else owns. */
typedef struct wsfan_bytes {
    const void *data; /**< may be NULL when size is 0 */
    size_t size;      /**< in bytes */
} wsfan_bytes;

/** A NUL-terminated string as bytes, without the NUL. text must not be NULL. [any] */
static inline wsfan_bytes wsfan_string(const char *text) {
    wsfan_bytes bytes;
    bytes.data = text;
    bytes.size = strlen(text);
    return bytes;
}

/** A session by value. A handle of a closed session is never valid again (until its slot has been
 * reused 2^32 times); using it returns WSFAN_ESTALE, and with another loop than its own WSFAN_EINVAL.
 * {0} is never a session. */
typedef struct wsfan_session {
    uint64_t id; /**< of no meaning but for wsfan_session_address() */
} wsfan_session;

/** A session anywhere in the cluster. {0, 0} is no session. */
typedef struct wsfan_address {
    uint64_t node;    /**< wsfan_node_id() of the node that has it */
    uint64_t session; /**< the id of its wsfan_session; 0: the node itself */
} wsfan_address;

#define WSFAN_ADDRESS_TEXT_SIZE 34 /**< Of the text of an address. */

/** Writes an address as text, "NODE-SESSION" with 16 hexadecimal digits each; "NODE" where session is 0.
 * @return text, which is not NULL; it ends with a NUL. [any] */
WSFAN_API char *wsfan_address_text(wsfan_address address, char text[WSFAN_ADDRESS_TEXT_SIZE]);

/** Reads what wsfan_address_text() wrote, and nothing else; not whether there is such a session.
 * @return WSFAN_OK, or WSFAN_EINVAL; address is then untouched. [any] */
WSFAN_API int wsfan_address_parse(wsfan_address *address, wsfan_bytes text);

/** Unique in the cluster. Messages of one origin have strictly rising clocks; sorted by (clock,
 * origin), messages stand in the same order for every reader. The clock is a hybrid logical clock
 * (Kulkarni et al., "Logical Physical Clocks", 2014): 48 bits of milliseconds since 1970, then a
 * 16-bit counter. */
typedef struct wsfan_message_id {
    uint64_t clock;  /**< of the publisher, see above */
    uint64_t origin; /**< node id of the publisher */
} wsfan_message_id;

/** Whom a message is for: the sessions that any of its targets names and none of the WSFAN_NOT_
 * kind does, each once, whatever the order of the targets. */
typedef enum wsfan_target_kind {
    WSFAN_CHAT = 1,    /**< every member of the chat `name` */
    WSFAN_USER = 2,    /**< every session of the user `name` */
    WSFAN_ALL = 3,     /**< every session in the cluster; `name` is empty */
    WSFAN_SESSION = 4, /**< one session; `name` is its address, written by wsfan_address_text() */
    WSFAN_NODE = 5, /**< every session of one node; `name` is its address, session 0, written so */
    WSFAN_NOT_CHAT = 17,    /**< no member of the chat */
    WSFAN_NOT_USER = 18,    /**< no session of the user */
    WSFAN_NOT_SESSION = 20, /**< not this session */
    WSFAN_NOT_NODE = 21     /**< no session of the node */
} wsfan_target_kind;

/** One target. */
typedef struct wsfan_target {
    wsfan_target_kind kind; /**< of what the name is */
    wsfan_bytes name;       /**< of the kind; `name` above */
} wsfan_target;

/** One recipient of a message on this loop. */
typedef struct wsfan_recipient {
    wsfan_session session; /**< of this loop */
    void *session_user;    /**< as given to wsfan_session_open() */
} wsfan_recipient;

/* --------------------------------------------------------------------------------------- node */

/** Tells what wsfan_node_open() would say of these options, as far as that does not depend on this machine
 * and its files, and of which field.
 *
 * @param field receives the name of a field, a constant, or NULL; may be NULL.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_ELIMIT, WSFAN_EENDPOINT, WSFAN_EINSECURE,
 * WSFAN_EKEY. [any] */
WSFAN_API int wsfan_options_check(const wsfan_options *options, const char **field);

/** Opens a node: binds options->endpoint (unless NULL), starts the mesh thread, begins to connect.
 *
 * @param node receives the node; the caller closes it with wsfan_node_close(). Untouched on error.
 * @param options not NULL.
 * @return WSFAN_OK, or an error of wsfan_options_check(), or WSFAN_EADDRINUSE, WSFAN_EADDR, WSFAN_EKEY,
 * WSFAN_ELIMIT (more than WSFAN_KEYS_MAX), WSFAN_EBUSY (another allocator is in use), WSFAN_ESYSTEM,
 * WSFAN_ENOMEM. A peer that cannot be reached is no error: it is tried again until it can. May block on
 * the file system, where keys come from files. [any] */
WSFAN_API int wsfan_node_open(wsfan_node **node, const wsfan_options *options);

/** Says goodbye to the peers and releases the node. Waits until everything that was accepted is
 * acknowledged by every live peer, at most close_ms_max, then until the goodbye has left, at most
 * 200 ms more: this function may block that long. NULL is allowed. Must not run in a callback.
 * @return WSFAN_OK, or WSFAN_EBUSY (a loop is open), WSFAN_EFORK. [owner] */
WSFAN_API int wsfan_node_close(wsfan_node *node);

/** The node's id: random at each open, never 0; with a key its first 8 digits of 16 are the key's. [any] */
WSFAN_API uint64_t wsfan_node_id(const wsfan_node *node);

/** The node's name; valid while the node is open. [any] */
WSFAN_API const char *wsfan_node_name(const wsfan_node *node);

/** The endpoint that peers are told, with the real port; "" when local only. Valid while the node
 * is open. [any] */
WSFAN_API const char *wsfan_node_endpoint(const wsfan_node *node);

/** The name of its cluster; valid while the node is open. [any] */
WSFAN_API const char *wsfan_node_cluster(const wsfan_node *node);

/* --------------------------------------------------------------------------------------- loop */

/** What became of a join. */
typedef struct wsfan_joined {
    wsfan_session session; /**< that joined */
    void *session_user;    /**< as given to wsfan_session_open() */
    wsfan_bytes chat;      /**< that it joined */
    /** WSFAN_OK: every live peer acknowledged, so each broadcast issued from now on, anywhere, reaches
     * the session. WSFAN_EPARTIAL: the peers in `missing` had not within join_ms_max, or refuse this
     * node: WSFAN_PEER_REFUSED told why; the others had. What a peer that is down publishes is missing until it
     * is back, which WSFAN_GAP_AWAY tells. Those of another cluster or version, or that do not let this node's
     * key in, are named only where no peer lives. WSFAN_ENOMEM: the interest was not noted; join again. */
    int status;
    const uint64_t *missing; /**< node ids; 0: of one that does not let our key in */
    size_t missing_count;    /**< of `missing` */
    const struct wsfan_recovered *recovered; /**< of a join with WSFAN_HISTORY; else NULL */
} wsfan_joined;

/** Why messages did not arrive. */
typedef enum wsfan_gap_reason {
    /** The peer dropped them: its queue for us was full, lost the oldest, or it began the link anew and
     * gave up what was under way */
    WSFAN_GAP_PEER_QUEUE = 1,
    WSFAN_GAP_LINK = 2,    /**< frames of the peer are missing and cannot be had again */
    WSFAN_GAP_TOO_BIG = 3, /**< the peer has larger limits than this node accepts */
    /** This loop was too slow: its inbox was full, or out of memory. Where 4096 notices wait, further
     * gaps of peers are added to this one, those that nobody counted as 1 */
    WSFAN_GAP_INBOX = 4,
    /** The peer is back: its link had been given up (forget_ms, or WSFAN_SLOW_CUT), or joins ended
     * without it while it was down; or it had a wrong idea of what this node wants. What it published
     * meanwhile may be missing, nobody counted it */
    WSFAN_GAP_AWAY = 5
} wsfan_gap_reason;

/** Messages that did not arrive. It is not known which chats they were for: tell every member of a
 * chat that it may have missed something. */
typedef struct wsfan_gap {
    uint64_t node;           /**< the publisher's node id; this node's own for WSFAN_GAP_INBOX */
    const char *name;        /**< its name */
    uint64_t count;          /**< messages; 0: unknown (WSFAN_GAP_AWAY) */
    wsfan_gap_reason reason; /**< why */
} wsfan_gap;

/** The text of a gap's reason, a constant; "unknown reason" for any other number. [any] */
WSFAN_API const char *wsfan_gap_reason_text(wsfan_gap_reason reason);

/** What became of one message, for a publisher that asked (wsfan_publish_options.result_loop). A peer
 * has acknowledged when it has put the message into the inboxes of its loops. */
typedef struct wsfan_result {
    void *result_user;   /**< as given to wsfan_publish() */
    wsfan_message_id id; /**< of the message */
    /** WSFAN_OK: every loop and peer that it was for has it, and no node refuses this one.
     * WSFAN_EPARTIAL: some have not, see below */
    int status;
    uint32_t loops;              /**< of this node that it was for */
    uint32_t loops_lost;         /**< of these, had no room in the inbox */
    uint32_t loops_behind;       /**< have not dispatched it after result_ms_max */
    uint64_t sessions;           /**< that got it on this node */
    uint32_t peers;              /**< that it was for */
    uint32_t peers_acknowledged; /**< of these, have it */
    uint32_t peers_behind;   /**< have not acknowledged after result_ms_max; they may yet get it */
    uint32_t peers_lost;     /**< do not get it: dropped from their queue, or they are gone */
    const uint64_t *missing; /**< node ids of the peers refusing, behind and lost */
    size_t missing_count;    /**< of `missing` */
    /** Nodes that it may have been for and that refused this node in the last 3 * down_ms
     * (WSFAN_PEER_REFUSED): as an older one of its name, as one too many; where no peer lives, also of
     * another cluster or version, or for its key (0 in `missing`). At most 255, not in `peers`. */
    uint32_t peers_refusing;
} wsfan_result;

/** All callbacks may be NULL. They may open, close, join and leave sessions, publish, and ask. */
typedef struct wsfan_callbacks {
    size_t struct_size; /**< sizeof(wsfan_callbacks) */

    /** A message for sessions of this loop: once per message, with every session that it is for, each
     * once. recipients is valid until the callback returns; a session that the callback itself closes
     * stays in the array. */
    void (*on_message)(void *loop_user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t recipients_count);

    /** Once for every wsfan_session_join(), or wsfan_session_join_with(), that returned WSFAN_OK, unless the session
     * leaves or closes before. */
    void (*on_joined)(void *loop_user, const wsfan_joined *joined);

    /** A peer's state changed. Each loop of the node is told; one that opens later is first told of the
     * peers that are known then. */
    void (*on_peer)(void *loop_user, const wsfan_peer *peer);

    /** Messages are missing. Each loop is told of a peer's gap, only the loop itself of its own. */
    void (*on_gap)(void *loop_user, const wsfan_gap *gap);

    /** Once for every publish that named this loop as result_loop and returned WSFAN_OK, within
     * result_ms_max of leaving the publish queue; not any more when the loop is closed. */
    void (*on_result)(void *loop_user, const wsfan_result *result);

    /** The owner of a chat with sessions on this loop changed, as far as this node knows. A chat is
     * named once for each such change, or not at all if another change has undone it meanwhile. */
    void (*on_owner)(void *loop_user, const wsfan_moved *moved);

    /** A drain wants these sessions to go, at most 64 at a time; each session is named once. Close them
     * soon: tell the client to come back, and wsfan_session_close(). */
    void (*on_drain)(void *loop_user, const wsfan_recipient *sessions, size_t count);

    /** A drain is over. WSFAN_OK: no session is left, and every live peer has all there was. Else, when
     * its time has passed: WSFAN_EPARTIAL. */
    void (*on_drained)(void *loop_user, int status);

    /** A session was made to leave a chat. When one was made to join, on_joined tells. */
    void (*on_left)(void *loop_user, const wsfan_left *left);

    /** The connection is yours: close it, and wsfan_session_close() the session, now or later. NULL:
     * this host cannot be asked to, and says so (WSFAN_ENOTSUP). */
    void (*on_close)(void *loop_user, const wsfan_close *close);

    /** A message for this node; one of its loops gets them all: the first, as long as it is open. Answer it
     * by wsfan_node_reply(), now or later. NULL: the sender is told WSFAN_ENOTSUP. */
    void (*on_request)(void *loop_user, const wsfan_request *request);

    /** Once for every request that named this loop as reply_loop and returned WSFAN_OK, within its time
     * limit from leaving the publish queue; not any more when the loop is closed. */
    void (*on_reply)(void *loop_user, const wsfan_reply *reply);

    /** Who comes, changes and goes in a chat, on all nodes. Told to each loop while it has a session in
     * the chat that joined with WSFAN_PRESENCE; first, of everyone who is there, once for the loop: a
     * session that joins later is shown the changes from then on: wsfan_chat_members() lists the others.
     * When the last such session leaves nothing more is told, not even that the others leave. */
    void (*on_presence)(void *loop_user, const wsfan_presence *presence);

    /** What changed in the mesh, and why, in words to log; of all loops set it for one. First what holds. */
    void (*on_event)(void *loop_user, const wsfan_event *event);
} wsfan_callbacks;

/** Opens a loop.
 *
 * @param loop receives the loop; the caller closes it with wsfan_loop_close() before the node.
 * @param callbacks copied; not NULL.
 * @param loop_user passed to every callback; may be NULL.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ELIMIT (loops_count_max), WSFAN_ECLOSED (the node drains),
 * WSFAN_ESYSTEM, WSFAN_ENOMEM, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_loop_open(wsfan_loop **loop, wsfan_node *node, const wsfan_callbacks *callbacks,
                              void *loop_user);

/** Closes the loop and its sessions. No callback runs any more. NULL is allowed.
 * @return WSFAN_OK, or WSFAN_EINVAL (in a callback), WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_loop_close(wsfan_loop *loop);

/** A descriptor that is readable while wsfan_loop_dispatch() has work, at times none that calls back: add it,
 * level-triggered, to your event loop. Owned by the loop: do not read or close it.
 * @return it, or WSFAN_EINVAL (NULL), WSFAN_EFORK. [any] */
WSFAN_API int wsfan_loop_fd(const wsfan_loop *loop);

/** Runs the callbacks that are due. The only place where callbacks run.
 *
 * @param max how many messages and notices to handle at most, 0 for all that are there now. With work
 * left, wsfan_loop_fd() stays readable.
 * @return how many were handled, or WSFAN_EINVAL (NULL, or in a callback), WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_loop_dispatch(wsfan_loop *loop, uint32_t max);

/* ------------------------------------------------------------------------------------ session */

/** Opens a session.
 *
 * @param session receives the handle.
 * @param user 0..name_bytes_max bytes; empty: a session without a user.
 * @param session_user your pointer, handed back with each recipient; may be NULL.
 * @return WSFAN_OK, or WSFAN_EINVAL (also where options.publisher_only is set),
 * WSFAN_ETOOBIG (user), WSFAN_ELIMIT (sessions_count_max, chats_count_max), WSFAN_ECLOSED (the node
 * drains), WSFAN_ENOMEM, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_session_open(wsfan_session *session, wsfan_loop *loop, wsfan_bytes user,
                                 void *session_user);

/** Closes a session; it leaves its chats, in time proportional to their number. No callback names
 * it any more.
 * @return WSFAN_OK, or WSFAN_EINVAL (of another loop), WSFAN_ESTALE, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_session_close(wsfan_loop *loop, wsfan_session session);

/** Makes the session a member of a chat. From now on it may get the chat's messages (with
 * WSFAN_HISTORY from on_joined on); on_joined says when it gets all.
 * @param chat 1..name_bytes_max bytes, any bytes.
 * @return WSFAN_OK, or WSFAN_EINVAL (empty name, a session of another loop), WSFAN_ETOOBIG,
 * WSFAN_EEXIST, WSFAN_ESTALE, WSFAN_ELIMIT (chats_per_session_count_max, chats_count_max),
 * WSFAN_ECLOSED (the node drains), WSFAN_ENOMEM, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_session_join(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat);

/** Ends a membership. No message of the chat reaches the session after this returns, except one
 * that is also for its user or another of its chats.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ENOENT, WSFAN_ESTALE, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_session_leave(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat);

/** The session's cluster-wide address, for wsfan_publish_options.except and targets. [any] */
WSFAN_API wsfan_address wsfan_session_address(const wsfan_loop *loop, wsfan_session session);

/* ------------------------------------------------------------------------------------ publish */

/** A WebSocket binary message. Without it: text; the library does not check UTF-8. */
#define WSFAN_BINARY 1u

/** How a message is published. {0} but for struct_size is what NULL means. */
typedef struct wsfan_publish_options {
    size_t struct_size; /**< sizeof(wsfan_publish_options) */
    uint32_t flags;     /**< 0, or of WSFAN_BINARY and WSFAN_FLEETING */
    /** This session gets nothing, wherever it is; {0, 0}: nobody is left out. A node's is WSFAN_EINVAL */
    wsfan_address except;
    /** Of this node, open: its on_result tells what became of the message; NULL: do not ask, which costs
     * nothing */
    wsfan_loop *result_loop;
    void *result_user; /**< handed back with the result */
    /** Not empty: a latest value, such as a cursor's place. A key is one of its targets, in their order:
     * with others it is another key. Where the newest value of this node with the key still waits in a
     * peer's queue or a loop's inbox, this one takes its place, which is counted as WSFAN_DROP_REPLACED
     * and is no gap; unless it leaves out a session that the other does not (`except`), or is larger
     * than there is room for: then both wait. So it may overtake messages of other keys or none, and
     * never one of its own. Keys are compared by 64-bit hashes. At most name_bytes_max; not with a
     * result_loop. */
    wsfan_bytes key;
} wsfan_publish_options;

/** Sends a payload to every session in a chat, on every node.
 * @return as wsfan_publish() with one WSFAN_CHAT target. [any] */
WSFAN_API int wsfan_broadcast(wsfan_node *node, wsfan_bytes chat, wsfan_bytes payload,
                              const wsfan_publish_options *options);

/** Sends a payload to every session of the cluster.
 * @return as wsfan_publish() with one WSFAN_ALL target. [any] */
WSFAN_API int wsfan_broadcast_all(wsfan_node *node, wsfan_bytes payload,
                                  const wsfan_publish_options *options);

/** Sends a payload to the sessions that any of the targets names and none of the WSFAN_NOT_ kind
 * does, to each once. What one thread publishes arrives in that order. Allocates once, twice with a
 * result_loop.
 *
 * @param targets 1..targets_count_max, at least one of them not WSFAN_NOT_.
 * @param payload 0..payload_bytes_max bytes.
 * @param options may be NULL: text, nobody left out.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_ELIMIT (targets_count_max,
 * results_count_max), WSFAN_EAGAIN (nothing was queued), WSFAN_ECLOSED (at the end of a drain),
 * WSFAN_ENOMEM, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_publish(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                            wsfan_bytes payload, const wsfan_publish_options *options);

/* ------------------------------------------------------------------------------------ message */

/** Takes a reference. Returns the message. [any] */
WSFAN_API wsfan_message *wsfan_message_ref(wsfan_message *message);

/** Gives a reference back; the last one frees the message. [any] */
WSFAN_API void wsfan_message_unref(wsfan_message *message);

/** The payload; valid while you hold a reference. [any] */
WSFAN_API wsfan_bytes wsfan_message_payload(const wsfan_message *message);

/** 0, or of WSFAN_BINARY, WSFAN_FLEETING and WSFAN_REPLAYED. [any] */
WSFAN_API uint32_t wsfan_message_flags(const wsfan_message *message);

/** The message's id. [any] */
WSFAN_API wsfan_message_id wsfan_message_get_id(const wsfan_message *message);

/** How many targets the publisher named, at least one. [any] */
WSFAN_API size_t wsfan_message_targets_count(const wsfan_message *message);

/** Target i of wsfan_message_targets_count(). Its name is valid while you hold a reference. [any] */
WSFAN_API wsfan_target wsfan_message_target(const wsfan_message *message, size_t i);

/** The last `size` bytes before the payload, to write a frame header into, so that header and
 * payload leave as one buffer, for every recipient the same. Its bytes are this loop's own: where
 * two loops get a message of a node with headroom, or a loop one that peers are still being sent,
 * there is a copy. Write them once, before the message is handed to anyone else.
 * @return them; NULL where size is above headroom_bytes. [loop] */
WSFAN_API void *wsfan_message_headroom(wsfan_message *message, size_t size);

#ifdef __cplusplus
}
#endif
#include <wsfan/diagnosis.h> /* includes wsfan/peers.h */
#include <wsfan/history.h>   /* includes wsfan/presence.h */
#include <wsfan/placement.h>
#include <wsfan/registry.h>
#include <wsfan/requests.h>
#include <wsfan/stats.h>
#endif
