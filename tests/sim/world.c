/* The network model: each SUB connection is a FIFO of frames with a delay. A connection comes up when its
 * endpoint has a living node behind it and both directions pass; the publisher then sees the subscriptions. A
 * break loses the frames under way and shows the unsubscriptions.
 *
 * Time jumps from one event to the next. Each node keeps the time of its next event, so that a step looks at
 * nodes only. */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "core/core.h"
#include "core/state.h"

enum {
    REDIAL_MS = 100, /* doubles with each attempt in vain, as TCP's own attempts do */
    REDIAL_DOUBLINGS_MAX = 5,
    BREAKS_MS = 6000, /* as the heartbeat timeout of the real sockets */
    ENDED_MAX = 4 * WORLD_NODES_MAX,
    HOSTS = 250,    /* of a network */
    SLOW_FRAMES = 4 /* frames that a slow node handles at a time */
};

typedef struct frame {
    struct frame *next;
    uint64_t at_ms;
    wsf_buffer *bytes;
} frame;

typedef struct {
    bool wanted;
    bool up;
    bool dead;          /* never comes up again */
    bool anybody;       /* was dialled at WORLD_VIRTUAL */
    unsigned publisher; /* the node at its endpoint, which may not run */
    uint64_t retry_ms;
    unsigned attempts;   /* in vain, in a row */
    uint64_t last_at_ms; /* of the last frame: arrivals do not overtake each other */
    frame *head;
    frame *tail;
} conn;

/* A TCP probe that is under way. */
typedef struct {
    uint64_t node; /* 0: none */
    unsigned publisher;
    uint64_t at_ms;
} probe;

typedef struct {
    world *world;
    unsigned index;
    wsf_core *core; /* NULL: not running */
    uint64_t id;
    uint64_t frame_size_max;
    bool frozen;
    bool refusing;
    probe probes[WSF_PEERS_MAX];
    unsigned probes_count; /* under way */
    uint64_t frozen_since_ms;
    uint32_t slow_ms;
    uint64_t busy_ms; /* a slow node takes no frame before */
    int64_t jumped_ms;
    uint64_t core_ms;        /* when the core is to be run */
    uint64_t conn_ms;        /* when one of the connections has something to do */
    uint8_t events_done[64]; /* of each loop, since the core ran */
    unsigned conns_used;
    wsf_view *view;
    uint64_t sessions; /* set by world_set_sessions(), for a drain */
    uint32_t shed_permille;
    bool quiet; /* asked for by the core, not done yet */
    bool drained;
    int drained_status;
    unsigned ended_count;
    uint64_t
        ended[ENDED_MAX]; /* subscribers whose connection is gone, which the core is yet to see */
    conn conns[WORLD_CONNECTIONS_MAX];
    wsf_message_pool pool; /* of messages that were in a run */
} node;

