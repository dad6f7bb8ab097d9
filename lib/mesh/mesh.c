/* Answers for the one thread that keeps the sockets and runs the core; its effects go through effects.c. A
 * host loop that stalls cannot stop it; it never waits for a loop.
 *
 * The core and the sockets are guarded by a lock that the thread holds while it works and not while it
 * waits, so that statistics can be read from any thread, and a thread that publishes can send. */
#include "mesh/mesh.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "mesh/effects.h"

enum {
    COMMANDS_SHARE = 1024, /* handled before loops and sockets have their turn */
    GOODBYE_LINGER_MS = 200,
    REST_NS = 100 * 1000, /* without work for so long, a publisher sends by itself */
    TRIM_MS = 1000
};

/* A set on its way to the core. The strings lie behind the pointers. */
typedef struct {
    size_t count;
    const char *endpoints[];
} named_set;

struct wsf_mesh {
    wsf_mailbox mailbox;
    wsf_message_pool pool; /* of small publishes; guarded by the mailbox's lock */
    wsf_hash_key key;
    _Atomic(named_set *) named[WSF_DIALER_SOURCES_MAX]; /* not taken yet; NULL: none */
    atomic_bool named_any;                              /* or names_known, or keys_next */
    atomic_bool names_known;
    _Atomic(wsf_keys *) keys_next; /* not taken yet; NULL: none */
    wsf_keys *keys;                /* in force; NULL: plain text */
    pthread_t thread;
    pthread_mutex_t lock;
    wsf_mesh_effects out;           /* with the core and the sockets; guarded by the lock */
    atomic_uint_fast64_t refused;   /* publishes */
    atomic_uint_fast64_t worked_ns; /* when there was work last, by the monotonic clock */
    uint64_t trim_ms;
    uint64_t wake_ms; /* when the thread wakes if nothing comes */
    uint32_t close_ms_max;
    bool closing;
    bool threaded; /* guarded by the lock; it never becomes false again */
    wsf_mesh_command stop;
    wsf_mesh_command quiet;
    wsf_item *todo; /* commands that were taken and not handled */
};

static wsf_now now(void) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (wsf_now){ wsf_clock_ms(),
                      (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000 };
}

static void note_work(wsf_mesh *mesh) {
    atomic_store_explicit(&mesh->worked_ns, wsf_clock_ns(), memory_order_relaxed);
}

static bool has_rested(wsf_mesh *mesh) {
    return wsf_clock_ns() - atomic_load_explicit(&mesh->worked_ns, memory_order_relaxed) >= REST_NS;
}

/* --------------------------------------------------------------------------------------- inputs */

static void free_reply(wsf_mesh_reply *reply) {
    wsf_free(reply->payload);
    wsf_free(reply);
}

static bool may_subscribe(void *user, uint32_t identity, const void *topic, size_t size) {
    wsf_introduction introduction;
    bool known = wsf_read_topic(topic, size, &introduction) != WSF_TOPIC_OTHER;
    bool own = known && (identity == 0 || introduction.node >> 32 == identity);
    if (!own && identity != 0)
        wsf_core_count_drop(((wsf_mesh *)user)->out.core, WSFAN_DROP_FORGED, 1);
    return own;
}

static void on_subscription(void *user, bool subscribed, const void *topic, size_t size) {
    wsf_core_subscription(((wsf_mesh *)user)->out.core, subscribed, topic, size, now());
}

static void on_frame(void *user, uint32_t connection, uint32_t identity, wsf_buffer *frame) {
    wsf_core_expect(((wsf_mesh *)user)->out.core, identity);
    wsf_core_receive(((wsf_mesh *)user)->out.core, connection, frame, now());
    wsf_mesh_effects_flush(&((wsf_mesh *)user)->out);
}

static void on_stray(void *user) {
    wsf_core_count_drop(((wsf_mesh *)user)->out.core, WSFAN_DROP_MALFORMED, 1);
}

