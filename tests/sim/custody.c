/* Looks into the cores: askers, asked and held of each chat. The order of a chat is that of its owners, as one after the other
 * goes. Names of chats are one byte, as in hosts.c. */
#include "custody.h"

#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/history/keepers.h"
#include "core/state.h"

enum { HOLDERS_MAX = WSF_VIEW_FIRST_MAX };

typedef struct {
    unsigned node;
    uint32_t life;
} holder;

/* What a node knows of a chat. */
typedef struct {
    /* Nodes that held the chat for it, each linked with it, when it was last looked at. One that is asked anew may hold it since
     * before, and give that up when it is told. */
    holder holders[HOLDERS_MAX];
    unsigned holders_count;
    wsf_peers told; /* those that are asked and have said since that they hold it */
    /* The last that said so, when it was still linked; 0: nobody did. */
    holder last;
    uint64_t last_ms;
    /* When a node that asked for the chat, and died since, was last seen to ask; 0: none did. */
    uint64_t orphan_ms;
} ward;

typedef struct {
    uint32_t life; /* of a node that does not run: 0 */
    ward wards[LEDGER_CHATS_MAX];
    /* When each other node was last seen to be asked by this one to hold a chat; 0: it is not asked. */
    uint64_t asks_ms[LEDGER_CHATS_MAX][WORLD_NODES_MAX];
    uint32_t asks;  /* chats (bits) of which that is not 0 for all */
    bool was_alone; /* for a moment, since the last look */
} keeper;

struct custody {
    ledger *ledger;
    world *world;
    uint64_t hashes[LEDGER_CHATS_MAX];
    unsigned used; /* nodes from there on never ran */
    keeper keepers[WORLD_NODES_MAX];
};

custody *custody_new(ledger *l) {
    custody *c = calloc(1, sizeof *c);
    if (c == NULL)
        abort();
    c->ledger = l;
    return c;
}

void custody_destroy(custody *c) {
    free(c);
}

void custody_attach(custody *c, world *w) {
    wsf_hash_key key;
    c->world = w;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++) {
        uint8_t name = (uint8_t)chat;
        wsfan_target target = { WSFAN_CHAT, { &name, 1 } };
        c->hashes[chat] = wsf_hash_target(&key, &target);
    }
}

void custody_start(custody *c, unsigned node, uint32_t life) {
    c->used = node < c->used ? c->used : node + 1;
    memset(&c->keepers[node], 0, sizeof c->keepers[node]);
    c->keepers[node].life = life + 1;
    for (unsigned n = 0; n < c->used; n++) /* what was asked of the one before at its address */
        for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++)
            c->keepers[n].asks_ms[chat][node] = 0;
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

void custody_end(custody *c, unsigned node) {
    keeper *gone = &c->keepers[node];
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++)
        for (unsigned m = 0; m < c->used; m++)
            c->keepers[m].wards[chat].orphan_ms = later(c->keepers[m].wards[chat].orphan_ms,
                                                        gone->asks_ms[chat][m]);
    memset(gone, 0, sizeof *gone);
}

/* --------------------------------------------------------------------------------------- looking */

/* A node with history that runs. */
static bool is_on(const custody *c, unsigned node) {
    return c->keepers[node].life != 0 && world_alive(c->world, node) &&
           world_core(c->world, node)->config.history_ms != 0;
}

static unsigned find_node(const custody *c, uint64_t id) {
    for (unsigned n = 0; n < c->used; n++)
        if (c->keepers[n].life != 0 && world_alive(c->world, n) && world_node_id(c->world, n) == id)
            return n;
    return WORLD_NODES_MAX;
}

static const wsf_keeping_chat *chat_at(const custody *c, unsigned node, unsigned chat) {
    const wsf_core *core = world_core(c->world, node);
    uint32_t i = is_on(c, node) ? wsf_archive_find(&core->keeping.archive, c->hashes[chat])
                                : WSF_TABLE_NONE;
    return i != WSF_TABLE_NONE ? &core->keeping.chats[i] : NULL;
}

/* The other node as a peer with which there is a link that is not down; NULL: there is none. */
static const wsf_peer *peer_of(const custody *c, unsigned node, unsigned other) {
    const wsf_core *core = world_core(c->world, node);
    const wsf_peer *peer = wsf_peer_find(core, world_node_id(c->world, other));
    return peer != NULL && wsf_peer_live(peer) ? peer : NULL;
}

