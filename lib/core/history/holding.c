/* Answers for HOLD: tells peers which chats they are to hold for this node, holds those that they ask for, and says so when it
 * has all of a chat that it can have.
 *
 * A peer is told hashes one by one, as what is asked of it changes, and has nothing to hold when a link begins. HOLD-SUM has
 * the sum of what it is asked; where its own differs (it was down for this node and gave the chats up, or has found no room) it
 * says HOLD-RESYNC, and is told all again.
 *
 * A chat that an asker has a history of is held for that one when its history is here as well, and what others kept: each that
 * keeps the chat is asked for it once, and the asker until it has answered.
 *
 * Bytes of peers: each may ask for so many chats that all of them together take a third of the memory of the archive at the
 * most, besides messages; more are refused and counted. Knows no session. */
#include "core/history/holding.h"

#include "core/history/backfill.h"
#include "core/history/holders.h"
#include "core/history/keepers.h"
#include "core/link/sender.h"
#include "core/routing/keeping.h"

enum { COUNT_MAX = WSF_BATCH_HOLDS_COUNT_MAX };

/* Lists of HOLD in a batch. */
enum { ADDS, INHERITS, REMOVES, HELD, LISTS };

/* Chats whose askers are answered in one round, if they can be. */
enum { ANSWERS_SHARE = 64 };

/* Answers that wait to be told to a peer. */
enum { ANSWERS_MAX = 65536 };

static bool has_history(const wsf_core *core, const wsf_peer *peer) {
    return core->config.history_ms != 0 && (peer->features & WSF_FEATURE_MARKS) != 0;
}

static uint32_t find(const wsf_core *core, uint64_t hash) {
    return wsf_archive_find(&core->keeping.archive, hash);
}

static wsf_keeping_chat *chat_at(wsf_core *core, uint32_t i) {
    return &core->keeping.chats[i];
}

/* ------------------------------------------------------------------------------------ inheriting */

/* Messages of a history that is as old as any may be are all there. */
static bool is_old(const wsf_core *core, uint32_t i, wsf_now now) {
    uint64_t since = wsf_archive_since(&core->keeping.archive, i, 0);
    return (since >> 16) + core->config.history_ms <= now.wall_ms;
}

/* Of the askers, those that have all here that they have themselves, and what others kept. One that cannot be asked keeps only
 * itself waiting. */
static wsf_peers contented(wsf_core *core, uint32_t i, wsf_now now) {
    wsf_keeping_chat *chat = chat_at(core, i);
    if (is_old(core, i, now))
        chat->sources = (wsf_peers){ 0 };
    if (wsf_peers_is_empty(chat->sources))
        return chat->askers;
    bool more = wsf_backfill_inherit(core, chat->hash, now);
    bool others = !wsf_peers_is_empty(wsf_peers_difference(chat->sources, chat->askers));
    if (more && others)
        return (wsf_peers){ 0 };
    return wsf_peers_difference(chat->askers, chat->sources);
}

/* --------------------------------------------------------------------------------------- answers */

static bool is_held(const wsf_keeping_chat *chat, unsigned peer) {
    return wsf_peers_has(chat->answered, peer);
}

/* False: out of memory, or too much waits for the peer. */
static bool answer(wsf_core *core, wsf_keeping_chat *chat, unsigned index) {
    wsf_deque *answers = &core->peers[index].holding.answers;
    uint64_t *place = answers->count < ANSWERS_MAX ? wsf_deque_push(answers) : NULL;
    if (place == NULL)
        return false;
    *place = chat->hash;
    wsf_peer_stir(core, &core->peers[index]);
    wsf_peers_add(&chat->answered, index);
    return true;
}

/* Whether all know now. */
static bool answer_some(wsf_core *core, wsf_keeping_chat *chat, wsf_peers some) {
    some = wsf_peers_difference(some, chat->answered);
    for (unsigned index; (index = wsf_peers_pop(&some)) < WSF_PEERS_MAX;)
        (void)answer(core, chat, index);
    return wsf_peers_is_empty(wsf_peers_difference(chat->askers, chat->answered));
}

