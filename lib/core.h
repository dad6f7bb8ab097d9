/* The protocol of one node: inputs and the time go in, effects come out. No clock, no socket, no
 * thread, no randomness but the seed. Not thread-safe. */
#ifndef WSF_CORE_H
#define WSF_CORE_H

#include <wsfan/stats.h>

#include "interest.h"
#include "link.h"
#include "news.h"
#include "placement.h"
#include "wire.h"

enum {
    WSF_LOOPS_MAX = 64, /* of a node, one bit each */
    WSF_KNOWN_MAX = 320 /* peers, and others that are connected to us */
};

typedef struct wsf_core wsf_core;

/* Who names endpoints: the options, and the host's own discoveries. Of each, what the names stand for that
 * it gave is a source of its own: source + WSF_SOURCE_DNS. */
enum {
    WSF_SOURCE_OPTIONS = 0,
    WSF_SOURCE_HOST = 1,
    WSF_HOST_SOURCES_MAX = 8,
    WSF_SOURCE_DNS = WSF_SOURCE_HOST + WSF_HOST_SOURCES_MAX,
    WSF_SOURCES_MAX = 2 * WSF_SOURCE_DNS /* one bit each in 32 */
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
    wsf_presence_limits presence;
    uint32_t heartbeat_ms;
    uint32_t silent_ms;
    uint32_t down_ms;
    uint32_t forget_ms;
    uint32_t join_ms_max;
    uint32_t result_ms_max;
    uint32_t requests_count_max;
    uint32_t request_ms_max;
    uint32_t protocol_min; /* WSF_PROTOCOL_MIN, except in tests */
    uint32_t protocol_max;
    wsfan_slow_peer slow_peer;
    uint32_t ready_ms_max;
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
    uint64_t serial; /* peers that acknowledged the log up to here know */
    uint64_t deadline_ms;
    uint64_t *missing; /* node ids of the peers that do not, when partial; the receiver frees it */
    uint32_t audience; /* the loop's own number for it */
    uint8_t missing_count;
    uint8_t loop;
    int8_t status; /* an error code */
} wsf_ticket;

/* What the core wants done, at once and in this order. None of these may call the core. */
typedef struct {
    void *user;
    /* identity: of the key to try first there; 0: not known */
    void (*connect)(void *user, uint32_t connection, const char *endpoint, uint32_t identity);
    void (*disconnect)(void *user, uint32_t connection);
    /* Another node may be there by now, perhaps this one; the connection stands until one answers. */
    void (*seek)(void *user, uint32_t connection, uint32_t identity);
    void (*send)(void *user, wsf_buffer *frame); /* frame is borrowed */
    /* takes over a reference to the message; false: the loop has no room for it */
    bool (*deliver)(void *user, unsigned loop, wsfan_message *message);
    void (*joined)(void *user, wsf_ticket *ticket);                   /* hands it back */
    void (*peer)(void *user, uint64_t loops, const wsfan_peer *peer); /* for these, as bits */
    void (*gap)(void *user, const wsfan_gap *gap);
    void (*result)(void *user, wsf_receipt *receipt); /* hands it and its inbox back */
    void (*presence)(void *user, wsf_news *news); /* hands it over; wsf_core_news_done() follows */
    void (*errand)(void *user, unsigned loop, wsf_errand *errand); /* hands it over */
    void (*reply)(void *user, wsf_ask *ask);                       /* hands it and its inbox back */
    void (*view)(void *user, wsf_view *view);                      /* a new one; borrowed */

    /* Of a drain: */
    void (*shed)(void *user, uint32_t permille); /* of the sessions there were should go by now */
    uint64_t (*sessions)(void *user);            /* how many there are */
    void (*quiet)(void *user); /* let nobody publish any more, then call wsf_core_quiet() */
    void (*drained)(void *user, int status);

    /* Ask whether anybody takes connections at an endpoint, without using one: wsf_core_probed() follows,
     * or nothing where there is no answer. */
    void (*probe)(void *user, uint64_t node, const char *endpoint);
} wsf_effects;

/* WSFAN_ENOMEM, or WSFAN_OK. */
int wsf_core_new(wsf_core **core, const wsf_core_config *config, const wsf_effects *effects,
                 wsf_now now);

/* Waiting tickets of loops that are still there are handed back, with WSFAN_ECLOSED. */
void wsf_core_destroy(wsf_core *core);

/* The largest frame that a node with these limits takes, in bytes. */
uint64_t wsf_core_frame_size_max(const wsf_core_config *config);

const char *wsf_core_endpoint(const wsf_core *core); /* "" without peers */

/* What this node subscribes to besides its inbox. Returns its size. */
size_t wsf_core_introduction(const wsf_core *core, uint8_t topic[WSF_INTRODUCTION_SIZE_MAX]);

