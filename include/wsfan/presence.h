/** @file presence.h
 * Presence: who is in a chat, on all nodes.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_PRESENCE_H
#define WSFAN_PRESENCE_H

#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where a member is: on a node that is not down. */
typedef struct wsfan_place {
    uint64_t node;        /**< its id */
    uint32_t sessions;    /**< of this user in this chat on that node */
    wsfan_bytes metadata; /**< of the newest of these sessions */
} wsfan_place;

/** What changed of a member. */
typedef enum wsfan_member_event {
    WSFAN_MEMBER_JOIN = 1,   /**< of its sessions anywhere, the first */
    WSFAN_MEMBER_UPDATE = 2, /**< another number of sessions, another place, other metadata */
    /** It has had no session anywhere for presence_grace_ms; told later where a peer that lives has yet
     * to say who is there: see docs/guarantees.md */
    WSFAN_MEMBER_LEAVE = 3
} wsfan_member_event;

/** The text of a member's event, a constant word such as "join"; "unknown" for any other number.
 * [any] */
WSFAN_API const char *wsfan_member_event_text(wsfan_member_event event);

/** A member of a chat. */
typedef struct wsfan_member {
    wsfan_member_event event; /**< what changed */
    wsfan_bytes user;         /**< its name */
    /** Of this user in this chat, on all nodes; 0: it is within its grace time, or has left */
    uint64_t sessions;
    const wsfan_place *places; /**< each node once */
    size_t places_count;       /**< of `places` */
} wsfan_member;

/** A flag of wsfan_presence: forget what you were told of the chat before. */
#define WSFAN_PRESENCE_ANEW 1u

/** A flag of wsfan_presence: the chat has more members than presence_members_count_max: only numbers
 * are told, and what was told of its members is not kept up. They are told each 250 ms at most, and less
 * often from 2,500 sessions on: to some 10,000 sessions a second on all nodes, but at least every 10 s. */
#define WSFAN_PRESENCE_LARGE 2u

/** What on_presence tells: news of one chat. Several changes of one member in a short time may be
 * told as one. */
struct wsfan_presence {
    wsfan_bytes chat; /**< its name */
    uint32_t flags;   /**< 0, or of WSFAN_PRESENCE_ANEW and WSFAN_PRESENCE_LARGE */
    /** Of the chat, as far as this node knows; wsfan_chat_get_count() says how far */
    uint64_t sessions;

    uint64_t users;              /**< its members, those within their grace time too */
    const wsfan_member *members; /**< that changed */
    size_t members_count;        /**< of `members` */
    /** This loop's sessions in the chat that joined with WSFAN_PRESENCE: who is to be told */
    const wsfan_recipient *recipients;
    size_t recipients_count; /**< of `recipients`, at least 1 */
};

/** A flag of wsfan_join_options: show who the session is to the other members, and be shown them, see
 * on_presence: the first such session of a loop in the chat is shown everyone, a later one what changes.
 * Counts of a chat are of sessions that joined so. */
#define WSFAN_PRESENCE 1u

/** How a session joins a chat. */
typedef struct wsfan_join_options {
    size_t struct_size; /**< sizeof(wsfan_join_options) */
    uint32_t flags;     /**< 0, or of WSFAN_PRESENCE and WSFAN_HISTORY */
    /** Shown with WSFAN_PRESENCE, without it ignored; at most presence_metadata_bytes_max */
    wsfan_bytes metadata;
    /* These three need WSFAN_HISTORY: */
    /** What wsfan_chat_position() wrote, as the client brings it back, or two such texts with a space between; empty: none.
     * Any bytes: what is wrong with them is no error of the join, but told by on_joined */
    wsfan_bytes position;
    /** Replay so many of the chat's last messages, or as many as there are without a gap, where there is no position or it
     * is of no use [0] */
    uint32_t rewind_count;
    /** The session that this client was before: what left it out is not replayed; {0, 0}: not known */
    wsfan_address former;
} wsfan_join_options;

/** wsfan_session_join() with options; NULL: none. Users are told apart by 64-bit hashes of their names.
 * @return as wsfan_session_join(); WSFAN_EINVAL also for WSFAN_PRESENCE of a session without a user
 * and for what needs WSFAN_HISTORY without it, WSFAN_ETOOBIG also for the metadata, WSFAN_EEXIST also for flags in a
 * chat that was joined without: leave and join again. [loop] */
WSFAN_API int wsfan_session_join_with(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat,
                                      const wsfan_join_options *options);

/** Replaces the metadata of a session that joined the chat with WSFAN_PRESENCE.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ESTALE, WSFAN_ENOENT (it did not), WSFAN_ETOOBIG,
 * WSFAN_ENOMEM, WSFAN_EFORK. Each leaves the metadata as it was. [loop] */
WSFAN_API int wsfan_session_set_metadata(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat,
                                         wsfan_bytes metadata);

/** How many are in a chat. */
typedef struct wsfan_count {
    size_t struct_size; /**< sizeof(wsfan_count), set by the caller; only so much is filled */
    /** In the chat, of those that joined with WSFAN_PRESENCE, on all live nodes */
    uint64_t sessions;
    uint64_t users; /**< distinct, those within their grace time too */
    /** 1: every live peer's part is in it. 0: those named next are not, or not for certain: of peers; of
     * nodes that refuse this one (see wsfan_result.peers_refusing); where this node has no session in the
     * chat, of all peers that have */
    int complete;
    uint32_t
        missing_count; /**< of `missing`; where that is shorter, in a struct of 0.1, as many as fit */
    uint64_t missing[WSFAN_PEERS_MAX]; /**< node ids; this node's own after it ran out of memory */
} wsfan_count;

/** Counts a chat from what this node holds, without asking anybody, in time that does not depend on
 * the chat's size. Waits for a lock as the statistics do.
 *
 * @param chat 1..name_bytes_max bytes.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_chat_get_count(wsfan_node *node, wsfan_bytes chat, wsfan_count *count);

/** Visits members of a chat, those within their grace time too, as far as this node knows them:
 * wsfan_chat_get_count() says how far. In no particular order.
 *
 * @param cursor begins with 0; goes on where the call before stopped; 0 again after the last member.
 * Who comes or goes between two calls may be visited or not; everyone else is, once.
 * @param max how many to visit, at least 1: the mesh waits meanwhile, so not all of a large chat at
 * once.
 * @param each is called within this call and must not call the library, which may wait for itself then, for
 * ever; built without NDEBUG it aborts where it would. event is WSFAN_MEMBER_JOIN.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_chat_members(wsfan_node *node, wsfan_bytes chat, uint64_t *cursor, uint32_t max,
                                 void (*each)(void *user, const wsfan_member *member), void *user);

#ifdef __cplusplus
}
#endif
#endif
