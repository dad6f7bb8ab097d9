#include "claims.h"

#include <stdlib.h>
#include <string.h>

enum { SLACK_MS = 500 };

/* A session that did what was asked, or that a list must show. */
typedef struct {
    uint32_t session;
    uint32_t life;
    unsigned chat;
    uint32_t membership; /* which membership of the chat; 0: none */
} record;

typedef struct {
    uint32_t life;
    wsfan_request_kind kind;
    unsigned chat;
    ledger_targets targets;
    uint64_t id;
    uint64_t asked_ms;
    uint64_t ms_max;
    uint64_t frozen_ms;
    bool answered;
    record *done;
    uint32_t done_count;
    record *listed;
    uint32_t listed_count;
} claim;

struct claims {
    ledger *ledger;
    claim *list;
    uint32_t count;
    uint32_t first_open; /* requests before this one are answered */
};

static void *grown(void *array, uint32_t count, size_t size) {
    if ((count & (count - 1)) != 0)
        return array;
    array = realloc(array, (count == 0 ? 1 : 2 * (size_t)count) * size);
    if (array == NULL)
        abort();
    return array;
}

claims *claims_new(ledger *l) {
    claims *c = calloc(1, sizeof *c);
    if (c == NULL)
        abort();
    c->ledger = l;
    return c;
}

void claims_forget(claims *c) {
    for (uint32_t i = 0; i < c->count; i++) {
        free(c->list[i].done);
        free(c->list[i].listed);
        c->list[i].done = c->list[i].listed = NULL;
        c->list[i].done_count = c->list[i].listed_count = 0;
        c->list[i].answered = true; /* if open, of a life whose number may be reused */
    }
    c->first_open = c->count;
}

void claims_destroy(claims *c) {
    claims_forget(c);
    free(c->list);
    free(c);
}

uint32_t claims_ask(claims *c, uint32_t life, wsfan_request_kind kind, unsigned chat,
                    const ledger_targets *targets, uint64_t ms_max) {
    c->list = grown(c->list, c->count, sizeof *c->list);
    c->list[c->count] = (claim){ .life = life,
                                 .kind = kind,
                                 .chat = chat,
                                 .targets = *targets,
                                 .asked_ms = ledger_ms(c->ledger),
                                 .ms_max = ms_max };
    return c->count++;
}

void claims_named(claims *c, uint32_t number, uint64_t id) {
    c->list[number].id = id;
}

uint32_t claims_find(const claims *c, uint64_t asker, uint64_t id) {
    for (uint32_t i = c->count; i-- > 0;)
        if (c->list[i].id == id && ledger_node(c->ledger, c->list[i].life) == asker)
            return i;
    return UINT32_MAX;
}

unsigned claims_chat(const claims *c, uint32_t number) {
    return c->list[number].chat;
}

const ledger_targets *claims_targets(const claims *c, uint32_t number) {
    return &c->list[number].targets;
}

static record record_of(const claims *c, uint32_t session, unsigned chat) {
    return (record){ session, ledger_life(c->ledger, session), chat,
                     ledger_membership(c->ledger, session, chat) };
}

void claims_must_list(claims *c, uint32_t number, uint32_t session, unsigned chat) {
    claim *k = &c->list[number];
    k->listed = grown(k->listed, k->listed_count, sizeof *k->listed);
    k->listed[k->listed_count++] = record_of(c, session, chat);
}

void claims_done(claims *c, uint32_t number, uint32_t life, uint32_t session) {
    claim *k = &c->list[number];
    k->done = grown(k->done, k->done_count, sizeof *k->done);
    k->done[k->done_count] = record_of(c, session, k->chat);
    k->done[k->done_count++].life = life;
}

void claims_check_time(claims *c, uint32_t life, uint64_t frozen_ms) {
    while (c->first_open < c->count && (c->list[c->first_open].answered ||
                                        !ledger_alive(c->ledger, c->list[c->first_open].life)))
        c->first_open++;
    for (uint32_t i = c->first_open; i < c->count; i++) {
        claim *k = &c->list[i];
        if (k->life != life || k->answered)
            continue;
        k->frozen_ms += frozen_ms;
        if (ledger_ms(c->ledger) > k->asked_ms + k->frozen_ms + k->ms_max + SLACK_MS)
            ledger_violation(c->ledger, "request %u has no reply after its time", i);
    }
}

/* --------------------------------------------------------------------------------------- replies */

static bool is_missing(const wsfan_reply *reply, uint64_t node) {
    for (size_t i = 0; i < reply->missing_count; i++)
        if (reply->missing[i] == node)
            return true;
    return false;
}

