/* Answers for the mesh thread, which has the sockets and runs the core; effects.c carries out the core's
 * effects. The thread never waits for a loop, so a loop that stalls cannot stop it.
 *
 * A lock guards the core and the sockets. The thread holds the lock while it works and not while it waits, so
 * that any thread can read statistics, a thread that publishes can send, and a loop can read the sockets. */
#include "mesh/mesh.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "mesh/datagrams.h"
#include "mesh/socket.h"
#include "mesh/state.h"

enum {
    GOODBYE_LINGER_MS = 200,
    TRIM_MS = 1000,
    SHARE = 64, /* frames of one socket before the next has its turn */
    /* After a loop has read: a loop that comes later is late, and after more it does not seem to be reading. */
    READER_LATE_MS = 5,
    READER_AWAY_MS = 4 * READER_LATE_MS
};

/* --------------------------------------------------------------------------------------- inputs */

static bool may_subscribe(void *user, uint32_t identity, const void *topic, size_t size) {
    wsf_introduction introduction;
    bool known = wsf_read_topic(topic, size, &introduction) != WSF_TOPIC_OTHER;
    bool own = known && (identity == 0 || introduction.node >> 32 == identity);
    if (!own && identity != 0)
        wsf_core_count_drop(((wsf_mesh *)user)->out.core, WSFAN_DROP_FORGED, 1);
    return own;
}

static void on_subscription(void *user, bool subscribed, const void *topic, size_t size) {
    wsf_core_subscription(((wsf_mesh *)user)->out.core, subscribed, topic, size, wsf_mesh_now());
}

static bool on_frame(void *user, uint32_t connection, uint32_t identity, wsf_buffer *frame) {
    wsf_mesh_effects *out = &((wsf_mesh *)user)->out;
    wsf_core_expect(out->core, identity);
    wsf_core_receive(out->core, connection, frame, wsf_mesh_now());
    wsf_mesh_effects_flush(out);
    const wsf_mesh *mesh = user;
    return mesh->reading == NULL || !wsf_inbox_is_half_full(mesh->reading);
}

static void on_stray(void *user) {
    wsf_core_count_drop(((wsf_mesh *)user)->out.core, WSFAN_DROP_MALFORMED, 1);
}

static void on_probed(void *user, uint64_t node, bool refused) {
    wsf_core_probed(((wsf_mesh *)user)->out.core, node, refused, wsf_mesh_now());
}

static void on_found(void *user, uint32_t connection, wsfan_endpoint_state state,
                     uint32_t attempts) {
    wsf_core_carrier(((wsf_mesh *)user)->out.core, connection, state, attempts);
}

static void on_caller(void *user, const char *address, wsfan_endpoint_state cause) {
    wsf_core_caller(((wsf_mesh *)user)->out.core, address, cause, wsf_mesh_now());
}

/* Of how the carrier stands the core makes a name: it leads to all nodes, whose endpoints the carrier tells. */
static void on_standing(void *user, const char *endpoint, wsfan_endpoint_state state,
                        uint64_t failures, bool met) {
    wsf_core *core = ((wsf_mesh *)user)->out.core;
    wsf_name *name = wsf_alloc_zero(1, sizeof *name);
    if (name != NULL) {
        snprintf(name->endpoint, sizeof name->endpoint, "%s", endpoint);
        name->source = WSF_SOURCE_OPTIONS;
        name->state = state;
        name->questions = failures;
        wsf_core_set_names(core, name, wsf_mesh_now());
    }
    if (met)
        wsf_core_names_known(core);
}

/* --------------------------------------------------------------------------------------- thread */

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static int timeout_until(uint64_t until_ms, uint64_t now_ms) {
    if (until_ms == UINT64_MAX)
        return -1;
    return until_ms > now_ms ? (int)least(until_ms - now_ms, INT_MAX) : 0;
}

/* Gives back memory that publishing does not need now. A queue that is full needs all of it. */
static void trim(wsf_mesh *mesh, wsf_now at) {
    bool wake;
    if (at.ms < mesh->trim_ms || wsf_queue_begin(&mesh->mailbox.queue, 0) != WSFAN_OK)
        return;
    wsf_message_pool_trim(&mesh->pool);
    wsf_open_run_trim(&mesh->open_run);
    wsf_queue_commit(&mesh->mailbox.queue, NULL, &wake);
    mesh->trim_ms = at.ms + TRIM_MS;
}

void wsf_mesh_receive(wsf_mesh *mesh, uint32_t share, wsf_inbox *reading) {
    wsf_carrier_handler handler = {
        .user = mesh,
        .may_subscribe = may_subscribe,
        .subscription = on_subscription,
        .frame = on_frame,
        .stray = on_stray,
        .probed = on_probed,
        .found = on_found,
        .caller = on_caller,
        .standing = on_standing,
    };
    atomic_store(&mesh->unread, false);
    mesh->reading = reading;
    mesh->out.carrier->calls->receive(mesh->out.carrier, share, &handler);
}

