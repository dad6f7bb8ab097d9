/* What an archive vouches for is the extent that the node tells of the origin in the chat, to whom it may be. Names of chats are
 * one byte, as in hosts.c. */
#include "annals.h"

#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/history/backfill.h"
#include "core/history/extent.h"

typedef struct {
    uint64_t clock; /* 0: not stamped yet */
    uint64_t ms;
    uint32_t chats;    /* bits */
    uint32_t not_life; /* that was left out */
    uint32_t slot;     /* 0: no latest value */
} deed;

/* The messages that one life of a node published, in the order of clocks. */
typedef struct {
    uint64_t node;
    deed *deeds;
    uint32_t count;
    uint32_t capacity;
} chronicle;

typedef struct {
    uint32_t life;
    unsigned looks;
    uint64_t kept_ms[LEDGER_CHATS_MAX]; /* it was wanted and kept then; 0: never */
} keeper;

struct annals {
    ledger *ledger;
    world *world;
    const testimony *testimony;
    uint64_t hashes[LEDGER_CHATS_MAX];
    chronicle *chronicles;
    uint32_t count;
    keeper keepers[WORLD_NODES_MAX];
};

static void *need(void *memory) {
    if (memory == NULL)
        abort();
    return memory;
}

annals *annals_new(ledger *l) {
    annals *a = need(calloc(1, sizeof *a));
    a->ledger = l;
    return a;
}

void annals_destroy(annals *a) {
    for (uint32_t i = 0; i < a->count; i++)
        free(a->chronicles[i].deeds);
    free(a->chronicles);
    free(a);
}

void annals_attach(annals *a, world *w, const testimony *t) {
    wsf_hash_key key;
    a->world = w;
    a->testimony = t;
    wsf_hash_key_init(&key, world_config(w)->cluster);
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++) {
        uint8_t name = (uint8_t)chat;
        wsfan_target target = { WSFAN_CHAT, { &name, 1 } };
        a->hashes[chat] = wsf_hash_target(&key, &target);
    }
}

void annals_start(annals *a, unsigned node, uint32_t life) {
    a->keepers[node] = (keeper){ .life = life };
}

/* -------------------------------------------------------------------------------------- writing */

/* NULL: it has published nothing. */
static chronicle *find(const annals *a, uint64_t node) {
    for (uint32_t i = a->count; i-- > 0;)
        if (a->chronicles[i].node == node)
            return &a->chronicles[i];
    return NULL;
}

static chronicle *find_or_add(annals *a, uint64_t node) {
    chronicle *c = find(a, node);
    if (c != NULL)
        return c;
    a->chronicles = need(realloc(a->chronicles, (a->count + 1) * sizeof *a->chronicles));
    c = &a->chronicles[a->count++];
    *c = (chronicle){ .node = node };
    return c;
}

void annals_publish(annals *a, unsigned node, const ledger_targets *targets) {
    chronicle *c = find_or_add(a, world_node_id(a->world, node));
    if (c->count == c->capacity) {
        c->capacity = 2 * c->capacity + 64;
        c->deeds = need(realloc(c->deeds, c->capacity * sizeof *c->deeds));
    }
    c->deeds[c->count++] = (deed){ .ms = world_ms(a->world),
                                   .chats = targets->chats,
                                   .not_life = targets->not_life,
                                   .slot = targets->slot };
}

void annals_stamp(annals *a, unsigned node, uint32_t count, uint64_t clock) {
    chronicle *c = find(a, world_node_id(a->world, node));
    for (uint32_t i = 0; i < count; i++)
        c->deeds[c->count - count + i].clock = clock + i;
}

/* -------------------------------------------------------------------------------------- reading */

