/* Answers for what goes into a numbered frame: gathered first, so that the memory for it is taken once. */
#include "core/link/batch.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "core/presence/sync.h"
#include "core/status.h"

enum {
    HASHES_COUNT_MAX = WSF_BATCH_HASHES_COUNT_MAX,
    ROWS_BYTES = 32 * 1024, /* of presence in one frame, so that messages have a share of it */
    CONTROL_RESERVE_BYTES = 128 * 1024 /* of window, beyond what messages may use */
};

wsf_batch *wsf_batch_new(void) {
    return wsf_alloc(sizeof(wsf_batch));
}

static void plan_deltas(const wsf_core *core, wsf_batch *p) {
    const wsf_interest *interest = &core->interest;
    while (p->log_serial < interest->serial && p->adds_count < HASHES_COUNT_MAX &&
           p->removes_count < HASHES_COUNT_MAX) {
        uint64_t hash = wsf_interest_log_at(interest, ++p->log_serial);
        uint64_t loops;
        uint64_t peers;
        /* What holds now, not what held then: a later entry of the same hash says the same. */
        wsf_interest_find(interest, hash, &loops, &peers);
        if (loops != 0)
            wsf_put_u64(p->adds + 8 * p->adds_count++, hash);
        else
            wsf_put_u64(p->removes + 8 * p->removes_count++, hash);
        p->interest = true;
    }
}

static void plan_snapshot(const wsf_core *core, wsf_batch *p) {
    while (p->adds_count < HASHES_COUNT_MAX) {
        uint64_t hash = wsf_interest_next_local(&core->interest, &p->snapshot_cursor);
        if (hash == 0) {
            p->interest_flags |= WSF_SNAPSHOT_END;
            break;
        }
        wsf_put_u64(p->adds + 8 * p->adds_count++, hash);
    }
    p->interest = true;
}

void wsf_batch_restart_interest(wsf_peer *peer) {
    peer->subscription.snapshot_begun = peer->subscription.snapshot_done = false;
    peer->subscription.snapshot_cursor = 0;
}

static void plan_interest(const wsf_core *core, wsf_peer *peer, wsf_batch *p) {
    if (!wsf_interest_log_has(&core->interest, peer->subscription.log_serial)) {
        wsf_batch_restart_interest(peer);
        p->snapshot_cursor = 0;
    }
    if (!peer->subscription.snapshot_begun) {
        p->interest_flags |= WSF_SNAPSHOT_BEGIN;
        p->log_serial = core->interest.serial;
        p->interest = true;
    }
    plan_deltas(core, p);
    /* A long snapshot leaves half of the window to messages. */
    if (!peer->subscription.snapshot_done &&
        peer->link.sent_bytes < peer->link.limits.window_bytes / 2)
        plan_snapshot(core, p);
    bool told_all = peer->subscription.snapshot_done || (p->interest_flags & WSF_SNAPSHOT_END) != 0;
    p->interest_serial = core->sync.used && told_all;
    if (p->interest_serial && !peer->presence.asked)
        p->interest = true;
    if (p->interest)
        p->bound += WSF_ENTRY_BOUND + 8 * ((size_t)p->adds_count + p->removes_count);
}

static void plan_presence(const wsf_core *core, const wsf_peer *peer, wsf_batch *p) {
    unsigned index = wsf_peer_index(core, peer);
    if (peer->presence.heard == 0)
        return; /* it would not take them: see wsf_presence_sync_take_rows() */
    uint32_t owed = core->presence.peer_queues[index].count;
    size_t bytes = 0;
    while (p->rows_taken < owed && p->rows_count < WSF_PRESENCE_ROWS_MAX) {
        wsf_presence_row *row = &p->rows[p->rows_count];
        if (wsf_presence_owed_row(&core->presence, index, p->rows_taken, row)) {
            size_t more = WSF_ROW_BOUND + row->user.size + row->metadata.size;
            if (p->rows_count > 0 && bytes + more > ROWS_BYTES)
                break;
            bytes += more;
            p->rows_count++;
        }
        p->rows_taken++;
    }
    p->presence = p->rows_count > 0 || (core->presence.peers_anew & wsf_peer_bit(core, peer)) != 0;
    if (p->presence)
        p->bound += WSF_ENTRY_BOUND + bytes;
}

static void plan_known(const wsf_core *core, const wsf_peer *peer, wsf_batch *p) {
    uint64_t untold = core->linked & ~peer->gossip.told & ~wsf_peer_bit(core, peer);
    for (unsigned i = 0; i < WSF_PEERS_MAX && untold >> i != 0; i++) {
        const wsf_peer *other = &core->peers[i];
        uint64_t bit = UINT64_C(1) << i;
        if ((untold & bit) == 0 || other->state != WSFAN_PEER_UP)
            continue;
        p->known[p->known_count++] = (wsf_known_peer){ other->node, wsfan_string(other->endpoint) };
        p->told_peers |= bit;
        p->bound += WSF_KNOWN_PEER_BOUND;
    }
    if (p->known_count > 0)
        p->bound += WSF_ENTRY_BOUND;
}

/* That we publish nothing more may be known only behind the last message. */
static bool status_due(const wsf_core *core, const wsf_peer *peer) {
    return peer->status.told < core->status.serial &&
           (!core->status.quiet || peer->link.queue.count == 0);
}

/* Whether so much more goes into this frame, and its second part. A frame of its own takes anything. */
static bool add_to_frame(const wsf_peer *peer, wsf_batch *p, size_t size, size_t apart) {
    size_t bound = p->bound + size;
    bool first = p->bound == WSF_FRAME_HEAD_BOUND;
    if ((!first && (bound > wsf_frame_target(&peer->link) || bound > peer->frame_size_max)) ||
        !wsf_link_has_room(&peer->link, bound + apart))
        return false;
    p->bound = bound;
    return true;
}

