/* Answers for which chats this node keeps the messages of, and from which clock on it may say that it has them all.
 *
 * A chat is kept from the first join with history until history_ms after the last session that joined so has left, when it
 * *lingers*: the node's archive is as one more loop that is interested in the chat, WSF_LOOP_ARCHIVE. So the peers send what
 * is published for it, as they would for a session, and it is kept once. It is kept as well while peers ask this node to
 * hold it, and when one of those is gone, it *rests* for history_ms, whoever else asks.
 *
 * Its history begins when every peer that is up knows of this interest. What was published before may be missing, so until
 * then the archive vouches for nothing.
 *
 * Knows no session and no message. Without history_ms it does nothing. */
#include "core/routing/keeping.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "core/history/holders.h"
#include "core/history/reach.h"
#include "core/history/waiting.h"
#include "core/presence/sync.h"
#include "core/witness.h"

/* In one round, so that it takes well below a millisecond. A chat that ends may have count_max messages. */
enum { BEGINS_SHARE = 256, ENDS_SHARE = 16 };

/* Of what lingers, or rests, from then on. */
static uint64_t end_ms(const wsf_core *core, uint64_t from_ms) {
    return from_ms + core->config.history_ms;
}

void wsf_keeping_init(wsf_core *core) {
    const wsf_core_config *config = &core->config;
    if (config->history_ms == 0)
        return;
    core->routed = UINT64_C(1) << WSF_LOOP_ARCHIVE;
    wsf_archive_limits limits = { .count_max = config->history_count_max,
                                  .chat_bytes_max = config->history_chat_bytes_max,
                                  .age_ms_max = config->history_ms,
                                  .bytes_max = config->history_bytes_max };
    wsf_archive_init(&core->keeping.archive, &limits, wsf_random(core));
    for (unsigned line = 0; line < WSF_KEEPING_LINES; line++)
        core->keeping.lines[line].first = core->keeping.lines[line].last = WSF_TABLE_NONE;
}

void wsf_keeping_destroy(wsf_core *core) {
    if (core->config.history_ms != 0)
        wsf_archive_destroy(&core->keeping.archive);
    for (uint32_t i = 0; i < core->keeping.capacity; i++)
        wsf_free(core->keeping.chats[i].caps);
    wsf_free(core->keeping.chats);
}

/* --------------------------------------------------------------------------------------- lines */

static void append(wsf_core *core, unsigned line, uint32_t i) {
    wsf_keeping_chat *chats = core->keeping.chats;
    wsf_keeping_line *ends = &core->keeping.lines[line];
    chats[i].places[line].before = ends->last;
    chats[i].places[line].after = WSF_TABLE_NONE;
    if (ends->last != WSF_TABLE_NONE)
        chats[ends->last].places[line].after = i;
    else
        ends->first = i;
    ends->last = i;
    ends->count++;
}

static void take_out(wsf_core *core, unsigned line, uint32_t i) {
    wsf_keeping_chat *chats = core->keeping.chats;
    wsf_keeping_line *ends = &core->keeping.lines[line];
    uint32_t before = chats[i].places[line].before;
    uint32_t after = chats[i].places[line].after;
    if (before != WSF_TABLE_NONE)
        chats[before].places[line].after = after;
    else
        ends->first = after;
    if (after != WSF_TABLE_NONE)
        chats[after].places[line].before = before;
    else
        ends->last = before;
    ends->count--;
}

/* --------------------------------------------------------------------------------------- chats */

/* Room for what the archive may give a number. */
static bool has_room(wsf_core *core, uint32_t number) {
    if (number < core->keeping.capacity)
        return true;
    uint32_t capacity = core->keeping.archive.slots.capacity;
    wsf_keeping_chat *chats = wsf_realloc(core->keeping.chats, capacity * sizeof *chats);
    if (chats == NULL)
        return false;
    memset(chats + core->keeping.capacity, 0, (capacity - core->keeping.capacity) * sizeof *chats);
    core->keeping.chats = chats;
    core->keeping.capacity = capacity;
    return true;
}

/* WSF_TABLE_NONE: no room. The chat is not kept then, until a loop asks again. */
static uint32_t open_chat(wsf_core *core, uint64_t hash) {
    wsf_archive *archive = &core->keeping.archive;
    uint64_t serial;
    uint32_t i;
    if (wsf_archive_open(archive, hash, &i) != WSFAN_OK) {
        core->keeping.refused++;
        return WSF_TABLE_NONE;
    }
    if (!has_room(core, i) ||
        wsf_interest_add_loop(&core->interest, hash, WSF_LOOP_ARCHIVE, &serial) != WSFAN_OK) {
        wsf_archive_close(archive, i);
        core->keeping.refused++;
        return WSF_TABLE_NONE;
    }
    core->keeping.chats[i] = (wsf_keeping_chat){ .hash = hash, .serial = serial };
    append(core, WSF_KEEPING_BEGINS, i);
    return i;
}

