/* Answers for what requests, calls and loop calls own, and for putting answers together. */
#include "message/request.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* ------------------------------------------------------------------------------------- answers */

bool wsf_close_valid(uint32_t code, wsfan_bytes reason) {
    bool assigned = code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
    return (assigned || (code >= 3000 && code <= 4999)) &&
           reason.size <= WSF_CLOSE_REASON_SIZE_MAX && wsf_text_is_utf8(reason.data, reason.size);
}

void wsf_answer_init(wsf_answer *answer, uint32_t rows_count_max) {
    memset(answer, 0, sizeof *answer);
    wsf_rows_init(&answer->rows, rows_count_max);
}

void wsf_answer_destroy(wsf_answer *answer) {
    wsf_rows_destroy(&answer->rows);
    wsf_free(answer->payload);
    answer->payload = NULL;
    answer->payload_size = 0;
}

void wsf_answer_merge(wsf_answer *into, const wsf_answer *from) {
    if (into->status == WSFAN_OK)
        into->status = from->status;
    into->sessions += from->sessions;
    into->sessions_failed += from->sessions_failed;
    wsf_rows_merge(&into->rows, &from->rows);
    if (into->status == WSFAN_OK && into->rows.failed)
        into->status = WSFAN_ENOMEM;
}

void wsf_answer_name_peer(wsf_answer *answer, uint64_t node) {
    uint8_t key[8];
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)(node >> (56 - 8 * i));
    wsf_rows_add(&answer->rows, (wsfan_bytes){ key, sizeof key }, (wsfan_bytes){ NULL, 0 },
                 (wsfan_bytes){ NULL, 0 }, 1);
}

