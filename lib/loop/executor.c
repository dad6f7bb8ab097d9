/* Answers for carrying out a call once on each session of this loop that it is for, and for an answer that
 * counts only what was done. A join is answered when the peers know of it, as on_joined is called. Lists of
 * all chats or all sessions are made in slices. */
#include "loop/executor.h"

#include <string.h>

enum { SLICE_COUNT = 8192 }; /* audiences or sessions; between slices other items have their turn */

static const wsfan_bytes NOTHING = { NULL, 0 };

void wsf_executor_init(wsf_executor *executor, wsf_subscriptions *subscriptions,
                       const wsf_hash_key *key, uint64_t node,
                       const wsf_executor_effects *effects) {
    *executor = (wsf_executor){
        .subscriptions = subscriptions, .key = key, .node = node, .effects = *effects
    };
}

static bool end(wsf_executor *executor, wsf_loop_call *loop_call) {
    executor->effects.end(executor->effects.user, loop_call);
    return true;
}

void wsf_executor_close(wsf_executor *executor) {
    while (executor->waiting != NULL) {
        wsf_loop_call *loop_call = executor->waiting;
        executor->waiting = loop_call->next;
        end(executor, loop_call);
    }
}

static size_t select_sessions(wsf_executor *executor, const wsf_loop_call *loop_call,
                              const wsfan_recipient **recipients) {
    return wsf_registry_select_addressed(&executor->subscriptions->registry,
                                         loop_call->call->message, executor->node, recipients);
}

static bool still_open(const wsf_executor *executor, wsfan_session session) {
    return wsf_registry_check(&executor->subscriptions->registry, session) == WSFAN_OK;
}

/* ------------------------------------------------------------------------------------ commands */

static bool join(wsf_executor *executor, wsf_loop_call *loop_call) {
    wsf_subscriptions *subscriptions = executor->subscriptions;
    wsfan_target chat = { WSFAN_CHAT, wsfan_message_payload(loop_call->call->message) };
    uint64_t hash = wsf_hash_target(executor->key, &chat);
    const wsfan_recipient *recipients;
    size_t count = select_sessions(executor, loop_call, &recipients);
    for (size_t i = 0; i < count; i++) {
        int error = wsf_subscriptions_join(subscriptions, recipients[i].session, &chat, hash, NULL);
        bool is_in = error == WSFAN_OK || error == WSFAN_EEXIST;
        loop_call->answer.sessions += is_in;
        loop_call->answer.sessions_failed += !is_in;
    }
    if (loop_call->answer.sessions == 0)
        return end(executor, loop_call);
    loop_call->audience = wsf_audiences_find(&subscriptions->registry.audiences, &chat, hash);
    if (!wsf_subscriptions_unsettled(subscriptions, loop_call->audience))
        return end(executor, loop_call);
    loop_call->next = executor->waiting;
    executor->waiting = loop_call;
    return true;
}

void wsf_executor_ticket_back(wsf_executor *executor, const wsf_ticket *ticket) {
    wsf_loop_call **link = &executor->waiting;
    while (*link != NULL) {
        wsf_loop_call *loop_call = *link;
        if (loop_call->audience != ticket->audience) {
            link = &loop_call->next;
            continue;
        }
        *link = loop_call->next;
        loop_call->answer.status = ticket->status;
        for (uint32_t i = 0; i < ticket->missing_count; i++)
            wsf_answer_name_peer(&loop_call->answer, ticket->missing[i]);
        end(executor, loop_call);
    }
}

static bool leave(wsf_executor *executor, wsf_loop_call *loop_call) {
    wsfan_target chat = { WSFAN_CHAT, wsfan_message_payload(loop_call->call->message) };
    uint64_t hash = wsf_hash_target(executor->key, &chat);
    const wsfan_recipient *recipients;
    size_t count = select_sessions(executor, loop_call, &recipients);
    for (size_t i = 0; i < count; i++) {
        if (wsf_subscriptions_leave(executor->subscriptions, recipients[i].session, &chat, hash) !=
            WSFAN_OK)
            continue;
        wsfan_left left = { recipients[i].session, recipients[i].session_user, chat.name };
        loop_call->answer.sessions++;
        if (executor->effects.left != NULL)
            executor->effects.left(executor->effects.user, &left);
    }
    return end(executor, loop_call);
}

static bool close_sessions(wsf_executor *executor, wsf_loop_call *loop_call) {
    if (executor->effects.close == NULL) {
        loop_call->answer.status = WSFAN_ENOTSUP;
        return end(executor, loop_call);
    }
    const wsfan_recipient *recipients;
    size_t count = select_sessions(executor, loop_call, &recipients);
    for (size_t i = 0; i < count; i++) {
        wsfan_close close = { recipients[i].session, recipients[i].session_user,
                              (uint16_t)loop_call->call->number,
                              wsfan_message_payload(loop_call->call->message) };
        if (!still_open(executor, close.session))
            continue; /* on_close of an earlier session closed this one too */
        loop_call->answer.sessions++;
        executor->effects.close(executor->effects.user, &close);
    }
    return end(executor, loop_call);
}

static bool give_to_host(wsf_executor *executor, wsf_loop_call *loop_call) {
    const wsf_call *call = loop_call->call;
    if (executor->effects.request == NULL) {
        loop_call->answer.status = WSFAN_ENOTSUP;
    } else {
        wsfan_request request = { call->asker, call->token, wsfan_message_payload(call->message) };
        executor->effects.request(executor->effects.user, &request);
    }
    return end(executor, loop_call);
}

