/* What the two halves of fuzz_core share: a core, the peers that speak to it, and the bytes that decide. */
#ifndef CORE_WORLD_H
#define CORE_WORLD_H

#include "core/core.h"
#include "core/state.h"
#include "message/run.h"
#include "target.h"

enum { SPEAKERS = 4, CHATS = 8, USERS = 4, LOOPS = 2, SESSIONS = 16, LOOP_CALLS = 32, TARGETS = 3 };

typedef struct {
    uint64_t epoch;      /* its own stream */
    uint64_t number;     /* of its last frame */
    uint64_t core_epoch; /* as the core says */
    uint64_t core_number;
    uint64_t serial; /* of the core's interest, */
    uint64_t asked;  /* and the request that the core sent last */
} speaker;

typedef struct {
    const uint8_t *data;
    size_t size;
} input;

typedef struct {
    wsf_core *core;
    wsf_reader *reader;
    wsf_hash_key key; /* the core's */
    wsf_now now;
    uint64_t probed; /* the core asked for its answer last */
    speaker speakers[SPEAKERS];
    uint32_t loops; /* open, as bits */
    bool joined[LOOPS][CHATS];
    wsf_presence_session *sessions[SESSIONS]; /* that are present; NULL: free */
    uint32_t events_out[LOOPS];
    wsf_loop_call *loop_calls[LOOP_CALLS]; /* that loops are at */
    unsigned loop_calls_loop[LOOP_CALLS];
    uint64_t tokens[LOOP_CALLS]; /* of requests that the host was told of; a ring */
    unsigned tokens_next;
    uint64_t tickets_out;
    uint64_t tickets_back;
    uint64_t receipts_out;
    uint64_t receipts_back;
    uint64_t asks_out;
    uint64_t asks_back;
    unsigned drained;
    bool quiet_asked;
    bool quiet;
    bool connected[WSF_CONNECTIONS_MAX];
} state;

static inline uint64_t id_of(unsigned i) {
    return i + 2;
}

static inline uint8_t take(input *in) {
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

static inline uint64_t take_u64(input *in) {
    uint64_t value = 0;
    for (unsigned count = take(in) % 9; count > 0; count--)
        value = value << 8 | take(in);
    return value;
}

/* So many of the input's next bytes, or as many as there are. */
static inline wsfan_bytes take_bytes(input *in, size_t size) {
    wsfan_bytes bytes = { in->data, size < in->size ? size : in->size };
    in->data += bytes.size;
    in->size -= bytes.size;
    return bytes;
}

static inline uint64_t hash_of(const state *s, wsfan_target_kind kind, unsigned number) {
    char name = (char)('a' + number);
    wsfan_target target = { kind, { &name, 1 } };
    return wsf_hash_target(&s->key, &target);
}

/* A message to 1..TARGETS targets of any kind, whose names are valid. */
wsfan_message *take_message(const state *s, input *in, wsfan_bytes payload);

/* A run for chats and users. */
wsfan_message *take_run(const state *s, input *in);

/* What peers do: subscribe, introduce themselves, say entries that mean something, or any bytes. */
void subscribe(state *s, input *in, unsigned i);
void introduce(state *s, input *in, unsigned i);
void say_entry(state *s, input *in, unsigned i);
void say_raw_entries(state *s, input *in, unsigned i, bool loose);

#endif
