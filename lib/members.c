/* Answers for telling the peers about audiences that begin and end, and the host when a join is
 * complete. Does not know how tickets travel.
 *
 * An audience has one ticket. It goes to the core when the audience begins, comes back when the
 * peers know, and goes for good when the audience has ended. While it is away an audience without
 * members stays, so that nothing here can come out of order or lack memory. */
#include "members.h"

#include <assert.h>

#include "memory.h"

typedef struct {
    wsfan_session session;
    uint32_t audience;
} ready_join;

void wsf_members_init(wsf_members *members, const wsf_registry_limits *limits, unsigned loop,
                      uint64_t seed, const wsf_members_effects *effects) {
    wsf_registry_init(&members->registry, limits, (uint8_t)loop, seed);
    wsf_attendances_init(&members->attendances, ~seed);
    wsf_deque_init(&members->ready, sizeof(ready_join));
    members->effects = *effects;
    members->loop = loop;
}

void wsf_members_destroy(wsf_members *members) {
    wsf_registry_destroy(&members->registry);
    wsf_attendances_destroy(&members->attendances);
    wsf_deque_destroy(&members->ready);
}

/* ------------------------------------------------------------------------------------ audiences */

static wsf_audience *audience_at(const wsf_members *members, uint32_t i) {
    return wsf_registry_audience(&members->registry, i);
}

static void announce(wsf_members *members, wsf_audience *audience) {
    audience->ticket_away = true;
    members->effects.announce(members->effects.user, (wsf_ticket *)audience->ticket);
}

static int make_ticket(wsf_members *members, uint32_t i) {
    wsf_audience *audience = audience_at(members, i);
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    if (ticket == NULL)
        return WSFAN_ENOMEM;
    ticket->hash = audience->hash;
    ticket->audience = i;
    ticket->loop = (uint8_t)members->loop;
    audience->ticket = &ticket->item;
    return WSFAN_OK;
}

/* An audience that has lost its last member. */
static void retire(wsf_members *members, uint32_t i) {
    wsf_audience *audience = audience_at(members, i);
    if (audience->members_count > 0 || audience->ticket_away)
        return;
    /* Peers know hashes: while another name with the same one is wanted, they keep it. */
    if (audience->ticket != NULL && audience->announced &&
        !wsf_registry_has_twin(&members->registry, i)) {
        wsf_ticket *ticket = (wsf_ticket *)audience->ticket;
        audience->ticket = NULL;
        members->effects.withdraw(members->effects.user, ticket);
    }
    wsf_registry_drop_audience(&members->registry, i);
}

bool wsf_members_unsettled(wsf_members *members, uint32_t i) {
    wsf_audience *audience = audience_at(members, i);
    if (audience->settled)
        return false;
    if (!audience->ticket_away)
        announce(members, audience);
    return true;
}

/* Joins whose session has left since stay in `ready` until they are due; they may not pile up. */
static void purge_ready(wsf_members *members) {
    enum { SLACK = 1024 };
    wsf_deque *ready = &members->ready;
    if (ready->count <= members->registry.memberships_count + SLACK)
        return;
    for (uint32_t n = ready->count; n > 0 && ready->count > 1; n--) {
        ready_join join = *(ready_join *)wsf_deque_at(ready, 0);
        wsf_deque_pop_front(ready);
        if (wsf_registry_expected(&members->registry, join.session, join.audience))
            *(ready_join *)wsf_deque_push(ready) = join; /* there is room: we just popped */
    }
}

static int join(wsf_members *members, wsfan_session session, const wsfan_target *target,
                uint64_t hash, wsf_attendance *attendance) {
    uint32_t i;
    wsf_registry *registry = &members->registry;
    purge_ready(members);
    int error = wsf_registry_join(registry, session, target, hash, &i);
    if (error != WSFAN_OK)
        return error;

    wsf_audience *audience = audience_at(members, i);
    ready_join *ready = NULL;
    if (audience->ticket == NULL)
        error = make_ticket(members, i);
    else if (audience->settled && target->kind == WSFAN_CHAT)
        error = (ready = wsf_deque_push(&members->ready)) != NULL ? WSFAN_OK : WSFAN_ENOMEM;
    if (error != WSFAN_OK) {
        wsf_registry_leave(registry, session, target, hash, &i);
        retire(members, i);
        return error;
    }
    if (target->kind == WSFAN_CHAT)
        wsf_registry_expect(registry, session, i);
    if (attendance != NULL) {
        if (audience->attending++ == 0)
            audience->unseen = true;
        members->effects.present(members->effects.user, attendance);
    }
    if (ready != NULL) {
        *ready = (ready_join){ session, i };
        if (members->ready.count == 1) /* with more, it was told, or is at it */
            members->effects.ready(members->effects.user);
    }
    if (!audience->settled && !audience->ticket_away)
        announce(members, audience);
    return WSFAN_OK;
}

