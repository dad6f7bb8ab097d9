/* A run: several messages that were published or received one after another, in one piece of memory. The mesh
 * thread hands it on whole, or a range of it; the loops make the messages. */
#ifndef WSF_MESSAGE_RUN_H
#define WSF_MESSAGE_RUN_H

#include "base/packed_peers.h"
#include "message/message.h"

enum {
    WSF_RUN_BYTES_MIN = 1024, /* of memory */
    WSF_RUN_BYTES_MAX = 128 * 1024,
    WSF_RUN_COUNT_MAX = 2048, /* messages */
    WSF_RUN_HEADS_MAX = 1024,
    WSF_RUN_SHARE_MIN = 64,          /* bytes of memory for which there is an entry */
    WSF_RUN_PAYLOAD_MAX = 32 * 1024, /* a larger payload stands for itself */
    WSF_RUN_APART_MIN = 8 * 1024     /* from this size on payloads are sent as a second part */
};

/* A head: the target of messages for one chat or user, and all else that they share. */
typedef struct {
    wsfan_address except;
    wsf_message_target target; /* its name is behind this struct; its offset is from the message */
    uint64_t loops;            /* for the router: who wants the messages */
    union {
        wsf_packed_peers packed; /* as in the row of interest: the pool is there */
        uint64_t word;           /* or, where no peer's number is above 63, as bits */
    } peers;
    uint32_t size;   /* bytes of memory, with the name */
    uint16_t number; /* 0, 1, 2 ... in the order of their first messages */
    uint16_t copy;   /* its place in the run that was picked from this one last; 0: none */
    uint8_t flags;
    bool wanted; /* see wsf_run_pick() */
} wsf_run_head;

typedef struct {
    uint32_t end;    /* of the payload, counted from the start of the first */
    uint16_t head;   /* its place: units of 16 bytes before the end of the memory */
    uint16_t offset; /* from the clock of the run */
} wsf_run_entry;

struct wsf_run {
    uint32_t payloads;    /* where payloads may be, counted from the message, */
    uint32_t end;         /* and where the memory ends */
    uint32_t entries_max; /* room for so many messages */
    uint32_t heads_bytes; /* bytes of memory of the heads, which grow from the end */
    uint32_t heads_count;
    uint32_t name_bytes;    /* of all heads */
    uint32_t excepts_count; /* heads that leave somebody out */
    wsf_buffer body;        /* the payloads, while there are references; see wsf_run_body() */
    wsf_run_entry entries[];
};

/* Messages from .. to-1 of a message that may be a run; of another one, 0 and 1. */
typedef struct {
    wsfan_message *message;
    uint32_t from;
    uint32_t to;
} wsf_span;

/* Whether a message of these parts may be part of a run. */
static inline bool wsf_run_may_have(const wsf_message_parts *parts) {
    return parts->targets_count == 1 && parts->targets[0].kind <= WSFAN_USER && parts->slot == 0 &&
           !parts->apart && parts->payload.size <= WSF_RUN_PAYLOAD_MAX;
}

/* Memory for the first message of a run and as much again: a power of two. */
size_t wsf_run_bytes_for(const wsf_message_parts *parts);

/* An empty run, in so much memory, from the cache if it is WSF_RUN_BYTES_MAX. cache NULL: none. NULL: out of
 * memory. */
wsfan_message *wsf_run_new(wsf_slab_cache *cache, size_t bytes);

/* An empty run with room for just so much; heads_bytes: the sum of wsf_run_head_bytes() of their names. NULL:
 * out of memory. */
wsfan_message *wsf_run_new_for(size_t count, size_t payload_bytes, size_t heads_bytes);
size_t wsf_run_head_bytes(size_t name_size);

/* A head for messages of these parts, whose payload does not matter here. NULL: no room. */
wsf_run_head *wsf_run_add_head(wsfan_message *run, const wsf_message_parts *parts);

/* A message with that head; `offset`: of its clock. False: no room. */
bool wsf_run_add(wsfan_message *run, const wsf_run_head *head, wsfan_bytes payload,
                 uint32_t offset);

/* All messages of a new run: the caller has written `count` entries. The payloads are copied, or, with a frame, left in
 * it, which then stays. */
void wsf_run_set(wsfan_message *run, uint32_t count, wsfan_bytes payloads, wsf_buffer *frame);

/* A run that is being filled with messages whose clocks follow one another. Begins as {0}. */
typedef struct {
    wsfan_message *run; /* borrowed */
    wsf_run_head *last;
    uint16_t recent[256]; /* places of heads, by a hash of name and `except`; 0: none */
} wsf_run_writer;

