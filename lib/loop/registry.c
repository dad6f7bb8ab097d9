/* Answers for who is in what on one loop. Used by that loop's thread alone, without locks. Knows
 * nothing of peers.
 *
 * The members of an audience are one block: an array of recipients, which a delivery copies as it
 * is, an array that says where in its session's memberships each of them stands, and the name.
 *
 * Invariants: a member and its membership point at each other by index; an indexed audience is not
 * freed while it has members; scratch has room for every open session, so that a delivery never
 * needs memory. */
#include "loop/registry.h"

#include <assert.h>
#include <string.h>

#include "base/handle.h"
#include "base/memory.h"

enum { SLOT_BITS = 24, GENERATION_BITS = 32 };

static uint32_t slot_of(wsfan_session session) {
    return (uint32_t)(session.id & ((1u << SLOT_BITS) - 1));
}

static wsfan_session handle_of(const wsf_registry *registry, uint32_t slot) {
    return (wsfan_session){ (uint64_t)registry->loop << (SLOT_BITS + GENERATION_BITS) |
                            (uint64_t)registry->sessions[slot].generation << SLOT_BITS | slot };
}

/* Large arrays grow by less: what is spare is then a tenth of them, on average. */
static uint32_t larger_than(uint32_t capacity) {
    return capacity < 64 ? capacity + capacity / 2 + 1 : capacity + capacity / 4;
}

/* Makes room for one more element than `count`. */
static int reserve(void **array, uint32_t *capacity, uint32_t count, size_t element_size,
                   uint32_t capacity_min) {
    if (count < *capacity)
        return WSFAN_OK;
    uint32_t larger = *capacity < capacity_min ? capacity_min : larger_than(*capacity);
    void *grown = wsf_realloc(*array, (size_t)larger * element_size);
    if (grown == NULL)
        return WSFAN_ENOMEM;
    *array = grown;
    *capacity = larger;
    return WSFAN_OK;
}

void wsf_registry_init(wsf_registry *registry, const wsf_registry_limits *limits, uint8_t loop,
                       uint64_t seed) {
    memset(registry, 0, sizeof *registry);
    registry->limits = *limits;
    registry->loop = loop;
    registry->sessions_free = WSF_TABLE_NONE;
    registry->audiences_free = WSF_TABLE_NONE;
    wsf_table_init(&registry->index, seed);
}

static void free_memberships(wsf_session_slot *slot) {
    if (slot->memberships_capacity > 1)
        wsf_free(slot->memberships);
    slot->memberships_capacity = 1;
}

void wsf_registry_destroy(wsf_registry *registry) {
    for (uint32_t i = 0; i < registry->sessions_used; i++)
        free_memberships(&registry->sessions[i]);
    for (uint32_t i = 0; i < registry->audiences_used; i++) {
        wsf_free(registry->audiences[i].members);
        if (!registry->audiences[i].ticket_away) /* else it belongs to whoever has it */
            wsf_free(registry->audiences[i].ticket);
    }
    wsf_free(registry->sessions);
    wsf_free(registry->audiences);
    if (registry->lent != registry->scratch)
        wsf_free(registry->lent);
    wsf_free(registry->scratch);
    wsf_table_destroy(&registry->index);
}

/* ------------------------------------------------------------------------------------ sessions */

/* What a callback may still be reading (lent) stays until the next collection. */
static int reserve_scratch(wsf_registry *registry) {
    if (registry->sessions_count < registry->scratch_capacity)
        return WSFAN_OK;
    uint32_t capacity = registry->scratch_capacity < 16 ? 16 : registry->scratch_capacity * 2;
    wsfan_recipient *larger = wsf_alloc(capacity * sizeof *larger);
    if (larger == NULL)
        return WSFAN_ENOMEM;
    if (registry->scratch != registry->lent)
        wsf_free(registry->scratch);
    registry->scratch = larger;
    registry->scratch_capacity = capacity;
    return WSFAN_OK;
}

