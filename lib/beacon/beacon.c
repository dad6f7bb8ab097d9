/* The only file that knows czmq. Answers for the thread that hears beacons, and for which endpoints
 * are announced now. Everything about the node goes through its public functions.
 *
 * The thread is a czmq actor that owns another, zbeacon. Options and identity are written before it
 * starts; what others read of it while it runs is atomic. */
#include <czmq.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <wsfan/beacon.h>
#include <wsfan/peers.h>

#include "base/sized.h"
#include "packet.h"

enum { ENDPOINTS_MAX = 64, INTERFACE_SIZE_MAX = 15, RETRY_MS = 1000 };

typedef struct {
    char endpoint[WSF_PACKET_ENDPOINT_MAX + 1];
    int64_t heard_ms;
} announced;

struct wsfan_beacon {
    wsfan_node *node;
    wsfan_beacon_options options; /* its pointer is dead after open */
    wsf_packet own;
    zactor_t *actor;
    atomic_int error; /* of the thread's start */
    atomic_bool ended;
    bool stale; /* the node has not been told of the last change */
    size_t count;
    announced found[ENDPOINTS_MAX];
    atomic_uint_fast64_t endpoints;
    atomic_uint_fast64_t heard;
    atomic_uint_fast64_t refused;
};

/* ---------------------------------------------------------------------------- what is announced */

static void tell_node(wsfan_beacon *b) {
    const char *endpoints[ENDPOINTS_MAX];
    for (size_t i = 0; i < b->count; i++)
        endpoints[i] = b->found[i].endpoint;
    /* cppcheck-suppress uninitvar ; of no endpoints none is read */
    b->stale = wsfan_node_set_peers_from(b->node, b->options.source, endpoints, b->count) !=
               WSFAN_OK;
    atomic_store(&b->endpoints, b->count);
}

static void note(wsfan_beacon *b, const wsf_packet *packet) {
    size_t i = 0;
    while (i < b->count && strcmp(b->found[i].endpoint, packet->endpoint) != 0)
        i++;
    if (i == ENDPOINTS_MAX) {
        atomic_fetch_add(&b->refused, 1);
        return;
    }
    atomic_fetch_add(&b->heard, 1);
    b->found[i].heard_ms = zclock_mono();
    if (i < b->count)
        return;
    memcpy(b->found[i].endpoint, packet->endpoint, sizeof packet->endpoint);
    b->count++;
    b->stale = true;
}

static void expire(wsfan_beacon *b) {
    int64_t before_ms = zclock_mono() - b->options.expiry_ms;
    for (size_t i = 0; i < b->count;) {
        if (b->found[i].heard_ms > before_ms) {
            i++;
            continue;
        }
        b->found[i] = b->found[--b->count];
        b->stale = true;
    }
}

static int until_expiry_ms(const wsfan_beacon *b) {
    int64_t wait_ms = b->stale ? RETRY_MS : -1;
    int64_t now_ms = zclock_mono();
    for (size_t i = 0; i < b->count; i++) {
        int64_t left_ms = b->found[i].heard_ms + b->options.expiry_ms - now_ms;
        left_ms = left_ms > 0 ? left_ms : 0;
        wait_ms = wait_ms < 0 || left_ms < wait_ms ? left_ms : wait_ms;
    }
    return wait_ms < INT32_MAX ? (int)wait_ms : INT32_MAX;
}

/* -------------------------------------------------------------------------------------- thread */

/* A beacon is two frames: the address of the sender, and what it sent. */
static void hear(wsfan_beacon *b, zactor_t *zb) {
    zmsg_t *message = zmsg_recv(zb);
    if (message == NULL)
        return;
    zframe_t *content = zmsg_last(message);
    wsf_packet packet;
    if (content == NULL || !wsf_packet_read(&packet, zframe_data(content), zframe_size(content)) ||
        strcmp(packet.cluster, b->own.cluster) != 0)
        atomic_fetch_add(&b->refused, 1);
    else if (packet.node != b->own.node) /* zbeacon leaves out our own, but not of a time before */
        note(b, &packet);
    zmsg_destroy(&message);
}

/* Binds the socket, announces, listens. */
static int configure(wsfan_beacon *b, zactor_t *zb) {
    zsock_send(zb, "si", "CONFIGURE", (int)b->options.port);
    char *host = zstr_recv(zb);
    bool bound = host != NULL && *host != '\0';
    zstr_free(&host);
    if (!bound)
        return WSFAN_EADDR;
    uint8_t packet[WSF_PACKET_SIZE_MAX];
    size_t size = wsf_packet_write(&b->own, packet);
    zsock_send(zb, "sb", "SUBSCRIBE", wsf_packet_magic, (size_t)WSF_PACKET_MAGIC_SIZE);
    zsock_send(zb, "sbi", "PUBLISH", packet, size, (int)b->options.interval_ms);
    return WSFAN_OK;
}

