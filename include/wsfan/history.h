/** @file history.h
 * History: a session that comes back, on any node, gets what it missed, or is told why not.
 *
 * The nodes keep the newest messages of chats in memory, within limits (wsfan_options.history_ms and those after
 * it); nothing is stored elsewhere. A client holds a *position*, a text that says how far it has seen a chat,
 * and hands it in when it joins again. What is promised then, and what is not, docs/guarantees.md says word by
 * word.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_HISTORY_H
#define WSFAN_HISTORY_H

#include <wsfan/presence.h>
#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A flag of wsfan_join_options: the nodes keep the chat's messages from now on, until history_ms after the last
 * session that joined so has left. on_joined says by wsfan_joined.recovered what became of the position. Until then the
 * session gets no message of the chat, its own neither. */
#define WSFAN_HISTORY 2u

/** A flag of wsfan_publish_options: the message is not kept, such as a mark that somebody types. Recipients see it by
 * wsfan_message_flags(), unless their node is of a version without history. */
#define WSFAN_FLEETING 2u

/** In wsfan_message_flags(): the message is replayed from history, to one session. */
#define WSFAN_REPLAYED 4u

/** What became of a position. After all but WSFAN_RECOVERY_NONE and WSFAN_RECOVERY_WHOLE the client may have missed
 * messages, and nothing was replayed by its position: load what you show anew. */
typedef enum wsfan_recovery {
    WSFAN_RECOVERY_NONE = 0, /**< no position was handed in */
    /** Recovered: with what is replayed and what follows, nothing is missing. */
    WSFAN_RECOVERY_WHOLE = 1,
    /** Some of it is older than what is kept, or there was no room for it. */
    WSFAN_RECOVERY_OLD = 2,
    WSFAN_RECOVERY_UNKEPT = 3, /**< no node that was asked, at most three, kept the chat so long */
    /** All nodes were restarted since; or clusters that had begun apart have met, and the position is of the one that
     * began later. */
    WSFAN_RECOVERY_EPOCH = 4,
    WSFAN_RECOVERY_GAP = 5,      /**< messages are missing where they were kept, see on_gap */
    WSFAN_RECOVERY_SILENT = 6,   /**< nodes that have it did not answer within recover_ms_max */
    WSFAN_RECOVERY_BUSY = 7,     /**< too many at a time, or no room in the loop's inbox */
    WSFAN_RECOVERY_POSITION = 8, /**< not a position of this chat, sealed with history_key; where
                                  nodes have different ones, all of other nodes are not */
    WSFAN_RECOVERY_CLOCK = 9,    /**< the clocks of nodes are more than a minute apart */
    WSFAN_RECOVERY_MIXED = 10,   /**< a peer that is up knows no history */
    WSFAN_RECOVERY_OFF = 11      /**< history_ms is 0 here */
} wsfan_recovery;

/** The word of a recovery, a constant such as "whole"; "unknown" for any other number. [any] */
WSFAN_API const char *wsfan_recovery_text(wsfan_recovery recovery);

/** What on_joined says of a join with WSFAN_HISTORY. on_message follows replayed_count times for this session alone, with
 * WSFAN_REPLAYED, in the order of the ids, unless the session leaves or closes before, or on_gap tells that memory ran out;
 * then the session gets what is new. */
typedef struct wsfan_recovered {
    wsfan_recovery recovery; /**< what became of the position */
    uint32_t
        replayed_count; /**< messages that follow; with another verdict than WHOLE by rewind_count */
} wsfan_recovered;

/** Bytes that the text of a position takes at most, with the NUL. */
#define WSFAN_POSITION_TEXT_SIZE 1280

/** How far the sessions of this loop have seen a chat, as a text for clients: base64url, some 40 to 70 characters while
 * few nodes publish, 1279 at most. Sealed with history_key and bound to the chat; not to a user, as one text is true of all sessions of
 * the loop in the chat, so that it may go into one frame for all.
 *
 * In on_message it is the position after that message; in on_joined with WSFAN_HISTORY that before what is replayed;
 * in on_message of a replayed message that of this session after it. Put it into what carries the payload to
 * the client: a client whose connection ends between the two gets the message again. A message for which none can be told
 * goes without; who comes back with the position before it may get it again, so clients drop what has an id that they have. A
 * client keeps the newest position. It may hand in two,
 * with a space between: that of its join (after the last replayed message) and the newest. The first is its own, and may
 * say more of a node that has ended since than the newest, which is what all sessions of the loop have seen.
 *
 * It is asked for by chat, whatever the message is: one to several chats has one in each; one to a user, or one with
 * WSFAN_FLEETING, leaves it as it was.
 *
 * It is not that of a session whose on_joined is yet to come, which may get messages to its user or to all before.
 *
 * None can be told before the node is ready, in the first moments of a chat, while last messages are replayed without a
 * position and more of them follow, while a peer that is up knows no history, and while more than 65,536 publishers of
 * chats are ahead of the slowest peer or more than 66 nodes behind it.
 *
 * @param text receives it; on an error nothing of use.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ETOOBIG, WSFAN_ENOENT (no session of this loop joined the chat with
 * WSFAN_HISTORY), WSFAN_EAGAIN (none can be told just now; the one before stays good), WSFAN_ENOTSUP (history_ms is 0),
 * WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_chat_position(wsfan_loop *loop, wsfan_bytes chat,
                                  char text[WSFAN_POSITION_TEXT_SIZE]);

#ifdef __cplusplus
}
#endif
#endif
