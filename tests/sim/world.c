/* The network model: each SUB connection is a FIFO of frames with a delay; it comes up when its
 * endpoint has a living node behind it and both directions pass, and the publisher then sees the
 * subscriptions. A break loses what is in flight and shows the unsubscriptions. */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

enum {
    DELAY_MS_MAX = 3,
    REDIAL_MS = 100,
    BLOCK_BREAKS_MS = 6000 /* as the heartbeat timeout of the real sockets */
};

typedef struct frame {
    struct frame *next;
    uint64_t at_ms;
    uint32_t size;
    uint8_t data[];
} frame;

typedef struct {
    bool wanted;
    bool up;
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    unsigned publisher;
    uint64_t retry_ms;
    uint64_t last_at_ms; /* arrivals do not overtake each other */
    frame *head;
    frame *tail;
} conn;

typedef struct {
    world *world;
    unsigned index;
    wsf_core *core; /* NULL: not running */
    uint64_t id;
    uint64_t started;
    bool frozen;
    conn conns[WORLD_CONNECTIONS_MAX];
} node;

struct world {
    world_watcher watcher;
    wsf_core_config config;
    uint64_t random;
    uint64_t ms;
    uint32_t loss_per_million;
    uint64_t blocked_since[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* [from][to]; 0: open */
    node nodes[WORLD_NODES_MAX];
};

uint64_t world_random(world *w, uint64_t below) {
    uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return below == 0 ? z : z % below;
}

uint64_t world_ms(const world *w) {
    return w->ms;
}

wsf_now world_now(const world *w, unsigned n) {
    (void)n;
    return (wsf_now){ w->ms, UINT64_C(1700000000000) + w->ms };
}

wsf_core_config *world_config(world *w) {
    return &w->config;
}

static void *need(void *memory) {
    if (memory == NULL)
        abort(); /* the tests' own memory, not the library's */
    return memory;
}

/* ------------------------------------------------------------------------------------- network */

static void endpoint_of(unsigned n, char out[WSF_ENDPOINT_SIZE_MAX + 1]) {
    snprintf(out, WSF_ENDPOINT_SIZE_MAX + 1, "tcp://10.0.0.%u:7000", n + 1);
}

static bool open_between(const world *w, unsigned a, unsigned b) {
    return w->blocked_since[a][b] == 0 && w->blocked_since[b][a] == 0;
}

static void subscribe(world *w, unsigned publisher, unsigned subscriber, bool on) {
    node *p = &w->nodes[publisher];
    if (p->core == NULL)
        return;
    uint8_t inbox[WSF_TOPIC_SIZE];
    uint8_t introduction[WSF_INTRODUCTION_SIZE_MAX];
    const node *s = &w->nodes[subscriber];
    wsf_write_inbox(inbox, s->id);
    size_t size = wsf_core_introduction(s->core, introduction);
    wsf_core_subscription(p->core, on, introduction, size, world_now(w, publisher));
    wsf_core_subscription(p->core, on, inbox, sizeof inbox, world_now(w, publisher));
}

static void drop_frames(conn *c) {
    while (c->head != NULL) {
        frame *f = c->head;
        c->head = f->next;
        free(f);
    }
    c->tail = NULL;
}

static void bring_down(world *w, unsigned subscriber, conn *c) {
    if (!c->up)
        return;
    c->up = false;
    c->retry_ms = w->ms + REDIAL_MS;
    drop_frames(c);
    subscribe(w, c->publisher, subscriber, false);
}

static void bring_up(world *w, unsigned subscriber, conn *c) {
    for (unsigned p = 0; p < WORLD_NODES_MAX; p++) {
        char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
        endpoint_of(p, endpoint);
        if (strcmp(endpoint, c->endpoint) != 0)
            continue;
        if (w->nodes[p].core == NULL || w->nodes[p].frozen || !open_between(w, p, subscriber))
            break;
        c->up = true;
        c->publisher = p;
        c->last_at_ms = 0;
        subscribe(w, p, subscriber, true);
        return;
    }
    c->retry_ms = w->ms + REDIAL_MS;
}

static void on_connect(void *user, uint32_t connection, const char *endpoint) {
    node *n = user;
    conn *c = &n->conns[connection];
    assert(!c->wanted);
    *c = (conn){ .wanted = true, .retry_ms = n->world->ms + 1 };
    snprintf(c->endpoint, sizeof c->endpoint, "%s", endpoint);
}

static void on_disconnect(void *user, uint32_t connection) {
    node *n = user;
    conn *c = &n->conns[connection];
    assert(c->wanted);
    c->wanted = false;
    bring_down(n->world, n->index,
               c); /* calls another node's core, never the one that is at work */
}

static void on_send(void *user, wsf_buffer *buffer) {
    node *from = user;
    world *w = from->world;
    for (unsigned s = 0; s < WORLD_NODES_MAX; s++) {
        uint8_t inbox[WSF_TOPIC_SIZE];
        wsf_write_inbox(inbox, w->nodes[s].id);
        if (w->nodes[s].core == NULL || memcmp(buffer->data, inbox, sizeof inbox) != 0)
            continue;
        for (unsigned i = 0; i < WORLD_CONNECTIONS_MAX; i++) {
            conn *c = &w->nodes[s].conns[i];
            if (!c->up || c->publisher != from->index)
                continue;
            if (w->loss_per_million > 0 && world_random(w, 1000000) < w->loss_per_million)
                continue;
            frame *f = malloc(sizeof *f + buffer->size);
            if (f == NULL)
                continue; /* a test of failing memory: lost on the way */
            memcpy(f->data, buffer->data, buffer->size);
            f->size = buffer->size;
            f->next = NULL;
            f->at_ms = w->ms + 1 + world_random(w, DELAY_MS_MAX);
            if (f->at_ms < c->last_at_ms)
                f->at_ms = c->last_at_ms;
            c->last_at_ms = f->at_ms;
            if (c->tail != NULL)
                c->tail->next = f;
            else
                c->head = f;
            c->tail = f;
        }
    }
}

/* ------------------------------------------------------------------------------- other effects */

static bool on_deliver(void *user, unsigned loop, wsfan_message *message) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    return watcher->deliver == NULL || watcher->deliver(watcher->user, n->index, loop, message);
}

