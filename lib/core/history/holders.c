/* Answers for which nodes are asked to hold the chats that this node keeps, so that their history outlives it.
 *
 * Asked are the first `history_copies` nodes of a chat's order (see placement.c), but for this one: of those that have history,
 * may own chats and are not down. Only a node with sessions in a chat, or where it lingers after them, asks. A node that holds a
 * chat for others does not, so two holders cannot keep each other alive. A node that drains is about to go, so it asks for all that
 * it keeps.
 *
 * Make before break: a node that is not among the first any more is asked no longer when all of the first are up and have said that
 * they hold the chat.
 *
 * Whatever may change the order makes this node look at all its chats, some at a time. Knows no entry: `asks` of each peer says
 * what it is to be told, by holding.c. */
#include "core/history/holders.h"

#include <assert.h>

#include "core/routing/placement.h"

/* In one round, so that it takes about a millisecond. A cost is computed for each chat and candidate. */
enum { LOOKS_SHARE = 4096, COSTS_SHARE = 16384 };

/* Hashes that wait to be told to a peer, besides those of chats that are kept: of chats that were. */
enum { ASKS_SPARE = 4096 };

void wsf_holders_destroy(wsf_core *core) {
    wsf_view_unref(core->holders.view);
    wsf_view_unref(core->holders.candidates);
}

/* ----------------------------------------------------------------------------------------- peers */

void wsf_holders_tell_all(wsf_peer *peer) {
    peer->holding.telling_all = peer->holding.forget = true;
    peer->holding.cursor = 0;
}

/* Queues a hash whose asking has changed. Without memory, or over the limit, the peer is told of all chats that are asked of it; of
 * the others it learns by HOLD-SUM. */
static void tell(wsf_core *core, wsf_peer *peer, uint64_t hash) {
    wsf_deque *asks = &peer->holding.asks;
    uint32_t max = 2 * core->keeping.archive.slots.count + ASKS_SPARE;
    uint64_t *place = asks->count < max ? wsf_deque_push(asks) : NULL;
    wsf_peer_stir(core, peer);
    if (place != NULL) {
        *place = hash;
        return;
    }
    wsf_deque_destroy(asks);
    wsf_holders_tell_all(peer);
}

static void ask(wsf_core *core, wsf_keeping_chat *chat, unsigned index) {
    wsf_peer *peer = &core->peers[index];
    wsf_peers_add(&chat->asked, index);
    peer->holding.asked_digest += chat->hash;
    tell(core, peer, chat->hash);
}

static void withdraw(wsf_core *core, wsf_keeping_chat *chat, unsigned index) {
    wsf_peer *peer = &core->peers[index];
    wsf_peers_remove(&chat->asked, index);
    wsf_peers_remove(&chat->held, index);
    wsf_peers_remove(&chat->again, index);
    peer->holding.asked_digest -= chat->hash;
    tell(core, peer, chat->hash);
}

/* ----------------------------------------------------------------------------------------- chats */

static bool wants_holders(const wsf_core *core, const wsf_keeping_chat *chat) {
    return chat->loops != 0 || chat->lingers || core->holders.leaving;
}

_Static_assert((int)WSF_COPIES_MAX <= (int)WSF_VIEW_FIRST_MAX, "the order is known so far");

static uint32_t copies(const wsf_core *core) {
    uint32_t count = core->config.history_copies;
    assert(count <= WSF_COPIES_MAX);
    return core->holders.leaving && count == 0 ? 1 : count;
}

static wsf_peers first_of(wsf_core *core, const wsf_keeping_chat *chat) {
    const wsf_placement_node *first[WSF_VIEW_FIRST_MAX];
    wsf_peers peers = { 0 };
    if (core->holders.candidates == NULL || copies(core) == 0 || !wants_holders(core, chat))
        return peers;
    uint32_t count = wsf_view_first(core->holders.candidates, chat->hash, copies(core), first);
    for (uint32_t k = 0; k < count; k++) {
        const wsf_peer *peer = wsf_peer_find(core, first[k]->node);
        if (peer != NULL)
            wsf_peers_add(&peers, wsf_peer_index(core, peer));
    }
    return peers;
}

static void set_unheld(wsf_core *core, wsf_keeping_chat *chat, bool unheld) {
    core->holders.unheld += unheld;
    core->holders.unheld -= chat->unheld;
    chat->unheld = unheld;
}

/* A node that is silent may be gone, with what it said that it holds. */
static bool are_up(const wsf_core *core, wsf_peers peers) {
    for (unsigned index; (index = wsf_peers_pop(&peers)) < WSF_PEERS_MAX;)
        if (core->peers[index].state != WSFAN_PEER_UP)
            return false;
    return true;
}

/* Where nobody can hold the chat, a node that is not up keeps being asked: it may be back. One that drains would wait for that
 * in vain. */
static bool may_withdraw(const wsf_core *core, const wsf_keeping_chat *chat, wsf_peers first,
                         unsigned index) {
    return !wsf_peers_is_empty(first) || !wants_holders(core, chat) ||
           core->peers[index].state == WSFAN_PEER_UP;
}

