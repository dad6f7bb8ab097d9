/* Answers for who gets a message: those that want one of its targets, and the peers of which we do
 * not know yet what they want. */
#include "route.h"

void wsf_route_find(const wsf_core *core, const wsfan_message *message, uint64_t *loops,
                    uint64_t *peers) {
    *loops = 0;
    *peers = core->linked & ~core->complete;
    for (uint32_t i = 0; i < message->targets_count; i++) {
        uint64_t more_loops = UINT64_MAX;
        uint64_t more_peers = UINT64_MAX;
        if (message->targets[i].kind != WSFAN_ALL)
            wsf_interest_find(&core->interest, message->targets[i].hash, &more_loops, &more_peers);
        else
            more_peers &= ~core->publishers; /* they have no session that it could be for */
        *loops |= more_loops;
        *peers |= more_peers;
    }
    *loops &= core->loops;
    *peers &= core->linked;
}

void wsf_route_deliver(wsf_core *core, wsfan_message *message, uint64_t loops) {
    for (unsigned loop = 0; loops != 0; loop++, loops >>= 1) {
        if ((loops & 1) == 0)
            continue;
        if (message->receipt != NULL)
            atomic_fetch_add(&message->receipt->loops_left, 1);
        bool taken = core->effects.deliver(core->effects.user, loop, message);
        if (taken)
            core->stats.delivered++;
        else
            wsf_core_count_drop(core, WSFAN_DROP_INBOX, 1);
        if (message->receipt == NULL)
            continue;
        message->receipt->result.loops++;
        if (!taken) {
            message->receipt->result.loops_lost++;
            wsf_receipt_loop_done(message->receipt, 0);
        }
    }
}
