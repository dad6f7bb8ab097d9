/* What a recorder counts: limits that must hold at each look, and what the test compares between nodes. */
#include <wsfan/peers.h>
#include <wsfan/presence.h>
#include <wsfan/stats.h>

#include "recorder_parts.h"

enum { CONTROL_BYTES = 128 * 1024 };

/* Peers tell each other of peers for ever, so that a window is not empty for long; what they were sent
 * before it was quiet they have once it was. */
static bool has_rested(recorder *r, const wsfan_peer_stats *peer) {
    for (unsigned i = 0; i < r->rested_count; i++)
        if (r->rested[i] == peer->node)
            return true;
    if (peer->queue_count > 0 || peer->window_bytes > 0 || peer->held_bytes > 0)
        return false;
    if (r->rested_count < PEERS_MAX)
        r->rested[r->rested_count++] = peer->node;
    return true;
}

static void look_at_peers(recorder *r) {
    wsfan_peer_stats peers[PEERS_MAX] = { { .struct_size = sizeof peers[0] } };
    size_t count = 0;
    unsigned up = 0;
    if (!atomic_load(&r->log->quiet))
        r->rested_count = 0;
    wsfan_peer_stats all = { .node = 0 };
    wsfan_peer_stats apart = { .node = 0 };
    wsfan_stats stats = { .struct_size = sizeof stats };
    if (wsfan_node_get_peers(r->node, peers, PEERS_MAX, &count) != WSFAN_OK)
        recorder_broken(r, BROKEN_CALL, 6);
    for (size_t i = 0; i < count && i < PEERS_MAX; i++) {
        const wsfan_peer_stats *peer = &peers[i];
        if (peer->window_bytes > WINDOW_BYTES + CONTROL_BYTES + FRAME_BYTES_MAX)
            recorder_broken(r, BROKEN_WINDOW, peer->window_bytes);
        if (peer->queue_count > QUEUE_COUNT ||
            (peer->queue_count > 1 && peer->queue_bytes > QUEUE_BYTES))
            recorder_broken(r, BROKEN_QUEUE, peer->queue_bytes);
        if (peer->held_bytes > WINDOW_BYTES)
            recorder_broken(r, BROKEN_HELD, peer->held_bytes);
        if (peer->interest_mended > 0)
            recorder_broken(r, BROKEN_INTEREST, peer->interest_mended);
        up += peer->state == WSFAN_PEER_UP;
        if (peer->state != WSFAN_PEER_UP)
            apart = *peer;
        if (has_rested(r, peer))
            continue;
        all.queue_count += peer->queue_count;
        all.window_bytes += peer->window_bytes;
        all.held_bytes += peer->held_bytes;
        all.node = peer->node;
    }
    atomic_store(&r->log->peers_up, up);
    recorder_waits *waits = &r->log->waits;
    atomic_store(&waits->results, r->results_due);
    atomic_store(&waits->queue_count, all.queue_count);
    atomic_store(&waits->window_bytes, all.window_bytes);
    atomic_store(&waits->held_bytes, all.held_bytes);
    atomic_store(&waits->node, all.node);
    if (wsfan_node_get_stats(r->node, &stats) != WSFAN_OK)
        recorder_broken(r, BROKEN_CALL, 10);
    atomic_store(&r->log->apart.node, apart.node);
    atomic_store(&r->log->apart.we_hear, apart.we_hear == 1);
    atomic_store(&r->log->apart.hears_us, apart.hears_us == 1);
    atomic_store(&r->log->apart.ended, stats.connections_ended);
}

/* Who is where, for the test to compare between nodes. */
static void look_at_chats(recorder *r) {
    for (uint8_t chat = 0; chat < EVENTS_CHATS; chat++) {
        chat_count *out = &r->log->chats[chat];
        unsigned own[EVENTS_USERS] = { 0 };
        for (unsigned i = 0; i < SESSIONS_MAX; i++)
            if (r->clients[i].open && (r->clients[i].present >> chat & 1) != 0)
                own[r->clients[i].user]++;
        for (unsigned user = 0; user < EVENTS_USERS; user++)
            atomic_store(&out->own[user], own[user]);
        wsfan_count count = { .struct_size = sizeof count };
        if (wsfan_chat_get_count(r->node, name_of(&chat), &count) != WSFAN_OK)
            recorder_broken(r, BROKEN_CALL, 9);
        atomic_store(&out->sessions, (unsigned)count.sessions);
        atomic_store(&out->users, (unsigned)count.users);
        atomic_store(&out->complete, count.complete == 1);
    }
}

void recorder_look(recorder *r, bool quiet) {
    look_at_peers(r);
    if (quiet)
        look_at_chats(r);
    atomic_fetch_add(&r->log->looks, 1);
}

void recorder_look_at_the_end(recorder *r) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    uint64_t dispatched = 0;
    if (wsfan_node_get_stats(r->node, &stats) != WSFAN_OK)
        recorder_broken(r, BROKEN_CALL, 7);
    for (unsigned i = 0; i < EVENTS_LOOPS; i++) {
        wsfan_loop_stats loop = { .struct_size = sizeof loop };
        if (wsfan_loop_get_stats(r->loops[i].loop, &loop) != WSFAN_OK)
            recorder_broken(r, BROKEN_CALL, 8);
        dispatched += loop.messages + loop.inbox_count;
    }
    if (stats.published != r->accepted)
        recorder_broken(r, BROKEN_PUBLISHED, stats.published);
    if (stats.delivered < dispatched ||
        stats.delivered > dispatched + stats.dropped[WSFAN_DROP_REPLACED])
        recorder_broken(r, BROKEN_DISPATCHED, dispatched);
}
