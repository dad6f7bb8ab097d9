/* Load and faults in slices of a few milliseconds. Then everything heals: within a bound all nodes must
 * agree, and nothing may be missing that was not reported. Perhaps again, with the nodes that still live. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/state.h"

enum {
    SMALL_TABLES = WSF_SIZE(0, 1),
    ROUNDS_SMALL = 4,
    CONTROL_RESERVE = 128 * 1024, /* WSF_PART_CONTROL of part.h */
    CHOSEN_NODES_MAX = 100,       /* by a seed; there may be SIM_NODES_MAX */
    FRAME_MAX = 128 * 1024,       /* bytes of a frame of any kind, with these limits */
    QUIET_MS_MAX = 120000, /* after healing, until all nodes agree: two clusters may have to meet */
    BARRIER_SLACK_MS = 3000,
    FRAMES_PER_SLICE_MAX = 200000, /* more is no load, but a storm that feeds itself; */
    FRAMES_PER_LINK_MAX = 16 /* where many nodes meet at a time, more than these for each two */
};

typedef struct {
    world *world;
    hosts *hosts;
    ledger *ledger;
    faults *faults;
    unsigned nodes;
    unsigned chats;
    size_t size_max;
    unsigned fault_one_in; /* slices */
    unsigned changes_one_in;
    uint64_t published;
    bool history; /* some nodes have it */
    bool storm;
    uint64_t seen_ms[WORLD_NODES_MAX];
    /* Node `mistaken` was given a wrong idea of the interest of `mistaken_of`; WORLD_NODES_MAX: none. */
    unsigned mistaken;
    unsigned mistaken_of;
} sim;

static uint64_t random_below(sim *s, uint64_t below) {
    return world_random(s->world, below);
}

/* --------------------------------------------------------------------------------------- set-up */

/* Mostly few nodes: they show as much, and more of such runs fit into the same time. */
static unsigned choose_nodes(sim *s) {
    if (SMALL_TABLES)
        return 3 + (unsigned)random_below(s, 7);
    uint64_t dice = random_below(s, 2000);
    if (dice == 0)
        return 25 + (unsigned)random_below(s, CHOSEN_NODES_MAX - 24);
    if (dice <= 20)
        return 8 + (unsigned)random_below(s, 17);
    return 2 + (unsigned)random_below(s, dice <= 400 ? 7 : 3);
}

static void choose_limits(sim *s) {
    wsf_core_config *config = world_config(s->world);
    config->payload_bytes_max = 32 * 1024;
    config->link.window_bytes = (64u * 1024) << random_below(s, 3);
    config->link.queue_count_max = 64u << random_below(s, 7);
    config->link.queue_bytes_max = (64u * 1024) << random_below(s, 5);
    config->interest_log_count_max = 64u << random_below(s, 4);
    config->remote_chats_count_max = random_below(s, 8) == 0 ? 4 : 1024;
    config->forget_ms = random_below(s, 2) == 0 ? 15000 : 120000;
    config->presence.grace_ms = (uint32_t)random_below(s, 3) * 2500;
    config->presence.members_count_max = random_below(s, 4) == 0 ? 2 : 1000;
    config->presence.remote_count_max = random_below(s, 8) == 0 ? 6 : 100000;
    config->slow_peer = random_below(s, 3) == 0 ? WSFAN_SLOW_CUT : WSFAN_SLOW_DROP;
    if (random_below(s, 2) == 0) { /* peers are down soon, and many joins are partial */
        config->heartbeat_ms = 300;
        config->silent_ms = 900;
        config->down_ms = 2000;
        config->join_ms_max = 150;
        config->recover_ms_max = 150;
    }
    if (s->history) {
        config->history_copies = (const uint32_t[]){ 0, 1, 1, 1, 2, 3 }[random_below(s, 6)];
        config->history_count_max = 1u << random_below(s, 10);
        config->history_chat_bytes_max = 1024u << random_below(s, 7);
        config->history_bytes_max = (uint64_t)64 * 1024 << random_below(s, 8);
    }
    /* Many joins hide a fault: what one join fails to tell the next one tells. */
    s->changes_one_in = 1u << (3 * random_below(s, 3));
    s->chats = 1 + (unsigned)random_below(s, 32);
    s->size_max = random_below(s, 4) == 0 ? 20000 : 200;
    s->fault_one_in = 8u << random_below(s, 6);
}

