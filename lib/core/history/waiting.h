/* Recoveries that are not decided: each stands in the line of what it waits for, and in one of all, by deadline. */
#ifndef WSF_CORE_HISTORY_WAITING_H
#define WSF_CORE_HISTORY_WAITING_H

#include "core/state.h"

/* A recovery whose deadline is set, and is not before that of another one, is to be looked at. */
void wsf_waiting_add(wsf_core *core, wsf_recovery *recovery);
void wsf_waiting_remove(wsf_core *core, wsf_recovery *recovery);

/* It waits for something else now. chat: its number in the archive, for WSF_WAITS_FOR_CHAT. */
void wsf_waiting_set(wsf_core *core, wsf_recovery *recovery, wsf_waits_for what, uint32_t chat);

/* Those that wait for peers, or for a chat (by its number), are to be looked at. */
void wsf_waiting_wake_marked(wsf_core *core);
void wsf_waiting_wake_chat(wsf_core *core, uint32_t chat);

#endif
