/* Answers for which peers are told of which rows, and for whether a count is complete.
 *
 * A node sends its rows of a chat to peers that have a session in it, by their interest, and that ask for
 * presence. A peer asks by putting the serial of its interest log into INTEREST. When all rows for a peer
 * have been sent, a PRESENCE_SUM says so, with the serial up to which the peer's interest was known then. So
 * a chat is completely known as soon as every live peer with a session in it has sent a sum whose serial is
 * not before that of this node's interest in it. By the digest in the sum the receiver checks the rows that
 * it holds. */
#include "core/presence/sync.h"

#include "base/limits.h"
#include "core/dialer.h"
#include "core/link/sender.h"
#include "core/presence/owed.h"

/* Blocks that a loop has not dispatched. Later events wait, and are merged. */
enum { EVENTS_OUT_MAX = WSF_SIZE(4, 1) };

enum { ROWS_BYTES = 32 * 1024 }; /* of one frame, so that messages have a share of it */

static wsf_peers wanted_by(const wsf_core *core, uint64_t hash) {
    uint64_t loops;
    wsf_peers peers;
    wsf_interest_find(&core->interest, hash, &loops, &peers);
    return wsf_peers_intersection(peers, core->sync.askers);
}

/* ------------------------------------------------------------------------------- our own sessions */

static int note_session(wsf_core *core, wsf_presence_session *presence_session) {
    /* Without memory for the chat begin fails, too. */
    (void)wsf_presence_store_open_chat(&core->presence, presence_session->chat_hash,
                                       wanted_by(core, presence_session->chat_hash));
    return wsf_presence_begin(&core->presence, presence_session);
}

void wsf_presence_sync_begin(wsf_core *core, wsf_presence_session *presence_session) {
    if (!core->sync.used)
        wsf_peers_stir_all(core); /* they are asked for presence */
    core->sync.used = true;
    (void)note_session(core, presence_session); /* else retry_unnoted() tries again */
}

/* While a session of this node has found no memory, no sum is sent, and its own counts are incomplete. */
static bool has_unnoted(const wsf_core *core) {
    return core->presence.unnoted != NULL;
}

static void retry_unnoted(wsf_core *core) {
    wsf_presence_session *presence_session;
    while ((presence_session = core->presence.unnoted) != NULL) {
        core->presence.unnoted = presence_session->older;
        if (note_session(core, presence_session) != WSFAN_OK)
            return; /* it is in the list again */
    }
}

void wsf_presence_sync_end(wsf_core *core, wsf_presence_session *presence_session) {
    wsf_presence_end(&core->presence, presence_session);
}

void wsf_presence_sync_left(wsf_core *core, uint64_t hash) {
    if (core->sync.used && wsf_interest_told(&core->interest, hash) == UINT64_MAX)
        wsf_presence_forget_chat(&core->presence, hash);
}

void wsf_presence_sync_forget_loop(wsf_core *core, unsigned loop) {
    core->sync.events_out[loop] = 0;
    if (!core->sync.used)
        return;
    wsf_presence_forget_loop(&core->presence, loop);
    for (uint32_t c = 0; c < core->presence.chat_slots.used; c++)
        if (core->presence.chats[c].used)
            wsf_presence_sync_left(core, core->presence.chats[c].hash);
}

/* --------------------------------------------------------------------------------------- peers */

static void begin_to_ask(wsf_core *core, unsigned index) {
    wsf_peers_add(&core->sync.askers, index);
    for (uint32_t c = 0; c < core->presence.chat_slots.used; c++) {
        const wsf_presence_chat *chat = &core->presence.chats[c];
        if (chat->used && wsf_peers_has(wanted_by(core, chat->hash), index))
            wsf_presence_want(&core->presence, index, chat->hash);
    }
}

void wsf_presence_sync_take_interest(wsf_core *core, wsf_peer *peer, const wsf_entry *entry) {
    unsigned index = wsf_peer_index(core, peer);
    const uint8_t *adds = entry->interest.adds.data;
    const uint8_t *removes = entry->interest.removes.data;
    if ((entry->interest.flags & WSF_SNAPSHOT_BEGIN) != 0) {
        wsf_presence_unwant_all(&core->presence, index);
        peer->presence.heard = 0;
        if (wsf_peers_has(core->sync.askers, index)) /* for ends of rows that were dropped */
            wsf_presence_tell_anew(&core->presence, index);
    }
    if (wsf_peers_has(core->sync.askers, index)) {
        for (size_t i = 0; i < entry->interest.adds.size; i += 8)
            wsf_presence_want(&core->presence, index, wsf_get_u64(adds + i));
        for (size_t i = 0; i < entry->interest.removes.size; i += 8)
            wsf_presence_unwant(&core->presence, index, wsf_get_u64(removes + i));
    } else if (entry->interest.has_serial) {
        begin_to_ask(core, index);
    }
    if (entry->interest.has_serial) {
        peer->presence.heard = entry->interest.serial + 1;
        peer->presence.say = true;
    }
}

