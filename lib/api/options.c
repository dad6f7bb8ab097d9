/* Answers for which options a node may be opened with, and what the core gets of them. */
#include "api/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "api/carried.h"
#include "base/endpoint.h"
#include "base/keys.h"
#include "base/limits.h"
#include "base/preflight.h"
#include "base/sized.h"
#include "base/text.h"
#include "core/core.h"

enum { KI = 1024, MI = 1024 * 1024 };

_Static_assert((int)WSF_PEERS_MAX == WSF_SIZE((int)WSFAN_PEERS_MAX, 64), "as options.h says");
_Static_assert(WSFAN_KEYS_MAX == WSF_KEYS_MAX, "as options.h says");
_Static_assert(WSFAN_NODE_NAME_SIZE == WSF_NAME_SIZE_MAX + 1, "as options.h says");
_Static_assert(WSFAN_ENDPOINT_SIZE == WSF_ENDPOINT_SIZE_MAX + 1, "as options.h says");
_Static_assert(WSFAN_PUBLIC_ADDRESS_SIZE == WSF_PUBLIC_SIZE_MAX + 1, "as options.h says");

void wsfan_options_init_sized(wsfan_options *options, size_t struct_size) {
    const wsfan_options defaults = {
        .struct_size = struct_size,
        .cluster = "wsfan",
        .payload_bytes_max = MI,
        .name_bytes_max = 256,
        .targets_count_max = 64,
        .loops_count_max = 16,
        .peers_count_max = WSF_PEERS_MAX,
        .sessions_count_max = MI,
        .chats_count_max = 2 * MI,
        .chats_per_session_count_max = 1024,
        .remote_chats_count_max = 16 * MI,
        .publish_queue_count_max = 64 * KI,
        .publish_queue_bytes_max = 64 * MI,
        .inbox_count_max = 64 * KI,
        .inbox_bytes_max = 64 * MI,
        .link_window_bytes = 4 * MI,
        .link_queue_count_max = 64 * KI,
        .link_queue_bytes_max = 16 * MI,
        .slow_peer = WSFAN_SLOW_DROP,
        .results_count_max = 4096,
        .interest_log_count_max = 64 * KI,
        .heartbeat_ms = 1000,
        .silent_ms = 3000,
        .down_ms = 10000,
        .forget_ms = 120000,
        .join_ms_max = 5000,
        .result_ms_max = 5000,
        .close_ms_max = 1000,
        .dns_interval_ms = 5000,
        .placement_weight = 100,
        .ready_ms_max = 5000,
        .requests_count_max = 1024,
        .request_ms_max = 6000,
        .presence_metadata_bytes_max = 256,
        .presence_members_count_max = 1000,
        .presence_remote_count_max = 4 * MI,
        .presence_grace_ms = 5000,
        .history_count_max = 256,
        .history_chat_bytes_max = 64 * KI,
        .history_bytes_max = 64 * MI,
        .history_copies = 1,
        .recover_ms_max = 4000,
        .recoveries_count_max = 16 * KI,
        .links_bytes_max = 1536ull * MI,
    };
    wsf_fill_sized(options, struct_size, &defaults, sizeof defaults);
}

/* The range of a number. */
typedef struct {
    const char *field;
    size_t offset;
    size_t size;
    uint64_t min;
    uint64_t max;
} range;