static void on_probed(void *user, uint64_t node, bool refused) {
    wsf_core_probed(((wsf_mesh *)user)->out.core, node, refused, now());
}

static void handle(wsf_mesh *mesh, wsf_item *item, wsf_now at) {
    wsf_ticket *ticket = (wsf_ticket *)item;
    wsf_mesh_command *command = (wsf_mesh_command *)item;
    wsf_mesh_reply *reply = (wsf_mesh_reply *)item;
    switch ((wsf_mesh_kind)item->kind) {
    case WSF_MESH_PUBLISH:
        wsf_core_publish(mesh->out.core, (wsfan_message *)item, at);
        break;
    case WSF_MESH_JOIN:
        wsf_core_join(mesh->out.core, ticket, at);
        break;
    case WSF_MESH_LEAVE:
        wsf_core_leave(mesh->out.core, ticket->hash, ticket->loop);
        wsf_ticket_free(ticket);
        break;
    case WSF_MESH_ADD_LOOP:
        wsf_mesh_effects_add_loop(&mesh->out, command->loop, command->inbox);
        wsf_free(command);
        break;
    case WSF_MESH_REMOVE_LOOP:
        wsf_mesh_effects_remove_loop(&mesh->out, command->loop);
        wsf_free(command);
        break;
    case WSF_MESH_DRAIN:
        wsf_core_drain(mesh->out.core, command->ms, now());
        wsf_free(command);
        break;
    case WSF_MESH_QUIET:
        wsf_core_quiet(mesh->out.core);
        break;
    case WSF_MESH_LOOPS_DONE:
        wsf_core_loops_done(mesh->out.core, wsf_receipt_of_loops_item(item));
        wsf_receipt_unref(wsf_receipt_of_loops_item(item));
        break;
    case WSF_MESH_ASK:
        wsf_core_request(mesh->out.core, (wsf_request *)item, now());
        break;
    case WSF_MESH_THROUGH:
        wsf_core_call_through(mesh->out.core, (wsf_call *)item);
        break;
    case WSF_MESH_REPLY:
        wsf_core_reply(mesh->out.core, reply->token, reply->payload, reply->payload_size);
        wsf_free(reply);
        break;
    case WSF_MESH_PRESENT:
        wsf_core_present(mesh->out.core, (wsf_presence_session *)item, now());
        break;
    case WSF_MESH_ABSENT:
        wsf_core_absent(mesh->out.core, wsf_presence_session_of_end(item), now());
        break;
    case WSF_MESH_EVENTS_DONE:
        wsf_core_events_done(mesh->out.core, ((wsf_presence_events *)item)->loop);
        wsf_free(item);
        break;
    case WSF_MESH_STOP:
        mesh->closing = true;
        break;
    }
}

static bool may_be_peer(void *user, uint32_t identity) {
    const wsf_keys *keys = user;
    for (uint32_t i = 0; i < keys->count; i++)
        if (wsf_hash_identity(keys->allowed[i].text) == identity)
            return true;
    return false;
}

static void take_keys(wsf_mesh *mesh) {
    wsf_keys *keys = mesh->out.sockets != NULL ? atomic_exchange(&mesh->keys_next, NULL) : NULL;
    if (keys == NULL)
        return;
    wsf_sockets_set_keys(mesh->out.sockets, keys);
    wsf_keyring_free_keys(mesh->keys);
    mesh->keys = keys;
    wsf_core_expel(mesh->out.core, may_be_peer, keys);
}

static void take_named(wsf_mesh *mesh) {
    if (!atomic_exchange(&mesh->named_any, false))
        return;
    take_keys(mesh);
    bool names_known = atomic_load(&mesh->names_known);
    for (unsigned i = 0; i < WSF_DIALER_SOURCES_MAX; i++) {
        named_set *set = atomic_exchange(&mesh->named[i], NULL);
        if (set != NULL)
            wsf_core_name_endpoints(mesh->out.core, i, set->endpoints, set->count, now());
        wsf_free(set);
    }
    if (names_known)
        wsf_core_names_known(mesh->out.core);
}

