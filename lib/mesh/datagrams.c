/* Answers for links over a carrier of the host, which brings datagrams and nothing else: who is subscribed to whom,
 * which ZeroMQ knows by its connections, is told in datagrams of their own.
 *
 * A connection is a subscription at another node: SUBSCRIBE is sent until a frame comes from there, and then at times,
 * since that node may be another process by now. The topics are those of a SUB socket, an inbox and an
 * introduction, so the core cannot tell the difference. Each dialling has a serial, by which a node tells a new
 * subscription from one that is repeated, and from one that came late. A subscription ends by UNSUBSCRIBE, or when
 * it was not repeated for long.
 *
 * ANNOUNCE goes to all nodes when the carrier begins to work, soon again, and then seldom: a node that hears it takes
 * it for an introduction, and dials.
 *
 * A node's endpoint stands for its key: the carrier lets nobody send in another's name, and the upper half of a node's
 * id is a hash of its endpoint. */
#include "mesh/datagrams.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/hash.h"
#include "base/memory.h"
#include "wire/encode.h"

enum {
    FRAME = 1,   /* size of the first part (8), first part, second part if there is one */
    SUBSCRIBE,   /* serial (8), inbox, introduction */
    UNSUBSCRIBE, /* serial (8) */
    ANNOUNCE,    /* introduction */

    FRAME_HEAD_SIZE = 9,
    SUBSCRIBE_HEAD_SIZE = 9 + WSF_TOPIC_SIZE,

    CONNECTIONS_MAX = WSFAN_ENDPOINTS_MAX,
    SUBSCRIBERS_MAX = WSFAN_ENDPOINTS_MAX,
    SCHEME_SIZE = WSFAN_CARRIED_SCHEME_MAX + 1,
    NAME_SIZE = WSFAN_CARRIED_NAME_MAX + 1,

    AGAIN_MS = 100,        /* doubles */
    AGAIN_MS_MAX = 2000,   /* while nothing comes */
    TRIES_MIN = 3,         /* what comes may be for an earlier subscription */
    REFRESH_MS = 5000,     /* then */
    EXPIRY_MS = 16 * 1000, /* three of them are lost */
    ANNOUNCE_MS_MAX = 30 * 1000,
    MET_MS = 300 /* an announcement, a subscription and its answer */
};

typedef struct {
    bool dialled;
    bool heard; /* frames come */
    char name[NAME_SIZE];
    uint32_t hash;     /* of the name */
    uint32_t identity; /* of the node there */
    uint32_t tries;
    uint64_t serial;
    uint64_t at_ms; /* when SUBSCRIBE is due */
} connection;

typedef struct {
    uint64_t node; /* 0: free */
    char name[NAME_SIZE];
    uint64_t serial;
    uint64_t until_ms;
} subscriber;

typedef struct {
    wsf_carrier carrier;
    const wsfan_carrier *host;
    wsfan_carrier_mesh mesh;
    char cluster[WSF_CLUSTER_SIZE_MAX + 1];
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    char group[SCHEME_SIZE + 2]; /* the endpoint that stands for all */
    uint8_t inbox[WSF_TOPIC_SIZE];
    uint8_t introduction[WSF_INTRODUCTION_SIZE_MAX];
    size_t introduction_size;
    uint64_t serials;

    const wsf_carrier_handler *handler; /* while receive() runs, */
    pthread_t receiver;                 /* on this thread */
    uint64_t left;                      /* frames before the handler has had its share */
    bool opened;
    wsfan_endpoint_state standing;
    uint64_t failures;
    uint64_t announce_ms; /* when it is due; UINT64_MAX: never */
    uint32_t announced;
    uint64_t
        met_ms; /* UINT64_MAX: those who are there know of this node, or the carrier does not work */

    uint32_t connections_used; /* below this */
    uint32_t subscribers_used;
    connection connections[CONNECTIONS_MAX];
    subscriber subscribers[SUBSCRIBERS_MAX];
} datagrams;

static datagrams *datagrams_of(wsf_carrier *carrier) {
    return (datagrams *)carrier;
}

static uint32_t hash_name(const char *name) {
    uint32_t hash = 2166136261; /* FNV-1a (Fowler, Noll, Vo) */
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619;
    return hash;
}

static uint64_t wait_ms(uint32_t tries, uint64_t max_ms) {
    uint64_t ms = (uint64_t)AGAIN_MS << (tries < 16 ? tries : 16);
    return ms < max_ms ? ms : max_ms;
}

/* -------------------------------------------------------------------------------------- sending */