static bool acceptable(const wsf_core *core, const wsf_presence_row *row) {
    /* The sum of SESSIONS_MAX over all nodes must fit into 32 bits. */
    enum { METADATA_MAX = 4096, SESSIONS_MAX = 1 << 25 };
    return row->sessions <= SESSIONS_MAX && row->user.size <= core->config.name_bytes_max &&
           row->metadata.size <= METADATA_MAX;
}

/* Notes a peer's row. A chat that was opened for a row which is not kept is closed again. */
static int note_row(wsf_core *core, unsigned peer, const wsf_presence_row *row) {
    wsf_presence *presence = &core->presence;
    wsfan_target user = { WSFAN_USER, row->user };
    int error = wsf_presence_store_open_chat(presence, row->chat_hash,
                                             wanted_by(core, row->chat_hash));
    if (error == WSFAN_OK)
        error = wsf_presence_put(presence, peer, row, wsf_hash_target(&core->key, &user));
    uint32_t chat = error != WSFAN_OK || row->sessions == 0
                        ? wsf_presence_store_find_chat(presence, row->chat_hash)
                        : WSF_TABLE_NONE;
    if (chat != WSF_TABLE_NONE)
        wsf_presence_store_close_chat(presence, chat);
    return error;
}

static void take_rows(wsf_core *core, wsf_peer *peer, const wsf_entry *entry) {
    unsigned index = wsf_peer_index(core, peer);
    if ((entry->presence.flags & WSF_PRESENCE_FORGET) != 0) {
        wsf_presence_forget_rows(&core->presence, index);
        peer->presence.known = 0;
        peer->presence.anew = peer->link.in_expected - 1; /* the frame in hand */
        peer->presence.overflow = peer->presence.refused = false;
    }
    /* Rows that the peer sent before it knew our present interest in the chat (`heard`) are of an earlier
     * one, or late: they are ignored, and the peer tells them again. */
    bool wanted = false;
    for (uint32_t i = 0; i < entry->presence.count; i++) {
        const wsf_presence_row *row = &entry->presence.rows[i];
        if (i == 0 || row->chat_hash != entry->presence.rows[i - 1].chat_hash)
            wanted = wsf_interest_told(&core->interest, row->chat_hash) < entry->presence.heard;
        if (!wanted)
            continue;
        bool possible = acceptable(core, row);
        if (possible && note_row(core, index, row) == WSFAN_OK)
            continue;
        wsf_count_drop(core, WSFAN_DROP_LIMIT, 1);
        peer->presence.refused = peer->presence.refused || !possible;
        peer->presence.overflow = true;
        peer->presence.known = 0;
    }
}

static bool take_sum(wsf_core *core, wsf_peer *peer, const wsf_presence_sum *sum) {
    const wsf_presence *presence = &core->presence;
    if (sum->newest >= peer->link.in_expected || sum->newest < peer->presence.anew)
        return true; /* frames up to it are missing, or the last FORGET is newer */
    if (peer->presence.overflow) {
        /* Everything is asked for again once half of the room is free; not for rows over a fixed limit. */
        return peer->presence.refused ||
               presence->row_slots.count > presence->limits.remote_count_max / 2;
    }
    peer->presence.known = sum->heard;
    if (sum->newest != peer->link.in_expected - 1 || sum->heard != core->interest.serial + 1 ||
        presence->peer_digests[wsf_peer_index(core, peer)] == sum->digest)
        return true;
    peer->presence.known = 0;
    core->stats.presence_mended++;
    return false;
}

static void restart(wsf_core *core, wsf_peer *peer) {
    wsf_presence_tell_anew(&core->presence, wsf_peer_index(core, peer));
    peer->presence.say = true;
}

