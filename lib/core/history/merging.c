/* Answers for one run of messages per origin: without a break in it, and nothing twice.
 *
 * Two runs join where the other node's reaches to where our own begins. What it has above that is not taken: this node gets it
 * by itself, or has it. Of an origin that is skipped here our own run is empty or has a hole before it, so there is only the
 * other node's, as far as it goes; that is the chat's cap. Other runs are left alone.
 *
 * A *stranger* is an origin that the other node does not know: it was gone before that node came, which has its messages from
 * others. Their run ends where theirs did. Where nobody said where that is, the run is *endless*: it is taken only where there is
 * none here, and ends with its last message. Nor does a run of an origin that nobody here knows go on by itself: its end is a cap too.
 *
 * What becomes of a run is decided when the first page comes, as messages are taken by it. If it would be decided otherwise at
 * the end, the run does not count. */
#include "core/history/merging.h"

#include "core/witness.h"

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t greater(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t begin_of(const wsf_page_extent *theirs) {
    return greater(theirs->since, greater(theirs->floor, theirs->whole));
}

static bool is_up(const wsf_core *core, uint64_t node) {
    const wsf_peer *peer = wsf_peer_find((wsf_core *)core, node);
    return node == core->config.node ||
           (peer != NULL && peer->linked && peer->state == WSFAN_PEER_UP);
}

/* Where our own run of the origin would begin, were it not for what the origin says of itself. */
static uint64_t begin_without_word(const wsf_core *core, uint32_t chat, uint64_t node,
                                   const wsf_extent *own) {
    return greater(wsf_archive_since(&core->keeping.archive, chat, node),
                   greater(own->floor, own->whole));
}

static bool is_known(const wsf_core *core, uint64_t node) {
    return node == core->config.node || wsf_witness_find(core, node) != NULL;
}

/* Whether the other node's run would not reach back to where ours begins. Of one that nobody here knows there is none of ours, unless
 * another node told of it. */
static bool is_shorter(const wsf_core *core, uint32_t chat, const wsf_page_extent *theirs,
                       const wsf_extent *own) {
    bool has_none = !is_known(core, theirs->node) &&
                    !wsf_extent_cap(core, chat, theirs->node, &(uint64_t){ 0 });
    return !has_none && begin_of(theirs) > begin_without_word(core, chat, theirs->node, own);
}

/* Where our own run goes back as far as the other node was asked for, it stays. */
static void decide(const wsf_core *core, const wsf_merging *merging, uint32_t chat,
                   wsf_merging_part *part) {
    const wsf_page_extent *theirs = &part->theirs;
    wsf_extent own = wsf_extent_of(core, chat, theirs->node);
    uint64_t begin = wsf_extent_from(&own);
    uint64_t from = begin_of(theirs);
    bool empty = own.to <= begin;
    part->joins = part->skipped = false;
    part->limit = 0;
    if (own.open || part->left || (merging->above != 0 && begin <= merging->above) ||
        is_shorter(core, chat, theirs, &own) || wsf_clock_is_far_ahead(core, theirs->to))
        return;
    if (part->endless) {
        part->skipped = empty && own.skipped && !wsf_extent_cap(core, chat, theirs->node, &own.to);
        part->limit = part->skipped ? UINT64_MAX : 0;
        return;
    }
    if (theirs->to <= from)
        return;
    if (wsf_extent_cap(core, chat, theirs->node, &own.to)) {
        begin = lesser(begin, own.to); /* a run of before, which may have been given up by now */
        part->joins = theirs->to >= begin;
    } else if (empty && own.skipped) {
        part->skipped = true;
    } else {
        part->joins = theirs->to >= begin;
        part->skipped = !part->joins && empty && !is_up(core, theirs->node);
    }
    if (part->joins || part->skipped)
        part->limit = part->joins ? begin : theirs->to;
}

/* ---------------------------------------------------------------------------------------- pages */

static wsf_page_extent usual_extent(const wsf_page *page, uint32_t i, const wsf_page_chat *said) {
    wsf_page_origin origin = wsf_page_origin_at(page, i);
    return (wsf_page_extent){ origin.node, lesser(said->since, origin.last), said->floor,
                              origin.whole, origin.to };
}

static wsf_merging_part *find(wsf_merging *merging, uint64_t node) {
    for (uint32_t i = 0; i < merging->count; i++)
        if (merging->parts[i].theirs.node == node)
            return &merging->parts[i];
    return NULL;
}

static wsf_merging_part *add_stranger(wsf_merging *merging, const wsf_page_extent *theirs) {
    wsf_merging_part *part = &merging->parts[merging->count++];
    *part = (wsf_merging_part){ .theirs = *theirs, .endless = theirs->to == 0 };
    return part;
}

/* What is said of origins that the page does not name is said of this one. */
static wsf_page_extent rest_of(const wsf_merging *merging, uint64_t node) {
    return (wsf_page_extent){ .node = node, .since = merging->since, .floor = merging->floor };
}

/* A page may name an origin twice. */
static void read_extents(wsf_merging *merging, const wsf_page *page, const wsf_page_chat *said) {
    merging->count = 0;
    merging->since = said->since;
    merging->floor = said->floor;
    for (uint32_t i = 0; i < page->origins_count; i++) {
        wsf_page_extent extent = usual_extent(page, i, said);
        if (extent.node != 0 && find(merging, extent.node) == NULL)
            merging->parts[merging->count++] = (wsf_merging_part){ .theirs = extent };
    }
    for (uint32_t i = 0; i < said->extents_count; i++) {
        wsf_page_extent extent = wsf_page_extent_at(said, i);
        wsf_merging_part *part = find(merging, extent.node);
        if (part != NULL)
            part->theirs = extent;
        else if (extent.node != 0 && merging->count < WSF_PAGE_ORIGINS_MAX)
            add_stranger(merging, &extent);
    }
}

/* Origins that this node knows, and the other one does not. */
static void add_strangers(const wsf_core *core, wsf_merging *merging) {
    uint32_t cursor = 0;
    for (uint64_t node; (node = wsf_extent_next(core, &cursor)) != 0;) {
        wsf_page_extent rest = rest_of(merging, node);
        if (find(merging, node) == NULL && merging->count < WSF_PAGE_ORIGINS_MAX)
            add_stranger(merging, &rest);
    }
}

/* A run that nothing goes on from, and that goes back less far than is wanted, is left to one that may be asked yet. */
static void leave_short_ones(const wsf_core *core, wsf_merging *merging, const wsf_vector *seen) {
    for (uint32_t i = 0; i < merging->count; i++) {
        wsf_merging_part *part = &merging->parts[i];
        bool ends = part->endless || !is_known(core, part->theirs.node);
        part->left = ends && begin_of(&part->theirs) > wsf_vector_at(seen, part->theirs.node);
    }
}

void wsf_merging_begin(wsf_core *core, wsf_merging *merging, uint32_t chat, const wsf_page *page,
                       const wsf_page_chat *said, const wsf_vector *seen, uint64_t above) {
    read_extents(merging, page, said);
    add_strangers(core, merging);
    if (seen != NULL)
        leave_short_ones(core, merging, seen);
    merging->changes = core->witness.changes;
    merging->goes_on = false;
    merging->above = above;
    wsf_extent_sweep_caps(core, chat);
    for (uint32_t i = 0; i < merging->count; i++)
        decide(core, merging, chat, &merging->parts[i]);
    wsf_archive_fill(&core->keeping.archive, chat);
}

/* What came late at the other node may be missing: the first page says up to where, the last one from where on. */
static void narrow(wsf_merging_part *part, const wsf_page_extent *theirs) {
    part->theirs.since = greater(part->theirs.since, theirs->since);
    part->theirs.floor = greater(part->theirs.floor, theirs->floor);
    part->theirs.whole = greater(part->theirs.whole, theirs->whole);
    part->theirs.to = lesser(part->theirs.to, theirs->to);
}

void wsf_merging_narrow(wsf_merging *merging, const wsf_page *page, const wsf_page_chat *said) {
    merging->goes_on = true;
    merging->since = greater(merging->since, said->since);
    merging->floor = greater(merging->floor, said->floor);
    for (uint32_t p = 0; p < merging->count; p++) {
        wsf_merging_part *part = &merging->parts[p];
        wsf_page_extent theirs = { .since = part->endless ? said->since : UINT64_MAX,
                                   .floor = said->floor };
        for (uint32_t i = 0; i < page->origins_count; i++)
            if (wsf_page_origin_at(page, i).node == part->theirs.node)
                theirs = usual_extent(page, i, said);
        for (uint32_t i = 0; i < said->extents_count; i++)
            if (wsf_page_extent_at(said, i).node == part->theirs.node)
                theirs = wsf_page_extent_at(said, i);
        narrow(part, &theirs);
    }
}

/* The part of a message. NULL: it is of a stranger that nobody knew of, one too many, so nothing is said of such. One that is on a later
 * page only, and was not named before, came to the other node meanwhile: its first messages may have been of the pages before. */
static wsf_merging_part *part_of(const wsf_core *core, wsf_merging *merging, uint32_t chat,
                                 uint64_t node) {
    wsf_merging_part *part = find(merging, node);
    if (part != NULL)
        return part;
    if (merging->count == WSF_PAGE_ORIGINS_MAX) {
        merging->since = UINT64_MAX;
        return NULL;
    }
    wsf_page_extent rest = rest_of(merging, node);
    part = add_stranger(merging, &rest);
    part->left = merging->goes_on;
    decide(core, merging, chat, part);
    return part;
}

/* Whether the message is of a run that is taken. */
static bool is_taken(const wsf_core *core, wsf_merging *merging, uint32_t chat,
                     wsfan_message_id id) {
    wsf_merging_part *part = part_of(core, merging, chat, id.origin);
    if (part == NULL || id.clock > part->limit)
        return false;
    if (wsf_clock_is_far_ahead(core, id.clock)) {
        part->theirs.to = id.clock; /* see decide() */
        decide(core, merging, chat, part);
        return false;
    }
    part->newest = greater(part->newest, id.clock);
    return true;
}

int wsf_merging_add(wsf_core *core, wsf_merging *merging, uint32_t chat, const wsf_kept *messages,
                    uint32_t count, wsf_now now) {
    int status = WSFAN_OK;
    uint32_t from = 0;
    wsf_archive_pass(&core->keeping.archive, wsf_clock_max(core));
    for (uint32_t i = 0; i <= count; i++) {
        if (i < count && is_taken(core, merging, chat, messages[i].id))
            continue;
        if (i > from && wsf_archive_merge(&core->keeping.archive, chat, messages + from, i - from,
                                          now.ms) != WSFAN_OK)
            status = WSFAN_ENOMEM;
        from = i + 1;
    }
    return status;
}

/* A node that nobody knew of may be met on any page, so where the rest of the chat goes further back all are read. */
bool wsf_merging_is_over(const wsf_core *core, const wsf_merging *merging, uint32_t chat,
                         wsfan_message_id last) {
    for (uint32_t i = 0; i < merging->count; i++) {
        const wsf_merging_part *part = &merging->parts[i];
        if (wsf_kept_id_less(last, (wsfan_message_id){ part->limit, part->theirs.node }))
            return false;
    }
    return greater(merging->since, merging->above) >=
           wsf_archive_since(&core->keeping.archive, chat, 0);
}

/* ------------------------------------------------------------------------------------------ end */

/* What the archive says of an origin that our own run stays of. */
typedef struct {
    uint64_t node;
    uint64_t since;
    uint64_t floor;
} stay;

/* Whether another node has said before of an origin that nobody here knows that there is nothing of it, from further back on. */
static bool says_less(const wsf_core *core, uint32_t chat, const wsf_page_extent *theirs) {
    const wsf_archive *archive = &core->keeping.archive;
    uint64_t own = wsf_archive_since(archive, chat, theirs->node);
    return own < begin_of(theirs) && own < wsf_archive_since(archive, chat, 0);
}

/* Whether the other node's run counts; an origin of which the rest may be missing is skipped by that. Of one that nobody here
 * knows, and of which nothing came, there is what the other node says. */
static bool counts(wsf_core *core, const wsf_merging *merging, uint32_t chat,
                   const wsf_merging_part *part) {
    wsf_merging_part again = *part;
    uint64_t node = part->theirs.node;
    decide(core, merging, chat, &again);
    if (again.joins != part->joins || again.skipped != part->skipped)
        return false;
    if (!is_known(core, node) && part->newest == 0 && !part->joins)
        return !wsf_extent_cap(core, chat, node, &(uint64_t){ 0 }) &&
               !says_less(core, chat, &part->theirs);
    if (!(part->joins || part->skipped))
        return false;
    if (part->skipped)
        wsf_witness_leave_out(core, node, core->keeping.chats[chat].serial);
    uint64_t to = part->endless ? greater(part->newest, begin_of(&part->theirs)) : part->theirs.to;
    return !part->skipped || wsf_extent_set_cap(core, chat, node, to);
}

/* From now on the archive's since says of a hole that the run begins behind it. */
static void note_hole(wsf_core *core, uint32_t chat, uint64_t since, uint64_t whole) {
    uint64_t *holes = &core->keeping.chats[chat].holes;
    if (whole >= since)
        *holes = greater(*holes, whole);
}

static uint32_t note_stays(wsf_core *core, uint32_t chat, const wsf_merging *merging,
                           const bool *counted, stay *stays) {
    uint32_t cursor = 0;
    uint32_t count = 0;
    for (uint64_t node; (node = wsf_extent_next(core, &cursor)) != 0;) {
        wsf_extent own = wsf_extent_of(core, chat, node);
        const wsf_merging_part *part = find((wsf_merging *)merging, node);
        if (part != NULL && counted[part - merging->parts])
            continue;
        if (!own.open)
            note_hole(core, chat, own.since, own.whole);
        stays[count++] = (stay){ node, own.open ? own.since : greater(own.since, own.whole),
                                 own.floor };
    }
    return count;
}

static void raise_for(const wsf_archive *archive, uint32_t chat, uint64_t node, stay *rest) {
    rest->since = greater(rest->since, wsf_archive_since(archive, chat, node));
    rest->floor = greater(rest->floor, wsf_archive_floor(archive, chat, node));
}

/* Of origins that nobody here knows, and of which the other node's run does not count, no more is said than before. The bounds of all
 * origins that are not known are raised for that: those of a run that stays are in the way of a position in any case. */
static void keep_bounds(const wsf_core *core, uint32_t chat, const wsf_merging *merging,
                        const bool *counted, stay *rest) {
    const wsf_archive *archive = &core->keeping.archive;
    uint32_t cursor = 0;
    for (uint64_t node; (node = wsf_extent_next_stranger(core, chat, &cursor)) != 0;) {
        const wsf_merging_part *part = find((wsf_merging *)merging, node);
        if (part != NULL && counted[part - merging->parts])
            continue;
        raise_for(archive, chat, node, rest);
    }
    for (uint32_t i = 0; i < merging->count; i++)
        if (!counted[i] && !is_known(core, merging->parts[i].theirs.node))
            raise_for(archive, chat, merging->parts[i].theirs.node, rest);
}

/* Says what the archive has of a run that counts, of which what is up to `above` was not asked for. That may be there already of
 * an origin that nobody here knows, and what was given up is not there again. */
static void set_bounds(wsf_core *core, uint32_t chat, const wsf_page_extent *theirs,
                       uint64_t above) {
    wsf_archive *archive = &core->keeping.archive;
    uint64_t own_since = wsf_archive_since(archive, chat, theirs->node);
    uint64_t own_floor = wsf_archive_floor(archive, chat, theirs->node);
    uint64_t since = is_known(core, theirs->node) ? above : lesser(above, own_since);
    uint64_t max = wsf_clock_max(core);
    uint64_t whole = lesser(theirs->whole, max);
    uint64_t floor = greater(lesser(theirs->floor, max), lesser(above, own_floor));
    since = greater(since, lesser(theirs->since, max));
    note_hole(core, chat, since, whole);
    since = greater(since, whole);
    wsf_archive_extend(archive, chat, theirs->node, since, floor);
    wsf_archive_lack(archive, chat, theirs->node, since, floor);
}

/* Messages that came of a run that does not count, of an origin that nobody here knows, are a part of it: without a cap it would
 * be as if nothing of that origin were here. */
static void cut_off(wsf_core *core, uint32_t chat, const wsf_merging_part *part) {
    uint64_t node = part->theirs.node;
    if (part->newest == 0 || is_known(core, node))
        return;
    (void)wsf_extent_set_cap(core, chat, node, part->newest);
    wsf_archive_lack(&core->keeping.archive, chat, node, part->newest, 0);
}

/* Messages that came are kept here, whether their run counts or not. */
static void note_told(wsf_core *core, const wsf_merging *merging) {
    for (uint32_t i = 0; i < merging->count; i++)
        if (merging->parts[i].newest > 0)
            wsf_witness_told(core, merging->parts[i].theirs.node, merging->parts[i].newest);
}

void wsf_merging_hide(const wsf_core *core, const wsf_merging *merging, wsf_vector *up_to) {
    for (uint32_t i = 0; i < merging->count; i++)
        if (merging->parts[i].newest > 0 && !is_known(core, merging->parts[i].theirs.node))
            (void)wsf_vector_pin(up_to, merging->parts[i].theirs.node, 0);
}

void wsf_merging_give_up(wsf_core *core, const wsf_merging *merging, uint32_t chat) {
    if (merging == NULL || chat == WSF_TABLE_NONE)
        return;
    note_told(core, merging);
    for (uint32_t i = 0; i < merging->count; i++)
        cut_off(core, chat, &merging->parts[i]);
}

void wsf_merging_end(wsf_core *core, wsf_merging *merging, uint32_t chat) {
    wsf_archive *archive = &core->keeping.archive;
    bool counted[WSF_PAGE_ORIGINS_MAX];
    stay stays[WSF_PAGE_ORIGINS_MAX];
    stay rest = { .since = greater(merging->since, merging->above),
                  .floor = greater(merging->floor, merging->above) };
    note_told(core, merging);
    for (uint32_t i = 0; i < merging->count; i++)
        counted[i] = counts(core, merging, chat, &merging->parts[i]);
    uint32_t stays_count = note_stays(core, chat, merging, counted, stays);
    keep_bounds(core, chat, merging, counted, &rest);
    wsf_archive_extend(archive, chat, 0, rest.since, rest.floor);
    for (uint32_t i = 0; i < stays_count; i++)
        wsf_archive_lack(archive, chat, stays[i].node, stays[i].since, stays[i].floor);
    for (uint32_t i = 0; i < merging->count; i++)
        if (counted[i])
            set_bounds(core, chat, &merging->parts[i].theirs, merging->above);
        else
            cut_off(core, chat, &merging->parts[i]);
    core->keeping.chats[chat].mended = merging->changes;
    core->keeping.chats[chat].filled = core->keeping.chats[chat].filled || merging->above == 0;
    merging->count = 0;
}