static void check_answer(claims *c, uint32_t number, const wsfan_reply *reply,
                         const wsfan_answer *answer) {
    const claim *k = &c->list[number];
    bool joined = k->kind == WSFAN_REQUEST_JOIN &&
                  (answer->status == WSFAN_OK || answer->status == WSFAN_EPARTIAL);
    bool did = joined || ((k->kind == WSFAN_REQUEST_LEAVE || k->kind == WSFAN_REQUEST_CLOSE) &&
                          answer->status == WSFAN_OK);
    uint64_t count = 0;
    if (answer->status != WSFAN_OK && !joined && !is_missing(reply, answer->node))
        ledger_violation(c->ledger, "request %u does not name who is missing", number);
    for (uint32_t i = 0; did && i < k->done_count; i++) {
        const record *r = &k->done[i];
        if (ledger_node(c->ledger, r->life) != answer->node)
            continue;
        count++;
        /* From now on the session hears every broadcast, if it is in the chat still. */
        if (joined && answer->status == WSFAN_OK &&
            ledger_membership(c->ledger, r->session, k->chat) == r->membership)
            ledger_promise(c->ledger, r->session, k->chat);
    }
    if (did && count != answer->sessions)
        ledger_violation(c->ledger, "request %u: a node says that %llu sessions did it, %llu did",
                         number, (unsigned long long)answer->sessions, (unsigned long long)count);
    if (k->kind != WSFAN_REQUEST_SEND || answer->status != WSFAN_OK)
        return;
    uint64_t echo[2] = { 0, 0 };
    if (answer->payload.size == sizeof echo)
        memcpy(echo, answer->payload.data, sizeof echo);
    if (echo[0] != number || echo[1] != answer->node)
        ledger_violation(c->ledger, "request %u got another's answer", number);
}

/* The session of a row; UINT32_MAX: no such session ever was. */
static uint32_t session_of(const claims *c, wsfan_address address) {
    for (uint32_t s = ledger_sessions(c->ledger); s-- > 0;)
        if (ledger_handle(c->ledger, s) == address.session &&
            ledger_node(c->ledger, ledger_life(c->ledger, s)) == address.node)
            return s;
    return UINT32_MAX;
}

static unsigned chat_of(const wsfan_row *row) {
    return row->name.size == 1 ? *(const uint8_t *)row->name.data : UINT32_MAX;
}

static bool shows(const claims *c, const wsfan_reply *reply, const record *r) {
    for (size_t i = 0; i < reply->rows_count; i++) {
        const wsfan_row *row = &reply->rows[i];
        if (chat_of(row) == r->chat &&
            (reply->kind == WSFAN_REQUEST_CHATS ||
             (row->address.session == ledger_handle(c->ledger, r->session) &&
              row->address.node == ledger_node(c->ledger, r->life))))
            return true;
    }
    return false;
}

static void check_list(claims *c, uint32_t number, const wsfan_reply *reply) {
    const claim *k = &c->list[number];
    for (size_t i = 0; k->kind == WSFAN_REQUEST_SESSIONS && i < reply->rows_count; i++) {
        uint32_t s = session_of(c, reply->rows[i].address);
        if (s == UINT32_MAX || !ledger_open_since(c->ledger, s, k->asked_ms))
            ledger_violation(c->ledger, "list %u shows a session that was closed", number);
    }
    if (reply->status != WSFAN_OK || reply->next.size > 0)
        return;
    for (uint32_t i = 0; i < k->listed_count; i++) {
        const record *r = &k->listed[i];
        if (ledger_membership(c->ledger, r->session, r->chat) == r->membership &&
            !shows(c, reply, r))
            ledger_violation(c->ledger, "list %u is complete without session %u in chat %u", number,
                             r->session, r->chat);
    }
}

void claims_reply(claims *c, const wsfan_reply *reply) {
    uint32_t number = (uint32_t)(uintptr_t)reply->reply_user;
    claim *k = &c->list[number];
    uint64_t sessions = 0;
    bool whole = true;
    if (k->answered || k->kind != reply->kind)
        ledger_violation(c->ledger, "a reply to request %u that nobody waits for", number);
    k->answered = true;
    for (size_t i = 0; i < reply->answers_count; i++) {
        sessions += reply->answers[i].sessions;
        whole = whole && reply->answers[i].status == WSFAN_OK;
        check_answer(c, number, reply, &reply->answers[i]);
    }
    if (sessions != reply->sessions || whole != (reply->status == WSFAN_OK) ||
        (whole && reply->missing_count > 0))
        ledger_violation(c->ledger, "a reply to request %u that does not add up", number);
    check_list(c, number, reply);
}

void claims_check_end(const claims *c) {
    for (uint32_t i = 0; i < c->count; i++)
        if (!c->list[i].answered && ledger_alive(c->ledger, c->list[i].life))
            ledger_violation(c->ledger, "nobody was told what became of request %u", i);
}
