/* A matter is a message that a node is to get, or to lack honestly: it was published for a chat in which the node had
 * a session. It ends when the node has taken it, or nobody there may ask for it any more. Names of chats are one byte, as
 * in hosts.c. */
#include "testimony.h"

#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/state.h"
#include "core/witness.h"

typedef struct {
    uint32_t number;
    uint32_t life;  /* of the publisher */
    uint32_t chats; /* bits */
    uint32_t slot;  /* 0: none */
    uint64_t ms;
    uint64_t clock;
    bool met; /* the two nodes had a link before */
    bool over;
} matter;

/* A chat's history. */
typedef struct {
    uint64_t serial; /* of the node's interest; UINT64_MAX: no session */
    bool begun;
    uint64_t since;
} history;

/* What was said of a peer when it was looked at last, and what had happened to it then. */
typedef struct {
    uint64_t node;
    uint32_t life;
    unsigned look;
    bool loose; /* how far it is whole may change without another cause */
    uint64_t whole;
    uint32_t gaps;
    uint64_t links;
    uint64_t refused;
    uint64_t thawed;
} saying;

/* Since when a node has a record of an origin. */
typedef struct {
    uint64_t node;
    uint64_t ms;
} record;

/* Which origin of the witness a life was, in one look; NULL: none. */
typedef struct {
    unsigned look;
    const wsf_origin *origin;
} found;

typedef struct {
    bool running;
    uint32_t life;
    unsigned kind;
    unsigned looks;
    uint64_t mistaken_ms[LEDGER_LIVES_MAX]; /* 0: that origin makes no mistake */
    uint64_t gap_ms[LEDGER_LIVES_MAX];      /* of the last gap that was told */
    uint32_t gaps[LEDGER_LIVES_MAX];
    saying sayings[WSF_PEERS_MAX];
    record records[WSF_ORIGINS_MAX]; /* at the places of the witness */
    found found[LEDGER_LIVES_MAX];
    history histories[LEDGER_CHATS_MAX];
    matter *matters; /* in order of their numbers */
    uint32_t count;
    uint32_t capacity;
} book;

struct testimony {
    ledger *ledger;
    world *world;
    uint64_t hashes[LEDGER_CHATS_MAX];
    unsigned used; /* nodes from there on never ran */
    book books[WORLD_NODES_MAX];
};

testimony *testimony_new(ledger *l) {
    testimony *t = calloc(1, sizeof *t);
    if (t == NULL)
        abort();
    t->ledger = l;
    return t;
}

void testimony_destroy(testimony *t) {
    for (unsigned node = 0; node < WORLD_NODES_MAX; node++)
        free(t->books[node].matters);
    free(t);
}

void testimony_attach(testimony *t, world *w) {
    wsf_hash_key key;
    t->world = w;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++) {
        uint8_t name = (uint8_t)chat;
        wsfan_target target = { WSFAN_CHAT, { &name, 1 } };
        t->hashes[chat] = wsf_hash_target(&key, &target);
    }
}

void testimony_forget(testimony *t) {
    for (unsigned node = 0; node < WORLD_NODES_MAX; node++) {
        book *b = &t->books[node];
        b->count = 0;
        memset(b->mistaken_ms, 0, sizeof b->mistaken_ms);
        memset(b->gap_ms, 0, sizeof b->gap_ms);
        memset(b->gaps, 0, sizeof b->gaps);
        memset(b->sayings, 0, sizeof b->sayings);
    }
}

void testimony_end(testimony *t, unsigned node) {
    free(t->books[node].matters);
    t->books[node] = (book){ .running = false };
}

void testimony_start(testimony *t, unsigned node, uint32_t life, unsigned kind) {
    testimony_end(t, node);
    t->used = node < t->used ? t->used : node + 1;
    t->books[node].running = world_core(t->world, node)->witness.origins != NULL;
    t->books[node].life = life;
    t->books[node].kind = kind;
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++)
        t->books[node].histories[chat].serial = UINT64_MAX;
}

/* ------------------------------------------------------------------------------------- matters */

