#include "fault.h"

#include <string.h>

#include "dice.h"
#include "network.h"

enum { PPM_MAX = 900000 };

#define FAULT_TEXT(name, text) text,
static const char *const TEXTS[] = { FAULT_LIST(FAULT_TEXT) };
#undef FAULT_TEXT

const char *fault_text(fault_kind kind) {
    return TEXTS[kind];
}

const char *scope_text(fault_scope scope) {
    static const char *const texts[] = { "",       "one way", "pair",   "node", "everyone",
                                         "halves", "ring",    "bridge", "names" };
    return texts[scope];
}

bool fault_parse(const char *list, uint32_t *kinds) {
    for (*kinds = 0;;) {
        size_t size = strcspn(list, ",");
        unsigned kind = 0;
        while (kind < FAULT_COUNT &&
               (strlen(TEXTS[kind]) != size || memcmp(TEXTS[kind], list, size) != 0))
            kind++;
        if (kind == FAULT_COUNT)
            return false;
        *kinds |= 1u << kind;
        if (list[size] == '\0')
            return true;
        list += size + 1;
    }
}

/* ------------------------------------------------------------------------------------- choosing */

/* From `least` on, doubled up to `times` times: weak faults are as frequent as strong ones. */
static uint32_t power(uint32_t least, unsigned times, uint64_t *dice) {
    return least << dice_below(dice, times + 1);
}

static fault_scope any_scope(uint64_t *dice) {
    return (fault_scope)(SCOPE_ONE_WAY + dice_below(dice, SCOPE_EVERYONE));
}

static void choose_wire(fault *f, uint64_t *dice) {
    switch_wire *w = &f->wire;
    f->scope = any_scope(dice);
    w->cut = f->kind == CUT;
    w->flap_ms = f->kind == FLAP ? power(20, 7, dice) : 0;
    w->loss_ppm = f->kind == LOSS ? power(10000, 5, dice) : 0;
    w->delay_ms = f->kind == DELAY ? power(5, 6, dice) : 0;
    w->reorder_ppm = f->kind == REORDER ? power(10000, 5, dice) : 0;
    w->double_ppm = f->kind == DOUBLE ? power(10000, 5, dice) : 0;
    w->bytes_per_s = f->kind == SLOW ? power(16000, 5, dice) : 0;
    w->reset_ppm = f->kind == RESET ? power(1000, 8, dice) : 0;
    w->flip_ppm = f->kind == FLIP ? power(1000, 8, dice) : 0;
}

/* To both sides, from a second to more than an hour. */
static int64_t choose_step(uint64_t *dice) {
    int64_t step = (int64_t)power(1, 12, dice);
    return dice_below(dice, 2) == 0 ? step : -step;
}

void fault_choose(fault *f, fault_kind kind, unsigned nodes, uint64_t *dice) {
    *f = (fault){ .kind = kind };
    f->node = (unsigned)dice_below(dice, nodes);
    f->other = (f->node + 1 + (unsigned)dice_below(dice, nodes - 1)) % nodes;
    if (kind >= CUT && kind <= FLIP)
        choose_wire(f, dice);
    f->wire.cut = f->wire.cut || kind == UNPLUG || kind == HALVES || kind == RING ||
                  kind == BRIDGE || kind == DNS_SILENT;
    if (kind == UNPLUG)
        f->scope = SCOPE_NODE;
    if (kind == HALVES || kind == RING || kind == BRIDGE)
        f->scope = (fault_scope)(SCOPE_HALVES + (kind - HALVES));
    if (kind == DNS_SILENT)
        f->scope = SCOPE_NAMES;
    if (kind == CLOCK)
        f->wall_s = choose_step(dice);
}

void fault_lead_by(fault *f, unsigned host, uint64_t *dice) {
    f->other = host;
    f->back = f->scope == SCOPE_ONE_WAY && dice_below(dice, 2) == 0;
}

/* --------------------------------------------------------------------------------------- wires */

/* The twin's host has a place of its own in the partitions. */
static bool parted(const fault *f, unsigned from, unsigned to, unsigned hosts) {
    unsigned a = (from + hosts - f->node) % hosts;
    unsigned b = (to + hosts - f->node) % hosts;
    unsigned apart = a > b ? a - b : b - a;
    switch (f->scope) {
    case SCOPE_HALVES:
        return (a < hosts / 2) != (b < hosts / 2);
    case SCOPE_RING:
        return apart != 1 && apart != hosts - 1;
    case SCOPE_BRIDGE:
        return a != 0 && b != 0 && (a <= hosts / 2) != (b <= hosts / 2);
    default:
        return false;
    }
}

static bool concerns(const fault *f, unsigned from, unsigned to, unsigned hosts) {
    bool names = from == NETWORK_NAME_SERVER || to == NETWORK_NAME_SERVER;
    switch (f->scope) {
    case SCOPE_NONE:
        return false;
    case SCOPE_ONE_WAY:
        return f->back ? from == f->other && to == f->node : from == f->node && to == f->other;
    case SCOPE_PAIR:
        return (from == f->node && to == f->other) || (from == f->other && to == f->node);
    case SCOPE_NODE:
        return from == f->node || to == f->node;
    case SCOPE_EVERYONE:
        return true;
    case SCOPE_NAMES:
        return names;
    default:
        return !names && parted(f, from, to, hosts);
    }
}

static uint32_t sum(uint32_t a, uint32_t b) {
    return a + b < PPM_MAX ? a + b : PPM_MAX;
}

static uint32_t smaller(uint32_t a, uint32_t b) { /* 0: none */
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static void add(switch_wire *w, const switch_wire *more) {
    w->cut = w->cut || more->cut;
    w->flap_ms = smaller(w->flap_ms, more->flap_ms);
    w->delay_ms += more->delay_ms;
    w->bytes_per_s = smaller(w->bytes_per_s, more->bytes_per_s);
    w->loss_ppm = sum(w->loss_ppm, more->loss_ppm);
    w->double_ppm = sum(w->double_ppm, more->double_ppm);
    w->reorder_ppm = sum(w->reorder_ppm, more->reorder_ppm);
    w->reset_ppm = sum(w->reset_ppm, more->reset_ppm);
    w->flip_ppm = sum(w->flip_ppm, more->flip_ppm);
}

void fault_set_wires(const fault *faults, unsigned count, unsigned nodes) {
    for (unsigned from = 0; from <= NETWORK_NAME_SERVER; from++)
        for (unsigned to = 0; to <= NETWORK_NAME_SERVER; to++) {
            switch_wire wire = { 0 };
            for (unsigned i = 0; i < count; i++)
                if (concerns(&faults[i], from, to, nodes + 1))
                    add(&wire, &faults[i].wire);
            switch_set_wire(from, to, &wire);
        }
}
