/* Kept messages: the bytes of each, in memory that many share, and lists of copies.
 *
 *   head | except (16 bytes) | general | target, name, target, name ... | payload, or where it is | padding
 *
 * Only the head is always there. A message to just the chat that it is kept for does without targets. */
#ifndef WSF_MESSAGE_KEPT_H
#define WSF_MESSAGE_KEPT_H

#include "base/vector.h"
#include "message/message.h"

/* A message that is kept, or is to be. */
typedef struct {
    wsfan_message_id id;
    wsf_message_parts parts; /* flags: WSFAN_BINARY or 0; neither headroom_size nor apart */
    wsf_buffer *buffer;      /* the payload is in it; NULL: it is elsewhere */
    uint32_t age_ms;         /* time since a node kept it first */
} wsf_kept;

/* -------------------------------------------------------------------------------------- entries */

typedef struct {
    wsfan_message_id id;
    uint32_t stamp; /* ms: when it was kept */
    uint32_t form;  /* WSF_KEPT_ bits, and below them the payload's size */
} wsf_kept_head;

#define WSF_KEPT_BINARY (UINT32_C(1) << 28)
#define WSF_KEPT_EXCEPT (UINT32_C(1) << 29)
#define WSF_KEPT_GENERAL (UINT32_C(1) << 30)
#define WSF_KEPT_BUFFER (UINT32_C(1) << 31) /* in place of the payload: a wsf_kept_slice */
enum { WSF_KEPT_PAYLOAD_MAX = (1 << 28) - 1 };

/* What only some messages have. */
typedef struct {
    uint64_t slot;
    uint32_t targets_count;
    uint32_t bytes; /* with what follows: the targets, padded */
} wsf_kept_general;

typedef struct {
    uint16_t kind;
    uint16_t size; /* of the name that follows */
} wsf_kept_target;

typedef struct {
    wsf_buffer *buffer; /* a reference */
    const uint8_t *payload;
} wsf_kept_slice;

static inline size_t wsf_kept_padded(size_t size) {
    return (size + 7) & ~(size_t)7;
}

/* Whether a message is for just the chat that it is kept for. */
static inline bool wsf_kept_is_plain(const wsf_kept *kept, wsfan_bytes chat) {
    const wsf_message_parts *parts = &kept->parts;
    return parts->targets_count == 1 && parts->targets[0].kind == WSFAN_CHAT && parts->slot == 0 &&
           parts->targets[0].name.size == chat.size &&
           (parts->targets[0].name.data == chat.data ||
            wsf_same_bytes(parts->targets[0].name.data, chat.data, chat.size));
}

/* Bytes of memory for wsf_kept_general and the targets. */
size_t wsf_kept_general_size(const wsf_kept *kept);

/* Bytes of memory for a message, a multiple of 8; a buffer is not in it. plain: as wsf_kept_is_plain() says. */
static inline size_t wsf_kept_size(const wsf_kept *kept, bool plain) {
    return sizeof(wsf_kept_head) + (kept->parts.except.node != 0 ? sizeof(wsfan_address) : 0) +
           (plain ? 0 : wsf_kept_general_size(kept)) +
           wsf_kept_padded(kept->buffer != NULL ? sizeof(wsf_kept_slice)
                                                : kept->parts.payload.size);
}

/* Writes just so many bytes at `at`, which is aligned to 8. A buffer gets one more reference. */
void wsf_kept_write(uint8_t *at, const wsf_kept *kept, bool plain, uint32_t stamp);

static inline const wsf_kept_head *wsf_kept_head_at(const uint8_t *at) {
    return (const wsf_kept_head *)(const void *)at;
}

/* Of what was written at `at`: where the payload is, or what tells of its buffer; the bytes of all; the buffer, or NULL; how
 * many targets it has. */
