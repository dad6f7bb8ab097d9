/* Answers for when a join is complete, and for what it says of peers that do not know of it.
 *
 * A round asks one peer at most: the one that the first ticket was seen to wait for. Only when that has acknowledged, all are
 * asked, once for all tickets. */
#include "core/barrier.h"

#include "base/memory.h"
#include "core/dialer.h"
#include "core/witness.h"

static wsf_ticket *first_ticket(const wsf_core *core) {
    return (wsf_ticket *)core->join.head;
}

void wsf_barrier_add(wsf_core *core, wsf_ticket *ticket) {
    ticket->item.next = NULL;
    if (core->join.tail != NULL)
        core->join.tail->next = &ticket->item;
    else
        core->join.head = &ticket->item;
    core->join.tail = &ticket->item;
    core->join.count++;
}

static void hand_back_first(wsf_core *core, int status) {
    wsf_ticket *ticket = first_ticket(core);
    core->join.head = ticket->item.next;
    if (core->join.head == NULL)
        core->join.tail = NULL;
    core->join.count--;
    ticket->status = (int8_t)status;
    core->effects.joined(core->effects.user, ticket);
}

/* A join need not wait for a quiet peer: it publishes nothing more that the session could miss. */
static bool is_quiet(const wsf_peer *peer) {
    return (peer->status.flags & WSF_STATUS_QUIET) != 0;
}

static bool is_waited_for(const wsf_peer *peer) {
    return wsf_peer_live(peer) && !is_quiet(peer);
}

/* The ticket does not wait for silent peers any more. */
static bool is_impatient(const wsf_core *core, const wsf_ticket *ticket, wsf_now now) {
    uint32_t more_ms = core->config.join_ms_max - core->config.join_silent_ms;
    return now.ms + more_ms >= ticket->deadline_ms;
}

static bool acknowledged(const wsf_peer *peer, uint64_t serial) {
    return !is_waited_for(peer) || peer->subscription.serial_acked >= serial;
}

typedef struct {
    uint64_t all; /* all peers that are waited for know the log up to here, */
    uint64_t up;  /* and those of them that are not silent */
} known;

static known ask_all(wsf_core *core) {
    known k = { UINT64_MAX, UINT64_MAX };
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;) {
        uint64_t serial = peer->subscription.serial_acked;
        if (peer->state != WSFAN_PEER_SILENT && !acknowledged(peer, k.up))
            k.up = serial;
        if (acknowledged(peer, k.all))
            continue;
        k.all = serial;
        core->join.last = wsf_peer_index(core, peer);
    }
    return k;
}

/* Whether the first ticket waits for the peer that was seen to be the last one. */
static bool waits_for_last(const wsf_core *core, wsf_now now) {
    const wsf_peer *last = &core->peers[core->join.last];
    const wsf_ticket *first = first_ticket(core);
    return wsf_peers_has(core->linked, core->join.last) && !acknowledged(last, first->serial) &&
           (last->state != WSFAN_PEER_SILENT || !is_impatient(core, first, now));
}

/* A join neither waits for a peer that is down nor names it as missing. That peer may have published
 * meanwhile what the session should have got: by serial_skipped take_acknowledgement() in receiver.c knows of
 * the gap. */
static void note_skipped(wsf_core *core, uint64_t serial) {
    wsf_peers linked = core->linked;
    for (wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;) {
        if (!wsf_peer_live(peer) && !is_quiet(peer) && peer->subscription.serial_acked < serial &&
            peer->subscription.serial_skipped < serial) {
            peer->subscription.serial_skipped = serial;
            wsf_witness_skip(peer, serial);
        }
    }
}

/* Lists the peers that have not acknowledged, then the nodes that refuse this one; WSF_PEERS_MAX at most.
 * Out of memory leaves the list empty: the ticket's status still says that some node is missing. */
static void name_missing(const wsf_core *core, wsf_ticket *ticket, const uint64_t *refusers,
                         uint32_t refusers_count) {
    uint32_t count_max = wsf_peers_count(core->linked) + refusers_count;
    count_max = count_max < WSF_PEERS_MAX ? count_max : WSF_PEERS_MAX;
    ticket->missing = wsf_alloc((count_max + 1) * sizeof *ticket->missing);
    if (ticket->missing == NULL)
        return;
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;)
        if (!acknowledged(peer, ticket->serial))
            ticket->missing[ticket->missing_count++] = peer->node;
    for (uint32_t i = 0; i < refusers_count && ticket->missing_count < count_max; i++)
        ticket->missing[ticket->missing_count++] = refusers[i];
}

/* Tickets are handed back in order. Serials may step back (an audience that another loop announced before),
 * so the first ticket may hold back a later one that has passed, until its own deadline. */
void wsf_barrier_tick(wsf_core *core, wsf_now now) {
    if (core->join.head == NULL ||
        (now.ms < first_ticket(core)->deadline_ms && waits_for_last(core, now)))
        return;
    uint64_t refusers[WSF_PEERS_MAX];
    uint32_t count = wsf_dialer_refusers(core, now, refusers);
    known k = ask_all(core);
    uint64_t newest = 0;
    for (wsf_ticket *ticket; (ticket = first_ticket(core)) != NULL;) {
        bool passed = ticket->serial <= k.all;
        bool over = now.ms >= ticket->deadline_ms ||
                    (ticket->serial <= k.up && is_impatient(core, ticket, now));
        if (!passed && !over)
            break;
        newest = ticket->serial > newest ? ticket->serial : newest;
        wsf_histogram_add(&core->join.took,
                          now.ms - (ticket->deadline_ms - core->config.join_ms_max), 1);
        if (!passed || count > 0)
            name_missing(core, ticket, refusers, count);
        hand_back_first(core, passed && count == 0 ? WSFAN_OK : WSFAN_EPARTIAL);
    }
    if (newest > 0)
        note_skipped(core, newest);
}

uint64_t wsf_barrier_deadline(const wsf_core *core) {
    if (core->join.head == NULL)
        return UINT64_MAX;
    uint64_t at = first_ticket(core)->deadline_ms;
    uint64_t silent_at = at - (core->config.join_ms_max - core->config.join_silent_ms);
    return silent_at > core->now_ms ? silent_at : at;
}

void wsf_barrier_forget_loop(wsf_core *core, unsigned loop) {
    wsf_item *item = core->join.head;
    core->join.head = core->join.tail = NULL;
    core->join.count = 0;
    while (item != NULL) {
        wsf_ticket *ticket = (wsf_ticket *)item;
        item = item->next;
        if (ticket->loop != loop) {
            wsf_barrier_add(core, ticket);
            continue;
        }
        ticket->status = WSFAN_ECLOSED;
        core->effects.joined(core->effects.user, ticket);
    }
}

void wsf_barrier_end(wsf_core *core) {
    while (core->join.head != NULL)
        hand_back_first(core, WSFAN_ECLOSED);
}