static uint32_t find_or_open(wsf_core *core, uint64_t hash) {
    uint32_t i = wsf_archive_find(&core->keeping.archive, hash);
    return i != WSF_TABLE_NONE ? i : open_chat(core, hash);
}

static bool is_wanted(const wsf_keeping_chat *chat) {
    return chat->loops != 0 || chat->lingers || chat->rests || !wsf_peers_is_empty(chat->askers);
}

static void close_if_unwanted(wsf_core *core, uint32_t i) {
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    if (is_wanted(chat))
        return;
    wsf_holders_leave(core, i);
    wsf_waiting_wake_chat(core, i);
    if (!chat->begun)
        take_out(core, WSF_KEEPING_BEGINS, i);
    wsf_interest_remove_loop(&core->interest, chat->hash, WSF_LOOP_ARCHIVE);
    wsf_presence_sync_left(core, chat->hash);
    wsf_archive_close(&core->keeping.archive, i);
    wsf_free(chat->caps);
    *chat = (wsf_keeping_chat){ .hash = 0 };
}

/* ---------------------------------------------------------------------------------------- loops */

void wsf_keeping_add_loop(wsf_core *core, uint64_t hash, unsigned loop) {
    if (core->config.history_ms == 0)
        return;
    assert(loop < WSF_LOOP_ARCHIVE);
    uint32_t i = find_or_open(core, hash);
    if (i == WSF_TABLE_NONE)
        return;
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    bool first = chat->loops == 0;
    if (chat->lingers)
        take_out(core, WSF_KEEPING_LINGERS, i);
    chat->lingers = false;
    chat->loops |= UINT64_C(1) << loop;
    core->keeping.wanted += first;
    if (first)
        wsf_holders_look(core, i);
}

static void remove_loop(wsf_core *core, uint32_t i, unsigned loop, wsf_now now) {
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    uint64_t bit = UINT64_C(1) << loop;
    if ((chat->loops & bit) == 0)
        return;
    chat->loops &= ~bit;
    if (chat->loops != 0)
        return;
    core->keeping.wanted--;
    chat->lingers = true;
    chat->linger_ms = end_ms(core, now.ms);
    append(core, WSF_KEEPING_LINGERS, i);
}

void wsf_keeping_remove_loop(wsf_core *core, uint64_t hash, unsigned loop, wsf_now now) {
    if (core->config.history_ms == 0)
        return;
    uint32_t i = wsf_archive_find(&core->keeping.archive, hash);
    if (i != WSF_TABLE_NONE)
        remove_loop(core, i, loop, now);
}

void wsf_keeping_forget_loop(wsf_core *core, unsigned loop, wsf_now now) {
    if (core->config.history_ms == 0)
        return;
    for (uint32_t i = 0; i < core->keeping.capacity; i++)
        remove_loop(core, i, loop, now);
}

/* ---------------------------------------------------------------------------------------- peers */

void wsf_keeping_set_unanswered(wsf_core *core, uint32_t i, bool unanswered) {
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    if (chat->unanswered == unanswered)
        return;
    chat->unanswered = unanswered;
    if (unanswered)
        append(core, WSF_KEEPING_ANSWERS, i);
    else
        take_out(core, WSF_KEEPING_ANSWERS, i);
}

static void add_asker(wsf_core *core, uint32_t i, unsigned peer) {
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    core->keeping.asked += wsf_peers_is_empty(chat->askers);
    wsf_peers_add(&chat->askers, peer);
    wsf_holders_look(core, i); /* a node that drains asks for whatever it keeps */
}

static void remove_asker(wsf_core *core, uint32_t i, unsigned peer) {
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    wsf_peers_remove(&chat->askers, peer);
    wsf_peers_remove(&chat->answered, peer);
    wsf_peers_remove(&chat->sources, peer);
    if (!wsf_peers_is_empty(chat->askers))
        return;
    core->keeping.asked--;
    wsf_keeping_set_unanswered(core, i, false);
}

bool wsf_keeping_hold(wsf_core *core, uint64_t hash, unsigned peer, bool held) {
    uint32_t i = held ? find_or_open(core, hash) : wsf_archive_find(&core->keeping.archive, hash);
    if (i == WSF_TABLE_NONE)
        return false;
    bool had = wsf_peers_has(core->keeping.chats[i].askers, peer);
    if (held && !had) {
        add_asker(core, i, peer);
    } else if (!held && had) {
        remove_asker(core, i, peer);
        close_if_unwanted(core, i);
    }
    return true;
}

void wsf_keeping_lose_peer(wsf_core *core, unsigned peer) {
    for (uint32_t i = 0; i < core->keeping.capacity; i++) {
        wsf_keeping_chat *chat = &core->keeping.chats[i];
        wsf_peers_remove(&chat->sources, peer);
        if (!wsf_peers_has(chat->askers, peer))
            continue;
        remove_asker(core, i, peer);
        if (chat->rests)
            take_out(core, WSF_KEEPING_RESTS, i);
        chat->rests = true;
        chat->rest_ms = end_ms(core, core->now_ms);
        append(core, WSF_KEEPING_RESTS, i);
    }
}