int wsf_registry_open(wsf_registry *registry, void *user, wsfan_session *session) {
    if (registry->sessions_count >= registry->limits.sessions_count_max)
        return WSFAN_ELIMIT;
    int error = reserve_scratch(registry);
    if (error != WSFAN_OK)
        return error;

    uint32_t slot = registry->sessions_free;
    if (slot != WSF_TABLE_NONE) {
        registry->sessions_free = registry->sessions[slot].next_free;
    } else {
        error = reserve((void **)&registry->sessions, &registry->sessions_capacity,
                        registry->sessions_used, sizeof *registry->sessions, 16);
        if (error != WSFAN_OK)
            return error;
        slot = registry->sessions_used++;
        memset(&registry->sessions[slot], 0, sizeof registry->sessions[slot]);
        registry->sessions[slot].generation = 1;
        registry->sessions[slot].memberships_capacity = 1;
    }
    registry->sessions[slot].user = user;
    registry->sessions[slot].open = true;
    registry->sessions[slot].mark = 0;
    registry->sessions_count++;
    *session = handle_of(registry, slot);
    return WSFAN_OK;
}

static wsf_session_slot *find_session(const wsf_registry *registry, wsfan_session session) {
    uint32_t slot = slot_of(session);
    if (slot >= registry->sessions_used || !registry->sessions[slot].open ||
        handle_of(registry, slot).id != session.id)
        return NULL;
    return &registry->sessions[slot];
}

/* Why find_session() found nothing. A session of another loop may well be open; {0} is none. */
static int why_not_found(const wsf_registry *registry, wsfan_session session) {
    return session.id != 0 && wsf_handle_loop(session.id) != registry->loop ? WSFAN_EINVAL
                                                                            : WSFAN_ESTALE;
}

int wsf_registry_check(const wsf_registry *registry, wsfan_session session) {
    return find_session(registry, session) != NULL ? WSFAN_OK : why_not_found(registry, session);
}

void *wsf_registry_pointer(const wsf_registry *registry, wsfan_session session) {
    return find_session(registry, session)->user;
}

bool wsf_registry_at(const wsf_registry *registry, uint32_t slot, wsfan_recipient *recipient) {
    assert(slot < registry->sessions_used);
    if (!registry->sessions[slot].open)
        return false;
    *recipient = (wsfan_recipient){ handle_of(registry, slot), registry->sessions[slot].user };
    return true;
}

void wsf_registry_close(wsf_registry *registry, wsfan_session session) {
    wsf_session_slot *slot = find_session(registry, session);
    assert(slot != NULL && slot->memberships_count == 0);
    free_memberships(slot);
    slot->open = false;
    if (++slot->generation == 0)
        slot->generation = 1;
    slot->next_free = registry->sessions_free;
    registry->sessions_free = slot_of(session);
    registry->sessions_count--;
}

/* ----------------------------------------------------------------------------------- audiences */

wsf_audience *wsf_registry_audience(const wsf_registry *registry, uint32_t audience) {
    assert(audience < registry->audiences_used);
    return &registry->audiences[audience];
}

/* The block of an audience: members, then a place for each, then the name. */
static size_t places_offset(uint32_t capacity) {
    return capacity * sizeof(wsfan_recipient);
}

static size_t name_offset(uint32_t capacity) {
    return places_offset(capacity) + capacity * sizeof(uint32_t);
}

/* Where in its session's memberships a member's stands. */
static uint32_t *places_of(const wsf_audience *audience) {
    return (uint32_t *)(audience->members + audience->members_capacity);
}

wsfan_bytes wsf_audience_name(const wsf_audience *audience) {
    return (wsfan_bytes){ (uint8_t *)audience->members + name_offset(audience->members_capacity),
                          audience->name_size };
}

static int reserve_member(wsf_audience *audience) {
    uint32_t capacity = audience->members_capacity;
    if (audience->members_count < capacity)
        return WSFAN_OK;
    uint32_t larger = larger_than(capacity);
    uint8_t *block = wsf_realloc(audience->members, name_offset(larger) + audience->name_size);
    if (block == NULL)
        return WSFAN_ENOMEM;
    memmove(block + name_offset(larger), block + name_offset(capacity), audience->name_size);
    memmove(block + places_offset(larger), block + places_offset(capacity),
            capacity * sizeof(uint32_t));
    audience->members = (wsfan_recipient *)(void *)block;
    audience->members_capacity = larger;
    return WSFAN_OK;
}

static bool is_audience(const wsf_audience *audience, wsfan_target_kind kind, wsfan_bytes name,
                        uint64_t hash) {
    return audience->hash == hash && audience->kind == kind && audience->name_size == name.size &&
           wsf_same_bytes(wsf_audience_name(audience).data, name.data, name.size);
}