struct world {
    world_watcher watcher;
    wsf_core_config config;
    uint64_t random;
    uint64_t ms;
    uint32_t lose, duplicate, flip, truncate;
    uint32_t delay_ms_max;
    world_counts counts;
    unsigned nodes_used;
    unsigned leads_to;                                        /* WORLD_VIRTUAL */
    unsigned turn;                                            /* the same */
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

static bool chance(world *w, uint32_t per_million) {
    return per_million > 0 && world_random(w, 1000000) < per_million;
}

uint64_t world_ms(const world *w) {
    return w->ms;
}

wsf_now world_now(const world *w, unsigned n) {
    return (wsf_now){ w->ms, UINT64_C(1700000000000) + w->ms + (uint64_t)w->nodes[n].jumped_ms };
}

wsf_core_config *world_config(world *w) {
    return &w->config;
}

static void *need(void *memory) {
    if (memory == NULL)
        abort(); /* the tests' own memory, not the library's */
    return memory;
}

void world_touch(world *w, unsigned n) {
    w->nodes[n].core_ms = 0;
}

static void touch_connections(world *w, unsigned n) {
    w->nodes[n].conn_ms = 0;
}

/* ------------------------------------------------------------------------------------- network */

static void endpoint_of(unsigned n, char out[WSF_ENDPOINT_SIZE_MAX + 1]) {
    snprintf(out, WSF_ENDPOINT_SIZE_MAX + 1, "tcp://10.0.%u.%u:7000", n / HOSTS, n % HOSTS + 1);
}

static unsigned slot_of(const char *endpoint) {
    unsigned net = 0;
    unsigned host = 0;
    bool known = sscanf(endpoint, "tcp://10.0.%u.%u:7000", &net, &host) == 2;
    return known ? net * HOSTS + host - 1 : WORLD_NODES_MAX;
}

static bool open_between(const world *w, unsigned a, unsigned b) {
    return w->blocked_since[a][b] == 0 && w->blocked_since[b][a] == 0;
}

/* A frame comes through once the inbox is subscribed to, which may be seen after the introduction. */
static void subscribe(world *w, unsigned publisher, unsigned subscriber, conn *c) {
    node *p = &w->nodes[publisher];
    uint8_t inbox[WSF_TOPIC_SIZE];
    uint8_t introduction[WSF_INTRODUCTION_SIZE_MAX];
    const node *s = &w->nodes[subscriber];
    wsf_write_inbox(inbox, s->id);
    size_t size = wsf_core_introduction(s->core, introduction);
    wsf_core_subscription(p->core, true, introduction, size, world_now(w, publisher));
    c->up = true;
    wsf_core_subscription(p->core, true, inbox, sizeof inbox, world_now(w, publisher));
    world_touch(w, publisher);
}

static void see_ended(node *n, uint64_t subscriber) {
    uint8_t inbox[WSF_TOPIC_SIZE];
    wsf_write_inbox(inbox, subscriber);
    wsf_core_subscription(n->core, false, inbox, sizeof inbox, world_now(n->world, n->index));
    world_touch(n->world, n->index);
}

/* Shows a publisher that a subscriber's connection is gone: later to a frozen node, and to one that hung up
 * on itself, whose core is at work. */
static void unsubscribe(world *w, unsigned publisher, unsigned subscriber) {
    node *p = &w->nodes[publisher];
    if (p->core == NULL)
        return;
    if (!p->frozen && publisher != subscriber) {
        see_ended(p, w->nodes[subscriber].id);
        return;
    }
    assert(p->ended_count < ENDED_MAX);
    p->ended[p->ended_count++] = w->nodes[subscriber].id;
    world_touch(w, publisher);
}

static frame *pop_frame(conn *c) {
    frame *f = c->head;
    c->head = f->next;
    if (c->head == NULL)
        c->tail = NULL;
    return f;
}

static void free_frame(frame *f) {
    wsf_buffer_unref(f->bytes);
    free(f);
}

static void drop_frames(conn *c) {
    while (c->head != NULL)
        free_frame(pop_frame(c));
}

/* Loses the frames under way but those in the buffers of the receiver. Now and then two of these change
 * places, as when a new connection is faster than an old one. */
static void cut_frames(world *w, conn *c) {
    unsigned count = 0;
    for (const frame *f = c->head; f != NULL; f = f->next)
        count++;
    if (count == 0)
        return;
    unsigned kept = (unsigned)world_random(w, count + 1);
    frame *last = NULL;
    frame *f = c->head;
    for (unsigned i = 0; i < kept; i++, f = f->next)
        last = f;
    while (f != NULL) {
        frame *next = f->next;
        free_frame(f);
        w->counts.lost++;
        f = next;
    }
    if (last != NULL)
        last->next = NULL;
    else
        c->head = NULL;
    c->tail = last;
    if (kept < 2 || world_random(w, 4) != 0)
        return;
    frame *first = pop_frame(c);
    first->next = NULL;
    c->tail->next = first;
    c->tail = first;
    w->counts.reordered++;
}

static void bring_down(world *w, unsigned subscriber, conn *c) {
    if (!c->up)
        return;
    c->up = false;
    c->retry_ms = w->ms + REDIAL_MS;
    w->counts.connections_broken++;
    if (w->blocked_since[c->publisher][subscriber] == 0)
        cut_frames(w, c);
    else
        drop_frames(c); /* no frame has come through */
    unsubscribe(w, c->publisher, subscriber);
    touch_connections(w, subscriber);
}

static unsigned any_living(world *w) {
    unsigned living[WORLD_NODES_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < w->nodes_used; i++)
        if (w->nodes[i].core != NULL)
            living[count++] = i;
    return living[world_random(w, count)];
}

static unsigned behind_virtual(world *w) {
    if (w->leads_to == WORLD_IN_TURN)
        return w->turn++ % w->nodes_used;
    return w->leads_to < WORLD_NODES_MAX ? w->leads_to : any_living(w);
}

static void bring_up(world *w, unsigned subscriber, conn *c) {
    c->retry_ms = w->ms + ((uint64_t)REDIAL_MS << c->attempts);
    if (c->attempts < REDIAL_DOUBLINGS_MAX)
        c->attempts++;
    if (c->anybody)
        c->publisher = behind_virtual(w);
    unsigned p = c->publisher;
    if (c->dead || p >= WORLD_NODES_MAX || w->nodes[p].core == NULL || w->nodes[p].frozen ||
        w->nodes[p].refusing || !open_between(w, p, subscriber))
        return;
    c->attempts = 0;
    subscribe(w, p, subscriber, c);
}

static void on_connect(void *user, uint32_t connection, const char *endpoint, uint32_t identity) {
    (void)identity;
    node *n = user;
    conn *c = &n->conns[connection];
    assert(!c->wanted && c->head == NULL);
    *c = (conn){ .wanted = true,
                 .anybody = strcmp(endpoint, WORLD_VIRTUAL) == 0,
                 .publisher = slot_of(endpoint),
                 .retry_ms = n->world->ms + 1 };
    if (connection >= n->conns_used)
        n->conns_used = connection + 1;
    touch_connections(n->world, n->index);
}

static void on_disconnect(void *user, uint32_t connection) {
    node *n = user;
    conn *c = &n->conns[connection];
    assert(c->wanted);
    c->wanted = false;
    bring_down(n->world, n->index, c); /* calls another node's core, never the one at work */
    drop_frames(c);
}

/* The world has no keys: any node at an endpoint answers. */
static void on_seek(void *user, uint32_t connection, uint32_t identity) {
    (void)user;
    (void)connection;
    (void)identity;
}

/* Byte i of a frame, counted through both parts. */
static uint8_t *byte_of(wsf_buffer *bytes, uint64_t i) {
    return i < bytes->size ? &bytes->data[i] : &bytes->rest->data[i - bytes->size];
}

static void cut_to(wsf_buffer *bytes, uint64_t size) {
    if (size > bytes->size) {
        bytes->rest->size = (uint32_t)(size - bytes->size);
        return;
    }
    wsf_buffer_drop_rest(bytes);
    bytes->size = (uint32_t)size;
}

static void put_frame(world *w, unsigned subscriber, conn *c, const wsf_buffer *buffer) {
    frame *f = malloc(sizeof *f);
    wsf_buffer *bytes = wsf_buffer_copy(buffer);
    if (f == NULL || bytes == NULL) {
        wsf_buffer_unref(bytes);
        free(f);
        return; /* in a test of failing memory: the frame is lost */
    }
    f->bytes = bytes;
    if (bytes->rest != NULL) { /* the second part is copied too, because it may be damaged below */
        wsf_buffer *rest = wsf_buffer_copy(bytes->rest);
        wsf_buffer_drop_rest(bytes);
        bytes->rest = rest; /* no memory: the part is lost */
    }
    f->next = NULL;
    f->at_ms = w->ms + 1 + world_random(w, w->delay_ms_max);
    if (f->at_ms < c->last_at_ms)
        f->at_ms = c->last_at_ms;
    c->last_at_ms = f->at_ms;
    if (chance(w, w->flip)) {
        uint8_t *flipped = byte_of(bytes, world_random(w, wsf_buffer_bytes(bytes)));
        *flipped ^= (uint8_t)(1u << world_random(w, 8));
        w->counts.flipped++;
    }
    if (chance(w, w->truncate)) {
        cut_to(bytes, world_random(w, wsf_buffer_bytes(bytes)));
        w->counts.truncated++;
    }
    if (c->tail != NULL)
        c->tail->next = f;
    else
        c->head = f;
    c->tail = f;
    touch_connections(w, subscriber);
}

static void on_send(void *user, wsf_buffer *buffer) {
    node *from = user;
    world *w = from->world;
    uint64_t to = wsf_get_u64(buffer->data + 4);
    for (unsigned s = 0; s < w->nodes_used; s++) {
        if (w->nodes[s].core == NULL || w->nodes[s].id != to)
            continue;
        for (unsigned i = 0; i < w->nodes[s].conns_used; i++) {
            conn *c = &w->nodes[s].conns[i];
            if (!c->up || c->publisher != from->index)
                continue;
            w->counts.sent++;
            if (wsf_buffer_bytes(buffer) > w->nodes[s].frame_size_max) {
                w->counts.too_big++;
                continue;
            }
            if (chance(w, w->lose)) {
                w->counts.lost++;
                continue;
            }
            put_frame(w, s, c, buffer);
            if (chance(w, w->duplicate)) {
                w->counts.duplicated++;
                put_frame(w, s, c, buffer);
            }
        }
    }
}

/* ------------------------------------------------------------------------------- other effects */

static bool show(node *n, unsigned loop, wsfan_message *message) {
    const world_watcher *watcher = &n->world->watcher;
    return watcher->deliver == NULL || watcher->deliver(watcher->user, n->index, loop, message);
}

/* The watcher is shown the messages of a run, as a loop would make them. */
static uint32_t on_deliver(void *user, unsigned loop, wsfan_message *message) {
    node *n = user;
    uint32_t taken = 0;
    if (message->count == 0)
        abort();
    if (!wsf_message_is_run(message))
        taken = show(n, loop, message);
    for (uint32_t i = 0; wsf_message_is_run(message) && i < message->count; i++) {
        wsfan_message *one = need(
            wsf_run_open(&n->pool, message, i, n->world->config.headroom_bytes));
        taken += show(n, loop, one);
        wsfan_message_unref(one);
    }
    wsfan_message_unref(message);
    return taken;
}

static void on_joined(void *user, wsf_ticket *ticket) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    if (watcher->joined != NULL && watcher->joined(watcher->user, n->index, ticket))
        return;
    wsf_free(ticket->missing);
    wsf_free(ticket);
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

static void on_result(void *user, wsf_receipt *receipt) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    if (watcher->result != NULL)
        watcher->result(watcher->user, n->index, &receipt->result);
    wsf_receipt_unref(receipt);
}

