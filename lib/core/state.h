/* What the files of the core share: the state of one node, and of each of its peers. */
#ifndef WSF_CORE_STATE_H
#define WSF_CORE_STATE_H

#include <string.h>

#include "base/counter.h"
#include "base/hash_cache.h"
#include "base/peers.h"
#include "core/types.h"
#include "message/archive.h"
#include "wire/decode.h"

/* Tables, and what is promised when one is full. */
enum {
    /* Endpoints. Named ones over it are counted (endpoints_surplus) and not dialled before they are named
     * again. A node that introduces itself and finds no place is refused with WSFAN_REASON_LIMIT. */
    WSF_CONNECTIONS_MAX = 512,
    /* A node whose subscription finds no place is refused with WSFAN_REASON_LIMIT and subscribes again. */
    WSF_SUBSCRIBERS_MAX = WSF_SIZE(512, 10),
    /* Endpoints that only peers told of and where no node answers. Further ones are ignored: peers tell of
     * them again within forget_ms / 4, and a live node introduces itself. */
    WSF_GOSSIP_MAX = WSF_SIZE(64, 4),
    /* Nodes whose links were given up. Over it the oldest goes, and may_have_met() in handshake.c must be
     * true of every node. Gaps are told all the same. */
    WSF_FORGOTTEN_MAX = WSF_SIZE(64, 3),
    /* Answers that wait for an inbox. Both subscriptions of a connection come at once; where more connections
     * begin in that moment, a node whose answer is overwritten asks again. */
    WSF_ANSWERS_MAX = WSF_SIZE(16, 2),
    /* Origins: as many as there may be peers, and nodes that are gone. Over it the one goes that is gone for longest, and nothing is
     * known any more of how far this node got with it. */
    WSF_ORIGINS_GONE_MAX = WSF_SIZE(64, 2),
    WSF_ORIGINS_MAX = WSF_PEERS_MAX + WSF_ORIGINS_GONE_MAX
};

enum {
    WSF_ACK_DELAY_MS = 10,     /* one acknowledgement for many frames */
    WSF_NACK_INTERVAL_MS = 50, /* doubles while no missing frame comes */
    WSF_NACK_INTERVAL_MS_MAX = 1000,
    WSF_ANEW_INTERVAL_MS = 250, /* least time between two RESYNCs, sent or followed */
    WSF_HELLO_INTERVAL_MS = 250,
    WSF_MARK_INTERVAL_MS = 25,  /* between a mark and one that is asked for */
    WSF_REACH_INTERVAL_MS = 25, /* between two that loops are told, of marks that come */
    WSF_STALL_MS = 250 /* publishing does not wait for a peer that is so long without progress */
};

typedef struct wsf_core wsf_core;
typedef struct wsf_batch wsf_batch;
typedef struct wsf_part wsf_part;
typedef struct wsf_origin wsf_origin;

enum { WSF_PEER_NONE = WSF_PEERS_MAX };

typedef enum {
    WSF_DRAIN_NONE,
    WSF_DRAIN_SHED,  /* sessions are asked to go */
    WSF_DRAIN_LAST,  /* messages that were accepted are still to be sent */
    WSF_DRAIN_QUIET, /* until the peers have acknowledged everything */
    WSF_DRAIN_DONE
} wsf_drain_phase;

/* A peer. Each slice is written by the file that it is named after, with two exceptions: handshake.c takes
 * a peer that was dropped out of gossip.told of the others, and the join barrier, in barrier.c and
 * receiver.c, and witness.c keep subscription.serial_skipped, of which handshake.c notes what is owed. */
