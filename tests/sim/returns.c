/* A stay is a session's membership of a chat that it joined with history; it begins with the clocks up to which the session has
 * seen the chat, as its position says, or as it was told at its join. All that was published for the chat above them must come,
 * once and in each publisher's order, or a gap that was told after the verdict covers it. Of a publisher that has ended, the first
 * messages without a hole will do.
 *
 * What positions claim is checked by the same rule, when they are taken away. */
#include "returns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/history/backfill.h"
#include "core/history/recover.h"
#include "core/origin.h"
#include "core/state.h"
#include "core/witness.h"
#include "doubts.h"

enum {
    PUBLISHERS_MAX = 512, /* lives of nodes between two returns_forget() */
    SLACK_MS = 3000,      /* until a node notices that all is well again */
    KEPT_MAX = 256        /* of those that are not back */
};

typedef struct {
    uint64_t clock; /* 0: not stamped yet */
    uint64_t seq;   /* among all that happened */
    uint64_t ms;
    uint32_t chats;
    uint32_t slot;
    uint32_t except; /* session */
    uint32_t life;   /* of the publisher */
    uint16_t origin;
    bool fleeting;
    bool in_doubt; /* what it leaves out is judged anew when it is replayed */
    uint64_t met[(WORLD_NODES_MAX + 63) / 64]; /* nodes that had had a link with the publisher, */
    uint64_t linked[(WORLD_NODES_MAX + 63) / 64]; /* and that had one */
} deed;

typedef struct {
    uint64_t node;
    uint64_t ended_ms; /* 0: it runs */
} publisher;

/* Which messages, by their numbers. */
typedef struct {
    uint8_t *bits;
    uint32_t capacity; /* bytes */
} numbers;

typedef enum { HANDED_NOTHING, HANDED_GOOD, HANDED_OLD, HANDED_FALSE } handed;

struct keepsake {
    unsigned chat;
    int user;
    uint32_t session;
    wsfan_address address;
    char text[WSF_POSITION_TEXT_SIZE];    /* the newest, "": none */
    char at_join[WSF_POSITION_TEXT_SIZE]; /* "": none */
    char old[WSF_POSITION_TEXT_SIZE];     /* of some time ago */
    uint64_t made_ms;                     /* of the oldest that is not old */
    uint64_t old_ms;
    numbers got; /* in this stay */
};

typedef struct {
    bool waiting; /* for its recovery */
    bool away;    /* its recovery is with the core, */
    bool late;    /* for longer than it may be, as the node was frozen */
    bool far; /* since it was asked for a clock has been too far off, a peer's or the position's, */
    bool apart; /* or the position from later than the node's own */
    uint32_t session;
    uint64_t handle;
    uint32_t serial; /* of the recovery */
    unsigned node;
    uint32_t life;
    unsigned loop;
    unsigned chat;
    handed handed;
    uint64_t made_ms;
    uint64_t asked_ms;
    uint32_t former; /* session; UINT32_MAX: none */
    bool both;       /* the former one's texts claim all that it got, */
    numbers before;  /* which is this */
    wsf_vector position;
    uint32_t epoch;

    wsfan_recovery verdict;
    uint64_t seq; /* when the verdict was made */
    bool told;
    bool in_part;                 /* its join was not acknowledged by all */
    bool known;                   /* it is known where the stay begins: */
    uint64_t cut[PUBLISHERS_MAX]; /* with another verdict than WHOLE; else with the position */
    wsfan_message_id last;
    uint32_t first; /* messages before this were published before it began */
    numbers got;
    bool met[PUBLISHERS_MAX];        /* the node knew the publisher at the verdict */
    uint64_t clocks[PUBLISHERS_MAX]; /* of the last message, by number of the publisher */
    char at_join[WSF_POSITION_TEXT_SIZE];
} stay;

typedef struct {
    bool running;
    uint32_t life;
    uint64_t begun_ms[LEDGER_CHATS_MAX]; /* 0: the chat's history has not begun */
    uint64_t inbox_gap[LEDGER_LOOPS_MAX];
    uint64_t gaps[PUBLISHERS_MAX]; /* seq of the last one, by number of the publisher */
} place;

struct returns {
    bool on;
    ledger *ledger;
    world *world;
    const testimony *testimony;
    uint64_t hashes[LEDGER_CHATS_MAX];
    uint64_t seq;
    uint64_t trouble_ms;
    deed *deeds; /* by number, from `settled` on */
    uint32_t count;
    uint32_t settled;
    uint32_t capacity;
    publisher publishers[PUBLISHERS_MAX];
    uint32_t publishers_count;
    stay **stays;
    uint32_t stays_count;
    keepsake *kept[KEPT_MAX];
    uint32_t kept_count;
    uint64_t whole;
    uint64_t refused;
    place places[WORLD_NODES_MAX];
};