static void on_view(void *user, wsf_view *view) {
    node *n = user;
    wsf_view_unref(n->view);
    n->view = wsf_view_ref(view);
}

static void on_reach(void *user, wsf_reach *reach) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    if (watcher->reach != NULL)
        watcher->reach(watcher->user, n->index, reach);
}

static void on_shed(void *user, uint32_t permille) {
    ((node *)user)->shed_permille = permille;
}

static uint64_t on_sessions(void *user) {
    return ((node *)user)->sessions;
}

static void on_quiet(void *user) {
    node *n = user;
    n->quiet = true;
    world_touch(n->world, n->index);
}

static void on_drained(void *user, int status) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    n->drained = true;
    n->drained_status = status;
    if (watcher->drained != NULL)
        watcher->drained(watcher->user, n->index, status);
}

static void on_event(void *user, uint64_t loops, const wsfan_event *event) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    (void)loops;
    if (watcher->event != NULL)
        watcher->event(watcher->user, (unsigned)(n - n->world->nodes), event);
}

/* One probe of a node at a time. */
static void on_probe(void *user, uint64_t node_id, const char *endpoint) {
    node *n = user;
    probe *free_place = NULL;
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++) {
        if (n->probes[i].node == node_id)
            return;
        if (n->probes[i].node == 0)
            free_place = &n->probes[i];
    }
    if (free_place == NULL)
        return;
    uint64_t round_ms = 2 + world_random(n->world, n->world->delay_ms_max);
    n->probes_count++;
    *free_place = (probe){ node_id, slot_of(endpoint), n->world->ms + round_ms };
    touch_connections(n->world, n->index);
}