static bool is_bounded(const wsf_item *item) {
    return item->kind == WSF_MESH_PUBLISH || item->kind == WSF_MESH_ASK ||
           item->kind == WSF_MESH_REPLY;
}

static bool can_handle(wsf_mesh *mesh) {
    if (wsf_core_congested(mesh->out.core))
        return false;
    if (mesh->todo == NULL)
        mesh->todo = wsf_queue_take(&mesh->mailbox.queue, NULL, NULL);
    return mesh->todo != NULL;
}

/* Returns whether there is more that can be handled now. While a peer is behind, commands wait: the
 * publish queue fills, and the publisher is told so by WSFAN_EAGAIN. */
static bool handle_commands(wsf_mesh *mesh) {
    uint64_t released_count = 0;
    uint64_t released_bytes = 0;
    wsf_now at = now();
    for (int i = 0; i < COMMANDS_SHARE && can_handle(mesh); i++) {
        wsf_item *item = mesh->todo;
        mesh->todo = item->next;
        if (is_bounded(item)) {
            released_count++;
            released_bytes += item->bytes;
        }
        handle(mesh, item, at);
    }
    wsf_mesh_effects_flush(&mesh->out);
    wsf_queue_release(&mesh->mailbox.queue, released_count, released_bytes);
    return mesh->todo != NULL && !wsf_core_congested(mesh->out.core);
}

/* --------------------------------------------------------------------------------------- thread */

static int timeout_until(uint64_t deadline_ms, wsf_now at) {
    if (deadline_ms == UINT64_MAX)
        return -1;
    if (deadline_ms <= at.ms)
        return 0;
    return deadline_ms - at.ms < INT_MAX ? (int)(deadline_ms - at.ms) : INT_MAX;
}

/* Memory that publishing does not need any more. A queue that is full is in use. */
static void trim(wsf_mesh *mesh, wsf_now at) {
    bool wake;
    if (at.ms < mesh->trim_ms || wsf_queue_begin(&mesh->mailbox.queue, 0) != WSFAN_OK)
        return;
    wsf_message_pool_trim(&mesh->pool);
    wsf_queue_commit(&mesh->mailbox.queue, NULL, &wake);
    mesh->trim_ms = at.ms + TRIM_MS;
}

/* One round: everything that is there, then everything that is due. Returns how long to wait. */
static int work(wsf_mesh *mesh) {
    wsf_sockets_handler handler = {
        .user = mesh,
        .may_subscribe = may_subscribe,
        .subscription = on_subscription,
        .frame = on_frame,
        .stray = on_stray,
        .probed = on_probed,
    };
    bool more = handle_commands(mesh);
    take_named(mesh);
    if (mesh->out.sockets != NULL)
        wsf_sockets_receive(mesh->out.sockets, &handler);
    wsf_core_flush(mesh->out.core, now());
    wsf_mesh_effects_flush(&mesh->out);
    trim(mesh, now());
    note_work(mesh);
    /* What was congested may not be so any more. */
    if (can_handle(mesh) || more || atomic_load(&mesh->named_any))
        return 0;
    mesh->wake_ms = wsf_core_deadline(mesh->out.core);
    uint64_t sockets_ms = mesh->out.sockets != NULL ? wsf_sockets_deadline(mesh->out.sockets)
                                                    : UINT64_MAX;
    if (sockets_ms < mesh->wake_ms)
        mesh->wake_ms = sockets_ms;
    return timeout_until(mesh->wake_ms, now());
}

static void wait_for_work(wsf_mesh *mesh, int timeout_ms) {
    struct pollfd mailbox = { .fd = mesh->mailbox.fd, .events = POLLIN };
    bool woken = mesh->out.sockets != NULL ? wsf_sockets_wait(mesh->out.sockets, timeout_ms)
                                           : poll(&mailbox, 1, timeout_ms) > 0;
    if (woken)
        wsf_mailbox_clear(&mesh->mailbox);
}