static bool are_linked(const custody *c, unsigned a, unsigned b) {
    const wsf_peer *there = peer_of(c, a, b);
    const wsf_peer *back = peer_of(c, b, a);
    return there != NULL && back != NULL && there->link.epoch == back->link.in_epoch &&
           back->link.epoch == there->link.in_epoch;
}

static bool is_kept(const custody *c, unsigned node, unsigned chat) {
    const wsf_keeping_chat *at = chat_at(c, node, chat);
    return at != NULL && at->begun;
}

static bool is_asking(const custody *c, unsigned node, const wsf_keeping_chat *chat) {
    return chat->loops != 0 || chat->lingers ||
           world_core(c->world, node)->status.drain != WSF_DRAIN_NONE;
}

/* -------------------------------------------------------------------------------- in every slice */

static bool is_kept_by_another(const custody *c, unsigned node, unsigned chat) {
    for (unsigned m = 0; m < c->used; m++)
        if (m != node && c->keepers[m].life != 0 && is_kept(c, m, chat))
            return true;
    return false;
}

static bool are_all_there(const custody *c, unsigned node, const ward *w) {
    for (unsigned k = 0; k < w->holders_count; k++)
        if (c->keepers[w->holders[k].node].life != w->holders[k].life ||
            !are_linked(c, node, w->holders[k].node))
            return false;
    return true;
}

/* Whether all nodes that said that they hold a chat still run and are there: an end is not noticed at once. */
static bool are_true(const custody *c, unsigned node, wsf_peers held) {
    for (unsigned p; (p = wsf_peers_pop(&held)) < WSF_PEERS_MAX;) {
        unsigned m = find_node(c, world_core(c->world, node)->peers[p].node);
        if (m == WORLD_NODES_MAX || !are_linked(c, node, m))
            return false;
    }
    return true;
}

/* A node that is alone breaks with its holder and makes none. */
static bool has_candidates(const custody *c, unsigned node) {
    const wsf_view *candidates = world_core(c->world, node)->holders.candidates;
    return candidates != NULL && candidates->count > 0;
}

void custody_watch(custody *c) {
    for (unsigned node = 0; node < c->used; node++)
        if (is_on(c, node) && !has_candidates(c, node))
            c->keepers[node].was_alone = true;
}

/* Make before break. */
static void check_left(custody *c, unsigned node, unsigned chat, const wsf_keeping_chat *at) {
    ward *w = &c->keepers[node].wards[chat];
    if (w->holders_count > 0 && at != NULL && is_asking(c, node, at) &&
        !c->keepers[node].was_alone && are_all_there(c, node, w) && are_true(c, node, at->held) &&
        !is_kept_by_another(c, node, chat))
        ledger_violation(c->ledger, "life %u is left alone with chat %u", c->keepers[node].life - 1,
                         chat);
    w->holders_count = 0;
}

/* A node that nobody can hold a chat for does not break with who held it and may be back. */
static void check_last(custody *c, unsigned node, unsigned chat, const wsf_keeping_chat *at) {
    ward *w = &c->keepers[node].wards[chat];
    const wsf_core *core = world_core(c->world, node);
    const keeper *there = &c->keepers[w->last.node];
    const wsf_peer *peer = w->last_ms != 0 ? peer_of(c, node, w->last.node) : NULL;
    if (at == NULL || !is_asking(c, node, at) || core->status.drain != WSF_DRAIN_NONE ||
        has_candidates(c, node) || there->life != w->last.life ||
        (peer != NULL && peer->state == WSFAN_PEER_UP) || /* it drains, or may not hold */
        world_ms(c->world) >= w->last_ms + core->config.history_ms)
        w->last_ms = 0;
    if (w->last_ms != 0 && !is_kept(c, w->last.node, chat))
        ledger_violation(c->ledger, "life %u has sent away life %u, which alone held chat %u",
                         c->keepers[node].life - 1, there->life - 1, chat);
}

