/* Answers for telling each publisher that asked, once and in bounded time, what became of its message.
 * Costs nothing for messages without a receipt. */
#include "core/routing/delivery.h"

/* Peers that have not acknowledged the message, and that may still do so. */
static wsf_peers open_of(const wsf_receipt *receipt) {
    return wsf_peers_difference(wsf_peers_difference(receipt->addressed, receipt->acknowledged),
                                receipt->lost);
}

void wsf_delivery_add(wsf_core *core, wsf_receipt *receipt, wsf_now now) {
    receipt->deadline_ms = now.ms + core->config.result_ms_max;
    receipt->next = NULL;
    wsf_receipt_ref(receipt);
    if (core->delivery.tail != NULL)
        core->delivery.tail->next = receipt;
    else
        core->delivery.head = receipt;
    core->delivery.tail = receipt;
    core->delivery.dirty = true;
    /* loops_left counted the core as one more loop until here, so that it could not reach 0. */
    if (wsf_receipt_loop_done(receipt, 0))
        receipt->loops_done = true;
}

void wsf_delivery_loops_done(wsf_core *core, wsf_receipt *receipt) {
    receipt->loops_done = true;
    core->delivery.dirty = true;
}

void wsf_delivery_lose(wsf_core *core, const wsf_peer *peer, bool queued_too) {
    unsigned index = wsf_peer_index(core, peer);
    for (wsf_receipt *receipt = core->delivery.head; receipt != NULL; receipt = receipt->next)
        if (wsf_peers_has(open_of(receipt), index) &&
            (queued_too || wsf_peers_has(receipt->sent, index)))
            wsf_peers_add(&receipt->lost, index);
    core->delivery.dirty = true;
}

static void look_for_acknowledgements(const wsf_core *core, wsf_receipt *receipt) {
    wsf_peers open = wsf_peers_intersection(open_of(receipt), receipt->sent);
    for (unsigned i; (i = wsf_peers_pop(&open)) < WSF_PEERS_MAX;)
        if (core->peers[i].link.acked >= wsf_receipt_at(receipt, i)->number)
            wsf_peers_add(&receipt->acknowledged, i);
}

static void hand_back(wsf_core *core, wsf_receipt *receipt) {
    wsfan_result *result = &receipt->result;
    wsf_peers behind = open_of(receipt);
    wsf_peers missing = wsf_peers_union(behind, receipt->lost);
    result->sessions = atomic_load(&receipt->sessions);
    result->loops_behind = atomic_load(&receipt->loops_left);
    result->peers = wsf_peers_count(receipt->addressed);
    result->peers_acknowledged = wsf_peers_count(receipt->acknowledged);
    result->peers_behind = wsf_peers_count(behind);
    result->peers_lost = wsf_peers_count(receipt->lost);
    result->peers_refusing = receipt->refusing_count;
    bool all = wsf_peers_is_empty(missing) && receipt->refusing_count == 0;
    bool named = receipt->missing != NULL && receipt->peers != NULL;
    result->missing = receipt->missing;
    result->missing_count = named ? receipt->refusing_count : 0;
    for (unsigned i; named && (i = wsf_peers_pop(&missing)) < WSF_PEERS_MAX;)
        receipt->missing[result->missing_count++] = wsf_receipt_at(receipt, i)->node;
    bool whole = all && result->loops_behind == 0 && result->loops_lost == 0;
    result->status = whole ? WSFAN_OK : WSFAN_EPARTIAL;
    core->effects.result(core->effects.user, receipt);
}

/* Receipts are in order of publishing, so also of deadline. */
void wsf_delivery_tick(wsf_core *core, wsf_now now) {
    if (!core->delivery.dirty && now.ms < wsf_delivery_deadline(core))
        return;
    core->delivery.dirty = false;
    wsf_receipt **link = &core->delivery.head;
    core->delivery.tail = NULL;
    while (*link != NULL) {
        wsf_receipt *receipt = *link;
        look_for_acknowledgements(core, receipt);
        bool settled = wsf_peers_is_empty(open_of(receipt));
        if ((settled && receipt->loops_done) || now.ms >= receipt->deadline_ms) {
            *link = receipt->next;
            hand_back(core, receipt);
        } else {
            core->delivery.tail = receipt;
            link = &receipt->next;
        }
    }
}

uint64_t wsf_delivery_deadline(const wsf_core *core) {
    return core->delivery.head != NULL ? core->delivery.head->deadline_ms : UINT64_MAX;
}

void wsf_delivery_end(wsf_core *core) {
    while (core->delivery.head != NULL) {
        wsf_receipt *receipt = core->delivery.head;
        core->delivery.head = receipt->next;
        hand_back(core, receipt);
    }
    core->delivery.tail = NULL;
}
