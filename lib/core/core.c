/* The core's inputs: what loops ask for, what peers send, and the passing of time. Answers for the order of
 * messages; how nodes meet is in handshake.c, frames are in sender.c and receiver.c.
 *
 * Every message takes one path: stamped here, then to the loops and the links that want it, so each loop
 * of a node sees the messages of a chat in the same order. */
#include "core/core.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/probes.h"
#include "core/barrier.h"
#include "core/diagnosis.h"
#include "core/dialer.h"
#include "core/gossip.h"
#include "core/handshake.h"
#include "core/history/backfill.h"
#include "core/history/epoch.h"
#include "core/history/holders.h"
#include "core/history/holding.h"
#include "core/history/reach.h"
#include "core/history/recover.h"
#include "core/history/source.h"
#include "core/link/batch.h"
#include "core/link/gaps.h"
#include "core/link/receiver.h"
#include "core/link/sender.h"
#include "core/liveness.h"
#include "core/presence/sync.h"
#include "core/probe.h"
#include "core/rounds.h"
#include "core/routing/delivery.h"
#include "core/routing/keeping.h"
#include "core/routing/messages.h"
#include "core/routing/router.h"
#include "core/routing/subscription.h"
#include "core/rpc/client.h"
#include "core/rpc/server.h"
#include "core/statistics.h"
#include "core/status.h"
#include "core/witness.h"

enum { FRAME_SIZE_MIN = 128 * 1024 }; /* bytes; any frame without messages fits */

/* The order of their entries in a frame: lost messages are told before later ones, requests before
 * messages. */
static const wsf_part *const PARTS[] = { &wsf_gaps_part,    &wsf_subscription_part,
                                         &wsf_status_part,  &wsf_presence_part,
                                         &wsf_holding_part, &wsf_gossip_part,
                                         &wsf_rpc_part,     &wsf_messages_part,
                                         &wsf_witness_part, NULL };

static void set_parts(wsf_core *core) {
    core->parts = PARTS;
    for (unsigned i = 0; PARTS[i] != NULL; i++)
        for (unsigned type = 0; type < sizeof core->takers / sizeof *core->takers; type++)
            if ((PARTS[i]->types & wsf_part_type((wsf_entry_type)type)) != 0)
                core->takers[type] = PARTS[i];
}

int wsf_core_new(wsf_core **out, const wsf_core_config *config, const wsf_effects *effects,
                 wsf_now now) {
    wsf_core *core = wsf_alloc_zero(1, sizeof *core);
    if (core == NULL)
        return WSFAN_ENOMEM;
    core->config = *config;
    core->config.link.frames = &core->frames;
    core->config.link.budget = config->links_bytes_max > 0 ? &core->budget : NULL;
    core->budget.bytes_max = config->links_bytes_max;
    if (config->join_silent_ms == 0 || config->join_silent_ms > config->join_ms_max)
        core->config.join_silent_ms = config->join_ms_max;
    wsf_copy_text(core->cluster, sizeof core->cluster, wsfan_string(config->cluster));
    wsf_copy_text(core->name, sizeof core->name, wsfan_string(config->name));
    if (config->endpoint != NULL)
        wsf_copy_text(core->endpoint, sizeof core->endpoint, wsfan_string(config->endpoint));
    core->effects = *effects;
    set_parts(core);
    core->random = config->seed;
    core->epoch = wsf_random(core) >> 1;
    core->last_ms = core->now_ms = now.ms;
    core->clock = config->incarnation << 16; /* so that peers know that nothing is older */
    wsf_hash_key_init(&core->key, core->cluster);
    core->frame_size_max = wsf_core_frame_size_max(config);
    wsf_presence_store_init(&core->presence, &config->presence, wsf_random(core));
    core->presence.now_ms = now.ms;
    core->reader = wsf_reader_new();
    core->batch = wsf_batch_new();
    core->peers = wsf_alloc_zero(config->peers_count_max, sizeof *core->peers);
    memset(core->peer_index.first, WSF_PEER_NONE, sizeof core->peer_index.first);
    core->peer_index.seed = config->seed;
    if (core->peers == NULL || core->reader == NULL || core->batch == NULL ||
        wsf_witness_init(core) != WSFAN_OK ||
        wsf_interest_init(&core->interest, config->remote_chats_count_max,
                          config->interest_log_count_max, wsf_random(core)) != WSFAN_OK) {
        wsf_reader_destroy(core->reader);
        wsf_free(core->batch);
        wsf_free(core->peers);
        wsf_witness_destroy(core);
        wsf_free(core);
        return WSFAN_ENOMEM;
    }
    wsf_keeping_init(core);
    wsf_status_init(core, now);
    wsf_diagnosis_init(core);
    *out = core;
    return WSFAN_OK;
}

