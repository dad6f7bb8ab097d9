/* A part of the core writes entries of some types into the stream to each peer, and takes those of a peer's.
 * A new kind of entry is a file with such a row, its codec in wire/, and its place in PARTS: see
 * lib/README.md. */
#ifndef WSF_CORE_PART_H
#define WSF_CORE_PART_H

#include "base/limits.h"
#include "core/state.h"

/* Hashes in one frame, 16 KiB, so that messages have a share of it; the next frame tells the rest. */
enum { WSF_BATCH_HASHES_COUNT_MAX = WSF_SIZE(2048, 3) };

/* The same of all lists of HOLD together. */
enum { WSF_BATCH_HOLDS_COUNT_MAX = WSF_SIZE(1024, 3) };

/* The next numbered frame to a peer. A slice belongs to the part of its name, from plan() to commit(). */
struct wsf_batch {
    uint32_t parts; /* bits of the parts that will write */
    size_t bound;   /* of the frame's size, in bytes */
    bool bye;       /* a BYE ends the frame */

    struct {
        uint64_t lost;
        uint64_t too_big;
        bool unknown;
    } gaps;

    struct {
        uint64_t log_serial; /* with this frame the peer is told the log up to here */
        uint32_t snapshot_cursor;
        uint32_t flags;
        bool with_serial;
        uint32_t adds_count;
        uint32_t removes_count;
        uint8_t adds[WSF_BATCH_HASHES_COUNT_MAX * 8];
        uint8_t removes[WSF_BATCH_HASHES_COUNT_MAX * 8];
    } subscription;

    struct {
        uint32_t rows_taken; /* from the front of the peer's queue, void ones included */
        uint32_t rows_count;
        wsf_presence_row rows[WSF_PRESENCE_ROWS_MAX];
    } presence;

    struct {
        uint32_t cursor;
        bool told_all;
        uint32_t asks_taken; /* from the front of the peer's queues */
        uint32_t answers_taken;
        uint32_t count;     /* of all lists */
        uint32_t counts[4]; /* of each; see holding.c */
        uint8_t hashes[4][WSF_BATCH_HOLDS_COUNT_MAX * 8];
    } holding;

    struct {
        wsf_peers told;
        uint32_t count;
        wsf_known_peer list[WSF_KNOWN_PEERS_MAX];
    } gossip;

    struct {
        uint32_t count; /* entries from the front of link.talk */
    } rpc;

    struct {
        uint32_t spans; /* from the front of link.queue, the last one perhaps not whole */
        uint32_t count; /* messages */
        bool receipts;  /* a message among them has a receipt */
        uint64_t payload_bytes;
        wsf_span apart; /* the last span, if its payloads are the second part; or of NULL */
    } messages;
};

struct wsf_part {
    /* take() gets numbered entries of these types (bits), in stream order. False: the peer was dropped. */
    uint32_t types;
    bool (*take)(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now);

    /* take_loose() gets the loose entries (those of frames without a number) of the peer's present stream, after
     * what their head acknowledges. */
    uint32_t loose_types;
    void (*take_loose)(wsf_core *core, wsf_peer *peer, const wsf_frame_head *head,
                       const wsf_entry *entry, wsf_now now);

    /* plan() notes in its slice what the next numbered frame to a peer will hold, adds its size to
     * batch->bound, and says whether there is anything. If the frame is made, write() and commit() follow,
     * with no other input between. No plan() while more than the window and reserve_bytes are
     * unacknowledged. */
    uint32_t reserve_bytes;
    bool (*plan)(wsf_core *core, wsf_peer *peer, wsf_batch *batch);
    void (*write)(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer);
    void (*commit)(wsf_core *core, wsf_peer *peer, const wsf_batch *batch);

    /* A loose entry of this type asks for everything again, for which restart() prepares. 0: none. */
    wsf_entry_type resync;
    void (*restart)(wsf_core *core, wsf_peer *peer);

    /* Whether the part needs a heartbeat now; and what the part adds to every heartbeat. */
    bool (*heartbeat_due)(const wsf_core *core, const wsf_peer *peer, wsf_now now);
    uint64_t (*heartbeat_ms)(const wsf_core *core, const wsf_peer *peer); /* by time alone, when */
    void (*write_heartbeat)(wsf_core *core, wsf_peer *peer, wsf_writer *writer, wsf_now now);

    /* link(): a link with the peer begins, on which it was told nothing. unlink(): the link is given up. */
    void (*link)(wsf_core *core, wsf_peer *peer);
    void (*unlink)(wsf_core *core, wsf_peer *peer);

    /* The peer is down, or no longer down. */
    void (*down)(wsf_core *core, const wsf_peer *peer, bool down);

    void (*tick)(wsf_core *core, wsf_now now);
    uint64_t (*deadline)(const wsf_core *core); /* UINT64_MAX: none */
};

/* Values of reserve_bytes: CONTROL lets what the protocol cannot do without exceed the window, by one
 * frame; a part with ANYWAY looks at the window itself (wsf_batch_add()). */
enum { WSF_PART_CONTROL = 128 * 1024, WSF_PART_ANYWAY = INT32_MAX };

static inline uint32_t wsf_part_type(wsf_entry_type type) {
    return UINT32_C(1) << type;
}

#endif
