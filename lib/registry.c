/* Answers for who is in what on one loop. Used by that loop's thread alone, without locks. Knows
 * nothing of peers.
 *
 * Invariants: a member and its membership point at each other by index; an indexed audience is not
 * freed while it has members; scratch has room for every open session, so that a delivery never
 * needs memory. */
#include "registry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT_BITS = 24, GENERATION_BITS = 32 };

static uint32_t slot_of(wsfan_session session) {
    return (uint32_t)(session.id & ((1u << SLOT_BITS) - 1));
}

static wsfan_session handle_of(const wsf_registry *registry, uint32_t slot) {
    return (wsfan_session){ (uint64_t)registry->loop << (SLOT_BITS + GENERATION_BITS) |
                            (uint64_t)registry->sessions[slot].generation << SLOT_BITS | slot };
}

/* Makes room for one more element than `count`. */
static int reserve(void **array, uint32_t *capacity, uint32_t count, size_t element_size,
                   uint32_t capacity_min) {
    if (count < *capacity)
        return WSFAN_OK;
    uint32_t larger = *capacity < capacity_min ? capacity_min : *capacity + *capacity / 2 + 1;
    void *grown = realloc(*array, (size_t)larger * element_size);
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

void wsf_registry_destroy(wsf_registry *registry) {
    for (uint32_t i = 0; i < registry->sessions_used; i++)
        free(registry->sessions[i].memberships);
    for (uint32_t i = 0; i < registry->audiences_used; i++) {
        free(registry->audiences[i].name);
        free(registry->audiences[i].members);
        if (!registry->audiences[i].ticket_away) /* else it belongs to whoever has it */
            free(registry->audiences[i].ticket);
    }
    free(registry->sessions);
    free(registry->audiences);
    if (registry->lent != registry->scratch)
        free(registry->lent);
    free(registry->scratch);
    wsf_table_destroy(&registry->index);
}

/* ------------------------------------------------------------------------------------ sessions */

/* What a callback may still be reading (lent) stays until the next collection. */
static int reserve_scratch(wsf_registry *registry) {
    if (registry->sessions_count < registry->scratch_capacity)
        return WSFAN_OK;
    uint32_t capacity = registry->scratch_capacity < 16 ? 16 : registry->scratch_capacity * 2;
    wsfan_recipient *larger = malloc(capacity * sizeof *larger);
    if (larger == NULL)
        return WSFAN_ENOMEM;
    if (registry->scratch != registry->lent)
        free(registry->scratch);
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

int wsf_registry_check(const wsf_registry *registry, wsfan_session session) {
    return find_session(registry, session) != NULL ? WSFAN_OK : WSFAN_ESTALE;
}

void wsf_registry_close(wsf_registry *registry, wsfan_session session) {
    wsf_session_slot *slot = find_session(registry, session);
    assert(slot != NULL && slot->memberships_count == 0);
    free(slot->memberships);
    slot->memberships = NULL;
    slot->memberships_capacity = 0;
    slot->user = NULL;
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

static uint32_t find_audience(const wsf_registry *registry, wsfan_target_kind kind,
                              wsfan_bytes name, uint64_t hash) {
    uint32_t cursor = 0;
    uint32_t i;
    while ((i = wsf_table_next(&registry->index, hash, &cursor)) != WSF_TABLE_NONE) {
        const wsf_audience *audience = &registry->audiences[i];
        if (audience->hash == hash && audience->kind == kind && audience->name_size == name.size &&
            memcmp(audience->name, name.data, name.size) == 0)
            break;
    }
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
    uint8_t *name = malloc(target->name.size);
    if (name == NULL)
        return WSFAN_ENOMEM;
    memcpy(name, target->name.data, target->name.size);

    bool reused = registry->audiences_free != WSF_TABLE_NONE;
    uint32_t i = reused ? registry->audiences_free : registry->audiences_used;
    if (wsf_table_insert(&registry->index, hash, i) != WSFAN_OK) {
        free(name);
        return WSFAN_ENOMEM;
    }
    if (reused)
        registry->audiences_free = registry->audiences[i].members_count;
    else
        registry->audiences_used++;
    registry->audiences[i] = (wsf_audience){
        .hash = hash,
        .name = name,
        .name_size = (uint32_t)target->name.size,
        .kind = target->kind,
    };
    registry->audiences_count++;
    *added = i;
    return WSFAN_OK;
}

void wsf_registry_drop_audience(wsf_registry *registry, uint32_t audience) {
    wsf_audience *dropped = wsf_registry_audience(registry, audience);
    assert(dropped->members_count == 0 && !dropped->ticket_away);
    wsf_table_remove(&registry->index, dropped->hash, audience);
    free(dropped->name);
    free(dropped->members);
    free(dropped->ticket);
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

static wsf_membership *find_membership(const wsf_session_slot *slot, uint32_t audience) {
    for (uint32_t i = 0; i < slot->memberships_count; i++)
        if (slot->memberships[i].audience == audience)
            return &slot->memberships[i];
    return NULL;
}

static uint32_t count_chats(const wsf_registry *registry, const wsf_session_slot *slot) {
    /* A user, if any, is what a session joins first. */
    bool has_user = slot->memberships_count > 0 &&
                    registry->audiences[slot->memberships[0].audience].kind == WSFAN_USER;
    return slot->memberships_count - (has_user ? 1 : 0);
}

int wsf_registry_join(wsf_registry *registry, wsfan_session session, const wsfan_target *target,
                      uint64_t hash, uint32_t *joined) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL)
        return WSFAN_ESTALE;
    uint32_t i = find_audience(registry, target->kind, target->name, hash);
    if (i != WSF_TABLE_NONE && find_membership(slot, i) != NULL)
        return WSFAN_EEXIST;
    if (target->kind == WSFAN_CHAT &&
        count_chats(registry, slot) >= registry->limits.chats_per_session_count_max)
        return WSFAN_ELIMIT;

    int error = reserve((void **)&slot->memberships, &slot->memberships_capacity,
                        slot->memberships_count, sizeof *slot->memberships, 2);
    if (error != WSFAN_OK)
        return error;
    bool added = i == WSF_TABLE_NONE;
    if (added && (error = add_audience(registry, target, hash, &i)) != WSFAN_OK)
        return error;
    wsf_audience *audience = &registry->audiences[i];
    error = reserve((void **)&audience->members, &audience->members_capacity,
                    audience->members_count, sizeof *audience->members, 1);
    if (error != WSFAN_OK) {
        if (added)
            wsf_registry_drop_audience(registry, i);
        return error;
    }
    audience->members[audience->members_count] = (wsf_member){ { session, slot->user },
                                                               slot->memberships_count };
    slot->memberships[slot->memberships_count++] = (wsf_membership){
        .audience = i, .position = audience->members_count++ & 0x7fffffff
    };
    registry->memberships_count++;
    *joined = i;
    return WSFAN_OK;
}

/* The last of each array takes the hole, and is told where it stands now. The user stays first. */
static void remove_membership(wsf_registry *registry, wsf_session_slot *slot, uint32_t m) {
    wsf_audience *audience = &registry->audiences[slot->memberships[m].audience];
    uint32_t position = slot->memberships[m].position;

    uint32_t last = --audience->members_count;
    if (position != last) {
        wsf_member moved = audience->members[last];
        audience->members[position] = moved;
        wsf_session_slot *owner = &registry->sessions[slot_of(moved.recipient.session)];
        owner->memberships[moved.membership].position = position & 0x7fffffff;
    }
    last = --slot->memberships_count;
    if (m != last) {
        wsf_membership moved = slot->memberships[last];
        slot->memberships[m] = moved;
        registry->audiences[moved.audience].members[moved.position].membership = m;
    }
    registry->memberships_count--;
}

int wsf_registry_leave(wsf_registry *registry, wsfan_session session, const wsfan_target *target,
                       uint64_t hash, uint32_t *left) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL)
        return WSFAN_ESTALE;
    uint32_t i = find_audience(registry, target->kind, target->name, hash);
    wsf_membership *membership = i == WSF_TABLE_NONE ? NULL : find_membership(slot, i);
    if (membership == NULL)
        return WSFAN_ENOENT;
    remove_membership(registry, slot, (uint32_t)(membership - slot->memberships));
    *left = i;
    return WSFAN_OK;
}

