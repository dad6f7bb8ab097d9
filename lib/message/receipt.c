#include "message/receipt.h"

#include <string.h>

#include "base/memory.h"

wsf_receipt *wsf_receipt_new(void *inbox, void *user) {
    wsf_receipt *receipt = wsf_alloc_zero(1, sizeof *receipt);
    if (receipt == NULL)
        return NULL;
    atomic_init(&receipt->refs, 1);
    atomic_init(&receipt->loops_left, 1);
    atomic_init(&receipt->sessions, 0);
    receipt->inbox = inbox;
    receipt->result.result_user = user;
    return receipt;
}

wsf_receipt *wsf_receipt_ref(wsf_receipt *receipt) {
    if (receipt != NULL)
        atomic_fetch_add_explicit(&receipt->refs, 1, memory_order_relaxed);
    return receipt;
}

void wsf_receipt_unref(wsf_receipt *receipt) {
    if (receipt != NULL &&
        atomic_fetch_sub_explicit(&receipt->refs, 1, memory_order_acq_rel) == 1) {
        wsf_free(receipt->peers);
        wsf_free(receipt->missing);
        wsf_free(receipt);
    }
}

void wsf_receipt_address(wsf_receipt *receipt, wsf_peers peers, const uint64_t *refusing,
                         uint32_t refusing_count) {
    uint32_t count = wsf_peers_count(peers);
    receipt->addressed = peers;
    receipt->refusing_count = refusing_count;
    if (count + refusing_count == 0)
        return;
    receipt->peers = wsf_alloc_zero(count + 1, sizeof *receipt->peers);
    receipt->missing = wsf_alloc_zero(count + refusing_count, sizeof *receipt->missing);
    if (receipt->peers == NULL)
        receipt->lost = peers;
    if (receipt->missing != NULL && refusing_count > 0)
        memcpy(receipt->missing, refusing, refusing_count * sizeof *refusing);
}

wsf_receipt_peer *wsf_receipt_at(const wsf_receipt *receipt, unsigned peer) {
    if (receipt->peers == NULL)
        return NULL;
    return &receipt->peers[wsf_peers_count_below(receipt->addressed, peer)];
}

bool wsf_receipt_loop_done(wsf_receipt *receipt, uint64_t sessions) {
    atomic_fetch_add_explicit(&receipt->sessions, sessions, memory_order_relaxed);
    return atomic_fetch_sub_explicit(&receipt->loops_left, 1, memory_order_acq_rel) == 1;
}
