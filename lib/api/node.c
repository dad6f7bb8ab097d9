/* The public functions of a node: checks of arguments, and glue between options, mesh and loops. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <wsfan/placement.h>

#include "api/carried.h"
#include "api/node.h"
#include "api/options.h"
#include "base/endpoint.h"
#include "base/memory.h"
#include "base/sized.h"
#include "mesh/auth.h"
#include "mesh/discovery.h"

_Static_assert(WSFAN_SOURCES_MAX == WSF_HOST_SOURCES_MAX, "sources of the host");

struct wsfan_node {
    wsfan_options options; /* pointers in it are not valid after open */
    char name[WSF_NAME_SIZE_MAX + 1];
    char cluster[WSF_CLUSTER_SIZE_MAX + 1];
    wsf_carried carried; /* options.carrier leads here, or is NULL */
    uint64_t id;
    wsf_hash_key key;
    wsf_hash_seal_key position_key; /* with history_ms */
    wsf_guard guard;
    wsf_mesh *mesh;
    uint64_t seed;            /* for discovery, which may begin later */
    wsf_discovery *discovery; /* NULL: no name to ask DNS for so far */
    wsf_keyring *keyring;     /* NULL: plain text */
    pthread_mutex_t lock;     /* guards discovery, loops, keyring and draining */
    wsfan_loop *loops[WSF_LOOPS_MAX];
    wsf_loop_tally tally;
    bool draining;
};

/* ------------------------------------------------------------------------------- open and close */

static int random_u64(uint64_t *value) {
    do {
        if (getrandom(value, sizeof *value, 0) != (ssize_t)sizeof *value)
            return WSFAN_ESYSTEM;
    } while (*value == 0);
    return WSFAN_OK;
}

/* Endpoints that the host named, all valid: those with an address, and those with a name. */
typedef struct {
    size_t addresses_count;
    size_t names_count;
    const char *addresses[WSFAN_ENDPOINTS_MAX];
    const char *names[WSFAN_ENDPOINTS_MAX];
} endpoint_set;

/* False: an endpoint is not valid. */
static bool sort_endpoints(const wsfan_options *options, endpoint_set *set,
                           const char *const *endpoints, size_t count) {
    set->addresses_count = set->names_count = 0;
    for (size_t i = 0; i < count; i++) {
        bool resolve;
        if (!wsf_options_may_dial(options, endpoints[i], &resolve))
            return false;
        if (resolve)
            set->names[set->names_count++] = endpoints[i];
        else
            set->addresses[set->addresses_count++] = endpoints[i];
    }
    return true;
}

/* Starts the thread that asks DNS, with the first name. Needs the lock, but not while the node is opened. */
static int need_discovery(wsfan_node *node, size_t names_count) {
    if (names_count == 0 || node->discovery != NULL)
        return WSFAN_OK;
    return wsf_discovery_open(&node->discovery, node->mesh, node->options.dns_interval_ms,
                              node->seed);
}

/* Opens the mesh with the peers that have an address, and discovery for those that have a name. */
static int open_mesh(wsfan_node *node) {
    const wsfan_options *o = &node->options;
    uint64_t seed;
    if (random_u64(&seed) != WSFAN_OK)
        return WSFAN_ESYSTEM;
    wsf_core_config core = wsf_options_core(o);
    core.node = node->id;
    core.name = node->name;
    core.seed = seed;
    node->position_key = core.history_key;
    endpoint_set peers;
    sort_endpoints(o, &peers, o->peers, o->peers_count);
    core.names_awaited = peers.names_count > 0 || o->carrier != NULL;
    node->seed = ~seed;
    wsf_mesh_config mesh = {
        .carrier = o->carrier,
        .endpoint = o->endpoint,
        .advertise = o->advertise,
        .peers = peers.addresses,
        .peers_count = peers.addresses_count,
        .publish_queue_bytes_max = o->publish_queue_bytes_max,
        .publish_queue_count_max = o->publish_queue_count_max,
        .close_ms_max = o->close_ms_max,
    };
    int error = node->keyring != NULL ? wsf_keyring_read(node->keyring, &mesh.keys) : WSFAN_OK;
    if (error == WSFAN_OK && (error = wsf_mesh_open(&node->mesh, &mesh, &core)) != WSFAN_OK)
        wsf_keyring_free_keys(mesh.keys);
    if (error != WSFAN_OK)
        return error;
    wsf_question *questions;
    error = wsf_questions_new(&questions, peers.names, peers.names_count);
    if (error == WSFAN_OK)
        error = need_discovery(node, peers.names_count);
    if (error == WSFAN_OK && node->discovery != NULL)
        wsf_discovery_ask(node->discovery, WSF_SOURCE_OPTIONS, questions);
    if (error != WSFAN_OK) {
        wsf_questions_free(questions);
        wsf_mesh_close(node->mesh);
    }
    return error;
}