static void unlink(wsf_core *core, wsf_peer *peer) {
    unsigned index = wsf_peer_index(core, peer);
    wsf_presence_unwant_all(&core->presence, index);
    wsf_presence_forget_rows(&core->presence, index);
    wsf_presence_set_away(&core->presence, index, false);
    wsf_peers_remove(&core->sync.askers, index);
    peer->presence.heard = peer->presence.known = peer->presence.anew = 0;
    peer->presence.say = false;
    peer->presence.overflow = peer->presence.refused = false;
}

static void set_down(wsf_core *core, const wsf_peer *peer, bool down) {
    wsf_presence_set_away(&core->presence, wsf_peer_index(core, peer), down);
}

static bool sum_of(const wsf_core *core, const wsf_peer *peer, wsf_presence_sum *sum) {
    unsigned index = wsf_peer_index(core, peer);
    const wsf_presence *presence = &core->presence;
    if (!wsf_peers_has(core->sync.askers, index) || !wsf_peers_has(core->complete, index) ||
        peer->presence.heard == 0 || presence->peer_queues[index].count > 0 ||
        wsf_peers_has(presence->peers_anew, index) || has_unnoted(core))
        return false;
    *sum = (wsf_presence_sum){ peer->link.next - 1, peer->presence.heard,
                               presence->told_digests[index] };
    return true;
}

/* -------------------------------------------------------------------------------------- counting */

static bool lives(const wsf_peer *peer) {
    return peer->state != 0 && peer->state != WSFAN_PEER_DOWN;
}

/* Whether the peer may have rows of the chat that it has not told us on this link. */
static bool untold(const wsf_core *core, const wsf_peer *peer, wsf_peers interested,
                   uint64_t serial) {
    unsigned index = wsf_peer_index(core, peer);
    if (!wsf_peers_has(interested, index))
        return !wsf_peers_has(core->complete, index);
    return serial == UINT64_MAX || peer->presence.known <= serial;
}

/* Whether what we hold of the chat lacks the peer's part, or may lack it. */
static bool lacks(const wsf_core *core, const wsf_peer *peer, wsf_peers interested,
                  uint64_t serial) {
    if (!lives(peer))
        return false;
    return !peer->linked || peer->state != WSFAN_PEER_UP || untold(core, peer, interested, serial);
}

/* Rows of a peer are dropped when this node leaves the chat, when the peer says FORGET, and with its link.
 * Their members stay in doubt until the peer has told its rows again; not for a peer that may never tell all,
 * having more than this node can note. */
static bool is_in_doubt(void *user, uint64_t hash) {
    const wsf_core *core = user;
    uint64_t serial = wsf_interest_told(&core->interest, hash);
    uint64_t loops;
    wsf_peers peers;
    if (serial == UINT64_MAX)
        return false; /* no loop here is told */
    wsf_interest_find(&core->interest, hash, &loops, &peers);
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;) {
        if (lives(peer) && !peer->presence.overflow && !peer->subscription.overflow &&
            untold(core, peer, peers, serial))
            return true;
    }
    return false;
}

static void name_missing(wsfan_count *count, uint64_t node) {
    if (count->missing_count < sizeof count->missing / sizeof *count->missing)
        count->missing[count->missing_count++] = node;
}

void wsf_presence_sync_count(const wsf_core *core, uint64_t hash, wsfan_count *count) {
    const wsf_presence_chat *chat = wsf_presence_store_find(&core->presence, hash);
    count->sessions = chat != NULL ? chat->sessions : 0;
    count->users = chat != NULL ? chat->users : 0;
    count->missing_count = 0;
    uint64_t loops;
    wsf_peers peers;
    wsf_interest_find(&core->interest, hash, &loops, &peers);
    uint64_t serial = wsf_interest_told(&core->interest, hash);
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        if (lacks(core, peer, peers, serial))
            name_missing(count, peer->node);
    uint64_t refusers[WSF_PEERS_MAX];
    uint32_t refusers_count = wsf_dialer_refusers(core, (wsf_now){ core->last_ms, 0 }, refusers);
    for (uint32_t i = 0; i < refusers_count; i++)
        name_missing(count, refusers[i]);
    if (has_unnoted(core))
        name_missing(count, core->config.node);
    count->complete = count->missing_count == 0;
}

/* ------------------------------------------------------------------------------------------ time */

static void tell_loop(wsf_core *core, unsigned loop) {
    uint64_t nodes[WSF_PEERS_MAX];
    wsf_peer_nodes(core, nodes);
    while (core->sync.events_out[loop] < EVENTS_OUT_MAX) {
        wsf_presence_events *events = wsf_presence_events_take(&core->presence, loop, nodes,
                                                               core->config.node);
        if (events == NULL)
            return;
        core->sync.events_out[loop]++;
        core->effects.presence(core->effects.user, events);
    }
}