static void *need(void *memory) {
    if (memory == NULL)
        abort();
    return memory;
}

/* ------------------------------------------------------------------------------------- numbers */

static void add_number(numbers *set, uint32_t number) {
    if (number / 8 >= set->capacity) {
        uint32_t capacity = number / 4 + 64;
        set->bits = need(realloc(set->bits, capacity));
        memset(set->bits + set->capacity, 0, capacity - set->capacity);
        set->capacity = capacity;
    }
    set->bits[number / 8] |= (uint8_t)(1u << number % 8);
}

static bool has_number(const numbers *set, uint32_t number) {
    return number / 8 < set->capacity && (set->bits[number / 8] >> number % 8 & 1) != 0;
}

static void remove_all(numbers *set) {
    if (set->capacity > 0)
        memset(set->bits, 0, set->capacity);
}

static void add_all(numbers *set, const numbers *other) {
    for (uint32_t i = 0; i < other->capacity * 8; i++)
        if (has_number(other, i))
            add_number(set, i);
}

/* --------------------------------------------------------------------------------------- frame */

bool returns_on(const returns *r) {
    return r->on;
}

returns *returns_new(ledger *l, bool on) {
    returns *r = need(calloc(1, sizeof *r));
    r->on = on;
    r->ledger = l;
    return r;
}

static void free_stay(stay *of) {
    free(of->before.bits);
    free(of->got.bits);
    free(of);
}

void returns_drop(keepsake *k) {
    if (k != NULL)
        free(k->got.bits);
    free(k);
}

static void drop_all(returns *r) {
    while (r->kept_count > 0)
        returns_drop(r->kept[--r->kept_count]);
}

void returns_destroy(returns *r) {
    for (uint32_t i = 0; i < r->stays_count; i++)
        free_stay(r->stays[i]);
    drop_all(r);
    free(r->stays);
    free(r->deeds);
    free(r);
}

void returns_attach(returns *r, world *w, const testimony *t) {
    wsf_hash_key key;
    r->world = w;
    r->testimony = t;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++) {
        uint8_t name = (uint8_t)chat;
        wsfan_target target = { WSFAN_CHAT, { &name, 1 } };
        r->hashes[chat] = wsf_hash_target(&key, &target);
    }
}

/* What was published is forgotten, so nothing more can be said of stays that began before. Numbers of messages are counted from
 * there on. */
void returns_forget(returns *r) {
    drop_all(r);
    for (uint32_t i = 0; i < r->stays_count; i++) {
        stay *of = r->stays[i];
        of->known = of->both = false;
        remove_all(&of->before);
        remove_all(&of->got);
        memset(of->clocks, 0, sizeof of->clocks);
        if (of->waiting && of->handed != HANDED_NOTHING)
            of->former = UINT32_MAX;
    }
    r->settled += r->count;
    r->count = 0;
    r->publishers_count = 0;
    for (unsigned node = 0; node < WORLD_NODES_MAX; node++)
        memset(r->places[node].gaps, 0, sizeof r->places[node].gaps);
}

void returns_trouble(returns *r) {
    r->trouble_ms = world_ms(r->world);
}

void returns_start(returns *r, unsigned node, uint32_t life) {
    r->places[node] = (place){ .running = true, .life = life };
    returns_trouble(r);
}

static uint16_t publisher_of(returns *r, uint64_t node) {
    uint32_t i = 0;
    while (i < r->publishers_count && r->publishers[i].node != node)
        i++;
    if (i == PUBLISHERS_MAX)
        abort();
    if (i == r->publishers_count)
        r->publishers[r->publishers_count++] = (publisher){ .node = node };
    return (uint16_t)i;
}

static stay *find(const returns *r, uint32_t session, unsigned chat) {
    for (uint32_t i = r->stays_count; i-- > 0;)
        if (r->stays[i]->session == session && r->stays[i]->chat == chat)
            return r->stays[i];
    return NULL;
}

static void remove_stay(returns *r, stay *of) {
    uint32_t i = 0;
    while (r->stays[i] != of)
        i++;
    r->stays[i] = r->stays[--r->stays_count];
    free_stay(of);
}

/* -------------------------------------------------------------------------------- what happened */

static bool is_linked(const returns *r, unsigned node, uint64_t of) {
    const wsf_peer *peer = wsf_peer_find(world_core(r->world, node), of);
    return peer != NULL && peer->linked;
}