/* With keys, the upper 32 bits of a node's id are the identity of its key. */
static int open_identity(wsfan_node *node) {
    int error = random_u64(&node->id);
    node->id = wsf_carried_open(&node->carried, &node->options, node->id);
    if (error == WSFAN_OK)
        error = wsf_keyring_open(&node->keyring, &node->options);
    if (error != WSFAN_OK || node->keyring == NULL)
        return error;
    error = wsf_auth_complete(&node->keyring->own);
    uint64_t identity = wsf_hash_identity(node->keyring->own.public_key.text);
    node->id = identity << 32 | (node->id & UINT32_MAX);
    return error;
}

int wsfan_node_open(wsfan_node **out, const wsfan_options *given) {
    wsfan_options options;
    if (out == NULL)
        return WSFAN_EINVAL;
    int error = wsf_options_read(&options, given);
    if (error != WSFAN_OK)
        return error;
    if ((error = wsf_memory_use(options.allocator)) != WSFAN_OK)
        return error;
    wsfan_node *node = wsf_alloc_zero(1, sizeof *node);
    if (node == NULL)
        return WSFAN_ENOMEM;
    node->options = options;
    if ((error = open_identity(node)) != WSFAN_OK ||
        (error = wsf_guard_open(&node->guard)) != WSFAN_OK)
        goto free_node;
    if (options.name != NULL)
        snprintf(node->name, sizeof node->name, "%s", options.name);
    else
        snprintf(node->name, sizeof node->name, "node-%016llx", (unsigned long long)node->id);
    snprintf(node->cluster, sizeof node->cluster, "%s", options.cluster);
    wsf_hash_key_init(&node->key, options.cluster);
    if (pthread_mutex_init(&node->lock, NULL) != 0) {
        error = WSFAN_ESYSTEM;
        goto close_guard;
    }
    error = open_mesh(node);
    if (error != WSFAN_OK)
        goto destroy_lock;
    *out = node;
    return WSFAN_OK;

destroy_lock:
    pthread_mutex_destroy(&node->lock);
close_guard:
    wsf_guard_close(&node->guard);
free_node:
    wsf_keyring_close(node->keyring);
    wsf_free(node);
    return error;
}

static int check(const wsfan_node *node) {
    if (node == NULL)
        return WSFAN_EINVAL;
    return wsf_guard_forked(&node->guard) ? WSFAN_EFORK : WSFAN_OK;
}

int wsfan_node_close(wsfan_node *node) {
    if (node == NULL)
        return WSFAN_OK;
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    pthread_mutex_lock(&node->lock);
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if (node->loops[i] != NULL)
            error = WSFAN_EBUSY;
    pthread_mutex_unlock(&node->lock);
    if (error != WSFAN_OK)
        return error;
    wsf_discovery_close(node->discovery);
    wsf_mesh_close(node->mesh);
    pthread_mutex_destroy(&node->lock);
    wsf_guard_close(&node->guard);
    wsf_keyring_close(node->keyring);
    wsf_free(node);
    return WSFAN_OK;
}

uint64_t wsfan_node_id(const wsfan_node *node) {
    return node->id;
}

const char *wsfan_node_name(const wsfan_node *node) {
    return node->name;
}

const char *wsfan_node_endpoint(const wsfan_node *node) {
    return wsf_mesh_endpoint(node->mesh);
}

const char *wsfan_node_cluster(const wsfan_node *node) {
    return node->cluster;
}

const char *wsfan_node_public_key(const wsfan_node *node) {
    return node->keyring != NULL ? node->keyring->own.public_key.text : "";
}

/* list: `keys` replace those that the host listed before. Files are read again in any case. */
static int renew_keys(wsfan_node *node, bool list, const char *const *keys, size_t count) {
    wsf_keys *all;
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    if (node->keyring == NULL)
        return WSFAN_EINVAL;
    pthread_mutex_lock(&node->lock);
    error = list ? wsf_keyring_relist(node->keyring, keys, count, &all)
                 : wsf_keyring_read(node->keyring, &all);
    if (error == WSFAN_OK)
        wsf_mesh_set_keys(node->mesh, all);
    pthread_mutex_unlock(&node->lock);
    return error;
}