void wsf_holders_look(wsf_core *core, uint32_t i) {
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    wsf_peers first = first_of(core, chat);
    wsf_peers more = wsf_peers_intersection(wsf_peers_difference(first, chat->asked), core->linked);
    for (unsigned index; (index = wsf_peers_pop(&more)) < WSF_PEERS_MAX;)
        ask(core, chat, index);
    bool all_hold = wsf_peers_is_empty(wsf_peers_difference(first, chat->held)) &&
                    are_up(core, first);
    wsf_peers others = wsf_peers_difference(chat->asked, first);
    for (unsigned index; all_hold && (index = wsf_peers_pop(&others)) < WSF_PEERS_MAX;)
        if (may_withdraw(core, chat, first, index))
            withdraw(core, chat, index);
    set_unheld(core, chat, !all_hold);
}

void wsf_holders_leave(wsf_core *core, uint32_t i) {
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    wsf_peers asked = chat->asked;
    for (unsigned index; (index = wsf_peers_pop(&asked)) < WSF_PEERS_MAX;)
        withdraw(core, chat, index);
    set_unheld(core, chat, false);
}

/* A peer that has not answered yet may answer what it was asked before: it is asked again then. */
void wsf_holders_renew(wsf_core *core, uint32_t i, unsigned from) {
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    wsf_peers peers = chat->asked;
    wsf_peers_remove(&peers, from);
    chat->again = wsf_peers_union(chat->again, wsf_peers_difference(peers, chat->held));
    peers = wsf_peers_intersection(peers, chat->held);
    chat->held = wsf_peers_difference(chat->held, peers);
    for (unsigned index; (index = wsf_peers_pop(&peers)) < WSF_PEERS_MAX;)
        tell(core, &core->peers[index], chat->hash);
    wsf_holders_look(core, i);
}

void wsf_holders_held(wsf_core *core, uint32_t i, unsigned index) {
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    if (!wsf_peers_has(chat->asked, index) || wsf_peers_has(chat->held, index))
        return;
    if (wsf_peers_has(chat->again, index)) {
        wsf_peers_remove(&chat->again, index);
        tell(core, &core->peers[index], chat->hash);
        return;
    }
    wsf_peers_add(&chat->held, index);
    wsf_holders_look(core, i);
}

/* ------------------------------------------------------------------------------------------ walk */

static void look_at_all(wsf_core *core) {
    core->holders.looks = core->keeping.capacity;
}

void wsf_holders_doubt_peer(wsf_core *core, const wsf_peer *peer) {
    for (uint32_t i = 0; i < core->keeping.capacity; i++) {
        wsf_peers_remove(&core->keeping.chats[i].held, wsf_peer_index(core, peer));
        wsf_peers_remove(&core->keeping.chats[i].again, wsf_peer_index(core, peer));
    }
    look_at_all(core);
}

void wsf_holders_lose_peer(wsf_core *core, wsf_peer *peer) {
    for (uint32_t i = 0; i < core->keeping.capacity; i++)
        wsf_peers_remove(&core->keeping.chats[i].asked, wsf_peer_index(core, peer));
    peer->holding.asked_digest = 0;
    wsf_holders_doubt_peer(core, peer);
}

static bool may_hold(wsf_core *core, const wsf_placement_node *place) {
    const wsf_peer *peer = wsf_peer_find(core, place->node);
    return peer != NULL && (peer->features & WSF_FEATURE_MARKS) != 0;
}

static bool is_same(const wsf_view *a, const wsf_view *b) {
    bool same = wsf_view_same(a, b);
    for (uint32_t i = 0; same && i < a->count; i++)
        same = a->places[i].up == b->places[i].up;
    return same;
}

/* Out of memory the candidates stay as they were, until the next round. */
static void see(wsf_core *core, wsf_view *view) {
    wsf_view *candidates = wsf_view_new(view->count);
    if (candidates == NULL)
        return;
    candidates->count = 0;
    for (uint32_t i = 0; i < view->count; i++)
        if (may_hold(core, &view->places[i]))
            candidates->places[candidates->count++] = view->places[i];
    if (core->holders.candidates == NULL || !is_same(core->holders.candidates, candidates))
        look_at_all(core);
    wsf_view_unref(core->holders.candidates);
    wsf_view_unref(core->holders.view);
    core->holders.candidates = candidates;
    core->holders.view = wsf_view_ref(view);
}

static void look_at_some(wsf_core *core) {
    uint32_t candidates = core->holders.candidates != NULL ? core->holders.candidates->count : 0;
    uint32_t share = COSTS_SHARE / (candidates + 1);
    for (share = share < LOOKS_SHARE ? share : LOOKS_SHARE; share > 0 && core->holders.looks > 0;
         share--) {
        uint32_t i = core->holders.cursor < core->keeping.capacity ? core->holders.cursor : 0;
        core->holders.cursor = i + 1;
        core->holders.looks--;
        if (core->keeping.chats[i].hash != 0)
            wsf_holders_look(core, i);
    }
}

void wsf_holders_tick(wsf_core *core) {
    if (core->config.history_ms == 0)
        return;
    if (core->status.view != NULL && core->status.view != core->holders.view)
        see(core, core->status.view);
    if (core->status.drain != WSF_DRAIN_NONE && !core->holders.leaving) {
        core->holders.leaving = true;
        look_at_all(core);
    }
    look_at_some(core);
}

bool wsf_holders_have_all(const wsf_core *core) {
    return core->holders.looks == 0 && core->holders.unheld == 0 && core->keeping.asked == 0;
}
