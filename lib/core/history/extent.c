/* Answers for what this node vouches for in one chat: what the archive lacks (since, floor), what did not come (witness),
 * and how far it got.
 *
 * Two things are the chat's own. Gaps that were mended with what another node had count no more: `mended` says up to which.
 * And of an origin that was skipped the messages that another node had are all there is, up to their *cap*, for as long as
 * the origin is frozen; of one that nobody here knows, for as long as there are any. */
#include "core/history/extent.h"

#include "base/memory.h"
#include "core/witness.h"

typedef struct {
    uint64_t node;
    uint64_t clock;
    uint64_t set; /* of witness.changes */
} cap;

struct wsf_caps {
    uint32_t count;
    cap list[];
};

/* ----------------------------------------------------------------------------------------- caps */

static cap *find_cap(const wsf_core *core, uint32_t chat, uint64_t node) {
    struct wsf_caps *caps = core->keeping.chats[chat].caps;
    for (uint32_t i = 0; caps != NULL && i < caps->count; i++)
        if (caps->list[i].node == node)
            return &caps->list[i];
    return NULL;
}

static bool holds(const cap *of, const wsf_origin *origin) {
    return origin == NULL || (origin->frozen && of->set >= origin->thawed);
}

bool wsf_extent_cap(const wsf_core *core, uint32_t chat, uint64_t node, uint64_t *clock) {
    const cap *of = find_cap(core, chat, node);
    if (of == NULL || !holds(of, wsf_witness_find(core, node)))
        return false;
    *clock = of->clock;
    return true;
}

uint64_t wsf_extent_next_stranger(const wsf_core *core, uint32_t chat, uint32_t *cursor) {
    const struct wsf_caps *caps = core->keeping.chats[chat].caps;
    while (caps != NULL && *cursor < caps->count) {
        uint64_t node = caps->list[(*cursor)++].node;
        if (wsf_witness_find(core, node) == NULL)
            return node;
    }
    return 0;
}

void wsf_extent_sweep_caps(wsf_core *core, uint32_t chat) {
    struct wsf_caps *caps = core->keeping.chats[chat].caps;
    uint32_t left = 0;
    if (caps == NULL)
        return;
    for (uint32_t i = 0; i < caps->count; i++) {
        uint64_t node = caps->list[i].node;
        const wsf_origin *origin = wsf_witness_find(core, node);
        if (holds(&caps->list[i], origin) &&
            (origin != NULL || wsf_archive_has_above(&core->keeping.archive, chat, node, 0)))
            caps->list[left++] = caps->list[i];
    }
    caps->count = left;
}

/* A place for one more. NULL: no memory. */
static cap *add_cap(wsf_core *core, uint32_t chat) {
    struct wsf_caps **caps = &core->keeping.chats[chat].caps;
    uint32_t count = *caps != NULL ? (*caps)->count : 0;
    struct wsf_caps *larger = wsf_realloc(*caps, sizeof **caps + (count + 1) * sizeof(cap));
    if (larger == NULL)
        return NULL;
    larger->count = count + 1;
    *caps = larger;
    return &larger->list[count];
}

bool wsf_extent_set_cap(wsf_core *core, uint32_t chat, uint64_t node, uint64_t clock) {
    cap *of = find_cap(core, chat, node);
    if (of != NULL && holds(of, wsf_witness_find(core, node)))
        return true;
    if (of == NULL && (of = add_cap(core, chat)) == NULL)
        return false;
    *of = (cap){ node, clock, core->witness.changes };
    return true;
}

bool wsf_extent_tell_caps(const wsf_core *core, uint32_t chat, wsf_recovery *recovery) {
    const struct wsf_caps *caps = core->keeping.chats[chat].caps;
    if (caps == NULL || caps->count == 0)
        return true;
    recovery->caps = wsf_alloc(caps->count * sizeof *recovery->caps);
    for (uint32_t i = 0; i < caps->count && recovery->caps != NULL; i++) {
        const wsf_origin *origin = wsf_witness_find(core, caps->list[i].node);
        if (origin != NULL && holds(&caps->list[i], origin))
            recovery->caps[recovery->caps_count++] = (wsf_recovery_cap){
                origin->node, caps->list[i].clock, wsf_origin_reached(origin)
            };
    }
    return recovery->caps != NULL;
}

