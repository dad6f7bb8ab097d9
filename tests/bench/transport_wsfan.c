/* transport_wsfan.c - libwsfan with its default options: numbered, acknowledged, interest-routed. */
#include "bench.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wsfan/nats.h>
#include <wsfan/peers.h>
#include <wsfan/stats.h>

struct subscriber {
    wsfan_node *node;
    wsfan_loop *loop;
    struct sink *sink;
    unsigned peers_up;
    unsigned joined;
};

static bool is_nats(const char *address) {
    return address != NULL && strncmp(address, "nats://", 7) == 0;
}

/* A frame has to fit into the server's max_payload. */
static void use_nats(wsfan_options *options, const char *address) {
    wsfan_nats *nats;
    wsfan_nats_options how;
    wsfan_nats_options_init(&how);
    how.urls = address;
    must(wsfan_nats_open(&nats, &how), "open a carrier");
    options->endpoint = NULL;
    options->carrier = wsfan_nats_carrier(nats);
    options->payload_bytes_max = 512 * 1024;
    options->endpoint = NULL;
}

void node_options(wsfan_options *options, const char *name) {
    wsfan_options_init(options);
    options->endpoint = "tcp://127.0.0.1:*";
    options->name = name;
    options->chats_per_session_count_max = 65535;
}

void keep_history(wsfan_options *options) {
    options->history_ms = 600000; /* longer than any run */
    options->history_key = "a key of benchmarks";
}

/* peer: an endpoint, or the address of a server of NATS, or NULL. */
static wsfan_node *open_for(const struct job *job, const char *peer, const char *name) {
    wsfan_node *node;
    wsfan_options options;
    node_options(&options, name);
    if (is_nats(peer)) {
        use_nats(&options, peer);
    } else {
        options.peers = &peer;
        options.peers_count = peer != NULL;
    }
    if (job->keys != NULL)
        options.secret_key = job->keys->secret_key;
    if (job->history)
        keep_history(&options);
    must(wsfan_node_open(&node, &options), "open a node");
    return node;
}

wsfan_node *open_node(const char *peer, const char *name) {
    return open_for(&(struct job){ .keys = NULL }, peer, name);
}

void await_peers(wsfan_node *node, unsigned peers) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    do {
        pause_us(500);
        must(wsfan_node_get_stats(node, &stats), "statistics");
    } while (stats.peers_up < peers);
}

int serve_loop(wsfan_loop *loop, int timeout_ms) {
    struct pollfd item = { .fd = wsfan_loop_fd(loop), .events = POLLIN };
    return poll(&item, 1, timeout_ms) > 0 ? wsfan_loop_dispatch(loop, 0) : 0;
}

/* ------------------------------------------------------------------------------------ publisher */

static void *publisher(struct stage *stage, const struct job *job) {
    bool nats = is_nats(stage->address);
    wsfan_node *node = open_for(job, nats ? stage->address : NULL, "publisher");
    if (!nats)
        strcpy(stage->address, wsfan_node_endpoint(node));
    return node;
}

static void gather(void *self, const struct job *job) {
    await_peers(self, job->peers);
}

static void publish(void *self, const struct chat *chat, const void *data, size_t size) {
    wsfan_bytes name = { chat->name, chat->size };
    wsfan_bytes payload = { data, size };
    int error;
    while ((error = wsfan_broadcast(self, name, payload, NULL)) == WSFAN_EAGAIN)
        pause_us(200);
    must(error, "broadcast");
}

/* ----------------------------------------------------------------------------------- subscriber */

static void on_message(void *user, wsfan_message *message, const wsfan_recipient *recipients,
                       size_t count) {
    struct subscriber *self = user;
    (void)recipients;
    wsfan_bytes payload = wsfan_message_payload(message);
    if (count != 1)
        die("%zu recipients instead of 1", count);
    sink_take(self->sink, payload.data, payload.size);
}

static void on_joined(void *user, const wsfan_joined *joined) {
    must(joined->status, "join");
    ((struct subscriber *)user)->joined++;
}

static void on_peer(void *user, const wsfan_peer *peer) {
    if (peer->event == WSFAN_PEER_UP)
        ((struct subscriber *)user)->peers_up++;
}

static void on_gap(void *user, const wsfan_gap *gap) {
    (void)user;
    die("%llu messages are lost, reason %d", (unsigned long long)gap->count, (int)gap->reason);
}

/* With all peers there, a join is a barrier: the publisher knows when on_joined comes. */
static void *subscriber(struct stage *stage, const struct job *job, unsigned number) {
    static const wsfan_callbacks callbacks = { .struct_size = sizeof callbacks,
                                               .on_message = on_message,
                                               .on_joined = on_joined,
                                               .on_peer = on_peer,
                                               .on_gap = on_gap };
    struct subscriber *self = calloc(1, sizeof *self);
    if (self == NULL)
        die("out of memory");
    self->node = open_for(job, stage->address, NULL);
    must(wsfan_loop_open(&self->loop, self->node, &callbacks, self), "open a loop");
    while (self->peers_up < job->peers)
        serve_loop(self->loop, 100);
    wsfan_session session;
    const wsfan_join_options options = { .struct_size = sizeof options,
                                         .flags = job->history ? WSFAN_HISTORY : 0 };
    must(wsfan_session_open(&session, self->loop, wsfan_string(""), NULL), "open a session");
    unsigned joins = 0;
    for (unsigned i = job_first_chat(job, number); i < job->chats_count; i += job->parts) {
        wsfan_bytes name = { job->chats[i].name, job->chats[i].size };
        must(wsfan_session_join_with(self->loop, session, name, &options), "join");
        joins++;
    }
    while (self->joined < joins)
        serve_loop(self->loop, 100);
    return self;
}

wsfan_node *subscriber_node(const void *subscriber) {
    return ((const struct subscriber *)subscriber)->node;
}

void check_kept(const void *subscriber, const struct job *job) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    must(wsfan_node_get_stats(subscriber_node(subscriber), &stats), "statistics");
    uint64_t kept = stats.history_messages + stats.history_evicted;
    if (stats.history_chats != job->chats_count / job->parts || kept != job->messages / job->parts)
        die("%llu messages of %llu chats were kept", (unsigned long long)kept,
            (unsigned long long)stats.history_chats);
}

static void receive(void *user, struct sink *sink) {
    struct subscriber *self = user;
    self->sink = sink;
    serve_loop(self->loop, 100);
}

/* A peer that is slow holds the publisher back, but not a loop of a peer: its inbox drops, and
 * on_gap says so. */
const struct transport transport_wsfan = {
    .name = "wsfan",
    .no_back_pressure = true,
    .publisher = publisher,
    .gather = gather,
    .publish = publish,
    .subscriber = subscriber,
    .receive = receive,
    .curve = true,
    .threads = true,
};

/* The same mesh, by a server of NATS. */
const struct transport transport_wsfan_nats = {
    .name = "wsfan_nats",
    .broker = broker_nats,
    .no_back_pressure = true,
    .publisher = publisher,
    .gather = gather,
    .publish = publish,
    .subscriber = subscriber,
    .receive = receive,
    .threads = true,
};