void wsf_holding_tick(wsf_core *core, wsf_now now) {
    if (core->config.history_ms == 0)
        return;
    const wsf_keeping_line *line = &core->keeping.lines[WSF_KEEPING_ANSWERS];
    unsigned done = 0;
    uint32_t count = line->count;
    for (unsigned n = 0; n < ANSWERS_SHARE && n < count; n++) {
        uint32_t i = line->first;
        wsf_keeping_chat *chat = chat_at(core, i);
        bool all = chat->begun && answer_some(core, chat, contented(core, i, now));
        wsf_keeping_set_unanswered(core, i, false);
        wsf_keeping_set_unanswered(core, i, !all); /* behind the others */
        done += all;
    }
    core->holding.more = done > 0 && line->first != WSF_TABLE_NONE;
}

/* ----------------------------------------------------------------------------------- what is told */

static bool put(wsf_batch *batch, unsigned list, uint64_t hash) {
    wsf_put_u64(batch->holding.hashes[list] + 8 * batch->holding.counts[list]++, hash);
    return ++batch->holding.count < COUNT_MAX;
}

/* A chat that has a history here may have a longer one elsewhere. */
static unsigned list_of(const wsf_keeping_chat *chat) {
    return chat->begun ? INHERITS : ADDS;
}

/* The present state, not that of the change: the last of several says the same. */
static void plan_asks(const wsf_core *core, const wsf_peer *peer, wsf_batch *batch) {
    bool room = batch->holding.count < COUNT_MAX;
    while (room && batch->holding.asks_taken < peer->holding.asks.count) {
        const uint64_t *hash = wsf_deque_at(&peer->holding.asks, batch->holding.asks_taken++);
        uint32_t i = find(core, *hash);
        bool asked = i != WSF_TABLE_NONE &&
                     wsf_peers_has(core->keeping.chats[i].asked, wsf_peer_index(core, peer));
        room = put(batch, asked ? list_of(&core->keeping.chats[i]) : REMOVES, *hash);
    }
}

static void plan_all(const wsf_core *core, const wsf_peer *peer, wsf_batch *batch) {
    bool room = batch->holding.count < COUNT_MAX;
    while (room && batch->holding.cursor < core->keeping.capacity) {
        const wsf_keeping_chat *chat = &core->keeping.chats[batch->holding.cursor++];
        if (chat->hash != 0 && wsf_peers_has(chat->asked, wsf_peer_index(core, peer)))
            room = put(batch, list_of(chat), chat->hash);
    }
    batch->holding.told_all = batch->holding.cursor >= core->keeping.capacity;
}

static void plan_answers(const wsf_core *core, const wsf_peer *peer, wsf_batch *batch) {
    bool room = batch->holding.count < COUNT_MAX;
    while (room && batch->holding.answers_taken < peer->holding.answers.count) {
        const uint64_t *hash = wsf_deque_at(&peer->holding.answers, batch->holding.answers_taken++);
        uint32_t i = find(core, *hash);
        if (i != WSF_TABLE_NONE && is_held(&core->keeping.chats[i], wsf_peer_index(core, peer)))
            room = put(batch, HELD, *hash);
    }
}

static bool plan(wsf_core *core, wsf_peer *peer, wsf_batch *batch) {
    if (!has_history(core, peer))
        return false;
    memset(batch->holding.counts, 0, sizeof batch->holding.counts);
    batch->holding.count = batch->holding.asks_taken = batch->holding.answers_taken = 0;
    batch->holding.cursor = peer->holding.cursor;
    plan_asks(core, peer, batch);
    if (peer->holding.telling_all)
        plan_all(core, peer, batch);
    plan_answers(core, peer, batch);
    bool any = peer->holding.telling_all || batch->holding.asks_taken > 0 ||
               batch->holding.answers_taken > 0;
    if (any)
        batch->bound += WSF_ENTRY_BOUND + 8 * (size_t)batch->holding.count;
    return any;
}

static wsfan_bytes list_in(const wsf_batch *batch, unsigned list) {
    return (wsfan_bytes){ batch->holding.hashes[list], (size_t)8 * batch->holding.counts[list] };
}

static void write(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer) {
    (void)core;
    wsf_hold hold = { .flags = peer->holding.forget ? WSF_HOLD_FORGET : 0,
                      .adds = list_in(batch, ADDS),
                      .inherits = list_in(batch, INHERITS),
                      .removes = list_in(batch, REMOVES),
                      .held = list_in(batch, HELD) };
    wsf_write_hold(writer, &hold);
}

