/* Answers for what becomes of the position of a session that came back.
 *
 * The verdict is WHOLE if this node's archive has everything of the chat that the position does not cover: the chat's `since` and
 * floors are not above the position, and no origin has a hole above it. That is looked at in the same step in which the list is
 * made and goes into the loop's inbox, so all that was delivered to the loop before is in the list or covered by the position, and
 * all that follows is live: nothing needs to be compared or merged.
 *
 * Two rules, as in witness.c: a position claims less than was seen, and what may be missing is missing. An origin that is not up is
 * not waited for: of what it published the session gets an unbroken run, as far as that had come to this node.
 *
 * Where something is lacking other nodes are asked, and then the same is looked at again: see backfill.h. */
#include "core/history/recover.h"

#include "base/position.h"
#include "core/history/backfill.h"
#include "core/history/extent.h"
#include "core/origin.h"
#include "core/routing/keeping.h"
#include "core/witness.h"

enum {
    CUTS_SHARE = 64, /* lists in one round, so that a storm of them does not hold up what is live */
    ASK_INTERVAL_MS = 50
};

/* ------------------------------------------------------------------------------------ the queue */

static void append(wsf_core *core, wsf_recovery *recovery) {
    recovery->next = NULL;
    if (core->recover.tail != NULL)
        core->recover.tail->next = recovery;
    else
        core->recover.head = recovery;
    core->recover.tail = recovery;
    core->recover.count++;
}

static void hand_back(wsf_core *core, wsf_recovery *recovery) {
    core->effects.recovered(core->effects.user, recovery);
}

/* Takes all out, to be appended again or handed back. */
static wsf_recovery *take_all(wsf_core *core) {
    wsf_recovery *first = core->recover.head;
    core->recover.head = core->recover.tail = NULL;
    core->recover.count = 0;
    return first;
}

void wsf_recover_forget_loop(wsf_core *core, unsigned loop) {
    for (wsf_recovery *next, *recovery = take_all(core); recovery != NULL; recovery = next) {
        next = recovery->next;
        if (recovery->loop == loop)
            hand_back(core, recovery);
        else
            append(core, recovery);
    }
}

void wsf_recover_end(wsf_core *core) {
    for (wsf_recovery *next, *recovery = take_all(core); recovery != NULL; recovery = next) {
        next = recovery->next;
        hand_back(core, recovery);
    }
}

/* ------------------------------------------------------------------------------------- positions */

static bool is_up(const wsf_peer *peer) {
    return peer->linked && peer->state == WSFAN_PEER_UP;
}

/* What is wrong with a position for what peers are like. One that was made before its node met a peer whose clock is far behind
 * claims what that peer is yet to publish. */
static wsfan_recovery judge_peers(const wsf_core *core, const wsf_vector *seen) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++) {
        const wsf_peer *peer = &core->peers[i];
        if (peer->node == 0 || !is_up(peer))
            continue;
        if ((peer->features & WSF_FEATURE_HISTORY) == 0)
            return WSFAN_RECOVERY_MIXED;
        if (peer->witness.refused ||
            (wsf_witness_is_behind(core, peer) && wsf_vector_find(seen, peer->node) == NULL))
            return WSFAN_RECOVERY_CLOCK;
    }
    return WSFAN_RECOVERY_WHOLE;
}

static uint64_t newest_of(const wsf_vector *seen) {
    uint64_t newest = seen->rest;
    for (uint32_t i = 0; i < seen->count; i++)
        newest = seen->entries[i].clock > newest ? seen->entries[i].clock : newest;
    return newest;
}

/* Whether it can be said of a position that it is of another epoch. */
static bool may_be_read(const wsf_core *core, const wsf_recovery *recovery) {
    return recovery->position_size == 0 || core->cluster_epoch.number != 0;
}

/* Sets `seen` if the verdict is WHOLE, which is not the last word. */
static wsfan_recovery read_position(wsf_core *core, wsf_recovery *recovery, wsf_now now) {
    wsf_position position;
    if (recovery->position_size == 0)
        return WSFAN_RECOVERY_NONE;
    if (core->cluster_epoch.number == 0)
        return WSFAN_RECOVERY_SILENT;
    switch (wsf_position_read(&core->config.history_key, wsf_recovery_chat(recovery),
                              (uint32_t)core->cluster_epoch.number, wsf_recovery_position(recovery),
                              &position)) {
    case WSF_POSITION_FALSE:
        return WSFAN_RECOVERY_POSITION;
    case WSF_POSITION_OTHER_EPOCH:
        return WSFAN_RECOVERY_EPOCH;
    case WSF_POSITION_GOOD:
        break;
    }
    recovery->seen = position.seen;
    wsf_clock_pass(core, now);
    if (newest_of(&position.seen) > core->clock &&
        (newest_of(&position.seen) - core->clock) >> 16 > WSF_CLOCK_APART_MS_MAX)
        return WSFAN_RECOVERY_CLOCK;
    wsf_clock_merge(core, newest_of(&position.seen),
                    now); /* what is published from now on is new */
    wsfan_recovery of_peers = judge_peers(core, &position.seen);
    if (of_peers != WSFAN_RECOVERY_WHOLE)
        return of_peers;
    return wsf_vector_is_ragged(&position.seen) ? WSFAN_RECOVERY_GAP : WSFAN_RECOVERY_WHOLE;
}

