/* Answers for which loops and peers get a message or a request: those that want one of its targets, and
 * for chats and users also the peers whose interest is not completely known. */
#include "core/routing/router.h"

#include "base/handle.h"
#include "core/link/sender.h"
#include "core/routing/keeping.h"

/* The hash of a chat or a user, of a message or of a run. */
static uint64_t hash_of(wsf_core *core, const wsfan_message *message, wsf_message_target *target) {
    if (target->hash == 0) {
        wsfan_target named = wsf_message_target_of(message, target);
        target->hash = wsf_hash_cache_target(&core->hashes, &core->key, &named);
    }
    return target->hash;
}

static void find_row(wsf_core *core, const wsfan_message *message, wsf_message_target *target,
                     uint64_t *loops, wsf_peers *peers) {
    wsf_interest_find(&core->interest, hash_of(core, message, target), loops, peers);
}

/* The loops or the peer of the node that a target names, itself or by a session. */
static void find_node(const wsf_core *core, const wsfan_message *message, uint32_t i,
                      uint64_t *loops, wsf_peers *peers) {
    uint64_t node = message->targets[i].hash;
    *loops = 0;
    *peers = (wsf_peers){ 0 };
    if (node == core->config.node) {
        wsfan_address address = { 0, 0 };
        wsfan_address_parse(&address, wsfan_message_target(message, i).name);
        *loops = address.session != 0 ? UINT64_C(1) << wsf_handle_loop(address.session)
                                      : core->loops;
        return;
    }
    const wsf_peer *peer = wsf_peer_find(core, node);
    if (peer != NULL)
        wsf_peers_add(peers, wsf_peer_index(core, peer));
}

/* known: peers that a message may be for; doubtful: those of them that may have sessions in any chat; keepers: those that get
 * also what leaves their sessions out, as they may keep it for others. */
static void find(wsf_core *core, wsfan_message *message, wsf_peers known, wsf_peers doubtful,
                 wsf_peers keepers, uint64_t *loops, wsf_peers *peers) {
    uint64_t not_loops = 0;
    wsf_peers not_peers = { 0 };
    if (message->targets_count == 1 && message->targets[0].kind <= WSFAN_USER) { /* most are */
        find_row(core, message, &message->targets[0], loops, peers);
        *loops &= core->routed;
        *peers = wsf_peers_intersection(wsf_peers_union(*peers, doubtful), known);
        return;
    }
    *loops = 0;
    *peers = (wsf_peers){ 0 };
    for (uint32_t i = 0; i < message->targets_count; i++) {
        uint64_t more_loops = core->loops;
        wsf_peers more_peers = known;
        wsfan_target_kind kind = (wsfan_target_kind)message->targets[i].kind;
        if (kind != WSFAN_CHAT && kind != WSFAN_USER) /* hash_of() hashes these */
            wsf_message_know(message, &message->targets[i], &core->key);
        switch (kind) {
        case WSFAN_ALL:
            break;
        case WSFAN_CHAT:
        case WSFAN_USER:
            find_row(core, message, &message->targets[i], &more_loops, &more_peers);
            more_peers = wsf_peers_union(more_peers, doubtful);
            break;
        case WSFAN_SESSION:
        case WSFAN_NODE:
            find_node(core, message, i, &more_loops, &more_peers);
            break;
        case WSFAN_NOT_NODE:
            find_node(core, message, i, &more_loops, &more_peers);
            not_loops |= more_loops;
            not_peers = wsf_peers_union(not_peers, wsf_peers_difference(more_peers, keepers));
            continue;
        default: /* these leave out sessions: their own node must judge that */
            continue;
        }
        *loops |= more_loops;
        *peers = wsf_peers_union(*peers, more_peers);
    }
    *loops &= core->routed & ~not_loops;
    *peers = wsf_peers_intersection(wsf_peers_difference(*peers, not_peers), known);
}

void wsf_router_find(wsf_core *core, wsfan_message *message, uint64_t *loops, wsf_peers *peers) {
    /* Publishers have no sessions. */
    wsf_peers known = wsf_peers_difference(core->linked, core->status.publishers);
    find(core, message, known, wsf_peers_difference(known, core->complete), core->witness.askers,
         loops, peers);
}

