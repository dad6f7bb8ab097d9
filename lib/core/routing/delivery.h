/* Receipts that are under way: what became of messages whose publisher asked. */
#ifndef WSF_CORE_ROUTING_DELIVERY_H
#define WSF_CORE_ROUTING_DELIVERY_H

#include "core/state.h"

/* Takes a reference; the receipt's message has just been routed. */
void wsf_delivery_add(wsf_core *core, wsf_receipt *receipt, wsf_now now);

/* Every loop has dispatched this one. */
void wsf_delivery_loops_done(wsf_core *core, wsf_receipt *receipt);

/* What this peer has not acknowledged, and (queued, too) what still waits for it, is lost. */
void wsf_delivery_lose(wsf_core *core, const wsf_peer *peer, bool queued_too);

/* Hands back those that are decided or due. */
void wsf_delivery_tick(wsf_core *core, wsf_now now);
uint64_t wsf_delivery_deadline(const wsf_core *core); /* UINT64_MAX: none */

/* Hands back all of them as they stand. */
void wsf_delivery_end(wsf_core *core);

#endif
