/* What another node had of a chat joins the archive of this one. */
#ifndef WSF_CORE_HISTORY_MERGING_H
#define WSF_CORE_HISTORY_MERGING_H

#include "core/history/extent.h"
#include "wire/history_codec.h"

/* Messages of one origin that the other node vouches for, and what becomes of them here. */
typedef struct {
    wsf_page_extent theirs;
    uint64_t limit;  /* messages up to here are taken; 0: none */
    bool joins;      /* our own go on from there */
    bool skipped;    /* our own do not: these are all there is, up to their end */
    bool endless;    /* the other node has of it what others told, and does not know the end */
    bool left;       /* theirs is not taken: another one may go back as far as is wanted */
    uint64_t newest; /* of its messages that came */
} wsf_merging_part;

/* One chat's answer, of one page or several. */
typedef struct {
    uint64_t changes; /* of witness.changes, when the first page came */
    bool goes_on;     /* another one came since */
    uint64_t above;   /* the other node was asked for messages above this clock only */
    uint64_t since;   /* of origins that are not among the parts */
    uint64_t floor;
    uint32_t count;
    wsf_merging_part parts[WSF_PAGE_ORIGINS_MAX];
} wsf_merging;

/* The chat's first page, whose messages are above a clock. seen: what is wanted is above that; NULL: all that there is. */
void wsf_merging_begin(wsf_core *core, wsf_merging *merging, uint32_t chat, const wsf_page *page,
                       const wsf_page_chat *said, const wsf_vector *seen, uint64_t above);

/* Another page says of less that it is whole. */
void wsf_merging_narrow(wsf_merging *merging, const wsf_page *page, const wsf_page_chat *said);

/* Messages in order of their ids, all for the chat. WSFAN_ENOMEM: some are missing. */
int wsf_merging_add(wsf_core *core, wsf_merging *merging, uint32_t chat, const wsf_kept *messages,
                    uint32_t count, wsf_now now);

/* Whether none of the messages with a greater id are taken, so that their pages need not come. */
bool wsf_merging_is_over(const wsf_core *core, const wsf_merging *merging, uint32_t chat,
                         wsfan_message_id last);

/* All pages came: from now on this node vouches for more. */
void wsf_merging_end(wsf_core *core, wsf_merging *merging, uint32_t chat);

/* No more pages come. Without wsf_merging_end(), what came of origins that nobody here knows is a part of their runs. merging: NULL, or
 * chat: WSF_TABLE_NONE: nothing is done. */
void wsf_merging_give_up(wsf_core *core, const wsf_merging *merging, uint32_t chat);

/* Pins the origins that nobody here knows, and whose messages came, to 0: until the end nothing says from where on they are. */
void wsf_merging_hide(const wsf_core *core, const wsf_merging *merging, wsf_vector *up_to);

#endif