typedef struct {
    uint64_t node;                    /* 0: free */
    char name[WSF_NAME_SIZE_MAX + 1]; /* "" until its hello */
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    bool linked;    /* the link is established, and every part knows */
    bool forgotten; /* an earlier link was given up: the gap is told with the first frame */
    bool reachable; /* the peer subscribes to its inbox at this node's socket */
    wsfan_peer_event state;
    wsfan_reason reason; /* of `state` */
    uint64_t heard_ms;
    uint64_t spoken_ms; /* of the last frame to the peer */
    uint64_t reach_ms;  /* while it is not up, its own endpoint may be dialled again then */
    uint64_t frame_size_max;
    uint64_t features; /* of its hello */
    uint32_t version;  /* of the frames to the peer */
    wsf_link link;

    /* Acknowledgements and repair; see sender.c and receiver.c. */
    uint64_t progress_ms; /* the peer last acknowledged something new, or had nothing to */
    uint64_t ack_ms;      /* an acknowledgement is due then; UINT64_MAX: not */
    uint64_t nack_ms;     /* a nack may be sent from then on */
    uint64_t nack_interval_ms;
    uint64_t unacked_bytes; /* received since the last prompt acknowledgement */
    uint32_t anew;          /* bits of parts that the peer asks to restart, */
    uint64_t anew_ms;       /* which is done at the earliest then */
    uint64_t ask_again_ms;  /* the peer may be sent a RESYNC from then on */

    struct {
        bool received;
        bool acked; /* the peer acknowledged our hello: the link is established */
        uint64_t incarnation;
        uint64_t again_ms; /* the next hello to a peer that acknowledged none is due then */
    } handshake;

    struct {
        uint32_t refusals;   /* of connections, in a row */
        uint64_t refused_ms; /* the first of them */
        uint64_t next_ms;    /* of the next probe, if there is doubt */
    } probe;

    /* Our interest, as far as the peer was told; and the peer's. */
    struct {
        uint64_t log_serial;     /* log entries up to here are in frames */
        uint64_t serial_acked;   /* and up to here acknowledged */
        uint64_t serial_skipped; /* joins up to here did not wait for the peer; 0: none */
        uint64_t serial_owed;    /* up to here it was up since then, so what came may lack some */
        uint32_t snapshot_cursor;
        bool snapshot_begun;
        bool snapshot_done;
        uint64_t snapshot_number; /* of the frame that ended the snapshot */
        bool asked;               /* the peer was sent our serial, which asks for presence */
        bool overflow;            /* the peer has more than we can note; see core->complete */
    } subscription;

    /* The peer's status, as told by itself. */
    struct {
        uint32_t flags; /* 0 until told */
        uint32_t weight;
        uint64_t place_hash;
        char address[WSF_PUBLIC_SIZE_MAX + 1];
        wsf_cluster_epoch cluster_epoch;
        uint64_t told; /* the serial of our status that the peer was told */
    } status;

    struct {
        wsf_peers told;   /* peers that this peer was told of, */
        uint64_t told_ms; /* since then */
    } gossip;

    /* Unfinished calls of the peer. */
    struct {
        uint32_t calls_count;
        uint64_t calls_bytes;
    } rpc;

    /* See sync.c. Serials are stored plus one, so that 0 is none. */
    struct {
        bool say;       /* a sum is to be sent when all rows were */
        bool overflow;  /* the peer has more rows than we can note, */
        bool refused;   /* or rows over a fixed limit */
        uint64_t heard; /* serial of the peer's interest that we know */
        uint64_t known; /* serial of ours that the peer knew when it had told all its rows */
        uint64_t anew;  /* number of the frame with the peer's last FORGET */
    } presence;

    /* Marks on this link; see witness.c. */
    struct {
        wsf_origin *origin;    /* NULL: nobody here wants to know, or the peer sends no marks */
        uint64_t due_ms;       /* of the next mark to the peer */
        uint64_t again_ms;     /* no mark is hurried before */
        bool heard;            /* a mark of the peer came: */
        bool refused;          /* its clock is too far ahead, so the mark says nothing; or else */
        uint64_t heard_serial; /* it knew our interest up to here when its clock, */
        uint64_t heard_clock;  /* and that of its last message, were here at the most, */
        uint64_t heard_at;     /* and ours was here */
    } witness;

    /* Chats that are held for this node, and for the peer, on this link; see holding.c and, for what is asked, holders.c. */
    struct {
        wsf_deque asks;   /* hashes that the peer is to be told anew, */
        bool telling_all; /* and those of chats from `cursor` on, */
        bool forget;      /* after what it was told before has become void */
        uint32_t cursor;
        uint64_t asked_digest; /* sum of the hashes that the peer is asked to hold */
        uint64_t sum_ms;       /* of the next sum to the peer */
        wsf_deque answers;     /* hashes that are held, which the peer is to be told */
        uint64_t held_digest;  /* sum of the hashes that the peer asks this node to hold, */
        uint32_t held_count;   /* and how many these are; */
        bool overflow;         /* it asks for more, */
        uint64_t again_ms;     /* for which there may be room then */
        bool asked_again;      /* it was asked to begin anew */
    } holding;

    wsf_histogram round_trip; /* ms */
    wsfan_peer_stats stats;
} wsf_peer;