static uint32_t find_audience(const wsf_registry *registry, wsfan_target_kind kind,
                              wsfan_bytes name, uint64_t hash) {
    uint32_t cursor = 0;
    uint32_t i;
    while ((i = wsf_table_next(&registry->index, hash, &cursor)) != WSF_TABLE_NONE)
        if (is_audience(&registry->audiences[i], kind, name, hash))
            break;
    return i;
}

static int add_audience(wsf_registry *registry, const wsfan_target *target, uint64_t hash,
                        uint32_t *added) {
    if (registry->audiences_count >= registry->limits.audiences_count_max)
        return WSFAN_ELIMIT;
    if (registry->audiences_free == WSF_TABLE_NONE) {
        int error = reserve((void **)&registry->audiences, &registry->audiences_capacity,
                            registry->audiences_used, sizeof *registry->audiences, 16);
        if (error != WSFAN_OK)
            return error;
    }
    assert(target->name.size <= UINT16_MAX);
    uint8_t *block = wsf_alloc(name_offset(1) + target->name.size);
    if (block == NULL)
        return WSFAN_ENOMEM;
    memcpy(block + name_offset(1), target->name.data, target->name.size);

    bool reused = registry->audiences_free != WSF_TABLE_NONE;
    uint32_t i = reused ? registry->audiences_free : registry->audiences_used;
    if (wsf_table_insert(&registry->index, hash, i) != WSFAN_OK) {
        wsf_free(block);
        return WSFAN_ENOMEM;
    }
    if (reused)
        registry->audiences_free = registry->audiences[i].members_count;
    else
        registry->audiences_used++;
    registry->audiences[i] = (wsf_audience){
        .hash = hash,
        .members = (wsfan_recipient *)(void *)block,
        .members_capacity = 1,
        .name_size = (uint16_t)target->name.size,
        .kind = (uint8_t)target->kind,
    };
    registry->audiences_count++;
    *added = i;
    return WSFAN_OK;
}

void wsf_registry_drop_audience(wsf_registry *registry, uint32_t audience) {
    wsf_audience *dropped = wsf_registry_audience(registry, audience);
    assert(dropped->members_count == 0 && !dropped->ticket_away);
    wsf_table_remove(&registry->index, dropped->hash, audience);
    wsf_free(dropped->members);
    wsf_free(dropped->ticket);
    memset(dropped, 0, sizeof *dropped);
    dropped->members_count = registry->audiences_free;
    registry->audiences_free = audience;
    registry->audiences_count--;
}

bool wsf_registry_has_twin(const wsf_registry *registry, uint32_t audience) {
    uint64_t hash = wsf_registry_audience(registry, audience)->hash;
    uint32_t cursor = 0;
    uint32_t i;
    while ((i = wsf_table_next(&registry->index, hash, &cursor)) != WSF_TABLE_NONE)
        if (i != audience && registry->audiences[i].hash == hash)
            return true;
    return false;
}

/* --------------------------------------------------------------------------------- memberships */

static wsf_membership *memberships_of(wsf_session_slot *slot) {
    return slot->memberships_capacity > 1 ? slot->memberships : &slot->only;
}

static int reserve_membership(wsf_session_slot *slot) {
    if (slot->memberships_count < slot->memberships_capacity)
        return WSFAN_OK;
    bool first = slot->memberships_capacity == 1;
    uint32_t capacity = first ? 3 : larger_than(slot->memberships_capacity);
    wsf_membership *array = wsf_realloc(first ? NULL : slot->memberships, capacity * sizeof *array);
    if (array == NULL)
        return WSFAN_ENOMEM;
    if (first)
        array[0] = slot->only;
    slot->memberships = array;
    slot->memberships_capacity = capacity & 0x7fffffff;
    return WSFAN_OK;
}

/* Looks through the session's chats or the chat's sessions, whichever are fewer. */
static wsf_membership *find_membership(const wsf_registry *registry, wsf_session_slot *slot,
                                       uint32_t i) {
    const wsf_audience *audience = &registry->audiences[i];
    wsf_membership *memberships = memberships_of(slot);
    if (audience->members_count < slot->memberships_count) {
        uint64_t id = handle_of(registry, (uint32_t)(slot - registry->sessions)).id;
        for (uint32_t m = 0; m < audience->members_count; m++)
            if (audience->members[m].session.id == id)
                return &memberships[places_of(audience)[m]];
        return NULL;
    }
    for (uint32_t m = 0; m < slot->memberships_count; m++)
        if (memberships[m].audience == i)
            return &memberships[m];
    return NULL;
}

