/* Answers for the sessions of one loop and the audiences that each is in. Used by that loop's thread alone,
 * without locks. Knows nothing of peers.
 *
 * Invariants: a member and its membership point at each other by index; the parked members of an audience are
 * behind the others; an audience is not dropped while it has members; scratch has room for every open session,
 * so that a delivery never needs memory. */
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

void wsf_registry_init(wsf_registry *registry, const wsf_registry_limits *limits, uint8_t loop,
                       uint64_t seed) {
    memset(registry, 0, sizeof *registry);
    registry->limits = *limits;
    registry->loop = loop;
    wsf_slots_init(&registry->session_slots);
    wsf_audiences_init(&registry->audiences, limits->audiences_count_max, seed);
}

static void free_memberships(wsf_session_slot *slot) {
    if (slot->memberships_capacity > 1)
        wsf_free(slot->memberships);
    slot->memberships_capacity = 1;
}

void wsf_registry_destroy(wsf_registry *registry) {
    for (uint32_t i = 0; i < registry->session_slots.used; i++)
        free_memberships(&registry->sessions[i]);
    wsf_free(registry->sessions);
    if (registry->lent != registry->scratch)
        wsf_free(registry->lent);
    wsf_free(registry->scratch);
    wsf_audiences_destroy(&registry->audiences);
}

/* ------------------------------------------------------------------------------------ sessions */

/* A callback may still be reading `lent`, which therefore stays until the next collection. */
static int reserve_scratch(wsf_registry *registry) {
    if (registry->session_slots.count < registry->scratch_capacity)
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
    if (registry->session_slots.count >= registry->limits.sessions_count_max)
        return WSFAN_ELIMIT;
    int error = reserve_scratch(registry);
    if (error != WSFAN_OK)
        return error;

    wsf_session_slot *sessions = wsf_slots_reserve(&registry->session_slots, registry->sessions,
                                                   sizeof *sessions);
    if (sessions == NULL)
        return WSFAN_ENOMEM;
    registry->sessions = sessions;
    uint32_t slot = wsf_slots_take(&registry->session_slots, sessions, sizeof *sessions);
    registry->version++;
    sessions[slot].user = user;
    sessions[slot].open = true;
    sessions[slot].mark = 0;
    sessions[slot].memberships_capacity = 1;
    if (++sessions[slot].generation == 0)
        sessions[slot].generation = 1;
    *session = handle_of(registry, slot);
    return WSFAN_OK;
}

static wsf_session_slot *find_session(const wsf_registry *registry, wsfan_session session) {
    uint32_t slot = slot_of(session);
    if (slot >= registry->session_slots.used || !registry->sessions[slot].open ||
        handle_of(registry, slot).id != session.id)
        return NULL;
    return &registry->sessions[slot];
}

/* The error where find_session() finds nothing. A session of another loop may be open; {0} is none. */
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
    assert(slot < registry->session_slots.used);
    if (!registry->sessions[slot].open)
        return false;
    *recipient = (wsfan_recipient){ handle_of(registry, slot), registry->sessions[slot].user };
    return true;
}

void wsf_registry_close(wsf_registry *registry, wsfan_session session) {
    wsf_session_slot *slot = find_session(registry, session);
    assert(slot != NULL && slot->memberships_count == 0);
    free_memberships(slot);
    registry->version++;
    slot->open = false;
    wsf_slots_free(&registry->session_slots, registry->sessions, sizeof *slot, slot_of(session));
}

/* --------------------------------------------------------------------------------- memberships */

static wsf_membership *memberships_of(wsf_session_slot *slot) {
    return slot->memberships_capacity > 1 ? slot->memberships : &slot->only;
}