static bool is_waited_for(const wsf_peer *peer) {
    return peer->node != 0 && is_up(peer) && peer->witness.origin != NULL && !peer->witness.refused;
}

/* Whether this node got as far as the position with all peers that are up. When they are asked for a mark they are told how far
 * that is, and what they publish later is above it: it cannot be taken for seen. */
static bool has_caught_up(const wsf_core *core, const wsf_vector *seen) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++) {
        const wsf_peer *peer = &core->peers[i];
        if (is_waited_for(peer) && !peer->witness.origin->frozen &&
            wsf_origin_reached(peer->witness.origin) < wsf_vector_at(seen, peer->node))
            return false;
    }
    return true;
}

/* Origins with which this node did not get as far get entries of their own: their messages may come yet. Without room for one
 * the session may get some twice. */
static void name_those_behind(const wsf_core *core, wsf_vector *seen) {
    for (unsigned i = 0; i < WSF_ORIGINS_MAX; i++) {
        const wsf_origin *origin = &core->witness.origins[i];
        uint64_t clock = wsf_vector_at(seen, origin->node);
        if (origin->node != 0 && wsf_origin_reached(origin) < clock)
            (void)wsf_vector_pin(seen, origin->node, clock);
    }
}

/* --------------------------------------------------------------------------------------- the cut */

/* A session that is not recovered has seen what the loops have: more than the loop says of itself before it is through with what
 * it has taken. */
static void tell_seen(const wsf_core *core, wsf_recovery *recovery) {
    const wsf_reach *reach = core->reach.newest;
    if (recovery->verdict == WSFAN_RECOVERY_WHOLE)
        return;
    wsf_vector_init(&recovery->seen, 0);
    if (reach != NULL && reach->told)
        recovery->seen = reach->whole;
}

/* Lists what is to be replayed. False: out of memory. */
static bool list(wsf_core *core, wsf_recovery *recovery, uint32_t chat, wsf_now now) {
    wsf_vector above;
    wsf_archive_query query = { .above = &recovery->seen, .except = recovery->former };
    if (recovery->verdict != WSFAN_RECOVERY_WHOLE) {
        if (recovery->rewind_count == 0)
            return true;
        wsf_vector_init(&above, wsf_extent_begin(core, chat));
        query.above = &above;
        query.last_max = recovery->rewind_count;
    }
    recovery->list = wsf_archive_list(&core->keeping.archive, chat, &query, now.ms);
    if (recovery->list == NULL)
        return false;
    if (recovery->list->count == 0) {
        wsf_kept_list_free(recovery->list);
        recovery->list = NULL;
    }
    return true;
}

/* Whether something is lacking that another node may have. */
static bool lacks(const wsf_recovery *recovery, wsfan_recovery verdict) {
    return verdict == WSFAN_RECOVERY_UNKEPT || verdict == WSFAN_RECOVERY_OLD ||
           (verdict == WSFAN_RECOVERY_GAP && !wsf_vector_is_ragged(&recovery->seen));
}

/* Whether other nodes are asked first. */
static bool asks(wsf_core *core, const wsf_recovery *recovery, wsfan_recovery verdict,
                 wsf_now now) {
    if (lacks(recovery, verdict))
        return wsf_backfill_begin(core, recovery->hash, &recovery->seen, now);
    return verdict != WSFAN_RECOVERY_WHOLE && recovery->rewind_count > 0 &&
           wsf_backfill_begin(core, recovery->hash, NULL, now);
}

/* The verdict and the list, in one step of the core. False: other nodes are asked first. */
static bool decide(wsf_core *core, wsf_recovery *recovery, uint32_t chat, bool in_time,
                   wsf_now now) {
    wsfan_recovery verdict = recovery->verdict;
    wsf_archive_expire_chat(&core->keeping.archive, chat, now.ms);
    if (verdict == WSFAN_RECOVERY_WHOLE)
        verdict = judge_peers(core, &recovery->seen);
    if (verdict == WSFAN_RECOVERY_WHOLE)
        verdict = wsf_extent_lacks(core, chat, &recovery->seen);
    if (in_time && asks(core, recovery, verdict, now))
        return false;
    if (lacks(recovery, verdict) && wsf_backfill_failed(core, recovery->hash))
        verdict = WSFAN_RECOVERY_SILENT;
    recovery->verdict = verdict;
    if (verdict == WSFAN_RECOVERY_WHOLE)
        name_those_behind(core, &recovery->seen);
    tell_seen(core, recovery);
    if (!list(core, recovery, chat, now))
        recovery->verdict = WSFAN_RECOVERY_BUSY;
    hand_back(core, recovery);
    return true;
}