/* -------------------------------------------------------------------------------------- extents */

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static wsf_extent own_extent(const wsf_core *core, wsf_extent extent) {
    extent.since = lesser(extent.since, core->witness.last);
    extent.to = core->clock;
    return extent;
}

bool wsf_extent_has_word(const wsf_core *core, const wsf_origin *origin) {
    const wsf_peer *peer = wsf_peer_find((wsf_core *)core, origin->node);
    return !origin->frozen && peer != NULL && peer->linked;
}

/* Where a gap ends of which nobody has said the end. What came of the origin is before the gap, or behind it; so is the first message
 * behind it, where ours cannot follow its clock: the origin may be gone before a mark closes the gap. */
static uint64_t open_to(const wsf_core *core, uint32_t number, const wsf_origin *origin) {
    bool far = origin->far > origin->clock &&
               wsf_archive_has_above(&core->keeping.archive, number, origin->node,
                                     origin->far_first - 1);
    return far ? origin->far - 1 : origin->clock;
}

static wsf_extent find_extent(const wsf_core *core, uint32_t number, uint64_t node) {
    const wsf_keeping_chat *chat = &core->keeping.chats[number];
    wsf_extent extent = { .since = wsf_archive_since(&core->keeping.archive, number, node),
                          .floor = wsf_archive_floor(&core->keeping.archive, number, node) };
    if (!chat->begun)
        return extent;
    if (node == core->config.node)
        return own_extent(core, extent);
    const wsf_origin *origin = node != 0 ? wsf_witness_find(core, node) : NULL;
    extent.skipped = origin == NULL || origin->frozen;
    extent.whole = origin == NULL ? wsf_witness_unsure(core) : 0;
    if (wsf_extent_cap(core, number, node, &extent.to) || origin == NULL)
        return extent;
    extent.to = wsf_origin_reached(origin);
    extent.open = origin->open;
    if (origin->open || origin->changed > chat->mended)
        extent.whole = origin->whole;
    if (origin->open)
        extent.whole = later(extent.whole, open_to(core, number, origin));
    /* The origin published nothing else up to its mark, and since then all comes: what came is kept from `since` on. Of an origin
     * that is gone the mark must be from after `since`. */
    if (wsf_extent_has_word(core, origin))
        extent.since = lesser(extent.since, wsf_origin_last(origin));
    else if (extent.since <= origin->said)
        extent.since = lesser(extent.since, origin->last);
    return extent;
}

/* A hole of a run that was merged is in its `since`, which is later than that of the rest. It is told in `whole`, too: other nodes
 * and clients are to know why the run goes back no further. */
wsf_extent wsf_extent_of(const wsf_core *core, uint32_t number, uint64_t node) {
    wsf_extent extent = find_extent(core, number, node);
    if (extent.since <= core->keeping.chats[number].holes &&
        extent.since > wsf_archive_since(&core->keeping.archive, number, 0))
        extent.whole = later(extent.whole, extent.since);
    return extent;
}

uint64_t wsf_extent_next(const wsf_core *core, uint32_t *cursor) {
    if ((*cursor)++ == 0)
        return core->config.node;
    while (core->witness.origins != NULL && *cursor - 2 < WSF_ORIGINS_MAX) {
        uint64_t node = core->witness.origins[*cursor - 2].node;
        if (node != 0)
            return node;
        ++*cursor;
    }
    return 0;
}

/* ---------------------------------------------------------------------------------------- lacks */