static void on_joined(void *user, wsf_ticket *ticket) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    if (watcher->joined != NULL)
        watcher->joined(watcher->user, n->index, ticket);
    free(ticket->missing);
    free(ticket);
}

static void on_peer(void *user, uint64_t loops, const wsfan_peer *peer) {
    node *n = user;
    (void)loops;
    const world_watcher *watcher = &n->world->watcher;
    if (watcher->peer != NULL)
        watcher->peer(watcher->user, n->index, peer);
}

static void on_gap(void *user, const wsfan_gap *gap) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    if (watcher->gap != NULL)
        watcher->gap(watcher->user, n->index, gap);
}

/* --------------------------------------------------------------------------------------- nodes */

world *world_new(uint64_t seed, const world_watcher *watcher) {
    world *w = need(calloc(1, sizeof *w));
    w->random = seed;
    w->ms = 1000;
    if (watcher != NULL)
        w->watcher = *watcher;
    w->config = (wsf_core_config){
        .cluster = "world",
        .payload_bytes_max = 1024 * 1024,
        .name_bytes_max = 256,
        .targets_count_max = 64,
        .peers_count_max = 64,
        .remote_chats_count_max = 1024 * 1024,
        .interest_log_count_max = 1024,
        .link = { .window_bytes = 256 * 1024,
                  .queue_bytes_max = 1024 * 1024,
                  .queue_count_max = 4096 },
        .heartbeat_ms = 1000,
        .silent_ms = 3000,
        .down_ms = 10000,
        .forget_ms = 120000,
        .join_ms_max = 5000,
    };
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++) {
        w->nodes[i].world = w;
        w->nodes[i].index = i;
    }
    return w;
}

void world_destroy(world *w) {
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++)
        if (w->nodes[i].core != NULL)
            world_crash(w, i);
    free(w);
}