uint64_t wsf_core_frame_size_max(const wsf_core_config *config) {
    uint64_t size_max = wsf_frame_bound(config->payload_bytes_max, config->name_bytes_max,
                                        config->targets_count_max);
    return size_max > FRAME_SIZE_MIN ? size_max : FRAME_SIZE_MIN;
}

const char *wsf_core_endpoint(const wsf_core *core) {
    return core->endpoint;
}

size_t wsf_core_introduction(const wsf_core *core, uint8_t topic[WSF_INTRODUCTION_SIZE_MAX]) {
    wsf_introduction introduction = {
        .protocol_min = (uint8_t)core->config.protocol_min,
        .protocol_max = (uint8_t)core->config.protocol_max,
        .node = core->config.node,
    };
    memcpy(introduction.cluster, core->cluster, sizeof introduction.cluster);
    memcpy(introduction.endpoint, core->endpoint, sizeof introduction.endpoint);
    return wsf_write_introduction(topic, &introduction);
}

void wsf_core_name_endpoints(wsf_core *core, unsigned source, const char *const *endpoints,
                             size_t count, wsf_now now) {
    wsf_dialer_name(core, source, endpoints, count, now);
}

void wsf_core_names_known(wsf_core *core) {
    core->status.names_awaited = false;
}

/* --------------------------------------------------------------------------------------- joins */

void wsf_core_join(wsf_core *core, wsf_ticket *ticket, wsf_now now) {
    ticket->missing = NULL;
    ticket->missing_count = 0;
    ticket->deadline_ms = now.ms + core->config.join_ms_max;
    int error = wsf_interest_add_loop(&core->interest, ticket->hash, ticket->loop, &ticket->serial);
    if (error != WSFAN_OK) {
        ticket->status = (int8_t)error;
        core->effects.joined(core->effects.user, ticket);
        return;
    }
    if (ticket->history)
        wsf_keeping_add_loop(core, ticket->hash, ticket->loop);
    else
        wsf_keeping_remove_loop(core, ticket->hash, ticket->loop, now);
    wsf_barrier_add(core, ticket);
}

void wsf_core_leave(wsf_core *core, uint64_t hash, unsigned loop, wsf_now now) {
    wsf_keeping_remove_loop(core, hash, loop, now);
    wsf_interest_remove_loop(&core->interest, hash, loop);
    wsf_presence_sync_left(core, hash);
}

void wsf_core_present(wsf_core *core, wsf_presence_session *presence_session, wsf_now now) {
    core->presence.now_ms = now.ms;
    wsf_presence_sync_begin(core, presence_session);
}

void wsf_core_absent(wsf_core *core, wsf_presence_session *presence_session, wsf_now now) {
    core->presence.now_ms = now.ms;
    wsf_presence_sync_end(core, presence_session);
}

void wsf_core_recover(wsf_core *core, wsf_recovery *recovery, wsf_now now) {
    wsf_recover_add(core, recovery, now);
}

void wsf_core_events_done(wsf_core *core, unsigned loop) {
    /* 0: the block was for an earlier loop of this number. */
    core->sync.events_out[loop] -= core->sync.events_out[loop] > 0;
}

void wsf_core_count(const wsf_core *core, uint64_t chat_hash, wsfan_count *count) {
    wsf_presence_sync_count(core, chat_hash, count);
}

void wsf_core_visit(const wsf_core *core, uint64_t chat_hash, uint64_t *cursor, uint32_t max,
                    void (*each)(void *user, const wsfan_member *member), void *user) {
    uint64_t nodes[WSF_PEERS_MAX];
    wsf_peer_nodes(core, nodes);
    wsf_presence_visit(&core->presence, chat_hash, nodes, core->config.node, cursor, max, each,
                       user);
}

