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

/* A peer asks this node to hold a chat, or does not any more. The chat is kept for it as for a loop. False: there is no
 * room. A chat that nobody else wants ends at once: the peer has had its time with it. */
bool wsf_keeping_hold(wsf_core *core, uint64_t hash, unsigned peer, bool held);

/* The peer asks for nothing any more, without having said so. What it asked for rests for history_ms. */
void wsf_keeping_lose_peer(wsf_core *core, unsigned peer);

/* The chat is in the line of those whose askers are to be answered, or not. */
void wsf_keeping_set_unanswered(wsf_core *core, uint32_t chat, bool unanswered);

/* A message or a run that is for WSF_LOOP_ARCHIVE. Borrowed. */
void wsf_keeping_take(wsf_core *core, const wsfan_message *message, wsf_now now);

void wsf_keeping_tick(wsf_core *core, wsf_now now);
uint64_t wsf_keeping_deadline(const wsf_core *core); /* UINT64_MAX: none */

void wsf_keeping_counts(const wsf_core *core, wsf_history_counts *counts);

#endif
