/* Answers for what the node counts, to its host and, as rows of (this node, peer, name): number, to others. The
 * core answers others alone, so that a node whose loops stall, or that has none, answers too. Names are those of
 * the fields in wsfan/stats.h. */
#include "core/statistics.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "core/dialer.h"
#include "core/routing/keeping.h"

static void fill_history(const wsf_core *core, wsfan_stats *stats) {
    wsf_history_counts counts;
    wsf_keeping_counts(core, &counts);
    stats->history_chats = counts.chats;
    stats->history_held = counts.held;
    stats->history_refused = counts.refused;
    stats->history_messages = counts.messages;
    stats->history_bytes = counts.bytes;
    stats->history_evicted = counts.evicted;
    stats->history_expired = counts.expired;
    stats->history_unheld = counts.unheld;
    stats->history_unclocked = core->witness.refused;
    stats->history_asked = core->backfill.asked;
    stats->history_answered = core->backfill.answered;
    stats->history_unanswered = core->backfill.failed;
    stats->recoveries_waiting = core->recover.count;
    stats->recoveries_remote = core->recover.remote;
}

void wsf_statistics_node(const wsf_core *core, wsfan_stats *stats) {
    *stats = core->stats;
    stats->peers = (uint32_t)wsf_statistics_peers(core, NULL, 0);
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        stats->peers_up += peer->state == WSFAN_PEER_UP;
    for (uint64_t bits = core->loops; bits != 0; bits &= bits - 1)
        stats->loops++;
    stats->chats = core->interest.local_count;
    stats->chats_remote = core->interest.remote_count;
    stats->joins_pending = core->join.count;
    stats->presence_chats = core->presence.chat_slots.count;
    stats->presence_rows = core->presence.row_slots.count;
    for (uint32_t i = 0; i < core->dialer.endpoints_count; i++)
        stats->endpoints += core->dialer.endpoints[i].used && core->dialer.endpoints[i].named != 0;
    for (unsigned i = 0; i < WSF_DIALER_SOURCES_MAX; i++)
        stats->endpoints_surplus += core->dialer.surplus[i];
    uint64_t refusers[WSF_PEERS_MAX];
    stats->peers_refusing = wsf_dialer_refusers(core, (wsf_now){ core->last_ms, 0 }, refusers);
    fill_history(core, stats);
}

_Static_assert(WSF_KNOWN_MAX >= WSF_PEERS_MAX + WSF_SUBSCRIBERS_MAX, "both are told of");

static void fill_peer(const wsf_core *core, const wsf_peer *peer, wsfan_peer_stats *out) {
    bool fresh = core->last_ms < peer->heard_ms + core->config.silent_ms;
    *out = peer->stats;
    out->node = peer->node;
    memcpy(out->name, peer->name, sizeof out->name);
    memcpy(out->endpoint, peer->endpoint, sizeof out->endpoint);
    out->state = peer->state;
    out->queue_count = peer->link.queue_count;
    out->queue_bytes = peer->link.queue_bytes;
    out->window_bytes = peer->link.sent_bytes;
    out->held_bytes = peer->link.held_bytes;
    out->we_hear = fresh && wsf_dialer_connected(core, peer->node);
    out->hears_us = peer->reachable;
}

/* Whether the node only subscribes here: it is no peer yet, or was given up because it could not be heard. */
static bool is_subscriber_only(const wsf_core *core, uint64_t node) {
    return node != 0 && node != core->config.node && wsf_peer_find(core, node) == NULL;
}

size_t wsf_statistics_peers(const wsf_core *core, wsfan_peer_stats *peers, size_t capacity) {
    size_t count = 0;
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;) {
        if (count < capacity)
            fill_peer(core, peer, &peers[count]);
        count++;
    }
    for (unsigned i = 0; i < WSF_SUBSCRIBERS_MAX; i++) {
        if (!is_subscriber_only(core, core->handshake.subscribers[i].node))
            continue;
        if (count < capacity)
            peers[count] = (wsfan_peer_stats){ .node = core->handshake.subscribers[i].node,
                                               .hears_us = 1 };
        count++;
    }
    return count;
}

void wsf_statistics_measure(const wsf_core *core, wsf_core_metrics *metrics) {
    wsf_histogram_read(&core->join.took, &metrics->join);
    wsf_histogram_read(&core->repair, &metrics->repair);
    metrics->peers_count = 0;
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;) {
        if (peer->name[0] == '\0')
            continue;
        wsf_peer_metrics *out = &metrics->peers[metrics->peers_count++];
        fill_peer(core, peer, &out->stats);
        wsf_histogram_read(&peer->round_trip, &out->round_trip);
    }
}