/* Whether the mesh has delivered everything that it was given, or the time for that is over. */
static bool is_done(wsf_mesh *mesh, uint64_t *close_at_ms, int *timeout_ms) {
    uint64_t now_ms = now().ms;
    if (*close_at_ms == UINT64_MAX)
        *close_at_ms = now_ms + mesh->close_ms_max;
    if (wsf_core_drained(mesh->out.core) || now_ms >= *close_at_ms)
        return true;
    int left_ms = (int)(*close_at_ms - now_ms);
    if (*timeout_ms < 0 || *timeout_ms > left_ms)
        *timeout_ms = left_ms;
    return false;
}

static void *run(void *user) {
    wsf_mesh *mesh = user;
    uint64_t close_at_ms = UINT64_MAX;
    pthread_mutex_lock(&mesh->lock);
    for (;;) {
        int timeout_ms = work(mesh);
        if (mesh->closing && is_done(mesh, &close_at_ms, &timeout_ms))
            break;
        pthread_mutex_unlock(&mesh->lock);
        if (timeout_ms != 0)
            wait_for_work(mesh, timeout_ms);
        pthread_mutex_lock(&mesh->lock);
    }
    wsf_core_say_bye(mesh->out.core, now());
    pthread_mutex_unlock(&mesh->lock);
    wsf_sockets_close(mesh->out.sockets, GOODBYE_LINGER_MS);
    return NULL;
}

/* ------------------------------------------------------------------------------ open and close */

static int open_core(wsf_mesh *mesh, const wsf_mesh_config *config,
                     const wsf_core_config *core_config) {
    wsf_effects effects = wsf_mesh_effects_effects(&mesh->out);
    wsf_core_config with_endpoint = *core_config;
    uint64_t frame_size_max = wsf_core_frame_size_max(core_config);
    int error = WSFAN_OK;
    if (config->endpoint != NULL) {
        error = wsf_sockets_open(&mesh->out.sockets, config->endpoint, frame_size_max, config->keys,
                                 mesh->mailbox.fd);
        if (error != WSFAN_OK)
            return error;
        with_endpoint.authenticated = config->keys != NULL;
        with_endpoint.endpoint = config->advertise != NULL
                                     ? config->advertise
                                     : wsf_sockets_endpoint(mesh->out.sockets);
        if (with_endpoint.endpoint[0] == '\0')
            return WSFAN_EADDR;
    }
    error = wsf_core_new(&mesh->out.core, &with_endpoint, &effects, now());
    if (error != WSFAN_OK || mesh->out.sockets == NULL)
        return error;

    uint8_t inbox[WSF_TOPIC_SIZE];
    uint8_t introduction[WSF_INTRODUCTION_SIZE_MAX];
    wsf_write_inbox(inbox, core_config->node);
    size_t size = wsf_core_introduction(mesh->out.core, introduction);
    wsf_sockets_subscribe_to(mesh->out.sockets, inbox, sizeof inbox, introduction, size);
    wsf_core_name_endpoints(mesh->out.core, WSF_SOURCE_OPTIONS, config->peers, config->peers_count,
                            now());
    return WSFAN_OK;
}

/* The lock is held, or nobody else has the mesh yet. */
static int start_thread(wsf_mesh *mesh) {
    int error = wsf_thread_start(&mesh->thread, run, mesh);
    mesh->threaded = error == WSFAN_OK;
    return error;
}

