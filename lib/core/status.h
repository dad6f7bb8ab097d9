/* The status of this node and of its peers, and so which of them may own chats. */
#ifndef WSF_CORE_STATUS_H
#define WSF_CORE_STATUS_H

#include "core/part.h"

extern const wsf_part wsf_status_part;

void wsf_status_init(wsf_core *core, wsf_now now);
/* The peer is dropped. */
void wsf_status_forget(wsf_core *core, wsf_peer *peer);

wsf_status wsf_status_own(const wsf_core *core);

/* Something else of it has changed that peers are to be told. */
void wsf_status_tell(wsf_core *core);

void wsf_status_drain(wsf_core *core, uint32_t ms_max, wsf_now now);

/* Everything that this node will ever publish has been published. */
void wsf_status_quiet(wsf_core *core);

int wsf_status_readiness(const wsf_core *core, wsf_now now);

/* Becomes ready, goes on with a drain, tells of a new view. */
void wsf_status_tick(wsf_core *core, wsf_now now);

/* Ends a drain when everything is acknowledged. */
void wsf_status_finish(wsf_core *core, bool acknowledged, wsf_now now);
uint64_t wsf_status_deadline(const wsf_core *core);

#endif