static int reserve_membership(wsf_session_slot *slot) {
    if (slot->memberships_count < slot->memberships_capacity)
        return WSFAN_OK;
    bool first = slot->memberships_capacity == 1;
    uint32_t capacity = first ? 3 : wsf_larger_capacity(slot->memberships_capacity);
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
    const wsf_audience *audience = &registry->audiences.array[i];
    wsf_membership *memberships = memberships_of(slot);
    if (audience->members_count < slot->memberships_count) {
        uint64_t id = handle_of(registry, (uint32_t)(slot - registry->sessions)).id;
        for (uint32_t m = 0; m < audience->members_count; m++)
            if (audience->members[m].session.id == id)
                return &memberships[wsf_audience_places(audience)[m]];
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
    uint32_t first = memberships_of(slot)->audience; /* a session joins its user first */
    return registry->audiences.array[first].kind == WSFAN_USER ? first : WSF_TABLE_NONE;
}

static uint32_t count_chats(const wsf_registry *registry, wsf_session_slot *slot) {
    /* A session joins its user, if any, first. */
    bool has_user = slot->memberships_count > 0 &&
                    registry->audiences.array[memberships_of(slot)->audience].kind == WSFAN_USER;
    return slot->memberships_count - (has_user ? 1 : 0);
}

static void move_member(wsf_registry *registry, wsf_audience *audience, uint32_t position,
                        wsfan_recipient member, uint32_t place) {
    audience->members[position] = member;
    wsf_audience_places(audience)[position] = place;
    wsf_session_slot *owner = &registry->sessions[slot_of(member.session)];
    memberships_of(owner)[place].position = position & 0x3fffffff;
}

static void swap_members(wsf_registry *registry, wsf_audience *audience, uint32_t a, uint32_t b) {
    if (a == b)
        return;
    wsfan_recipient member = audience->members[a];
    uint32_t place = wsf_audience_places(audience)[a];
    move_member(registry, audience, a, audience->members[b], wsf_audience_places(audience)[b]);
    move_member(registry, audience, b, member, place);
}

int wsf_registry_join(wsf_registry *registry, wsfan_session session, const wsfan_target *target,
                      uint64_t hash, uint32_t *joined) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL)
        return why_not_found(registry, session);
    uint32_t i = wsf_audiences_find(&registry->audiences, target, hash);
    if (i != WSF_TABLE_NONE && find_membership(registry, slot, i) != NULL)
        return WSFAN_EEXIST;
    if (target->kind == WSFAN_CHAT &&
        count_chats(registry, slot) >= registry->limits.chats_per_session_count_max)
        return WSFAN_ELIMIT;

    int error = reserve_membership(slot);
    if (error != WSFAN_OK)
        return error;
    bool added = i == WSF_TABLE_NONE;
    if (added && (error = wsf_audiences_add(&registry->audiences, target, hash, &i)) != WSFAN_OK)
        return error;
    wsf_audience *audience = &registry->audiences.array[i];
    error = wsf_audience_reserve(audience);
    if (error != WSFAN_OK) {
        if (added)
            wsf_audiences_drop(&registry->audiences, i);
        return error;
    }
    audience->members[audience->members_count] = (wsfan_recipient){ session, slot->user };
    wsf_audience_places(audience)[audience->members_count] = slot->memberships_count;
    memberships_of(slot)[slot->memberships_count++] = (wsf_membership){
        .audience = i, .position = audience->members_count & 0x3fffffff
    };
    swap_members(registry, audience, audience->members_count++, audience->live_count++);
    registry->memberships_count++;
    registry->version++;
    *joined = i;
    return WSFAN_OK;
}

/* The last element of each array fills the hole, and its counterpart is updated: of the members the last parked one, in
 * the place of the last of the others. The user stays first. */
static void remove_membership(wsf_registry *registry, wsf_session_slot *slot, uint32_t m) {
    wsf_membership *memberships = memberships_of(slot);
    wsf_audience *audience = &registry->audiences.array[memberships[m].audience];
    uint32_t position = memberships[m].position;
    audience->history_count -= memberships[m].history;

    if (position < audience->live_count) {
        swap_members(registry, audience, position, --audience->live_count);
        position = audience->live_count;
    }
    swap_members(registry, audience, position, --audience->members_count);
    uint32_t last = --slot->memberships_count;
    if (m != last) {
        wsf_membership moved = memberships[last];
        memberships[m] = moved;
        wsf_audience_places(&registry->audiences.array[moved.audience])[moved.position] = m;
    }
    registry->memberships_count--;
    registry->version++;
}

int wsf_registry_leave(wsf_registry *registry, wsfan_session session, const wsfan_target *target,
                       uint64_t hash, uint32_t *left) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL)
        return why_not_found(registry, session);
    uint32_t i = wsf_audiences_find(&registry->audiences, target, hash);
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

void wsf_registry_set_history(wsf_registry *registry, wsfan_session session, uint32_t audience) {
    find_membership(registry, find_session(registry, session), audience)->history = 1;
    registry->audiences.array[audience].history_count++;
}

void wsf_registry_park(wsf_registry *registry, wsfan_session session, uint32_t audience) {
    wsf_audience *of = &registry->audiences.array[audience];
    uint32_t position =
        find_membership(registry, find_session(registry, session), audience)->position;
    assert(position < of->live_count);
    swap_members(registry, of, position, --of->live_count);
    registry->version++;
}

