/* Answers for giving each request back once, within its time limit, with an answer of every node that
 * was asked or the word that it is silent. */
#include "asks.h"

#include <string.h>

#include "memory.h"

void wsf_asks_add(wsf_core *core, wsf_ask *ask, wsf_now now) {
    ask->deadline_ms = now.ms + ask->ms_max;
    ask->next = core->asks;
    core->asks = ask;
    core->asks_dirty = true;
    core->stats.requests++;
    core->stats.requests_pending++;
}

/* The request that waits for this answer; NULL: none, or not any more. */
static wsf_ask *find(const wsf_core *core, uint32_t place, uint64_t node, uint64_t id) {
    for (wsf_ask *ask = core->asks; ask != NULL; ask = ask->next)
        if (ask->id == id)
            return ask->nodes[place].node == node && ask->nodes[place].open ? ask : NULL;
    return NULL;
}

static void take_answer(wsf_core *core, wsf_ask *ask, uint32_t place, wsf_answer *answer) {
    if (wsf_ask_answer(ask, place, answer) && ask->open_count == 0)
        core->asks_dirty = true;
}

void wsf_asks_answer(wsf_core *core, uint32_t place, uint64_t node, uint64_t id,
                     wsf_answer *answer) {
    wsf_ask *ask = find(core, place, node, id);
    if (ask != NULL)
        take_answer(core, ask, place, answer);
    else
        wsf_answer_destroy(answer); /* too late */
}

static void take_payload(wsf_answer *answer, wsfan_bytes payload) {
    if (payload.size == 0)
        return;
    answer->payload = wsf_alloc(payload.size);
    if (answer->payload == NULL) {
        answer->status = WSFAN_ENOMEM;
        return;
    }
    memcpy(answer->payload, payload.data, payload.size);
    answer->payload_size = payload.size;
}

void wsf_asks_take(wsf_core *core, const wsf_peer *peer, const wsf_entry *entry) {
    static const wsfan_bytes none = { NULL, 0 };
    uint32_t place = wsf_peer_index(core, peer);
    wsf_ask *ask = find(core, place, peer->node, entry->reply.id);
    if (ask == NULL) {
        wsf_core_count_drop(core, WSFAN_DROP_UNWANTED, 1);
        return;
    }
    wsf_answer answer;
    wsf_answer_init(&answer, WSF_ROWS_COUNT_MAX);
    /* A status of a later version is none that our host knows. */
    answer.status = entry->reply.status <= (uint32_t)-WSFAN_ENOTSUP ? -(int)entry->reply.status
                                                                    : WSFAN_ENOTSUP;
    answer.sessions = entry->reply.sessions;
    answer.sessions_failed = entry->reply.sessions_failed;
    if (entry->reply.payload.size > core->config.payload_bytes_max)
        answer.status = WSFAN_ETOOBIG;
    else if (ask->kind == WSFAN_REQUEST_SEND) /* the others have none */
        take_payload(&answer, entry->reply.payload);
    for (uint32_t i = 0; i < entry->reply.rows_count; i++) {
        const wsf_reply_row *row = &entry->reply.rows[i];
        wsf_rows_add(&answer.rows, row->key, none, row->text, row->count);
    }
    answer.rows.more = answer.rows.more || entry->reply.more;
    if (answer.rows.failed)
        answer.status = WSFAN_ENOMEM;
    take_answer(core, ask, place, &answer);
}

static void fall_silent(wsf_ask *ask, uint32_t place) {
    wsf_answer silence;
    wsf_answer_init(&silence, 0);
    silence.status = WSFAN_ESILENT;
    wsf_ask_answer(ask, place, &silence);
}

void wsf_asks_lose(wsf_core *core, const wsf_peer *peer) {
    uint32_t place = wsf_peer_index(core, peer);
    for (wsf_ask *ask = core->asks; ask != NULL; ask = ask->next)
        if (ask->nodes[place].node == peer->node)
            fall_silent(ask, place);
    core->asks_dirty = true;
}

static void hand_back(wsf_core *core, wsf_ask *ask) {
    bool partial = false;
    for (uint32_t i = 0; i < ask->nodes_count; i++) {
        if (ask->nodes[i].open)
            fall_silent(ask, i);
        partial = partial || (ask->nodes[i].node != 0 && ask->nodes[i].answer.status != WSFAN_OK);
    }
    core->stats.requests_pending--;
    core->stats.requests_partial += partial;
    core->effects.reply(core->effects.user, ask);
}

void wsf_asks_tick(wsf_core *core, wsf_now now) {
    if (!core->asks_dirty && now.ms < core->asks_deadline_ms)
        return;
    core->asks_dirty = false;
    core->asks_deadline_ms = UINT64_MAX;
    wsf_ask **link = &core->asks;
    while (*link != NULL) {
        wsf_ask *ask = *link;
        if (ask->open_count == 0 || now.ms >= ask->deadline_ms) {
            *link = ask->next;
            hand_back(core, ask);
            continue;
        }
        if (ask->deadline_ms < core->asks_deadline_ms)
            core->asks_deadline_ms = ask->deadline_ms;
        link = &ask->next;
    }
}

uint64_t wsf_asks_deadline(const wsf_core *core) {
    if (core->asks == NULL)
        return UINT64_MAX;
    return core->asks_dirty ? 0 : core->asks_deadline_ms;
}

void wsf_asks_end(wsf_core *core) {
    while (core->asks != NULL) {
        wsf_ask *ask = core->asks;
        core->asks = ask->next;
        hand_back(core, ask);
    }
}