#define RANGE(field, min, max)                                                                     \
    { #field, offsetof(wsfan_options, field), sizeof(((wsfan_options *)0)->field), min, max }

static const range RANGES[] = {
    RANGE(headroom_bytes, 0, 4096),
    RANGE(payload_bytes_max, 1, 64 * MI),
    RANGE(name_bytes_max, 1, 65535),
    RANGE(targets_count_max, 1, WSF_TARGETS_COUNT_MAX),
    RANGE(loops_count_max, 1, WSF_LOOPS_MAX),
    RANGE(peers_count_max, 1, WSF_PEERS_MAX),
    RANGE(sessions_count_max, 1, 16777215),
    RANGE(chats_count_max, 1, 16777215),
    RANGE(chats_per_session_count_max, 1, 65535),
    RANGE(remote_chats_count_max, 1, 268435456),
    RANGE(publish_queue_count_max, 1, UINT32_MAX),
    RANGE(publish_queue_bytes_max, 1, UINT64_MAX),
    RANGE(inbox_count_max, 1, UINT32_MAX),
    RANGE(inbox_bytes_max, 1, UINT64_MAX),
    RANGE(link_window_bytes, 64 * KI, UINT32_MAX),
    RANGE(link_queue_count_max, 1, UINT32_MAX),
    RANGE(link_queue_bytes_max, 1, UINT64_MAX),
    RANGE(slow_peer, WSFAN_SLOW_DROP, WSFAN_SLOW_CUT),
    RANGE(results_count_max, 1, UINT32_MAX),
    RANGE(interest_log_count_max, 64, 16777216),
    RANGE(heartbeat_ms, 10, UINT32_MAX),
    RANGE(join_ms_max, 1, UINT32_MAX),
    RANGE(result_ms_max, 1, UINT32_MAX),
    RANGE(dns_interval_ms, 100, 3600000),
    RANGE(placement_weight, 0, WSF_WEIGHT_MAX),
    RANGE(publisher_only, 0, 1),
    RANGE(requests_count_max, 1, 64 * KI),
    RANGE(request_ms_max, 1, UINT32_MAX),
    RANGE(presence_metadata_bytes_max, 0, 4096),
    RANGE(presence_members_count_max, 1, 16777216),
    RANGE(presence_remote_count_max, 1, 268435456),
    RANGE(presence_grace_ms, 0, 600000),
    RANGE(allow_insecure, 0, 1),
    RANGE(history_ms, 0, 3600000),
    RANGE(history_count_max, 1, 64 * KI),
    RANGE(history_chat_bytes_max, KI, MI),
    RANGE(history_bytes_max, MI, UINT64_MAX),
    RANGE(history_copies, 0, WSF_COPIES_MAX),
    RANGE(recover_ms_max, 1, UINT32_MAX),
    RANGE(recoveries_count_max, 1, UINT32_MAX),
    RANGE(links_bytes_max, MI, UINT64_MAX),
};

/* A wrong option: the error, and the field that it is about. */
typedef struct {
    int error;
    const char *field; /* NULL: nothing is wrong */
} fault;

static const fault NOTHING = { WSFAN_OK, NULL };

static uint64_t value_of(const wsfan_options *o, const range *r) {
    uint32_t narrow;
    uint64_t wide;
    const char *at = (const char *)o + r->offset;
    if (r->size == sizeof wide)
        return memcpy(&wide, at, sizeof wide), wide;
    return memcpy(&narrow, at, sizeof narrow), narrow;
}

static fault check_numbers(const wsfan_options *o) {
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES; i++) {
        uint64_t value = value_of(o, &RANGES[i]);
        if (value < RANGES[i].min || value > RANGES[i].max)
            return (fault){ WSFAN_EINVAL, RANGES[i].field };
    }
    if ((o->interest_log_count_max & (o->interest_log_count_max - 1)) != 0)
        return (fault){ WSFAN_EINVAL, "interest_log_count_max" };
    if (o->silent_ms <= o->heartbeat_ms)
        return (fault){ WSFAN_EINVAL, "silent_ms" };
    if (o->down_ms <= o->silent_ms)
        return (fault){ WSFAN_EINVAL, "down_ms" };
    if (o->forget_ms <= o->down_ms)
        return (fault){ WSFAN_EINVAL, "forget_ms" };
    return NOTHING;
}

static fault check_text(const char *field, const char *text, size_t size_max,
                        bool (*valid)(const void *, size_t)) {
    size_t size = strlen(text);
    if (size > size_max)
        return (fault){ WSFAN_ETOOBIG, field };
    return size > 0 && valid(text, size) ? NOTHING : (fault){ WSFAN_EINVAL, field };
}

static fault check_texts(const wsfan_options *o) {
    if (o->cluster == NULL)
        return (fault){ WSFAN_EINVAL, "cluster" };
    fault f = check_text("cluster", o->cluster, WSF_CLUSTER_SIZE_MAX, wsf_text_is_printable);
    if (f.error == WSFAN_OK && o->name != NULL)
        f = check_text("name", o->name, WSF_NAME_SIZE_MAX, wsf_text_is_printable);
    if (f.error == WSFAN_OK && o->public_address != NULL)
        f = check_text("public_address", o->public_address, WSF_PUBLIC_SIZE_MAX,
                       wsf_text_is_visible);
    return f;
}

