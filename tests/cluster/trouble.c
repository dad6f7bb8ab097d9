/* Which faults may begin, and what beginning and ending means for processes, clocks and names. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "network.h"
#include "processes.h"
#include "servers.h"

static void tell(recorders *r, const char *what, const fault *f) {
    char *line = r->history[r->history_count++ % RECORDERS_HISTORY_MAX];
    const switch_wire *w = &f->wire;
    snprintf(line, sizeof r->history[0],
             "%8" PRIu64 "  %s %s, node %u, other %u %s strength %" PRId64, recorders_ms(r),
             fault_text(f->kind), what, f->node, f->other, scope_text(f->scope),
             (int64_t)w->flap_ms + w->delay_ms + w->bytes_per_s + w->loss_ppm + w->double_ppm +
                 w->reorder_ppm + w->reset_ppm + w->flip_ppm + f->wall_s);
    if (r->verbose)
        fprintf(stderr, "%s\n", line);
}

static void twin(recorders *r, const fault *f, bool begins) {
    if (begins && !processes_start(r, r->count, 0, f->node))
        recorders_violation(r, "could not be started", r->count);
    else if (!begins && f->other % 2 == 0)
        processes_kill(r, r->count);
    else if (!begins)
        processes_say_goodbye(r, r->count);
}

static void restart(recorders *r, const fault *f, bool begins) {
    unsigned address = r->nodes[f->node].address;
    if (!begins && !processes_start(r, f->node, f->kind == MOVE ? 1 - address : address, f->node))
        recorders_violation(r, "could not be started", f->node);
    else if (begins && f->kind == LEAVE)
        processes_say_goodbye(r, f->node);
    else if (begins)
        processes_kill(r, f->node);
}

/* Beside what the wires do. */
static void apply(recorders *r, const fault *f, bool begins) {
    process *p = &r->nodes[f->node];
    switch (f->kind) {
    case UNPLUG:
        network_plug(f->node, !begins);
        break;
    case STOP:
        if (p->pid != 0)
            kill(p->pid, begins ? SIGSTOP : SIGCONT);
        break;
    case KILL:
    case MOVE:
    case LEAVE:
        restart(r, f, begins);
        break;
    case TWIN:
        twin(r, f, begins);
        break;
    case SERVER_KILL:
        if (begins)
            servers_kill(f->node % SERVERS_COUNT);
        else if (!servers_start(f->node % SERVERS_COUNT))
            recorders_violation(r, "has no server", f->node);
        break;
    case SERVER_STOP:
        servers_signal(f->node % SERVERS_COUNT, begins ? SIGSTOP : SIGCONT);
        break;
    case CLOCK:
        p->wall_s = begins ? f->wall_s : 0;
        atomic_store(&p->log->wall_s, p->wall_s);
        break;
    case DNS_WRONG:
        processes_tell_names(r);
        break;
    default:
        break;
    }
}

static bool restarts(fault_kind kind) {
    return kind == KILL || kind == MOVE || kind == LEAVE;
}

static bool to_process(fault_kind kind) {
    return kind == STOP || kind == TWIN || restarts(kind);
}

static bool to_server(fault_kind kind) {
    return kind == SERVER_KILL || kind == SERVER_STOP;
}

/* Over NATS every wire leads to the servers, and a carrier alters nothing; libnats waits by a clock that is not the
 * recorders' own; and no node has an address. */
static bool has_over_nats(fault_kind kind) {
    return kind != HALVES && kind != RING && kind != BRIDGE && kind != FLIP && kind != MOVE &&
           kind != TWIN && kind != CLOCK && kind != DNS_SILENT && kind != DNS_WRONG;
}