uint32_t wsf_registry_user(const wsf_registry *registry, wsfan_session session) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL || slot->memberships_count == 0)
        return WSF_TABLE_NONE;
    uint32_t first = memberships_of(slot)->audience; /* a user is what a session joins first */
    return registry->audiences[first].kind == WSFAN_USER ? first : WSF_TABLE_NONE;
}

static uint32_t count_chats(const wsf_registry *registry, wsf_session_slot *slot) {
    /* A user, if any, is what a session joins first. */
    bool has_user = slot->memberships_count > 0 &&
                    registry->audiences[memberships_of(slot)->audience].kind == WSFAN_USER;
    return slot->memberships_count - (has_user ? 1 : 0);
}

int wsf_registry_join(wsf_registry *registry, wsfan_session session, const wsfan_target *target,
                      uint64_t hash, uint32_t *joined) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL)
        return why_not_found(registry, session);
    uint32_t i = find_audience(registry, target->kind, target->name, hash);
    if (i != WSF_TABLE_NONE && find_membership(registry, slot, i) != NULL)
        return WSFAN_EEXIST;
    if (target->kind == WSFAN_CHAT &&
        count_chats(registry, slot) >= registry->limits.chats_per_session_count_max)
        return WSFAN_ELIMIT;

    int error = reserve_membership(slot);
    if (error != WSFAN_OK)
        return error;
    bool added = i == WSF_TABLE_NONE;
    if (added && (error = add_audience(registry, target, hash, &i)) != WSFAN_OK)
        return error;
    wsf_audience *audience = &registry->audiences[i];
    error = reserve_member(audience);
    if (error != WSFAN_OK) {
        if (added)
            wsf_registry_drop_audience(registry, i);
        return error;
    }
    audience->members[audience->members_count] = (wsfan_recipient){ session, slot->user };
    places_of(audience)[audience->members_count] = slot->memberships_count;
    memberships_of(slot)[slot->memberships_count++] = (wsf_membership){
        .audience = i, .position = audience->members_count++ & 0x7fffffff
    };
    registry->memberships_count++;
    *joined = i;
    return WSFAN_OK;
}

/* The last of each array takes the hole, and is told where it stands now. The user stays first. */
static void remove_membership(wsf_registry *registry, wsf_session_slot *slot, uint32_t m) {
    wsf_membership *memberships = memberships_of(slot);
    wsf_audience *audience = &registry->audiences[memberships[m].audience];
    uint32_t position = memberships[m].position;

    uint32_t last = --audience->members_count;
    if (position != last) {
        wsfan_recipient moved = audience->members[last];
        uint32_t place = places_of(audience)[last];
        audience->members[position] = moved;
        places_of(audience)[position] = place;
        wsf_session_slot *owner = &registry->sessions[slot_of(moved.session)];
        memberships_of(owner)[place].position = position & 0x7fffffff;
    }
    last = --slot->memberships_count;
    if (m != last) {
        wsf_membership moved = memberships[last];
        memberships[m] = moved;
        places_of(&registry->audiences[moved.audience])[moved.position] = m;
    }
    registry->memberships_count--;
}

int wsf_registry_leave(wsf_registry *registry, wsfan_session session, const wsfan_target *target,
                       uint64_t hash, uint32_t *left) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL)
        return why_not_found(registry, session);
    uint32_t i = find_audience(registry, target->kind, target->name, hash);
    wsf_membership *membership = i == WSF_TABLE_NONE ? NULL : find_membership(registry, slot, i);
    if (membership == NULL)
        return WSFAN_ENOENT;
    remove_membership(registry, slot, (uint32_t)(membership - memberships_of(slot)));
    *left = i;
    return WSFAN_OK;
}

bool wsf_registry_leave_any(wsf_registry *registry, wsfan_session session, uint32_t *left) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL || slot->memberships_count == 0)
        return false;
    *left = memberships_of(slot)[slot->memberships_count - 1].audience;
    remove_membership(registry, slot, slot->memberships_count - 1);
    return true;
}