int wsf_members_join(wsf_members *members, wsfan_session session, const wsfan_target *target,
                     uint64_t hash) {
    return join(members, session, target, hash, NULL);
}

/* ------------------------------------------------------------------------------------- presence */

static int attend(wsf_members *members, wsfan_session session, const wsfan_target *chat,
                  uint64_t hash, wsfan_bytes metadata, wsf_attendance **attendance) {
    uint32_t user = wsf_registry_user(&members->registry, session);
    if (user == WSF_TABLE_NONE)
        return WSFAN_EINVAL;
    const wsf_audience *audience = audience_at(members, user);
    int error = wsf_attendances_add(&members->attendances, session, chat, hash,
                                    wsf_audience_name(audience), audience->hash, metadata,
                                    attendance);
    if (error == WSFAN_OK)
        (*attendance)->loop = (uint8_t)members->loop;
    return error;
}

int wsf_members_join_present(wsf_members *members, wsfan_session session, const wsfan_target *chat,
                             uint64_t hash, wsfan_bytes metadata) {
    wsf_attendance *attendance;
    int error = wsf_registry_check(&members->registry, session);
    if (error == WSFAN_OK)
        error = attend(members, session, chat, hash, metadata, &attendance);
    if (error != WSFAN_OK)
        return error;
    error = join(members, session, chat, hash, attendance);
    if (error != WSFAN_OK) {
        wsf_attendances_remove(&members->attendances, attendance);
        wsf_free(attendance);
    }
    return error;
}

int wsf_members_set_metadata(wsf_members *members, wsfan_session session, const wsfan_target *chat,
                             uint64_t hash, wsfan_bytes metadata) {
    int error = wsf_registry_check(&members->registry, session);
    if (error != WSFAN_OK)
        return error;
    wsf_attendance *old = wsf_attendances_find(&members->attendances, session, hash);
    if (old == NULL)
        return WSFAN_ENOENT;
    wsf_attendance *attendance;
    error = attend(members, session, chat, hash, metadata, &attendance);
    if (error != WSFAN_OK)
        return error;
    members->effects.present(members->effects.user, attendance);
    wsf_attendances_remove(&members->attendances, old);
    members->effects.absent(members->effects.user, old);
    return WSFAN_OK;
}

/* The session is not in this audience any more. */
static void end_presence(wsf_members *members, wsfan_session session, uint32_t left) {
    if (members->attendances.count == 0)
        return;
    wsf_audience *audience = audience_at(members, left);
    wsf_attendance *old = wsf_attendances_find(&members->attendances, session, audience->hash);
    if (old == NULL)
        return;
    wsf_attendances_remove(&members->attendances, old);
    old->closes = --audience->attending == 0;
    members->effects.absent(members->effects.user, old);
}

/* The sessions in a chat that joined it with presence. */
static void collect_attending(wsf_members *members, uint32_t i, wsfan_presence *presence) {
    const wsf_audience *audience = audience_at(members, i);
    size_t count = wsf_registry_collect_audience(&members->registry, i, &presence->recipients);
    if (audience->attending < count) {
        wsfan_recipient *kept = members->registry.lent; /* where they are */
        for (size_t m = 0; m < count; m++)
            if (wsf_attendances_find(&members->attendances, presence->recipients[m].session,
                                     audience->hash) != NULL)
                *kept++ = presence->recipients[m];
        count = (size_t)(kept - members->registry.lent);
    }
    presence->recipients_count = count;
}