/* A call that no watcher takes ends at once, without an answer. */
static void on_call(void *user, unsigned loop, wsf_loop_call *loop_call) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    if (watcher->loop_call == NULL || !watcher->loop_call(watcher->user, n->index, loop, loop_call))
        wsf_call_unref(wsf_loop_call_end(loop_call));
}

static void on_reply(void *user, wsf_request *ask) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    if (watcher->reply == NULL || !watcher->reply(watcher->user, n->index, ask))
        wsf_request_free(ask);
}

static void on_recovered(void *user, wsf_recovery *recovery) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    if (watcher->recovered == NULL || !watcher->recovered(watcher->user, n->index, recovery))
        wsf_recovery_free(recovery);
}

static void on_presence(void *user, wsf_presence_events *events) {
    node *n = user;
    const world_watcher *watcher = &n->world->watcher;
    if (watcher->presence != NULL)
        watcher->presence(watcher->user, n->index, events->loop, &events->presence);
    n->events_done[events->loop]++;
    world_touch(n->world, n->index);
    wsf_free(events);
}

static void run_core(node *n) {
    for (unsigned loop = 0; loop < sizeof n->events_done; loop++)
        for (; n->events_done[loop] > 0; n->events_done[loop]--)
            wsf_core_events_done(n->core, loop);
    n->core_ms = UINT64_MAX;
    while (n->ended_count > 0)
        see_ended(n, n->ended[--n->ended_count]);
    if (n->quiet)
        wsf_core_quiet(n->core);
    n->quiet = false;
    wsf_core_flush(n->core, world_now(n->world, n->index));
    uint64_t deadline = wsf_core_deadline(n->core);
    n->core_ms = deadline < n->core_ms ? deadline : n->core_ms;
}