static void tick(wsf_core *core, wsf_now now) {
    if (!core->sync.used)
        return;
    retry_unnoted(core);
    wsf_presence_tick(&core->presence, now.ms, &(wsf_presence_doubt){ core, is_in_doubt });
    for (unsigned loop = 0; loop < WSF_LOOPS_MAX; loop++)
        if ((core->loops >> loop & 1) != 0 && core->presence.loop_queues[loop].count > 0)
            tell_loop(core, loop);
    if (core->presence.failures > 0) {
        wsf_count_drop(core, WSFAN_DROP_EVENT, core->presence.failures);
        core->presence.failures = 0;
    }
}

static uint64_t deadline(const wsf_core *core) {
    return wsf_presence_deadline(&core->presence);
}

/* --------------------------------------------------------------------------------------- stream */

static bool take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now) {
    (void)frame;
    (void)now;
    take_rows(core, peer, entry);
    return true;
}

static void take_loose(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                       const wsf_entry *entry, wsf_now now) {
    (void)head;
    if (!take_sum(core, peer, &entry->presence_sum) && wsf_sender_may_ask_again(peer, now))
        wsf_sender_ask_again(core, peer, WSF_PRESENCE_RESYNC, now);
}

static bool must_forget_first(const wsf_core *core, const wsf_peer *peer) {
    return wsf_peers_has(core->presence.peers_anew, wsf_peer_index(core, peer));
}

static bool plan(wsf_core *core, wsf_peer *peer, wsf_batch *batch) {
    unsigned index = wsf_peer_index(core, peer);
    uint32_t owed = wsf_presence_owed(&core->presence, index);
    size_t bytes = 0;
    batch->presence.rows_count = batch->presence.rows_taken = 0;
    if (peer->presence.heard == 0)
        return false; /* the peer would ignore the rows: see take_rows() */
    while (batch->presence.rows_taken < owed &&
           batch->presence.rows_count < WSF_PRESENCE_ROWS_MAX) {
        wsf_presence_row *row = &batch->presence.rows[batch->presence.rows_count];
        if (wsf_presence_owed_row(&core->presence, index, batch->presence.rows_taken, row)) {
            size_t more = WSF_ROW_BOUND + row->user.size + row->metadata.size;
            if (batch->presence.rows_count > 0 && bytes + more > ROWS_BYTES)
                break;
            bytes += more;
            batch->presence.rows_count++;
        }
        batch->presence.rows_taken++;
    }
    if (batch->presence.rows_count == 0 && !must_forget_first(core, peer))
        return false;
    batch->bound += WSF_ENTRY_BOUND + bytes;
    return true;
}

static void write(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer) {
    wsf_write_presence(writer, must_forget_first(core, peer) ? WSF_PRESENCE_FORGET : 0,
                       peer->presence.heard, batch->presence.rows, batch->presence.rows_count);
}

static void commit(wsf_core *core, wsf_peer *peer, const wsf_batch *batch) {
    unsigned index = wsf_peer_index(core, peer);
    wsf_peers_remove(&core->presence.peers_anew, index);
    wsf_presence_sent(&core->presence, index, batch->presence.rows_taken);
}

static bool heartbeat_due(const wsf_core *core, const wsf_peer *peer, wsf_now now) {
    (void)now;
    wsf_presence_sum sum;
    return peer->presence.say && sum_of(core, peer, &sum);
}

static void write_heartbeat(wsf_core *core, wsf_peer *peer, wsf_writer *writer, wsf_now now) {
    (void)now;
    wsf_presence_sum sum;
    if (!sum_of(core, peer, &sum))
        return;
    wsf_write_presence_sum(writer, &sum);
    peer->presence.say = false;
}

const wsf_part wsf_presence_part = {
    .types = UINT32_C(1) << WSF_PRESENCE,
    .take = take,
    .loose_types = UINT32_C(1) << WSF_PRESENCE_SUM,
    .take_loose = take_loose,
    .plan = plan,
    .write = write,
    .commit = commit,
    .resync = WSF_PRESENCE_RESYNC,
    .restart = restart,
    .heartbeat_due = heartbeat_due,
    .write_heartbeat = write_heartbeat,
    .unlink = unlink,
    .down = set_down,
    .tick = tick,
    .deadline = deadline,
};