/* The number of the first deed above a clock. */
static uint32_t first_above(const chronicle *c, uint64_t clock) {
    uint32_t from = 0;
    uint32_t to = c->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (c->deeds[middle].clock <= clock)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static const deed *find_deed(const annals *a, wsfan_message_id id) {
    const chronicle *c = find(a, id.origin);
    uint32_t i = c != NULL && id.clock != 0 ? first_above(c, id.clock - 1) : 0;
    return c != NULL && i < c->count && c->deeds[i].clock == id.clock ? &c->deeds[i] : NULL;
}

static bool is_kept(const wsf_kept_list *list, wsfan_message_id id) {
    uint32_t from = 0;
    uint32_t to = list->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (wsf_kept_id_less(list->messages[middle].id, id))
            from = middle + 1;
        else
            to = middle;
    }
    return from < list->count && list->messages[from].id.clock == id.clock &&
           list->messages[from].id.origin == id.origin;
}

/* A newer value of a slot stands for the older ones. */
static bool is_superseded(const chronicle *c, const deed *d) {
    for (const deed *later = d + 1; d->slot != 0 && later < c->deeds + c->count; later++)
        if (later->slot == d->slot)
            return true;
    return false;
}

/* -------------------------------------------------------------------------------------- checks */

static void check_kept(annals *a, unsigned node, unsigned chat, const wsf_kept_list *list) {
    const wsf_core_config *config = &world_core(a->world, node)->config;
    uint32_t life = a->keepers[node].life;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        wsfan_message_id id = list->messages[i].id;
        const deed *d = find_deed(a, id);
        bytes += list->messages[i].parts.payload.size;
        if (d == NULL || (d->chats >> chat & 1) == 0)
            ledger_violation(a->ledger, "life %u keeps in chat %u what was not published there",
                             life, chat);
        if (i > 0 && !wsf_kept_id_less(list->messages[i - 1].id, id))
            ledger_violation(a->ledger, "life %u keeps a message of chat %u twice", life, chat);
    }
    if (list->count > config->history_count_max || bytes > config->history_chat_bytes_max)
        ledger_violation(a->ledger, "life %u keeps %u messages with %llu bytes in chat %u", life,
                         list->count, (unsigned long long)bytes, chat);
}

static void check_whole(annals *a, unsigned node, unsigned chat, uint32_t number,
                        const wsf_kept_list *list, const chronicle *c) {
    const wsf_core *core = world_core(a->world, node);
    wsf_extent extent = wsf_extent_of(core, number, c->node);
    uint32_t life = a->keepers[node].life;
    bool filled = core->keeping.chats[number].filled;
    uint32_t i = first_above(c, wsf_extent_from(&extent));
    for (; i < c->count && c->deeds[i].clock <= extent.to; i++) {
        const deed *d = &c->deeds[i];
        if ((d->chats >> chat & 1) != 0 && !is_superseded(c, d) &&
            !is_kept(list, (wsfan_message_id){ d->clock, c->node }) &&
            !testimony_is_mistaken(a->testimony, node, c->node, d->ms) &&
            !(filled && testimony_is_misled(a->testimony, c->node, d->ms)))
            ledger_violation(a->ledger,
                             "life %u vouches for chat %u and lacks a message of node %llx that "
                             "was published at %llu ms",
                             life, chat, (unsigned long long)c->node, (unsigned long long)d->ms);
    }
}

static void check_chat(annals *a, unsigned node, unsigned chat) {
    wsf_archive *archive = &world_core(a->world, node)->keeping.archive;
    uint32_t number = wsf_archive_find(archive, a->hashes[chat]);
    if (number == WSF_TABLE_NONE)
        return;
    const wsf_kept_query all = { .above = NULL };
    wsf_kept_list *list = need(
        wsf_archive_list(archive, number, &all, world_now(a->world, node).ms));
    check_kept(a, node, chat, list);
    for (uint32_t i = 0; i < a->count; i++)
        check_whole(a, node, chat, number, list, &a->chronicles[i]);
    wsf_kept_list_free(list);
}