/* --------------------------------------------------------------------------------------- nodes */

world *world_new(uint64_t seed, const world_watcher *watcher) {
    world *w = need(calloc(1, sizeof *w));
    w->random = seed;
    w->ms = 1000;
    w->delay_ms_max = 3;
    w->leads_to = WORLD_NODES_MAX;
    if (watcher != NULL)
        w->watcher = *watcher;
    w->config = (wsf_core_config){
        .cluster = "world",
        .weight = 100,
        .ready_ms_max = 5000,
        .payload_bytes_max = 1024 * 1024,
        .name_bytes_max = 256,
        .targets_count_max = 64,
        .peers_count_max = 64,
        .remote_chats_count_max = 1024 * 1024,
        .interest_log_count_max = 1024,
        .link = { .window_bytes = 256 * 1024,
                  .queue_bytes_max = 1024 * 1024,
                  .queue_count_max = 4096 },
        .presence = { .grace_ms = 5000, .members_count_max = 1000, .remote_count_max = 1 << 20 },
        .heartbeat_ms = 1000,
        .silent_ms = 3000,
        .down_ms = 10000,
        .forget_ms = 120000,
        .links_bytes_max = 64 * 1024 * 1024,
        .join_ms_max = 5000,
        .result_ms_max = 5000,
        .requests_count_max = 64,
        .request_ms_max = 6000,
        .history_count_max = 256,
        .history_chat_bytes_max = 64 * 1024,
        .history_bytes_max = 64 * 1024 * 1024,
        .history_copies = 1,
        .recover_ms_max = 4000,
        .recoveries_count_max = WSF_SIZE(1024, 16),
        .protocol_min = WSF_PROTOCOL_MIN,
        .protocol_max = WSF_PROTOCOL_MAX,
    };
    wsf_hash_seal_key_init(&w->config.history_key, wsfan_string("the world's secret"), "position");
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++) {
        w->nodes[i].world = w;
        w->nodes[i].index = i;
    }
    return w;
}

void world_destroy(world *w) {
    for (unsigned i = 0; i < WORLD_NODES_MAX; i++) {
        if (w->nodes[i].core != NULL)
            world_crash(w, i);
        wsf_message_pool_close(&w->nodes[i].pool);
    }
    free(w);
}

/* Names the endpoints of the first `first` nodes and of those in the set. */
static void name_nodes(world *w, unsigned i, uint64_t set, unsigned first) {
    char named[WORLD_NODES_MAX][WSF_ENDPOINT_SIZE_MAX + 1];
    const char *endpoints[WORLD_NODES_MAX];
    size_t count = 0;
    for (unsigned p = 0; p < WORLD_NODES_MAX; p++) {
        if (p >= first && (p >= 64 || (set >> p & 1) == 0))
            continue;
        endpoint_of(p, named[count]);
        endpoints[count] = named[count];
        count++;
    }
    wsf_core_name_endpoints(w->nodes[i].core, WSF_SOURCE_OPTIONS, endpoints, count,
                            world_now(w, i));
}

void world_start_as(world *w, unsigned i, const char *name, uint64_t id, unsigned loops,
                    uint64_t peers) {
    node *n = &w->nodes[i];
    char endpoint[WSF_ENDPOINT_SIZE_MAX + 1];
    wsf_effects effects = {
        .user = n,
        .connect = on_connect,
        .disconnect = on_disconnect,
        .seek = on_seek,
        .send = on_send,
        .deliver = on_deliver,
        .joined = on_joined,
        .peer = on_peer,
        .gap = on_gap,
        .result = on_result,
        .presence = on_presence,
        .loop_call = on_call,
        .reply = on_reply,
        .recovered = on_recovered,
        .view = on_view,
        .reach = on_reach,
        .shed = on_shed,
        .sessions = on_sessions,
        .quiet = on_quiet,
        .drained = on_drained,
        .probe = on_probe,
        .event = on_event,
    };
    assert(n->core == NULL);
    endpoint_of(i, endpoint);
    wsf_core_config config = w->config;
    config.node = n->id = id != 0 ? id : world_random(w, 0) | 1;
    config.incarnation = world_now(w, i).wall_ms;
    config.seed = world_random(w, 0);
    config.name = name;
    config.endpoint = endpoint;
    n->frame_size_max = wsf_core_frame_size_max(&config);
    if (wsf_core_new(&n->core, &config, &effects, world_now(w, i)) != WSFAN_OK)
        abort();
    if (i >= w->nodes_used)
        w->nodes_used = i + 1;
    for (unsigned loop = 0; loop < loops; loop++)
        wsf_core_add_loop(n->core, loop);
    name_nodes(w, i, peers, 0);
    world_touch(w, i);
}

