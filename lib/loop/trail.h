/* Messages a loop has dispatched in chats whose positions it tells, of each publisher, beyond what the mesh thread says is
 * whole. The rest of a position is the same for all chats: see base/vector.h.
 *
 * Memory is bounded, and there is no allocation for most messages. For the loop's thread. */
#ifndef WSF_LOOP_TRAIL_H
#define WSF_LOOP_TRAIL_H

#include "base/limits.h"
#include "base/slots.h"
#include "base/table.h"
#include "base/vector.h"

/* Chats and publishers at a time. While one more is not remembered no position can be told. */
enum { WSF_TRAIL_MAX = WSF_SIZE(65536, 64) };

typedef struct wsf_trail_entry wsf_trail_entry;

typedef struct {
    const wsf_vector *whole; /* borrowed; see wsf_trail_reach() */
    wsf_table table;         /* chat -> entries, one for each publisher */
    wsf_slots slots;
    wsf_trail_entry *entries;
    uint32_t last;      /* the entry of the last message; WSF_TABLE_NONE: none */
    uint32_t adds_left; /* until those that `whole` covers are swept out */
    uint32_t caps_count;
    uint64_t rest_max;  /* of all there were: entries below are gone */
    uint64_t forgotten; /* the newest clock that was not remembered */
    bool blind; /* one was not remembered whose publisher has an entry in `whole`, or a cap */
} wsf_trail;

void wsf_trail_init(wsf_trail *trail, uint64_t seed);
void wsf_trail_destroy(wsf_trail *trail);

/* The loop has dispatched all that is whole by now, as far as it was told by the mesh thread. `whole` stays as it is until the
 * next call. Publishers of which less is known than that have entries, so its `rest` never falls. */
void wsf_trail_reach(wsf_trail *trail, const wsf_vector *whole);

/* A message was dispatched, for a chat with this hash. Not for latest values, which overtake others. Without room or
 * memory it is not remembered. */
void wsf_trail_saw(wsf_trail *trail, uint64_t chat, wsfan_message_id id);

/* Of the origin positions of the chat claim no more than `clock`, for as long as no more than `until` of it is whole. Replaces the
 * one of before. Without room or memory no position is told meanwhile. */
void wsf_trail_cap(wsf_trail *trail, uint64_t chat, uint64_t node, uint64_t clock, uint64_t until);

/* Adds to *seen, a copy of `whole`, what was dispatched in the chat beyond it. False: it cannot be told just now, and *seen
 * is of no use. */
bool wsf_trail_tell(const wsf_trail *trail, uint64_t chat, wsf_vector *seen);

#endif