bool wsf_members_show(wsf_members *members, wsfan_presence *presence, uint64_t hash) {
    wsfan_target chat = { WSFAN_CHAT, presence->chat };
    uint32_t i = wsf_registry_find(&members->registry, &chat, hash);
    if (i == WSF_TABLE_NONE || audience_at(members, i)->attending == 0)
        return false;
    wsf_audience *audience = audience_at(members, i);
    if (audience->unseen && (presence->flags & WSFAN_PRESENCE_ANEW) == 0)
        return false;
    audience->unseen = false;
    collect_attending(members, i, presence);
    return true;
}

int wsf_members_leave(wsf_members *members, wsfan_session session, const wsfan_target *target,
                      uint64_t hash) {
    uint32_t left;
    int error = wsf_registry_leave(&members->registry, session, target, hash, &left);
    if (error != WSFAN_OK)
        return error;
    end_presence(members, session, left);
    retire(members, left);
    return WSFAN_OK;
}

int wsf_members_open(wsf_members *members, void *session_user, const wsfan_target *user,
                     uint64_t hash, wsfan_session *session) {
    wsfan_session opened;
    int error = wsf_registry_open(&members->registry, session_user, &opened);
    if (error != WSFAN_OK)
        return error;
    if (user != NULL && (error = wsf_members_join(members, opened, user, hash)) != WSFAN_OK) {
        wsf_registry_close(&members->registry, opened);
        return error;
    }
    *session = opened;
    return WSFAN_OK;
}

int wsf_members_close(wsf_members *members, wsfan_session session) {
    int error = wsf_registry_check(&members->registry, session);
    if (error != WSFAN_OK)
        return error;
    uint32_t left;
    while (wsf_registry_leave_any(&members->registry, session, &left)) {
        end_presence(members, session, left);
        retire(members, left);
    }
    wsf_registry_close(&members->registry, session);
    return WSFAN_OK;
}

/* ------------------------------------------------------------------------------------- on_joined */

static void tell_joined(wsf_members *members, wsfan_recipient recipient, uint32_t i,
                        const wsf_ticket *ticket) {
    if (!wsf_registry_told(&members->registry, recipient.session, i))
        return;
    const wsf_audience *audience = audience_at(members, i);
    wsfan_joined joined = {
        .session = recipient.session,
        .session_user = recipient.session_user,
        .chat = wsf_audience_name(audience),
        .status = ticket != NULL ? ticket->status : WSFAN_OK,
        .missing = ticket != NULL ? ticket->missing : NULL,
        .missing_count = ticket != NULL ? ticket->missing_count : 0,
    };
    members->effects.joined(members->effects.user, &joined);
}

void wsf_members_ticket_back(wsf_members *members, wsf_ticket *ticket) {
    uint32_t i = ticket->audience;
    wsf_registry *registry = &members->registry;
    wsf_audience *audience = audience_at(members, i);
    assert(audience->ticket == &ticket->item && audience->ticket_away);
    /* It stays away while callbacks run, which keeps the audience. */
    audience->announced = ticket->status == WSFAN_OK || ticket->status == WSFAN_EPARTIAL;
    audience->settled = ticket->status == WSFAN_OK;
    const wsfan_recipient *recipients;
    size_t count = wsf_registry_collect_audience(registry, i, &recipients);
    for (size_t r = 0; r < count; r++)
        tell_joined(members, recipients[r], i, ticket);

    wsf_free(ticket->missing);
    ticket->missing = NULL;
    audience = audience_at(members, i); /* callbacks may have moved the array */
    audience->ticket_away = false;
    /* Who joined meanwhile, when not every peer knows, starts another round. */
    bool again = false;
    for (uint32_t m = 0; m < audience->members_count && !audience->settled && !again; m++)
        again = wsf_registry_expected(registry, audience->members[m].session, i);
    if (again)
        announce(members, audience);
    retire(members, i);
}

uint32_t wsf_members_tell_ready(wsf_members *members, uint32_t max) {
    uint32_t told = 0;
    wsf_deque *ready = &members->ready;
    /* Not those that callbacks add: a callback that joins again and again must not keep us here. */
    for (uint32_t n = ready->count; n > 0 && told < max && ready->count > 0; n--) {
        ready_join join = *(ready_join *)wsf_deque_at(ready, 0);
        wsf_deque_pop_front(ready);
        wsfan_recipient recipient;
        if (!wsf_registry_settled(&members->registry, join.session, join.audience, &recipient))
            continue;
        tell_joined(members, recipient, join.audience, NULL);
        told++;
    }
    return told;
}