void wsf_core_add_loop(wsf_core *core, unsigned loop) {
    assert(core->config.history_ms == 0 || loop < WSF_LOOP_ARCHIVE);
    core->loops |= UINT64_C(1) << loop;
    core->routed |= UINT64_C(1) << loop;
    wsf_handshake_tell_loop(core, loop);
    wsf_diagnosis_tell_loop(core, loop);
}

void wsf_core_remove_loop(wsf_core *core, unsigned loop, wsf_now now) {
    core->loops &= ~(UINT64_C(1) << loop);
    core->routed &= ~(UINT64_C(1) << loop);
    wsf_recover_forget_loop(core, loop);
    wsf_keeping_forget_loop(core, loop, now);
    wsf_interest_forget_loop(&core->interest, loop);
    wsf_presence_sync_forget_loop(core, loop);
    wsf_barrier_forget_loop(core, loop);
}

void wsf_core_destroy(wsf_core *core) {
    if (core == NULL)
        return;
    wsf_barrier_end(core);
    wsf_recover_end(core);
    wsf_delivery_end(core);
    wsf_rpc_server_end(core);
    wsf_source_end(core);
    wsf_backfill_end(core);
    wsf_rpc_client_end(core);
    wsf_holding_destroy(core);
    wsf_holders_destroy(core);
    wsf_peers known = core->known;
    for (wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        wsf_link_destroy(&peer->link);
    wsf_view_unref(core->status.view);
    wsf_buffer_cache_empty(&core->frames);
    wsf_message_bin_empty(&core->bin);
    wsf_message_pool_close(&core->pool);
    wsf_hash_cache_destroy(&core->hashes);
    wsf_interest_destroy(&core->interest);
    wsf_presence_store_destroy(&core->presence);
    wsf_keeping_destroy(core);
    wsf_witness_destroy(core);
    wsf_reach_end(core);
    wsf_reader_destroy(core->reader);
    wsf_names_free(core->diagnosis.names);
    wsf_free(core->batch);
    wsf_free(core->peers);
    wsf_free(core);
}

/* ------------------------------------------------------------------------------------- publish */

/* Messages of a run have clocks that follow one another. */
static void stamp(wsf_core *core, wsfan_message *message, wsf_now now) {
    uint64_t physical = now.wall_ms << 16;
    core->clock = core->clock < physical ? physical : core->clock + 1;
    message->id = (wsfan_message_id){ core->clock, core->config.node };
    core->clock += message->count - 1;
    core->witness.last = core->clock;
    core->stats.published += message->count;
    core->stats.published_bytes += message->payload_size;
    WSF_PROBE4(publish, core->config.node, message->id.clock, message->payload_size,
               message->count);
}

static void address(wsf_core *core, const wsfan_message *message, wsf_peers peers, wsf_now now) {
    uint64_t refusing[WSF_PEERS_MAX];
    uint32_t count = wsf_router_keep(message, refusing, wsf_dialer_refusers(core, now, refusing));
    wsf_receipt_address(message->receipt, peers, refusing, count);
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &peers)) != NULL;) {
        wsf_receipt_peer *at = wsf_receipt_at(message->receipt, wsf_peer_index(core, peer));
        if (at != NULL)
            at->node = peer->node;
    }
}

void wsf_core_publish(wsf_core *core, wsfan_message *message, wsf_now now) {
    uint64_t loops;
    wsf_peers peers;
    stamp(core, message, now);
    if (wsf_message_is_run(message))
        wsf_router_find_heads(core, message, &loops, &peers);
    else
        wsf_router_find(core, message, &loops, &peers);
    wsf_receipt *receipt = message->receipt;
    if (receipt != NULL)
        address(core, message, peers, now);
    wsf_router_send(core, message, peers, now);
    if (receipt == NULL) {
        wsf_router_deliver(core, message, loops, now);
        return;
    }
    receipt->result.id = message->id;
    wsf_router_deliver(core, wsfan_message_ref(message), loops, now);
    wsf_delivery_add(core, receipt, now);
    wsfan_message_unref(message);
}

void wsf_core_loops_done(wsf_core *core, wsf_receipt *receipt) {
    wsf_delivery_loops_done(core, receipt);
}

