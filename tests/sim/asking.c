/* Requests of host processes, and what their loops do with calls. The ledger hears of every effect. */
#include <string.h>

#include "base/memory.h"
#include "core/core.h"
#include "core/state.h"
#include "crew.h"

static wsf_core *core_of(const loop *of) {
    return world_core(of->owner->world, of->node);
}

static host *host_of(const loop *of) {
    return &of->owner->hosts[of->node];
}

/* ---------------------------------------------------------------------------------------- calls */

static void on_left(void *user, const wsfan_left *left) {
    loop *at = user;
    client *who = left->session_user;
    unsigned chat = *(const uint8_t *)left->chat.data;
    ledger_leave(at->owner->ledger, who->number, chat);
    hosts_end_membership(at->owner, at->node, who, chat);
}

/* Most hosts close the connection at once; some never do. */
static void on_close(void *user, const wsfan_close *close) {
    loop *at = user;
    if (close->code != 4000 || close->reason.size != 3)
        ledger_violation(at->owner->ledger, "a close with another code or reason");
    if (world_random(at->owner->world, 4) != 0)
        hosts_close_one(at->owner, at->node, close->session_user);
}

static void on_request(void *user, const wsfan_request *request) {
    loop *at = user;
    hosts *h = at->owner;
    uint64_t number = UINT64_MAX;
    if (request->payload.size == sizeof number)
        memcpy(&number, request->payload.data, sizeof number);
    if (world_random(h->world, 8) == 0)
        return; /* not answered */
    uint64_t *echo = need(wsf_alloc(2 * sizeof *echo));
    echo[0] = number;
    echo[1] = world_node_id(h->world, at->node);
    wsf_core_reply(core_of(at), request->token, echo, 2 * sizeof *echo);
}

static void on_end(void *user, wsf_loop_call *loop_call) {
    loop *at = user;
    wsf_call *call = wsf_loop_call_end(loop_call);
    if (host_of(at)->dying) {
        wsf_call_unref(call);
        return;
    }
    if (call != NULL)
        wsf_core_call_through(core_of(at), call);
    world_touch(at->owner->world, at->node);
}

wsf_executor_effects asking_effects(loop *of) {
    return (wsf_executor_effects){ of, on_left, on_close, on_request, on_end };
}

/* Tells the ledger what this loop is about to do, for every session that is addressed and for no other. */
static void note_done(loop *at, const wsf_call *call) {
    hosts *h = at->owner;
    uint32_t number = claims_find(h->claims, call->asker, call->id);
    if (number == UINT32_MAX) {
        ledger_violation(h->ledger, "a request that nobody made");
        return;
    }
    unsigned chat = claims_chat(h->claims, number);
    uint32_t life = host_of(at)->life;
    for (uint32_t i = 0; i < host_of(at)->clients_count; i++) {
        const client *who = host_of(at)->clients[i];
        bool is_in = (ledger_chats(h->ledger, who->number) >> chat & 1) != 0;
        if (&host_of(at)->loops[who->loop] != at ||
            !ledger_addresses(h->ledger, who->number, claims_targets(h->claims, number)) ||
            (call->kind == WSFAN_REQUEST_LEAVE && !is_in))
            continue;
        if (call->kind == WSFAN_REQUEST_JOIN && !is_in)
            ledger_join(h->ledger, who->number, chat);
        claims_done(h->claims, number, life, who->number);
    }
}

void asking_perform(loop *at, wsf_loop_call *loop_call) {
    const wsf_call *call = loop_call->call;
    if (!call->expired && call->kind <= WSFAN_REQUEST_CLOSE)
        note_done(at, call);
    if (!wsf_executor_run(&at->executor, loop_call))
        asking_put_loop_call(at, loop_call);
}

/* ------------------------------------------------------------------------------------- requests */

static wsfan_request_kind choose_kind(hosts *h) {
    static const wsfan_request_kind kinds[] = { WSFAN_REQUEST_JOIN,     WSFAN_REQUEST_JOIN,
                                                WSFAN_REQUEST_JOIN,     WSFAN_REQUEST_LEAVE,
                                                WSFAN_REQUEST_CLOSE,    WSFAN_REQUEST_SESSIONS,
                                                WSFAN_REQUEST_SESSIONS, WSFAN_REQUEST_CHATS,
                                                WSFAN_REQUEST_NODES,    WSFAN_REQUEST_SEND };
    return kinds[world_random(h->world, sizeof kinds / sizeof *kinds)];
}

static bool knows(const wsf_core *core, uint64_t node) {
    const wsf_peer *peer = wsf_peer_find(core, node);
    return peer != NULL ? peer->state != 0 : core->config.node == node;
}

/* Whether the joins of `node` waited for `asker`: not while `asker` was down for `node`, though `node` was up
 * for `asker`. */
static bool counts_on(hosts *h, uint64_t node, uint64_t asker) {
    for (unsigned n = 0; n < h->used; n++) {
        const wsf_core *core = world_core(h->world, n);
        if (core == NULL || core->config.node != node)
            continue;
        const wsf_peer *peer = wsf_peer_find(core, asker);
        return peer != NULL ? wsf_peer_live(peer) && peer->subscription.serial_skipped == 0
                            : node == asker;
    }
    return false;
}

