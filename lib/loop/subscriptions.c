/* Answers for telling the peers about audiences that begin and end, and the host when a join is complete.
 * Does not know how tickets travel.
 *
 * An audience has one ticket. The ticket goes to the core when the audience begins, comes back when the peers
 * know, and goes for good when the audience has ended. While the ticket is away even an audience without
 * members stays, so that nothing is told out of order or lacks memory. It goes once more when the first member with
 * history has come, or the last one has left. */
#include "loop/subscriptions.h"

#include <assert.h>

#include "base/memory.h"

typedef struct {
    wsfan_session session;
    uint32_t audience;
} ready_join;

void wsf_subscriptions_init(wsf_subscriptions *subscriptions, const wsf_registry_limits *limits,
                            unsigned loop, uint64_t seed,
                            const wsf_subscriptions_effects *effects) {
    wsf_registry_init(&subscriptions->registry, limits, (uint8_t)loop, seed);
    wsf_presence_sessions_init(&subscriptions->presence_sessions, ~seed);
    wsf_deque_init(&subscriptions->ready, sizeof(ready_join));
    subscriptions->effects = *effects;
    subscriptions->loop = loop;
}

void wsf_subscriptions_destroy(wsf_subscriptions *subscriptions) {
    wsf_registry_destroy(&subscriptions->registry);
    wsf_presence_sessions_destroy(&subscriptions->presence_sessions);
    wsf_deque_destroy(&subscriptions->ready);
}

/* ------------------------------------------------------------------------------------ audiences */

static wsf_audience *audience_at(const wsf_subscriptions *subscriptions, uint32_t i) {
    return wsf_audiences_at(&subscriptions->registry.audiences, i);
}

static void announce(wsf_subscriptions *subscriptions, wsf_audience *audience) {
    wsf_ticket *ticket = (wsf_ticket *)audience->ticket;
    audience->ticket_away = true;
    audience->history = ticket->history = audience->history_count > 0;
    subscriptions->effects.announce(subscriptions->effects.user, ticket);
}

/* Whether the core thinks otherwise of members with history. */
static bool has_other_history(const wsf_audience *audience) {
    return audience->history != (audience->history_count > 0);
}

static int make_ticket(wsf_subscriptions *subscriptions, uint32_t i) {
    wsf_audience *audience = audience_at(subscriptions, i);
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    if (ticket == NULL)
        return WSFAN_ENOMEM;
    ticket->hash = audience->hash;
    ticket->audience = i;
    ticket->loop = (uint8_t)subscriptions->loop;
    audience->ticket = &ticket->item;
    return WSFAN_OK;
}

/* A member has left: ends an audience without members, and its history without members with history. While its ticket is
 * away, wsf_subscriptions_ticket_back() does so. */
static void retire(wsf_subscriptions *subscriptions, uint32_t i) {
    wsf_audience *audience = audience_at(subscriptions, i);
    if (audience->ticket_away)
        return;
    if (audience->members_count > 0) {
        if (has_other_history(audience))
            announce(subscriptions, audience);
        return;
    }
    /* Peers know only hashes: while another audience has the same hash, the interest stays. */
    if (audience->ticket != NULL && audience->announced &&
        !wsf_audiences_has_twin(&subscriptions->registry.audiences, i)) {
        wsf_ticket *ticket = (wsf_ticket *)audience->ticket;
        audience->ticket = NULL;
        subscriptions->effects.withdraw(subscriptions->effects.user, ticket);
    }
    wsf_audiences_drop(&subscriptions->registry.audiences, i);
}

bool wsf_subscriptions_unsettled(wsf_subscriptions *subscriptions, uint32_t i) {
    wsf_audience *audience = audience_at(subscriptions, i);
    if (audience->settled)
        return false;
    if (!audience->ticket_away)
        announce(subscriptions, audience);
    return true;
}

