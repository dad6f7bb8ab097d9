/* Answers for doing to each session that a request names, once, what it asks, and for saying no more
 * than was done. A join ends when the peers know of it, as on_joined does. Lists of all chats or all
 * sessions are made in slices. */
#include "perform.h"

#include <string.h>

enum { SLICE_COUNT = 8192 }; /* audiences or sessions that are looked at in one go */

static const wsfan_bytes NOTHING = { NULL, 0 };

void wsf_performer_init(wsf_performer *performer, wsf_members *members, const wsf_hash_key *key,
                        uint64_t node, const wsf_performer_effects *effects) {
    *performer = (wsf_performer){
        .members = members, .key = key, .node = node, .effects = *effects
    };
}

static bool end(wsf_performer *performer, wsf_errand *errand) {
    performer->effects.end(performer->effects.user, errand);
    return true;
}

void wsf_performer_close(wsf_performer *performer) {
    while (performer->waiting != NULL) {
        wsf_errand *errand = performer->waiting;
        performer->waiting = errand->next;
        end(performer, errand);
    }
}

static size_t select_sessions(wsf_performer *performer, const wsf_errand *errand,
                              const wsfan_recipient **recipients) {
    return wsf_registry_select(&performer->members->registry, errand->task->message,
                               performer->node, recipients);
}

static bool still_open(const wsf_performer *performer, wsfan_session session) {
    return wsf_registry_check(&performer->members->registry, session) == WSFAN_OK;
}

/* ------------------------------------------------------------------------------------ commands */

static bool join(wsf_performer *performer, wsf_errand *errand) {
    wsf_members *members = performer->members;
    wsfan_target chat = { WSFAN_CHAT, wsfan_message_payload(errand->task->message) };
    uint64_t hash = wsf_hash_target(performer->key, &chat);
    const wsfan_recipient *recipients;
    size_t count = select_sessions(performer, errand, &recipients);
    for (size_t i = 0; i < count; i++) {
        int error = wsf_members_join(members, recipients[i].session, &chat, hash);
        bool is_in = error == WSFAN_OK || error == WSFAN_EEXIST;
        errand->answer.sessions += is_in;
        errand->answer.sessions_failed += !is_in;
    }
    if (errand->answer.sessions == 0)
        return end(performer, errand);
    errand->audience = wsf_registry_find(&members->registry, &chat, hash);
    if (!wsf_members_unsettled(members, errand->audience))
        return end(performer, errand);
    errand->next = performer->waiting;
    performer->waiting = errand;
    return true;
}

void wsf_perform_ticket_back(wsf_performer *performer, const wsf_ticket *ticket) {
    wsf_errand **link = &performer->waiting;
    while (*link != NULL) {
        wsf_errand *errand = *link;
        if (errand->audience != ticket->audience) {
            link = &errand->next;
            continue;
        }
        *link = errand->next;
        errand->answer.status = ticket->status;
        for (uint32_t i = 0; i < ticket->missing_count; i++)
            wsf_answer_name_peer(&errand->answer, ticket->missing[i]);
        end(performer, errand);
    }
}

static bool leave(wsf_performer *performer, wsf_errand *errand) {
    wsfan_target chat = { WSFAN_CHAT, wsfan_message_payload(errand->task->message) };
    uint64_t hash = wsf_hash_target(performer->key, &chat);
    const wsfan_recipient *recipients;
    size_t count = select_sessions(performer, errand, &recipients);
    for (size_t i = 0; i < count; i++) {
        if (wsf_members_leave(performer->members, recipients[i].session, &chat, hash) != WSFAN_OK)
            continue;
        wsfan_left left = { recipients[i].session, recipients[i].session_user, chat.name };
        errand->answer.sessions++;
        if (performer->effects.left != NULL)
            performer->effects.left(performer->effects.user, &left);
    }
    return end(performer, errand);
}

static bool close_sessions(wsf_performer *performer, wsf_errand *errand) {
    if (performer->effects.close == NULL) {
        errand->answer.status = WSFAN_ENOTSUP;
        return end(performer, errand);
    }
    const wsfan_recipient *recipients;
    size_t count = select_sessions(performer, errand, &recipients);
    for (size_t i = 0; i < count; i++) {
        wsfan_close close = { recipients[i].session, recipients[i].session_user,
                              (uint16_t)errand->task->number,
                              wsfan_message_payload(errand->task->message) };
        if (!still_open(performer, close.session))
            continue; /* closed with one before it */
        errand->answer.sessions++;
        performer->effects.close(performer->effects.user, &close);
    }
    return end(performer, errand);
}

static bool give_to_host(wsf_performer *performer, wsf_errand *errand) {
    const wsf_task *task = errand->task;
    if (performer->effects.request == NULL) {
        errand->answer.status = WSFAN_ENOTSUP;
    } else {
        wsfan_request request = { task->asker, task->token, wsfan_message_payload(task->message) };
        performer->effects.request(performer->effects.user, &request);
    }
    return end(performer, errand);
}