void wsf_core_request(wsf_core *core, wsf_request *request, wsf_now now) {
    wsf_rpc_server_ask(core, request, now);
}

void wsf_core_call_through(wsf_core *core, wsf_call *call) {
    wsf_rpc_server_through(core, call);
}

void wsf_core_reply(wsf_core *core, uint64_t token, void *payload, size_t size) {
    wsf_rpc_server_reply(core, token, payload, size);
}

bool wsf_core_congested(const wsf_core *core) {
    return !wsf_peers_is_empty(core->congested);
}

/* ------------------------------------------------------------------------------------- network */

void wsf_core_expect(wsf_core *core, uint32_t identity) {
    core->expected_identity = identity;
}

void wsf_core_expel(wsf_core *core, bool (*may)(void *user, uint32_t identity), void *user) {
    wsf_handshake_expel(core, may, user);
}

void wsf_core_receive(wsf_core *core, uint32_t connection, wsf_buffer *frame, wsf_now now) {
    assert(connection < WSF_CONNECTIONS_MAX);
    core->now_ms = core->presence.now_ms = now.ms;
    if (!core->dialer.endpoints[connection].dialled)
        return; /* was under way when this node hung up */
    wsf_frame_head head;
    if (wsf_reader_open(core->reader, frame, core->config.node, &head) != WSFAN_OK) {
        wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        return;
    }
    if (core->expected_identity != 0 && wsf_identity_of(head.sender) != core->expected_identity) {
        wsf_count_drop(core, WSFAN_DROP_FORGED, 1);
        return;
    }
    wsf_dialer_identify(core, connection, head.sender, now);
    if (head.sender == core->config.node)
        wsf_handshake_own_id(core, connection);
    else
        wsf_receiver_take(core, connection, &head, frame, now);
}

void wsf_core_subscription(wsf_core *core, bool subscribed, const void *topic, size_t size,
                           wsf_now now) {
    wsf_introduction introduction;
    core->now_ms = core->presence.now_ms = now.ms;
    switch (wsf_read_topic(topic, size, &introduction)) {
    case WSF_TOPIC_INBOX:
        wsf_handshake_subscriber(core, introduction.node, subscribed, now);
        break;
    case WSF_TOPIC_INTRODUCTION:
        if (subscribed)
            wsf_handshake_introduction(core, &introduction, now);
        break;
    case WSF_TOPIC_OTHER:
        if (subscribed)
            wsf_count_drop(core, WSFAN_DROP_MALFORMED, 1);
        break;
    }
}

void wsf_core_probed(wsf_core *core, uint64_t node, bool refused, wsf_now now) {
    wsf_peer *peer = wsf_peer_find(core, node);
    core->now_ms = core->presence.now_ms = now.ms;
    if (peer != NULL)
        wsf_peer_stir(core, peer);
    if (peer != NULL && wsf_probe_answer(core, peer, refused, now))
        wsf_handshake_down(core, peer, WSFAN_REASON_ENDED);
}

/* ------------------------------------------------------------------------------------ diagnosis */

void wsf_core_carrier(wsf_core *core, uint32_t connection, wsfan_endpoint_state found,
                      uint32_t attempts) {
    wsf_diagnosis_carrier(core, connection, found, attempts);
}

void wsf_core_caller(wsf_core *core, const char *address, wsfan_endpoint_state cause, wsf_now now) {
    wsf_diagnosis_caller(core, address, cause, now);
}

void wsf_core_set_names(wsf_core *core, wsf_name *names, wsf_now now) {
    wsf_diagnosis_set_names(core, names, now);
}

size_t wsf_core_endpoints(const wsf_core *core, wsfan_endpoint *endpoints, size_t capacity,
                          wsf_now now) {
    return wsf_diagnosis_endpoints(core, endpoints, capacity, now);
}

size_t wsf_core_callers(const wsf_core *core, wsfan_caller *callers, size_t capacity, wsf_now now) {
    return wsf_diagnosis_callers(core, callers, capacity, now);
}

void wsf_core_state(const wsf_core *core, wsfan_node_state *state, wsf_now now) {
    wsf_diagnosis_state(core, state, now);
}

/* ---------------------------------------------------------------------------------------- time */

