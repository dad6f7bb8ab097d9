/* Answers for handing calls to the loops that they are for, and the answers to the nodes that asked; and
 * for a bound on unfinished calls, however many loops stall. */
#include "core/rpc/server.h"

#include "base/memory.h"
#include "core/dialer.h"
#include "core/history/backfill.h"
#include "core/history/source.h"
#include "core/link/batch.h"
#include "core/link/sender.h"
#include "core/routing/router.h"
#include "core/rpc/client.h"
#include "core/rpc/reply.h"
#include "core/statistics.h"
#include "wire/history_codec.h"

/* A request and the node that asks, a peer or this one. */
typedef struct {
    uint64_t asker;
    uint64_t id;
    uint32_t kind;
    uint32_t number;
    uint32_t ms_max;
    wsfan_message *message;
    uint64_t loops;
} call_parts;

/* ------------------------------------------------------------------------------------ answering */

/* Takes the answer over. */
static void give_answer(wsf_core *core, uint64_t asker, uint64_t id, wsf_answer *answer) {
    if (asker == core->config.node) {
        wsf_rpc_client_answer(core, WSF_REQUEST_OWN, asker, id, answer);
        return;
    }
    wsf_peer *peer = wsf_peer_find(core, asker);
    if (peer != NULL && peer->linked)
        wsf_rpc_reply(core, peer, id, answer);
    wsf_answer_destroy(answer);
}

static void give_status(wsf_core *core, uint64_t asker, uint64_t id, int status) {
    wsf_answer answer;
    wsf_answer_init(&answer, 0);
    answer.status = status;
    give_answer(core, asker, id, &answer);
}

/* ------------------------------------------------------------------------------------- calls */

/* A call counts until its asker does not wait any more and its loops are done. */
static void settle(wsf_core *core, const wsf_call *call) {
    if (call->waiting || !call->done)
        return;
    core->rpc.calls_count--;
    wsf_peer *peer = wsf_peer_find(core, call->asker);
    uint64_t bytes = wsf_message_size(call->message);
    if (peer == NULL || peer->rpc.calls_count == 0 || peer->rpc.calls_bytes < bytes)
        return; /* the peer was forgotten meanwhile, and its counts began anew */
    peer->rpc.calls_count--;
    peer->rpc.calls_bytes -= bytes;
}

static void stop_waiting(wsf_core *core, wsf_call *call) {
    wsf_call **link = &core->rpc.calls;
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    call->waiting = false;
    settle(core, call);
    wsf_call_unref(call);
}

static void finish(wsf_core *core, wsf_call *call) {
    call->done = true;
    if (!call->waiting) {
        settle(core, call);
        return;
    }
    if (call->kind == WSFAN_REQUEST_SEND && call->answer.status == WSFAN_OK)
        return; /* the host answers, by wsf_rpc_server_reply() */
    wsf_answer answer = call->answer;
    wsf_answer_init(&call->answer, 0);
    uint64_t asker = call->asker;
    uint64_t id = call->id;
    stop_waiting(core, call);
    give_answer(core, asker, id, &answer);
}

void wsf_rpc_server_through(wsf_core *core, wsf_call *call) {
    finish(core, call);
    wsf_call_unref(call);
}

/* The loops that get a share of the call. */
static uint64_t loops_for(const wsf_core *core, const call_parts *r) {
    if (r->kind == WSFAN_REQUEST_SEND)
        return core->loops & (~core->loops + 1); /* the lowest */
    if (r->kind == WSFAN_REQUEST_STATS)
        return 0; /* the core answers */
    return r->kind == WSFAN_REQUEST_NODES ? core->loops : r->loops;
}

static void hand_out(wsf_core *core, wsf_call *call, uint64_t loops) {
    wsf_loop_call *loop_calls[WSF_LOOPS_MAX] = { NULL };
    for (unsigned loop = 0; loop < WSF_LOOPS_MAX; loop++)
        if ((loops >> loop & 1) != 0 && (loop_calls[loop] = wsf_loop_call_new(call)) == NULL)
            call->answer.status = WSFAN_ENOMEM;
    for (unsigned loop = 0; loop < WSF_LOOPS_MAX; loop++)
        if (loop_calls[loop] != NULL) /* from now on only the loops write call->answer */
            core->effects.loop_call(core->effects.user, loop, loop_calls[loop]);
    if (wsf_call_loop_through(call))
        finish(core, call);
}

