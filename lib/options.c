/* Answers for which options a node may be opened with. */
#include "options.h"

#include <stdbool.h>
#include <string.h>

#include "core.h"
#include "endpoint.h"
#include "text.h"

enum { KI = 1024, MI = 1024 * 1024 };

_Static_assert(WSFAN_PEERS_MAX == WSF_PEERS_ENTRY_COUNT_MAX, "as options.h says");
_Static_assert(WSFAN_NODE_NAME_SIZE == WSF_NAME_SIZE_MAX + 1, "as options.h says");
_Static_assert(WSFAN_ENDPOINT_SIZE == WSF_ENDPOINT_SIZE_MAX + 1, "as options.h says");
_Static_assert(WSFAN_PUBLIC_ADDRESS_SIZE == WSF_PUBLIC_SIZE_MAX + 1, "as options.h says");

void wsfan_options_init(wsfan_options *options) {
    *options = (wsfan_options){
        .struct_size = sizeof *options,
        .cluster = "wsfan",
        .payload_bytes_max = MI,
        .name_bytes_max = 256,
        .targets_count_max = 64,
        .loops_count_max = 16,
        .peers_count_max = 64,
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
    };
}

static bool within(uint64_t value, uint64_t min, uint64_t max) {
    return value >= min && value <= max;
}

static int check_counts(const wsfan_options *o) {
    bool ok = within(o->headroom_bytes, 0, 4096) && within(o->payload_bytes_max, 1, 64 * MI) &&
              within(o->name_bytes_max, 1, 65535) &&
              within(o->targets_count_max, 1, WSF_TARGETS_COUNT_MAX) &&
              within(o->loops_count_max, 1, 64) && within(o->peers_count_max, 1, WSFAN_PEERS_MAX) &&
              within(o->sessions_count_max, 1, 16777215) &&
              within(o->chats_count_max, 1, 16777215) &&
              within(o->chats_per_session_count_max, 1, 65535) &&
              within(o->remote_chats_count_max, 1, 268435456) &&
              within(o->publish_queue_count_max, 1, UINT32_MAX) &&
              within(o->publish_queue_bytes_max, 1, UINT64_MAX) &&
              within(o->inbox_count_max, 1, UINT32_MAX) &&
              within(o->inbox_bytes_max, 1, UINT64_MAX) &&
              within(o->link_window_bytes, 64 * KI, UINT32_MAX) &&
              within(o->link_queue_count_max, 1, UINT32_MAX) &&
              within(o->link_queue_bytes_max, 1, UINT64_MAX) &&
              (o->slow_peer == WSFAN_SLOW_DROP || o->slow_peer == WSFAN_SLOW_CUT) &&
              within(o->results_count_max, 1, UINT32_MAX) &&
              within(o->placement_weight, 0, WSF_WEIGHT_MAX) && o->publisher_only <= 1 &&
              within(o->requests_count_max, 1, 64 * KI) &&
              within(o->presence_metadata_bytes_max, 0, 4096) &&
              within(o->presence_members_count_max, 1, 16777216) &&
              within(o->presence_remote_count_max, 1, 268435456) &&
              within(o->presence_grace_ms, 0, 600000) &&
              within(o->interest_log_count_max, 64, 16777216) &&
              (o->interest_log_count_max & (o->interest_log_count_max - 1)) == 0;
    return ok ? WSFAN_OK : WSFAN_EINVAL;
}

static int check_times(const wsfan_options *o) {
    bool ok = o->heartbeat_ms >= 10 && o->silent_ms > o->heartbeat_ms &&
              o->down_ms > o->silent_ms && o->forget_ms > o->down_ms && o->join_ms_max >= 1 &&
              o->result_ms_max >= 1 && o->request_ms_max >= 1 &&
              within(o->dns_interval_ms, 100, 3600000);
    return ok ? WSFAN_OK : WSFAN_EINVAL;
}

static int check_text(const char *text, size_t size_max, bool (*valid)(const void *, size_t)) {
    size_t size = strlen(text);
    if (size > size_max)
        return WSFAN_ETOOBIG;
    return size > 0 && valid(text, size) ? WSFAN_OK : WSFAN_EINVAL;
}

static int check_addresses(const wsfan_options *o) {
    if (o->peers_count > 0 && o->peers == NULL)
        return WSFAN_EINVAL;
    if (o->peers_count > o->peers_count_max)
        return WSFAN_EINVAL;
    if (o->endpoint == NULL) /* local only: nothing else may be asked of the mesh */
        return o->advertise == NULL && o->peers_count == 0 ? WSFAN_OK : WSFAN_EINVAL;
    if (!wsf_endpoint_valid(o->endpoint, strlen(o->endpoint), true) ||
        (o->advertise != NULL && !wsf_endpoint_to_tell(o->advertise, strlen(o->advertise))))
        return WSFAN_EENDPOINT;
    for (size_t i = 0; i < o->peers_count; i++) {
        bool resolve;
        if (o->peers[i] == NULL)
            return WSFAN_EINVAL;
        if (!wsf_endpoint_to_dial(o->peers[i], strlen(o->peers[i]), &resolve))
            return WSFAN_EENDPOINT;
    }
    return WSFAN_OK;
}

/* Nobody shall listen to a network in plain text by mistake. */
static int check_exposure(const wsfan_options *o) {
    if (o->allow_insecure > 1)
        return WSFAN_EINVAL;
    bool keyed = o->secret_key != NULL || o->key_file != NULL;
    return keyed || o->allow_insecure == 1 || o->endpoint == NULL ||
                   wsf_endpoint_is_local(o->endpoint)
               ? WSFAN_OK
               : WSFAN_EINSECURE;
}

int wsf_options_read(wsfan_options *options, const wsfan_options *given) {
    wsfan_options_init(options);
    if (given == NULL || given->struct_size == 0 || given->struct_size > sizeof *options)
        return WSFAN_EINVAL;
    memcpy(options, given, given->struct_size);
    options->struct_size = sizeof *options;
    if (options->cluster == NULL)
        return WSFAN_EINVAL;
    int error = check_text(options->cluster, WSF_CLUSTER_SIZE_MAX, wsf_text_is_printable);
    if (error == WSFAN_OK && options->name != NULL)
        error = check_text(options->name, WSF_NAME_SIZE_MAX, wsf_text_is_printable);
    if (error == WSFAN_OK && options->public_address != NULL)
        error = check_text(options->public_address, WSF_PUBLIC_SIZE_MAX, wsf_text_is_visible);
    if (error == WSFAN_OK)
        error = check_counts(options);
    if (error == WSFAN_OK)
        error = check_times(options);
    if (error == WSFAN_OK)
        error = check_addresses(options);
    if (error == WSFAN_OK)
        error = check_exposure(options);
    return error;
}