void wsf_registry_unpark(wsf_registry *registry, wsfan_session session, uint32_t audience) {
    wsf_audience *of = &registry->audiences.array[audience];
    uint32_t position =
        find_membership(registry, find_session(registry, session), audience)->position;
    assert(position >= of->live_count);
    swap_members(registry, of, position, of->live_count++);
    registry->version++;
}

bool wsf_registry_parked(const wsf_registry *registry, wsfan_session session, uint32_t audience) {
    wsf_session_slot *slot = find_session(registry, session);
    const wsf_membership *membership = slot == NULL ? NULL
                                                    : find_membership(registry, slot, audience);
    return membership != NULL &&
           membership->position >= wsf_audiences_at(&registry->audiences, audience)->live_count;
}

/* The audience may have been dropped since; then its number is free, or of another audience. */
static wsf_membership *find_expected(const wsf_registry *registry, wsfan_session session,
                                     uint32_t audience) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL || wsf_audiences_at(&registry->audiences, audience)->members == NULL)
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
        !wsf_audiences_at(&registry->audiences, audience)->settled)
        return false;
    *recipient = (wsfan_recipient){ session, find_session(registry, session)->user };
    return true;
}

/* -------------------------------------------------------------------------------------- walking */

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
    registry->version++;
    if (registry->lent != registry->scratch)
        wsf_free(registry->lent);
    registry->lent = registry->scratch;
    return registry->scratch;
}

size_t wsf_registry_collect_audience(wsf_registry *registry, uint32_t audience,
                                     const wsfan_recipient **recipients) {
    const wsf_audience *from = wsf_audiences_at(&registry->audiences, audience);
    wsfan_recipient *scratch = lend_scratch(registry);
    memcpy(scratch, from->members, from->members_count * sizeof *scratch);
    *recipients = scratch;
    return from->members_count;
}

static void next_round(wsf_registry *registry) {
    if (++registry->round == 0) {
        for (uint32_t i = 0; i < registry->session_slots.used; i++)
            registry->sessions[i].mark = 0;
        registry->round = 1;
    }
}

static size_t collect_all(const wsf_registry *registry, uint64_t except, bool once,
                          wsfan_recipient *out) {
    size_t count = 0;
    for (uint32_t i = 0; i < registry->session_slots.used; i++) {
        wsfan_session session = handle_of(registry, i);
        if (registry->sessions[i].open && session.id != except &&
            (once || registry->sessions[i].mark != registry->round))
            out[count++] = (wsfan_recipient){ session, registry->sessions[i].user };
    }
    return count;
}

/* Copies the first members but `except`. A session is in an audience once, so no marks are compared. */
static size_t copy_members(const wsf_registry *registry, uint32_t i, uint32_t members_count,
                           uint64_t except, wsfan_recipient *out) {
    const wsf_audience *audience = &registry->audiences.array[i];
    wsf_session_slot *slot = except == 0 ? NULL : find_session(registry, (wsfan_session){ except });
    const wsf_membership *without = slot == NULL ? NULL : find_membership(registry, slot, i);
    bool is_in = without != NULL && without->position < members_count;
    uint32_t before = is_in ? without->position : members_count;
    uint32_t after = is_in ? members_count - before - 1 : 0;
    if (before == 1)
        out[0] = audience->members[0];
    else
        memcpy(out, audience->members, before * sizeof *out);
    if (after > 0)
        memcpy(out + before, audience->members + before + 1, after * sizeof *out);
    return before + after;
}

/* Collects and marks the first members, as far as they are not marked in this round. */
static size_t mark_members(wsf_registry *registry, uint32_t i, uint32_t members_count,
                           uint64_t except, wsfan_recipient *out) {
    const wsf_audience *audience = &registry->audiences.array[i];
    size_t count = 0;
    for (uint32_t m = 0; m < members_count; m++) {
        wsfan_recipient recipient = audience->members[m];
        uint32_t *mark = &registry->sessions[slot_of(recipient.session)].mark;
        if (recipient.session.id == except || *mark == registry->round)
            continue;
        *mark = registry->round;
        out[count++] = recipient;
    }
    return count;
}

static uint32_t find_audience(const wsf_registry *registry, const wsfan_message *message,
                              const wsf_message_target *target) {
    uint32_t last = registry->audiences.last;
    wsfan_target named = wsf_message_target_of(message, target);
    named.kind = wsf_kind_without_not(named.kind);
    if (last < registry->audiences.slots.used &&
        wsf_audience_is(&registry->audiences.array[last], &named, target->hash))
        return last;
    return wsf_audiences_find(&registry->audiences, &named, target->hash);
}

