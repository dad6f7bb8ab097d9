/* A replica is a name; a node of the world is an address. Replica r starts at address r and may come back at
 * another address. Every static list has all addresses, or only the first three; then the replicas at these
 * stay there, so that new nodes always find one to introduce them. */
#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ACTIVE_MAX = 16,
    NAMED = 3,
    LINKS_MAX = 24,   /* of a swizzle */
    GOODBYE_MS = 200, /* as GOODBYE_LINGER_MS of the mesh thread */
    DRAIN_MS_MIN = 1000,
    DRAIN_MS_MAX = DRAIN_MS_MIN << 4,
    /* The version between is that of start_newer(). */
    FOREIGN_VERSION = WSF_PROTOCOL_MAX + 2,
    KIND_VERSION = 1,
    KIND_CLUSTER = 2 /* and up: a cluster for each foreign node */
};

typedef struct {
    fault_kind kind;
    uint64_t until_ms;
    uint64_t next_ms; /* of the next step of a fault with steps */
    uint64_t set;     /* nodes */
    unsigned node;
    unsigned other;
    unsigned links_count; /* of a swizzle */
    unsigned links_done;  /* each link is stopped and restored */
    uint64_t links_ms;    /* between two steps */
    unsigned links[LINKS_MAX][2];
} active;

struct faults {
    world *world;
    hosts *hosts;
    ledger *ledger;
    unsigned nodes;
    uint64_t *counts;
    unsigned named; /* static lists have so many addresses; 0: one address in front of all nodes */
    active active[ACTIVE_MAX];
    unsigned active_count;
    unsigned place[WORLD_NODES_MAX]; /* address of each replica */
    bool up[WORLD_NODES_MAX];        /* whether each replica runs */
    unsigned strangers;              /* nodes so far that took the address of another */
    bool foreign[WORLD_NODES_MAX];   /* the node at this address may not be a peer */
    unsigned clusters;               /* foreign clusters so far */
};

#define FAULT_TEXT(name, text) text,
static const char *const TEXTS[] = { FAULT_LIST(FAULT_TEXT) };
#undef FAULT_TEXT

const char *fault_text(fault_kind kind) {
    return TEXTS[kind];
}

faults *faults_new(world *w, hosts *h, ledger *l, unsigned nodes, uint64_t *counts) {
    faults *f = calloc(1, sizeof *f);
    if (f == NULL)
        abort();
    *f = (faults){ .world = w, .hosts = h, .ledger = l, .nodes = nodes, .counts = counts };
    for (unsigned i = 0; i < nodes; i++)
        f->place[i] = i;
    const unsigned named[] = { 2 * nodes, NAMED, 0 };
    f->named = named[world_random(w, 3)];
    return f;
}

void faults_destroy(faults *f) {
    free(f);
}

static uint64_t random_below(faults *f, uint64_t below) {
    return world_random(f->world, below);
}

static unsigned other_address(const faults *f, unsigned node) {
    return node < f->nodes ? node + f->nodes : node - f->nodes;
}

bool faults_any_node(faults *f, unsigned *node) {
    *node = f->place[random_below(f, f->nodes)];
    if (random_below(f, 16) == 0) /* a foreign node, or a stranger that was left behind */
        *node = other_address(f, *node);
    return world_alive(f->world, *node);
}

/* --------------------------------------------------------------------------- starting and ending */

static void start_at(faults *f, unsigned replica, unsigned node) {
    char name[16];
    snprintf(name, sizeof name, "n%u", replica);
    f->place[replica] = node;
    f->up[replica] = true;
    hosts_start(f->hosts, node, name, f->named, 0);
}

/* Ends the node at an address: a replica, or a stranger. */
static void vacate(faults *f, unsigned node) {
    if (!world_alive(f->world, node))
        return;
    for (unsigned r = 0; r < f->nodes; r++)
        if (f->up[r] && f->place[r] == node)
            f->up[r] = false;
    f->foreign[node] = false;
    hosts_crash(f->hosts, node);
}

static void restart(faults *f, unsigned replica, unsigned node) {
    if (f->up[replica])
        vacate(f, f->place[replica]);
    vacate(f, node);
    start_at(f, replica, node);
}

void faults_start(faults *f) {
    for (unsigned r = 0; r < f->nodes; r++)
        if (!f->up[r])
            restart(f, r, f->place[r]);
}

/* Starts a stranger, a node with a new name, at an address that a replica had. */
static void take_over(faults *f, unsigned replica) {
    char name[16];
    unsigned node = f->place[replica];
    vacate(f, node);
    snprintf(name, sizeof name, "s%u", f->strangers++);
    hosts_start(f->hosts, node, name, f->named, 0);
}