void wsf_registry_expect(wsf_registry *registry, wsfan_session session, uint32_t audience) {
    find_membership(registry, find_session(registry, session), audience)->pending = 1;
}

/* The audience may have been dropped since: then its place is free, or another's. */
static wsf_membership *find_expected(const wsf_registry *registry, wsfan_session session,
                                     uint32_t audience) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL || wsf_registry_audience(registry, audience)->members == NULL)
        return NULL;
    wsf_membership *membership = find_membership(registry, slot, audience);
    return membership != NULL && membership->pending ? membership : NULL;
}

bool wsf_registry_expected(const wsf_registry *registry, wsfan_session session, uint32_t audience) {
    return find_expected(registry, session, audience) != NULL;
}

bool wsf_registry_told(wsf_registry *registry, wsfan_session session, uint32_t audience) {
    wsf_membership *membership = find_expected(registry, session, audience);
    if (membership == NULL)
        return false;
    membership->pending = 0;
    return true;
}

bool wsf_registry_settled(const wsf_registry *registry, wsfan_session session, uint32_t audience,
                          wsfan_recipient *recipient) {
    if (!wsf_registry_expected(registry, session, audience) ||
        !wsf_registry_audience(registry, audience)->settled)
        return false;
    *recipient = (wsfan_recipient){ session, find_session(registry, session)->user };
    return true;
}

/* -------------------------------------------------------------------------------------- walking */

uint32_t wsf_registry_find(const wsf_registry *registry, const wsfan_target *target,
                           uint64_t hash) {
    return find_audience(registry, target->kind, target->name, hash);
}

wsfan_session wsf_registry_session_at(const wsf_registry *registry, uint32_t slot) {
    return registry->sessions[slot].open ? handle_of(registry, slot) : (wsfan_session){ 0 };
}

uint32_t wsf_registry_membership(const wsf_registry *registry, wsfan_session session, uint32_t i) {
    wsf_session_slot *slot = find_session(registry, session);
    return slot != NULL && i < slot->memberships_count ? memberships_of(slot)[i].audience
                                                       : WSF_TABLE_NONE;
}

/* ---------------------------------------------------------------------------------- collecting */

static wsfan_recipient *lend_scratch(wsf_registry *registry) {
    if (registry->lent != registry->scratch)
        wsf_free(registry->lent);
    registry->lent = registry->scratch;
    return registry->scratch;
}

size_t wsf_registry_collect_audience(wsf_registry *registry, uint32_t audience,
                                     const wsfan_recipient **recipients) {
    const wsf_audience *from = wsf_registry_audience(registry, audience);
    wsfan_recipient *scratch = lend_scratch(registry);
    memcpy(scratch, from->members, from->members_count * sizeof *scratch);
    *recipients = scratch;
    return from->members_count;
}

static void next_round(wsf_registry *registry) {
    if (++registry->round == 0) {
        for (uint32_t i = 0; i < registry->sessions_used; i++)
            registry->sessions[i].mark = 0;
        registry->round = 1;
    }
}

static size_t collect_all(const wsf_registry *registry, uint64_t except, bool once,
                          wsfan_recipient *out) {
    size_t count = 0;
    for (uint32_t i = 0; i < registry->sessions_used; i++) {
        wsfan_session session = handle_of(registry, i);
        if (registry->sessions[i].open && session.id != except &&
            (once || registry->sessions[i].mark != registry->round))
            out[count++] = (wsfan_recipient){ session, registry->sessions[i].user };
    }
    return count;
}

/* Nobody is in `out` twice, so there is nothing to compare. */
static size_t copy_members(const wsf_registry *registry, uint32_t i, uint64_t except,
                           wsfan_recipient *out) {
    const wsf_audience *audience = &registry->audiences[i];
    wsf_session_slot *slot = except == 0 ? NULL : find_session(registry, (wsfan_session){ except });
    const wsf_membership *without = slot == NULL ? NULL : find_membership(registry, slot, i);
    uint32_t before = without == NULL ? audience->members_count : without->position;
    uint32_t after = without == NULL ? 0 : audience->members_count - before - 1;
    if (before == 1)
        out[0] = audience->members[0];
    else
        memcpy(out, audience->members, before * sizeof *out);
    if (after > 0)
        memcpy(out + before, audience->members + before + 1, after * sizeof *out);
    return before + after;
}