/* Some nodes have room for fewer peers than there are: other nodes must wait until a peer is gone. */
static void choose_small_limits(sim *s) {
    wsf_core_config *config = world_config(s->world);
    config->peers_count_max = s->nodes - 1 - (unsigned)random_below(s, (s->nodes + 1) / 2);
    config->interest_log_count_max = 4u << random_below(s, 4);
    if (random_below(s, 2) == 0)
        config->remote_chats_count_max = 4 + (uint32_t)random_below(s, 8);
    config->requests_count_max = 1 + (uint32_t)random_below(s, 8);
    config->forget_ms = 15000;
}

/* How many nodes can all have room for each other. */
static unsigned living_max(const sim *s) {
    unsigned room = world_config(s->world)->peers_count_max + 1;
    return SMALL_TABLES || s->nodes > room ? room : 2 * s->nodes;
}

/* ---------------------------------------------------------------------------------- invariants */

/* Checks that nothing outgrows what was configured. */
static void check_memory(sim *s, unsigned node) {
    const wsf_core *core = world_core(s->world, node);
    const wsf_link_limits *limits = &core->config.link;
    uint64_t bytes = 0;
    uint32_t links = 0;
    for (unsigned p = 0; p < core->config.peers_count_max; p++) {
        const wsf_link *link = &core->peers[p].link;
        if (core->peers[p].node == 0)
            continue;
        if (link->sent_bytes > limits->window_bytes + CONTROL_RESERVE + FRAME_MAX)
            ledger_violation(s->ledger, "node %u has %llu bytes under way", node,
                             (unsigned long long)link->sent_bytes);
        if (link->queue_count > limits->queue_count_max ||
            (link->queue_count > 1 && link->queue_bytes > limits->queue_bytes_max))
            ledger_violation(s->ledger, "node %u queues %u messages", node, link->queue_count);
        bytes += link->sent_bytes + link->queue_bytes + link->talk_bytes + link->held_bytes;
        links++;
        if (link->held_bytes > limits->window_bytes)
            ledger_violation(s->ledger, "node %u holds %llu bytes", node,
                             (unsigned long long)link->held_bytes);
    }
    if (bytes != core->budget.bytes || links != core->budget.links)
        ledger_violation(s->ledger, "node %u has %llu bytes in links and counts %llu", node,
                         (unsigned long long)bytes, (unsigned long long)core->budget.bytes);
    /* A frame, a message and what is for control are let through at any time. */
    if (bytes > core->budget.bytes_max + links * (uint64_t)(CONTROL_RESERVE + 2 * FRAME_MAX))
        ledger_violation(s->ledger, "node %u has %llu bytes in links", node,
                         (unsigned long long)bytes);
    const wsf_interest *interest = &core->interest;
    if (interest->rows_count > core->config.remote_chats_count_max + interest->local_count)
        ledger_violation(s->ledger, "node %u has %u rows of interest", node, interest->rows_count);
}

/* Checks that joins and requests end in time, counted while the node runs. */
static void check_barriers(sim *s, unsigned node) {
    uint32_t life = hosts_life(s->hosts, node);
    const wsf_core_config *config = &world_core(s->world, node)->config;
    uint64_t now_ms = world_ms(s->world);
    hosts_check_asks(s->hosts, node, world_frozen(s->world, node) ? now_ms - s->seen_ms[node] : 0);
    if (world_frozen(s->world, node))
        ledger_postpone_joins(s->ledger, life, now_ms - s->seen_ms[node]);
    else
        ledger_check_joins(s->ledger, life,
                           2 * config->join_ms_max + (s->history ? config->recover_ms_max : 0) +
                               BARRIER_SLACK_MS);
    s->seen_ms[node] = now_ms;
}

static void check_all(sim *s) {
    for (unsigned node = 0; node < 2 * s->nodes; node++) {
        if (!world_alive(s->world, node))
            continue;
        check_memory(s, node);
        hosts_check_counters(s->hosts, node);
        check_barriers(s, node);
        hosts_check_testimony(s->hosts, node);
    }
    custody_check(hosts_custody(s->hosts));
}

/* Checks that a peer's interest was mended only where hosts_mistake() made it wrong, and once. */
static void check_mended(sim *s, unsigned i, unsigned j, wsf_peer *out) {
    unsigned expected = i == s->mistaken && j == s->mistaken_of;
    if (out->stats.interest_mended > expected)
        ledger_violation(s->ledger,
                         "node %u had a wrong idea of node %u's interest %llu times, not %u", i, j,
                         (unsigned long long)out->stats.interest_mended, expected);
    out->stats.interest_mended = 0;
}