/* Of the interest of the node's sessions, not of its archive: see annals.c. */
static uint64_t serial_of(const wsf_core *core, uint64_t hash) {
    uint64_t loops;
    wsf_peers peers;
    wsf_interest_find(&core->interest, hash, &loops, &peers);
    return (loops & core->loops) != 0 ? wsf_interest_told(&core->interest, hash) : UINT64_MAX;
}

/* A chat's history ends when the node's last session leaves it. */
static void look_at_interest(testimony *t, unsigned node, uint32_t chats) {
    book *b = &t->books[node];
    const wsf_core *core = world_core(t->world, node);
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++) {
        history *h = &b->histories[chat];
        uint64_t serial = (chats >> chat & 1) != 0 ? serial_of(core, t->hashes[chat]) : h->serial;
        if (serial == h->serial)
            continue;
        *h = (history){ .serial = serial };
        for (uint32_t i = 0; i < b->count; i++)
            b->matters[i].chats &= ~(1u << chat);
    }
}

void testimony_leave(testimony *t, unsigned node, uint64_t hash) {
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX && t->books[node].running; chat++)
        if (t->hashes[chat] == hash)
            look_at_interest(t, node, UINT32_C(1) << chat);
}

static uint32_t wanted(const book *b) {
    uint32_t chats = 0;
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++)
        chats |= (uint32_t)(b->histories[chat].serial != UINT64_MAX) << chat;
    return chats;
}

/* A newer value of a slot stands for the older ones. */
static void end_older(book *b, uint32_t life, uint32_t slot) {
    for (uint32_t i = 0; slot != 0 && i < b->count; i++)
        if (b->matters[i].life == life && b->matters[i].slot == slot)
            b->matters[i].over = true;
}

void testimony_publish(testimony *t, unsigned node, uint32_t number,
                       const ledger_targets *targets) {
    uint32_t life = ledger_find(t->ledger, world_node_id(t->world, node));
    for (unsigned other = 0; other < t->used && targets->chats != 0; other++) {
        book *b = &t->books[other];
        if (!b->running || other == node || b->kind != t->books[node].kind ||
            b->life == targets->not_life)
            continue;
        look_at_interest(t, other, targets->chats);
        uint32_t chats = targets->chats & wanted(b);
        end_older(b, life, targets->slot);
        if (chats == 0)
            continue;
        if (b->count == b->capacity) {
            b->capacity = 2 * b->capacity + 64;
            b->matters = realloc(b->matters, b->capacity * sizeof *b->matters);
            if (b->matters == NULL)
                abort();
        }
        b->matters[b->count++] = (matter){ .number = number,
                                           .life = life,
                                           .chats = chats,
                                           .slot = targets->slot,
                                           .ms = world_ms(t->world),
                                           .met = ledger_mutual(t->ledger, life, b->life) };
    }
}

static matter *find_matter(const book *b, uint32_t number) {
    uint32_t from = 0;
    uint32_t to = b->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (b->matters[middle].number < number)
            from = middle + 1;
        else
            to = middle;
    }
    return from < b->count && b->matters[from].number == number ? &b->matters[from] : NULL;
}

void testimony_stamp(testimony *t, uint32_t number, uint64_t clock) {
    for (unsigned node = 0; node < t->used; node++) {
        matter *m = find_matter(&t->books[node], number);
        if (m != NULL)
            m->clock = clock;
    }
}

void testimony_take(testimony *t, unsigned node, uint32_t number) {
    matter *m = find_matter(&t->books[node], number);
    if (m != NULL)
        m->over = true;
}

void testimony_gap(testimony *t, unsigned node, uint64_t origin) {
    uint32_t life = ledger_find(t->ledger, origin);
    if (life == UINT32_MAX)
        return;
    t->books[node].gap_ms[life] = world_ms(t->world);
    t->books[node].gaps[life]++;
    const wsf_origin *of = wsf_witness_find(world_core(t->world, node), origin);
    if (of != NULL && of->frozen) /* a begin of the core did not wait for it */
        ledger_away(t->ledger, t->books[node].life, origin);
}

void testimony_mistake(testimony *t, unsigned node, unsigned other) {
    uint32_t life = ledger_find(t->ledger, world_node_id(t->world, node));
    t->books[other].mistaken_ms[life] = world_ms(t->world);
}