/* ---------------------------------------------------------------------------------------- rounds */

/* Whether a peer that is up has a gap of which nobody knows the end: its next mark says it. */
static bool has_open_gap(const wsf_core *core) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++) {
        const wsf_peer *peer = &core->peers[i];
        if (is_waited_for(peer) && peer->witness.origin->open)
            return true;
    }
    return false;
}

/* Whether what the loops are told they have seen is past the begin of the chat's history: otherwise a position that is told to
 * the session now would be of no use to it later. */
static bool is_past_begin(const wsf_core *core, uint32_t chat) {
    const wsf_reach *reach = core->reach.newest;
    return reach != NULL &&
           (!reach->told ||
            wsf_archive_sinces(&core->keeping.archive, chat)->rest <= reach->whole.rest);
}

static bool is_ready(wsf_core *core, uint32_t chat, bool open_gap) {
    if (!core->keeping.chats[chat].begun)
        return false;
    bool marked = !open_gap && is_past_begin(core, chat);
    core->recover.marks = core->recover.marks || !marked;
    return marked;
}

/* Nothing is listed, and a position that is good gets this verdict. */
static void refuse(wsf_core *core, wsf_recovery *recovery, wsfan_recovery verdict) {
    if (recovery->verdict == WSFAN_RECOVERY_WHOLE)
        recovery->verdict = verdict;
    tell_seen(core, recovery);
    hand_back(core, recovery);
}

/* Whether it is handed back now. Of two clusters that meet the older epoch becomes that of both, so a position of another one is
 * read again. */
static bool advance(wsf_core *core, wsf_recovery *recovery, bool open_gap, wsf_now now) {
    uint32_t chat = wsf_archive_find(&core->keeping.archive, recovery->hash);
    bool in_time = now.ms < recovery->deadline_ms;
    bool unsure = !recovery->read || recovery->verdict == WSFAN_RECOVERY_EPOCH;
    if (unsure && (!in_time || may_be_read(core, recovery))) {
        recovery->read = true;
        recovery->verdict = read_position(core, recovery, now);
    }
    if (!recovery->read || (in_time && wsf_backfill_waits(core, recovery->hash)))
        return false;
    if (chat == WSF_TABLE_NONE) { /* there was no room for it */
        refuse(core, recovery, WSFAN_RECOVERY_UNKEPT);
        return true;
    }
    bool good = recovery->verdict == WSFAN_RECOVERY_WHOLE;
    bool caught_up = !good || has_caught_up(core, &recovery->seen);
    bool ready = is_ready(core, chat, open_gap) && caught_up;
    core->recover.marks = core->recover.marks || !caught_up;
    if (ready || (!in_time && caught_up && core->keeping.chats[chat].begun && !open_gap))
        return decide(core, recovery, chat, in_time, now);
    if (in_time)
        return false;
    refuse(core, recovery, WSFAN_RECOVERY_SILENT);
    return true;
}

static void ask_for_marks(wsf_core *core, wsf_now now) {
    if (!core->recover.marks || now.ms < core->recover.ask_ms)
        return;
    core->recover.ask_ms = now.ms + ASK_INTERVAL_MS;
    wsf_clock_pass(core, now);
    wsf_witness_ask(core, core->clock);
}

void wsf_recover_tick(wsf_core *core, wsf_now now) {
    unsigned cuts = 0;
    if (core->recover.head == NULL)
        return;
    const bool open_gap = has_open_gap(core);
    core->recover.marks = core->recover.more = false;
    for (wsf_recovery *next, *recovery = take_all(core); recovery != NULL; recovery = next) {
        next = recovery->next;
        core->recover.more = core->recover.more || cuts == CUTS_SHARE;
        if (cuts < CUTS_SHARE && advance(core, recovery, open_gap, now))
            cuts++;
        else
            append(core, recovery);
    }
    ask_for_marks(core, now);
}

uint64_t wsf_recover_deadline(const wsf_core *core) {
    if (core->recover.head == NULL)
        return UINT64_MAX;
    if (core->recover.more)
        return core->last_ms;
    uint64_t at = core->recover.head->deadline_ms;
    return core->recover.marks && core->recover.ask_ms < at ? core->recover.ask_ms : at;
}

void wsf_recover_add(wsf_core *core, wsf_recovery *recovery, wsf_now now) {
    recovery->deadline_ms = now.ms + core->config.recover_ms_max;
    bool asked_for = recovery->position_size > 0 || recovery->rewind_count > 0;
    if (core->config.history_ms == 0 || core->recover.count == WSF_RECOVERIES_MAX) {
        recovery->verdict = !asked_for                     ? WSFAN_RECOVERY_NONE
                            : core->config.history_ms == 0 ? WSFAN_RECOVERY_OFF
                                                           : WSFAN_RECOVERY_BUSY;
        hand_back(core, recovery);
        return;
    }
    append(core, recovery);
}