/* Starts a node of the next version, which speaks this version too. */
static void start_newer(faults *f, unsigned replica) {
    wsf_core_config *config = world_config(f->world);
    config->protocol_max = WSF_PROTOCOL_MAX + 1;
    restart(f, replica, f->place[replica]);
    config->protocol_max = WSF_PROTOCOL_MAX;
}

/* Starts a node that can be no peer: it speaks other versions only, or is of another cluster. */
static void start_foreign(faults *f, unsigned node) {
    char name[16];
    char cluster[16];
    unsigned kind = KIND_VERSION;
    wsf_core_config usual = *world_config(f->world);
    if (world_alive(f->world, node))
        return;
    snprintf(name, sizeof name, "s%u", f->strangers++);
    if (random_below(f, 2) == 0) {
        kind = KIND_CLUSTER + f->clusters;
        snprintf(cluster, sizeof cluster, "elsewhere%u", f->clusters++);
        world_config(f->world)->cluster = cluster;
    } else {
        world_config(f->world)->protocol_min = FOREIGN_VERSION;
        world_config(f->world)->protocol_max = FOREIGN_VERSION;
    }
    hosts_start(f->hosts, node, name, f->named, kind);
    f->foreign[node] = true;
    *world_config(f->world) = usual;
}

/* ---------------------------------------------------------------------------------- the network */

static void block_both(faults *f, unsigned a, unsigned b, bool blocked) {
    world_block(f->world, a, b, blocked);
    world_block(f->world, b, a, blocked);
}

static bool in(uint64_t set, unsigned node) {
    return (set >> node % 64 & 1) != 0;
}

/* Whether a partition of this kind separates two addresses; `set` says which side each is on. */
static bool separates(const active *a, unsigned nodes, unsigned i, unsigned j) {
    unsigned x = i % nodes;
    unsigned y = j % nodes;
    switch (a->kind) {
    case FAULT_HALVES:
        return in(a->set, x) != in(a->set, y);
    case FAULT_RING: /* each node reaches its neighbours only */
        return x != y && (x + 1) % nodes != y && (y + 1) % nodes != x;
    case FAULT_BRIDGE: /* two halves, and a node that reaches both */
        return in(a->set, x) != in(a->set, y) && x != a->node && y != a->node;
    case FAULT_SINGLE:
        return x != y && (x == a->node || y == a->node);
    default:
        return false;
    }
}

static void partition(faults *f, const active *a, bool blocked) {
    for (unsigned i = 0; i < 2 * f->nodes; i++)
        for (unsigned j = i + 1; j < 2 * f->nodes; j++)
            if (separates(a, f->nodes, i, j))
                block_both(f, i, j, blocked);
}

static void choose_links(faults *f, active *a, uint64_t ms) {
    unsigned wanted = 1 + (unsigned)random_below(f, LINKS_MAX);
    for (unsigned tries = 0; tries < 2 * LINKS_MAX && a->links_count < wanted; tries++) {
        unsigned i = f->place[random_below(f, f->nodes)];
        unsigned j = f->place[random_below(f, f->nodes)];
        bool chosen = i == j;
        for (unsigned k = 0; k < a->links_count; k++)
            chosen = chosen || (a->links[k][0] == i && a->links[k][1] == j) ||
                     (a->links[k][0] == j && a->links[k][1] == i);
        if (chosen)
            continue;
        a->links[a->links_count][0] = i;
        a->links[a->links_count++][1] = j;
    }
    a->links_ms = ms / (2 * a->links_count + 1);
}

static void shuffle_links(faults *f, active *a) {
    for (unsigned i = a->links_count; i > 1; i--) {
        unsigned j = (unsigned)random_below(f, i);
        for (unsigned end = 0; end < 2; end++) {
            unsigned moved = a->links[i - 1][end];
            a->links[i - 1][end] = a->links[j][end];
            a->links[j][end] = moved;
        }
    }
}

/* The links of a random subset are stopped one by one, then restored in another order
 * ("swizzle-clog" of FoundationDB). */
static void swizzle_step(faults *f, active *a) {
    if (a->links_done == a->links_count)
        shuffle_links(f, a);
    bool blocked = a->links_done < a->links_count;
    unsigned next = blocked ? a->links_done : a->links_done - a->links_count;
    if (next < a->links_count)
        block_both(f, a->links[next][0], a->links[next][1], blocked);
    a->links_done++;
    a->next_ms = world_ms(f->world) + a->links_ms;
}

/* Whether a fault is still about the node that it began with, and that may act. */
static bool is_about(const faults *f, const active *a) {
    return world_alive(f->world, a->node) && world_node_id(f->world, a->node) == a->set;
}