static uint64_t read_u64(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* -------------------------------------------------------------------------------------- asking */

bool wsf_request_is_list(wsfan_request_kind kind) {
    return kind == WSFAN_REQUEST_SESSIONS || kind == WSFAN_REQUEST_CHATS ||
           kind == WSFAN_REQUEST_NODES || kind == WSFAN_REQUEST_STATS;
}

wsf_request *wsf_request_new(wsfan_request_kind kind, wsfan_message *message, uint32_t number,
                             uint32_t ms_max) {
    wsf_request *request = wsf_alloc_zero(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->kind = kind;
    request->message = message;
    request->number = number;
    request->ms_max = ms_max;
    return request;
}

bool wsf_request_make_room(wsf_request *request, uint32_t peers_count, const uint64_t *refusing,
                           uint32_t refusing_count) {
    uint32_t nodes_count = 1 + peers_count;
    for (uint32_t i = 0; i < request->message->targets_count; i++)
        nodes_count += request->message->targets[i].kind == WSFAN_SESSION ||
                       request->message->targets[i].kind == WSFAN_NODE;
    request->nodes = wsf_alloc_zero(nodes_count, sizeof *request->nodes);
    request->refusing = wsf_alloc_zero(refusing_count + 1, sizeof *refusing);
    request->failed = request->nodes == NULL || request->refusing == NULL;
    if (request->failed)
        return false;
    request->nodes_count = nodes_count;
    request->refusing_count = refusing_count;
    if (refusing_count > 0)
        memcpy(request->refusing, refusing, refusing_count * sizeof *refusing);
    return true;
}

void wsf_request_free(wsf_request *request) {
    if (request == NULL)
        return;
    for (uint32_t i = 0; i < request->nodes_count; i++)
        wsf_answer_destroy(&request->nodes[i].answer);
    wsfan_message_unref(request->message);
    wsf_free(request->nodes);
    wsf_free(request->refusing);
    wsf_free(request);
}

bool wsf_request_answer(wsf_request *request, uint32_t place, wsf_answer *answer) {
    wsf_asked_node *asked = &request->nodes[place];
    if (!asked->open) {
        wsf_answer_destroy(answer);
        return false;
    }
    asked->open = false;
    asked->answer = *answer;
    request->open_count--;
    return true;
}

typedef struct {
    uint64_t *nodes;
    size_t count;
    size_t capacity;
} node_set;

/* False: it is in the set already. */
static bool add_node(node_set *set, uint64_t node) {
    for (size_t i = 0; i < set->count; i++)
        if (set->nodes[i] == node)
            return false;
    if (set->count < set->capacity)
        set->nodes[set->count++] = node;
    return true;
}

static wsfan_row public_row(wsfan_request_kind kind, const wsf_row *row) {
    wsfan_bytes key = wsf_row_key(row);
    wsfan_row out = { .sessions = row->count };
    if (kind == WSFAN_REQUEST_CHATS) {
        out.name = key;
        return out;
    }
    size_t address_size = kind == WSFAN_REQUEST_NODES ? 8 : 16;
    if (key.size < address_size)
        return out; /* malformed, by a peer */
    out.address.node = read_u64(row->bytes);
    if (kind == WSFAN_REQUEST_NODES) {
        wsfan_bytes name = wsf_row_text(row);
        if (wsf_text_is_printable(name.data, name.size)) /* else malformed, by a peer */
            out.name = name;
        return out;
    }
    out.address.session = read_u64(row->bytes + 8);
    out.name = (wsfan_bytes){ row->bytes + address_size, key.size - address_size };
    out.user = wsf_row_text(row);
    if (kind == WSFAN_REQUEST_STATS && !(wsf_text_is_printable(out.name.data, out.name.size) &&
                                         wsf_text_is_printable(out.user.data, out.user.size)))
        out.name = out.user = (wsfan_bytes){ NULL, 0 }; /* malformed, by a peer */
    return out;
}

/* The arrays of a reply, for the time of the callback. */
typedef struct {
    wsf_rows rows;
    wsfan_row *public_rows;
    wsfan_answer *answers;
    node_set missing;
} reply_parts;

static bool make_parts(const wsf_request *request, reply_parts *parts) {
    size_t answers_max = request->nodes_count + request->refusing_count + 1;
    size_t missing_max = answers_max;
    wsf_rows_init(&parts->rows, wsf_request_is_list(request->kind) ? request->number : 0);
    for (uint32_t i = 0; i < request->nodes_count; i++) {
        const wsf_answer *answer = &request->nodes[i].answer;
        if (wsf_request_is_list(request->kind))
            wsf_rows_merge(&parts->rows, &answer->rows);
        else
            missing_max += answer->rows.count;
    }
    parts->public_rows = wsf_alloc_zero(parts->rows.count + 1, sizeof *parts->public_rows);
    parts->answers = wsf_alloc_zero(answers_max, sizeof *parts->answers);
    parts->missing.nodes = wsf_alloc_zero(missing_max, sizeof *parts->missing.nodes);
    parts->missing.count = 0;
    parts->missing.capacity = missing_max;
    return parts->public_rows != NULL && parts->answers != NULL && parts->missing.nodes != NULL &&
           !parts->rows.failed;
}

static void name_missing(const wsf_request *request, const wsf_asked_node *asked,
                         node_set *missing) {
    const wsf_rows *rows = &asked->answer.rows;
    if (asked->answer.status != WSFAN_OK &&
        (asked->answer.status != WSFAN_EPARTIAL || request->kind != WSFAN_REQUEST_JOIN))
        add_node(missing, asked->node);
    if (request->kind != WSFAN_REQUEST_JOIN || asked->answer.status == WSFAN_OK)
        return; /* a peer that names missing peers but says OK is malformed */
    for (uint32_t i = 0; i < rows->count; i++)
        if (rows->list[i]->key_size == 8)
            add_node(missing, read_u64(rows->list[i]->bytes));
}

static void tell_refusing(const wsf_request *request, reply_parts *parts, wsfan_reply *reply) {
    for (uint32_t i = 0; i < request->refusing_count; i++) {
        reply->status = WSFAN_EPARTIAL;
        /* One that was a peer has an answer. */
        if (add_node(&parts->missing, request->refusing[i]))
            parts->answers[reply->answers_count++] = (wsfan_answer){ .node = request->refusing[i],
                                                                     .status = WSFAN_EREFUSED };
    }
}

void wsf_request_tell(wsf_request *request, void (*tell)(void *user, const wsfan_reply *reply),
                      void *user) {
    reply_parts parts;
    wsfan_reply reply = { .kind = request->kind, .reply_user = request->reply_user };
    bool made = make_parts(request, &parts) && !request->failed;
    reply.status = made ? WSFAN_OK : WSFAN_ENOMEM;
    for (uint32_t i = 0; made && i < request->nodes_count; i++) {
        const wsf_asked_node *asked = &request->nodes[i];
        if (asked->node == 0)
            continue;
        if (asked->answer.status != WSFAN_OK)
            reply.status = WSFAN_EPARTIAL;
        name_missing(request, asked, &parts.missing);
        reply.sessions += asked->answer.sessions;
        reply.sessions_failed += asked->answer.sessions_failed;
        parts.answers[reply.answers_count++] = (wsfan_answer){
            .node = asked->node,
            .status = asked->answer.status,
            .sessions = asked->answer.sessions,
            .sessions_failed = asked->answer.sessions_failed,
            .payload = { asked->answer.payload, asked->answer.payload_size },
        };
    }
    if (made)
        tell_refusing(request, &parts, &reply);
    for (uint32_t i = 0; made && i < parts.rows.count; i++)
        parts.public_rows[i] = public_row(request->kind, parts.rows.list[i]);
    if (made && parts.rows.more && parts.rows.count > 0)
        reply.next = wsf_row_key(parts.rows.list[parts.rows.count - 1]);
    reply.rows = parts.public_rows;
    reply.rows_count = made ? parts.rows.count : 0;
    reply.answers = parts.answers;
    reply.missing = parts.missing.nodes;
    reply.missing_count = parts.missing.count;
    tell(user, &reply);
    wsf_rows_destroy(&parts.rows);
    wsf_free(parts.public_rows);
    wsf_free(parts.answers);
    wsf_free(parts.missing.nodes);
}

/* --------------------------------------------------------------------------------- being asked */

wsf_call *wsf_call_new(wsfan_request_kind kind, wsfan_message *message, uint32_t number) {
    wsf_call *call = wsf_alloc_zero(1, sizeof *call);
    if (call == NULL)
        return NULL;
    if (pthread_mutex_init(&call->lock, NULL) != 0) {
        wsf_free(call);
        return NULL;
    }
    atomic_init(&call->refs, 1);
    atomic_init(&call->loops_left, 1);
    atomic_init(&call->expired, false);
    call->kind = kind;
    call->number = number;
    call->message = wsfan_message_ref(message);
    wsf_answer_init(&call->answer, wsf_request_is_list(kind) ? number : WSF_PEERS_MAX);
    return call;
}

static wsf_call *call_ref(wsf_call *call) {
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    return call;
}

void wsf_call_unref(wsf_call *call) {
    if (call == NULL || atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1)
        return;
    wsf_answer_destroy(&call->answer);
    wsfan_message_unref(call->message);
    pthread_mutex_destroy(&call->lock);
    wsf_free(call);
}

wsf_loop_call *wsf_loop_call_new(wsf_call *call) {
    wsf_loop_call *loop_call = wsf_alloc_zero(1, sizeof *loop_call);
    if (loop_call == NULL)
        return NULL;
    loop_call->call = call_ref(call);
    wsf_answer_init(&loop_call->answer, call->answer.rows.count_max);
    atomic_fetch_add(&call->loops_left, 1);
    return loop_call;
}

bool wsf_call_loop_through(wsf_call *call) {
    return atomic_fetch_sub_explicit(&call->loops_left, 1, memory_order_acq_rel) == 1;
}

wsf_call *wsf_loop_call_end(wsf_loop_call *loop_call) {
    wsf_call *call = loop_call->call;
    pthread_mutex_lock(&call->lock);
    wsf_answer_merge(&call->answer, &loop_call->answer);
    pthread_mutex_unlock(&call->lock);
    wsf_answer_destroy(&loop_call->answer);
    wsf_free(loop_call);
    if (wsf_call_loop_through(call))
        return call;
    wsf_call_unref(call);
    return NULL;
}
