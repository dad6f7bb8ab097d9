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

#ifdef __cplusplus
}
#endif
#endif