void world_name(world *w, unsigned i, unsigned count) {
    static const char *const any = WORLD_VIRTUAL;
    if (count > 0)
        name_nodes(w, i, 0, count);
    else
        wsf_core_name_endpoints(w->nodes[i].core, WSF_SOURCE_OPTIONS, &any, 1, world_now(w, i));
    world_touch(w, i);
}

void world_start(world *w, unsigned i, uint64_t peers) {
    char name[16];
    snprintf(name, sizeof name, "n%u", i);
    world_start_as(w, i, name, 0, 1, peers);
}

void world_crash(world *w, unsigned i) {
    node *n = &w->nodes[i];
    for (unsigned c = 0; c < n->conns_used; c++) {
        bring_down(w, i, &n->conns[c]);
        drop_frames(&n->conns[c]);
        n->conns[c].wanted = false;
    }
    wsf_core *core = n->core;
    wsf_core_destroy(core);
    n->core = NULL;
    wsf_view_unref(n->view);
    n->view = NULL;
    n->sessions = 0;
    n->shed_permille = 0;
    n->quiet = n->drained = false;
    n->ended_count = 0;
    n->refusing = false;
    memset(n->probes, 0, sizeof n->probes);
    n->probes_count = 0;
    n->frozen = false;
    n->slow_ms = 0;
    memset(n->events_done, 0, sizeof n->events_done);
    n->conns_used = 0;
    for (unsigned s = 0; s < w->nodes_used; s++)
        for (unsigned c = 0; c < w->nodes[s].conns_used; c++)
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

const wsf_view *world_view(const world *w, unsigned i) {
    return w->nodes[i].view;
}

void world_drain(world *w, unsigned i, uint32_t ms) {
    wsf_core_drain(w->nodes[i].core, ms, world_now(w, i));
    world_touch(w, i);
}

void world_set_sessions(world *w, unsigned i, uint64_t sessions) {
    w->nodes[i].sessions = sessions;
    world_touch(w, i);
}

uint32_t world_shed_permille(const world *w, unsigned i) {
    return w->nodes[i].shed_permille;
}

bool world_drained(const world *w, unsigned i, int *status) {
    *status = w->nodes[i].drained_status;
    return w->nodes[i].drained;
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

bool world_join(world *w, unsigned i, uint64_t chat) {
    wsf_ticket *ticket = wsf_alloc_zero(1, sizeof *ticket);
    if (ticket == NULL)
        return false;
    ticket->hash = world_chat_hash(w, chat);
    wsf_core_join(w->nodes[i].core, ticket, world_now(w, i));
    world_touch(w, i);
    return true;
}

void world_leave(world *w, unsigned i, uint64_t chat) {
    wsf_core_leave(w->nodes[i].core, world_chat_hash(w, chat), 0, world_now(w, i));
    world_touch(w, i);
}

bool world_publish_bytes(world *w, unsigned i, wsfan_bytes chat, wsfan_bytes payload) {
    wsf_hash_key key;
    wsf_hash_key_init(&key, w->config.cluster);
    wsfan_target target = { WSFAN_CHAT, chat };
    wsf_message_parts parts = { .targets = &target, .targets_count = 1, .payload = payload };
    wsfan_message *message = wsf_message_new(&key, &parts);
    if (message != NULL)
        wsf_core_publish(w->nodes[i].core, message, world_now(w, i));
    world_touch(w, i);
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
    touch_connections(w, from);
    touch_connections(w, to);
}

bool world_blocked(const world *w, unsigned from, unsigned to) {
    return w->blocked_since[from][to] != 0;
}

static void break_one(world *w, unsigned subscriber, unsigned publisher) {
    node *n = &w->nodes[subscriber];
    for (unsigned c = 0; c < n->conns_used; c++)
        if (n->conns[c].up && n->conns[c].publisher == publisher)
            bring_down(w, subscriber, &n->conns[c]);
}

void world_break(world *w, unsigned a, unsigned b) {
    break_one(w, a, b);
    break_one(w, b, a);
}

void world_deafen(world *w, unsigned i, unsigned to) {
    node *n = &w->nodes[i];
    for (unsigned c = 0; c < n->conns_used; c++) {
        if (!n->conns[c].wanted || n->conns[c].publisher != to)
            continue;
        bring_down(w, i, &n->conns[c]);
        n->conns[c].dead = true;
    }
}

void world_refuse(world *w, unsigned i, bool refused) {
    w->nodes[i].refusing = refused;
    for (unsigned s = 0; refused && s < w->nodes_used; s++)
        if (s != i)
            break_one(w, s, i);
}

void world_lead(world *w, unsigned i) {
    w->leads_to = i;
}

void world_lose(world *w, uint32_t per_million) {
    w->lose = per_million;
}

void world_duplicate(world *w, uint32_t per_million) {
    w->duplicate = per_million;
}

void world_flip(world *w, uint32_t per_million) {
    w->flip = per_million;
}

void world_truncate(world *w, uint32_t per_million) {
    w->truncate = per_million;
}

void world_delay(world *w, uint32_t ms_max) {
    w->delay_ms_max = ms_max;
}

void world_freeze(world *w, unsigned i, bool frozen) {
    w->nodes[i].frozen = frozen;
    w->nodes[i].frozen_since_ms = w->ms;
    touch_connections(w, i);
    world_touch(w, i);
}

bool world_frozen(const world *w, unsigned i) {
    return w->nodes[i].frozen;
}

void world_slow(world *w, unsigned i, uint32_t ms) {
    w->nodes[i].slow_ms = ms;
    touch_connections(w, i);
}

void world_jump(world *w, unsigned i, int64_t ms) {
    w->nodes[i].jumped_ms += ms;
}

world_counts world_counted(const world *w) {
    return w->counts;
}

void world_inject(world *w, unsigned i, uint32_t connection, const void *data, size_t size) {
    wsf_buffer *bytes = need(wsf_buffer_new((uint32_t)size));
    bytes->size = (uint32_t)size;
    if (size > 0)
        memcpy(bytes->data, data, size);
    wsf_core_receive(w->nodes[i].core, connection, bytes, world_now(w, i));
    wsf_buffer_unref(bytes);
    world_touch(w, i);
}

/* ---------------------------------------------------------------------------------------- time */

/* When a connection that is up breaks because nothing passes; UINT64_MAX: never. */
static uint64_t breaks_ms(const world *w, const node *n, unsigned publisher) {
    uint64_t since = UINT64_MAX;
    uint64_t there = w->blocked_since[publisher][n->index];
    uint64_t back = w->blocked_since[n->index][publisher];
    if (there != 0)
        since = there;
    if (back != 0 && back < since)
        since = back;
    if (n->frozen && n->frozen_since_ms < since)
        since = n->frozen_since_ms;
    return since == UINT64_MAX ? UINT64_MAX : since + BREAKS_MS;
}

static uint64_t readable_ms(const world *w, const node *n, const conn *c) {
    bool blocked = c->up && w->blocked_since[c->publisher][n->index] != 0;
    if (c->head == NULL || n->frozen || blocked)
        return UINT64_MAX;
    return c->head->at_ms > n->busy_ms ? c->head->at_ms : n->busy_ms;
}

static uint64_t due_ms(const world *w, const node *n, const conn *c) {
    uint64_t at = readable_ms(w, n, c);
    uint64_t other = c->up ? breaks_ms(w, n, c->publisher) : UINT64_MAX;
    if (!c->up && !n->frozen)
        other = c->retry_ms;
    return at < other ? at : other;
}

static void step_connection(world *w, node *n, unsigned i, unsigned *budget) {
    conn *c = &n->conns[i];
    if (c->up && breaks_ms(w, n, c->publisher) <= w->ms)
        bring_down(w, n->index, c);
    while (c->wanted && readable_ms(w, n, c) <= w->ms && *budget > 0) {
        frame *f = pop_frame(c);
        --*budget;
        wsf_core_receive(n->core, i, f->bytes, world_now(w, n->index));
        world_touch(w, n->index);
        free_frame(f);
    }
    if (c->wanted && !c->up && !n->frozen && w->ms >= c->retry_ms)
        bring_up(w, n->index, c);
}

/* Answers probes, where bytes pass. The host of a frozen node takes connections for it. */
static void answer_probes(world *w, node *n) {
    for (unsigned i = 0; i < WSF_PEERS_MAX; i++) {
        probe asked = n->probes[i];
        if (asked.node == 0 || asked.at_ms > w->ms)
            continue;
        n->probes[i].node = 0;
        n->probes_count--;
        if (asked.publisher >= WORLD_NODES_MAX || !open_between(w, asked.publisher, n->index))
            continue;
        const node *there = &w->nodes[asked.publisher];
        bool refused = there->core == NULL || there->refusing;
        w->counts.refused += refused;
        wsf_core_probed(n->core, asked.node, refused, world_now(w, n->index));
        world_touch(w, n->index);
    }
}

static void step_node(world *w, node *n) {
    unsigned budget = n->slow_ms > 0 ? SLOW_FRAMES : UINT32_MAX;
    unsigned before = budget;
    n->conn_ms = UINT64_MAX;
    if (!n->frozen && n->probes_count > 0)
        answer_probes(w, n);
    for (unsigned c = 0; c < n->conns_used; c++)
        if (n->conns[c].wanted)
            step_connection(w, n, c, &budget);
    if (n->slow_ms > 0 && budget < before)
        n->busy_ms = w->ms + n->slow_ms;
    for (unsigned c = 0; c < n->conns_used; c++) {
        if (!n->conns[c].wanted)
            continue;
        uint64_t at = due_ms(w, n, &n->conns[c]);
        n->conn_ms = at < n->conn_ms ? at : n->conn_ms;
    }
    for (unsigned i = 0; i < WSF_PEERS_MAX && n->probes_count > 0 && !n->frozen; i++)
        if (n->probes[i].node != 0 && n->probes[i].at_ms < n->conn_ms)
            n->conn_ms = n->probes[i].at_ms;
}

static uint64_t next_event(const world *w) {
    uint64_t at = UINT64_MAX;
    for (unsigned i = 0; i < w->nodes_used; i++) {
        const node *n = &w->nodes[i];
        if (n->core == NULL)
            continue;
        if (n->conn_ms < at)
            at = n->conn_ms;
        if (!n->frozen && n->core_ms < at)
            at = n->core_ms;
    }
    return at > w->ms ? at : w->ms + 1;
}

static void step(world *w, uint64_t until_ms) {
    uint64_t at = next_event(w);
    if (at > until_ms) {
        w->ms = until_ms;
        return;
    }
    w->ms = at;
    for (unsigned i = 0; i < w->nodes_used; i++)
        if (w->nodes[i].core != NULL && w->nodes[i].conn_ms <= w->ms)
            step_node(w, &w->nodes[i]);
    for (unsigned i = 0; i < w->nodes_used; i++) {
        node *n = &w->nodes[i];
        if (n->core == NULL || n->frozen || n->core_ms > w->ms)
            continue;
        run_core(n);
    }
}

void world_run(world *w, uint64_t ms) {
    uint64_t until = w->ms + ms;
    while (w->ms < until)
        step(w, until);
}

bool world_run_until(world *w, bool (*condition)(void *user), void *user, uint64_t ms_max) {
    uint64_t until = w->ms + ms_max;
    while (!condition(user)) {
        if (w->ms >= until)
            return false;
        step(w, until);
    }
    return true;
}

static bool all_linked(const world *w, bool whole) {
    unsigned alive = 0;
    for (unsigned i = 0; i < w->nodes_used; i++)
        alive += w->nodes[i].core != NULL;
    for (unsigned i = 0; i < w->nodes_used; i++) {
        const wsf_core *core = w->nodes[i].core;
        unsigned ready = 0;
        wsf_peers known = core != NULL ? core->known : (wsf_peers){ 0 };
        for (const wsf_peer *peer; (peer = wsf_peer_next(core, &known)) != NULL;)
            ready += peer->state == WSFAN_PEER_UP &&
                     (!whole || wsf_peers_has(core->complete, wsf_peer_index(core, peer)));
        if (core != NULL && ready != alive - 1)
            return false;
    }
    return true;
}

bool world_all_up(const world *w) {
    return all_linked(w, false);
}

bool world_meshed(const world *w) {
    return all_linked(w, true);
}
