/* Answers for who gets a message: those that want one of its targets, and the peers of which we do
 * not know yet what they want. */
#include "route.h"

static bool is_last(const wsf_last_route *last, const wsfan_message *message,
                    const wsf_message_target *target) {
    return last->hash != 0 && last->name_size == target->name_size && last->kind == target->kind &&
           wsf_same_bytes(last->name, (const uint8_t *)message + target->name_offset,
                          target->name_size);
}

static void find_row(wsf_core *core, wsfan_message *message, wsf_message_target *target,
                     uint64_t *loops, uint64_t *peers) {
    wsf_last_route *last = &core->last_route;
    if (!is_last(last, message, target)) {
        wsfan_target named = wsf_message_target_of(message, target);
        if (target->hash == 0)
            target->hash = wsf_hash_target(&core->key, &named);
        if (named.name.size > sizeof last->name) {
            wsf_interest_find(&core->interest, target->hash, loops, peers);
            return;
        }
        last->hash = target->hash;
        last->name_size = target->name_size;
        last->kind = target->kind;
        memcpy(last->name, named.name.data, named.name.size);
        last->changes = core->interest.changes - 1;
    }
    if (last->changes != core->interest.changes) {
        wsf_interest_find(&core->interest, last->hash, &last->loops, &last->peers);
        last->changes = core->interest.changes;
    }
    target->hash = last->hash;
    *loops = last->loops;
    *peers = last->peers;
}

void wsf_route_find(wsf_core *core, wsfan_message *message, uint64_t *loops, uint64_t *peers) {
    *loops = 0;
    *peers = core->linked & ~core->complete;
    for (uint32_t i = 0; i < message->targets_count; i++) {
        uint64_t more_loops = UINT64_MAX;
        uint64_t more_peers = UINT64_MAX;
        if (message->targets[i].kind != WSFAN_ALL)
            find_row(core, message, &message->targets[i], &more_loops, &more_peers);
        else
            more_peers &= ~core->publishers; /* they have no session that it could be for */
        *loops |= more_loops;
        *peers |= more_peers;
    }
    *loops &= core->loops;
    *peers &= core->linked;
}

static void deliver(wsf_core *core, wsfan_message *message, wsf_receipt *receipt, unsigned loop) {
    if (receipt != NULL) {
        atomic_fetch_add(&receipt->loops_left, 1);
        receipt->result.loops++;
    }
    if (core->effects.deliver(core->effects.user, loop, message)) {
        core->stats.delivered++;
        return;
    }
    wsf_core_count_drop(core, WSFAN_DROP_INBOX, 1);
    if (receipt != NULL) {
        receipt->result.loops_lost++;
        wsf_receipt_loop_done(receipt, 0);
    }
}

void wsf_route_deliver(wsf_core *core, wsfan_message *message, uint64_t loops) {
    wsf_receipt *receipt = message->receipt; /* its publisher holds it */
    if (loops == 0) {
        wsf_message_bin_add(&core->bin, message);
        return;
    }
    for (unsigned loop = 0; loops != 0; loop++, loops >>= 1)
        if ((loops & 1) != 0)
            deliver(core, loops == 1 ? message : wsfan_message_ref(message), receipt, loop);
}