static void send_to(datagrams *d, const char *to, const wsfan_bytes *parts, size_t count) {
    d->host->send(d->host->user, to, parts, count);
}

static void subscribe(datagrams *d, connection *to, uint64_t ms) {
    uint8_t head[SUBSCRIBE_HEAD_SIZE] = { SUBSCRIBE };
    wsf_put_u64(head + 1, to->serial);
    memcpy(head + 9, d->inbox, sizeof d->inbox);
    wsfan_bytes parts[] = { { head, sizeof head }, { d->introduction, d->introduction_size } };
    to->at_ms = ms + (to->heard && to->tries >= TRIES_MIN ? REFRESH_MS
                                                          : wait_ms(to->tries, AGAIN_MS_MAX));
    to->tries++;
    send_to(d, to->name, parts, 2);
}

static void subscribe_anew(datagrams *d, connection *to, uint64_t ms) {
    to->heard = false;
    to->tries = 0;
    to->serial = ++d->serials;
    subscribe(d, to, ms);
}

static void announce(datagrams *d, uint64_t ms) {
    static const uint8_t kind = ANNOUNCE;
    wsfan_bytes parts[] = { { &kind, 1 }, { d->introduction, d->introduction_size } };
    d->announce_ms = ms + wait_ms(d->announced++, ANNOUNCE_MS_MAX);
    send_to(d, NULL, parts, 2);
}

static subscriber *find_node(datagrams *d, uint64_t node) {
    for (uint32_t i = 0; i < d->subscribers_used; i++)
        if (d->subscribers[i].node == node)
            return &d->subscribers[i];
    return NULL;
}

static void send_frame(wsf_carrier *carrier, wsf_buffer *frame) {
    datagrams *d = datagrams_of(carrier);
    wsf_introduction receiver;
    uint8_t head[FRAME_HEAD_SIZE] = { FRAME };
    bool known = frame->size >= WSF_TOPIC_SIZE &&
                 wsf_read_topic(frame->data, WSF_TOPIC_SIZE, &receiver) == WSF_TOPIC_INBOX;
    const subscriber *to = known ? find_node(d, receiver.node) : NULL;
    if (to == NULL)
        return;
    wsf_put_u64(head + 1, frame->size);
    wsfan_bytes parts[] = { { head, sizeof head }, { frame->data, frame->size }, { NULL, 0 } };
    if (frame->rest != NULL)
        parts[2] = (wsfan_bytes){ frame->rest->data, frame->rest->size };
    send_to(d, to->name, parts, frame->rest != NULL ? 3 : 2);
}

/* ---------------------------------------------------------------------------------- connections */

static void subscribe_to(wsf_carrier *carrier, const void *inbox, size_t inbox_size,
                         const void *introduction, size_t introduction_size) {
    datagrams *d = datagrams_of(carrier);
    assert(inbox_size == sizeof d->inbox && introduction_size <= sizeof d->introduction);
    (void)inbox_size;
    memcpy(d->inbox, inbox, sizeof d->inbox);
    memcpy(d->introduction, introduction, introduction_size);
    d->introduction_size = introduction_size;
}

static void dial(wsf_carrier *carrier, uint32_t number, const char *endpoint, uint32_t identity) {
    datagrams *d = datagrams_of(carrier);
    connection *to = &d->connections[number];
    const char *name = strchr(endpoint, ':') + 1;
    assert(number < CONNECTIONS_MAX && !to->dialled);
    (void)identity; /* there is but one at an endpoint */
    *to = (connection){ .dialled = true,
                        .hash = hash_name(name),
                        .identity = wsf_hash_identity(endpoint) };
    snprintf(to->name, sizeof to->name, "%s", name);
    if (d->connections_used <= number)
        d->connections_used = number + 1;
    subscribe_anew(d, to, wsf_clock_ms());
}

static void hang_up(wsf_carrier *carrier, uint32_t number) {
    datagrams *d = datagrams_of(carrier);
    connection *from = &d->connections[number];
    uint8_t head[9] = { UNSUBSCRIBE };
    if (!from->dialled)
        return;
    from->dialled = false;
    wsf_put_u64(head + 1, from->serial);
    send_to(d, from->name, &(wsfan_bytes){ head, sizeof head }, 1);
}

/* The node at an endpoint has one key, that of the endpoint; and no port says whether its process lives. */
static void seek(wsf_carrier *carrier, uint32_t number, uint32_t identity) {
    (void)carrier;
    (void)number;
    (void)identity;
}