typedef struct {
    const wsf_core *core;
    const wsf_vector *seen;
    uint32_t chat;
    bool old;
    bool unkept;
    bool gap;
    bool too_short; /* it is unkept, and not for a hole */
    uint64_t above; /* the least clock above which this node lacks something, excused or not */
} judgement;

/* An origin that is not up has published nothing that `seen` does not cover, if that was made after it left, and its last
 * message that came is covered. */
static bool has_left_before(const judgement *j, uint64_t node, uint64_t clock) {
    const wsf_origin *origin = node != 0 ? wsf_witness_find(j->core, node) : NULL;
    return origin != NULL && origin->last <= clock && origin->left != 0 &&
           origin->left <= j->seen->rest && origin->took <= clock;
}

/* All that is here of an origin that nobody here knows was told by other nodes, or it was forgotten, when its messages had gone for
 * their age. Where none is left there is no run that could have a hole before it. */
static bool has_left_nothing(const judgement *j, uint64_t node, uint64_t clock) {
    return node != 0 && node != j->core->config.node && wsf_witness_find(j->core, node) == NULL &&
           j->core->last_ms >= j->core->witness.unsure_ms &&
           !wsf_archive_has_above(&j->core->keeping.archive, j->chat, node, clock);
}

/* Of a node that is gone nothing more will come: where `seen` covers all that came here, nobody who stayed here has more. */
static bool has_ended_before(const judgement *j, uint64_t node, uint64_t clock, uint64_t to) {
    const wsf_origin *origin = node != 0 ? wsf_witness_find(j->core, node) : NULL;
    return origin != NULL && wsf_peer_find((wsf_core *)j->core, node) == NULL && to <= clock &&
           origin->took <= clock &&
           !wsf_archive_has_above(&j->core->keeping.archive, j->chat, node, clock);
}

/* What another node has of an origin may be from further back, also where nothing is due. */
static void note(judgement *j, const wsf_extent *extent, uint64_t clock) {
    if (wsf_extent_from(extent) > clock && clock < j->above)
        j->above = clock;
}

static void note_unkept(judgement *j, const wsf_extent *extent) {
    j->unkept = true;
    j->too_short = j->too_short || extent->since != extent->whole;
}

static void judge(judgement *j, uint64_t node, uint64_t clock) {
    wsf_extent extent = wsf_extent_of(j->core, j->chat, node);
    j->old = j->old || extent.floor > clock;
    bool lacks = (extent.since > clock || extent.whole > clock) &&
                 !has_ended_before(j, node, clock, extent.to);
    if (lacks && extent.since > clock && !has_left_before(j, node, clock) &&
        !has_left_nothing(j, node, clock))
        note_unkept(j, &extent);
    j->gap = j->gap || (lacks && extent.whole > clock);
    note(j, &extent, clock);
}

/* Of an origin that nobody here knows nothing has come here; what came of one that was forgotten is below the floors, unless it
 * was forgotten too early: then it is not known either what did not come of it. */
static void judge_stranger(judgement *j, uint64_t clock) {
    wsf_extent extent = wsf_extent_of(j->core, j->chat, 0);
    j->old = j->old || extent.floor > clock;
    if (extent.since > clock && j->core->last_ms < j->core->witness.unsure_ms)
        note_unkept(j, &extent);
    j->gap = j->gap || extent.whole > clock;
    note(j, &extent, clock);
}

bool wsf_extent_knows(const wsf_core *core, uint32_t origin) {
    uint32_t cursor = 0;
    for (uint64_t node; (node = wsf_extent_next(core, &cursor)) != 0;)
        if (wsf_vector_origin(node) == origin)
            return true;
    return false;
}

static void judge_bounds(judgement *j, const wsf_bounds *bounds) {
    uint64_t node;
    for (uint32_t i = 0; (node = wsf_bounds_origin(bounds, i)) != 0; i++)
        judge(j, node, wsf_vector_at(j->seen, node));
}

