/* What the files of the core share: the state of one node, and of each of its peers. */
#ifndef WSF_CORE_STATE_H
#define WSF_CORE_STATE_H

#include <string.h>

#include "base/peers.h"
#include "core/types.h"
#include "wire/decode.h"

/* Tables, and what is promised when one is full. */
enum {
    /* Named endpoints over it are counted (endpoints_surplus) and not dialled before they are named again.
     * A node that introduces itself and finds no place is refused with WSFAN_REASON_LIMIT, as above. */
    WSF_CONNECTIONS_MAX = 256,
    /* A node whose subscription finds no place is refused with WSFAN_REASON_LIMIT and subscribes again. */
    WSF_SUBSCRIBERS_MAX = WSF_SIZE(256, 10),
    /* Connections that only peers told of and where nobody answers. What peers tell beyond is passed over: they
     * tell it again within forget_ms / 4, and a node that lives introduces itself. */
    WSF_GOSSIP_MAX = WSF_SIZE(64, 4),
    /* Nodes whose links were given up. Over it the oldest goes, and this node cannot say any more of anybody
     * that they have not met: see may_have_met() in handshake.c. A gap is told all the same. */
    WSF_FORGOTTEN_MAX = WSF_SIZE(64, 3)
};

enum {
    WSF_ACK_DELAY_MS = 10,
    WSF_NACK_INTERVAL_MS = 50, /* doubles while nothing comes of it */
    WSF_NACK_INTERVAL_MS_MAX = 1000,
    WSF_REPAIR_INTERVAL_MS = 25, /* nobody who keeps to the protocol asks so often */
    WSF_ANEW_INTERVAL_MS = 250,  /* the same, for everything from the start */
    WSF_HELLO_INTERVAL_MS = 250,
    WSF_STALL_MS = 250 /* a peer that acknowledges nothing for so long holds nobody up */
};

typedef struct wsf_core wsf_core;
typedef struct wsf_batch wsf_batch;
typedef struct wsf_part wsf_part;

typedef enum {
    WSF_DRAIN_NONE,
    WSF_DRAIN_SHED,  /* sessions are asked to go */
    WSF_DRAIN_LAST,  /* what was accepted for publishing is still to come */
    WSF_DRAIN_QUIET, /* the peers are to acknowledge everything */
    WSF_DRAIN_DONE
} wsf_drain_phase;

/* A peer. Each slice is written by the file that it is named after. Two exceptions: handshake.c takes a peer that has
 * made way out of what others were told (gossip), and the join barrier, in core.c and receiver.c, keeps
 * subscription.serial_skipped. */
