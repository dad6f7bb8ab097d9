/* Whether what was told of a position can be true, by the logs alone; and where all was calm, whether it must be WHOLE. */
#include <wsfan/peers.h>

#include "visits.h"

enum {
    GONE_MS = 6000,  /* so long after its end each node knows of it */
    EARLY_MS = 3000, /* a chat that is kept so long need not be at an end */
    BOUNDS_MAX = 8,  /* publishers of which a chat says exactly what has gone */
};

bool travels_steady(const travels *t, uint32_t life, uint32_t other) {
    const life_page *at = t->lives[life];
    return life == other || (at->state[other] == WSFAN_PEER_UP &&
                             at->state_ms[other] + STEADY_MS <= ledger_ms(t->ledger));
}

void travels_broken(travels *t, const visit *v, const char *what) {
    ledger_violation(t->ledger,
                     "session %u of life %u, traveller %u in chat %u, told %s (position of %llu ms "
                     "of life %u): %s",
                     v->session, v->life, v->traveller, v->chat, wsfan_recovery_text(v->verdict),
                     (unsigned long long)v->by.told.ms,
                     v->from == UINT32_MAX ? UINT32_MAX : t->visits[v->from]->life, what);
}

/* Whether a node of those that formed the cluster knew both nodes all the time. */
static bool lived_throughout(const travels *t, const visit *v, const visit *from) {
    if (t->formed_at == 0 || from->told.at < t->formed_at)
        return false;
    for (uint32_t life = 0; life < LEDGER_LIVES_MAX; life++)
        if (t->lives[life] != NULL && t->lives[life]->alive && t->lives[life]->first &&
            travels_steady(t, v->life, life) &&
            (life == from->life ||
             (bit(from->up, life) && from->told.ms + STEADY_MS < v->by.told.ms)))
            return true;
    return false;
}

/* Whether a node that is gone is nothing that a position of this one may be held up by, at this one: as long as its messages
 * may be kept, those that had not come are missing unless it said goodbye, behind them. */
static bool is_over(const travels *t, const life_page *at, uint32_t other, uint64_t ms) {
    uint64_t over_ms = t->lives[other]->died_ms + GONE_MS;
    if (at->state[other] != 0 && !at->parted[other])
        over_ms = at->state_ms[other] + GONE_MS + t->limits.history_ms;
    return over_ms <= ms;
}

/* Whether the position's node had everybody up who was there since: what others published before they met it is nowhere. And
 * nobody has gone: of those a position says what its node got, for long, and another node may have got other things, or never
 * have met them. */
static bool know_all(const travels *t, const visit *v, const visit *from) {
    const life_page *at = t->lives[from->life];
    const uint64_t ms = v->by.told.ms;
    for (uint32_t other = 0; at != NULL && other < LEDGER_LIVES_MAX; other++) {
        const life_page *of = t->lives[other];
        if (of == NULL || other == from->life)
            continue;
        if (of->alive &&
            (at->state[other] != WSFAN_PEER_UP || at->state_ms[other] + STEADY_MS > ms))
            return false;
        if (!of->alive && (v->life != from->life || !is_over(t, at, other, ms)))
            return false;
    }
    return at != NULL;
}

/* Whether the node that told the position keeps the chat, and is there to be asked. */
static bool is_kept(const travels *t, const visit *v, const visit *from) {
    return t->lives[from->life] != NULL && t->lives[from->life]->alive &&
           travels_steady(t, v->life, from->life) &&
           v->by.told.ms + t->limits.history_ms > ledger_ms(t->ledger) + EARLY_MS &&
           (v->life == from->life || travels_steady(t, from->life, v->life)) &&
           know_all(t, v, from);
}

/* Whether the position's node has lost one that it knew: its positions say for long what it got of that. */
static bool has_lost_one(const travels *t, const visit *from) {
    const life_page *at = t->lives[from->life];
    for (uint32_t other = 0; at != NULL && other < LEDGER_LIVES_MAX; other++)
        if (t->lives[other] != NULL && !t->lives[other]->alive && at->state[other] != 0)
            return true;
    return at == NULL;
}