/* A join whose session has left stays in `ready` until its turn: purging such joins bounds `ready`. */
static void purge_ready(wsf_subscriptions *subscriptions) {
    enum { SLACK = 1024 };
    wsf_deque *ready = &subscriptions->ready;
    if (ready->count <= subscriptions->registry.memberships_count + SLACK)
        return;
    for (uint32_t n = ready->count; n > 0 && ready->count > 1; n--) {
        ready_join join = *(ready_join *)wsf_deque_at(ready, 0);
        wsf_deque_pop_front(ready);
        if (wsf_registry_expected(&subscriptions->registry, join.session, join.audience))
            *(ready_join *)wsf_deque_push(ready) = join; /* there is room: we just popped */
    }
}

static int join(wsf_subscriptions *subscriptions, wsfan_session session, const wsfan_target *target,
                uint64_t hash, wsf_presence_session *presence_session, bool history) {
    uint32_t i;
    wsf_registry *registry = &subscriptions->registry;
    purge_ready(subscriptions);
    int error = wsf_registry_join(registry, session, target, hash, &i);
    if (error != WSFAN_OK)
        return error;

    wsf_audience *audience = audience_at(subscriptions, i);
    ready_join *ready = NULL;
    if (audience->ticket == NULL)
        error = make_ticket(subscriptions, i);
    else if (audience->settled && target->kind == WSFAN_CHAT)
        error = (ready = wsf_deque_push(&subscriptions->ready)) != NULL ? WSFAN_OK : WSFAN_ENOMEM;
    if (error != WSFAN_OK) {
        wsf_registry_leave(registry, session, target, hash, &i);
        retire(subscriptions, i);
        return error;
    }
    if (target->kind == WSFAN_CHAT)
        wsf_registry_expect(registry, session, i);
    if (history)
        wsf_registry_set_history(registry, session, i);
    if (presence_session != NULL) {
        if (audience->present_count++ == 0)
            audience->unseen = true;
        subscriptions->effects.present(subscriptions->effects.user, presence_session);
    }
    if (ready != NULL) {
        *ready = (ready_join){ session, i };
        if (subscriptions->ready.count == 1) /* with more it was called already */
            subscriptions->effects.ready(subscriptions->effects.user);
    }
    if (!audience->ticket_away && (!audience->settled || has_other_history(audience)))
        announce(subscriptions, audience);
    return WSFAN_OK;
}

int wsf_subscriptions_join(wsf_subscriptions *subscriptions, wsfan_session session,
                           const wsfan_target *target, uint64_t hash, bool history) {
    return join(subscriptions, session, target, hash, NULL, history);
}

/* ------------------------------------------------------------------------------------- presence */

static int add_presence_session(wsf_subscriptions *subscriptions, wsfan_session session,
                                const wsfan_target *chat, uint64_t hash, wsfan_bytes metadata,
                                wsf_presence_session **presence_session) {
    uint32_t user = wsf_registry_user(&subscriptions->registry, session);
    if (user == WSF_TABLE_NONE)
        return WSFAN_EINVAL;
    const wsf_audience *audience = audience_at(subscriptions, user);
    int error = wsf_presence_sessions_add(&subscriptions->presence_sessions, session, chat, hash,
                                          wsf_audience_name(audience), audience->hash, metadata,
                                          presence_session);
    if (error == WSFAN_OK)
        (*presence_session)->loop = (uint8_t)subscriptions->loop;
    return error;
}

int wsf_subscriptions_join_present(wsf_subscriptions *subscriptions, wsfan_session session,
                                   const wsfan_target *chat, uint64_t hash, wsfan_bytes metadata,
                                   bool history) {
    wsf_presence_session *presence_session;
    int error = wsf_registry_check(&subscriptions->registry, session);
    if (error == WSFAN_OK)
        error = add_presence_session(subscriptions, session, chat, hash, metadata,
                                     &presence_session);
    if (error != WSFAN_OK)
        return error;
    error = join(subscriptions, session, chat, hash, presence_session, history);
    if (error != WSFAN_OK) {
        wsf_presence_sessions_remove(&subscriptions->presence_sessions, presence_session);
        wsf_free(presence_session);
    }
    return error;
}