/* ---------------------------------------------------------------------------------------- lists */

static bool comes_after(const wsf_errand *errand, wsfan_bytes head, wsfan_bytes tail) {
    wsfan_bytes after = wsfan_message_payload(errand->task->message);
    return after.size == 0 || wsf_key_compare(head, tail, after) > 0;
}

static void note_row(wsf_errand *errand, wsfan_bytes head, wsfan_bytes tail, wsfan_bytes text,
                     uint64_t count) {
    if (comes_after(errand, head, tail))
        wsf_rows_add(&errand->answer.rows, head, tail, text, count);
}

static void note_session(wsf_performer *performer, wsf_errand *errand, wsfan_session session) {
    const wsf_registry *registry = &performer->members->registry;
    uint8_t key[16];
    wsfan_bytes address = { key, sizeof key };
    wsfan_bytes user = NOTHING;
    uint32_t chats = 0;
    uint32_t a;
    wsf_put_u64(key, performer->node);
    wsf_put_u64(key + 8, session.id);
    for (uint32_t i = 0; (a = wsf_registry_membership(registry, session, i)) != WSF_TABLE_NONE;
         i++) {
        const wsf_audience *audience = wsf_registry_audience(registry, a);
        if (audience->kind == WSFAN_USER) { /* the first, if there is one */
            user = wsf_audience_name(audience);
            continue;
        }
        chats++;
        note_row(errand, address, wsf_audience_name(audience), user, 1);
    }
    if (chats == 0)
        note_row(errand, address, NOTHING, user, 1);
}

static void note_chats_of(wsf_performer *performer, wsf_errand *errand, wsfan_session session) {
    const wsf_registry *registry = &performer->members->registry;
    uint32_t a;
    for (uint32_t i = 0; (a = wsf_registry_membership(registry, session, i)) != WSF_TABLE_NONE;
         i++) {
        const wsf_audience *audience = wsf_registry_audience(registry, a);
        if (audience->kind == WSFAN_CHAT)
            note_row(errand, wsf_audience_name(audience), NOTHING, NOTHING, 1);
    }
}

static bool list_slice(wsf_performer *performer, wsf_errand *errand) {
    const wsf_registry *registry = &performer->members->registry;
    bool chats = errand->task->kind == WSFAN_REQUEST_CHATS;
    uint32_t all = chats ? registry->audiences_used : registry->sessions_used;
    uint32_t until = all - errand->cursor > SLICE_COUNT && errand->cursor < all
                         ? errand->cursor + SLICE_COUNT
                         : all;
    for (; errand->cursor < until; errand->cursor++) {
        if (chats) {
            const wsf_audience *audience = wsf_registry_audience(registry, errand->cursor);
            if (audience->kind == WSFAN_CHAT && audience->members_count > 0)
                note_row(errand, wsf_audience_name(audience), NOTHING, NOTHING,
                         audience->members_count);
            continue;
        }
        wsfan_session session = wsf_registry_session_at(registry, errand->cursor);
        if (session.id != 0)
            note_session(performer, errand, session);
    }
    return errand->cursor < all ? false : end(performer, errand);
}

static bool list(wsf_performer *performer, wsf_errand *errand) {
    const wsfan_message *message = errand->task->message;
    if (message->targets_count == 1 && message->targets[0].kind == WSFAN_ALL)
        return list_slice(performer, errand);
    const wsfan_recipient *recipients;
    size_t count = select_sessions(performer, errand, &recipients);
    for (size_t i = 0; i < count; i++) {
        if (errand->task->kind == WSFAN_REQUEST_CHATS)
            note_chats_of(performer, errand, recipients[i].session);
        else
            note_session(performer, errand, recipients[i].session);
    }
    return end(performer, errand);
}

static bool count_sessions(wsf_performer *performer, wsf_errand *errand) {
    uint8_t key[8];
    wsf_put_u64(key, performer->node);
    note_row(errand, (wsfan_bytes){ key, sizeof key }, NOTHING, NOTHING,
             performer->members->registry.sessions_count);
    return end(performer, errand);
}

bool wsf_perform(wsf_performer *performer, wsf_errand *errand) {
    if (atomic_load(&errand->task->expired))
        return end(performer, errand); /* whoever asked was told that we are silent */
    switch (errand->task->kind) {
    case WSFAN_REQUEST_JOIN:
        return join(performer, errand);
    case WSFAN_REQUEST_LEAVE:
        return leave(performer, errand);
    case WSFAN_REQUEST_CLOSE:
        return close_sessions(performer, errand);
    case WSFAN_REQUEST_SESSIONS:
    case WSFAN_REQUEST_CHATS:
        return list(performer, errand);
    case WSFAN_REQUEST_NODES:
        return count_sessions(performer, errand);
    case WSFAN_REQUEST_SEND:
        return give_to_host(performer, errand);
    }
    return end(performer, errand);
}
