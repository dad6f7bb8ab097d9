/* Answers for who gets a message or a request: those that want one of its targets, and for chats and users also
 * the peers of which we do not know yet what they want. */
#include "route.h"

#include "registry.h"

/* The one node that has a session, or is named itself. */
static void find_node(const wsf_core *core, const wsfan_message *message, uint32_t i,
                      uint64_t *loops, uint64_t *peers) {
    uint64_t node = message->targets[i].hash;
    *loops = *peers = 0;
    if (node == core->config.node) {
        wsfan_address address = { 0, 0 };
        wsfan_address_parse(&address, wsfan_message_target(message, i).name);
        *loops = address.session != 0 ? UINT64_C(1) << wsf_registry_loop_of(address.session)
                                      : UINT64_MAX;
        return;
    }
    for (unsigned p = 0; p < core->config.peers_count_max; p++)
        if (core->peers[p].node == node)
            *peers = UINT64_C(1) << p;
}

/* doubtful: peers that may have somebody in any chat, whatever we know. */
static void find(const wsf_core *core, const wsfan_message *message, uint64_t doubtful,
                 uint64_t *loops, uint64_t *peers) {
    uint64_t not_loops = 0;
    uint64_t not_peers = 0;
    *loops = *peers = 0;
    for (uint32_t i = 0; i < message->targets_count; i++) {
        uint64_t more_loops = UINT64_MAX;
        uint64_t more_peers = UINT64_MAX;
        switch (message->targets[i].kind) {
        case WSFAN_ALL:
            break;
        case WSFAN_CHAT:
        case WSFAN_USER:
            wsf_interest_find(&core->interest, message->targets[i].hash, &more_loops, &more_peers);
            more_peers |= doubtful;
            break;
        case WSFAN_SESSION:
        case WSFAN_NODE:
            find_node(core, message, i, &more_loops, &more_peers);
            break;
        case WSFAN_NOT_NODE:
            find_node(core, message, i, &more_loops, &more_peers);
            not_loops |= more_loops;
            not_peers |= more_peers;
            continue;
        default: /* those leave out sessions; whether all of a node's, it must say itself */
            continue;
        }
        *loops |= more_loops;
        *peers |= more_peers;
    }
    *loops &= core->loops & ~not_loops;
    *peers &= ~not_peers;
}

void wsf_route_find(const wsf_core *core, const wsfan_message *message, uint64_t *loops,
                    uint64_t *peers) {
    find(core, message, ~core->complete, loops, peers);
    *peers &= core->linked;
}

void wsf_route_find_known(const wsf_core *core, const wsfan_message *message, uint64_t *loops,
                          uint64_t *peers) {
    uint64_t known = 0;
    uint64_t doubtful = ~core->complete;
    for (unsigned p = 0; p < core->config.peers_count_max; p++) {
        if (core->peers[p].node == 0 || core->peers[p].state == 0)
            continue; /* one that never had a link is none yet */
        known |= UINT64_C(1) << p;
        /* Joins there may have been completed without us. */
        if (core->peers[p].state != WSFAN_PEER_UP)
            doubtful |= UINT64_C(1) << p;
    }
    find(core, message, doubtful, loops, peers);
    *peers &= known;
}

bool wsf_route_acceptable(const wsf_core *core, const wsfan_target *targets, uint32_t targets_count,
                          size_t payload_size) {
    if (payload_size > core->config.payload_bytes_max ||
        targets_count > core->config.targets_count_max)
        return false;
    for (uint32_t i = 0; i < targets_count; i++) {
        wsfan_target_kind kind = wsf_kind_without_not(targets[i].kind);
        if ((kind == WSFAN_CHAT || kind == WSFAN_USER) &&
            targets[i].name.size > core->config.name_bytes_max)
            return false;
    }
    return true;
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