/* The endpoints to introduce ourselves to, as far as one source knows them: they replace those that
 * it named before. All are valid. Our own may be among them; a peer that lives keeps its connection
 * whatever is named. Of more endpoints than there are connections the rest is counted. */
void wsf_core_name_endpoints(wsf_core *core, unsigned source, const char *const *endpoints,
                             size_t count, wsf_now now);

/* Every name among the endpoints of the options has led to addresses. */
void wsf_core_names_known(wsf_core *core);

/* Takes over the caller's reference. The message's receipt, if any, comes back once, by
 * effects->result. */
void wsf_core_publish(wsf_core *core, wsfan_message *message, wsf_now now);

/* Whether publishing should wait: a peer that keeps up has a queue that is more than half full. Look
 * again after the next input or flush. */
bool wsf_core_congested(const wsf_core *core);

/* The ticket comes back by effects->joined, perhaps at once. */
void wsf_core_join(wsf_core *core, wsf_ticket *ticket, wsf_now now);
void wsf_core_leave(wsf_core *core, uint64_t hash, unsigned loop);

/* A session of a loop begins and ends to be present in a chat. Both take the attendance over; begin
 * comes before the join of an audience that is new, end before its leave. */
void wsf_core_present(wsf_core *core, wsf_attendance *attendance, wsf_now now);
void wsf_core_absent(wsf_core *core, wsf_attendance *attendance, wsf_now now);

/* A loop has dispatched what it was told of presence. */
void wsf_core_news_done(wsf_core *core, unsigned loop);

/* See wsfan_chat_get_count() and wsfan_chat_members(). */
void wsf_core_count(const wsf_core *core, uint64_t chat_hash, wsfan_count *count);
void wsf_core_visit(const wsf_core *core, uint64_t chat_hash, uint64_t *cursor, uint32_t max,
                    void (*each)(void *user, const wsfan_member *member), void *user);

/* A new loop is told of the peers that are known, and of those that refused us. */
void wsf_core_add_loop(wsf_core *core, unsigned loop);
void wsf_core_remove_loop(wsf_core *core, unsigned loop);

/* Every loop has dispatched the receipt's message. */
void wsf_core_loops_done(wsf_core *core, wsf_receipt *receipt);

/* Asks whom it concerns. Takes the request over; it comes back once, by effects->reply. */
void wsf_core_ask(wsf_core *core, wsf_ask *ask, wsf_now now);

/* Every loop is through with a task; takes over the reference. The host's answer to a request that it
 * was told the token of; takes over the payload, which is from wsf_alloc(). */
void wsf_core_task_through(wsf_core *core, wsf_task *task);
void wsf_core_reply(wsf_core *core, uint64_t token, void *payload, size_t size);

/* What comes in from now on is of nodes with this identity; 0: of anybody. */
void wsf_core_expect(wsf_core *core, uint32_t identity);

/* Parts with every peer that may not be one any more. */
void wsf_core_expel(wsf_core *core, bool (*may)(void *user, uint32_t identity), void *user);

/* What came by a connection as one frame. Borrowed; large messages keep a reference to it. */
void wsf_core_receive(wsf_core *core, uint32_t connection, wsf_buffer *frame, wsf_now now);

/* Somebody subscribed to a topic at our socket, or no longer does. */
void wsf_core_subscription(wsf_core *core, bool subscribed, const void *topic, size_t size,
                           wsf_now now);

/* A probe has ended: with a connection, or with a refusal. */
void wsf_core_probed(wsf_core *core, uint64_t node, bool refused, wsf_now now);

/* Sends what is due. Call it after any number of inputs, and at wsf_core_deadline(). */
void wsf_core_flush(wsf_core *core, wsf_now now);
uint64_t wsf_core_deadline(const wsf_core *core); /* UINT64_MAX: none */

/* Whether it has met its peers, or waited for them long enough. Once ready it stays so. */
bool wsf_core_ready(const wsf_core *core);

/* The same as wsfan_node_ready() says it. */
int wsf_core_readiness(const wsf_core *core, wsf_now now);

/* Begins to drain, or lets a drain end sooner. effects->drained tells when it is over. */
void wsf_core_drain(wsf_core *core, uint32_t ms_max, wsf_now now);
void wsf_core_quiet(wsf_core *core);

/* Whether every live peer has acknowledged everything. */
bool wsf_core_drained(const wsf_core *core);
void wsf_core_say_bye(wsf_core *core, wsf_now now);

void wsf_core_count_drop(wsf_core *core, wsfan_drop reason, uint64_t count);

/* Fills what the core knows of. */
void wsf_core_stats(const wsf_core *core, wsfan_stats *stats);
/* At most WSF_KNOWN_MAX. */
size_t wsf_core_peers(const wsf_core *core, wsfan_peer_stats *peers, size_t capacity);

#endif
