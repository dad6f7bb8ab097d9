/* A session that came back to a chat, on its way: from the loop, which has it parked meanwhile, to the core, which says what
 * becomes of its position, and back. */
#ifndef WSF_MESSAGE_RECOVERY_H
#define WSF_MESSAGE_RECOVERY_H

#include <wsfan/history.h>

#include "base/queue.h"
#include "base/vector.h"
#include "message/kept.h"

/* What an undecided recovery waits for. */
typedef enum {
    WSF_WAITS_FOR_NOTHING, /* it is to be looked at */
    WSF_WAITS_FOR_MARKS,   /* or something else that peers say */
    WSF_WAITS_FOR_CHAT     /* that its history begins, or for what other nodes have of it */
} wsf_waits_for;

/* Of an origin that the node skips the chat has all up to `clock`, as far as the node had got that was asked, and what is above
 * may be missing, until a gap was told: then the origin is whole beyond `until`. */
typedef struct {
    uint64_t origin;
    uint64_t clock;
    uint64_t until;
} wsf_recovery_cap;

typedef struct wsf_recovery {
    wsf_item item;
    uint64_t hash; /* of the chat */
    wsfan_session session;
    uint32_t audience; /* the loop's number of the audience */
    uint32_t serial;   /* of the parking: a session that left and joined again is parked anew */
    uint8_t loop;
    uint32_t rewind_count;
    wsfan_address former; /* node 0: not known */

    /* The core's, while it has it: */
    struct {
        struct wsf_recovery *before;
        struct wsf_recovery *behind;
    } places[2]; /* in lines; see waiting.c */
    uint64_t deadline_ms;
    uint32_t chat;     /* number of the chat that it waits for */
    uint8_t waits_for; /* wsf_waits_for */
    bool read;         /* the position was read, */
    uint64_t epoch;    /* when this was the cluster's */

    /* The answer: */
    wsfan_recovery verdict;
    wsf_kept_list *list; /* what is to be replayed, sorted by id; NULL: nothing */
    /* With verdict WHOLE: what the session has seen before the list; origins of which messages may still come that are covered by
     * it have entries. Else what all sessions of the loop have when they get here;
     * of clock 0 where that cannot be told. */
    wsf_vector seen;
    wsf_recovery_cap *caps; /* freed with this; NULL: none */
    uint32_t caps_count;

    /* The join's own status, which the loop keeps here meanwhile: */
    int8_t status;
    uint8_t missing_count;
    uint64_t *missing; /* freed with this */

    uint32_t chat_size;
    uint32_t position_size; /* 0: no position was handed in */
    char text[];            /* the chat's name, then the position */
} wsf_recovery;

/* Zero, but for the two texts. NULL: out of memory. A position longer than any is cut, and stays longer than any. */
wsf_recovery *wsf_recovery_new(wsfan_bytes chat, wsfan_bytes position);
void wsf_recovery_free(wsf_recovery *recovery); /* NULL is allowed */

static inline wsfan_bytes wsf_recovery_chat(const wsf_recovery *recovery) {
    return (wsfan_bytes){ recovery->text, recovery->chat_size };
}

static inline wsfan_bytes wsf_recovery_position(const wsf_recovery *recovery) {
    return (wsfan_bytes){ recovery->text + recovery->chat_size, recovery->position_size };
}

static inline uint32_t wsf_recovery_count(const wsf_recovery *recovery) {
    return recovery->list != NULL ? recovery->list->count : 0;
}

/* Bytes of memory of what is to be replayed. */
static inline size_t wsf_recovery_list_bytes(const wsf_recovery *recovery) {
    return recovery->list != NULL ? recovery->list->size : 0;
}

#endif
