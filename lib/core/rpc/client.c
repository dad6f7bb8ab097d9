/* Answers for giving each request back once, within its time limit, with an answer of every node that
 * was asked or the word that it is silent. */
#include "core/rpc/client.h"

#include <string.h>

#include "base/memory.h"

void wsf_rpc_client_add(wsf_core *core, wsf_request *request, wsf_now now) {
    request->deadline_ms = now.ms + request->ms_max;
    request->next = core->rpc.requests;
    core->rpc.requests = request;
    core->rpc.requests_dirty = true;
    core->stats.requests++;
    core->stats.requests_pending++;
}

/* The request that waits for this answer; NULL: none does. */
static wsf_request *find(const wsf_core *core, uint32_t place, uint64_t node, uint64_t id) {
    for (wsf_request *request = core->rpc.requests; request != NULL; request = request->next)
        if (request->id == id)
            return place < request->nodes_count && request->nodes[place].node == node &&
                           request->nodes[place].open
                       ? request
                       : NULL;
    return NULL;
}

static void take_answer(wsf_core *core, wsf_request *request, uint32_t place, wsf_answer *answer) {
    if (wsf_request_answer(request, place, answer) && request->open_count == 0)
        core->rpc.requests_dirty = true;
}

void wsf_rpc_client_answer(wsf_core *core, uint32_t place, uint64_t node, uint64_t id,
                           wsf_answer *answer) {
    wsf_request *request = find(core, place, node, id);
    if (request != NULL)
        take_answer(core, request, place, answer);
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

/* Whether a peer may have this row in its answer: one of that peer itself where rows belong to nodes, and behind the
 * key that the list goes on after, without which a list need not come to its end; so it has a key, which the next page may go on
 * after. */
static bool may_tell(const wsf_request *request, uint64_t node, wsfan_bytes key) {
    static const wsfan_bytes none = { NULL, 0 };
    uint8_t own[8];
    wsf_put_u64(own, node);
    wsfan_bytes after = wsfan_message_payload(request->message);
    if (wsf_key_compare(key, none, after) <= 0)
        return false;
    switch (request->kind) {
    case WSFAN_REQUEST_NODES:
        return key.size == sizeof own && memcmp(key.data, own, sizeof own) == 0;
    case WSFAN_REQUEST_SESSIONS:
    case WSFAN_REQUEST_STATS:
        return key.size >= 2 * sizeof own && memcmp(key.data, own, sizeof own) == 0;
    default:
        return true;
    }
}

static void take_rows(wsf_core *core, const wsf_request *request, uint64_t node,
                      const wsf_entry *entry, wsf_rows *rows) {
    static const wsfan_bytes none = { NULL, 0 };
    bool list = wsf_request_is_list(request->kind);
    for (uint32_t i = 0; i < entry->reply.rows_count; i++) {
        const wsf_reply_row *row = &entry->reply.rows[i];
        if (list && !may_tell(request, node, row->key))
            wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        else
            wsf_rows_add(rows, row->key, none, row->text, row->count);
    }
    rows->more = rows->more || entry->reply.more;
}

void wsf_rpc_client_take(wsf_core *core, const wsf_peer *peer, const wsf_entry *entry) {
    uint32_t place = 1 + wsf_peer_index(core, peer);
    wsf_request *request = find(core, place, peer->node, entry->reply.id);
    if (request == NULL) {
        wsf_count_drop(core, WSFAN_DROP_UNWANTED, 1);
        return;
    }
    wsf_answer answer;
    wsf_answer_init(&answer, WSF_ROWS_COUNT_MAX);
    /* A status of a later version is unknown to this host. */
    answer.status = entry->reply.status <= (uint32_t)-WSFAN_ENOTSUP ? -(int)entry->reply.status
                                                                    : WSFAN_ENOTSUP;
    answer.sessions = entry->reply.sessions;
    answer.sessions_failed = entry->reply.sessions_failed;
    if (entry->reply.payload.size > core->config.payload_bytes_max)
        answer.status = WSFAN_ETOOBIG;
    else if (request->kind == WSFAN_REQUEST_SEND) /* other kinds have no payload */
        take_payload(&answer, entry->reply.payload);
    take_rows(core, request, peer->node, entry, &answer.rows);
    if (answer.rows.failed)
        answer.status = WSFAN_ENOMEM;
    take_answer(core, request, place, &answer);
}

static void fall_silent(wsf_request *request, uint32_t place) {
    wsf_answer silence;
    wsf_answer_init(&silence, 0);
    silence.status = WSFAN_ESILENT;
    wsf_request_answer(request, place, &silence);
}

void wsf_rpc_client_lose(wsf_core *core, const wsf_peer *peer) {
    uint32_t place = 1 + wsf_peer_index(core, peer);
    for (wsf_request *request = core->rpc.requests; request != NULL; request = request->next)
        if (place < request->nodes_count && request->nodes[place].node == peer->node)
            fall_silent(request, place);
    core->rpc.requests_dirty = true;
}

static void hand_back(wsf_core *core, wsf_request *request) {
    bool partial = request->refusing_count > 0;
    for (uint32_t i = 0; i < request->nodes_count; i++) {
        if (request->nodes[i].open)
            fall_silent(request, i);
        partial = partial ||
                  (request->nodes[i].node != 0 && request->nodes[i].answer.status != WSFAN_OK);
    }
    core->stats.requests_pending--;
    core->stats.requests_partial += partial;
    core->effects.reply(core->effects.user, request);
}

void wsf_rpc_client_tick(wsf_core *core, wsf_now now) {
    if (!core->rpc.requests_dirty && now.ms < core->rpc.requests_deadline_ms)
        return;
    core->rpc.requests_dirty = false;
    core->rpc.requests_deadline_ms = UINT64_MAX;
    wsf_request **link = &core->rpc.requests;
    while (*link != NULL) {
        wsf_request *request = *link;
        if (request->open_count == 0 || now.ms >= request->deadline_ms) {
            *link = request->next;
            hand_back(core, request);
            continue;
        }
        if (request->deadline_ms < core->rpc.requests_deadline_ms)
            core->rpc.requests_deadline_ms = request->deadline_ms;
        link = &request->next;
    }
}

uint64_t wsf_rpc_client_deadline(const wsf_core *core) {
    if (core->rpc.requests == NULL)
        return UINT64_MAX;
    return core->rpc.requests_dirty ? 0 : core->rpc.requests_deadline_ms;
}

void wsf_rpc_client_end(wsf_core *core) {
    while (core->rpc.requests != NULL) {
        wsf_request *request = core->rpc.requests;
        core->rpc.requests = request->next;
        hand_back(core, request);
    }
}
