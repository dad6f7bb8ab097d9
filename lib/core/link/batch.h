/* What the next numbered frame to a peer will hold. */
#ifndef WSF_CORE_LINK_BATCH_H
#define WSF_CORE_LINK_BATCH_H

#include "base/limits.h"
#include "core/link/frame.h"

/* In one frame, so that messages have a share of it; the next frame tells the rest. */
enum { WSF_BATCH_HASHES_COUNT_MAX = WSF_SIZE(2048, 3) };

struct wsf_batch {
    uint64_t lost;
    uint64_t lost_too_big;
    bool lost_unknown;
    uint32_t interest_flags;
    bool interest;
    uint32_t adds_count;
    uint32_t removes_count;
    bool interest_serial; /* it goes with the interest */
    bool presence;
    uint32_t rows_count;
    uint32_t rows_taken; /* of the peer's queue, with those that are nothing any more */
    uint8_t adds[WSF_BATCH_HASHES_COUNT_MAX * 8];
    uint8_t removes[WSF_BATCH_HASHES_COUNT_MAX * 8];
    uint64_t log_serial; /* the peer's state after this frame */
    uint32_t snapshot_cursor;
    wsf_known_peer known[WSF_PEERS_MAX];
    uint32_t known_count;
    uint64_t told_peers;
    uint32_t talk_count;     /* from the front of what is to be talked about */
    uint32_t messages_count; /* from the front of the queue, */
    wsfan_message *apart;    /* the last of them, if the second part is its payload; or NULL */
    size_t bound;
    bool bye;
    bool node_status;
    wsf_presence_row rows[WSF_PRESENCE_ROWS_MAX];
};

/* Too large for the stack of any thread that publishes. To be freed; NULL: out of memory. */
wsf_batch *wsf_batch_new(void);

/* Begins anew to tell the peer our interest. */
void wsf_batch_restart_interest(wsf_peer *peer);

/* bye: it ends with that. False: nothing to say, or no room to say it. */
bool wsf_batch_frame(const wsf_core *core, wsf_peer *peer, bool bye, wsf_batch *batch);

/* The frame, sealed, with the bytes of the payloads in it. NULL: out of memory. */
wsf_buffer *wsf_batch_write(const wsf_core *core, wsf_peer *peer, const wsf_batch *batch,
                            uint64_t *payload_bytes);

#endif