/* Checks both ends of a link: what was sent since the two met is what arrived and what gaps told. */
static void check_pair(sim *s, unsigned i, unsigned j) {
    wsf_core *from = world_core(s->world, i);
    const wsf_core *to = world_core(s->world, j);
    wsf_peer *out = wsf_peer_find(from, to->config.node);
    const wsf_peer *back = wsf_peer_find(to, from->config.node);
    if (out == NULL || back == NULL) {
        ledger_violation(s->ledger, "%s and %s do not know each other", from->name, to->name);
        return;
    }
    hosts_check_testimony_at_rest(s->hosts, j, i);
    unsigned index = (unsigned)(back - to->peers);
    bool whole = wsf_peers_has(to->complete, index);
    if (whole && to->interest.peer_digests[index] != from->interest.local_digest)
        ledger_violation(s->ledger, "%s has another idea of %s's interest", to->name, from->name);
    if (!whole && to->interest.remote_count <= to->config.remote_chats_count_max / 2)
        ledger_violation(s->ledger, "%s does not know %s's interest", to->name, from->name);
    check_mended(s, i, j, out);
    if (out->link.queue.count > 0 || out->link.sent.count > 0 || back->link.held.count > 0)
        ledger_violation(s->ledger, "%s has more for %s and is silent", from->name, to->name);
    bool first_link = out->stats.links == 1 && back->stats.links == 1;
    if (first_link && out->stats.messages_out != back->stats.messages_in)
        ledger_violation(s->ledger, "%s sent %s %llu messages, it took %llu", from->name, to->name,
                         (unsigned long long)out->stats.messages_out,
                         (unsigned long long)back->stats.messages_in);
    if (first_link && out->stats.gap_out != back->stats.gap_in)
        ledger_violation(s->ledger, "%s lost %llu for %s, it was told of %llu", from->name,
                         (unsigned long long)out->stats.gap_out, to->name,
                         (unsigned long long)back->stats.gap_in);
}

/* Checks that ready nodes with the same view name the same owners. */
static void check_owners(sim *s) {
    const wsf_view *first = NULL;
    for (unsigned i = 0; i < 2 * s->nodes; i++) {
        if (!world_alive(s->world, i))
            continue;
        const wsf_view *view = world_view(s->world, i);
        const char *name = world_core(s->world, i)->name;
        if (!world_core(s->world, i)->status.ready)
            ledger_violation(s->ledger, "%s is not ready", name);
        for (uint64_t chat = 0; first != NULL && chat < s->chats; chat++) {
            uint64_t hash = world_chat_hash(s->world, chat);
            const wsf_placement_node *a = wsf_view_owner(first, hash);
            const wsf_placement_node *b = wsf_view_owner(view, hash);
            if (a == NULL || b == NULL || a->node != b->node)
                ledger_violation(s->ledger, "%s sees another owner of chat %u", name,
                                 (unsigned)chat);
        }
        first = view;
    }
}

static void check_agreement(sim *s) {
    check_owners(s);
    custody_check_rest(hosts_custody(s->hosts));
    for (unsigned i = 0; i < 2 * s->nodes; i++) {
        if (!world_alive(s->world, i))
            continue;
        hosts_check_interest(s->hosts, i);
        hosts_check_presence(s->hosts, i);
        hosts_check_history_at_rest(s->hosts, i);
        for (unsigned j = 0; j < 2 * s->nodes; j++)
            if (i != j && world_alive(s->world, j))
                check_pair(s, i, j);
    }
}

/* ----------------------------------------------------------------------------------------- load */

static void change(sim *s, unsigned node) {
    uint64_t dice = random_below(s, 40);
    if (dice < 20) {
        hosts_join(s->hosts, node, s->chats);
    } else if (dice < 28) {
        hosts_leave(s->hosts, node);
    } else if (dice < 35) {
        hosts_open(s->hosts, node);
    } else if (dice < 37) {
        unsigned to;
        if (faults_any_node(s->faults, &to) && !world_frozen(s->world, to))
            hosts_move(s->hosts, node, to);
    } else {
        hosts_close(s->hosts, node);
    }
}

static void act(sim *s) {
    unsigned node;
    if (!faults_any_node(s->faults, &node) || world_frozen(s->world, node))
        return;
    uint64_t dice = random_below(s, 100);
    if (dice < 4) {
        hosts_ask(s->hosts, node, s->chats);
    } else if (dice < 12) {
        hosts_backfill(s->hosts, node, s->chats);
    } else if (dice < 60) {
        uint64_t burst = random_below(s, 40) == 0 ? random_below(s, 400) : random_below(s, 4);
        for (uint64_t i = 0; i <= burst; i++)
            s->published += hosts_publish(s->hosts, node, s->chats, s->size_max);
    } else if (random_below(s, s->changes_one_in) == 0) {
        change(s, node);
    }
}