static void commit(wsf_core *core, wsf_peer *peer, const wsf_batch *batch) {
    (void)core;
    for (uint32_t n = 0; n < batch->holding.asks_taken; n++)
        wsf_deque_pop_front(&peer->holding.asks);
    for (uint32_t n = 0; n < batch->holding.answers_taken; n++)
        wsf_deque_pop_front(&peer->holding.answers);
    peer->holding.forget = false;
    peer->holding.cursor = batch->holding.cursor;
    if (peer->holding.telling_all && batch->holding.told_all)
        peer->holding.telling_all = false;
}

/* The peer may have given chats up long ago. */
static void restart(wsf_core *core, wsf_peer *peer) {
    wsf_holders_doubt_peer(core, peer);
    wsf_holders_tell_all(peer);
}

static void write_heartbeat(wsf_core *core, wsf_peer *peer, wsf_writer *writer, wsf_now now) {
    if (!has_history(core, peer) || now.ms < peer->holding.sum_ms || peer->holding.telling_all ||
        peer->holding.asks.count > 0)
        return;
    peer->holding.sum_ms = now.ms + core->config.heartbeat_ms;
    wsf_write_hold_sum(writer, &(wsf_hold_sum){ peer->link.next - 1, peer->holding.asked_digest });
}

/* -------------------------------------------------------------------------------------- a peer's */

/* Of each peer. Rendezvous spreads the chats of all nodes evenly, so where there are more peers each asks for less. */
static uint32_t held_count_max(const wsf_core *core) {
    enum { CHAT_BYTES = 512, COUNT_LEAST = 64 };
    uint64_t all = core->config.history_bytes_max / CHAT_BYTES;
    uint64_t max = all / (wsf_peers_count(core->linked) + 1);
    max = max < COUNT_LEAST ? COUNT_LEAST : max;
    return max < UINT32_MAX ? (uint32_t)max : UINT32_MAX;
}

static void refuse(wsf_core *core, wsf_peer *peer, wsf_now now) {
    wsf_count_drop(core, WSFAN_DROP_LIMIT, 1);
    core->holding.refused++;
    peer->holding.overflow = true;
    peer->holding.again_ms = now.ms + core->config.down_ms;
}

/* A chat that is held for the peer already is answered again. */
static void hold_one(wsf_core *core, wsf_peer *peer, uint64_t hash, bool inherit, wsf_now now) {
    unsigned index = wsf_peer_index(core, peer);
    uint32_t i = find(core, hash);
    if (i == WSF_TABLE_NONE || !wsf_peers_has(core->keeping.chats[i].askers, index)) {
        if (hash == 0 || peer->holding.held_count >= held_count_max(core) ||
            !wsf_keeping_hold(core, hash, index, true)) {
            refuse(core, peer, now);
            return;
        }
        peer->holding.held_count++;
        peer->holding.held_digest += hash;
        i = find(core, hash);
    }
    wsf_keeping_chat *chat = chat_at(core, i);
    if (inherit && !chat->inherits)
        chat->sources = wsf_keepers_of(core, hash);
    if (inherit)
        wsf_peers_add(&chat->sources, index);
    chat->inherits = chat->inherits || inherit;
    wsf_peers_remove(&chat->answered, index);
    wsf_keeping_set_unanswered(core, i, true);
}

static void hold_all(wsf_core *core, wsf_peer *peer, wsfan_bytes hashes, bool inherit,
                     wsf_now now) {
    const uint8_t *at = hashes.data;
    for (size_t n = 0; n < hashes.size; n += 8)
        hold_one(core, peer, wsf_get_u64(at + n), inherit, now);
}

static void release_all(wsf_core *core, wsf_peer *peer, wsfan_bytes hashes) {
    unsigned index = wsf_peer_index(core, peer);
    const uint8_t *at = hashes.data;
    for (size_t n = 0; n < hashes.size; n += 8) {
        uint64_t hash = wsf_get_u64(at + n);
        uint32_t i = find(core, hash);
        if (i == WSF_TABLE_NONE || !wsf_peers_has(core->keeping.chats[i].askers, index))
            continue;
        peer->holding.held_count--;
        peer->holding.held_digest -= hash;
        wsf_keeping_hold(core, hash, index, false);
    }
}

