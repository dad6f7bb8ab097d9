/* The immutable, reference-counted message: copied once when it is made, never again on one loop. */
#ifndef WSF_MESSAGE_MESSAGE_H
#define WSF_MESSAGE_MESSAGE_H

#include <stdatomic.h>

#include "base/hash.h"
#include "message/buffer.h"
#include "message/receipt.h"
#include "message/slab.h"

enum { WSF_NOT = 16 }; /* the bit in a kind that tells WSFAN_NOT_CHAT from WSFAN_CHAT */

static inline wsfan_target_kind wsf_kind_without_not(wsfan_target_kind kind) {
    return (wsfan_target_kind)((unsigned)kind & ~(unsigned)WSF_NOT);
}

static inline bool wsf_kind_is_not(wsfan_target_kind kind) {
    return ((unsigned)kind & WSF_NOT) != 0;
}

/* Whether the kind is known, and the name as that kind wants it. The length of a name is not limited here. */
bool wsf_target_valid(const wsfan_target *target);

typedef struct {
    uint64_t hash; /* wsf_hash_target() for chats and users, the node for sessions and nodes; 0: not
                      known yet, see wsf_message_know(); or WSFAN_ALL */
    uint32_t name_offset;
    uint16_t name_size;
    uint8_t kind;
} wsf_message_target;

typedef struct wsf_run wsf_run;

/* A message, or a run of them (see run.h), which no host is shown. */
struct wsfan_message {
    wsf_item item;        /* its place in the publish queue, later in the inbox of one loop */
    wsf_run *run;         /* behind this struct; NULL: it is one message */
    wsf_receipt *receipt; /* a reference; NULL: the publisher did not ask for a result */
    wsf_buffer *frame;    /* a reference; NULL: the payload is behind this struct */
    uint64_t slot;        /* of a latest value: hash of its targets and key; 0: no latest value */
    uint8_t *payload;     /* behind this struct, or in `frame`; of a run the first one */
    wsfan_message_id
        id; /* stamped by the core, before anyone else sees the message; of a run the first */
    wsfan_address except;
    uint32_t slab_offset;  /* from the start of its slab */
    uint32_t count;        /* messages of a run; else 1 */
    uint32_t payload_size; /* of all */
    uint32_t size;         /* bytes in memory, with the payload */
    uint32_t published;    /* wsf_clock_stamp(), if it is timed; 0: it is not */
    uint16_t targets_count;
    uint16_t headroom_size;
    uint8_t flags;
    bool taken;                   /* a loop has the message; only the mesh thread looks, */
    bool in_inbox;                /* `item` is in an inbox; */
    bool shared;                  /* peers are sent its headroom with it */
    wsf_message_target targets[]; /* then the names, the headroom, the payload */
};

/* Whether a latest value may replace an older one of its slot: it is for all sessions of the older one. */
static inline bool wsf_except_covers(wsfan_address newer, wsfan_address older) {
    return newer.node == 0 || (newer.node == older.node && newer.session == older.session);
}

/* Flags that a publisher sets; they travel, others do not. */
enum { WSF_PUBLISHED_FLAGS = WSFAN_BINARY | WSFAN_FLEETING };

/* What a message is made of. */
typedef struct {
    const wsfan_target *targets;
    uint32_t targets_count;
    uint32_t headroom_size;
    wsfan_bytes payload;
    uint32_t flags;
    wsfan_address except;
    uint64_t slot;
    bool apart; /* the payload, not empty, is in a buffer that all peers are sent */
} wsf_message_parts;

/* From this size on a payload is sent as a second part, from the memory of its first copy. */
enum { WSF_APART_MIN = 48 * 1024 };

/* A message in memory of its own. Copies everything, knows the hashes unless key is NULL. Sizes were checked.
 * NULL: no memory. */
wsfan_message *wsf_message_new(const wsf_hash_key *key, const wsf_message_parts *parts);

/* Whether a payload may stay in a frame of so many bytes: a message that is kept must not keep much more. */
enum { WSF_SLICE_MIN = 4096, WSF_SLICE_SHARE_MIN = 16 };

static inline bool wsf_message_may_slice(size_t payload_size, size_t frame_size) {
    return payload_size >= WSF_SLICE_MIN && frame_size / payload_size < WSF_SLICE_SHARE_MIN;
}

/* The same with the payload in a received frame, which stays as long as the message. The bytes before the
 * payload serve as headroom: there must be enough, and they must not be read afterwards. */
wsfan_message *wsf_message_slice(const wsf_hash_key *key, const wsf_message_parts *parts,
                                 wsf_buffer *frame);

/* Whether the payload is sent as a second part. For messages that are published, not received. */
static inline bool wsf_message_is_apart(const wsfan_message *message) {
    return message->frame != NULL;
}

/* Computes the hash of a target, if it is not known yet. */
void wsf_message_know(const wsfan_message *message, wsf_message_target *target,
                      const wsf_hash_key *key);

/* A separate message with the same content. NULL: out of memory. */
wsfan_message *wsf_message_clone(const wsfan_message *message);