void returns_publish(returns *r, unsigned node, uint32_t number, const ledger_targets *t,
                     bool fleeting) {
    if (!r->on)
        return;
    if (number != r->settled + r->count)
        abort();
    if (r->count == r->capacity) {
        r->capacity = 2 * r->capacity + 256;
        r->deeds = need(realloc(r->deeds, r->capacity * sizeof *r->deeds));
    }
    bool in_doubt = t->not_chats != 0 || t->not_user >= 0 || t->not_life != UINT32_MAX;
    for (unsigned i = 0; i < LEDGER_OUT_MAX; i++)
        in_doubt = in_doubt || t->not_sessions[i] != UINT32_MAX;
    r->deeds[r->count++] = (deed){ .seq = ++r->seq,
                                   .ms = world_ms(r->world),
                                   .chats = t->chats,
                                   .slot = t->slot,
                                   .except = t->except,
                                   .life = r->places[node].life,
                                   .origin = publisher_of(r, world_node_id(r->world, node)),
                                   .fleeting = fleeting,
                                   .in_doubt = in_doubt };
    deed *d = &r->deeds[r->count - 1];
    for (unsigned other = 0; other < WORLD_NODES_MAX; other++) {
        uint64_t bit = UINT64_C(1) << other % 64;
        if (!r->places[other].running || !ledger_mutual(r->ledger, d->life, r->places[other].life))
            continue;
        d->met[other / 64] |= bit;
        if (is_linked(r, other, r->publishers[d->origin].node))
            d->linked[other / 64] |= bit;
    }
}

void returns_stamp(returns *r, uint32_t number, uint64_t clock) {
    if (r->on)
        r->deeds[number - r->settled].clock = clock;
}

void returns_gap(returns *r, unsigned node, uint64_t origin) {
    if (r->on)
        r->places[node].gaps[publisher_of(r, origin)] = ++r->seq;
    returns_trouble(r);
}

void returns_inbox_gap(returns *r, unsigned node, unsigned loop) {
    r->places[node].inbox_gap[loop] = ++r->seq;
}

/* -------------------------------------------------------------------------------------- checks */

static bool is_superseded(const returns *r, uint32_t i) {
    const deed *d = &r->deeds[i];
    for (uint32_t later = i + 1; d->slot != 0 && later < r->count; later++)
        if (r->deeds[later].slot == d->slot && r->deeds[later].origin == d->origin)
            return true;
    return false;
}

/* Whether the session is to get the message of that publisher at all: of one that is a stranger to its node it may not. */
static bool is_met(const stay *of, const deed *d) {
    if (of->verdict != WSFAN_RECOVERY_WHOLE && (d->seq < of->seq || of->in_part))
        return false; /* what had come to the node before is for others, and the ledger looks at the rest */
    return d->life == of->life ||
           (d->seq < of->seq ? of->met[d->origin]
                             : (d->met[of->node / 64] >> of->node % 64 & 1) != 0);
}

/* Messages of the publisher up to this clock came before the stay. */
static uint64_t begin_of(const returns *r, const stay *of, const deed *d) {
    return of->verdict == WSFAN_RECOVERY_WHOLE
               ? wsf_vector_at(&of->position, r->publishers[d->origin].node)
               : of->cut[d->origin];
}

static bool is_former(const stay *of, uint32_t session) {
    return session != UINT32_MAX && session == of->former;
}

/* Whether the node joined something without the publisher, and is told of a gap when that knows of it. A message that is for another
 * chat as well may come before. */
static bool is_gap_due(const returns *r, const stay *of, const deed *d) {
    const wsf_core *core = world_core(r->world, of->node);
    const wsf_peer *peer = wsf_peer_find(core, r->publishers[d->origin].node);
    return peer != NULL && peer->subscription.serial_skipped > peer->subscription.serial_acked;
}

/* Whether the session may lack the message. */
static bool is_excused(const returns *r, const stay *of, uint32_t i) {
    const deed *d = &r->deeds[i];
    const place *at = &r->places[of->node];
    uint64_t after = d->seq > of->seq ? d->seq : of->seq;
    bool before = d->seq < of->seq;
    return d->in_doubt || d->except == of->session || (before && is_former(of, d->except)) ||
           (before && d->fleeting) || at->gaps[d->origin] > after ||
           at->inbox_gap[of->loop] > after || is_superseded(r, i) || is_gap_due(r, of, d) ||
           testimony_is_mistaken(r->testimony, of->node, r->publishers[d->origin].node, d->ms) ||
           (before && testimony_is_misled(r->testimony, r->publishers[d->origin].node, d->ms));
}

/* Whether positions claim the message for good: its publisher has ended, and nobody keeps a message of it any more. Who was a
 * member all the while lacks it too. */
