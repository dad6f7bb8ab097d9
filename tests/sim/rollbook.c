/* Names of chats and users are one byte each, as in hosts.c: a chat's number, a user's number and one. */
#include "rollbook.h"

#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/dialer.h"
#include "core/state.h"

typedef struct {
    uint32_t sessions[LEDGER_LOOPS_MAX][ROLLBOOK_USERS_MAX]; /* sessions that are present */
    /* A stay lasts until the user's last session goes. Its number is that of the join that began it. */
    uint32_t stay[ROLLBOOK_USERS_MAX];
    uint32_t told[LEDGER_LOOPS_MAX]; /* bits: users that the loop was told are there */
    bool large[LEDGER_LOOPS_MAX];
    /* The stay of a user at another node, as this node was told of it since that node was last down. */
    uint32_t met[ROLLBOOK_USERS_MAX][WORLD_NODES_MAX];
} page;

struct rollbook {
    ledger *ledger;
    world *world;
    wsf_hash_key key;
    uint32_t joins;
    unsigned used; /* nodes from there on never had a session */
    /* When a node was told that another one is silent, for which it still is; 0: it is not. */
    uint64_t silent_ms[WORLD_NODES_MAX][WORLD_NODES_MAX];
    page pages[WORLD_NODES_MAX][LEDGER_CHATS_MAX];
};

rollbook *rollbook_new(ledger *l) {
    rollbook *r = calloc(1, sizeof *r);
    if (r == NULL)
        abort();
    r->ledger = l;
    return r;
}

void rollbook_destroy(rollbook *r) {
    free(r);
}

void rollbook_attach(rollbook *r, world *w) {
    r->world = w;
    wsf_hash_key_init(&r->key, world_config(w)->cluster);
}

static uint32_t sessions_of_loop(const page *p, unsigned loop) {
    uint32_t count = 0;
    for (unsigned user = 0; user < ROLLBOOK_USERS_MAX; user++)
        count += p->sessions[loop][user];
    return count;
}

static uint32_t sessions_of_user(const page *p, unsigned user) {
    uint32_t count = 0;
    for (unsigned loop = 0; loop < LEDGER_LOOPS_MAX; loop++)
        count += p->sessions[loop][user];
    return count;
}

uint32_t rollbook_add(rollbook *r, unsigned node, unsigned loop, unsigned chat, unsigned user) {
    page *p = &r->pages[node][chat];
    r->used = node < r->used ? r->used : node + 1;
    r->joins++;
    if (sessions_of_user(p, user) == 0)
        p->stay[user] = r->joins;
    p->sessions[loop][user]++;
    return r->joins;
}

void rollbook_remove(rollbook *r, unsigned node, unsigned loop, unsigned chat, unsigned user) {
    page *p = &r->pages[node][chat];
    p->sessions[loop][user]--;
    if (sessions_of_loop(p, loop) == 0) { /* the loop is told nothing more */
        p->told[loop] = 0;
        p->large[loop] = false;
    }
}

void rollbook_crash(rollbook *r, unsigned node) {
    memset(r->pages[node], 0, sizeof r->pages[node]);
    memset(r->silent_ms[node], 0, sizeof r->silent_ms[node]);
}

void rollbook_peer(rollbook *r, unsigned node, const wsfan_peer *peer) {
    for (unsigned n = 0; n < WORLD_NODES_MAX; n++) {
        if (world_node_id(r->world, n) != peer->node)
            continue;
        r->silent_ms[node][n] = peer->event == WSFAN_PEER_SILENT ? world_ms(r->world) : 0;
        /* What a node knew of another ends when that is down. */
        for (unsigned chat = 0; chat < LEDGER_CHATS_MAX && peer->event == WSFAN_PEER_DOWN; chat++)
            for (unsigned user = 0; user < ROLLBOOK_USERS_MAX; user++)
                r->pages[node][chat].met[user][n] = 0;
    }
}