/* How many events of one kind, or of one thing, were told in the present period; see diagnosis.c. */
typedef struct {
    uint64_t from_ms;
    uint32_t told;
} wsf_pace;

typedef struct {
    bool used;
    bool dialled;   /* else it rests: see dialer.c */
    bool self_told; /* the host was told that it leads to this node */
    uint32_t named; /* bits of the sources that name it */
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    uint64_t node;   /* that answered there last; 0: none yet */
    uint64_t likely; /* the node expected there, whose key is tried first; 0: none */
    uint64_t since_ms;
    uint64_t again_ms;    /* redialled then, unless a peer is heard by it; 0: to be set */
    wsfan_reason refused; /* why `refuser` refuses this node; NONE: it does not */
    uint64_t refuser;     /* the node that refused last, */
    uint64_t refusal_ms;  /* and when */

    /* See diagnosis.c. */
    wsfan_endpoint_state
        carrier;           /* what the carrier of the frames found, since a frame came by it */
    wsfan_reason rejected; /* why this node refuses `node`; NONE: it does not */
    uint64_t attempts;
    uint64_t heard_ms;          /* `node` is heard there since then */
    wsfan_endpoint_state state; /* where it stands */
    wsfan_reason state_reason;
    uint64_t state_ms;
    wsfan_endpoint_state told; /* as the host was told last */
    wsfan_reason told_reason;
    wsf_pace pace; /* of its events */
} wsf_dialer_endpoint;

/* Who tried to become a peer, and did not; see wsfan_caller. */
typedef struct {
    wsfan_caller caller; /* count 0: free; its times are not set */
    uint64_t first_ms;
    uint64_t last_ms;
    uint64_t trials_ms; /* since then it comes without a pause */
    uint64_t told_ms;
    bool told;
} wsf_caller;

typedef struct {
    uint64_t node;  /* 0: free */
    uint32_t count; /* subscriptions */
} wsf_subscriber;

enum {
    WSF_KEEPING_BEGINS,  /* chats whose history has not begun */
    WSF_KEEPING_LINGERS, /* chats whose last session that joined with history has left */
    WSF_KEEPING_RESTS,   /* chats that were held for peers that are gone */
    WSF_KEEPING_ANSWERS, /* chats that are held for peers that do not know yet */
    WSF_KEEPING_LINES
};

typedef struct {
    wsf_recovery *first; /* NULL: it is empty */
    wsf_recovery *last;
} wsf_recovery_line;

/* A chat whose messages are kept: for sessions that joined with history, for peers that ask this node to hold it, and for
 * history_ms after the last of either. */
typedef struct {
    uint64_t hash;      /* 0: this number has no chat */
    uint64_t loops;     /* with sessions that joined with history (bits) */
    uint64_t serial;    /* of the interest: its history begins when peers know that */
    uint64_t linger_ms; /* while it lingers: until then */
    uint64_t rest_ms;   /* while it rests: until then */
    wsf_peers askers;   /* peers that ask this node to hold it, */
    wsf_peers answered; /* and those of them that were told that it does */
    wsf_peers asked;    /* peers that this node asks to hold it, */
    wsf_peers held;     /* those of them that said that they do, */
    wsf_peers again;    /* and those that are to be asked again when they have said so */
    wsf_peers sources;  /* peers that are to be asked for what they kept before askers are told */
    uint64_t mended;    /* of witness.changes: gaps up to then are in the archive's since, */
    uint64_t holes;     /* where the last of them ends, also of those that other nodes have */
    struct wsf_caps *caps;     /* NULL: none; see extent.c */
    wsf_recovery_line waiting; /* recoveries that wait for this chat; see waiting.c */
    bool begun;
    bool filled; /* with what another node had */
    bool lingers;
    bool rests;
    bool unanswered; /* it is in that line */
    bool unheld;     /* a node that should hold it has not said so */
    bool inherits;   /* an asker has a history of it: whoever kept it is a source */
    struct {
        uint32_t before;
        uint32_t after;
    } places[WSF_KEEPING_LINES]; /* in the lines that it is in */
} wsf_keeping_chat;

typedef struct {
    uint32_t first; /* WSF_TABLE_NONE: there is none */
    uint32_t last;
    uint32_t count;
} wsf_keeping_line;