void world_start(world *w, unsigned i, uint64_t peers) {
    node *n = &w->nodes[i];
    char name[16];
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    wsf_effects effects = { n,          on_connect, on_disconnect, on_send,
                            on_deliver, on_joined,  on_peer,       on_gap };
    assert(n->core == NULL);
    snprintf(name, sizeof name, "n%u", i);
    endpoint_of(i, endpoint);
    wsf_core_config config = w->config;
    config.node = n->id = world_random(w, 0) | 1;
    config.incarnation = world_now(w, i).wall_ms;
    config.seed = world_random(w, 0);
    config.name = name;
    config.endpoint = endpoint;
    if (wsf_core_new(&n->core, &config, &effects, world_now(w, i)) != WSFAN_OK)
        abort();
    wsf_core_add_loop(n->core, 0);
    char named[WORLD_NODES_MAX][WSF_ENDPOINT_SIZE_MAX + 1];
    const char *endpoints[WORLD_NODES_MAX];
    size_t count = 0;
    for (unsigned p = 0; p < WORLD_NODES_MAX; p++) {
        if ((peers >> p & 1) == 0)
            continue;
        endpoint_of(p, named[count]);
        endpoints[count] = named[count];
        count++;
    }
    wsf_core_name_endpoints(n->core, WSF_SOURCE_OPTIONS, endpoints, count, world_now(w, i));
}

void world_crash(world *w, unsigned i) {
    node *n = &w->nodes[i];
    for (unsigned c = 0; c < WORLD_CONNECTIONS_MAX; c++) {
        bring_down(w, i, &n->conns[c]);
        n->conns[c].wanted = false;
    }
    wsf_core *core = n->core;
    wsf_core_destroy(core);
    n->core = NULL;
    n->frozen = false;
    for (unsigned s = 0; s < WORLD_NODES_MAX; s++)
        for (unsigned c = 0; c < WORLD_CONNECTIONS_MAX; c++)
            if (w->nodes[s].conns[c].up && w->nodes[s].conns[c].publisher == i)
                bring_down(w, s, &w->nodes[s].conns[c]);
}

bool world_alive(const world *w, unsigned i) {
    return w->nodes[i].core != NULL;
}

wsf_core *world_core(const world *w, unsigned i) {
    return w->nodes[i].core;
}

uint64_t world_node_id(const world *w, unsigned i) {
    return w->nodes[i].id;
}

/* ----------------------------------------------------------------------------- loops' requests */

static wsfan_target chat_target(const uint64_t *chat) {
    return (wsfan_target){ WSFAN_CHAT, { chat, sizeof *chat } };
}

uint64_t world_chat_hash(world *w, uint64_t chat) {
    wsf_hash_key key;
    wsfan_target target = chat_target(&chat);
    wsf_hash_key_init(&key, w->config.cluster);
    return wsf_hash_target(&key, &target);
}

void world_join(world *w, unsigned i, uint64_t chat) {
    wsf_ticket *ticket = calloc(1, sizeof *ticket);
    if (ticket == NULL)
        return;
    ticket->hash = world_chat_hash(w, chat);
    wsf_core_join(w->nodes[i].core, ticket, world_now(w, i));
}

void world_leave(world *w, unsigned i, uint64_t chat) {
    wsf_core_leave(w->nodes[i].core, world_chat_hash(w, chat), 0);
}

bool world_publish_bytes(world *w, unsigned i, wsfan_bytes chat, wsfan_bytes payload) {
    wsf_hash_key key;
    wsf_hash_key_init(&key, w->config.cluster);
    wsfan_target target = { WSFAN_CHAT, chat };
    wsfan_message *message = wsf_message_new(&key, &target, 1, payload, 0);
    if (message != NULL)
        wsf_core_publish(w->nodes[i].core, message, world_now(w, i));
    return message != NULL;
}

bool world_publish(world *w, unsigned i, uint64_t chat, uint64_t payload) {
    return world_publish_bytes(w, i, (wsfan_bytes){ &chat, sizeof chat },
                               (wsfan_bytes){ &payload, sizeof payload });
}