static bool is_over(const returns *r, const stay *of, const deed *d) {
    uint64_t ended_ms = r->publishers[d->origin].ended_ms;
    return ended_ms != 0 &&
           world_ms(r->world) >= ended_ms + world_core(r->world, of->node)->config.history_ms;
}

/* Whether the node has forgotten the publisher, with which it had no link when the message was published, or too long ago for
 * anybody to keep it. */
static bool is_forgotten(const returns *r, const stay *of, const deed *d) {
    const wsf_core *core = world_core(r->world, of->node);
    bool linked = (d->linked[of->node / 64] >> of->node % 64 & 1) != 0;
    return d->life != of->life && wsf_witness_find(core, r->publishers[d->origin].node) == NULL &&
           (!linked || world_ms(r->world) >= d->ms + core->config.history_ms);
}

/* Checks what came of what was published for the chat since the stay began. claimed: what a position says was seen; NULL:
 * there is none. */
static void check_stay(returns *r, const stay *of, const wsf_vector *claimed, bool at_rest) {
    uint32_t missing[PUBLISHERS_MAX];
    memset(missing, 0xff, sizeof missing);
    for (uint32_t i = 0; of->known && i < r->count; i++) {
        const deed *d = &r->deeds[i];
        uint64_t node = r->publishers[d->origin].node;
        if ((d->chats >> of->chat & 1) == 0 || d->clock <= begin_of(r, of, d))
            continue;
        if (has_number(&of->got, i)) {
            if (d->slot == 0 && missing[d->origin] != UINT32_MAX)
                ledger_violation(
                    r->ledger, "session %u got message %u in chat %u, and not %u before it",
                    of->session, r->settled + i, of->chat, r->settled + missing[d->origin]);
            continue;
        }
        if (is_excused(r, of, i) || !is_met(of, d))
            continue;
        if (claimed != NULL && d->clock <= wsf_vector_at(claimed, node) && !is_over(r, of, d) &&
            !is_forgotten(r, of, d))
            ledger_violation(r->ledger, "a position of session %u claims message %u of chat %u",
                             of->session, r->settled + i, of->chat);
        if (at_rest && (ledger_alive(r->ledger, d->life) || d->life == of->life))
            ledger_violation(r->ledger,
                             "session %u lacks message %u in chat %u, which it joined with a "
                             "position (verdict %d)",
                             of->session, r->settled + i, of->chat, (int)of->verdict);
        if (missing[d->origin] == UINT32_MAX)
            missing[d->origin] = i;
    }
}

/* Checks that no message is missing before one that is replayed: of a publisher that the node never met it has what others told. */
static void check_run(const returns *r, const stay *of, uint32_t last) {
    uint16_t origin = r->deeds[last].origin;
    for (uint32_t i = 0; i < last; i++) {
        const deed *d = &r->deeds[i];
        if (d->origin == origin && (d->chats >> of->chat & 1) != 0 &&
            d->clock > begin_of(r, of, d) && !has_number(&of->got, i) && !is_excused(r, of, i))
            ledger_violation(r->ledger, "session %u is shown message %u of chat %u, and not %u",
                             of->session, r->settled + last, of->chat, r->settled + i);
    }
}

void returns_check_rest(returns *r) {
    for (uint32_t i = 0; i < r->stays_count; i++) {
        if (r->stays[i]->away)
            ledger_violation(r->ledger, "session %u is never told of its recovery",
                             r->stays[i]->session);
        check_stay(r, r->stays[i], NULL, true);
    }
}

/* The position may claim what is yet to be published, by this node or a peer: what the core sees when it reads the position, which
 * it says later. */
static void look_at_clocks(const returns *r, stay *of) {
    const wsf_core *core = world_core(r->world, of->node);
    uint64_t wall_ms = world_now(r->world, of->node).wall_ms;
    of->far = of->far || doubts_far(core, &of->position) ||
              doubts_beyond(core, &of->position, wall_ms);
    of->apart = of->apart || of->far || doubts_ahead(core, &of->position);
}

void returns_check(returns *r, unsigned node) {
    const wsf_core *core = world_core(r->world, node);
    place *at = &r->places[node];
    if (world_frozen(r->world, node))
        returns_trouble(r);
    for (uint32_t i = 0; i < r->stays_count; i++) {
        stay *of = r->stays[i];
        if (of->node == node && of->away && world_frozen(r->world, node))
            of->late = true;
        if (of->node == node && of->away)
            look_at_clocks(r, of);
        if (of->node == node && of->away && !of->late &&
            world_ms(r->world) > of->asked_ms + core->config.recover_ms_max + SLACK_MS) {
            ledger_violation(r->ledger, "session %u has no verdict in time", of->session);
            of->late = true;
        }
    }
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX && core->config.history_ms != 0; chat++) {
        uint32_t number = wsf_archive_find(&core->keeping.archive, r->hashes[chat]);
        bool begun = number != WSF_TABLE_NONE && core->keeping.chats[number].begun;
        if (!begun)
            at->begun_ms[chat] = 0;
        else if (at->begun_ms[chat] == 0)
            at->begun_ms[chat] = world_ms(r->world);
    }
}