static uint32_t find_addressed(wsf_registry *registry, const wsfan_message *message,
                               const wsf_message_target *target) {
    uint32_t i = find_audience(registry, message, target);
    if (i != WSF_TABLE_NONE)
        registry->audiences.last = i;
    return i;
}

bool wsf_registry_has_history(const wsf_registry *registry, const wsfan_message *message,
                              const wsf_message_target *target) {
    uint32_t i = find_audience(registry, message, target);
    return i != WSF_TABLE_NONE && registry->audiences.array[i].history_count > 0;
}

/* Collects and marks the session of an address, or all sessions where the address is this node itself. */
static size_t mark_address(wsf_registry *registry, wsfan_bytes name, uint64_t node, uint64_t except,
                           wsfan_recipient *out) {
    wsfan_address address;
    if (wsfan_address_parse(&address, name) != WSFAN_OK || address.node != node)
        return 0;
    size_t count = 0;
    uint32_t first = address.session == 0 ? 0 : slot_of((wsfan_session){ address.session });
    uint32_t end = address.session == 0 ? registry->session_slots.used : first + 1;
    for (uint32_t i = first; i < end && i < registry->session_slots.used; i++) {
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

/* How many of the first members are selected: those that get messages, or the parked ones too. */
static inline uint32_t count_members(const wsf_registry *registry, uint32_t i, bool parked) {
    const wsf_audience *audience = &registry->audiences.array[i];
    return parked ? audience->members_count : audience->live_count;
}

/* Collects and marks the sessions of one target that are not marked in this round. A parked member is excluded by what
 * excludes its audience. */
static size_t mark_target(wsf_registry *registry, const wsfan_message *message, uint32_t t,
                          uint64_t node, uint64_t except, bool parked, wsfan_recipient *out) {
    wsfan_target target = wsfan_message_target(message, t);
    wsfan_target_kind kind = wsf_kind_without_not(target.kind);
    if (kind == WSFAN_SESSION || kind == WSFAN_NODE)
        return mark_address(registry, target.name, node, except, out);
    uint32_t i = find_addressed(registry, message, &message->targets[t]);
    if (i == WSF_TABLE_NONE)
        return 0;
    parked = parked || wsf_kind_is_not(target.kind);
    return mark_members(registry, i, count_members(registry, i, parked), except, out);
}

static inline size_t select_members(wsf_registry *registry, const wsfan_message *message,
                                    uint64_t node, bool parked,
                                    const wsfan_recipient **recipients) {
    wsfan_recipient *scratch = lend_scratch(registry);
    uint64_t except = message->except.node == node ? message->except.session : 0;
    size_t count = 0;
    *recipients = scratch;
    /* One target selects no session twice, so no marks are needed. */
    if (message->targets_count == 1 && message->targets[0].kind == WSFAN_ALL)
        return collect_all(registry, except, true, scratch);
    if (message->targets_count == 1 && message->targets[0].kind <= WSFAN_USER) {
        uint32_t i = find_addressed(registry, message, &message->targets[0]);
        return i == WSF_TABLE_NONE
                   ? 0
                   : copy_members(registry, i, count_members(registry, i, parked), except, scratch);
    }

    if (scratch == NULL) /* no session was ever opened */
        return 0;
    /* Pass 1 marks the excluded sessions as collected in this round, and pass 2 overwrites its output. */
    next_round(registry);
    for (uint32_t t = 0; t < message->targets_count; t++)
        if (wsf_kind_is_not(message->targets[t].kind))
            mark_target(registry, message, t, node, except, parked, scratch);
    for (uint32_t t = 0; t < message->targets_count; t++)
        if (message->targets[t].kind == WSFAN_ALL)
            return collect_all(registry, except, false, scratch);
    for (uint32_t t = 0; t < message->targets_count; t++)
        if (!wsf_kind_is_not(message->targets[t].kind))
            count += mark_target(registry, message, t, node, except, parked, scratch + count);
    return count;
}

size_t wsf_registry_select(wsf_registry *registry, const wsfan_message *message, uint64_t node,
                           const wsfan_recipient **recipients) {
    return select_members(registry, message, node, false, recipients);
}

size_t wsf_registry_select_addressed(wsf_registry *registry, const wsfan_message *message,
                                     uint64_t node, const wsfan_recipient **recipients) {
    return select_members(registry, message, node, true, recipients);
}

size_t wsf_registry_sift(wsf_registry *registry, size_t count,
                         bool (*stops)(void *user, wsfan_session session), void *user) {
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (!stops(user, registry->lent[i].session))
            registry->lent[left++] = registry->lent[i];
    if (left < count)
        registry->version++; /* of a run, the next message may be for all of them */
    return left;
}