/* -------------------------------------------------------------------------------------- checks */

static bool is_mistaken(const book *b, uint32_t life, uint64_t ms) {
    return b->mistaken_ms[life] != 0 && ms >= b->mistaken_ms[life] && b->gap_ms[life] < ms;
}

bool testimony_is_mistaken(const testimony *t, unsigned node, uint64_t origin, uint64_t ms) {
    uint32_t life = ledger_find(t->ledger, origin);
    return life != UINT32_MAX && is_mistaken(&t->books[node], life, ms);
}

bool testimony_is_misled(const testimony *t, uint64_t origin, uint64_t ms) {
    uint32_t life = ledger_find(t->ledger, origin);
    for (unsigned node = 0; life != UINT32_MAX && node < WORLD_NODES_MAX; node++) {
        const book *b = &t->books[node];
        uint64_t from = b->mistaken_ms[life];
        bool told = b->gap_ms[life] >= from && b->gap_ms[life] < ms;
        if (b->running && from != 0 && ms >= from && !told)
            return true;
    }
    return false;
}

/* Nodes that a begin does not wait for may come back with a gap. */
static void excuse_absent(testimony *t, unsigned node) {
    const wsf_core *core = world_core(t->world, node);
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        if (peer->witness.origin != NULL && peer->witness.origin->frozen)
            ledger_away(t->ledger, t->books[node].life, peer->node);
}

static void begin_histories(testimony *t, unsigned node) {
    book *b = &t->books[node];
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++) {
        history *h = &b->histories[chat];
        if (h->serial == UINT64_MAX || h->begun)
            continue;
        h->begun = wsf_witness_begin(world_core(t->world, node), h->serial,
                                     world_now(t->world, node), &h->since);
        if (h->begun)
            excuse_absent(t, node);
    }
}

/* Whether the node may be asked for the message. */
static bool may_be_asked(const book *b, matter *m) {
    bool asked = false;
    for (uint32_t left = m->chats; left != 0; left &= left - 1) {
        unsigned chat = (unsigned)__builtin_ctz(left);
        const history *h = &b->histories[chat];
        if (!h->begun)
            continue;
        if (h->since >= m->clock)
            m->chats &= ~(1u << chat);
        else
            asked = true;
    }
    m->over = m->over || m->chats == 0;
    return asked;
}

/* Of an origin that was forgotten, what it publishes while there is no link with it is outside the promise. */
static void look_at_records(book *b, const wsf_core *core, uint64_t now_ms) {
    for (unsigned i = 0; i < WSF_ORIGINS_MAX; i++)
        if (b->records[i].node != core->witness.origins[i].node)
            b->records[i] = (record){ core->witness.origins[i].node, now_ms };
}

/* Positions claim a message that the loops are yet to get. One that was told before a peer was met whose clock is far behind does,
 * and is refused for that: see judge_peers() in recover.c. */
static bool is_in_positions(const book *b, const wsf_core *core, const wsf_origin *origin,
                            uint64_t clock) {
    const wsf_reach *reach = core->reach.newest;
    const wsf_peer *peer = wsf_peer_find((wsf_core *)core, origin->node);
    return reach != NULL && reach->told && clock <= wsf_vector_at(&reach->whole, origin->node) &&
           core->reach.told_ms > b->records[origin - core->witness.origins].ms &&
           !(peer != NULL && wsf_witness_is_behind(core, peer) &&
             wsf_vector_find(&reach->whole, origin->node) == NULL);
}

/* The matters are many, of few lives: each is looked for once in a look. */
static const wsf_origin *find_origin(const testimony *t, book *b, const wsf_core *core,
                                     uint32_t life) {
    found *f = &b->found[life];
    if (f->look != b->looks)
        *f = (found){ b->looks, wsf_witness_find(core, ledger_node(t->ledger, life)) };
    return f->origin;
}