bool wsf_registry_leave_any(wsf_registry *registry, wsfan_session session, uint32_t *left) {
    wsf_session_slot *slot = find_session(registry, session);
    if (slot == NULL || slot->memberships_count == 0)
        return false;
    *left = slot->memberships[slot->memberships_count - 1].audience;
    remove_membership(registry, slot, slot->memberships_count - 1);
    return true;
}

void wsf_registry_expect(wsf_registry *registry, wsfan_session session, uint32_t audience) {
    find_membership(find_session(registry, session), audience)->pending = 1;
}

static wsf_membership *find_expected(const wsf_registry *registry, wsfan_session session,
                                     uint32_t audience) {
    const wsf_session_slot *slot = find_session(registry, session);
    wsf_membership *membership = slot == NULL ? NULL : find_membership(slot, audience);
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

/* ---------------------------------------------------------------------------------- collecting */

static wsfan_recipient *lend_scratch(wsf_registry *registry) {
    if (registry->lent != registry->scratch)
        free(registry->lent);
    registry->lent = registry->scratch;
    return registry->scratch;
}

size_t wsf_registry_collect_audience(wsf_registry *registry, uint32_t audience,
                                     const wsfan_recipient **recipients) {
    const wsf_audience *from = wsf_registry_audience(registry, audience);
    wsfan_recipient *scratch = lend_scratch(registry);
    for (uint32_t i = 0; i < from->members_count; i++)
        scratch[i] = from->members[i].recipient;
    *recipients = scratch;
    return from->members_count;
}

static uint32_t next_round(wsf_registry *registry) {
    if (++registry->round == 0) {
        for (uint32_t i = 0; i < registry->sessions_used; i++)
            registry->sessions[i].mark = 0;
        registry->round = 1;
    }
    return registry->round;
}

static size_t collect_all(const wsf_registry *registry, uint64_t except, wsfan_recipient *out) {
    size_t count = 0;
    for (uint32_t i = 0; i < registry->sessions_used; i++) {
        wsfan_session session = handle_of(registry, i);
        if (registry->sessions[i].open && session.id != except)
            out[count++] = (wsfan_recipient){ session, registry->sessions[i].user };
    }
    return count;
}

size_t wsf_registry_collect(wsf_registry *registry, const wsfan_message *message, uint64_t except,
                            const wsfan_recipient **recipients) {
    wsfan_recipient *scratch = lend_scratch(registry);
    size_t count = 0;
    /* With one target nobody can be named twice. */
    uint32_t round = message->targets_count > 1 ? next_round(registry) : 0;

    *recipients = scratch;
    for (uint32_t t = 0; t < message->targets_count; t++) {
        if (message->targets[t].kind == WSFAN_ALL)
            return collect_all(registry, except, scratch);
        wsfan_target target = wsfan_message_target(message, t);
        uint32_t i = find_audience(registry, target.kind, target.name, message->targets[t].hash);
        if (i == WSF_TABLE_NONE)
            continue;
        const wsf_audience *audience = &registry->audiences[i];
        for (uint32_t m = 0; m < audience->members_count; m++) {
            wsfan_recipient recipient = audience->members[m].recipient;
            if (recipient.session.id == except)
                continue;
            if (round != 0) {
                uint32_t *mark = &registry->sessions[slot_of(recipient.session)].mark;
                if (*mark == round)
                    continue;
                *mark = round;
            }
            scratch[count++] = recipient;
        }
    }
    return count;
}
