/* Chats whose messages this node keeps. */
#ifndef WSF_CORE_ROUTING_KEEPING_H
#define WSF_CORE_ROUTING_KEEPING_H

#include "core/state.h"

void wsf_keeping_init(wsf_core *core);
void wsf_keeping_destroy(wsf_core *core);

/* A loop that is interested in a chat has sessions that joined it with history, or has none any more. Said again, it
 * changes nothing. */
void wsf_keeping_add_loop(wsf_core *core, uint64_t hash, unsigned loop);
void wsf_keeping_remove_loop(wsf_core *core, uint64_t hash, unsigned loop, wsf_now now);
void wsf_keeping_forget_loop(wsf_core *core, unsigned loop, wsf_now now);

/* A message or a run that is for WSF_LOOP_ARCHIVE. Borrowed. */
void wsf_keeping_take(wsf_core *core, const wsfan_message *message, wsf_now now);

void wsf_keeping_tick(wsf_core *core, wsf_now now);
uint64_t wsf_keeping_deadline(const wsf_core *core); /* UINT64_MAX: none */

void wsf_keeping_counts(const wsf_core *core, wsf_history_counts *counts);

#endif
