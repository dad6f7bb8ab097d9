#include "message/receipt.h"

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
    receipt->result.missing = receipt->missing;
    return receipt;
}

wsf_receipt *wsf_receipt_ref(wsf_receipt *receipt) {
    if (receipt != NULL)
        atomic_fetch_add_explicit(&receipt->refs, 1, memory_order_relaxed);
    return receipt;
}

void wsf_receipt_unref(wsf_receipt *receipt) {
    if (receipt != NULL && atomic_fetch_sub_explicit(&receipt->refs, 1, memory_order_acq_rel) == 1)
        wsf_free(receipt);
}

bool wsf_receipt_loop_done(wsf_receipt *receipt, uint64_t sessions) {
    atomic_fetch_add_explicit(&receipt->sessions, sessions, memory_order_relaxed);
    return atomic_fetch_sub_explicit(&receipt->loops_left, 1, memory_order_acq_rel) == 1;
}