/* One round: everything that is there, then everything that is due. Returns until when to wait; 0: not at all. */
static uint64_t work(wsf_mesh *mesh) {
    bool more = wsf_mesh_handle_commands(mesh);
    wsf_mesh_take_settings(mesh);
    if (mesh->out.carrier != NULL)
        wsf_mesh_receive(mesh, SHARE, NULL);
    wsf_core_flush(mesh->out.core, wsf_mesh_now());
    wsf_mesh_effects_flush(&mesh->out);
    trim(mesh, wsf_mesh_now());
    wsf_mesh_note_work(mesh);
    /* The core may not be congested any more. */
    if (wsf_mesh_can_handle(mesh) || more || atomic_load(&mesh->named_any))
        return 0;
    mesh->wake_ms = wsf_core_deadline(mesh->out.core);
    if (mesh->out.carrier != NULL)
        mesh->wake_ms = least(mesh->wake_ms, wsf_mesh_effects_carrier_deadline(&mesh->out));
    return mesh->wake_ms;
}

/* Whether a loop has read the sockets within ms. */
static bool has_reader(wsf_mesh *mesh, uint64_t now_ms, uint64_t ms) {
    return now_ms < atomic_load_explicit(&mesh->read_ms, memory_order_relaxed) + ms;
}

/* While a loop reads the sockets itself, the thread is not woken for what arrives. It looks every READER_LATE_MS,
 * and goes on by itself where something waits for a loop that is late: its host may be busy, or have stopped.
 * Whether there is nothing to do yet. */
static bool wait_beside_reader(wsf_mesh *mesh, struct pollfd *mailbox, struct pollfd *sockets,
                               uint64_t until_ms) {
    uint64_t now_ms = wsf_clock_ms();
    while (now_ms < until_ms && has_reader(mesh, now_ms, READER_AWAY_MS)) {
        if (poll(mailbox, 1, (int)least(until_ms - now_ms, READER_LATE_MS)) > 0)
            return false;
        now_ms = wsf_clock_ms();
        if (!has_reader(mesh, now_ms, READER_LATE_MS) &&
            (atomic_load(&mesh->unread) || poll(sockets, 1, 0) > 0)) {
            atomic_store_explicit(&mesh->read_ms, 0, memory_order_relaxed);
            return false;
        }
    }
    return now_ms < until_ms;
}

static void wait_for_work(wsf_mesh *mesh, uint64_t until_ms) {
    struct pollfd items[] = { { .fd = mesh->mailbox.fd, .events = POLLIN },
                              { .fd = -1, .events = POLLIN } };
    if (mesh->out.carrier != NULL)
        items[1].fd = wsf_mesh_effects_fd(&mesh->out);
    atomic_store(&mesh->beside_reader, true);
    bool waits = wait_beside_reader(mesh, &items[0], &items[1], until_ms);
    atomic_store(&mesh->beside_reader, false);
    if (waits && !atomic_load(&mesh->unread)) { /* after the store: see wsf_mesh_read() */
        poll(items, 2, timeout_until(until_ms, wsf_clock_ms()));
        if ((items[1].revents & POLLNVAL) != 0) /* a carrier of the host has closed its own */
            poll(items, 1, timeout_until(until_ms, wsf_clock_ms()));
    }
    if (items[0].revents != 0)
        wsf_mailbox_clear(&mesh->mailbox);
}

/* Whether the mesh has delivered everything that it was given, or close_ms_max is over. */
static bool is_done(wsf_mesh *mesh, uint64_t *close_at_ms) {
    uint64_t now_ms = wsf_mesh_now().ms;
    if (*close_at_ms == UINT64_MAX)
        *close_at_ms = now_ms + mesh->close_ms_max;
    return wsf_core_drained(mesh->out.core) || now_ms >= *close_at_ms;
}

static void *run(void *user) {
    wsf_mesh *mesh = user;
    uint64_t close_at_ms = UINT64_MAX;
    pthread_mutex_lock(&mesh->lock);
    for (;;) {
        uint64_t until_ms = work(mesh);
        if (mesh->closing && is_done(mesh, &close_at_ms))
            break;
        pthread_mutex_unlock(&mesh->lock);
        if (until_ms != 0)
            wait_for_work(mesh, least(until_ms, close_at_ms));
        pthread_mutex_lock(&mesh->lock);
    }
    wsf_core_say_bye(mesh->out.core, wsf_mesh_now());
    pthread_mutex_unlock(&mesh->lock);
    if (mesh->out.carrier != NULL)
        mesh->out.carrier->calls->close(mesh->out.carrier, GOODBYE_LINGER_MS);
    return NULL;
}

/* ------------------------------------------------------------------------------ open and close */