int wsf_subscriptions_set_metadata(wsf_subscriptions *subscriptions, wsfan_session session,
                                   const wsfan_target *chat, uint64_t hash, wsfan_bytes metadata) {
    int error = wsf_registry_check(&subscriptions->registry, session);
    if (error != WSFAN_OK)
        return error;
    wsf_presence_session *old = wsf_presence_sessions_find(&subscriptions->presence_sessions,
                                                           session, hash);
    if (old == NULL)
        return WSFAN_ENOENT;
    wsf_presence_session *presence_session;
    error = add_presence_session(subscriptions, session, chat, hash, metadata, &presence_session);
    if (error != WSFAN_OK)
        return error;
    subscriptions->effects.present(subscriptions->effects.user, presence_session);
    wsf_presence_sessions_remove(&subscriptions->presence_sessions, old);
    subscriptions->effects.absent(subscriptions->effects.user, old);
    return WSFAN_OK;
}

/* Ends the presence of a session in an audience that it has left. */
static void end_presence(wsf_subscriptions *subscriptions, wsfan_session session, uint32_t left) {
    if (subscriptions->presence_sessions.count == 0)
        return;
    wsf_audience *audience = audience_at(subscriptions, left);
    wsf_presence_session *old = wsf_presence_sessions_find(&subscriptions->presence_sessions,
                                                           session, audience->hash);
    if (old == NULL)
        return;
    wsf_presence_sessions_remove(&subscriptions->presence_sessions, old);
    old->closes = --audience->present_count == 0;
    subscriptions->effects.absent(subscriptions->effects.user, old);
}

/* Fills in the sessions that joined a chat with presence. */
static void collect_present(wsf_subscriptions *subscriptions, uint32_t i,
                            wsfan_presence *presence) {
    const wsf_audience *audience = audience_at(subscriptions, i);
    size_t count = wsf_registry_collect_audience(&subscriptions->registry, i,
                                                 &presence->recipients);
    if (audience->present_count < count) {
        wsfan_recipient *kept = subscriptions->registry.lent; /* presence->recipients, writable */
        for (size_t m = 0; m < count; m++)
            if (wsf_presence_sessions_find(&subscriptions->presence_sessions,
                                           presence->recipients[m].session, audience->hash) != NULL)
                *kept++ = presence->recipients[m];
        count = (size_t)(kept - subscriptions->registry.lent);
    }
    presence->recipients_count = count;
}

bool wsf_subscriptions_show(wsf_subscriptions *subscriptions, wsfan_presence *presence,
                            uint64_t hash) {
    wsfan_target chat = { WSFAN_CHAT, presence->chat };
    uint32_t i = wsf_audiences_find(&subscriptions->registry.audiences, &chat, hash);
    if (i == WSF_TABLE_NONE || audience_at(subscriptions, i)->present_count == 0)
        return false;
    wsf_audience *audience = audience_at(subscriptions, i);
    if (audience->unseen && (presence->flags & WSFAN_PRESENCE_ANEW) == 0)
        return false;
    audience->unseen = false;
    collect_present(subscriptions, i, presence);
    return true;
}

int wsf_subscriptions_leave(wsf_subscriptions *subscriptions, wsfan_session session,
                            const wsfan_target *target, uint64_t hash) {
    uint32_t left;
    int error = wsf_registry_leave(&subscriptions->registry, session, target, hash, &left);
    if (error != WSFAN_OK)
        return error;
    end_presence(subscriptions, session, left);
    retire(subscriptions, left);
    return WSFAN_OK;
}

