/* What goes into the core and comes out of it: its configuration, the tickets of joins, and its effects. */
#ifndef WSF_CORE_TYPES_H
#define WSF_CORE_TYPES_H

#include <wsfan/diagnosis.h>
#include <wsfan/stats.h>

#include "base/counter.h"
#include "base/hash.h"
#include "base/limits.h"
#include "core/link/link.h"
#include "core/presence/events.h"
#include "core/routing/interest.h"
#include "core/routing/placement.h"
#include "message/reach.h"
#include "message/recovery.h"
#include "wire/encode.h"

enum { WSF_KNOWN_MAX = 768 }; /* peers and other subscribers */

/* In the rows of interest the archive is as this loop; with history there are at most so many others. */
enum { WSF_LOOP_ARCHIVE = WSF_LOOPS_MAX - 1 };

enum { WSF_COPIES_MAX = 3 }; /* of a chat's history, beside those on nodes with sessions in it */

enum {
    WSF_NAME_ADDRESS_SIZE = 64
}; /* of an endpoint with an address that DNS gave, with its NUL */

/* Sources of endpoints: the options, and the host's own discoveries. The addresses that DNS gives for the
 * names of a source are a source of their own: source + WSF_SOURCE_DNS. */
enum {
    WSF_SOURCE_OPTIONS = 0,
    WSF_SOURCE_HOST = 1,
    WSF_HOST_SOURCES_MAX = 8,
    WSF_SOURCE_DNS = WSF_SOURCE_HOST + WSF_HOST_SOURCES_MAX,
    WSF_DIALER_SOURCES_MAX = 2 * WSF_SOURCE_DNS /* one bit each in 32 */
};

typedef struct {
    uint64_t ms;      /* monotonic */
    uint64_t wall_ms; /* since 1970; may jump */
} wsf_now;

typedef struct {
    uint64_t node;
    uint64_t incarnation; /* wall clock at the start, in milliseconds */
    uint64_t seed;
    const char *cluster; /* strings are copied */
    const char *name;
    const char *endpoint; /* as advertised; NULL: no peers */
    uint32_t headroom_bytes;
    uint32_t payload_bytes_max;
    uint32_t name_bytes_max;
    uint32_t targets_count_max;
    uint32_t peers_count_max;
    uint32_t remote_chats_count_max;
    uint32_t interest_log_count_max;
    wsf_link_limits link;
    uint64_t links_bytes_max; /* of all links together; 0: no limit */
    wsf_presence_limits presence;
    uint32_t heartbeat_ms;
    uint32_t silent_ms;
    uint32_t down_ms;
    uint32_t forget_ms;
    uint32_t join_ms_max;
    uint32_t join_silent_ms; /* a join waits so long for a peer that is silent; 0: join_ms_max */
    uint32_t result_ms_max;
    uint32_t requests_count_max;
    uint32_t request_ms_max;
    uint32_t protocol_min; /* WSF_PROTOCOL_MIN, except in tests */
    uint32_t protocol_max;
    wsfan_slow_peer slow_peer;
    uint32_t ready_ms_max;
    /* Messages of chats that are joined with history are kept so long, and so long the chat itself after its last such
     * session. The node knows how far it got with each origin, and with one that is gone for so long. 0: none of it,
     * and the other limits do not matter. With it there are at most WSF_LOOP_ARCHIVE loops. */
    uint32_t history_ms;
    uint32_t history_count_max;      /* messages of a chat, >= 1 */
    uint32_t history_chat_bytes_max; /* of them, >= 1024 */
    uint64_t history_bytes_max;      /* of this node */
    uint32_t
        history_copies; /* nodes without a session in a chat that keep it too, <= WSF_COPIES_MAX */
    uint32_t recover_ms_max;
    uint32_t recoveries_count_max;
    wsf_hash_seal_key history_key;
    bool names_awaited;         /* not ready before wsf_core_names_known() */
    uint32_t weight;            /* 0: owns no chats */
    const char *public_address; /* NULL: none */
    bool publisher_only;
    bool authenticated; /* the upper 32 bits of a node's id are of its key */
} wsf_core_config;

/* Travels from a loop to the core and back: "tell the peers that this loop has a session in this
 * chat". One exists for each audience of a loop, so there may be millions: 56 bytes. */