int wsfan_node_reload_keys(wsfan_node *node) {
    return renew_keys(node, false, NULL, 0);
}

int wsfan_node_allow_keys(wsfan_node *node, const char *const *keys, size_t count) {
    return renew_keys(node, true, keys, count);
}

int wsfan_node_set_peers_from(wsfan_node *node, unsigned source, const char *const *endpoints,
                              size_t count) {
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    if (source >= WSFAN_SOURCES_MAX || (endpoints == NULL && count > 0) ||
        wsf_mesh_endpoint(node->mesh)[0] == '\0')
        return WSFAN_EINVAL;
    if (count > WSFAN_ENDPOINTS_MAX)
        return WSFAN_ELIMIT;
    for (size_t i = 0; i < count; i++)
        if (endpoints[i] == NULL)
            return WSFAN_EINVAL;
    endpoint_set set;
    if (!sort_endpoints(&node->options, &set, endpoints, count))
        return WSFAN_EENDPOINT;
    wsf_question *questions;
    if ((error = wsf_questions_new(&questions, set.names, set.names_count)) != WSFAN_OK)
        return error;
    pthread_mutex_lock(&node->lock);
    error = need_discovery(node, set.names_count);
    if (error == WSFAN_OK)
        error = wsf_mesh_name_endpoints(node->mesh, WSF_SOURCE_HOST + source, set.addresses,
                                        set.addresses_count);
    if (error == WSFAN_OK && node->discovery != NULL)
        wsf_discovery_ask(node->discovery, WSF_SOURCE_HOST + source, questions);
    else
        wsf_questions_free(questions);
    pthread_mutex_unlock(&node->lock);
    return error;
}

int wsfan_node_set_peers(wsfan_node *node, const char *const *endpoints, size_t count) {
    return wsfan_node_set_peers_from(node, 0, endpoints, count);
}

int wsf_node_check(const wsfan_node *node) {
    return check(node);
}

const wsfan_options *wsf_node_options(const wsfan_node *node) {
    return &node->options;
}

const wsf_hash_key *wsf_node_key(const wsfan_node *node) {
    return &node->key;
}

wsf_mesh *wsf_node_mesh(const wsfan_node *node) {
    return node->mesh;
}

/* ---------------------------------------------------------------------------------------- loops */

int wsfan_loop_open(wsfan_loop **out, wsfan_node *node, const wsfan_callbacks *callbacks,
                    void *loop_user) {
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    wsfan_callbacks known = { 0 };
    if (out == NULL || !wsf_read_sized(&known, sizeof known, callbacks))
        return WSFAN_EINVAL;
    uint64_t seed;
    if ((error = random_u64(&seed)) != WSFAN_OK)
        return error;
    const wsfan_options *o = &node->options;
    wsf_loop_config config = {
        .inbox_bytes_max = o->inbox_bytes_max,
        .inbox_count_max = o->inbox_count_max,
        .headroom_bytes = o->headroom_bytes,
        .name_bytes_max = o->name_bytes_max,
        .publisher_only = o->publisher_only != 0,
        .metadata_bytes_max = o->presence_metadata_bytes_max,
        .registry = { .sessions_count_max = o->sessions_count_max,
                      .audiences_count_max = o->chats_count_max,
                      .chats_per_session_count_max = o->chats_per_session_count_max },
    };
    const wsf_hash_seal_key *position_key = o->history_ms > 0 ? &node->position_key : NULL;
    wsf_loop_node own = { node,         node->mesh,   &node->guard, &node->key,
                          position_key, &node->tally, node->id,     node->name };

    pthread_mutex_lock(&node->lock);
    unsigned index = 0;
    while (index < o->loops_count_max && node->loops[index] != NULL)
        index++;
    error = node->draining ? WSFAN_ECLOSED : WSFAN_ELIMIT;
    if (index < o->loops_count_max && !node->draining)
        error = wsf_loop_new(&node->loops[index], &config, &own, index, seed, &known, loop_user);
    if (error == WSFAN_OK)
        *out = node->loops[index];
    pthread_mutex_unlock(&node->lock);
    return error;
}

int wsfan_loop_close(wsfan_loop *loop) {
    if (loop == NULL)
        return WSFAN_OK;
    wsfan_node *node = wsf_loop_owner(loop);
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    if (wsf_loop_dispatching(loop))
        return WSFAN_EINVAL;
    pthread_mutex_lock(&node->lock);
    node->loops[wsf_loop_index(loop)] = NULL;
    wsf_loop_destroy(loop);
    pthread_mutex_unlock(&node->lock);
    return WSFAN_OK;
}