int wsf_mesh_open(wsf_mesh **out, const wsf_mesh_config *config, const wsf_core_config *core) {
    wsf_mesh *mesh = wsf_alloc_zero(1, sizeof *mesh);
    if (mesh == NULL)
        return WSFAN_ENOMEM;
    mesh->quiet.item.kind = WSF_MESH_QUIET;
    mesh->out.headroom_bytes = core->headroom_bytes;
    mesh->out.mailbox = &mesh->mailbox;
    mesh->out.quiet = &mesh->quiet.item;
    wsf_hash_key_init(&mesh->key, core->cluster);
    mesh->close_ms_max = config->close_ms_max;
    int error = wsf_mailbox_init(&mesh->mailbox, config->publish_queue_count_max,
                                 config->publish_queue_bytes_max);
    if (error != WSFAN_OK)
        goto free_mesh;
    if (pthread_mutex_init(&mesh->lock, NULL) != 0) {
        error = WSFAN_ESYSTEM;
        goto free_mailbox;
    }
    mesh->keys = config->keys; /* the caller's still, if opening fails */
    if ((error = open_core(mesh, config, core)) != WSFAN_OK ||
        (mesh->out.sockets != NULL && (error = start_thread(mesh)) != WSFAN_OK))
        goto free_core;
    if (mesh->out.sockets == NULL)
        wsf_core_flush(mesh->out.core, now()); /* a node that is alone is ready */
    *out = mesh;
    return WSFAN_OK;

free_core:
    wsf_core_destroy(mesh->out.core);
    wsf_sockets_close(mesh->out.sockets, 0);
    pthread_mutex_destroy(&mesh->lock);
free_mailbox:
    wsf_mailbox_destroy(&mesh->mailbox);
free_mesh:
    wsf_free(mesh);
    return error;
}

void wsf_mesh_close(wsf_mesh *mesh) {
    mesh->stop.item.kind = WSF_MESH_STOP;
    wsf_mesh_post(mesh, &mesh->stop.item);
    if (mesh->threaded)
        pthread_join(mesh->thread, NULL);
    wsf_view_unref(mesh->out.view);
    for (unsigned i = 0; i < WSF_DIALER_SOURCES_MAX; i++)
        wsf_free(atomic_load(&mesh->named[i]));
    wsf_core_destroy(mesh->out.core);
    wsf_keyring_free_keys(atomic_load(&mesh->keys_next));
    wsf_keyring_free_keys(mesh->keys);
    pthread_mutex_destroy(&mesh->lock);
    wsf_message_pool_close(&mesh->pool);
    wsf_mailbox_destroy(&mesh->mailbox);
    wsf_free(mesh);
}

const char *wsf_mesh_endpoint(const wsf_mesh *mesh) {
    return wsf_core_endpoint(mesh->out.core);
}

/* -------------------------------------------------------------------------------- other threads */

/* Without sockets there is nothing to wait for: what is posted is done at once, by whoever posts it,
 * under the lock that keeps it in order. Only when the core has set itself a time, a thread is started
 * to keep it, and from then on does all of it. True: done by the caller, who has the lock now, until
 * finish_here(). */
static bool begin_here(wsf_mesh *mesh) {
    if (mesh->out.sockets != NULL)
        return false;
    pthread_mutex_lock(&mesh->lock);
    if (!mesh->threaded)
        return true;
    pthread_mutex_unlock(&mesh->lock);
    return false;
}

static void finish_here(wsf_mesh *mesh) {
    while (handle_commands(mesh))
        continue;
    wsf_core_flush(mesh->out.core, now());
    wsf_mesh_effects_flush(&mesh->out);
    if (wsf_core_deadline(mesh->out.core) != UINT64_MAX && !mesh->closing)
        start_thread(mesh); /* if it cannot be, the next call is in time, or late */
    pthread_mutex_unlock(&mesh->lock);
}

void wsf_mesh_post(wsf_mesh *mesh, wsf_item *item) {
    bool here = begin_here(mesh);
    bool wake;
    int error = here ? wsf_queue_push(&mesh->mailbox.queue, item, &wake)
                     : wsf_mailbox_post(&mesh->mailbox, item);
    assert(error == WSFAN_OK);
    (void)error;
    if (here)
        finish_here(mesh);
}

/* While the mesh thread sleeps, and has for a moment, the thread that publishes sends by itself: it
 * has one thread less to wake. With more to come the mesh thread is woken, so that what is published
 * meanwhile leaves together. Nobody waits for anybody: who does not get the lock wakes its owner. The
 * conditions are those of the mesh thread: no signal interrupts, and the caller is not cancelled. */