/* Whether this cluster can have faults of the kind at all. */
static bool has(const recorders *r, fault_kind kind) {
    if (r->carrier == CARRIER_NATS ? !has_over_nats(kind) : to_server(kind))
        return false;
    if (r->only != 0 && (r->only >> kind & 1) == 0)
        return false;
    if (kind == CLOCK && r->kept == HISTORY_LARGE)
        return false; /* no position is good any more, once a clock was a minute off */
    if (kind == RING || kind == HALVES)
        return r->count >= 4;
    if (kind == BRIDGE)
        return r->count >= 3;
    return (kind != DNS_SILENT && kind != DNS_WRONG) || processes_by_dns(r);
}

/* What happens to a node happens to no other node at the same time, except that networks break as
 * they like. */
static bool possible(const recorders *r, const fault *wanted) {
    if (restarts(wanted->kind) && wanted->node < r->steady && r->count > r->steady)
        return false;
    if (wanted->kind == MOVE && r->naming == NAMING_TWO && wanted->node < 2)
        return false; /* the others would not find it */
    for (unsigned i = 0; i < r->active_count; i++) {
        const fault *f = &r->active[i];
        if (f->kind == wanted->kind &&
            (f->node == wanted->node || f->kind == TWIN || f->kind == DNS_WRONG))
            return false;
        if (f->node == wanted->node && to_process(f->kind) && to_process(wanted->kind))
            return false;
        if (to_server(f->kind) && to_server(wanted->kind) &&
            f->node % SERVERS_COUNT == wanted->node % SERVERS_COUNT)
            return false;
    }
    return true;
}

/* Mostly short, some until the peer is down, and some until it is forgotten. */
static uint64_t choose_ms(recorders *r) {
    return recorders_below(r, r->long_one_in) != 0 ? UINT64_C(50) << recorders_below(r, 6)
                                                   : 2000 + recorders_below(r, 8000);
}

static fault_kind choose_kind(recorders *r) {
    fault_kind kinds[FAULT_COUNT];
    unsigned count = 0;
    unsigned least = UINT32_MAX;
    for (unsigned kind = 0; kind < FAULT_COUNT; kind++) {
        if (!has(r, (fault_kind)kind) || r->counts[kind] > least)
            continue;
        if (r->counts[kind] < least)
            count = 0;
        least = r->counts[kind];
        kinds[count++] = (fault_kind)kind;
    }
    return count == 0 ? FAULT_COUNT : kinds[recorders_below(r, count)];
}

/* Names and wall clocks are no reason for anything. */
static void tell_trouble(const recorders *r) {
    bool trouble = false;
    bool slow = false;
    bool clocks = false;
    for (unsigned i = 0; i < r->active_count; i++) {
        trouble = trouble || r->active[i].kind < CLOCK;
        slow = slow || r->active[i].kind == SLOW;
        clocks = clocks || r->active[i].kind == CLOCK;
    }
    replay_set_trouble(r->replay, trouble, slow, clocks);
}

void recorders_break(recorders *r) {
    fault f;
    fault_kind kind = choose_kind(r);
    if (kind == FAULT_COUNT || r->active_count == RECORDERS_ACTIVE_MAX)
        return;
    fault_choose(&f, kind, r->count, &r->random);
    if (r->carrier == CARRIER_NATS)
        fault_lead_by(&f, NETWORK_NAME_SERVER, &r->random);
    f.until_ms = recorders_ms(r) + choose_ms(r);
    if (!possible(r, &f))
        return;
    r->counts[kind]++;
    tell(r, "begins", &f);
    r->active[r->active_count++] = f;
    tell_trouble(r);
    fault_set_wires(r->active, r->active_count, r->count);
    apply(r, &f, true);
}

void recorders_mend(recorders *r, bool all) {
    for (unsigned i = r->active_count; i-- > 0;) {
        fault f = r->active[i];
        if (!all && recorders_ms(r) < f.until_ms)
            continue;
        r->active[i] = r->active[--r->active_count];
        fault_set_wires(r->active, r->active_count, r->count);
        apply(r, &f, false);
        tell_trouble(r);
        tell(r, "ends", &f);
    }
}