static void begin_drain(faults *f, active *a) {
    a->set = world_alive(f->world, a->node) && !world_frozen(f->world, a->node)
                 ? world_node_id(f->world, a->node)
                 : 0;
    if (a->set == 0)
        return;
    uint32_t ms = (uint32_t)DRAIN_MS_MIN << random_below(f, 5);
    world_drain(f->world, a->node, ms);
    a->until_ms = world_ms(f->world) + 2 * DRAIN_MS_MAX;
}

/* The node sheds its sessions, and says goodbye when it may go. */
static void drain_step(faults *f, active *a) {
    int status;
    a->next_ms = world_ms(f->world) + 1 + random_below(f, 100);
    if (!is_about(f, a) || world_frozen(f->world, a->node))
        return;
    hosts_shed(f->hosts, a->node, f->place[random_below(f, f->nodes)]);
    if (!world_drained(f->world, a->node, &status))
        return;
    wsf_core_say_bye(world_core(f->world, a->node), world_now(f->world, a->node));
    world_freeze(f->world, a->node, true);
    a->until_ms = world_ms(f->world) + GOODBYE_MS;
}

static void step(faults *f, active *a) {
    if (a->kind == FAULT_FLAPPING) {
        world_break(f->world, a->node, a->other);
        a->next_ms = world_ms(f->world) + 50 + random_below(f, 2000);
    } else if (a->kind == FAULT_SWIZZLE) {
        swizzle_step(f, a);
    } else if (a->kind == FAULT_DRAIN) {
        drain_step(f, a);
    }
}

/* Only the fault that froze a node lets it go on: one that has closed does nothing more. */
static void freeze(faults *f, active *a, bool on) {
    world *w = f->world;
    if (on) {
        a->set = world_alive(w, a->node) && !world_frozen(w, a->node) ? world_node_id(w, a->node)
                                                                      : 0;
        if (a->set != 0)
            world_freeze(w, a->node, true);
    } else if (is_about(f, a)) {
        world_freeze(w, a->node, false);
    }
}

/* A node that has closed does nothing more while its goodbye is under way. */
static void say_goodbye(faults *f, active *a, bool on) {
    if (!on) {
        if (is_about(f, a))
            vacate(f, a->node);
        return;
    }
    a->set = 0;
    if (!world_alive(f->world, a->node) || world_frozen(f->world, a->node))
        return;
    a->set = world_node_id(f->world, a->node);
    wsf_core_say_bye(world_core(f->world, a->node), world_now(f->world, a->node));
    world_freeze(f->world, a->node, true);
}

static void apply(faults *f, active *a, bool on) {
    world *w = f->world;
    uint32_t rate = on ? 1000u << random_below(f, 8) : 0; /* 0.1 % .. 12.8 % */
    switch (a->kind) {
    case FAULT_LOSS:
        world_lose(w, rate);
        break;
    case FAULT_DELAY:
        world_delay(w, on ? 1u << random_below(f, 10) : 3);
        break;
    case FAULT_DUPLICATION:
        world_duplicate(w, rate);
        break;
    case FAULT_BIT_FLIPS:
        world_flip(w, rate);
        break;
    case FAULT_TRUNCATION:
        world_truncate(w, rate);
        break;
    case FAULT_ONE_WAY:
        world_block(w, a->node, a->other, on);
        break;
    case FAULT_HALVES:
    case FAULT_RING:
    case FAULT_BRIDGE:
    case FAULT_SINGLE:
        partition(f, a, on);
        break;
    case FAULT_SLOW:
        world_slow(w, a->node, on ? 1 + (uint32_t)random_below(f, 200) : 0);
        break;
    case FAULT_FREEZE:
        freeze(f, a, on);
        break;
    case FAULT_REFUSED: /* refused while the node lives */
        if (world_alive(w, a->node))
            world_refuse(w, a->node, on);
        break;
    case FAULT_GOODBYE:
        say_goodbye(f, a, on);
        break;
    case FAULT_DRAIN:
        if (on)
            begin_drain(f, a);
        else if (is_about(f, a))
            vacate(f, a->node);
        break;
    case FAULT_FULL_INBOX:
        hosts_fill_inboxes(f->hosts, a->node, on ? 1 + (unsigned)random_below(f, 8) : 0);
        break;
    case FAULT_SWIZZLE:
        for (unsigned i = 0; !on && i < a->links_count; i++)
            block_both(f, a->links[i][0], a->links[i][1], false);
        break;
    default:
        break;
    }
}

/* -------------------------------------------------------------------------------------- at once */