static void slice(sim *s) {
    uint64_t before = world_counted(s->world).sent;
    uint64_t until = world_ms(s->world) + 1 + random_below(s, 60);
    unsigned frames_max = s->nodes * s->nodes * FRAMES_PER_LINK_MAX;
    frames_max = frames_max > FRAMES_PER_SLICE_MAX ? frames_max : FRAMES_PER_SLICE_MAX;
    while (world_ms(s->world) < until && !s->storm) {
        world_run(s->world, 1);
        custody_watch(hosts_custody(s->hosts));
        s->storm = world_counted(s->world).sent - before > frames_max;
    }
    if (s->storm)
        ledger_violation(s->ledger, "more than %u frames in a moment", frames_max);
    ledger_set_time(s->ledger, world_ms(s->world));
    hosts_dispatch(s->hosts);
    check_all(s);
}

/* Whether a node knows the whole interest of all peers that are up, as far as it has room. */
static bool knows_interest(const wsf_core *core) {
    bool whole = true;
    for (unsigned p = 0; p < core->config.peers_count_max; p++)
        whole = whole && (core->peers[p].node == 0 || core->peers[p].state != WSFAN_PEER_UP ||
                          wsf_peers_has(core->complete, p));
    return whole || core->interest.remote_count > core->config.remote_chats_count_max / 2;
}

/* Whether all peers that are up have acknowledged the node's own. It changes at rest too, when a chat is not kept any more. */
static bool has_told_interest(const wsf_core *core) {
    for (unsigned p = 0; p < core->config.peers_count_max; p++)
        if (core->peers[p].node != 0 && core->peers[p].state == WSFAN_PEER_UP &&
            core->peers[p].subscription.serial_acked < core->interest.serial)
            return false;
    return true;
}

static bool agreed(sim *s) {
    for (unsigned i = 0; i < 2 * s->nodes; i++) {
        if (!world_alive(s->world, i))
            continue;
        const wsf_core *core = world_core(s->world, i);
        if (!wsf_core_drained(core) || !knows_interest(core) || !has_told_interest(core))
            return false;
    }
    return world_all_up(s->world);
}

/* Whether all nodes have the same view. A dead node may be silent for one node and down for another, which
 * heard of the dead one earlier. */
static bool views_agree(sim *s) {
    const wsf_view *first = NULL;
    for (unsigned i = 0; i < 2 * s->nodes; i++) {
        if (!world_alive(s->world, i))
            continue;
        if (first != NULL && !wsf_view_same(first, world_view(s->world, i)))
            return false;
        first = world_view(s->world, i);
    }
    return true;
}

/* Makes one node wrong about another at rest, when nothing else would mend that. */
static void make_a_mistake(sim *s) {
    s->mistaken = s->mistaken_of = WORLD_NODES_MAX;
    unsigned node = (unsigned)random_below(s, 2 * s->nodes);
    if (!world_alive(s->world, node))
        return;
    s->mistaken_of = hosts_mistake(s->hosts, node);
    if (s->mistaken_of != WORLD_NODES_MAX)
        s->mistaken = node;
}

static void settle(sim *s) {
    uint64_t until = world_ms(s->world) + QUIET_MS_MAX;
    do
        slice(s);
    while (!s->storm && !agreed(s) && world_ms(s->world) < until);
    if (!agreed(s))
        ledger_violation(s->ledger, "no agreement within %u ms of quiet", (unsigned)QUIET_MS_MAX);
    make_a_mistake(s);
    /* A heartbeat or two more shows a lost tail and compares interest; results come in. */
    until = world_ms(s->world) + world_config(s->world)->result_ms_max + 3000;
    uint64_t presence_ms = world_ms(s->world) + 2000 + world_config(s->world)->down_ms +
                           world_config(s->world)->presence.grace_ms +
                           world_config(s->world)->request_ms_max; /* that may close a session */
    until = until > presence_ms ? until : presence_ms; /* for nodes that have just died */
    while (!s->storm && world_ms(s->world) < until)
        slice(s);
    until = world_ms(s->world) + world_config(s->world)->down_ms;
    while (!s->storm && !views_agree(s) && world_ms(s->world) < until)
        slice(s);
    /* What nodes tell each other now and then may be under way just now. */
    until = world_ms(s->world) + QUIET_MS_MAX;
    while (!s->storm && !(agreed(s) && custody_settled(hosts_custody(s->hosts))) &&
           world_ms(s->world) < until)
        slice(s);
}