void annals_ask(annals *a, unsigned node, unsigned chat, uint32_t back_ms) {
    wsf_core *core = world_core(a->world, node);
    wsf_vector seen;
    uint64_t back = (uint64_t)back_ms << 16;
    wsf_vector_init(&seen, core->clock > back ? core->clock - back : 0);
    if (core->config.history_ms == 0)
        return;
    for (unsigned i = 0; i < LEDGER_CHATS_MAX; i++) {
        uint64_t hash = a->hashes[(chat + i) % LEDGER_CHATS_MAX];
        if (wsf_archive_find(&core->keeping.archive, hash) == WSF_TABLE_NONE)
            continue;
        wsf_backfill_begin(core, hash, back_ms == 0 ? NULL : &seen, world_now(a->world, node));
        break;
    }
    world_touch(a->world, node);
}

static bool is_on(const annals *a, unsigned node) {
    return world_core(a->world, node)->config.history_ms != 0;
}

/* The archive is interested in what it keeps, and lets nothing go before its time. */
static void check_interest(annals *a, unsigned node, uint32_t wanted) {
    const wsf_core *core = world_core(a->world, node);
    keeper *k = &a->keepers[node];
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++) {
        uint64_t loops;
        wsf_peers peers;
        uint32_t number = is_on(a, node) ? wsf_archive_find(&core->keeping.archive, a->hashes[chat])
                                         : WSF_TABLE_NONE;
        bool kept = number != WSF_TABLE_NONE;
        wsf_interest_find(&core->interest, a->hashes[chat], &loops, &peers);
        if (kept != (loops >> WSF_LOOP_ARCHIVE != 0))
            ledger_violation(a->ledger, "life %u keeps chat %u, and its interest says otherwise",
                             k->life, chat);
        /* A loop's ticket may still be away for another join: then the core does not know. */
        if (kept && (wanted >> chat & 1) != 0 && core->keeping.chats[number].loops != 0)
            k->kept_ms[chat] = world_ms(a->world);
        else if (!kept && k->kept_ms[chat] != 0 &&
                 world_ms(a->world) < k->kept_ms[chat] + core->config.history_ms)
            ledger_violation(a->ledger, "life %u has given up chat %u too early", k->life, chat);
    }
}

void annals_check(annals *a, unsigned node, uint32_t wanted) {
    const wsf_core *core = world_core(a->world, node);
    check_interest(a, node, wanted);
    if (!is_on(a, node))
        return;
    if (core->keeping.archive.stats.bytes > core->config.history_bytes_max)
        ledger_violation(a->ledger, "life %u has %llu bytes of messages", a->keepers[node].life,
                         (unsigned long long)core->keeping.archive.stats.bytes);
    check_chat(a, node, a->keepers[node].looks++ % LEDGER_CHATS_MAX);
}

void annals_check_rest(annals *a, unsigned node, uint32_t wanted) {
    const wsf_core *core = world_core(a->world, node);
    for (unsigned chat = 0; chat < LEDGER_CHATS_MAX && is_on(a, node); chat++) {
        uint32_t number = wsf_archive_find(&core->keeping.archive, a->hashes[chat]);
        bool begun = number != WSF_TABLE_NONE && core->keeping.chats[number].begun;
        check_chat(a, node, chat);
        if ((wanted >> chat & 1) != 0 && !begun)
            ledger_violation(a->ledger, "life %u does not keep chat %u", a->keepers[node].life,
                             chat);
    }
}

void annals_check_expired(annals *a, unsigned node) {
    const wsf_archive_stats *stats = &world_core(a->world, node)->keeping.archive.stats;
    if (stats->messages != 0)
        ledger_violation(a->ledger, "life %u keeps %llu messages for ever", a->keepers[node].life,
                         (unsigned long long)stats->messages);
}

void annals_check_gone(annals *a, unsigned node) {
    const wsf_core *core = world_core(a->world, node);
    if (core->keeping.archive.stats.bytes != 0 || core->keeping.archive.slots.count != 0)
        ledger_violation(a->ledger, "life %u keeps %u chats for ever", a->keepers[node].life,
                         core->keeping.archive.slots.count);
    if (core->interest.local_count != 0)
        ledger_violation(a->ledger, "life %u announces %u audiences and has none",
                         a->keepers[node].life, core->interest.local_count);
}