/* ------------------------------------------------------------------------------------- verdicts */

/* Whether this node itself must be able to tell what came after the position: all has been well since it was made, and this node
 * has kept the chat for longer. */
static bool must_be_whole(const returns *r, const stay *of) {
    const wsf_core *core = world_core(r->world, of->node);
    const wsf_archive *archive = &core->keeping.archive;
    uint32_t number = wsf_archive_find(archive, r->hashes[of->chat]);
    uint64_t begun_ms = r->places[of->node].begun_ms[of->chat];
    return (of->handed == HANDED_GOOD || of->handed == HANDED_OLD) && begun_ms != 0 &&
           begun_ms + SLACK_MS < of->made_ms && r->trouble_ms + SLACK_MS < of->made_ms &&
           number != WSF_TABLE_NONE &&
           of->made_ms + core->config.history_ms > world_ms(r->world) + SLACK_MS &&
           doubts_below(wsf_archive_floors(archive, number), &of->position) &&
           !doubts_lags(core, wsf_archive_sinces(archive, number), &of->position) &&
           !wsf_vector_is_ragged(&of->position) && !of->far && wsf_witness_unsure(core) == 0 &&
           !doubts_behind(core, &of->position) && of->epoch == (uint32_t)core->cluster_epoch.number;
}

/* Whether a verdict other than WHOLE is true. */
static bool is_true(const returns *r, const stay *of, wsfan_recovery verdict) {
    const wsf_core *core = world_core(r->world, of->node);
    const wsf_archive *archive = &core->keeping.archive;
    uint32_t number = core->config.history_ms != 0 ? wsf_archive_find(archive, r->hashes[of->chat])
                                                   : WSF_TABLE_NONE;
    switch (verdict) {
    case WSFAN_RECOVERY_NONE:
        return of->handed == HANDED_NOTHING;
    case WSFAN_RECOVERY_WHOLE:
        return of->handed == HANDED_GOOD || of->handed == HANDED_OLD;
    case WSFAN_RECOVERY_OFF:
        return core->config.history_ms == 0;
    case WSFAN_RECOVERY_POSITION:
        return of->handed == HANDED_FALSE;
    case WSFAN_RECOVERY_EPOCH:
        return of->epoch != (uint32_t)core->cluster_epoch.number;
    case WSFAN_RECOVERY_CLOCK:
        return of->apart;
    case WSFAN_RECOVERY_SILENT:
        return world_ms(r->world) >= of->asked_ms + core->config.recover_ms_max ||
               wsf_backfill_failed(core, r->hashes[of->chat]);
    case WSFAN_RECOVERY_BUSY:
        return core->recover.count >= core->config.recoveries_count_max;
    case WSFAN_RECOVERY_OLD:
        return number == WSF_TABLE_NONE ||
               !doubts_below(wsf_archive_floors(archive, number), &of->position);
    case WSFAN_RECOVERY_UNKEPT:
        return number != WSF_TABLE_NONE &&
               !doubts_below(wsf_archive_sinces(archive, number), &of->position);
    case WSFAN_RECOVERY_GAP:
        return wsf_vector_is_ragged(&of->position) || doubts_hole(core, &of->position) ||
               (number != WSF_TABLE_NONE && core->keeping.chats[number].holes != 0 &&
                !doubts_below(wsf_archive_sinces(archive, number), &of->position));
    case WSFAN_RECOVERY_MIXED:
        break; /* all nodes here know history */
    }
    return false;
}

/* Checks a list before it goes into the inbox. */
static void check_list(const returns *r, const stay *of, const wsf_recovery *recovery) {
    const wsf_kept_list *list = recovery->list;
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        const wsf_kept *kept = &list->messages[i];
        if (i > 0 && !wsf_kept_id_less(list->messages[i - 1].id, kept->id))
            ledger_violation(r->ledger, "session %u is to get a list that is not in order",
                             of->session);
        if (recovery->verdict == WSFAN_RECOVERY_WHOLE && wsf_vector_covers(&of->position, kept->id))
            ledger_violation(r->ledger, "session %u is to get what its position covers",
                             of->session);
    }
}