struct wsf_core {
    wsf_core_config config;
    char cluster[WSF_CLUSTER_SIZE_MAX + 1];
    char name[WSF_NAME_SIZE_MAX + 1];
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    wsf_hash_key key;
    wsf_hash_cache hashes;        /* of chats and users, by `key` */
    const wsf_part *const *parts; /* in the order of their entries in a frame; NULL is the last */
    const wsf_part *takers[32];   /* of numbered entries, by type */
    wsf_batch *batch;             /* of the frame that is being written */
    wsf_message_pool pool;        /* of received messages */
    wsf_link_budget budget;       /* of all links */
    wsf_buffer_cache frames;      /* memory of frames that peers have acknowledged */
    uint64_t trim_ms;             /* when `frames` and `pool` are trimmed */
    wsf_message_bin bin;          /* of messages that went nowhere, or have been sent */
    wsf_effects effects;
    uint64_t random;
    uint64_t epoch;   /* of the newest stream; epochs rise, so an old hello is recognized */
    uint64_t clock;   /* hybrid logical */
    uint64_t last_ms; /* of the last round that looked after peers, up to a heartbeat ago */
    uint64_t now_ms;  /* of the newest input or round: for what happens when a link ends */
    uint32_t expected_identity; /* of the sender of a received frame; 0: any */
    uint64_t gossip_ms;         /* when peers are looked at that may be told all again */
    bool closing;
    wsf_reader *reader;
    wsf_interest interest;
    uint64_t loops;      /* bits of loops that are open, */
    uint64_t routed;     /* and with history that of WSF_LOOP_ARCHIVE: messages may be for these */
    wsf_peers known;     /* numbers that have a peer */
    wsf_peers linked;    /* peers with an established link */
    wsf_peers complete;  /* peers whose interest we know whole */
    wsf_peers stirred;   /* peers that the next round looks at; see rounds.c */
    wsf_peers congested; /* peers that keep up, but with a queue that is half full */
    wsf_peer *peers;     /* peers_count_max */
    wsf_presence presence;
    struct {
        uint64_t seed;
        uint8_t first[256];          /* of each bucket; WSF_PEER_NONE: it is empty */
        uint8_t next[WSF_PEERS_MAX]; /* of each peer, the next one of its bucket */
    } peer_index;
    uint64_t frame_size_max; /* of a frame to this node, in bytes */
    wsfan_stats stats;
    wsf_histogram repair; /* ms for which frames of a peer were missing */

    /* See rounds.c. */
    struct {
        uint64_t
            due_ms[WSF_PEERS_MAX]; /* a peer that is not stirred is looked at then at the latest */
        uint64_t least_ms;         /* none of these is less */
        uint64_t interest_serial; /* news that all peers are told: up to here they were looked at */
        uint64_t status_serial;
    } rounds;

    struct {
        wsf_dialer_endpoint endpoints[WSF_CONNECTIONS_MAX];
        uint64_t due_ms;                          /* time changes none before */
        uint32_t endpoints_count;                 /* none from here on was ever used */
        uint32_t surplus[WSF_DIALER_SOURCES_MAX]; /* endpoints of a set that found no connection */
    } dialer;

    struct {
        bool due;       /* something may have changed since the last look */
        uint64_t at_ms; /* time changes something then; UINT64_MAX: never */
        wsf_name *names;
        wsfan_node_phase phase;
        wsf_caller callers[WSFAN_CALLERS_MAX];
        wsf_pace callers_pace;
        wsf_pace phase_pace;
    } diagnosis;

    struct {
        wsf_subscriber subscribers[WSF_SUBSCRIBERS_MAX];
        uint64_t forgotten[WSF_FORGOTTEN_MAX]; /* nodes whose links were given up; a ring */
        uint64_t forgotten_count;              /* nodes that were ever noted in the ring */
        /* Answers to introductions of nodes that had not subscribed to their inbox; a ring. */
        struct {
            uint64_t node; /* 0: answered */
            wsfan_reason reason;
        } answers[WSF_ANSWERS_MAX];
        uint32_t answers_count; /* that were ever noted */
    } handshake;

    struct {
        wsf_origin *origins;   /* WSF_ORIGINS_MAX; NULL: nobody here wants to know */
        uint64_t look_ms;      /* when they are looked at next */
        uint64_t last;         /* clock of the last message that was published here; 0: none */
        uint64_t refused;      /* marks whose clock was too far ahead */
        uint64_t changes;      /* gaps, and what became known of them, so far */
        wsf_peers askers;      /* linked peers that want marks */
        bool moved;            /* a mark came, or a link, since the loops were told; see reach.c */
        uint64_t unsure_ms;    /* until then nothing is known of an origin, for lack of a place, */
        uint64_t unsure_clock; /* whose messages came up to here at most, with holes perhaps */
    } witness;