/* Those that have not been collected in this round. */
static size_t mark_members(wsf_registry *registry, uint32_t i, uint64_t except,
                           wsfan_recipient *out) {
    const wsf_audience *audience = &registry->audiences[i];
    size_t count = 0;
    for (uint32_t m = 0; m < audience->members_count; m++) {
        wsfan_recipient recipient = audience->members[m];
        uint32_t *mark = &registry->sessions[slot_of(recipient.session)].mark;
        if (recipient.session.id == except || *mark == registry->round)
            continue;
        *mark = registry->round;
        out[count++] = recipient;
    }
    return count;
}

static uint32_t find_addressed(wsf_registry *registry, const wsfan_message *message,
                               const wsf_message_target *target) {
    wsfan_target named = wsf_message_target_of(message, target);
    named.kind = wsf_kind_without_not(named.kind);
    uint32_t last = registry->last_audience;
    if (last < registry->audiences_used &&
        is_audience(&registry->audiences[last], named.kind, named.name, target->hash))
        return last;
    uint32_t i = find_audience(registry, named.kind, named.name, target->hash);
    if (i != WSF_TABLE_NONE)
        registry->last_audience = i;
    return i;
}

/* The session that a target names, or everyone where it names this node; else nobody. */
static size_t mark_address(wsf_registry *registry, wsfan_bytes name, uint64_t node, uint64_t except,
                           wsfan_recipient *out) {
    wsfan_address address;
    if (wsfan_address_parse(&address, name) != WSFAN_OK || address.node != node)
        return 0;
    size_t count = 0;
    uint32_t first = address.session == 0 ? 0 : slot_of((wsfan_session){ address.session });
    uint32_t end = address.session == 0 ? registry->sessions_used : first + 1;
    for (uint32_t i = first; i < end && i < registry->sessions_used; i++) {
        wsf_session_slot *slot = &registry->sessions[i];
        wsfan_session session = handle_of(registry, i);
        if (!slot->open || session.id == except || slot->mark == registry->round ||
            (address.session != 0 && address.session != session.id))
            continue;
        slot->mark = registry->round;
        out[count++] = (wsfan_recipient){ session, slot->user };
    }
    return count;
}

/* Those of one target, each once in a round. */
static size_t mark_target(wsf_registry *registry, const wsfan_message *message, uint32_t t,
                          uint64_t node, uint64_t except, wsfan_recipient *out) {
    wsfan_target target = wsfan_message_target(message, t);
    wsfan_target_kind kind = wsf_kind_without_not(target.kind);
    if (kind == WSFAN_SESSION || kind == WSFAN_NODE)
        return mark_address(registry, target.name, node, except, out);
    uint32_t i = find_addressed(registry, message, &message->targets[t]);
    return i == WSF_TABLE_NONE ? 0 : mark_members(registry, i, except, out);
}

size_t wsf_registry_select(wsf_registry *registry, const wsfan_message *message, uint64_t node,
                           const wsfan_recipient **recipients) {
    wsfan_recipient *scratch = lend_scratch(registry);
    uint64_t except = message->except.node == node ? message->except.session : 0;
    size_t count = 0;
    *recipients = scratch;
    /* With one target nobody can be named twice. */
    if (message->targets_count == 1 && message->targets[0].kind == WSFAN_ALL)
        return collect_all(registry, except, true, scratch);
    if (message->targets_count == 1 && message->targets[0].kind <= WSFAN_USER) {
        uint32_t i = find_addressed(registry, message, &message->targets[0]);
        return i == WSF_TABLE_NONE ? 0 : copy_members(registry, i, except, scratch);
    }

    /* Who is left out counts as collected, which is written over at once. */
    next_round(registry);
    for (uint32_t t = 0; t < message->targets_count; t++)
        if (wsf_kind_is_not(message->targets[t].kind))
            mark_target(registry, message, t, node, except, scratch);
    for (uint32_t t = 0; t < message->targets_count; t++)
        if (message->targets[t].kind == WSFAN_ALL)
            return collect_all(registry, except, false, scratch);
    for (uint32_t t = 0; t < message->targets_count; t++)
        if (!wsf_kind_is_not(message->targets[t].kind))
            count += mark_target(registry, message, t, node, except, scratch + count);
    return count;
}