/* The core names this node itself, which may have no loops. */
static void note_node(const wsf_core *core, wsf_call *call) {
    static const wsfan_bytes none = { NULL, 0 };
    uint8_t bytes[8];
    wsfan_bytes key = { bytes, sizeof bytes };
    wsf_put_u64(bytes, core->config.node);
    if (wsf_key_compare(key, none, wsfan_message_payload(call->message)) > 0)
        wsf_rows_add(&call->answer.rows, key, none, wsfan_string(core->name), 0);
    if (call->answer.rows.failed)
        call->answer.status = WSFAN_ENOMEM;
}

/* One peer must not take all the room: it has at most four times as many calls as are free, and no more
 * bytes than its queue may have. peer NULL: this node asks. */
static bool has_room(const wsf_core *core, const wsf_peer *peer, const wsfan_message *message) {
    uint64_t left = core->config.requests_count_max - core->rpc.calls_count;
    if (left == 0 || peer == NULL)
        return left > 0;
    return peer->rpc.calls_count <= 4 * left &&
           (peer->rpc.calls_count == 0 ||
            peer->rpc.calls_bytes + wsf_message_size(message) <= core->config.link.queue_bytes_max);
}

static void begin(wsf_core *core, const call_parts *r, wsf_now now) {
    wsf_peer *peer = wsf_peer_find(core, r->asker);
    wsf_call *call = NULL;
    int status = WSFAN_ENOMEM;
    if (r->kind < WSFAN_REQUEST_JOIN || r->kind > WSFAN_REQUEST_STATS)
        status = WSFAN_ENOTSUP;
    else if (!has_room(core, peer, r->message))
        status = WSFAN_ELIMIT;
    else
        call = wsf_call_new((wsfan_request_kind)r->kind, r->message, r->number);
    if (call == NULL) {
        core->stats.requests_refused++;
        give_status(core, r->asker, r->id, status);
        return;
    }
    core->stats.requests_taken++;
    core->rpc.calls_count++;
    if (peer != NULL) {
        peer->rpc.calls_count++;
        peer->rpc.calls_bytes += wsf_message_size(r->message);
    }
    call->token = ++core->rpc.tokens;
    call->asker = r->asker;
    call->id = r->id;
    call->deadline_ms = now.ms + r->ms_max;
    call->waiting = true;
    call->next = core->rpc.calls;
    core->rpc.calls = call;
    uint64_t loops = loops_for(core, r);
    if (call->kind == WSFAN_REQUEST_SEND && loops == 0)
        call->answer.status = WSFAN_ENOTSUP;
    if (call->kind == WSFAN_REQUEST_NODES)
        note_node(core, call);
    if (call->kind == WSFAN_REQUEST_STATS)
        wsf_statistics_note(core, call);
    hand_out(core, call, loops);
}

/* -------------------------------------------------------------------------------------- asking */

static wsf_buffer *write_request(const wsf_request *request) {
    wsf_buffer *entry = wsf_buffer_new((uint32_t)wsf_message_bound(request->message));
    if (entry == NULL)
        return NULL;
    wsf_writer writer = { entry->data, entry->capacity, 0 };
    wsf_write_request(&writer, request);
    entry->size = (uint32_t)writer.size;
    return entry;
}

static void note_asked(wsf_request *request, uint32_t place, uint64_t node, int status) {
    wsf_asked_node *asked = &request->nodes[place];
    asked->node = node;
    wsf_answer_init(&asked->answer, 0);
    asked->answer.status = status;
    asked->open = status == WSFAN_OK;
    request->open_count += asked->open;
}

/* Nodes of targets that this node does not know count as silent. Their places begin at `first`. */
static void note_unknown(const wsf_core *core, wsf_request *request, uint32_t first) {
    uint32_t place = first;
    for (uint32_t i = 0; i < request->message->targets_count; i++) {
        const wsf_message_target *target = &request->message->targets[i];
        bool known = target->hash == core->config.node;
        if (target->kind != WSFAN_SESSION && target->kind != WSFAN_NODE)
            continue;
        for (uint32_t p = 0; p < place && !known; p++)
            known = request->nodes[p].node == target->hash;
        if (!known)
            note_asked(request, place++, target->hash, WSFAN_ESILENT);
    }
}