static void run(zsock_t *pipe, void *user) {
    wsfan_beacon *b = user;
    zactor_t *zb = zactor_new(zbeacon, NULL);
    zpoller_t *poller = zb != NULL ? zpoller_new(pipe, zb, NULL) : NULL;
    int error = poller != NULL ? configure(b, zb) : WSFAN_ENOMEM;
    bool running = error == WSFAN_OK;
    atomic_store(&b->error, error);
    zsock_signal(pipe, 0);
    while (running) {
        void *ready = zpoller_wait(poller, until_expiry_ms(b));
        if (ready == pipe || (ready == NULL && zpoller_terminated(poller)))
            running = false; /* all that comes is $TERM */
        else if (ready == zb)
            hear(b, zb);
        expire(b);
        if (running && b->stale)
            tell_node(b);
    }
    zpoller_destroy(&poller);
    zactor_destroy(&zb);
    atomic_store(&b->ended, true);
}

/* Waits for the thread. ZeroMQ has seen to the order already; this says so in C11's terms too. */
static void stop(wsfan_beacon *b) {
    zactor_destroy(&b->actor);
    bool ended = atomic_load(&b->ended);
    assert(ended);
    (void)ended;
}

/* ------------------------------------------------------------------------------ open and close */

void wsfan_beacon_options_init_sized(wsfan_beacon_options *options, size_t struct_size) {
    const wsfan_beacon_options defaults = {
        .struct_size = struct_size,
        .port = 5671,
        .source = 7,
        .interval_ms = 1000,
        .expiry_ms = 10000,
    };
    wsf_fill_sized(options, struct_size, &defaults, sizeof defaults);
}

static int read_options(wsfan_beacon_options *o, const wsfan_beacon_options *given) {
    wsfan_beacon_options_init(o);
    if (given == NULL)
        return WSFAN_OK;
    if (!wsf_read_sized(o, sizeof *o, given))
        return WSFAN_EINVAL;
    bool ok = o->port > 0 && o->source < WSFAN_SOURCES_MAX && o->interval_ms >= 100 &&
              o->interval_ms <= 60000 && o->expiry_ms >= o->interval_ms &&
              (o->interface == NULL ||
               (*o->interface != '\0' && strlen(o->interface) <= INTERFACE_SIZE_MAX));
    return ok ? WSFAN_OK : WSFAN_EINVAL;
}

/* All that czmq starts inherits the mask of the thread that starts it. */
static void start(wsfan_beacon *b) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    zsys_handler_set(NULL); /* before all else */
    zsys_set_logstream(NULL);
    /* It frees the name before, which another beacon of the process may be reading. */
    if (b->options.interface != NULL && strcmp(zsys_interface(), b->options.interface) != 0)
        zsys_set_interface(b->options.interface);
    b->actor = zactor_new(run, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int wsfan_beacon_open(wsfan_beacon **out, wsfan_node *node, const wsfan_beacon_options *given) {
    wsfan_beacon_options options;
    if (out == NULL || node == NULL || read_options(&options, given) != WSFAN_OK)
        return WSFAN_EINVAL;
    int error = wsfan_node_set_peers_from(node, options.source, NULL, 0); /* asks what node it is */
    if (error != WSFAN_OK)
        return error;
    if (!wsf_packet_endpoint_valid(wsfan_node_endpoint(node)))
        return WSFAN_EENDPOINT;
    wsfan_beacon *b = calloc(1, sizeof *b);
    if (b == NULL)
        return WSFAN_ENOMEM;
    b->node = node;
    b->options = options;
    b->own.node = wsfan_node_id(node);
    snprintf(b->own.cluster, sizeof b->own.cluster, "%s", wsfan_node_cluster(node));
    snprintf(b->own.endpoint, sizeof b->own.endpoint, "%s", wsfan_node_endpoint(node));
    start(b);
    error = b->actor != NULL ? atomic_load(&b->error) : WSFAN_ENOMEM;
    if (error != WSFAN_OK) {
        if (b->actor != NULL)
            stop(b);
        free(b);
        return error;
    }
    *out = b;
    return WSFAN_OK;
}

int wsfan_beacon_close(wsfan_beacon *b) {
    if (b == NULL)
        return WSFAN_OK;
    /* In a forked child czmq's threads are gone: nothing may be touched. */
    if (wsfan_node_set_peers_from(b->node, b->options.source, NULL, 0) == WSFAN_EFORK)
        return WSFAN_EFORK;
    stop(b);
    wsfan_node_set_peers_from(b->node, b->options.source, NULL, 0);
    free(b);
    return WSFAN_OK;
}

int wsfan_beacon_get_stats(const wsfan_beacon *b, wsfan_beacon_stats *stats) {
    if (b == NULL || !WSF_IS_SIZED(stats))
        return WSFAN_EINVAL;
    wsfan_beacon_stats all = {
        .struct_size = stats->struct_size,
        .endpoints = atomic_load(&b->endpoints),
        .heard = atomic_load(&b->heard),
        .refused = atomic_load(&b->refused),
    };
    wsf_fill_sized(stats, all.struct_size, &all, sizeof all);
    return WSFAN_OK;
}