/* ---------------------------------------------------------------------------------------- rows */

typedef struct {
    const char *name;
    size_t offset; /* of a uint64_t */
} field;

#define NODE_FIELD(name)                                                                           \
    { #name, offsetof(wsfan_stats, name) }
#define PEER_FIELD(name)                                                                           \
    { #name, offsetof(wsfan_peer_stats, name) }

static const field of_node[] = {
    NODE_FIELD(chats),
    NODE_FIELD(chats_remote),
    NODE_FIELD(published),
    NODE_FIELD(published_bytes),
    NODE_FIELD(delivered),
    NODE_FIELD(received),
    NODE_FIELD(gaps),
    NODE_FIELD(joins_pending),
    NODE_FIELD(requests),
    NODE_FIELD(requests_taken),
    NODE_FIELD(requests_refused),
    NODE_FIELD(presence_rows),
    NODE_FIELD(presence_mended),
    NODE_FIELD(history_chats),
    NODE_FIELD(history_messages),
    NODE_FIELD(history_bytes),
    NODE_FIELD(history_evicted),
    NODE_FIELD(history_unheld),
    NODE_FIELD(peers_refusing),
};

static const field of_peer[] = {
    PEER_FIELD(links),           PEER_FIELD(messages_in), PEER_FIELD(messages_out),
    PEER_FIELD(bytes_in),        PEER_FIELD(bytes_out),   PEER_FIELD(frames_resent),
    PEER_FIELD(interest_mended), PEER_FIELD(gap_in),      PEER_FIELD(gap_out),
    PEER_FIELD(queue_count),     PEER_FIELD(queue_bytes), PEER_FIELD(window_bytes),
    PEER_FIELD(held_bytes),
};

/* Rows of one node or peer. */
typedef struct {
    wsf_call *call;
    uint8_t key[16];  /* this node, and the peer or 0 */
    wsfan_bytes text; /* the peer's name */
} writer;

static void note(writer *w, const char *name, uint64_t value) {
    wsfan_bytes head = { w->key, sizeof w->key };
    wsfan_bytes tail = wsfan_string(name);
    wsfan_bytes after = wsfan_message_payload(w->call->message);
    if (after.size == 0 || wsf_key_compare(head, tail, after) > 0)
        wsf_rows_add(&w->call->answer.rows, head, tail, w->text, value);
}

static void note_fields(writer *w, const field *fields, size_t count, const void *values) {
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        memcpy(&value, (const uint8_t *)values + fields[i].offset, sizeof value);
        note(w, fields[i].name, value);
    }
}

static void note_peer(writer *w, const wsfan_peer_stats *peer) {
    wsf_put_u64(w->key + 8, peer->node);
    w->text = wsfan_string(peer->name);
    note_fields(w, of_peer, sizeof of_peer / sizeof *of_peer, peer);
    note(w, "state", (uint64_t)peer->state);
    note(w, "we_hear", peer->we_hear);
    note(w, "hears_us", peer->hears_us);
}

/* How long frames with messages take to be acknowledged: how many were measured, and their sum. */
static void note_round_trips(writer *w, const wsf_peer *peer) {
    wsf_histogram_counts counts;
    uint64_t count = 0;
    wsf_histogram_read(&peer->round_trip, &counts);
    for (unsigned i = 0; i < WSF_HISTOGRAM_BUCKETS; i++)
        count += counts.buckets[i];
    wsf_put_u64(w->key + 8, peer->node);
    w->text = wsfan_string(peer->name);
    note(w, "round_trips", count);
    note(w, "round_trips_ms", counts.sum);
}

void wsf_statistics_note(const wsf_core *core, wsf_call *call) {
    wsfan_stats stats;
    wsfan_peer_stats *peers = wsf_alloc_zero(WSF_KNOWN_MAX, sizeof *peers);
    writer w = { .call = call };
    wsf_put_u64(w.key, core->config.node);
    wsf_statistics_node(core, &stats);
    note_fields(&w, of_node, sizeof of_node / sizeof *of_node, &stats);
    for (unsigned i = 0; i < WSFAN_DROP_COUNT; i++) {
        char name[48];
        snprintf(name, sizeof name, "dropped_%s", wsfan_drop_name((wsfan_drop)i));
        note(&w, name, stats.dropped[i]);
    }
    size_t count = peers != NULL ? wsf_statistics_peers(core, peers, WSF_KNOWN_MAX) : 0;
    for (size_t i = 0; i < count; i++)
        note_peer(&w, &peers[i]);
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        note_round_trips(&w, peer);
    if (call->answer.rows.failed || peers == NULL)
        call->answer.status = WSFAN_ENOMEM;
    wsf_free(peers);
}