static void note_asked(custody *c, unsigned node, unsigned chat, const wsf_keeping_chat *at) {
    const wsf_core *core = world_core(c->world, node);
    keeper *k = &c->keepers[node];
    ward *w = &k->wards[chat];
    if ((k->asks >> chat & 1) != 0)
        memset(k->asks_ms[chat], 0, sizeof k->asks_ms[chat]);
    k->asks &= ~(UINT32_C(1) << chat);
    wsf_peers asked = at != NULL ? at->asked : (wsf_peers){ 0 };
    if (at != NULL)
        w->told = wsf_peers_union(w->told, at->held);
    w->told = wsf_peers_intersection(w->told, asked);
    for (unsigned p; (p = wsf_peers_pop(&asked)) < WSF_PEERS_MAX;) {
        unsigned m = find_node(c, core->peers[p].node);
        if (m == WORLD_NODES_MAX || !are_linked(c, node, m))
            continue;
        const wsf_keeping_chat *there = chat_at(c, m, chat);
        const wsf_peer *back = peer_of(c, m, node);
        if (there == NULL ||
            !wsf_peers_has(there->askers, wsf_peer_index(world_core(c->world, m), back)))
            continue;
        k->asks_ms[chat][m] = world_ms(c->world);
        k->asks |= UINT32_C(1) << chat;
        if (there->begun && wsf_peers_has(w->told, p) && w->holders_count < HOLDERS_MAX)
            w->holders[w->holders_count++] = (holder){ m, c->keepers[m].life };
        if (there->begun && wsf_peers_has(at->held, p)) {
            w->last = (holder){ m, c->keepers[m].life };
            w->last_ms = world_ms(c->world);
        }
    }
}

/* What is held for a node that dies is held for a while after. */
static void check_orphan(custody *c, unsigned node, unsigned chat, const wsf_keeping_chat *at) {
    uint64_t orphan_ms = c->keepers[node].wards[chat].orphan_ms;
    const wsf_core *core = world_core(c->world, node);
    if (at == NULL && orphan_ms != 0 && world_ms(c->world) < orphan_ms + core->config.history_ms)
        ledger_violation(c->ledger, "life %u gave up chat %u, which it held for a node that died",
                         c->keepers[node].life - 1, chat);
}

void custody_check(custody *c) {
    for (unsigned node = 0; node < c->used; node++) {
        if (!is_on(c, node))
            continue;
        for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++) {
            const wsf_keeping_chat *at = chat_at(c, node, chat);
            check_left(c, node, chat, at);
            check_last(c, node, chat, at);
            check_orphan(c, node, chat, at);
            note_asked(c, node, chat, at);
        }
        c->keepers[node].was_alone = !has_candidates(c, node);
    }
}

void custody_check_drained(custody *c, unsigned node) {
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX && is_on(c, node); chat++)
        if (is_kept(c, node, chat) && has_candidates(c, node) &&
            are_true(c, node, chat_at(c, node, chat)->held) && !is_kept_by_another(c, node, chat))
            ledger_violation(c->ledger, "life %u has drained, and only it keeps chat %u",
                             c->keepers[node].life - 1, chat);
}

/* --------------------------------------------------------------------------------------- at rest */

bool custody_settled(const custody *c) {
    for (unsigned node = 0; node < c->used; node++) {
        const wsf_core *core = is_on(c, node) ? world_core(c->world, node) : NULL;
        if (core != NULL && (core->holders.view != core->status.view || core->holders.looks > 0 ||
                             core->holders.unheld > 0))
            return false;
    }
    return true;
}

/* All nodes that may hold a chat for one of them. */
static wsf_view *others_of(const custody *c, unsigned node) {
    const wsf_view *all = world_view(c->world, node);
    wsf_view *others = wsf_view_new(all->count);
    if (others == NULL)
        abort();
    others->count = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        unsigned m = find_node(c, all->places[i].node);
        if (m != WORLD_NODES_MAX && m != node && is_on(c, m))
            others->places[others->count++] = all->places[i];
    }
    return others;
}

/* The first owner, who then is no candidate any more; WORLD_NODES_MAX: nobody is left. */
static unsigned take_owner(const custody *c, wsf_view *candidates, uint64_t hash) {
    const wsf_placement_node *owner = wsf_view_owner(candidates, hash);
    if (owner == NULL)
        return WORLD_NODES_MAX;
    unsigned node = find_node(c, owner->node);
    candidates->places[owner - candidates->places] = candidates->places[--candidates->count];
    return node;
}

