/* Entries that `whole` covers by now stay until about as many were added as the last sweep left, so that sweeping takes a
 * constant time for each that is added. */
#include "loop/trail.h"

#include "base/memory.h"

/* Where hardly any room is left, a sweep takes 256 looks for each entry that is added. */
enum { ADDS_MIN = WSF_SIZE(256, 16) };

struct wsf_trail_entry {
    uint32_t origin;
    uint64_t clock; /* 0: the entry is free */
    uint64_t chat;
    uint64_t until; /* of a cap, which `clock` is then; 0: that much was dispatched */
};

void wsf_trail_init(wsf_trail *trail, uint64_t seed) {
    *trail = (wsf_trail){ .last = WSF_TABLE_NONE, .adds_left = ADDS_MIN };
    wsf_table_init(&trail->table, seed);
    wsf_slots_init(&trail->slots);
}

void wsf_trail_destroy(wsf_trail *trail) {
    wsf_table_destroy(&trail->table);
    wsf_free(trail->entries);
    trail->entries = NULL;
}

void wsf_trail_reach(wsf_trail *trail, const wsf_vector *whole) {
    trail->whole = whole;
    if (trail->rest_max < whole->rest)
        trail->rest_max = whole->rest;
    if (whole->count == 0 && whole->rest > trail->forgotten)
        trail->blind = false;
}

static bool is_of(const wsf_trail_entry *entry, uint64_t chat, uint32_t origin, bool cap) {
    return entry->origin == origin && entry->chat == chat && (entry->until != 0) == cap;
}

static uint32_t find(const wsf_trail *trail, uint64_t chat, uint32_t origin, bool cap) {
    uint32_t cursor = 0;
    uint32_t number = trail->last;
    if (number != WSF_TABLE_NONE && is_of(&trail->entries[number], chat, origin, cap))
        return number;
    do
        number = wsf_table_next(&trail->table, chat, &cursor);
    while (number != WSF_TABLE_NONE && !is_of(&trail->entries[number], chat, origin, cap));
    return number;
}

static bool is_over(const wsf_trail *trail, const wsf_trail_entry *entry) {
    uint64_t whole = wsf_vector_at(trail->whole, entry->origin);
    return entry->until != 0 ? entry->until < whole : entry->clock <= whole;
}

static void sweep(wsf_trail *trail) {
    for (uint32_t i = 0; i < trail->slots.used; i++) {
        wsf_trail_entry *entry = &trail->entries[i];
        if (entry->clock == 0 || !is_over(trail, entry))
            continue;
        trail->caps_count -= entry->until != 0;
        wsf_table_remove(&trail->table, entry->chat, i);
        entry->clock = 0;
        wsf_slots_free(&trail->slots, trail->entries, sizeof *entry, i);
    }
    uint32_t count = trail->slots.count;
    uint32_t adds = count < WSF_TRAIL_MAX - count ? count : WSF_TRAIL_MAX - count;
    trail->adds_left = adds > ADDS_MIN ? adds : ADDS_MIN;
    trail->last = WSF_TABLE_NONE;
}

static bool add(wsf_trail *trail, wsf_trail_entry entry) {
    if (trail->adds_left == 0)
        sweep(trail);
    trail->adds_left--;
    if (trail->slots.count >= WSF_TRAIL_MAX)
        return false;
    wsf_trail_entry *entries = wsf_slots_reserve(&trail->slots, trail->entries, sizeof *entries);
    if (entries == NULL)
        return false;
    trail->entries = entries;
    uint32_t number = wsf_slots_take(&trail->slots, entries, sizeof *entries);
    entries[number] = entry;
    if (wsf_table_insert(&trail->table, entry.chat, number) != WSFAN_OK) {
        entries[number].clock = 0;
        wsf_slots_free(&trail->slots, entries, sizeof *entries, number);
        return false;
    }
    trail->last = number;
    return true;
}

void wsf_trail_saw(wsf_trail *trail, uint64_t chat, wsfan_message_id id) {
    uint32_t origin = wsf_vector_origin(id.origin);
    if (wsf_vector_covers(trail->whole, id))
        return;
    uint32_t number = find(trail, chat, origin, false);
    if (number != WSF_TABLE_NONE) {
        wsf_trail_entry *entry = &trail->entries[number];
        entry->clock = entry->clock < id.clock ? id.clock : entry->clock;
        trail->last = number;
        return;
    }
    if (add(trail, (wsf_trail_entry){ origin, id.clock, chat, 0 }))
        return;
    if (trail->forgotten < id.clock)
        trail->forgotten = id.clock;
    if (wsf_vector_find(trail->whole, id.origin) != NULL)
        trail->blind = true;
}

void wsf_trail_cap(wsf_trail *trail, uint64_t chat, uint64_t node, uint64_t clock, uint64_t until) {
    const wsf_trail_entry cap = { .origin = wsf_vector_origin(node),
                                  .clock = clock > 0 ? clock : 1, /* 0 is of a free one */
                                  .chat = chat,
                                  .until = until };
    uint32_t number = find(trail, chat, cap.origin, true);
    if (number != WSF_TABLE_NONE) {
        trail->entries[number] = cap;
    } else if (clock >= until) {
        return; /* what is whole claims no more */
    } else if (add(trail, cap)) {
        trail->caps_count++;
    } else {
        trail->blind = true;
        if (trail->forgotten < until)
            trail->forgotten = until;
    }
}

static bool pin_caps(const wsf_trail *trail, uint64_t chat, wsf_vector *seen) {
    uint32_t cursor = 0;
    uint32_t number;
    while ((number = wsf_table_next(&trail->table, chat, &cursor)) != WSF_TABLE_NONE) {
        const wsf_trail_entry *entry = &trail->entries[number];
        uint64_t whole = wsf_vector_at(trail->whole, entry->origin);
        if (entry->chat == chat && entry->until != 0 && !is_over(trail, entry) &&
            !wsf_vector_pin(seen, entry->origin, entry->clock < whole ? entry->clock : whole))
            return false;
    }
    return true;
}

/* Caps come first: what was dispatched beyond one makes it ragged. */
bool wsf_trail_tell(const wsf_trail *trail, uint64_t chat, wsf_vector *seen) {
    uint32_t cursor = 0;
    uint32_t number;
    if (trail->blind || seen->rest < trail->forgotten || seen->rest < trail->rest_max)
        return false;
    if (trail->caps_count > 0 && !pin_caps(trail, chat, seen))
        return false;
    while ((number = wsf_table_next(&trail->table, chat, &cursor)) != WSF_TABLE_NONE) {
        const wsf_trail_entry *entry = &trail->entries[number];
        if (entry->chat == chat && entry->until == 0 &&
            !wsf_vector_saw(seen, entry->origin, entry->clock))
            return false;
    }
    return true;
}
