/* Answers for telling the peers about audiences that begin and end, and the host when a join is complete.
 * Does not know how tickets travel.
 *
 * An audience has one ticket. The ticket goes to the core when the audience begins, comes back when the peers
 * know, and goes for good when the audience has ended. While the ticket is away even an audience without
 * members stays, so that nothing is told out of order or lacks memory. It goes once more when the first member with
 * history has come, or the last one has left.
 *
 * A member with history is parked. When the peers know of the audience, and the core was told that it has such members,
 * its recovery goes to the core, and on_joined is called when that is back. */
#include "loop/subscriptions.h"

#include <assert.h>
#include <string.h>

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
    wsf_parkings_init(&subscriptions->parkings, ~seed);
    wsf_sieve_init(&subscriptions->sieve, ~seed);
    wsf_deque_init(&subscriptions->ready, sizeof(ready_join));
    subscriptions->effects = *effects;
    subscriptions->loop = loop;
}

void wsf_subscriptions_destroy(wsf_subscriptions *subscriptions) {
    wsf_registry_destroy(&subscriptions->registry);
    wsf_presence_sessions_destroy(&subscriptions->presence_sessions);
    wsf_parkings_destroy(&subscriptions->parkings);
    wsf_sieve_destroy(&subscriptions->sieve);
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

static int make_ready(wsf_subscriptions *subscriptions, wsfan_session session, uint32_t i) {
    ready_join *ready = wsf_deque_push(&subscriptions->ready);
    if (ready == NULL)
        return WSFAN_ENOMEM;
    *ready = (ready_join){ session, i };
    if (subscriptions->ready.count == 1) /* with more it was called already */
        subscriptions->effects.ready(subscriptions->effects.user);
    return WSFAN_OK;
}

/* Whether the core is to be asked; else history is off. */
static bool asks(const wsf_recovery *recovery) {
    return recovery != NULL && recovery->verdict != WSFAN_RECOVERY_OFF;
}

static int join(wsf_subscriptions *subscriptions, wsfan_session session, const wsfan_target *target,
                uint64_t hash, wsf_presence_session *presence_session, wsf_recovery *recovery) {
    uint32_t i;
    wsf_registry *registry = &subscriptions->registry;
    purge_ready(subscriptions);
    int error = wsf_registry_join(registry, session, target, hash, &i);
    if (error != WSFAN_OK)
        return error;

    wsf_audience *audience = audience_at(subscriptions, i);
    if (audience->ticket == NULL)
        error = make_ticket(subscriptions, i);
    else if (audience->settled && target->kind == WSFAN_CHAT)
        error = make_ready(subscriptions, session, i);
    if (error == WSFAN_OK && recovery != NULL)
        error = wsf_parkings_add(&subscriptions->parkings, recovery, session, i);
    if (error != WSFAN_OK) {
        wsf_registry_leave(registry, session, target, hash, &i);
        retire(subscriptions, i);
        return error;
    }
    if (target->kind == WSFAN_CHAT)
        wsf_registry_expect(registry, session, i);
    if (asks(recovery)) {
        wsf_registry_set_history(registry, session, i);
        wsf_registry_park(registry, session, i);
    }
    if (presence_session != NULL) {
        if (audience->present_count++ == 0)
            audience->unseen = true;
        subscriptions->effects.present(subscriptions->effects.user, presence_session);
    }
    if (!audience->ticket_away && (!audience->settled || has_other_history(audience)))
        announce(subscriptions, audience);
    return WSFAN_OK;
}

int wsf_subscriptions_join(wsf_subscriptions *subscriptions, wsfan_session session,
                           const wsfan_target *target, uint64_t hash, wsf_recovery *recovery) {
    int error = join(subscriptions, session, target, hash, NULL, recovery);
    if (error != WSFAN_OK)
        wsf_recovery_free(recovery);
    return error;
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
                                   wsf_recovery *recovery) {
    wsf_presence_session *presence_session;
    int error = wsf_registry_check(&subscriptions->registry, session);
    if (error == WSFAN_OK)
        error = add_presence_session(subscriptions, session, chat, hash, metadata,
                                     &presence_session);
    if (error != WSFAN_OK) {
        wsf_recovery_free(recovery);
        return error;
    }
    error = join(subscriptions, session, chat, hash, presence_session, recovery);
    if (error != WSFAN_OK) {
        wsf_presence_sessions_remove(&subscriptions->presence_sessions, presence_session);
        wsf_free(presence_session);
        wsf_recovery_free(recovery);
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

/* What else there is of a membership that the registry has ended. */
static void end_membership(wsf_subscriptions *subscriptions, wsfan_session session, uint32_t left) {
    wsf_parkings_remove(&subscriptions->parkings, session, left);
    wsf_sieve_remove(&subscriptions->sieve, session, audience_at(subscriptions, left)->hash);
    end_presence(subscriptions, session, left);
    retire(subscriptions, left);
}

int wsf_subscriptions_leave(wsf_subscriptions *subscriptions, wsfan_session session,
                            const wsfan_target *target, uint64_t hash) {
    uint32_t left;
    int error = wsf_registry_leave(&subscriptions->registry, session, target, hash, &left);
    if (error != WSFAN_OK)
        return error;
    end_membership(subscriptions, session, left);
    return WSFAN_OK;
}

int wsf_subscriptions_open(wsf_subscriptions *subscriptions, void *session_user,
                           const wsfan_target *user, uint64_t hash, wsfan_session *session) {
    wsfan_session opened;
    int error = wsf_registry_open(&subscriptions->registry, session_user, &opened);
    if (error != WSFAN_OK)
        return error;
    if (user != NULL &&
        (error = wsf_subscriptions_join(subscriptions, opened, user, hash, NULL)) != WSFAN_OK) {
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
    while (wsf_registry_leave_any(&subscriptions->registry, session, &left))
        end_membership(subscriptions, session, left);
    wsf_registry_close(&subscriptions->registry, session);
    return WSFAN_OK;
}

/* ------------------------------------------------------------------------------------- on_joined */

static wsfan_joined joined_of(const wsf_subscriptions *subscriptions, wsfan_recipient recipient,
                              uint32_t i) {
    return (wsfan_joined){
        .session = recipient.session,
        .session_user = recipient.session_user,
        .chat = wsf_audience_name(audience_at(subscriptions, i)),
    };
}

/* The recovery keeps what the ticket says until it is back. False: the join has failed, or there is no memory for it. */
static bool keep_status(wsf_recovery *recovery, const wsf_ticket *ticket) {
    if (ticket == NULL)
        return true;
    if (ticket->status != WSFAN_OK && ticket->status != WSFAN_EPARTIAL)
        return false;
    if (ticket->missing_count > 0) {
        size_t size = ticket->missing_count * sizeof *recovery->missing;
        recovery->missing = wsf_alloc(size);
        if (recovery->missing == NULL)
            return false;
        memcpy(recovery->missing, ticket->missing, size);
    }
    recovery->missing_count = ticket->missing_count;
    recovery->status = ticket->status;
    return true;
}

/* Ends a parking without asking the core. Returns what is told of it. */
static wsfan_recovered give_up(wsf_subscriptions *subscriptions, wsf_recovery *recovery) {
    wsfan_recovered recovered = { WSFAN_RECOVERY_BUSY, 0 };
    if (recovery->verdict == WSFAN_RECOVERY_OFF)
        recovered.recovery = WSFAN_RECOVERY_OFF;
    else
        wsf_registry_unpark(&subscriptions->registry, recovery->session, recovery->audience);
    wsf_subscriptions_done(subscriptions, recovery, NULL);
    return recovered;
}

/* The barrier of a join is over: tells so, or, of a member with history, asks the core. That member waits while the core
 * has not been told of it: the ticket will go once more then, see has_other_history(). */
static void tell_joined(wsf_subscriptions *subscriptions, wsfan_recipient recipient, uint32_t i,
                        const wsf_ticket *ticket) {
    wsf_parkings *parkings = &subscriptions->parkings;
    bool waits = asks(wsf_parkings_waiting(parkings, recipient.session, i)) &&
                 !audience_at(subscriptions, i)->history;
    if (waits || !wsf_registry_told(&subscriptions->registry, recipient.session, i))
        return;
    wsfan_joined joined = joined_of(subscriptions, recipient, i);
    wsf_recovery *recovery = wsf_parkings_take(parkings, recipient.session, i);
    wsfan_recovered recovered;
    if (recovery != NULL && asks(recovery) && keep_status(recovery, ticket)) {
        subscriptions->effects.recover(subscriptions->effects.user, recovery);
        return;
    }
    if (recovery != NULL) {
        recovered = give_up(subscriptions, recovery);
        joined.recovered = &recovered;
    }
    if (ticket != NULL) {
        joined.status = ticket->status;
        joined.missing = ticket->missing;
        joined.missing_count = ticket->missing_count;
    }
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

/* ------------------------------------------------------------------------------------- recoveries */

bool wsf_subscriptions_replays(const wsf_subscriptions *subscriptions,
                               const wsf_recovery *recovery) {
    return wsf_parkings_has(&subscriptions->parkings, recovery);
}

/* The loop's own gap is told before the batch in which the recovery is, but may be of messages that came after the cut. */
static void judge_own_gap(const wsf_subscriptions *subscriptions, wsf_recovery *recovery) {
    if (recovery->verdict != WSFAN_RECOVERY_WHOLE ||
        wsf_parkings_missed_nothing(&subscriptions->parkings, recovery))
        return;
    recovery->verdict = WSFAN_RECOVERY_GAP;
    wsf_kept_list_free(recovery->list);
    recovery->list = NULL;
}

bool wsf_subscriptions_recovered(wsf_subscriptions *subscriptions, wsf_recovery *recovery) {
    if (!wsf_subscriptions_replays(subscriptions, recovery))
        return false;
    judge_own_gap(subscriptions, recovery);
    wsf_registry *registry = &subscriptions->registry;
    wsf_registry_unpark(registry, recovery->session, recovery->audience);
    wsfan_recipient recipient = { recovery->session,
                                  wsf_registry_pointer(registry, recovery->session) };
    wsfan_recovered recovered = { recovery->verdict, wsf_recovery_count(recovery) };
    wsfan_joined joined = joined_of(subscriptions, recipient, recovery->audience);
    joined.status = recovery->status;
    joined.missing = recovery->missing;
    joined.missing_count = recovery->missing_count;
    joined.recovered = &recovered;
    subscriptions->effects.joined(subscriptions->effects.user, &joined);
    return true;
}

void wsf_subscriptions_done(wsf_subscriptions *subscriptions, wsf_recovery *recovery,
                            const wsf_vector *whole) {
    bool shown = recovery->verdict == WSFAN_RECOVERY_WHOLE || wsf_recovery_count(recovery) > 0;
    if (wsf_parkings_has(&subscriptions->parkings, recovery)) {
        wsf_parkings_remove(&subscriptions->parkings, recovery->session, recovery->audience);
        if (shown && whole != NULL)
            (void)wsf_sieve_add(&subscriptions->sieve, recovery->session, recovery->hash,
                                &recovery->seen, whole);
    }
    wsf_recovery_free(recovery);
}