typedef struct {
    wsf_item item;
    uint64_t hash;
    uint64_t serial; /* peers that acknowledged the log up to here know the hash */
    uint64_t deadline_ms;
    uint64_t *missing; /* ids of nodes that do not know it, when partial; the receiver frees it */
    uint32_t audience; /* the loop's number of the audience */
    uint8_t missing_count;
    uint8_t loop;
    int8_t status; /* an error code */
    bool history;  /* a session of the audience joined with history */
} wsf_ticket;

/* What the core measures beside the statistics. Times are in ms. */
typedef struct {
    wsfan_peer_stats stats;
    wsf_histogram_counts round_trip;
} wsf_peer_metrics;

typedef struct {
    uint64_t chats;   /* kept now, */
    uint64_t held;    /* and those of them without a session that joined with history */
    uint64_t refused; /* chats that there was no room for, so far */
    uint64_t asked;   /* chats kept now that peers ask to hold */
    uint64_t unheld;  /* chats kept now that a node that should hold them does not yet */
    uint64_t
        holds_refused; /* chats that peers asked to hold, over their limit or without room, so far */
    uint64_t messages; /* kept now, and their bytes of memory */
    uint64_t bytes;
    uint64_t evicted; /* messages, for a limit or for lack of memory, so far */
    uint64_t expired; /* and for their age */
} wsf_history_counts;

typedef struct {
    wsf_histogram_counts join;
    wsf_histogram_counts repair;
    uint32_t peers_count;
    wsf_peer_metrics peers[WSF_PEERS_MAX]; /* those whose name is known */
} wsf_core_metrics;

/* What the core wants done, at once and in this order. None of these may call the core. */
typedef struct {
    void *user;
    /* identity: of the key to try first there; 0: not known */
    void (*connect)(void *user, uint32_t connection, const char *endpoint, uint32_t identity);
    void (*disconnect)(void *user, uint32_t connection);
    /* Looks for another node at the endpoint, by this key first (0: any), while the connection stands. */
    void (*seek)(void *user, uint32_t connection, uint32_t identity);
    void (*send)(void *user, wsf_buffer *frame); /* frame is borrowed */
    /* takes over a reference to the message; how many messages of it, the first ones, the loop's inbox has room
     * for */
    uint32_t (*deliver)(void *user, unsigned loop, wsfan_message *message);
    void (*joined)(void *user, wsf_ticket *ticket);                   /* hands it back */
    void (*peer)(void *user, uint64_t loops, const wsfan_peer *peer); /* loops: bits */
    void (*gap)(void *user, const wsfan_gap *gap);
    void (*result)(void *user, wsf_receipt *receipt); /* hands it and its inbox back */
    /* hands the events over; wsf_core_events_done() follows */
    void (*presence)(void *user, wsf_presence_events *events);
    void (*loop_call)(void *user, unsigned loop, wsf_loop_call *loop_call); /* hands it over */
    void (*reply)(void *user, wsf_request *request);       /* hands it and its inbox back */
    void (*recovered)(void *user, wsf_recovery *recovery); /* hands it back, with its answer */
    void (*view)(void *user, wsf_view *view);              /* a new one; borrowed */
    /* a new one, for all loops, after everything that it claims; borrowed */
    void (*reach)(void *user, wsf_reach *reach);

    /* Of a drain: */
    /* permille: of the sessions at the drain's start that should be gone by now */
    void (*shed)(void *user, uint32_t permille);
    uint64_t (*sessions)(void *user); /* of this node */
    void (*quiet)(void *user);        /* refuse to publish any more, then call wsf_core_quiet() */
    void (*drained)(void *user, int status);

    /* Tries a TCP connection, without using it; wsf_core_probed() follows, or nothing without an answer. */
    void (*probe)(void *user, uint64_t node, const char *endpoint);

    /* loops: bits; level, code, text and lost are not set */
    void (*event)(void *user, uint64_t loops, const wsfan_event *event);
} wsf_effects;

/* A name that the host gave as an endpoint, as discovery knows it. */
typedef struct wsf_name {
    struct wsf_name *next;
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    unsigned source; /* WSF_SOURCE_OPTIONS, or of the host */
    wsfan_endpoint_state state;
    uint64_t since_ms; /* set by the core */
    uint64_t questions;
    uint32_t addresses_count;
    char addresses[][WSF_NAME_ADDRESS_SIZE]; /* endpoints */
} wsf_name;

void wsf_names_free(wsf_name *names); /* a list; NULL is allowed */

#endif
