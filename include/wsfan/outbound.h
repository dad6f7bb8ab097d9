/** @file outbound.h
 * A bounded queue of what a session has yet to be sent, for hosts that have none.
 *
 * A WebSocket connection that does not read must not make its server hold all that it misses. Each
 * connection gets an outbound queue: on_message pushes, the socket, when it is writable, takes. Over
 * a limit the policy decides what goes. Items are pointers of the host, such as frames that many
 * queues share; a queue holds each until it is taken or dropped.
 *
 * It knows no socket, no node and no loop. Each queue is used by one thread at a time: [owner], all of
 * it. No function blocks; push allocates now and then.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
#ifndef WSFAN_OUTBOUND_H
#define WSFAN_OUTBOUND_H

#include <wsfan/wsfan.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wsfan_outbound wsfan_outbound; /**< A queue, from wsfan_outbound_open(). */

/** What to do with an item for which there is no room. */
typedef enum wsfan_outbound_policy {
    WSFAN_OUTBOUND_CLOSE = 0,  /**< nothing more is taken: close the connection */
    WSFAN_OUTBOUND_NEWEST = 1, /**< it is dropped itself */
    WSFAN_OUTBOUND_OLDEST = 2  /**< the oldest are dropped until there is room */
} wsfan_outbound_policy;

/** Why items were dropped. */
typedef enum wsfan_outbound_drop {
    WSFAN_OUTBOUND_DROP_CLOSED = 0,   /**< the queue was full, or had been: close the connection */
    WSFAN_OUTBOUND_DROP_NEWEST = 1,   /**< the queue was full: the newest item */
    WSFAN_OUTBOUND_DROP_OLDEST = 2,   /**< the queue was full: the oldest item */
    WSFAN_OUTBOUND_DROP_REPLACED = 3, /**< a newer item with the same key took its place */
    WSFAN_OUTBOUND_DROP_MEMORY = 4,   /**< out of memory */
    WSFAN_OUTBOUND_DROP_COUNT         /**< how many there are; more in a later version */
} wsfan_outbound_drop;

/** Elements of an array by wsfan_outbound_drop: room for those of later versions. */
#define WSFAN_OUTBOUND_DROPS_MAX 8

/** The text of a drop reason, a constant phrase; "unknown reason" for any other number. [any] */
WSFAN_API const char *wsfan_outbound_drop_text(wsfan_outbound_drop reason);

/** The name of a drop reason for a program, such as "oldest"; "unknown" for any other number. [any] */
WSFAN_API const char *wsfan_outbound_drop_name(wsfan_outbound_drop reason);

/** How much a queue holds, and what goes where that is not enough. */
typedef struct wsfan_outbound_options {
    size_t struct_size;           /**< sizeof(wsfan_outbound_options) */
    wsfan_outbound_policy policy; /**< [WSFAN_OUTBOUND_CLOSE] */
    uint32_t count_max;           /**< items, 1..16777216 [1024] */
    /** Their sizes, at least 1 [1 Mi]; an empty queue takes one of any size */
    uint64_t bytes_max;
    /** For each item that is dropped, within the call that drops it; it must not use the queue. NULL:
     * nothing is to be done [NULL] */
    void (*release)(void *item);
} wsfan_outbound_options;

/** Sets every field to its default, in a struct of the size that its program was compiled with.
 *
 * @param options not NULL.
 * @param struct_size sizeof(wsfan_outbound_options), which its field struct_size becomes. [any] */
WSFAN_API void wsfan_outbound_options_init_sized(wsfan_outbound_options *options,
                                                 size_t struct_size);

/** Sets every field to its default. options must not be NULL. [any] */
static inline void wsfan_outbound_options_init(wsfan_outbound_options *options) {
    wsfan_outbound_options_init_sized(options, sizeof *options);
}

/** Opens an empty queue, about 160 bytes.
 *
 * @param outbound receives the queue; the caller closes it with wsfan_outbound_close(). Untouched on
 * error.
 * @param options not NULL.
 * @return WSFAN_OK, or WSFAN_EINVAL, WSFAN_ENOMEM. [owner] */
WSFAN_API int wsfan_outbound_open(wsfan_outbound **outbound, const wsfan_outbound_options *options);

/** Releases what waits, uncounted, and the queue. NULL is allowed. [owner] */
WSFAN_API void wsfan_outbound_close(wsfan_outbound *outbound);

/** Queues an item, behind all others. The queue owns it when this returns WSFAN_OK; else the caller
 * does, as before.
 *
 * @param outbound the queue.
 * @param item of the host, not NULL.
 * @param size of the item in bytes, for bytes_max.
 * @param key 0: none. Else a latest value: it takes the place of the item with this key that still
 * waits. Use one for each thing that has a value, such as a hash of the sender and "typing". A value so
 * much larger that there is no room is a matter of the policy: by WSFAN_OUTBOUND_OLDEST others are
 * dropped, oldest first, and those behind its place only when there are none before it, where it
 * goes to the end; by the other two it is dropped itself, and the older value still waits.
 * @return WSFAN_OK, or WSFAN_EINVAL (a NULL), WSFAN_EAGAIN (dropped by WSFAN_OUTBOUND_NEWEST),
 * WSFAN_ECLOSED (by WSFAN_OUTBOUND_CLOSE: this and every later item), WSFAN_ENOMEM. [owner] */
WSFAN_API int wsfan_outbound_push(wsfan_outbound *outbound, void *item, size_t size, uint64_t key);

/** The i-th item that waits, oldest first, or NULL. size may be NULL. [owner] */
WSFAN_API void *wsfan_outbound_peek(const wsfan_outbound *outbound, uint32_t i, size_t *size);

/** Takes the oldest item, which is the caller's then; NULL: none waits. [owner] */
WSFAN_API void *wsfan_outbound_take(wsfan_outbound *outbound);

/** What a queue counts. */
typedef struct wsfan_outbound_stats {
    /** sizeof(wsfan_outbound_stats), set by the caller; only so much is filled */
    size_t struct_size;
    uint32_t count;  /**< waiting */
    uint64_t bytes;  /**< of these */
    uint64_t pushed; /**< since it was opened: waiting, taken, or dropped after they had waited */
    uint64_t taken;  /**< by wsfan_outbound_take() */
    uint64_t dropped[WSFAN_OUTBOUND_DROPS_MAX]; /**< by wsfan_outbound_drop */
} wsfan_outbound_stats;

/** Fills `stats`.
 * @return WSFAN_OK, or WSFAN_EINVAL (NULL, no struct_size). [owner] */
WSFAN_API int wsfan_outbound_get_stats(const wsfan_outbound *outbound, wsfan_outbound_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