typedef struct {
    uint64_t node;                    /* 0: free */
    char name[WSF_NAME_SIZE_MAX + 1]; /* "" until its hello */
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    bool linked;    /* established, and the rest of the core knows */
    bool forgotten; /* an earlier link was given up: the host is to be told with the first frame */
    bool reachable; /* it subscribes to its inbox at our socket */
    wsfan_peer_event state;
    wsfan_reason reason; /* of its state */
    uint64_t heard_ms;
    uint64_t spoken_ms; /* last frame to it */
    uint64_t frame_size_max;
    uint32_t version; /* of the frames that it is sent */
    wsf_link link;

    /* Acknowledgements and repair; see sender.c and receiver.c. */
    uint64_t progress_ms; /* it last acknowledged something new, or had nothing to */
    uint64_t ack_ms;      /* an acknowledgement is due then; UINT64_MAX: not */
    uint64_t nack_ms;     /* a nack may be sent from then on */
    uint64_t nack_interval_ms;
    uint64_t repair_ms;     /* nacks are heard again from then on */
    uint64_t unacked_bytes; /* received since the last prompt acknowledgement */
    uint32_t anew;          /* bits of parts that it wants to be told from the start, */
    uint64_t anew_ms;       /* and is, from then on */
    uint64_t ask_again_ms;  /* it may be asked for the same from then on */

    struct {
        bool received;
        bool acked; /* by the stream of the hello that was received: the link is established */
        uint64_t incarnation;
        uint64_t sent_ms; /* last hello to it */
    } handshake;

    struct {
        uint32_t refusals;   /* of connections, in a row */
        uint64_t refused_ms; /* the first of them */
        uint64_t next_ms;    /* the next probe is asked for then, if there is doubt */
    } probe;

    /* Our interest, as far as this peer was told, and its own. */
    struct {
        uint64_t log_serial;     /* log entries up to here are in frames */
        uint64_t serial_acked;   /* and up to here it acknowledged */
        uint64_t serial_skipped; /* joins up to here ended without it; 0: none */
        uint32_t snapshot_cursor;
        bool snapshot_begun;
        bool snapshot_done;
        uint64_t snapshot_number; /* of the frame that ended it */
        bool asked;               /* it has seen a serial of ours, by which we ask for presence */
        bool overflow;            /* it has more than we can note; see core->complete */
    } subscription;

    /* What it is good for, by its own word. */
    struct {
        uint32_t flags; /* 0 until it has said so */
        uint32_t weight;
        uint64_t place_hash;
        char address[WSF_PUBLIC_SIZE_MAX + 1];
        uint64_t told; /* the serial of ours that it was told of */
    } status;

    struct {
        wsf_peers told;   /* peers that it was told of, */
        uint64_t told_ms; /* since then */
    } gossip;

    /* Calls of it that we are at. */
    struct {
        uint32_t calls_count;
        uint64_t calls_bytes;
    } rpc;

    /* See sync.c. Serials here are greater by one, so that 0 is none. */
    struct {
        bool say;       /* it is to be told when it was told everything */
        bool overflow;  /* it has more rows than we can note, */
        bool refused;   /* or such as we never do */
        uint64_t heard; /* up to here we know its interest, */
        uint64_t known; /* and up to here it knew ours when it had told us everything, */
        uint64_t anew;  /* with this frame or a later one: there it began anew */
    } presence;

    wsfan_peer_stats stats;
} wsf_peer;

typedef struct {
    bool used;
    bool dialled;   /* else it rests: it led where another one leads, or to ourselves */
    bool self_told; /* the host knows that it led to ourselves */
    uint32_t named; /* bits of the sources that name it */
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    uint64_t node; /* who answered there last; 0: nobody yet */
    uint64_t
        likely; /* who answered or is said to live there, whose key is tried first; 0: nobody */
    uint64_t since_ms;
    uint64_t again_ms;    /* it is dialled anew then, unless a peer is heard by it; 0: to be set */
    wsfan_reason refused; /* why that node will not have us, until it will */
    uint64_t refuser;     /* who said so last, */
    uint64_t refusal_ms;  /* and when */
} wsf_dialer_endpoint;

typedef struct {
    uint64_t node;  /* 0: free */
    uint32_t count; /* subscriptions */
} wsf_subscriber;

/* The last target that was looked up: one message after another is for the same, more often than
 * not. */
typedef struct {
    uint64_t hash;    /* 0: none yet */
    uint64_t changes; /* of the interest, for which loops and peers hold */
    uint64_t loops;
    wsf_peers peers;
    uint32_t name_size;
    uint8_t kind;
    uint8_t name[64];
} wsf_last_route;

struct wsf_core {
    wsf_core_config config;
    char cluster[WSF_CLUSTER_SIZE_MAX + 1];
    char name[WSF_NAME_SIZE_MAX + 1];
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    wsf_hash_key key;
    wsf_last_route last_route;
    const wsf_part *const *parts; /* in the order of their entries in a frame; NULL is the last */
    const wsf_part *takers[32];   /* of numbered entries, by type */
    wsf_batch *batch;             /* of the frame that is being written */
    wsf_message_pool pool;        /* of received messages */
    bool repeats;                 /* its last one is the message that was read last, */
    uint64_t repeats_loops;       /* and went to these */
    wsf_buffer_cache frames;      /* that peers have acknowledged */
    uint64_t trim_ms;             /* when it is looked through again */
    wsf_message_bin bin;          /* of messages that went nowhere, or have been sent */
    wsf_effects effects;
    uint64_t random;
    uint64_t epoch; /* of the newest stream; they rise, so that an old hello is known as such */
    uint64_t clock; /* hybrid logical */
    uint64_t last_ms;
    uint32_t expected_identity; /* of whoever sends what is being received; 0: anybody */
    bool closing;
    wsf_reader *reader;
    wsf_interest interest;
    uint64_t loops;      /* bits of loops that are open */
    wsf_peers linked;    /* peers with an established link */
    wsf_peers complete;  /* peers whose interest we know whole */
    wsf_peers congested; /* peers that keep up, but with a queue that is half full */
    wsf_peer peers[WSF_PEERS_MAX];
    wsf_presence presence;
    uint64_t frame_size_max; /* that we take */
    wsfan_stats stats;