    wsf_cluster_epoch cluster_epoch; /* see epoch.c */

    struct {
        wsf_reach *newest; /* a reference; NULL: none yet */
        uint64_t rest;     /* clock of all origins that have no other; it never falls */
        uint64_t told_ms;
    } reach;

    /* See keeping.c. Without history, zero. */
    struct {
        wsf_archive archive;
        wsf_keeping_chat *chats; /* by their numbers in the archive */
        uint32_t capacity;
        wsf_keeping_line lines[WSF_KEEPING_LINES]; /* in the order in which it is their turn */
        bool more;        /* chats would begin, but others had their share of the round */
        uint64_t look_ms; /* when the archive is looked at for what is too old */
        uint64_t refused; /* chats that there was no room for */
        uint32_t wanted;  /* chats with sessions that joined with history */
        uint32_t asked;   /* chats that peers ask to hold */
    } keeping;

    /* Whom this node asks to hold its chats; see holders.c. */
    struct {
        wsf_view *view;       /* that `candidates` are of; NULL: none yet */
        wsf_view *candidates; /* nodes that may be asked */
        uint32_t cursor;      /* the next chat that is looked at, */
        uint32_t looks;       /* and how many are still to be, from there on and round */
        uint32_t unheld;      /* chats that a node that should hold them does not yet */
        bool leaving;         /* this node drains */
    } holders;

    /* See holding.c. */
    struct {
        bool more;        /* peers would be answered, but others had their share of the round */
        uint64_t refused; /* chats that peers asked to hold, over their limit or without room */
        uint64_t mended;  /* peers that were asked to ask for all again */
    } holding;

    /* Recoveries that are not decided; see waiting.c and recover.c. */
    struct {
        wsf_recovery_line all;    /* in order of deadline */
        wsf_recovery_line due;    /* to be looked at */
        wsf_recovery_line marked; /* those that wait for marks of peers, */
        uint64_t look_ms;         /* which are looked at again then, */
        uint64_t reach_ms;        /* if the loops were told more than at that time, */
        uint64_t ask_ms;          /* and for which peers may be asked from then on */
        uint32_t count;           /* that hand in a position, or want the last messages */
        uint64_t remote;          /* that were WHOLE after other nodes were asked, so far */
    } recover;

    /* Messages of chats that nodes ask each other for; see backfill.c and source.c. */
    struct {
        struct wsf_question *questions[WSF_PEERS_MAX]; /* of peers that wait for an answer; */
        wsf_peers askers;                              /* those have one */
        struct wsf_backfills *asks;                    /* NULL: there was none yet */
        uint64_t asked;                                /* questions to peers, so far */
        uint64_t answered;                             /* and of them */
        uint64_t failed; /* times that a peer did not say all that it has of a chat */
    } backfill;

    /* Tickets of joins, in order of deadline. */
    struct {
        wsf_item *head;
        wsf_item *tail;
        uint64_t count;
        unsigned last;      /* the peer that knew least of the log when all were asked */
        wsf_histogram took; /* ms until a join was complete, or its time was over */
    } join;

    /* Receipts, in order of deadline. */
    struct {
        wsf_receipt *head;
        wsf_receipt *tail;
        bool dirty; /* a receipt may be decided */
    } delivery;

    struct {
        wsf_request *requests;
        bool requests_dirty; /* a request may be answered */
        uint64_t requests_deadline_ms;
        uint64_t request_ids;
        wsf_call *calls;      /* calls whose asker still waits */
        uint32_t calls_count; /* these, and those that loops still work on */
        uint64_t tokens;
    } rpc;

    struct {
        bool used;                          /* a session of this node was ever present in a chat */
        wsf_peers askers;                   /* peers that ask for presence */
        uint32_t events_out[WSF_LOOPS_MAX]; /* blocks that the loop has not dispatched */
    } sync;

    struct {
        char address[WSF_PUBLIC_SIZE_MAX + 1];
        uint64_t place_hash;
        uint64_t serial; /* rises with each change of our status */
        uint64_t started_ms;
        bool names_awaited;
        bool ready;
        bool met; /* interest was exchanged with a peer, ever */
        bool view_stale;
        wsf_view *view;       /* the newest; NULL: none yet */
        wsf_peers publishers; /* peers that never have sessions */
        wsf_drain_phase drain;
        bool quiet; /* nothing more will be published */
        uint64_t drain_from_ms;
        uint64_t drain_until_ms;
        uint64_t shed_ms; /* of the next step of shedding */
    } status;
};