static void probe(wsf_carrier *carrier, uint64_t node, const char *endpoint) {
    (void)carrier;
    (void)node;
    (void)endpoint;
}

static void set_keys(wsf_carrier *carrier, const wsf_keys *keys) {
    (void)carrier;
    (void)keys;
}

/* ---------------------------------------------------------------------------------- subscribers */

static void tell_inbox(datagrams *d, uint64_t node, bool subscribed) {
    uint8_t topic[WSF_TOPIC_SIZE];
    wsf_write_inbox(topic, node);
    d->handler->subscription(d->handler->user, subscribed, topic, sizeof topic);
}

static void end_subscriber(datagrams *d, subscriber *from) {
    uint64_t node = from->node;
    from->node = 0;
    tell_inbox(d, node, false);
}

static subscriber *find_name(datagrams *d, const char *name) {
    for (uint32_t i = 0; i < d->subscribers_used; i++)
        if (d->subscribers[i].node != 0 && strcmp(d->subscribers[i].name, name) == 0)
            return &d->subscribers[i];
    return NULL;
}

static subscriber *free_subscriber(datagrams *d, const char *name) {
    subscriber *from = find_node(d, 0);
    if (from == NULL && d->subscribers_used < SUBSCRIBERS_MAX)
        from = &d->subscribers[d->subscribers_used++];
    if (from != NULL)
        snprintf(from->name, sizeof from->name, "%s", name);
    return from;
}

/* The subscription before ends after the new one has begun, so that the core, which counts those of a node,
 * sees no end between. */
static void take_subscription(datagrams *d, const char *name, uint64_t node, uint64_t serial,
                              wsfan_bytes introduction) {
    subscriber *from = find_name(d, name);
    uint64_t before = from != NULL ? from->node : 0;
    bool same = from != NULL && before == node;
    if (same && serial < from->serial)
        return; /* late */
    bool repeated = same && serial == from->serial;
    if (from == NULL && (from = free_subscriber(d, name)) == NULL)
        return; /* it is repeated */
    from->node = node;
    from->serial = serial;
    from->until_ms = wsf_clock_ms() + EXPIRY_MS;
    if (repeated)
        return;
    tell_inbox(d, node, true);
    if (before != 0)
        tell_inbox(d, before, false);
    d->handler->subscription(d->handler->user, true, introduction.data, introduction.size);
}

/* ------------------------------------------------------------------------------------ receiving */

static connection *find_connection(datagrams *d, const char *name) {
    uint32_t hash = hash_name(name);
    for (uint32_t i = 0; i < d->connections_used; i++)
        if (d->connections[i].hash == hash && d->connections[i].dialled &&
            strcmp(d->connections[i].name, name) == 0)
            return &d->connections[i];
    return NULL;
}

static wsf_buffer *copy_part(const uint8_t *data, size_t size) {
    wsf_buffer *part = wsf_buffer_new((uint32_t)size);
    if (part == NULL)
        return NULL;
    memcpy(part->data, data, size);
    part->size = (uint32_t)size;
    return part;
}

/* Whether the datagram has the form of a frame. Without memory the frame is lost, and asked for again. */
static bool take_frame(datagrams *d, const char *from, const uint8_t *data, size_t size) {
    if (size < FRAME_HEAD_SIZE || wsf_get_u64(data + 1) > size - FRAME_HEAD_SIZE)
        return false;
    size_t first_size = wsf_get_u64(data + 1);
    connection *by = find_connection(d, from);
    if (by == NULL)
        return true; /* this node has hung up */
    by->heard = true;
    size_t rest_size = size - FRAME_HEAD_SIZE - first_size;
    wsf_buffer *frame = copy_part(data + FRAME_HEAD_SIZE, first_size);
    if (frame != NULL && rest_size > 0)
        frame->rest = copy_part(data + FRAME_HEAD_SIZE + first_size, rest_size);
    if (frame != NULL && (rest_size == 0 || frame->rest != NULL) &&
        !d->handler->frame(d->handler->user, (uint32_t)(by - d->connections), by->identity, frame))
        d->left = 0;
    wsf_buffer_unref(frame);
    return true;
}

static uint32_t identity_of(const datagrams *d, const char *name) {
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    snprintf(endpoint, sizeof endpoint, "%s:%s", d->host->scheme, name);
    return wsf_hash_identity(endpoint);
}

static bool may_subscribe(datagrams *d, const char *from, const uint8_t *topic, size_t size) {
    return d->handler->may_subscribe(d->handler->user, identity_of(d, from), topic, size);
}

