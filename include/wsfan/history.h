/** @file history.h
 * History: a session that comes back, on any node, gets what it missed, or is told why not.
 *
 * The nodes keep the newest messages of chats in memory, within limits (wsfan_options.history_ms and those after
 * it); nothing is stored elsewhere. A client holds a *position*, a text that says how far it has seen a chat.
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
 * session that joined so has left. Without effect where history_ms is 0. */
#define WSFAN_HISTORY 2u

/** Bytes that the text of a position takes at most, with the NUL. */
#define WSFAN_POSITION_TEXT_SIZE 1280

/** How far the sessions of this loop have seen a chat, as a text for clients: base64url, 42 characters in the usual
 * case, 1279 at most. Sealed with history_key and bound to the chat; not to a user, as one text is true of all sessions of
 * the loop in the chat, so that it may go into one frame for all.
 *
 * In on_message it is the position after that message. A client keeps the newest.
 *
 * None can be told before the node is ready, in the first moments of a chat, while a peer that is up knows no history, and
 * while more than 65,536 publishers of chats are ahead of the slowest peer or more than 66 nodes behind it.
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
