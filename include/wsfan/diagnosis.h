/** @file diagnosis.h
 * Why nodes do or do not see each other: the state of the node, of each endpoint, of each caller that failed;
 * and events, which tell of each change and can be logged as they are.
 *
 * Copyright (c) 2026 the libwsfan authors. SPDX-License-Identifier: MIT
 */
/* Before the guard: wsfan.h includes this header after the types that it needs. */
#include <wsfan/wsfan.h>

#ifndef WSFAN_DIAGNOSIS_H
#define WSFAN_DIAGNOSIS_H

#include <wsfan/peers.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------------------------------- endpoints */

/** Where an endpoint stands, or why a caller is no peer. New ones may come in a later version. */
typedef enum wsfan_endpoint_state {
    WSFAN_ENDPOINT_DIALLING = 0,    /**< nothing is known yet */
    WSFAN_ENDPOINT_RESOLVING = 1,   /**< a name; no name server has answered yet */
    WSFAN_ENDPOINT_NO_NAME = 2,     /**< a name; there is no such name, or it has no address */
    WSFAN_ENDPOINT_DNS_SILENT = 3,  /**< a name; no name server answers, or none that can */
    WSFAN_ENDPOINT_RESOLVED = 4,    /**< a name; its addresses are endpoints of their own */
    WSFAN_ENDPOINT_REFUSED_TCP = 5, /**< the address refuses connections: no node listens there */
    WSFAN_ENDPOINT_NO_ANSWER =
        6, /**< the address does not answer: a packet filter, a wrong address */
    /** It takes connections and says nothing: a process that is frozen, or no node */
    WSFAN_ENDPOINT_MUTE = 7,
    WSFAN_ENDPOINT_FOREIGN = 8, /**< it speaks another protocol than a node's */
    /** The other node has a key that is not known here. Of an endpoint: no key that is allowed here opens
     * it */
    WSFAN_ENDPOINT_KEY_UNKNOWN_HERE = 9,
    /** The other node does not know our key; of a caller: it expects a node with another key */
    WSFAN_ENDPOINT_KEY_UNKNOWN_THERE = 10,
    WSFAN_ENDPOINT_PLAIN_THERE = 11, /**< the other node speaks plain text, this one has a key */
    WSFAN_ENDPOINT_PLAIN_HERE = 12,  /**< this node speaks plain text, the other one has a key */
    WSFAN_ENDPOINT_INTRODUCED = 13,  /**< this node has introduced itself and is not answered yet */
    /** The node there hears this one, and does not reach the endpoint that this one advertises
     * (wsfan_node_endpoint()): NAT without `advertise`, or a firewall in that direction */
    WSFAN_ENDPOINT_NOT_DIALLED_BACK = 14,
    WSFAN_ENDPOINT_REFUSED = 15, /**< by the node there, or by this one; `reason` says why */
    WSFAN_ENDPOINT_SELF = 16,    /**< it leads back to this node; harmless in a shared list */
    WSFAN_ENDPOINT_LINKED = 17,  /**< it leads to a live peer */
    WSFAN_ENDPOINT_LOST = 18     /**< it led to a peer that is silent or down now */
} wsfan_endpoint_state;

/** The name of a state for a program, such as "no_answer"; "unknown" for any other number. [any] */
WSFAN_API const char *wsfan_endpoint_state_name(wsfan_endpoint_state state);

/** The text of a state, a constant phrase; "unknown state" for any other number. [any] */
WSFAN_API const char *wsfan_endpoint_state_text(wsfan_endpoint_state state);

/** Whether somebody has to do something about an endpoint in this state. [any] */
WSFAN_API int wsfan_endpoint_state_fails(wsfan_endpoint_state state);

/** By whom an endpoint is known: bits of wsfan_endpoint.sources. */
#define WSFAN_SOURCE_OPTIONS 1u /**< options.peers */
/** wsfan_node_set_peers_from(node, i); libwsfan-beacon is source 7 unless told otherwise */
#define WSFAN_SOURCE_HOST(i) (2u << (i))
#define WSFAN_SOURCE_DNS 0x10000u   /**< an address of a name that one of the above gave */
#define WSFAN_SOURCE_PEERS 0x20000u /**< told by peers, or by the node there itself */

