/* Receipts that are under way: what became of messages whose publisher asked. */
#ifndef WSF_CORE_ROUTING_DELIVERY_H
#define WSF_CORE_ROUTING_DELIVERY_H

#include "core/state.h"

/* Takes a reference; the receipt's message has just been routed. */
void wsf_delivery_add(wsf_core *core, wsf_receipt *receipt, wsf_now now);

/* Every loop has dispatched the receipt's message. */
void wsf_delivery_loops_done(wsf_core *core, wsf_receipt *receipt);

/* Messages that the peer has not acknowledged are lost; with queued_too also those that still wait for it. */
void wsf_delivery_lose(wsf_core *core, const wsf_peer *peer, bool queued_too);

/* Hands back receipts that are decided or due. */
void wsf_delivery_tick(wsf_core *core, wsf_now now);
uint64_t wsf_delivery_deadline(const wsf_core *core); /* UINT64_MAX: none */

/* Hands back all receipts as they stand. */
void wsf_delivery_end(wsf_core *core);

#endif
