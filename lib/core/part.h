/* What puts entries into the stream to a peer, and takes them out of a peer's. A new kind of entry is a file
 * with such a row, its codec in wire/, and the row's place in the table of core.c: see lib/README.md. */
#ifndef WSF_CORE_PART_H
#define WSF_CORE_PART_H

#include "base/limits.h"
#include "core/state.h"

/* In one frame, so that messages have a share of it; the next frame tells the rest. */
enum { WSF_BATCH_HASHES_COUNT_MAX = WSF_SIZE(2048, 3) };

/* Each slice is of the part that it is named after, and holds from its plan() to its commit(). */
struct wsf_batch {
    uint32_t parts; /* bits of those that have something to say */
    size_t bound;   /* of the frame's size */
    bool bye;       /* it ends with that */

    struct {
        uint64_t lost;
        uint64_t too_big;
        bool unknown;
    } gaps;

    struct {
        uint64_t log_serial; /* as of this frame */
        uint32_t snapshot_cursor;
        uint32_t flags;
        bool with_serial;
        uint32_t adds_count;
        uint32_t removes_count;
        uint8_t adds[WSF_BATCH_HASHES_COUNT_MAX * 8];
        uint8_t removes[WSF_BATCH_HASHES_COUNT_MAX * 8];
    } subscription;

    struct {
        uint32_t rows_taken; /* of the peer's queue, with those that are nothing any more */
        uint32_t rows_count;
        wsf_presence_row rows[WSF_PRESENCE_ROWS_MAX];
    } presence;

    struct {
        wsf_peers told;
        uint32_t count;
        wsf_known_peer list[WSF_PEERS_MAX];
    } gossip;

    struct {
        uint32_t count; /* from the front of what waits to be asked and answered */
    } rpc;

    struct {
        uint32_t count; /* from the front of the queue */
        bool receipts;  /* one of them has one */
        uint64_t payload_bytes;
        wsfan_message *apart; /* the last of them, if the second part is its payload; or NULL */
    } messages;
};

struct wsf_part {
    /* Numbered entries of these types, as bits, in the order of the stream. False: the peer has parted. */
    uint32_t types;
    bool (*take)(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_buffer *frame,
                 wsf_now now);

    /* Entries without a number, of the peer's present stream. */
    uint32_t loose_types;
    void (*take_loose)(wsf_core *core, wsf_peer *peer, const wsf_entry *entry, wsf_now now);

    /* What of this part the next numbered frame to a peer will hold: plan() adds its size to batch->bound, and
     * says whether there is anything. Where the frame is made, write() and then commit() follow, and nothing
     * has changed in between. Only as long as no more than the window and so many bytes are under way. */
    uint32_t reserve_bytes;
    bool (*plan)(wsf_core *core, wsf_peer *peer, wsf_batch *batch);
    void (*write)(const wsf_core *core, const wsf_peer *peer, const wsf_batch *batch,
                  wsf_writer *writer);
    void (*commit)(wsf_core *core, wsf_peer *peer, const wsf_batch *batch);

    /* By this entry, without a number, a peer wants to be told everything again, which restart() sees to. 0: there
     * is none, and no entry has that type. */
    wsf_entry_type resync;
    void (*restart)(wsf_core *core, wsf_peer *peer);

    /* What a heartbeat says besides, and whether it is due for that. */
    bool (*heartbeat_due)(const wsf_core *core, const wsf_peer *peer);
    void (*write_heartbeat)(wsf_core *core, wsf_peer *peer, wsf_writer *writer);

    /* A link with the peer begins: it was told nothing. It is given up. */
    void (*link)(wsf_core *core, wsf_peer *peer);
    void (*unlink)(wsf_core *core, wsf_peer *peer);

    /* The peer is down, or is not any more. */
    void (*down)(wsf_core *core, const wsf_peer *peer, bool down);

    void (*tick)(wsf_core *core, wsf_now now);
    uint64_t (*deadline)(const wsf_core *core); /* UINT64_MAX: none */
};

/* Values of reserve_bytes: of what the protocol cannot do without; of a part that looks at the window itself. */
enum { WSF_PART_CONTROL = 128 * 1024, WSF_PART_ANYWAY = INT32_MAX };

static inline uint32_t wsf_part_type(wsf_entry_type type) {
    return UINT32_C(1) << type;
}

#endif