static void judge_verdict(returns *r, stay *of, const wsf_recovery *recovery) {
    static const char *const WORDS[] = { "none",   "whole", "old",      "unkept", "epoch", "gap",
                                         "silent", "busy",  "position", "clock",  "mixed", "off" };
    wsfan_recovery verdict = recovery->verdict;
    if (!is_true(r, of, verdict))
        ledger_violation(r->ledger, "session %u is told %s in chat %u, which is not true",
                         of->session, WORDS[verdict], of->chat);
    if (of->handed != HANDED_NOTHING)
        ledger_trace(r->ledger, "  session %u comes back to chat %u: %s, %u messages", of->session,
                     of->chat, WORDS[verdict], wsf_recovery_count(recovery));
    if (verdict == WSFAN_RECOVERY_WHOLE) {
        r->whole++;
        return;
    }
    if (of->handed == HANDED_NOTHING || of->handed == HANDED_FALSE)
        return;
    r->refused++;
    if (must_be_whole(r, of))
        ledger_violation(r->ledger, "session %u is told %s in chat %u, which was kept here",
                         of->session, WORDS[verdict], of->chat);
}

/* --------------------------------------------------------------------------------------- stays */

static stay *new_stay(returns *r, unsigned node, unsigned loop, uint32_t session, unsigned chat) {
    stay *of = need(calloc(1, sizeof *of));
    *of = (stay){ .waiting = true,
                  .session = session,
                  .node = node,
                  .life = r->places[node].life,
                  .loop = loop,
                  .chat = chat,
                  .former = UINT32_MAX };
    r->stays = need(realloc(r->stays, (r->stays_count + 1) * sizeof(stay *)));
    r->stays[r->stays_count++] = of;
    return of;
}

static const wsf_hash_seal_key *key_of(const returns *r) {
    return &world_config(r->world)->history_key;
}

