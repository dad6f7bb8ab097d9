/* Receipts that are under way: what became of messages whose publisher asked. */
#ifndef WSF_RESULTS_H
#define WSF_RESULTS_H

#include "state.h"

/* Takes a reference; the receipt's message has just been routed. */
void wsf_results_add(wsf_core *core, wsf_receipt *receipt, wsf_now now);

/* Every loop has dispatched this one. */
void wsf_results_loops_done(wsf_core *core, wsf_receipt *receipt);

/* What this peer has not acknowledged, and (queued, too) what still waits for it, is lost. */
void wsf_results_lose(wsf_core *core, const wsf_peer *peer, bool queued_too);

/* Hands back those that are decided or due. */
void wsf_results_tick(wsf_core *core, wsf_now now);
uint64_t wsf_results_deadline(const wsf_core *core); /* UINT64_MAX: none */

/* Hands back all of them as they stand. */
void wsf_results_end(wsf_core *core);

#endif