void wsf_rpc_server_ask(wsf_core *core, wsf_request *request, wsf_now now) {
    uint64_t loops;
    wsf_peers peers;
    wsf_buffer *entry = NULL;
    request->id = ++core->rpc.request_ids;
    wsf_router_find_known(core, request->message, &loops, &peers);
    uint64_t refusing[WSF_PEERS_MAX];
    uint32_t refusing_count = wsf_router_keep(request->message, refusing,
                                              wsf_dialer_refusers(core, now, refusing));
    uint32_t places = wsf_peers_end(core->known);
    if (!wsf_request_make_room(request, places, refusing, refusing_count)) {
        wsf_rpc_client_add(core, request, now);
        return;
    }
    for (unsigned i; (i = wsf_peers_pop(&peers)) < WSF_PEERS_MAX;) {
        wsf_peer *peer = &core->peers[i];
        int status = WSFAN_ESILENT;
        if (wsf_peer_live(peer)) {
            if (entry == NULL)
                entry = write_request(request);
            status = entry != NULL ? wsf_sender_talk(core, peer, entry) : WSFAN_ENOMEM;
        }
        note_asked(request, 1 + i, peer->node, status);
    }
    wsf_buffer_unref(entry);
    bool every_node = request->kind == WSFAN_REQUEST_NODES || request->kind == WSFAN_REQUEST_SEND ||
                      request->kind == WSFAN_REQUEST_STATS;
    const wsf_message_target *first = &request->message->targets[0];
    bool own = every_node ? first->kind == WSFAN_ALL || first->hash == core->config.node
                          : loops != 0;
    if (own)
        note_asked(request, WSF_REQUEST_OWN, core->config.node, WSFAN_OK);
    note_unknown(core, request, 1 + places);
    call_parts r = { core->config.node, request->id,      request->kind, request->number,
                     request->ms_max,   request->message, loops };
    wsfan_message_ref(request->message);
    wsf_rpc_client_add(core, request, now);
    if (own)
        begin(core, &r, now);
    wsfan_message_unref(r.message);
}

/* Whether the entry has what the loops take for granted. */
static bool acceptable(const wsf_core *core, const wsf_entry *entry) {
    size_t size = entry->request.payload.size;
    uint32_t number = entry->request.number;
    switch (entry->request.kind) {
    case WSFAN_REQUEST_JOIN:
    case WSFAN_REQUEST_LEAVE:
        return size >= 1 && size <= core->config.name_bytes_max;
    case WSFAN_REQUEST_CLOSE:
        return wsf_close_valid(number, entry->request.payload);
    case WSFAN_REQUEST_SESSIONS:
    case WSFAN_REQUEST_CHATS:
    case WSFAN_REQUEST_NODES:
    case WSFAN_REQUEST_STATS:
        return number >= 1 && number <= WSF_ROWS_COUNT_MAX;
    default:
        return true;
    }
}

static void take_request(wsf_core *core, const wsf_peer *peer, const wsf_entry *entry,
                         wsf_now now) {
    call_parts r = { .asker = peer->node,
                     .id = entry->request.id,
                     .kind = entry->request.kind,
                     .number = entry->request.number,
                     .ms_max = entry->request.ms_max };
    if (!acceptable(core, entry) ||
        !wsf_router_acceptable(core, entry->request.targets, entry->request.targets_count,
                               entry->request.payload.size)) {
        core->stats.requests_refused++;
        give_status(core, r.asker, r.id, WSFAN_ETOOBIG);
        return;
    }
    if (r.ms_max > core->config.request_ms_max)
        r.ms_max = core->config.request_ms_max;
    r.message = wsf_message_new(&core->key,
                                &(wsf_message_parts){ .targets = entry->request.targets,
                                                      .targets_count = entry->request.targets_count,
                                                      .payload = entry->request.payload });
    if (r.message == NULL) {
        core->stats.requests_refused++;
        give_status(core, r.asker, r.id, WSFAN_ENOMEM);
        return;
    }
    wsf_peers peers;
    wsf_router_find_known(core, r.message, &r.loops, &peers);
    begin(core, &r, now);
    wsfan_message_unref(r.message);
}