/* Peers of heads are bits of a word then, which is what is tested fastest. */
static bool is_narrow(const wsf_core *core) {
    return wsf_peers_end(core->known) <= 64;
}

/* Adds the peers of a head, as they are in its row, to `any`. */
static void add_peers(const wsf_core *core, wsf_run_head *head, bool narrow, wsf_peers *any) {
    wsf_peers peers = { 0 };
    if (!narrow) {
        wsf_packed_peers_add_to(&core->interest.wide, &head->peers.packed, any);
        return;
    }
    wsf_packed_peers_add_to(&core->interest.wide, &head->peers.packed, &peers);
    head->peers.word = peers.words[0];
    any->words[0] |= peers.words[0];
}

bool wsf_router_find_heads(wsf_core *core, wsfan_message *run, uint64_t *loops, wsf_peers *peers) {
    bool wanted = true;
    wsf_peers any = { 0 };
    bool narrow = is_narrow(core);
    *loops = 0;
    for (wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;) {
        uint64_t hash = hash_of(core, run, &head->target);
        wsf_interest_find_packed(&core->interest, hash, &head->loops, &head->peers.packed);
        head->loops &= core->routed;
        *loops |= head->loops;
        if (peers != NULL)
            add_peers(core, head, narrow, &any);
        wanted = wanted && head->loops != 0;
    }
    wsf_peers known = wsf_peers_difference(core->linked, core->status.publishers);
    wsf_peers doubtful = wsf_peers_difference(known, core->complete);
    if (peers != NULL)
        *peers = wsf_peers_intersection(wsf_peers_union(any, doubtful), known);
    return wanted;
}

void wsf_router_find_known(wsf_core *core, wsfan_message *message, uint64_t *loops,
                           wsf_peers *peers) {
    wsf_peers known = { 0 };
    wsf_peers doubtful = { 0 };
    wsf_peers all = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &all)) != NULL;) {
        unsigned p = wsf_peer_index(core, peer);
        if (peer->state == 0)
            continue; /* never had a link: no peer yet */
        wsf_peers_add(&known, p);
        /* Joins there may have been completed without this node: none waits for one that is quiet. */
        if (core->status.quiet || peer->state != WSFAN_PEER_UP || !wsf_peers_has(core->complete, p))
            wsf_peers_add(&doubtful, p);
    }
    find(core, message, known, doubtful, (wsf_peers){ 0 }, loops, peers);
    *loops &= core->loops;
}

/* The interest of a node without a link is not known: only targets that name nodes leave it out. */
static bool may_be_for(const wsfan_message *message, uint64_t node) {
    bool named = false;
    for (uint32_t i = 0; i < message->targets_count; i++) {
        const wsf_message_target *target = &message->targets[i];
        wsfan_target_kind kind = (wsfan_target_kind)target->kind;
        if (kind == WSFAN_NOT_NODE && target->hash == node)
            return false;
        if (kind == WSFAN_SESSION || kind == WSFAN_NODE)
            named = named || target->hash == node;
        else
            named = named || !wsf_kind_is_not(kind);
    }
    return named;
}

uint32_t wsf_router_keep(const wsfan_message *message, uint64_t *nodes, uint32_t count) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (may_be_for(message, nodes[i]))
            nodes[kept++] = nodes[i];
    return kept;
}

