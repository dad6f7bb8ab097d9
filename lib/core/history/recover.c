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
 * Where something is lacking other nodes are asked, and then the same is looked at again: see backfill.h.
 *
 * Sessions come back by the thousand when a node has ended. A round looks at those whose wait is over (see waiting.h), at so many
 * at a time, and what is live goes on between rounds. */
#include "core/history/recover.h"

#include "base/position.h"
#include "core/history/backfill.h"
#include "core/history/extent.h"
#include "core/history/waiting.h"
#include "core/origin.h"
#include "core/routing/keeping.h"
#include "core/witness.h"

enum {
    CUTS_SHARE = 64, /* lists in one round, so that a storm of them does not hold up what is live */
    LOOKS_SHARE = 512,
    LOOK_INTERVAL_MS = 10, /* at those that wait for marks */
    ASK_INTERVAL_MS = 50
};

/* What all recoveries of a round are looked at with: it does not change meanwhile. */
typedef struct {
    bool
        open_gap; /* a peer that is up has a gap of which nobody knows the end: its next mark says it */
    unsigned count;
    const wsf_origin *origins[WSF_PEERS_MAX]; /* peers that are up, and say how far they are */
} scene;

static bool asks_for_something(const wsf_recovery *recovery) {
    return recovery->position_size > 0 || recovery->rewind_count > 0;
}

static void hand_back(wsf_core *core, wsf_recovery *recovery) {
    wsf_waiting_remove(core, recovery);
    core->recover.count -= asks_for_something(recovery);
    core->effects.recovered(core->effects.user, recovery);
}

void wsf_recover_forget_loop(wsf_core *core, unsigned loop) {
    for (wsf_recovery *next, *recovery = core->recover.all.first; recovery != NULL;
         recovery = next) {
        next = recovery->places[0].behind;
        if (recovery->loop == loop)
            hand_back(core, recovery);
    }
}

void wsf_recover_end(wsf_core *core) {
    while (core->recover.all.first != NULL)
        hand_back(core, core->recover.all.first);
}

/* ------------------------------------------------------------------------------------- positions */

static bool is_up(const wsf_peer *peer) {
    return peer->linked && peer->state == WSFAN_PEER_UP;
}

/* What is wrong with a position for what peers are like. One that was made before its node met a peer whose clock is far behind
 * claims what that peer is yet to publish, also once it is up again; of two in one, one may be such. */