void wsf_core_flush(wsf_core *core, wsf_now now) {
    core->now_ms = core->presence.now_ms = now.ms;
    wsf_rounds_begin(core, now);
    wsf_liveness_tick(core, now);
    wsf_status_tick(core, now);
    wsf_epoch_tick(core, now);
    wsf_keeping_tick(core, now);
    wsf_holders_tick(core);
    wsf_holding_tick(core, now);
    wsf_source_tick(core, now);
    wsf_backfill_tick(core, now);
    wsf_rounds_flush(core, now);
    wsf_message_bin_empty(&core->bin);
    if (now.ms >= core->trim_ms) {
        core->trim_ms = now.ms + core->config.heartbeat_ms;
        wsf_buffer_cache_trim(&core->frames);
        wsf_message_pool_trim(&core->pool);
    }
    wsf_barrier_tick(core, now);
    wsf_delivery_tick(core, now);
    if (core->status.drain != WSF_DRAIN_NONE)
        wsf_status_finish(core, wsf_core_drained(core), now);
    wsf_diagnosis_tick(core, now);
    for (unsigned i = 0; core->parts[i] != NULL; i++)
        if (core->parts[i]->tick != NULL)
            core->parts[i]->tick(core, now);
    wsf_reach_tick(core, now);
    wsf_recover_tick(core, now);
}

uint64_t wsf_core_deadline(const wsf_core *core) {
    uint64_t at = wsf_liveness_deadline(core);
    uint64_t delivery_at = wsf_delivery_deadline(core);
    at = delivery_at < at ? delivery_at : at;
    uint64_t keeping_at = wsf_keeping_deadline(core);
    at = keeping_at < at ? keeping_at : at;
    if (core->holders.looks > 0 || core->holding.more)
        at = core->last_ms;
    uint64_t source_at = wsf_source_deadline(core);
    at = source_at < at ? source_at : at;
    uint64_t backfill_at = wsf_backfill_deadline(core);
    at = backfill_at < at ? backfill_at : at;
    uint64_t reach_at = wsf_reach_deadline(core);
    at = reach_at < at ? reach_at : at;
    uint64_t recover_at = wsf_recover_deadline(core);
    at = recover_at < at ? recover_at : at;
    at = core->diagnosis.at_ms < at ? core->diagnosis.at_ms : at;
    for (unsigned i = 0; core->parts[i] != NULL; i++) {
        uint64_t part_at = core->parts[i]->deadline != NULL ? core->parts[i]->deadline(core)
                                                            : UINT64_MAX;
        at = part_at < at ? part_at : at;
    }
    uint64_t rounds_at = wsf_rounds_deadline(core);
    at = rounds_at < at ? rounds_at : at;
    uint64_t barrier_at = wsf_barrier_deadline(core);
    return barrier_at < at ? barrier_at : at;
}

int wsf_core_readiness(const wsf_core *core, wsf_now now) {
    return wsf_status_readiness(core, now);
}

void wsf_core_drain(wsf_core *core, uint32_t ms_max, wsf_now now) {
    wsf_status_drain(core, ms_max, now);
}

void wsf_core_quiet(wsf_core *core) {
    wsf_status_quiet(core);
}

bool wsf_core_drained(const wsf_core *core) {
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;) {
        if (wsf_peer_live(peer) && peer->reachable &&
            (peer->link.queue_count > 0 || peer->link.open.messages > 0 ||
             peer->link.talk.count > 0 || peer->link.sent.count > 0))
            return false;
    }
    return true;
}

void wsf_core_say_bye(wsf_core *core, wsf_now now) {
    wsf_peers linked = core->linked;
    for (wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;)
        wsf_sender_bye(core, peer, now);
}

/* ---------------------------------------------------------------------------------- statistics */

void wsf_core_count_drop(wsf_core *core, wsfan_drop reason, uint64_t count) {
    wsf_count_drop(core, reason, count);
}

void wsf_core_stats(const wsf_core *core, wsfan_stats *stats) {
    wsf_statistics_node(core, stats);
}

size_t wsf_core_peers(const wsf_core *core, wsfan_peer_stats *peers, size_t capacity) {
    return wsf_statistics_peers(core, peers, capacity);
}

void wsf_core_measure(const wsf_core *core, wsf_core_metrics *metrics) {
    wsf_statistics_measure(core, metrics);
}