    struct {
        wsf_dialer_endpoint endpoints[WSF_CONNECTIONS_MAX];
        uint32_t endpoints_count;                 /* none from here on was ever used */
        uint32_t surplus[WSF_DIALER_SOURCES_MAX]; /* endpoints of a set that found no connection */
    } dialer;

    struct {
        wsf_subscriber subscribers[WSF_SUBSCRIBERS_MAX];
        uint64_t forgotten[WSF_FORGOTTEN_MAX]; /* nodes whose links were given up; a ring */
        uint64_t forgotten_count;              /* that were ever noted in it */
    } handshake;

    /* Tickets of joins, in order of deadline. */
    struct {
        wsf_item *head;
        wsf_item *tail;
        uint64_t count;
    } join;

    /* Receipts, in order of deadline. */
    struct {
        wsf_receipt *head;
        wsf_receipt *tail;
        bool dirty; /* one of them may be decided */
    } delivery;

    struct {
        wsf_request *requests;
        bool requests_dirty; /* one of them may be answered */
        uint64_t requests_deadline_ms;
        uint64_t request_ids;
        wsf_call *calls;      /* that somebody waits for */
        uint32_t calls_count; /* those, and what loops are still at */
        uint64_t tokens;
    } rpc;

    struct {
        bool used;                          /* a session of ours was present somewhere */
        wsf_peers askers;                   /* peers that ask for presence */
        uint32_t events_out[WSF_LOOPS_MAX]; /* that the loop has not dispatched */
    } sync;

    struct {
        char address[WSF_PUBLIC_SIZE_MAX + 1];
        uint64_t place_hash;
        uint64_t serial; /* rises with each change of our status */
        uint64_t started_ms;
        bool names_awaited;
        bool ready;
        bool met; /* a peer, ever: interest was exchanged with it */
        bool view_stale;
        wsf_peers publishers; /* peers that never have sessions */
        wsf_drain_phase drain;
        bool quiet; /* nothing more will be published */
        uint64_t drain_from_ms;
        uint64_t drain_until_ms;
        uint64_t shed_ms; /* the next step */
    } status;
};

/* As a C string; the readers of options and of the wire have checked that it fits. */
static inline void wsf_copy_text(char *out, size_t capacity, wsfan_bytes text) {
    size_t size = text.size < capacity ? text.size : capacity - 1;
    memcpy(out, text.data, size);
    out[size] = '\0';
}

/* The next number of the core's own generator, SplitMix64 (Steele, Lea, Flood, 2014); not 0. */
static inline uint64_t wsf_random(wsf_core *core) {
    uint64_t z;
    do {
        z = core->random += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
    } while (z == 0);
    return z;
}

/* Of the key that a node has, where nodes have keys. */
static inline uint32_t wsf_identity_of(uint64_t node) {
    return (uint32_t)(node >> 32);
}

static inline void wsf_count_drop(wsf_core *core, wsfan_drop reason, uint64_t count) {
    core->stats.dropped[reason] += count;
}

static inline unsigned wsf_peer_index(const wsf_core *core, const wsf_peer *peer) {
    return (unsigned)(peer - core->peers);
}

static inline wsf_peer *wsf_peer_find(wsf_core *core, uint64_t node) {
    for (unsigned i = 0; i < core->config.peers_count_max; i++)
        if (core->peers[i].node == node)
            return node != 0 ? &core->peers[i] : NULL;
    return NULL;
}

static inline bool wsf_peer_live(const wsf_peer *peer) {
    return peer->linked && peer->state != WSFAN_PEER_DOWN;
}

#endif