static uint32_t epoch_of(const char *text, const returns *r, wsfan_bytes chat) {
    wsf_position position;
    for (uint32_t i = 0; i < 2; i++) { /* the reader wants to know the epoch: it is in the body */
        uint8_t head[8] = { 0 };
        uint32_t bits = 0;
        unsigned count = 0, size = 0;
        for (const char *c = text; *c != '\0' && size < sizeof head; c++) {
            static const char DIGITS[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            const char *digit = strchr(DIGITS, *c);
            if (digit == NULL)
                return 0;
            bits = bits << 6 | (uint32_t)(digit - DIGITS);
            count += 6;
            if (count >= 8) {
                count -= 8;
                head[size++] = (uint8_t)(bits >> count);
            }
        }
        uint32_t epoch = (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 |
                         (uint32_t)head[3] << 8 | head[4];
        if (wsf_position_read(key_of(r), chat, epoch, wsfan_string(text), &position) ==
            WSF_POSITION_GOOD)
            return epoch;
    }
    return 0;
}

/* Chooses what the client hands in. */
static void choose_text(returns *r, stay *of, const keepsake *k,
                        char text[2 * WSF_POSITION_TEXT_SIZE]) {
    uint64_t dice = world_random(r->world, 12);
    of->handed = HANDED_GOOD;
    of->made_ms = k->made_ms;
    text[0] = '\0';
    if (dice == 0 && k->old[0] != '\0') {
        strcpy(text, k->old);
        of->handed = HANDED_OLD;
        of->made_ms = k->old_ms;
    } else if (dice == 1) {
        strcpy(text, k->text);
        text[world_random(r->world, strlen(text))] ^= 1;
        of->handed = HANDED_FALSE;
    } else if (k->at_join[0] != '\0' && dice != 2) {
        strcpy(text, k->at_join);
        strcat(text, " ");
        strcat(text, k->text);
        of->both = true;
    } else {
        strcpy(text, k->text);
    }
}

/* The position that is handed in; it may turn out to be no good. */
static void read_text(returns *r, stay *of, wsfan_bytes name, const char *text) {
    wsf_position position;
    const char *space = strchr(text, ' ');
    char first[WSF_POSITION_TEXT_SIZE];
    snprintf(first, sizeof first, "%.*s", (int)(space != NULL ? space - text : (long)strlen(text)),
             text);
    of->epoch = epoch_of(first, r, name);
    switch (wsf_position_read(key_of(r), name, of->epoch, wsfan_string(text), &position)) {
    case WSF_POSITION_GOOD:
        of->position = position.seen;
        break;
    case WSF_POSITION_FALSE:
        of->handed = HANDED_FALSE;
        break;
    case WSF_POSITION_OTHER_EPOCH: /* of the two texts one is */
        of->epoch = 0;
        break;
    }
}

wsf_recovery *returns_join(returns *r, unsigned node, unsigned loop, uint32_t session,
                           unsigned chat, wsfan_bytes name, keepsake *former) {
    char text[2 * WSF_POSITION_TEXT_SIZE] = "";
    if (!r->on)
        return need(wsf_recovery_new(name, wsfan_string("")));
    stay *of = new_stay(r, node, loop, session, chat);
    bool with_text = former != NULL && former->text[0] != '\0';
    if (with_text) {
        choose_text(r, of, former, text);
        read_text(r, of, name, text);
        of->former = former->session;
        if (of->both)
            add_all(&of->before, &former->got);
    }
    wsf_recovery *recovery = need(wsf_recovery_new(name, wsfan_string(text)));
    if (with_text)
        recovery->former = former->address;
    if (world_random(r->world, 4) == 0)
        recovery->rewind_count = 1 + (uint32_t)world_random(r->world, 20);
    returns_drop(former);
    return recovery;
}

keepsake *returns_take(returns *r, unsigned chat) {
    for (uint32_t i = 0; i < r->kept_count; i++) {
        keepsake *k = r->kept[i];
        if (k->chat != chat)
            continue;
        r->kept[i] = r->kept[--r->kept_count];
        return k;
    }
    return NULL;
}

void returns_keep(returns *r, keepsake *k) {
    if (k == NULL || k->text[0] == '\0' || r->kept_count == KEPT_MAX)
        returns_drop(k);
    else
        r->kept[r->kept_count++] = k;
}

int returns_user(const keepsake *k) {
    return k->user;
}

unsigned returns_chat(const keepsake *k) {
    return k->chat;
}

static stay *find_handle(const returns *r, unsigned node, uint64_t handle, unsigned chat) {
    for (uint32_t i = r->stays_count; i-- > 0;) {
        stay *of = r->stays[i];
        if (of->node == node && of->chat == chat && ledger_handle(r->ledger, of->session) == handle)
            return of;
    }
    return NULL;
}

void returns_asked(returns *r, unsigned node, const wsf_recovery *recovery) {
    uint64_t handle = recovery->session.id;
    stay *of = find_handle(r, node, handle, *(const uint8_t *)recovery->text);
    if (!r->on)
        return;
    if (of == NULL || !of->waiting) {
        ledger_violation(r->ledger, "a recovery of nobody");
        return;
    }
    of->handle = handle;
    of->serial = recovery->serial;
    of->asked_ms = world_ms(r->world);
    of->away = true;
    of->apart = of->far = false;
    look_at_clocks(r, of);
}

void returns_answered(returns *r, unsigned node, const wsf_recovery *recovery) {
    unsigned chat = *(const uint8_t *)recovery->text;
    stay *of = find_handle(r, node, recovery->session.id, chat);
    if (of == NULL || !of->away || of->serial != recovery->serial)
        return; /* the session has left the chat since, and is perhaps a member anew */
    of->away = false;
    of->seq = ++r->seq;
    of->verdict = recovery->verdict;
    const wsf_core *core = world_core(r->world, node);
    look_at_clocks(r, of);
    for (uint32_t i = 0; i < r->publishers_count; i++) {
        const wsf_origin *origin = wsf_witness_find(core, r->publishers[i].node);
        of->met[i] = origin != NULL;
        if (origin != NULL) /* not what was taken: a latest value may have overtaken others */
            of->cut[i] = origin->clock;
        else if (r->publishers[i].node == core->config.node)
            of->cut[i] = core->clock;
    }
    judge_verdict(r, of, recovery);
    check_list(r, of, recovery);
}

void returns_told(returns *r, uint32_t session, unsigned chat, wsfan_recovery verdict, bool whole) {
    stay *of = find(r, session, chat);
    bool off = of != NULL && world_core(r->world, of->node)->config.history_ms == 0;
    if (off && verdict == WSFAN_RECOVERY_OFF)
        of->verdict = verdict; /* the loop says so */
    if (!r->on)
        return;
    if (of == NULL || !of->waiting || of->away)
        ledger_violation(r->ledger, "session %u is told of a recovery in vain", session);
    else if (of->verdict != verdict)
        ledger_violation(r->ledger, "session %u is told of another verdict", session);
    else
        of->told = true;
    if (of != NULL)
        of->in_part = !whole;
}

static int find_deed(const returns *r, wsfan_message_id id) {
    for (uint32_t i = 0; i < r->count; i++)
        if (r->deeds[i].clock == id.clock && r->publishers[r->deeds[i].origin].node == id.origin)
            return (int)i;
    return -1;
}

static void note_got(returns *r, stay *of, uint32_t i, const char *how) {
    const deed *d = &r->deeds[i];
    bool stranger = d->life != of->life && !of->met[d->origin]; /* its clock may be behind */
    if (d->slot == 0 && of->known && !stranger && d->clock <= begin_of(r, of, d))
        ledger_violation(r->ledger, "session %u gets message %u %s, which its position covers",
                         of->session, r->settled + i, how);
    if (d->slot == 0 && d->clock <= of->clocks[d->origin])
        ledger_violation(r->ledger, "session %u gets message %u %s once more, or too late",
                         of->session, r->settled + i, how);
    if (d->slot == 0 && of->verdict == WSFAN_RECOVERY_WHOLE && of->both &&
        has_number(&of->before, i))
        ledger_violation(r->ledger, "session %u gets message %u %s, as where it was before",
                         of->session, r->settled + i, how);
    if (d->slot == 0)
        of->clocks[d->origin] = d->clock;
    add_number(&of->got, i);
}

void returns_replayed(returns *r, uint32_t session, unsigned chat, wsfan_message_id id) {
    stay *of = find(r, session, chat);
    int i = find_deed(r, id);
    if (of == NULL || !of->told || !of->waiting) {
        ledger_violation(r->ledger, "a message is replayed to session %u without a verdict",
                         session);
        return;
    }
    if (i < 0)
        return; /* from before returns_forget() */
    const deed *d = &r->deeds[i];
    if (d->fleeting || (d->chats >> chat & 1) == 0 || is_former(of, d->except))
        ledger_violation(r->ledger, "message %d is replayed to session %u, and is not for it", i,
                         session);
    note_got(r, of, (uint32_t)i, "from history");
    if (of->verdict == WSFAN_RECOVERY_WHOLE && d->life != of->life && !of->met[d->origin])
        check_run(r, of, (uint32_t)i);
}

void returns_done(returns *r, uint32_t session, unsigned chat, const wsf_vector *seen) {
    stay *of = find(r, session, chat);
    if (of == NULL || !of->told)
        return;
    of->waiting = false;
    of->known = true;
    wsf_position position = { (uint32_t)world_core(r->world, of->node)->cluster_epoch.number,
                              *seen };
    uint8_t name = (uint8_t)chat;
    if (seen->rest == 0 ||
        wsf_position_write(key_of(r), (wsfan_bytes){ &name, 1 }, &position, of->at_join) == 0)
        of->at_join[0] = '\0';
}

void returns_delivered(returns *r, uint32_t session, uint32_t chats, uint32_t number) {
    for (unsigned chat = 0; chats != 0; chat++, chats >>= 1) {
        stay *of = (chats & 1) != 0 ? find(r, session, chat) : NULL;
        if (of == NULL || number < r->settled)
            continue;
        if (of->waiting)
            continue; /* it came by another target */
        note_got(r, of, number - r->settled, "live");
    }
}

keepsake *returns_leave(returns *r, uint32_t session, unsigned chat, const wsf_position *position,
                        int user) {
    stay *of = find(r, session, chat);
    if (of == NULL)
        return NULL;
    uint8_t name = (uint8_t)chat;
    keepsake *k = need(calloc(1, sizeof *k));
    *k = (keepsake){ .chat = chat, .user = user, .session = session };
    k->address = (wsfan_address){ ledger_node(r->ledger, of->life),
                                  ledger_handle(r->ledger, session) };
    k->made_ms = world_ms(r->world);
    memcpy(k->at_join, of->at_join, sizeof k->at_join);
    memcpy(k->old, of->at_join, sizeof k->old);
    k->old_ms = of->asked_ms;
    check_stay(r, of, of->waiting || position == NULL ? NULL : &position->seen, false);
    if (of->waiting || position == NULL ||
        wsf_position_write(key_of(r), (wsfan_bytes){ &name, 1 }, position, k->text) == 0)
        k->text[0] = '\0';
    add_all(&k->got, &of->got);
    remove_stay(r, of);
    return k;
}

void returns_crash(returns *r, unsigned node) {
    for (uint32_t i = 0; i < r->publishers_count; i++)
        if (r->publishers[i].node == world_node_id(r->world, node))
            r->publishers[i].ended_ms = world_ms(r->world);
    for (uint32_t i = 0; i < r->stays_count;)
        if (r->stays[i]->node == node)
            remove_stay(r, r->stays[i]);
        else
            i++;
    r->places[node].running = false;
    returns_trouble(r);
}

uint64_t returns_whole(const returns *r) {
    return r->whole;
}

uint64_t returns_not(const returns *r) {
    return r->refused;
}