uint32_t wsf_node_measure_loops(wsfan_node *node, wsf_loop_metrics *loops) {
    uint32_t count = 0;
    pthread_mutex_lock(&node->lock);
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if (node->loops[i] != NULL)
            wsf_loop_measure(node->loops[i], &loops[count++]);
    pthread_mutex_unlock(&node->lock);
    return count;
}

/* ------------------------------------------------------------------------- readiness, placement */

int wsfan_node_ready(wsfan_node *node) {
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    return wsf_mesh_ready(node->mesh);
}

int wsfan_node_drain(wsfan_node *node, uint32_t drain_ms_max) {
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    pthread_mutex_lock(&node->lock);
    error = wsf_mesh_drain(node->mesh, drain_ms_max);
    for (unsigned i = 0; i < WSF_LOOPS_MAX && error == WSFAN_OK; i++)
        if (node->loops[i] != NULL)
            wsf_loop_drain(node->loops[i]);
    node->draining = node->draining || error == WSFAN_OK;
    pthread_mutex_unlock(&node->lock);
    return error;
}

int wsfan_node_get_owner(wsfan_node *node, wsfan_bytes chat, wsfan_owner *owner) {
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    if (chat.data == NULL || chat.size == 0 || !WSF_IS_SIZED(owner))
        return WSFAN_EINVAL;
    if (chat.size > node->options.name_bytes_max)
        return WSFAN_ETOOBIG;
    wsf_view *view = wsf_mesh_view(node->mesh);
    wsfan_target target = { WSFAN_CHAT, chat };
    const wsf_placement_node *place = view != NULL ? wsf_view_owner(
                                                         view, wsf_hash_target(&node->key, &target))
                                                   : NULL;
    wsfan_owner all = { .struct_size = owner->struct_size };
    if (place != NULL) {
        all.node = place->node;
        all.here = place->node == node->id;
        all.up = place->up;
        memcpy(all.name, place->name, sizeof all.name);
        memcpy(all.public_address, place->address, sizeof all.public_address);
    }
    wsf_view_unref(view);
    wsf_fill_sized(owner, all.struct_size, &all, sizeof all);
    return WSFAN_OK;
}

/* -------------------------------------------------------------------------------------- publish */

static inline int check_target(const wsfan_node *node, const wsfan_target *target) {
    wsfan_target_kind kind = wsf_kind_without_not(target->kind);
    bool named = kind == WSFAN_CHAT || kind == WSFAN_USER; /* most are; any name will do */
    if (named ? target->name.data == NULL || target->name.size == 0 : !wsf_target_valid(target))
        return WSFAN_EINVAL;
    return named && target->name.size > node->options.name_bytes_max ? WSFAN_ETOOBIG : WSFAN_OK;
}

int wsf_node_check_targets(const wsfan_node *node, const wsfan_target *targets, size_t count) {
    bool anyone = false;
    if (targets == NULL || count == 0)
        return WSFAN_EINVAL;
    if (count > node->options.targets_count_max)
        return WSFAN_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        int error = check_target(node, &targets[i]);
        if (error != WSFAN_OK)
            return error;
        anyone = anyone || !wsf_kind_is_not(targets[i].kind);
    }
    return anyone ? WSFAN_OK : WSFAN_EINVAL;
}

/* The slot of a latest value: a hash of its key and all its targets. */
static uint64_t slot_of(const wsfan_node *node, const wsf_message_parts *parts, wsfan_bytes key) {
    uint64_t slot[3] = { wsf_hash_bytes(&node->key, key) };
    for (uint32_t i = 0; i < parts->targets_count; i++) {
        slot[1] = parts->targets[i].kind;
        slot[2] = wsf_hash_bytes(&node->key, parts->targets[i].name);
        slot[0] = wsf_hash_bytes(&node->key, (wsfan_bytes){ slot, sizeof slot });
    }
    return slot[0];
}

/* Whether the options say what they may; they become part of the message. */
static int take_options(const wsfan_node *node, const wsfan_publish_options *options,
                        wsf_message_parts *parts) {
    if ((options->flags & ~(uint32_t)WSF_PUBLISHED_FLAGS) != 0 ||
        (options->key.data == NULL && options->key.size > 0) ||
        (options->except.node == 0) != (options->except.session == 0) ||
        (options->result_loop != NULL &&
         (wsf_loop_owner(options->result_loop) != node || options->key.size > 0)))
        return WSFAN_EINVAL;
    if (options->key.size > node->options.name_bytes_max)
        return WSFAN_ETOOBIG;
    parts->flags = options->flags;
    parts->except = options->except;
    if (options->key.size > 0)
        parts->slot = slot_of(node, parts, options->key);
    return WSFAN_OK;
}