static void check_matter(testimony *t, unsigned node, matter *m) {
    book *b = &t->books[node];
    const wsf_core *core = world_core(t->world, node);
    if (!may_be_asked(b, m) || is_mistaken(b, m->life, m->ms))
        return;
    const wsf_origin *origin = find_origin(t, b, core, m->life);
    if (origin != NULL && m->met && m->clock != 0 && b->gap_ms[m->life] < m->ms &&
        is_in_positions(b, core, origin, m->clock))
        ledger_violation(t->ledger,
                         "life %u tells positions with message %u of life %u, which did not come",
                         b->life, m->number, m->life);
    bool told = b->gap_ms[m->life] >= m->ms;
    if (origin == NULL || m->clock > wsf_origin_reached(origin))
        return;
    if (m->met && !told)
        ledger_violation(t->ledger,
                         "life %u claims message %u of life %u, which neither came nor was told of",
                         b->life, m->number, m->life);
    if (origin->open)
        return;
    if (m->clock > origin->whole)
        ledger_violation(t->ledger, "life %u vouches for message %u of life %u, which did not come",
                         b->life, m->number, m->life);
    m->over = true;
}

static bool is_loose(const wsf_peer *peer) {
    const wsf_origin *origin = peer->witness.origin;
    return origin->open || origin->frozen || peer->state != WSFAN_PEER_UP;
}

static void check_saying(testimony *t, unsigned node, unsigned p) {
    book *b = &t->books[node];
    const wsf_core *core = world_core(t->world, node);
    const wsf_peer *peer = &core->peers[p];
    const wsf_origin *origin = peer->witness.origin;
    saying before = b->sayings[p];
    if (peer->node == 0 || origin == NULL)
        return;
    bool known = before.node == peer->node && before.look + 1 == b->looks;
    saying now = { .node = peer->node,
                   .life = known ? before.life : ledger_find(t->ledger, peer->node),
                   .look = b->looks,
                   .loose = is_loose(peer),
                   .whole = origin->whole,
                   .links = peer->stats.links,
                   .refused = core->witness.refused,
                   .thawed = origin->thawed };
    if (now.life == UINT32_MAX)
        return;
    now.gaps = b->gaps[now.life];
    b->sayings[p] = now;
    bool cause = !known || before.loose || before.gaps != now.gaps || before.links != now.links ||
                 before.refused != now.refused || before.thawed != now.thawed;
    if (!cause && (now.whole != before.whole || origin->open))
        ledger_violation(t->ledger, "life %u disclaims messages of life %u without a cause",
                         b->life, now.life);
    if (origin->clock > core->clock || origin->whole > core->clock)
        ledger_violation(t->ledger, "life %u is ahead of itself with life %u", b->life, now.life);
}

void testimony_check(testimony *t, unsigned node) {
    enum { ASK_EVERY = 32 };
    book *b = &t->books[node];
    wsf_core *core = world_core(t->world, node);
    if (!b->running || world_frozen(t->world, node))
        return;
    b->looks++;
    look_at_records(b, core, world_ms(t->world));
    look_at_interest(t, node, UINT32_MAX);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        if (!b->matters[i].over)
            check_matter(t, node, &b->matters[i]);
        if (!b->matters[i].over)
            b->matters[kept++] = b->matters[i];
    }
    b->count = kept;
    for (unsigned p = 0; p < core->config.peers_count_max; p++)
        check_saying(t, node, p);
    begin_histories(t, node);
    for (unsigned p = 0; p < core->config.peers_count_max; p++) /* a begin may have skipped it */
        if (core->peers[p].node != 0 && core->peers[p].witness.origin != NULL)
            b->sayings[p].loose = is_loose(&core->peers[p]);
    if (b->looks % ASK_EVERY == 0) {
        wsf_witness_ask(core, core->clock);
        world_touch(t->world, node);
    }
}

void testimony_check_rest(testimony *t, unsigned node, unsigned other) {
    const book *b = &t->books[node];
    if (!b->running)
        return;
    const wsf_core *of = world_core(t->world, other);
    const wsf_origin *origin = wsf_witness_find(world_core(t->world, node), of->config.node);
    const wsf_peer *peer = wsf_peer_find(world_core(t->world, node), of->config.node);
    if (peer == NULL || peer->witness.refused)
        return;
    if (origin == NULL || origin->open || origin->frozen || origin->clock < of->witness.last)
        ledger_violation(t->ledger, "%s does not know how far it got with %s",
                         world_core(t->world, node)->name, of->name);
}