bool wsf_options_may_dial(const wsfan_options *o, const char *endpoint, bool *resolve) {
    *resolve = false;
    return o->carrier != NULL ? wsf_carried_is_of(endpoint, o->carrier)
                              : wsf_endpoint_to_dial(endpoint, strlen(endpoint), resolve);
}

static fault check_carrier(const wsfan_options *o) {
    fault f = NOTHING;
    if (o->carrier != NULL)
        f.error = wsf_carried_check(o, &f.field);
    return f;
}

static fault check_endpoint(const wsfan_options *o) {
    if (o->carrier != NULL)
        return NOTHING;
    if (o->endpoint == NULL) { /* local only: nothing else may be asked of the mesh */
        if (o->advertise != NULL)
            return (fault){ WSFAN_EINVAL, "advertise" };
        return o->peers_count == 0 ? NOTHING : (fault){ WSFAN_EINVAL, "peers_count" };
    }
    if (!wsf_endpoint_valid(o->endpoint, strlen(o->endpoint), true))
        return (fault){ WSFAN_EENDPOINT, "endpoint" };
    if (o->advertise != NULL && (!wsf_endpoint_to_tell(o->advertise, strlen(o->advertise)) ||
                                 wsf_endpoint_is_carried(o->advertise, strlen(o->advertise))))
        return (fault){ WSFAN_EENDPOINT, "advertise" };
    return NOTHING;
}

/* Two of the connection to it, two of that from it. */
enum { DESCRIPTORS_OF_PEER = 4 };

static fault check_addresses(const wsfan_options *o) {
    if (o->peers_count > 0 && o->peers == NULL)
        return (fault){ WSFAN_EINVAL, "peers" };
    if (o->peers_count > o->peers_count_max)
        return (fault){ WSFAN_EINVAL, "peers_count" };
    if (!wsf_preflight_has((unsigned)o->peers_count * DESCRIPTORS_OF_PEER)) {
        errno = EMFILE;
        return (fault){ WSFAN_ESYSTEM, "peers_count" };
    }
    fault f = check_endpoint(o);
    if (f.error != WSFAN_OK)
        return f;
    for (size_t i = 0; i < o->peers_count; i++) {
        bool resolve;
        if (o->peers[i] == NULL)
            return (fault){ WSFAN_EINVAL, "peers" };
        if (!wsf_options_may_dial(o, o->peers[i], &resolve))
            return (fault){ WSFAN_EENDPOINT, "peers" };
    }
    return NOTHING;
}

static fault check_key(const char *field, const char *key) {
    if (wsf_key_valid(key, strlen(key)))
        return NOTHING;
    errno =
        EINVAL; /* with WSFAN_EKEY it tells a key that is not valid from a file that cannot be read */
    return (fault){ WSFAN_EKEY, field };
}

static fault check_keys(const wsfan_options *o) {
    fault f = o->secret_key != NULL ? check_key("secret_key", o->secret_key) : NOTHING;
    if (f.error == WSFAN_OK && o->allow_count > WSFAN_KEYS_MAX)
        return (fault){ WSFAN_ELIMIT, "allow_count" };
    for (size_t i = 0; i < o->allow_count && f.error == WSFAN_OK; i++) {
        if (o->allow == NULL || o->allow[i] == NULL)
            return (fault){ WSFAN_EINVAL, "allow" };
        f = check_key("allow", o->allow[i]);
    }
    return f;
}

/* Nobody shall listen to a network in plain text by mistake; and who names friends, and has no key to know
 * them by, is not as safe as he thinks. What key_file and allow_path hold is for the keyring to see. */
static fault check_security(const wsfan_options *o) {
    bool keyed = o->secret_key != NULL || o->key_file != NULL;
    if (o->secret_key != NULL && o->key_file != NULL)
        return (fault){ WSFAN_EINVAL, "key_file" };
    if (!keyed && o->allow_count > 0)
        return (fault){ WSFAN_EINVAL, "allow_count" };
    if (!keyed && o->allow_path != NULL)
        return (fault){ WSFAN_EINVAL, "allow_path" };
    if (!keyed && o->allow_insecure == 0 && o->endpoint != NULL && o->carrier == NULL &&
        !wsf_endpoint_is_local(o->endpoint))
        return (fault){ WSFAN_EINSECURE, "endpoint" };
    return check_keys(o);
}