/* A leave waits for a silent node to say who is there, but not for ever. */
static bool waited(const rollbook *r, unsigned node, unsigned other) {
    enum { WAIT_MS_MAX = 60 * 1000 };
    uint64_t silent_ms = r->silent_ms[node][other];
    return silent_ms != 0 && world_ms(r->world) - silent_ms >= WAIT_MS_MAX;
}

static uint64_t hash_of(const rollbook *r, unsigned chat) {
    uint8_t name = (uint8_t)chat;
    wsfan_target target = { WSFAN_CHAT, { &name, 1 } };
    return wsf_hash_target(&r->key, &target);
}

static const wsf_peer *peer_of(const wsf_core *core, const wsf_core *other) {
    return wsf_peer_find(core, other->config.node);
}

/* Whether a node must know all members that another node has in the chat: the link stands at both ends, has
 * nothing under way, and the node says that it holds all members of the other. */
static bool must_know(const rollbook *r, const wsf_core *core, const wsf_core *other,
                      unsigned chat) {
    const wsf_peer *from = peer_of(core, other);
    const wsf_peer *to = peer_of(other, core);
    if (from == NULL || to == NULL || !from->linked || !to->linked ||
        from->state != WSFAN_PEER_UP || from->link.in_epoch != to->link.epoch ||
        to->link.sent.count > 0 || from->link.in_expected != to->link.next)
        return false;
    unsigned index = (unsigned)(to - other->peers);
    return other->presence.peer_queues[index].count == 0 &&
           !wsf_peers_has(other->presence.peers_anew, index) &&
           from->presence.known > wsf_interest_told(&core->interest, hash_of(r, chat));
}

static void check_leave(rollbook *r, unsigned node, unsigned chat, unsigned user) {
    const wsf_core *core = world_core(r->world, node);
    for (unsigned n = 0; n < WORLD_NODES_MAX; n++) {
        const wsf_core *other = world_core(r->world, n);
        if (other == NULL || sessions_of_user(&r->pages[n][chat], user) == 0)
            continue;
        if (n == node || must_know(r, core, other, chat))
            ledger_violation(r->ledger, "user %u leaves chat %u at node %u, and is at node %u",
                             user, chat, node, n);
        const wsf_peer *from = peer_of(core, other);
        bool overflow = from != NULL && (from->presence.overflow || from->subscription.overflow);
        if (r->pages[node][chat].met[user][n] == r->pages[n][chat].stay[user] && !overflow &&
            !waited(r, node, n))
            ledger_violation(r->ledger, "user %u leaves chat %u at node %u, and stayed at node %u",
                             user, chat, node, n);
    }
}

/* Notes the stay that a member was told with. What is told may be late, and of an earlier stay: its metadata
 * is the number of a join. */
static void meet(rollbook *r, unsigned node, unsigned chat, unsigned user,
                 const wsfan_place *place) {
    uint32_t join;
    memcpy(&join, place->metadata.data, sizeof join);
    for (unsigned n = 0; n < WORLD_NODES_MAX; n++)
        if (world_alive(r->world, n) && world_node_id(r->world, n) == place->node &&
            sessions_of_user(&r->pages[n][chat], user) > 0 && join >= r->pages[n][chat].stay[user])
            r->pages[node][chat].met[user][n] = r->pages[n][chat].stay[user];
}

void rollbook_told(rollbook *r, unsigned node, unsigned loop, const wsfan_presence *presence) {
    unsigned chat = *(const uint8_t *)presence->chat.data;
    page *p = &r->pages[node][chat];
    if ((presence->flags & WSFAN_PRESENCE_ANEW) != 0)
        p->told[loop] = 0;
    p->large[loop] = (presence->flags & WSFAN_PRESENCE_LARGE) != 0;
    if (p->large[loop] && presence->members_count > 0)
        ledger_violation(r->ledger, "members of a large chat are told");
    for (size_t i = 0; i < presence->members_count; i++) {
        const wsfan_member *member = &presence->members[i];
        unsigned user = *(const uint8_t *)member->user.data - 1u;
        uint32_t bit = 1u << user;
        bool known = (p->told[loop] & bit) != 0;
        uint64_t sessions = 0;
        for (size_t place = 0; place < member->places_count; place++)
            sessions += member->places[place].sessions;
        for (size_t place = 0; place < member->places_count; place++)
            meet(r, node, chat, user, &member->places[place]);
        if (sessions != member->sessions)
            ledger_violation(r->ledger, "a member's places do not add up");
        if (known == (member->event == WSFAN_MEMBER_JOIN))
            ledger_violation(r->ledger, "node %u is told %s of user %u in chat %u", node,
                             known ? "twice" : "out of turn", user, chat);
        if (member->event == WSFAN_MEMBER_LEAVE) {
            check_leave(r, node, chat, user);
            p->told[loop] &= ~bit;
        } else {
            p->told[loop] |= bit;
        }
    }
}