/* Load and faults; then everything heals, and what is missing must be explained. */
static void run_round(sim *s, unsigned minutes) {
    uint64_t load_ms = minutes != 0 ? minutes * 60000 : 30000 + random_below(s, 90000);
    uint64_t until = world_ms(s->world) + load_ms;
    faults_start(s->faults);
    while (!s->storm && world_ms(s->world) < until) {
        slice(s);
        for (uint64_t i = random_below(s, 4); i-- > 0;)
            act(s);
        if (random_below(s, s->fault_one_in) == 0)
            faults_begin_one(s->faults);
        faults_tick(s->faults);
    }
    faults_heal(s->faults, living_max(s));
    settle(s);
    check_agreement(s);
    ledger_check(s->ledger);
    hosts_check_returns(s->hosts);
    hosts_check_answers(s->hosts);
}

static void check_each(sim *s, void (*check)(hosts *h, unsigned node)) {
    for (unsigned node = 0; node < 2 * s->nodes; node++)
        if (world_alive(s->world, node))
            check(s->hosts, node);
}

/* Nothing is looked at meanwhile, as that would take what is too old out of an archive. */
static void let_pass(sim *s, uint64_t ms) {
    enum { STEP_MS = 100 };
    for (uint64_t passed = 0; passed < ms; passed += STEP_MS) {
        world_run(s->world, STEP_MS);
        ledger_set_time(s->ledger, world_ms(s->world));
        hosts_dispatch(s->hosts);
    }
}

/* Checks that what is kept goes with its time: the messages, and then, without sessions, all. */
static void end_history(sim *s) {
    enum { SLACK_MS = 2000 };
    let_pass(s, 2 * HOSTS_HISTORY_MS + SLACK_MS);
    check_each(s, hosts_check_expired);
    check_each(s, hosts_close_all);
    let_pass(s, 2 * HOSTS_HISTORY_MS);
    check_each(s, hosts_check_gone);
}

/* Settles the round; nodes, links and sessions live on. */
static void forget_round(sim *s) {
    ledger_forget(s->ledger, 0);
    hosts_forget(s->hosts);
}

static bool has_failed(const sim *s) {
    const char *texts[LEDGER_VIOLATIONS_MAX];
    return ledger_violations(s->ledger, texts) > 0;
}

static void report_on(const sim *s, sim_report *report) {
    report->published += s->published;
    report->deliveries += ledger_deliveries(s->ledger);
    report->frames += world_counted(s->world).sent;
    const char *texts[LEDGER_VIOLATIONS_MAX];
    report->violations_count = ledger_violations(s->ledger, texts);
    for (size_t i = 0; i < report->violations_count; i++)
        snprintf(report->violations[i], sizeof report->violations[i], "%s", texts[i]);
}

void sim_run(uint64_t seed, const sim_options *options, sim_report *report) {
    static sim s;
    memset(&s, 0, sizeof s);
    s.ledger = ledger_new();
    ledger_set_trace(s.ledger, options->trace);
    s.history = seed / 2 % 3 != HOSTS_HISTORY_NONE;
    s.hosts = hosts_new(s.ledger, 1 + (unsigned)(seed % 2), (hosts_history)(seed / 2 % 3),
                        options->returns);
    world_watcher watcher = hosts_watcher(s.hosts);
    s.world = world_new(seed, &watcher);
    hosts_attach(s.hosts, s.world);
    choose_limits(&s);
    s.nodes = options->nodes != 0 ? options->nodes : choose_nodes(&s);
    /* Not by chance: each seed goes on as it did before there were these. */
    world_config(s.world)->links_bytes_max = seed % 5 == 4 ? 512 * 1024 : 64 * 1024 * 1024;
    world_config(s.world)->join_silent_ms = seed % 7 == 6 ? 100 : 0;
    if (SMALL_TABLES)
        choose_small_limits(&s);
    s.faults = faults_new(s.world, s.hosts, s.ledger, s.nodes, report->faults);
    unsigned rounds = options->rounds;
    if (rounds == 0)
        rounds = SMALL_TABLES ? 1 + (unsigned)random_below(&s, ROUNDS_SMALL) : 1;

    uint64_t began_ms = world_ms(s.world);
    ledger_set_time(s.ledger, began_ms);
    for (unsigned round = 0; round < rounds && !has_failed(&s); round++) {
        if (round > 0)
            forget_round(&s);
        run_round(&s, options->minutes);
    }
    if (s.history && !has_failed(&s))
        end_history(&s);
    report->simulated_ms += world_ms(s.world) - began_ms;
    report_on(&s, report);
    hosts_destroy(s.hosts);
    world_destroy(s.world);
    faults_destroy(s.faults);
    ledger_destroy(s.ledger);
}