static wsfan_recovery judge_peers(const wsf_core *core, const wsf_vector *seen) {
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;) {
        if (is_up(peer) && (peer->features & WSF_FEATURE_HISTORY) == 0)
            return WSFAN_RECOVERY_MIXED;
        if ((is_up(peer) && peer->witness.refused) || wsf_witness_is_preempted(core, peer, seen))
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

/* Whether a position claims what may yet be published. Of a node that is gone and forgotten nothing will be, however far ahead its
 * clock was. */
static bool is_ahead(const wsf_core *core, const wsf_vector *seen) {
    bool ahead = seen->rest > core->clock;
    for (uint32_t i = 0; i < seen->count && !ahead; i++)
        ahead = seen->entries[i].clock > core->clock &&
                wsf_extent_knows(core, seen->entries[i].origin);
    return ahead;
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
    wsf_clock_merge(core, newest_of(&position.seen),
                    now); /* what is published from now on is new */
    if (is_ahead(core, &position.seen))
        return WSFAN_RECOVERY_CLOCK;
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
static bool has_caught_up(const scene *all, const wsf_vector *seen) {
    for (unsigned i = 0; i < all->count; i++) {
        const wsf_origin *origin = all->origins[i];
        if (!origin->frozen && wsf_origin_reached(origin) < wsf_vector_at(seen, origin->node))
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

/* Lists what is to be replayed: of an origin with a cap nothing beyond it, where some may be missing. False: out of memory. */
static bool list(wsf_core *core, wsf_recovery *recovery, uint32_t chat, wsf_now now) {
    wsf_vector above;
    wsf_vector up_to;
    wsf_kept_query query = { .above = &recovery->seen, .except = recovery->former };
    if (!wsf_extent_tell_caps(core, chat, recovery))
        return false;
    wsf_vector_init(&up_to, UINT64_MAX);
    for (uint32_t i = 0; i < recovery->caps_count; i++)
        (void)wsf_vector_pin(&up_to, recovery->caps[i].origin, recovery->caps[i].clock);
    wsf_backfill_hide(core, recovery->hash, &up_to);
    query.up_to = up_to.count > 0 ? &up_to : NULL;
    if (recovery->verdict != WSFAN_RECOVERY_WHOLE) {
        if (recovery->rewind_count == 0)
            return true;
        wsf_extent_begins(core, chat, &above);
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

/* Whether what the loops are told they have seen is past the begin of the chat's history: otherwise a position that is told to
 * the session now would be of no use to it later. */
static bool is_past_begin(const wsf_core *core, uint32_t chat) {
    const wsf_reach *reach = core->reach.newest;
    return reach != NULL &&
           (!reach->told ||
            wsf_archive_sinces(&core->keeping.archive, chat)->rest <= reach->whole.rest);
}

static void give(wsf_core *core, wsf_recovery *recovery, wsfan_recovery verdict) {
    recovery->verdict = verdict;
    tell_seen(core, recovery);
    hand_back(core, recovery);
}

/* The verdict and the list, in one step of the core. False: other nodes are asked first. Where there is no time for that, nobody
 * knows whether they have what is lacking. */
static bool decide(wsf_core *core, wsf_recovery *recovery, uint32_t chat, wsf_now now) {
    wsfan_recovery verdict = recovery->verdict;
    wsf_archive_expire_chat(&core->keeping.archive, chat, now.ms);
    if (verdict == WSFAN_RECOVERY_WHOLE)
        verdict = judge_peers(core, &recovery->seen);
    if (verdict == WSFAN_RECOVERY_WHOLE)
        verdict = wsf_extent_lacks(core, chat, &recovery->seen);
    bool asked = asks(core, recovery, verdict, now);
    if (asked && now.ms < recovery->deadline_ms) {
        recovery->asked = true;
        wsf_waiting_set(core, recovery, WSF_WAITS_FOR_CHAT, chat);
        return false;
    }
    if (lacks(recovery, verdict) && wsf_backfill_failed(core, recovery->hash))
        verdict = WSFAN_RECOVERY_SILENT;
    if (verdict == WSFAN_RECOVERY_WHOLE)
        name_those_behind(core, &recovery->seen);
    recovery->verdict = verdict;
    bool listed = list(core, recovery, chat, now);
    core->recover.remote += listed && recovery->asked && verdict == WSFAN_RECOVERY_WHOLE;
    give(core, recovery, listed ? verdict : WSFAN_RECOVERY_BUSY);
    return true;
}

/* ---------------------------------------------------------------------------------------- looks */

/* What another one than this recovery must do or say first. */
static wsf_waits_for wait_of(const wsf_core *core, const wsf_recovery *recovery, uint32_t chat,
                             const scene *all) {
    if (!core->keeping.chats[chat].begun || wsf_backfill_waits(core, recovery->hash))
        return WSF_WAITS_FOR_CHAT;
    if (all->open_gap || !is_past_begin(core, chat) ||
        (recovery->verdict == WSFAN_RECOVERY_WHOLE && !has_caught_up(all, &recovery->seen)))
        return WSF_WAITS_FOR_MARKS;
    return WSF_WAITS_FOR_NOTHING;
}

/* Nothing is listed, and a position that is good gets this verdict. */
static void refuse(wsf_core *core, wsf_recovery *recovery, wsfan_recovery verdict) {
    give(core, recovery, recovery->verdict == WSFAN_RECOVERY_WHOLE ? verdict : recovery->verdict);
}

/* Where two clusters met since it was read, the epoch is another one. */
static void read(wsf_core *core, wsf_recovery *recovery, wsf_now now) {
    if (!recovery->read || recovery->epoch != core->cluster_epoch.number)
        recovery->verdict = read_position(core, recovery, now);
    recovery->read = true;
    recovery->epoch = core->cluster_epoch.number;
}

/* Whether it was handed back. */
static bool look(wsf_core *core, wsf_recovery *recovery, const scene *all, wsf_now now) {
    uint32_t chat = wsf_archive_find(&core->keeping.archive, recovery->hash);
    if (!recovery->read && !may_be_read(core, recovery)) {
        wsf_waiting_set(core, recovery, WSF_WAITS_FOR_MARKS, 0);
        return false;
    }
    read(core, recovery, now);
    if (chat == WSF_TABLE_NONE) { /* there was no room for it */
        refuse(core, recovery, WSFAN_RECOVERY_OLD);
        return true;
    }
    wsf_waits_for what = wait_of(core, recovery, chat, all);
    if (what == WSF_WAITS_FOR_NOTHING)
        return decide(core, recovery, chat, now);
    wsf_waiting_set(core, recovery, what, chat);
    return false;
}

/* Its time is over. What may be wanting to the next position only is no reason to refuse this one. */
static void conclude(wsf_core *core, wsf_recovery *recovery, const scene *all, wsf_now now) {
    uint32_t chat = wsf_archive_find(&core->keeping.archive, recovery->hash);
    read(core, recovery, now);
    bool good = recovery->verdict == WSFAN_RECOVERY_WHOLE;
    if (chat == WSF_TABLE_NONE)
        refuse(core, recovery, WSFAN_RECOVERY_OLD);
    else if (core->keeping.chats[chat].begun && !all->open_gap &&
             (!good || has_caught_up(all, &recovery->seen)))
        (void)decide(core, recovery, chat, now);
    else
        refuse(core, recovery, WSFAN_RECOVERY_SILENT);
}

/* --------------------------------------------------------------------------------------- rounds */

static void see(const wsf_core *core, scene *all) {
    all->count = 0;
    all->open_gap = false;
    wsf_peers linked = core->linked;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &linked)) != NULL;) {
        if (!is_waited_for(peer))
            continue;
        all->origins[all->count++] = peer->witness.origin;
        all->open_gap = all->open_gap || peer->witness.origin->open;
    }
}

/* When those that wait for marks are looked at next: after a mark has come, or what follows from it, or when peers may be asked
 * again. */
static uint64_t look_ms(const wsf_core *core) {
    bool moved = core->witness.moved || core->reach.told_ms != core->recover.reach_ms;
    return moved && core->recover.look_ms < core->recover.ask_ms ? core->recover.look_ms
                                                                 : core->recover.ask_ms;
}

static void wake_marked(wsf_core *core, wsf_now now) {
    if (now.ms < look_ms(core))
        return;
    core->recover.look_ms = now.ms + LOOK_INTERVAL_MS;
    core->recover.reach_ms = core->reach.told_ms;
    wsf_waiting_wake_marked(core);
}

static void ask_for_marks(wsf_core *core, wsf_now now) {
    if (core->recover.marked.first == NULL || now.ms < core->recover.ask_ms)
        return;
    core->recover.ask_ms = now.ms + ASK_INTERVAL_MS;
    wsf_clock_pass(core, now);
    wsf_witness_ask(core, core->clock);
}

void wsf_recover_tick(wsf_core *core, wsf_now now) {
    scene all;
    wsf_recovery *first;
    unsigned cuts = 0;
    unsigned looks = 0;
    if (core->recover.all.first == NULL)
        return;
    see(core, &all);
    wake_marked(core, now);
    for (; cuts < CUTS_SHARE && (first = core->recover.all.first) != NULL &&
           first->deadline_ms <= now.ms;
         cuts++)
        conclude(core, first, &all, now);
    for (; looks < LOOKS_SHARE && cuts < CUTS_SHARE && (first = core->recover.due.first) != NULL;
         looks++)
        cuts += look(core, first, &all, now);
    ask_for_marks(core, now);
}

uint64_t wsf_recover_deadline(const wsf_core *core) {
    if (core->recover.all.first == NULL)
        return UINT64_MAX;
    if (core->recover.due.first != NULL)
        return core->last_ms;
    uint64_t at = core->recover.all.first->deadline_ms;
    uint64_t marks_ms = core->recover.marked.first != NULL ? look_ms(core) : UINT64_MAX;
    return marks_ms < at ? marks_ms : at;
}

void wsf_recover_add(wsf_core *core, wsf_recovery *recovery, wsf_now now) {
    recovery->deadline_ms = now.ms + core->config.recover_ms_max;
    bool more = asks_for_something(recovery);
    bool busy = more && core->recover.count >= core->config.recoveries_count_max;
    if (core->config.history_ms == 0 || busy) {
        recovery->verdict = !more  ? WSFAN_RECOVERY_NONE
                            : busy ? WSFAN_RECOVERY_BUSY
                                   : WSFAN_RECOVERY_OFF;
        core->effects.recovered(core->effects.user, recovery);
        return;
    }
    core->recover.count += more;
    wsf_waiting_add(core, recovery);
}