bool wsf_router_acceptable(const wsf_core *core, const wsfan_target *targets,
                           uint32_t targets_count, size_t payload_size) {
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

/* ---------------------------------------------------------------------------------------- runs */

typedef bool wants_head(const wsf_core *core, const wsf_run_head *head, unsigned who);

/* A peer whose interest is not completely known may want any. */
static bool wanted_by_peer(const wsf_core *core, const wsf_run_head *head, unsigned peer) {
    return wsf_packed_peers_has(&core->interest.wide, &head->peers.packed, peer) ||
           !wsf_peers_has(core->complete, peer);
}

static bool wanted_by_narrow_peer(const wsf_core *core, const wsf_run_head *head, unsigned peer) {
    return (head->peers.word >> peer & 1) != 0 || !wsf_peers_has(core->complete, peer);
}

static bool wanted_by_loop(const wsf_core *core, const wsf_run_head *head, unsigned loop) {
    (void)core;
    return (head->loops >> loop & 1) != 0;
}

/* The messages of a run that a peer or a loop wants; the run itself where that is all; NULL: none, as no message may
 * have the head. Those who want the same, one after another, get the same. Without memory all messages go: who gets
 * one that nobody wants there drops it. */
static wsfan_message *pick(const wsf_core *core, wsfan_message *run, wsfan_message **picked,
                           unsigned who, wants_head *wants) {
    bool all = true;
    bool same = *picked != NULL;
    for (wsf_run_head *head = NULL; (head = wsf_run_next_head(run, head)) != NULL;) {
        bool wanted = wants(core, head, who);
        all = all && wanted;
        same = same && head->wanted == wanted;
        head->wanted = wanted;
    }
    if (all)
        return run;
    if (!same) {
        wsfan_message_unref(*picked);
        *picked = wsf_run_pick(wsf_span_of(run));
    }
    if (*picked == NULL)
        return run;
    return (*picked)->count > 0 ? *picked : NULL;
}

void wsf_router_send(wsf_core *core, wsfan_message *message, wsf_peers peers, wsf_now now) {
    wsfan_message *picked = NULL;
    wants_head *wants = is_narrow(core) ? wanted_by_narrow_peer : wanted_by_peer; /* as heads are */
    for (unsigned i; (i = wsf_peers_pop(&peers)) < WSF_PEERS_MAX;) {
        bool is_run = wsf_message_is_run(message);
        wsfan_message *part = is_run ? pick(core, message, &picked, i, wants) : message;
        if (part != NULL)
            wsf_sender_enqueue(core, &core->peers[i], part, now);
    }
    wsfan_message_unref(picked);
}

/* ------------------------------------------------------------------------------------- delivery */

/* Takes over a reference. */
static void deliver(wsf_core *core, wsfan_message *message, wsf_receipt *receipt, unsigned loop) {
    uint32_t count = message->count;
    if (receipt != NULL) {
        atomic_fetch_add(&receipt->loops_left, 1);
        receipt->result.loops++;
    }
    uint32_t taken = core->effects.deliver(core->effects.user, loop, message);
    core->stats.delivered += taken;
    if (taken == count)
        return;
    wsf_count_drop(core, WSFAN_DROP_INBOX, count - taken);
    if (receipt != NULL) {
        receipt->result.loops_lost++;
        wsf_receipt_loop_done(receipt, 0);
    }
}

static void deliver_run(wsf_core *core, wsfan_message *run, uint64_t loops) {
    wsfan_message *picked = NULL;
    for (unsigned loop = 0; loops != 0; loop++, loops >>= 1) {
        wsfan_message *part = (loops & 1) != 0 ? pick(core, run, &picked, loop, wanted_by_loop)
                                               : NULL;
        if (part != NULL)
            deliver(core, wsfan_message_ref(part), NULL, loop);
    }
    wsfan_message_unref(picked);
    wsfan_message_unref(run);
}

/* The archive has its share first: a loop may be through with the message before the next statement here. */
void wsf_router_deliver(wsf_core *core, wsfan_message *message, uint64_t loops, wsf_now now) {
    const uint64_t archive = UINT64_C(1) << WSF_LOOP_ARCHIVE;
    wsf_receipt *receipt = message->receipt; /* the core holds it */
    if (loops == 0 || loops >= archive) {    /* one comparison */
        if (loops >= archive && core->config.history_ms != 0) {
            wsf_keeping_take(core, message, now);
            loops &= ~archive;
        }
        if (loops == 0) {
            wsf_message_bin_add(&core->bin, message);
            return;
        }
    }
    if (wsf_message_is_run(message)) {
        deliver_run(core, message, loops);
        return;
    }
    for (unsigned loop = 0; loops != 0; loop++, loops >>= 1)
        if ((loops & 1) != 0)
            deliver(core, loops == 1 ? message : wsfan_message_ref(message), receipt, loop);
}