static void send_here(wsf_mesh *mesh) {
    sigset_t before;
    int cancel;
    wsf_thread_block_signals(&before);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    bool wake = true;
    if (pthread_mutex_trylock(&mesh->lock) == 0) {
        wake = handle_commands(mesh);
        wsf_core_flush(mesh->out.core, now());
        wsf_mesh_effects_flush(&mesh->out);
        note_work(mesh);
        wake = wake || mesh->todo != NULL || mesh->closing ||
               wsf_sockets_deadline(mesh->out.sockets) < mesh->wake_ms ||
               wsf_core_deadline(mesh->out.core) < mesh->wake_ms;
        pthread_mutex_unlock(&mesh->lock);
    }
    if (wake)
        wsf_mailbox_wake(&mesh->mailbox);
    pthread_setcancelstate(cancel, NULL);
    wsf_thread_restore_signals(&before);
}

/* What wsf_queue_begin() has begun. NULL: the item could not be made. */
static void commit(wsf_mesh *mesh, bool here, wsf_item *item) {
    bool wake;
    wsf_queue_commit(&mesh->mailbox.queue, item, &wake);
    if (here || !wake)
        return;
    if (mesh->out.sockets != NULL && has_rested(mesh))
        send_here(mesh);
    else
        wsf_mailbox_wake(&mesh->mailbox);
}

static int post_bounded(wsf_mesh *mesh, wsf_item *item) {
    bool here = begin_here(mesh);
    int error = wsf_queue_begin(&mesh->mailbox.queue, item->bytes);
    if (error == WSFAN_OK)
        commit(mesh, here, item);
    if (here)
        finish_here(mesh);
    return error;
}

/* Small messages are made under the lock of the queue, in slabs that all publishers share. */
int wsf_mesh_publish(wsf_mesh *mesh, const wsf_message_parts *parts, wsf_receipt *receipt) {
    wsfan_message *message = NULL;
    size_t bytes = wsf_message_need(parts);
    bool small = receipt == NULL && !parts->apart && bytes <= WSF_MESSAGE_SMALL;
    if (!small) {
        message = wsf_message_new(&mesh->key, parts);
        if (message == NULL) {
            wsf_receipt_unref(receipt);
            return WSFAN_ENOMEM;
        }
        message->receipt = receipt;
    }
    bool here = begin_here(mesh);
    int error = wsf_queue_begin(&mesh->mailbox.queue, bytes);
    if (error == WSFAN_OK) {
        if (small)
            message = wsf_message_make(&mesh->pool, parts, bytes);
        if (message != NULL)
            message->item.kind = WSF_MESH_PUBLISH;
        error = message != NULL ? WSFAN_OK : WSFAN_ENOMEM;
        commit(mesh, here, message != NULL ? &message->item : NULL);
    } else {
        wsfan_message_unref(message);
        atomic_fetch_add_explicit(&mesh->refused, error == WSFAN_EAGAIN, memory_order_relaxed);
    }
    if (here)
        finish_here(mesh);
    return error;
}

int wsf_mesh_drain(wsf_mesh *mesh, uint32_t ms) {
    wsf_mesh_command *command = wsf_alloc_zero(1, sizeof *command);
    if (command == NULL)
        return WSFAN_ENOMEM;
    command->item.kind = WSF_MESH_DRAIN;
    command->ms = ms;
    wsf_mesh_post(mesh, &command->item);
    return WSFAN_OK;
}

int wsf_mesh_ready(wsf_mesh *mesh) {
    pthread_mutex_lock(&mesh->lock);
    int ready = wsf_core_readiness(mesh->out.core, now());
    pthread_mutex_unlock(&mesh->lock);
    return ready;
}