static bool take_subscribe(datagrams *d, const char *from, const uint8_t *data, size_t size) {
    wsf_introduction inbox;
    const uint8_t *introduction = data + SUBSCRIBE_HEAD_SIZE;
    if (size < SUBSCRIBE_HEAD_SIZE ||
        wsf_read_topic(data + 9, WSF_TOPIC_SIZE, &inbox) != WSF_TOPIC_INBOX)
        return false;
    size -= SUBSCRIBE_HEAD_SIZE;
    if (may_subscribe(d, from, data + 9, WSF_TOPIC_SIZE) &&
        may_subscribe(d, from, introduction, size))
        take_subscription(d, from, inbox.node, wsf_get_u64(data + 1),
                          (wsfan_bytes){ introduction, size });
    return true;
}

static bool take_unsubscribe(datagrams *d, const char *from, const uint8_t *data, size_t size) {
    subscriber *known = find_name(d, from);
    if (size < 9)
        return false;
    if (known != NULL && known->serial == wsf_get_u64(data + 1))
        end_subscriber(d, known);
    return true;
}

static bool take_announce(datagrams *d, const char *from, const uint8_t *data, size_t size) {
    if (may_subscribe(d, from, data + 1, size - 1))
        d->handler->subscription(d->handler->user, true, data + 1, size - 1);
    return true;
}

static bool take(datagrams *d, const char *from, const uint8_t *data, size_t size) {
    size_t name_size = strnlen(from, NAME_SIZE);
    if (size == 0 || name_size == 0 || name_size == NAME_SIZE)
        return false;
    switch (data[0]) {
    case FRAME:
        return take_frame(d, from, data, size);
    case SUBSCRIBE:
        return take_subscribe(d, from, data, size);
    case UNSUBSCRIBE:
        return take_unsubscribe(d, from, data, size);
    case ANNOUNCE:
        return take_announce(d, from, data, size);
    default:
        return false;
    }
}

/* Calls that a carrier makes elsewhere than in its receive() are ignored, and end a build with assertions. */
static bool is_receiving(const datagrams *d) {
    assert(d->handler != NULL && pthread_equal(d->receiver, pthread_self()) &&
           "a carrier calls the node in its receive() alone");
    return d->handler != NULL;
}

static int on_received(void *mesh, const char *from, const void *data, size_t size) {
    datagrams *d = mesh;
    if (!is_receiving(d))
        return 0;
    if (strcmp(from, d->mesh.name) == 0) /* another node has the name of this one */
        d->handler->caller(d->handler->user, from, WSFAN_ENDPOINT_REFUSED);
    else if (size > d->mesh.datagram_bytes_max || !take(d, from, data, size))
        d->handler->stray(d->handler->user);
    d->left -= d->left > 0;
    return d->left > 0;
}

/* ------------------------------------------------------------------------------ how it stands */

static void tell_standing(datagrams *d, bool met) {
    d->handler->standing(d->handler->user, d->group, d->standing, d->failures, met);
}

static void tell_found(datagrams *d, wsfan_endpoint_state found) {
    for (uint32_t i = 0; i < d->connections_used; i++)
        if (d->connections[i].dialled)
            d->handler->found(d->handler->user, i, found, 0);
}

/* Datagrams under way may be lost, in both directions: to the core all have subscribed anew, and so has this node. */
static void begin_anew(datagrams *d, uint64_t ms) {
    for (uint32_t i = 0; i < d->subscribers_used; i++) {
        uint64_t node = d->subscribers[i].node;
        if (node == 0)
            continue;
        d->subscribers[i].until_ms = ms + EXPIRY_MS; /* it could not repeat its subscription */
        tell_inbox(d, node, true);
        tell_inbox(d, node, false);
    }
    for (uint32_t i = 0; i < d->connections_used; i++)
        if (d->connections[i].dialled)
            subscribe_anew(d, &d->connections[i], ms);
    d->announced = 0;
    d->met_ms = ms + MET_MS;
    announce(d, ms);
}

static void on_stands(void *mesh, wsfan_endpoint_state state) {
    datagrams *d = mesh;
    bool works = state == WSFAN_ENDPOINT_RESOLVED;
    if (!is_receiving(d))
        return;
    if (!works && !wsfan_endpoint_state_fails(state))
        state = WSFAN_ENDPOINT_NO_ANSWER;
    d->failures += !works;
    d->standing = state;
    tell_standing(d, false);
    tell_found(d, works ? WSFAN_ENDPOINT_INTRODUCED : state);
    if (works)
        begin_anew(d, wsf_clock_ms());
}