/* Whether something may have gone for its age that a young position does not cover. It may be from before that of one publisher,
 * which was silent or gone, and of more publishers than a node has bounds for the newest that went counts for all. */
static bool may_have_expired(const travels *t, const visit *v) {
    if (ledger_ms(t->ledger) <= t->limits.history_ms)
        return false;
    const visit *from = t->visits[v->from];
    return t->chats[v->chat].publishers > BOUNDS_MAX || !know_all(t, v, from) ||
           has_lost_one(t, from);
}

static bool may_be_old(const travels *t, const visit *v) {
    const chat_page *page = &t->chats[v->chat];
    return may_have_expired(t, v) || page->all > t->limits.count_max ||
           page->bytes > t->limits.chat_bytes_max / 2 ||
           v->by.told.ms + t->limits.history_ms < ledger_ms(t->ledger) + EARLY_MS;
}

/* Why a reason cannot be; NULL: it can. */
static const char *impossible(const travels *t, const visit *v) {
    const visit *from = v->from == UINT32_MAX ? NULL : t->visits[v->from];
    bool calm = t->calm_at > t->troubled_at;
    if (from == NULL)
        return NULL; /* the position is of a time that is forgotten */
    switch (v->verdict) {
    case WSFAN_RECOVERY_WHOLE:
        return NULL;
    case WSFAN_RECOVERY_OLD:
        return may_be_old(t, v) ? NULL : "all there was has room";
    case WSFAN_RECOVERY_UNKEPT:
        return is_kept(t, v, from) ? "the node that told the position keeps the chat" : NULL;
    case WSFAN_RECOVERY_EPOCH:
        return !t->clocks && lived_throughout(t, v, from) ? "a node lived throughout" : NULL;
    case WSFAN_RECOVERY_GAP:
        return t->lossy || t->formed_at == 0 || from->told.at < t->formed_at
                   ? NULL
                   : "nothing was ever lost";
    case WSFAN_RECOVERY_SILENT:
    case WSFAN_RECOVERY_BUSY:
        return calm && !t->clocks ? "all is calm" : NULL;
    case WSFAN_RECOVERY_CLOCK:
        return t->clocks ? NULL : "no clock was ever wrong";
    default:
        return "that is none of the reasons that there can be";
    }
}

/* The position of its join is handed in too, and may be from before its node had met the others. */
static bool may_be_of_another_epoch(const travels *t, const visit *v) {
    return v->verdict == WSFAN_RECOVERY_EPOCH && t->visits[v->from]->told.at < t->calm_at;
}

void travels_check_verdict(travels *t, const visit *v, uint32_t replayed) {
    const char *why = NULL;
    if (t->limits.history_ms == 0)
        why = v->verdict == WSFAN_RECOVERY_OFF && replayed == 0 ? NULL : "history is off";
    else if (v->handed == HANDED_NOTHING)
        why = v->verdict == WSFAN_RECOVERY_NONE ? NULL : "no position was handed in";
    else if (v->handed == HANDED_RUBBISH)
        why = v->verdict == WSFAN_RECOVERY_POSITION ? NULL : "rubbish was handed in";
    else
        why = impossible(t, v);
    if (why != NULL)
        travels_broken(t, v, why);
    if (v->verdict != WSFAN_RECOVERY_WHOLE && replayed > v->rewind_count)
        travels_broken(t, v, "more is replayed than it asked for");
    if (v->from != UINT32_MAX && v->verdict != WSFAN_RECOVERY_WHOLE &&
        t->calm_at > t->troubled_at && !t->clocks && v->by.told.at > t->calm_at &&
        !may_be_of_another_epoch(t, v) && !may_be_old(t, v) && know_all(t, v, t->visits[v->from]))
        travels_broken(t, v, "the position is of a calm time");
}