uint64_t world_payload(const wsfan_message *message) {
    uint64_t payload = 0;
    wsfan_bytes bytes = wsfan_message_payload(message);
    memcpy(&payload, bytes.data, bytes.size < sizeof payload ? bytes.size : sizeof payload);
    return payload;
}

/* -------------------------------------------------------------------------------------- faults */

void world_block(world *w, unsigned from, unsigned to, bool blocked) {
    if (!blocked)
        w->blocked_since[from][to] = 0;
    else if (w->blocked_since[from][to] == 0)
        w->blocked_since[from][to] = w->ms;
}

static void break_one(world *w, unsigned subscriber, unsigned publisher) {
    for (unsigned c = 0; c < WORLD_CONNECTIONS_MAX; c++)
        if (w->nodes[subscriber].conns[c].up &&
            w->nodes[subscriber].conns[c].publisher == publisher)
            bring_down(w, subscriber, &w->nodes[subscriber].conns[c]);
}

void world_break(world *w, unsigned a, unsigned b) {
    break_one(w, a, b);
    break_one(w, b, a);
}

void world_lose(world *w, uint32_t per_million) {
    w->loss_per_million = per_million;
}

void world_freeze(world *w, unsigned i, bool frozen) {
    w->nodes[i].frozen = frozen;
}

void world_inject(world *w, unsigned i, uint32_t connection, const void *data, size_t size) {
    wsf_core_receive(w->nodes[i].core, connection, data, size, world_now(w, i));
}

/* ---------------------------------------------------------------------------------------- time */

static bool block_breaks(const world *w, unsigned a, unsigned b) {
    uint64_t since = w->blocked_since[a][b];
    return since != 0 && w->ms - since >= BLOCK_BREAKS_MS;
}

static void step_connection(world *w, node *n, unsigned c) {
    conn *connection = &n->conns[c];
    if (!connection->up) {
        if (w->ms >= connection->retry_ms && !n->frozen)
            bring_up(w, n->index, connection);
        return;
    }
    unsigned p = connection->publisher;
    if (block_breaks(w, p, n->index) || block_breaks(w, n->index, p)) {
        bring_down(w, n->index, connection);
        return;
    }
    while (connection->up && connection->wanted && connection->head != NULL &&
           connection->head->at_ms <= w->ms && !n->frozen && w->blocked_since[p][n->index] == 0) {
        frame *f = connection->head;
        connection->head = f->next;
        if (connection->head == NULL)
            connection->tail = NULL;
        wsf_core_receive(n->core, c, f->data, f->size, world_now(w, n->index));
        free(f);
    }
}

static void step(world *w) {
    w->ms++;
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++) {
        node *n = &w->nodes[i];
        for (unsigned c = 0; c < WORLD_CONNECTIONS_MAX && n->core != NULL; c++)
            if (n->conns[c].wanted)
                step_connection(w, n, c);
    }
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++)
        if (w->nodes[i].core != NULL && !w->nodes[i].frozen)
            wsf_core_flush(w->nodes[i].core, world_now(w, i));
}

void world_run(world *w, uint64_t ms) {
    for (uint64_t i = 0; i < ms; i++)
        step(w);
}

bool world_run_until(world *w, bool (*condition)(void *user), void *user, uint64_t ms_max) {
    for (uint64_t i = 0; i < ms_max; i++) {
        if (condition(user))
            return true;
        step(w);
    }
    return condition(user);
}

bool world_meshed(const world *w) {
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++) {
        unsigned others = 0;
        for (unsigned j = 0; j < WORLD_NODES_MAX; j++)
            others += i != j && w->nodes[j].core != NULL;
        if (w->nodes[i].core == NULL)
            continue;
        unsigned ready = 0;
        for (unsigned p = 0; p < WSF_PEERS_MAX; p++) {
            const wsf_peer *peer = &w->nodes[i].core->peers[p];
            ready += peer->node != 0 && peer->state == WSFAN_PEER_UP &&
                     (w->nodes[i].core->complete >> p & 1) != 0;
        }
        if (ready != others)
            return false;
    }
    return true;
}