/* Copies a text as a C string; the readers of options and of the wire have checked that it fits. */
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

/* The hybrid logical clock: milliseconds since 1970 in 48 bits, a counter in 16. It is at least now, */
static inline void wsf_clock_pass(wsf_core *core, wsf_now now) {
    if (core->clock < now.wall_ms << 16)
        core->clock = now.wall_ms << 16;
}

/* Clocks of nodes that are further apart are not trusted. */
enum { WSF_CLOCK_APART_MS_MAX = 60000 };

/* and at least a clock that was received, unless that is far ahead: such a peer must not carry ours away. */
static inline void wsf_clock_merge(wsf_core *core, uint64_t clock, wsf_now now) {
    if (clock > core->clock && clock >> 16 <= now.wall_ms + WSF_CLOCK_APART_MS_MAX)
        core->clock = clock;
}

/* The clock of no node that is trusted is further ahead, which may have merged one that is ahead of its own. Ours is not older than
 * the input. */
static inline uint64_t wsf_clock_max(const wsf_core *core) {
    return ((core->clock >> 16) + 2 * WSF_CLOCK_APART_MS_MAX) << 16 | UINT16_MAX;
}

static inline bool wsf_clock_is_far_ahead(const wsf_core *core, uint64_t clock) {
    return clock > wsf_clock_max(core);
}

/* The identity of a node's key, where nodes have keys. */
static inline uint32_t wsf_identity_of(uint64_t node) {
    return (uint32_t)(node >> 32);
}

static inline void wsf_count_drop(wsf_core *core, wsfan_drop reason, uint64_t count) {
    core->stats.dropped[reason] += count;
}

/* The bucket of a node's id. Ids are chosen by nodes, but 255 of them at most, that are let in. */
static inline unsigned wsf_peer_bucket(const wsf_core *core, uint64_t node) {
    return (unsigned)((node ^ core->peer_index.seed) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static inline unsigned wsf_peer_index(const wsf_core *core, const wsf_peer *peer) {
    return (unsigned)(peer - core->peers);
}

/* Between two frames to a peer that has no traffic. In a large mesh nodes beat slower, and still three times in silent_ms. */
static inline uint64_t wsf_beat_ms(const wsf_core *core) {
    enum { PEERS = 64, BEATS = 3 };
    uint64_t ms = core->config.heartbeat_ms;
    uint64_t slower_ms = ms * wsf_peers_count(core->linked) / PEERS;
    uint64_t slowest_ms = core->config.silent_ms / BEATS;
    slower_ms = slower_ms < slowest_ms ? slower_ms : slowest_ms;
    return slower_ms > ms ? slower_ms : ms;
}

/* Has the next round look at a peer: something came from it, or there is something for it. */
static inline void wsf_peer_stir(wsf_core *core, const wsf_peer *peer) {
    wsf_peers_add(&core->stirred, wsf_peer_index(core, peer));
}

static inline void wsf_peers_stir_all(wsf_core *core) {
    core->stirred = wsf_peers_union(core->stirred, core->known);
}

/* Takes the next peer out of a set that was copied from one of core's. NULL: the set is empty. Peers that were dropped
 * since are left out. */
static inline wsf_peer *wsf_peer_next(const wsf_core *core, wsf_peers *set) {
    for (unsigned i; (i = wsf_peers_pop(set)) < WSF_PEERS_MAX;)
        if (core->peers[i].node != 0)
            return &core->peers[i];
    return NULL;
}

static inline wsf_peer *wsf_peer_find(const wsf_core *core, uint64_t node) {
    uint8_t i = core->peer_index.first[wsf_peer_bucket(core, node)];
    while (i != WSF_PEER_NONE && core->peers[i].node != node)
        i = core->peer_index.next[i];
    return i != WSF_PEER_NONE ? &core->peers[i] : NULL;
}

/* The nodes of the peers, by their numbers; of a number without a peer it is not set. */
static inline void wsf_peer_nodes(const wsf_core *core, uint64_t nodes[WSF_PEERS_MAX]) {
    wsf_peers known = core->known;
    for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
        nodes[wsf_peer_index(core, peer)] = peer->node;
}

static inline bool wsf_peer_live(const wsf_peer *peer) {
    return peer->linked && peer->state != WSFAN_PEER_DOWN;
}

#endif
