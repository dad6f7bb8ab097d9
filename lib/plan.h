/* What the next numbered frame to a peer will hold. */
#ifndef WSF_PLAN_H
#define WSF_PLAN_H

#include "frame.h"
#include "size.h"

/* In one frame, so that messages have a share of it; the next frame tells the rest. */
enum { WSF_PLAN_HASHES_COUNT_MAX = WSF_SIZE(2048, 3) };

struct wsf_plan {
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
    uint8_t adds[WSF_PLAN_HASHES_COUNT_MAX * 8];
    uint8_t removes[WSF_PLAN_HASHES_COUNT_MAX * 8];
    uint64_t log_serial; /* the peer's state after this frame */
    uint32_t snapshot_cursor;
    wsf_known_peer known[WSF_PEERS_ENTRY_COUNT_MAX];
    uint32_t known_count;
    uint64_t told_peers;
    uint32_t talk_count;     /* from the front of what is to be talked about */
    uint32_t messages_count; /* from the front of the queue, */
    wsfan_message *apart;    /* the last of them, if the second part is its payload; or NULL */
    size_t bound;
    bool bye;
    bool standing;
    wsf_presence_row rows[WSF_PRESENCE_ROWS_MAX];
};

/* Too large for the stack of any thread that publishes. To be freed; NULL: out of memory. */
wsf_plan *wsf_plan_new(void);

/* Begins anew to tell the peer our interest. */
void wsf_plan_restart_interest(wsf_peer *peer);

/* bye: it ends with that. False: nothing to say, or no room to say it. */
bool wsf_plan_frame(const wsf_core *core, wsf_peer *peer, bool bye, wsf_plan *plan);

/* The frame, sealed, with the bytes of the payloads in it. NULL: out of memory. */
wsf_buffer *wsf_plan_write(const wsf_core *core, wsf_peer *peer, const wsf_plan *plan,
                           uint64_t *payload_bytes);

#endif