/** An endpoint that somebody names. Times are in milliseconds. */
typedef struct wsfan_endpoint {
    size_t struct_size; /**< sizeof(wsfan_endpoint), set by the caller in element 0 */
    char endpoint[WSFAN_ENDPOINT_SIZE]; /**< with a name as the host wrote it, or with an address */
    char via[WSFAN_ENDPOINT_SIZE];      /**< of an address that DNS gave: the name; else "" */
    uint32_t sources;                   /**< bits, WSFAN_SOURCE_... */
    wsfan_endpoint_state state;         /**< where it stands */
    wsfan_reason reason;                /**< of WSFAN_ENDPOINT_REFUSED and _LOST */
    uint64_t node;      /**< that answered there last, or is said to be there; 0: not known */
    uint32_t hears_us;  /**< 1: that node has a connection to our endpoint; else 0 */
    uint32_t addresses; /**< of a name: how many it has */
    uint64_t attempts;  /**< connections that were tried; of a name: questions asked */
    uint64_t since_ms;  /**< so long it has been in this state */
} wsfan_endpoint;

/** Fills at most `capacity` elements of `endpoints` and sets *count to how many there are: the names that
 * the host gave, then the endpoints that are dialled. endpoints may be NULL when capacity is 0. Waits as
 * wsfan_node_get_stats() does.
 * @return WSFAN_OK, or WSFAN_EINVAL (NULL, no struct_size), WSFAN_ENOMEM, WSFAN_EFORK. [any] */
WSFAN_API int wsfan_node_get_endpoints(wsfan_node *node, wsfan_endpoint *endpoints, size_t capacity,
                                       size_t *count);

/* ------------------------------------------------------------------------------------- callers */

#define WSFAN_CALLERS_MAX 64         /**< Callers that are remembered; of more the oldest goes. */
#define WSFAN_CALLER_ADDRESS_SIZE 64 /**< Of an IP address as text. */

/** Somebody who tried to become a peer, and did not then: a node that tries several keys may be one by now. */
typedef struct wsfan_caller {
    size_t struct_size; /**< sizeof(wsfan_caller), set by the caller in element 0 */
    /** IP address it came from; "" where it had gone before it could be asked, or introduced itself */
    char address[WSFAN_CALLER_ADDRESS_SIZE];
    char endpoint[WSFAN_ENDPOINT_SIZE]; /**< that it advertises; "" where it did not get so far */
    char name[WSFAN_NODE_NAME_SIZE];    /**< of its node; "" where it is not known */
    uint64_t node;                      /**< id; 0: not known */
    /** Why: a state from WSFAN_ENDPOINT_FOREIGN to WSFAN_ENDPOINT_PLAIN_HERE, or
     * WSFAN_ENDPOINT_REFUSED */
    wsfan_endpoint_state cause;
    wsfan_reason reason; /**< of WSFAN_ENDPOINT_REFUSED */
    uint64_t count;      /**< times */
    uint64_t first_ms;   /**< so long ago it came first */
    uint64_t last_ms;    /**< and last */
} wsfan_caller;

/** Fills at most `capacity` elements of `callers`, the latest first, and sets *count to how many are known,
 * WSFAN_CALLERS_MAX at most. A node that the library could let in and then does not reach is among the
 * endpoints. callers may be NULL when capacity is 0. Waits as wsfan_node_get_stats() does.
 * @return as wsfan_node_get_endpoints(). [any] */
WSFAN_API int wsfan_node_get_callers(wsfan_node *node, wsfan_caller *callers, size_t capacity,
                                     size_t *count);

/* --------------------------------------------------------------------------------------- state */

/** Where a node stands as a whole. */
typedef enum wsfan_node_phase {
    WSFAN_NODE_STARTING = 0,  /**< its first ready_ms_max: it looks for those that were named */
    WSFAN_NODE_LOCAL = 1,     /**< it was opened without an endpoint: no mesh */
    WSFAN_NODE_ALONE = 2,     /**< nobody was named, and nobody is met */
    WSFAN_NODE_SEARCHING = 3, /**< peers were named, and none is met */
    WSFAN_NODE_MESH = 4,      /**< it has a live peer at least */
    WSFAN_NODE_REFUSED = 5,   /**< no peer lives, and a node that was dialled refuses this one */
    WSFAN_NODE_DRAINING = 6   /**< wsfan_node_drain() */
} wsfan_node_phase;