void wsf_run_begin_writing(wsf_run_writer *writer, wsfan_message *run);

/* Adds a message that wsf_run_may_have(). False: no room. */
bool wsf_run_write(wsf_run_writer *writer, const wsf_message_parts *parts);

/* A run in memory of its own of the messages of a span whose head is `wanted`. NULL: out of memory. */
wsfan_message *wsf_run_pick(wsf_span span);

/* The run itself, or, where less than half of its memory is used, a copy in place of it, for which the
 * reference is taken over. */
wsfan_message *wsf_run_fit(wsfan_message *run);

/* The payloads of a run as a second part of frames: a reference, by which the run stays. For one thread. */
wsf_buffer *wsf_run_body(wsfan_message *run);

/* Message i of a run, made in a slab of the pool; or a large one, unless there is headroom, with the payload where it is.
 * NULL: out of memory. */
wsfan_message *wsf_run_open(wsf_message_pool *pool, const wsfan_message *run, uint32_t i,
                            uint32_t headroom_bytes);

static inline bool wsf_message_is_run(const wsfan_message *message) {
    return message->run != NULL;
}

static inline wsf_run_head *wsf_run_head_at(const wsfan_message *run, uint32_t place) {
    return (wsf_run_head *)(void *)((uint8_t *)run + run->run->end - place * 16);
}

static inline uint16_t wsf_run_place(const wsfan_message *run, const wsf_run_head *head) {
    return (uint16_t)(((const uint8_t *)run + run->run->end - (const uint8_t *)head) / 16);
}

static inline wsf_run_head *wsf_run_head_of(const wsfan_message *run, uint32_t i) {
    return wsf_run_head_at(run, run->run->entries[i].head);
}

/* Walks the heads, the newest first: begin with NULL; NULL at the end. */
static inline wsf_run_head *wsf_run_next_head(const wsfan_message *run, const wsf_run_head *head) {
    uint8_t *at = head == NULL ? (uint8_t *)run + run->run->end - run->run->heads_bytes
                               : (uint8_t *)head + head->size;
    return at == (uint8_t *)run + run->run->end ? NULL : (wsf_run_head *)(void *)at;
}

static inline wsfan_bytes wsf_run_name(const wsf_run_head *head) {
    return (wsfan_bytes){ head + 1, head->target.name_size };
}

static inline uint32_t wsf_run_begin(const wsfan_message *run, uint32_t i) {
    return i == 0 ? 0 : run->run->entries[i - 1].end;
}

static inline wsfan_bytes wsf_run_payload(const wsfan_message *run, uint32_t i) {
    uint32_t begin = wsf_run_begin(run, i);
    return (wsfan_bytes){ run->payload + begin, run->run->entries[i].end - begin };
}

/* -------------------------------------------------------------------------------------- spans */

static inline wsf_span wsf_span_of(wsfan_message *message) {
    return (wsf_span){ message, 0, message->count };
}

static inline uint32_t wsf_span_count(wsf_span span) {
    return span.to - span.from;
}

static inline uint64_t wsf_span_payload_bytes(wsf_span span) {
    if (span.message->run == NULL || span.from == span.to)
        return span.message->payload_size;
    return span.message->run->entries[span.to - 1].end - wsf_run_begin(span.message, span.from);
}

/* Whether the payloads are sent as a second part, from where they are. For messages that are published, not received. */
static inline bool wsf_span_is_apart(wsf_span span) {
    const wsfan_message *message = span.message;
    if (message->run == NULL)
        return wsf_message_is_apart(message);
    return message->payload_size >= WSF_RUN_APART_MIN && span.to - span.from == message->count;
}

static inline uint64_t wsf_span_clock(wsf_span span) {
    uint64_t clock = span.message->id.clock;
    return span.message->run == NULL ? clock : clock + span.message->run->entries[span.from].offset;
}

/* Of its last message. */
static inline uint64_t wsf_span_last_clock(wsf_span span) {
    span.from = span.to - 1;
    return wsf_span_clock(span);
}

/* Its share of the message's memory, in bytes. */
static inline uint64_t wsf_span_bytes(wsf_span span) {
    const wsfan_message *message = span.message;
    if (message->run == NULL)
        return message->size;
    return (uint64_t)message->size * span.to / message->count -
           (uint64_t)message->size * span.from / message->count;
}

#endif