void wsf_keeping_take(wsf_core *core, const wsfan_message *message, wsf_now now) {
    wsf_archive_pass(&core->keeping.archive, wsf_clock_max(core));
    wsf_archive_keep(&core->keeping.archive, message, now.ms);
}

/* ---------------------------------------------------------------------------------------- time */

/* Serials may step back (a chat that a loop was interested in before), so the first chat may hold back a later one. */
static void begin_some(wsf_core *core, wsf_now now) {
    const wsf_keeping_line *line = &core->keeping.lines[WSF_KEEPING_BEGINS];
    uint64_t since;
    for (unsigned n = 0; line->first != WSF_TABLE_NONE; n++) {
        uint32_t i = line->first;
        wsf_keeping_chat *chat = &core->keeping.chats[i];
        core->keeping.more = n == BEGINS_SHARE;
        if (core->keeping.more || !wsf_witness_begin(core, chat->serial, now, &since))
            return;
        wsf_archive_extend(&core->keeping.archive, i, 0, since, UINT64_MAX);
        chat->begun = true;
        take_out(core, WSF_KEEPING_BEGINS, i);
        wsf_waiting_wake_chat(core, i);
    }
}

/* The first of a line whose time is over; WSF_TABLE_NONE: there is none. */
static uint32_t due(const wsf_core *core, unsigned line, wsf_now now) {
    uint32_t i = core->keeping.lines[line].first;
    if (i == WSF_TABLE_NONE)
        return i;
    const wsf_keeping_chat *chat = &core->keeping.chats[i];
    uint64_t at = line == WSF_KEEPING_LINGERS ? chat->linger_ms : chat->rest_ms;
    return at <= now.ms ? i : WSF_TABLE_NONE;
}

static void end_some(wsf_core *core, wsf_now now) {
    uint32_t i;
    for (unsigned n = 0;
         n < ENDS_SHARE && (i = due(core, WSF_KEEPING_LINGERS, now)) != WSF_TABLE_NONE; n++) {
        take_out(core, WSF_KEEPING_LINGERS, i);
        core->keeping.chats[i].lingers = false;
        wsf_holders_look(core, i);
        close_if_unwanted(core, i);
    }
    for (unsigned n = 0;
         n < ENDS_SHARE && (i = due(core, WSF_KEEPING_RESTS, now)) != WSF_TABLE_NONE; n++) {
        take_out(core, WSF_KEEPING_RESTS, i);
        core->keeping.chats[i].rests = false;
        close_if_unwanted(core, i);
    }
}

/* The archive is asked as often as peers are looked after. */
static void expire_some(wsf_core *core, wsf_now now) {
    const wsf_core_config *config = &core->config;
    if (now.ms < core->keeping.look_ms)
        return;
    wsf_archive_pass(&core->keeping.archive, wsf_clock_max(core));
    bool all = wsf_archive_expire(&core->keeping.archive, now.ms);
    uint32_t pause_ms = config->heartbeat_ms < config->history_ms ? config->heartbeat_ms
                                                                  : config->history_ms;
    core->keeping.look_ms = all ? now.ms + pause_ms : now.ms;
}

void wsf_keeping_tick(wsf_core *core, wsf_now now) {
    if (core->config.history_ms == 0)
        return;
    core->keeping.more = false;
    begin_some(core, now);
    end_some(core, now);
    expire_some(core, now);
}

/* A begin that waits for peers is tried when one of them was heard, or is heard no more. */
uint64_t wsf_keeping_deadline(const wsf_core *core) {
    if (core->config.history_ms == 0)
        return UINT64_MAX;
    uint64_t at = UINT64_MAX;
    uint32_t first = core->keeping.lines[WSF_KEEPING_LINGERS].first;
    if (first != WSF_TABLE_NONE)
        at = core->keeping.chats[first].linger_ms;
    first = core->keeping.lines[WSF_KEEPING_RESTS].first;
    if (first != WSF_TABLE_NONE && core->keeping.chats[first].rest_ms < at)
        at = core->keeping.chats[first].rest_ms;
    if (core->keeping.archive.oldest != NULL && core->keeping.look_ms < at)
        at = core->keeping.look_ms;
    return core->keeping.more ? core->last_ms : at;
}

void wsf_keeping_counts(const wsf_core *core, wsf_history_counts *counts) {
    const wsf_archive *archive = &core->keeping.archive;
    *counts = (wsf_history_counts){ .chats = archive->slots.count,
                                    .held = archive->slots.count - core->keeping.wanted,
                                    .refused = core->keeping.refused,
                                    .asked = core->keeping.asked,
                                    .unheld = core->holders.unheld,
                                    .holds_refused = core->holding.refused,
                                    .messages = archive->stats.messages,
                                    .bytes = archive->stats.bytes,
                                    .evicted = archive->stats.evicted,
                                    .expired = archive->stats.expired };
}