/** The name of a phase, such as "searching"; "unknown" for any other number. [any] */
WSFAN_API const char *wsfan_node_phase_name(wsfan_node_phase phase);

/** The state of a node. */
typedef struct wsfan_node_state {
    size_t struct_size;         /**< sizeof(wsfan_node_state), set by the caller */
    wsfan_node_phase phase;     /**< where it stands */
    uint32_t peers;             /**< that live */
    uint32_t endpoints_failing; /**< endpoints and names in a state that fails */
    uint64_t refuser;           /**< of WSFAN_NODE_REFUSED: the node that refuses this one */
    wsfan_reason reason;        /**< of WSFAN_NODE_REFUSED: why */
    char endpoint[WSFAN_ENDPOINT_SIZE]; /**< of WSFAN_NODE_REFUSED: where that node is */
} wsfan_node_state;

/** Fills `state`: the node is in a mesh of peers + 1 nodes, of peers + 1 + endpoints_failing that it could
 * be. It says nothing of readiness: wsfan_node_ready() does. Waits as wsfan_node_get_stats() does.
 * @return WSFAN_OK, or WSFAN_EINVAL (NULL, no struct_size), WSFAN_EFORK. [any] */
WSFAN_API int wsfan_node_get_state(wsfan_node *node, wsfan_node_state *state);

/* -------------------------------------------------------------------------------------- events */

/** What an event is about; the numbers stay. */
typedef enum wsfan_event_kind {
    WSFAN_EVENT_NODE = 1,     /**< the node's phase changed */
    WSFAN_EVENT_ENDPOINT = 2, /**< the state of an endpoint changed */
    WSFAN_EVENT_CALLER = 3,   /**< somebody tried to become a peer, and did not */
    WSFAN_EVENT_PEER = 4,     /**< as on_peer, but for refusals: endpoints and callers tell those */
    WSFAN_EVENT_GAP = 5       /**< as on_gap, of a peer */
} wsfan_event_kind;

/** How much an event matters. */
typedef enum wsfan_level {
    WSFAN_LEVEL_DEBUG = 0,   /**< on the way to something */
    WSFAN_LEVEL_INFO = 1,    /**< as it should be */
    WSFAN_LEVEL_WARNING = 2, /**< somebody should look at it, if it lasts */
    WSFAN_LEVEL_ERROR = 3    /**< messages are lost, or the node is kept out */
} wsfan_level;

/** The name of a level, such as "warning"; "unknown" for any other number. [any] */
WSFAN_API const char *wsfan_level_name(wsfan_level level);

/** What on_event tells. At most 256 wait for a loop; further ones are counted, here as `lost` and as
 * WSFAN_DROP_EVENT. Of a caller: the first time, and then at most once a minute; at most 32 new callers in
 * 10 s are told of. Of WSFAN_ENDPOINT_KEY_UNKNOWN_THERE: when it has gone on for 2 s, for a node tries the keys
 * that it knows. Of an endpoint, or of the phase: at most 8 changes in 10 s, then how it stands after that. */
struct wsfan_event {
    wsfan_event_kind kind; /**< what it is about */
    wsfan_level level;     /**< how much it matters */
    const char *code;      /**< a stable name: "KIND.STATE", such as "endpoint.no_answer" */
    const char *text;      /**< a line of English, without a line feed; at most 511 bytes */
    uint64_t node;         /**< that it is about; 0: not known, or this one */
    const char *name;      /**< of that node; "" where it is not known */
    const char *endpoint;  /**< "" where it is about none */
    const char *address;   /**< of a caller; else "" */
    int state; /**< wsfan_node_phase, wsfan_endpoint_state, wsfan_peer_event or wsfan_gap_reason */
    wsfan_reason reason; /**< of what is refused, down or lost */
    /** Of a caller: times; of a gap: messages; of the node: peers that live; of an endpoint: 1, its node
     * has a connection to ours */
    uint64_t count;
    uint64_t lost; /**< events before this one that the loop had no room for */
};

#ifdef __cplusplus
}
#endif
#endif