static fault check_history(const wsfan_options *o) {
    size_t size = o->history_key != NULL ? strlen(o->history_key) : 0;
    bool sealed = size >= WSF_SEAL_SECRET_MIN && size <= WSF_SEAL_SECRET_MAX;
    if (!sealed && (o->history_ms > 0 || o->history_key != NULL)) {
        errno = EINVAL;
        return (fault){ WSFAN_EKEY, "history_key" };
    }
    if (o->history_ms > 0 && o->recover_ms_max > o->join_ms_max)
        return (fault){ WSFAN_EINVAL, "recover_ms_max" };
    if (o->history_ms > 0 && o->loops_count_max > WSF_LOOP_ARCHIVE)
        return (fault){ WSFAN_EINVAL, "loops_count_max" };
    return NOTHING;
}

static fault check_allocator(const wsfan_options *o) {
    const wsfan_allocator *a = o->allocator;
    bool whole = a == NULL || (a->alloc != NULL && a->realloc != NULL && a->free != NULL);
    return whole ? NOTHING : (fault){ WSFAN_EINVAL, "allocator" };
}

static fault check(const wsfan_options *o) {
    static fault (*const checks[])(const wsfan_options *) = {
        check_texts,    check_numbers, check_carrier,   check_addresses,
        check_security, check_history, check_allocator,
    };
    fault f = NOTHING;
    for (size_t i = 0; i < sizeof checks / sizeof *checks && f.error == WSFAN_OK; i++)
        f = checks[i](o);
    return f;
}

static fault read_options(wsfan_options *options, const wsfan_options *given) {
    wsfan_options_init(options);
    if (!wsf_read_sized(options, sizeof *options, given))
        return (fault){ WSFAN_EINVAL, "struct_size" };
    options->struct_size = sizeof *options;
    return check(options);
}

int wsf_options_read(wsfan_options *options, const wsfan_options *given) {
    return read_options(options, given).error;
}

int wsfan_options_check(const wsfan_options *options, const char **field) {
    wsfan_options read;
    fault f = read_options(&read, options);
    if (field != NULL)
        *field = f.field;
    return f.error;
}

wsf_core_config wsf_options_core(const wsfan_options *o) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    wsf_core_config config = {
        .incarnation = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000,
        .cluster = o->cluster,
        .headroom_bytes = o->headroom_bytes,
        .payload_bytes_max = o->payload_bytes_max,
        .name_bytes_max = o->name_bytes_max,
        .targets_count_max = o->targets_count_max,
        .peers_count_max = o->peers_count_max,
        .remote_chats_count_max = o->remote_chats_count_max,
        .interest_log_count_max = o->interest_log_count_max,
        .link = { .window_bytes = o->link_window_bytes,
                  .queue_bytes_max = o->link_queue_bytes_max,
                  .queue_count_max = o->link_queue_count_max },
        .links_bytes_max = o->links_bytes_max,
        .presence = { .grace_ms = o->presence_grace_ms,
                      .members_count_max = o->presence_members_count_max,
                      .remote_count_max = o->presence_remote_count_max },
        .heartbeat_ms = o->heartbeat_ms,
        .silent_ms = o->silent_ms,
        .down_ms = o->down_ms,
        .forget_ms = o->forget_ms,
        .join_ms_max = o->join_ms_max,
        .join_silent_ms = o->join_silent_ms,
        .result_ms_max = o->result_ms_max,
        .requests_count_max = o->requests_count_max,
        .request_ms_max = o->request_ms_max,
        .protocol_min = WSF_PROTOCOL_MIN,
        .protocol_max = WSF_PROTOCOL_MAX,
        .slow_peer = o->slow_peer,
        .ready_ms_max = o->ready_ms_max,
        .weight = o->placement_weight,
        .public_address = o->public_address,
        .publisher_only = o->publisher_only != 0,
        .history_ms = o->history_ms,
        .history_count_max = o->history_count_max,
        .history_chat_bytes_max = o->history_chat_bytes_max,
        .history_bytes_max = o->history_bytes_max,
        .history_copies = o->history_copies,
        .recover_ms_max = o->recover_ms_max,
        .recoveries_count_max = o->recoveries_count_max,
    };
    if (o->history_ms > 0)
        wsf_hash_seal_key_init(&config.history_key, wsfan_string(o->history_key), "wsfan position");
    return config;
}