/* Opens the carrier, and notes what the core is to know of it. */
static int open_carrier(wsf_mesh *mesh, const wsf_mesh_config *config, wsf_core_config *core) {
    wsf_carrier **carrier = &mesh->out.carrier;
    uint64_t frame_size_max = wsf_core_frame_size_max(core);
    wsf_datagrams_config datagrams = { config->carrier, config->endpoint, core->cluster,
                                       frame_size_max };
    int error = config->carrier != NULL
                    ? wsf_datagrams_open(carrier, &datagrams)
                    : wsf_sockets_open(carrier, config->endpoint, frame_size_max, config->keys,
                                       mesh->mailbox.fd);
    if (error != WSFAN_OK)
        return error;
    core->authenticated = config->carrier != NULL || config->keys != NULL;
    core->endpoint = config->advertise != NULL ? config->advertise
                                               : (*carrier)->calls->endpoint(*carrier);
    return core->endpoint[0] != '\0' ? WSFAN_OK : WSFAN_EADDR;
}

static int open_core(wsf_mesh *mesh, const wsf_mesh_config *config,
                     const wsf_core_config *core_config) {
    wsf_effects effects = wsf_mesh_effects_effects(&mesh->out);
    wsf_core_config with_endpoint = *core_config;
    int error = WSFAN_OK;
    if (config->endpoint != NULL) {
        error = open_carrier(mesh, config, &with_endpoint);
        if (error != WSFAN_OK)
            return error;
    }
    error = wsf_core_new(&mesh->out.core, &with_endpoint, &effects, wsf_mesh_now());
    if (error != WSFAN_OK || mesh->out.carrier == NULL)
        return error;

    uint8_t inbox[WSF_TOPIC_SIZE];
    uint8_t introduction[WSF_INTRODUCTION_SIZE_MAX];
    wsf_write_inbox(inbox, core_config->node);
    size_t size = wsf_core_introduction(mesh->out.core, introduction);
    mesh->out.carrier->calls->subscribe_to(mesh->out.carrier, inbox, sizeof inbox, introduction,
                                           size);
    wsf_core_name_endpoints(mesh->out.core, WSF_SOURCE_OPTIONS, config->peers, config->peers_count,
                            wsf_mesh_now());
    return WSFAN_OK;
}

int wsf_mesh_start(wsf_mesh *mesh) {
    int error = wsf_thread_start(&mesh->thread, run, mesh);
    mesh->threaded = error == WSFAN_OK;
    return error;
}

static int init_lock(pthread_mutex_t *lock) {
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0)
        return WSFAN_ESYSTEM;
#ifndef NDEBUG
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
#endif
    int error = pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return error == 0 ? WSFAN_OK : WSFAN_ESYSTEM;
}

int wsf_mesh_open(wsf_mesh **out, const wsf_mesh_config *config, const wsf_core_config *core) {
    wsf_mesh *mesh = wsf_alloc_zero(1, sizeof *mesh);
    if (mesh == NULL)
        return WSFAN_ENOMEM;
    mesh->quiet.item.kind = WSF_MESH_QUIET;
    atomic_init(&mesh->out.reader, WSF_LOOPS_MAX);
    mesh->out.headroom_bytes = core->headroom_bytes;
    wsf_open_run_init(&mesh->open_run, &core->link);
    mesh->out.mailbox = &mesh->mailbox;
    mesh->out.quiet = &mesh->quiet.item;
    wsf_hash_key_init(&mesh->key, core->cluster);
    mesh->close_ms_max = config->close_ms_max;
    int error = wsf_mailbox_init(&mesh->mailbox, config->publish_queue_count_max,
                                 config->publish_queue_bytes_max);
    if (error != WSFAN_OK)
        goto free_mesh;
    if ((error = init_lock(&mesh->lock)) != WSFAN_OK)
        goto free_mailbox;
    mesh->keys = config->keys; /* still the caller's if opening fails */
    if ((error = open_core(mesh, config, core)) != WSFAN_OK ||
        (mesh->out.carrier != NULL && (error = wsf_mesh_start(mesh)) != WSFAN_OK))
        goto free_core;
    if (mesh->out.carrier == NULL)
        wsf_core_flush(mesh->out.core, wsf_mesh_now()); /* a node without peers is ready */
    *out = mesh;
    return WSFAN_OK;

free_core:
    wsf_core_destroy(mesh->out.core);
    if (mesh->out.carrier != NULL)
        mesh->out.carrier->calls->close(mesh->out.carrier, 0);
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
    wsf_reach_unref(mesh->out.reach);
    for (unsigned i = 0; i < WSF_DIALER_SOURCES_MAX; i++)
        wsf_free(atomic_load(&mesh->named[i]));
    wsf_core_destroy(mesh->out.core);
    wsf_names_free(atomic_load(&mesh->names_next));
    wsf_keyring_free_keys(atomic_load(&mesh->keys_next));
    wsf_keyring_free_keys(mesh->keys);
    pthread_mutex_destroy(&mesh->lock);
    wsf_message_pool_close(&mesh->pool);
    wsf_open_run_close(&mesh->open_run);
    wsf_mailbox_destroy(&mesh->mailbox);
    wsf_free(mesh);
}

const char *wsf_mesh_endpoint(const wsf_mesh *mesh) {
    return wsf_core_endpoint(mesh->out.core);
}