static void plan_talk(const wsf_peer *peer, wsf_batch *p) {
    const wsf_deque *talk = &peer->link.talk;
    while (p->talk_count < talk->count &&
           add_to_frame(peer, p, (*(wsf_buffer **)wsf_deque_at(talk, p->talk_count))->size, 0))
        p->talk_count++;
}

static void plan_messages(const wsf_peer *peer, wsf_batch *p) {
    const wsf_link *link = &peer->link;
    while (p->messages_count < link->queue.count && p->apart == NULL) {
        wsfan_message *message = *(wsfan_message **)wsf_deque_at(&link->queue, p->messages_count);
        size_t apart = wsf_frame_apart_size(message);
        if (!add_to_frame(peer, p, wsf_message_entry_bound(message), apart))
            break;
        p->messages_count++;
        if (apart > 0)
            p->apart = message;
    }
}

bool wsf_batch_frame(const wsf_core *core, wsf_peer *peer, bool bye, wsf_batch *p) {
    /* Not the two arrays of hashes: they are written before they are read. */
    memset(p, 0, offsetof(wsf_batch, adds));
    p->known_count = p->talk_count = p->messages_count = 0;
    p->apart = NULL;
    p->bound = WSF_FRAME_HEAD_BOUND;
    p->bye = bye;
    p->node_status = false;
    p->log_serial = peer->subscription.log_serial;
    p->snapshot_cursor = peer->subscription.snapshot_cursor;
    p->told_peers = peer->gossip.told;
    const wsf_link *link = &peer->link;
    if (link->sent_bytes < link->limits.window_bytes + CONTROL_RESERVE_BYTES) {
        p->lost = link->lost;
        p->lost_too_big = link->lost_too_big;
        p->lost_unknown = link->lost_unknown;
        if (p->lost > 0 || p->lost_too_big > 0 || p->lost_unknown)
            p->bound += 3 * WSF_ENTRY_BOUND;
        if (bye)
            p->bound += WSF_ENTRY_BOUND;
        p->node_status = status_due(core, peer);
        if (p->node_status)
            p->bound += WSF_STATUS_BOUND;
        plan_interest(core, peer, p);
        plan_known(core, peer, p);
    }
    if (link->sent_bytes < link->limits.window_bytes)
        plan_presence(core, peer, p);
    plan_talk(peer, p);
    if (p->talk_count == link->talk.count)
        plan_messages(peer, p);
    return p->bound > WSF_FRAME_HEAD_BOUND;
}

static uint64_t write_messages(wsf_peer *peer, wsf_writer *writer, uint32_t count) {
    uint64_t payload_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const wsfan_message *message = *(wsfan_message **)wsf_deque_at(&peer->link.queue, i);
        wsf_write_message(writer, message);
        payload_bytes += message->payload_size;
    }
    return payload_bytes;
}

wsf_buffer *wsf_batch_write(const wsf_core *core, wsf_peer *peer, const wsf_batch *p,
                            uint64_t *payload_bytes) {
    assert(p->bound <= UINT32_MAX);
    wsf_buffer *frame = wsf_buffer_new((uint32_t)p->bound);
    if (frame == NULL)
        return NULL;
    wsf_frame_head head = wsf_frame_head_of(core, peer, peer->link.next);
    if (p->apart != NULL) {
        frame->rest = wsf_frame_second_part(peer, p->apart);
        if (frame->rest == NULL) {
            wsf_buffer_unref(frame);
            return NULL;
        }
        wsf_frame_tell_rest(&head, frame->rest, wsf_frame_room_in(frame->rest, p->apart));
    }
    wsf_writer writer = { frame->data, frame->capacity, 0 };
    wsf_write_head(&writer, peer->node, &head);
    if (p->lost > 0)
        wsf_write_lost(&writer, p->lost, WSFAN_GAP_PEER_QUEUE);
    if (p->lost_too_big > 0)
        wsf_write_lost(&writer, p->lost_too_big, WSFAN_GAP_TOO_BIG);
    if (p->lost_unknown)
        wsf_write_lost(&writer, 0, WSFAN_GAP_AWAY);
    if (p->interest)
        wsf_write_interest(&writer, p->interest_flags,
                           (wsfan_bytes){ p->adds, (size_t)8 * p->adds_count },
                           (wsfan_bytes){ p->removes, (size_t)8 * p->removes_count },
                           p->interest_serial ? &p->log_serial : NULL);
    if (p->node_status) {
        wsf_status own = wsf_status_own(core);
        wsf_write_status(&writer, &own);
    }
    if (p->presence)
        wsf_write_presence(
            &writer,
            (core->presence.peers_anew & wsf_peer_bit(core, peer)) != 0 ? WSF_PRESENCE_FORGET : 0,
            peer->presence.heard, p->rows, p->rows_count);
    if (p->known_count > 0)
        wsf_write_peers(&writer, p->known, p->known_count);
    for (uint32_t i = 0; i < p->talk_count; i++) {
        const wsf_buffer *entry = *(wsf_buffer **)wsf_deque_at(&peer->link.talk, i);
        wsf_write_entry(&writer, entry->data, entry->size);
    }
    *payload_bytes = write_messages(peer, &writer, p->messages_count);
    if (p->bye)
        wsf_write_type(&writer, WSF_BYE);
    wsf_seal(&writer);
    frame->size = (uint32_t)writer.size;
    return frame;
}