/* Whether one has nothing of the history of the other: their clocks are far apart, so each is of an epoch of its own. */
static bool are_of_two_epochs(const custody *c, unsigned node, const wsf_peer *peer, unsigned m) {
    const wsf_peer *back = peer_of(c, m, node);
    return wsf_keeper_is_of_another_epoch(world_core(c->world, node), peer) ||
           (back != NULL && wsf_keeper_is_of_another_epoch(world_core(c->world, m), back));
}

/* How many nodes are asked. Where nobody can hold a chat, one that is not up may be back with what it holds, and need not count. */
static unsigned count_asked(const wsf_core *core, const wsf_keeping_chat *at, bool nobody_can) {
    wsf_peers asked = at->asked;
    unsigned count = 0;
    for (unsigned p; (p = wsf_peers_pop(&asked)) < WSF_PEERS_MAX;)
        count += !nobody_can || core->peers[p].state == WSFAN_PEER_UP;
    return count;
}

/* Nodes that held the chat before are asked besides, until the first ones hold it. */
static void expect_asked(const custody *c, unsigned node, const wsf_keeping_chat *at,
                         bool expected[WORLD_NODES_MAX]) {
    for (unsigned m = 0; m < c->used; m++) {
        const wsf_peer *peer = m != node && is_on(c, m) ? peer_of(c, node, m) : NULL;
        if (peer != NULL)
            expected[m] = expected[m] ||
                          wsf_peers_has(at->asked,
                                        wsf_peer_index(world_core(c->world, node), peer));
    }
}

static void check_asked(custody *c, unsigned node, unsigned chat, const wsf_keeping_chat *at,
                        bool expected[WORLD_NODES_MAX]) {
    const wsf_core *core = world_core(c->world, node);
    wsf_view *others = others_of(c, node);
    unsigned count = 0;
    bool all_can = true;
    for (; count < core->config.history_copies; count++) {
        unsigned m = take_owner(c, others, c->hashes[chat]);
        if (m == WORLD_NODES_MAX)
            break;
        const wsf_peer *peer = peer_of(c, node, m);
        unsigned index = peer != NULL ? wsf_peer_index(core, peer) : 0;
        bool can = peer != NULL && !are_of_two_epochs(c, node, peer, m);
        expected[m] = true;
        all_can = all_can && can;
        if (peer == NULL || !wsf_peers_has(at->asked, index) ||
            (can && !wsf_peers_has(at->held, index)))
            ledger_violation(c->ledger, "life %u has no holder of chat %u in life %u",
                             c->keepers[node].life - 1, chat, c->keepers[m].life - 1);
    }
    unsigned asked = count_asked(core, at, count == 0 && core->config.history_copies > 0);
    if (!all_can)
        expect_asked(c, node, at, expected);
    if (all_can ? asked != count : asked < count)
        ledger_violation(c->ledger, "life %u asks %u nodes to hold chat %u, not %u",
                         c->keepers[node].life - 1, asked, chat, count);
    wsf_view_unref(others);
}

static void check_chat(custody *c, unsigned chat) {
    bool expected[WORLD_NODES_MAX] = { false };
    for (unsigned node = 0; node < c->used; node++) {
        const wsf_keeping_chat *at = c->keepers[node].life != 0 ? chat_at(c, node, chat) : NULL;
        if (at == NULL)
            continue;
        if (is_asking(c, node, at))
            check_asked(c, node, chat, at, expected);
        else if (!wsf_peers_is_empty(at->asked))
            ledger_violation(c->ledger, "life %u holds chat %u, and asks others to",
                             c->keepers[node].life - 1, chat);
    }
    for (unsigned node = 0; node < c->used; node++) {
        const wsf_keeping_chat *at = c->keepers[node].life != 0 ? chat_at(c, node, chat) : NULL;
        if (expected[node] && (at == NULL || !at->begun || wsf_peers_is_empty(at->askers)))
            ledger_violation(c->ledger, "life %u should hold chat %u, and does not",
                             c->keepers[node].life - 1, chat);
        if (at != NULL && !expected[node] && !wsf_peers_is_empty(at->askers))
            ledger_violation(c->ledger, "life %u holds chat %u, and nobody should want that",
                             c->keepers[node].life - 1, chat);
    }
}

void custody_check_rest(custody *c) {
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++)
        check_chat(c, chat);
}