/* Carries out a fault without a duration. False: this fault has one. */
static bool strike(faults *f, fault_kind kind, unsigned replica) {
    unsigned node = f->place[replica];
    switch (kind) {
    case FAULT_BREAK:
        world_break(f->world, node, f->place[random_below(f, f->nodes)]);
        return true;
    case FAULT_DEAF: /* one direction of a node that runs */
        if (world_alive(f->world, node))
            world_deafen(f->world, node, f->place[random_below(f, f->nodes)]);
        return true;
    case FAULT_CRASH:
        vacate(f, node);
        return true;
    case FAULT_RESTART:
        restart(f, replica, node);
        return true;
    case FAULT_MOVE:
        restart(f, replica, other_address(f, node));
        return true;
    case FAULT_TAKEOVER:
        take_over(f, replica);
        return true;
    case FAULT_VERSION:
        start_newer(f, replica);
        return true;
    case FAULT_FOREIGN:
        start_foreign(f, other_address(f, node));
        return true;
    case FAULT_CLOCK:
        world_jump(f->world, node, (int64_t)random_below(f, 200000) - 100000);
        return true;
    default:
        return false;
    }
}

/* Whether such a fault must not end another life: the ledger has room for so many, and healing needs some. */
static bool too_many_lives(const faults *f, fault_kind kind) {
    return (kind == FAULT_RESTART || kind == FAULT_MOVE || kind == FAULT_TAKEOVER ||
            kind == FAULT_VERSION || kind == FAULT_FOREIGN) &&
           ledger_lives_left(f->ledger) <= f->nodes;
}

void faults_begin_one(faults *f) {
    fault_kind kind = (fault_kind)random_below(f, FAULT_REORDER); /* the last is counted below */
    unsigned replica = (unsigned)random_below(f, f->nodes);
    if (f->active_count == ACTIVE_MAX || too_many_lives(f, kind))
        return;
    if (kind == FAULT_MOVE && replica < NAMED && f->named == NAMED)
        return;
    f->counts[kind]++;
    ledger_trace(f->ledger, "%s at address %u", fault_text(kind), f->place[replica]);
    if (strike(f, kind, replica))
        return;
    /* Mostly short; now and then long enough that peers are forgotten. */
    uint64_t ms = 10u << random_below(f, random_below(f, 4) == 0 ? 14 : 10);
    if (kind == FAULT_GOODBYE)
        ms = GOODBYE_MS;
    active *a = &f->active[f->active_count++];
    *a = (active){ .kind = kind,
                   .until_ms = world_ms(f->world) + ms,
                   .set = random_below(f, 0),
                   .node = f->place[replica],
                   .other = f->place[random_below(f, f->nodes)] };
    if (kind == FAULT_SWIZZLE)
        choose_links(f, a, ms);
    if (kind == FAULT_HALVES || kind == FAULT_BRIDGE || kind == FAULT_RING || kind == FAULT_SINGLE)
        a->node %= f->nodes;
    apply(f, a, true);
}

static void end(faults *f, unsigned i) {
    active over = f->active[i];
    f->active[i] = f->active[--f->active_count];
    ledger_trace(f->ledger, "%s at address %u ends", fault_text(over.kind), over.node);
    apply(f, &over, false);
}

void faults_tick(faults *f) {
    for (unsigned i = f->active_count; i-- > 0;) {
        if (world_ms(f->world) >= f->active[i].until_ms)
            end(f, i);
        else if (world_ms(f->world) >= f->active[i].next_ms)
            step(f, &f->active[i]);
    }
}

/* Ends strangers first, then the last replicas, until no more than living_max nodes live. */
static void make_room(faults *f, unsigned living_max) {
    unsigned living = 0;
    for (unsigned i = 0; i < 2 * f->nodes; i++)
        living += world_alive(f->world, i);
    for (unsigned i = 0; i < 2 * f->nodes && living > living_max; i++) {
        bool stranger = world_alive(f->world, i);
        for (unsigned r = 0; r < f->nodes; r++)
            stranger = stranger && f->place[r] != i;
        if (stranger) {
            vacate(f, i);
            living--;
        }
    }
    for (unsigned r = f->nodes; r-- > 0 && living > living_max; living--)
        vacate(f, f->place[r]);
}

void faults_heal(faults *f, unsigned living_max) {
    ledger_trace(f->ledger, "heal");
    while (f->active_count > 0)
        end(f, 0);
    for (unsigned i = 0; i < 2 * f->nodes; i++) {
        if (f->foreign[i])
            vacate(f, i);
        for (unsigned j = 0; j < 2 * f->nodes; j++)
            if (i != j)
                world_block(f->world, i, j, false);
        if (world_alive(f->world, i) && world_frozen(f->world, i))
            world_freeze(f->world, i, false);
    }
    faults_start(f);
    make_room(f, living_max);
    f->counts[FAULT_REORDER] += world_counted(f->world).reordered;
}
