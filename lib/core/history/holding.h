/* HOLD: what nodes ask each other to hold, and say that they do. */
#ifndef WSF_CORE_HISTORY_HOLDING_H
#define WSF_CORE_HISTORY_HOLDING_H

#include "core/part.h"

extern const wsf_part wsf_holding_part;

void wsf_holding_destroy(wsf_core *core);

/* Answers peers whose chats are whole. While core->holding.more, there is more to do. */
void wsf_holding_tick(wsf_core *core, wsf_now now);

#endif
