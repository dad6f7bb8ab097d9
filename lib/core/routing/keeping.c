/* Answers for which chats this node keeps the messages of, and from which clock on it may say that it has them all.
 *
 * A chat is kept from the first join with history until history_ms after the last session that joined so has left: the
 * node's archive is as one more loop that is interested in the chat, WSF_LOOP_ARCHIVE. So the peers send what is published
 * for it, as they would for a session, and it is kept once.
 *
 * Its history begins when every peer that is up knows of this interest. What was published before may be missing, so until
 * then the archive vouches for nothing.
 *
 * Knows no session and no message. Without history_ms it does nothing. */
#include "core/routing/keeping.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "core/presence/sync.h"
#include "core/witness.h"

/* In one round, so that it takes well below a millisecond. A chat that ends may have count_max messages. */
enum { BEGINS_SHARE = 256, ENDS_SHARE = 16 };

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
    append(core, WSF_KEEPING_ENDS, i);
    return i;
}

static void close_chat(wsf_core *core, uint32_t i) {
    const wsf_keeping_chat *chat = &core->keeping.chats[i];
    if (!chat->begun)
        take_out(core, WSF_KEEPING_BEGINS, i);
    take_out(core, WSF_KEEPING_ENDS, i);
    wsf_interest_remove_loop(&core->interest, chat->hash, WSF_LOOP_ARCHIVE);
    wsf_presence_sync_left(core, chat->hash);
    wsf_archive_close(&core->keeping.archive, i);
    wsf_free(chat->caps);
    core->keeping.chats[i].caps = NULL;
}

void wsf_keeping_add_loop(wsf_core *core, uint64_t hash, unsigned loop) {
    if (core->config.history_ms == 0)
        return;
    assert(loop < WSF_LOOP_ARCHIVE);
    uint32_t i = wsf_archive_find(&core->keeping.archive, hash);
    if (i == WSF_TABLE_NONE && (i = open_chat(core, hash)) == WSF_TABLE_NONE)
        return;
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    if (chat->loops == 0)
        take_out(core, WSF_KEEPING_ENDS, i);
    chat->loops |= UINT64_C(1) << loop;
}

static void remove_loop(wsf_core *core, uint32_t i, unsigned loop, wsf_now now) {
    wsf_keeping_chat *chat = &core->keeping.chats[i];
    uint64_t bit = UINT64_C(1) << loop;
    if ((chat->loops & bit) == 0)
        return;
    chat->loops &= ~bit;
    if (chat->loops != 0)
        return;
    chat->end_ms = now.ms + core->config.history_ms;
    append(core, WSF_KEEPING_ENDS, i);
}

void wsf_keeping_remove_loop(wsf_core *core, uint64_t hash, unsigned loop, wsf_now now) {
    if (core->config.history_ms == 0)
        return;
    uint32_t i = wsf_archive_find(&core->keeping.archive, hash);
    if (i != WSF_TABLE_NONE)
        remove_loop(core, i, loop, now);
}

/* A place that no chat has is of one that was closed, or of none: it has no loops. */
void wsf_keeping_forget_loop(wsf_core *core, unsigned loop, wsf_now now) {
    if (core->config.history_ms == 0)
        return;
    for (uint32_t i = 0; i < core->keeping.capacity; i++)
        remove_loop(core, i, loop, now);
}

void wsf_keeping_take(wsf_core *core, const wsfan_message *message, wsf_now now) {
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
    }
}

static void end_some(wsf_core *core, wsf_now now) {
    const wsf_keeping_line *line = &core->keeping.lines[WSF_KEEPING_ENDS];
    for (unsigned n = 0; n < ENDS_SHARE && line->first != WSF_TABLE_NONE &&
                         core->keeping.chats[line->first].end_ms <= now.ms;
         n++)
        close_chat(core, line->first);
}

/* The archive is asked as often as peers are looked after. */
static void expire_some(wsf_core *core, wsf_now now) {
    const wsf_core_config *config = &core->config;
    if (now.ms < core->keeping.look_ms)
        return;
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
    uint32_t first = core->keeping.lines[WSF_KEEPING_ENDS].first;
    uint64_t at = first != WSF_TABLE_NONE ? core->keeping.chats[first].end_ms : UINT64_MAX;
    if (core->keeping.archive.oldest != NULL && core->keeping.look_ms < at)
        at = core->keeping.look_ms;
    return core->keeping.more ? core->last_ms : at;
}

void wsf_keeping_counts(const wsf_core *core, wsf_history_counts *counts) {
    const wsf_archive *archive = &core->keeping.archive;
    *counts = (wsf_history_counts){ .chats = archive->slots.count,
                                    .held = core->keeping.lines[WSF_KEEPING_ENDS].count,
                                    .refused = core->keeping.refused,
                                    .messages = archive->stats.messages,
                                    .bytes = archive->stats.bytes,
                                    .evicted = archive->stats.evicted,
                                    .expired = archive->stats.expired };
}