int wsf_subscriptions_open(wsf_subscriptions *subscriptions, void *session_user,
                           const wsfan_target *user, uint64_t hash, wsfan_session *session) {
    wsfan_session opened;
    int error = wsf_registry_open(&subscriptions->registry, session_user, &opened);
    if (error != WSFAN_OK)
        return error;
    if (user != NULL &&
        (error = wsf_subscriptions_join(subscriptions, opened, user, hash, false)) != WSFAN_OK) {
        wsf_registry_close(&subscriptions->registry, opened);
        return error;
    }
    *session = opened;
    return WSFAN_OK;
}

int wsf_subscriptions_close(wsf_subscriptions *subscriptions, wsfan_session session) {
    int error = wsf_registry_check(&subscriptions->registry, session);
    if (error != WSFAN_OK)
        return error;
    uint32_t left;
    while (wsf_registry_leave_any(&subscriptions->registry, session, &left)) {
        end_presence(subscriptions, session, left);
        retire(subscriptions, left);
    }
    wsf_registry_close(&subscriptions->registry, session);
    return WSFAN_OK;
}

/* ------------------------------------------------------------------------------------- on_joined */

static void tell_joined(wsf_subscriptions *subscriptions, wsfan_recipient recipient, uint32_t i,
                        const wsf_ticket *ticket) {
    if (!wsf_registry_told(&subscriptions->registry, recipient.session, i))
        return;
    const wsf_audience *audience = audience_at(subscriptions, i);
    wsfan_joined joined = {
        .session = recipient.session,
        .session_user = recipient.session_user,
        .chat = wsf_audience_name(audience),
        .status = ticket != NULL ? ticket->status : WSFAN_OK,
        .missing = ticket != NULL ? ticket->missing : NULL,
        .missing_count = ticket != NULL ? ticket->missing_count : 0,
    };
    subscriptions->effects.joined(subscriptions->effects.user, &joined);
}

void wsf_subscriptions_ticket_back(wsf_subscriptions *subscriptions, wsf_ticket *ticket) {
    uint32_t i = ticket->audience;
    wsf_registry *registry = &subscriptions->registry;
    wsf_audience *audience = audience_at(subscriptions, i);
    assert(audience->ticket == &ticket->item && audience->ticket_away);
    /* ticket_away stays set while callbacks run, which keeps the audience. */
    audience->announced = ticket->status == WSFAN_OK || ticket->status == WSFAN_EPARTIAL;
    audience->settled = ticket->status == WSFAN_OK;
    const wsfan_recipient *recipients;
    size_t count = wsf_registry_collect_audience(registry, i, &recipients);
    for (size_t r = 0; r < count; r++)
        tell_joined(subscriptions, recipients[r], i, ticket);

    wsf_free(ticket->missing);
    ticket->missing = NULL;
    audience = audience_at(subscriptions, i); /* callbacks may have moved the array */
    audience->ticket_away = false;
    /* A session that joined meanwhile needs another round, unless every peer knows. */
    bool again = false;
    for (uint32_t m = 0; m < audience->members_count && !audience->settled && !again; m++)
        again = wsf_registry_expected(registry, audience->members[m].session, i);
    if (again)
        announce(subscriptions, audience);
    retire(subscriptions, i);
}

uint32_t wsf_subscriptions_tell_ready(wsf_subscriptions *subscriptions, uint32_t max) {
    uint32_t told = 0;
    wsf_deque *ready = &subscriptions->ready;
    /* Joins that callbacks add wait for the next dispatch: joining again and again must not keep us here. */
    for (uint32_t n = ready->count; n > 0 && told < max && ready->count > 0; n--) {
        ready_join join = *(ready_join *)wsf_deque_at(ready, 0);
        wsf_deque_pop_front(ready);
        wsfan_recipient recipient;
        if (!wsf_registry_settled(&subscriptions->registry, join.session, join.audience,
                                  &recipient))
            continue;
        tell_joined(subscriptions, recipient, join.audience, NULL);
        told++;
    }
    return told;
}