/* Of origins that nobody here knows only the bounds of all others are told. */
static judgement judge_all(const wsf_core *core, uint32_t chat, const wsf_vector *seen) {
    const wsf_archive *archive = &core->keeping.archive;
    judgement j = { .core = core, .seen = seen, .chat = chat, .above = UINT64_MAX };
    uint32_t cursor = 0;
    judge(&j, 0, seen->rest);
    for (uint32_t i = 0; i < seen->count; i++)
        if (!wsf_extent_knows(core, seen->entries[i].origin))
            judge_stranger(&j, seen->entries[i].clock);
    for (uint64_t node; (node = wsf_extent_next(core, &cursor)) != 0;)
        judge(&j, node, wsf_vector_at(seen, node));
    judge_bounds(&j, wsf_archive_sinces(archive, chat));
    judge_bounds(&j, wsf_archive_floors(archive, chat));
    return j;
}

wsfan_recovery wsf_extent_lacks(const wsf_core *core, uint32_t chat, const wsf_vector *seen) {
    judgement j = judge_all(core, chat, seen);
    if (j.old)
        return WSFAN_RECOVERY_OLD;
    if (j.too_short)
        return WSFAN_RECOVERY_UNKEPT;
    return j.unkept || j.gap ? WSFAN_RECOVERY_GAP : WSFAN_RECOVERY_WHOLE;
}

uint64_t wsf_extent_lacks_above(const wsf_core *core, uint32_t chat, const wsf_vector *seen) {
    judgement j = judge_all(core, chat, seen);
    return j.old || j.unkept ? 0 : j.above;
}

static uint64_t most(const wsf_bounds *bounds) {
    uint64_t clock = bounds->rest;
    uint64_t node;
    for (uint32_t i = 0; (node = wsf_bounds_origin(bounds, i)) != 0; i++)
        clock = later(clock, wsf_bounds_at(bounds, node));
    return clock;
}

/* Whether the extent begins behind a gap, with a message whose clock ours cannot follow. */
static bool begins_far(const wsf_origin *origin, const wsf_extent *extent) {
    return origin != NULL && extent->open && extent->whole == origin->far - 1;
}

/* A clock that is far ahead says nothing of when the gap was, so others go on from when the first message behind it came. */
uint64_t wsf_extent_begin(const wsf_core *core, uint32_t chat) {
    const wsf_archive *archive = &core->keeping.archive;
    uint64_t clock = later(most(wsf_archive_sinces(archive, chat)),
                           most(wsf_archive_floors(archive, chat)));
    clock = later(clock, wsf_witness_unsure(core));
    uint32_t cursor = 0;
    for (uint64_t node; (node = wsf_extent_next(core, &cursor)) != 0;) {
        const wsf_origin *origin = wsf_witness_find(core, node);
        wsf_extent extent = wsf_extent_of(core, chat, node);
        clock = later(clock, begins_far(origin, &extent) ? origin->far_at : extent.whole);
    }
    return clock;
}

void wsf_extent_begins(const wsf_core *core, uint32_t chat, wsf_vector *begin) {
    wsf_vector_init(begin, wsf_extent_begin(core, chat));
    uint32_t cursor = 0;
    for (uint64_t node; (node = wsf_extent_next(core, &cursor)) != 0;) {
        wsf_extent extent = wsf_extent_of(core, chat, node);
        if (begins_far(wsf_witness_find(core, node), &extent) &&
            !wsf_vector_raise(begin, node, extent.whole))
            begin->rest = later(begin->rest, extent.whole);
    }
}

uint64_t wsf_extent_reach(const wsf_core *core, uint32_t chat) {
    uint64_t reach = wsf_archive_since(&core->keeping.archive, chat, 0);
    uint32_t cursor = 0;
    for (uint64_t node; (node = wsf_extent_next(core, &cursor)) != 0;) {
        wsf_extent extent = wsf_extent_of(core, chat, node);
        uint64_t begin = wsf_extent_from(&extent);
        if (begin > reach && begin <= core->clock)
            reach = begin;
    }
    return reach;
}