static void take_held(wsf_core *core, const wsf_peer *peer, wsfan_bytes hashes) {
    const uint8_t *at = hashes.data;
    for (size_t n = 0; n < hashes.size; n += 8) {
        uint32_t i = find(core, wsf_get_u64(at + n));
        if (i != WSF_TABLE_NONE)
            wsf_holders_held(core, i, wsf_peer_index(core, peer));
    }
}

static void lose(wsf_core *core, wsf_peer *peer) {
    wsf_keeping_lose_peer(core, wsf_peer_index(core, peer));
    peer->holding.held_count = 0;
    peer->holding.held_digest = 0;
}

/* A peer that begins anew unasked would make this node look at all its chats as often as it likes. */
static bool take(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now) {
    (void)frame;
    const wsf_hold *hold = &entry->hold;
    if (!has_history(core, peer))
        return true;
    if ((hold->flags & WSF_HOLD_FORGET) != 0 && peer->holding.asked_again) {
        peer->holding.asked_again = false;
        lose(core, peer);
    }
    hold_all(core, peer, hold->adds, false, now);
    hold_all(core, peer, hold->inherits, true, now);
    release_all(core, peer, hold->removes);
    take_held(core, peer, hold->held);
    return true;
}

/* Chats that found no room may find some once half of the peer's is free, and not sooner than a peer goes down. */
static bool may_have_room(const wsf_core *core, const wsf_peer *peer, wsf_now now) {
    return !peer->holding.overflow || (peer->holding.held_count <= held_count_max(core) / 2 &&
                                       now.ms >= peer->holding.again_ms);
}

static void compare(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                    const wsf_entry *entry, wsf_now now) {
    (void)head;
    if (!has_history(core, peer) || entry->hold_sum.newest != peer->link.in_expected - 1 ||
        entry->hold_sum.digest == peer->holding.held_digest || !may_have_room(core, peer, now) ||
        !wsf_sender_may_ask_again(peer, now))
        return;
    peer->holding.overflow = false;
    peer->holding.asked_again = true;
    core->holding.mended++;
    wsf_sender_ask_again(core, peer, WSF_HOLD_RESYNC, now);
}

/* -------------------------------------------------------------------------------------- links */

static void link(wsf_core *core, wsf_peer *peer) {
    (void)core;
    memset(&peer->holding, 0, sizeof peer->holding);
    wsf_deque_init(&peer->holding.asks, sizeof(uint64_t));
    wsf_deque_init(&peer->holding.answers, sizeof(uint64_t));
}

static void unlink(wsf_core *core, wsf_peer *peer) {
    if (core->config.history_ms == 0)
        return;
    lose(core, peer);
    wsf_holders_lose_peer(core, peer);
    wsf_deque_destroy(&peer->holding.asks);
    wsf_deque_destroy(&peer->holding.answers);
}

/* A peer that is down may not come back: what it asks for is as if it were gone. Nor does this node rely on it, and the peer may
 * have given this node up meanwhile, without knowing what it held. */
static void set_down(wsf_core *core, const wsf_peer *peer, bool down) {
    wsf_peer *of = &core->peers[wsf_peer_index(core, peer)];
    if (!peer->linked || !has_history(core, peer))
        return;
    if (!down) {
        wsf_holders_tell_all(of);
        return;
    }
    lose(core, of);
    wsf_holders_doubt_peer(core, peer);
}

void wsf_holding_destroy(wsf_core *core) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++) {
        wsf_deque_destroy(&core->peers[i].holding.asks);
        wsf_deque_destroy(&core->peers[i].holding.answers);
    }
}

const wsf_part wsf_holding_part = {
    .types = UINT32_C(1) << WSF_HOLD,
    .take = take,
    .loose_types = UINT32_C(1) << WSF_HOLD_SUM,
    .take_loose = compare,
    .plan = plan,
    .write = write,
    .commit = commit,
    .resync = WSF_HOLD_RESYNC,
    .restart = restart,
    .write_heartbeat = write_heartbeat,
    .link = link,
    .unlink = unlink,
    .down = set_down,
};
