/* A recorder, as its parts know it: what it does (acts.c), what it sees (sees.c) and what it counts (looks.c). */
#ifndef RECORDER_PARTS_H
#define RECORDER_PARTS_H

#include <wsfan/presence.h>
#include <wsfan/wsfan.h>

#include "dice.h"
#include "events.h"
#include "recorder.h"
#include "travellers.h"

enum {
    SESSIONS_MAX = 24, /* open at a time */
    PEERS_MAX = 64,
    WINDOW_BYTES = 64 * 1024, /* small, as the queue, so that a cut of seconds costs messages */
    QUEUE_BYTES = 512 * 1024,
    QUEUE_COUNT = 64,
    FRAME_BYTES_MAX = 128 * 1024,
    PAYLOAD_BYTES_MAX = 64 * 1024
};

typedef struct {
    bool open;
    uint32_t number;
    unsigned loop;
    wsfan_session handle;
    int user;
    uint32_t chats;   /* bits */
    uint32_t present; /* bits: and shown there */
    traveller *as;    /* NULL: it stays here; else it is nothing but this, in one chat */
    traveller_bag bag;
    bool told; /* what became of its position: until then that of its loop is not its own */
    uint32_t to_replay;
} client;

typedef struct {
    struct recorder *owner;
    unsigned index;
    wsfan_loop *loop;
} thread;

typedef struct recorder {
    life_log *log;
    uint64_t random;
    wsfan_node *node;
    uint64_t id;
    thread loops[EVENTS_LOOPS];
    client clients[SESSIONS_MAX];
    travellers *travellers;
    client guests[TRAVELLERS];
    uint32_t positions;
    uint32_t sessions;
    uint32_t published;
    uint64_t accepted;
    unsigned results_due;
    uint64_t rested[PEERS_MAX]; /* nodes for which nothing waited at a look since it is quiet */
    unsigned rested_count;
    uint64_t looked_ns;
} recorder;

static inline uint64_t recorder_below(recorder *r, uint64_t below) {
    return dice_below(&r->random, below);
}

static inline wsfan_bytes name_of(const uint8_t *byte) {
    return (wsfan_bytes){ byte, 1 };
}

static inline uint8_t chat_of(const recorder *r, const client *guest) {
    return (uint8_t)((guest - r->guests) % TRAVELLERS_CHATS);
}

/* Writes down an event, of now if it has no time. */
void recorder_write(recorder *r, event value);
void recorder_broken(recorder *r, recorder_fault what, uint64_t count);

/* Who published it and its number, then bytes that follow from both. */
enum { PAYLOAD_HEAD = 12 };
void payload_fill(uint8_t *payload, uint32_t size, uint64_t id, uint32_t number);
bool payload_read(wsfan_bytes payload, uint64_t *id, uint32_t *number);

/* One act of a session or of a traveller. */
void recorder_open_session(recorder *r);
void recorder_act(recorder *r);
void recorder_publish(recorder *r);

/* Travellers whom others have taken are not here any more. */
void recorder_let_go(recorder *r);

/* The user of each loop is its thread. */
wsfan_callbacks recorder_callbacks(void);

/* Looks at what the node counts of its peers; when it is quiet of its chats as well. */
void recorder_look(recorder *r, bool quiet);

/* What the node counts when all has come to rest. */
void recorder_look_at_the_end(recorder *r);

#endif
