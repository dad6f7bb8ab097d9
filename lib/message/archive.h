/* The archive: copies of the newest messages of chats, so that who comes back gets what it missed.
 *
 * A chat is named by its hash; the archive holds those that were opened, and takes what it is given for them. Whether that is
 * all there is it cannot know: the core says from when on, by `since`. What the archive gives up is below the chat's
 * *floors*.
 *
 * Limits hold at every moment: for each chat messages and bytes; for all chats bytes of memory, over which the chat of the
 * oldest chunk loses its first chunk. A message that cannot be kept, for a limit or for lack of memory, only raises a
 * floor.
 *
 * For one thread, but lists may be read and freed by any. Ages are told by a monotonic clock in ms; messages older than
 * age_ms_max are never listed, and their memory goes by wsf_archive_expire() within twice that time. */
#ifndef WSF_MESSAGE_ARCHIVE_H
#define WSF_MESSAGE_ARCHIVE_H

#include "message/chain.h"
#include "message/run.h"

void wsf_archive_init(wsf_archive *archive, const wsf_archive_limits *limits, uint64_t seed);
void wsf_archive_destroy(wsf_archive *archive);

/* The number of an open chat, until it is closed. WSF_TABLE_NONE: it is not open. */
uint32_t wsf_archive_find(const wsf_archive *archive, uint64_t hash);

/* Opens a chat that is not open: it keeps what it is given from now on, and lacks everything before until
 * wsf_archive_extend(). WSFAN_OK, WSFAN_ENOMEM, WSFAN_ELIMIT: no bytes for one more chat. */
int wsf_archive_open(wsf_archive *archive, uint64_t hash, uint32_t *chat);
void wsf_archive_close(wsf_archive *archive, uint32_t chat);

/* Keeps a message or a run, each message in every open chat that it is for. Hashes of targets are known; ids are set. A
 * fleeting one is not kept. Copies all but a payload that has a buffer of its own. */
void wsf_archive_keep(wsf_archive *archive, const wsfan_message *message, uint64_t now_ms);

/* No position that will be read and has not seen a message that is given up from now on is above this clock: floors go no higher, so
 * that a message with a clock of days ahead is forgotten some time. At first that is UINT64_MAX. */
void wsf_archive_pass(wsf_archive *archive, uint64_t clock_max);

/* Gives up what is too old, some thousand messages at a time. False: there is more. */
bool wsf_archive_expire(wsf_archive *archive, uint64_t now_ms);

/* Gives up what is too old in one chat: floors are then those of a list of the same time. */
void wsf_archive_expire_chat(wsf_archive *archive, uint32_t chat, uint64_t now_ms);

/* ----------------------------------------------------------------------------- what a chat lacks */

/* Of each origin a chat has all messages that it was given with a clock above both. Neither is ever too low. */
uint64_t wsf_archive_since(const wsf_archive *archive, uint32_t chat, uint64_t origin);
uint64_t wsf_archive_floor(const wsf_archive *archive, uint32_t chat, uint64_t origin);
const wsf_bounds *wsf_archive_sinces(const wsf_archive *archive, uint32_t chat);
const wsf_bounds *wsf_archive_floors(const wsf_archive *archive, uint32_t chat);

/* Whether a message of the origin above the clock is there. Looks at all messages of the chat. */
bool wsf_archive_has_above(const wsf_archive *archive, uint32_t chat, uint64_t origin,
                           uint64_t clock);

/* The chat has more from further back: since and floor of an origin become lower, if the ones given are. origin 0: those of all
 * others. Floors stay above what went since wsf_archive_fill(), if that was called. A history that begins: origin 0, and
 * UINT64_MAX as floor. */
void wsf_archive_extend(wsf_archive *archive, uint32_t chat, uint64_t origin, uint64_t since,
                        uint64_t floor);

/* The chat lacks more of an origin than that: since and floor become higher, if the ones given are. */
void wsf_archive_lack(wsf_archive *archive, uint32_t chat, uint64_t origin, uint64_t since,
                      uint64_t floor);

/* -------------------------------------------------------------------------- older messages join */

/* Begins to fill a chat with messages of another node, which are told in order of their ids, in any number of pieces.
 * Each joins those of its age. */
void wsf_archive_fill(wsf_archive *archive, uint32_t chat);

/* Adds a piece, without messages that are there. Where the chat is full, the oldest go. Each has its chat among its targets. WSFAN_OK, WSFAN_ENOMEM: nothing was added. */
int wsf_archive_merge(wsf_archive *archive, uint32_t chat, const wsf_kept *messages, uint32_t count,
                      uint64_t now_ms);

/* ---------------------------------------------------------------------------------------- lists */

/* Copies, sorted by id. NULL: out of memory. */
wsf_kept_list *wsf_archive_list(wsf_archive *archive, uint32_t chat, const wsf_kept_query *query,
                                uint64_t now_ms);

#endif