static inline const uint8_t *wsf_kept_payload_at(const uint8_t *at) {
    uint32_t form = wsf_kept_head_at(at)->form;
    const uint8_t *next = at + sizeof(wsf_kept_head);
    if ((form & WSF_KEPT_EXCEPT) != 0)
        next += sizeof(wsfan_address);
    if ((form & WSF_KEPT_GENERAL) != 0)
        next += ((const wsf_kept_general *)(const void *)next)->bytes;
    return next;
}

/* Whether the message left out that session; node 0: none. */
static inline bool wsf_kept_leaves_out(const uint8_t *at, wsfan_address session) {
    if (session.node == 0 || (wsf_kept_head_at(at)->form & WSF_KEPT_EXCEPT) == 0)
        return false;
    const wsfan_address *except = (const void *)(at + sizeof(wsf_kept_head));
    return except->node == session.node && except->session == session.session;
}

static inline size_t wsf_kept_size_at(const uint8_t *at) {
    uint32_t form = wsf_kept_head_at(at)->form;
    size_t size = (form & WSF_KEPT_BUFFER) != 0 ? sizeof(wsf_kept_slice)
                                                : form & WSF_KEPT_PAYLOAD_MAX;
    return (size_t)(wsf_kept_payload_at(at) - at) + wsf_kept_padded(size);
}

static inline wsf_buffer *wsf_kept_buffer_at(const uint8_t *at) {
    if ((wsf_kept_head_at(at)->form & WSF_KEPT_BUFFER) == 0)
        return NULL;
    return ((const wsf_kept_slice *)(const void *)wsf_kept_payload_at(at))->buffer;
}

uint32_t wsf_kept_targets_at(const uint8_t *at);

/* Bytes of memory that a reference to the buffer keeps; NULL: none. */
static inline uint64_t wsf_kept_buffer_cost(const wsf_buffer *buffer) {
    return buffer == NULL ? 0 : wsf_buffer_cost(buffer) + sizeof *buffer;
}

/* The buffer of a large payload, if it has hardly anything else in it; else NULL, and the payload is copied. */
wsf_buffer *wsf_kept_own_buffer(const wsfan_message *message);

/* ---------------------------------------------------------------------------------------- lists */

/* In one piece of memory with all that it names, but for buffers, of which it has references. Any thread may free it. */
typedef struct {
    uint32_t count;
    bool more;   /* there are others, with greater ids */
    size_t size; /* bytes of memory, with those of buffers */
    wsf_kept messages[];
} wsf_kept_list;

void wsf_kept_list_free(wsf_kept_list *list); /* NULL is allowed */

/* Which messages of a chat: all that each field lets through. */
typedef struct {
    const wsf_vector *above; /* that it does not cover; NULL: any */
    const wsf_vector *up_to; /* that it covers; NULL: any */
    wsfan_message_id after;  /* with a greater id; {0}: any */
    wsfan_address except;    /* that did not leave out this session; node 0: any */
    uint32_t last_max;       /* the last so many of those; 0: all */
    uint64_t
        bytes_max; /* the first of those, as far as payloads and names have so many bytes, one at least; 0: all */
} wsf_kept_query;

typedef struct {
    wsfan_message_id id;
    const uint8_t *at; /* where it was written */
} wsf_kept_ref;

static inline bool wsf_kept_id_less(wsfan_message_id a, wsfan_message_id b) {
    return a.clock < b.clock || (a.clock == b.clock && a.origin < b.origin);
}

/* Sorts by id, fast if nearly all are in order. Behind the refs is room for as many. */
void wsf_kept_sort(wsf_kept_ref *refs, uint32_t count);

/* Whether a message is among sorted ones. */
bool wsf_kept_is_among(const wsf_kept_ref *refs, uint32_t count, wsfan_message_id id);

/* How many of the first have at most so many bytes, with payloads in buffers; one at least, if there is any. */
uint32_t wsf_kept_fit(const wsf_kept_ref *refs, uint32_t count, uint64_t bytes_max);

/* Copies of messages that were written for `chat`. NULL: out of memory. */
wsf_kept_list *wsf_kept_list_new(const wsf_kept_ref *refs, uint32_t count, wsfan_bytes chat,
                                 uint32_t now_ms);

#endif
