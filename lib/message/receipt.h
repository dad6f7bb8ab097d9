/* What became of one message, for a publisher that asked. Shared by the core, which follows the peers, and
 * the loops, which count sessions; freed with the last reference. */
#ifndef WSF_MESSAGE_RECEIPT_H
#define WSF_MESSAGE_RECEIPT_H

#include <stdatomic.h>
#include <stddef.h>
#include <wsfan/wsfan.h>

#include "base/peers.h"
#include "base/queue.h"

typedef struct {
    uint64_t node;
    uint64_t number; /* of the frame with the message */
} wsf_receipt_peer;

typedef struct wsf_receipt {
    wsf_item item;       /* its place in the inbox of the loop that asked */
    wsf_item loops_item; /* tells the core that every loop has dispatched the message */
    struct wsf_receipt *next;
    atomic_uint refs;
    atomic_uint loops_left; /* that have not dispatched it, plus one while the core adds loops */
    atomic_uint_fast64_t sessions;
    void *inbox; /* a reference, given back with the result */
    uint64_t deadline_ms;

    /* The core's. */
    wsf_peers addressed;
    wsf_peers sent; /* peers whose frame number is in `peers` */
    wsf_peers acknowledged;
    wsf_peers lost;
    wsf_receipt_peer *peers; /* of `addressed`, in order; NULL: none, or no memory */
    bool loops_done;

    uint32_t refusing_count; /* of nodes that refused this one when it was published */

    wsfan_result result;
    uint64_t *missing; /* those that refuse come first; NULL: no memory */
} wsf_receipt;

wsf_receipt *wsf_receipt_new(void *inbox, void *user); /* NULL: out of memory */
wsf_receipt *wsf_receipt_ref(wsf_receipt *receipt);
void wsf_receipt_unref(wsf_receipt *receipt);

/* Whom the message is for, and who refuses this node. Without memory the peers count as lost, and nobody is named. */
void wsf_receipt_address(wsf_receipt *receipt, wsf_peers peers, const uint64_t *refusing,
                         uint32_t refusing_count);

/* What is noted of an addressed peer; NULL: there was no memory for it. */
wsf_receipt_peer *wsf_receipt_at(const wsf_receipt *receipt, unsigned peer);

/* [any] One loop fewer to wait for. True: it was the last; the caller posts loops_item. */
bool wsf_receipt_loop_done(wsf_receipt *receipt, uint64_t sessions);

static inline wsf_receipt *wsf_receipt_of_loops_item(wsf_item *item) {
    return (wsf_receipt *)((char *)item - offsetof(wsf_receipt, loops_item));
}

#endif