/* ---------------------------------------------------------------------------------------- time */

static void tick(datagrams *d, uint64_t ms) {
    for (uint32_t i = 0; i < d->subscribers_used; i++)
        if (d->subscribers[i].node != 0 && ms >= d->subscribers[i].until_ms)
            end_subscriber(d, &d->subscribers[i]);
    if (d->standing != WSFAN_ENDPOINT_RESOLVED)
        return;
    for (uint32_t i = 0; i < d->connections_used; i++)
        if (d->connections[i].dialled && ms >= d->connections[i].at_ms)
            subscribe(d, &d->connections[i], ms);
    if (ms >= d->announce_ms)
        announce(d, ms);
    if (ms >= d->met_ms) {
        d->met_ms = UINT64_MAX;
        tell_standing(d, true);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t deadline(wsf_carrier *carrier) {
    const datagrams *d = datagrams_of(carrier);
    uint64_t at = UINT64_MAX;
    for (uint32_t i = 0; i < d->subscribers_used; i++)
        if (d->subscribers[i].node != 0)
            at = earlier(at, d->subscribers[i].until_ms);
    if (d->standing != WSFAN_ENDPOINT_RESOLVED)
        return at;
    for (uint32_t i = 0; i < d->connections_used; i++)
        if (d->connections[i].dialled)
            at = earlier(at, d->connections[i].at_ms);
    return earlier(at, earlier(d->announce_ms, d->met_ms));
}

static void receive(wsf_carrier *carrier, uint32_t share, const wsf_carrier_handler *handler) {
    datagrams *d = datagrams_of(carrier);
    d->handler = handler;
    d->receiver = pthread_self();
    d->left = (uint64_t)share * (d->connections_used + 1);
    d->host->receive(d->host->user);
    tick(d, wsf_clock_ms());
    d->handler = NULL;
}

/* ------------------------------------------------------------------------------ open and close */

static const char *endpoint_of(const wsf_carrier *carrier) {
    return ((const datagrams *)carrier)->endpoint;
}

static int descriptor(const wsf_carrier *carrier) {
    const datagrams *d = (const datagrams *)carrier;
    return d->host->fd(d->host->user);
}

static void count(const wsf_carrier *carrier, wsfan_stats *stats) {
    (void)carrier;
    (void)stats; /* there is no port of this node */
}

static void close_all(wsf_carrier *carrier, int linger_ms) {
    datagrams *d = datagrams_of(carrier);
    for (uint32_t i = 0; i < d->connections_used; i++)
        hang_up(carrier, i);
    d->host->close(d->host->user, linger_ms);
    wsf_free(d);
}

static const wsf_carrier_calls calls = {
    .endpoint = endpoint_of,
    .subscribe_to = subscribe_to,
    .connect = dial,
    .disconnect = hang_up,
    .seek = seek,
    .probe = probe,
    .send = send_frame,
    .deadline = deadline,
    .fd = descriptor,
    .receive = receive,
    .set_keys = set_keys,
    .count = count,
    .close = close_all,
};

int wsf_datagrams_open(wsf_carrier **carrier, const wsf_datagrams_config *config) {
    datagrams *d = wsf_alloc_zero(1, sizeof *d);
    if (d == NULL)
        return WSFAN_ENOMEM;
    d->carrier.calls = &calls;
    d->host = config->host;
    snprintf(d->group, sizeof d->group, "%s:*", d->host->scheme);
    snprintf(d->cluster, sizeof d->cluster, "%s", config->cluster);
    snprintf(d->endpoint, sizeof d->endpoint, "%s", config->endpoint);
    d->standing = WSFAN_ENDPOINT_RESOLVING;
    d->announce_ms = d->met_ms = UINT64_MAX;
    d->mesh = (wsfan_carrier_mesh){
        .struct_size = sizeof d->mesh,
        .mesh = d,
        .cluster = d->cluster,
        .name = strchr(d->endpoint, ':') + 1,
        .datagram_bytes_max = FRAME_HEAD_SIZE + config->frame_size_max,
        .received = on_received,
        .stands = on_stands,
    };
    int error = d->host->open(d->host->user, &d->mesh);
    if (error == WSFAN_OK && d->host->fd(d->host->user) < 0) {
        d->host->close(d->host->user, 0);
        error = WSFAN_ESYSTEM;
    }
    if (error == WSFAN_OK)
        *carrier = &d->carrier;
    else
        wsf_free(d);
    return error;
}