/* Notes the sessions that a complete list must show: their on_joined said that every peer knows of them. */
static void expect_rows(hosts *h, unsigned node, uint32_t number, uint32_t chats) {
    uint32_t life = h->hosts[node].life;
    for (uint32_t s = 0; s < ledger_sessions(h->ledger); s++) {
        uint32_t there = ledger_life(h->ledger, s);
        if (!ledger_at(h->ledger, s, there) || !ledger_mutual(h->ledger, life, there) ||
            !knows(world_core(h->world, node), ledger_node(h->ledger, there)) ||
            !counts_on(h, ledger_node(h->ledger, there), world_node_id(h->world, node)))
            continue;
        for (unsigned chat = 0; chat < LEDGER_CHATS_MAX; chat++)
            if ((chats >> chat & 1) != 0 && ledger_told(h->ledger, s, chat, life))
                claims_must_list(h->claims, number, s, chat);
    }
}

static void choose_targets(hosts *h, wsfan_request_kind kind, unsigned chats, choice *c) {
    bool all = kind == WSFAN_REQUEST_NODES || kind == WSFAN_REQUEST_SEND ||
               (kind == WSFAN_REQUEST_CHATS && world_random(h->world, 2) == 0);
    if (kind == WSFAN_REQUEST_CLOSE) {
        choice_make_session(h, c);
        return;
    }
    choice_make(h, chats, c);
    c->ledger.except = UINT32_MAX; /* requests leave sessions out by targets */
    if (!all)
        return;
    *c = (choice){ .ledger = ledger_nobody(), .count = 1 };
    c->ledger.all = true;
    c->targets[0] = (wsfan_target){ WSFAN_ALL, { NULL, 0 } };
}

void hosts_ask(hosts *h, unsigned node, unsigned chats) {
    choice chosen;
    wsfan_request_kind kind = choose_kind(h);
    choose_targets(h, kind, chats, &chosen);
    if (chosen.count == 0)
        return;
    uint8_t chat = (uint8_t)world_random(h->world, chats);
    uint32_t ms_max = 500 + (uint32_t)world_random(h->world, 5500);
    uint32_t number = claims_ask(h->claims, h->hosts[node].life, kind, chat, &chosen.ledger,
                                 ms_max);
    uint64_t wide = number;
    wsfan_bytes payload = { NULL, 0 };
    uint32_t argument = 0;
    if (kind == WSFAN_REQUEST_JOIN || kind == WSFAN_REQUEST_LEAVE) {
        payload = (wsfan_bytes){ &chat, 1 };
    } else if (kind == WSFAN_REQUEST_CLOSE) {
        payload = wsfan_string("why");
        argument = 4000;
    } else if (kind == WSFAN_REQUEST_SEND) {
        payload = (wsfan_bytes){ &wide, sizeof wide };
    } else {
        argument = world_random(h->world, 4) == 0 ? 1 + (uint32_t)world_random(h->world, 5)
                                                  : WSF_ROWS_COUNT_MAX;
    }
    bool one_chat = chosen.count == 1 && chosen.targets[0].kind == WSFAN_CHAT;
    if (kind == WSFAN_REQUEST_SESSIONS && one_chat)
        expect_rows(h, node, number, chosen.ledger.chats);
    else if (kind == WSFAN_REQUEST_CHATS && chosen.ledger.all && chosen.count == 1)
        expect_rows(h, node, number, UINT32_MAX);
    wsfan_message *message = need(
        wsf_message_new(&h->key, &(wsf_message_parts){ .targets = chosen.targets,
                                                       .targets_count = (uint32_t)chosen.count,
                                                       .payload = payload }));
    wsf_request *ask = need(wsf_request_new(kind, message, argument, ms_max));
    ask->reply_user = (void *)(uintptr_t)number;
    wsf_core_request(world_core(h->world, node), ask, world_now(h->world, node));
    claims_named(h->claims, number, ask->id);
    world_touch(h->world, node);
}

static void tell(void *user, const wsfan_reply *reply) {
    const loop *at = user;
    hosts *h = at->owner;
    uint32_t number = (uint32_t)(uintptr_t)reply->reply_user;
    claims_reply(h->claims, reply);
    if (reply->kind == WSFAN_REQUEST_JOIN && reply->sessions > 0)
        hosts_greet(h, claims_chat(h->claims, number));
}

void asking_reply(loop *at, wsf_request *ask) {
    wsf_request_tell(ask, tell, at);
    wsf_request_free(ask);
}

void hosts_check_asks(hosts *h, unsigned node, uint64_t frozen_ms) {
    claims_check_time(h->claims, h->hosts[node].life, frozen_ms);
}

void hosts_check_answers(hosts *h) {
    claims_check_end(h->claims);
}

void hosts_forget(hosts *h) {
    testimony_forget(h->testimony);
    claims_forget(h->claims);
    returns_forget(h->returns);
    h->mistaken = h->mistaken_of = WORLD_NODES_MAX;
}