static int publish_with(wsfan_node *node, wsf_message_parts *parts,
                        const wsfan_publish_options *given) {
    wsfan_publish_options options = { 0 };
    if (!wsf_read_sized(&options, sizeof options, given))
        return WSFAN_EINVAL;
    int error = take_options(node, &options, parts);
    wsf_receipt *receipt = NULL;
    if (error == WSFAN_OK && options.result_loop != NULL)
        error = wsf_loop_new_receipt(options.result_loop, node->options.results_count_max,
                                     options.result_user, &receipt);
    if (error != WSFAN_OK)
        return error;
    error = wsf_mesh_publish(node->mesh, parts, receipt);
    if (error != WSFAN_OK && options.result_loop != NULL)
        wsf_loop_revoke_receipt(options.result_loop);
    return error;
}

int wsfan_publish(wsfan_node *node, const wsfan_target *targets, size_t targets_count,
                  wsfan_bytes payload, const wsfan_publish_options *options) {
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    if (payload.data == NULL && payload.size > 0)
        return WSFAN_EINVAL;
    bool one = targets != NULL && targets_count == 1 && !wsf_kind_is_not(targets->kind);
    error = one ? check_target(node, targets)
                : wsf_node_check_targets(node, targets, targets_count);
    if (error != WSFAN_OK)
        return error;
    if (payload.size > node->options.payload_bytes_max)
        return WSFAN_ETOOBIG;
    wsf_message_parts parts = { .targets = targets,
                                .targets_count = (uint32_t)targets_count,
                                .headroom_size = node->options.headroom_bytes,
                                .payload = payload,
                                .apart = payload.size >= WSF_APART_MIN };
    return options == NULL ? wsf_mesh_publish(node->mesh, &parts, NULL)
                           : publish_with(node, &parts, options);
}

int wsfan_broadcast(wsfan_node *node, wsfan_bytes chat, wsfan_bytes payload,
                    const wsfan_publish_options *options) {
    return wsfan_publish(node, &(wsfan_target){ WSFAN_CHAT, chat }, 1, payload, options);
}

int wsfan_broadcast_all(wsfan_node *node, wsfan_bytes payload,
                        const wsfan_publish_options *options) {
    return wsfan_publish(node, &(wsfan_target){ WSFAN_ALL, { NULL, 0 } }, 1, payload, options);
}

/* ----------------------------------------------------------------------------------- statistics */

int wsfan_node_get_stats(wsfan_node *node, wsfan_stats *stats) {
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    if (!WSF_IS_SIZED(stats))
        return WSFAN_EINVAL;
    wsfan_stats all;
    wsf_mesh_stats(node->mesh, &all);
    all.struct_size = stats->struct_size;
    pthread_mutex_lock(&node->lock);
    wsf_discovery_stats(node->discovery, &all);
    for (unsigned i = 0; i < WSF_LOOPS_MAX; i++)
        if (node->loops[i] != NULL)
            all.sessions += wsf_loop_sessions(node->loops[i]);
    pthread_mutex_unlock(&node->lock);
    for (unsigned i = 0; i < WSFAN_RECOVERIES_MAX; i++)
        all.recoveries[i] = atomic_load(&node->tally.recoveries[i]);
    all.replayed = atomic_load(&node->tally.replayed);
    wsf_fill_sized(stats, all.struct_size, &all, sizeof all);
    return WSFAN_OK;
}

int wsfan_node_get_peers(wsfan_node *node, wsfan_peer_stats *peers, size_t capacity,
                         size_t *count) {
    int error = check(node);
    if (error != WSFAN_OK)
        return error;
    if (count == NULL || (capacity > 0 && !WSF_IS_SIZED(peers)))
        return WSFAN_EINVAL;
    wsfan_peer_stats *all = wsf_alloc_zero(WSF_KNOWN_MAX, sizeof *all);
    if (all == NULL)
        return WSFAN_ENOMEM;
    *count = wsf_mesh_peers(node->mesh, all, WSF_KNOWN_MAX);
    size_t stride = capacity > 0 ? peers[0].struct_size : 0;
    for (size_t i = 0; i < *count && i < capacity; i++) {
        all[i].struct_size = stride;
        wsf_fill_sized((uint8_t *)peers + i * stride, stride, &all[i], sizeof all[i]);
    }
    wsf_free(all);
    return WSFAN_OK;
}