/* ------------------------------------------------------------------------------------ in slabs */

/* Small messages are made in slabs: memory is taken and given back once for several of them, and a message
 * that is kept keeps no more than its slab. For one thread at a time. */
typedef struct {
    wsf_slab_cache *cache; /* NULL: none yet */
    wsf_slab *slab;        /* with room for more; NULL: none */
    uint32_t used;
    uint32_t count; /* of messages made in it */
} wsf_message_pool;

enum { WSF_MESSAGE_SMALL = 1344 }; /* so that a slab holds three at least, of 1 KiB */

/* Closes the slab that is open and opens another. False: out of memory. */
bool wsf_message_pool_next(wsf_message_pool *pool);

/* Memory in the slab for a message of `size` bytes, WSF_MESSAGE_SMALL at most, which the caller fills; its slab_offset is
 * set. NULL: out of memory. */
static inline wsfan_message *wsf_message_pool_take(wsf_message_pool *pool, size_t size) {
    if ((pool->slab == NULL || pool->used + size > WSF_SLAB_BYTES) && !wsf_message_pool_next(pool))
        return NULL;
    wsfan_message *message = (wsfan_message *)(void *)((uint8_t *)pool->slab + pool->used);
    message->slab_offset = pool->used;
    pool->used += (uint32_t)(size + 15) & ~15u;
    pool->count++;
    return message;
}

/* Sets all fields of a message whose payload is behind it; the targets and their names are the caller's to write. Each
 * field by itself, because compilers clear a whole struct by an instruction that is slow to begin. */
static inline void wsf_message_init(wsfan_message *message, uint32_t slab_offset,
                                    size_t payload_offset, size_t payload_size,
                                    uint32_t targets_count, uint32_t headroom_size, uint32_t flags,
                                    wsfan_address except, wsfan_message_id id) {
    uint32_t size = (uint32_t)(payload_offset + payload_size);
    message->item = (wsf_item){ NULL, 0, size };
    message->run = NULL;
    message->receipt = NULL;
    message->frame = NULL;
    message->slot = 0;
    message->payload = (uint8_t *)message + payload_offset;
    message->id = id;
    message->except = except;
    message->slab_offset = slab_offset;
    message->count = 1;
    message->payload_size = (uint32_t)payload_size;
    message->size = size;
    message->published = 0;
    message->targets_count = (uint16_t)targets_count;
    message->headroom_size = (uint16_t)headroom_size;
    message->flags = (uint8_t)flags;
    message->taken = false;
    message->in_inbox = false;
    message->shared = false;
}

/* Where the payload is: aligned, with the headroom before it. names_end: of the targets and their names. */
static inline size_t wsf_message_payload_offset(size_t names_end, size_t headroom_size) {
    return (names_end + headroom_size + 15) & ~(size_t)15;
}

/* The end of the name of the only target. */
static inline size_t wsf_message_name_end(size_t name_size) {
    return sizeof(wsfan_message) + sizeof(wsf_message_target) + name_size;
}

/* Bytes of memory for a message of these parts. */
size_t wsf_message_need_any(const wsf_message_parts *parts);

static inline size_t wsf_message_need(const wsf_message_parts *parts) {
    if (parts->targets_count != 1 || parts->apart)
        return wsf_message_need_any(parts);
    size_t end = wsf_message_name_end(parts->targets[0].name.size);
    return wsf_message_payload_offset(end, parts->headroom_size) + parts->payload.size;
}

/* Makes a message of `need` bytes, WSF_MESSAGE_SMALL at most, without the hashes. NULL: out of memory. */
wsfan_message *wsf_message_make(wsf_message_pool *pool, const wsf_message_parts *parts,
                                size_t need);

void wsf_message_pool_close(wsf_message_pool *pool);
void wsf_message_pool_trim(wsf_message_pool *pool); /* frees slabs that were not needed lately */

/* Gives references to messages of one slab back in one step. Must be empty when its thread sleeps. */
typedef struct {
    wsf_slab *slab;
    uint32_t count;
} wsf_message_bin;

void wsf_message_bin_empty(wsf_message_bin *bin);

static inline wsf_slab *wsf_message_slab(const wsfan_message *message) {
    return (wsf_slab *)(void *)((uint8_t *)message - message->slab_offset);
}

static inline void wsf_message_bin_add(wsf_message_bin *bin, wsfan_message *message) {
    wsf_slab *slab = wsf_message_slab(message);
    if (message->receipt != NULL || message->frame != NULL) {
        wsfan_message_unref(message);
        return;
    }
    if (bin->slab != slab)
        wsf_message_bin_empty(bin);
    bin->slab = slab;
    bin->count++;
}

static inline wsfan_target wsf_message_target_of(const wsfan_message *message,
                                                 const wsf_message_target *target) {
    return (wsfan_target){ (wsfan_target_kind)target->kind,
                           { (const uint8_t *)message + target->name_offset, target->name_size } };
}

/* Bytes in memory. */
static inline size_t wsf_message_size(const wsfan_message *message) {
    return message->size;
}

#endif
