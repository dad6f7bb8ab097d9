/** @file registry.h
 * What a loop knows of its own sessions, so that its host needs no tables beside it. Each function asks
 * nobody and allocates nothing.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_REGISTRY_H
#define WSFAN_REGISTRY_H

#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The sessions of this loop in a chat or of a user, in no particular order, in time proportional to how many
 * are copied. Those of other loops and nodes: wsfan_list_sessions().
 *
 * @param target of the kind WSFAN_CHAT, WSFAN_USER or WSFAN_ALL.
 * @param sessions receives at most capacity sessions; may be NULL when capacity is 0.
 * @param count receives how many there are, which may be more.
 * @return WSFAN_OK, or WSFAN_EINVAL (a NULL, an empty name, another kind), WSFAN_ETOOBIG, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_loop_get_sessions(wsfan_loop *loop, const wsfan_target *target,
                                      wsfan_recipient *sessions, size_t capacity, size_t *count);

/** Whether a session is a member of a chat: from wsfan_session_join() on, which is before on_joined, in time
 * proportional to the session's chats at most.
 * @return WSFAN_OK where it is, WSFAN_ENOENT where it is not, or WSFAN_EINVAL (an empty name, a session of
 * another loop), WSFAN_ETOOBIG, WSFAN_ESTALE, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_session_is_in(wsfan_loop *loop, wsfan_session session, wsfan_bytes chat);

/** The host's pointer of a session.
 *
 * @param session_user receives what wsfan_session_open() was given.
 * @return WSFAN_OK, or WSFAN_EINVAL (a NULL, a session of another loop), WSFAN_ESTALE, WSFAN_EFORK. [loop] */
WSFAN_API int wsfan_session_get_pointer(wsfan_loop *loop, wsfan_session session,
                                        void **session_user);

#ifdef __cplusplus
}
#endif
#endif