wsf_view *wsf_mesh_view(wsf_mesh *mesh) {
    pthread_mutex_lock(&mesh->lock);
    wsf_view *view = mesh->out.view != NULL ? wsf_view_ref(mesh->out.view) : NULL;
    pthread_mutex_unlock(&mesh->lock);
    return view;
}

int wsf_mesh_ask(wsf_mesh *mesh, wsf_request *request) {
    request->item.kind = WSF_MESH_ASK;
    request->item.bytes = request->message->item.bytes;
    int error = post_bounded(mesh, &request->item);
    if (error != WSFAN_OK)
        wsf_request_free(request);
    return error;
}

int wsf_mesh_reply_to(wsf_mesh *mesh, wsf_mesh_reply *reply) {
    reply->item.kind = WSF_MESH_REPLY;
    reply->item.bytes = (uint32_t)(sizeof *reply + reply->payload_size);
    int error = post_bounded(mesh, &reply->item);
    if (error != WSFAN_OK)
        free_reply(reply);
    return error;
}

int wsf_mesh_name_endpoints(wsf_mesh *mesh, unsigned source, const char *const *endpoints,
                            size_t count) {
    size_t size = sizeof(named_set) + count * sizeof(char *);
    for (size_t i = 0; i < count; i++)
        size += strlen(endpoints[i]) + 1;
    named_set *set = wsf_alloc(size);
    if (set == NULL)
        return WSFAN_ENOMEM;
    char *text = (char *)(set->endpoints + count);
    set->count = count;
    for (size_t i = 0; i < count; i++) {
        set->endpoints[i] = text;
        text = stpcpy(text, endpoints[i]) + 1;
    }
    wsf_free(atomic_exchange(&mesh->named[source], set));
    atomic_store(&mesh->named_any, true);
    wsf_mailbox_wake(&mesh->mailbox);
    return WSFAN_OK;
}

void wsf_mesh_names_known(wsf_mesh *mesh) {
    atomic_store(&mesh->names_known, true);
    atomic_store(&mesh->named_any, true);
    wsf_mailbox_wake(&mesh->mailbox);
}

void wsf_mesh_set_keys(wsf_mesh *mesh, wsf_keys *keys) {
    wsf_keyring_free_keys(atomic_exchange(&mesh->keys_next, keys));
    atomic_store(&mesh->named_any, true);
    wsf_mailbox_wake(&mesh->mailbox);
}

void wsf_mesh_stats(wsf_mesh *mesh, wsfan_stats *stats) {
    pthread_mutex_lock(&mesh->lock);
    wsf_core_stats(mesh->out.core, stats);
    if (mesh->out.sockets != NULL)
        stats->connections_ended = wsf_sockets_ended(mesh->out.sockets);
    pthread_mutex_unlock(&mesh->lock);
    stats->dropped[WSFAN_DROP_PUBLISH_QUEUE] = atomic_load(&mesh->refused);
    wsf_queue_depth(&mesh->mailbox.queue, &stats->publish_queue_count, &stats->publish_queue_bytes);
}

size_t wsf_mesh_peers(wsf_mesh *mesh, wsfan_peer_stats *peers, size_t capacity) {
    pthread_mutex_lock(&mesh->lock);
    size_t count = wsf_core_peers(mesh->out.core, peers, capacity);
    pthread_mutex_unlock(&mesh->lock);
    return count;
}

void wsf_mesh_count(wsf_mesh *mesh, uint64_t chat_hash, wsfan_count *count) {
    pthread_mutex_lock(&mesh->lock);
    wsf_core_count(mesh->out.core, chat_hash, count);
    pthread_mutex_unlock(&mesh->lock);
}

void wsf_mesh_visit(wsf_mesh *mesh, uint64_t chat_hash, uint64_t *cursor, uint32_t max,
                    void (*each)(void *user, const wsfan_member *member), void *user) {
    pthread_mutex_lock(&mesh->lock);
    wsf_core_visit(mesh->out.core, chat_hash, cursor, max, each, user);
    pthread_mutex_unlock(&mesh->lock);
}