/* ------------------------------------------------------------------------------------- the end */

static void count_all(const rollbook *r, unsigned chat, uint64_t *sessions, uint32_t *users) {
    *sessions = 0;
    *users = 0;
    for (unsigned user = 0; user < ROLLBOOK_USERS_MAX; user++) {
        uint32_t of_user = 0;
        for (unsigned n = 0; n < r->used; n++)
            of_user += sessions_of_user(&r->pages[n][chat], user);
        *sessions += of_user;
        if (of_user > 0)
            *users |= 1u << user;
    }
}

/* Whether each node that is missing is explained: it refuses this one, or one of the two could not note what
 * the other has. */
static bool explained(const rollbook *r, const wsf_core *core, const wsfan_count *count) {
    uint64_t refusers[WSF_PEERS_MAX];
    uint32_t refusers_count = wsf_dialer_refusers(core, (wsf_now){ core->last_ms, 0 }, refusers);
    for (uint32_t i = 0; i < count->missing_count; i++) {
        bool found = false;
        for (uint32_t n = 0; n < refusers_count && !found; n++)
            found = refusers[n] == count->missing[i];
        for (unsigned n = 0; n < WORLD_NODES_MAX && !found; n++) {
            const wsf_core *other = world_core(r->world, n);
            if (other == NULL || other->config.node != count->missing[i])
                continue;
            const wsf_peer *from = peer_of(core, other);
            const wsf_peer *to = peer_of(other, core);
            found = from->presence.overflow || from->subscription.overflow ||
                    to->subscription.overflow;
        }
        if (!found)
            return false;
    }
    return true;
}

void rollbook_check(rollbook *r, unsigned node) {
    const wsf_core *core = world_core(r->world, node);
    if (core->stats.presence_mended > 0)
        ledger_violation(r->ledger, "node %u had a wrong idea of presence", node);
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++) {
        const page *p = &r->pages[node][chat];
        uint64_t sessions;
        uint32_t users;
        uint32_t here = 0;
        for (unsigned loop = 0; loop < LEDGER_LOOPS_MAX; loop++)
            here += sessions_of_loop(p, loop);
        count_all(r, chat, &sessions, &users);
        wsfan_count count = { .struct_size = sizeof count };
        wsf_core_count(core, hash_of(r, chat), &count);
        if (here == 0)
            continue;
        if (!explained(r, core, &count))
            ledger_violation(r->ledger, "node %u counts chat %u without need incompletely", node,
                             chat);
        if (!count.complete)
            continue;
        uint32_t users_count = 0;
        for (uint32_t bits = users; bits != 0; bits &= bits - 1)
            users_count++;
        if (count.sessions != sessions || count.users != users_count)
            ledger_violation(
                r->ledger, "node %u counts %llu sessions, %llu users in chat %u, not %llu, %u",
                node, (unsigned long long)count.sessions, (unsigned long long)count.users, chat,
                (unsigned long long)sessions, users_count);
        for (unsigned loop = 0; loop < LEDGER_LOOPS_MAX; loop++)
            if (sessions_of_loop(p, loop) > 0 && !p->large[loop] && p->told[loop] != users)
                ledger_violation(r->ledger, "node %u thinks users %x in chat %u, not %x", node,
                                 p->told[loop], chat, users);
    }
}