/* ---------------------------------------------------------------------------------------- lists */

static bool comes_after(const wsf_loop_call *loop_call, wsfan_bytes head, wsfan_bytes tail) {
    wsfan_bytes after = wsfan_message_payload(loop_call->call->message);
    return after.size == 0 || wsf_key_compare(head, tail, after) > 0;
}

static void note_row(wsf_loop_call *loop_call, wsfan_bytes head, wsfan_bytes tail, wsfan_bytes text,
                     uint64_t count) {
    if (comes_after(loop_call, head, tail))
        wsf_rows_add(&loop_call->answer.rows, head, tail, text, count);
}

static void note_session(wsf_executor *executor, wsf_loop_call *loop_call, wsfan_session session) {
    const wsf_registry *registry = &executor->subscriptions->registry;
    uint8_t key[16];
    wsfan_bytes address = { key, sizeof key };
    wsfan_bytes user = NOTHING;
    uint32_t chats = 0;
    uint32_t a;
    wsf_put_u64(key, executor->node);
    wsf_put_u64(key + 8, session.id);
    for (uint32_t i = 0; (a = wsf_registry_membership(registry, session, i)) != WSF_TABLE_NONE;
         i++) {
        const wsf_audience *audience = wsf_audiences_at(&registry->audiences, a);
        if (audience->kind == WSFAN_USER) { /* the first membership, if there is a user */
            user = wsf_audience_name(audience);
            continue;
        }
        chats++;
        note_row(loop_call, address, wsf_audience_name(audience), user, 1);
    }
    if (chats == 0)
        note_row(loop_call, address, NOTHING, user, 1);
}

static void note_chats_of(wsf_executor *executor, wsf_loop_call *loop_call, wsfan_session session) {
    const wsf_registry *registry = &executor->subscriptions->registry;
    uint32_t a;
    for (uint32_t i = 0; (a = wsf_registry_membership(registry, session, i)) != WSF_TABLE_NONE;
         i++) {
        const wsf_audience *audience = wsf_audiences_at(&registry->audiences, a);
        if (audience->kind == WSFAN_CHAT)
            note_row(loop_call, wsf_audience_name(audience), NOTHING, NOTHING, 1);
    }
}

static bool list_slice(wsf_executor *executor, wsf_loop_call *loop_call) {
    const wsf_registry *registry = &executor->subscriptions->registry;
    bool chats = loop_call->call->kind == WSFAN_REQUEST_CHATS;
    uint32_t all = chats ? registry->audiences.slots.used : registry->session_slots.used;
    uint32_t until = all - loop_call->cursor > SLICE_COUNT && loop_call->cursor < all
                         ? loop_call->cursor + SLICE_COUNT
                         : all;
    for (; loop_call->cursor < until; loop_call->cursor++) {
        if (chats) {
            const wsf_audience *audience = wsf_audiences_at(&registry->audiences,
                                                            loop_call->cursor);
            if (audience->kind == WSFAN_CHAT && audience->members_count > 0)
                note_row(loop_call, wsf_audience_name(audience), NOTHING, NOTHING,
                         audience->members_count);
            continue;
        }
        wsfan_session session = wsf_registry_session_at(registry, loop_call->cursor);
        if (session.id != 0)
            note_session(executor, loop_call, session);
    }
    return loop_call->cursor < all ? false : end(executor, loop_call);
}

static bool list(wsf_executor *executor, wsf_loop_call *loop_call) {
    const wsfan_message *message = loop_call->call->message;
    if (message->targets_count == 1 && message->targets[0].kind == WSFAN_ALL)
        return list_slice(executor, loop_call);
    const wsfan_recipient *recipients;
    size_t count = select_sessions(executor, loop_call, &recipients);
    for (size_t i = 0; i < count; i++) {
        if (loop_call->call->kind == WSFAN_REQUEST_CHATS)
            note_chats_of(executor, loop_call, recipients[i].session);
        else
            note_session(executor, loop_call, recipients[i].session);
    }
    return end(executor, loop_call);
}

static bool count_sessions(wsf_executor *executor, wsf_loop_call *loop_call) {
    uint8_t key[8];
    wsf_put_u64(key, executor->node);
    note_row(loop_call, (wsfan_bytes){ key, sizeof key }, NOTHING, NOTHING,
             executor->subscriptions->registry.session_slots.count);
    return end(executor, loop_call);
}

bool wsf_executor_run(wsf_executor *executor, wsf_loop_call *loop_call) {
    if (atomic_load(&loop_call->call->expired))
        return end(executor, loop_call); /* the asker was told already that this node is silent */
    switch (loop_call->call->kind) {
    case WSFAN_REQUEST_JOIN:
        return join(executor, loop_call);
    case WSFAN_REQUEST_LEAVE:
        return leave(executor, loop_call);
    case WSFAN_REQUEST_CLOSE:
        return close_sessions(executor, loop_call);
    case WSFAN_REQUEST_SESSIONS:
    case WSFAN_REQUEST_CHATS:
        return list(executor, loop_call);
    case WSFAN_REQUEST_NODES:
        return count_sessions(executor, loop_call);
    case WSFAN_REQUEST_SEND:
        return give_to_host(executor, loop_call);
    case WSFAN_REQUEST_STATS:
        break; /* no loop is asked */
    }
    return end(executor, loop_call);
}