void wsf_rpc_server_reply(wsf_core *core, uint64_t token, void *payload, size_t size) {
    for (wsf_call *call = core->rpc.calls; call != NULL; call = call->next) {
        if (call->token != token || call->kind != WSFAN_REQUEST_SEND)
            continue;
        wsf_answer answer;
        wsf_answer_init(&answer, 0);
        answer.payload = payload;
        answer.payload_size = size;
        uint64_t asker = call->asker;
        uint64_t id = call->id;
        stop_waiting(core, call);
        give_answer(core, asker, id, &answer);
        return;
    }
    wsf_free(payload); /* too late */
}

/* ---------------------------------------------------------------------------------------- time */

static void tick_calls(wsf_core *core, wsf_now now) {
    for (wsf_call *call = core->rpc.calls, *next; call != NULL; call = next) {
        next = call->next;
        if (now.ms < call->deadline_ms)
            continue;
        atomic_store(&call->expired, true);
        stop_waiting(core, call);
    }
}

static uint64_t calls_deadline(const wsf_core *core) {
    uint64_t at = UINT64_MAX;
    for (const wsf_call *call = core->rpc.calls; call != NULL; call = call->next)
        at = call->deadline_ms < at ? call->deadline_ms : at;
    return at;
}

void wsf_rpc_server_end(wsf_core *core) {
    while (core->rpc.calls != NULL)
        stop_waiting(core, core->rpc.calls);
}

/* --------------------------------------------------------------------------------------- stream */

static bool take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now) {
    (void)frame;
    bool keeps = core->config.history_ms != 0;
    if (entry->type == WSF_REQUEST && keeps && entry->request.kind == WSF_REQUEST_KEPT)
        wsf_source_take(core, peer, entry, now);
    else if (entry->type == WSF_REQUEST)
        take_request(core, peer, entry, now);
    else if (!keeps || !wsf_backfill_take(core, peer, entry, now))
        wsf_rpc_client_take(core, peer, entry);
    return true;
}

static bool plan(wsf_core *core, wsf_peer *peer, wsf_batch *batch) {
    (void)core;
    const wsf_deque *talk = &peer->link.talk;
    while (
        batch->rpc.count < talk->count &&
        wsf_batch_add(peer, batch, (*(wsf_buffer **)wsf_deque_at(talk, batch->rpc.count))->size, 0))
        batch->rpc.count++;
    return batch->rpc.count > 0;
}

static void write(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer) {
    (void)core;
    for (uint32_t i = 0; i < batch->rpc.count; i++) {
        const wsf_buffer *entry = *(wsf_buffer **)wsf_deque_at(&peer->link.talk, i);
        wsf_write_entry(writer, entry->data, entry->size);
    }
}

static void commit(wsf_core *core, wsf_peer *peer, const wsf_batch *batch) {
    (void)core;
    for (uint32_t i = 0; i < batch->rpc.count; i++)
        wsf_link_talked(&peer->link);
}

static void unlink(wsf_core *core, wsf_peer *peer) {
    wsf_link_drop_talk(&peer->link);
    wsf_rpc_client_lose(core, peer);
    wsf_source_lose(core, peer);
    wsf_backfill_lose(core, peer);
}

static void tick(wsf_core *core, wsf_now now) {
    tick_calls(core, now);
    wsf_rpc_client_tick(core, now);
}

static uint64_t deadline(const wsf_core *core) {
    uint64_t calls_ms = calls_deadline(core);
    uint64_t requests_ms = wsf_rpc_client_deadline(core);
    return calls_ms < requests_ms ? calls_ms : requests_ms;
}

const wsf_part wsf_rpc_part = {
    .types = UINT32_C(1) << WSF_REQUEST | UINT32_C(1) << WSF_REPLY,
    .take = take,
    .reserve_bytes = WSF_PART_ANYWAY,
    .plan = plan,
    .write = write,
    .commit = commit,
    .unlink = unlink,
    .tick = tick,
    .deadline = deadline,
};
